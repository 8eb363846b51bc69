//! Convolutions of each channel alone, a band of a picture at a time.
//!
//! A band's rows are copied to padded ones, normalised on the way; backward the same is done with the
//! gradient. Everything else happens in one pass of [`crate::kernels::depthwise`].

use super::Session;
use super::conv::{View, add_up};
use super::crew::Parts;
use super::norm::Norm;
use super::slots::Handover;
use crate::aligned::Aligned;
use crate::kernels::Window;
use crate::kernels::batch_norm::{backward_apply, normalise};
use crate::kernels::depthwise::{self, Backward, Forward, Reach, padded_width, rows_read};
use crate::lowering::{NodeId, ParameterId};
use crate::simd::Level;

/// Values of padded rows that a band holds, at most about that many.
const BAND: usize = 1 << 16;

/// Rows of a band: a divisor of `height`, so that bands are alike. `row` values are held per row.
fn band(height: usize, row: usize) -> usize {
    (1..=height).rev().find(|b| height.is_multiple_of(*b) && b * row <= BAND).unwrap_or(1)
}

impl Session {
    #[allow(clippy::too_many_arguments, reason = "the fields of one node kind")]
    pub(super) fn depthwise(
        &mut self,
        id: NodeId,
        window: &Window,
        kernel: ParameterId,
        bias: Option<ParameterId>,
        count: usize,
        wanted: bool,
        out: &mut [f32],
    ) {
        let level = self.level;
        let [height, width, channels] = window.output;
        let padded = padded_width(window) * channels;
        let rows = band(height, padded * window.strides[0]);
        let (size, bands) = (rows * width * channels, height / rows);
        let mut gathered = std::mem::take(&mut self.moments[id]);
        gathered.values.reserve(if wanted { count * bands * 2 * channels } else { 0 });
        gathered.rows_per_task = if wanted { rows * width } else { 0 };
        {
            let view = self.view(self.lowered.nodes[id].inputs[0]);
            let kernel = &self.parameters[kernel].values;
            let bias = bias.map(|b| self.parameters[b].values.as_slice());
            let (outs, moments) = (Parts::new(out, size), Parts::new(&mut gathered.values, 2 * channels));
            let read = rows_read(window, rows);
            self.crew.run(count * bands, |task, scratch| {
                let (picture, first) = (task / bands, task % bands * rows);
                scratch.input.reserve(read * padded);
                let source = &mut scratch.input[..read * padded];
                let x = &view.values[picture * window.input_len()..][..window.input_len()];
                pad(level, window, View { values: x, ..view }, first, source);
                // SAFETY: each task has a part of its own.
                let out = unsafe { outs.part(task) };
                // SAFETY: each task has a row of its own.
                let moments = if wanted { Some(unsafe { moments.part(task) }) } else { None };
                depthwise::forward(level, &Forward { window, source, kernel, bias }, out, moments);
            });
        }
        self.moments[id] = gathered;
    }

