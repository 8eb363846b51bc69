//! Convolutions over all channels: a matrix product of rows of input and the kernel, block by block.
//!
//! A block of rows is small enough to stay in a core's cache. Forward, it is normalised or unfolded,
//! multiplied, and its moments are taken. Backward, the gradient by the output is computed from what
//! the normalisation left, then multiplied twice: with the kernel, for the gradient by the input, which
//! is masked and summed for the normalisation before, and with the input, for the gradient by the
//! kernel.

use moue_graph::Activation;

use super::Session;
use super::crew::{Parts, Scratch};
use super::fusion::handles_gradient;
use super::norm::Norm;
use super::slots::Handover;
use crate::aligned::Aligned;
use crate::kernels::activation::{add, bias_clamp, bounds};
use crate::kernels::batch_norm::{backward_apply, backward_sums, moments, normalise};
use crate::kernels::conv::unfold;
use crate::kernels::tall_product::{
    Left, PANEL, Right, pack, pack_transposed, packed_len, panel_width, product,
};
use crate::kernels::{ELEMENTS_PER_TASK, Window};
use crate::lowering::{NodeId, ParameterId};
use crate::simd::Level;

/// Values of input and output that a block of the forward pass holds, about.
const FORWARD_BLOCK: usize = 1 << 15;

/// The same for the backward pass, with the gradients.
const BACKWARD_BLOCK: usize = 1 << 16;

/// Partial sums a kernel gradient is split into where its sum runs over many pixels: enough for the
/// cores of a laptop, few enough to add up quickly. Fixed, so that results never depend on threads.
const PARTIAL_SUMS: usize = 16;

/// Rows whose products are summed at a time where a kernel gradient is made by kernel rows.
const ROWS_AT_A_TIME: usize = 256;

/// Kernel rows a task makes the gradient of.
const KERNEL_ROWS: usize = 24;

/// A convolution as a matrix product `[rows, inner] x [inner, outer]`, cut into blocks of rows.
#[derive(Clone, Copy)]
struct Blocks {
    window: Window,
    inner: usize,
    rows: usize,
    /// Rows of a block, the last may have fewer.
    each: usize,
}

impl Blocks {
    /// `each` rows or about that many, at most.
    fn new(window: &Window, count: usize, each: usize) -> Self {
        let [height, width, _] = window.output;
        let inner = window.kernel[0] * window.kernel[1] * window.input[2];
        let each = if window.is_pointwise() {
            each
        } else {
            // Whole rows of one picture.
            let lines = (1..=height).rev().find(|b| height.is_multiple_of(*b) && b * width <= each);
            lines.unwrap_or(1) * width
        };
        Self { window: *window, inner, rows: count * height * width, each }
    }

    fn len(&self) -> usize {
        self.rows.div_ceil(self.each)
    }

    /// First row of a block, and number of rows.
    fn block(&self, block: usize) -> (usize, usize) {
        let first = block * self.each;
        (first, self.each.min(self.rows - first))
    }

    /// Rows `first..first + rows` of the left matrix as they are stored, where they are.
    fn stored<'a>(&self, view: View<'a>, first: usize, rows: usize) -> Option<&'a [f32]> {
        let plain = self.window.is_pointwise() && view.norm.is_none();
        plain.then(|| &view.values[first * self.inner..][..rows * self.inner])
    }

    /// Makes rows `first..first + rows` of the left matrix: normalised, or unfolded.
    fn make(&self, level: Level, view: View<'_>, first: usize, rows: usize, out: &mut [f32]) {
        if self.window.is_pointwise() {
            view.read(level, first * self.inner, out);
        } else {
            let pixels = self.window.output[0] * self.window.output[1];
            let picture = &view.values[first / pixels * self.window.input_len()..][..self.window.input_len()];
            let width = self.window.output[1];
            unfold(&self.window, picture, first % pixels / width, rows / width, out);
        }
    }

    /// Rows `first..first + rows` of the left matrix, made in `own` where they are not stored.
    fn input<'a>(
        &self,
        level: Level,
        view: View<'a>,
        first: usize,
        rows: usize,
        own: &'a mut Aligned,
    ) -> &'a [f32] {
        if let Some(values) = self.stored(view, first, rows) {
            return values;
        }
        own.reserve(rows * self.inner);
        self.make(level, view, first, rows, &mut own[..rows * self.inner]);
        &own[..rows * self.inner]
    }
}

