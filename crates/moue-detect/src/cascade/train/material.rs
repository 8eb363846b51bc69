//! The windows with faces that a cascade learns from: face crops and portraits, cut out a little differently each time.

use std::ops::Range;

use moue_media::Grey;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::Error;

/// How often each portrait is used.
const PORTRAIT_COPIES: usize = 3;
/// Centre and side of the square in the portraits of Labeled Faces in the Wild (250 pixels, faces aligned) whose mean
/// looks most like FER2013's mean face: correlation 0.92.
const PORTRAIT_SQUARE: Square = Square { x: 125.0, y: 126.0, side: 120.0 };
/// Every how many portraits one is held out for measuring.
const HELD_OUT: usize = 5;
/// Side of the window in pixels.
const SIDE: u32 = 24;

#[derive(Clone, Copy)]
struct Square {
    x: f32,
    y: f32,
    side: f32,
}

/// Makes windows of 24x24 pixels; what it draws depends on the seed and the order of calls.
pub struct Material {
    random: ChaCha8Rng,
}

impl Material {
    /// Starts from a seed.
    pub fn new(seed: u64) -> Self {
        Self { random: ChaCha8Rng::seed_from_u64(seed) }
    }

    /// A random choice of at most `count` of `rows`, in rising order.
    pub fn choose(&mut self, mut rows: Vec<usize>, count: usize) -> Vec<usize> {
        for i in (1..rows.len()).rev() {
            rows.swap(i, ((u64::from(self.random.next_u32()) * (i as u64 + 1)) >> 32) as usize);
        }
        rows.truncate(count);
        rows.sort_unstable();
        rows
    }

    /// One window of each of the `count` pictures that correlate most with the mean of all, which leaves out profiles,
    /// covered faces and drawings. The window sees all of a picture.
    ///
    /// # Errors
    /// [`Error::Parameter`] where the pictures are not squares of one size.
    pub fn of_crops(&mut self, pictures: Vec<Grey>, count: usize) -> Result<Vec<Grey>, Error> {
        let Some(side) = pictures.first().map(Grey::width) else { return Ok(Vec::new()) };
        if let Some(odd) = pictures.iter().find(|p| p.width() != side || p.height() != side) {
            let value = format!("{}x{} pixels", odd.width(), odd.height());
            return Err(Error::Parameter { name: "a face crop", value, expected: "squares of one size" });
        }
        let square = Square { x: side as f32 / 2.0, y: side as f32 / 2.0, side: side as f32 };
        let typical = most_typical(pictures, count);
        typical.iter().map(|picture| self.cut(picture, square, 0.92..1.04)).collect()
    }

    /// Three windows of each portrait (250x250, aligned as in Labeled Faces in the Wild) but every fifth, which is left
    /// for measuring.
    ///
    /// # Errors
    /// None that a picture can cause.
    pub fn of_portraits(&mut self, portraits: &[Grey]) -> Result<Vec<Grey>, Error> {
        let learnt = portraits.iter().enumerate().filter(|(i, _)| i % HELD_OUT != 0).map(|(_, p)| p);
        let copies = learnt.flat_map(|picture| std::iter::repeat_n(picture, PORTRAIT_COPIES));
        copies.map(|picture| self.cut(picture, PORTRAIT_SQUARE, 0.90..1.12)).collect()
    }

    /// A window on a square, shifted, turned and scaled a little at random, mirrored half the time. Pixels are read by
    /// bilinear interpolation without smoothing, as the detector shrinks pictures.
    fn cut(&mut self, picture: &Grey, square: Square, scales: Range<f32>) -> Result<Grey, Error> {
        let mut uniform =
            |from: f32, to: f32| from + (to - from) * (self.random.next_u32() as f32 / u32::MAX as f32);
        let side = square.side * uniform(scales.start, scales.end);
        let shift = 0.03 * square.side;
        let (x, y) = (square.x + uniform(-shift, shift), square.y + uniform(-shift, shift));
        let (sin, cos) = (uniform(-5.0, 5.0) + uniform(-5.0, 5.0)).to_radians().sin_cos();
        let mirror = if uniform(-1.0, 1.0) < 0.0 { -1.0 } else { 1.0 };
        let step = side / SIDE as f32;
        let centre = SIDE as f32 / 2.0;
        let pixels = (0..SIDE * SIDE)
            .map(|i| {
                let across = mirror * ((i % SIDE) as f32 + 0.5 - centre) * step;
                let down = ((i / SIDE) as f32 + 0.5 - centre) * step;
                bilinear(picture, x + across * cos - down * sin - 0.5, y + across * sin + down * cos - 0.5)
            })
            .collect();
        Grey::from_raw(SIDE, SIDE, pixels).ok_or_else(|| Error::Parameter {
            name: "a window",
            value: format!("{SIDE} pixels a side"),
            expected: "as many pixels as it has places",
        })
    }
}

