//! Between real values and bytes, and what is done to bytes without a kernel.

use crate::simd::at_level;

/// 1.5 * 2²³: adding it to a small f32 leaves the nearest integer, ties to even, in the low bits.
const ROUND: f32 = 12_582_912.0;

/// `value` to the nearest of 0..=255, ties to even.
#[inline(always)]
#[allow(clippy::manual_clamp, reason = "`clamp` would hand NaN on")]
pub(crate) fn saturate(value: f32) -> u8 {
    // NaN becomes 0: both comparisons fail in `max`, which then takes the other operand.
    (value.max(0.0).min(255.0) + ROUND).to_bits() as u8
}

#[inline(always)]
fn quantise_body<const FMA: bool>(values: &[f32], factor: f32, zero_point: f32, out: &mut [u8]) {
    for (v, o) in values.iter().zip(out) {
        // Not fused: the same bytes at every level.
        *o = saturate(*v * factor + zero_point);
    }
}

at_level! {
    /// Stores `value * factor + zero_point`, `factor` being one over the scale.
    fn quantise = quantise_body(values: &[f32], factor: f32, zero_point: f32, out: &mut [u8])
}

#[inline(always)]
fn average_body<const FMA: bool>(
    pixels: &[u8],
    step: usize,
    offset: f32,
    factor: f32,
    sums: &mut [i32],
    out: &mut [u8],
) {
    sums.fill(0);
    for pixel in pixels.chunks(step) {
        for (s, p) in sums.iter_mut().zip(pixel) {
            *s += i32::from(*p);
        }
    }
    for (s, o) in sums.iter().zip(out) {
        *o = saturate(*s as f32 * factor + offset);
    }
}

at_level! {
    /// Sums over pixels, each `step` bytes after the last, as `sum * factor + offset`; as many channels
    /// as `out` holds. `sums` has room for as many.
    fn average = average_body(pixels: &[u8], step: usize, offset: f32, factor: f32, sums: &mut [i32], out: &mut [u8])
}

#[inline(always)]
fn rescale_body<const FMA: bool>(a: &[u8], factor: f32, offset: f32, out: &mut [u8]) {
    for (a, o) in a.iter().zip(out) {
        *o = saturate(f32::from(*a) * factor + offset);
    }
}

at_level! {
    /// `a * factor + offset`: to another scale.
    fn rescale = rescale_body(a: &[u8], factor: f32, offset: f32, out: &mut [u8])
}

#[inline(always)]
fn add_body<const FMA: bool>(a: &[u8], b: &[u8], factors: [f32; 2], offset: f32, out: &mut [u8]) {
    for ((a, b), o) in a.iter().zip(b).zip(out) {
        *o = saturate(f32::from(*a) * factors[0] + f32::from(*b) * factors[1] + offset);
    }
}

at_level! {
    /// `a * factors[0] + b * factors[1] + offset`.
    fn add = add_body(a: &[u8], b: &[u8], factors: [f32; 2], offset: f32, out: &mut [u8])
}

#[inline(always)]
fn logits_body<const FMA: bool>(x: &[u8], kernel: &[i8], bias: &[i32], scales: &[f32], out: &mut [f32]) {
    for (c, o) in out.iter_mut().enumerate() {
        let column = &kernel[c * x.len()..][..x.len()];
        let sum: i32 = x.iter().zip(column).map(|(&x, &k)| i32::from(x) * i32::from(k)).sum();
        *o = (sum + bias[c]) as f32 * scales[c];
    }
}

at_level! {
    /// A dense layer with real results: `kernel` holds a row for each output.
    fn logits = logits_body(x: &[u8], kernel: &[i8], bias: &[i32], scales: &[f32], out: &mut [f32])
}
