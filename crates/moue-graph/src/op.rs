//! The operations a layer can be, and the shapes they give.

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

/// Shape of one example, without the batch axis: `[height, width, channels]` or `[units]`.
pub type Shape = Vec<usize>;

/// Border handling of a convolution, as in Keras.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Padding {
    /// Output side `ceil(side / stride)`; the odd padding pixel goes right and below (TensorFlow).
    Same,
    /// No padding.
    Valid,
}

impl Padding {
    /// Output side and the zero pixels before and after one axis.
    ///
    /// `None` where the kernel does not fit.
    pub fn along(self, side: usize, kernel: usize, stride: usize) -> Option<(usize, usize, usize)> {
        match self {
            Self::Same => {
                let out = side.div_ceil(stride);
                let total = ((out.max(1) - 1) * stride + kernel).saturating_sub(side);
                Some((out, total / 2, total - total / 2))
            }
            Self::Valid => Some((side.checked_sub(kernel)? / stride + 1, 0, 0)),
        }
    }
}

/// Element-wise functions; `Softmax` runs over the last axis.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// `x`.
    #[default]
    Linear,
    /// `max(x, 0)`.
    Relu,
    /// `min(max(x, 0), 6)`.
    Relu6,
    /// `exp(x) / sum(exp(x))`.
    Softmax,
}

/// What a layer does. Fields are named as in Keras; spatial pairs are `[height, width]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum Op {
    /// The picture that goes in.
    InputLayer {
        /// Shape of one example.
        shape: Shape,
    },
    /// Zeros around the picture.
    ZeroPadding2D {
        /// `[[top, bottom], [left, right]]`.
        padding: [[usize; 2]; 2],
    },
    /// Convolution with a kernel `[height, width, channels in, filters]`.
    Conv2D {
        /// Output channels.
        filters: usize,
        /// Kernel sides.
        kernel_size: [usize; 2],
        /// Steps.
        strides: [usize; 2],
        /// Border handling.
        padding: Padding,
        /// Whether a bias per filter is added.
        use_bias: bool,
        /// Function applied to the sum.
        activation: Activation,
    },
    /// One kernel a channel, `[height, width, channels, 1]`.
    DepthwiseConv2D {
        /// Kernel sides.
        kernel_size: [usize; 2],
        /// Steps.
        strides: [usize; 2],
        /// Border handling.
        padding: Padding,
        /// Whether a bias per channel is added.
        use_bias: bool,
    },
    /// Batch normalisation over all but the last axis (Ioffe and Szegedy 2015).
    BatchNormalization {
        /// Added to the variance.
        epsilon: f32,
        /// Share of the old moving statistics kept at each training step.
        momentum: f32,
    },
    /// A function on its own.
    Activation {
        /// Which.
        function: Activation,
    },
    /// Sum of two inputs of one shape.
    Add,
    /// Inputs side by side along the last axis; all other sides agree.
    Concatenate,
    /// Each pixel repeated `size` times down and across (nearest neighbour).
    UpSampling2D {
        /// Repeats, `[height, width]`.
        size: [usize; 2],
    },
    /// The same values as one row.
    Flatten,
    /// Mean over height and width.
    GlobalAveragePooling2D,
    /// In training, sets a share of the values to zero and scales the rest by `1 / (1 - rate)`.
    Dropout {
        /// Share dropped, in `[0, 1)`.
        rate: f32,
    },
    /// Fully connected, kernel `[inputs, units]`.
    Dense {
        /// Outputs.
        units: usize,
        /// Whether a bias per unit is added.
        use_bias: bool,
        /// Function applied to the sum.
        activation: Activation,
    },
}

