//! Inference plans against the unfused forward pass of training sessions, and against threads.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "an unmet expectation fails the test")]

use moue_cpu::CpuEngine;
use moue_graph::engine::{Engine, InferenceOptions, Optimizer, TrainingOptions};
use moue_graph::{Head, Tensor, Weights, attach_head, backbones};

fn network(side: usize) -> (moue_graph::Graph, Weights) {
    let graph =
        attach_head(backbones::by_name("mobilenet_v2", 0.5, side).unwrap(), &Head::default(), 7).unwrap();
    let mut weights = Weights::initialise(&graph, 17);
    // Statistics that do something: fresh ones are the identity and would hide a missing fold.
    for spec in graph.parameters() {
        let n: usize = spec.shape.iter().product();
        let wave = |low: f32, high: f32| {
            (0..n).map(|i| low + (high - low) * (0.5 + 0.5 * (i as f32 * 0.7).sin())).collect()
        };
        let data = match spec.name.rsplit('/').next().unwrap() {
            "gamma" => wave(0.9, 1.5),
            "moving_variance" => wave(0.4, 1.2),
            "beta" | "moving_mean" | "bias" => wave(-0.2, 0.2),
            _ => continue,
        };
        weights.insert(spec.name, Tensor::new(spec.shape, data).unwrap());
    }
    (graph, weights)
}

fn pictures(count: usize, side: usize) -> Vec<f32> {
    (0..count * side * side * 3).map(|i| ((i * 7919) % 1009) as f32 / 1009.0).collect()
}

#[test]
fn a_plan_gives_the_logits_of_the_unfused_network() {
    for side in [32, 33, 48, 97] {
        let (graph, weights) = network(side);
        let x = pictures(3, side);
        let options = TrainingOptions { max_batch: 3, threads: 2, optimizer: Optimizer::default(), seed: 0 };
        let mut plain = vec![0.0; 21];
        CpuEngine.training(&graph, &weights, &options).unwrap().logits(&x, 3, &mut plain).unwrap();
        let mut planned = vec![0.0; 21];
        let options = InferenceOptions { max_batch: 3, threads: 2 };
        CpuEngine.inference(&graph, &weights, &options).unwrap().logits(&x, 3, &mut planned).unwrap();
        let spread = plain.iter().fold(0.0f32, |m, v| m.max(v.abs()));
        assert!(spread > 0.02, "the logits are too small to compare: {plain:?}");
        for (a, b) in plain.iter().zip(&planned) {
            assert!((a - b).abs() <= 2e-5 * (1.0 + spread), "side {side}: {a} and {b}");
        }
    }
}

#[test]
fn batches_and_threads_change_nothing() {
    let (graph, weights) = network(48);
    let x = pictures(5, 48);
    let run = |threads: usize, together: bool| {
        let options = InferenceOptions { max_batch: 5, threads };
        let mut session = CpuEngine.inference(&graph, &weights, &options).unwrap();
        let mut out = vec![0.0; 35];
        if together {
            session.logits(&x, 5, &mut out).unwrap();
        } else {
            for (x, out) in x.chunks(48 * 48 * 3).zip(out.chunks_mut(7)) {
                session.logits(x, 1, out).unwrap();
            }
        }
        out
    };
    let one = run(1, false);
    for (threads, together) in [(1, true), (2, false), (2, true), (8, false), (8, true)] {
        assert_eq!(one, run(threads, together), "{threads} threads, together: {together}");
    }
}

#[test]
fn wrong_lengths_are_errors() {
    let (graph, weights) = network(32);
    let options = InferenceOptions { max_batch: 2, threads: 1 };
    let mut session = CpuEngine.inference(&graph, &weights, &options).unwrap();
    let x = pictures(3, 32);
    let mut out = vec![0.0; 21];
    assert!(session.logits(&x, 3, &mut out).is_err(), "more than planned");
    assert!(session.logits(&x, 0, &mut out).is_err(), "none");
    assert!(session.logits(&x[..100], 1, &mut out[..7]).is_err(), "a part of a picture");
    assert!(session.logits(&x[..32 * 32 * 3], 1, &mut out[..6]).is_err(), "too few logits");
    assert!(CpuEngine.inference(&graph, &weights, &InferenceOptions { max_batch: 0, threads: 1 }).is_err());
}
