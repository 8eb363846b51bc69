//! The backward pass: gradients of parameters and, in planned slots, of node outputs.

use rayon::prelude::*;

use super::Session;
use super::forward::pointwise_rows;
use super::slots::Handover;
use crate::kernels::activation::{add, bounds, mask};
use crate::kernels::batch_norm::{backward_apply, backward_sums};
use crate::kernels::matmul::{Matrix, matmul};
use crate::kernels::{ELEMENTS_PER_TASK, Window, conv, depthwise, layout, pooling, rows_per_task};
use crate::lowering::{Kind, NodeId, ParameterId};

/// Partial sums a kernel gradient is split into where its sum runs over many pixels: enough for the
/// cores of a laptop, few enough to add up quickly. Fixed, so that results never depend on threads.
const PARTIAL_SUMS: usize = 8;

/// Kernel values above which the gradient is split by kernel rows instead of by pixels.
const LARGE_KERNEL: usize = 1 << 16;

impl Session {
    pub(super) fn backward(&mut self, count: usize) {
        for id in (1..self.lowered.nodes.len()).rev() {
            if !self.plan.reaches(id) {
                continue;
            }
            let mut gradient = self.plan.take(&mut self.gradients, id);
            let n = self.lowered.nodes[id].len() * count;
            self.backward_node(id, count, &mut gradient[..n]);
            self.plan.put(&mut self.gradients, id, gradient);
        }
    }

    fn backward_node(&mut self, id: NodeId, count: usize, gradient: &mut [f32]) {
        let kind = self.lowered.nodes[id].kind.clone();
        let inputs = self.lowered.nodes[id].inputs.clone();
        let level = self.level;
        match kind {
            Kind::Input => {}
            Kind::Pad { window } => self.hand_on(id, 0, count, |_, out, accumulate| {
                for (g, out) in
                    gradient.chunks_exact(window.output_len()).zip(out.chunks_exact_mut(window.input_len()))
                {
                    take_inside(&window, g, out, accumulate);
                }
            }),
            Kind::Conv { window, kernel, bias } => {
                self.bias_gradient(bias, gradient);
                if window.is_pointwise() {
                    self.pointwise_kernel_gradient(&window, kernel, inputs[0], gradient);
                } else {
                    self.conv_kernel_gradient(&window, kernel, inputs[0], gradient);
                }
                self.hand_on(id, 0, count, |session, out, accumulate| {
                    session.conv_input_gradient(&window, kernel, gradient, out, accumulate);
                });
            }
            Kind::Depthwise { window, kernel, bias } => {
                self.bias_gradient(bias, gradient);
                self.depthwise_kernel_gradient(&window, kernel, inputs[0], gradient);
                self.hand_on(id, 0, count, |session, out, accumulate| {
                    let kernel = &session.parameters[kernel].values;
                    session.pool.install(|| {
                        out.par_chunks_mut(window.input_len())
                            .zip(gradient.par_chunks(window.output_len()))
                            .for_each(|(out, g)| {
                                depthwise::backward_input(level, &window, g, kernel, accumulate, out);
                            });
                    });
                });
            }
            Kind::Norm { gamma, activation, .. } => {
                self.norm_gradient(id, inputs[0], gamma, bounds(activation), gradient);
                self.hand_on_same(id, 0, count, gradient);
            }
            Kind::Clamp { activation } => {
                mask(level, gradient, &self.values[id][..gradient.len()], bounds(activation));
                self.hand_on_same(id, 0, count, gradient);
            }
            Kind::Dropout { .. } => {
                for (g, kept) in gradient.iter_mut().zip(&self.kept[id]) {
                    *g *= kept;
                }
                self.hand_on_same(id, 0, count, gradient);
            }
            Kind::Add => {
                for which in 0..2 {
                    self.hand_on_same(id, which, count, gradient);
                }
            }
            Kind::Concatenate => {
                let width = self.lowered.nodes[id].channels();
                let mut end = width;
                // Last input first, as the slots are planned.
                for which in (0..inputs.len()).rev() {
                    let part = self.lowered.nodes[inputs[which]].channels();
                    end -= part;
                    self.hand_on(id, which, count, |_, out, accumulate| {
                        layout::take_columns(gradient, width, end, part, out, accumulate);
                    });
                }
            }
            Kind::Upsample { size } => {
                let input = &self.lowered.nodes[inputs[0]];
                let (row, channels) = (input.shape[1] * input.channels(), input.channels());
                self.hand_on(id, 0, count, |_, out, accumulate| {
                    layout::upsample_backward(gradient, row, channels, size, out, accumulate);
                });
            }
            Kind::Flatten => self.hand_on_same(id, 0, count, gradient),
            Kind::Pool => {
                let (channels, size) = (self.lowered.nodes[id].len(), self.lowered.nodes[inputs[0]].len());
                self.hand_on(id, 0, count, |_, out, accumulate| {
                    for (g, out) in gradient.chunks_exact(channels).zip(out.chunks_exact_mut(size)) {
                        pooling::global_average_backward(g, out, accumulate);
                    }
                });
            }
            Kind::Dense { kernel, bias } => {
                self.bias_gradient(bias, gradient);
                let (inner, units) = (self.lowered.nodes[inputs[0]].len(), self.lowered.nodes[id].len());
                let g = Matrix::new(gradient, count, units);
                let x = Matrix::new(&self.values[inputs[0]][..count * inner], count, inner);
                if self.parameters[kernel].is_trainable() {
                    matmul(x.transposed(), g, &mut self.parameters[kernel].gradient, false);
                }
                self.hand_on(id, 0, count, |session, out, accumulate| {
                    let kernel = Matrix::new(&session.parameters[kernel].values, inner, units);
                    matmul(g, kernel.transposed(), out, accumulate);
                });
            }
        }
    }

