//! bf16 between layers, f32 where it counts.

use moue_cpu::CpuEngine;
use moue_gpu::{Compute, GpuEngine};
use moue_graph::engine::{Engine, InferenceOptions};
use moue_graph::{Graph, Head, attach_head, backbones};

use crate::material::{Material, PLAIN, close, distance, moved_and_apart, random_weights, training};

fn graph() -> Graph {
    let backbone = backbones::by_name("mobilenet_v2", 0.35, 33).unwrap();
    attach_head(backbone, &Head { hidden: vec![16], dropout: 0.2 }, 7).unwrap()
}

/// A bf16 has 8 bits: each rounding is off by up to 0.4 %.
#[test]
fn bf16_answers_and_learns_like_f32_within_its_bits() {
    let engine = GpuEngine::flex().with_compute(Compute::Bf16).unwrap();
    let graph = graph();
    let weights = random_weights(&graph, 2);
    let material = Material::new(&graph, 8, 3);
    let answers = [&CpuEngine as &dyn Engine, &engine].map(|engine| {
        let mut logits = vec![0.0; 56];
        let options = InferenceOptions { max_batch: 8, threads: 1 };
        engine
            .inference(&graph, &weights, &options)
            .unwrap()
            .logits(&material.pictures, 8, &mut logits)
            .unwrap();
        logits
    });
    let apart = distance(&answers[0], &answers[1]);
    println!("logits {apart} apart");
    assert!(apart > 1e-4, "these are the logits of f32");
    close("logits", &answers[0], &answers[1], 0.05);

    let mut sessions = [&CpuEngine as &dyn Engine, &engine].map(|e| training(e, &graph, &weights, &PLAIN, 8));
    for step in 0..3 {
        let material = Material::new(&graph, 8, 30 + step);
        let [cpu, gpu] = sessions.each_mut().map(|s| s.step(&material.batch(), 1e-4).unwrap());
        println!("step {step}: loss {} and {}", cpu.loss, gpu.loss);
        close(&format!("loss of step {step}"), &[cpu.loss], &[gpu.loss], 0.05);
    }
    let [cpu, gpu] = sessions.each_ref().map(|s| s.weights());
    let (moved, apart) = moved_and_apart(&weights, &cpu, &gpu);
    println!("weights moved by {moved:e}, apart by {apart:e}");
    assert!(apart < 0.2 * moved, "weights moved by {moved:e} and are {apart:e} apart");
}

/// Steps too small for a bf16 are not lost: what is learnt is f32.
#[test]
fn small_steps_add_up() {
    let engine = GpuEngine::flex().with_compute(Compute::Bf16).unwrap();
    let graph = graph();
    let weights = random_weights(&graph, 2);
    let mut session = training(&engine, &graph, &weights, &PLAIN, 8);
    assert!(session.weights() == weights, "weights go in and out to the bit");
    let material = Material::new(&graph, 8, 3);
    for _ in 0..4 {
        session.step(&material.batch(), 1e-4).unwrap();
    }
    let (before, after) = (weights.get("dense/kernel").unwrap(), session.weights());
    let after = after.get("dense/kernel").unwrap();
    let small =
        before.data().iter().zip(after.data()).filter(|(b, a)| a != b && (*a - *b).abs() < b.abs() / 512.0);
    assert!(small.count() > before.data().len() / 2, "steps below the bits of bf16 are there");
}
