//! What a picture looks like as a whole, so that a cut to another shot is told from people who move.
//!
//! It knows the picture, not who is in it: a few coloured cells, far too coarse for a face.

use moue_media::Picture;

/// Cells across and down.
const ACROSS: usize = 16;
const DOWN: usize = 12;

/// Pixels looked at in a cell, across and down: enough that a texture which shakes has about the same mean, few enough to cost
/// nothing beside the search for faces.
const LOOKS: [usize; 2] = [8, 6];

/// Levels of 255 by which one of the colours of a cell differs at least that has changed: noise and shaking change less.
const CHANGED: i32 = 18;

/// The most by which brightness as a whole is evened out before cells are compared. A dark wall and a white one stay two.
const EVENED: f32 = 1.5;

/// Steps of log brightness from cell to cell that are mere noise.
const NOISE: f32 = 0.03;

/// Added to brightness before its logarithm, so that what is nearly black has no shape.
const FLOOR: f32 = 16.0;

/// Correlation of the steps of brightness from which two scenes have the same shape: they differ in light only. Of two
/// thousand pairs of photos of different places none reaches it, a lamp on one side leaves more in nearly all.
const SAME_SHAPE: f32 = 0.65;

/// A thumbnail of a picture: the mean colours of 16 by 12 cells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scene {
    cells: [[u8; 3]; ACROSS * DOWN],
}

impl Scene {
    /// The scene of a picture, from some nine thousand of its pixels.
    pub fn of(picture: &Picture) -> Self {
        let mut cells = [[0; 3]; ACROSS * DOWN];
        let (width, height) = (picture.width() as usize, picture.height() as usize);
        if width == 0 || height == 0 {
            return Self { cells };
        }
        // Byte offsets of the columns that are looked at.
        let count = ACROSS * LOOKS[0];
        let columns: Vec<usize> = (0..count).map(|i| (2 * i + 1) * width / (2 * count) * 3).collect();
        let pixels = picture.pixels();
        let rows = DOWN * LOOKS[1];
        let looks = (LOOKS[0] * LOOKS[1]) as u32;
        for (down, row_of_cells) in cells.chunks_exact_mut(ACROSS).enumerate() {
            let mut sums = [[0_u32; 3]; ACROSS];
            for look in 0..LOOKS[1] {
                let y = (2 * (down * LOOKS[1] + look) + 1) * height / (2 * rows);
                let row = &pixels[y * width * 3..(y + 1) * width * 3];
                for (sum, columns) in sums.iter_mut().zip(columns.chunks_exact(LOOKS[0])) {
                    for &column in columns {
                        for (sum, &level) in sum.iter_mut().zip(&row[column..column + 3]) {
                            *sum += u32::from(level);
                        }
                    }
                }
            }
            for (cell, sum) in row_of_cells.iter_mut().zip(sums) {
                *cell = sum.map(|sum| ((sum + looks / 2) / looks) as u8);
            }
        }
        Self { cells }
    }

    /// Share of the cells, 0 to 1, whose colour is neither there nor in the cells around in the other scene, once both are
    /// equally bright. Some 0.6 to 1 for pictures of different places; a camera that shakes or somebody who moves
    /// changes few.
    pub fn change(&self, other: &Self) -> f32 {
        let gain =
            ((other.brightness() + 1.0) / (self.brightness() + 1.0)).clamp(1.0 / EVENED, EVENED).sqrt();
        let (here, there) = (self.scaled(gain), other.scaled(1.0 / gain));
        (missing(&here, &there) + missing(&there, &here)) as f32 / (2 * ACROSS * DOWN) as f32
    }

    /// Whether two scenes differ in nothing but light: it becomes brighter and darker from cell to cell as in the other.
    pub fn same_shape(&self, other: &Self) -> bool {
        let (mut both, mut here, mut there, mut count) = (0.0, 0.0, 0.0, 0.0);
        let (a, b) = (self.logs(), other.logs());
        for y in 0..DOWN {
            for x in 0..ACROSS {
                let at = y * ACROSS + x;
                let next = [(x + 1 < ACROSS).then_some(at + 1), (y + 1 < DOWN).then_some(at + ACROSS)];
                for next in next.into_iter().flatten() {
                    let (p, q) = (a[next] - a[at], b[next] - b[at]);
                    both += p * q;
                    here += p * p;
                    there += q * q;
                    count += 1.0;
                }
            }
        }
        let noise = NOISE * NOISE * count;
        both >= SAME_SHAPE * ((here + noise) * (there + noise)).sqrt()
    }

    fn brightness(&self) -> f32 {
        let sum: u32 = self.cells.iter().flatten().map(|&level| u32::from(level)).sum();
        sum as f32 / (3 * ACROSS * DOWN) as f32
    }

    fn scaled(&self, gain: f32) -> [[i32; 3]; ACROSS * DOWN] {
        self.cells.map(|cell| cell.map(|level| (f32::from(level) * gain).round() as i32))
    }

    fn logs(&self) -> [f32; ACROSS * DOWN] {
        self.cells.map(|[red, green, blue]| {
            (0.3 * f32::from(red) + 0.59 * f32::from(green) + 0.11 * f32::from(blue) + FLOOR).ln()
        })
    }
}

