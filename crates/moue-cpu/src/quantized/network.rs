//! Layers merged into operations with one stored output each.

use moue_graph::{Error, Graph, Op, Result};

use crate::kernels::Window;
use crate::kernels::activation::bounds;
use crate::lowering::{Kind, Lowered, Node, NodeId, ParameterId, lower};

/// The whole line: no clamp.
pub(super) const UNBOUNDED: (f32, f32) = (f32::NEG_INFINITY, f32::INFINITY);

/// What an operation computes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Work {
    /// The pictures.
    Input,
    /// Convolution over all channels.
    Conv(Window),
    /// Convolution of each channel alone.
    Depthwise(Window),
    /// Matrix product.
    Dense,
    /// Sum of two outputs.
    Add,
    /// A clamp alone.
    Clamp,
    /// Mean over pixels.
    Pool,
    /// Channels of all inputs side by side, each brought to the scale of the result.
    Concatenate,
    /// Pixels repeated down and across, as they are stored.
    Upsample([usize; 2]),
    /// The stored values without padding of pixels, as one row.
    Flatten,
}

impl Work {
    /// Whether values are moved as they are stored, so that the output has the scale of the input.
    pub fn keeps_scale(self) -> bool {
        matches!(self, Self::Upsample(_) | Self::Flatten)
    }
}

/// Where a kernel comes from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct KernelSource {
    pub kernel: ParameterId,
    pub bias: Option<ParameterId>,
    /// Batch normalisation behind it: its first parameter and epsilon.
    pub norm: Option<(ParameterId, f32)>,
}

/// What a convolution adds to its result.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Skip {
    /// Operation whose output is added.
    pub from: usize,
    /// How often each of its pixels is repeated, down and across.
    pub size: [usize; 2],
    /// Interval that the result is clamped to before the sum.
    pub before: (f32, f32),
}

/// One operation.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Operation {
    pub work: Work,
    pub kernel: Option<KernelSource>,
    /// Name of the layer that has the kernel; empty where there is none.
    pub kernel_layer: String,
    /// Operations read.
    pub inputs: Vec<usize>,
    /// What is added before the last clamp.
    pub skip: Option<Skip>,
    /// Interval that the result is clamped to.
    pub bounds: (f32, f32),
    /// Shape of the output.
    pub shape: Vec<usize>,
    /// Name of the layer whose output this is.
    pub layer: String,
    /// Whether the output is a part of the network's and read by nobody else: then sums become real values
    /// and are never stored.
    pub real: bool,
}

impl Operation {
    /// Operations whose outputs are read.
    pub fn sources(&self) -> impl Iterator<Item = usize> + '_ {
        self.inputs.iter().copied().chain(self.skip.map(|skip| skip.from))
    }

    /// Values of the output.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Channels of the output.
    pub fn channels(&self) -> usize {
        self.shape.last().copied().unwrap_or(1)
    }

    /// Pixels of the output.
    pub fn pixels(&self) -> usize {
        self.len() / self.channels().max(1)
    }
}

/// A part of the network's output.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Output {
    /// The operation that gives it.
    pub from: usize,
    /// Where its first pixel stands in the row of outputs.
    pub offset: usize,
    /// Values from one pixel to the next.
    pub step: usize,
}

/// All operations, inputs before their readers.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Network {
    pub operations: Vec<Operation>,
    /// Operations that read each operation's output.
    pub readers: Vec<Vec<usize>>,
    /// What the row of outputs is made of; together the parts fill it.
    pub outputs: Vec<Output>,
    /// Values of the network's output.
    pub classes: usize,
}

impl Network {
    /// An error that names the first layer for which there is no integer arithmetic.
    pub fn new(graph: &Graph) -> Result<Self> {
        let lowered = lower(graph)?;
        let mut merge = Merge { graph, lowered: &lowered, operations: Vec::new(), place: Vec::new() };
        for node in &lowered.nodes {
            let place = merge.place_of(node)?;
            merge.place.push(place);
        }
        let root = merge.place[lowered.nodes.len() - 1];
        let operations = merge.operations;
        let classes = operations[root].len();
        let outputs = outputs(&operations, root);
        Ok(prune(operations, outputs, classes))
    }

    /// The parts of the output that an operation gives.
    pub fn outputs_of(&self, id: usize) -> impl Iterator<Item = Output> + '_ {
        self.outputs.iter().copied().filter(move |output| output.from == id)
    }
}

