//! One model trained on several devices. burn's CPU backend has one device, which here is there several times.

use moue_cpu::CpuEngine;
use moue_gpu::{Compute, GpuEngine};
use moue_graph::engine::{Engine, Optimizer};
use moue_graph::{Error, Graph, Op, Tensor, Weights};

use crate::checkpoints::{graph, trained, zeros};
use crate::material::{Material, PLAIN, close, moved_and_apart, random_weights, training};

const ADAM: Optimizer = Optimizer::Adam { beta_1: 0.8, beta_2: 0.99, epsilon: 1e-5, weight_decay: 0.1 };

fn several(devices: usize) -> GpuEngine {
    GpuEngine::several(vec![GpuEngine::flex(); devices]).unwrap()
}

/// The network of the checkpoints' test with all of its normalisations frozen, so that nothing depends on which
/// pictures a device sees together.
fn frozen() -> Graph {
    let mut graph = graph(0.2);
    graph.set_trainable(false, |_, layer| matches!(layer.op, Op::BatchNormalization { .. }));
    graph
}

/// Those parameters whose names say so.
fn only(weights: &Weights, wanted: impl Fn(&str) -> bool) -> Weights {
    let mut some = Weights::new();
    for (name, tensor) in weights.iter().filter(|(name, _)| wanted(name)) {
        some.insert(name, tensor.clone());
    }
    some
}

fn moving(name: &str) -> bool {
    name.contains("moving_")
}

/// Fails where two weights are further apart than this share of the way from the start.
#[track_caller]
fn agree(what: &str, start: &Weights, one: &Weights, other: &Weights, share: f64) {
    let (moved, apart) = moved_and_apart(start, one, other);
    println!("{what}: moved by {moved:e}, apart by {apart:e}");
    assert!(apart <= share * moved, "{what}: moved by {moved:e}, apart by {apart:e}");
}

#[test]
fn several_devices_train_as_one() {
    let graph = frozen();
    let start = random_weights(&graph, 4);
    // Not divisible; divisible by some; fewer pictures than four devices.
    let batches = [7, 6, 3].map(|count| Material::new(&graph, count, count as u64));
    let run = |engine: &dyn Engine| {
        let mut session = training(engine, &graph, &start, &ADAM, 7);
        let losses = batches.each_ref().map(|m| session.step(&m.batch(), 2e-3).unwrap());
        let mut logits = vec![0.0; 7 * 7];
        session.logits(&batches[0].pictures, 7, &mut logits).unwrap();
        (session.state(), losses, logits)
    };
    let (one, losses, logits) = run(&GpuEngine::flex());
    let (cpu, ..) = run(&CpuEngine);
    for devices in 2..=4 {
        let (all, own, answers) = run(&several(devices));
        assert_eq!(all.step, 3);
        for (own, one) in own.iter().zip(&losses) {
            close(&format!("losses of {devices}"), &[own.loss], &[one.loss], 1e-5);
            assert_eq!(own.correct, one.correct);
        }
        agree(&format!("{devices} devices and one"), &start, &one.weights, &all.weights, 1e-4);
        agree(&format!("{devices} devices and moue-cpu"), &start, &cpu.weights, &all.weights, 2e-4);
        agree(&format!("moments of {devices}"), &zeros(&one.slots), &one.slots, &all.slots, 1e-4);
        close(&format!("logits of {devices}"), &logits, &answers, 1e-4);
    }
}

/// Weights after one step of plain descent, from what `moue-cpu` does to each part of the batch alone: gradients add
/// up, and moving statistics are the mean, a picture counting like any other.
fn of_parts(graph: &Graph, start: &Weights, batch: &Material, sizes: &[usize], rate: f32) -> Weights {
    let mut first = 0;
    let mut parts = Vec::new();
    for &size in sizes {
        let part = batch.part(first..first + size);
        first += size;
        let share = size as f32 / batch.count as f32;
        let mut session = training(&CpuEngine, graph, start, &PLAIN, size);
        let loss = &mut |logits: &[f32], gradient: &mut [f32]| {
            let outcome = part.batch().cross_entropy(logits, gradient);
            gradient.iter_mut().for_each(|g| *g *= share);
            Ok(outcome.loss)
        };
        session.step_with(&part.pictures, size, rate, loss).unwrap();
        parts.push((f64::from(share), session.weights()));
    }
    assert_eq!(first, batch.count);
    let mut weights = Weights::new();
    for (name, tensor) in start.iter() {
        let value = |(i, &old): (usize, &f32)| {
            let old = f64::from(old);
            let ways = parts.iter().map(|(share, part)| {
                let way = f64::from(part.get(name).unwrap().data()[i]) - old;
                if moving(name) { share * way } else { way }
            });
            (old + ways.sum::<f64>()) as f32
        };
        let values = tensor.data().iter().enumerate().map(value).collect();
        weights.insert(name, Tensor::new(tensor.shape().to_vec(), values).unwrap());
    }
    weights
}

