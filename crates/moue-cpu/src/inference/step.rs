//! Runs the steps of a plan, whole or in tasks that several threads share.

use std::ops::Range;

use super::depthwise::Depthwise;
use super::plan::{Action, Place, Plan, Step};
use super::works::Work;
use crate::Level;
use crate::kernels::activation::{add, clamp};
use crate::kernels::depthwise_rows::Row;
use crate::kernels::product::{Convolution, Sink, Target};
use crate::kernels::{layout, pooling};
use crate::simd::Bf16;

/// Multiplications below which handing a piece to another thread costs more than it saves.
const WORTH_A_TASK: usize = 1 << 15;

/// Output rows from which on rows are shared rather than channels.
const LARGE: usize = 20;

/// A buffer that several threads write in different places.
#[derive(Clone, Copy)]
pub(super) struct Arena {
    start: *mut f32,
    len: usize,
}

// SAFETY: the pointer comes from a mutable borrow that outlives the team's work; every access is
// `unsafe` and names who else may write.
unsafe impl Send for Arena {}
// SAFETY: as above.
unsafe impl Sync for Arena {}

impl Arena {
    pub fn new(values: &mut [f32]) -> Self {
        Self { start: values.as_mut_ptr(), len: values.len() }
    }

    /// Values `start..start + len`.
    ///
    /// # Safety
    ///
    /// The buffer is alive and nothing else accesses those values while the slice lives.
    pub unsafe fn slice<'a>(self, start: usize, len: usize) -> &'a mut [f32] {
        assert!(start + len <= self.len, "within the buffer");
        // SAFETY: within the buffer; the rest is the caller's contract.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(start), len) }
    }
}

/// The pictures of a call, or of one group of them.
#[derive(Clone, Copy)]
pub(super) struct Pictures {
    start: *const f32,
    len: usize,
}

// SAFETY: pictures are only read.
unsafe impl Send for Pictures {}
// SAFETY: as above.
unsafe impl Sync for Pictures {}

impl Pictures {
    pub fn new(pictures: &[f32]) -> Self {
        Self { start: pictures.as_ptr(), len: pictures.len() }
    }
}

/// Where the values of one group of pictures stand.
#[derive(Clone, Copy)]
pub(super) struct Memory {
    pub arena: Arena,
    pub pictures: Pictures,
}

impl Memory {
    /// Where picture `picture` of a place begins; asserts that `count` pictures from there on exist.
    fn at(self, place: Place, picture: usize, count: usize) -> *mut f32 {
        let skip = if place.grouped { picture * place.len } else { 0 };
        let (base, start, len) = match place.start {
            Some(start) => (self.arena.start, start + skip, self.arena.len),
            None => (self.pictures.start.cast_mut(), skip, self.pictures.len),
        };
        assert!(start + count * place.len <= len, "within the buffer");
        // SAFETY: asserted above.
        unsafe { base.add(start) }
    }

    /// Copies the values of the first pictures of a place.
    ///
    /// # Safety
    ///
    /// Nothing writes the place meanwhile.
    pub unsafe fn read(self, place: Place, out: &mut [f32]) {
        let from = self.at(place, 0, out.len() / place.len);
        // SAFETY: asserted to lie within the buffer.
        out.copy_from_slice(unsafe { std::slice::from_raw_parts(from, out.len()) });
    }
}

impl Plan {
    /// The steps for `count` pictures in order, each with the pictures it works on.
    pub fn order(&self, count: usize) -> impl Iterator<Item = (&Step, Range<usize>)> {
        let (alone, together) = self.steps.split_at(self.alone);
        (0..count)
            .flat_map(move |picture| alone.iter().map(move |step| (step, picture..picture + 1)))
            .chain(together.iter().map(move |step| (step, 0..count)))
    }
}

impl Step {
    /// Tasks worth cutting this step into, at most one a thread, for `pictures` pictures and that many threads.
    pub fn tasks(&self, pictures: usize, threads: usize) -> usize {
        let (work, most) = match &self.action {
            _ if threads == 1 => return 1,
            Action::Convolve(conv) => {
                let (pixels, panels) = grid(conv, pictures);
                let w = &conv.window;
                (pictures * w.output[0] * w.output[1] * w.output[2] * conv.panels.depth(), pixels.max(panels))
            }
            Action::Depthwise(step) => {
                (pictures * step.height() * step.row_work(), pictures * step.groups() * step.height())
            }
            Action::Plain(_) => return 1,
        };
        (work / WORTH_A_TASK).min(most).clamp(1, threads)
    }