/// A node's output as its readers see it.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    /// What is stored.
    pub values: &'a [f32],
    /// The normalisation to apply to it.
    pub norm: Option<&'a Norm>,
}

impl View<'_> {
    /// As many values as `out` holds, from number `start` on; both are whole rows.
    pub fn read(&self, level: Level, start: usize, out: &mut [f32]) {
        let values = &self.values[start..start + out.len()];
        match self.norm {
            Some(norm) => normalise(level, values, out, &norm.scale, &norm.shift, norm.bounds),
            None => out.copy_from_slice(values),
        }
    }
}

/// Memory that the convolutions of a session share.
#[derive(Default)]
pub(super) struct Work {
    packed: Aligned,
    pub partials: Aligned,
    gradient: Aligned,
    input: Aligned,
}

impl Session {
    /// How readers see a node's output.
    pub(super) fn view(&self, id: NodeId) -> View<'_> {
        if self.fusion.unstored[id] {
            let before = self.lowered.nodes[id].inputs[0];
            View { values: &self.values[before], norm: Some(&self.norms[id]) }
        } else {
            View { values: &self.values[id], norm: None }
        }
    }

    /// The normalisation after a node that leaves the gradient by its input to that node.
    pub(super) fn slopes_after(&self, id: NodeId) -> Option<&Norm> {
        match self.lowered.readers[id].as_slice() {
            &[reader] if self.fusion.slopes_only[reader] => Some(&self.norms[reader]),
            _ => None,
        }
    }

    #[allow(clippy::too_many_arguments, reason = "the fields of one node kind")]
    pub(super) fn conv(
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
        let [_, _, outer] = window.output;
        let inner = window.kernel[0] * window.kernel[1] * window.input[2];
        let blocks = Blocks::new(window, count, (FORWARD_BLOCK / (inner + outer) / 12 * 12).clamp(48, 1020));
        let mut packed = std::mem::take(&mut self.work.packed);
        self.pack_kernel(&mut packed, kernel, [inner, outer], false);
        let mut gathered = std::mem::take(&mut self.moments[id]);
        gathered.values.reserve(if wanted { blocks.len() * 2 * outer } else { 0 });
        gathered.rows_per_task = if wanted { blocks.each } else { 0 };
        {
            let bias = bias.map(|b| self.parameters[b].values.as_slice());
            let view = self.view(self.lowered.nodes[id].inputs[0]);
            let right = Right::packed(level, &packed, inner);
            let (outs, rows_of) =
                (Parts::new(out, blocks.each * outer), Parts::new(&mut gathered.values, 2 * outer));
            self.crew.run(blocks.len(), |block, scratch| {
                let (first, rows) = blocks.block(block);
                let x = blocks.input(level, view, first, rows, &mut scratch.input);
                // SAFETY: each block has a part of its own.
                let out = unsafe { outs.part(block) };
                let left = Left { data: x, row_stride: inner, inner_stride: 1 };
                product(level, [rows, outer, inner], left, right, out, outer, false);
                if let Some(bias) = bias {
                    bias_clamp(level, out, bias, bounds(Activation::Linear));
                }
                if wanted {
                    // SAFETY: each block has a row of its own.
                    moments(level, out, outer, unsafe { rows_of.part(block) });
                }
            });
        }
        self.moments[id] = gathered;
        self.work.packed = packed;
    }

    /// Packs a kernel `[inner, outer]`, or its transpose, for [`product`].
    fn pack_kernel(
        &self,
        packed: &mut Aligned,
        kernel: ParameterId,
        [inner, outer]: [usize; 2],
        transposed: bool,
    ) {
        let level = self.level;
        let values = &self.parameters[kernel].values;
        let (rows, columns) = if transposed { (outer, inner) } else { (inner, outer) };
        packed.reserve(packed_len(rows, columns));
        let width = panel_width(level);
        let panels = Parts::new(packed, rows * width);
        self.crew.run(columns.div_ceil(width), |panel, _| {
            // SAFETY: each task has a panel of its own.
            let out = unsafe { panels.part(panel) };
            if transposed {
                pack_transposed(level, values, columns, panel, out);
            } else {
                pack(level, values, columns, panel, out);
            }
        });
    }

    /// Gradients of a convolution's kernel and input, from `gradient`: that by the output, or what the
    /// normalisation after it left to compute it from.
    pub(super) fn conv_gradients(
        &mut self,
        id: NodeId,
        window: &Window,
        kernel: ParameterId,
        count: usize,
        gradient: &[f32],
    ) {
        let input = self.lowered.nodes[id].inputs[0];
        let handover = self.plan.handover(id, 0);
        let learns = self.parameters[kernel].is_trainable();
        let mut work = std::mem::take(&mut self.work);
        let mut slopes = std::mem::take(&mut self.parameters[kernel].gradient);
        let mut out = Aligned::default();
        let mut sums = Aligned::default();
        let wants_input = handover != Handover::Skip && handles_gradient(window);
        if wants_input {
            out = self.plan.take(&mut self.gradients, input);
            self.pack_kernel(&mut work.packed, kernel, [window.input[2], window.output[2]], true);
            if self.fusion.finisher[input] == Some(id) {
                sums = std::mem::take(&mut self.norms[input].sums);
            }
        }
        let pieces = Pass {
            session: &*self,
            id,
            input,
            window,
            count,
            gradient,
            learns,
            wants_input,
            accumulate: handover == Handover::Accumulate,
        }
        .run(&mut work, &mut slopes, &mut out, &mut sums);
        if wants_input {
            self.plan.put(&mut self.gradients, input, out);
            if self.fusion.finisher[input] == Some(id) {
                self.norms[input].sums = sums;
                self.norms[input].pieces = pieces;
            }
        }
        self.parameters[kernel].gradient = slopes;
        self.work = work;
    }
}

