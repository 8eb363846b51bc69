//! Batch normalisation: statistics and what readers compute outputs and gradients from.

use super::crew::Parts;
use super::{Mode, Session};
use crate::aligned::Aligned;
use crate::kernels::batch_norm::{
    Slopes, Through, backward_apply_in_place, backward_sums, merge, moments, normalise,
};
use crate::kernels::rows_per_task;
use crate::lowering::{Kind, NodeId, ParameterId};

/// Pieces of a gradient that are summed one beside the other. Fixed, so that results never depend on
/// threads.
const PIECES: usize = 16;

/// What a normalisation remembers within a step. Vectors hold a value a channel.
#[derive(Clone, Default)]
pub(super) struct Norm {
    /// Whether the batch's own statistics were used.
    batch: bool,
    pub mean: Vec<f32>,
    /// 1 / sqrt(variance + epsilon).
    inverse: Vec<f32>,
    /// The output is `clamp(scale * x + shift)`.
    pub scale: Vec<f32>,
    pub shift: Vec<f32>,
    pub bounds: (f32, f32),
    /// The gradient by the input, of the masked gradient and the input.
    by_gradient: Vec<f32>,
    by_input: Vec<f32>,
    constant: Vec<f32>,
    /// Sums of the masked gradient, a row of two values a channel for each piece.
    pub sums: Aligned,
    /// Rows of `sums` in use.
    pub pieces: usize,
}

impl Norm {
    pub fn new(channels: usize, bounds: (f32, f32)) -> Self {
        let v = || vec![0.0; channels];
        Self {
            batch: false,
            mean: v(),
            inverse: v(),
            scale: v(),
            shift: v(),
            bounds,
            by_gradient: v(),
            by_input: v(),
            constant: v(),
            sums: Aligned::default(),
            pieces: 0,
        }
    }

    pub fn through(&self) -> Through<'_> {
        Through { scale: &self.scale, shift: &self.shift, mean: &self.mean, bounds: self.bounds }
    }

    pub fn slopes(&self) -> Slopes<'_> {
        Slopes { by_gradient: &self.by_gradient, by_input: &self.by_input, constant: &self.constant }
    }
}

/// Moments of a node's output, gathered by who wrote it while it was in cache, a row a task.
#[derive(Clone, Default)]
pub(super) struct Moments {
    /// Rows of output per task; 0 where nothing was gathered.
    pub rows_per_task: usize,
    pub values: Aligned,
}

impl Session {
    pub(super) fn uses_batch_statistics(&self, id: NodeId, mode: Mode) -> bool {
        let node = &self.lowered.nodes[id];
        matches!(mode, Mode::Training { .. }) && node.trainable && matches!(node.kind, Kind::Norm { .. })
    }

