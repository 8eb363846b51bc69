//! Whatever a decoder delivers, as 8-bit RGB or luma.

use image::metadata::Orientation;
use image::{DynamicImage, ImageBuffer};

use crate::{Error, Grey, Picture};

/// Interleaved 8-bit samples: 1 (luma), 2 (luma, alpha), 3 (RGB) or 4 (RGB, alpha) a pixel.
struct Samples {
    width: u32,
    height: u32,
    channels: usize,
    values: Vec<u8>,
}

/// Samples of 8 bits, grey or RGB, on white.
///
/// # Errors
/// [`Error::Unsupported`] where the decoder delivers samples of another kind than are known.
pub fn narrow(decoded: DynamicImage, name: &str) -> Result<DynamicImage, Error> {
    if matches!(decoded, DynamicImage::ImageLuma8(_) | DynamicImage::ImageRgb8(_)) {
        return Ok(decoded);
    }
    let Samples { width, height, channels, values } = samples(decoded, name)?.opaque();
    let picture = match channels {
        1 => ImageBuffer::from_raw(width, height, values).map(DynamicImage::ImageLuma8),
        _ => ImageBuffer::from_raw(width, height, values).map(DynamicImage::ImageRgb8),
    };
    picture.ok_or_else(|| wrong_length(name))
}

/// RGB.
pub fn picture(decoded: DynamicImage, name: &str) -> Result<Picture, Error> {
    let (width, height) = (decoded.width(), decoded.height());
    let picture = match decoded {
        DynamicImage::ImageLuma8(b) => {
            Grey::from_raw(width, height, b.into_raw()).map(|grey| grey.to_picture())
        }
        decoded => Picture::from_raw(width, height, decoded.into_bytes()),
    };
    picture.ok_or_else(|| wrong_length(name))
}

/// Luma.
pub fn grey(decoded: DynamicImage, name: &str) -> Result<Grey, Error> {
    let (width, height) = (decoded.width(), decoded.height());
    let grey = match decoded {
        DynamicImage::ImageLuma8(b) => Grey::from_raw(width, height, b.into_raw()),
        decoded => Picture::from_raw(width, height, decoded.into_bytes()).map(|picture| picture.to_grey()),
    };
    grey.ok_or_else(|| wrong_length(name))
}

fn wrong_length(name: &str) -> Error {
    Error::Unsupported {
        name: name.to_owned(),
        what: "the decoder returned pixels of another size".to_owned(),
    }
}

/// The picture turned by a quarter, without a second one in memory: each pixel goes to its place and what stood there to its own,
/// round by round. It takes some ten times as long as turning it into a second one. `None` where it is not of 8 bits.
pub fn turned_in_place(decoded: DynamicImage, orientation: Orientation) -> Option<DynamicImage> {
    let (width, height) = (decoded.width() as usize, decoded.height() as usize);
    // Where the pixel stands that belongs at this place.
    let from = |place: usize| {
        let (x, y) = (place % height, place / height);
        let (column, row) = match orientation {
            Orientation::Rotate90 => (y, height - 1 - x),
            Orientation::Rotate270 => (width - 1 - y, x),
            Orientation::Rotate90FlipH => (y, x),
            _ => (width - 1 - y, height - 1 - x),
        };
        row * width + column
    };
    let (across, down) = (decoded.height(), decoded.width());
    match decoded {
        DynamicImage::ImageLuma8(b) => {
            let mut pixels = b.into_raw();
            permute(&mut pixels, from);
            ImageBuffer::from_raw(across, down, pixels).map(DynamicImage::ImageLuma8)
        }
        DynamicImage::ImageRgb8(b) => {
            let mut pixels = b.into_raw();
            permute(pixels.as_chunks_mut::<3>().0, from);
            ImageBuffer::from_raw(across, down, pixels).map(DynamicImage::ImageRgb8)
        }
        _ => None,
    }
}

fn permute<T: Copy>(pixels: &mut [T], from: impl Fn(usize) -> usize) {
    let mut done = vec![0_u64; pixels.len().div_ceil(64)];
    for start in 0..pixels.len() {
        if done[start / 64] >> (start % 64) & 1 == 1 {
            continue;
        }
        let first = pixels[start];
        let mut place = start;
        loop {
            done[place / 64] |= 1 << (place % 64);
            let source = from(place);
            if source == start {
                pixels[place] = first;
                break;
            }
            pixels[place] = pixels[source];
            place = source;
        }
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

/// The nearest of 255 equal steps up to the largest value that a camera of so many bits gives, where all samples fit in fewer
/// than 16. Alpha counts, too: a picture whose pixels are opaque uses the whole range.
fn from_16_bits(values: &[u16]) -> Vec<u8> {
    let largest = values.iter().copied().max().unwrap_or(0);
    let full =
        [1023, 4095, 16_383].into_iter().find(|&full| largest > 0 && largest <= full).unwrap_or(u16::MAX);
    let full = u32::from(full);
    values.iter().map(|&v| ((u32::from(v) * 255 + full / 2) / full) as u8).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turning_in_place_is_turning() {
        let (width, height) = (7, 5);
        let grey: Vec<u8> = (0..35).collect();
        let rgb: Vec<u8> = (0..105).collect();
        for value in 5..=8 {
            let orientation = Orientation::from_exif(value).unwrap();
            for picture in [
                DynamicImage::ImageLuma8(ImageBuffer::from_raw(width, height, grey.clone()).unwrap()),
                DynamicImage::ImageRgb8(ImageBuffer::from_raw(width, height, rgb.clone()).unwrap()),
            ] {
                let mut expected = picture.clone();
                expected.apply_orientation(orientation);
                assert_eq!(turned_in_place(picture, orientation).unwrap(), expected, "{value}");
            }
        }
    }

    #[test]
    fn the_values_of_cameras_use_their_own_range() {
        assert_eq!(from_16_bits(&[0, 1023, 512]), [0, 255, 128]);
        assert_eq!(from_16_bits(&[0, 1024, 4095]), [0, 64, 255]);
        assert_eq!(from_16_bits(&[0, 4096, 16_383]), [0, 64, 255]);
        assert_eq!(from_16_bits(&[0, 16_384, 65_535]), [0, 64, 255]);
        assert_eq!(from_16_bits(&[0, 0]), [0, 0]);
    }
}
