//! Mean over the pixels of a picture.

/// `out` (channels) = mean over the rows of one picture.
pub(crate) fn global_average(picture: &[f32], out: &mut [f32]) {
    let channels = out.len();
    out.fill(0.0);
    for row in picture.chunks_exact(channels) {
        for (o, v) in out.iter_mut().zip(row) {
            *o += v;
        }
    }
    let scale = 1.0 / (picture.len() / channels).max(1) as f32;
    for o in out {
        *o *= scale;
    }
}

/// Gradient of [`global_average`]: each pixel gets an equal share of `gradient`.
pub(crate) fn global_average_backward(gradient: &[f32], picture: &mut [f32], accumulate: bool) {
    let channels = gradient.len();
    let scale = 1.0 / (picture.len() / channels).max(1) as f32;
    for row in picture.chunks_exact_mut(channels) {
        for (v, g) in row.iter_mut().zip(gradient) {
            *v = if accumulate { *v + g * scale } else { g * scale };
        }
    }
}
