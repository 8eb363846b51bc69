//! MobileNetV2 (Sandler, Howard, Zhu, Zhmoginov and Chen: "MobileNetV2: Inverted Residuals and
//! Linear Bottlenecks", CVPR 2018), layer for layer as `keras.applications.MobileNetV2`.

use super::{RELU6, Stem, check_alpha, conv, divisible};
use crate::graph::{Graph, GraphBuilder, LayerId};
use crate::op::{Op, Padding};
use crate::{Error, Result};

/// What to build.
#[derive(Clone, Debug, PartialEq)]
pub struct MobileNetV2 {
    /// Width multiplier, in 0.1..=4; 1.0 is the published network.
    pub alpha: f32,
    /// Input `[height, width, channels]`.
    pub input: [usize; 3],
    /// First convolution.
    pub stem: Stem,
}

impl Default for MobileNetV2 {
    fn default() -> Self {
        Self { alpha: 1.0, input: [224, 224, 3], stem: Stem::Stride2 }
    }
}

/// Expansion, output channels and stride of each inverted residual block (table 2 of the paper).
const BLOCKS: [(usize, usize, usize); 17] = [
    (1, 16, 1),
    (6, 24, 2),
    (6, 24, 1),
    (6, 32, 2),
    (6, 32, 1),
    (6, 32, 1),
    (6, 64, 2),
    (6, 64, 1),
    (6, 64, 1),
    (6, 64, 1),
    (6, 96, 1),
    (6, 96, 1),
    (6, 96, 1),
    (6, 160, 2),
    (6, 160, 1),
    (6, 160, 1),
    (6, 320, 1),
];

const NORMALIZATION: Op = Op::BatchNormalization { epsilon: 1e-3, momentum: 0.999 };

impl MobileNetV2 {
    /// The graph up to the last feature map (`out_relu`), without pooling and head.
    pub fn build(&self) -> Result<Graph> {
        check_alpha(self.alpha)?;
        let mut b = Graph::builder("mobilenet_v2");
        let input = b.add("input_layer", Op::InputLayer { shape: self.input.to_vec() }, &[])?;
        let stride = self.stem.stride();
        let filters = divisible(32.0 * self.alpha);
        let x = b.add("Conv1", conv(filters, 3, stride), &[input])?;
        let x = b.add("bn_Conv1", NORMALIZATION, &[x])?;
        let mut x = b.add("Conv1_relu", RELU6, &[x])?;
        for (index, &(expansion, channels, stride)) in BLOCKS.iter().enumerate() {
            let channels = divisible((channels as f32 * self.alpha).trunc());
            x = inverted_residual(&mut b, x, index, expansion, channels, stride)?;
        }
        // Width multipliers below 1 leave the last layer at 1280 (section 4 of the paper).
        let last = if self.alpha > 1.0 { divisible(1280.0 * self.alpha) } else { 1280 };
        let x = b.add("Conv_1", conv(last, 1, 1), &[x])?;
        let x = b.add("Conv_1_bn", NORMALIZATION, &[x])?;
        b.add("out_relu", RELU6, &[x])?;
        b.finish()
    }
}

fn inverted_residual(
    b: &mut GraphBuilder,
    input: LayerId,
    index: usize,
    expansion: usize,
    channels: usize,
    stride: usize,
) -> Result<LayerId> {
    let prefix = if index == 0 { "expanded_conv".to_owned() } else { format!("block_{index}") };
    let [height, width, channels_in] = match b.shape(input).as_slice() {
        &[h, w, c] => [h, w, c],
        other => return Err(Error::graph(&prefix, format!("expects a feature map, got {other:?}"))),
    };
    let mut x = input;
    if index > 0 {
        x = b.add(format!("{prefix}_expand"), conv(channels_in * expansion, 1, 1), &[x])?;
        x = b.add(format!("{prefix}_expand_BN"), NORMALIZATION, &[x])?;
        x = b.add(format!("{prefix}_expand_relu"), RELU6, &[x])?;
    }
    let mut padding = Padding::Same;
    if stride == 2 {
        // Keras' `correct_pad` for a 3x3 kernel: one row less before an even side.
        let pads = [height, width].map(|side| if side % 2 == 0 { [0, 1] } else { [1, 1] });
        x = b.add(format!("{prefix}_pad"), Op::ZeroPadding2D { padding: pads }, &[x])?;
        padding = Padding::Valid;
    }
    let depthwise =
        Op::DepthwiseConv2D { kernel_size: [3, 3], strides: [stride; 2], padding, use_bias: false };
    x = b.add(format!("{prefix}_depthwise"), depthwise, &[x])?;
    x = b.add(format!("{prefix}_depthwise_BN"), NORMALIZATION, &[x])?;
    x = b.add(format!("{prefix}_depthwise_relu"), RELU6, &[x])?;
    x = b.add(format!("{prefix}_project"), conv(channels, 1, 1), &[x])?;
    x = b.add(format!("{prefix}_project_BN"), NORMALIZATION, &[x])?;
    if stride == 1 && channels_in == channels {
        x = b.add(format!("{prefix}_add"), Op::Add, &[input, x])?;
    }
    Ok(x)
}
