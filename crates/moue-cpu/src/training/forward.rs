//! The forward pass of training sessions.

use moue_graph::Activation;
use rayon::prelude::*;

use super::{Mode, NormState, Session};
use crate::kernels::activation::{add, bias_clamp, bounds, clamp};
use crate::kernels::batch_norm::{merge, moments, normalise};
use crate::kernels::matmul::{Matrix, matmul};
use crate::kernels::{Window, conv, depthwise, layout, pooling, rows_per_task};
use crate::lowering::{Kind, NodeId};

/// Values a task of a convolution writes, at most about that many.
const OUTPUT_PER_TASK: usize = 1 << 16;

/// Moments that a convolution gathered of its output while it was in cache, a piece a task.
#[derive(Default)]
struct Moments {
    rows_per_task: usize,
    rows: usize,
    values: Vec<f32>,
}

/// Output rows of pixels a task computes: a divisor of the height, so that no task spans pictures.
pub(super) fn band(w: &Window) -> usize {
    let row = w.output[1] * w.output[2];
    let height = w.output[0];
    (1..=height).rev().find(|b| height.is_multiple_of(*b) && b * row <= OUTPUT_PER_TASK).unwrap_or(1)
}

/// Pixels a task of a pointwise convolution multiplies.
pub(super) fn pointwise_rows(w: &Window) -> usize {
    (OUTPUT_PER_TASK / (w.input[2] + w.output[2])).clamp(32, 1024)
}

impl Session {
    pub(super) fn forward(&mut self, count: usize, mode: Mode) {
        let mut gathered: Vec<Moments> = self.lowered.nodes.iter().map(|_| Moments::default()).collect();
        for id in 1..self.lowered.nodes.len() {
            let mut out = std::mem::take(&mut self.values[id]);
            let n = self.lowered.nodes[id].len() * count;
            self.forward_node(id, count, mode, &mut out[..n], &mut gathered);
            self.values[id] = out;
        }
    }

    fn uses_batch_statistics(&self, id: NodeId, mode: Mode) -> bool {
        let node = &self.lowered.nodes[id];
        mode == Mode::Training && node.trainable && matches!(node.kind, Kind::Norm { .. })
    }

