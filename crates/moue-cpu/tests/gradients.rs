//! Gradients against finite differences, read off plain gradient descent steps.
//!
//! With stochastic gradient descent at rate 1 and no momentum, the change of a weight is minus its
//! gradient, so the public interface is enough to see every gradient.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "an unmet expectation fails the test")]

use moue_cpu::CpuEngine;
use moue_graph::engine::{Batch, Engine, InferenceOptions, Optimizer, TrainingOptions, TrainingSession};
use moue_graph::{Activation, Graph, Op, Padding, Tensor, Weights};

/// A small stream of numbers in [0, 1).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as f32 / (1u64 << 24) as f32
    }
    fn vec(&mut self, n: usize, low: f32, high: f32) -> Vec<f32> {
        (0..n).map(|_| low + (high - low) * self.next()).collect()
    }
}

fn session(graph: &Graph, weights: &Weights, batch: usize, threads: usize) -> Box<dyn TrainingSession> {
    let optimizer = Optimizer::Sgd { momentum: 0.0, nesterov: false, weight_decay: 0.0 };
    let options = TrainingOptions { max_batch: batch, threads, optimizer, sharpness: 0.0, seed: 5 };
    CpuEngine.training(graph, weights, &options).unwrap()
}

fn random_weights(graph: &Graph, numbers: &mut Numbers) -> Weights {
    let mut weights = Weights::new();
    for spec in graph.parameters() {
        let n = spec.shape.iter().product();
        let (low, high) = match spec.name.rsplit('/').next().unwrap() {
            "gamma" | "moving_variance" => (0.5, 1.5),
            _ => (-0.4, 0.4),
        };
        weights.insert(spec.name, Tensor::new(spec.shape, numbers.vec(n, low, high)).unwrap());
    }
    weights
}

/// Checks a number of values of every trainable parameter. Losses are differences of f32 sums, so
/// the step is wide and the tolerance wider than rounding alone would need.
fn check(graph: &Graph, count: usize, seed: u64) {
    let mut numbers = Numbers(seed);
    let weights = random_weights(graph, &mut numbers);
    let inputs: usize = graph.input_shape().iter().product();
    let classes = graph.output_shape()[0];
    let pictures = numbers.vec(count * inputs, -1.0, 1.0);
    let mut targets = numbers.vec(count * classes, 0.0, 1.0);
    for row in targets.chunks_mut(classes) {
        let sum: f32 = row.iter().sum();
        row.iter_mut().for_each(|t| *t /= sum);
    }
    let example_weights = numbers.vec(count, 0.5, 2.0);
    let batch = Batch { count, pictures: &pictures, targets: &targets, weights: &example_weights };
    let mut trained = session(graph, &weights, count, 2);
    trained.step(&batch, 1.0).unwrap();
    let after = trained.weights();

    let mut probe = session(graph, &weights, count, 2);
    let zero = probe.state();
    for spec in graph.parameters() {
        if !spec.trainable {
            let moving = spec.name.contains("moving_");
            let same = after.get(&spec.name) == weights.get(&spec.name);
            assert!(moving || same, "{} is frozen and changed", spec.name);
            continue;
        }
        let n: usize = spec.shape.iter().product();
        let stride = (n / 5).max(1);
        for at in (0..n).step_by(stride) {
            let mut loss_at = |offset: f32| {
                let mut state = zero.clone();
                let mut tensor = weights.get(&spec.name).unwrap().clone();
                tensor.data_mut()[at] += offset;
                state.weights.insert(&spec.name, tensor);
                probe.restore(&state).unwrap();
                f64::from(probe.step(&batch, 0.0).unwrap().loss)
            };
            let h = 4e-3;
            // Fourth-order central difference: truncation far below what f32 losses round away.
            let slope = (8.0 * (loss_at(h) - loss_at(-h)) - (loss_at(2.0 * h) - loss_at(-2.0 * h)))
                / (12.0 * f64::from(h));
            let gradient = f64::from(
                weights.get(&spec.name).unwrap().data()[at] - after.get(&spec.name).unwrap().data()[at],
            );
            let tolerance = 2e-3 * (1.0 + slope.abs());
            assert!(
                (slope - gradient).abs() < tolerance,
                "{}[{at}]: finite difference {slope}, gradient {gradient}",
                spec.name
            );
        }
    }
}

