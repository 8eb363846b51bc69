//! One model on one or several devices. Each device holds a replica, all parameters and all of the optimizer's state,
//! and takes its part of every batch. Sums over the devices make each replica move alike, so that they stay the same
//! to the bit and any one of them is the model.

use std::ops::Range;

use burn_tensor::{Device, Tensor};
use moue_graph::engine::rendering::{Rendering, Stored};
use moue_graph::engine::{Optimizer, TrainingState};
use moue_graph::{Error, Graph, Result, Weights};

use super::parameters::Parameters;
use super::reduction::Reduction;
use crate::network::{Mode, Network, Statistics};
use crate::rendering::Kept;
use crate::transfer::{download, upload};

/// Devices of one kind that train a model together.
pub(crate) struct Devices<'a> {
    pub first: &'a Device,
    pub others: &'a [Device],
    pub reduction: Reduction,
}

/// The replicas of a training session, at least one.
pub(super) struct Replicas {
    first: Replica,
    others: Vec<Replica>,
    reduction: Reduction,
}

struct Replica {
    parameters: Parameters,
    device: Device,
    /// The pictures it keeps, if the caller handed them over.
    kept: Option<Kept>,
}

/// The pictures of a batch.
#[derive(Clone, Copy)]
pub(super) enum Pictures<'a> {
    /// `count` inputs, on the host.
    Given { values: &'a [f32], count: usize },
    /// What the devices make of those they keep.
    Rendered(&'a [Rendering]),
}

impl Pictures<'_> {
    fn count(self) -> usize {
        match self {
            Self::Given { count, .. } => count,
            Self::Rendered(renderings) => renderings.len(),
        }
    }
}

/// A batch's way forward through all replicas.
pub(super) struct Passes(Vec<Option<Pass>>);

/// What a replica's forward pass left for its backward pass.
struct Pass {
    /// Which pictures of the batch.
    share: Range<usize>,
    tensors: Vec<Tensor<1>>,
    logits: Tensor<2>,
}

impl Passes {
    /// Waits for the logits of the whole batch.
    pub fn logits(&self) -> Result<Vec<f32>> {
        let mut all = Vec::new();
        for pass in self.0.iter().flatten() {
            all.append(&mut download(pass.logits.clone().inner())?);
        }
        Ok(all)
    }
}

impl Replicas {
    pub fn new(
        graph: &Graph,
        network: &Network,
        weights: &Weights,
        optimizer: &Optimizer,
        devices: &Devices<'_>,
    ) -> Result<Self> {
        let replica = |device: &Device| -> Result<Replica> {
            let parameters = Parameters::new(graph, network, weights, optimizer, device)?;
            Ok(Replica { parameters, device: device.clone(), kept: None })
        };
        Ok(Self {
            first: replica(devices.first)?,
            others: devices.others.iter().map(replica).collect::<Result<_>>()?,
            reduction: devices.reduction,
        })
    }

    fn all(&self) -> impl Iterator<Item = &Replica> {
        std::iter::once(&self.first).chain(&self.others)
    }

    fn all_mut(&mut self) -> impl Iterator<Item = &mut Replica> {
        std::iter::once(&mut self.first).chain(&mut self.others)
    }

    /// Gives each device all pictures: which of them it needs is drawn anew in every epoch.
    pub fn keep(&mut self, pictures: &Stored<'_>, input: &[usize]) -> Result<()> {
        self.all_mut().try_for_each(|replica| {
            replica.kept = Some(Kept::new(pictures, input, &replica.device)?);
            Ok(())
        })
    }

    /// Queues the forward pass of each replica's part of the batch, and where `moves` says so takes what normalisations
    /// saw into their moving statistics.
    pub fn forward(
        &mut self,
        network: &Network,
        pictures: Pictures<'_>,
        seed: u64,
        step: u64,
        moves: bool,
    ) -> Result<Passes> {
        let count = pictures.count();
        let (mut passes, mut seen) = (Vec::new(), Vec::new());
        for (replica, share) in self.all().zip(shares(count, 1 + self.others.len())) {
            if share.is_empty() {
                passes.push(None);
                seen.push(Vec::new());
                continue;
            }
            let tensors = replica.parameters.tracked();
            let inputs = replica.inputs(pictures, share.clone())?;
            let mode = Mode::Training { seed, step, first: share.start };
            let (logits, statistics) = network.forward(&tensors, inputs, mode, &replica.device)?;
            passes.push(Some(Pass { share, tensors, logits }));
            seen.push(statistics);
        }
        let passes = Passes(passes);
        if moves && self.first.parameters.moves() {
            self.move_statistics(&passes, seen, count)?;
        }
        Ok(passes)
    }