/// Follows the output back through layers that only lay values side by side.
fn outputs(operations: &[Operation], root: usize) -> Vec<Output> {
    // Operations that nothing but such layers read, and that are such layers.
    let mut lays = vec![false; operations.len()];
    let mut readers = vec![Vec::new(); operations.len()];
    for (id, operation) in operations.iter().enumerate() {
        operation.sources().for_each(|source| readers[source].push(id));
    }
    for id in (0..=root).rev() {
        let operation = &operations[id];
        let wanted = id == root || !readers[id].is_empty();
        lays[id] = wanted
            && matches!(operation.work, Work::Concatenate | Work::Flatten)
            && operation.bounds == UNBOUNDED
            && readers[id].iter().all(|&reader| lays[reader]);
    }
    let step = operations[root].channels();
    let (mut open, mut outputs) = (vec![Output { from: root, offset: 0, step }], Vec::new());
    while let Some(output) = open.pop() {
        let operation = &operations[output.from];
        if !lays[output.from] {
            outputs.push(output);
        } else if operation.work == Work::Flatten {
            let from = operation.inputs[0];
            open.push(Output { from, step: operations[from].channels(), ..output });
        } else {
            let mut offset = output.offset;
            for &from in &operation.inputs {
                open.push(Output { from, offset, ..output });
                offset += operations[from].channels();
            }
        }
    }
    outputs.sort_unstable_by_key(|output| output.offset);
    outputs
}

/// Drops operations that no output needs, and marks those whose results stay real.
fn prune(operations: Vec<Operation>, mut outputs: Vec<Output>, classes: usize) -> Network {
    let mut needed = vec![false; operations.len()];
    // The pictures stand first, whoever reads them.
    needed[0] = true;
    outputs.iter().for_each(|output| needed[output.from] = true);
    for id in (0..operations.len()).rev() {
        if needed[id] {
            operations[id].sources().for_each(|source| needed[source] = true);
        }
    }
    let (mut renamed, mut kept) = (vec![0; operations.len()], Vec::new());
    for (id, mut operation) in operations.into_iter().enumerate() {
        if needed[id] {
            renamed[id] = kept.len();
            operation.inputs.iter_mut().for_each(|input| *input = renamed[*input]);
            operation.skip = operation.skip.map(|skip| Skip { from: renamed[skip.from], ..skip });
            kept.push(operation);
        }
    }
    outputs.iter_mut().for_each(|output| output.from = renamed[output.from]);
    let mut readers = vec![Vec::new(); kept.len()];
    for (id, operation) in kept.iter().enumerate() {
        operation.sources().for_each(|source| readers[source].push(id));
    }
    for (id, operation) in kept.iter_mut().enumerate() {
        let parts = outputs.iter().filter(|output| output.from == id).count();
        operation.real = matches!(operation.work, Work::Conv(_) | Work::Dense)
            && operation.skip.is_none()
            && readers[id].is_empty()
            && parts == 1;
    }
    Network { operations: kept, readers, outputs, classes }
}

struct Merge<'a> {
    graph: &'a Graph,
    lowered: &'a Lowered,
    operations: Vec<Operation>,
    /// The operation that holds each node's output.
    place: Vec<usize>,
}

