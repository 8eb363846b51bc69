//! Values moved, not computed: rows side by side, pixels repeated, and the gradients of both.

/// Each row of `out` is a row of each part after the other; a part comes with the length of its rows.
pub(crate) fn concatenate(parts: &[(&[f32], usize)], out: &mut [f32]) {
    let width: usize = parts.iter().map(|(_, n)| n).sum();
    let mut start = 0;
    for &(part, n) in parts {
        for (out, row) in out.chunks_exact_mut(width).zip(part.chunks_exact(n)) {
            out[start..start + n].copy_from_slice(row);
        }
        start += n;
    }
}

/// Gradient of [`concatenate`] by one part: columns `start..start + n` of rows of `width` values.
pub(crate) fn take_columns(
    gradient: &[f32],
    width: usize,
    start: usize,
    n: usize,
    out: &mut [f32],
    accumulate: bool,
) {
    for (g, out) in gradient.chunks_exact(width).zip(out.chunks_exact_mut(n)) {
        for (o, g) in out.iter_mut().zip(&g[start..start + n]) {
            *o = if accumulate { *o + g } else { *g };
        }
    }
}

/// Repeats each pixel of pictures with rows of `row` values `size` times down and across. Pictures that
/// follow each other need no care: rows never mix.
pub(crate) fn upsample(x: &[f32], row: usize, channels: usize, [down, across]: [usize; 2], out: &mut [f32]) {
    for (x, out) in x.chunks_exact(row).zip(out.chunks_exact_mut(row * down * across)) {
        let (first, others) = out.split_at_mut(row * across);
        for (pixel, out) in x.chunks_exact(channels).zip(first.chunks_exact_mut(channels * across)) {
            for out in out.chunks_exact_mut(channels) {
                out.copy_from_slice(pixel);
            }
        }
        for other in others.chunks_exact_mut(row * across) {
            other.copy_from_slice(first);
        }
    }
}

/// Gradient of [`upsample`]: each pixel gets the sum over its copies.
pub(crate) fn upsample_backward(
    gradient: &[f32],
    row: usize,
    channels: usize,
    [down, across]: [usize; 2],
    out: &mut [f32],
    accumulate: bool,
) {
    if !accumulate {
        out.fill(0.0);
    }
    for (g, out) in gradient.chunks_exact(row * down * across).zip(out.chunks_exact_mut(row)) {
        for g in g.chunks_exact(row * across) {
            for (copies, out) in g.chunks_exact(channels * across).zip(out.chunks_exact_mut(channels)) {
                for copy in copies.chunks_exact(channels) {
                    for (o, g) in out.iter_mut().zip(copy) {
                        *o += g;
                    }
                }
            }
        }
    }
}
