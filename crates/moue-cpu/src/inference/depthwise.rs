//! A depthwise convolution that makes its own input: rows come from the convolution before it (or from a
//! stored picture) into a small ring with borders, a group of channels at a time, so that the widest
//! feature maps of an inverted residual never reach memory.

use std::ops::Range;

use crate::Level;
use crate::kernels::Window;
use crate::kernels::depthwise_rows::{DepthwiseKernel, MAX_SIDE, RowTarget, Rows, row};
use crate::kernels::product::{Convolution, Target};

/// Channels of a group where no convolution decides.
const GROUP_CHANNELS: usize = 48;

/// Bytes up to which the whole input of a group is made at once.
const WHOLE_BYTES: usize = 24 << 10;

/// Pixels that are worth making at a time: a tile of a product.
const PIXELS: usize = 12;

pub(super) struct Depthwise {
    producer: Option<Convolution>,
    window: Window,
    kernel: DepthwiseKernel,
    /// First channel of each group.
    firsts: Vec<usize>,
    bounds: (f32, f32),
    /// Pixels of a row of the ring, borders included.
    width: usize,
    /// Rows of the ring, and rows made at a time.
    rows: usize,
    ahead: usize,
}

impl Depthwise {
    pub fn new(
        level: Level,
        producer: Option<Convolution>,
        window: Window,
        kernel: &[f32],
        bias: &[f32],
        bounds: (f32, f32),
    ) -> Self {
        let channels = window.input[2];
        let groups: Vec<(usize, usize)> = match &producer {
            Some(conv) => conv.panels.panels().iter().map(|p| (p.first, p.columns)).collect(),
            None => (0..channels)
                .step_by(GROUP_CHANNELS)
                .map(|first| (first, GROUP_CHANNELS.min(channels - first)))
                .collect(),
        };
        let firsts: Vec<usize> = groups.iter().map(|g| g.0).collect();
        let kernel =
            DepthwiseKernel::new(level, kernel, bias, window.kernel, window.strides, groups.into_iter());
        let reach = (window.output[1] - 1) * window.strides[1] + window.kernel[1];
        let width = reach.max(window.input[1] + window.before[1]);
        let widest = (0..firsts.len()).map(|g| kernel.padded(g)).max().unwrap_or(0);
        let height = window.input[0];
        let ahead = PIXELS.div_ceil(window.input[1]).max(window.strides[0]).min(height);
        let (rows, ahead) = if 4 * height * width * widest <= WHOLE_BYTES {
            (height, height)
        } else {
            ((window.kernel[0] + ahead - 1).min(height), ahead)
        };
        Self { producer, window, kernel, firsts, bounds, width, rows, ahead }
    }

    /// Scratch values a task needs: the ring, and a row of zeros for the borders above and below.
    pub fn scratch(&self) -> usize {
        let widest = (0..self.firsts.len()).map(|g| self.kernel.padded(g)).max().unwrap_or(0);
        (self.rows + 1) * self.width * widest
    }

    /// Groups of channels.
    pub fn groups(&self) -> usize {
        self.firsts.len()
    }

    /// Output rows.
    pub fn height(&self) -> usize {
        self.window.output[0]
    }

    /// Multiplications of one output row of all groups.
    pub fn row_work(&self) -> usize {
        let w = &self.window;
        let own = w.kernel[0] * w.kernel[1] * w.output[1] * w.output[2];
        let made = self
            .producer
            .as_ref()
            .map_or(0, |conv| conv.panels.depth() * w.input[1] * w.input[2] * w.strides[0]);
        // A tap costs more than a step of a product: it loads what it multiplies.
        2 * own + made
    }

    /// Output rows `rows` of one group of channels of one picture.
    ///
    /// # Safety
    ///
    /// `input` holds a picture (of the producer's input where there is one), `output` has room for one,
    /// nothing else accesses the group's channels of those rows meanwhile, and `level` is that of the
    /// session.
    pub unsafe fn run(
        &self,
        level: Level,
        input: *const f32,
        output: *mut f32,
        group: usize,
        rows: Range<usize>,
        scratch: &mut [f32],
    ) {
        let w = &self.window;
        let padded = self.kernel.padded(group);
        let line = self.width * padded;
        let (zeros, ring) = scratch[..(self.rows + 1) * line].split_at_mut(line);
        zeros.fill(0.0);
        for line in ring.chunks_exact_mut(line) {
            line[..w.before[1] * padded].fill(0.0);
            line[(w.before[1] + w.input[1]) * padded..].fill(0.0);
        }
        let channels = w.output[2];
        let mut made = 0;
        for y in rows {
            // Input rows under this output row, counted from the top border.
            let top = y * w.strides[0];
            let first = top.saturating_sub(w.before[0]).min(w.input[0]);
            let end = (top + w.kernel[0]).saturating_sub(w.before[0]).min(w.input[0]);
            made = made.max(first);
            while made < end {
                let until = (made + self.ahead).min(first + self.rows).min(w.input[0]);
                // A run of rows that does not wrap around.
                let slot = made % self.rows;
                let until = until.min(made + self.rows - slot);
                let at = slot * line + w.before[1] * padded;
                // SAFETY: the rows lie within the picture, by the caller's contract.
                unsafe { self.make(level, input, group, made..until, &mut ring[at..], line) };
                made = until;
            }
            let mut under: Rows = [zeros.as_ptr(); MAX_SIDE];
            for (ky, under) in under.iter_mut().enumerate().take(w.kernel[0]) {
                let row = (top + ky).wrapping_sub(w.before[0]);
                if row < w.input[0] {
                    *under = ring[row % self.rows * line..].as_ptr();
                }
            }
            // SAFETY: a row of the ring reaches to the last tap of the last pixel; the output is the
            // caller's contract.
            unsafe {
                let base = output.add(y * w.output[1] * channels + self.firsts[group]);
                let target = RowTarget { base, pixels: w.output[1], pixel_stride: channels };
                row(level, &self.kernel, group, &under, target, self.bounds);
            }
        }
    }

    /// Writes input rows `rows` of a group into the ring, `line` values apart.
    ///
    /// # Safety
    ///
    /// As for [`Depthwise::run`].
    unsafe fn make(
        &self,
        level: Level,
        input: *const f32,
        group: usize,
        rows: Range<usize>,
        ring: &mut [f32],
        line: usize,
    ) {
        let padded = self.kernel.padded(group);
        let [_, width, channels] = self.window.input;
        assert!((rows.len() - 1) * line + width * padded <= ring.len(), "rows of the ring");
        if let Some(conv) = &self.producer {
            let target = Target {
                base: ring.as_mut_ptr(),
                width,
                pixel_stride: padded,
                row_stride: line,
                residual: std::ptr::null(),
            };
            // SAFETY: the ring has room for the rows (asserted above), and is borrowed mutably.
            unsafe { conv.rows(level, input, rows, (group, group + 1), target) };
            return;
        }
        let (first, n) = (self.firsts[group], self.kernel.channels(group));
        for (i, y) in rows.enumerate() {
            for x in 0..width {
                let to = &mut ring[i * line + x * padded..][..n];
                // SAFETY: the pixel lies within the picture, by the caller's contract.
                let from =
                    unsafe { std::slice::from_raw_parts(input.add((y * width + x) * channels + first), n) };
                to.copy_from_slice(from);
            }
        }
    }
}
