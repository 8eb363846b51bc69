//! The two pixel buffers of moue.

use crate::luma;

/// A colour picture: 8-bit RGB, row-major, three bytes a pixel, no padding between rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    width: u32,
    height: u32,
    pixels: Vec<u8>,
}

/// A grey picture: 8-bit luma, row-major, one byte a pixel, no padding between rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grey {
    width: u32,
    height: u32,
    pixels: Vec<u8>,
}

/// A rectangle on a picture, in pixels from the upper left corner of the picture, where pixel 0
/// covers 0 to 1. It may leave the picture on any side.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Region {
    /// Left edge.
    pub x: f32,
    /// Upper edge.
    pub y: f32,
    /// Width.
    pub width: f32,
    /// Height.
    pub height: f32,
}

/// Bytes of a picture; `None` where they cannot be counted.
fn length(width: u32, height: u32, channels: usize) -> Option<usize> {
    (width as usize).checked_mul(height as usize)?.checked_mul(channels)
}

impl Picture {
    /// Takes over a buffer of `width * height * 3` bytes; `None` where the length differs.
    pub fn from_raw(width: u32, height: u32, pixels: Vec<u8>) -> Option<Self> {
        (length(width, height, 3) == Some(pixels.len())).then_some(Self { width, height, pixels })
    }

    /// A picture of one colour. The caller answers for the size: 3 bytes a pixel are taken at once.
    pub fn filled(width: u32, height: u32, colour: [u8; 3]) -> Self {
        let pixels = colour.repeat(width as usize * height as usize);
        Self { width, height, pixels }
    }

    /// Pixels a row.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Rows.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// All bytes: `height` rows of `width` pixels of red, green, blue.
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// All bytes, to draw on.
    pub fn pixels_mut(&mut self) -> &mut [u8] {
        &mut self.pixels
    }

    /// Gives the buffer away.
    pub fn into_pixels(self) -> Vec<u8> {
        self.pixels
    }

    /// Luma by ITU-R BT.601 in 14-bit fixed point, bit for bit as OpenCV's `COLOR_RGB2GRAY`
    /// computes it, so that detectors trained there see the same values.
    pub fn to_grey(&self) -> Grey {
        let mut pixels = vec![0; self.pixels.len() / 3];
        luma::row(&self.pixels, &mut pixels);
        Grey { width: self.width, height: self.height, pixels }
    }
}

impl Grey {
    /// Takes over a buffer of `width * height` bytes; `None` where the length differs.
    pub fn from_raw(width: u32, height: u32, pixels: Vec<u8>) -> Option<Self> {
        (length(width, height, 1) == Some(pixels.len())).then_some(Self { width, height, pixels })
    }

    /// Pixels a row.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Rows.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// All bytes: `height` rows of `width` pixels.
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// One row of `width` pixels; empty past the last row.
    pub fn row(&self, y: u32) -> &[u8] {
        let start = y as usize * self.width as usize;
        self.pixels.get(start..start + self.width as usize).unwrap_or(&[])
    }

    /// All bytes, to change.
    pub fn pixels_mut(&mut self) -> &mut [u8] {
        &mut self.pixels
    }

    /// Gives the buffer away.
    pub fn into_pixels(self) -> Vec<u8> {
        self.pixels
    }

    /// The same picture with luma in all three channels.
    pub fn to_picture(&self) -> Picture {
        let mut pixels = vec![0; self.pixels.len() * 3];
        for (rgb, &luma) in pixels.chunks_exact_mut(3).zip(&self.pixels) {
            rgb.fill(luma);
        }
        Picture { width: self.width, height: self.height, pixels }
    }
}
