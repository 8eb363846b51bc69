//! The network: an anchor-free pyramid in the manner of YuNet (Wu et al. 2023) and SCRFD (Guo et al. 2021),
//! on grey pictures.
//!
//! A block is a depthwise 3x3 convolution, a pointwise one, batch normalisation and ReLU. The stem takes the picture
//! in 2x2 pieces (each pixel of its input holds four of the picture's), so that its first feature map, at a
//! quarter of the side, costs one small convolution. Heads sit at strides 8, 16, 32 and 64. What the coarser levels
//! know is handed down to the finer ones, except from stride 64, so that sides need be multiples of 32 only.

use moue_graph::{Activation, Graph, GraphBuilder, LayerId, Op, Padding, Result};

/// Pixels of the picture a cell of each level spans, finest first.
pub const STRIDES: [usize; 4] = [8, 16, 32, 64];

/// Sides of the input are multiples of this.
pub const GRANULE: usize = 32;

/// Values a cell gives: score logit, offset of the centre across and down (in strides), logarithms of width and
/// height (in [`UNIT`] strides) of the face held upright.
pub const VALUES: usize = 5;

/// Strides in the width and height that a cell gives as 0.
pub const UNIT: f32 = 3.0;

const STEM: usize = 24;
const FINE: usize = 48;
const MIDDLE: usize = 80;
const COARSE: usize = 128;
const TOP: usize = 128;
/// Channels of the pyramid above its finest level, which has [`FINE`].
const NECK: usize = 64;

/// The network for pictures of `height` x `width` pixels, both multiples of [`GRANULE`]. Its input is
/// `[height / 2, width / 2, 4]`: the grey levels of each 2x2 piece, row by row, as -1..1. Its output is one row:
/// `VALUES` for each cell, row by row, level after level.
///
/// # Errors
/// Where a side is 0 or beyond what a graph may hold.
pub fn network(height: usize, width: usize) -> Result<Graph> {
    let mut b = Graph::builder("moue_face");
    let x = b.add("input_layer", Op::InputLayer { shape: vec![height / 2, width / 2, 4] }, &[])?;
    let x = b.add("stem", convolution(STEM, [3, 3], 2, false), &[x])?;
    let x = normalised(&mut b, "stem", x)?;
    let x = block(&mut b, "fine_0", x, FINE, 2)?;
    let x = residual(&mut b, "fine_1", x, FINE)?;
    let x = residual(&mut b, "fine_2", x, FINE)?;
    let fine = residual(&mut b, "fine_3", x, FINE)?;
    let x = block(&mut b, "middle_0", fine, MIDDLE, 2)?;
    let x = residual(&mut b, "middle_1", x, MIDDLE)?;
    let x = residual(&mut b, "middle_2", x, MIDDLE)?;
    let middle = residual(&mut b, "middle_3", x, MIDDLE)?;
    let x = block(&mut b, "coarse_0", middle, COARSE, 2)?;
    let x = residual(&mut b, "coarse_1", x, COARSE)?;
    let x = residual(&mut b, "coarse_2", x, COARSE)?;
    let coarse = residual(&mut b, "coarse_3", x, COARSE)?;
    // Padded behind only, whether the side is even or odd, so that a cell lies in the same place in both.
    let x = b.add("top_pad", Op::ZeroPadding2D { padding: [[0, 2], [0, 2]] }, &[coarse])?;
    let x = block_with(&mut b, "top_0", x, TOP, 2, Padding::Valid)?;
    let x = residual(&mut b, "top_1", x, TOP)?;
    let top = residual(&mut b, "top_2", x, TOP)?;

    let top = lateral(&mut b, "neck_top", top, NECK)?;
    let coarse = lateral(&mut b, "neck_coarse", coarse, NECK)?;
    let up = b.add("neck_coarse_up", Op::UpSampling2D { size: [2, 2] }, &[coarse])?;
    let middle = lateral(&mut b, "neck_middle", middle, NECK)?;
    let middle = b.add("neck_middle_add", Op::Add, &[middle, up])?;
    let middle = block(&mut b, "neck_middle_out", middle, NECK, 1)?;
    let up = lateral(&mut b, "neck_fine", middle, FINE)?;
    let up = b.add("neck_middle_up", Op::UpSampling2D { size: [2, 2] }, &[up])?;
    let fine = b.add("neck_fine_add", Op::Add, &[fine, up])?;
    let fine = block(&mut b, "neck_fine_out", fine, FINE, 1)?;

    let mut rows = Vec::new();
    for (name, x) in LEVELS.into_iter().zip([fine, middle, coarse, top]) {
        let channels = if name == LEVELS[0] { FINE } else { NECK };
        let x = block(&mut b, &format!("head_{name}"), x, channels, 1)?;
        let x = b.add(head(name), convolution(VALUES, [1, 1], 1, true), &[x])?;
        rows.push(b.add(format!("head_{name}_row"), Op::Flatten, &[x])?);
    }
    b.add("cells", Op::Concatenate, &rows)?;
    b.finish()
}

