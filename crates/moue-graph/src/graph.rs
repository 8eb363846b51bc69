//! Layers in topological order, and the builder that checks them as they are added.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::op::{Op, Shape};
use crate::{Error, Result};

/// Index of a layer within its graph.
pub type LayerId = usize;

/// Most layers a graph may hold: model files are untrusted input.
const MAX_LAYERS: usize = 4096;

/// Most values of one layer's output for one picture (1 GiB of f32).
const MAX_VALUES: usize = 1 << 28;

/// One named layer.
#[derive(Clone, Debug, PartialEq)]
pub struct Layer {
    /// Unique name, as in Keras.
    pub name: String,
    /// What it does.
    pub op: Op,
    /// Layers it reads; each stands earlier in the graph.
    pub inputs: Vec<LayerId>,
    /// Shape of one output example.
    pub shape: Shape,
    /// Whether training changes its parameters. A frozen batch normalisation also uses its moving
    /// statistics in training, as in Keras.
    pub trainable: bool,
}

/// A parameter tensor of a graph.
#[derive(Clone, Debug, PartialEq)]
pub struct ParameterSpec {
    /// `layer/parameter`, for instance `Conv1/kernel`.
    pub name: String,
    /// The layer it belongs to.
    pub layer: LayerId,
    /// Its shape.
    pub shape: Shape,
    /// Whether training changes it: the layer is trainable and it is no moving statistic.
    pub trainable: bool,
}

/// A network: layers in an order in which each can be computed, the last one being the output.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "GraphRecord", into = "GraphRecord")]
pub struct Graph {
    name: String,
    layers: Vec<Layer>,
}

impl Graph {
    /// Starts a graph; `name` is the backbone's, for instance `mobilenet_v2`.
    pub fn builder(name: impl Into<String>) -> GraphBuilder {
        GraphBuilder { graph: Graph { name: name.into(), layers: Vec::new() }, by_name: HashMap::new() }
    }

    /// Goes on building: new layers follow those of this graph.
    pub fn into_builder(self) -> GraphBuilder {
        let by_name = self.layers.iter().enumerate().map(|(i, l)| (l.name.clone(), i)).collect();
        GraphBuilder { graph: self, by_name }
    }

    /// Name of the backbone.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// All layers, inputs before their readers.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// The layer of that name.
    pub fn layer(&self, name: &str) -> Option<&Layer> {
        self.layers.iter().find(|l| l.name == name)
    }

    /// Shape of one input picture, `[height, width, channels]`.
    pub fn input_shape(&self) -> &Shape {
        &self.layers[0].shape
    }

    /// Shape of one output.
    pub fn output_shape(&self) -> &Shape {
        &self.layers[self.layers.len() - 1].shape
    }

    /// Every parameter in layer order.
    pub fn parameters(&self) -> Vec<ParameterSpec> {
        let mut all = Vec::new();
        for (id, layer) in self.layers.iter().enumerate() {
            let Some(&input) = layer.inputs.first() else { continue };
            for (name, shape, learnt) in layer.op.parameters(&self.layers[input].shape) {
                let name = format!("{}/{name}", layer.name);
                all.push(ParameterSpec { name, layer: id, shape, trainable: learnt && layer.trainable });
            }
        }
        all
    }

    /// Number of parameter values: all of them, and those training changes.
    pub fn parameter_count(&self) -> (usize, usize) {
        self.parameters().iter().fold((0, 0), |(all, trainable), p| {
            let n: usize = p.shape.iter().product();
            (all + n, trainable + if p.trainable { n } else { 0 })
        })
    }

    /// Multiplications (each with its addition) that one picture takes through the convolutions and dense layers; what
    /// normalisation, activations and pooling add to them is left out, as usual.
    pub fn multiply_adds(&self) -> u64 {
        let of = |layer: &Layer| {
            let input =
                layer.inputs.first().map_or(0, |&i| self.layers[i].shape.last().copied().unwrap_or(0));
            let outputs: usize = layer.shape.iter().product();
            outputs as u64 * layer.op.taps(input) as u64
        };
        self.layers.iter().map(of).sum()
    }

    /// Freezes or thaws every layer for which `select` holds.
    pub fn set_trainable(&mut self, trainable: bool, mut select: impl FnMut(LayerId, &Layer) -> bool) {
        for (id, layer) in self.layers.iter_mut().enumerate() {
            if select(id, layer) {
                layer.trainable = trainable;
            }
        }
    }

    /// The graph up to and with the layer of that name: what transfer learning keeps of a network.
    /// Layers that the kept one does not need are dropped.
    pub fn cut_after(&self, name: &str) -> Result<Graph> {
        let end = self
            .layers
            .iter()
            .position(|l| l.name == name)
            .ok_or_else(|| Error::Parameter(format!("graph {} has no layer {name}", self.name)))?;
        let mut needed = vec![false; end + 1];
        needed[end] = true;
        needed[0] = true;
        for id in (0..=end).rev() {
            if needed[id] {
                for &input in &self.layers[id].inputs {
                    needed[input] = true;
                }
            }
        }
        let mut new_id = vec![0; end + 1];
        let mut layers = Vec::new();
        for id in 0..=end {
            if needed[id] {
                new_id[id] = layers.len();
                let mut layer = self.layers[id].clone();
                for input in &mut layer.inputs {
                    *input = new_id[*input];
                }
                layers.push(layer);
            }
        }
        Ok(Graph { name: self.name.clone(), layers })
    }

