//! Single operations on tensors, with the meaning they have in Keras.

use burn_tensor::module::{BatchNormTrainOutput, batch_norm_train, conv2d};
use burn_tensor::ops::ConvOptions;
use burn_tensor::{Tensor, activation};
use moue_graph::Activation;
use moue_graph::lowering::Window;

/// Convolution of an NHWC map with a flat kernel `[height, width, channels in, filters]`.
pub(super) fn convolve(x: Tensor<4>, kernel: Tensor<1>, w: &Window) -> Tensor<4> {
    let (inner, outer) = (w.input[2], w.output[2]);
    if w.is_pointwise() {
        // A plain matrix product over pixels, which every backend does best.
        let [n, height, width, _] = x.dims();
        let rows = x.reshape([n * height * width, inner]).matmul(kernel.reshape([inner, outer]));
        return rows.reshape([n, height, width, outer]);
    }
    let kernel = kernel.reshape([w.kernel[0], w.kernel[1], inner, outer]).permute([3, 2, 0, 1]);
    windowed(x, kernel, w, 1)
}

/// Convolution of each channel with its own kernel, flat `[height, width, channels, 1]`.
pub(super) fn convolve_channels(x: Tensor<4>, kernel: Tensor<1>, w: &Window) -> Tensor<4> {
    let channels = w.input[2];
    let kernel = kernel.reshape([w.kernel[0], w.kernel[1], channels, 1]).permute([2, 3, 0, 1]);
    windowed(x, kernel, w, channels)
}

/// burn's convolutions are NCHW by name; its GPU backends keep channels last, so that the permutations cost nothing
/// there.
///
/// Large batches go through in parts: beyond some 64,000 pixels the gradient by the kernel that burn 0.22 computes on wgpu is
/// off for some numbers of pictures.
fn windowed(x: Tensor<4>, kernel: Tensor<4>, w: &Window, groups: usize) -> Tensor<4> {
    let pixels = (w.input[0] * w.input[1]).max(w.output[0] * w.output[1]);
    let (pictures, most) = (x.dims()[0], (MOST_SUMMED / pixels).max(1));
    if pictures <= most {
        return windowed_part(x, kernel, w, groups);
    }
    let parts = x.split(most, 0).into_iter().map(|part| windowed_part(part, kernel.clone(), w, groups));
    Tensor::cat(parts.collect(), 0)
}

fn windowed_part(x: Tensor<4>, kernel: Tensor<4>, w: &Window, groups: usize) -> Tensor<4> {
    let padding = [0, 1].map(|axis| (w.before[axis], after(w, axis)));
    let options = ConvOptions::new_with_padding(w.strides, padding, [1, 1], groups);
    let y = conv2d(x.permute([0, 3, 1, 2]), kernel, None, options).permute([0, 2, 3, 1]);
    if y.dims()[1..3] == w.output[..2] {
        return y;
    }
    // Where a step is wider than the kernel, zeros can make room for a window too many.
    let [n, _, _, channels] = y.dims();
    y.slice([0..n, 0..w.output[0], 0..w.output[1], 0..channels])
}

/// Zeros after an axis that the last window reaches into.
fn after(w: &Window, axis: usize) -> usize {
    let reach = (w.output[axis] - 1) * w.strides[axis] + w.kernel[axis];
    reach.saturating_sub(w.input[axis] + w.before[axis])
}

/// Zeros around each picture.
pub(super) fn pad(x: Tensor<4>, w: &Window) -> Tensor<4> {
    let around = [0, 1].map(|axis| (w.before[axis], w.output[axis] - w.input[axis] - w.before[axis]));
    x.pad([(0, 0), around[0], around[1], (0, 0)], 0.0)
}

/// Limits values. The gradient is zero where a value stands at a limit, as in `moue-cpu`.
pub(super) fn clamp<const D: usize>(x: Tensor<D>, function: Activation) -> Tensor<D> {
    match function {
        Activation::Relu => activation::relu(x),
        Activation::Relu6 => activation::relu(x).clamp_max(6.0),
        Activation::Linear | Activation::Softmax => x,
    }
}

/// Normalises rows by their own statistics and gives these.
pub(super) fn normalise(
    rows: Tensor<2>,
    gamma: Tensor<1>,
    beta: Tensor<1>,
    epsilon: f32,
) -> BatchNormTrainOutput<2> {
    batch_norm_train(rows, gamma, beta, f64::from(epsilon))
}

/// Most values that are added at once, rows of [`normalise`] among them: of 102,400 the sums that burn 0.22 takes on wgpu
/// leave some out, of 31,744 none.
pub(crate) const MOST_SUMMED: usize = 32_767;

/// A value a channel at each pixel of a map of this shape. One axis a step: what is spread forward is summed backward,
/// and over all pixels at once such a sum has the limit of [`MOST_SUMMED`].
pub(super) fn spread(x: Tensor<4>, [n, height, width, channels]: [usize; 4]) -> Tensor<4> {
    let row: Tensor<4> = x.expand([1, 1, width, channels]);
    let map: Tensor<4> = row.expand([1, height, width, channels]);
    map.expand([n, height, width, channels])
}

/// What `normalise` does, for a map of any number of pixels: sums go along one axis after the other, forward and backward.
pub(super) fn normalise_map(
    map: Tensor<4>,
    gamma: Tensor<1>,
    beta: Tensor<1>,
    epsilon: f32,
) -> (Tensor<4>, Tensor<1>, Tensor<1>) {
    let shape = map.dims();
    let channels = shape[3];
    let average = |x: Tensor<4>| x.mean_dim(2).mean_dim(1).mean_dim(0);
    let spread = |x: Tensor<4>| spread(x, shape);
    let mean = average(map.clone());
    let centred = map - spread(mean.clone());
    let variance = average(centred.clone() * centred.clone());
    let scale = gamma.reshape([1, 1, 1, channels]) / variance.clone().add_scalar(epsilon).sqrt();
    let output = centred * spread(scale) + spread(beta.reshape([1, 1, 1, channels]));
    (output, mean.reshape([channels]), variance.reshape([channels]))
}

/// Each pixel so many times down and across.
pub(super) fn repeat(x: Tensor<4>, size: [usize; 2]) -> Tensor<4> {
    let [n, height, width, channels] = x.dims();
    let tall = x.reshape([n * height, 1, width * channels]).repeat_dim(1, size[0]);
    let wide = tall.reshape([n * height * size[0] * width, 1, channels]).repeat_dim(1, size[1]);
    wide.reshape([n, height * size[0], width * size[1], channels])
}

/// Mean over height and width.
pub(super) fn mean(x: Tensor<4>) -> Tensor<2> {
    let [n, height, width, channels] = x.dims();
    x.reshape([n, height * width, channels]).mean_dim(1).reshape([n, channels])
}
