//! Training sessions: forward with batch statistics, backward, update.
//!
//! Every node's output is kept from forward to backward. Gradients live in a few slots that are
//! planned when the session is made and reused as soon as a gradient has been handed on, and
//! batch normalisation works on its gradient in place. Nothing is allocated per step beyond small
//! per-channel vectors.

mod backward;
mod forward;
mod slots;

use moue_graph::engine::{
    Batch, Loss, Optimizer, StepOutcome, TrainingOptions, TrainingSession, TrainingState,
};
use moue_graph::{Error, Graph, Result, Tensor, Weights};
use rayon::ThreadPool;
use rayon::prelude::*;

use crate::kernels::{ELEMENTS_PER_TASK, loss, optimizer};
use crate::lowering::{Kind, Lowered, NodeId, lower};
use crate::pool;
use crate::simd::Level;

/// A parameter and all that training keeps beside it.
struct Parameter {
    name: String,
    shape: Vec<usize>,
    values: Vec<f32>,
    /// Empty where the parameter is frozen.
    gradient: Vec<f32>,
    slots: [Vec<f32>; 2],
    /// Whether weight decay applies: kernels only, as is usual.
    decayed: bool,
}

impl Parameter {
    fn is_trainable(&self) -> bool {
        !self.gradient.is_empty()
    }
}

/// What a batch normalisation remembers from forward to backward.
#[derive(Clone, Default)]
struct NormState {
    /// Whether the batch's own statistics were used.
    batch: bool,
    mean: Vec<f32>,
    /// 1 / sqrt(variance + epsilon).
    inverse: Vec<f32>,
}

/// Forward over stored outputs, either way of normalising.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// Batch statistics in trainable layers, dropout.
    Training,
    /// Moving statistics, no dropout.
    Inference,
}

pub(crate) struct Session {
    pool: ThreadPool,
    level: Level,
    lowered: Lowered,
    plan: slots::Plan,
    parameters: Vec<Parameter>,
    /// Output of each node for a whole batch.
    values: Vec<Vec<f32>>,
    gradients: Vec<Vec<f32>>,
    norms: Vec<NormState>,
    /// Which values a dropout kept, per node; empty elsewhere.
    kept: Vec<Vec<f32>>,
    max_batch: usize,
    optimizer: Optimizer,
    seed: u64,
    step: u64,
}

impl Session {
    pub(crate) fn new(graph: &Graph, weights: &Weights, options: &TrainingOptions) -> Result<Self> {
        if options.max_batch == 0 {
            return Err(Error::Parameter("a batch holds at least one picture".into()));
        }
        weights.check(graph)?;
        let lowered = lower(graph)?;
        let slot_count = optimizer::slot_names(&options.optimizer).len();
        let mut parameters = Vec::new();
        for spec in graph.parameters() {
            let n = spec.shape.iter().product();
            let values = weights.values(&spec.name, n)?.to_vec();
            let learnt = if spec.trainable { n } else { 0 };
            parameters.push(Parameter {
                decayed: spec.name.ends_with("kernel"),
                name: spec.name,
                shape: spec.shape,
                values,
                gradient: vec![0.0; learnt],
                slots: [vec![0.0; learnt], vec![0.0; if slot_count == 2 { learnt } else { 0 }]],
            });
        }
        let plan = slots::Plan::new(&lowered, |id| parameters[id].is_trainable());
        if plan.nothing_to_learn() {
            return Err(Error::Parameter("every layer is frozen: there is nothing to train".into()));
        }
        let batch = options.max_batch;
        let values = lowered.nodes.iter().map(|n| vec![0.0; n.len() * batch]).collect();
        let gradients = plan.sizes().iter().map(|n| vec![0.0; n * batch]).collect();
        let norms = vec![NormState::default(); lowered.nodes.len()];
        let kept =
            lowered
                .nodes
                .iter()
                .map(|n| {
                    if matches!(n.kind, Kind::Dropout { .. }) {
                        vec![0.0; n.len() * batch]
                    } else {
                        Vec::new()
                    }
                })
                .collect();
        Ok(Self {
            pool: pool::start(options.threads)?,
            level: Level::current(),
            lowered,
            plan,
            parameters,
            values,
            gradients,
            norms,
            kept,
            max_batch: batch,
            optimizer: options.optimizer.clone(),
            seed: options.seed,
            step: 0,
        })
    }

    fn output(&self) -> NodeId {
        self.lowered.nodes.len() - 1
    }

    /// Outputs of one picture.
    fn outputs(&self) -> usize {
        self.lowered.nodes[self.output()].len()
    }

    fn load_pictures(&mut self, pictures: &[f32], count: usize) -> Result<()> {
        let one = self.lowered.nodes[0].len();
        if count == 0 || count > self.max_batch {
            return Err(Error::Parameter(format!(
                "a batch holds 1 to {} pictures, not {count}",
                self.max_batch
            )));
        }
        if pictures.len() != count * one {
            let got = pictures.len();
            return Err(Error::Parameter(format!("{count} pictures have {} values, not {got}", count * one)));
        }
        self.values[0][..pictures.len()].copy_from_slice(pictures);
        Ok(())
    }

