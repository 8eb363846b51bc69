//! Which buffer holds the gradient of which node, and when it is free again.

use crate::lowering::{Kind, Lowered, NodeId, ParameterId};

/// How a node hands its gradient to one of its inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Handover {
    /// Nothing before that input learns: no gradient is needed.
    Skip,
    /// The input's gradient takes over this node's buffer, changed in place.
    InPlace,
    /// The input's gradient is written for the first time.
    Write,
    /// Added to what another reader has written already.
    Accumulate,
}

/// The plan of the backward pass. Sizes are per example.
pub(super) struct Plan {
    slot_of: Vec<Option<usize>>,
    handovers: Vec<Vec<Handover>>,
    sizes: Vec<usize>,
}

impl Plan {
    /// Plans over all nodes from the last to the first.
    pub(super) fn new(lowered: &Lowered, is_trainable: impl Fn(ParameterId) -> bool) -> Self {
        let nodes = &lowered.nodes;
        let mut learns = vec![false; nodes.len()];
        for (id, node) in nodes.iter().enumerate() {
            learns[id] = node.inputs.iter().any(|&i| learns[i])
                || own_parameter(&node.kind).is_some_and(&is_trainable);
        }
        let mut plan = Plan {
            slot_of: vec![None; nodes.len()],
            handovers: nodes.iter().map(|n| vec![Handover::Skip; n.inputs.len()]).collect(),
            sizes: Vec::new(),
        };
        let mut free: Vec<usize> = Vec::new();
        let Some(last) = nodes.len().checked_sub(1) else { return plan };
        if learns[last] {
            plan.slot_of[last] = Some(plan.claim(&mut free, nodes[last].len()));
        }
        for id in (0..nodes.len()).rev() {
            let Some(own) = plan.slot_of[id] else { continue };
            let mut handed_on = false;
            // Last input first: the second input of an addition is the residual branch, whose
            // gradient then needs no copy.
            for which in (0..nodes[id].inputs.len()).rev() {
                let input = nodes[id].inputs[which];
                let handover = if !learns[input] {
                    Handover::Skip
                } else if plan.slot_of[input].is_some() {
                    Handover::Accumulate
                } else if keeps_size(&nodes[id].kind) && !handed_on {
                    handed_on = true;
                    plan.slot_of[input] = Some(own);
                    Handover::InPlace
                } else {
                    plan.slot_of[input] = Some(plan.claim(&mut free, nodes[input].len()));
                    Handover::Write
                };
                plan.handovers[id][which] = handover;
            }
            if !handed_on {
                free.push(own);
            }
        }
        plan
    }

    /// The smallest free buffer that is large enough, else the largest one grown, else a new one.
    fn claim(&mut self, free: &mut Vec<usize>, size: usize) -> usize {
        let fitting = free.iter().enumerate().filter(|(_, s)| self.sizes[**s] >= size);
        let best = fitting.min_by_key(|(_, s)| self.sizes[**s]).map(|(at, _)| at);
        let largest = || free.iter().enumerate().max_by_key(|(_, s)| self.sizes[**s]).map(|(at, _)| at);
        match best.or_else(largest) {
            Some(at) => {
                let slot = free.swap_remove(at);
                self.sizes[slot] = self.sizes[slot].max(size);
                slot
            }
            None => {
                self.sizes.push(size);
                self.sizes.len() - 1
            }
        }
    }

    /// Values of each buffer, per example.
    pub(super) fn sizes(&self) -> &[usize] {
        &self.sizes
    }

    /// Whether no node needs a gradient.
    pub(super) fn nothing_to_learn(&self) -> bool {
        self.slot_of.iter().all(Option::is_none)
    }

    /// Whether a gradient reaches this node.
    pub(super) fn reaches(&self, id: NodeId) -> bool {
        self.slot_of[id].is_some()
    }

    /// How this node hands its gradient to its input number `which`.
    pub(super) fn handover(&self, id: NodeId, which: usize) -> Handover {
        self.handovers[id][which]
    }

    /// Takes the buffer of a node's gradient out, to work on it beside others.
    pub(super) fn take(&self, buffers: &mut [Vec<f32>], id: NodeId) -> Vec<f32> {
        self.slot_of[id].map(|slot| std::mem::take(&mut buffers[slot])).unwrap_or_default()
    }

    /// Puts it back.
    pub(super) fn put(&self, buffers: &mut [Vec<f32>], id: NodeId, buffer: Vec<f32>) {
        if let Some(slot) = self.slot_of[id] {
            buffers[slot] = buffer;
        }
    }
}

fn own_parameter(kind: &Kind) -> Option<ParameterId> {
    match kind {
        Kind::Conv { kernel, .. } | Kind::Depthwise { kernel, .. } | Kind::Dense { kernel, .. } => {
            Some(*kernel)
        }
        Kind::Norm { gamma, .. } => Some(*gamma),
        _ => None,
    }
}

/// Whether the gradient of the input has the same size and can be made in place.
fn keeps_size(kind: &Kind) -> bool {
    matches!(kind, Kind::Norm { .. } | Kind::Clamp { .. } | Kind::Dropout { .. } | Kind::Add | Kind::Flatten)
}
