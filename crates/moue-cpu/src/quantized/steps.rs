//! What a session does, step by step, and how each step is done.

use std::ops::Range;

use crate::Level;
use crate::kernels::Window;
use crate::kernels::int8::convert;
use crate::kernels::int8::depthwise::{MAX_SIDE, PackedDepthwise};
use crate::kernels::int8::gemm::{Clamp, PackedKernel, Places, Product, Skip};

use super::separable::Separable;

/// A part of a step, which one thread does.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Task {
    /// Output rows; for a [`Action::Product`], output pixels.
    pub rows: Range<usize>,
    /// Panels of a kernel or groups of channels, where the action has them.
    pub parts: Range<usize>,
}

/// One step.
pub(super) struct Step {
    pub action: Action,
    /// The step in one piece.
    pub whole: Task,
    /// The step in pieces for several threads.
    pub split: Vec<Task>,
}

/// Activations in the arena: `pixels` of `channels` bytes, each `step` bytes after the last.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Map {
    pub offset: usize,
    pub step: usize,
    pub channels: usize,
    pub pixels: usize,
}

/// A picture with the zero point around it: pixel `(y, x)` at `offset + (y * pitch + x) * channels`,
/// counted from the top left corner of the padding.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Padded {
    pub offset: usize,
    /// Pixels from one row to the next.
    pub pitch: usize,
    pub channels: usize,
    /// Rows above and columns left of the picture.
    pub before: [usize; 2],
    /// Sides of the picture.
    pub sides: [usize; 2],
}

impl Padded {
    fn row(&self, y: usize) -> usize {
        self.offset + ((y + self.before[0]) * self.pitch + self.before[1]) * self.channels
    }
}

/// A matrix product whose pixels stand in the arena.
pub(super) struct Matmul {
    pub kernel: PackedKernel,
    pub input: usize,
    pub input_places: InputPlaces,
    pub segment_step: usize,
}

/// Where the pixels that a product reads stand.
pub(super) enum InputPlaces {
    /// Every so many bytes.
    Even(usize),
    /// At these bytes.
    Table(Vec<u32>),
}

impl InputPlaces {
    fn places(&self) -> Places<'_> {
        match self {
            Self::Even(step) => Places::Even(*step),
            Self::Table(table) => Places::Table(table, 1),
        }
    }
}

/// What a product adds to its results.
pub(super) struct Added {
    pub offset: usize,
    pub places: InputPlaces,
    pub factor: f32,
    pub clamp: Option<Clamp>,
}

impl Added {
    /// What is added to pixels from `first` on, which then count from 0.
    ///
    /// # Safety
    ///
    /// The pixels lie in the arena, or are one past its last.
    pub unsafe fn from(&self, first: usize, arena: *const u8) -> Skip<'_> {
        let (start, places) = match &self.places {
            InputPlaces::Even(step) => (self.offset + first * step, Places::Even(*step)),
            InputPlaces::Table(table) => (self.offset, Places::Table(&table[first..], 1)),
        };
        // SAFETY: the caller's promise.
        let base = unsafe { arena.add(start) };
        Skip { base, places, factor: self.factor, clamp: self.clamp }
    }
}

/// A depthwise convolution together with what computes its input, a few rows at a time: the input,
/// the largest activation of a network, never leaves the first cache.
///
/// Rows stand in a ring: row `y` at `y % ring`, with the columns of padding.
pub(super) struct Depthwise {
    pub producer: Matmul,
    pub window: Window,
    /// Zero point of the input.
    pub zero: u8,
    /// Rows that the ring holds.
    pub ring: usize,
    /// Pixels of a row in the ring.
    pub pitch: usize,
    /// Place in the ring of each input pixel.
    pub places: Vec<u32>,
    pub groups: Vec<PackedDepthwise>,
    /// First channel of each group.
    pub first: Vec<usize>,
    pub output: Map,
}