    /// Task `task` of `tasks` of this step.
    ///
    /// # Safety
    ///
    /// The steps before are done for these pictures, nothing but other tasks of this step runs on this
    /// memory, the scratch memory is nobody else's, and `level` is that of the plan.
    pub unsafe fn run(
        &self,
        level: Level,
        memory: Memory,
        pictures: Range<usize>,
        task: usize,
        tasks: usize,
        scratch: Arena,
    ) {
        // SAFETY: the caller's contract, handed on.
        unsafe {
            match &self.action {
                Action::Convolve(conv) if self.output.half => {
                    self.convolve::<Bf16>(conv, level, memory, pictures, task, tasks);
                }
                Action::Convolve(conv) => self.convolve::<f32>(conv, level, memory, pictures, task, tasks),
                Action::Depthwise(step) if self.output.half => {
                    self.depthwise::<Bf16>(step, level, memory, pictures, task, tasks, scratch);
                }
                Action::Depthwise(step) => {
                    self.depthwise::<f32>(step, level, memory, pictures, task, tasks, scratch);
                }
                Action::Plain(work) => {
                    for picture in pictures {
                        let out = memory.at(self.output, picture, 1);
                        let out = std::slice::from_raw_parts_mut(out, self.output.len);
                        if let (Work::Pool, Place { half: true, len, .. }) = (work, self.inputs[0]) {
                            let from: *const Bf16 = memory.at(self.inputs[0], picture, 1).cast();
                            let wide: Vec<f32> =
                                std::slice::from_raw_parts(from, 2 * len).iter().map(|v| v.widen()).collect();
                            pooling::global_average(&wide, out);
                            continue;
                        }
                        let inputs = self.inputs.iter().map(|place| {
                            let from: *const f32 = memory.at(*place, picture, 1);
                            std::slice::from_raw_parts(from, place.len)
                        });
                        plain(level, work, inputs, out);
                    }
                }
            }
        }
    }

    /// # Safety
    ///
    /// As for [`Step::run`].
    #[allow(clippy::too_many_arguments, reason = "those of `run`")]
    unsafe fn depthwise<E: Row>(
        &self,
        step: &Depthwise,
        level: Level,
        memory: Memory,
        pictures: Range<usize>,
        task: usize,
        tasks: usize,
        scratch: Arena,
    ) {
        // SAFETY: rows and channels of different tasks differ; all lie within the places.
        unsafe {
            let bands = bands(step, pictures.len(), tasks);
            for unit in share(pictures.len() * bands * step.groups(), task, tasks) {
                let (rows, group) = (unit / step.groups(), unit % step.groups());
                let (picture, band) = (rows / bands, rows % bands);
                let rows = share(step.height(), band, bands);
                let input = memory.at(self.inputs[0], pictures.start + picture, 1);
                let output = memory.at(self.output, pictures.start + picture, 1).cast::<E>();
                let scratch = scratch.slice(0, step.scratch());
                step.run(level, input, output, group, rows, scratch);
            }
        }
    }

