//! Every kernel against a plain reference in f64, on random shapes, at every instruction set this
//! processor has.

mod blocked;

use super::conv::{fold, unfold, unfolded_len};
use super::matmul::{Matrix, matmul};
use super::tall_product::{Left, PANEL, Right, pack, pack_transposed, packed_len, panel_width, product};
use super::{Window, activation, batch_norm, depthwise, optimizer, pooling};
use crate::Level;
use moue_graph::engine::Optimizer;

/// A small stream of random numbers.
struct Random(u64);

impl Random {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() * n as f64) as usize
    }

    fn vec(&mut self, n: usize) -> Vec<f32> {
        (0..n).map(|_| (self.next() * 2.0 - 1.0) as f32).collect()
    }

    fn window(&mut self, channels_out: Option<usize>) -> Window {
        // Channel counts around the widths of registers and blocks, and odd ones.
        let channels = [1, 2, 3, 7, 8, 9, 16, 24, 31, 32, 33, 40, 65, 96][self.below(14)];
        let kernel = [1 + self.below(4), 1 + self.below(4)];
        let strides = [1 + self.below(3), 1 + self.below(3)];
        let input = [kernel[0] + self.below(9), kernel[1] + self.below(9), channels];
        let before = [self.below(kernel[0]), self.below(kernel[1])];
        let after = [self.below(kernel[0]), self.below(kernel[1])];
        let side =
            |axis: usize| (input[axis] + before[axis] + after[axis] - kernel[axis]) / strides[axis] + 1;
        let output = [side(0), side(1), channels_out.unwrap_or(channels)];
        Window { input, output, kernel, strides, before }
    }
}

/// Calls `visit(output pixel, input pixel, kernel position)` for every tap inside the picture.
fn taps(w: &Window, mut visit: impl FnMut(usize, usize, usize)) {
    for oy in 0..w.output[0] {
        for ox in 0..w.output[1] {
            for ky in 0..w.kernel[0] {
                for kx in 0..w.kernel[1] {
                    let y = (oy * w.strides[0] + ky) as isize - w.before[0] as isize;
                    let x = (ox * w.strides[1] + kx) as isize - w.before[1] as isize;
                    if (0..w.input[0] as isize).contains(&y) && (0..w.input[1] as isize).contains(&x) {
                        let input = y as usize * w.input[1] + x as usize;
                        visit(oy * w.output[1] + ox, input, ky * w.kernel[1] + kx);
                    }
                }
            }
        }
    }
}

fn close(what: &str, got: &[f32], want: &[f64], terms: usize) {
    assert_eq!(got.len(), want.len(), "{what}");
    // Rounding of a sum of `terms` products of values in [-1, 1].
    let tolerance = 1e-6 * (1.0 + terms as f64);
    for (i, (g, w)) in got.iter().zip(want).enumerate() {
        assert!((f64::from(*g) - w).abs() <= tolerance, "{what}[{i}]: {g}, reference {w}");
    }
}

fn f64s(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&v| f64::from(v)).collect()
}

