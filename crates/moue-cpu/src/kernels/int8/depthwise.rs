//! Depthwise convolution: each channel alone, all taps of a pixel in few byte products.
//!
//! Four rows of a window column are interleaved into quads of bytes, so that one byte product
//! handles four taps (for a 3x3 window, three taps of a column). With stride 1 a column is interleaved once
//! and serves all outputs whose window holds it.

use super::Isa;
use super::isa::at_isa;
use super::memory::Bytes;
use super::vector::{Vector, column};

/// Most rows of a window.
pub(crate) const MAX_SIDE: usize = 8;

/// The kernel of some consecutive channels with bias and scales, as the kernels here read it.
pub(crate) struct PackedDepthwise {
    isa: Isa,
    /// Channels (bytes) handled together: 16, 32 or 64, or 48 in vectors of 64.
    width: usize,
    kernel: [usize; 2],
    weights: Bytes,
    bias: Vec<i32>,
    scales: Vec<f32>,
}

/// How wide the groups are into which `channels` are cut, widest first.
pub(crate) fn groups(isa: Isa, mut channels: usize) -> Vec<usize> {
    let mut groups = Vec::new();
    let mut width = 4 * isa.lanes();
    while channels > 0 {
        let left = channels.next_multiple_of(super::CHANNEL_BLOCK);
        while width > super::CHANNEL_BLOCK && width > left {
            // Three quarters of the widest vector take as long as a half.
            width = if width == 64 && left == 48 { 48 } else { width.next_power_of_two() / 2 };
        }
        groups.push(width);
        channels = channels.saturating_sub(width);
    }
    groups
}

impl PackedDepthwise {
    /// Packs channels `first..first + width` of `kernel`, a matrix `[height * width, channels]`;
    /// channels that do not exist give 0. Results are as for a
    /// [`PackedKernel`](super::gemm::PackedKernel).
    pub fn new(
        isa: Isa,
        sides: [usize; 2],
        kernel: &[i8],
        bias: &[i32],
        scales: &[f32],
        first: usize,
        width: usize,
    ) -> Self {
        let (channels, lanes) = (bias.len(), width.next_power_of_two() / 4);
        let quads = sides[0].div_ceil(4);
        let mut weights = Bytes::zeroed(sides[1] * quads * 16 * lanes);
        let mut packed = weights.as_mut_slice().as_chunks_mut::<4>().0.iter_mut();
        let places = || (0..4).flat_map(|v| (0..lanes).map(move |i| first + column(4, v, i)));
        for x in 0..sides[1] {
            for quad in 0..quads {
                for c in places() {
                    let Some(bytes) = packed.next() else { continue };
                    for (i, byte) in bytes.iter_mut().enumerate() {
                        let y = 4 * quad + i;
                        if y < sides[0] && c < channels {
                            *byte = kernel[(y * sides[1] + x) * channels + c] as u8;
                        }
                    }
                }
            }
        }
        let bias = places().map(|c| bias.get(c).copied().unwrap_or(0)).collect();
        let scales = places().map(|c| scales.get(c).copied().unwrap_or(0.0)).collect();
        Self { isa, width, kernel: sides, weights, bias, scales }
    }

    /// Channels handled.
    pub fn width(&self) -> usize {
        self.width
    }

    /// One row of output pixels.
    ///
    /// `rows` are the rows under the window, each from the column at which the first output's window
    /// starts, with `pixel` bytes from one pixel to the next; the window moves `step` pixels from one
    /// output to the next.
    ///
    /// # Safety
    ///
    /// The first of `rows`, one for each row of the window, must be good for reading
    /// `(pixels - 1) * step + window width` pixels and of the last, as of each, a whole vector
    /// (`width` to the next power of two), and `output` for writing `width` bytes at each
    /// multiple of `output_step` below `pixels * output_step`, which nobody else may access.
    pub unsafe fn run(
        &self,
        rows: [*const u8; MAX_SIDE],
        pixel: usize,
        step: usize,
        output: *mut u8,
        output_step: usize,
        pixels: usize,
    ) {
        // SAFETY: the caller's promise.
        unsafe {
            run(
                self.isa,
                self.width.next_power_of_two(),
                self,
                rows,
                pixel,
                step,
                output,
                output_step,
                pixels,
            )
        }
    }
}

