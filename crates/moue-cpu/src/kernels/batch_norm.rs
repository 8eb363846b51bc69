//! Batch normalisation (Ioffe and Szegedy 2015) with its activation, forward and backward.
//!
//! Statistics are gathered a task at a time (mean and sum of squared deviations in two passes over
//! values still in cache) and merged in f64 by the formula of Chan, Golub and LeVeque (1979).
//!
//! A normalised activation is a function of the value before it, `clamp(scale * x + shift)`, and the
//! gradient by that value is one of it and of the masked gradient, `a * g + b * x + c`. So neither
//! needs memory of its own: kernels that read them compute them on the way.

use crate::simd::{Compare, Level, Vector, at_registers};

/// Sums that run beside each other over rows, so that additions do not wait for one another.
const CHAINS: usize = 4;

/// Reads a register, or its first `count` lanes.
///
/// # Safety
/// As [`Vector::load`] and [`Vector::load_first`].
#[inline(always)]
pub(super) unsafe fn load<V: Vector, const FULL: bool>(from: *const f32, count: usize) -> V {
    // SAFETY: the caller's contract.
    unsafe { if FULL { V::load(from) } else { V::load_first(from, count) } }
}

/// Writes a register, or its first `count` lanes.
///
/// # Safety
/// As [`Vector::store`] and [`Vector::store_first`].
#[inline(always)]
pub(super) unsafe fn store<V: Vector, const FULL: bool>(register: V, to: *mut f32, count: usize) {
    // SAFETY: the caller's contract.
    unsafe {
        if FULL {
            register.store(to);
        } else {
            register.store_first(to, count);
        }
    }
}

/// Per-channel mean (first `channels` values) and sum of squared deviations (the rest) of `rows`.
pub(crate) fn moments(level: Level, rows: &[f32], channels: usize, out: &mut [f32]) {
    assert_eq!(out.len(), 2 * channels, "a mean and a deviation a channel");
    let count = rows.len() / channels;
    // SAFETY: `count` rows of `channels` values are there, and two values a channel in `out`.
    unsafe { moments_at(level, rows.as_ptr(), count, channels, out.as_mut_ptr()) }
}

at_registers! {
    /// [`moments`] of `rows` rows.
    ///
    /// # Safety
    /// `rows * channels` values can be read, `2 * channels` written.
    fn moments_at = moments_body(values: *const f32, rows: usize, channels: usize, out: *mut f32)
}

#[inline(always)]
unsafe fn moments_body<V: Compare>(values: *const f32, rows: usize, channels: usize, out: *mut f32) {
    let mut c = 0;
    // SAFETY: strips lie inside the rows and `out`.
    unsafe {
        while c + V::LANES <= channels {
            strip_moments::<V, true>(values.add(c), rows, channels, channels, out.add(c), V::LANES);
            c += V::LANES;
        }
        if c < channels {
            strip_moments::<V, false>(values.add(c), rows, channels, channels, out.add(c), channels - c);
        }
    }
}

/// The moments of one strip of channels; rows lie `stride` values apart.
///
/// # Safety
/// `count` values can be read in each row, and written at `out` and `out + channels`.
#[inline(always)]
pub(super) unsafe fn strip_moments<V: Compare, const FULL: bool>(
    values: *const f32,
    rows: usize,
    stride: usize,
    channels: usize,
    out: *mut f32,
    count: usize,
) {
    // SAFETY: the caller's contract.
    unsafe {
        let zero = V::splat(0.0);
        let mut sums = [zero; CHAINS];
        let mut row = 0;
        while row + CHAINS <= rows {
            for (i, sum) in sums.iter_mut().enumerate() {
                *sum = sum.add(load::<V, FULL>(values.add((row + i) * stride), count));
            }
            row += CHAINS;
        }
        while row < rows {
            sums[0] = sums[0].add(load::<V, FULL>(values.add(row * stride), count));
            row += 1;
        }
        let sum = sums[0].add(sums[1]).add(sums[2].add(sums[3]));
        let mean = sum.mul_add(V::splat(1.0 / rows.max(1) as f32), zero);
        let mut squares = [zero; CHAINS];
        let mut row = 0;
        while row + CHAINS <= rows {
            for (i, square) in squares.iter_mut().enumerate() {
                let off = load::<V, FULL>(values.add((row + i) * stride), count).sub(mean);
                *square = off.mul_add(off, *square);
            }
            row += CHAINS;
        }
        while row < rows {
            let off = load::<V, FULL>(values.add(row * stride), count).sub(mean);
            squares[0] = off.mul_add(off, squares[0]);
            row += 1;
        }
        store::<V, FULL>(mean, out, count);
        let square = squares[0].add(squares[1]).add(squares[2].add(squares[3]));
        store::<V, FULL>(square, out.add(channels), count);
    }
}

