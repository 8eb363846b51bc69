//! Element-wise functions, forward in place and backward from the output.

use moue_graph::Activation;

use crate::simd::at_level;

/// The interval an activation clamps to; the whole line for linear ones.
pub(crate) fn bounds(function: Activation) -> (f32, f32) {
    match function {
        Activation::Relu => (0.0, f32::INFINITY),
        Activation::Relu6 => (0.0, 6.0),
        Activation::Linear | Activation::Softmax => (f32::NEG_INFINITY, f32::INFINITY),
    }
}

#[inline(always)]
fn clamp_body<const FMA: bool>(values: &mut [f32], bounds: (f32, f32)) {
    for v in values {
        *v = v.max(bounds.0).min(bounds.1);
    }
}

at_level! {
    /// Clamps every value.
    fn clamp = clamp_body(values: &mut [f32], bounds: (f32, f32))
}

#[inline(always)]
fn bias_clamp_body<const FMA: bool>(rows: &mut [f32], bias: &[f32], bounds: (f32, f32)) {
    for row in rows.chunks_exact_mut(bias.len()) {
        for (v, b) in row.iter_mut().zip(bias) {
            *v = (*v + b).max(bounds.0).min(bounds.1);
        }
    }
}

at_level! {
    /// Adds a bias to each row and clamps.
    fn bias_clamp = bias_clamp_body(rows: &mut [f32], bias: &[f32], bounds: (f32, f32))
}

#[inline(always)]
fn mask_body<const FMA: bool>(gradient: &mut [f32], output: &[f32], bounds: (f32, f32)) {
    for (g, y) in gradient.iter_mut().zip(output) {
        *g = if (*y > bounds.0) & (*y < bounds.1) { *g } else { 0.0 };
    }
}

at_level! {
    /// Gradient through a clamp: zero where the output stands at a bound.
    fn mask = mask_body(gradient: &mut [f32], output: &[f32], bounds: (f32, f32))
}

#[inline(always)]
fn add_body<const FMA: bool>(sum: &mut [f32], other: &[f32]) {
    for (s, o) in sum.iter_mut().zip(other) {
        *s += o;
    }
}

at_level! {
    /// `sum += other`.
    fn add = add_body(sum: &mut [f32], other: &[f32])
}