    fn forward_node(
        &mut self,
        id: NodeId,
        count: usize,
        mode: Mode,
        out: &mut [f32],
        gathered: &mut [Moments],
    ) {
        let kind = self.lowered.nodes[id].kind.clone();
        let inputs = self.lowered.nodes[id].inputs.clone();
        let level = self.level;
        match kind {
            Kind::Input => {}
            Kind::Pad { window } => {
                let x = &self.values[inputs[0]];
                out.fill(0.0);
                for (x, out) in
                    x.chunks_exact(window.input_len()).zip(out.chunks_exact_mut(window.output_len()))
                {
                    copy_inside(&window, x, out);
                }
            }
            Kind::Conv { window, kernel, bias } => {
                let wanted = self.lowered.readers[id].iter().any(|&r| self.uses_batch_statistics(r, mode));
                let bias = bias.map(|b| self.parameters[b].values.as_slice());
                gathered[id] = self.conv(&window, kernel, bias, inputs[0], count, wanted, out);
            }
            Kind::Depthwise { window, kernel, bias } => {
                let wanted = self.lowered.readers[id].iter().any(|&r| self.uses_batch_statistics(r, mode));
                let x = &self.values[inputs[0]][..window.input_len() * count];
                let kernel = &self.parameters[kernel].values;
                let bias = bias.map(|b| self.parameters[b].values.as_slice());
                let epilogue = depthwise::Epilogue { bias, bounds: bounds(Activation::Linear) };
                let channels = window.output[2];
                let band = band(&window);
                let (size, bands) = (band * window.output[1] * channels, window.output[0] / band);
                let mut moments_out = vec![0.0; count * bands * 2 * channels];
                self.pool.install(|| {
                    out.par_chunks_mut(size)
                        .zip(moments_out.par_chunks_mut(2 * channels))
                        .enumerate()
                        .for_each(|(task, (out, m))| {
                            let x = &x[task / bands * window.input_len()..][..window.input_len()];
                            depthwise::forward(level, &window, x, kernel, epilogue, task % bands * band, out);
                            if wanted {
                                moments(level, out, channels, m);
                            }
                        });
                });
                let rows_per_task = size / channels;
                let rows = count * bands * rows_per_task;
                gathered[id] = Moments { rows_per_task, rows, values: moments_out };
                if !wanted {
                    gathered[id] = Moments::default();
                }
            }
            Kind::Norm { gamma, epsilon, momentum, activation } => {
                let batch = self.uses_batch_statistics(id, mode);
                let pieces = std::mem::take(&mut gathered[inputs[0]]);
                self.norm(id, inputs[0], gamma, epsilon, momentum, activation, batch, pieces, out);
            }
            Kind::Clamp { activation } => {
                out.copy_from_slice(&self.values[inputs[0]][..out.len()]);
                clamp(level, out, bounds(activation));
            }
            Kind::Add => {
                let (a, b) = (&self.values[inputs[0]][..out.len()], &self.values[inputs[1]][..out.len()]);
                let size = crate::kernels::ELEMENTS_PER_TASK;
                self.pool.install(|| {
                    out.par_chunks_mut(size).zip(a.par_chunks(size)).zip(b.par_chunks(size)).for_each(
                        |((out, a), b)| {
                            out.copy_from_slice(a);
                            add(level, out, b);
                        },
                    );
                });
            }
            Kind::Concatenate => {
                let parts: Vec<(&[f32], usize)> = inputs
                    .iter()
                    .map(|&i| (self.values[i].as_slice(), self.lowered.nodes[i].channels()))
                    .collect();
                layout::concatenate(&parts, out);
            }
            Kind::Upsample { size } => {
                let input = &self.lowered.nodes[inputs[0]];
                let (row, channels) = (input.shape[1] * input.channels(), input.channels());
                layout::upsample(&self.values[inputs[0]][..input.len() * count], row, channels, size, out);
            }
            Kind::Flatten => out.copy_from_slice(&self.values[inputs[0]][..out.len()]),
            Kind::Pool => {
                let size = self.lowered.nodes[inputs[0]].len();
                let channels = self.lowered.nodes[id].len();
                for (x, out) in self.values[inputs[0]].chunks_exact(size).zip(out.chunks_exact_mut(channels))
                {
                    pooling::global_average(x, out);
                }
            }
            Kind::Dropout { rate } => {
                let x = &self.values[inputs[0]][..out.len()];
                if mode == Mode::Inference {
                    out.copy_from_slice(x);
                } else {
                    let mut kept = std::mem::take(&mut self.kept[id]);
                    let stream =
                        self.seed ^ self.step.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ ((id as u64) << 48);
                    for (i, ((out, x), kept)) in out.iter_mut().zip(x).zip(&mut kept).enumerate() {
                        *kept = if unit(stream, i as u64) < rate { 0.0 } else { 1.0 / (1.0 - rate) };
                        *out = x * *kept;
                    }
                    self.kept[id] = kept;
                }
            }
            Kind::Dense { kernel, bias } => {
                let inner = self.lowered.nodes[inputs[0]].len();
                let units = self.lowered.nodes[id].len();
                let x = Matrix::new(&self.values[inputs[0]][..count * inner], count, inner);
                matmul(x, Matrix::new(&self.parameters[kernel].values, inner, units), out, false);
                if let Some(bias) = bias {
                    bias_clamp(level, out, &self.parameters[bias].values, bounds(Activation::Linear));
                }
            }
        }
    }

    #[allow(clippy::too_many_arguments, reason = "one call site; the pieces have no common name")]
    fn conv(
        &self,
        window: &Window,
        kernel: usize,
        bias: Option<&[f32]>,
        input: NodeId,
        count: usize,
        wanted: bool,
        out: &mut [f32],
    ) -> Moments {
        let level = self.level;
        let channels = window.output[2];
        let kernel = &self.parameters[kernel].values;
        let kernel = Matrix::new(kernel, kernel.len() / channels, channels);
        let x = &self.values[input][..window.input_len() * count];
        let rows = out.len() / channels;
        let linear = bounds(Activation::Linear);
        let finish = |out: &mut [f32], m: &mut [f32]| {
            if let Some(bias) = bias {
                bias_clamp(level, out, bias, linear);
            }
            if wanted {
                moments(level, out, channels, m);
            }
        };
        let (rows_per_task, mut values);
        if window.is_pointwise() {
            let inner = window.input[2];
            rows_per_task = pointwise_rows(window);
            values = vec![0.0; rows.div_ceil(rows_per_task) * 2 * channels];
            self.pool.install(|| {
                out.par_chunks_mut(rows_per_task * channels)
                    .zip(x.par_chunks(rows_per_task * inner))
                    .zip(values.par_chunks_mut(2 * channels))
                    .for_each(|((out, x), m)| {
                        matmul(Matrix::new(x, x.len() / inner, inner), kernel, out, false);
                        finish(out, m);
                    });
            });
        } else {
            let band = band(window);
            let bands = window.output[0] / band;
            rows_per_task = band * window.output[1];
            values = vec![0.0; count * bands * 2 * channels];
            let unfolded = conv::unfolded_len(window, band);
            self.pool.install(|| {
                out.par_chunks_mut(rows_per_task * channels)
                    .zip(values.par_chunks_mut(2 * channels))
                    .enumerate()
                    .for_each_init(
                        || vec![0.0; unfolded],
                        |lines, (task, (out, m))| {
                            let x = &x[task / bands * window.input_len()..][..window.input_len()];
                            conv::unfold(window, x, task % bands * band, band, lines);
                            matmul(
                                Matrix::new(lines, rows_per_task, unfolded / rows_per_task),
                                kernel,
                                out,
                                false,
                            );
                            finish(out, m);
                        },
                    );
            });
        }
        if wanted { Moments { rows_per_task, rows, values } } else { Moments::default() }
    }

