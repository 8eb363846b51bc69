//! The forward pass of training sessions.

use moue_graph::Activation;
use moue_graph::engine::DropoutStream;

use super::crew::Parts;
use super::{Mode, Session};
use crate::kernels::activation::{add, bias_clamp, bounds, clamp};
use crate::kernels::matmul::{Matrix, matmul};
use crate::kernels::{Window, layout, pooling, rows_per_task};
use crate::lowering::{Kind, NodeId};

impl Session {
    pub(super) fn forward(&mut self, count: usize, mode: Mode) {
        for id in 1..self.lowered.nodes.len() {
            let mut out = std::mem::take(&mut self.values[id]);
            let n = if out.is_empty() { 0 } else { self.lowered.nodes[id].len() * count };
            self.forward_node(id, count, mode, &mut out[..n]);
            self.values[id] = out;
        }
    }

    fn forward_node(&mut self, id: NodeId, count: usize, mode: Mode, out: &mut [f32]) {
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
                self.conv(id, &window, kernel, bias, count, wanted, out);
            }
            Kind::Depthwise { window, kernel, bias } => {
                let wanted = self.lowered.readers[id].iter().any(|&r| self.uses_batch_statistics(r, mode));
                self.depthwise(id, &window, kernel, bias, count, wanted, out);
            }
            Kind::Norm { gamma, epsilon, momentum, .. } => {
                self.norm(id, gamma, epsilon, momentum, count, mode, out);
            }
            Kind::Clamp { activation } => {
                out.copy_from_slice(&self.values[inputs[0]][..out.len()]);
                clamp(level, out, bounds(activation));
            }
            Kind::Add => {
                let views = [self.view(inputs[0]), self.view(inputs[1])];
                let size =
                    rows_per_task(self.lowered.nodes[id].channels()) * self.lowered.nodes[id].channels();
                let n = out.len();
                let outs = Parts::new(out, size);
                self.crew.run(n.div_ceil(size), |task, scratch| {
                    // SAFETY: each task has a part of its own.
                    let out = unsafe { outs.part(task) };
                    views[0].read(level, task * size, out);
                    scratch.input.reserve(size);
                    let other = &mut scratch.input[..out.len()];
                    views[1].read(level, task * size, other);
                    add(level, out, other);
                });
            }
            Kind::Concatenate => {
                let parts: Vec<(&[f32], usize)> =
                    inputs.iter().map(|&i| (&*self.values[i], self.lowered.nodes[i].channels())).collect();
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
                let view = self.view(inputs[0]);
                let outs = Parts::new(out, channels);
                self.crew.run(count, |task, scratch| {
                    scratch.input.reserve(size);
                    let picture = &mut scratch.input[..size];
                    view.read(level, task * size, picture);
                    // SAFETY: each task has a part of its own.
                    pooling::global_average(picture, unsafe { outs.part(task) });
                });
            }
            Kind::Dropout { rate } => {
                let x = &self.values[inputs[0]][..out.len()];
                if mode == Mode::Inference {
                    out.copy_from_slice(x);
                } else {
                    let mut kept = std::mem::take(&mut self.kept[id]);
                    let stream = DropoutStream::new(self.seed, self.step, id);
                    for (i, ((out, x), kept)) in out.iter_mut().zip(x).zip(&mut kept).enumerate() {
                        *kept = stream.factor(i as u64, rate);
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
}

/// Copies a picture into its place within a padded one.
fn copy_inside(w: &Window, x: &[f32], out: &mut [f32]) {
    let row = w.input[1] * w.input[2];
    for (y, x) in x.chunks_exact(row).enumerate() {
        let start = ((y + w.before[0]) * w.output[1] + w.before[1]) * w.output[2];
        out[start..start + row].copy_from_slice(x);
    }
}
