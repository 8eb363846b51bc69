//! A small engine that obeys every rule of the traits: two linear layers, plain f64 sums, momentum,
//! and dropout that depends on seed and step, so that a resume which forgot a slot or a counter
//! would show.

use moue_graph::engine::{
    Engine, InferenceOptions, InferenceSession, Loss, Optimizer, TrainingOptions, TrainingSession,
    TrainingState,
};
use moue_graph::{Activation, Error, Graph, Op, Padding, Result, Tensor, Weights};

pub const SIDE: usize = 8;
const HIDDEN: usize = 10;
const CLASSES: usize = 7;
const INPUTS: usize = SIDE * SIDE * 3;

/// One convolution over the whole picture, pooling, and a softmax layer.
pub fn graph() -> Graph {
    let mut b = Graph::builder("linear");
    let conv = Op::Conv2D {
        filters: HIDDEN,
        kernel_size: [SIDE; 2],
        strides: [1; 2],
        padding: Padding::Valid,
        use_bias: false,
        activation: Activation::Linear,
    };
    let dense = Op::Dense { units: CLASSES, use_bias: true, activation: Activation::Softmax };
    let x = b.add("input_layer", Op::InputLayer { shape: vec![SIDE, SIDE, 3] }, &[]).unwrap();
    let x = b.add("features", conv, &[x]).unwrap();
    let x = b.add("pool", Op::GlobalAveragePooling2D, &[x]).unwrap();
    b.add("dense", dense, &[x]).unwrap();
    b.finish().unwrap()
}

#[derive(Default)]
pub struct Linear {
    /// The loss of this step (counted from 1) is not a number.
    pub diverges_at: Option<u64>,
}

impl Engine for Linear {
    fn name(&self) -> &str {
        "linear"
    }

    fn inference(
        &self,
        graph: &Graph,
        weights: &Weights,
        _: &InferenceOptions,
    ) -> Result<Box<dyn InferenceSession>> {
        weights.check(graph)?;
        Ok(Box::new(Answers(weights.clone())))
    }

    fn training(
        &self,
        graph: &Graph,
        weights: &Weights,
        o: &TrainingOptions,
    ) -> Result<Box<dyn TrainingSession>> {
        weights.check(graph)?;
        let trainable: Vec<String> =
            graph.parameters().into_iter().filter(|p| p.trainable).map(|p| p.name).collect();
        let mut slots = Weights::new();
        for name in &trainable {
            let shape = weights.get(name).unwrap().shape().to_vec();
            slots.insert(format!("m/{name}"), Tensor::filled(shape, 0.0));
        }
        let Optimizer::Sgd { momentum, .. } = o.optimizer else {
            return Err(Error::Engine("this engine knows SGD only".into()));
        };
        let state = TrainingState { weights: weights.clone(), slots, step: 0 };
        let max_batch = o.max_batch;
        Ok(Box::new(Learner {
            state,
            trainable,
            momentum,
            seed: o.seed,
            max_batch,
            diverges_at: self.diverges_at,
        }))
    }
}

struct Answers(Weights);

impl InferenceSession for Answers {
    fn logits(&mut self, pictures: &[f32], count: usize, logits: &mut [f32]) -> Result<()> {
        answer(&self.0, pictures, count, logits)
    }
}

struct Learner {
    state: TrainingState,
    trainable: Vec<String>,
    momentum: f32,
    seed: u64,
    max_batch: usize,
    diverges_at: Option<u64>,
}

fn values<'a>(weights: &'a Weights, name: &str) -> &'a [f32] {
    weights.get(name).unwrap().data()
}

fn hidden(kernel: &[f32], picture: &[f32]) -> [f64; HIDDEN] {
    let mut sums = [0.0; HIDDEN];
    for (value, row) in picture.iter().zip(kernel.chunks_exact(HIDDEN)) {
        for (sum, k) in sums.iter_mut().zip(row) {
            *sum += f64::from(*value) * f64::from(*k);
        }
    }
    sums
}

/// As many values as the dense layer has units: the classes, and the outputs of a second task.
fn outputs(weights: &Weights, hidden: &[f64; HIDDEN]) -> Vec<f64> {
    let (kernel, bias) = (values(weights, "dense/kernel"), values(weights, "dense/bias"));
    let sum = |unit: usize| {
        hidden.iter().zip(kernel.chunks_exact(bias.len())).map(move |(v, k)| v * f64::from(k[unit]))
    };
    (0..bias.len()).map(|unit| f64::from(bias[unit]) + sum(unit).sum::<f64>()).collect()
}

