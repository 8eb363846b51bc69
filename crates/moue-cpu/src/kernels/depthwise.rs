//! Depthwise convolution for inference: for each pixel the taps that fall inside the picture are listed,
//! and a block of channels is summed over them in registers. Training has kernels of its own.

pub(crate) mod padded;

use super::Window;
use crate::simd::{at_level, mul_add};

/// Channels summed at a time: two registers of AVX-512, four of AVX2.
const BLOCK: usize = 32;

/// Most kernel positions (8x8).
const MAX_TAPS: usize = 64;

/// Where a tap reads: start of the source pixel, start of the kernel's channel row.
type Tap = (usize, usize);

#[inline(always)]
fn sum_taps<const FMA: bool>(
    source: &[f32],
    kernel: &[f32],
    taps: &[Tap],
    bias: Option<&[f32]>,
    bounds: (f32, f32),
    accumulate: bool,
    out: &mut [f32],
) {
    let channels = out.len();
    let mut start = 0;
    while start + BLOCK <= channels {
        let mut sum = [0.0f32; BLOCK];
        if let Some(bias) = bias {
            sum.copy_from_slice(&bias[start..start + BLOCK]);
        }
        if accumulate {
            for (s, o) in sum.iter_mut().zip(&out[start..start + BLOCK]) {
                *s += o;
            }
        }
        for &(s, k) in taps {
            let s = &source[s + start..s + start + BLOCK];
            let k = &kernel[k + start..k + start + BLOCK];
            for i in 0..BLOCK {
                sum[i] = mul_add::<FMA>(s[i], k[i], sum[i]);
            }
        }
        for (o, s) in out[start..start + BLOCK].iter_mut().zip(sum) {
            *o = s.max(bounds.0).min(bounds.1);
        }
        start += BLOCK;
    }
    for c in start..channels {
        let mut sum = bias.map_or(0.0, |b| b[c]) + if accumulate { out[c] } else { 0.0 };
        for &(s, k) in taps {
            sum = mul_add::<FMA>(source[s + c], kernel[k + c], sum);
        }
        out[c] = sum.max(bounds.0).min(bounds.1);
    }
}

/// What the forward pass adds and clamps to.
#[derive(Clone, Copy)]
pub(crate) struct Epilogue<'a> {
    /// Added per channel.
    pub bias: Option<&'a [f32]>,
    /// Interval the sum is clamped to.
    pub bounds: (f32, f32),
}

#[inline(always)]
fn forward_body<const FMA: bool>(
    w: &Window,
    picture: &[f32],
    kernel: &[f32],
    epilogue: Epilogue<'_>,
    first: usize,
    out: &mut [f32],
) {
    let [height, width, channels] = w.input;
    let mut taps = [(0, 0); MAX_TAPS];
    for (row, out) in out.chunks_exact_mut(w.output[1] * channels).enumerate() {
        for (ox, out) in out.chunks_exact_mut(channels).enumerate() {
            let mut n = 0;
            for ky in 0..w.kernel[0] {
                let y = ((first + row) * w.strides[0] + ky).wrapping_sub(w.before[0]);
                for kx in 0..w.kernel[1] {
                    let x = (ox * w.strides[1] + kx).wrapping_sub(w.before[1]);
                    if y < height && x < width {
                        taps[n] = ((y * width + x) * channels, (ky * w.kernel[1] + kx) * channels);
                        n += 1;
                    }
                }
            }
            sum_taps::<FMA>(picture, kernel, &taps[..n], epilogue.bias, epilogue.bounds, false, out);
        }
    }
}

at_level! {
    /// Output rows from `first` on, as many as `out` holds, of one picture.
    fn forward = forward_body(w: &Window, picture: &[f32], kernel: &[f32], epilogue: Epilogue<'_>, first: usize, out: &mut [f32])
}