fn conv(filters: usize, kernel: [usize; 2], strides: [usize; 2], padding: Padding, use_bias: bool) -> Op {
    Op::Conv2D { filters, kernel_size: kernel, strides, padding, use_bias, activation: Activation::Linear }
}

fn depthwise(kernel: [usize; 2], strides: [usize; 2], padding: Padding, use_bias: bool) -> Op {
    Op::DepthwiseConv2D { kernel_size: kernel, strides, padding, use_bias }
}

const NORM: Op = Op::BatchNormalization { epsilon: 1e-3, momentum: 0.9 };

fn dense(units: usize, activation: Activation) -> Op {
    Op::Dense { units, use_bias: true, activation }
}

/// Every operation, with odd sides, odd channel counts and each kind of border.
#[test]
fn every_operation_matches_finite_differences() {
    let shapes = [
        ([7, 5, 3], 5, 1, Padding::Same),
        ([8, 9, 1], 33, 2, Padding::Same),
        ([9, 8, 2], 40, 2, Padding::Valid),
        ([6, 6, 4], 8, 1, Padding::Valid),
    ];
    for (case, (shape, width, stride, padding)) in shapes.into_iter().enumerate() {
        let mut b = Graph::builder("case");
        let x = b.add("input", Op::InputLayer { shape: shape.to_vec() }, &[]).unwrap();
        let x = b.add("stem", conv(width, [3, 3], [1, 1], Padding::Same, case % 2 == 0), &[x]).unwrap();
        let x = b.add("stem_bn", NORM, &[x]).unwrap();
        let skip = b.add("pointwise", conv(width, [1, 1], [1, 1], Padding::Same, true), &[x]).unwrap();
        let y = b.add("depthwise_1", depthwise([3, 3], [1, 1], Padding::Same, false), &[skip]).unwrap();
        let y = b.add("depthwise_bn", NORM, &[y]).unwrap();
        let y = b.add("project", conv(width, [1, 1], [1, 1], Padding::Same, false), &[y]).unwrap();
        let y = b.add("project_bn", NORM, &[y]).unwrap();
        let x = b.add("add", Op::Add, &[skip, y]).unwrap();
        let x = b.add("pad", Op::ZeroPadding2D { padding: [[0, 1], [2, 1]] }, &[x]).unwrap();
        let x = b.add("depthwise_2", depthwise([3, 2], [stride; 2], padding, true), &[x]).unwrap();
        let x = b.add("conv", conv(6, [2, 3], [stride, 1], padding, false), &[x]).unwrap();
        let x = b.add("pool", Op::GlobalAveragePooling2D, &[x]).unwrap();
        let x = b.add("drop", Op::Dropout { rate: 0.3 }, &[x]).unwrap();
        let x = b.add("dense", dense(9, Activation::Linear), &[x]).unwrap();
        b.add("logits", dense(4, Activation::Softmax), &[x]).unwrap();
        check(&b.finish().unwrap(), 3, 100 + case as u64);
    }
}

/// Strides whose borders lie below and to the right alone, over even and odd sides.
#[test]
fn borders_on_one_side_match_finite_differences() {
    for (case, shape) in [[6, 8, 3], [7, 6, 3], [5, 9, 20]].into_iter().enumerate() {
        let mut b = Graph::builder("borders");
        let x = b.add("input", Op::InputLayer { shape: shape.to_vec() }, &[]).unwrap();
        let x = b.add("pointwise", conv(shape[2], [1, 1], [1, 1], Padding::Same, false), &[x]).unwrap();
        let x = b.add("pointwise_bn", NORM, &[x]).unwrap();
        let x = b.add("pad", Op::ZeroPadding2D { padding: [[0, 2], [0, 2]] }, &[x]).unwrap();
        let x = b.add("depthwise", depthwise([3, 3], [2, 2], Padding::Valid, false), &[x]).unwrap();
        assert_eq!(*b.shape(x), [shape[0].div_ceil(2), shape[1].div_ceil(2), shape[2]]);
        let x = b.add("depthwise_bn", NORM, &[x]).unwrap();
        let x = b.add("mix", conv(6, [1, 1], [1, 1], Padding::Same, true), &[x]).unwrap();
        let x = b.add("pool", Op::GlobalAveragePooling2D, &[x]).unwrap();
        b.add("logits", dense(4, Activation::Softmax), &[x]).unwrap();
        check(&b.finish().unwrap(), 3, 300 + case as u64);
    }
}

