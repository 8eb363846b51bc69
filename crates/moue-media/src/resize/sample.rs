//! Sampling a region at fractions of a pixel, with the edge of the picture repeated without end.
//!
//! A region can reach far beyond the picture. Its filter is therefore folded onto the picture first (the
//! weights of all pixels outside fall to the edge), so that neither memory nor time grow with what is not there.

use crate::Region;

/// The pixels of one axis that make one output pixel.
struct Taps {
    /// First pixel.
    start: usize,
    /// Weights of it and those after it; they add up to 1.
    weights: Vec<f32>,
}

/// `region` as `side` x `side` pixels of `CHANNELS` bytes. Both sizes are at least 1 and the region is finite.
pub fn square<const CHANNELS: usize>(
    pixels: &[u8],
    (width, height): (u32, u32),
    region: Region,
    side: u32,
) -> Vec<u8> {
    let columns = taps(region.x, region.width, width, side);
    let rows = taps(region.y, region.height, height, side);
    let first = columns.iter().map(|taps| taps.start).min().unwrap_or_default();
    let past = columns.iter().map(|taps| taps.start + taps.weights.len()).max().unwrap_or_default();

    let stride = width as usize * CHANNELS;
    let mut line = vec![0.0_f32; (past - first) * CHANNELS];
    let mut out = Vec::with_capacity(side as usize * side as usize * CHANNELS);
    for row in &rows {
        line.fill(0.0);
        for (source, &weight) in pixels.chunks_exact(stride).skip(row.start).zip(&row.weights) {
            for (sum, &value) in line.iter_mut().zip(&source[first * CHANNELS..]) {
                *sum += weight * f32::from(value);
            }
        }
        for column in &columns {
            let start = (column.start - first) * CHANNELS;
            let mut pixel = [0.5_f32; CHANNELS];
            for (values, &weight) in line[start..].chunks_exact(CHANNELS).zip(&column.weights) {
                for (sum, &value) in pixel.iter_mut().zip(values) {
                    *sum += weight * value;
                }
            }
            out.extend(pixel.map(|sum| sum as u8));
        }
    }
    out
}

/// The triangle filter for each of `side` output pixels over `origin..origin + extent`, folded onto `0..length`.
fn taps(origin: f32, extent: f32, length: u32, side: u32) -> Vec<Taps> {
    let scale = f64::from(extent) / f64::from(side);
    // Enlarging interpolates between neighbours; shrinking spreads over all pixels that one output pixel covers.
    let reach = scale.max(1.0);
    let last = i64::from(length) - 1;
    (0..side)
        .map(|i| {
            let centre = f64::from(origin) + (f64::from(i) + 0.5) * scale;
            let from = (centre - reach - 0.5).floor() as i64;
            let to = (centre + reach - 0.5).ceil() as i64;
            let start = from.clamp(0, last);
            let mut weights = vec![0.0_f64; (to.clamp(0, last) - start + 1) as usize];
            for k in from..=to {
                let weight = 1.0 - ((k as f64 + 0.5 - centre) / reach).abs();
                if weight > 0.0 {
                    weights[(k.clamp(0, last) - start) as usize] += weight;
                }
            }
            let sum: f64 = weights.iter().sum();
            Taps { start: start as usize, weights: weights.iter().map(|&w| (w / sum) as f32).collect() }
        })
        .collect()
}