    /// Lets `write(session, buffer, accumulate)` make the gradient of input number `which`, where one is needed.
    fn hand_on(
        &mut self,
        id: NodeId,
        which: usize,
        count: usize,
        write: impl FnOnce(&Session, &mut [f32], bool),
    ) {
        let handover = self.plan.handover(id, which);
        if handover == Handover::Skip {
            return;
        }
        let input = self.lowered.nodes[id].inputs[which];
        let n = self.lowered.nodes[input].len() * count;
        let mut buffer = self.plan.take(&mut self.gradients, input);
        write(self, &mut buffer[..n], handover == Handover::Accumulate);
        self.plan.put(&mut self.gradients, input, buffer);
    }

    /// The gradient of input number `which` equals `gradient`, which has its size.
    fn hand_on_same(&mut self, id: NodeId, which: usize, count: usize, gradient: &[f32]) {
        // In place the input's slot is this node's own: there is nothing to move.
        if self.plan.handover(id, which) == Handover::InPlace {
            return;
        }
        let level = self.level;
        self.hand_on(id, which, count, |session, out, accumulate| {
            session.pool.install(|| {
                out.par_chunks_mut(ELEMENTS_PER_TASK).zip(gradient.par_chunks(ELEMENTS_PER_TASK)).for_each(
                    |(out, g)| {
                        if accumulate {
                            add(level, out, g);
                        } else {
                            out.copy_from_slice(g);
                        }
                    },
                );
            });
        });
    }

    fn bias_gradient(&mut self, bias: Option<ParameterId>, gradient: &[f32]) {
        let Some(bias) = bias.filter(|&b| self.parameters[b].is_trainable()) else { return };
        let sums = &mut self.parameters[bias].gradient;
        sums.fill(0.0);
        for row in gradient.chunks_exact(sums.len()) {
            for (s, g) in sums.iter_mut().zip(row) {
                *s += g;
            }
        }
    }

    /// Runs `fill` for each of `parts` partial sums and adds these up, in order, into the gradient
    /// of `parameter`.
    fn sum_partials(
        &mut self,
        parameter: ParameterId,
        parts: usize,
        fill: impl Fn(&Session, usize, &mut [f32]) + Sync,
    ) {
        let mut total = std::mem::take(&mut self.parameters[parameter].gradient);
        let n = total.len();
        let mut partials = vec![0.0f32; parts * n];
        let (level, session) = (self.level, &*self);
        self.pool.install(|| {
            partials.par_chunks_mut(n).enumerate().for_each(|(part, out)| fill(session, part, out));
        });
        total.copy_from_slice(&partials[..n]);
        for part in partials[n..].chunks_exact(n) {
            add(level, &mut total, part);
        }
        self.parameters[parameter].gradient = total;
    }

