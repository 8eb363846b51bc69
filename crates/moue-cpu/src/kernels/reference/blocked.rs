//! The register-blocked kernels of inference.

use super::{Random, close, taps};
use crate::Level;
use crate::kernels::Window;
use crate::kernels::depthwise_rows::{DepthwiseKernel, MAX_SIDE, RowTarget, Rows, row};
use crate::kernels::product::{Convolution, Panels, Target};

/// Values that no kernel may touch.
const GUARD: f32 = 12345.0;

/// A full convolution over an input that includes its borders.
fn window(random: &mut Random) -> Window {
    let kernel = [1 + random.below(4), 1 + random.below(4)];
    let strides = [1 + random.below(3), 1 + random.below(3)];
    let kernel = if random.below(2) == 0 { [1, 1] } else { kernel };
    let strides = if kernel == [1, 1] && random.below(3) > 0 { [1, 1] } else { strides };
    let input = [kernel[0] + random.below(9), kernel[1] + random.below(14), 1 + random.below(40)];
    let columns = [1, 3, 4, 7, 8, 15, 16, 17, 24, 31, 32, 33, 47, 48, 63, 64, 65, 96, 130][random.below(19)];
    let side = |axis: usize| (input[axis] - kernel[axis]) / strides[axis] + 1;
    let output = [side(0), side(1), columns];
    Window { input, output, kernel, strides, before: [0, 0] }
}

#[test]
fn convolutions_of_any_shape_at_every_level() {
    let mut random = Random(11);
    for round in 0..if cfg!(miri) { 3 } else { 120 } {
        let w = window(&mut random);
        let (inner, columns) = (w.input[2], w.output[2]);
        let depth = w.kernel[0] * w.kernel[1] * inner;
        let (x, k, bias) = (random.vec(w.input_len()), random.vec(depth * columns), random.vec(columns));
        let residual = random.vec(w.output_len());
        let added = random.below(2) == 0;
        let bounds = [(0.0, 6.0), (f32::NEG_INFINITY, f32::INFINITY)][random.below(2)];
        let mut want: Vec<f64> = (0..w.output_len())
            .map(|i| f64::from(bias[i % columns]) + if added { f64::from(residual[i]) } else { 0.0 })
            .collect();
        taps(&w, |o, i, t| {
            for c in 0..inner {
                for f in 0..columns {
                    let weight = f64::from(k[(t * inner + c) * columns + f]);
                    want[o * columns + f] += f64::from(x[i * inner + c]) * weight;
                }
            }
        });
        want.iter_mut().for_each(|v| *v = v.clamp(f64::from(bounds.0), f64::from(bounds.1)));
        let mut fused: Option<Vec<f32>> = None;
        for level in Level::available() {
            let panels = Panels::new(level, &k, &bias, 1 + random.below(40));
            let all = panels.panels().len();
            let conv = Convolution { window: w, panels, bounds };
            let mut y = vec![GUARD; w.output_len() + 64];
            // Rows and panels in two parts each, as tasks cut them.
            let (rows, cut) = (random.below(w.output[0] + 1), random.below(all + 1));
            for rows in [0..rows, rows..w.output[0]].into_iter().filter(|r| !r.is_empty()) {
                for range in [(0, cut), (cut, all)] {
                    let Some(first) = conv.panels.panels().get(range.0).map(|p| p.first) else { continue };
                    let at = rows.start * w.output[1] * columns + first;
                    let target = Target {
                        base: y[at..].as_mut_ptr(),
                        width: w.output[1],
                        pixel_stride: columns,
                        row_stride: w.output[1] * columns,
                        residual: if added { residual[at..].as_ptr() } else { std::ptr::null() },
                    };
                    // SAFETY: input, target and residual hold a whole picture.
                    unsafe { conv.rows(level, x.as_ptr(), rows.clone(), range, target) };
                }
            }
            let (y, guard) = y.split_at(w.output_len());
            let what = format!("round {round} {level:?} {w:?} residual {added}");
            close(&what, y, &want, depth);
            assert!(guard.iter().all(|v| *v == GUARD), "{what}: wrote past the end");
            // Every level with fused multiply-add rounds alike.
            if level != Level::Portable {
                assert_eq!(fused.get_or_insert_with(|| y.to_vec()), y, "{what}");
            }
        }
    }
}

