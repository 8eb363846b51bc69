//! What an inference session does, step by step, and where in the arena each step writes.

use std::ops::Range;

use moue_graph::{ParameterSpec, Result, Weights};

use super::depthwise::Depthwise;
use super::works::{Work, Works};
use crate::Level;
use crate::aligned::LINE;
use crate::kernels::Window;
use crate::kernels::product::{Convolution, Panels};
use crate::lowering::{Lowered, NodeId};

/// Pictures that one thread takes through the small layers together, so that their weights, read from far
/// away, serve several pictures.
const GROUP: usize = 4;

/// Bytes of input and output up to which a step's pictures are worked on together: what a core keeps
/// close while the weights pass by.
const GROUP_BYTES: usize = 512 << 10;

/// What a step does.
pub(super) enum Action {
    /// Sums over all channels: convolutions and dense layers.
    Convolve(Convolution),
    /// Depthwise convolution, with the convolution before it where only it reads that one.
    Depthwise(Box<Depthwise>),
    /// Anything else.
    Plain(Work),
}

/// One step: reads and writes values of the arena.
pub(super) struct Step {
    pub action: Action,
    pub inputs: Vec<Place>,
    /// Added before the clamp of a convolution.
    pub residual: Option<Place>,
    pub output: Place,
}

/// Where the values of a node stand.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    /// Index of the first value in the arena; the pictures themselves stand with the caller.
    pub start: Option<usize>,
    /// Values of one picture.
    pub len: usize,
    /// Whether several pictures stand side by side.
    pub grouped: bool,
}

/// All steps and the memory they need.
pub(super) struct Plan {
    pub steps: Vec<Step>,
    /// Steps done picture by picture; the rest take a group at once.
    pub alone: usize,
    /// Most pictures in a group.
    pub group: usize,
    /// Values of the arena of one thread.
    pub arena: usize,
    /// Values of scratch memory of one thread.
    pub scratch: usize,
    pub input: usize,
    pub output: Place,
}

/// A step before places are given out: nodes instead of places.
struct Draft {
    action: Action,
    inputs: Vec<NodeId>,
    residual: Option<NodeId>,
    output: NodeId,
}

impl Plan {
    pub fn new(
        level: Level,
        lowered: &Lowered,
        specs: &[ParameterSpec],
        weights: &Weights,
        max_batch: usize,
    ) -> Result<Self> {
        let works = Works::new(lowered, specs, weights)?;
        let mut len: Vec<usize> = lowered.nodes.iter().map(|n| n.len()).collect();
        let group = max_batch.min(GROUP);
        let output = works.output;
        let drafts = fuse(level, works, &mut len, group);
        Ok(Self::place(drafts, &len, output, group))
    }

    /// Gives each node's values a place that nothing else needs at the time.
    fn place(drafts: Vec<Draft>, len: &[usize], output: NodeId, group: usize) -> Self {
        let bytes = |draft: &Draft| {
            4 * group * (len[draft.output] + draft.inputs.iter().map(|&i| len[i]).sum::<usize>())
        };
        let alone = if group == 1 {
            0
        } else {
            drafts.iter().rposition(|draft| bytes(draft) > GROUP_BYTES).map_or(0, |last| last + 1)
        };
        // First and last step that touch a node, and whether it holds a group.
        let mut life: Vec<Option<(usize, usize, bool)>> = vec![None; len.len()];
        let end = drafts.len();
        for (at, draft) in drafts.iter().enumerate() {
            let read = draft.inputs.iter().chain(&draft.residual);
            for &node in read.chain([&draft.output]) {
                let grouped = at >= alone;
                let (first, last, before) = life[node].unwrap_or((at, at, grouped));
                life[node] = Some((first, last.max(at), before || grouped));
            }
        }
        if let Some((_, last, grouped)) = &mut life[output] {
            *last = end;
            *grouped = true;
        }
        for (first, _, grouped) in life.iter_mut().flatten() {
            // While later pictures go through the first steps, the results of earlier ones wait.
            if *grouped && *first < alone {
                *first = 0;
            }
        }
        let mut taken: Vec<(Range<usize>, (usize, usize))> = Vec::new();
        let mut places: Vec<Place> =
            len.iter().map(|&len| Place { start: None, len, grouped: true }).collect();
        let mut arena = 0;
        for node in 1..len.len() {
            let Some((first, last, grouped)) = life[node] else { continue };
            let size = (len[node] * if grouped { group } else { 1 }).next_multiple_of(LINE);
            let mut rivals: Vec<&Range<usize>> = taken
                .iter()
                .filter(|(_, life)| first <= life.1 && life.0 <= last)
                .map(|(range, _)| range)
                .collect();
            rivals.sort_unstable_by_key(|range| range.start);
            let mut start = 0;
            for rival in rivals {
                if start + size <= rival.start {
                    break;
                }
                start = start.max(rival.end);
            }
            taken.push((start..start + size, (first, last)));
            arena = arena.max(start + size);
            places[node] = Place { start: Some(start), len: len[node], grouped };
        }
        let scratch = drafts
            .iter()
            .map(|draft| match &draft.action {
                Action::Depthwise(step) => step.scratch(),
                _ => 0,
            })
            .max();
        let steps = drafts
            .into_iter()
            .map(|draft| Step {
                action: draft.action,
                inputs: draft.inputs.iter().map(|&i| places[i]).collect(),
                residual: draft.residual.map(|i| places[i]),
                output: places[draft.output],
            })
            .collect();
        let scratch = scratch.unwrap_or(0);
        Self { steps, alone, group, arena, scratch, input: len[0], output: places[output] }
    }
}