/// Clamps have kinks, where finite differences lie; far from them they must agree.
#[test]
fn clamps_pass_gradients_inside_their_interval_only() {
    for function in [Activation::Relu, Activation::Relu6] {
        let mut b = Graph::builder("clamp");
        let x = b.add("input", Op::InputLayer { shape: vec![1, 1, 4] }, &[]).unwrap();
        let x = b.add("activation", Op::Activation { function }, &[x]).unwrap();
        let x = b.add("conv", conv(4, [1, 1], [1, 1], Padding::Same, false), &[x]).unwrap();
        let x = b.add("after", Op::Activation { function }, &[x]).unwrap();
        let x = b.add("pool", Op::GlobalAveragePooling2D, &[x]).unwrap();
        b.add("logits", dense(2, Activation::Softmax), &[x]).unwrap();
        let graph = b.finish().unwrap();
        // Identity kernel: inputs 2 and 8 stay at 2 and 8, negative ones become 0.
        let mut weights = Weights::initialise(&graph, 1);
        let eye: Vec<f32> = (0..16).map(|i| if i % 5 == 0 { 1.0 } else { 0.0 }).collect();
        weights.insert("conv/kernel", Tensor::new(vec![1, 1, 4, 4], eye).unwrap());
        let mut s = session(&graph, &weights, 1, 1);
        let batch = Batch { count: 1, pictures: &[2.0, 8.0, -1.0, 0.5], targets: &[1.0, 0.0], weights: &[] };
        s.step(&batch, 1.0).unwrap();
        let after = s.weights();
        let change: Vec<f32> = after
            .get("conv/kernel")
            .unwrap()
            .data()
            .iter()
            .zip(weights.get("conv/kernel").unwrap().data())
            .map(|(a, b)| (a - b).abs())
            .collect();
        // Rows are inputs, columns outputs. Input 2 (negative) is clamped away before the kernel.
        assert!(change[8..12].iter().all(|&c| c == 0.0), "{change:?}");
        // Output 2 stands at the lower bound: no gradient passes.
        assert!((0..4).all(|row| change[row * 4 + 2] == 0.0), "{change:?}");
        // Output 1 stands at 8: past the bound of ReLU6, inside ReLU.
        assert_eq!((0..4).all(|row| change[row * 4 + 1] == 0.0), function == Activation::Relu6, "{change:?}");
        assert!(change[0] > 0.0, "{change:?}");
    }
}

#[test]
fn frozen_layers_keep_their_weights_and_statistics() {
    let graph = moue_graph::attach_head(
        moue_graph::backbones::by_name("mobilenet_v2", 0.35, 32).unwrap(),
        &moue_graph::Head::default(),
        7,
    )
    .unwrap();
    let mut frozen = graph.clone();
    frozen.set_trainable(false, |_, layer| !layer.name.starts_with("dense"));
    let weights = Weights::initialise(&frozen, 3);
    let mut s = session(&frozen, &weights, 4, 2);
    let pictures = Numbers(9).vec(4 * 32 * 32 * 3, 0.0, 1.0);
    let mut targets = vec![0.0; 28];
    (0..4).for_each(|i| targets[i * 7 + i] = 1.0);
    s.step(&Batch { count: 4, pictures: &pictures, targets: &targets, weights: &[] }, 0.1).unwrap();
    let after = s.weights();
    for (name, tensor) in weights.iter() {
        let same = after.get(name) == Some(tensor);
        assert_eq!(same, !name.starts_with("dense"), "{name}");
    }
}

