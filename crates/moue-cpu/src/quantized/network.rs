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
}

/// Where a kernel comes from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct KernelSource {
    pub kernel: ParameterId,
    pub bias: Option<ParameterId>,
    /// Batch normalisation behind it: its first parameter and epsilon.
    pub norm: Option<(ParameterId, f32)>,
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
    /// Operation whose output is added before the clamp.
    pub skip: Option<usize>,
    /// Interval that the result is clamped to.
    pub bounds: (f32, f32),
    /// Shape of the output.
    pub shape: Vec<usize>,
    /// Name of the layer whose output this is.
    pub layer: String,
}

impl Operation {
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

/// All operations, inputs before their readers; the last gives the logits.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Network {
    pub operations: Vec<Operation>,
    /// Operations that read each operation's output.
    pub readers: Vec<Vec<usize>>,
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
        let output = merge.place[lowered.nodes.len() - 1];
        let operations = merge.operations;
        if output + 1 != operations.len() {
            return Err(Error::Engine("the output is not the last operation".into()));
        }
        let mut readers = vec![Vec::new(); operations.len()];
        for (id, operation) in operations.iter().enumerate() {
            for &input in operation.inputs.iter().chain(&operation.skip) {
                readers[input].push(id);
            }
        }
        Ok(Self { operations, readers })
    }
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
                if self.is_only_reader(node.inputs[0]) && self.operations[at].work != Work::Input {
                    let operation = &mut self.operations[at];
                    operation.bounds = (operation.bounds.0.max(limits.0), operation.bounds.1.min(limits.1));
                    operation.layer.clone_from(&self.graph.layers()[node.layer].name);
                    return Ok(at);
                }
                let at = self.push(node, Work::Clamp, None);
                self.operations[at].bounds = limits;
                Ok(at)
            }
            Kind::Add => {
                // The later of the two, where it is a product whose sum nobody else wants.
                let (early, late) = if source(0) < source(1) { (0, 1) } else { (1, 0) };
                let at = source(late);
                let fits = matches!(self.operations[at].work, Work::Conv(_))
                    && self.operations[at].skip.is_none()
                    && self.is_open(at)
                    && source(early) != at
                    && self.is_only_reader(node.inputs[late]);
                if fits {
                    let skip = source(early);
                    let operation = &mut self.operations[at];
                    operation.skip = Some(skip);
                    operation.layer.clone_from(&self.graph.layers()[node.layer].name);
                    return Ok(at);
                }
                Ok(self.push(node, Work::Add, None))
            }
            Kind::Pool => Ok(self.push(node, Work::Pool, None)),
            Kind::Dropout { .. } => Ok(source(0)),
            Kind::Pad { .. } => Err(self.unsupported(node, "padding not right before a convolution")),
            Kind::Concatenate | Kind::Upsample { .. } | Kind::Flatten => {
                Err(self.unsupported(node, "this layer"))
            }
        }
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
