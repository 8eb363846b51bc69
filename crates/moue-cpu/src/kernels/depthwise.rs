//! Depthwise convolution of training, over rows that already have their zeros around them.
//!
//! Forward and backward walk a strip of channels at a time, one register wide, with the kernel of that
//! strip in registers. Backward makes in one pass over the input: the gradient by the input (masked
//! by the activation before it), the gradient by the kernel, and the sums that the batch
//! normalisation before it needs.

use super::Window;
use super::batch_norm::{load, store, strip_moments};
use crate::simd::{Compare, Level, Vector, at_registers};

/// Columns of zeros and of picture that a row of padded input takes.
pub(crate) fn padded_width(w: &Window) -> usize {
    let needed = (w.output[1] - 1) * w.strides[1] + w.kernel[1];
    needed.max(w.before[1] + w.input[1])
}

/// Input rows that `rows` output rows read.
pub(crate) fn rows_read(w: &Window, rows: usize) -> usize {
    (rows - 1) * w.strides[0] + w.kernel[0]
}

/// A forward pass over some output rows of a picture.
pub(crate) struct Forward<'a> {
    pub window: &'a Window,
    /// Rows of [`padded_width`] pixels, the first being the first that the first output row reads.
    pub source: &'a [f32],
    /// `[kernel height, kernel width, channels]`.
    pub kernel: &'a [f32],
    pub bias: Option<&'a [f32]>,
}

/// Writes as many output rows as `out` holds, and their moments where wanted: per channel mean, then
/// sums of squared deviations.
pub(crate) fn forward(level: Level, pass: &Forward<'_>, out: &mut [f32], moments: Option<&mut [f32]>) {
    let w = pass.window;
    let channels = w.input[2];
    let rows = out.len() / (w.output[1] * channels);
    if rows == 0 {
        return;
    }
    assert!(pass.source.len() >= rows_read(w, rows) * padded_width(w) * channels, "rows to read");
    assert_eq!(pass.kernel.len(), w.kernel[0] * w.kernel[1] * channels, "size of the kernel");
    assert!(pass.bias.is_none_or(|b| b.len() == channels), "a bias a channel");
    assert!(moments.as_ref().is_none_or(|m| m.len() == 2 * channels), "moments a channel");
    let moments = moments.map_or(std::ptr::null_mut(), |m| m.as_mut_ptr());
    // SAFETY: the assertions cover all that is read and written.
    unsafe { forward_at(level, pass, rows, out.as_mut_ptr(), moments) }
}