impl Op {
    /// The class name Keras prints for this operation.
    pub fn class_name(&self) -> &'static str {
        match self {
            Self::InputLayer { .. } => "InputLayer",
            Self::ZeroPadding2D { .. } => "ZeroPadding2D",
            Self::Conv2D { .. } => "Conv2D",
            Self::DepthwiseConv2D { .. } => "DepthwiseConv2D",
            Self::BatchNormalization { .. } => "BatchNormalization",
            Self::Activation { function: Activation::Relu | Activation::Relu6 } => "ReLU",
            Self::Activation { function: Activation::Softmax } => "Softmax",
            Self::Activation { .. } => "Activation",
            Self::Add => "Add",
            Self::Concatenate => "Concatenate",
            Self::UpSampling2D { .. } => "UpSampling2D",
            Self::Flatten => "Flatten",
            Self::GlobalAveragePooling2D => "GlobalAveragePooling2D",
            Self::Dropout { .. } => "Dropout",
            Self::Dense { .. } => "Dense",
        }
    }

    /// How many inputs the operation takes, the fewest and the most.
    pub fn arity(&self) -> RangeInclusive<usize> {
        match self {
            Self::InputLayer { .. } => 0..=0,
            Self::Add => 2..=2,
            Self::Concatenate => 2..=MAX_CONCATENATED,
            _ => 1..=1,
        }
    }

    /// Shape of the output for these input shapes; the error says what was expected.
    pub fn output_shape(&self, inputs: &[&Shape]) -> Result<Shape, String> {
        let arity = self.arity();
        if !arity.contains(&inputs.len()) {
            let (least, most) = arity.into_inner();
            let wanted = if least == most { least.to_string() } else { format!("{least} to {most}") };
            return Err(format!("takes {wanted} inputs, got {}", inputs.len()));
        }
        match self {
            Self::InputLayer { shape } => {
                if !matches!(shape.len(), 1 | 3) || shape.iter().any(|&d| d == 0 || d > MAX_SIDE) {
                    return Err(format!(
                        "input shape {shape:?}: [height, width, channels] or [units] in 1..={MAX_SIDE}"
                    ));
                }
                Ok(shape.clone())
            }
            Self::ZeroPadding2D { padding: [[top, bottom], [left, right]] } => {
                let [h, w, c] = spatial(inputs[0])?;
                if [top, bottom, left, right].into_iter().any(|&n| n > MAX_PADDING) {
                    return Err(format!("padding must lie in 0..={MAX_PADDING}"));
                }
                Ok(vec![h + top + bottom, w + left + right, c])
            }
            Self::Conv2D { filters, kernel_size, strides, padding, .. } => {
                let [h, w, _] = spatial(inputs[0])?;
                let [h, w] = windows([h, w], *kernel_size, *strides, *padding)?;
                Ok(vec![h, w, positive("filters", *filters)?])
            }
            Self::DepthwiseConv2D { kernel_size, strides, padding, .. } => {
                let [h, w, c] = spatial(inputs[0])?;
                let [h, w] = windows([h, w], *kernel_size, *strides, *padding)?;
                Ok(vec![h, w, c])
            }
            Self::BatchNormalization { epsilon, momentum } => {
                if !(*epsilon > 0.0 && (0.0..=1.0).contains(momentum)) {
                    return Err(format!("epsilon {epsilon} must be positive, momentum {momentum} in 0..=1"));
                }
                Ok(inputs[0].clone())
            }
            Self::Activation { .. } => Ok(inputs[0].clone()),
            Self::Dropout { rate } => match rate {
                r if (0.0..1.0).contains(r) => Ok(inputs[0].clone()),
                r => Err(format!("rate {r} must lie in 0..1")),
            },
            Self::Add if inputs[0] == inputs[1] => Ok(inputs[0].clone()),
            Self::Add => Err(format!("inputs differ in shape: {:?} and {:?}", inputs[0], inputs[1])),
            Self::Concatenate => {
                let mut shape = inputs[0].clone();
                let outer = shape.len().saturating_sub(1);
                for other in &inputs[1..] {
                    if other.len() != shape.len() || other[..outer] != shape[..outer] {
                        return Err(format!(
                            "inputs differ in more than the last side: {shape:?} and {other:?}"
                        ));
                    }
                    shape[outer] += other[outer];
                }
                Ok(shape)
            }
            Self::UpSampling2D { size } => {
                let [h, w, c] = spatial(inputs[0])?;
                if size.iter().any(|n| !(1..=MAX_REPEATS).contains(n)) {
                    return Err(format!("size {size:?} must lie in 1..={MAX_REPEATS}"));
                }
                Ok(vec![h * size[0], w * size[1], c])
            }
            Self::Flatten => Ok(vec![inputs[0].iter().product()]),
            Self::GlobalAveragePooling2D => Ok(vec![spatial(inputs[0])?[2]]),
            Self::Dense { units, .. } => match inputs[0].as_slice() {
                [_] => Ok(vec![positive("units", *units)?]),
                other => Err(format!("expects a flat input, got {other:?}")),
            },
        }
    }

    /// Products summed for one output value, with this many input channels; 0 for what is no convolution and no
    /// dense layer.
    pub(crate) fn taps(&self, channels: usize) -> usize {
        match self {
            Self::Conv2D { kernel_size: [h, w], .. } => h * w * channels,
            Self::DepthwiseConv2D { kernel_size: [h, w], .. } => h * w,
            Self::Dense { .. } => channels,
            _ => 0,
        }
    }

    /// Names and shapes of the operation's parameters for an input of this shape, in Keras' order;
    /// `true` marks those that gradient descent changes (moving statistics are not).
    pub fn parameters(&self, input: &Shape) -> Vec<(&'static str, Shape, bool)> {
        let channels = input.last().copied().unwrap_or(0);
        let with_bias = |kernel: (&'static str, Shape, bool), n: usize, use_bias: bool| {
            let mut all = vec![kernel];
            if use_bias {
                all.push(("bias", vec![n], true));
            }
            all
        };
        match self {
            Self::Conv2D { filters, kernel_size: [h, w], use_bias, .. } => {
                with_bias(("kernel", vec![*h, *w, channels, *filters], true), *filters, *use_bias)
            }
            Self::DepthwiseConv2D { kernel_size: [h, w], use_bias, .. } => {
                with_bias(("depthwise_kernel", vec![*h, *w, channels, 1], true), channels, *use_bias)
            }
            Self::Dense { units, use_bias, .. } => {
                with_bias(("kernel", vec![channels, *units], true), *units, *use_bias)
            }
            Self::BatchNormalization { .. } => vec![
                ("gamma", vec![channels], true),
                ("beta", vec![channels], true),
                ("moving_mean", vec![channels], false),
                ("moving_variance", vec![channels], false),
            ],
            _ => Vec::new(),
        }
    }
}