/// Merges the moments of tasks, in order: mean and biased variance per channel.
///
/// `tasks` yields the number of rows and the moments of each task.
pub(crate) fn merge<'a>(
    tasks: impl Iterator<Item = (usize, &'a [f32])>,
    mean: &mut [f64],
    variance: &mut [f64],
) {
    let channels = mean.len();
    mean.fill(0.0);
    variance.fill(0.0);
    let mut total = 0.0f64;
    for (rows, moments) in tasks {
        let n = rows as f64;
        let merged = total + n;
        let (share, between) = (n / merged, total * n / merged);
        let (means, deviations) = moments.split_at(channels);
        for (((mean, variance), m), d) in mean.iter_mut().zip(variance.iter_mut()).zip(means).zip(deviations)
        {
            let delta = f64::from(*m) - *mean;
            *mean += delta * share;
            *variance += f64::from(*d) + delta * delta * between;
        }
        total = merged;
    }
    for v in variance {
        *v /= total.max(1.0);
    }
}

/// `y = clamp(scale * x + shift)` per channel.
pub(crate) fn normalise(
    level: Level,
    x: &[f32],
    y: &mut [f32],
    scale: &[f32],
    shift: &[f32],
    bounds: (f32, f32),
) {
    let channels = scale.len();
    assert!(shift.len() == channels && x.len() == y.len(), "a scale and a shift a channel");
    let rows = x.len() / channels;
    // SAFETY: the assertion covers every row of the three slices.
    unsafe {
        normalise_at(
            level,
            x.as_ptr(),
            y.as_mut_ptr(),
            rows,
            channels,
            scale.as_ptr(),
            shift.as_ptr(),
            bounds,
        );
    }
}

at_registers! {
    /// [`normalise`] of `rows` rows.
    ///
    /// # Safety
    /// Rows and channels are inside the memory pointed to.
    fn normalise_at = normalise_body(
        x: *const f32,
        y: *mut f32,
        rows: usize,
        channels: usize,
        scale: *const f32,
        shift: *const f32,
        bounds: (f32, f32),
    )
}

#[inline(always)]
unsafe fn normalise_body<V: Compare>(
    x: *const f32,
    y: *mut f32,
    rows: usize,
    channels: usize,
    scale: *const f32,
    shift: *const f32,
    bounds: (f32, f32),
) {
    // SAFETY: registers up to the last channel lie inside a row.
    unsafe {
        let (low, high) = (V::splat(bounds.0), V::splat(bounds.1));
        for row in 0..rows {
            let (x, y) = (x.add(row * channels), y.add(row * channels));
            let mut c = 0;
            while c + V::LANES <= channels {
                let v = V::load(x.add(c)).mul_add(V::load(scale.add(c)), V::load(shift.add(c)));
                v.max(low).min(high).store(y.add(c));
                c += V::LANES;
            }
            if c < channels {
                let n = channels - c;
                let (a, b) = (V::load_first(scale.add(c), n), V::load_first(shift.add(c), n));
                V::load_first(x.add(c), n).mul_add(a, b).max(low).min(high).store_first(y.add(c), n);
            }
        }
    }
}

/// What an activation's gradient needs to pass through it: the activation as a function of its input
/// and the mean of that input.
#[derive(Clone, Copy)]
pub(crate) struct Through<'a> {
    pub scale: &'a [f32],
    pub shift: &'a [f32],
    pub mean: &'a [f32],
    /// The interval of the activation.
    pub bounds: (f32, f32),
}

/// Masks the gradient `dy` by the activation and sums it per channel: plain, and times `x - mean`.
/// Adds to `sums`.
pub(crate) fn backward_sums(level: Level, x: &[f32], dy: &mut [f32], through: Through<'_>, sums: &mut [f32]) {
    let channels = through.scale.len();
    assert!(
        through.shift.len() == channels && through.mean.len() == channels && sums.len() == 2 * channels,
        "values a channel"
    );
    assert_eq!(x.len(), dy.len(), "a gradient a value");
    let rows = x.len() / channels;
    // SAFETY: the assertions cover every row and channel.
    unsafe {
        backward_sums_at(level, x.as_ptr(), dy.as_mut_ptr(), rows, channels, through, sums.as_mut_ptr())
    }
}

