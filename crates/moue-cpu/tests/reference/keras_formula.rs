//! Weights, pictures and labels of `scripts/keras_reference.py`, bit for bit, and what that script
//! recorded.

#![allow(dead_code, reason = "not every test that includes this file reads every field")]

use std::collections::BTreeMap;

use moue_graph::backbones::MobileNetV2;
use moue_graph::{Graph, Head, Tensor, Weights, attach_head};
use serde::Deserialize;

/// The file that the script wrote.
const FIXTURE: &str = include_str!("../fixtures/keras_mobilenet_v2.json");
const SEED: u64 = 2026;
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// All cases and what they have in common.
#[derive(Debug, Deserialize)]
pub struct Reference {
    /// Width multiplier.
    pub alpha: f32,
    /// Outputs.
    pub classes: usize,
    /// Of Adam, whose decays are Keras' defaults.
    pub learning_rate: f32,
    /// Added to the root of Adam's second moment.
    pub epsilon: f32,
    /// The cases.
    pub cases: Vec<Case>,
}

/// One network and batch, and what Keras computed in float64.
#[derive(Debug, Deserialize)]
pub struct Case {
    /// For messages.
    pub name: String,
    /// Picture height.
    pub height: usize,
    /// Picture width.
    pub width: usize,
    /// Pictures in the batch.
    pub count: usize,
    /// All layers up to and with this one are frozen.
    pub frozen_through: Option<String>,
    /// Class of each picture.
    pub labels: Vec<usize>,
    /// Inference mode, before the first step; a row a picture.
    pub logits: Vec<f32>,
    /// Training mode, of each step before its update.
    pub losses: Vec<f32>,
    /// Right answers of each step, in training mode before its update.
    pub correct: Vec<usize>,
    /// Inference mode, after the last step.
    pub logits_after: Vec<f32>,
    /// How far Keras' own float32 run is from these values.
    pub float32_deviation: Deviation,
    /// First values of the pictures.
    pub pictures_start: Vec<f32>,
    /// First values of each tensor before training.
    pub initial: BTreeMap<String, Vec<f32>>,
    /// Number of tensors that training leaves as they are.
    pub unchanged: usize,
    /// Every tensor after the last step.
    pub weights: BTreeMap<String, Facts>,
}

/// Largest distances between Keras' float32 and float64 runs.
#[derive(Debug, Deserialize)]
pub struct Deviation {
    /// Of `logits`.
    pub logits: f32,
    /// Of each loss.
    pub losses: Vec<f32>,
    /// Of `logits_after`.
    pub logits_after: f32,
    /// Over all weight values.
    pub weights_max: f32,
    /// Mean over all weight values.
    pub weights_mean: f32,
    /// Share of weight values further than 1e-5 away.
    #[serde(rename = "weights_share_above_1e-5")]
    pub weights_share_above_1e_5: f32,
}

/// What is recorded of a tensor.
#[derive(Debug, Deserialize)]
pub struct Facts {
    /// Its sides.
    pub shape: Vec<usize>,
    /// Sum of all values.
    pub sum: f64,
    /// Root of the sum of squares.
    pub norm: f64,
    /// `k` values, the `i`-th from index `i * size / k`.
    pub samples: Vec<f32>,
}

impl Facts {
    /// The values of `data` at the places that `samples` were taken from.
    pub fn samples_of(&self, data: &[f32]) -> Vec<f32> {
        let k = self.samples.len();
        (0..k).map(|i| data[i * data.len() / k]).collect()
    }
}

/// What the script recorded.
pub fn reference() -> Reference {
    serde_json::from_str(FIXTURE).expect("the fixture is what the script wrote")
}

impl Case {
    /// The network of this case, its layers frozen as in the script.
    pub fn graph(&self, reference: &Reference) -> Graph {
        let backbone = MobileNetV2 {
            alpha: reference.alpha,
            input: [self.height, self.width, 3],
            ..MobileNetV2::default()
        };
        let mut graph = attach_head(backbone.build().unwrap(), &Head::default(), reference.classes).unwrap();
        if let Some(last) = &self.frozen_through {
            let end = graph.layers().iter().position(|l| l.name == *last).expect("a layer of the graph");
            graph.set_trainable(false, |id, _| id <= end);
        }
        graph
    }

    /// `count` NHWC pictures.
    pub fn pictures(&self) -> Vec<f32> {
        let (rows, columns) = (self.height.div_ceil(8), self.width.div_ceil(8));
        let noise = stream("noise", self.count * self.height * self.width * 3);
        let squares = stream("squares", self.count * rows * columns * 3);
        let mut pictures = Vec::with_capacity(noise.len());
        for n in 0..self.count {
            for y in 0..self.height {
                for x in 0..self.width {
                    for c in 0..3 {
                        let square = squares[((n * rows + y / 8) * columns + x / 8) * 3 + c];
                        let value = 0.75 * square + 0.25 * noise[pictures.len()];
                        pictures.push(value as f32);
                    }
                }
            }
        }
        pictures
    }

    /// One-hot rows of [`Case::labels`].
    pub fn targets(&self, classes: usize) -> Vec<f32> {
        self.labels
            .iter()
            .flat_map(|&label| (0..classes).map(move |class| f32::from(class == label)))
            .collect()
    }
}

/// Every weight of the graph before training.
pub fn initial_weights(graph: &Graph) -> Weights {
    let mut weights = Weights::new();
    for spec in graph.parameters() {
        let data = initial_values(&spec.name, &spec.shape);
        weights.insert(spec.name, Tensor::new(spec.shape, data).unwrap());
    }
    weights
}

fn initial_values(name: &str, shape: &[usize]) -> Vec<f32> {
    let uniform = stream(name, shape.iter().product());
    let (layer, parameter) = name.rsplit_once('/').expect("layer/parameter");
    let fan_in: usize = match parameter {
        "depthwise_kernel" => shape[..2].iter().product(),
        _ => shape[..shape.len() - 1].iter().product(),
    };
    let limit = (6.0 / fan_in as f64).sqrt();
    let value = |u: f64| match parameter {
        "gamma" | "moving_variance" => 0.5 + u,
        "beta" if !layer.ends_with("_project_BN") => 0.5 + 2.0 * u,
        "beta" | "moving_mean" | "bias" => (2.0 * u - 1.0) * 0.2,
        _ => (2.0 * u - 1.0) * limit,
    };
    uniform.into_iter().map(|u| value(u) as f32).collect()
}

/// `count` values uniform in [0, 1): SplitMix64 seeded with FNV-1a over the name.
fn stream(name: &str, count: usize) -> Vec<f64> {
    let hash = |h: u64, b: u8| (h ^ u64::from(b)).wrapping_mul(0x100_0000_01b3);
    let mut state = name.bytes().fold(0xcbf2_9ce4_8422_2325, hash) ^ SEED.wrapping_mul(GOLDEN);
    let mut next = || {
        state = state.wrapping_add(GOLDEN);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    };
    (0..count).map(|_| next()).collect()
}