/// What is done.
pub(super) enum Action {
    /// Pictures to bytes, as they stand.
    Quantise {
        factor: f32,
        zero: u8,
        row: usize,
        channels: usize,
        output: Map,
    },
    /// Pictures to bytes with padding.
    QuantisePadded {
        factor: f32,
        zero: u8,
        output: Padded,
    },
    /// A copy with padding.
    Pad {
        input: Map,
        output: Padded,
    },
    /// Pointwise and full convolutions, dense layers.
    Product {
        matmul: Matmul,
        output: Map,
        skip: Option<Added>,
    },
    /// A product with real results: a part of the network's output.
    RealProduct {
        matmul: Matmul,
        bounds: (f32, f32),
        output: RealOutput,
    },
    Depthwise(Depthwise),
    Separable(Separable),
    /// Sum of two activations.
    Add {
        inputs: [Map; 2],
        factors: [f32; 2],
        offset: f32,
        output: Map,
    },
    /// The same values on another scale.
    Rescale {
        input: Map,
        factor: f32,
        offset: f32,
        output: Map,
    },
    /// Several outputs side by side, each rescaled: its map, factor and offset.
    Concatenate {
        parts: Vec<(Map, f32, f32)>,
        output: Map,
    },
    /// Pixels of rows of `width`, repeated.
    Upsample {
        input: Map,
        width: usize,
        size: [usize; 2],
        output: Map,
    },
    /// All pixels as one, without what pads them.
    Flatten {
        input: Map,
        output: Map,
    },
    /// Mean over pixels.
    Average {
        input: Map,
        factor: f32,
        offset: f32,
        output: Map,
    },
    /// The last layer, with real results.
    Logits {
        input: Map,
        kernel: Vec<i8>,
        bias: Vec<i32>,
        scales: Vec<f32>,
        bounds: (f32, f32),
        output: RealOutput,
    },
    /// Stored values as a part of the result.
    Dequantise {
        input: Map,
        scale: f32,
        zero: u8,
        output: RealOutput,
    },
}

/// Where pixels of real values stand among the network's outputs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct RealOutput {
    pub offset: usize,
    /// Values from one pixel to the next.
    pub step: usize,
}

/// What the tasks of a step work on.
#[derive(Clone, Copy)]
pub(super) struct Memory<'a> {
    pub level: Level,
    /// The activations of one picture.
    pub arena: *mut u8,
    /// Bytes for this thread alone.
    pub scratch: *mut u8,
    /// The picture.
    pub picture: &'a [f32],
    /// Room for its outputs.
    pub logits: *mut f32,
}

impl Memory<'_> {
    /// # Safety
    ///
    /// Within the arena, and nobody writes there meanwhile.
    pub unsafe fn read(&self, offset: usize, len: usize) -> &[u8] {
        // SAFETY: the caller's promise.
        unsafe { std::slice::from_raw_parts(self.arena.add(offset), len) }
    }

    /// # Safety
    ///
    /// Within the arena, and nobody else reads or writes there meanwhile.
    #[allow(clippy::mut_from_ref, reason = "the arena is shared by tasks that write apart from each other")]
    pub unsafe fn write(&self, offset: usize, len: usize) -> &mut [u8] {
        // SAFETY: the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(self.arena.add(offset), len) }
    }
}