/// Forward over padded rows, and everything the backward pass makes, in bands.
#[test]
fn depthwise_convolution_of_training_and_its_gradients() {
    let mut random = Random(11);
    for round in 0..120 {
        let mut w = random.window(None);
        if round % 2 == 0 {
            // What networks are made of: odd sides, one row and column of zeros around.
            w.kernel = [3, 3];
            w.strides = [1 + round / 2 % 2; 2];
            w.before = [1, 1];
            w.output[0] = (w.input[0] - 1) / w.strides[0] + 1;
            w.output[1] = (w.input[1] - 1) / w.strides[1] + 1;
        }
        let c = w.input[2];
        let n = w.kernel[0] * w.kernel[1];
        let (x, k, bias) = (random.vec(w.input_len()), random.vec(n * c), random.vec(c));
        let (g, old) = (random.vec(w.output_len()), random.vec(w.input_len()));
        let (scale, shift, mean) = (random.vec(c), random.vec(c), random.vec(c));
        let bounds = (0.0, 0.5);
        let normal = |i: usize| f64::from(scale[i % c]) * f64::from(x[i]) + f64::from(shift[i % c]);
        let input: Vec<f64> = (0..x.len()).map(|i| normal(i).clamp(bounds.0, bounds.1)).collect();
        let mut y64 = vec![0.0; w.output_len()];
        y64.chunks_mut(c).for_each(|row| row.copy_from_slice(&f64s(&bias)));
        let (mut dx64, mut dk64) = (f64s(&old), vec![0.0; n * c]);
        taps(&w, |o, i, t| {
            for c_ in 0..c {
                y64[o * c + c_] += input[i * c + c_] * f64::from(k[t * c + c_]);
                dx64[i * c + c_] += f64::from(g[o * c + c_]) * f64::from(k[t * c + c_]);
                dk64[t * c + c_] += f64::from(g[o * c + c_]) * input[i * c + c_];
            }
        });
        let mut sums64 = vec![0.0; 2 * c];
        for i in 0..x.len() {
            if !(normal(i) > bounds.0 && normal(i) < bounds.1) {
                dx64[i] = 0.0;
            }
            sums64[i % c] += dx64[i];
            sums64[c + i % c] += dx64[i] * (f64::from(x[i]) - f64::from(mean[i % c]));
        }
        let what = format!("round {round} {w:?}");
        for level in Level::available() {
            let what = format!("{what} {level:?}");
            let (rows, width) = (w.output[0], depthwise::padded_width(&w));
            let mut source = vec![0.0f32; depthwise::rows_read(&w, rows) * width * c];
            for (i, v) in input.iter().enumerate() {
                let (y, x) = (i / c / w.input[1] + w.before[0], i / c % w.input[1] + w.before[1]);
                if let Some(to) = source.get_mut((y * width + x) * c + i % c) {
                    *to = *v as f32;
                }
            }
            let pass = depthwise::Forward { window: &w, source: &source, kernel: &k, bias: Some(&bias) };
            let (mut y, mut moments) = (vec![f32::NAN; w.output_len()], vec![f32::NAN; 2 * c]);
            depthwise::forward(level, &pass, &mut y, Some(&mut moments));
            close(&what, &y, &y64, n);
            let pixels = y64.len() / c;
            for c_ in 0..c {
                let of = || y64.iter().skip(c_).step_by(c);
                let mean = of().sum::<f64>() / pixels as f64;
                let square: f64 = of().map(|v| (v - mean).powi(2)).sum();
                let got = [moments[c_], moments[c + c_]];
                close(&what, &got, &[mean, square], 2 * n * pixels);
            }

            let half = w.input[0] / 2;
            let mut dx = old.clone();
            let (mut dk, mut sums) = (vec![0.0; n * c], vec![0.0; 2 * c]);
            for rows in [0..half, half..w.input[0]].into_iter().filter(|r| !r.is_empty()) {
                let reach = depthwise::Reach::new(&w, rows.start, rows.end);
                let mut gradient = vec![0.0f32; reach.height() * reach.width() * c];
                for (i, v) in g.iter().enumerate() {
                    let y = (i / c / w.output[1]) as isize - reach.rows[0];
                    let x = (i / c % w.output[1]) as isize - reach.columns[0];
                    if (0..reach.height() as isize).contains(&y) && (0..reach.width() as isize).contains(&x) {
                        gradient[(y as usize * reach.width() + x as usize) * c + i % c] = *v;
                    }
                }
                let range = rows.start * w.input[1] * c..rows.end * w.input[1] * c;
                let pass = depthwise::Backward {
                    window: &w,
                    rows,
                    x: &x[range.clone()],
                    scale: &scale,
                    shift: &shift,
                    bounds: (0.0, 0.5),
                    mask: (0.0, 0.5),
                    mean: &mean,
                    gradient: &gradient,
                    reach,
                    kernel: &k,
                    accumulate: true,
                };
                depthwise::backward(level, &pass, &mut dx[range], &mut dk, &mut sums);
            }
            close(&what, &dx, &dx64, n);
            close(&what, &dk, &dk64, w.output[0] * w.output[1]);
            close(&what, &sums, &sums64, 2 * n * w.input[0] * w.input[1]);
        }
    }
}

