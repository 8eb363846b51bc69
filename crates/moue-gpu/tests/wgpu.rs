//! Real training on a device of wgpu: a small network learns, and as the CPU does.
//!
//! Runs where `MOUE_TEST_WGPU` is set, since not every machine has a device; a software one will do (Debian:
//! `mesa-vulkan-drivers`).
//!
//!     MOUE_TEST_WGPU=1 cargo test -p moue-gpu --features wgpu --test wgpu -- --nocapture

#![cfg(feature = "wgpu")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "an unmet expectation fails the test"
)]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "figures for whoever asks with --nocapture")]

#[allow(dead_code, reason = "the other test uses all of it")]
#[path = "agreement/material.rs"]
mod material;
#[allow(dead_code, reason = "the other test uses all of it")]
#[path = "agreement/rendered.rs"]
mod rendered;

use moue_cpu::CpuEngine;
use moue_gpu::{Compute, GpuEngine};
use moue_graph::engine::{Batch, Engine, InferenceOptions, Optimizer};
use moue_graph::{Activation, Graph, Head, Op, Weights, attach_head, backbones};

use material::{Numbers, close, moved_and_apart, training};

const SIDE: usize = 24;
const COUNT: usize = 21;

fn device() -> Option<GpuEngine> {
    if std::env::var_os("MOUE_TEST_WGPU").is_none() {
        eprintln!("SKIPPED: training on wgpu; set MOUE_TEST_WGPU where there is a device");
        return None;
    }
    Some(GpuEngine::wgpu().unwrap())
}

/// Without clamps, where rounding cannot tip a gradient over (see the test of the recipes), or a network to learn with.
fn graph(smooth: bool) -> Graph {
    let backbone = backbones::build("mobilenet_v2", 0.35, [SIDE, SIDE, 1], backbones::Stem::Stride1).unwrap();
    let graph = attach_head(backbone, &Head { hidden: vec![], dropout: 0.1 }, 7).unwrap();
    if !smooth {
        return graph;
    }
    let mut b = Graph::builder("smooth");
    for layer in graph.layers() {
        let op = match &layer.op {
            Op::Activation { .. } => Op::Activation { function: Activation::Linear },
            other => other.clone(),
        };
        b.add(layer.name.clone(), op, &layer.inputs).unwrap();
    }
    b.finish().unwrap()
}

/// Gratings of seven directions with noise, each direction a class.
fn pictures(seed: u64) -> (Vec<f32>, Vec<f32>) {
    let noise = Numbers(seed).vec(COUNT * SIDE * SIDE, -0.3, 0.3);
    let mut targets = vec![0.0; COUNT * 7];
    let mut pictures = Vec::new();
    for i in 0..COUNT {
        targets[i * 7 + i % 7] = 1.0;
        let angle = (i % 7) as f32 * std::f32::consts::PI / 7.0;
        for place in 0..SIDE * SIDE {
            let (x, y) = ((place % SIDE) as f32, (place / SIDE) as f32);
            pictures.push((0.6 * (x * angle.cos() + y * angle.sin())).sin() + noise[i * SIDE * SIDE + place]);
        }
    }
    (pictures, targets)
}

/// Losses of so many steps, and the weights after them.
fn learn(engine: &dyn Engine, graph: &Graph, steps: u64) -> (Vec<f32>, Weights) {
    let optimizer = Optimizer::Adam { beta_1: 0.9, beta_2: 0.999, epsilon: 1e-7, weight_decay: 0.02 };
    let mut session = training(engine, graph, &Weights::initialise(graph, 3), &optimizer, COUNT);
    let mut losses = Vec::new();
    for step in 0..steps {
        let (pictures, targets) = pictures(step);
        let batch = Batch { count: COUNT, pictures: &pictures, targets: &targets, weights: &[] };
        let outcome = session.step(&batch, 1e-3).unwrap();
        losses.push(outcome.loss);
    }
    println!("{}: {losses:.4?}", engine.name());
    (losses, session.weights())
}

#[test]
fn a_network_learns_on_wgpu_as_on_the_cpu() {
    let Some(wgpu) = device() else { return };
    let (graph, steps) = (graph(false), 25);
    let (cpu, _) = learn(&CpuEngine, &graph, steps);
    let (gpu, weights) = learn(&wgpu, &graph, steps);
    close("loss of the first step", &cpu[..1], &gpu[..1], 1e-4);
    let mean = |losses: &[f32]| losses.iter().sum::<f32>() / losses.len() as f32;
    let (first, last) = (mean(&gpu[..5]), mean(&gpu[20..]));
    println!("mean loss of the first five steps {first}, of the last five {last}; CPU {}", mean(&cpu[20..]));
    assert!(last < 0.75 * first, "the loss fell from {first} to {last} only");
    assert!((last - mean(&cpu[20..])).abs() < 0.4, "the CPU ends at {}", mean(&cpu[20..]));
    // What it learnt answers alike on both.
    let (pictures, _) = pictures(99);
    let answers = [&CpuEngine as &dyn Engine, &wgpu].map(|engine| {
        let mut logits = vec![0.0; COUNT * 7];
        let options = InferenceOptions { max_batch: COUNT, threads: 0 };
        engine.inference(&graph, &weights, &options).unwrap().logits(&pictures, COUNT, &mut logits).unwrap();
        logits
    });
    println!("logits {} apart", material::distance(&answers[0], &answers[1]));
    close("logits", &answers[0], &answers[1], 1e-4);
}

#[test]
fn three_steps_on_wgpu_are_those_of_the_cpu() {
    let Some(wgpu) = device() else { return };
    let graph = graph(true);
    let start = Weights::initialise(&graph, 3);
    let ((losses, cpu), (others, gpu)) = (learn(&CpuEngine, &graph, 3), learn(&wgpu, &graph, 3));
    close("losses", &losses, &others, 1e-4);
    let (moved, apart) = moved_and_apart(&start, &cpu, &gpu);
    println!("weights moved by {moved:e}, apart by {apart:e}");
    assert!(apart <= 2e-3 * moved);
}

#[test]
fn bf16_is_refused_or_learns() {
    let Some(wgpu) = device() else { return };
    match wgpu.with_compute(Compute::Bf16) {
        Err(error) => println!("bf16 on this device: {error}"),
        Ok(engine) => {
            let (losses, _) = learn(&engine, &graph(false), 25);
            assert!(losses[24] < 0.7 * losses[0], "{losses:?}");
        }
    }
}

#[test]
fn inputs_made_on_wgpu_are_those_of_the_processor() {
    let Some(wgpu) = device() else { return };
    rendered::all_changes_agree(&wgpu);
}

#[test]
fn very_many_pixels_are_normalised_by_all_of_them() {
    let Some(wgpu) = device() else { return };
    material::normalises_very_many_pixels(&wgpu);
}
