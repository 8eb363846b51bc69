//! Rectangles with rounded corners and smooth edges.

use super::blend;
use crate::Picture;

/// A rectangle with rounded corners; edges lie between pixels at whole numbers.
#[derive(Clone, Copy, Debug)]
pub struct Rounded {
    pub left: f32,
    pub top: f32,
    pub right: f32,
    pub bottom: f32,
    /// Radius of the corners.
    pub radius: f32,
    /// Radians by which it is turned clockwise about its centre.
    pub roll: f32,
}

impl Rounded {
    /// Distance of a point to the edge: negative inside, positive outside.
    fn distance(&self, x: f32, y: f32) -> f32 {
        let half_width = (self.right - self.left) / 2.0;
        let half_height = (self.bottom - self.top) / 2.0;
        let radius = self.radius.min(half_width).min(half_height).max(0.0);
        let (mut across, mut down) = (x - (self.left + half_width), y - (self.top + half_height));
        if self.roll != 0.0 {
            let (sin, cos) = self.roll.sin_cos();
            (across, down) = (across * cos + down * sin, down * cos - across * sin);
        }
        let dx = across.abs() - (half_width - radius);
        let dy = down.abs() - (half_height - radius);
        dx.max(0.0).hypot(dy.max(0.0)) + dx.max(dy).min(0.0) - radius
    }

    /// Fills it.
    pub fn fill(&self, picture: &mut Picture, colour: [u8; 3], opacity: f32) {
        self.paint(picture, 1.0, f32::INFINITY, colour, |distance| {
            (0.5 - distance).clamp(0.0, 1.0) * opacity
        });
    }

    /// Draws a line along its edge, half of it inside and half outside.
    pub fn stroke(&self, picture: &mut Picture, thickness: f32, colour: [u8; 3], opacity: f32) {
        let half = thickness / 2.0;
        self.paint(picture, half + 1.0, half + 1.0, colour, |distance| {
            (half + 0.5 - distance.abs()).clamp(0.0, 1.0) * opacity
        });
    }

    /// Lays the colour over every pixel from `outside` pixels outside the edge to `inside` pixels inside it, as
    /// strong as `coverage` says of the pixel's distance to the edge.
    fn paint(
        &self,
        picture: &mut Picture,
        outside: f32,
        inside: f32,
        colour: [u8; 3],
        coverage: impl Fn(f32) -> f32,
    ) {
        if self.roll != 0.0 {
            return self.paint_turned(picture, outside, colour, coverage);
        }
        let columns = span(self.left - outside, self.right + outside, picture.width());
        let rows = span(self.top - outside, self.bottom + outside, picture.height());
        // Between the lines at the left and right there is nothing to draw, save near the corners.
        let margin = inside + self.radius.max(0.0);
        let hollow = span(self.left + margin, self.right - margin, picture.width());
        let hollow_rows = self.top + margin..self.bottom - margin;
        let stride = picture.width() as usize * 3;
        for row in rows {
            let y = row as f32 + 0.5;
            let line = &mut picture.pixels_mut()[row * stride..(row + 1) * stride];
            let skip = if hollow_rows.contains(&y) { hollow.clone() } else { 0..0 };
            let (left, right) = if skip.is_empty() {
                (columns.clone(), 0..0)
            } else {
                (columns.start..skip.start.min(columns.end), skip.end.max(columns.start)..columns.end)
            };
            for column in left.chain(right) {
                let strength = coverage(self.distance(column as f32 + 0.5, y));
                if strength > 0.0 {
                    blend(&mut line[column * 3..column * 3 + 3], colour, strength);
                }
            }
        }
    }
}

impl Rounded {
    /// As `paint`, going through all that a turned one may touch.
    fn paint_turned(
        &self,
        picture: &mut Picture,
        outside: f32,
        colour: [u8; 3],
        coverage: impl Fn(f32) -> f32,
    ) {
        let (x, y) = ((self.left + self.right) / 2.0, (self.top + self.bottom) / 2.0);
        let reach = (self.right - self.left).hypot(self.bottom - self.top) / 2.0 + outside;
        let stride = picture.width() as usize * 3;
        let columns = span(x - reach, x + reach, picture.width());
        for row in span(y - reach, y + reach, picture.height()) {
            let line = &mut picture.pixels_mut()[row * stride..(row + 1) * stride];
            for column in columns.clone() {
                let strength = coverage(self.distance(column as f32 + 0.5, row as f32 + 0.5));
                if strength > 0.0 {
                    blend(&mut line[column * 3..column * 3 + 3], colour, strength);
                }
            }
        }
    }
}

/// The whole pixels that `from..to` touches, within `0..limit`. Conversion cuts negative numbers to 0.
fn span(from: f32, to: f32, limit: u32) -> std::ops::Range<usize> {
    let limit = limit as usize;
    let start = (from.floor() as usize).min(limit);
    start..(to.ceil() as usize).clamp(start, limit)
}
