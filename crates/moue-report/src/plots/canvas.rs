//! A drawing surface in the units of the reader: one unit is two pixels.

use moue_media::{Picture, Weight, draw_text, measure_text};

/// Pixels a unit.
pub const SCALE: f32 = 2.0;

pub const PAPER: [u8; 3] = [255, 255, 255];
pub const INK: [u8; 3] = [33, 37, 41];
/// For what is read second: ticks, totals, notes.
pub const FAINT_INK: [u8; 3] = [108, 117, 125];
pub const GRID: [u8; 3] = [228, 231, 235];

/// Which point of a line of text the coordinates mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchor {
    Left,
    Centre,
    Right,
}

/// How text looks.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    /// Height of a line.
    pub size: f32,
    pub weight: Weight,
    pub colour: [u8; 3],
}

pub const TITLE: Style = Style { size: 18.0, weight: Weight::Bold, colour: INK };
pub const HEADING: Style = Style { size: 15.0, weight: Weight::Bold, colour: INK };
pub const LABEL: Style = Style { size: 13.5, weight: Weight::Regular, colour: INK };
pub const NOTE: Style = Style { size: 12.5, weight: Weight::Regular, colour: FAINT_INK };

impl Style {
    pub fn coloured(self, colour: [u8; 3]) -> Self {
        Self { colour, ..self }
    }

    /// Width of a line of text in units.
    pub fn width(self, text: &str) -> f32 {
        measure_text(text, self.size * SCALE, self.weight) / SCALE
    }
}

/// A rectangle in units.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Area {
    pub left: f32,
    pub top: f32,
    pub width: f32,
    pub height: f32,
}

impl Area {
    pub fn right(self) -> f32 {
        self.left + self.width
    }

    pub fn bottom(self) -> f32 {
        self.top + self.height
    }
}

pub struct Canvas {
    picture: Picture,
}

impl Canvas {
    /// White paper of this size in units, which the callers bound.
    pub fn new(width: f32, height: f32) -> Self {
        let pixels = |units: f32| (units * SCALE).round().max(1.0) as u32;
        Self { picture: Picture::filled(pixels(width), pixels(height), PAPER) }
    }

    pub fn into_picture(self) -> Picture {
        self.picture
    }

    /// A filled rectangle with its edges on whole pixels.
    pub fn fill(&mut self, area: Area, colour: [u8; 3], opacity: f32) {
        let edge = |units: f32| (units * SCALE).round() as i64;
        let (left, top) = (edge(area.left), edge(area.top));
        let width = (edge(area.right()) - left).max(0) as u32;
        let height = (edge(area.bottom()) - top).max(0) as u32;
        self.picture.fill_rectangle(left, top, width, height, colour, opacity);
    }

    /// A horizontal line, one unit thick, centred on `y`.
    pub fn horizontal(&mut self, y: f32, left: f32, right: f32, colour: [u8; 3]) {
        self.fill(Area { left, top: y - 0.5, width: right - left, height: 1.0 }, colour, 1.0);
    }

    /// A vertical line, one unit thick, centred on `x`.
    pub fn vertical(&mut self, x: f32, top: f32, bottom: f32, colour: [u8; 3]) {
        self.fill(Area { left: x - 0.5, top, width: 1.0, height: bottom - top }, colour, 1.0);
    }

    /// One line of text around the height `y` of its middle.
    pub fn text(&mut self, text: &str, x: f32, y: f32, anchor: Anchor, style: Style) {
        let width = style.width(text);
        let left = match anchor {
            Anchor::Left => x,
            Anchor::Centre => x - width / 2.0,
            Anchor::Right => x - width,
        };
        // Letters without descenders look centred when the middle of a capital is.
        let top = y - style.size * 0.485;
        let (size, colour) = (style.size * SCALE, style.colour);
        draw_text(&mut self.picture, text, left * SCALE, top * SCALE, size, style.weight, colour);
    }

    /// One line of text that runs from bottom to top, around the point (`x`, `y`).
    pub fn text_upwards(&mut self, text: &str, x: f32, y: f32, style: Style) {
        let size = style.size * SCALE;
        let (width, height) = ((style.width(text) * SCALE).ceil() as u32 + 2, size.ceil() as u32 + 2);
        let mut line = Picture::filled(width, height, PAPER);
        draw_text(&mut line, text, 1.0, 1.0, size, style.weight, style.colour);
        let mut turned = Picture::filled(height, width, PAPER);
        for (row, pixels) in line.pixels().chunks_exact(width as usize * 3).enumerate() {
            for (column, pixel) in pixels.chunks_exact(3).enumerate() {
                let at = ((width as usize - 1 - column) * height as usize + row) * 3;
                turned.pixels_mut()[at..at + 3].copy_from_slice(pixel);
            }
        }
        let left = (x * SCALE) as i64 - i64::from(height) / 2;
        let top = (y * SCALE) as i64 - i64::from(width) / 2;
        self.picture.paste(&turned, left, top);
    }

