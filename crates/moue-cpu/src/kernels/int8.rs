//! Arithmetic on 8-bit integers: u8 activations, i8 kernels, i32 sums.
//!
//! A stored activation `q` stands for the real value `scale * (q - zero_point)`, a kernel value for
//! `scale[channel] * q` (Jacob et al.: "Quantization and Training of Neural Networks for Efficient
//! Integer-Arithmetic-Only Inference", CVPR 2018). Zero points are folded into the bias before the
//! kernels here see it, and because results saturate, a clamp costs nothing: an output whose range
//! ends at the bound cannot exceed it.
//!
//! Sums are integers and each result is rounded once, to nearest, ties to even, from a product of two
//! f32. So all instruction sets give the same bytes, in whatever pieces the work is cut.

pub(crate) mod convert;
pub(crate) mod depthwise;
pub(crate) mod gemm;
mod isa;
pub(crate) mod memory;
#[cfg(test)]
mod reference;
mod vector;

pub(crate) use isa::Isa;

/// Channels of one pixel are padded to a multiple of this, so that vectors of 16 bytes need no tails.
pub(crate) const CHANNEL_BLOCK: usize = 16;

/// Bytes a pixel of `channels` takes.
pub(crate) fn stride(channels: usize) -> usize {
    channels.next_multiple_of(CHANNEL_BLOCK)
}
