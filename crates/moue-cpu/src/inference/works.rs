//! What a network computes in inference, with its constants: a moving-statistics normalisation is part
//! of the kernel before it, an activation is an interval that sums are clamped to.

use moue_graph::{ParameterSpec, Result, Weights};

use crate::kernels::Window;
use crate::kernels::activation::bounds;
use crate::lowering::{Kind, Lowered, NodeId};

/// The arithmetic of a step with its constants.
pub(super) enum Work {
    Pad {
        window: Window,
    },
    Conv {
        window: Window,
        kernel: Vec<f32>,
        bias: Vec<f32>,
        bounds: (f32, f32),
    },
    Depthwise {
        window: Window,
        kernel: Vec<f32>,
        bias: Vec<f32>,
        bounds: (f32, f32),
    },
    Affine {
        scale: Vec<f32>,
        shift: Vec<f32>,
        bounds: (f32, f32),
    },
    Clamp {
        bounds: (f32, f32),
    },
    Add {
        bounds: (f32, f32),
    },
    /// Rows of these lengths side by side.
    Concatenate {
        parts: Vec<usize>,
    },
    /// Rows of `row` values and pixels of `channels`, repeated down and across.
    Upsample {
        row: usize,
        channels: usize,
        size: [usize; 2],
    },
    Pool,
    Dense {
        kernel: Vec<f32>,
        bias: Vec<f32>,
        bounds: (f32, f32),
    },
}

/// What each node of a lowered graph comes to once normalisations and clamps are folded into the node
/// before them.
pub(super) struct Works {
    /// The work of each node; `None` where another node holds its result.
    pub works: Vec<Option<Work>>,
    /// The nodes each node reads, led to the nodes that hold the results.
    pub inputs: Vec<Vec<NodeId>>,
    /// The node that holds the logits.
    pub output: NodeId,
}

impl Works {
    pub fn new(lowered: &Lowered, specs: &[ParameterSpec], weights: &Weights) -> Result<Self> {
        let nodes = &lowered.nodes;
        let values = |id: usize| -> Result<&[f32]> {
            weights.values(&specs[id].name, specs[id].shape.iter().product())
        };
        let constant = |id: Option<usize>, n: usize| -> Result<Vec<f32>> {
            id.map_or_else(|| Ok(vec![0.0; n]), |id| Ok(values(id)?.to_vec()))
        };
        // Nodes whose work another node's step does; `alias` leads to the node that holds the result.
        let mut works: Vec<Option<Work>> = Vec::new();
        let mut alias: Vec<NodeId> = (0..nodes.len()).collect();
        for (id, node) in nodes.iter().enumerate() {
            let n = node.channels();
            let none = bounds(moue_graph::Activation::Linear);
            let work = match &node.kind {
                Kind::Input => None,
                Kind::Pad { window } => Some(Work::Pad { window: *window }),
                Kind::Conv { window, kernel, bias } => Some(Work::Conv {
                    window: *window,
                    kernel: values(*kernel)?.to_vec(),
                    bias: constant(*bias, n)?,
                    bounds: none,
                }),
                Kind::Depthwise { window, kernel, bias } => Some(Work::Depthwise {
                    window: *window,
                    kernel: values(*kernel)?.to_vec(),
                    bias: constant(*bias, n)?,
                    bounds: none,
                }),
                Kind::Dense { kernel, bias } => Some(Work::Dense {
                    kernel: values(*kernel)?.to_vec(),
                    bias: constant(*bias, n)?,
                    bounds: none,
                }),
                Kind::Norm { gamma, epsilon, activation, .. } => {
                    let (scale, shift) = affine(
                        [values(*gamma)?, values(gamma + 1)?, values(gamma + 2)?, values(gamma + 3)?],
                        *epsilon,
                    );
                    let limits = bounds(*activation);
                    let source = alias[node.inputs[0]];
                    let alone = only_reader(lowered, &alias, node.inputs[0]);
                    if alone && works[source].as_mut().is_some_and(|w| fold(w, &scale, &shift, limits)) {
                        alias[id] = source;
                        None
                    } else {
                        Some(Work::Affine { scale, shift, bounds: limits })
                    }
                }
                Kind::Clamp { activation } => {
                    let limits = bounds(*activation);
                    let source = alias[node.inputs[0]];
                    let alone = only_reader(lowered, &alias, node.inputs[0]);
                    if alone && works[source].as_mut().is_some_and(|w| clamp(w, limits)) {
                        alias[id] = source;
                        None
                    } else {
                        Some(Work::Clamp { bounds: limits })
                    }
                }
                Kind::Add => Some(Work::Add { bounds: none }),
                Kind::Concatenate => {
                    let parts = node.inputs.iter().map(|&i| nodes[i].channels()).collect();
                    Some(Work::Concatenate { parts })
                }
                Kind::Upsample { size } => {
                    let input = &nodes[node.inputs[0]];
                    let (row, channels) = (input.shape[1] * input.channels(), input.channels());
                    Some(Work::Upsample { row, channels, size: *size })
                }
                Kind::Pool => Some(Work::Pool),
                Kind::Dropout { .. } | Kind::Flatten => {
                    alias[id] = alias[node.inputs[0]];
                    None
                }
            };
            works.push(work);
        }
        let inputs = nodes.iter().map(|n| n.inputs.iter().map(|&i| alias[i]).collect()).collect();
        Ok(Self { works, inputs, output: alias[nodes.len() - 1] })
    }
}