#[test]
fn each_device_normalises_its_part_and_all_keep_the_mean() {
    let graph = graph(0.0);
    let start = random_weights(&graph, 4);
    let mut session = training(&several(3), &graph, &start, &PLAIN, 8);
    let mut one = training(&GpuEngine::flex(), &graph, &start, &PLAIN, 8);
    let mut expected = start.clone();
    // In the last batch the third device has no picture.
    for (step, sizes) in [&[3, 3, 2][..], &[2, 1, 1], &[1, 1]].into_iter().enumerate() {
        let batch = Material::new(&graph, sizes.iter().sum(), 40 + step as u64);
        session.step(&batch.batch(), 0.05).unwrap();
        one.step(&batch.batch(), 0.05).unwrap();
        expected = of_parts(&graph, &expected, &batch, sizes, 0.05);
        let got = session.weights();
        for (what, moves) in [("statistics", true), ("values that learn", false)] {
            let [start, expected, got, one] = [&start, &expected, &got, &one.weights()]
                .map(|weights| only(weights, |name| moving(name) == moves));
            agree(&format!("{what} after step {step}"), &start, &expected, &got, 1e-4);
            let (moved, apart) = moved_and_apart(&start, &got, &one);
            println!("{what} after step {step}: {apart:e} from one device");
            assert!(apart > 1e-3 * moved, "{what}: this batch was normalised as a whole");
        }
    }
}

#[test]
fn a_checkpoint_goes_from_several_devices_to_one_and_back() {
    let graph = frozen();
    let start = random_weights(&graph, 4);
    let whole = trained(&graph, &CpuEngine, &CpuEngine, &ADAM);
    let (one, two, three) = (GpuEngine::flex(), several(2), several(3));
    let pairs: [(&str, &dyn Engine, &dyn Engine); 5] = [
        ("two devices, then one", &two, &one),
        ("two devices, then moue-cpu", &two, &CpuEngine),
        ("one device, then two", &one, &two),
        ("moue-cpu, then two devices", &CpuEngine, &two),
        ("two devices, then three", &two, &three),
    ];
    for (what, first, second) in pairs {
        let other = trained(&graph, first, second, &ADAM);
        assert_eq!(other.step, 3);
        agree(what, &start, &whole.weights, &other.weights, 2e-4);
        agree(&format!("{what}: moments"), &zeros(&whole.slots), &whole.slots, &other.slots, 2e-4);
    }
}

#[test]
fn a_loss_that_fails_leaves_the_weights_of_all() {
    let graph = graph(0.2);
    let start = random_weights(&graph, 4);
    let batch = Material::new(&graph, 5, 1);
    let mut session = training(&several(2), &graph, &start, &ADAM, 5);
    let fresh = session.state();
    let fails = &mut |_: &[f32], gradient: &mut [f32]| {
        gradient.fill(1.0);
        Err(Error::Parameter("no".into()))
    };
    assert!(session.step_with(&batch.pictures, 5, 1.0, fails).is_err());
    let after = session.state();
    assert_eq!(after.step, 0);
    assert!(after.slots == fresh.slots, "moments moved");
    for (name, tensor) in start.iter() {
        // Moving statistics have moved, but for those of the frozen layer.
        let moves = moving(name) && !name.starts_with("frozen_bn");
        assert_eq!(after.weights.get(name) == Some(tensor), !moves, "{name}");
    }
    // What learns is where it would be without the failure, so no replica has gone ahead.
    session.step(&batch.batch(), 2e-3).unwrap();
    let mut other = training(&several(2), &graph, &start, &ADAM, 5);
    other.step(&batch.batch(), 2e-3).unwrap();
    let learnt = |weights: &Weights| only(weights, |name| !moving(name));
    assert!(learnt(&session.weights()) == learnt(&other.weights()));
}

#[test]
fn engines_that_do_not_belong_together_are_refused() {
    assert!(GpuEngine::several(Vec::new()).is_err());
    let bf16 = GpuEngine::flex().with_compute(Compute::Bf16).unwrap();
    assert!(GpuEngine::several(vec![GpuEngine::flex(), bf16.clone()]).is_err());
    GpuEngine::several(vec![bf16.clone(), bf16]).unwrap();
}
