//! The second network: one face at a time, from near.
//!
//! What the first network takes for a face is cut out with what is around it and looked at again, as in the cascades of MTCNN
//! (Zhang et al. 2016) and PCN (Shi et al. 2018): is it a face, where exactly, and by how much is it turned. The first
//! network finds faces turned by any angle, but not by which: it would need many more channels at its finest level, where
//! nearly all of its time goes. A cutout costs a fiftieth of a picture.

use moue_graph::{Activation, Graph, Op, Padding, Result};

use super::network::{block, convolution, normalised, residual};

/// Pixels a side of a cutout.
pub const SIDE: usize = 64;

/// Side of a cutout over that of the box in its middle (root of the area).
pub const AROUND: f32 = 1.9;

/// Values that the network gives: score logit; offset of the centre across and down, in sides of the box that was cut out;
/// logarithms of width and height of the face held upright over that side; sine and cosine of the roll, times a length that
/// tells how clear it is.
pub const VALUES: usize = 7;

/// What the names of the layers begin with, so that both networks' weights can lie in one file.
pub const PREFIX: &str = "refine_";

/// Name of the layer that gives the values.
pub fn head() -> String {
    format!("{PREFIX}values")
}

/// The network. Its input is that of the [first](super::network::network) for a picture of [`SIDE`] pixels a side.
///
/// # Errors
/// None in a sound build.
pub fn network() -> Result<Graph> {
    let mut b = Graph::builder("moue_face_refine");
    let name = |part: &str| format!("{PREFIX}{part}");
    let x = b.add(name("input"), Op::InputLayer { shape: vec![SIDE / 2, SIDE / 2, 4] }, &[])?;
    let x = b.add(name("stem"), convolution(24, [3, 3], 1, false), &[x])?;
    let x = normalised(&mut b, &name("stem"), x)?;
    let x = block(&mut b, &name("near_0"), x, 48, 2)?;
    let x = residual(&mut b, &name("near_1"), x, 48)?;
    let x = residual(&mut b, &name("near_2"), x, 48)?;
    let x = block(&mut b, &name("middle_0"), x, 80, 2)?;
    let x = residual(&mut b, &name("middle_1"), x, 80)?;
    let x = residual(&mut b, &name("middle_2"), x, 80)?;
    let x = block(&mut b, &name("far_0"), x, 128, 2)?;
    let x = residual(&mut b, &name("far_1"), x, 128)?;
    // All places of the last map in one sum: where an eye is tells as much as that there is one.
    let whole = Op::Conv2D {
        filters: 96,
        kernel_size: [4, 4],
        strides: [1, 1],
        padding: Padding::Valid,
        use_bias: false,
        activation: Activation::Linear,
    };
    let x = b.add(name("whole"), whole, &[x])?;
    let x = normalised(&mut b, &name("whole"), x)?;
    let x = b.add(head(), convolution(VALUES, [1, 1], 1, true), &[x])?;
    b.add(name("row"), Op::Flatten, &[x])?;
    b.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_output_is_seven_values() {
        let graph = network().unwrap();
        assert_eq!(graph.output_shape(), &vec![VALUES]);
        let (all, _) = graph.parameter_count();
        assert!(all < 350_000, "{all} parameters");
    }
}