    #[allow(clippy::too_many_arguments, reason = "the fields of one node kind")]
    /// Statistics of a normalisation and, where it is stored, its output.
    pub(super) fn norm(
        &mut self,
        id: NodeId,
        gamma: ParameterId,
        epsilon: f32,
        momentum: f32,
        count: usize,
        mode: Mode,
        out: &mut [f32],
    ) {
        let level = self.level;
        let input = self.lowered.nodes[id].inputs[0];
        let channels = self.lowered.nodes[id].channels();
        let n = self.lowered.nodes[id].len() * count;
        let size = rows_per_task(channels) * channels;
        let mut norm = std::mem::take(&mut self.norms[id]);
        norm.batch = self.uses_batch_statistics(id, mode);
        let (mut mean, mut variance) = (vec![0.0f64; channels], vec![0.0f64; channels]);
        if norm.batch {
            let mut gathered = std::mem::take(&mut self.moments[input]);
            if gathered.rows_per_task == 0 {
                gathered.rows_per_task = size / channels;
                let tasks = n.div_ceil(size);
                gathered.values.reserve(tasks * 2 * channels);
                let rows = Parts::new(&mut gathered.values, 2 * channels);
                let x = &self.values[input][..n];
                self.crew.run(tasks, |task, _| {
                    let x = &x[task * size..((task + 1) * size).min(n)];
                    // SAFETY: each task has a row of its own.
                    moments(level, x, channels, unsafe { rows.part(task) });
                });
            }
            let (rows, each) = (n / channels, gathered.rows_per_task);
            let tasks = (0..rows.div_ceil(each)).map(|i| {
                let row = &gathered.values[i * 2 * channels..(i + 1) * 2 * channels];
                (each.min(rows - i * each), row)
            });
            merge(tasks, &mut mean, &mut variance);
            gathered.rows_per_task = 0;
            self.moments[input] = gathered;
            let moving = [(gamma + 2, &mean), (gamma + 3, &variance)];
            for (at, new) in moving.into_iter().filter(|_| mode == Mode::Training { moves: true }) {
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
        let (weights, shifts) = (&self.parameters[gamma].values, &self.parameters[gamma + 1].values);
        for c in 0..channels {
            let inverse = 1.0 / (variance[c] + f64::from(epsilon)).sqrt();
            let weight = f64::from(weights[c]);
            norm.mean[c] = mean[c] as f32;
            norm.inverse[c] = inverse as f32;
            norm.scale[c] = (weight * inverse) as f32;
            norm.shift[c] = (f64::from(shifts[c]) - mean[c] * inverse * weight) as f32;
        }
        if !self.fusion.unstored[id] {
            let (x, y) = (&self.values[input][..n], Parts::new(out, size));
            self.crew.run(n.div_ceil(size), |task, _| {
                // SAFETY: each task has a part of its own.
                let y = unsafe { y.part(task) };
                normalise(level, &x[task * size..][..y.len()], y, &norm.scale, &norm.shift, norm.bounds);
            });
        }
        self.norms[id] = norm;
    }

    /// Masks `gradient` by the activation and sums it, unless its last reader has done so; makes the
    /// gradients of gamma and beta, and what the gradient by the input is computed from. Turns
    /// `gradient` into that where the node before does not.
    pub(super) fn norm_gradient(&mut self, id: NodeId, gamma: ParameterId, gradient: &mut [f32]) {
        let level = self.level;
        let input = self.lowered.nodes[id].inputs[0];
        let channels = self.lowered.nodes[id].channels();
        let n = gradient.len();
        let x = &self.values[input][..n];
        let rows = n / channels;
        let mut norm = std::mem::take(&mut self.norms[id]);
        if self.fusion.finisher[id].is_none() {
            let size = rows.div_ceil(PIECES) * channels;
            norm.pieces = n.div_ceil(size);
            let mut sums = std::mem::take(&mut norm.sums);
            sums.reserve(norm.pieces * 2 * channels);
            let (g, pieces) = (Parts::new(gradient, size), Parts::new(&mut sums, 2 * channels));
            self.crew.run(norm.pieces, |task, _| {
                // SAFETY: each task has a part and a row of its own.
                let (g, sums) = unsafe { (g.part(task), pieces.part(task)) };
                sums.fill(0.0);
                let x = &x[task * size..][..g.len()];
                // Few enough rows that a strip of them is still in cache for the next strip.
                let block = rows_per_task(channels) / 4 * channels;
                for (g, x) in g.chunks_mut(block.max(channels)).zip(x.chunks(block.max(channels))) {
                    backward_sums(level, x, g, norm.through(), sums);
                }
            });
            norm.sums = sums;
        }
        let mut sums = vec![0.0f64; 2 * channels];
        for piece in norm.sums.chunks_exact(2 * channels).take(norm.pieces) {
            for (s, p) in sums.iter_mut().zip(piece) {
                *s += f64::from(*p);
            }
        }
        for c in 0..channels {
            let inverse = f64::from(norm.inverse[c]);
            let scale = f64::from(self.parameters[gamma].values[c]) * inverse;
            norm.by_gradient[c] = scale as f32;
            (norm.by_input[c], norm.constant[c]) = (0.0, 0.0);
            if norm.batch {
                // Equations of section 3 of the paper, gathered by what they multiply.
                let slope = -scale * inverse * inverse * sums[channels + c] / rows as f64;
                norm.by_input[c] = slope as f32;
                norm.constant[c] = (-scale * sums[c] / rows as f64 - slope * f64::from(norm.mean[c])) as f32;
            }
        }
        if !self.fusion.slopes_only[id] && self.plan.hands_on(id) {
            let size = rows_per_task(channels) * channels;
            let g = Parts::new(gradient, size);
            self.crew.run(n.div_ceil(size), |task, _| {
                // SAFETY: each task has a part of its own.
                let g = unsafe { g.part(task) };
                backward_apply_in_place(level, &x[task * size..][..g.len()], g, norm.slopes());
            });
        }
        if self.parameters[gamma].is_trainable() {
            for c in 0..channels {
                self.parameters[gamma].gradient[c] = (sums[channels + c] * f64::from(norm.inverse[c])) as f32;
                self.parameters[gamma + 1].gradient[c] = sums[c] as f32;
            }
        }
        self.norms[id] = norm;
    }
}