    fn update(&mut self, rate: f32) {
        let (level, step, optimizer) = (self.level, self.step, &self.optimizer);
        let parameters = &mut self.parameters;
        self.pool.install(|| {
            for p in parameters.iter_mut().filter(|p| p.is_trainable()) {
                let decayed = p.decayed;
                let [first, second] = &mut p.slots;
                let part = ELEMENTS_PER_TASK;
                // An optimizer with one moment has an empty second buffer: give each task an empty part.
                if second.is_empty() {
                    p.values
                        .par_chunks_mut(part)
                        .zip(p.gradient.par_chunks(part))
                        .zip(first.par_chunks_mut(part))
                        .for_each(|((v, g), m)| {
                            optimizer::update(level, optimizer, rate, step, decayed, v, g, [m, &mut []]);
                        });
                } else {
                    p.values
                        .par_chunks_mut(part)
                        .zip(p.gradient.par_chunks(part))
                        .zip(first.par_chunks_mut(part))
                        .zip(second.par_chunks_mut(part))
                        .for_each(|(((v, g), m), s)| {
                            optimizer::update(level, optimizer, rate, step, decayed, v, g, [m, s]);
                        });
                }
            }
        });
    }
}

impl TrainingSession for Session {
    fn step(&mut self, batch: &Batch<'_>, learning_rate: f32) -> Result<StepOutcome> {
        let (classes, count) = (self.outputs(), batch.count);
        if batch.targets.len() != count * classes
            || !(batch.weights.is_empty() || batch.weights.len() == count)
        {
            return Err(Error::Parameter(format!(
                "{count} examples need {} targets and {count} or no weights, not {} and {}",
                count * classes,
                batch.targets.len(),
                batch.weights.len()
            )));
        }
        let mut correct = 0;
        let loss = self.step_with(batch.pictures, count, learning_rate, &mut |logits, gradient| {
            let mut loss = 0.0;
            for i in 0..count {
                let row = i * classes..(i + 1) * classes;
                let weight = batch.weights.get(i).copied().unwrap_or(1.0);
                let scale = weight / count as f32;
                let targets = &batch.targets[row.clone()];
                let (own, right) =
                    loss::cross_entropy(&logits[row.clone()], targets, scale, &mut gradient[row]);
                loss += own * f64::from(weight);
                correct += usize::from(right);
            }
            Ok((loss / count as f64) as f32)
        })?;
        Ok(StepOutcome { loss, correct })
    }

    fn step_with(
        &mut self,
        pictures: &[f32],
        count: usize,
        learning_rate: f32,
        loss: &mut Loss<'_>,
    ) -> Result<f32> {
        self.load_pictures(pictures, count)?;
        self.forward(count, Mode::Training);
        let (output, n) = (self.output(), count * self.outputs());
        let mut gradient = self.plan.take(&mut self.gradients, output);
        let outcome = loss(&self.values[output][..n], &mut gradient[..n]);
        self.plan.put(&mut self.gradients, output, gradient);
        let loss = outcome?;
        self.backward(count);
        self.step += 1;
        self.update(learning_rate);
        Ok(loss)
    }

    fn logits(&mut self, pictures: &[f32], count: usize, logits: &mut [f32]) -> Result<()> {
        self.load_pictures(pictures, count)?;
        let n = count * self.outputs();
        if logits.len() != n {
            return Err(Error::Parameter(format!("{count} pictures have {n} logits, not {}", logits.len())));
        }
        self.forward(count, Mode::Inference);
        logits.copy_from_slice(&self.values[self.output()][..n]);
        Ok(())
    }

    fn weights(&self) -> Weights {
        let mut weights = Weights::new();
        for p in &self.parameters {
            if let Ok(tensor) = Tensor::new(p.shape.clone(), p.values.clone()) {
                weights.insert(&p.name, tensor);
            }
        }
        weights
    }

    fn state(&self) -> TrainingState {
        let mut slots = Weights::new();
        for p in self.parameters.iter().filter(|p| p.is_trainable()) {
            for (name, values) in optimizer::slot_names(&self.optimizer).iter().zip(&p.slots) {
                if let Ok(tensor) = Tensor::new(p.shape.clone(), values.clone()) {
                    slots.insert(format!("{name}/{}", p.name), tensor);
                }
            }
        }
        TrainingState { weights: self.weights(), slots, step: self.step }
    }

    fn restore(&mut self, state: &TrainingState) -> Result<()> {
        // Everything is looked up before anything changes: an error leaves the session as it was.
        let names = optimizer::slot_names(&self.optimizer);
        let mut found = Vec::new();
        for p in &self.parameters {
            let values = state.weights.values(&p.name, p.values.len())?;
            let mut slots: [&[f32]; 2] = [&[], &[]];
            if p.is_trainable() {
                for (slot, name) in slots.iter_mut().zip(names) {
                    *slot = state.slots.values(&format!("{name}/{}", p.name), p.values.len())?;
                }
            }
            found.push((values, slots));
        }
        for (p, (values, slots)) in self.parameters.iter_mut().zip(found) {
            p.values.copy_from_slice(values);
            for (own, slot) in p.slots.iter_mut().zip(slots) {
                own.copy_from_slice(slot);
            }
        }
        self.step = state.step;
        Ok(())
    }
}
