//! Depthwise convolution: forward, gradient of the input, gradient of the kernel.
//!
//! Forward and input gradient share one inner loop: for each pixel the taps that fall inside the
//! picture are listed, and a block of channels is summed over them in registers.

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

#[inline(always)]
fn backward_input_body<const FMA: bool>(
    w: &Window,
    gradient: &[f32],
    kernel: &[f32],
    accumulate: bool,
    picture: &mut [f32],
) {
    let channels = w.input[2];
    let [out_height, out_width, _] = w.output;
    let mut taps = [(0, 0); MAX_TAPS];
    for (iy, row) in picture.chunks_exact_mut(w.input[1] * channels).enumerate() {
        for (ix, out) in row.chunks_exact_mut(channels).enumerate() {
            let mut n = 0;
            for ky in 0..w.kernel[0] {
                // The output row that reads this input row through kernel row `ky`.
                let at = (iy + w.before[0]).wrapping_sub(ky);
                let oy = at / w.strides[0];
                if at >= usize::MAX / 2 || at % w.strides[0] != 0 || oy >= out_height {
                    continue;
                }
                for kx in 0..w.kernel[1] {
                    let at = (ix + w.before[1]).wrapping_sub(kx);
                    let ox = at / w.strides[1];
                    if at >= usize::MAX / 2 || at % w.strides[1] != 0 || ox >= out_width {
                        continue;
                    }
                    taps[n] = ((oy * out_width + ox) * channels, (ky * w.kernel[1] + kx) * channels);
                    n += 1;
                }
            }
            let all = (f32::NEG_INFINITY, f32::INFINITY);
            sum_taps::<FMA>(gradient, kernel, &taps[..n], None, all, accumulate, out);
        }
    }
}

at_level! {
    /// Gradient by one input picture.
    fn backward_input = backward_input_body(w: &Window, gradient: &[f32], kernel: &[f32], accumulate: bool, picture: &mut [f32])
}

#[inline(always)]
fn backward_kernel_body<const FMA: bool>(w: &Window, picture: &[f32], gradient: &[f32], kernel: &mut [f32]) {
    let mut start = 0;
    while start + BLOCK <= w.input[2] {
        kernel_block::<FMA, BLOCK>(w, picture, gradient, start, kernel);
        start += BLOCK;
    }
    while start + 8 <= w.input[2] {
        kernel_block::<FMA, 8>(w, picture, gradient, start, kernel);
        start += 8;
    }
    while start < w.input[2] {
        kernel_block::<FMA, 1>(w, picture, gradient, start, kernel);
        start += 1;
    }
}

/// Channels `start..start + N` of the kernel gradient, each tap's sum held in registers along a row.
#[inline(always)]
fn kernel_block<const FMA: bool, const N: usize>(
    w: &Window,
    picture: &[f32],
    gradient: &[f32],
    start: usize,
    kernel: &mut [f32],
) {
    let [height, width, channels] = w.input;
    let [out_height, out_width, _] = w.output;
    for ky in 0..w.kernel[0] {
        for kx in 0..w.kernel[1] {
            // Output columns whose tap `kx` falls inside the picture.
            let low = w.before[1].saturating_sub(kx).div_ceil(w.strides[1]);
            let high = (width + w.before[1]).saturating_sub(kx).div_ceil(w.strides[1]).min(out_width);
            let mut sum = [0.0f32; N];
            for oy in 0..out_height {
                let y = (oy * w.strides[0] + ky).wrapping_sub(w.before[0]);
                if y >= height {
                    continue;
                }
                for ox in low..high {
                    let x = ox * w.strides[1] + kx - w.before[1];
                    let from = (y * width + x) * channels + start;
                    let by = (oy * out_width + ox) * channels + start;
                    let (p, g) = (&picture[from..from + N], &gradient[by..by + N]);
                    for i in 0..N {
                        sum[i] = mul_add::<FMA>(p[i], g[i], sum[i]);
                    }
                }
            }
            let at = (ky * w.kernel[1] + kx) * channels + start;
            for (k, s) in kernel[at..at + N].iter_mut().zip(sum) {
                *k += s;
            }
        }
    }
}

at_level! {
    /// Adds the gradient by the kernel of one picture.
    fn backward_kernel = backward_kernel_body(w: &Window, picture: &[f32], gradient: &[f32], kernel: &mut [f32])
}
