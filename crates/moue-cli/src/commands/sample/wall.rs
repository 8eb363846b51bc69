//! Portraits on a plain wall.

use moue_media::Picture;

use super::patch::{Patch, View};

const WIDTH: usize = 960;
const HEIGHT: usize = 640;

/// Colours of the wall from top to bottom, and of the darkest and lightest parts of a portrait, as RGB.
const WALL: [[f32; 3]; 2] = [[226.0, 218.0, 207.0], [187.0, 173.0, 158.0]];
const INK: [[f32; 3]; 2] = [[40.0, 28.0, 32.0], [250.0, 236.0, 220.0]];

/// Grey value of a portrait's mean, with black at 0 and white at 1, and of one standard deviation.
const MIDDLE: f32 = 0.54;
const CONTRAST: f32 = 0.21;

/// Shares of the room for a portrait that it takes, in turn: faces of different sizes.
const SIZES: [f32; 4] = [0.9, 0.74, 0.82, 0.7];

/// Where portraits hang higher or lower than the middle of their row, in turn, in pixels.
const HEIGHTS: [f32; 4] = [4.0, -12.0, 12.0, -6.0];

/// A picture of 960x640 pixels with the portraits in two rows, the later ones above.
///
/// Each is a square with rounded corners, sharpened a little (a mean is soft), and throws a soft shadow.
pub fn hang(portraits: &[&Patch]) -> Picture {
    let mut wall = Wall::plain();
    let (below, above) = portraits.split_at(portraits.len() / 2);
    for (row, y) in [(above, 0.26), (below, 0.75)] {
        let room = WIDTH as f32 / row.len() as f32;
        for (i, portrait) in row.iter().enumerate() {
            let side = (room.min(HEIGHT as f32 * 0.46) * SIZES[i % SIZES.len()]).round() as usize;
            let x = ((i as f32 + 0.5) * room) as i64 - side as i64 / 2;
            let y = (y * HEIGHT as f32 + HEIGHTS[i % HEIGHTS.len()]) as i64 - side as i64 / 2;
            wall.portrait(portrait, x, y, side);
        }
    }
    wall.picture()
}

/// RGB in floating point.
#[derive(Clone)]
pub struct Wall(Vec<[f32; 3]>);

impl Wall {
    /// Nothing on it.
    pub fn plain() -> Self {
        let colour = |i: usize| {
            let (x, y) = ((i % WIDTH) as f32 / WIDTH as f32 - 0.5, (i / WIDTH) as f32 / HEIGHT as f32);
            let light = 1.03 - 0.25 * (x * x + (y - 0.5).powi(2));
            mix(WALL[0], WALL[1], y).map(|c| c * light)
        };
        Self((0..WIDTH * HEIGHT).map(colour).collect())
    }

    /// Hangs a portrait with its upper left corner there; what leaves the picture is cut off.
    pub fn portrait(&mut self, portrait: &Patch, left: i64, top: i64, side: usize) {
        let sharp = portrait.sharpened(7.0, 1.2).normalised(&vec![1.0; portrait.pixels.len()]);
        let sharp = sharp.seen(View::PLAIN, side);
        let frame = Rounded { left: left as f32, top: top as f32, side: side as f32 };
        for (i, colour) in self.0.iter_mut().enumerate() {
            let (x, y) = (i % WIDTH, i / WIDTH);
            let (px, py) = (x as f32 + 0.5, y as f32 + 0.5);
            // The light comes from above.
            let shadow = 1.0 - smooth((frame.distance(px, py - 5.0) + 4.0) / 18.0);
            *colour = mix(*colour, INK[0], 0.35 * shadow);
            let cover = (0.5 - frame.distance(px, py)).clamp(0.0, 1.0);
            if cover > 0.0 {
                // A pixel of the rim whose middle lies outside shows the edge of the portrait.
                let within = |v: usize, start: i64| (v as i64 - start).clamp(0, side as i64 - 1) as usize;
                let grey = sharp.pixels[within(y, top) * side + within(x, left)] * CONTRAST + MIDDLE;
                *colour = mix(*colour, mix(INK[0], INK[1], grey.clamp(0.0, 1.0)), cover);
            }
        }
    }

    /// In whole levels.
    pub fn picture(self) -> Picture {
        let mut picture = Picture::filled(WIDTH as u32, HEIGHT as u32, [0; 3]);
        for (pixel, colour) in picture.pixels_mut().chunks_exact_mut(3).zip(self.0) {
            // `as` cuts to 0..=255.
            pixel.copy_from_slice(&colour.map(|c| (c + 0.5) as u8));
        }
        picture
    }
}

/// A square with rounded corners.
struct Rounded {
    left: f32,
    top: f32,
    side: f32,
}

impl Rounded {
    /// Pixels from the edge to a point, negative inside.
    fn distance(&self, x: f32, y: f32) -> f32 {
        let half = self.side / 2.0;
        let radius = self.side * 0.12;
        let beyond = |v: f32, start: f32| (v - start - half).abs() - (half - radius);
        let (dx, dy) = (beyond(x, self.left), beyond(y, self.top));
        dx.max(0.0).hypot(dy.max(0.0)) + dx.max(dy).min(0.0) - radius
    }
}

/// 0 up to 0, 1 from 1 on, and without an edge between.
fn smooth(t: f32) -> f32 {
    let t = t.clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

fn mix(from: [f32; 3], to: [f32; 3], share: f32) -> [f32; 3] {
    [0, 1, 2].map(|i| from[i] + (to[i] - from[i]) * share)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_is_negative_inside_and_zero_on_the_edge() {
        let square = Rounded { left: 10.0, top: 20.0, side: 100.0 };
        for (x, y, expected) in [(60.0, 70.0, -50.0), (10.0, 70.0, 0.0), (115.0, 70.0, 5.0)] {
            assert!((square.distance(x, y) - expected).abs() < 1e-3, "{x}, {y}");
        }
        assert!(square.distance(10.0, 20.0) > 4.0, "the corner is cut off");
    }

    #[test]
    fn every_portrait_hangs_on_the_wall() {
        let half = |i: usize| if i % 192 < 96 { -1.0 } else { 1.0 };
        let patch = Patch::new(192, (0..192 * 192).map(half));
        for count in [2, 7, 8] {
            let picture = hang(&vec![&patch; count]);
            assert_eq!((picture.width(), picture.height()), (960, 640));
            // Each portrait darkens one stretch of a row through the middles of all portraits of its row.
            let stretches = |y: usize| {
                let row = &picture.pixels()[y * 960 * 3..(y + 1) * 960 * 3];
                let dark: Vec<bool> = row.chunks_exact(3).map(|p| p[0] < 125).collect();
                dark.windows(2).filter(|w| !w[0] && w[1]).count()
            };
            assert_eq!(stretches(170) + stretches(480), count);
        }
    }
}