/// What the levels are called in the names of layers, finest first.
const LEVELS: [&str; 4] = ["fine", "middle", "coarse", "top"];

/// Names of the layers that give the cells' values.
pub fn heads() -> [String; 4] {
    LEVELS.map(head)
}

fn head(name: &str) -> String {
    format!("head_{name}_values")
}

pub(super) fn convolution(filters: usize, kernel_size: [usize; 2], stride: usize, use_bias: bool) -> Op {
    Op::Conv2D {
        filters,
        kernel_size,
        strides: [stride; 2],
        padding: Padding::Same,
        use_bias,
        activation: Activation::Linear,
    }
}

pub(super) fn normalised(b: &mut GraphBuilder, name: &str, x: LayerId) -> Result<LayerId> {
    let norm = Op::BatchNormalization { epsilon: 1e-3, momentum: 0.98 };
    let x = b.add(format!("{name}_bn"), norm, &[x])?;
    b.add(format!("{name}_relu"), Op::Activation { function: Activation::Relu }, &[x])
}

pub(super) fn block(
    b: &mut GraphBuilder,
    name: &str,
    x: LayerId,
    channels: usize,
    stride: usize,
) -> Result<LayerId> {
    block_with(b, name, x, channels, stride, Padding::Same)
}

fn block_with(
    b: &mut GraphBuilder,
    name: &str,
    x: LayerId,
    channels: usize,
    stride: usize,
    padding: Padding,
) -> Result<LayerId> {
    let depthwise =
        Op::DepthwiseConv2D { kernel_size: [3, 3], strides: [stride; 2], padding, use_bias: false };
    let x = b.add(format!("{name}_depthwise"), depthwise, &[x])?;
    let x = b.add(format!("{name}_pointwise"), convolution(channels, [1, 1], 1, false), &[x])?;
    normalised(b, name, x)
}

pub(super) fn residual(b: &mut GraphBuilder, name: &str, x: LayerId, channels: usize) -> Result<LayerId> {
    let y = block(b, name, x, channels, 1)?;
    b.add(format!("{name}_add"), Op::Add, &[x, y])
}

fn lateral(b: &mut GraphBuilder, name: &str, x: LayerId, channels: usize) -> Result<LayerId> {
    let x = b.add(name, convolution(channels, [1, 1], 1, false), &[x])?;
    normalised(b, name, x)
}

/// The cells of all levels for an input of this size, in the order of the network's output: stride, column, row.
pub fn cells(height: usize, width: usize) -> impl Iterator<Item = (usize, usize, usize)> {
    STRIDES.into_iter().flat_map(move |stride| {
        let (rows, columns) = (height.div_ceil(stride), width.div_ceil(stride));
        (0..rows).flat_map(move |row| (0..columns).map(move |column| (stride, column, row)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_output_has_five_values_a_cell_and_few_parameters() {
        for (height, width) in [(96, 160), (64, 128), (32, 32), (480, 640)] {
            let graph = network(height, width).unwrap();
            assert_eq!(graph.output_shape(), &vec![cells(height, width).count() * VALUES]);
        }
        let graph = network(96, 160).unwrap();
        let (all, _) = graph.parameter_count();
        assert!(all < 300_000, "{all} parameters");
        for name in heads() {
            assert!(graph.layer(&name).is_some(), "{name}");
        }
    }
}
