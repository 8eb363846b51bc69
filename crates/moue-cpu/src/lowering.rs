//! The shared lowering, and what of it this engine cannot run.

use moue_graph::{Error, Graph, Result};

pub(crate) use moue_graph::lowering::{Kind, Lowered, Node, NodeId, ParameterId};

/// Largest side of a depthwise kernel.
const MAX_DEPTHWISE: usize = 8;

/// Lowers a graph. A softmax at its end is left out: engines give logits.
pub(crate) fn lower(graph: &Graph) -> Result<Lowered> {
    let lowered = moue_graph::lowering::lower(graph)?;
    for node in &lowered.nodes {
        if let Kind::Depthwise { window, .. } = &node.kind
            && window.kernel.iter().any(|&side| side > MAX_DEPTHWISE)
        {
            return Err(Error::Graph {
                layer: graph.layers()[node.layer].name.clone(),
                reason: format!(
                    "the CPU engine runs depthwise kernels of at most {MAX_DEPTHWISE}x{MAX_DEPTHWISE}"
                ),
            });
        }
    }
    Ok(lowered)
}