/// The same bits whatever the number of threads, and after a restore.
#[test]
fn results_do_not_depend_on_threads_and_survive_a_restore() {
    let graph = moue_graph::attach_head(
        moue_graph::backbones::by_name("mobilenet_v2", 0.5, 33).unwrap(),
        &moue_graph::Head { hidden: vec![16], dropout: 0.2 },
        7,
    )
    .unwrap();
    let weights = Weights::initialise(&graph, 3);
    let mut numbers = Numbers(11);
    let pictures = numbers.vec(6 * 33 * 33 * 3, 0.0, 1.0);
    let mut targets = [0.0; 42];
    (0..6).for_each(|i| targets[i * 7 + i] = 1.0);
    let run = |threads: usize, restart: bool| {
        let options = TrainingOptions {
            max_batch: 6,
            threads,
            optimizer: Optimizer::default(),
            sharpness: 0.0,
            seed: 5,
        };
        let mut s = CpuEngine.training(&graph, &weights, &options).unwrap();
        for step in 0..4 {
            if restart && step == 2 {
                let state = s.state();
                s = CpuEngine.training(&graph, &weights, &options).unwrap();
                s.restore(&state).unwrap();
            }
            // The last batch is smaller, as at the end of an epoch.
            let count = if step == 3 { 5 } else { 6 };
            let (pictures, targets) = (&pictures[..count * 33 * 33 * 3], &targets[..count * 7]);
            s.step(&Batch { count, pictures, targets, weights: &[] }, 1e-3).unwrap();
        }
        s.state()
    };
    let one = run(1, false);
    assert!(one == run(2, false), "2 threads differ from 1");
    assert!(one == run(8, false), "8 threads differ from 1");
    assert!(one == run(2, true), "a restored session differs");
}

/// A pyramid with two heads: maps enlarged, laid side by side, flattened into one row, and a loss of the
/// caller's own on it.
fn pyramid(side: [usize; 3], width: usize) -> Graph {
    let mut b = Graph::builder("pyramid");
    let x = b.add("input", Op::InputLayer { shape: side.to_vec() }, &[]).unwrap();
    let fine = b.add("fine", conv(width, [3, 3], [1, 1], Padding::Same, true), &[x]).unwrap();
    let coarse = b.add("coarse", conv(5, [2, 3], [2, 3], Padding::Valid, true), &[fine]).unwrap();
    let coarse = b.add("coarse_bn", NORM, &[coarse]).unwrap();
    let up = b.add("up", Op::UpSampling2D { size: [2, 3] }, &[coarse]).unwrap();
    let both = b.add("both", Op::Concatenate, &[fine, up, fine]).unwrap();
    let both = b.add("mix", conv(3, [1, 1], [1, 1], Padding::Same, false), &[both]).unwrap();
    let first = b.add("first", Op::Flatten, &[both]).unwrap();
    let second = b.add("second", conv(2, [1, 1], [1, 1], Padding::Same, true), &[coarse]).unwrap();
    let second = b.add("second_flat", Op::Flatten, &[second]).unwrap();
    let x = b.add("outputs", Op::Concatenate, &[first, second]).unwrap();
    // A normalisation of the flat row: it must not be folded into the convolution before.
    let frozen = b.add("last_bn", NORM, &[x]).unwrap();
    let mut graph = b.finish().unwrap();
    graph.set_trainable(false, |id, _| id == frozen);
    graph
}

