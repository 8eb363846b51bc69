//! Fits the first convolution of a published network to small grey pictures without changing what it answers.

use moue_graph::{Graph, Op, Padding, Tensor, Weights};

use crate::{Error, Result};

/// Changes the first kernel of a network, and the mean of the normalisation behind it, from inputs in which black and
/// white are `from` to inputs in which they are `to`. Answers stay the same, but for the border: zeros around the
/// picture are another grey now.
pub(super) fn rescale(theirs: &Graph, to: [f32; 2], from: [f32; 2], found: &mut Weights) -> Result<()> {
    // The old input is `slope` x the new one + `offset`.
    let slope = (from[1] - from[0]) / (to[1] - to[0]);
    let offset = from[0] - slope * to[0];
    let refuse = || {
        let reason =
            "backbone.weights_range: the network does not begin with a convolution and a normalisation";
        Error::Parameter(reason.into())
    };
    let (name, _) = first(theirs).ok_or_else(refuse)?;
    let reads_it = |layer: &&moue_graph::Layer| match layer.inputs[..] {
        [input] => theirs.layers()[input].name == name && matches!(layer.op, Op::BatchNormalization { .. }),
        _ => false,
    };
    let norm = theirs.layers().iter().find(reads_it).ok_or_else(refuse)?;
    let (kernel, mean) = (format!("{name}/kernel"), format!("{}/moving_mean", norm.name));
    let (Some(kernel_tensor), Some(mean_tensor)) = (found.get(&kernel), found.get(&mean)) else {
        return Err(refuse());
    };
    let (mut kernel_tensor, mut mean_tensor) = (kernel_tensor.clone(), mean_tensor.clone());
    let filters = mean_tensor.data().len();
    for taps in kernel_tensor.data_mut().chunks_mut(filters.max(1)) {
        for (tap, mean) in taps.iter_mut().zip(mean_tensor.data_mut()) {
            *mean -= offset * *tap;
            *tap *= slope;
        }
    }
    found.insert(kernel, kernel_tensor);
    found.insert(mean, mean_tensor);
    Ok(())
}

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
    fn a_rescaled_start_answers_the_same_to_rescaled_pictures() {
        let mut b = Graph::builder("small");
        let conv = Op::Conv2D {
            filters: 2,
            kernel_size: [3, 3],
            strides: [1, 1],
            padding: Padding::Same,
            use_bias: false,
            activation: moue_graph::Activation::Linear,
        };
        let x = b.add("input", Op::InputLayer { shape: vec![3, 3, 1] }, &[]).unwrap();
        let x = b.add("conv", conv, &[x]).unwrap();
        b.add("bn", Op::BatchNormalization { epsilon: 1e-3, momentum: 0.9 }, &[x]).unwrap();
        let graph = b.finish().unwrap();
        let mut weights = Weights::initialise(&graph, 4);
        let before = weights.clone();
        rescale(&graph, [-1.0, 1.0], [-100.0, 155.0], &mut weights).unwrap();
        // Pixel by pixel between black and white; what the normalisation takes off is the same in the middle.
        let middle = |weights: &Weights, pixels: &[f32; 9], filter: usize| {
            let kernel = weights.get("conv/kernel").unwrap().data();
            let sum: f32 = pixels.iter().enumerate().map(|(i, p)| p * kernel[i * 2 + filter]).sum();
            sum - weights.get("bn/moving_mean").unwrap().data()[filter]
        };
        let grey = [0.0, 0.1, 0.9, 1.0, 0.4, 0.3, 0.7, 0.2, 0.6];
        for filter in 0..2 {
            let old = middle(&before, &grey.map(|g| g * 255.0 - 100.0), filter);
            let new = middle(&weights, &grey.map(|g| g * 2.0 - 1.0), filter);
            assert!((old - new).abs() < 1e-3 * old.abs().max(1.0), "{old} became {new}");
        }
        assert!(rescale(&graph, [0.0, 1.0], [0.0, 1.0], &mut Weights::new()).is_err());
    }

    #[test]
    fn three_channels_become_their_sum() {
        assert_eq!(merged(&[1.0, 2.0, 10.0, 20.0, 100.0, 200.0], 2), [111.0, 222.0]);
    }
}