impl Step {
    /// Does a part of the step.
    ///
    /// # Safety
    ///
    /// The memory must be what the plan that the step is from asks for; the steps before this one must be done,
    /// and other threads may meanwhile do other parts of this step at most.
    pub unsafe fn run(&self, task: &Task, memory: Memory<'_>) {
        let level = memory.level;
        // SAFETY: a plan gives each step buffers that lie in the arena, of which the output overlaps
        // no input, and tasks that write apart from each other.
        unsafe {
            match &self.action {
                Action::Quantise { factor, zero, row, channels, output } => {
                    for y in task.rows.clone() {
                        for (x, pixel) in
                            memory.picture[y * row..][..*row].chunks_exact(*channels).enumerate()
                        {
                            let at = output.offset + (y * (row / channels) + x) * output.step;
                            convert::quantise(
                                level,
                                pixel,
                                *factor,
                                f32::from(*zero),
                                memory.write(at, *channels),
                            );
                        }
                    }
                }
                Action::QuantisePadded { factor, zero, output } => {
                    let row = output.sides[1] * output.channels;
                    for y in task.rows.clone() {
                        let out = memory.write(output.row(y), row);
                        convert::quantise(
                            level,
                            &memory.picture[y * row..][..row],
                            *factor,
                            f32::from(*zero),
                            out,
                        );
                    }
                }
                Action::Pad { input, output } => {
                    for y in task.rows.clone() {
                        for x in 0..output.sides[1] {
                            let from = input.offset + (y * output.sides[1] + x) * input.step;
                            let to = memory.write(output.row(y) + x * output.channels, output.channels);
                            to.copy_from_slice(memory.read(from, output.channels));
                        }
                    }
                }
                Action::Product { matmul, output, skip } => {
                    for panel in task.parts.clone() {
                        Product {
                            kernel: &matmul.kernel,
                            panel,
                            first: task.rows.start,
                            end: task.rows.end,
                            input: memory.arena.add(matmul.input),
                            input_places: matmul.input_places.places(),
                            segment_step: matmul.segment_step,
                            output: memory.arena.add(output.offset),
                            output_places: Places::Even(output.step),
                            output_column: 0,
                            skip: skip.as_ref().map(|skip| skip.from(0, memory.arena)),
                            real: None,
                        }
                        .run();
                    }
                }
                Action::RealProduct { matmul, bounds, output } => {
                    for panel in task.parts.clone() {
                        Product {
                            kernel: &matmul.kernel,
                            panel,
                            first: task.rows.start,
                            end: task.rows.end,
                            input: memory.arena.add(matmul.input),
                            input_places: matmul.input_places.places(),
                            segment_step: matmul.segment_step,
                            output: memory.logits.add(output.offset).cast(),
                            output_places: Places::Even(4 * output.step),
                            output_column: 0,
                            skip: None,
                            real: Some(*bounds),
                        }
                        .run();
                    }
                }
                Action::Depthwise(depthwise) => {
                    for group in task.parts.clone() {
                        depthwise.run(group, task.rows.clone(), memory);
                    }
                }
                Action::Separable(separable) => separable.run(task.rows.clone(), memory),
                Action::Add { inputs: [a, b], factors, offset, output } => {
                    let (start, len) = (task.rows.start * output.step, task.rows.len() * output.step);
                    let (a, b) = (memory.read(a.offset + start, len), memory.read(b.offset + start, len));
                    convert::add(level, a, b, *factors, *offset, memory.write(output.offset + start, len));
                }
                Action::Rescale { input, factor, offset, output } => {
                    let (start, len) = (task.rows.start * output.step, task.rows.len() * output.step);
                    let x = memory.read(input.offset + start, len);
                    convert::rescale(level, x, *factor, *offset, memory.write(output.offset + start, len));
                }
                Action::Concatenate { parts, output } => {
                    for pixel in task.rows.clone() {
                        let mut to = output.offset + pixel * output.step;
                        for (input, factor, offset) in parts {
                            let x = memory.read(input.offset + pixel * input.step, input.channels);
                            convert::rescale(level, x, *factor, *offset, memory.write(to, input.channels));
                            to += input.channels;
                        }
                    }
                }
                Action::Upsample { input, width, size: [down, across], output } => {
                    let step = output.step;
                    for y in task.rows.clone() {
                        let from = input.offset + y / down * width * step;
                        let to =
                            memory.write(output.offset + y * width * across * step, width * across * step);
                        for (x, copies) in to.chunks_exact_mut(across * step).enumerate() {
                            let pixel = memory.read(from + x * step, step);
                            copies.chunks_exact_mut(step).for_each(|copy| copy.copy_from_slice(pixel));
                        }
                    }
                }
                Action::Flatten { input, output } => {
                    for pixel in task.rows.clone() {
                        let x = memory.read(input.offset + pixel * input.step, input.channels);
                        let to = memory.write(output.offset + pixel * input.channels, input.channels);
                        to.copy_from_slice(x);
                    }
                }
                Action::Average { input, factor, offset, output } => {
                    let x = memory.read(input.offset, input.pixels * input.step);
                    let sums = std::slice::from_raw_parts_mut(memory.scratch.cast(), input.channels);
                    let out = memory.write(output.offset, output.channels);
                    convert::average(level, x, input.step, *offset, *factor, sums, out);
                }
                Action::Logits { input, kernel, bias, scales, bounds, output } => {
                    let x = memory.read(input.offset, input.channels);
                    let out = std::slice::from_raw_parts_mut(memory.logits.add(output.offset), bias.len());
                    convert::logits(level, x, kernel, bias, scales, out);
                    for o in out {
                        *o = o.max(bounds.0).min(bounds.1);
                    }
                }
                Action::Dequantise { input, scale, zero, output } => {
                    for pixel in task.rows.clone() {
                        let x = memory.read(input.offset + pixel * input.step, input.channels);
                        let to = memory.logits.add(output.offset + pixel * output.step);
                        let out = std::slice::from_raw_parts_mut(to, input.channels);
                        for (q, o) in x.iter().zip(out) {
                            *o = (f32::from(*q) - f32::from(*zero)) * scale;
                        }
                    }
                }
            }
        }
    }
}

