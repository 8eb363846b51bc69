//! Training sessions: forward with batch statistics, backward, update.
//!
//! Outputs are kept from forward to backward, except those of normalisations whose readers compute them
//! on the way (`fusion`). Gradients live in a few slots that are planned when the session is made and
//! reused as soon as a gradient has been handed on. Nothing is allocated per step beyond small
//! per-channel vectors.

mod backward;
mod conv;
mod crew;
mod depthwise;
mod forward;
mod fusion;
mod norm;
mod slots;

use moue_graph::engine::{Loss, Optimizer, TrainingOptions, TrainingSession, TrainingState};
use moue_graph::{Activation, Error, Graph, Result, Tensor, Weights};

use crew::{Crew, Parts};
use fusion::Fusion;
use norm::{Moments, Norm};

use crate::aligned::Aligned;
use crate::kernels::activation::bounds;
use crate::kernels::{ELEMENTS_PER_TASK, optimizer};
use crate::lowering::{Kind, Lowered, Node, NodeId, lower};
use crate::simd::Level;

/// A parameter and all that training keeps beside it.
struct Parameter {
    name: String,
    shape: Vec<usize>,
    values: Vec<f32>,
    /// Empty where the parameter is frozen.
    gradient: Vec<f32>,
    slots: [Vec<f32>; 2],
    /// The values at the start of a step that looks for sharpness; empty otherwise.
    before: Vec<f32>,
    /// Whether weight decay applies: kernels only, as is usual.
    decayed: bool,
}

impl Parameter {
    fn is_trainable(&self) -> bool {
        !self.gradient.is_empty()
    }
}

/// Forward over stored outputs, either way of normalising.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// Batch statistics in trainable layers, dropout.
    Training {
        /// Whether moving statistics take in what the batch's were.
        moves: bool,
    },
    /// Moving statistics, no dropout.
    Inference,
}

