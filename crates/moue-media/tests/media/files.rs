//! Picture files made in memory.

use std::io::Cursor;

use image::codecs::png::PngEncoder;
use image::codecs::webp::WebPEncoder;
use image::{ExtendedColorType, ImageEncoder, ImageFormat};
use moue_media::Picture;

/// A file format that is read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    Bmp,
    Gif,
    Jpeg,
    Png,
    Pnm,
    Tiff,
    WebP,
}

impl Kind {
    pub const ALL: [Self; 7] =
        [Self::Bmp, Self::Gif, Self::Jpeg, Self::Png, Self::Pnm, Self::Tiff, Self::WebP];

    /// Whether the format gives back what was put in.
    pub fn is_exact(self) -> bool {
        !matches!(self, Self::Gif | Self::Jpeg)
    }

    fn format(self) -> ImageFormat {
        match self {
            Self::Bmp => ImageFormat::Bmp,
            Self::Gif => ImageFormat::Gif,
            Self::Jpeg => ImageFormat::Jpeg,
            Self::Png => ImageFormat::Png,
            Self::Pnm => ImageFormat::Pnm,
            Self::Tiff => ImageFormat::Tiff,
            Self::WebP => ImageFormat::WebP,
        }
    }
}

/// A picture that is different everywhere and has no symmetry.
pub fn gradient(width: u32, height: u32) -> Picture {
    let mut pixels = Vec::new();
    for y in 0..height {
        for x in 0..width {
            pixels.push((x * 255 / width) as u8);
            pixels.push((y * 255 / height) as u8);
            pixels.push((40 + (x + 2 * y) * 150 / (width + 2 * height)) as u8);
        }
    }
    Picture::from_raw(width, height, pixels).unwrap()
}

/// The file.
pub fn encoded(picture: &Picture, kind: Kind) -> Vec<u8> {
    let mut sink = Cursor::new(Vec::new());
    let (width, height) = (picture.width(), picture.height());
    image::write_buffer_with_format(
        &mut sink,
        picture.pixels(),
        width,
        height,
        ExtendedColorType::Rgb8,
        kind.format(),
    )
    .unwrap();
    sink.into_inner()
}

/// A PNG or WebP file with an EXIF block.
pub fn with_exif(picture: &Picture, kind: Kind, exif: Vec<u8>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let (width, height) = (picture.width(), picture.height());
    let colour = ExtendedColorType::Rgb8;
    match kind {
        Kind::Png => {
            let mut encoder = PngEncoder::new(&mut bytes);
            encoder.set_exif_metadata(exif).unwrap();
            encoder.write_image(picture.pixels(), width, height, colour).unwrap();
        }
        Kind::WebP => {
            let mut encoder = WebPEncoder::new_lossless(&mut bytes);
            encoder.set_exif_metadata(exif).unwrap();
            encoder.write_image(picture.pixels(), width, height, colour).unwrap();
        }
        Kind::Jpeg => {
            bytes = encoded(picture, kind);
            let length = (2 + 6 + exif.len()) as u16;
            let segment = [&[0xff, 0xe1][..], &length.to_be_bytes(), b"Exif\0\0", &exif].concat();
            bytes.splice(2..2, segment);
        }
        _ => unreachable!("no EXIF in {kind:?}"),
    }
    bytes
}

/// A grey PNG of one row with 16 bits a sample.
pub fn png_16_bit(samples: &[u16]) -> Vec<u8> {
    let mut bytes = Vec::new();
    // `write_image` takes samples in native order.
    let native: Vec<u8> = samples.iter().flat_map(|v| v.to_ne_bytes()).collect();
    PngEncoder::new(&mut bytes)
        .write_image(&native, samples.len() as u32, 1, ExtendedColorType::L16)
        .unwrap();
    bytes
}

/// A PNG of one row with an alpha channel.
pub fn png_rgba(pixels: &[[u8; 4]]) -> Vec<u8> {
    let mut bytes = Vec::new();
    PngEncoder::new(&mut bytes)
        .write_image(pixels.as_flattened(), pixels.len() as u32, 1, ExtendedColorType::Rgba8)
        .unwrap();
    bytes
}

/// Numbers that look random and are the same in every run (SplitMix64).
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// Evenly from `low` to `high`.
    pub fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * (self.next() >> 40) as f32 / (1_u64 << 24) as f32
    }

    /// Noise.
    pub fn picture(&mut self, width: u32, height: u32) -> Picture {
        let pixels = (0..width * height * 3).map(|_| self.next() as u8).collect();
        Picture::from_raw(width, height, pixels).unwrap()
    }
}