/// The three products of a pointwise convolution, at sides around those of tiles and panels.
#[test]
fn products_of_training() {
    let mut random = Random(12);
    for round in 0..200 {
        let side = |random: &mut Random| [1, 5, 12, 13, 16, 24, 31, 32, 33, 40, 65, 96][random.below(12)];
        let (rows, outer) = (1 + random.below(50), side(&mut random));
        let inner = if round % 3 == 0 { 1 + random.below(150) } else { side(&mut random) };
        let (x, w, dy) = (random.vec(rows * inner), random.vec(inner * outer), random.vec(rows * outer));
        let sum = |n: usize, term: &dyn Fn(usize) -> f64| (0..n).map(term).sum::<f64>();
        let y64: Vec<f64> = (0..rows * outer)
            .map(|i| {
                sum(inner, &|k| f64::from(x[i / outer * inner + k]) * f64::from(w[k * outer + i % outer]))
            })
            .collect();
        let dx64: Vec<f64> = (0..rows * inner)
            .map(|i| {
                sum(outer, &|k| f64::from(dy[i / inner * outer + k]) * f64::from(w[i % inner * outer + k]))
            })
            .collect();
        let dw64: Vec<f64> = (0..inner * outer)
            .map(|i| {
                sum(rows, &|k| f64::from(x[k * inner + i / outer]) * f64::from(dy[k * outer + i % outer]))
            })
            .collect();
        for level in Level::available() {
            let what = format!("{level:?} {rows}x{inner}x{outer}");
            let width = panel_width(level);
            let mut packed = vec![f32::NAN; packed_len(inner, outer)];
            for (panel, out) in packed.chunks_mut(inner * width).take(outer.div_ceil(width)).enumerate() {
                pack(level, &w, outer, panel, out);
            }
            let mut y = vec![f32::NAN; rows * outer];
            let left = Left { data: &x, row_stride: inner, inner_stride: 1 };
            product(
                level,
                [rows, outer, inner],
                left,
                Right::packed(level, &packed, inner),
                &mut y,
                outer,
                false,
            );
            close(&what, &y, &y64, inner);

            let mut packed = vec![f32::NAN; packed_len(outer, inner)];
            for (panel, out) in packed.chunks_mut(outer * width).take(inner.div_ceil(width)).enumerate() {
                pack_transposed(level, &w, inner, panel, out);
            }
            let left = Left { data: &dy, row_stride: outer, inner_stride: 1 };
            let right = Right::packed(level, &packed, outer);
            let mut dx = x.clone();
            product(level, [rows, inner, outer], left, right, &mut dx, inner, true);
            let sums: Vec<f64> = dx64.iter().zip(&x).map(|(a, b)| a + f64::from(*b)).collect();
            close(&what, &dx, &sums, outer);

            let stride = outer.next_multiple_of(PANEL);
            let mut lines = vec![0.0; rows * stride];
            for (line, row) in lines.chunks_mut(stride).zip(dy.chunks(outer)) {
                line[..outer].copy_from_slice(row);
            }
            let left = Left { data: &x, row_stride: 1, inner_stride: inner };
            let mut dw = vec![f32::NAN; inner * outer];
            product(level, [inner, outer, rows], left, Right::rows(&lines, stride), &mut dw, outer, false);
            close(&what, &dw, &dw64, rows);
        }
    }
}

#[test]
fn unfolding_makes_convolution_a_matrix_product_and_folding_is_its_transpose() {
    let mut random = Random(2);
    for round in 0..60 {
        let filters = [1, 3, 8, 20][random.below(4)];
        let w = random.window(Some(filters));
        let c = w.input[2];
        let n = w.kernel[0] * w.kernel[1] * c;
        let (x, k, g) = (random.vec(w.input_len()), random.vec(n * filters), random.vec(w.output_len()));
        let (mut y64, mut dx64) = (vec![0.0; w.output_len()], vec![0.0; w.input_len()]);
        taps(&w, |o, i, t| {
            for ci in 0..c {
                for f in 0..filters {
                    let weight = f64::from(k[(t * c + ci) * filters + f]);
                    y64[o * filters + f] += f64::from(x[i * c + ci]) * weight;
                    dx64[i * c + ci] += f64::from(g[o * filters + f]) * weight;
                }
            }
        });
        let pixels = w.output[0] * w.output[1];
        let mut lines = vec![f32::NAN; unfolded_len(&w, w.output[0])];
        unfold(&w, &x, 0, w.output[0], &mut lines);
        let mut y = vec![f32::NAN; w.output_len()];
        let kernel = Matrix::new(&k, n, filters);
        matmul(Matrix::new(&lines, pixels, n), kernel, &mut y, false);
        close(&format!("round {round} {w:?}"), &y, &y64, n);
        matmul(Matrix::new(&g, pixels, filters), kernel.transposed(), &mut lines, false);
        let mut dx = vec![0.0; w.input_len()];
        fold(&w, &lines, &mut dx);
        close(&format!("round {round} {w:?}"), &dx, &dx64, n * filters);
    }
}

