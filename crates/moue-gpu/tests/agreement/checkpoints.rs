//! A training that begins on one engine and ends on the other.

use moue_cpu::CpuEngine;
use moue_gpu::GpuEngine;
use moue_graph::engine::{Engine, Optimizer};
use moue_graph::{Activation, Graph, Op, Padding, Tensor, Weights};

use crate::material::{Material, NORM, conv, dense, depthwise, moved_and_apart, random_weights, training};

/// Every kind of parameter and of state, and nothing that rounding can tip over (see the test of the recipes).
pub fn graph(dropout: f32) -> Graph {
    let mut b = Graph::builder("smooth");
    let x = b.add("input", Op::InputLayer { shape: vec![9, 8, 3] }, &[]).unwrap();
    let x = b.add("stem", conv(8, [3, 3], [2, 2], Padding::Same, false), &[x]).unwrap();
    let x = b.add("stem_bn", NORM, &[x]).unwrap();
    let skip = b.add("expand", conv(12, [1, 1], [1, 1], Padding::Same, true), &[x]).unwrap();
    let x = b.add("depthwise", depthwise([3, 3], [1, 1], Padding::Same, false), &[skip]).unwrap();
    let x = b.add("depthwise_bn", NORM, &[x]).unwrap();
    let x = b.add("frozen_bn", NORM, &[x]).unwrap();
    let x = b.add("add", Op::Add, &[skip, x]).unwrap();
    let x = b.add("pool", Op::GlobalAveragePooling2D, &[x]).unwrap();
    let x = b.add("dropout", Op::Dropout { rate: dropout }, &[x]).unwrap();
    let x = b.add("dense", dense(16, Activation::Linear), &[x]).unwrap();
    b.add("logits", dense(7, Activation::Softmax), &[x]).unwrap();
    let mut graph = b.finish().unwrap();
    graph.set_trainable(false, |_, layer| layer.name == "frozen_bn");
    graph
}

/// Three steps, the last on `second` from the state that `first` had after two.
pub fn trained(
    graph: &Graph,
    first: &dyn Engine,
    second: &dyn Engine,
    optimizer: &Optimizer,
) -> moue_graph::engine::TrainingState {
    let weights = random_weights(graph, 4);
    let mut session = training(first, graph, &weights, optimizer, 6);
    for step in 0..2 {
        session.step(&Material::new(graph, 6, step).batch(), 2e-3).unwrap();
    }
    let state = session.state();
    let mut session = training(second, graph, &Weights::initialise(graph, 1), optimizer, 6);
    session.restore(&state).unwrap();
    // What was taken over is handed out again to the bit.
    assert!(session.state() == state, "a state changed on its way through {}", second.name());
    session.step(&Material::new(graph, 6, 2).batch(), 2e-3).unwrap();
    session.state()
}

/// Zeros in the shape of these tensors.
pub fn zeros(of: &Weights) -> Weights {
    let mut zeros = Weights::new();
    for (name, tensor) in of.iter() {
        zeros.insert(name, Tensor::filled(tensor.shape().to_vec(), 0.0));
    }
    zeros
}

#[test]
fn a_third_step_on_the_other_engine_is_the_third_step() {
    let flex = GpuEngine::flex();
    let graph = graph(0.2);
    for optimizer in [
        Optimizer::default(),
        Optimizer::Adam { beta_1: 0.8, beta_2: 0.99, epsilon: 1e-5, weight_decay: 0.1 },
        Optimizer::Sgd { momentum: 0.9, nesterov: true, weight_decay: 0.01 },
        Optimizer::Sgd { momentum: 0.9, nesterov: false, weight_decay: 0.0 },
    ] {
        let whole = trained(&graph, &CpuEngine, &CpuEngine, &optimizer);
        let start = random_weights(&graph, 4);
        for (first, second) in
            [(&CpuEngine as &dyn Engine, &flex as &dyn Engine), (&flex, &CpuEngine), (&flex, &flex)]
        {
            let other = trained(&graph, first, second, &optimizer);
            assert_eq!(other.step, 3);
            let (moved, apart) = moved_and_apart(&start, &whole.weights, &other.weights);
            let what = format!("{} then {} with {optimizer:?}", first.name(), second.name());
            println!("{what}: moved by {moved:e}, apart by {apart:e}");
            assert!(apart <= 2e-4 * moved, "{what}: moved by {moved:e}, apart by {apart:e}");
            let (size, apart) = moved_and_apart(&zeros(&whole.slots), &whole.slots, &other.slots);
            println!("{what}: moments of {size:e}, apart by {apart:e}");
            assert!(apart <= 2e-4 * size, "{what}: moments of {size:e}, apart by {apart:e}");
        }
    }
}