    fn pointwise_kernel_gradient(
        &mut self,
        w: &Window,
        kernel: ParameterId,
        input: NodeId,
        gradient: &[f32],
    ) {
        if !self.parameters[kernel].is_trainable() {
            return;
        }
        let (inner, outer) = (w.input[2], w.output[2]);
        let rows = gradient.len() / outer;
        let parts = rows.div_ceil(pointwise_rows(w)).min(PARTIAL_SUMS);
        if inner * outer <= LARGE_KERNEL && parts > 1 {
            let rows_per_part = rows.div_ceil(parts);
            let parts = rows.div_ceil(rows_per_part);
            self.sum_partials(kernel, parts, |session, part, out| {
                let (first, last) = (part * rows_per_part, ((part + 1) * rows_per_part).min(rows));
                let x = Matrix::new(&session.values[input][first * inner..last * inner], last - first, inner);
                let g = Matrix::new(&gradient[first * outer..last * outer], last - first, outer);
                matmul(x.transposed(), g, out, false);
            });
        } else {
            let mut total = std::mem::take(&mut self.parameters[kernel].gradient);
            let x = Matrix::new(&self.values[input][..rows * inner], rows, inner);
            let g = Matrix::new(gradient, rows, outer);
            let lines = inner.div_ceil(PARTIAL_SUMS).max(8);
            self.pool.install(|| {
                total.par_chunks_mut(lines * outer).enumerate().for_each(|(part, out)| {
                    let first = part * lines;
                    matmul(x.columns(first, first + out.len() / outer).transposed(), g, out, false);
                });
            });
            self.parameters[kernel].gradient = total;
        }
    }

    fn conv_kernel_gradient(&mut self, w: &Window, kernel: ParameterId, input: NodeId, gradient: &[f32]) {
        if !self.parameters[kernel].is_trainable() {
            return;
        }
        let w = *w;
        let pictures = gradient.len() / w.output_len();
        let per_part = pictures.div_ceil(PARTIAL_SUMS);
        let pixels = w.output[0] * w.output[1];
        self.sum_partials(kernel, pictures.div_ceil(per_part), |session, part, out| {
            let mut lines = vec![0.0; conv::unfolded_len(&w, w.output[0])];
            for i in part * per_part..((part + 1) * per_part).min(pictures) {
                conv::unfold(
                    &w,
                    &session.values[input][i * w.input_len()..][..w.input_len()],
                    0,
                    w.output[0],
                    &mut lines,
                );
                let x = Matrix::new(&lines, pixels, lines.len() / pixels);
                let g = Matrix::new(&gradient[i * w.output_len()..][..w.output_len()], pixels, w.output[2]);
                matmul(x.transposed(), g, out, true);
            }
        });
    }

    fn conv_input_gradient(
        &self,
        w: &Window,
        kernel: ParameterId,
        gradient: &[f32],
        out: &mut [f32],
        accumulate: bool,
    ) {
        let outer = w.output[2];
        let values = &self.parameters[kernel].values;
        let kernel = Matrix::new(values, values.len() / outer, outer).transposed();
        self.pool.install(|| {
            if w.is_pointwise() {
                let (inner, rows) = (w.input[2], pointwise_rows(w));
                out.par_chunks_mut(rows * inner).zip(gradient.par_chunks(rows * outer)).for_each(
                    |(out, g)| {
                        matmul(Matrix::new(g, g.len() / outer, outer), kernel, out, accumulate);
                    },
                );
            } else {
                let (pixels, n) = (w.output[0] * w.output[1], conv::unfolded_len(w, w.output[0]));
                out.par_chunks_mut(w.input_len()).zip(gradient.par_chunks(w.output_len())).for_each_init(
                    || vec![0.0; n],
                    |lines, (out, g)| {
                        matmul(Matrix::new(g, pixels, outer), kernel, lines, false);
                        if !accumulate {
                            out.fill(0.0);
                        }
                        conv::fold(w, lines, out);
                    },
                );
            }
        });
    }

