//! EfficientNet-Lite0 to Lite2 (Liu: "Higher accuracy on vision models with EfficientNet-Lite", 2020): EfficientNet-B0 to B2
//! (Tan and Le, ICML 2019) without squeeze-and-excitation, with ReLU6 in place of swish, and a stem and top that keep
//! their widths and depths. Layers carry the names of `keras.applications.EfficientNetB0`.

use super::{RELU6, Stem, check_alpha, conv, divisible};
use crate::graph::{Graph, GraphBuilder, LayerId};
use crate::op::{Op, Padding};
use crate::{Error, Result};

/// A published size of the family.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lite {
    /// 16 blocks, 3.4 million parameters without the classifier.
    #[default]
    Lite0,
    /// 21 blocks, 4.1 million.
    Lite1,
    /// 21 wider blocks, 4.8 million.
    Lite2,
}

impl Lite {
    /// From the smallest to the largest.
    pub const ALL: [Self; 3] = [Self::Lite0, Self::Lite1, Self::Lite2];

    /// As recipes and `--backbone` call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Lite0 => "efficientnet_lite0",
            Self::Lite1 => "efficientnet_lite1",
            Self::Lite2 => "efficientnet_lite2",
        }
    }

    /// Blocks of each stage: those of Lite0 times the depth coefficient, rounded up, but for the first and last stage.
    pub(crate) fn blocks(self) -> [usize; 7] {
        match self {
            Self::Lite0 => [1, 2, 2, 3, 3, 4, 1],
            // Depth coefficients 1.1 and 1.2.
            Self::Lite1 | Self::Lite2 => [1, 3, 3, 4, 4, 5, 1],
        }
    }

    fn width(self) -> f32 {
        match self {
            Self::Lite0 | Self::Lite1 => 1.0,
            Self::Lite2 => 1.1,
        }
    }
}

/// What to build.
#[derive(Clone, Debug, PartialEq)]
pub struct EfficientNetLite {
    /// Published size.
    pub size: Lite,
    /// Further width multiplier of all but stem and top, in 0.1..=4; 1.0 is the published network.
    pub alpha: f32,
    /// Input `[height, width, channels]`.
    pub input: [usize; 3],
    /// First convolution.
    pub stem: Stem,
}

impl Default for EfficientNetLite {
    fn default() -> Self {
        Self { size: Lite::default(), alpha: 1.0, input: [224, 224, 3], stem: Stem::Stride2 }
    }
}

/// Kernel side, expansion, output channels of Lite0, and stride of the first block of each stage.
const STAGES: [(usize, usize, usize, usize); 7] = [
    (3, 1, 16, 1),
    (3, 6, 24, 2),
    (5, 6, 40, 2),
    (3, 6, 80, 2),
    (5, 6, 112, 1),
    (5, 6, 192, 2),
    (3, 6, 320, 1),
];

const NORMALIZATION: Op = Op::BatchNormalization { epsilon: 1e-3, momentum: 0.99 };

impl EfficientNetLite {
    /// The graph up to the last feature map (`top_activation`, 1280 channels), without pooling and head.
    pub fn build(&self) -> Result<Graph> {
        check_alpha(self.alpha)?;
        let mut b = Graph::builder(self.size.name());
        let input = b.add("input_layer", Op::InputLayer { shape: self.input.to_vec() }, &[])?;
        let stride = self.stem.stride();
        let x = b.add("stem_conv", conv(32, 3, stride), &[input])?;
        let x = b.add("stem_bn", NORMALIZATION, &[x])?;
        let mut x = b.add("stem_activation", RELU6, &[x])?;
        let width = self.size.width() * self.alpha;
        let stages = STAGES.iter().zip(self.size.blocks());
        for (stage, (&(kernel, expansion, channels, stride), blocks)) in stages.enumerate() {
            for (letter, index) in ('a'..='z').zip(0..blocks) {
                let block = Block {
                    name: format!("block{}{letter}", stage + 1),
                    kernel,
                    expansion,
                    channels: divisible(channels as f32 * width),
                    stride: if index == 0 { stride } else { 1 },
                };
                x = block.add(&mut b, x)?;
            }
        }
        let x = b.add("top_conv", conv(1280, 1, 1), &[x])?;
        let x = b.add("top_bn", NORMALIZATION, &[x])?;
        b.add("top_activation", RELU6, &[x])?;
        b.finish()
    }
}

/// An inverted residual block.
struct Block {
    name: String,
    kernel: usize,
    expansion: usize,
    channels: usize,
    stride: usize,
}

impl Block {
    fn add(&self, b: &mut GraphBuilder, input: LayerId) -> Result<LayerId> {
        let Self { name, kernel, expansion, channels, stride } = self;
        let &[_, _, channels_in] = b.shape(input).as_slice() else {
            return Err(Error::graph(name, format!("expects a feature map, got {:?}", b.shape(input))));
        };
        let mut x = input;
        if *expansion > 1 {
            x = b.add(format!("{name}_expand_conv"), conv(channels_in * expansion, 1, 1), &[x])?;
            x = b.add(format!("{name}_expand_bn"), NORMALIZATION, &[x])?;
            x = b.add(format!("{name}_expand_activation"), RELU6, &[x])?;
        }
        let depthwise = Op::DepthwiseConv2D {
            kernel_size: [*kernel; 2],
            strides: [*stride; 2],
            padding: Padding::Same,
            use_bias: false,
        };
        x = b.add(format!("{name}_dwconv"), depthwise, &[x])?;
        x = b.add(format!("{name}_bn"), NORMALIZATION, &[x])?;
        x = b.add(format!("{name}_activation"), RELU6, &[x])?;
        x = b.add(format!("{name}_project_conv"), conv(*channels, 1, 1), &[x])?;
        x = b.add(format!("{name}_project_bn"), NORMALIZATION, &[x])?;
        if *stride == 1 && channels_in == *channels {
            x = b.add(format!("{name}_add"), Op::Add, &[input, x])?;
        }
        Ok(x)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn have_the_published_sizes() {
        for (size, published) in Lite::ALL.into_iter().zip([4_652_008, 5_416_680, 6_092_072]) {
            let graph = EfficientNetLite { size, ..EfficientNetLite::default() }.build().unwrap();
            // The published number has the classifier's 1280 x 1000 + 1000.
            assert_eq!(graph.parameter_count().1, published - 1_281_000, "{}", size.name());
            assert_eq!(graph.output_shape(), &vec![7, 7, 1280]);
        }
    }
}
