//! Random weights, pictures and targets, and how close two engines are.

use std::ops::Range;

use moue_graph::engine::{Batch, Engine, Optimizer, TrainingOptions, TrainingSession};
use moue_graph::{Activation, Graph, Op, Padding, Tensor, Weights};

pub const NORM: Op = Op::BatchNormalization { epsilon: 1e-3, momentum: 0.9 };

/// Gradient descent whose every step is minus the gradient times the rate.
pub const PLAIN: Optimizer = Optimizer::Sgd { momentum: 0.0, nesterov: false, weight_decay: 0.0 };

pub fn conv(filters: usize, kernel: [usize; 2], strides: [usize; 2], padding: Padding, use_bias: bool) -> Op {
    Op::Conv2D { filters, kernel_size: kernel, strides, padding, use_bias, activation: Activation::Linear }
}

pub fn depthwise(kernel: [usize; 2], strides: [usize; 2], padding: Padding, use_bias: bool) -> Op {
    Op::DepthwiseConv2D { kernel_size: kernel, strides, padding, use_bias }
}

pub fn dense(units: usize, activation: Activation) -> Op {
    Op::Dense { units, use_bias: true, activation }
}

/// A small stream of numbers in [0, 1).
pub struct Numbers(pub u64);

impl Numbers {
    fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as f32 / (1u64 << 24) as f32
    }

    pub fn vec(&mut self, n: usize, low: f32, high: f32) -> Vec<f32> {
        (0..n).map(|_| low + (high - low) * self.next()).collect()
    }
}

/// Kernels as a fresh network has them, everything else random, statistics included.
pub fn random_weights(graph: &Graph, seed: u64) -> Weights {
    let mut weights = Weights::initialise(graph, seed);
    let mut numbers = Numbers(seed);
    for spec in graph.parameters() {
        let n = spec.shape.iter().product();
        let (low, high) = match spec.name.rsplit('/').next().unwrap() {
            "gamma" | "moving_variance" => (0.5, 1.5),
            "kernel" | "depthwise_kernel" => continue,
            _ => (-0.4, 0.4),
        };
        weights.insert(spec.name, Tensor::new(spec.shape, numbers.vec(n, low, high)).unwrap());
    }
    weights
}

/// Pictures with soft targets and a weight each.
pub struct Material {
    pub count: usize,
    pub pictures: Vec<f32>,
    targets: Vec<f32>,
    weights: Vec<f32>,
}

impl Material {
    pub fn new(graph: &Graph, count: usize, seed: u64) -> Self {
        let mut numbers = Numbers(seed);
        let classes = graph.output_shape()[0];
        let mut targets = numbers.vec(count * classes, 0.0, 1.0);
        for row in targets.chunks_mut(classes) {
            let sum: f32 = row.iter().sum();
            row.iter_mut().for_each(|t| *t /= sum);
        }
        let pictures = numbers.vec(count * graph.input_shape().iter().product::<usize>(), -1.0, 1.0);
        Self { count, pictures, targets, weights: numbers.vec(count, 0.5, 2.0) }
    }

    /// The same with each value of the pictures changed by up to this share of it.
    pub fn disturbed(&self, share: f32) -> Self {
        let noise = Numbers(77).vec(self.pictures.len(), 1.0 - share, 1.0 + share);
        let pictures = self.pictures.iter().zip(noise).map(|(p, n)| p * n).collect();
        Self { count: self.count, pictures, targets: self.targets.clone(), weights: self.weights.clone() }
    }

    /// Some of the pictures with what belongs to them.
    pub fn part(&self, pictures: Range<usize>) -> Self {
        let of = |all: &[f32]| {
            let each = all.len() / self.count;
            all[pictures.start * each..pictures.end * each].to_vec()
        };
        Self {
            count: pictures.len(),
            pictures: of(&self.pictures),
            targets: of(&self.targets),
            weights: of(&self.weights),
        }
    }