    /// A line through points, `thickness` units thick, with round joints and ends.
    pub fn polyline(&mut self, points: &[(f32, f32)], thickness: f32, colour: [u8; 3]) {
        let pixels: Vec<(f32, f32)> = points.iter().map(|&(x, y)| (x * SCALE, y * SCALE)).collect();
        self.stroke(&pixels, thickness * SCALE / 2.0, colour);
    }

    /// A straight dashed line; `dash` and `gap` in units.
    pub fn dashed(&mut self, from: (f32, f32), to: (f32, f32), thickness: f32, colour: [u8; 3]) {
        const DASH: f32 = 4.0;
        const GAP: f32 = 4.0;
        let (dx, dy) = (to.0 - from.0, to.1 - from.1);
        let length = dx.hypot(dy);
        let dashes = (length / (DASH + GAP)).ceil().min(10_000.0) as usize;
        for i in 0..dashes {
            let start = i as f32 * (DASH + GAP) / length;
            let end = (start + DASH / length).min(1.0);
            let at = |t: f32| (from.0 + dx * t, from.1 + dy * t);
            self.polyline(&[at(start), at(end)], thickness, colour);
        }
    }

    /// A filled disc with a ring of paper around it, which sets it off from the lines it lies on.
    pub fn dot(&mut self, x: f32, y: f32, radius: f32, colour: [u8; 3]) {
        self.polyline(&[(x, y)], 2.0 * radius + 2.5, PAPER);
        self.polyline(&[(x, y)], 2.0 * radius, colour);
    }

    /// Covers each pixel as far as the line does: by the distance of its centre to the nearest segment. Each pixel is
    /// touched once, so that joints are no darker than the rest.
    fn stroke(&mut self, points: &[(f32, f32)], half: f32, colour: [u8; 3]) {
        let segments: Vec<[(f32, f32); 2]> = match points {
            [] => return,
            [point] => vec![[*point, *point]],
            _ => points.windows(2).map(|w| [w[0], w[1]]).collect(),
        };
        let bounds = |side: u32, low: f32, high: f32| {
            let clamped = |v: f32| v.clamp(0.0, side as f32) as usize;
            clamped((low - half - 1.0).floor())..clamped((high + half + 1.0).ceil())
        };
        let (width, height) = (self.picture.width(), self.picture.height());
        let mut coverage = std::collections::BTreeMap::<(usize, usize), f32>::new();
        for &[a, b] in &segments {
            if ![a.0, a.1, b.0, b.1].iter().all(|v| v.is_finite()) {
                continue;
            }
            for y in bounds(height, a.1.min(b.1), a.1.max(b.1)) {
                for x in bounds(width, a.0.min(b.0), a.0.max(b.0)) {
                    let covered = half + 0.5 - distance((x as f32 + 0.5, y as f32 + 0.5), a, b);
                    if covered > 0.0 {
                        let most = coverage.entry((y, x)).or_default();
                        *most = most.max(covered.min(1.0));
                    }
                }
            }
        }
        for ((y, x), covered) in coverage {
            self.picture.fill_rectangle(x as i64, y as i64, 1, 1, colour, covered);
        }
    }
}

/// Distance of a point to the segment from `a` to `b`.
fn distance(point: (f32, f32), a: (f32, f32), b: (f32, f32)) -> f32 {
    let (dx, dy) = (b.0 - a.0, b.1 - a.1);
    let (px, py) = (point.0 - a.0, point.1 - a.1);
    let squared = dx * dx + dy * dy;
    let t = if squared > 0.0 { ((px * dx + py * dy) / squared).clamp(0.0, 1.0) } else { 0.0 };
    (px - t * dx).hypot(py - t * dy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_to_a_segment() {
        let (a, b) = ((0.0, 0.0), (10.0, 0.0));
        assert_eq!(distance((5.0, 3.0), a, b), 3.0);
        assert_eq!(distance((13.0, 4.0), a, b), 5.0);
        assert_eq!(distance((3.0, 4.0), a, a), 5.0);
    }

    #[test]
    fn a_line_covers_its_thickness() {
        let mut canvas = Canvas::new(20.0, 20.0);
        canvas.polyline(&[(5.0, 10.0), (15.0, 10.0)], 2.0, [0, 0, 0]);
        let picture = canvas.into_picture();
        let ink: u32 =
            (0..40).map(|y| 255 - u32::from(picture.pixels()[(y * picture.width() as usize + 20) * 3])).sum();
        assert_eq!(ink, 4 * 255, "two units are four pixels");
    }

    #[test]
    fn points_that_are_no_numbers_draw_nothing() {
        let mut canvas = Canvas::new(20.0, 20.0);
        canvas.polyline(&[(f32::NAN, 1.0), (4.0, f32::INFINITY), (1e30, 3.0)], 2.0, [0, 0, 0]);
        canvas.dashed((3.0, 3.0), (3.0, 3.0), 1.0, [0, 0, 0]);
        assert!(canvas.into_picture().pixels().iter().all(|&v| v == 255));
    }
}