impl Depthwise {
    /// Bytes that the ring and a row of padding take.
    pub fn scratch(&self) -> usize {
        let width = self.groups.iter().map(PackedDepthwise::width).max().unwrap_or(0);
        // Vectors may be wider than groups.
        (self.ring + 1) * self.pitch * width + 64
    }

    /// Output rows of one group of channels.
    ///
    /// # Safety
    ///
    /// As [`Step::run`].
    unsafe fn run(&self, group: usize, rows: Range<usize>, memory: Memory<'_>) {
        let (packed, w) = (&self.groups[group], &self.window);
        let (width, [height, columns, _]) = (packed.width(), w.input);
        let line = self.pitch * width;
        // SAFETY: the scratch memory holds `scratch()` bytes and is this thread's own.
        let scratch = unsafe { std::slice::from_raw_parts_mut(memory.scratch, (self.ring + 1) * line) };
        let (ring, padding) = scratch.split_at_mut(self.ring * line);
        padding.fill(self.zero);
        for row in ring.chunks_exact_mut(line) {
            row[..w.before[1] * width].fill(self.zero);
            row[(w.before[1] + columns) * width..].fill(self.zero);
        }
        let (ring, padding) = (ring.as_mut_ptr(), padding.as_ptr());
        let top = |row: usize| (row * w.strides[0]).saturating_sub(w.before[0]);
        let bottom = |row: usize| (row * w.strides[0] + w.kernel[0]).saturating_sub(w.before[0]).min(height);
        let end = rows.clone().last().map_or(0, bottom);
        let mut ready = top(rows.start);
        for row in rows {
            if ready < bottom(row) {
                let first = ready.max(top(row));
                ready = (top(row) + self.ring).min(end);
                // SAFETY: the ring has room for rows `top(row)..top(row) + ring`, and no earlier row is
                // needed any more; inputs are as the caller promises.
                unsafe { self.produce(group, first..ready, ring, memory) };
            }
            let mut under = [padding; MAX_SIDE];
            for (y, at) in under.iter_mut().enumerate().take(w.kernel[0]) {
                let y = (row * w.strides[0] + y).wrapping_sub(w.before[0]);
                if y < height {
                    // SAFETY: within the ring.
                    *at = unsafe { ring.add(y % self.ring * line) };
                }
            }
            let at = self.output.offset + row * w.output[1] * self.output.step + self.first[group];
            // SAFETY: a row of the ring holds all columns under the windows of a row; the output's
            // channels are padded to whole groups, and the rest is the caller's promise.
            unsafe {
                packed.run(under, width, w.strides[1], memory.arena.add(at), self.output.step, w.output[1]);
            }
        }
    }

    /// Fills rows of the ring.
    ///
    /// # Safety
    ///
    /// As [`Step::run`]; the ring has room for the rows.
    unsafe fn produce(&self, group: usize, rows: Range<usize>, ring: *mut u8, memory: Memory<'_>) {
        let width = self.groups[group].width();
        let columns = self.window.input[1];
        let pixels = rows.start * columns..rows.end * columns;
        let matmul = &self.producer;
        // SAFETY: the caller's promise; places lie in the ring.
        unsafe {
            Product {
                kernel: &matmul.kernel,
                panel: group,
                first: pixels.start,
                end: pixels.end,
                input: memory.arena.add(matmul.input),
                input_places: matmul.input_places.places(),
                segment_step: matmul.segment_step,
                output: ring,
                output_places: Places::Table(&self.places, width),
                output_column: matmul.kernel.columns_of(group).start,
                skip: None,
                real: None,
            }
            .run();
        }
    }
}
