//! Fits the first convolution of a published network to small grey pictures without changing what it answers.

use moue_graph::{Graph, Op, Padding, Tensor, Weights};

use crate::Result;

/// Changes the first kernel of `found`, values of the network `theirs`, where `ours` differs in how it reads the
/// picture:
///
/// - One channel instead of three: the sum over the channels, which on a grey picture answers the same.
/// - A 3x3 kernel of stride 1 instead of 2: what their kernel answers to our picture enlarged twice, bilinearly with
///   half-pixel centres, written as a kernel on the picture itself. Each answer reads three neighbouring
///   pixels of the enlarged picture, and these are sums of three pixels of the small one, so nothing is lost but at the
///   border, which is zeros here and the last pixel repeated there.
pub(super) fn adapt(ours: &Graph, theirs: &Graph, found: &mut Weights) -> Result<()> {
    let (Some((name, to)), Some((_, from))) = (first(ours), first(theirs)) else { return Ok(()) };
    let name = format!("{name}/kernel");
    let Some(kernel) = found.get(&name) else { return Ok(()) };
    let &[height, width, channels, filters] = kernel.shape() else { return Ok(()) };
    let (mut shape, mut values) = (vec![height, width, channels, filters], kernel.data().to_vec());
    if channels == 3 && ours.input_shape().last() == Some(&1) {
        values = merged(&values, filters);
        shape[2] = 1;
    }
    if to == [1, 1] && from == [2, 2] && (height, width) == (3, 3) {
        values = halved(&values, shape[2] * filters);
    }
    found.insert(name, Tensor::new(shape, values)?);
    Ok(())
}

/// Name and strides of the convolution that reads the picture.
fn first(graph: &Graph) -> Option<(&str, [usize; 2])> {
    graph.layers().iter().find_map(|layer| match layer.op {
        Op::Conv2D { strides, padding: Padding::Same, .. } if layer.inputs == [0] => {
            Some((layer.name.as_str(), strides))
        }
        _ => None,
    })
}

/// Sums over three channels of a kernel `[.., 3, filters]`.
fn merged(values: &[f32], filters: usize) -> Vec<f32> {
    let sums = values.chunks_exact(3 * filters).flat_map(|pixel| {
        let (red, rest) = pixel.split_at(filters);
        let (green, blue) = rest.split_at(filters);
        (0..filters).map(move |f| red[f] + green[f] + blue[f])
    });
    sums.collect()
}

/// Shares of three neighbouring pixels `i - 1, i, i + 1` in the pixels `2 i, 2 i + 1, 2 i + 2` of the enlarged row.
const ENLARGED: [[f32; 3]; 3] = [[0.25, 0.75, 0.0], [0.0, 0.75, 0.25], [0.0, 0.25, 0.75]];

/// The kernel on the small picture; `depth` values a tap.
fn halved(values: &[f32], depth: usize) -> Vec<f32> {
    let mut out = vec![0.0; values.len()];
    for (tap, line) in values.chunks_exact(depth).enumerate() {
        let (row, column) = (&ENLARGED[tap / 3], &ENLARGED[tap % 3]);
        for (place, target) in out.chunks_exact_mut(depth).enumerate() {
            let share = row[place / 3] * column[place % 3];
            for (value, &v) in target.iter_mut().zip(line) {
                *value += share * v;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A 3x3 convolution in the way of TensorFlow's "same": zeros outside, the odd one after.
    fn convolve(picture: &[f32], side: usize, kernel: &[f32], stride: usize) -> Vec<f32> {
        let before = if stride == 2 { 0 } else { 1 };
        let out = side / stride;
        let at = |y: isize, x: isize| {
            let inside = (0..side as isize).contains(&y) && (0..side as isize).contains(&x);
            if inside { picture[y as usize * side + x as usize] } else { 0.0 }
        };
        (0..out * out)
            .map(|i| {
                let (y, x) = ((i / out * stride) as isize - before, (i % out * stride) as isize - before);
                (0..9).map(|t| kernel[t] * at(y + t as isize / 3, x + t as isize % 3)).sum()
            })
            .collect()
    }

    #[test]
    fn a_halved_kernel_answers_as_the_whole_one_to_the_enlarged_picture() {
        let side = 7;
        let picture: Vec<f32> = (0..side * side).map(|i| ((i * 37 % 23) as f32).sin()).collect();
        let kernel: Vec<f32> = (0..9).map(|i| (i as f32 * 1.7).cos()).collect();
        let coordinate = |i: usize| ((i as f32 + 0.5) / 2.0 - 0.5).clamp(0.0, side as f32 - 1.0);
        let mut large = Vec::new();
        for y in (0..2 * side).map(coordinate) {
            for x in (0..2 * side).map(coordinate) {
                let (top, left) = ((y as usize).min(side - 2), (x as usize).min(side - 2));
                let (v, u) = (y - top as f32, x - left as f32);
                let row = |y: usize| picture[y * side + left] * (1.0 - u) + picture[y * side + left + 1] * u;
                large.push(row(top) * (1.0 - v) + row(top + 1) * v);
            }
        }
        let expected = convolve(&large, 2 * side, &kernel, 2);
        let got = convolve(&picture, side, &halved(&kernel, 1), 1);
        for y in 1..side - 1 {
            for x in 1..side - 1 {
                let (a, b) = (got[y * side + x], expected[y * side + x]);
                assert!((a - b).abs() < 1e-5, "{y}, {x}: {a} is not {b}");
            }
        }
    }

    #[test]
    fn three_channels_become_their_sum() {
        assert_eq!(merged(&[1.0, 2.0, 10.0, 20.0, 100.0, 200.0], 2), [111.0, 222.0]);
    }
}
