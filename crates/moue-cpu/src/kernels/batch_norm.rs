//! Batch normalisation (Ioffe and Szegedy 2015) with its activation, forward and backward.
//!
//! Statistics are gathered a task at a time (mean and sum of squared deviations in two passes over
//! values still in cache) and merged in f64 by the formula of Chan, Golub and LeVeque (1979).

use crate::simd::{at_level, mul_add};

at_level! {
    /// Per-channel mean (first `channels` values) and sum of squared deviations (the rest) of `rows`.
    fn moments = moments_body(rows: &[f32], channels: usize, out: &mut [f32])
}

#[inline(always)]
fn moments_body<const FMA: bool>(rows: &[f32], channels: usize, out: &mut [f32]) {
    let (mean, deviation) = out.split_at_mut(channels);
    mean.fill(0.0);
    deviation.fill(0.0);
    for row in rows.chunks_exact(channels) {
        for (m, v) in mean.iter_mut().zip(row) {
            *m += v;
        }
    }
    let scale = 1.0 / (rows.len() / channels).max(1) as f32;
    for m in mean.iter_mut() {
        *m *= scale;
    }
    for row in rows.chunks_exact(channels) {
        for ((d, m), v) in deviation.iter_mut().zip(mean.iter()).zip(row) {
            let off = v - m;
            *d = mul_add::<FMA>(off, off, *d);
        }
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
        for c in 0..channels {
            let delta = f64::from(moments[c]) - mean[c];
            mean[c] += delta * n / merged;
            variance[c] += f64::from(moments[channels + c]) + delta * delta * total * n / merged;
        }
        total = merged;
    }
    for v in variance {
        *v /= total.max(1.0);
    }
}

#[inline(always)]
fn normalise_body<const FMA: bool>(
    x: &[f32],
    y: &mut [f32],
    scale: &[f32],
    shift: &[f32],
    bounds: (f32, f32),
) {
    let channels = scale.len();
    for (x, y) in x.chunks_exact(channels).zip(y.chunks_exact_mut(channels)) {
        for (((y, x), a), b) in y.iter_mut().zip(x).zip(scale).zip(shift) {
            *y = mul_add::<FMA>(*a, *x, *b).max(bounds.0).min(bounds.1);
        }
    }
}

at_level! {
    /// `y = clamp(scale * x + shift)` per channel.
    fn normalise = normalise_body(x: &[f32], y: &mut [f32], scale: &[f32], shift: &[f32], bounds: (f32, f32))
}

#[inline(always)]
fn backward_sums_body<const FMA: bool>(
    x: &[f32],
    y: &[f32],
    dy: &mut [f32],
    mean: &[f32],
    bounds: (f32, f32),
    sums: &mut [f32],
) {
    let channels = mean.len();
    sums.fill(0.0);
    let (plain, centred) = sums.split_at_mut(channels);
    let rows = x.chunks_exact(channels).zip(y.chunks_exact(channels)).zip(dy.chunks_exact_mut(channels));
    for ((x, y), dy) in rows {
        let mut c = 0;
        while c + 16 <= channels {
            sum_lanes::<FMA, 16>(c, x, y, dy, mean, bounds, plain, centred);
            c += 16;
        }
        if c + 8 <= channels {
            sum_lanes::<FMA, 8>(c, x, y, dy, mean, bounds, plain, centred);
            c += 8;
        }
        while c < channels {
            sum_lanes::<FMA, 1>(c, x, y, dy, mean, bounds, plain, centred);
            c += 1;
        }
    }
}

/// Channels `c..c + N` of one row: a fixed number of lanes keeps everything in registers.
#[inline(always)]
#[allow(clippy::too_many_arguments, reason = "plain buffers in, plain buffers out")]
fn sum_lanes<const FMA: bool, const N: usize>(
    c: usize,
    x: &[f32],
    y: &[f32],
    dy: &mut [f32],
    mean: &[f32],
    bounds: (f32, f32),
    plain: &mut [f32],
    centred: &mut [f32],
) {
    let (x, y, mean) = (&x[c..c + N], &y[c..c + N], &mean[c..c + N]);
    let (dy, plain, centred) = (&mut dy[c..c + N], &mut plain[c..c + N], &mut centred[c..c + N]);
    let (mut masked, mut sum, mut product) = ([0.0f32; N], [0.0f32; N], [0.0f32; N]);
    for i in 0..N {
        // No short circuit: both comparisons always run, so the loop has no branch.
        let inside = (y[i] > bounds.0) & (y[i] < bounds.1);
        masked[i] = if inside { dy[i] } else { 0.0 };
        sum[i] = plain[i] + masked[i];
        product[i] = mul_add::<FMA>(masked[i], x[i] - mean[i], centred[i]);
    }
    dy.copy_from_slice(&masked);
    plain.copy_from_slice(&sum);
    centred.copy_from_slice(&product);
}

at_level! {
    /// Masks the gradient `dy` by the activation and sums it per channel: plain, and times `x - mean`.
    fn backward_sums = backward_sums_body(x: &[f32], y: &[f32], dy: &mut [f32], mean: &[f32], bounds: (f32, f32), sums: &mut [f32])
}

#[inline(always)]
fn backward_apply_body<const FMA: bool>(
    x: &[f32],
    dy: &mut [f32],
    by_gradient: &[f32],
    by_input: &[f32],
    constant: &[f32],
) {
    let channels = by_gradient.len();
    for (x, dy) in x.chunks_exact(channels).zip(dy.chunks_exact_mut(channels)) {
        for c in 0..channels {
            dy[c] = mul_add::<FMA>(by_gradient[c], dy[c], mul_add::<FMA>(by_input[c], x[c], constant[c]));
        }
    }
}

at_level! {
    /// Turns the masked gradient into that of the input: `by_gradient * dy + by_input * x + constant`.
    fn backward_apply = backward_apply_body(x: &[f32], dy: &mut [f32], by_gradient: &[f32], by_input: &[f32], constant: &[f32])
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