    /// Each replica normalised by what it saw. All take over the mean of that, a picture counting like any other.
    fn move_statistics(&mut self, passes: &Passes, seen: Vec<Vec<Statistics>>, count: usize) -> Result<()> {
        let weighted = self.all().zip(&passes.0).zip(seen).map(|((replica, pass), statistics)| {
            let seen = replica.parameters.seen(statistics);
            match pass {
                Some(pass) if pass.share.len() < count => {
                    seen.mul_scalar(pass.share.len() as f32 / count as f32)
                }
                _ => seen,
            }
        });
        let means = self.reduction.sums(weighted.collect())?;
        for (replica, mean) in self.all_mut().zip(means) {
            replica.parameters.move_statistics(mean);
        }
        Ok(())
    }

    /// Queues the backward passes, and gives each replica the sum of their gradients. `gradient` is that of the
    /// loss by each of the batch's logits.
    pub fn backward(&self, passes: Passes, gradient: &[f32]) -> Result<Vec<Tensor<1>>> {
        let gradients = self.all().zip(passes.0).map(|(replica, pass)| match pass {
            Some(pass) => replica.backward(pass, gradient),
            None => replica.parameters.no_gradient(),
        });
        self.reduction.sums(gradients.collect())
    }

    /// Moves every replica by a gradient from [`Replicas::backward`]; `step` counts from 1.
    pub fn learn(&mut self, gradients: Vec<Tensor<1>>, optimizer: &Optimizer, rate: f32, step: u64) {
        for (replica, gradient) in self.all_mut().zip(gradients) {
            replica.parameters.learn(gradient, optimizer, rate, step);
        }
    }

    /// Moves every replica so far up such a gradient, and gives the values it had.
    pub fn climb(&mut self, gradients: &[Tensor<1>], distance: f32) -> Vec<Tensor<1>> {
        self.all_mut().zip(gradients).map(|(replica, g)| replica.parameters.climb(g, distance)).collect()
    }

    /// Puts back what [`Replicas::climb`] gave.
    pub fn return_to(&mut self, values: Vec<Tensor<1>>) {
        for (replica, values) in self.all_mut().zip(values) {
            replica.parameters.return_to(values);
        }
    }

    /// Logits as the weights are now, from the first device.
    pub fn answer(&self, network: &Network, pictures: &[f32], count: usize) -> Result<Vec<f32>> {
        let Replica { parameters, device, .. } = &self.first;
        let inputs = upload(pictures, [count, network.picture_len()], device);
        let (logits, _) = network.forward(&parameters.plain(), inputs, Mode::Inference, device)?;
        download(logits)
    }

    pub fn weights(&self) -> Weights {
        self.first.parameters.weights()
    }

    pub fn slots(&self) -> Weights {
        self.first.parameters.slots()
    }

    /// Takes over a checkpoint's values; an error where one is missing or of another size changes nothing.
    pub fn restore(&mut self, state: &TrainingState) -> Result<()> {
        // What the first takes, all take: they hold the same parameters.
        self.all_mut().try_for_each(|replica| replica.parameters.restore(state))
    }
}

impl Replica {
    /// The inputs `[pictures, values]` of a part of the batch.
    fn inputs(&self, pictures: Pictures<'_>, share: Range<usize>) -> Result<Tensor<2>> {
        match pictures {
            Pictures::Given { values, count } => {
                let len = values.len() / count;
                let part = &values[share.start * len..share.end * len];
                Ok(upload(part, [share.len(), len], &self.device))
            }
            Pictures::Rendered(renderings) => {
                let Some(kept) = &self.kept else {
                    return Err(Error::Parameter("no pictures are kept to make inputs of".into()));
                };
                // A picture is mixed with the next of the batch, which may be another replica's.
                let after = &renderings[share.end % renderings.len()];
                kept.inputs(&renderings[share], after)
            }
        }
    }