    /// Gradients of the kernel and of the input, from `gradient`: that by the output, or what the
    /// normalisation after it left to compute it from.
    pub(super) fn depthwise_gradients(
        &mut self,
        id: NodeId,
        window: &Window,
        kernel: ParameterId,
        count: usize,
        gradient: &[f32],
    ) {
        let level = self.level;
        let input = self.lowered.nodes[id].inputs[0];
        let handover = self.plan.handover(id, 0);
        let [height, width, channels] = window.input;
        let taps = self.parameters[kernel].values.len();
        let reach = Reach::new(window, 0, 1);
        let rows = band(height, reach.width() * channels);
        let (size, bands) = (rows * width * channels, height / rows);
        let tasks = count * bands;
        let finish = self.fusion.finisher[input] == Some(id);
        let wanted = handover != Handover::Skip;
        let mut out = if wanted { self.plan.take(&mut self.gradients, input) } else { Aligned::default() };
        let mut partials = std::mem::take(&mut self.work.partials);
        partials.reserve(tasks * taps);
        let mut sums = if finish { std::mem::take(&mut self.norms[input].sums) } else { Aligned::default() };
        sums.reserve(tasks * 2 * channels);
        {
            let session = &*self;
            let view = session.view(input);
            let identity = &session.identity;
            let norm = view.norm.unwrap_or(identity);
            let kernel = &session.parameters[kernel].values;
            let after = session.slopes_after(id);
            let output = &session.values[id];
            let n = if out.is_empty() { 0 } else { tasks * size };
            let outs = Parts::new(&mut out[..n], size);
            let (partial, sums) = (Parts::new(&mut partials, taps), Parts::new(&mut sums, 2 * channels));
            session.crew.run(tasks, |task, scratch| {
                let (picture, first) = (task / bands, task % bands * rows);
                let reach = Reach::new(window, first, first + rows);
                let n = reach.height() * reach.width() * channels;
                scratch.gradient.reserve(n);
                let g = &mut scratch.gradient[..n];
                let range = picture * window.output_len()..(picture + 1) * window.output_len();
                let source = (&gradient[range.clone()], &output[range]);
                spread(level, window, source, after, reach, g);
                let x = &view.values[picture * window.input_len()..][first * width * channels..][..size];
                let mask = if finish { norm.bounds } else { (f32::NEG_INFINITY, f32::INFINITY) };
                let pass = Backward {
                    window,
                    rows: first..first + rows,
                    x,
                    scale: &norm.scale[..channels],
                    shift: &norm.shift[..channels],
                    bounds: norm.bounds,
                    mask,
                    mean: &norm.mean[..channels],
                    gradient: g,
                    reach,
                    kernel,
                    accumulate: handover == Handover::Accumulate,
                };
                // SAFETY: each task has parts of its own.
                let (out, partial, sums) = unsafe { (outs.part(task), partial.part(task), sums.part(task)) };
                partial.fill(0.0);
                sums.fill(0.0);
                depthwise::backward(level, &pass, out, partial, sums);
            });
        }
        if self.parameters[kernel].is_trainable() {
            let mut total = std::mem::take(&mut self.parameters[kernel].gradient);
            add_up(self, &partials, tasks, &mut total);
            self.parameters[kernel].gradient = total;
        }
        self.work.partials = partials;
        if wanted {
            self.plan.put(&mut self.gradients, input, out);
        }
        if finish {
            self.norms[input].sums = sums;
            self.norms[input].pieces = tasks;
        }
    }
}

/// The input rows that output rows from `first` on read, normalised, with zeros around.
fn pad(level: Level, w: &Window, view: View<'_>, first: usize, out: &mut [f32]) {
    let [height, width, channels] = w.input;
    let (left, inside) = (w.before[1] * channels, width * channels);
    for (i, out) in out.chunks_exact_mut(padded_width(w) * channels).enumerate() {
        let y = (first * w.strides[0] + i).wrapping_sub(w.before[0]);
        if y >= height {
            out.fill(0.0);
            continue;
        }
        out[..left].fill(0.0);
        out[left + inside..].fill(0.0);
        let (x, out) = (&view.values[y * inside..][..inside], &mut out[left..left + inside]);
        match view.norm {
            Some(norm) => normalise(level, x, out, &norm.scale, &norm.shift, norm.bounds),
            None => out.copy_from_slice(x),
        }
    }
}

/// The gradient by the output over `reach`, zeros where that lies outside.
fn spread(
    level: Level,
    w: &Window,
    (gradient, output): (&[f32], &[f32]),
    after: Option<&Norm>,
    reach: Reach,
    out: &mut [f32],
) {
    let [height, width, channels] = w.output;
    // Columns inside both the output and the reach.
    let (low, high) = (reach.columns[0].max(0), reach.columns[1].min(width as isize - 1));
    for (i, out) in out.chunks_exact_mut(reach.width() * channels).enumerate() {
        let y = reach.rows[0] + i as isize;
        if y < 0 || y >= height as isize || low > high {
            out.fill(0.0);
            continue;
        }
        let start = (low - reach.columns[0]) as usize * channels;
        let inside = (high - low + 1) as usize * channels;
        out[..start].fill(0.0);
        out[start + inside..].fill(0.0);
        let from = (y as usize * width + low as usize) * channels;
        let (g, out) = (&gradient[from..from + inside], &mut out[start..start + inside]);
        match after {
            Some(norm) => {
                backward_apply(level, &output[from..from + inside], g, norm.slopes(), out, channels)
            }
            None => out.copy_from_slice(g),
        }
    }
}