    /// # Safety
    ///
    /// As for [`Step::run`].
    unsafe fn convolve<E: Sink>(
        &self,
        conv: &Convolution,
        level: Level,
        memory: Memory,
        pictures: Range<usize>,
        task: usize,
        tasks: usize,
    ) {
        let w = &conv.window;
        let (count, channels) = (pictures.len(), w.output[2]);
        let all = conv.panels.panels().len();
        let (cuts, panels) = grid(conv, count);
        // Pixels are shared where there are enough of them, else channels: then each thread reads its own
        // part of the weights.
        let (pixels, panels) = if tasks <= cuts {
            (share(count * w.output[0] * w.output[1], task, tasks), 0..all)
        } else {
            (0..count * w.output[0] * w.output[1], share(panels, task, tasks))
        };
        let Some(first) = conv.panels.panels().get(panels.start).map(|p| p.first) else { return };
        let range = (panels.start, panels.end);
        let row = w.output[1];
        // SAFETY: pixels and channels of different tasks differ; all lie within the places.
        unsafe {
            let input = memory.at(self.inputs[0], pictures.start, count);
            let output = memory.at(self.output, pictures.start, count).cast::<E>();
            let added = self.residual.map(|place| memory.at(place, pictures.start, count).cast::<E>());
            let target = |pixel: usize| Target {
                base: output.add(pixel * channels + first),
                width: row,
                pixel_stride: channels,
                row_stride: row * channels,
                residual: added
                    .map_or(std::ptr::null(), |from| from.add(pixel * channels + first).cast_const()),
            };
            if w.is_pointwise() {
                conv.pixels(level, input, pixels, range, target);
                return;
            }
            // Rows of pixels are not cut: a kernel's rows are contiguous only along them.
            let rows =
                if tasks <= cuts { share(count * w.output[0], task, tasks) } else { 0..count * w.output[0] };
            for y in rows {
                let (picture, y) = (y / w.output[0], y % w.output[0]);
                let input = input.add(picture * w.input_len());
                let at = (picture * w.output[0] + y) * row;
                conv.rows(level, input, y..y + 1, range, target(at));
            }
        }
    }
}

/// Bands of rows that each group of channels is cut into. Rows of large pictures stay with one thread from
/// step to step; in small ones the rows that two bands both make would cost more than that saves.
fn bands(step: &Depthwise, pictures: usize, tasks: usize) -> usize {
    if tasks == 1 {
        return 1;
    }
    if step.height() >= LARGE { tasks } else { tasks.div_ceil(pictures * step.groups()).min(step.height()) }
}

/// Into how many tasks the pixels and the channels of a convolution can be cut sensibly.
fn grid(conv: &Convolution, pictures: usize) -> (usize, usize) {
    let w = &conv.window;
    let panels = conv.panels.panels().len();
    let pixels = pictures * w.output[0] * w.output[1];
    // Weights that outweigh the pixels are better read by one thread each.
    if conv.panels.depth() * w.output[2] > pixels * (conv.panels.depth() + w.output[2]) {
        return (1, panels);
    }
    (if w.is_pointwise() { pixels / 12 } else { pictures * w.output[0] }, panels)
}

/// Part `part` of `parts` of `0..n`, all of nearly the same size.
fn share(n: usize, part: usize, parts: usize) -> Range<usize> {
    n * part / parts..n * (part + 1) / parts
}

/// The steps that only move values or touch each once.
fn plain<'a>(level: Level, work: &Work, mut inputs: impl Iterator<Item = &'a [f32]>, out: &mut [f32]) {
    let mut next = || inputs.next().unwrap_or_default();
    match work {
        Work::Pad { window } => {
            let row = window.input[1] * window.input[2];
            let line = window.output[1] * window.output[2];
            let (before, x) = (window.before[1] * window.output[2], next());
            let above = window.before[0];
            for (y, out) in out.chunks_exact_mut(line).enumerate() {
                match x.chunks_exact(row).nth(y.wrapping_sub(above)) {
                    Some(x) => {
                        out[..before].fill(0.0);
                        out[before..before + row].copy_from_slice(x);
                        out[before + row..].fill(0.0);
                    }
                    None => out.fill(0.0),
                }
            }
        }
        Work::Affine { scale, shift, bounds } => {
            crate::kernels::batch_norm::normalise(level, next(), out, scale, shift, *bounds);
        }
        Work::Clamp { bounds } => {
            out.copy_from_slice(next());
            clamp(level, out, *bounds);
        }
        Work::Add { bounds } => {
            out.copy_from_slice(next());
            add(level, out, next());
            if *bounds != (f32::NEG_INFINITY, f32::INFINITY) {
                clamp(level, out, *bounds);
            }
        }
        Work::Concatenate { parts } => {
            let parts: Vec<(&[f32], usize)> = parts.iter().map(|&n| (next(), n)).collect();
            layout::concatenate(&parts, out);
        }
        Work::Upsample { row, channels, size } => layout::upsample(next(), *row, *channels, *size, out),
        Work::Pool => pooling::global_average(next(), out),
        // These are steps of their own.
        Work::Conv { .. } | Work::Depthwise { .. } | Work::Dense { .. } => {}
    }
}
