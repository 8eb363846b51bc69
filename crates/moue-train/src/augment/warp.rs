//! The affine warp that is resize, shift, rotation and size in one bilinear reading.

use moue_graph::engine::rendering::{Rendering, reduction};

use super::Transform;
use crate::{Error, Result};

/// A square grey picture: rows of bytes without gaps.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    pixels: &'a [u8],
    side: usize,
}

impl<'a> Source<'a> {
    /// Wraps `side * side` bytes; an error where the length differs or is 0.
    pub fn new(pixels: &'a [u8], side: usize) -> Result<Self> {
        if side == 0 || pixels.len() != side * side {
            return Err(Error::Parameter(format!("{} pixels are no picture of {side}x{side}", pixels.len())));
        }
        Ok(Self { pixels, side })
    }

    /// Width and height in pixels.
    pub(super) fn side(&self) -> usize {
        self.side
    }

    /// Mean pixel value, 0..=255.
    pub fn mean(&self) -> f32 {
        let sum: u64 = self.pixels.iter().map(|&p| u64::from(p)).sum();
        (sum as f64 / self.pixels.len() as f64) as f32
    }
}

/// Writes `side` x `side` pixels, whole numbers in 0..=255: the reduction, the bilinear reading and the mirror of a
/// rendering. `wide` is a buffer.
pub(super) fn warp(
    source: Source<'_>,
    rendering: &Rendering,
    side: usize,
    wide: &mut Vec<f32>,
    out: &mut [f32],
) {
    wide.clear();
    let from = (rendering.reduced as usize).clamp(1, source.side);
    if from < source.side {
        let reduced = reduce(source, from);
        widen(reduced.chunks_exact(from).map(|row| row.iter().copied()), wide);
    } else {
        widen(source.pixels.chunks_exact(source.side).map(|row| row.iter().map(|&p| f32::from(p))), wide);
    }
    let [a, b, c, d, e, f] = rendering.matrix;
    let last = (from - 1) as f32;
    let stride = from + 1;
    for (y, row) in out.chunks_exact_mut(side).enumerate() {
        let v = y as f32 + 0.5;
        let (x_start, y_start) = (b * v + c, e * v + f);
        for (x, pixel) in row.iter_mut().enumerate() {
            let u = x as f32 + 0.5;
            let sx = (a * u + x_start).clamp(0.0, last);
            let sy = (d * u + y_start).clamp(0.0, last);
            // i32 is what processors convert to in one step.
            let (left, top) = (sx as i32, sy as i32);
            let (fx, fy) = (sx - left as f32, sy - top as f32);
            let place = top as usize * stride + left as usize;
            let near = &wide[place..place + stride + 2];
            let high = mix(near[0], near[1], fx);
            let low = mix(near[stride], near[stride + 1], fx);
            // Rounded to whole grey levels, as a crop at inference is.
            *pixel = (mix(high, low, fy) + 0.5) as i32 as f32;
        }
        if rendering.flip {
            row.reverse();
        }
    }
}

/// Copies rows with their last pixel repeated, and the last row once more: the right and lower
/// neighbours of every pixel are then there to read.
fn widen<P: IntoIterator<Item = impl Into<f32>>>(rows: impl Iterator<Item = P>, wide: &mut Vec<f32>) {
    let mut start = 0;
    for row in rows {
        start = wide.len();
        wide.extend(row.into_iter().map(Into::into));
        wide.extend(wide.last().copied());
    }
    wide.extend_from_within(start..);
}

fn mix(a: f32, b: f32, share: f32) -> f32 {
    a + (b - a) * share
}

/// The matrix of a [`Rendering`] that reads a picture of `from` x `from` pixels.
///
/// It maps each target pixel's centre back to the source: with `u` the target and `v` the source position, both
/// measured from the middle in sides, `v = R(-rotation) (u - shift) / scale`.
pub(super) fn matrix(transform: &Transform, from: usize, side: usize) -> [f32; 6] {
    if transform.rotation == 0.0 && transform.scale == 1.0 && transform.shift == [0.0; 2] {
        // The general form would round the middle's position; the plain resize must not.
        let step = from as f32 / side as f32;
        return [step, 0.0, -0.5, 0.0, step, -0.5];
    }
    // The mirror comes last, so a drawn shift or rotation would change its sense with it; ranges
    // are symmetric, and what is drawn holds for the picture before the mirror.
    let (sin, cos) = f64::from(transform.rotation).to_radians().sin_cos();
    let (from, side) = (from as f64, side as f64);
    let size = 1.0 / f64::from(transform.scale);
    let step = from / side * size;
    let [dx, dy] = transform.shift.map(|s| f64::from(s) + 0.5);
    // v = R (u - shift): clockwise on the screen (y down) read backwards.
    let (a, b) = (cos * step, sin * step);
    let (d, e) = (-sin * step, cos * step);
    let c = from * (0.5 - size * (cos * dx + sin * dy)) - 0.5;
    let f = from * (0.5 - size * (-sin * dx + cos * dy)) - 0.5;
    [a, b, c, d, e, f].map(|v| v as f32)
}

/// The source reduced to `side` pixels a side.
fn reduce(source: Source<'_>, side: usize) -> Vec<f32> {
    let from = source.side;
    let taps = reduction(from, side);
    let mut lines = vec![0.0; from * side];
    for (row, line) in source.pixels.chunks_exact(from).zip(lines.chunks_exact_mut(side)) {
        for ((first, weights), value) in taps.iter().zip(line) {
            *value = row[*first..].iter().zip(weights).map(|(&p, w)| f32::from(p) * w).sum();
        }
    }
    let mut out = vec![0.0; side * side];
    for ((first, weights), row) in taps.iter().zip(out.chunks_exact_mut(side)) {
        for (line, w) in lines.chunks_exact(side).skip(*first).zip(weights) {
            for (value, l) in row.iter_mut().zip(line) {
                *value += l * w;
            }
        }
    }
    out
}
