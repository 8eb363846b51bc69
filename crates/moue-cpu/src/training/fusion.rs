//! Which normalised activations are never written to memory, and who finishes their gradients.
//!
//! Memory traffic decides how long a training step takes. What a normalisation makes of its input is
//! cheap to compute again, so where all its readers can do that on the way, only its input is kept. In
//! the same way the gradient by the input of a normalisation is made on the way by the convolution
//! before it, and the convolution after it gathers the sums that this takes.

use crate::kernels::Window;
use crate::lowering::{Kind, Lowered, NodeId};

/// What is fused, by node; all false or none for nodes that are not normalisations.
pub(super) struct Fusion {
    /// The output is not stored: readers compute it from the input.
    pub unstored: Vec<bool>,
    /// The gradient by the input is not stored: the convolution before computes it from the masked
    /// gradient and its own output.
    pub slopes_only: Vec<bool>,
    /// The reader that masks the gradient and sums it, being the last to add to it.
    pub finisher: Vec<Option<NodeId>>,
}

impl Fusion {
    pub fn new(lowered: &Lowered, needs_gradient: impl Fn(NodeId) -> bool) -> Self {
        let nodes = &lowered.nodes;
        let mut fusion = Self {
            unstored: vec![false; nodes.len()],
            slopes_only: vec![false; nodes.len()],
            finisher: vec![None; nodes.len()],
        };
        for (id, node) in nodes.iter().enumerate() {
            if !matches!(node.kind, Kind::Norm { .. }) {
                continue;
            }
            let readers = &lowered.readers[id];
            fusion.unstored[id] = node.shape.len() == 3
                && !readers.is_empty()
                && readers.iter().all(|&r| match &nodes[r].kind {
                    Kind::Conv { window, .. } => window.is_pointwise(),
                    Kind::Depthwise { .. } | Kind::Add | Kind::Pool => true,
                    _ => false,
                });
            // Nodes are run backwards: the reader with the smallest number is the last.
            let last = readers.iter().copied().min().filter(|_| fusion.unstored[id]);
            fusion.finisher[id] =
                last.filter(|&r| matches!(nodes[r].kind, Kind::Conv { .. } | Kind::Depthwise { .. }));
            let before = node.inputs[0];
            let only_reader = lowered.readers[before] == [id];
            fusion.slopes_only[id] = only_reader
                && match &nodes[before].kind {
                    Kind::Conv { window, bias: None, .. } => {
                        handles_gradient(window) || !needs_gradient(nodes[before].inputs[0])
                    }
                    Kind::Depthwise { bias: None, .. } => true,
                    _ => false,
                };
        }
        fusion
    }
}

/// Whether the gradient by a convolution's input is made row by row.
pub(super) fn handles_gradient(window: &Window) -> bool {
    window.is_pointwise()
}
