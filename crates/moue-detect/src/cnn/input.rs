//! From grey levels to the network's input.

/// Writes `height` x `width` grey levels (0..255), both even, as the network reads them: each pixel of the input
/// holds four of the picture, as -1..1.
pub(crate) fn pack<T: Copy + Into<f32>>(grey: &[T], height: usize, width: usize, out: &mut [f32]) {
    debug_assert_eq!((grey.len(), out.len()), (height * width, height * width));
    for (rows, out) in grey.chunks_exact(2 * width).zip(out.chunks_exact_mut(2 * width)) {
        let (upper, lower) = rows.split_at(width);
        for ((u, l), out) in upper.chunks_exact(2).zip(lower.chunks_exact(2)).zip(out.chunks_exact_mut(4)) {
            let scaled = |v: T| v.into() * (1.0 / 127.5) - 1.0;
            out.copy_from_slice(&[scaled(u[0]), scaled(u[1]), scaled(l[0]), scaled(l[1])]);
        }
    }
}