/// A backward pass of one convolution.
struct Pass<'a> {
    session: &'a Session,
    id: NodeId,
    input: NodeId,
    window: &'a Window,
    count: usize,
    gradient: &'a [f32],
    learns: bool,
    wants_input: bool,
    accumulate: bool,
}

impl Pass<'_> {
    /// Gives the number of rows of `sums` that were written.
    fn run(&self, work: &mut Work, slopes: &mut [f32], out: &mut [f32], sums: &mut Aligned) -> usize {
        let (session, level) = (self.session, self.session.level);
        let outer = self.window.output[2];
        let inner = self.window.kernel[0] * self.window.kernel[1] * self.window.input[2];
        let each = (BACKWARD_BLOCK / (2 * inner + outer) / 12 * 12).clamp(48, 516);
        let blocks = Blocks::new(self.window, self.count, each);
        let stride = outer.next_multiple_of(PANEL);
        let view = session.view(self.input);
        let pieces = PARTIAL_SUMS.min(blocks.len());
        let per_piece = blocks.len().div_ceil(pieces);
        let pieces = blocks.len().div_ceil(per_piece);
        let finish = self.wants_input && session.fusion.finisher[self.input] == Some(self.id);
        if finish {
            sums.reserve(pieces * 2 * inner);
        }
        let out = &mut out[..if self.wants_input { blocks.rows * inner } else { 0 }];
        let (outs, sums) = (Parts::new(out, blocks.each * inner), Parts::new(sums, 2 * inner));
        let packed: &[f32] = &work.packed;
        // The gradient by the input of one block, once `g` holds that by the output.
        let by_input = |block: usize, piece: usize, g: &[f32]| {
            if !self.wants_input {
                return;
            }
            let (first, rows) = blocks.block(block);
            // SAFETY: each block has a part of its own, and each piece a row.
            let out = unsafe { outs.part(block) };
            let left = Left { data: g, row_stride: stride, inner_stride: 1 };
            let right = Right::packed(level, packed, outer);
            product(level, [rows, inner, outer], left, right, out, inner, self.accumulate);
            if finish && let Some(norm) = view.norm {
                let x = &view.values[first * inner..][..rows * inner];
                // SAFETY: as above.
                backward_sums(level, x, out, norm.through(), unsafe { sums.part(piece) });
            }
        };
        let clear = |piece: usize| {
            if finish {
                // SAFETY: each piece has a row of its own.
                unsafe { sums.part(piece) }.fill(0.0);
            }
        };
        // Partial sums cost their size once for each; making the gradient by kernel rows costs a pass
        // over both matrices.
        if !self.learns || pieces * inner * outer <= blocks.rows * (inner + outer) {
            work.partials.reserve(pieces * slopes.len());
            let partials = Parts::new(&mut work.partials, slopes.len());
            session.crew.run(pieces, |piece, scratch| {
                clear(piece);
                let Scratch { input: own, gradient: g } = scratch;
                let start = piece * per_piece;
                for block in start..(start + per_piece).min(blocks.len()) {
                    let (first, rows) = blocks.block(block);
                    g.reserve(rows * stride);
                    self.load_gradient(first, rows, stride, &mut g[..rows * stride]);
                    if self.learns {
                        let x = blocks.input(level, view, first, rows, own);
                        // SAFETY: each piece has partial sums of its own.
                        let partial = unsafe { partials.part(piece) };
                        let left = Left { data: x, row_stride: 1, inner_stride: inner };
                        let right = Right::rows(g, stride);
                        product(level, [inner, outer, rows], left, right, partial, outer, block > start);
                    }
                    by_input(block, piece, &g[..rows * stride]);
                }
            });
            if self.learns {
                add_up(session, &work.partials, pieces, slopes);
            }
        } else {
            work.gradient.reserve(blocks.rows * stride);
            let made = blocks.stored(view, 0, 0).is_none();
            work.input.reserve(if made { blocks.rows * inner } else { 0 });
            let gradients = Parts::new(&mut work.gradient, blocks.each * stride);
            let inputs = Parts::new(&mut work.input, blocks.each * inner);
            session.crew.run(pieces, |piece, _| {
                clear(piece);
                let start = piece * per_piece;
                for block in start..(start + per_piece).min(blocks.len()) {
                    let (first, rows) = blocks.block(block);
                    // SAFETY: each block has parts of its own.
                    let (g, x) = unsafe { (gradients.part(block), inputs.part(block)) };
                    let g = &mut g[..rows * stride];
                    self.load_gradient(first, rows, stride, g);
                    if made {
                        blocks.make(level, view, first, rows, &mut x[..rows * inner]);
                    }
                    by_input(block, piece, g);
                }
            });
            let x: &[f32] = if made { &work.input } else { view.values };
            let g: &[f32] = &work.gradient;
            let parts = Parts::new(slopes, KERNEL_ROWS * outer);
            session.crew.run(inner.div_ceil(KERNEL_ROWS), |task, _| {
                // SAFETY: each task has a part of its own.
                let out = unsafe { parts.part(task) };
                for first in (0..blocks.rows).step_by(ROWS_AT_A_TIME) {
                    let rows = ROWS_AT_A_TIME.min(blocks.rows - first);
                    let x = &x[first * inner + task * KERNEL_ROWS..];
                    let left = Left { data: x, row_stride: 1, inner_stride: inner };
                    let right = Right::rows(&g[first * stride..], stride);
                    let sides = [out.len() / outer, outer, rows];
                    product(level, sides, left, right, out, outer, first > 0);
                }
            });
        }
        pieces
    }

    /// Rows of the gradient by the output, each `stride` values apart.
    fn load_gradient(&self, first: usize, rows: usize, stride: usize, out: &mut [f32]) {
        let outer = self.window.output[2];
        let range = first * outer..(first + rows) * outer;
        let g = &self.gradient[range.clone()];
        if let Some(norm) = self.session.slopes_after(self.id) {
            backward_apply(
                self.session.level,
                &self.session.values[self.id][range],
                g,
                norm.slopes(),
                out,
                stride,
            );
        } else {
            for (out, g) in out.chunks_exact_mut(stride).zip(g.chunks_exact(outer)) {
                out[..outer].copy_from_slice(g);
                out[outer..].fill(0.0);
            }
        }
    }
}

/// Adds partial sums, in order.
pub(super) fn add_up(session: &Session, partials: &[f32], pieces: usize, total: &mut [f32]) {
    let n = total.len();
    let size = ELEMENTS_PER_TASK / pieces.max(1);
    let parts = Parts::new(total, size);
    session.crew.run(n.div_ceil(size), |task, _| {
        // SAFETY: each task has a part of its own.
        let out = unsafe { parts.part(task) };
        let start = task * size;
        out.copy_from_slice(&partials[start..start + out.len()]);
        for piece in 1..pieces {
            add(session.level, out, &partials[piece * n + start..][..out.len()]);
        }
    });
}