    pub fn batch(&self) -> Batch<'_> {
        Batch { count: self.count, pictures: &self.pictures, targets: &self.targets, weights: &self.weights }
    }
}

pub fn training(
    engine: &dyn Engine,
    graph: &Graph,
    weights: &Weights,
    optimizer: &Optimizer,
    max_batch: usize,
) -> Box<dyn TrainingSession> {
    let options =
        TrainingOptions { max_batch, threads: 2, optimizer: optimizer.clone(), sharpness: 0.0, seed: 5 };
    engine.training(graph, weights, &options).unwrap()
}

/// Largest difference between two lists, as a share of the largest value of either.
pub fn distance(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    let size = a.iter().chain(b).fold(0f32, |size, v| size.max(v.abs()));
    let apart = a
        .iter()
        .zip(b)
        .fold(0f32, |most, (a, b)| if (a - b).is_nan() { f32::NAN } else { most.max((a - b).abs()) });
    if apart == 0.0 { 0.0 } else { apart / size }
}

/// Fails where the lists are further apart than `tolerance` of their largest value.
#[track_caller]
pub fn close(what: &str, a: &[f32], b: &[f32], tolerance: f32) {
    let apart = distance(a, b);
    assert!(apart <= tolerance, "{what}: {apart} apart, at most {tolerance} is allowed");
}

/// Root of the mean of squares of `b - a` over all tensors, and of `c - b`: how far training moved, and how far two
/// engines are from each other afterwards.
pub fn moved_and_apart(start: &Weights, one: &Weights, other: &Weights) -> (f64, f64) {
    let (mut moved, mut apart, mut n) = (0.0, 0.0, 0.0);
    for (name, tensor) in one.iter() {
        let (start, other) = (start.get(name).unwrap().data(), other.get(name).unwrap().data());
        assert_eq!(tensor.data().len(), other.len(), "{name}");
        for ((a, b), c) in start.iter().zip(tensor.data()).zip(other) {
            moved += f64::from(b - a).powi(2);
            apart += f64::from(c - b).powi(2);
            n += 1.0;
        }
    }
    assert_eq!(one.len(), other.len());
    ((moved / n).sqrt(), (apart / n).sqrt())
}

/// A step of a network whose normalisation sees fewer values a channel than the engine sums at once, more, and many more
/// (102,400), on the CPU and on another engine.
pub fn normalises_very_many_pixels(engine: &dyn Engine) {
    let mut b = Graph::builder("large");
    let x = b.add("input", Op::InputLayer { shape: vec![32, 32, 4] }, &[]).unwrap();
    let x = b.add("conv", conv(8, [3, 3], [1, 1], Padding::Same, true), &[x]).unwrap();
    let x = b.add("bn", NORM, &[x]).unwrap();
    let x = b.add("depthwise", depthwise([3, 3], [1, 1], Padding::Same, true), &[x]).unwrap();
    let x = b.add("bn_2", NORM, &[x]).unwrap();
    let x = b.add("pool", Op::GlobalAveragePooling2D, &[x]).unwrap();
    b.add("dense", dense(7, Activation::Softmax), &[x]).unwrap();
    let graph = b.finish().unwrap();
    let start = random_weights(&graph, 3);
    for count in [31, 33, 63, 65, 100, 127] {
        let material = Material::new(&graph, count, 5);
        let step = |engine: &dyn Engine| {
            let mut session = training(engine, &graph, &start, &PLAIN, count);
            let loss = session.step(&material.batch(), 1.0).unwrap().loss;
            (loss, session.weights())
        };
        let ((loss, here), (other, there)) = (step(&moue_cpu::CpuEngine), step(engine));
        close("loss", &[loss], &[other], 1e-5);
        for (name, tensor) in here.iter() {
            // A normalisation takes away what a bias before it adds: its gradient is what rounding leaves of large sums.
            let tolerance = if name.ends_with("/bias") { 2e-3 } else { 1e-4 };
            close(&format!("{name} of {count}"), tensor.data(), there.get(name).unwrap().data(), tolerance);
        }
    }
}