/// The pictures that correlate most with the mean of all, the most typical first.
fn most_typical(pictures: Vec<Grey>, count: usize) -> Vec<Grey> {
    let normal = |picture: &Grey| -> Vec<f32> {
        let pixels: Vec<f32> = picture.pixels().iter().map(|&v| f32::from(v)).collect();
        let mean = pixels.iter().sum::<f32>() / pixels.len() as f32;
        let spread = pixels.iter().map(|v| (v - mean).powi(2)).sum::<f32>().sqrt().max(1.0);
        pixels.iter().map(|v| (v - mean) / spread).collect()
    };
    let mut total = vec![0.0; pictures.first().map_or(0, |picture| picture.pixels().len())];
    for picture in &pictures {
        total.iter_mut().zip(normal(picture)).for_each(|(total, v)| *total += v);
    }
    let likeness = |picture: &Grey| normal(picture).iter().zip(&total).map(|(a, b)| a * b).sum::<f32>();
    let mut ranked: Vec<(f32, Grey)> =
        pictures.into_iter().map(|picture| (likeness(&picture), picture)).collect();
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
    ranked.into_iter().take(count).map(|(_, picture)| picture).collect()
}

/// Reads between pixels; beyond the border its pixels go on.
fn bilinear(picture: &Grey, x: f32, y: f32) -> u8 {
    let at = |x: f32, y: f32| {
        let column = x.clamp(0.0, (picture.width() - 1) as f32) as usize;
        let row = y.clamp(0.0, (picture.height() - 1) as f32) as u32;
        f32::from(picture.row(row)[column])
    };
    let (left, top) = (x.floor(), y.floor());
    let (across, down) = (x - left, y - top);
    let upper = at(left, top) * (1.0 - across) + at(left + 1.0, top) * across;
    let lower = at(left, top + 1.0) * (1.0 - across) + at(left + 1.0, top + 1.0) * across;
    (upper * (1.0 - down) + lower * down).round() as u8
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn grey(side: u32, pixel: impl Fn(u32, u32) -> u8) -> Grey {
        let pixels = (0..side * side).map(|i| pixel(i % side, i / side)).collect();
        Grey::from_raw(side, side, pixels).unwrap()
    }

    #[test]
    fn the_same_seed_cuts_the_same_windows() {
        let portraits: Vec<Grey> = (0..10).map(|n| grey(250, |x, y| ((x * n + y * 3) % 251) as u8)).collect();
        let windows = |seed| Material::new(seed).of_portraits(&portraits).unwrap();
        // Two of ten are held out.
        assert_eq!(windows(1).len(), 8 * PORTRAIT_COPIES);
        assert!(windows(1).iter().all(|w| w.width() == SIDE && w.height() == SIDE));
        assert_eq!(windows(1), windows(1));
        assert_ne!(windows(1), windows(2));
    }

    #[test]
    fn the_odd_ones_out_are_left_out() {
        let mut crops: Vec<Grey> =
            (0..9).map(|n| grey(48, |x, y| (100 + x * 2 + (y * 7 + n) % 5) as u8)).collect();
        crops.insert(4, grey(48, |x, _| (200 - x * 2) as u8));
        let typical = most_typical(crops.clone(), 9);
        assert!(!typical.contains(&crops[4]));
        crops.push(grey(24, |_, _| 0));
        assert!(Material::new(1).of_crops(crops, 3).is_err());
        assert_eq!(Material::new(1).of_crops(Vec::new(), 3).unwrap(), []);
    }

    #[test]
    fn choices_are_rising_and_without_repeats() {
        let chosen = Material::new(5).choose((0..100).collect(), 30);
        assert_eq!(chosen.len(), 30);
        assert!(chosen.is_sorted_by(|a, b| a < b));
        assert_ne!(chosen, Material::new(6).choose((0..100).collect(), 30));
        assert_eq!(Material::new(5).choose(vec![3, 1], 30), [1, 3]);
    }
}
