//! What an inference session does, step by step, and which buffer each step writes.

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
    Add,
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
    Pool {
        input: usize,
    },
    Dense {
        kernel: Vec<f32>,
        bias: Vec<f32>,
        bounds: (f32, f32),
    },
}

/// One step: reads buffers, writes `len` values of another.
pub(super) struct Step {
    pub work: Work,
    pub inputs: Vec<usize>,
    pub output: usize,
    pub len: usize,
}

/// All steps, and the size of each buffer.
pub(super) struct Plan {
    steps: Vec<Step>,
    buffers: Vec<usize>,
    input: (usize, usize),
    output: (usize, usize),
}

impl Plan {
    pub(super) fn new(lowered: &Lowered, specs: &[ParameterSpec], weights: &Weights) -> Result<Self> {
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
                Kind::Add => Some(Work::Add),
                Kind::Concatenate => {
                    let parts = node.inputs.iter().map(|&i| nodes[i].channels()).collect();
                    Some(Work::Concatenate { parts })
                }
                Kind::Upsample { size } => {
                    let input = &nodes[node.inputs[0]];
                    let (row, channels) = (input.shape[1] * input.channels(), input.channels());
                    Some(Work::Upsample { row, channels, size: *size })
                }
                Kind::Pool => Some(Work::Pool { input: nodes[node.inputs[0]].len() }),
                Kind::Dropout { .. } | Kind::Flatten => {
                    alias[id] = alias[node.inputs[0]];
                    None
                }
            };
            works.push(work);
        }
        Ok(Self::with_buffers(lowered, works, &alias))
    }

    /// Gives every step a buffer that no later reader still needs.
    fn with_buffers(lowered: &Lowered, works: Vec<Option<Work>>, alias: &[NodeId]) -> Self {
        let nodes = &lowered.nodes;
        let output = alias[nodes.len() - 1];
        let mut last_use = vec![0; nodes.len()];
        for (id, node) in nodes.iter().enumerate() {
            for &i in &node.inputs {
                last_use[alias[i]] = last_use[alias[i]].max(id);
            }
        }
        last_use[output] = usize::MAX;
        let mut buffers: Vec<usize> = vec![nodes[0].len()];
        let mut buffer_of = vec![0; nodes.len()];
        let mut free: Vec<usize> = Vec::new();
        let mut steps = Vec::new();
        for (id, work) in works.into_iter().enumerate() {
            if let Some(work) = work {
                let len = nodes[id].len();
                let best = (0..free.len()).min_by_key(|&at| buffers[free[at]].abs_diff(len));
                let buffer = match best {
                    Some(at) => free.swap_remove(at),
                    None => {
                        buffers.push(0);
                        buffers.len() - 1
                    }
                };
                buffers[buffer] = buffers[buffer].max(len);
                buffer_of[id] = buffer;
                let inputs = nodes[id].inputs.iter().map(|&i| buffer_of[alias[i]]).collect();
                steps.push(Step { work, inputs, output: buffer, len });
            }
            for earlier in 0..=id {
                if alias[earlier] == earlier && last_use[earlier] == id && earlier != output {
                    free.push(buffer_of[earlier]);
                }
            }
        }
        Self { steps, input: (0, nodes[0].len()), output: (buffer_of[output], nodes[output].len()), buffers }
    }

    pub(super) fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Values of each buffer.
    pub(super) fn buffers(&self) -> &[usize] {
        &self.buffers
    }

    pub(super) fn input_buffer(&self) -> usize {
        self.input.0
    }

    pub(super) fn input_len(&self) -> usize {
        self.input.1
    }

    pub(super) fn output_buffer(&self) -> usize {
        self.output.0
    }

    pub(super) fn output_len(&self) -> usize {
        self.output.1
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
        | Work::Affine { bounds, .. } => {
            *bounds = (bounds.0.max(limits.0), bounds.1.min(limits.1));
            true
        }
        _ => false,
    }
}