#[test]
fn pyramids_with_a_loss_of_their_own_match_finite_differences() {
    for (case, (side, width)) in [([4, 6, 3], 4), ([6, 3, 1], 9), ([2, 9, 2], 33)].into_iter().enumerate() {
        let graph = pyramid(side, width);
        let mut numbers = Numbers(40 + case as u64);
        let weights = random_weights(&graph, &mut numbers);
        let (count, outputs) = (3, graph.output_shape()[0]);
        let pictures = numbers.vec(count * side.iter().product::<usize>(), -1.0, 1.0);
        let wanted = numbers.vec(count * outputs, -1.0, 1.0);
        // Half the squared distance: its gradient is the difference.
        let loss = |outputs: &[f32], gradients: &mut [f32]| {
            let mut sum = 0.0;
            for ((o, w), g) in outputs.iter().zip(&wanted).zip(gradients) {
                *g = (o - w) / count as f32;
                sum += f64::from((o - w) * (o - w)) / 2.0 / count as f64;
            }
            Ok(sum as f32)
        };
        let mut trained = session(&graph, &weights, count, 2);
        trained.step_with(&pictures, count, 1.0, &mut { loss }).unwrap();
        let after = trained.weights();
        let mut probe = session(&graph, &weights, count, 2);
        let zero = probe.state();
        for spec in graph.parameters().into_iter().filter(|p| p.trainable) {
            let n: usize = spec.shape.iter().product();
            for at in (0..n).step_by((n / 5).max(1)) {
                let mut loss_at = |offset: f32| {
                    let mut state = zero.clone();
                    let mut tensor = weights.get(&spec.name).unwrap().clone();
                    tensor.data_mut()[at] += offset;
                    state.weights.insert(&spec.name, tensor);
                    probe.restore(&state).unwrap();
                    f64::from(probe.step_with(&pictures, count, 0.0, &mut { loss }).unwrap())
                };
                let h = 1e-2;
                let slope = (8.0 * (loss_at(h) - loss_at(-h)) - (loss_at(2.0 * h) - loss_at(-2.0 * h)))
                    / (12.0 * f64::from(h));
                let values = |w: &Weights| f64::from(w.get(&spec.name).unwrap().data()[at]);
                let gradient = values(&weights) - values(&after);
                assert!(
                    (slope - gradient).abs() < 3e-3 * (1.0 + slope.abs()),
                    "{}[{at}] of case {case}: finite difference {slope}, gradient {gradient}",
                    spec.name
                );
            }
        }
        // Fused and unfused agree.
        let mut plain = vec![0.0; count * outputs];
        session(&graph, &weights, count, 2).logits(&pictures, count, &mut plain).unwrap();
        let mut planned = plain.clone();
        let options = InferenceOptions { max_batch: count, threads: 2 };
        let mut plan = CpuEngine.inference(&graph, &weights, &options).unwrap();
        plan.logits(&pictures, count, &mut planned).unwrap();
        for (a, b) in plain.iter().zip(&planned) {
            assert!((a - b).abs() <= 1e-5 * (1.0 + a.abs()), "case {case}: {a} and {b}");
        }
    }
}

/// Convolution, normalisation, dropout and a dense layer.
fn with_dropout() -> Graph {
    let mut b = Graph::builder("small");
    let x = b.add("input", Op::InputLayer { shape: vec![5, 6, 2] }, &[]).unwrap();
    let x = b.add("conv", conv(7, [3, 3], [1, 1], Padding::Same, false), &[x]).unwrap();
    let x = b.add("bn", NORM, &[x]).unwrap();
    let x = b.add("pool", Op::GlobalAveragePooling2D, &[x]).unwrap();
    let x = b.add("drop", Op::Dropout { rate: 0.4 }, &[x]).unwrap();
    b.add("logits", dense(3, Activation::Softmax), &[x]).unwrap();
    b.finish().unwrap()
}