impl Merge<'_> {
    /// The operation that computes a node: a new one, or one before it.
    fn place_of(&mut self, node: &Node) -> Result<usize> {
        let source = |i: usize| self.place[node.inputs[i]];
        match node.kind {
            Kind::Input => Ok(self.push(node, Work::Input, None)),
            Kind::Conv { window, kernel, bias } => {
                Ok(self.push(node, Work::Conv(window), Some(KernelSource { kernel, bias, norm: None })))
            }
            Kind::Depthwise { window, kernel, bias } => {
                Ok(self.push(node, Work::Depthwise(window), Some(KernelSource { kernel, bias, norm: None })))
            }
            Kind::Dense { kernel, bias } => {
                Ok(self.push(node, Work::Dense, Some(KernelSource { kernel, bias, norm: None })))
            }
            Kind::Norm { gamma, epsilon, activation, .. } => {
                let (at, alone) = (source(0), self.is_only_reader(node.inputs[0]));
                let open = alone && self.is_open(at) && self.operations[at].skip.is_none();
                let operation = &mut self.operations[at];
                match &mut operation.kernel {
                    Some(kernel) if open && kernel.norm.is_none() => kernel.norm = Some((gamma, epsilon)),
                    _ => return Err(self.unsupported(node, "a normalisation not right behind a kernel")),
                }
                operation.bounds = bounds(activation);
                operation.layer.clone_from(&self.graph.layers()[node.layer].name);
                Ok(at)
            }
            Kind::Clamp { activation } => {
                let (at, limits) = (source(0), bounds(activation));
                let work = self.operations[at].work;
                if self.is_only_reader(node.inputs[0]) && work != Work::Input && !work.keeps_scale() {
                    let operation = &mut self.operations[at];
                    operation.bounds = (operation.bounds.0.max(limits.0), operation.bounds.1.min(limits.1));
                    operation.layer.clone_from(&self.graph.layers()[node.layer].name);
                    return Ok(at);
                }
                let at = self.push(node, Work::Clamp, None);
                self.operations[at].bounds = limits;
                Ok(at)
            }
            Kind::Add => Ok(self.add(node)),
            Kind::Pool => Ok(self.push(node, Work::Pool, None)),
            Kind::Dropout { .. } => Ok(source(0)),
            Kind::Pad { .. } => Err(self.unsupported(node, "padding not right before a convolution")),
            Kind::Concatenate => Ok(self.push(node, Work::Concatenate, None)),
            Kind::Upsample { size } => Ok(self.push(node, Work::Upsample(size), None)),
            Kind::Flatten => Ok(self.push(node, Work::Flatten, None)),
        }
    }

    /// A sum: done by the later of the two where that is a convolution whose result nobody else wants, else by
    /// the earlier, which then waits for the other; by itself where neither is.
    fn add(&mut self, node: &Node) -> usize {
        let source = |i: usize| self.place[node.inputs[i]];
        let (early, late) = if source(0) < source(1) { (0, 1) } else { (1, 0) };
        for (own, other) in [(late, early), (early, late)] {
            let (at, mut from) = (source(own), source(other));
            let operation = &self.operations[at];
            let fits = matches!(operation.work, Work::Conv(_))
                && operation.skip.is_none()
                && at != from
                && self.is_only_reader(node.inputs[own]);
            if !fits {
                continue;
            }
            let mut size = [1, 1];
            if let Work::Upsample(repeats) = self.operations[from].work {
                (from, size) = (self.operations[from].inputs[0], repeats);
            }
            let mut operation = operation.clone();
            operation.skip = Some(Skip { from, size, before: operation.bounds });
            operation.bounds = UNBOUNDED;
            operation.layer.clone_from(&self.graph.layers()[node.layer].name);
            if from < at {
                self.operations[at] = operation;
                return at;
            }
            // What is left in the old place has no reader.
            self.operations.push(operation);
            return self.operations.len() - 1;
        }
        self.push(node, Work::Add, None)
    }

    fn push(&mut self, node: &Node, work: Work, kernel: Option<KernelSource>) -> usize {
        let layer = &self.graph.layers()[node.layer];
        // An activation inside a layer has a node of its own, and the layer's name stays.
        let has_kernel =
            matches!(layer.op, Op::Conv2D { .. } | Op::DepthwiseConv2D { .. } | Op::Dense { .. });
        self.operations.push(Operation {
            work,
            kernel,
            kernel_layer: if has_kernel && kernel.is_some() { layer.name.clone() } else { String::new() },
            inputs: node.inputs.iter().map(|&i| self.place[i]).collect(),
            skip: None,
            bounds: UNBOUNDED,
            shape: node.shape.clone(),
            layer: layer.name.clone(),
            real: false,
        });
        self.operations.len() - 1
    }

    /// Whether nothing has been clamped yet.
    fn is_open(&self, operation: usize) -> bool {
        self.operations[operation].bounds == UNBOUNDED
    }

    /// Whether one node alone reads this one's values, dropouts between them aside.
    fn is_only_reader(&self, mut node: NodeId) -> bool {
        loop {
            if self.lowered.readers[node].len() != 1 {
                return false;
            }
            match self.lowered.nodes[node].kind {
                Kind::Dropout { .. } => node = self.lowered.nodes[node].inputs[0],
                _ => return true,
            }
        }
    }

    fn unsupported(&self, node: &Node, what: &str) -> Error {
        Error::Graph {
            layer: self.graph.layers()[node.layer].name.clone(),
            reason: format!("there is no int8 arithmetic for {what}"),
        }
    }
}