#[test]
fn matrix_products_of_every_orientation() {
    let mut random = Random(3);
    for _ in 0..80 {
        let (m, n, k) = (1 + random.below(70), 1 + random.below(70), 1 + random.below(70));
        let (a, b, old) = (random.vec(m * k), random.vec(k * n), random.vec(m * n));
        let mut want = vec![0.0; m * n];
        for i in 0..m {
            for j in 0..n {
                want[i * n + j] = (0..k).map(|l| f64::from(a[i * k + l]) * f64::from(b[l * n + j])).sum();
            }
        }
        let flip = |x: &[f32], rows: usize, columns: usize| -> Vec<f32> {
            (0..rows * columns).map(|i| x[(i % rows) * columns + i / rows]).collect()
        };
        let (at, bt) = (flip(&a, m, k), flip(&b, k, n));
        for (ta, tb) in [(false, false), (true, false), (false, true), (true, true)] {
            let left = if ta { Matrix::new(&at, k, m).transposed() } else { Matrix::new(&a, m, k) };
            let right = if tb { Matrix::new(&bt, n, k).transposed() } else { Matrix::new(&b, k, n) };
            let mut out = vec![f32::NAN; m * n];
            matmul(left, right, &mut out, false);
            close("product", &out, &want, k);
            let mut out = old.clone();
            matmul(left, right, &mut out, true);
            let sum: Vec<f64> = want.iter().zip(&old).map(|(w, o)| w + f64::from(*o)).collect();
            close("accumulated", &out, &sum, k);
        }
    }
}

#[test]
fn normalisation_and_its_gradient() {
    let mut random = Random(4);
    for _ in 0..60 {
        let channels = 1 + random.below(70);
        let rows = 1 + random.below(40);
        let n = rows * channels;
        let (x, dy) = (random.vec(n), random.vec(n));
        let (scale, shift, mean) = (random.vec(channels), random.vec(channels), random.vec(channels));
        let bounds = [(0.0, 0.5), (0.0, f32::INFINITY), (f32::NEG_INFINITY, f32::INFINITY)][random.below(3)];
        for level in Level::available() {
            let mut y = vec![f32::NAN; n];
            batch_norm::normalise(level, &x, &mut y, &scale, &shift, bounds);
            let want: Vec<f64> = (0..n)
                .map(|i| {
                    let c = i % channels;
                    (f64::from(scale[c]) * f64::from(x[i]) + f64::from(shift[c]))
                        .clamp(f64::from(bounds.0), f64::from(bounds.1))
                })
                .collect();
            close("normalise", &y, &want, 1);
            let through = batch_norm::Through { scale: &scale, shift: &shift, mean: &mean, bounds };
            let mut g = dy.clone();
            let mut sums = vec![1.0; 2 * channels];
            batch_norm::backward_sums(level, &x, &mut g, through, &mut sums);
            let mut want = vec![1.0; 2 * channels];
            for i in 0..n {
                let (c, y) = (i % channels, y[i]);
                // What the activation gives decides; a value at a bound passes nothing.
                let masked = if y > bounds.0 && y < bounds.1 { f64::from(dy[i]) } else { 0.0 };
                assert_eq!(f64::from(g[i]), masked, "mask at {i}");
                want[c] += masked;
                want[channels + c] += masked * (f64::from(x[i]) - f64::from(mean[c]));
            }
            close("sums", &sums, &want, rows);
            let mut masked = dy.clone();
            activation::mask(level, &mut masked, &y, bounds);
            assert_eq!(masked, g, "the clamp's own mask");
            let slopes = batch_norm::Slopes { by_gradient: &scale, by_input: &shift, constant: &mean };
            let stride = channels + random.below(9);
            let mut out = vec![f32::NAN; rows * stride];
            batch_norm::backward_apply(level, &x, &g, slopes, &mut out, stride);
            let want: Vec<f64> = (0..rows * stride)
                .map(|i| {
                    let (c, at) = (i % stride, i / stride * channels + i % stride);
                    if c >= channels {
                        return 0.0;
                    }
                    f64::from(scale[c]) * f64::from(masked[at])
                        + f64::from(shift[c]) * f64::from(x[at])
                        + f64::from(mean[c])
                })
                .collect();
            close("apply", &out, &want, 3);
            batch_norm::backward_apply_in_place(level, &x, &mut g, slopes);
            for (g, out) in g.chunks(channels).zip(out.chunks(stride)) {
                assert_eq!(g, &out[..channels], "in place");
            }
        }
    }
}