at_registers! {
    /// [`forward`] of `rows` output rows; `moments` may be null.
    ///
    /// # Safety
    /// The sizes are those that [`forward`] asserts.
    fn forward_at = forward_body(pass: &Forward<'_>, rows: usize, out: *mut f32, moments: *mut f32)
}

#[inline(always)]
unsafe fn forward_body<V: Compare>(pass: &Forward<'_>, rows: usize, out: *mut f32, moments: *mut f32) {
    let w = pass.window;
    let channels = w.input[2];
    let mut c = 0;
    // SAFETY: strips lie inside the rows.
    unsafe {
        while c < channels {
            let count = V::LANES.min(channels - c);
            match (count == V::LANES, w.kernel == [3, 3]) {
                (true, true) => forward_strip::<V, true, true>(pass, rows, c, count, out),
                (true, false) => forward_strip::<V, true, false>(pass, rows, c, count, out),
                (false, _) => forward_strip::<V, false, false>(pass, rows, c, count, out),
            }
            if !moments.is_null() {
                let (values, pixels) = (out.add(c).cast_const(), rows * w.output[1]);
                if count == V::LANES {
                    strip_moments::<V, true>(values, pixels, channels, channels, moments.add(c), count);
                } else {
                    strip_moments::<V, false>(values, pixels, channels, channels, moments.add(c), count);
                }
            }
            c += count;
        }
    }
}

#[inline(always)]
unsafe fn forward_strip<V: Compare, const FULL: bool, const THREE: bool>(
    pass: &Forward<'_>,
    rows: usize,
    c: usize,
    count: usize,
    out: *mut f32,
) {
    let w = pass.window;
    let channels = w.input[2];
    let row = padded_width(w) * channels;
    // SAFETY: the caller's contract.
    unsafe {
        let kernel = pass.kernel.as_ptr().add(c);
        let bias = match pass.bias {
            Some(bias) => load::<V, FULL>(bias.as_ptr().add(c), count),
            None => V::splat(0.0),
        };
        let mut taps = [V::splat(0.0); 9];
        if THREE {
            for (t, tap) in taps.iter_mut().enumerate() {
                *tap = load::<V, FULL>(kernel.add(t * channels), count);
            }
        }
        for oy in 0..rows {
            let mut source = pass.source.as_ptr().add(oy * w.strides[0] * row + c);
            let mut out = out.add(oy * w.output[1] * channels + c);
            for _ in 0..w.output[1] {
                let mut sum = bias;
                if THREE {
                    for ky in 0..3 {
                        for kx in 0..3 {
                            let v = load::<V, FULL>(source.add(ky * row + kx * channels), count);
                            sum = v.mul_add(taps[ky * 3 + kx], sum);
                        }
                    }
                } else {
                    for ky in 0..w.kernel[0] {
                        for kx in 0..w.kernel[1] {
                            let v = load::<V, FULL>(source.add(ky * row + kx * channels), count);
                            let k = kernel.add((ky * w.kernel[1] + kx) * channels);
                            sum = v.mul_add(load::<V, FULL>(k, count), sum);
                        }
                    }
                }
                store::<V, FULL>(sum, out, count);
                source = source.wrapping_add(w.strides[1] * channels);
                out = out.wrapping_add(channels);
            }
        }
    }
}

/// Output rows and columns, first and last, that input rows `first..end` hand gradients from; they may
/// lie outside the output, where the gradient is zero.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reach {
    /// First and last output row.
    pub rows: [isize; 2],
    /// First and last output column.
    pub columns: [isize; 2],
}

impl Reach {
    pub fn new(w: &Window, first: usize, end: usize) -> Self {
        let along = |axis: usize, first: usize, last: usize| {
            let low = first as isize + w.before[axis] as isize - (w.kernel[axis] as isize - 1);
            let high = last as isize + w.before[axis] as isize;
            [low.div_euclid(w.strides[axis] as isize), high.div_euclid(w.strides[axis] as isize)]
        };
        Self { rows: along(0, first, end - 1), columns: along(1, 0, w.input[1] - 1) }
    }

    /// Number of rows.
    pub fn height(&self) -> usize {
        (self.rows[1] - self.rows[0] + 1) as usize
    }

    /// Pixels of a row.
    pub fn width(&self) -> usize {
        (self.columns[1] - self.columns[0] + 1) as usize
    }
}

/// A backward pass over some input rows of a picture.
pub(crate) struct Backward<'a> {
    pub window: &'a Window,
    /// Input rows of this pass.
    pub rows: std::ops::Range<usize>,
    /// What was read in these rows, before normalisation.
    pub x: &'a [f32],
    /// The input of the convolution is `clamp(scale * x + shift)`.
    pub scale: &'a [f32],
    pub shift: &'a [f32],
    pub bounds: (f32, f32),
    /// The gradient by the input is masked to where it stands between these.
    pub mask: (f32, f32),
    /// Subtracted from `x` in the second sum.
    pub mean: &'a [f32],
    /// Gradient by the output over [`Reach`], zeros outside the output.
    pub gradient: &'a [f32],
    pub reach: Reach,
    /// `[kernel height, kernel width, channels]`.
    pub kernel: &'a [f32],
    /// Whether the gradient by the input is added to what `out` holds.
    pub accumulate: bool,
}

