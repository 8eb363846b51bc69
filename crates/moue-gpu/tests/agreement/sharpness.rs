//! Sharpness-aware steps: both engines go up, and down again, alike.

use moue_cpu::CpuEngine;
use moue_gpu::GpuEngine;
use moue_graph::engine::{Engine, Optimizer, TrainingOptions};
use moue_graph::{Activation, Graph, Op, Padding};

use crate::material::{Material, NORM, PLAIN, close, conv, dense, random_weights};

/// More values than burn sums at once on every device, with dropout.
fn graph(norm: bool) -> Graph {
    let mut b = Graph::builder("small");
    let mut x = b.add("input", Op::InputLayer { shape: vec![6, 5, 2] }, &[]).unwrap();
    x = b.add("conv", conv(9, [3, 3], [1, 1], Padding::Same, !norm), &[x]).unwrap();
    if norm {
        x = b.add("bn", NORM, &[x]).unwrap();
    }
    x = b.add("flat", Op::Flatten, &[x]).unwrap();
    x = b.add("dropout", Op::Dropout { rate: 0.3 }, &[x]).unwrap();
    x = b.add("dense", dense(130, Activation::Linear), &[x]).unwrap();
    b.add("logits", dense(3, Activation::Softmax), &[x]).unwrap();
    b.finish().unwrap()
}

fn same_steps(what: &str, graph: &Graph, optimizer: &Optimizer, gpu: &GpuEngine) {
    let options =
        TrainingOptions { max_batch: 6, threads: 2, optimizer: optimizer.clone(), sharpness: 0.3, seed: 5 };
    let weights = random_weights(graph, 4);
    let mut sessions =
        [&CpuEngine as &dyn Engine, gpu].map(|e| e.training(graph, &weights, &options).unwrap());
    let mut plain =
        CpuEngine.training(graph, &weights, &TrainingOptions { sharpness: 0.0, ..options.clone() }).unwrap();
    for (step, count) in [6, 6, 5].into_iter().enumerate() {
        let material = Material::new(graph, count, 30 + step as u64);
        let [cpu, gpu] = sessions.each_mut().map(|s| s.step(&material.batch(), 0.02).unwrap());
        close(&format!("{what}: loss of step {step}"), &[cpu.loss], &[gpu.loss], 1e-5);
        assert_eq!(cpu.correct, gpu.correct);
        plain.step(&material.batch(), 0.02).unwrap();
    }
    let [cpu, gpu] = sessions.each_ref().map(|s| s.weights());
    for (name, tensor) in cpu.iter() {
        close(&format!("{what}: {name}"), tensor.data(), gpu.get(name).unwrap().data(), 2e-4);
    }
    assert!(cpu.get("dense/kernel") != plain.weights().get("dense/kernel"), "it went nowhere");
}

#[test]
fn both_engines_climb_alike() {
    let adam = Optimizer::Adam { beta_1: 0.9, beta_2: 0.99, epsilon: 1e-3, weight_decay: 0.1 };
    for optimizer in [&PLAIN, &adam] {
        same_steps("one device", &graph(true), optimizer, &GpuEngine::flex());
        // Without a normalisation, which would see its device's part only.
        let three =
            GpuEngine::several(vec![GpuEngine::flex(), GpuEngine::flex(), GpuEngine::flex()]).unwrap();
        same_steps("three devices", &graph(false), optimizer, &three);
    }
}
