//! The same network, weights and batches as Keras 3 on TensorFlow: logits, losses, and the weights
//! after three steps of Adam, against the float64 values that `scripts/keras_reference.py` recorded.
//!
//! Keras' own float32 run is recorded beside them. Tolerances are stated in its terms: what a float32
//! engine may differ by is what float32 Keras differs by, times a small factor.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "an unmet expectation fails the test")]

#[path = "reference/keras_formula.rs"]
mod keras_formula;

use keras_formula::{Case, initial_weights, reference};
use moue_cpu::CpuEngine;
use moue_graph::engine::{Batch, Engine, InferenceOptions, Optimizer, TrainingOptions};

const STEPS: usize = 3;

fn furthest(got: &[f32], want: &[f32]) -> f32 {
    assert_eq!(got.len(), want.len());
    got.iter().zip(want).map(|(g, w)| (g - w).abs()).fold(0.0, f32::max)
}

// One value that rounding puts on the other side of a kink of ReLU6 takes part in a gradient or does
// not, which no float32 engine can help: some float32 runs of this reference meet one. These are three
// times what that changes, and far below what a step changes (1e-3 a weight).
const KINK_IN_LOSS: f32 = 5e-5;
const KINK_IN_WEIGHT: f32 = 2e-4;
const KINK_IN_MEAN: f32 = 1e-5;
const KINK_IN_LOGITS: f32 = 2e-2;

fn check(case: &Case) {
    let reference = reference();
    let graph = case.graph(&reference);
    let weights = initial_weights(&graph);
    let (pictures, targets) = (case.pictures(), case.targets(reference.classes));
    assert_eq!(&pictures[..case.pictures_start.len()], &case.pictures_start, "the formula of the pictures");
    for (name, start) in &case.initial {
        assert_eq!(&weights.get(name).unwrap().data()[..start.len()], start, "the formula of {name}");
    }

    let mut logits = vec![0.0; case.logits.len()];
    let options = InferenceOptions { max_batch: case.count, threads: 2 };
    let mut plan = CpuEngine.inference(&graph, &weights, &options).unwrap();
    plan.logits(&pictures, case.count, &mut logits).unwrap();
    let off = furthest(&logits, &case.logits);
    assert!(off <= 10.0 * case.float32_deviation.logits.max(1e-6), "logits of the plan are {off} away");

    let epsilon = reference.epsilon;
    let optimizer = Optimizer::Adam { beta_1: 0.9, beta_2: 0.999, epsilon, weight_decay: 0.0 };
    let options = TrainingOptions { max_batch: case.count, threads: 2, optimizer, sharpness: 0.0, seed: 0 };
    let mut session = CpuEngine.training(&graph, &weights, &options).unwrap();
    session.logits(&pictures, case.count, &mut logits).unwrap();
    let off = furthest(&logits, &case.logits);
    assert!(off <= 10.0 * case.float32_deviation.logits.max(1e-6), "logits in training are {off} away");

    let batch = Batch { count: case.count, pictures: &pictures, targets: &targets, weights: &[] };
    for step in 0..STEPS {
        let outcome = session.step(&batch, reference.learning_rate).unwrap();
        let off = (outcome.loss - case.losses[step]).abs();
        let allowed = 10.0 * case.float32_deviation.losses[step] + KINK_IN_LOSS;
        assert!(off <= allowed, "loss of step {step} is {off} away");
        assert_eq!(outcome.correct, case.correct[step], "right answers of step {step}");
    }

    let after = session.weights();
    let (mut unchanged, mut sum, mut count) = (0, 0.0f64, 0u32);
    assert_eq!(after.len(), case.weights.len(), "number of tensors");
    for (name, facts) in &case.weights {
        let tensor = after.get(name).unwrap();
        assert_eq!(tensor.shape(), facts.shape, "{name}");
        unchanged += usize::from(Some(tensor) == weights.get(name));
        let samples = facts.samples_of(tensor.data());
        let off = furthest(&samples, &facts.samples);
        let allowed = 10.0 * case.float32_deviation.weights_max + KINK_IN_WEIGHT;
        assert!(off <= allowed, "{name} is {off} away");
        sum += samples.iter().zip(&facts.samples).map(|(a, b)| f64::from((a - b).abs())).sum::<f64>();
        count += samples.len() as u32;
        let norm = tensor.data().iter().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt();
        assert!((norm - facts.norm).abs() <= 1e-4 * (1.0 + facts.norm), "norm of {name}: {norm}");
    }
    assert_eq!(unchanged, case.unchanged, "tensors that training leaves alone");
    let mean = sum / f64::from(count);
    let allowed = f64::from(10.0 * case.float32_deviation.weights_mean + KINK_IN_MEAN);
    assert!(mean <= allowed, "weights are {mean} away on average, allowed are {allowed}");

    session.logits(&pictures, case.count, &mut logits).unwrap();
    let off = furthest(&logits, &case.logits_after);
    let allowed = 10.0 * case.float32_deviation.logits_after + KINK_IN_LOGITS;
    assert!(off <= allowed, "logits afterwards are {off} away");
}

#[test]
fn three_steps_equal_keras() {
    let reference = reference();
    assert_eq!(reference.cases.len(), 2);
    for case in &reference.cases {
        check(case);
    }
}