/// Turns works into steps: packs weights, lets a depthwise convolution make its own input, and lets a
/// convolution add what is added to it. Nodes for padded inputs are appended to `len`.
fn fuse(level: Level, works: Works, len: &mut Vec<usize>, group: usize) -> Vec<Draft> {
    let Works { mut works, inputs, output } = works;
    let mut readers = vec![0usize; works.len()];
    for (id, work) in works.iter().enumerate() {
        if work.is_some() {
            inputs[id].iter().for_each(|&i| readers[i] += 1);
        }
    }
    readers[output] += 1;
    let is_conv = |work: &Option<Work>| matches!(work, Some(Work::Conv { .. }));

    // Sums whose later term is a convolution that nobody else reads: the convolution adds.
    let mut residual: Vec<Option<(NodeId, NodeId)>> = vec![None; works.len()];
    for id in 0..works.len() {
        let Some(Work::Add { bounds }) = works[id] else { continue };
        let [a, b] = inputs[id][..] else { continue };
        let (early, late) = (a.min(b), a.max(b));
        if early != late && readers[late] == 1 && is_conv(&works[late]) && residual[late].is_none() {
            let Some(Work::Conv { bounds: own, .. }) = &mut works[late] else { continue };
            if *own == (f32::NEG_INFINITY, f32::INFINITY) {
                *own = bounds;
                residual[late] = Some((early, id));
                works[id] = None;
            }
        }
    }
    // Convolutions that only a depthwise one reads: it makes its rows as it needs them.
    let mut swallowed = vec![false; works.len()];
    for id in 0..works.len() {
        if matches!(works[id], Some(Work::Depthwise { .. })) {
            let from = inputs[id][0];
            swallowed[from] = readers[from] == 1 && is_conv(&works[from]) && residual[from].is_none();
        }
    }

    let mut drafts = Vec::new();
    let mut producers: Vec<Option<(Convolution, NodeId)>> = works.iter().map(|_| None).collect();
    for id in 0..works.len() {
        let Some(work) = works[id].take() else { continue };
        match work {
            Work::Conv { window, kernel, bias, bounds } => {
                let (inner, input) = padded(&window, inputs[id][0], len, &mut drafts);
                // A product works on rows of one picture, or on all pixels at once where each stands alone.
                let pixels = if window.is_pointwise() {
                    if swallowed[id] { inner.output[1] } else { group * inner.output[0] * inner.output[1] }
                } else {
                    inner.output[1]
                };
                let panels = Panels::new(level, &kernel, &bias, pixels);
                let conv = Convolution { window: inner, panels, bounds };
                if swallowed[id] {
                    producers[id] = Some((conv, input));
                    continue;
                }
                let (added, output) = residual[id].map_or((None, id), |(from, sum)| (Some(from), sum));
                drafts.push(Draft {
                    action: Action::Convolve(conv),
                    inputs: vec![input],
                    residual: added,
                    output,
                });
            }
            Work::Dense { kernel, bias, bounds } => {
                let columns = bias.len();
                let window = Window {
                    input: [1, 1, kernel.len() / columns],
                    output: [1, 1, columns],
                    kernel: [1, 1],
                    strides: [1, 1],
                    before: [0, 0],
                };
                let panels = Panels::new(level, &kernel, &bias, group);
                let action = Action::Convolve(Convolution { window, panels, bounds });
                drafts.push(Draft { action, inputs: inputs[id].clone(), residual: None, output: id });
            }
            Work::Depthwise { window, kernel, bias, bounds } => {
                let (producer, input) = match producers[inputs[id][0]].take() {
                    Some((conv, input)) => (Some(conv), input),
                    None => (None, inputs[id][0]),
                };
                let step = Depthwise::new(level, producer, window, &kernel, &bias, bounds);
                let action = Action::Depthwise(Box::new(step));
                drafts.push(Draft { action, inputs: vec![input], residual: None, output: id });
            }
            work => {
                let action = Action::Plain(work);
                drafts.push(Draft { action, inputs: inputs[id].clone(), residual: None, output: id });
            }
        }
    }
    drafts
}

/// The window over an input that includes the borders, and the node that holds it; the step that makes
/// it is added where there are borders.
fn padded(w: &Window, input: NodeId, len: &mut Vec<usize>, drafts: &mut Vec<Draft>) -> (Window, NodeId) {
    let side = |axis: usize| (w.output[axis] - 1) * w.strides[axis] + w.kernel[axis];
    let whole = [side(0).max(w.input[0] + w.before[0]), side(1).max(w.input[1] + w.before[1]), w.input[2]];
    if whole == w.input {
        return (*w, input);
    }
    let inner = Window { input: whole, before: [0, 0], ..*w };
    let pad = Window { output: whole, kernel: [1, 1], strides: [1, 1], ..*w };
    let node = len.len();
    len.push(pad.output_len());
    drafts.push(Draft {
        action: Action::Plain(Work::Pad { window: pad }),
        inputs: vec![input],
        residual: None,
        output: node,
    });
    (inner, node)
}
