//! The backward pass: gradients of parameters and, in planned slots, of node outputs.

use super::Session;
use super::crew::Parts;
use super::fusion::handles_gradient;
use super::slots::Handover;
use crate::kernels::activation::{add, bounds, mask};
use crate::kernels::matmul::{Matrix, matmul};
use crate::kernels::{ELEMENTS_PER_TASK, Window, conv, layout, pooling};
use crate::lowering::{Kind, NodeId, ParameterId};

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
                self.conv_gradients(id, &window, kernel, count, gradient);
                if !handles_gradient(&window) {
                    self.hand_on(id, 0, count, |session, out, accumulate| {
                        session.conv_input_gradient(&window, kernel, gradient, out, accumulate);
                    });
                }
            }
            Kind::Depthwise { window, kernel, bias } => {
                self.bias_gradient(bias, gradient);
                self.depthwise_gradients(id, &window, kernel, count, gradient);
            }
            Kind::Norm { gamma, .. } => {
                self.norm_gradient(id, gamma, gradient);
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
                self.hand_on(id, 0, count, |session, out, accumulate| {
                    let outs = Parts::new(out, size);
                    session.crew.run(count, |task, _| {
                        let g = &gradient[task * channels..(task + 1) * channels];
                        // SAFETY: each task has a part of its own.
                        pooling::global_average_backward(g, unsafe { outs.part(task) }, accumulate);
                    });
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
            let size = ELEMENTS_PER_TASK;
            let outs = Parts::new(out, size);
            session.crew.run(gradient.len().div_ceil(size), |task, _| {
                // SAFETY: each task has a part of its own.
                let out = unsafe { outs.part(task) };
                let g = &gradient[task * size..][..out.len()];
                if accumulate {
                    add(level, out, g);
                } else {
                    out.copy_from_slice(g);
                }
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
        let (pixels, n) = (w.output[0] * w.output[1], conv::unfolded_len(w, w.output[0]));
        let pictures = gradient.len() / w.output_len();
        let outs = Parts::new(out, w.input_len());
        self.crew.run(pictures, |picture, scratch| {
            scratch.input.reserve(n);
            let lines = &mut scratch.input[..n];
            let g = &gradient[picture * w.output_len()..][..w.output_len()];
            matmul(Matrix::new(g, pixels, outer), kernel, lines, false);
            // SAFETY: each task has a part of its own.
            let out = unsafe { outs.part(picture) };
            if !accumulate {
                out.fill(0.0);
            }
            conv::fold(w, lines, out);
        });
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