/// Largest side, channel count or unit count of any tensor: model files are untrusted input.
pub(crate) const MAX_SIDE: usize = 1 << 16;

/// Most inputs laid side by side.
const MAX_CONCATENATED: usize = 64;

/// Most times a pixel is repeated along an axis.
const MAX_REPEATS: usize = 64;

/// Most rows or columns of zeros on one side of a picture.
const MAX_PADDING: usize = 64;

fn spatial(shape: &Shape) -> Result<[usize; 3], String> {
    match shape.as_slice() {
        &[h, w, c] => Ok([h, w, c]),
        other => Err(format!("expects [height, width, channels], got {other:?}")),
    }
}

fn positive(what: &str, n: usize) -> Result<usize, String> {
    if (1..=MAX_SIDE).contains(&n) { Ok(n) } else { Err(format!("{what} {n} must lie in 1..={MAX_SIDE}")) }
}

fn windows(
    sides: [usize; 2],
    kernel: [usize; 2],
    strides: [usize; 2],
    padding: Padding,
) -> Result<[usize; 2], String> {
    let mut out = [0; 2];
    for axis in 0..2 {
        if !(1..=64).contains(&kernel[axis]) || !(1..=64).contains(&strides[axis]) {
            return Err(format!("kernel {kernel:?} and strides {strides:?} must lie in 1..=64"));
        }
        let (side, _, _) = padding
            .along(sides[axis], kernel[axis], strides[axis])
            .ok_or_else(|| format!("kernel {kernel:?} does not fit into {sides:?}"))?;
        out[axis] = side;
    }
    Ok(out)
}