at_registers! {
    /// [`backward_sums`] of `rows` rows.
    ///
    /// # Safety
    /// Rows and channels are inside the memory pointed to.
    fn backward_sums_at = backward_sums_body(
        x: *const f32,
        dy: *mut f32,
        rows: usize,
        channels: usize,
        through: Through<'_>,
        sums: *mut f32,
    )
}

#[inline(always)]
unsafe fn backward_sums_body<V: Compare>(
    x: *const f32,
    dy: *mut f32,
    rows: usize,
    channels: usize,
    through: Through<'_>,
    sums: *mut f32,
) {
    let mut c = 0;
    // SAFETY: strips lie inside the rows and `sums`.
    unsafe {
        while c + V::LANES <= channels {
            strip_sums::<V, true>(x.add(c), dy.add(c), rows, channels, through, c, sums.add(c), V::LANES);
            c += V::LANES;
        }
        if c < channels {
            strip_sums::<V, false>(
                x.add(c),
                dy.add(c),
                rows,
                channels,
                through,
                c,
                sums.add(c),
                channels - c,
            );
        }
    }
}

/// One strip of channels, the first being number `c`.
#[inline(always)]
#[allow(clippy::too_many_arguments, reason = "plain buffers in, plain buffers out")]
unsafe fn strip_sums<V: Compare, const FULL: bool>(
    x: *const f32,
    dy: *mut f32,
    rows: usize,
    channels: usize,
    through: Through<'_>,
    c: usize,
    sums: *mut f32,
    count: usize,
) {
    // SAFETY: the caller's contract.
    unsafe {
        let scale = load::<V, FULL>(through.scale.as_ptr().add(c), count);
        let shift = load::<V, FULL>(through.shift.as_ptr().add(c), count);
        let mean = load::<V, FULL>(through.mean.as_ptr().add(c), count);
        let (low, high) = (V::splat(through.bounds.0), V::splat(through.bounds.1));
        let (mut plain, mut centred) = ([V::splat(0.0); CHAINS], [V::splat(0.0); CHAINS]);
        let mut row = 0;
        while row < rows {
            let chains = CHAINS.min(rows - row);
            if chains == CHAINS {
                for i in 0..CHAINS {
                    let at = (row + i) * channels;
                    let x = load::<V, FULL>(x.add(at), count);
                    let g = load::<V, FULL>(dy.add(at), count);
                    let g = x.mul_add(scale, shift).keep_inside(g, low, high);
                    store::<V, FULL>(g, dy.add(at), count);
                    plain[i] = plain[i].add(g);
                    centred[i] = g.mul_add(x.sub(mean), centred[i]);
                }
            } else {
                for i in 0..chains {
                    let at = (row + i) * channels;
                    let x = load::<V, FULL>(x.add(at), count);
                    let g = load::<V, FULL>(dy.add(at), count);
                    let g = x.mul_add(scale, shift).keep_inside(g, low, high);
                    store::<V, FULL>(g, dy.add(at), count);
                    plain[0] = plain[0].add(g);
                    centred[0] = g.mul_add(x.sub(mean), centred[0]);
                }
            }
            row += chains;
        }
        let plain = plain[0].add(plain[1]).add(plain[2].add(plain[3]));
        let centred = centred[0].add(centred[1]).add(centred[2].add(centred[3]));
        store::<V, FULL>(load::<V, FULL>(sums, count).add(plain), sums, count);
        let sums = sums.add(channels);
        store::<V, FULL>(load::<V, FULL>(sums, count).add(centred), sums, count);
    }
}

/// The gradient by the input of a normalisation: `by_gradient * g + by_input * x + constant`.
#[derive(Clone, Copy)]
pub(crate) struct Slopes<'a> {
    pub by_gradient: &'a [f32],
    pub by_input: &'a [f32],
    pub constant: &'a [f32],
}