/// How many cells of one scene have no like at or around their place in the other.
fn missing(here: &[[i32; 3]], there: &[[i32; 3]]) -> usize {
    let alike = |a: &[i32; 3], b: &[i32; 3]| a.iter().zip(b).all(|(a, b)| (a - b).abs() <= CHANGED);
    let is_missing = |&at: &usize| {
        // Most have not changed.
        if alike(&here[at], &there[at]) {
            return false;
        }
        let (x, y) = (at % ACROSS, at / ACROSS);
        let around = |middle: usize, end: usize| middle.saturating_sub(1)..(middle + 2).min(end);
        !around(y, DOWN).any(|y| around(x, ACROSS).any(|x| alike(&here[at], &there[y * ACROSS + x])))
    };
    (0..ACROSS * DOWN).filter(is_missing).count()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A room that looks like no other: smooth blotches of colour, `shift` pixels moved, with what `paint` puts over it.
    pub fn room(seed: u32, shift: f32, paint: impl Fn(f32, f32) -> Option<[f32; 3]>) -> Picture {
        let (width, height) = (320_u32, 240_u32);
        let value = |x: i32, y: i32, channel: u32| {
            let mut h = seed.wrapping_mul(0x9e37_79b9) ^ (x as u32).wrapping_mul(0x85eb_ca6b);
            h ^= (y as u32).wrapping_mul(0xc2b2_ae35) ^ channel.wrapping_mul(0x27d4_eb2f);
            h = (h ^ (h >> 15)).wrapping_mul(0x2c1b_3c6d);
            h = (h ^ (h >> 12)).wrapping_mul(0x297a_2d39);
            ((h ^ (h >> 15)) & 255) as f32
        };
        let mut pixels = Vec::new();
        for y in 0..height {
            for x in 0..width {
                let (x, y) = (x as f32, y as f32);
                let (u, v) = ((x + shift) / 60.0, y / 60.0);
                let (i, j) = (u.floor(), v.floor());
                let (s, t) = (u - i, v - j);
                for channel in 0..3 {
                    let at = |a: i32, b: i32| value(i as i32 + a, j as i32 + b, channel);
                    let top = at(0, 0) * (1.0 - s) + at(1, 0) * s;
                    let bottom = at(0, 1) * (1.0 - s) + at(1, 1) * s;
                    let level = paint(x, y).map_or(top * (1.0 - t) + bottom * t, |c| c[channel as usize]);
                    pixels.push(level as u8);
                }
            }
        }
        Picture::from_raw(width, height, pixels).unwrap()
    }

    /// A head and shoulders of this size, in the middle but for `aside` pixels.
    pub fn sitter(aside: f32, size: f32) -> impl Fn(f32, f32) -> Option<[f32; 3]> {
        move |x, y| {
            let (x, y) = ((x - 160.0 - aside) / size, (y - 120.0) / size);
            let (head, shoulders) = (x.hypot(y / 1.3) < 0.5, y > 0.7 && x.abs() < 1.0);
            let hair = head && y < -0.35;
            match (hair, head, shoulders) {
                (true, _, _) => Some([40.0, 30.0, 25.0]),
                (_, true, _) => Some([200.0, 150.0, 125.0]),
                (_, _, true) => Some([60.0, 70.0, 110.0]),
                _ => None,
            }
        }
    }

    /// A room with somebody in its middle.
    pub fn scene(seed: u32) -> Scene {
        Scene::of(&room(seed, 0.0, sitter(0.0, 80.0)))
    }

    fn lit(picture: &Picture, light: impl Fn(f32) -> f32) -> Picture {
        let width = picture.width() as usize * 3;
        let pixels = picture.pixels().iter().enumerate();
        let pixels = pixels.map(|(i, &p)| (f32::from(p) * light((i % width) as f32 / width as f32)) as u8);
        Picture::from_raw(picture.width(), picture.height(), pixels.collect()).unwrap()
    }

    #[test]
    fn cells_are_the_mean_colours() {
        let picture =
            room(1, 0.0, |x, _| Some(if x < 160.0 { [200.0, 10.0, 0.0] } else { [0.0, 20.0, 250.0] }));
        let scene = Scene::of(&picture);
        assert_eq!([scene.cells[7], scene.cells[8]], [[200, 10, 0], [0, 20, 250]]);
        // Smaller than its cells.
        let tiny = Scene::of(&Picture::filled(3, 2, [9, 8, 7]));
        assert!(tiny.cells.iter().all(|&cell| cell == [9, 8, 7]));
    }

    #[test]
    fn different_places_differ_and_what_moves_shakes_or_is_lit_anew_does_not() {
        for seed in 0..12 {
            let picture = room(seed, 0.0, sitter(0.0, 80.0));
            let here = Scene::of(&picture);
            let other = scene(seed + 100);
            assert!(here.change(&other) > 0.5 && !here.same_shape(&other), "{seed} {}", here.change(&other));
            let shaken = Scene::of(&room(seed, 6.0, sitter(-6.0, 80.0)));
            assert!(here.change(&shaken) < 0.2, "{seed} {}", here.change(&shaken));
            // A face that fills the picture moves by a tenth of it, and one that leans forward.
            let (large, moved) = (room(seed, 0.0, sitter(0.0, 200.0)), room(seed, 0.0, sitter(32.0, 210.0)));
            let change = Scene::of(&large).change(&Scene::of(&moved));
            assert!(change < 0.3, "{seed} {change}");
            // A lamp on one side, and all lamps off but one.
            assert!(here.same_shape(&Scene::of(&lit(&picture, |x| 1.1 - 0.7 * x))), "{seed}");
            assert!(here.same_shape(&Scene::of(&lit(&picture, |_| 0.5))), "{seed}");
            assert!(here.change(&Scene::of(&lit(&picture, |_| 0.75))) < 0.05, "{seed}");
        }
    }

    #[test]
    fn black_has_no_shape() {
        let black = Scene::of(&Picture::filled(64, 48, [2, 2, 2]));
        assert!(!black.same_shape(&scene(1)) && black.change(&scene(1)) > 0.8);
        assert_eq!(black.change(&black), 0.0);
    }
}