    #[allow(clippy::too_many_arguments, reason = "the fields of one node kind")]
    fn norm(
        &mut self,
        id: NodeId,
        input: NodeId,
        gamma: usize,
        epsilon: f32,
        momentum: f32,
        activation: Activation,
        batch: bool,
        mut pieces: Moments,
        out: &mut [f32],
    ) {
        let level = self.level;
        let channels = self.lowered.nodes[id].channels();
        let x = &self.values[input][..out.len()];
        let size = rows_per_task(channels) * channels;
        let (mut mean, mut variance) = (vec![0.0f64; channels], vec![0.0f64; channels]);
        if batch {
            if pieces.values.is_empty() {
                pieces.rows_per_task = size / channels;
                pieces.rows = out.len() / channels;
                pieces.values = vec![0.0; x.len().div_ceil(size) * 2 * channels];
                self.pool.install(|| {
                    x.par_chunks(size)
                        .zip(pieces.values.par_chunks_mut(2 * channels))
                        .for_each(|(x, m)| moments(level, x, channels, m));
                });
            }
            let tasks = pieces
                .values
                .chunks_exact(2 * channels)
                .enumerate()
                .map(|(i, m)| (pieces.rows_per_task.min(pieces.rows - i * pieces.rows_per_task), m));
            merge(tasks, &mut mean, &mut variance);
            for (at, new) in [(gamma + 2, &mean), (gamma + 3, &variance)] {
                for (v, new) in self.parameters[at].values.iter_mut().zip(new) {
                    *v = (f64::from(*v) * f64::from(momentum) + new * (1.0 - f64::from(momentum))) as f32;
                }
            }
        } else {
            for (all, at) in [(&mut mean, gamma + 2), (&mut variance, gamma + 3)] {
                for (v, stored) in all.iter_mut().zip(&self.parameters[at].values) {
                    *v = f64::from(*stored);
                }
            }
        }
        let inverse: Vec<f64> = variance.iter().map(|v| 1.0 / (v + f64::from(epsilon)).sqrt()).collect();
        let (weights, shifts) = (&self.parameters[gamma].values, &self.parameters[gamma + 1].values);
        let scale: Vec<f32> = weights.iter().zip(&inverse).map(|(g, i)| (f64::from(*g) * i) as f32).collect();
        let shift: Vec<f32> = (0..channels)
            .map(|c| (f64::from(shifts[c]) - mean[c] * inverse[c] * f64::from(weights[c])) as f32)
            .collect();
        let limits = bounds(activation);
        self.pool.install(|| {
            out.par_chunks_mut(size)
                .zip(x.par_chunks(size))
                .for_each(|(y, x)| normalise(level, x, y, &scale, &shift, limits));
        });
        self.norms[id] = NormState {
            batch,
            mean: mean.iter().map(|v| *v as f32).collect(),
            inverse: inverse.iter().map(|v| *v as f32).collect(),
        };
    }
}

/// Copies a picture into its place within a padded one.
fn copy_inside(w: &Window, x: &[f32], out: &mut [f32]) {
    let row = w.input[1] * w.input[2];
    for (y, x) in x.chunks_exact(row).enumerate() {
        let start = ((y + w.before[0]) * w.output[1] + w.before[1]) * w.output[2];
        out[start..start + row].copy_from_slice(x);
    }
}

/// The `index`-th value of a random stream, uniform in [0, 1): SplitMix64's finaliser.
fn unit(stream: u64, index: u64) -> f32 {
    let mut z = stream.wrapping_add(index.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z ^ (z >> 31)) >> 40) as f32 / (1u32 << 24) as f32
}
