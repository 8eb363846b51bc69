//! A depthwise convolution of a stored map, with the pointwise one behind it where only that reads it.
//!
//! Rows of the map are copied whole into a ring with borders, which stays in the first cache. So does what the
//! depthwise convolution gives: a few rows of it are multiplied at once, and never stored.

use std::ops::Range;

use super::steps::{Added, Map, Memory};
use crate::kernels::Window;
use crate::kernels::int8::depthwise::{MAX_SIDE, PackedDepthwise};
use crate::kernels::int8::gemm::{PackedKernel, Places, Product};

/// Bytes by which vectors may reach past what they are meant for.
const SLACK: usize = 64;

/// Pixels that are worth multiplying at a time: tiles come out even, and weights are read seldom.
const PIXELS: usize = 48;

pub(super) struct Separable {
    pub window: Window,
    pub input: Map,
    /// Zero point of the input.
    pub zero: u8,
    pub groups: Vec<PackedDepthwise>,
    /// First channel of each group.
    pub first: Vec<usize>,
    pub pointwise: Option<Pointwise>,
    pub output: Map,
}

/// The product that follows.
pub(super) struct Pointwise {
    pub kernel: PackedKernel,
    /// Number of its panels.
    pub panels: usize,
    pub skip: Option<Added>,
}

impl Separable {
    /// Pixels of a row of the ring.
    fn pitch(&self) -> usize {
        let w = &self.window;
        ((w.output[1] - 1) * w.strides[1] + w.kernel[1]).max(w.before[1] + w.input[1])
    }

    /// Bytes of a row of the ring.
    fn line(&self) -> usize {
        self.pitch() * self.input.step
    }

    /// Output rows that are multiplied together.
    fn together(&self) -> usize {
        if self.pointwise.is_some() {
            PIXELS.div_ceil(self.window.output[1]).min(self.window.output[0])
        } else {
            0
        }
    }

    /// Bytes of the ring, of a row of padding, and of the rows that wait to be multiplied.
    pub fn scratch(&self) -> usize {
        let waiting = self.together() * self.window.output[1] * self.input.step;
        (self.window.kernel[0] + 1) * self.line() + waiting + SLACK
    }

    /// Output rows.
    ///
    /// # Safety
    ///
    /// As [`Step::run`](super::steps::Step::run).
    pub unsafe fn run(&self, rows: Range<usize>, memory: Memory<'_>) {
        let (w, step, line) = (&self.window, self.input.step, self.line());
        let ([height, columns, _], ring) = (w.input, w.kernel[0]);
        // SAFETY: the scratch memory holds `scratch()` bytes and is this thread's own.
        let scratch = unsafe { std::slice::from_raw_parts_mut(memory.scratch, self.scratch()) };
        let (lines, waiting) = scratch.split_at_mut((ring + 1) * line);
        // Rows are copied between their borders; the last one is padding and stays as it is.
        let inner = w.before[1] * step..(w.before[1] + columns) * step;
        for row in lines.chunks_exact_mut(line) {
            row[..inner.start].fill(self.zero);
            row[inner.end..].fill(self.zero);
        }
        lines[ring * line..].fill(self.zero);
        // From here on through pointers: rows of the ring are read while later ones are written.
        let (lines, waiting) = (lines.as_mut_ptr(), waiting.as_mut_ptr());
        let together = self.together().max(1);
        let mut ready = 0;
        let mut row = rows.start;
        while row < rows.end {
            let until = (row + together).min(rows.end);
            for y in row..until {
                let top = (y * w.strides[0]).saturating_sub(w.before[0]);
                let bottom = (y * w.strides[0] + w.kernel[0]).saturating_sub(w.before[0]).min(height);
                ready = ready.max(top);
                let mut under = [lines.wrapping_add(ring * line).cast_const(); MAX_SIDE];
                // SAFETY: the map lies in the arena; a row of the ring has room for its rows, and holds all columns
                // under the windows of a row. The output's channels, and those of rows that wait, are padded to
                // whole groups; the rest is the caller's promise.
                unsafe {
                    while ready < bottom {
                        let from = memory.arena.add(self.input.offset + ready * columns * step);
                        let to = lines.add(ready % ring * line + inner.start);
                        std::ptr::copy_nonoverlapping(from, to, columns * step);
                        ready += 1;
                    }
                    for (tap, at) in under.iter_mut().enumerate().take(ring) {
                        let source = (y * w.strides[0] + tap).wrapping_sub(w.before[0]);
                        if source < height {
                            *at = lines.add(source % ring * line);
                        }
                    }
                    let (base, to) = if self.pointwise.is_some() {
                        (waiting.add((y - row) * w.output[1] * step), step)
                    } else {
                        let at = self.output.offset + y * w.output[1] * self.output.step;
                        (memory.arena.add(at), self.output.step)
                    };
                    for (group, first) in self.groups.iter().zip(&self.first) {
                        let under = under.map(|row| row.wrapping_add(*first));
                        group.run(under, step, w.strides[1], base.add(*first), to, w.output[1]);
                    }
                }
            }
            if let Some(pointwise) = &self.pointwise {
                // SAFETY: the rows that wait are done; the rest is the caller's promise.
                unsafe { self.multiply(pointwise, row..until, waiting, memory) };
            }
            row = until;
        }
    }

    /// Multiplies rows that wait.
    ///
    /// # Safety
    ///
    /// As [`run`](Self::run).
    unsafe fn multiply(
        &self,
        pointwise: &Pointwise,
        rows: Range<usize>,
        from: *const u8,
        memory: Memory<'_>,
    ) {
        let width = self.window.output[1];
        let first = rows.start * width;
        for panel in 0..pointwise.panels {
            // SAFETY: the caller's promise.
            unsafe {
                Product {
                    kernel: &pointwise.kernel,
                    panel,
                    first: 0,
                    end: rows.len() * width,
                    input: from,
                    input_places: Places::Even(self.input.step),
                    segment_step: 0,
                    output: memory.arena.add(self.output.offset + first * self.output.step),
                    output_places: Places::Even(self.output.step),
                    output_column: 0,
                    skip: pointwise.skip.as_ref().map(|skip| skip.from(first, memory.arena)),
                    real: None,
                }
                .run();
            }
        }
    }
}