at_isa! {
    #[allow(clippy::too_many_arguments, reason = "plain buffers in, plain buffers out")]
    unsafe fn run = row(
        kernel: &PackedDepthwise,
        rows: [*const u8; MAX_SIDE],
        pixel: usize,
        step: usize,
        output: *mut u8,
        output_step: usize,
        pixels: usize,
    )
}

/// # Safety
///
/// As [`PackedDepthwise::run`], on a processor with the instructions of `V`.
#[inline(always)]
unsafe fn row<V: Vector>(
    kernel: &PackedDepthwise,
    rows: [*const u8; MAX_SIDE],
    from: usize,
    step: usize,
    output: *mut u8,
    output_step: usize,
    pixels: usize,
) {
    let width = 4 * V::LANES;
    // SAFETY: the caller's promise; the packed arrays hold what the window needs.
    unsafe {
        match (kernel.kernel, step) {
            ([3, 3], 1) => return three_by_three::<V>(kernel, rows, from, output, output_step, pixels),
            ([3, 3], 2) => return every_other::<V>(kernel, rows, from, output, output_step, pixels),
            _ => {}
        }
        let [height, columns] = kernel.kernel;
        for pixel in 0..pixels {
            let mut sums: [V::Ints; 4] = bias::<V>(kernel);
            let mut weights = kernel.weights.as_slice().as_ptr();
            for x in 0..columns {
                let at = (pixel * step + x) * from;
                for y in (0..height).step_by(4) {
                    let first = V::bytes(rows[y].add(at));
                    let mut quads = [first, V::zero(), V::zero(), V::zero()];
                    if y + 1 < height {
                        quads[1] = V::bytes(rows[y + 1].add(at));
                    }
                    if y + 2 < height {
                        quads[2] = V::bytes(rows[y + 2].add(at));
                    }
                    if y + 3 < height {
                        quads[3] = V::bytes(rows[y + 3].add(at));
                    }
                    let quads = V::interleave(quads);
                    sums = dot::<V>(sums, quads, four::<V>(weights.cast()));
                    weights = weights.add(4 * width);
                }
            }
            finish::<V>(kernel, sums, output.add(pixel * output_step));
        }
    }
}

/// Three sums are under way: of the outputs whose window has the current column as its first,
/// middle and last.
///
/// # Safety
///
/// As [`row`].
#[inline(always)]
unsafe fn three_by_three<V: Vector>(
    kernel: &PackedDepthwise,
    rows: [*const u8; MAX_SIDE],
    from: usize,
    output: *mut u8,
    output_step: usize,
    pixels: usize,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let taps = taps::<V>(kernel);
        let bias = bias::<V>(kernel);
        let (zeroth, first) = (three_rows::<V>(rows, from, 0), three_rows::<V>(rows, from, 1));
        let mut last = dot::<V>(dot::<V>(bias, zeroth, taps[0]), first, taps[1]);
        let mut middle = dot::<V>(bias, first, taps[0]);
        let mut pixel = 0;
        // Three columns at a time, after which the sums are back in their variables.
        while pixel + 3 <= pixels {
            let out = output.add(pixel * output_step);
            let quads = three_rows::<V>(rows, from, pixel + 2);
            finish::<V>(kernel, dot::<V>(last, quads, taps[2]), out);
            middle = dot::<V>(middle, quads, taps[1]);
            let mut fresh = dot::<V>(bias, quads, taps[0]);
            let quads = three_rows::<V>(rows, from, pixel + 3);
            finish::<V>(kernel, dot::<V>(middle, quads, taps[2]), out.add(output_step));
            fresh = dot::<V>(fresh, quads, taps[1]);
            let next = dot::<V>(bias, quads, taps[0]);
            let quads = three_rows::<V>(rows, from, pixel + 4);
            finish::<V>(kernel, dot::<V>(fresh, quads, taps[2]), out.add(2 * output_step));
            last = dot::<V>(next, quads, taps[1]);
            middle = dot::<V>(bias, quads, taps[0]);
            pixel += 3;
        }
        while pixel < pixels {
            let quads = three_rows::<V>(rows, from, pixel + 2);
            finish::<V>(kernel, dot::<V>(last, quads, taps[2]), output.add(pixel * output_step));
            last = dot::<V>(middle, quads, taps[1]);
            middle = dot::<V>(bias, quads, taps[0]);
            pixel += 1;
        }
    }
}