#[test]
fn pooling_and_its_gradient() {
    let mut random = Random(5);
    for _ in 0..20 {
        let (channels, pixels) = (1 + random.below(40), 1 + random.below(50));
        let x = random.vec(channels * pixels);
        let mut mean = vec![f32::NAN; channels];
        pooling::global_average(&x, &mut mean);
        let want: Vec<f64> = (0..channels)
            .map(|c| (0..pixels).map(|p| f64::from(x[p * channels + c])).sum::<f64>() / pixels as f64)
            .collect();
        close("mean", &mean, &want, 1);
        let mut back = x.clone();
        pooling::global_average_backward(&mean, &mut back, true);
        let want: Vec<f64> =
            (0..x.len()).map(|i| f64::from(x[i]) + f64::from(mean[i % channels]) / pixels as f64).collect();
        close("gradient", &back, &want, 1);
    }
}

#[test]
fn optimizers_follow_their_formulas() {
    let mut random = Random(7);
    let n = 37;
    let optimizers = [
        Optimizer::Adam { beta_1: 0.9, beta_2: 0.999, epsilon: 1e-7, weight_decay: 0.0 },
        Optimizer::Adam { beta_1: 0.8, beta_2: 0.99, epsilon: 1e-5, weight_decay: 0.1 },
        Optimizer::Sgd { momentum: 0.9, nesterov: false, weight_decay: 0.01 },
        Optimizer::Sgd { momentum: 0.9, nesterov: true, weight_decay: 0.0 },
    ];
    for (case, which) in optimizers.iter().enumerate() {
        for level in Level::available() {
            let start = random.vec(n);
            let (mut values, mut m, mut v) = (start.clone(), vec![0.0; n], vec![0.0; n]);
            let (mut values64, mut m64, mut v64) = (f64s(&start), vec![0.0; n], vec![0.0; n]);
            for step in 1..=5u64 {
                let g = random.vec(n);
                optimizer::update(level, which, 0.01, step, true, &mut values, &g, [&mut m, &mut v]);
                for i in 0..n {
                    let g = f64::from(g[i]);
                    match *which {
                        Optimizer::Adam { beta_1, beta_2, epsilon, weight_decay } => {
                            let (b1, b2) = (f64::from(beta_1), f64::from(beta_2));
                            m64[i] = b1 * m64[i] + (1.0 - b1) * g;
                            v64[i] = b2 * v64[i] + (1.0 - b2) * g * g;
                            // Keras' form: epsilon is added to the root before bias correction.
                            let rate =
                                0.01 * (1.0 - b2.powi(step as i32)).sqrt() / (1.0 - b1.powi(step as i32));
                            values64[i] *= 1.0 - 0.01 * f64::from(weight_decay);
                            values64[i] -= rate * m64[i] / (v64[i].sqrt() + f64::from(epsilon));
                        }
                        Optimizer::Sgd { momentum, nesterov, weight_decay } => {
                            let momentum = f64::from(momentum);
                            m64[i] = momentum * m64[i] - 0.01 * g;
                            values64[i] *= 1.0 - 0.01 * f64::from(weight_decay);
                            values64[i] += if nesterov { momentum * m64[i] - 0.01 * g } else { m64[i] };
                        }
                    }
                }
            }
            close(&format!("case {case} {level:?}"), &values, &values64, 5);
        }
    }
}
