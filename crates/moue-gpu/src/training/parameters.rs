//! The parameters of a training session: those that learn in one long tensor, moving statistics in another, frozen
//! ones as they came.

use burn_tensor::{Device, Gradients, Tensor};
use moue_graph::engine::{Optimizer, TrainingState};
use moue_graph::lowering::Kind;
use moue_graph::{Error, Graph, ParameterSpec, Result, Weights};

use crate::layout::Layout;
use crate::network::{MOST_SUMMED, Network, Statistics};
use crate::optimizer;
use crate::transfer::{download, upload};

/// Where a parameter's values are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Part of the values that learn.
    Learnt(usize),
    /// Part of the statistics that move.
    Moving(usize),
    /// Not changed by training.
    Fixed(usize),
}

pub(super) struct Parameters {
    specs: Vec<ParameterSpec>,
    places: Vec<Place>,
    slot_names: &'static [&'static str],
    device: Device,

    learnt: Layout,
    values: Tensor<1>,
    slots: Vec<Tensor<1>>,
    /// 1 where weight decay applies, else 0; `None` where there is no decay.
    decayed: Option<Tensor<1>>,

    moving: Layout,
    statistics: Tensor<1>,
    /// Share of the old statistics that is kept, for each value.
    momentum: Tensor<1>,

    fixed: Vec<Tensor<1>>,
}

impl Parameters {
    pub fn new(
        graph: &Graph,
        network: &Network,
        weights: &Weights,
        optimizer: &Optimizer,
        device: &Device,
    ) -> Result<Self> {
        let specs = graph.parameters();
        let lengths: Vec<usize> = specs.iter().map(|s| s.shape.iter().product()).collect();
        let mut momenta = vec![None; specs.len()];
        for node in network.nodes().iter().filter(|node| node.trainable) {
            if let Kind::Norm { gamma, momentum, .. } = node.kind {
                momenta[gamma + 2] = Some(momentum);
                momenta[gamma + 3] = Some(momentum);
            }
        }
        let (mut learnt, mut moving, mut fixed) = (Vec::new(), Vec::new(), Vec::new());
        let places = (0..specs.len()).map(|id| {
            let (list, place): (&mut Vec<usize>, fn(usize) -> Place) = match (&specs[id], momenta[id]) {
                (spec, _) if spec.trainable => (&mut learnt, Place::Learnt),
                (_, Some(_)) => (&mut moving, Place::Moving),
                _ => (&mut fixed, Place::Fixed),
            };
            list.push(id);
            place(list.len() - 1)
        });
        let places = places.collect();
        if learnt.is_empty() {
            return Err(Error::Parameter("every layer is frozen: there is nothing to train".into()));
        }
        let mut values = Vec::with_capacity(specs.len());
        for (spec, &length) in specs.iter().zip(&lengths) {
            values.push(weights.values(&spec.name, length)?);
        }

        let layout = |ids: &[usize]| Layout::new(ids.iter().map(|&id| lengths[id]));
        let up = |host: Vec<f32>| upload(&host, [host.len()], device);
        let (learnt_layout, moving_layout) = (layout(&learnt), layout(&moving));
        let slot_names = optimizer.slot_names();
        let filled = |ids: &[usize], value: &dyn Fn(usize) -> f32| -> Vec<Vec<f32>> {
            ids.iter().map(|&id| vec![value(id); lengths[id]]).collect()
        };
        let decayed = filled(&learnt, &|id| if specs[id].name.ends_with("kernel") { 1.0 } else { 0.0 });
        let momentum = filled(&moving, &|id| momenta[id].unwrap_or(1.0));
        Ok(Self {
            values: up(learnt_layout.gather(0.0, |part| values[learnt[part]])),
            slots: slot_names.iter().map(|_| Tensor::zeros([learnt_layout.len()], device)).collect(),
            decayed: (optimizer.kept_share(1.0) != 1.0)
                .then(|| up(learnt_layout.gather(0.0, |part| &decayed[part]))),
            statistics: up(moving_layout.gather(0.0, |part| values[moving[part]])),
            momentum: up(moving_layout.gather(1.0, |part| &momentum[part])),
            fixed: fixed.iter().map(|&id| upload(values[id], [lengths[id]], device)).collect(),
            learnt: learnt_layout,
            moving: moving_layout,
            specs,
            places,
            slot_names,
            device: device.clone(),
        })
    }

    /// Every parameter, outside of differentiation.
    pub fn plain(&self) -> Vec<Tensor<1>> {
        let (learnt, moving) = (self.learnt.split(&self.values), self.moving.split(&self.statistics));
        let tensor = |place: &Place| match *place {
            Place::Learnt(part) => learnt[part].clone(),
            Place::Moving(part) => moving[part].clone(),
            Place::Fixed(part) => self.fixed[part].clone(),
        };
        self.places.iter().map(tensor).collect()
    }

    /// Every parameter; those that learn ask for their gradient.
    pub fn tracked(&self) -> Vec<Tensor<1>> {
        let track = |(tensor, place): (Tensor<1>, &Place)| match place {
            Place::Learnt(_) => tensor.autodiff().require_grad(),
            _ => tensor,
        };
        self.plain().into_iter().zip(&self.places).map(track).collect()
    }

    /// Whether there are statistics that move.
    pub fn moves(&self) -> bool {
        self.moving.count() > 0
    }

    /// A batch's statistics in one long tensor, zeros where none were seen.
    pub fn seen(&self, statistics: Vec<Statistics>) -> Tensor<1> {
        let mut parts = vec![None; self.moving.count()];
        for Statistics { gamma, mean, variance } in statistics {
            for (id, tensor) in [(gamma + 2, mean), (gamma + 3, variance)] {
                if let Place::Moving(part) = self.places[id] {
                    parts[part] = Some(tensor.inner());
                }
            }
        }
        self.moving.join(parts, &self.device)
    }