/// Stride 2: the last column of a window is the first of the next.
///
/// # Safety
///
/// As [`row`].
#[inline(always)]
unsafe fn every_other<V: Vector>(
    kernel: &PackedDepthwise,
    rows: [*const u8; MAX_SIDE],
    from: usize,
    output: *mut u8,
    output_step: usize,
    pixels: usize,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let taps = taps::<V>(kernel);
        let bias = bias::<V>(kernel);
        let mut quads = three_rows::<V>(rows, from, 0);
        for pixel in 0..pixels {
            let mut sums = dot::<V>(bias, quads, taps[0]);
            sums = dot::<V>(sums, three_rows::<V>(rows, from, 2 * pixel + 1), taps[1]);
            quads = three_rows::<V>(rows, from, 2 * pixel + 2);
            finish::<V>(kernel, dot::<V>(sums, quads, taps[2]), output.add(pixel * output_step));
        }
    }
}

/// Pixel `x` of three rows with `from` bytes a pixel, interleaved.
///
/// # Safety
///
/// As [`row`].
#[inline(always)]
unsafe fn three_rows<V: Vector>(rows: [*const u8; MAX_SIDE], from: usize, x: usize) -> [V::Ints; 4] {
    let at = from * x;
    // SAFETY: the caller's promise.
    unsafe {
        let rows = [V::bytes(rows[0].add(at)), V::bytes(rows[1].add(at)), V::bytes(rows[2].add(at))];
        V::interleave([rows[0], rows[1], rows[2], V::zero()])
    }
}

/// The three columns of a kernel of three rows. In variables, since the compiler cannot know that the
/// output does not overwrite them.
///
/// # Safety
///
/// As [`row`].
#[inline(always)]
unsafe fn taps<V: Vector>(kernel: &PackedDepthwise) -> [[V::Ints; 4]; 3] {
    let at = kernel.weights.as_slice().as_ptr().cast::<i32>();
    // SAFETY: each column has four vectors of weights.
    unsafe { [four::<V>(at), four::<V>(at.add(4 * V::LANES)), four::<V>(at.add(8 * V::LANES))] }
}

/// # Safety
///
/// As [`row`].
#[inline(always)]
unsafe fn bias<V: Vector>(kernel: &PackedDepthwise) -> [V::Ints; 4] {
    // SAFETY: four vectors of bias are packed.
    unsafe { four::<V>(kernel.bias.as_ptr()) }
}

/// Four vectors one after the other.
///
/// # Safety
///
/// As [`row`]; they must be there.
#[inline(always)]
unsafe fn four<V: Vector>(at: *const i32) -> [V::Ints; 4] {
    let n = V::LANES;
    // SAFETY: the caller's promise.
    unsafe { [V::ints(at), V::ints(at.add(n)), V::ints(at.add(2 * n)), V::ints(at.add(3 * n))] }
}

/// # Safety
///
/// As [`row`].
#[inline(always)]
unsafe fn dot<V: Vector>(mut sums: [V::Ints; 4], quads: [V::Ints; 4], weights: [V::Ints; 4]) -> [V::Ints; 4] {
    for j in 0..4 {
        // SAFETY: the caller's promise.
        sums[j] = unsafe { V::dot(sums[j], quads[j], weights[j]) };
    }
    sums
}

/// # Safety
///
/// As [`row`]; `out` must be good for the bytes of one pixel.
#[inline(always)]
unsafe fn finish<V: Vector>(kernel: &PackedDepthwise, mut sums: [V::Ints; 4], out: *mut u8) {
    // SAFETY: four vectors of scales are packed; the caller's promise for `out`.
    unsafe {
        for (j, sum) in sums.iter_mut().enumerate() {
            *sum = V::scaled(*sum, kernel.scales.as_ptr().add(j * V::LANES));
        }
        if kernel.width == 48 {
            V::store_three_quarters(sums, out);
        } else {
            V::store::<4>(sums, out);
        }
    }
}
