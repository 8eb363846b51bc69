//! Whatever a decoder delivers, as 8-bit RGB or luma.

use image::DynamicImage;

use crate::{Error, Grey, Picture};

/// Interleaved 8-bit samples: 1 (luma), 2 (luma, alpha), 3 (RGB) or 4 (RGB, alpha) a pixel.
struct Samples {
    width: u32,
    height: u32,
    channels: usize,
    values: Vec<u8>,
}

/// RGB on white.
pub fn picture(decoded: DynamicImage, name: &str) -> Result<Picture, Error> {
    let samples = samples(decoded, name)?.opaque();
    let picture = if samples.channels == 1 {
        Grey::from_raw(samples.width, samples.height, samples.values).map(|grey| grey.to_picture())
    } else {
        Picture::from_raw(samples.width, samples.height, samples.values)
    };
    picture.ok_or_else(|| wrong_length(name))
}

/// Luma on white.
pub fn grey(decoded: DynamicImage, name: &str) -> Result<Grey, Error> {
    let samples = samples(decoded, name)?.opaque();
    let grey = if samples.channels == 1 {
        Grey::from_raw(samples.width, samples.height, samples.values)
    } else {
        Picture::from_raw(samples.width, samples.height, samples.values).map(|picture| picture.to_grey())
    };
    grey.ok_or_else(|| wrong_length(name))
}

fn wrong_length(name: &str) -> Error {
    Error::Unsupported {
        name: name.to_owned(),
        what: "the decoder returned pixels of another size".to_owned(),
    }
}

fn samples(decoded: DynamicImage, name: &str) -> Result<Samples, Error> {
    let (width, height) = (decoded.width(), decoded.height());
    let (channels, values) = match decoded {
        DynamicImage::ImageLuma8(b) => (1, b.into_raw()),
        DynamicImage::ImageLumaA8(b) => (2, b.into_raw()),
        DynamicImage::ImageRgb8(b) => (3, b.into_raw()),
        DynamicImage::ImageRgba8(b) => (4, b.into_raw()),
        DynamicImage::ImageLuma16(b) => (1, from_16_bits(&b)),
        DynamicImage::ImageLumaA16(b) => (2, from_16_bits(&b)),
        DynamicImage::ImageRgb16(b) => (3, from_16_bits(&b)),
        DynamicImage::ImageRgba16(b) => (4, from_16_bits(&b)),
        DynamicImage::ImageRgb32F(b) => (3, from_floats(&b)),
        DynamicImage::ImageRgba32F(b) => (4, from_floats(&b)),
        other => {
            let what = format!("samples of the kind {:?} are not read", other.color());
            return Err(Error::Unsupported { name: name.to_owned(), what });
        }
    };
    Ok(Samples { width, height, channels, values })
}

/// The nearest of 255 equal steps.
fn from_16_bits(values: &[u16]) -> Vec<u8> {
    values.iter().map(|&v| ((u32::from(v) + 128) / 257) as u8).collect()
}

/// From the range 0 to 1; what lies outside is cut, and what is no number becomes 0.
fn from_floats(values: &[f32]) -> Vec<u8> {
    values.iter().map(|&v| (v * 255.0).round() as u8).collect()
}

impl Samples {
    /// The same on white, without an alpha channel.
    fn opaque(self) -> Self {
        let colours = match self.channels {
            2 => 1,
            4 => 3,
            _ => return self,
        };
        let mut values = Vec::with_capacity(self.values.len() / self.channels * colours);
        for pixel in self.values.chunks_exact(self.channels) {
            let alpha = u32::from(pixel[colours]);
            values.extend(
                pixel[..colours]
                    .iter()
                    .map(|&v| ((u32::from(v) * alpha + 255 * (255 - alpha) + 127) / 255) as u8),
            );
        }
        Self { channels: colours, values, ..self }
    }
}
