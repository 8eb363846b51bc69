//! Drawing on a picture. Whatever lies outside the picture is left out, so that any coordinates will do.

use crate::Picture;

mod face;
mod palette;
mod rounded;
mod text;

pub use face::{FaceMark, draw_face, draw_faces};
pub use palette::{palette, readable_on};
pub use text::{Weight, draw_text, fit_text, measure_text};

impl Picture {
    /// Fills the rectangle whose upper left pixel is (`x`, `y`). `opacity` runs from 0 (nothing is drawn)
    /// to 1 (the colour covers what was there).
    pub fn fill_rectangle(&mut self, x: i64, y: i64, width: u32, height: u32, colour: [u8; 3], opacity: f32) {
        // An opacity that is no number draws nothing, too.
        if opacity.is_nan() || opacity <= 0.0 {
            return;
        }
        let columns = visible(x, width, self.width());
        let stride = self.width() as usize * 3;
        for row in visible(y, height, self.height()) {
            let start = row * stride;
            for pixel in
                self.pixels_mut()[start + columns.start * 3..start + columns.end * 3].chunks_exact_mut(3)
            {
                blend(pixel, colour, opacity);
            }
        }
    }

    /// Draws the border of a rectangle, `thickness` pixels wide, inside its edges.
    pub fn outline_rectangle(
        &mut self,
        x: i64,
        y: i64,
        width: u32,
        height: u32,
        thickness: u32,
        colour: [u8; 3],
    ) {
        let across = thickness.min(width);
        let down = thickness.min(height);
        let right = x.saturating_add(i64::from(width - across));
        let bottom = y.saturating_add(i64::from(height - down));
        self.fill_rectangle(x, y, width, down, colour, 1.0);
        self.fill_rectangle(x, bottom, width, down, colour, 1.0);
        self.fill_rectangle(x, y, across, height, colour, 1.0);
        self.fill_rectangle(right, y, across, height, colour, 1.0);
    }

    /// Copies another picture so that its upper left pixel falls on (`x`, `y`).
    pub fn paste(&mut self, other: &Picture, x: i64, y: i64) {
        let columns = visible(x, other.width(), self.width());
        if columns.is_empty() {
            return;
        }
        let stride = self.width() as usize * 3;
        let other_stride = other.width() as usize * 3;
        // Not negative, because the visible part of `other` starts at or right of and below its corner.
        let skip = (columns.start as i64).saturating_sub(x) as usize * 3;
        for row in visible(y, other.height(), self.height()) {
            let from = (row as i64).saturating_sub(y) as usize * other_stride + skip;
            let source = &other.pixels()[from..from + columns.len() * 3];
            let to = row * stride + columns.start * 3;
            self.pixels_mut()[to..to + source.len()].copy_from_slice(source);
        }
    }
}

/// The part of `start..start + length` that lies in `0..limit`.
fn visible(start: i64, length: u32, limit: u32) -> std::ops::Range<usize> {
    let limit = i64::from(limit);
    let from = start.clamp(0, limit);
    let to = start.saturating_add(i64::from(length)).clamp(from, limit);
    from as usize..to as usize
}

/// Lays a colour over a pixel of three bytes. An opacity outside 0 to 1 is cut to it.
fn blend(pixel: &mut [u8], colour: [u8; 3], opacity: f32) {
    let opacity = opacity.clamp(0.0, 1.0);
    for (value, target) in pixel.iter_mut().zip(colour) {
        let from = f32::from(*value);
        *value = (from + (f32::from(target) - from) * opacity + 0.5) as u8;
    }
}