pub(crate) struct Session {
    crew: Crew,
    level: Level,
    lowered: Lowered,
    plan: slots::Plan,
    fusion: Fusion,
    parameters: Vec<Parameter>,
    /// Output of each node for a whole batch; empty where it is not stored.
    values: Vec<Aligned>,
    gradients: Vec<Aligned>,
    /// By node; empty for nodes that are not normalisations.
    norms: Vec<Norm>,
    /// A normalisation that changes nothing, with as many channels as any node.
    identity: Norm,
    moments: Vec<Moments>,
    work: conv::Work,
    /// Which values a dropout kept, per node; empty elsewhere.
    kept: Vec<Vec<f32>>,
    max_batch: usize,
    optimizer: Optimizer,
    sharpness: f32,
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
        let slot_count = options.optimizer.slot_names().len();
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
                before: vec![0.0; if options.sharpness > 0.0 { learnt } else { 0 }],
            });
        }
        let plan = slots::Plan::new(&lowered, |id| parameters[id].is_trainable());
        if plan.nothing_to_learn() {
            return Err(Error::Parameter("every layer is frozen: there is nothing to train".into()));
        }
        let batch = options.max_batch;
        let fusion = Fusion::new(&lowered, |id| plan.reaches(id));
        let stored =
            |(n, unstored): (&Node, &bool)| Aligned::zeros(if *unstored { 0 } else { n.len() * batch });
        let values = lowered.nodes.iter().zip(&fusion.unstored).map(stored).collect();
        let gradients = plan.sizes().iter().map(|n| Aligned::zeros(n * batch)).collect();
        let norms = lowered.nodes.iter().map(|n| match n.kind {
            Kind::Norm { activation, .. } => Norm::new(n.channels(), bounds(activation)),
            _ => Norm::default(),
        });
        let widest = lowered.nodes.iter().map(Node::channels).max().unwrap_or(1);
        let mut identity = Norm::new(widest, bounds(Activation::Linear));
        identity.scale.fill(1.0);
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
            crew: Crew::new(options.threads)?,
            level: Level::current(),
            norms: norms.collect(),
            moments: vec![Moments::default(); lowered.nodes.len()],
            lowered,
            plan,
            fusion,
            parameters,
            values,
            gradients,
            identity,
            work: conv::Work::default(),
            kept,
            max_batch: batch,
            optimizer: options.optimizer.clone(),
            sharpness: options.sharpness,
            seed: options.seed,
            step: 0,
        })
    }

    fn output(&self) -> NodeId {
        self.lowered.nodes.len() - 1
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

    /// Forward, loss and backward over the loaded pictures.
    fn gradients_of(&mut self, count: usize, moves: bool, loss: &mut Loss<'_>) -> Result<f32> {
        self.forward(count, Mode::Training { moves });
        let (output, n) = (self.output(), count * self.outputs());
        let mut gradient = self.plan.take(&mut self.gradients, output);
        let outcome = loss(&self.values[output][..n], &mut gradient[..n]);
        self.plan.put(&mut self.gradients, output, gradient);
        let loss = outcome?;
        self.backward(count);
        Ok(loss)
    }

    /// Moves the weights up their gradient by a distance of `sharpness`.
    fn climb(&mut self) {
        let learnt = || self.parameters.iter().filter(|p| p.is_trainable());
        let length = learnt().map(|p| sum_of_squares(&p.gradient)).sum::<f64>().sqrt();
        // At a stationary point there is no way up.
        let scale = if length > 0.0 { f64::from(self.sharpness) / length } else { 0.0 } as f32;
        for p in self.parameters.iter_mut().filter(|p| p.is_trainable()) {
            for ((before, value), g) in p.before.iter_mut().zip(&mut p.values).zip(&p.gradient) {
                *before = *value;
                *value += scale * g;
            }
        }
    }

    fn return_from_climb(&mut self) {
        for p in self.parameters.iter_mut().filter(|p| p.is_trainable()) {
            p.values.copy_from_slice(&p.before);
        }
    }

    fn update(&mut self, rate: f32) {
        let (level, step, optimizer) = (self.level, self.step, &self.optimizer);
        let size = ELEMENTS_PER_TASK;
        for p in self.parameters.iter_mut().filter(|p| p.is_trainable()) {
            let (n, decayed, gradient) = (p.values.len(), p.decayed, &p.gradient);
            let values = Parts::new(&mut p.values, size);
            let [first, second] = p.slots.each_mut().map(|slot| Parts::new(slot, size));
            self.crew.run(n.div_ceil(size), |task, _| {
                // SAFETY: each task has parts of its own; a second slot that an optimizer does without
                // has empty ones.
                let (v, slots) = unsafe { (values.part(task), [first.part(task), second.part(task)]) };
                let g = &gradient[task * size..][..v.len()];
                optimizer::update(level, optimizer, rate, step, decayed, v, g, slots);
            });
        }
    }
}

fn sum_of_squares(values: &[f32]) -> f64 {
    // Several sums side by side: one alone would wait for each of its additions.
    let mut sums = [0.0f64; 16];
    for values in values.chunks(sums.len()) {
        for (sum, value) in sums.iter_mut().zip(values) {
            *sum += f64::from(*value) * f64::from(*value);
        }
    }
    sums.iter().sum()
}

impl TrainingSession for Session {
    fn outputs(&self) -> usize {
        self.lowered.nodes[self.output()].len()
    }

    fn step_with(
        &mut self,
        pictures: &[f32],
        count: usize,
        learning_rate: f32,
        loss: &mut Loss<'_>,
    ) -> Result<f32> {
        self.load_pictures(pictures, count)?;
        let before = self.gradients_of(count, true, loss)?;
        if self.sharpness > 0.0 {
            self.climb();
            let uphill = self.gradients_of(count, false, loss);
            self.return_from_climb();
            uphill?;
        }
        self.step += 1;
        self.update(learning_rate);
        Ok(before)
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
            for (name, values) in self.optimizer.slot_names().iter().zip(&p.slots) {
                if let Ok(tensor) = Tensor::new(p.shape.clone(), values.clone()) {
                    slots.insert(format!("{name}/{}", p.name), tensor);
                }
            }
        }
        TrainingState { weights: self.weights(), slots, step: self.step }
    }

    fn restore(&mut self, state: &TrainingState) -> Result<()> {
        // Everything is looked up before anything changes: an error leaves the session as it was.
        let names = self.optimizer.slot_names();
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
