//! The affine warp that is resize, shift, rotation and size in one bilinear reading.

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

    /// Mean pixel value, 0..=255.
    pub fn mean(&self) -> f32 {
        let sum: u64 = self.pixels.iter().map(|&p| u64::from(p)).sum();
        (sum as f64 / self.pixels.len() as f64) as f32
    }
}

/// Writes `side` x `side` pixels, whole numbers in 0..=255. `wide` is a buffer.
///
/// Maps each target pixel's centre back to the source: with `u` the target and `v` the source
/// position, both measured from the middle in sides, `v = R(-rotation) (u - shift) / scale`.
pub(super) fn warp(
    source: Source<'_>,
    transform: &Transform,
    side: usize,
    wide: &mut Vec<f32>,
    out: &mut [f32],
) {
    wide.clear();
    let resolved =
        ((source.side as f32 * transform.camera.resolution).round() as usize).clamp(1, source.side);
    let from = if resolved.min(side) < source.side {
        let from = resolved.min(side);
        let reduced = reduce(source, from);
        widen(reduced.chunks_exact(from).map(|row| row.iter().copied()), wide);
        from
    } else {
        widen(source.pixels.chunks_exact(source.side).map(|row| row.iter().map(|&p| f32::from(p))), wide);
        source.side
    };
    let (a, b, c, d, e, f) =
        if transform.rotation == 0.0 && transform.scale == 1.0 && transform.shift == [0.0; 2] {
            // The general form would round the middle's position; the plain resize must not.
            let step = from as f32 / side as f32;
            (step, 0.0, -0.5, 0.0, step, -0.5)
        } else {
            matrix(transform, from, side)
        };
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
        if transform.flip {
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

/// `(a, b, c, d, e, f)` of `sx = a u + b v + c`, `sy = d u + e v + f` in pixels.
fn matrix(transform: &Transform, from: usize, side: usize) -> (f32, f32, f32, f32, f32, f32) {
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
    (a as f32, b as f32, c as f32, d as f32, e as f32, f as f32)
}

/// Writes the source reduced to `side` pixels a side: a triangle filter of twice the reduction's
/// width along each axis, the pixels of the edge repeated outside, as in `moue-media`.
fn reduce(source: Source<'_>, side: usize) -> Vec<f32> {
    let from = source.side;
    let step = from as f64 / side as f64;
    let last = from as i64 - 1;
    let taps: Vec<(usize, Vec<f32>)> = (0..side)
        .map(|i| {
            let centre = (i as f64 + 0.5) * step;
            let (first, end) = ((centre - step - 0.5).floor() as i64, (centre + step - 0.5).ceil() as i64);
            let start = first.clamp(0, last);
            let mut raw = vec![0.0; (end.clamp(0, last) - start + 1) as usize];
            for k in first..=end {
                let weight = 1.0 - ((k as f64 + 0.5 - centre) / step).abs();
                raw[(k.clamp(0, last) - start) as usize] += weight.max(0.0);
            }
            let sum: f64 = raw.iter().sum();
            (start as usize, raw.into_iter().map(|w| (w / sum) as f32).collect())
        })
        .collect();
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