/// Writes the masked gradient by the input (`out` may be empty where nobody wants it), adds the
/// gradient by the kernel to `kernel`, and to `sums` per channel the masked gradient and the same times
/// `x - mean`.
pub(crate) fn backward(
    level: Level,
    pass: &Backward<'_>,
    out: &mut [f32],
    kernel: &mut [f32],
    sums: &mut [f32],
) {
    let w = pass.window;
    let channels = w.input[2];
    let n = pass.rows.len() * w.input[1] * channels;
    assert!(pass.x.len() == n && (out.is_empty() || out.len() == n), "rows of input");
    let per_channel = [pass.scale, pass.shift, pass.mean];
    assert!(
        per_channel.iter().all(|v| v.len() == channels) && sums.len() == 2 * channels,
        "a value a channel"
    );
    assert!(pass.gradient.len() >= pass.reach.height() * pass.reach.width() * channels, "rows of gradient");
    let taps = w.kernel[0] * w.kernel[1] * channels;
    assert!(pass.kernel.len() == taps && kernel.len() == taps, "size of the kernel");
    let needed = Reach::new(w, pass.rows.start, pass.rows.end);
    assert!(needed.rows == pass.reach.rows && needed.columns == pass.reach.columns, "reach of the rows");
    let out = if out.is_empty() { std::ptr::null_mut() } else { out.as_mut_ptr() };
    // SAFETY: the assertions cover all that is read and written.
    unsafe { backward_at(level, pass, out, kernel.as_mut_ptr(), sums.as_mut_ptr()) }
}