fn answer(weights: &Weights, pictures: &[f32], count: usize, logits: &mut [f32]) -> Result<()> {
    let units = values(weights, "dense/bias").len();
    if pictures.len() != count * INPUTS || logits.len() != count * units {
        return Err(Error::Engine("lengths".into()));
    }
    for (picture, out) in pictures.chunks_exact(INPUTS).zip(logits.chunks_exact_mut(units)) {
        let h = hidden(values(weights, "features/kernel"), picture);
        for (o, v) in out.iter_mut().zip(outputs(weights, &h)) {
            *o = v as f32;
        }
    }
    Ok(())
}

impl TrainingSession for Learner {
    fn outputs(&self) -> usize {
        values(&self.state.weights, "dense/bias").len()
    }

    fn step_with(
        &mut self,
        pictures: &[f32],
        count: usize,
        learning_rate: f32,
        loss: &mut Loss<'_>,
    ) -> Result<f32> {
        assert!(count <= self.max_batch && pictures.len() == count * INPUTS);
        let weights = &self.state.weights;
        let units = values(weights, "dense/bias").len();
        // One feature is dropped; which one depends on seed, step and place only.
        let dropped = |example: usize| (self.seed as usize + self.state.step as usize * 7 + example) % HIDDEN;
        let mut features: Vec<[f64; HIDDEN]> = pictures
            .chunks_exact(INPUTS)
            .map(|picture| hidden(values(weights, "features/kernel"), picture))
            .collect();
        for (example, h) in features.iter_mut().enumerate() {
            h[dropped(example)] = 0.0;
        }
        let logits: Vec<f32> = features.iter().flat_map(|h| outputs(weights, h)).map(|v| v as f32).collect();
        let mut slopes = vec![f32::NAN; logits.len()];
        let loss = loss(&logits, &mut slopes)?;

        let mut first = vec![0.0; INPUTS * HIDDEN];
        let mut kernel = vec![0.0; HIDDEN * units];
        let mut bias = vec![0.0; units];
        for (example, (h, picture)) in features.iter().zip(pictures.chunks_exact(INPUTS)).enumerate() {
            for (unit, slope) in slopes[example * units..][..units].iter().map(|&s| f64::from(s)).enumerate()
            {
                bias[unit] += slope;
                for (feature, v) in h.iter().enumerate() {
                    kernel[feature * units + unit] += slope * v;
                    if feature != dropped(example) {
                        let back = slope * f64::from(values(weights, "dense/kernel")[feature * units + unit]);
                        for (i, x) in picture.iter().enumerate() {
                            first[i * HIDDEN + feature] += back * f64::from(*x);
                        }
                    }
                }
            }
        }
        for (name, gradient) in [("features/kernel", first), ("dense/kernel", kernel), ("dense/bias", bias)] {
            if self.trainable.iter().any(|t| t == name) {
                self.update(name, &gradient, learning_rate);
            }
        }
        self.state.step += 1;
        Ok(if self.diverges_at == Some(self.state.step) { f32::NAN } else { loss })
    }

    fn logits(&mut self, pictures: &[f32], count: usize, logits: &mut [f32]) -> Result<()> {
        assert!(count <= self.max_batch);
        answer(&self.state.weights, pictures, count, logits)
    }

    fn weights(&self) -> Weights {
        self.state.weights.clone()
    }

    fn state(&self) -> TrainingState {
        self.state.clone()
    }

    fn restore(&mut self, state: &TrainingState) -> Result<()> {
        for name in &self.trainable {
            let shape = state.weights.get(name).map(|t| t.shape().to_vec());
            let slot = state.slots.get(&format!("m/{name}")).map(|t| t.shape().to_vec());
            if shape.is_none() || shape != slot {
                return Err(Error::Weights(format!("{name} or its slot is missing")));
            }
        }
        self.state = state.clone();
        Ok(())
    }
}

impl Learner {
    fn update(&mut self, name: &str, gradient: &[f64], learning_rate: f32) {
        let mut slot = self.state.slots.get(&format!("m/{name}")).unwrap().clone();
        let mut tensor = self.state.weights.get(name).unwrap().clone();
        for ((value, m), g) in tensor.data_mut().iter_mut().zip(slot.data_mut()).zip(gradient) {
            *m = self.momentum * *m - learning_rate * *g as f32;
            *value += *m;
        }
        self.state.slots.insert(format!("m/{name}"), slot);
        self.state.weights.insert(name, tensor);
    }
}
