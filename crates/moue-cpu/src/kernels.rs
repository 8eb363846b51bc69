//! The arithmetic, one file an operation. Pictures are NHWC; a "row" is the channels of one pixel.

pub(crate) mod activation;
pub(crate) mod batch_norm;
pub(crate) mod conv;
pub(crate) mod depthwise;
pub(crate) mod depthwise_rows;
pub(crate) mod layout;
pub(crate) mod loss;
pub(crate) mod matmul;
pub(crate) mod optimizer;
pub(crate) mod pooling;
pub(crate) mod product;
#[cfg(test)]
mod reference;

/// Values a task of an element-wise pass handles: large enough to pay for the hand-over, small
/// enough to stay in a core's cache between two passes.
pub(crate) const ELEMENTS_PER_TASK: usize = 1 << 15;

/// Rows of `channels` values that make a task of an element-wise pass.
pub(crate) fn rows_per_task(channels: usize) -> usize {
    (ELEMENTS_PER_TASK / channels.max(1)).max(1)
}

/// A spatial window operation with its padding resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    /// Input height, width and channels.
    pub input: [usize; 3],
    /// Output height, width and channels.
    pub output: [usize; 3],
    /// Kernel height and width.
    pub kernel: [usize; 2],
    /// Vertical and horizontal step.
    pub strides: [usize; 2],
    /// Zero rows above and zero columns left of the input.
    pub before: [usize; 2],
}

impl Window {
    /// Values of one input picture.
    pub fn input_len(&self) -> usize {
        self.input.iter().product()
    }

    /// Values of one output picture.
    pub fn output_len(&self) -> usize {
        self.output.iter().product()
    }

    /// Whether the operation reads each pixel alone.
    pub fn is_pointwise(&self) -> bool {
        self.kernel == [1, 1]
            && self.strides == [1, 1]
            && self.before == [0, 0]
            && self.input[..2] == self.output[..2]
    }
}