at_registers! {
    /// [`backward`]; `out` may be null.
    ///
    /// # Safety
    /// The sizes are those that [`backward`] asserts.
    fn backward_at = backward_body(pass: &Backward<'_>, out: *mut f32, kernel: *mut f32, sums: *mut f32)
}

/// Pixels a strip walks before the next strip of the same rows: long enough to pay for loading its
/// kernel, short enough that the rows are still in cache for the next strip.
const PIXELS_PER_WALK: usize = 96;

#[inline(always)]
unsafe fn backward_body<V: Compare>(pass: &Backward<'_>, out: *mut f32, kernel: *mut f32, sums: *mut f32) {
    let w = pass.window;
    let channels = w.input[2];
    let walk = PIXELS_PER_WALK.div_ceil(w.input[1]);
    let mut first = pass.rows.start;
    while first < pass.rows.end {
        let end = (first + walk).min(pass.rows.end);
        let mut c = 0;
        while c < channels {
            let count = V::LANES.min(channels - c);
            for ky in 0..w.strides[0] {
                for kx in 0..w.strides[1] {
                    let phase = Phase { rows: [first, end], ky, kx, c, count };
                    let (ny, nx) = (phase.taps(w, 0), phase.taps(w, 1));
                    // SAFETY: rows, strips and taps are inside what the caller vouches for.
                    unsafe {
                        match (count == V::LANES, ny, nx) {
                            (true, 3, 3) => walk_phase::<V, 3, 3>(pass, phase, out, kernel, sums),
                            (true, 5, 5) => walk_phase::<V, 5, 5>(pass, phase, out, kernel, sums),
                            (true, 3, 2) => walk_phase::<V, 3, 2>(pass, phase, out, kernel, sums),
                            (true, 2, 3) => walk_phase::<V, 2, 3>(pass, phase, out, kernel, sums),
                            (true, 2, 2) => walk_phase::<V, 2, 2>(pass, phase, out, kernel, sums),
                            (true, 2, 1) => walk_phase::<V, 2, 1>(pass, phase, out, kernel, sums),
                            (true, 1, 2) => walk_phase::<V, 1, 2>(pass, phase, out, kernel, sums),
                            (true, 1, 1) => walk_phase::<V, 1, 1>(pass, phase, out, kernel, sums),
                            _ => walk_any::<V>(pass, phase, out, kernel, sums),
                        }
                    }
                }
            }
            c += count;
        }
        first = end;
    }
}

/// The input pixels whose first tap is `(ky, kx)`: every stride-th of them, in each direction.
#[derive(Clone, Copy)]
struct Phase {
    rows: [usize; 2],
    ky: usize,
    kx: usize,
    /// First channel of the strip, and channels in it.
    c: usize,
    count: usize,
}

impl Phase {
    /// Taps along an axis.
    #[inline(always)]
    fn taps(&self, w: &Window, axis: usize) -> usize {
        let first = if axis == 0 { self.ky } else { self.kx };
        w.kernel[axis].saturating_sub(first).div_ceil(w.strides[axis])
    }

    /// First position at or after `start` along an axis that belongs to this phase.
    #[inline(always)]
    fn first(&self, w: &Window, axis: usize, start: usize) -> usize {
        let tap = if axis == 0 { self.ky } else { self.kx };
        let stride = w.strides[axis];
        start + (tap + stride - (start + w.before[axis]) % stride) % stride
    }
}

/// A phase with `NY x NX` taps, its kernel and the gradient by it in registers.
#[inline(always)]
unsafe fn walk_phase<V: Compare, const NY: usize, const NX: usize>(
    pass: &Backward<'_>,
    phase: Phase,
    out: *mut f32,
    kernel: *mut f32,
    sums: *mut f32,
) {
    let w = pass.window;
    let (channels, c) = (w.input[2], phase.c);
    let [sy, sx] = w.strides;
    let row = pass.reach.width() * channels;
    // SAFETY: the caller's contract.
    unsafe {
        let at = |i: usize, j: usize| ((phase.ky + i * sy) * w.kernel[1] + phase.kx + j * sx) * channels + c;
        let (mut taps, mut slopes) = ([[V::splat(0.0); NX]; NY], [[V::splat(0.0); NX]; NY]);
        for i in 0..NY {
            for j in 0..NX {
                taps[i][j] = V::load(pass.kernel.as_ptr().add(at(i, j)));
                slopes[i][j] = V::load(kernel.add(at(i, j)));
            }
        }
        let scale = V::load(pass.scale.as_ptr().add(c));
        let shift = V::load(pass.shift.as_ptr().add(c));
        let mean = V::load(pass.mean.as_ptr().add(c));
        let (mut plain, mut centred) = (V::load(sums.add(c)), V::load(sums.add(channels + c)));
        let (low, high) = (V::splat(pass.bounds.0), V::splat(pass.bounds.1));
        let (mask_low, mask_high) = (V::splat(pass.mask.0), V::splat(pass.mask.1));
        let first_x = phase.first(w, 1, 0);
        let mut iy = phase.first(w, 0, phase.rows[0]);
        while iy < phase.rows[1] {
            // Row and column of the gradient that the first tap reads.
            let oy = (((iy + w.before[0] - phase.ky) / sy) as isize - pass.reach.rows[0]) as usize;
            let ox = ((first_x + w.before[1]) as isize - phase.kx as isize).div_euclid(sx as isize);
            let ox = (ox - pass.reach.columns[0]) as usize;
            let mut gradient = pass.gradient.as_ptr().add(oy * row + ox * channels + c);
            let start = ((iy - pass.rows.start) * w.input[1] + first_x) * channels + c;
            let mut x = pass.x.as_ptr().add(start);
            let mut out = if out.is_null() { out } else { out.add(start) };
            let mut ix = first_x;
            while ix < w.input[1] {
                let value = V::load(x);
                let normal = value.mul_add(scale, shift);
                let input = normal.max(low).min(high);
                let mut sum = if pass.accumulate { V::load(out) } else { V::splat(0.0) };
                for i in 0..NY {
                    for j in 0..NX {
                        let g = V::load(gradient.sub(i * row + j * channels));
                        sum = g.mul_add(taps[i][j], sum);
                        slopes[i][j] = g.mul_add(input, slopes[i][j]);
                    }
                }
                let sum = normal.keep_inside(sum, mask_low, mask_high);
                plain = plain.add(sum);
                centred = sum.mul_add(value.sub(mean), centred);
                if !out.is_null() {
                    sum.store(out);
                    out = out.wrapping_add(sx * channels);
                }
                x = x.wrapping_add(sx * channels);
                gradient = gradient.wrapping_add(channels);
                ix += sx;
            }
            iy += sy;
        }
        for (i, slopes) in slopes.iter().enumerate() {
            for (j, slope) in slopes.iter().enumerate() {
                slope.store(kernel.add(at(i, j)));
            }
        }
        plain.store(sums.add(c));
        centred.store(sums.add(channels + c));
    }
}

/// A phase with any number of taps and of channels.
#[inline(always)]
unsafe fn walk_any<V: Compare>(
    pass: &Backward<'_>,
    phase: Phase,
    out: *mut f32,
    kernel: *mut f32,
    sums: *mut f32,
) {
    let w = pass.window;
    let (channels, c, n) = (w.input[2], phase.c, phase.count);
    let [sy, sx] = w.strides;
    let (ny, nx) = (phase.taps(w, 0), phase.taps(w, 1));
    let row = pass.reach.width() * channels;
    // SAFETY: the caller's contract; a strip narrower than a register is read and written in part.
    unsafe {
        let scale = get::<V>(pass.scale.as_ptr().add(c), n);
        let shift = get::<V>(pass.shift.as_ptr().add(c), n);
        let mean = get::<V>(pass.mean.as_ptr().add(c), n);
        let (mut plain, mut centred) = (get::<V>(sums.add(c), n), get::<V>(sums.add(channels + c), n));
        let mut iy = phase.first(w, 0, phase.rows[0]);
        while iy < phase.rows[1] {
            let oy = ((iy + w.before[0]) as isize - phase.ky as isize).div_euclid(sy as isize);
            let mut ix = phase.first(w, 1, 0);
            while ix < w.input[1] {
                let ox = ((ix + w.before[1]) as isize - phase.kx as isize).div_euclid(sx as isize);
                let start = ((iy - pass.rows.start) * w.input[1] + ix) * channels + c;
                let value = get::<V>(pass.x.as_ptr().add(start), n);
                let normal = value.mul_add(scale, shift);
                let input = normal.max(V::splat(pass.bounds.0)).min(V::splat(pass.bounds.1));
                let mut sum = if pass.accumulate { get::<V>(out.add(start), n) } else { V::splat(0.0) };
                for i in 0..ny {
                    for j in 0..nx {
                        let gy = (oy - i as isize - pass.reach.rows[0]) as usize;
                        let gx = (ox - j as isize - pass.reach.columns[0]) as usize;
                        let g = get::<V>(pass.gradient.as_ptr().add(gy * row + gx * channels + c), n);
                        let at = ((phase.ky + i * sy) * w.kernel[1] + phase.kx + j * sx) * channels + c;
                        sum = g.mul_add(get::<V>(pass.kernel.as_ptr().add(at), n), sum);
                        set(g.mul_add(input, get::<V>(kernel.add(at), n)), kernel.add(at), n);
                    }
                }
                let sum = normal.keep_inside(sum, V::splat(pass.mask.0), V::splat(pass.mask.1));
                plain = plain.add(sum);
                centred = sum.mul_add(value.sub(mean), centred);
                if !out.is_null() {
                    set(sum, out.add(start), n);
                }
                ix += sx;
            }
            iy += sy;
        }
        set(plain, sums.add(c), n);
        set(centred, sums.add(channels + c), n);
    }
}

/// Reads a register, or its first `count` lanes.
#[inline(always)]
unsafe fn get<V: Vector>(from: *const f32, count: usize) -> V {
    // SAFETY: the caller's contract.
    unsafe { if count == V::LANES { V::load(from) } else { V::load_first(from, count) } }
}

/// Writes a register, or its first `count` lanes.
#[inline(always)]
unsafe fn set<V: Vector>(register: V, to: *mut f32, count: usize) {
    // SAFETY: the caller's contract.
    unsafe {
        if count == V::LANES {
            register.store(to);
        } else {
            register.store_first(to, count);
        }
    }
}