/// Whether nothing but one node reads this node and all that share its buffer.
fn only_reader(lowered: &Lowered, alias: &[NodeId], mut id: NodeId) -> bool {
    loop {
        if lowered.readers[id].len() != 1 {
            return false;
        }
        if alias[id] == id {
            return true;
        }
        id = lowered.nodes[id].inputs[0];
    }
}

/// Normalisation by moving statistics as `scale * x + shift`.
fn affine([gamma, beta, mean, variance]: [&[f32]; 4], epsilon: f32) -> (Vec<f32>, Vec<f32>) {
    (0..gamma.len())
        .map(|c| {
            let scale = f64::from(gamma[c]) / (f64::from(variance[c]) + f64::from(epsilon)).sqrt();
            (scale as f32, (f64::from(beta[c]) - f64::from(mean[c]) * scale) as f32)
        })
        .unzip()
}

/// Folds a normalisation into the kernel before it; `false` where something stands between.
fn fold(work: &mut Work, scale: &[f32], shift: &[f32], limits: (f32, f32)) -> bool {
    let (Work::Conv { kernel, bias, bounds, .. }
    | Work::Depthwise { kernel, bias, bounds, .. }
    | Work::Dense { kernel, bias, bounds }) = work
    else {
        return false;
    };
    // A flattened feature map has another number of channels than the step that made it.
    if *bounds != (f32::NEG_INFINITY, f32::INFINITY) || bias.len() != scale.len() {
        return false;
    }
    for row in kernel.chunks_exact_mut(scale.len()) {
        for (k, s) in row.iter_mut().zip(scale) {
            *k *= s;
        }
    }
    for ((b, scale), shift) in bias.iter_mut().zip(scale).zip(shift) {
        *b = *b * scale + shift;
    }
    *bounds = limits;
    true
}

/// Fuses a clamp into the step before it; `false` where that step cannot clamp.
fn clamp(work: &mut Work, limits: (f32, f32)) -> bool {
    match work {
        Work::Conv { bounds, .. }
        | Work::Depthwise { bounds, .. }
        | Work::Dense { bounds, .. }
        | Work::Affine { bounds, .. }
        | Work::Add { bounds } => {
            *bounds = (bounds.0.max(limits.0), bounds.1.min(limits.1));
            true
        }
        _ => false,
    }
}
