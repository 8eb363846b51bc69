//! Finds windows in pictures without faces that the stages so far take for faces.

use std::sync::Arc;

use moue_media::Grey;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;

use super::super::pyramid::Level;
use super::super::{Cascade, Scanner, Size};
use super::samples::Samples;

/// From one level of a picture to the next; the first one's scale is drawn from 1 to this.
const SCALE_FACTOR: f32 = 1.25;

/// After this many passes over all pictures a stage makes do with what was found.
const MAX_PASSES: usize = 6;

/// Coarsest step between windows.
const MAX_STEP: usize = 10;

/// Pictures, visited in a shuffled order, each pass at other scales and every second pass mirrored.
pub(super) struct Miner<'a> {
    pictures: Vec<&'a Grey>,
    mirrored: Vec<Grey>,
    window: Size,
    /// How many pictures have been visited, over all passes.
    visited: usize,
    /// Share of windows that came through at the last filling.
    rate: f64,
}

impl<'a> Miner<'a> {
    pub fn new(pictures: &'a [Grey], window: Size, random: &mut ChaCha8Rng) -> Self {
        let holds = |picture: &&Grey| picture.width() >= window.width && picture.height() >= window.height;
        let mut pictures: Vec<&Grey> = pictures.iter().filter(holds).collect();
        for i in (1..pictures.len()).rev() {
            pictures.swap(i, below(random, i + 1));
        }
        let mirrored = pictures.iter().filter_map(|picture| mirror(picture)).collect();
        Self { pictures, mirrored, window, visited: 0, rate: 1.0 }
    }

    /// Adds windows that pass `cascade`, or any windows without one, until there are `wanted`.
    /// Returns the share of the windows looked at that passed.
    pub fn fill(
        &mut self,
        cascade: Option<Arc<Cascade>>,
        wanted: usize,
        samples: &mut Samples,
        random: &mut ChaCha8Rng,
        progress: &mut dyn FnMut(usize, usize),
    ) -> f64 {
        let count = self.pictures.len();
        let per_picture = wanted.saturating_sub(samples.len()).div_ceil(count) + 1;
        let mut scanner = cascade.map(Scanner::new);
        let (mut looked_at, mut passed) = (0_usize, 0_usize);
        for visit in 0..MAX_PASSES * count {
            if samples.len() >= wanted {
                break;
            }
            let place = self.visited % count;
            let mirrored = (self.visited / count) % 2 == 1;
            self.visited += 1;
            let picture = if mirrored { &self.mirrored[place] } else { self.pictures[place] };
            let levels = self.levels(picture, per_picture, random);
            looked_at +=
                levels.iter().map(|l| l.columns.div_ceil(l.step) * l.rows.div_ceil(l.step)).sum::<usize>();
            let room = per_picture.min(wanted - samples.len());
            passed += match &mut scanner {
                Some(scanner) => take_passing(scanner, picture, &levels, room, samples, random),
                None => take_any(picture, self.window, room, samples, random),
            };
            if visit % 100 == 0 {
                progress(samples.len(), visit / count + 1);
            }
        }
        if scanner.is_some() && looked_at > 0 {
            self.rate = passed as f64 / looked_at as f64;
        }
        self.rate
    }

    /// Levels with a step so coarse that a few times as many windows should pass as are wanted of the
    /// picture: the first stages let through thousands.
    fn levels(&self, picture: &Grey, per_picture: usize, random: &mut ChaCha8Rng) -> Vec<Level> {
        let mut scale = 1.0 + (SCALE_FACTOR - 1.0) * (random.next_u32() as f32 / u32::MAX as f32);
        let mut levels = Vec::new();
        loop {
            let side = |pixels: u32| (pixels as f32 / scale).round_ties_even() as u32;
            let size = Size { width: side(picture.width()), height: side(picture.height()) };
            if size.width < self.window.width || size.height < self.window.height {
                break;
            }
            let columns = (size.width + 1 - self.window.width) as usize;
            let rows = (size.height + 1 - self.window.height) as usize;
            levels.push(Level { scale, size, step: 1, columns, rows });
            scale *= SCALE_FACTOR;
        }
        let windows: usize = levels.iter().map(|level| level.columns * level.rows).sum();
        let expected = windows as f64 * self.rate / (4.0 * per_picture as f64);
        let step = (expected.sqrt() as usize).clamp(1, MAX_STEP);
        levels.iter_mut().for_each(|level| level.step = step);
        levels
    }
}

/// Adds at most `room` of the windows that pass, drawn at random; returns how many passed.
fn take_passing(
    scanner: &mut Scanner,
    picture: &Grey,
    levels: &[Level],
    room: usize,
    samples: &mut Samples,
    random: &mut ChaCha8Rng,
) -> usize {
    let passing = scanner.passing(picture, levels);
    let mut places: Vec<(usize, (usize, usize))> = passing
        .into_iter()
        .enumerate()
        .flat_map(|(level, at)| at.into_iter().map(move |at| (level, at)))
        .collect();
    let count = places.len();
    for i in 0..room.min(count) {
        places.swap(i, i + below(random, count - i));
        let (level, at) = places[i];
        samples.push_from(scanner.level_pixels(level), levels[level].size.width as usize, at);
    }
    count
}

/// Adds `room` windows of the picture at its own size; returns their number.
fn take_any(
    picture: &Grey,
    window: Size,
    room: usize,
    samples: &mut Samples,
    random: &mut ChaCha8Rng,
) -> usize {
    for _ in 0..room {
        let x = below(random, (picture.width() - window.width) as usize + 1);
        let y = below(random, (picture.height() - window.height) as usize + 1);
        samples.push_from(picture.pixels(), picture.width() as usize, (x, y));
    }
    room
}

fn mirror(picture: &Grey) -> Option<Grey> {
    let rows = picture.pixels().chunks_exact(picture.width() as usize);
    let pixels = rows.flat_map(|row| row.iter().rev().copied()).collect();
    Grey::from_raw(picture.width(), picture.height(), pixels)
}

/// A random number below `limit`, which is at least 1.
fn below(random: &mut ChaCha8Rng, limit: usize) -> usize {
    ((u64::from(random.next_u32()) * limit as u64) >> 32) as usize
}