    fn depthwise_kernel_gradient(
        &mut self,
        w: &Window,
        kernel: ParameterId,
        input: NodeId,
        gradient: &[f32],
    ) {
        if !self.parameters[kernel].is_trainable() {
            return;
        }
        let (w, level) = (*w, self.level);
        let pictures = gradient.len() / w.output_len();
        let per_part = pictures.div_ceil(PARTIAL_SUMS);
        self.sum_partials(kernel, pictures.div_ceil(per_part), |session, part, out| {
            for i in part * per_part..((part + 1) * per_part).min(pictures) {
                let x = &session.values[input][i * w.input_len()..][..w.input_len()];
                let g = &gradient[i * w.output_len()..][..w.output_len()];
                depthwise::backward_kernel(level, &w, x, g, out);
            }
        });
    }

    /// Masks `gradient` by the activation, sums the gradients of gamma and beta, and turns
    /// `gradient` into that of the input.
    fn norm_gradient(
        &mut self,
        id: NodeId,
        input: NodeId,
        gamma: ParameterId,
        limits: (f32, f32),
        gradient: &mut [f32],
    ) {
        let level = self.level;
        let channels = self.lowered.nodes[id].channels();
        let size = rows_per_task(channels) * channels;
        let (x, y) = (&self.values[input][..gradient.len()], &self.values[id][..gradient.len()]);
        let state = &self.norms[id];
        let mut pieces = vec![0.0f32; gradient.len().div_ceil(size) * 2 * channels];
        self.pool.install(|| {
            gradient
                .par_chunks_mut(size)
                .zip(x.par_chunks(size))
                .zip(y.par_chunks(size))
                .zip(pieces.par_chunks_mut(2 * channels))
                .for_each(|(((g, x), y), sums)| backward_sums(level, x, y, g, &state.mean, limits, sums));
        });
        let mut sums = vec![0.0f64; 2 * channels];
        for piece in pieces.chunks_exact(2 * channels) {
            for (s, p) in sums.iter_mut().zip(piece) {
                *s += f64::from(*p);
            }
        }
        let rows = (gradient.len() / channels) as f64;
        let (mut by_gradient, mut by_input, mut constant) =
            (vec![0.0f32; channels], vec![0.0f32; channels], vec![0.0f32; channels]);
        for c in 0..channels {
            let inverse = f64::from(state.inverse[c]);
            let scale = f64::from(self.parameters[gamma].values[c]) * inverse;
            by_gradient[c] = scale as f32;
            if state.batch {
                // Equations of section 3 of the paper, gathered by what they multiply.
                let slope = -scale * inverse * inverse * sums[channels + c] / rows;
                by_input[c] = slope as f32;
                constant[c] = (-scale * sums[c] / rows - slope * f64::from(state.mean[c])) as f32;
            }
        }
        if self.plan.handover(id, 0) != Handover::Skip {
            self.pool.install(|| {
                gradient
                    .par_chunks_mut(size)
                    .zip(x.par_chunks(size))
                    .for_each(|(g, x)| backward_apply(level, x, g, &by_gradient, &by_input, &constant));
            });
        }
        let inverse: Vec<f32> = state.inverse.clone();
        if self.parameters[gamma].is_trainable() {
            for c in 0..channels {
                self.parameters[gamma].gradient[c] = (sums[channels + c] * f64::from(inverse[c])) as f32;
                self.parameters[gamma + 1].gradient[c] = sums[c] as f32;
            }
        }
    }
}

/// The part of a padded picture's gradient that belongs to the picture itself.
fn take_inside(w: &Window, gradient: &[f32], out: &mut [f32], accumulate: bool) {
    let row = w.input[1] * w.input[2];
    for (y, out) in out.chunks_exact_mut(row).enumerate() {
        let start = ((y + w.before[0]) * w.output[1] + w.before[1]) * w.output[2];
        for (o, g) in out.iter_mut().zip(&gradient[start..start + row]) {
            *o = if accumulate { *o + g } else { *g };
        }
    }
}