    /// The gradient of all that learns, by this replica's pictures.
    fn backward(&self, pass: Pass, gradient: &[f32]) -> Tensor<1> {
        let [count, outputs] = pass.logits.dims();
        let part = &gradient[pass.share.start * outputs..pass.share.end * outputs];
        // The gradient of this sum by the logits is the caller's.
        let part = upload(part, [count, outputs], &self.device);
        let mut gradients = (pass.logits * part).sum().backward();
        self.parameters.gradient(&pass.tensors, &mut gradients)
    }
}

/// Cuts a batch into runs of pictures as equal as can be, the longer ones first; some are empty where there are fewer
/// pictures than runs.
fn shares(count: usize, runs: usize) -> impl Iterator<Item = Range<usize>> {
    let (each, longer) = (count / runs, count % runs);
    let start = move |run: usize| run * each + run.min(longer);
    (0..runs).map(move |run| start(run)..start(run + 1))
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use moue_graph::engine::{Batch, TrainingOptions, TrainingSession};
    use moue_graph::{Activation, Op, Padding};

    use super::*;
    use crate::Compute;
    use crate::training::Session;

    #[test]
    fn shares_are_as_equal_as_can_be() {
        let cut = |count, runs| shares(count, runs).collect::<Vec<_>>();
        assert_eq!(cut(7, 3), [0..3, 3..5, 5..7]);
        assert_eq!(cut(8, 2), [0..4, 4..8]);
        assert_eq!(shares(5, 1).next(), Some(0..5));
        assert_eq!(cut(3, 4), [0..1, 1..2, 2..3, 3..3]);
    }

    /// Convolution, normalisation, dropout and a dense layer.
    fn graph() -> Result<Graph> {
        let mut b = Graph::builder("small");
        let conv = Op::Conv2D {
            filters: 5,
            kernel_size: [3, 3],
            strides: [1, 1],
            padding: Padding::Same,
            use_bias: false,
            activation: Activation::Linear,
        };
        let x = b.add("input", Op::InputLayer { shape: vec![6, 5, 2] }, &[])?;
        let x = b.add("conv", conv, &[x])?;
        let x = b.add("bn", Op::BatchNormalization { epsilon: 1e-3, momentum: 0.9 }, &[x])?;
        let x = b.add("pool", Op::GlobalAveragePooling2D, &[x])?;
        let x = b.add("dropout", Op::Dropout { rate: 0.3 }, &[x])?;
        let logits = Op::Dense { units: 3, use_bias: true, activation: Activation::Softmax };
        b.add("logits", logits, &[x])?;
        b.finish()
    }

    #[test]
    fn replicas_stay_the_same_to_the_bit() {
        let graph = graph().unwrap();
        let device = Device::flex();
        let devices = Devices {
            first: &device,
            others: &[device.clone(), device.clone(), device.clone()],
            reduction: Reduction::Host,
        };
        let optimizer = Optimizer::Adam { beta_1: 0.9, beta_2: 0.99, epsilon: 1e-7, weight_decay: 0.1 };
        let options = TrainingOptions { max_batch: 9, threads: 0, optimizer, sharpness: 0.0, seed: 3 };
        let weights = Weights::initialise(&graph, 1);
        let mut session = Session::new(&devices, Compute::F32, &graph, &weights, &options).unwrap();
        let mut before = session.weights();
        for count in [9, 4, 2] {
            let pictures: Vec<f32> = (0..count * 60).map(|i| ((i * i) as f32).sin()).collect();
            let targets: Vec<f32> = (0..count * 3).map(|i| if i % 4 == 0 { 1.0 } else { 0.0 }).collect();
            let batch = Batch { count, pictures: &pictures, targets: &targets, weights: &[] };
            session.step(&batch, 0.01).unwrap();
            let all: Vec<_> = session.replicas.all().collect();
            assert_eq!(all.len(), 4);
            let first = &all[0].parameters;
            assert!(first.weights() != before, "a step of {count}");
            for (at, replica) in all.iter().enumerate() {
                assert!(replica.parameters.weights() == first.weights(), "weights of replica {at}");
                assert!(replica.parameters.slots() == first.slots(), "moments of replica {at}");
            }
            before = first.weights();
        }
    }
}