#[test]
fn rows_of_a_target_may_lie_apart() {
    let mut random = Random(12);
    let w = Window { input: [4, 5, 7], output: [4, 5, 20], kernel: [1, 1], strides: [1, 1], before: [0, 0] };
    let (x, k) = (random.vec(w.input_len()), random.vec(7 * 20));
    for level in Level::available() {
        let panels = Panels::new(level, &k, &[0.5; 20], 20);
        let range = (0, panels.panels().len());
        let conv = Convolution { window: w, panels, bounds: (f32::NEG_INFINITY, f32::INFINITY) };
        let (pixel_stride, row_stride) = (23, 150);
        let mut y = vec![GUARD; 4 * row_stride];
        let base = y.as_mut_ptr();
        let target = Target { base, width: 5, pixel_stride, row_stride, residual: std::ptr::null() };
        // SAFETY: the buffer has room for four rows.
        unsafe { conv.rows(level, x.as_ptr(), 0..4, range, target) };
        for (i, got) in y.iter().enumerate() {
            let (row, pixel, column) =
                (i / row_stride, i % row_stride / pixel_stride, i % row_stride % pixel_stride);
            if pixel >= 5 || column >= 20 {
                assert_eq!(*got, GUARD, "{level:?}: wrote between the pixels, at {i}");
                continue;
            }
            let pixel = &x[(row * 5 + pixel) * 7..][..7];
            let want: f64 =
                pixel.iter().enumerate().map(|(c, v)| f64::from(*v) * f64::from(k[c * 20 + column])).sum();
            close("value", &[*got], &[want + 0.5], 7);
        }
    }
}

#[test]
fn depthwise_rows_of_any_shape_at_every_level() {
    let mut random = Random(13);
    for round in 0..if cfg!(miri) { 3 } else { 150 } {
        let sides = if random.below(2) == 0 { [3, 3] } else { [1 + random.below(5), 1 + random.below(5)] };
        let strides = [1 + random.below(2), 1 + random.below(3)];
        let channels = [1, 2, 5, 8, 15, 16, 17, 24, 33, 48, 50][random.below(11)];
        let pixels = 1 + random.below(15);
        let width = (pixels - 1) * strides[1] + sides[1];
        let (k, bias) = (random.vec(sides[0] * sides[1] * channels), random.vec(channels));
        let lines: Vec<Vec<f32>> = (0..sides[0]).map(|_| random.vec(width * channels)).collect();
        let bounds = [(0.0, 6.0), (f32::NEG_INFINITY, f32::INFINITY)][random.below(2)];
        let mut want = vec![0.0; pixels * channels];
        for (i, want) in want.iter_mut().enumerate() {
            let (p, c) = (i / channels, i % channels);
            *want = f64::from(bias[c]);
            for (ky, line) in lines.iter().enumerate() {
                for kx in 0..sides[1] {
                    let weight = f64::from(k[(ky * sides[1] + kx) * channels + c]);
                    *want += f64::from(line[(p * strides[1] + kx) * channels + c]) * weight;
                }
            }
            *want = want.clamp(f64::from(bounds.0), f64::from(bounds.1));
        }
        for level in Level::available() {
            // Two groups where there are channels enough.
            let cut = if channels > 3 { channels / 2 } else { channels };
            let groups = [(0, cut), (cut, channels - cut)].into_iter().filter(|g| g.1 > 0);
            let kernel = DepthwiseKernel::new(level, &k, &bias, sides, strides, groups.clone());
            let mut y = vec![GUARD; pixels * channels + 64];
            for (group, (first, n)) in groups.enumerate() {
                let padded = kernel.padded(group);
                assert_eq!(kernel.channels(group), n);
                // The rows of the group alone; lanes beyond its channels must not matter.
                let rings: Vec<Vec<f32>> = lines
                    .iter()
                    .map(|line| {
                        let mut ring = vec![f32::NAN; width * padded];
                        for (to, from) in ring.chunks_exact_mut(padded).zip(line.chunks_exact(channels)) {
                            to[..n].copy_from_slice(&from[first..first + n]);
                        }
                        ring
                    })
                    .collect();
                let mut rows: Rows = [std::ptr::null(); MAX_SIDE];
                for (row, ring) in rows.iter_mut().zip(&rings) {
                    *row = ring.as_ptr();
                }
                let base = y[first..].as_mut_ptr();
                let target = RowTarget { base, pixels, pixel_stride: channels };
                // SAFETY: a row of each kernel row, wide enough; the target has room for all pixels.
                unsafe { row(level, &kernel, group, &rows, target, bounds) };
            }
            let (y, guard) = y.split_at(pixels * channels);
            let what = format!("round {round} {level:?} {sides:?} {strides:?} {channels} channels");
            close(&what, y, &want, sides[0] * sides[1]);
            assert!(guard.iter().all(|v| *v == GUARD), "{what}: wrote past the end");
        }
    }
}