/// Turns rows of the masked gradient `g` into rows of the gradient by `x`. Rows of `out` lie
/// `out_stride` values apart; values between them are set to zero.
pub(crate) fn backward_apply(
    level: Level,
    x: &[f32],
    g: &[f32],
    slopes: Slopes<'_>,
    out: &mut [f32],
    out_stride: usize,
) {
    let channels = slopes.by_gradient.len();
    assert!(slopes.by_input.len() == channels && slopes.constant.len() == channels, "slopes a channel");
    let rows = g.len() / channels;
    assert!(x.len() == g.len() && out_stride >= channels && out.len() >= rows * out_stride, "sizes of rows");
    // SAFETY: the assertions cover every row and channel.
    unsafe {
        backward_apply_at(level, x.as_ptr(), g.as_ptr(), rows, slopes, out.as_mut_ptr(), out_stride);
    }
}

/// [`backward_apply`] in place.
pub(crate) fn backward_apply_in_place(level: Level, x: &[f32], g: &mut [f32], slopes: Slopes<'_>) {
    let channels = slopes.by_gradient.len();
    assert!(slopes.by_input.len() == channels && slopes.constant.len() == channels, "slopes a channel");
    assert_eq!(x.len(), g.len(), "a gradient a value");
    let rows = g.len() / channels;
    // SAFETY: the assertions cover every row and channel; each value is read before it is written.
    unsafe {
        let g = g.as_mut_ptr();
        backward_apply_at(level, x.as_ptr(), g.cast_const(), rows, slopes, g, channels);
    }
}

at_registers! {
    /// [`backward_apply`] of `rows` rows.
    ///
    /// # Safety
    /// Rows and channels are inside the memory pointed to.
    fn backward_apply_at = backward_apply_body(
        x: *const f32,
        g: *const f32,
        rows: usize,
        slopes: Slopes<'_>,
        out: *mut f32,
        out_stride: usize,
    )
}

#[inline(always)]
unsafe fn backward_apply_body<V: Compare>(
    x: *const f32,
    g: *const f32,
    rows: usize,
    slopes: Slopes<'_>,
    out: *mut f32,
    out_stride: usize,
) {
    let channels = slopes.by_gradient.len();
    let (by_g, by_x) = (slopes.by_gradient.as_ptr(), slopes.by_input.as_ptr());
    let constant = slopes.constant.as_ptr();
    // SAFETY: registers up to the last channel lie inside a row.
    unsafe {
        for row in 0..rows {
            let (x, g) = (x.add(row * channels), g.add(row * channels));
            let out = out.add(row * out_stride);
            let mut c = 0;
            while c + V::LANES <= channels {
                let base = V::load(x.add(c)).mul_add(V::load(by_x.add(c)), V::load(constant.add(c)));
                V::load(g.add(c)).mul_add(V::load(by_g.add(c)), base).store(out.add(c));
                c += V::LANES;
            }
            if c < channels {
                let n = channels - c;
                let (b, k) = (V::load_first(by_x.add(c), n), V::load_first(constant.add(c), n));
                let base = V::load_first(x.add(c), n).mul_add(b, k);
                let a = V::load_first(by_g.add(c), n);
                V::load_first(g.add(c), n).mul_add(a, base).store_first(out.add(c), n);
            }
            for c in channels..out_stride {
                *out.add(c) = 0.0;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Level;

    #[test]
    fn merged_moments_equal_a_plain_two_pass_reference() {
        for level in Level::available() {
            for (channels, rows, task) in [(1, 1, 1), (3, 17, 5), (32, 100, 7), (33, 64, 64)] {
                let x: Vec<f32> =
                    (0..rows * channels).map(|i| 100.0 + ((i * 7919) % 1013) as f32 / 97.0).collect();
                let parts: Vec<(usize, Vec<f32>)> = x
                    .chunks(task * channels)
                    .map(|part| {
                        let mut out = vec![0.0; 2 * channels];
                        moments(level, part, channels, &mut out);
                        (part.len() / channels, out)
                    })
                    .collect();
                let (mut mean, mut variance) = (vec![0.0; channels], vec![0.0; channels]);
                merge(parts.iter().map(|(n, m)| (*n, m.as_slice())), &mut mean, &mut variance);
                for c in 0..channels {
                    let column: Vec<f64> = (0..rows).map(|r| f64::from(x[r * channels + c])).collect();
                    let m = column.iter().sum::<f64>() / rows as f64;
                    let v = column.iter().map(|v| (v - m).powi(2)).sum::<f64>() / rows as f64;
                    assert!((mean[c] - m).abs() < 1e-4, "{level:?} mean {} {m}", mean[c]);
                    assert!(
                        (variance[c] - v).abs() <= 1e-4 * (1.0 + v),
                        "{level:?} variance {} {v}",
                        variance[c]
                    );
                }
            }
        }
    }
}
