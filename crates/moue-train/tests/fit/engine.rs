//! A small engine that obeys every rule of the traits: two linear layers, plain f64 sums, momentum,
//! and dropout that depends on seed and step, so that a resume which forgot a slot or a counter
//! would show.

use moue_graph::engine::{
    Batch, Engine, InferenceOptions, InferenceSession, Optimizer, StepOutcome, TrainingOptions,
    TrainingSession, TrainingState,
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

fn outputs(weights: &Weights, hidden: &[f64; HIDDEN]) -> [f64; CLASSES] {
    let mut out = [0.0; CLASSES];
    for (class, value) in out.iter_mut().enumerate() {
        let kernel = values(weights, "dense/kernel");
        *value = f64::from(values(weights, "dense/bias")[class])
            + hidden.iter().enumerate().map(|(h, v)| v * f64::from(kernel[h * CLASSES + class])).sum::<f64>();
    }
    out
}

fn answer(weights: &Weights, pictures: &[f32], count: usize, logits: &mut [f32]) -> Result<()> {
    if pictures.len() != count * INPUTS || logits.len() != count * CLASSES {
        return Err(Error::Engine("lengths".into()));
    }
    for (picture, out) in pictures.chunks_exact(INPUTS).zip(logits.chunks_exact_mut(CLASSES)) {
        let h = hidden(values(weights, "features/kernel"), picture);
        for (o, v) in out.iter_mut().zip(outputs(weights, &h)) {
            *o = v as f32;
        }
    }
    Ok(())
}

impl TrainingSession for Learner {
    fn step(&mut self, batch: &Batch<'_>, learning_rate: f32) -> Result<StepOutcome> {
        assert!(batch.count <= self.max_batch && batch.pictures.len() == batch.count * INPUTS);
        let weights = &self.state.weights;
        let mut features = vec![0.0; INPUTS * HIDDEN];
        let mut kernel = vec![0.0; HIDDEN * CLASSES];
        let mut bias = vec![0.0; CLASSES];
        let (mut loss, mut correct) = (0.0, 0);
        let examples = batch.pictures.chunks_exact(INPUTS).zip(batch.targets.chunks_exact(CLASSES));
        for (example, (picture, target)) in examples.enumerate() {
            let weight = f64::from(batch.weights.get(example).copied().unwrap_or(1.0)) / batch.count as f64;
            // One feature is dropped; which one depends on seed, step and place only.
            let dropped = (self.seed as usize + self.state.step as usize * 7 + example) % HIDDEN;
            let mut h = hidden(values(weights, "features/kernel"), picture);
            h[dropped] = 0.0;
            let out = outputs(weights, &h);
            let top = out.iter().copied().fold(f64::MIN, f64::max);
            let sum: f64 = out.iter().map(|o| (o - top).exp()).sum();
            let best = |row: &[f64]| (0..CLASSES).rev().max_by(|&a, &b| row[a].total_cmp(&row[b])).unwrap();
            let wanted: Vec<f64> = target.iter().map(|&t| f64::from(t)).collect();
            correct += usize::from(best(&out) == best(&wanted));
            for class in 0..CLASSES {
                let p = (out[class] - top).exp() / sum;
                loss -= weight * wanted[class] * p.max(1e-30).ln();
                let slope = weight * (p - wanted[class]);
                bias[class] += slope;
                for (feature, v) in h.iter().enumerate() {
                    kernel[feature * CLASSES + class] += slope * v;
                    if feature != dropped {
                        let back =
                            slope * f64::from(values(weights, "dense/kernel")[feature * CLASSES + class]);
                        for (i, x) in picture.iter().enumerate() {
                            features[i * HIDDEN + feature] += back * f64::from(*x);
                        }
                    }
                }
            }
        }
        for (name, gradient) in
            [("features/kernel", features), ("dense/kernel", kernel), ("dense/bias", bias)]
        {
            if self.trainable.iter().any(|t| t == name) {
                self.update(name, &gradient, learning_rate);
            }
        }
        self.state.step += 1;
        let loss = if self.diverges_at == Some(self.state.step) { f32::NAN } else { loss as f32 };
        Ok(StepOutcome { loss, correct })
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
