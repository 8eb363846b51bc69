//! General convolution by unfolding (im2col): only the stem of our networks needs it, pointwise
//! layers are plain matrix products.

use super::Window;

/// Values of the unfolded form of `rows` output rows: a matrix `[rows * width, kh * kw * channels]`.
pub(crate) fn unfolded_len(w: &Window, rows: usize) -> usize {
    rows * w.output[1] * w.kernel[0] * w.kernel[1] * w.input[2]
}

/// Unfolds output rows `first..first + rows` of one picture: a line for each output pixel with the
/// input values under its kernel, zeros outside the picture.
pub(crate) fn unfold(w: &Window, picture: &[f32], first: usize, rows: usize, out: &mut [f32]) {
    // Lines of the length that first layers have are copied by a few instructions instead of a call.
    match w.kernel[1] * w.input[2] {
        3 => unfold_lines::<3>(w, picture, first, rows, out),
        9 => unfold_lines::<9>(w, picture, first, rows, out),
        _ => unfold_lines::<0>(w, picture, first, rows, out),
    }
}

/// [`unfold`] where the values under one kernel row number `N`, or any number where `N` is 0.
fn unfold_lines<const N: usize>(w: &Window, picture: &[f32], first: usize, rows: usize, out: &mut [f32]) {
    let [height, width, channels] = w.input;
    let line = if N > 0 { N } else { w.kernel[1] * channels };
    let mut lines = out.chunks_exact_mut(line);
    for oy in first..first + rows {
        for ox in 0..w.output[1] {
            let left = (ox * w.strides[1]).wrapping_sub(w.before[1]);
            let inside = left < width && left + w.kernel[1] <= width;
            for ky in 0..w.kernel[0] {
                let Some(line) = lines.next() else { return };
                let y = (oy * w.strides[0] + ky).wrapping_sub(w.before[0]);
                if y >= height {
                    line.fill(0.0);
                    continue;
                }
                let row = &picture[y * width * channels..(y + 1) * width * channels];
                if inside {
                    let values = &row[left * channels..left * channels + line.len()];
                    match (<&mut [f32; N]>::try_from(&mut *line), <&[f32; N]>::try_from(values)) {
                        (Ok(line), Ok(values)) if N > 0 => *line = *values,
                        _ => line.copy_from_slice(values),
                    }
                    continue;
                }
                for (kx, pixel) in line.chunks_exact_mut(channels).enumerate() {
                    let x = (ox * w.strides[1] + kx).wrapping_sub(w.before[1]);
                    if x >= width {
                        pixel.fill(0.0);
                    } else {
                        pixel.copy_from_slice(&row[x * channels..(x + 1) * channels]);
                    }
                }
            }
        }
    }
}

/// The transpose of [`unfold`] over a whole picture: adds every line back to where it was read.
pub(crate) fn fold(w: &Window, lines: &[f32], picture: &mut [f32]) {
    let [height, width, channels] = w.input;
    let mut pixels = lines.chunks_exact(channels);
    for oy in 0..w.output[0] {
        for ox in 0..w.output[1] {
            for ky in 0..w.kernel[0] {
                let y = (oy * w.strides[0] + ky).wrapping_sub(w.before[0]);
                for kx in 0..w.kernel[1] {
                    let Some(pixel) = pixels.next() else { return };
                    let x = (ox * w.strides[1] + kx).wrapping_sub(w.before[1]);
                    if y < height && x < width {
                        let start = (y * width + x) * channels;
                        for (p, v) in picture[start..start + channels].iter_mut().zip(pixel) {
                            *p += v;
                        }
                    }
                }
            }
        }
    }
}