/// A step that looks for sharpness, against the same by hand: the gradient where the first one leads, taken from
/// where the weights were.
#[test]
fn a_sharpness_aware_step_takes_the_gradient_uphill() {
    let mut graph = with_dropout();
    for frozen in [false, true] {
        graph.set_trainable(true, |_, _| true);
        graph.set_trainable(false, |_, layer| frozen && layer.name == "conv");
        let mut numbers = Numbers(8);
        let weights = random_weights(&graph, &mut numbers);
        let pictures = numbers.vec(4 * 60, -1.0, 1.0);
        let mut targets = [0.0; 12];
        (0..4).for_each(|i| targets[i * 3 + i % 3] = 1.0);
        let batch = Batch { count: 4, pictures: &pictures, targets: &targets, weights: &[] };
        let distance = 0.5f32;

        let plain = |weights: &Weights| {
            let mut s = session(&graph, weights, 4, 1);
            let outcome = s.step(&batch, 1.0).unwrap();
            (outcome, s.weights())
        };
        let (outcome, after) = plain(&weights);
        let learnt: Vec<String> =
            graph.parameters().into_iter().filter(|p| p.trainable).map(|p| p.name).collect();
        let differences = |from: &Weights, to: &Weights, name: &str| -> Vec<f32> {
            let (from, to) = (from.get(name).unwrap().data(), to.get(name).unwrap().data());
            from.iter().zip(to).map(|(f, t)| f - t).collect()
        };
        let squares = learnt.iter().flat_map(|name| differences(&weights, &after, name));
        let length = squares.map(|g| f64::from(g).powi(2)).sum::<f64>().sqrt() as f32;
        let mut uphill = weights.clone();
        for name in &learnt {
            let mut tensor = weights.get(name).unwrap().clone();
            for (v, g) in tensor.data_mut().iter_mut().zip(differences(&weights, &after, name)) {
                *v += distance * g / length;
            }
            uphill.insert(name, tensor);
        }
        let (_, beyond) = plain(&uphill);

        let optimizer = Optimizer::Sgd { momentum: 0.0, nesterov: false, weight_decay: 0.0 };
        let options = TrainingOptions { max_batch: 4, threads: 2, optimizer, sharpness: distance, seed: 5 };
        let mut sharp = CpuEngine.training(&graph, &weights, &options).unwrap();
        assert_eq!(sharp.step(&batch, 1.0).unwrap(), outcome, "the outcome is that before the move");
        let got = sharp.weights();
        let mut apart_from_plain = 0f32;
        for spec in graph.parameters() {
            if !learnt.contains(&spec.name) {
                assert_eq!(got.get(&spec.name), after.get(&spec.name), "{} moves once", spec.name);
                continue;
            }
            let taken = differences(&weights, &got, &spec.name);
            let wanted = differences(&uphill, &beyond, &spec.name);
            let first = differences(&weights, &after, &spec.name);
            for ((t, w), f) in taken.iter().zip(&wanted).zip(first) {
                assert!((t - w).abs() < 1e-5, "{}: took {t}, the gradient uphill is {w}", spec.name);
                apart_from_plain = apart_from_plain.max((t - f).abs());
            }
        }
        assert!(apart_from_plain > 1e-2, "the test would not see a plain step: {apart_from_plain}");
        assert_eq!(sharp.state().step, 1);
    }
}

#[test]
fn a_loss_that_fails_uphill_leaves_the_weights() {
    let graph = with_dropout();
    let weights = random_weights(&graph, &mut Numbers(1));
    let options = TrainingOptions {
        max_batch: 1,
        threads: 1,
        optimizer: Optimizer::default(),
        sharpness: 0.1,
        seed: 5,
    };
    let mut s = CpuEngine.training(&graph, &weights, &options).unwrap();
    let mut calls = 0;
    let fails = &mut |_: &[f32], g: &mut [f32]| {
        calls += 1;
        g.fill(0.1);
        if calls == 2 { Err(moue_graph::Error::Parameter("no".into())) } else { Ok(0.0) }
    };
    assert!(s.step_with(&[0.5; 60], 1, 1.0, fails).is_err());
    let after = s.weights();
    for spec in graph.parameters().into_iter().filter(|p| p.trainable) {
        assert_eq!(after.get(&spec.name), weights.get(&spec.name), "{}", spec.name);
    }
    assert_eq!(s.state().step, 0);
    // Where the gradient is 0 there is no way up, and nothing to divide by.
    let flat = &mut |_: &[f32], g: &mut [f32]| {
        g.fill(0.0);
        Ok(0.0)
    };
    s.step_with(&[0.5; 60], 1, 1.0, flat).unwrap();
    assert!(s.weights().get("conv/kernel") == weights.get("conv/kernel"));
}

#[test]
fn a_loss_that_fails_leaves_the_weights() {
    let graph = pyramid([4, 6, 3], 4);
    let weights = random_weights(&graph, &mut Numbers(1));
    let mut s = session(&graph, &weights, 1, 1);
    let fails = &mut |_: &[f32], _: &mut [f32]| Err(moue_graph::Error::Parameter("no".into()));
    assert!(s.step_with(&[0.5; 72], 1, 1.0, fails).is_err());
    let after = s.weights();
    for spec in graph.parameters().into_iter().filter(|p| p.trainable) {
        assert_eq!(after.get(&spec.name), weights.get(&spec.name), "{}", spec.name);
    }
    assert_eq!(s.state().step, 0);
    // And the session goes on.
    s.step_with(&[0.5; 72], 1, 1.0, &mut |_, g| {
        g.fill(0.1);
        Ok(0.0)
    })
    .unwrap();
}
