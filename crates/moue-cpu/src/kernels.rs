//! The arithmetic, one file an operation. Pictures are NHWC; a "row" is the channels of one pixel.

pub(crate) mod activation;
pub(crate) mod batch_norm;
pub(crate) mod conv;
pub(crate) mod depthwise;
pub(crate) mod depthwise_rows;
pub(crate) mod int8;
pub(crate) mod layout;
pub(crate) mod matmul;
pub(crate) mod optimizer;
pub(crate) mod pooling;
pub(crate) mod product;
#[cfg(test)]
mod reference;
pub(crate) mod tall_product;

pub(crate) use moue_graph::lowering::Window;

/// Values a task of an element-wise pass handles: large enough to pay for the hand-over, small
/// enough to stay in a core's cache between two passes.
pub(crate) const ELEMENTS_PER_TASK: usize = 1 << 15;

/// Rows of `channels` values that make a task of an element-wise pass.
pub(crate) fn rows_per_task(channels: usize) -> usize {
    (ELEMENTS_PER_TASK / channels.max(1)).max(1)
}
