//! What the traits promise beside numbers.

use moue_gpu::GpuEngine;
use moue_graph::engine::{Engine, InferenceOptions, TrainingState};
use moue_graph::{Error, Graph, Head, attach_head, backbones};

use crate::material::{Material, PLAIN, random_weights, training};

fn graph() -> Graph {
    attach_head(backbones::by_name("mobilenet_v2", 0.35, 32).unwrap(), &Head::default(), 7).unwrap()
}

#[test]
fn wrong_lengths_are_refused() {
    let graph = graph();
    let weights = random_weights(&graph, 1);
    let engine = GpuEngine::flex();
    let mut session = training(&engine, &graph, &weights, &PLAIN, 2);
    let material = Material::new(&graph, 3, 1);
    assert!(session.step(&material.batch(), 0.1).is_err(), "three pictures where two have room");
    let mut batch = material.batch();
    batch.count = 2;
    assert!(session.step(&batch, 0.1).is_err(), "three pictures called two");
    assert!(session.logits(&material.pictures, 3, &mut [0.0; 21]).is_err());
    let one = &material.pictures[..32 * 32 * 3];
    assert!(session.logits(one, 1, &mut [0.0; 8]).is_err());
    assert!(session.logits(one, 0, &mut []).is_err());
    let mut plan =
        engine.inference(&graph, &weights, &InferenceOptions { max_batch: 1, threads: 0 }).unwrap();
    assert!(plan.logits(one, 2, &mut [0.0; 14]).is_err());
    plan.logits(one, 1, &mut [0.0; 7]).unwrap();
    let none = InferenceOptions { max_batch: 0, threads: 0 };
    assert!(engine.inference(&graph, &weights, &none).is_err());
}

#[test]
fn a_checkpoint_of_another_network_changes_nothing() {
    let graph = graph();
    let weights = random_weights(&graph, 1);
    let mut session = training(&GpuEngine::flex(), &graph, &weights, &PLAIN, 2);
    let before = session.state();
    assert!(before.weights == weights, "weights go in and out to the bit");
    let mut state = before.clone();
    state.slots = moue_graph::Weights::new();
    state.weights.insert("dense/bias", moue_graph::Tensor::filled(vec![128], 3.0));
    assert!(session.restore(&state).is_err(), "moments are missing");
    assert!(session.restore(&TrainingState::default()).is_err());
    assert!(session.state() == before);
}

#[test]
fn a_loss_that_fails_leaves_the_weights() {
    let graph = graph();
    let weights = random_weights(&graph, 1);
    let mut session = training(&GpuEngine::flex(), &graph, &weights, &PLAIN, 2);
    let material = Material::new(&graph, 2, 1);
    let fails = &mut |_: &[f32], _: &mut [f32]| Err(Error::Parameter("no".into()));
    assert!(session.step_with(&material.pictures, 2, 1.0, fails).is_err());
    let after = session.state();
    assert_eq!(after.step, 0);
    for spec in graph.parameters() {
        let same = after.weights.get(&spec.name) == weights.get(&spec.name);
        // Moving statistics have moved.
        assert_eq!(same, !spec.name.contains("moving_"), "{}", spec.name);
    }
    session.step(&material.batch(), 0.1).unwrap();
}