    /// The same network for another input shape. Parameter shapes must not change.
    pub fn with_input_shape(&self, shape: Shape) -> Result<Graph> {
        let mut record = GraphRecord::from(self.clone());
        if let Some(first) = record.layers.first_mut() {
            first.op = Op::InputLayer { shape };
        }
        let resized = Graph::try_from(record)?;
        let same = self.parameters().iter().zip(resized.parameters()).all(|(a, b)| a.shape == b.shape);
        if same {
            Ok(resized)
        } else {
            Err(Error::Parameter("the new input shape would change the shape of parameters".into()))
        }
    }
}

/// Adds layers one by one; every method gives the new layer's id.
#[derive(Debug)]
pub struct GraphBuilder {
    graph: Graph,
    by_name: HashMap<String, LayerId>,
}

impl GraphBuilder {
    /// Adds a layer after checking its name, its inputs and its shape.
    pub fn add(&mut self, name: impl Into<String>, op: Op, inputs: &[LayerId]) -> Result<LayerId> {
        let name = name.into();
        let layers = &self.graph.layers;
        if name.is_empty() || name.len() > 256 || name.contains(['/', '\n']) {
            return Err(Error::graph(&name, "a name has 1 to 256 characters without '/'"));
        }
        if self.by_name.contains_key(&name) {
            return Err(Error::graph(&name, "the name is already taken"));
        }
        if layers.len() == MAX_LAYERS {
            return Err(Error::graph(&name, format!("more than {MAX_LAYERS} layers")));
        }
        if layers.is_empty() != matches!(op, Op::InputLayer { .. }) {
            return Err(Error::graph(&name, "a graph has one InputLayer, its first"));
        }
        if let Some(bad) = inputs.iter().find(|&&i| i >= layers.len()) {
            return Err(Error::graph(&name, format!("reads layer {bad}, which does not exist yet")));
        }
        let shapes: Vec<&Shape> = inputs.iter().map(|&i| &layers[i].shape).collect();
        let shape = op.output_shape(&shapes).map_err(|reason| Error::graph(&name, reason))?;
        if shape.iter().try_fold(1usize, |n, &side| n.checked_mul(side)).is_none_or(|n| n > MAX_VALUES) {
            return Err(Error::graph(&name, format!("an output of {shape:?} exceeds {MAX_VALUES} values")));
        }
        let id = layers.len();
        self.by_name.insert(name.clone(), id);
        self.graph.layers.push(Layer { name, op, inputs: inputs.to_vec(), shape, trainable: true });
        Ok(id)
    }

    /// Shape of a layer's output.
    pub fn shape(&self, id: LayerId) -> &Shape {
        &self.graph.layers[id].shape
    }

    /// Id of the last layer, if there is one.
    pub fn last(&self) -> Option<LayerId> {
        self.graph.layers.len().checked_sub(1)
    }

    /// The finished graph. An error when it has no layer.
    pub fn finish(self) -> Result<Graph> {
        if self.graph.layers.is_empty() {
            return Err(Error::graph(&self.graph.name, "a graph has at least an InputLayer"));
        }
        Ok(self.graph)
    }
}

/// The graph as it stands in files: inputs by name, shapes left to inference.
#[derive(Serialize, Deserialize)]
struct GraphRecord {
    name: String,
    layers: Vec<LayerRecord>,
}

#[derive(Serialize, Deserialize)]
struct LayerRecord {
    name: String,
    #[serde(flatten)]
    op: Op,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    inputs: Vec<String>,
    #[serde(default = "yes", skip_serializing_if = "Clone::clone")]
    trainable: bool,
}

fn yes() -> bool {
    true
}

impl From<Graph> for GraphRecord {
    fn from(graph: Graph) -> Self {
        let names: Vec<String> = graph.layers.iter().map(|l| l.name.clone()).collect();
        let layers = graph
            .layers
            .into_iter()
            .map(|l| LayerRecord {
                inputs: l.inputs.iter().map(|&i| names[i].clone()).collect(),
                name: l.name,
                op: l.op,
                trainable: l.trainable,
            })
            .collect();
        Self { name: graph.name, layers }
    }
}

impl TryFrom<GraphRecord> for Graph {
    type Error = Error;

    fn try_from(record: GraphRecord) -> Result<Self> {
        let mut builder = Graph::builder(record.name);
        for layer in record.layers {
            let inputs = layer
                .inputs
                .iter()
                .map(|input| {
                    builder.by_name.get(input).copied().ok_or_else(|| {
                        Error::graph(&layer.name, format!("reads {input}, which does not stand before it"))
                    })
                })
                .collect::<Result<Vec<_>>>()?;
            let id = builder.add(layer.name, layer.op, &inputs)?;
            builder.graph.layers[id].trainable = layer.trainable;
        }
        builder.finish()
    }
}