    /// Takes a batch's statistics, as [`Parameters::seen`] gives them, into the moving ones.
    pub fn move_statistics(&mut self, seen: Tensor<1>) {
        let old = self.statistics.clone();
        self.statistics = seen.clone() + (old - seen) * self.momentum.clone();
    }

    /// The gradient of all that learns in one long tensor. `tensors` are those that [`Parameters::tracked`] gave.
    pub fn gradient(&self, tensors: &[Tensor<1>], gradients: &mut Gradients) -> Tensor<1> {
        let mut parts = vec![None; self.learnt.count()];
        for (tensor, place) in tensors.iter().zip(&self.places) {
            if let Place::Learnt(part) = *place {
                parts[part] = tensor.grad_remove(gradients);
            }
        }
        self.learnt.join(parts, &self.device)
    }

    /// The gradient of no picture.
    pub fn no_gradient(&self) -> Tensor<1> {
        Tensor::zeros([self.learnt.len()], &self.device)
    }

    /// Moves the values a distance up a gradient, and gives those before.
    pub fn climb(&mut self, gradient: &Tensor<1>, distance: f32) -> Tensor<1> {
        let length = length(gradient);
        let before = self.values.clone();
        // At a stationary point there is no way up: no length is taken for 0.
        let scale = length.clamp_min(1e-15).recip().mul_scalar(distance);
        self.values = before.clone() + gradient.clone() * scale.expand([self.learnt.len()]);
        before
    }

    /// Puts back what [`Parameters::climb`] gave.
    pub fn return_to(&mut self, values: Tensor<1>) {
        self.values = values;
    }

    /// One update by a gradient laid out as [`Parameters::gradient`] does; `step` counts from 1.
    pub fn learn(&mut self, gradient: Tensor<1>, optimizer: &Optimizer, rate: f32, step: u64) {
        // In [0.5, 1] the difference to 1 is exact, so that values which do not decay stay as they are.
        let kept =
            self.decayed.clone().map(|d| d.mul_scalar(optimizer.kept_share(rate) - 1.0).add_scalar(1.0));
        self.values =
            optimizer::update(optimizer, rate, step, self.values.clone(), kept, gradient, &mut self.slots);
    }
}

/// The Euclidean length of a vector of any number of values, `[1]`.
fn length(vector: &Tensor<1>) -> Tensor<1> {
    let squares = vector.clone() * vector.clone();
    let sums = squares.split(MOST_SUMMED, 0).into_iter().map(Tensor::sum).collect();
    Tensor::cat(sums, 0).sum().sqrt()
}

/// To the host and back.
impl Parameters {
    /// All parameters; those the device does not give back are left out, which whoever reads them reports.
    pub fn weights(&self) -> Weights {
        let learnt = download(self.values.clone()).unwrap_or_default();
        let moving = download(self.statistics.clone()).unwrap_or_default();
        let mut weights = Weights::new();
        for (spec, place) in self.specs.iter().zip(&self.places) {
            let values = match *place {
                Place::Learnt(part) => learnt.get(self.learnt.range(part)).map(<[f32]>::to_vec),
                Place::Moving(part) => moving.get(self.moving.range(part)).map(<[f32]>::to_vec),
                Place::Fixed(part) => download(self.fixed[part].clone()).ok(),
            };
            if let Some(values) = values
                && let Ok(tensor) = moue_graph::Tensor::new(spec.shape.clone(), values)
            {
                weights.insert(&spec.name, tensor);
            }
        }
        weights
    }

    /// The optimizer's moments, named `m/layer/parameter` and so on.
    pub fn slots(&self) -> Weights {
        let mut weights = Weights::new();
        for (slot, name) in self.slots.iter().zip(self.slot_names) {
            let all = download(slot.clone()).unwrap_or_default();
            for (spec, place) in self.specs.iter().zip(&self.places) {
                if let Place::Learnt(part) = *place
                    && let Some(values) = all.get(self.learnt.range(part))
                    && let Ok(tensor) = moue_graph::Tensor::new(spec.shape.clone(), values.to_vec())
                {
                    weights.insert(format!("{name}/{}", spec.name), tensor);
                }
            }
        }
        weights
    }

    /// Takes over a checkpoint's values; an error where one is missing or of another size changes nothing.
    pub fn restore(&mut self, state: &TrainingState) -> Result<()> {
        let mut learnt = vec![0.0; self.learnt.len()];
        let mut moving = vec![0.0; self.moving.len()];
        let mut slots = vec![learnt.clone(); self.slot_names.len()];
        let mut fixed = Vec::new();
        for (spec, place) in self.specs.iter().zip(&self.places) {
            let count = spec.shape.iter().product();
            let values = state.weights.values(&spec.name, count)?;
            match *place {
                Place::Learnt(part) => {
                    learnt[self.learnt.range(part)].copy_from_slice(values);
                    for (slot, name) in slots.iter_mut().zip(self.slot_names) {
                        let values = state.slots.values(&format!("{name}/{}", spec.name), count)?;
                        slot[self.learnt.range(part)].copy_from_slice(values);
                    }
                }
                Place::Moving(part) => moving[self.moving.range(part)].copy_from_slice(values),
                Place::Fixed(_) => fixed.push(upload(values, [count], &self.device)),
            }
        }
        let up = |host: &Vec<f32>| upload(host, [host.len()], &self.device);
        self.values = up(&learnt);
        self.statistics = up(&moving);
        self.slots = slots.iter().map(up).collect();
        self.fixed = fixed;
        Ok(())
    }
}
