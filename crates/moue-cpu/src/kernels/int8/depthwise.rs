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
    /// Channels (bytes) handled together: 16, 32 or 64.
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
        while width > super::CHANNEL_BLOCK && width > channels.next_multiple_of(super::CHANNEL_BLOCK) {
            width /= 2;
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
        let (channels, lanes) = (bias.len(), width / 4);
        let quads = sides[0].div_ceil(4);
        let mut weights = Bytes::zeroed(sides[1] * quads * 4 * width);
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
    /// starts, with [`width`](Self::width) bytes a pixel; the window moves `step` pixels from one
    /// output to the next.
    ///
    /// # Safety
    ///
    /// The first of `rows`, one for each row of the window, must be good for reading
    /// `(pixels - 1) * step + window width` pixels, and `output` for writing `width` bytes at each
    /// multiple of `output_step` below `pixels * output_step`, which nobody else may access.
    pub unsafe fn run(
        &self,
        rows: [*const u8; MAX_SIDE],
        step: usize,
        output: *mut u8,
        output_step: usize,
        pixels: usize,
    ) {
        // SAFETY: the caller's promise.
        unsafe { run(self.isa, self.width, self, rows, step, output, output_step, pixels) }
    }
}

at_isa! {
    #[allow(clippy::too_many_arguments, reason = "plain buffers in, plain buffers out")]
    unsafe fn run = row(
        kernel: &PackedDepthwise,
        rows: [*const u8; MAX_SIDE],
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
    step: usize,
    output: *mut u8,
    output_step: usize,
    pixels: usize,
) {
    let width = 4 * V::LANES;
    // SAFETY: the caller's promise; the packed arrays hold what the window needs.
    unsafe {
        if kernel.kernel == [3, 3] && step == 1 {
            return three_by_three::<V>(kernel, rows, output, output_step, pixels);
        }
        let [height, columns] = kernel.kernel;
        for pixel in 0..pixels {
            let mut sums: [V::Ints; 4] = bias::<V>(kernel);
            let mut weights = kernel.weights.as_slice().as_ptr();
            for x in 0..columns {
                let at = (pixel * step + x) * width;
                for y in (0..height).step_by(4) {
                    let mut taps = [V::zero(); 4];
                    for (tap, row) in taps.iter_mut().zip(&rows[y..height]) {
                        *tap = V::bytes(row.add(at));
                    }
                    let quads = V::interleave(taps);
                    sums = dot::<V>(sums, quads, weights);
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
    output: *mut u8,
    output_step: usize,
    pixels: usize,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let (zeroth, first) = (three_rows::<V>(rows, 0), three_rows::<V>(rows, 1));
        let mut last = tap::<V>(kernel, tap::<V>(kernel, bias::<V>(kernel), zeroth, 0), first, 1);
        let mut middle = tap::<V>(kernel, bias::<V>(kernel), first, 0);
        let mut pixel = 0;
        // Three columns at a time, after which the sums are back in their variables.
        while pixel + 3 <= pixels {
            let out = output.add(pixel * output_step);
            let quads = three_rows::<V>(rows, pixel + 2);
            finish::<V>(kernel, tap::<V>(kernel, last, quads, 2), out);
            middle = tap::<V>(kernel, middle, quads, 1);
            let mut fresh = tap::<V>(kernel, bias::<V>(kernel), quads, 0);
            let quads = three_rows::<V>(rows, pixel + 3);
            finish::<V>(kernel, tap::<V>(kernel, middle, quads, 2), out.add(output_step));
            fresh = tap::<V>(kernel, fresh, quads, 1);
            let next = tap::<V>(kernel, bias::<V>(kernel), quads, 0);
            let quads = three_rows::<V>(rows, pixel + 4);
            finish::<V>(kernel, tap::<V>(kernel, fresh, quads, 2), out.add(2 * output_step));
            last = tap::<V>(kernel, next, quads, 1);
            middle = tap::<V>(kernel, bias::<V>(kernel), quads, 0);
            pixel += 3;
        }
        while pixel < pixels {
            let quads = three_rows::<V>(rows, pixel + 2);
            finish::<V>(kernel, tap::<V>(kernel, last, quads, 2), output.add(pixel * output_step));
            last = tap::<V>(kernel, middle, quads, 1);
            middle = tap::<V>(kernel, bias::<V>(kernel), quads, 0);
            pixel += 1;
        }
    }
}

/// Pixel `x` of three rows, interleaved.
///
/// # Safety
///
/// As [`row`].
#[inline(always)]
unsafe fn three_rows<V: Vector>(rows: [*const u8; MAX_SIDE], x: usize) -> [V::Ints; 4] {
    let at = 4 * V::LANES * x;
    // SAFETY: the caller's promise.
    unsafe {
        let rows = [V::bytes(rows[0].add(at)), V::bytes(rows[1].add(at)), V::bytes(rows[2].add(at))];
        V::interleave([rows[0], rows[1], rows[2], V::zero()])
    }
}

/// Adds column `x` of a kernel of three rows.
///
/// # Safety
///
/// As [`row`].
#[inline(always)]
unsafe fn tap<V: Vector>(
    kernel: &PackedDepthwise,
    sums: [V::Ints; 4],
    quads: [V::Ints; 4],
    x: usize,
) -> [V::Ints; 4] {
    // SAFETY: each column has four vectors of weights.
    unsafe { dot::<V>(sums, quads, kernel.weights.as_slice().as_ptr().add(16 * V::LANES * x)) }
}

/// # Safety
///
/// As [`row`].
#[inline(always)]
unsafe fn bias<V: Vector>(kernel: &PackedDepthwise) -> [V::Ints; 4] {
    let at = kernel.bias.as_ptr();
    // SAFETY: four vectors of bias are packed.
    unsafe {
        [V::ints(at), V::ints(at.add(V::LANES)), V::ints(at.add(2 * V::LANES)), V::ints(at.add(3 * V::LANES))]
    }
}

/// # Safety
///
/// As [`row`]; four vectors of weights must follow `weights`.
#[inline(always)]
unsafe fn dot<V: Vector>(mut sums: [V::Ints; 4], quads: [V::Ints; 4], weights: *const u8) -> [V::Ints; 4] {
    for j in 0..4 {
        // SAFETY: the caller's promise.
        sums[j] = unsafe { V::dot(sums[j], quads[j], V::bytes(weights.add(4 * j * V::LANES))) };
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
        V::store::<4>(sums, out);
    }
}
