//! Inference plans against the unfused forward pass of training sessions, and against threads.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "an unmet expectation fails the test")]

use moue_cpu::{Bf16Engine, CpuEngine};
use moue_graph::engine::{Engine, InferenceOptions, Optimizer, TrainingOptions};
use moue_graph::{Activation, Head, Op, Padding, Tensor, Weights, attach_head, backbones};

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
        let options = TrainingOptions {
            max_batch: 3,
            threads: 2,
            optimizer: Optimizer::default(),
            sharpness: 0.0,
            seed: 0,
        };
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

/// A small graph of random convolutions, depthwise ones, sums and activations: whatever a plan may fuse,
/// and whatever it must not.
fn random_graph(seed: usize) -> (moue_graph::Graph, Weights) {
    let mut state = seed as u64 * 2 + 1;
    let mut below = |n: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % n
    };
    let mut b = moue_graph::Graph::builder("random");
    let shape = vec![5 + below(30), 5 + below(30), 1 + below(5)];
    let mut at = b.add("in", Op::InputLayer { shape }, &[]).unwrap();
    let mut feature_maps = vec![at];
    for i in 0..10 {
        // Now and then an older layer is read again, so that some have several readers.
        let from = if below(4) == 0 { feature_maps[below(feature_maps.len())] } else { at };
        let shape = b.shape(from).clone();
        let small = shape[0].min(shape[1]);
        let kernel_size = [(1 + below(3)).min(small), (1 + below(3)).min(small)];
        let strides = if small > 6 { [1 + below(2), 1 + below(2)] } else { [1, 1] };
        let padding = [Padding::Same, Padding::Valid][below(2)];
        let use_bias = below(2) == 0;
        at = match below(7) {
            0 | 1 => {
                let filters = [4, 16, 24, 37, 70][below(5)];
                let activation = [Activation::Linear, Activation::Relu][below(2)];
                let op = Op::Conv2D {
                    filters,
                    kernel_size: [1, 1],
                    strides: [1, 1],
                    padding,
                    use_bias,
                    activation,
                };
                b.add(format!("pointwise{i}"), op, &[from]).unwrap()
            }
            2 => {
                let filters = [3, 8, 20, 48][below(4)];
                let activation = [Activation::Linear, Activation::Relu6][below(2)];
                let op = Op::Conv2D { filters, kernel_size, strides, padding, use_bias, activation };
                b.add(format!("conv{i}"), op, &[from]).unwrap()
            }
            3 | 4 => {
                let kernel_size = if small >= 3 { [3, 3] } else { kernel_size };
                let op = Op::DepthwiseConv2D { kernel_size, strides, padding, use_bias };
                b.add(format!("depthwise{i}"), op, &[from]).unwrap()
            }
            5 => {
                let same: Vec<usize> =
                    feature_maps.iter().copied().filter(|&f| *b.shape(f) == shape && f != from).collect();
                match same.first() {
                    Some(&other) => b.add(format!("add{i}"), Op::Add, &[from, other]).unwrap(),
                    None => {
                        let filters = shape[2];
                        let (kernel_size, strides) = ([1, 1], [1, 1]);
                        let activation = Activation::Linear;
                        let op = Op::Conv2D { filters, kernel_size, strides, padding, use_bias, activation };
                        let branch = b.add(format!("branch{i}"), op, &[from]).unwrap();
                        b.add(format!("sum{i}"), Op::Add, &[branch, from]).unwrap()
                    }
                }
            }
            _ => {
                let op = Op::BatchNormalization { epsilon: 1e-3, momentum: 0.9 };
                b.add(format!("norm{i}"), op, &[from]).unwrap()
            }
        };
        if below(3) == 0 {
            let function = [Activation::Relu, Activation::Relu6][below(2)];
            at = b.add(format!("activation{i}"), Op::Activation { function }, &[at]).unwrap();
        }
        feature_maps.push(at);
    }
    let pooled = b.add("pool", Op::GlobalAveragePooling2D, &[at]).unwrap();
    let dense = Op::Dense { units: 5, use_bias: true, activation: Activation::Linear };
    b.add("logits", dense, &[pooled]).unwrap();
    let graph = b.finish().unwrap();
    let weights = Weights::initialise(&graph, seed as u64);
    (graph, weights)
}

#[test]
fn plans_of_random_graphs_give_the_logits_of_the_unfused_network() {
    for seed in 0..150 {
        let (graph, weights) = random_graph(seed);
        let (count, one) = (1 + seed % 6, graph.input_shape().iter().product::<usize>());
        let x: Vec<f32> = (0..count * one).map(|i| ((i * 7919) % 1009) as f32 / 1009.0 - 0.3).collect();
        let options = TrainingOptions {
            max_batch: count,
            threads: 1,
            optimizer: Optimizer::default(),
            sharpness: 0.0,
            seed: 0,
        };
        let mut plain = vec![0.0; count * 5];
        CpuEngine.training(&graph, &weights, &options).unwrap().logits(&x, count, &mut plain).unwrap();
        let spread = plain.iter().fold(0.0f32, |m, v| m.max(v.abs()));
        let mut first: Option<Vec<f32>> = None;
        for threads in [1, 2, 5] {
            let options = InferenceOptions { max_batch: count + seed % 2, threads };
            let mut session = CpuEngine.inference(&graph, &weights, &options).unwrap();
            let mut planned = vec![0.0; count * 5];
            session.logits(&x, count, &mut planned).unwrap();
            for (a, b) in plain.iter().zip(&planned) {
                assert!((a - b).abs() <= 3e-5 * (1.0 + spread), "graph {seed}: {a} and {b}, {graph:#?}");
            }
            assert_eq!(*first.get_or_insert_with(|| planned.clone()), planned, "graph {seed}");
        }
    }
}

/// A depthwise convolution of stride 2 whose borders are below and to the right alone, against sums one by one. Where
/// a side is even, the last row or column of the border is read by no window.
#[test]
fn depthwise_borders_below_and_right_are_what_they_say() {
    for (height, width, channels) in [(8, 8, 24), (9, 8, 24), (8, 13, 5), (7, 5, 80), (1, 2, 3), (2, 1, 16)] {
        let mut b = moue_graph::Graph::builder("borders");
        let shape = vec![height, width, channels];
        let x = b.add("in", Op::InputLayer { shape }, &[]).unwrap();
        let x = b.add("pad", Op::ZeroPadding2D { padding: [[0, 2], [0, 2]] }, &[x]).unwrap();
        let depthwise = Op::DepthwiseConv2D {
            kernel_size: [3, 3],
            strides: [2, 2],
            padding: Padding::Valid,
            use_bias: false,
        };
        let x = b.add("depthwise", depthwise, &[x]).unwrap();
        b.add("row", Op::Flatten, &[x]).unwrap();
        let graph = b.finish().unwrap();
        let (rows, columns) = (height.div_ceil(2), width.div_ceil(2));
        assert_eq!(graph.output_shape(), &vec![rows * columns * channels], "{height}x{width}");
        let weights = Weights::initialise(&graph, 3);
        let kernel = weights.get("depthwise/depthwise_kernel").unwrap().data();
        let count = 2;
        let one = height * width * channels;
        let x: Vec<f32> = (0..count * one).map(|i| ((i * 7919) % 1009) as f32 / 1009.0 - 0.3).collect();
        let mut want = Vec::new();
        for x in x.chunks(one) {
            for at in 0..rows * columns * channels {
                let (row, column, c) = (at / channels / columns, at / channels % columns, at % channels);
                let mut sum = 0.0;
                for tap in 0..9 {
                    let (y, x_at) = (2 * row + tap / 3, 2 * column + tap % 3);
                    if y < height && x_at < width {
                        let value = x[(y * width + x_at) * channels + c];
                        sum += f64::from(value) * f64::from(kernel[tap * channels + c]);
                    }
                }
                want.push(sum as f32);
            }
        }
        let mut answers = vec![vec![0.0; want.len()]; 3];
        for (threads, out) in (1..3).zip(&mut answers) {
            let options = InferenceOptions { max_batch: count, threads };
            CpuEngine.inference(&graph, &weights, &options).unwrap().logits(&x, count, out).unwrap();
        }
        let options = TrainingOptions {
            max_batch: count,
            threads: 2,
            optimizer: Optimizer::default(),
            sharpness: 0.0,
            seed: 0,
        };
        CpuEngine.training(&graph, &weights, &options).unwrap().logits(&x, count, &mut answers[2]).unwrap();
        for out in answers {
            for (a, b) in want.iter().zip(&out) {
                assert!((a - b).abs() < 1e-5, "{height}x{width}x{channels}: {a} and {b}");
            }
        }
    }
}

#[test]
fn bf16_stays_near_f32_and_does_not_depend_on_threads() {
    let Ok(engine) = Bf16Engine::new() else {
        eprintln!("SKIPPED: this processor does not multiply bf16");
        return;
    };
    let networks = (0..60).map(random_graph).chain([network(48), network(33)]);
    for (at, (graph, weights)) in networks.enumerate() {
        let (count, one) = (1 + at % 6, graph.input_shape().iter().product::<usize>());
        let classes = graph.output_shape()[0];
        let x: Vec<f32> = (0..count * one).map(|i| ((i * 7919) % 1009) as f32 / 1009.0 - 0.3).collect();
        let answers = |engine: &dyn Engine, threads: usize| {
            let options = InferenceOptions { max_batch: count, threads };
            let mut session = engine.inference(&graph, &weights, &options).unwrap();
            let mut out = vec![0.0; count * classes];
            session.logits(&x, count, &mut out).unwrap();
            out
        };
        let (wide, half) = (answers(&CpuEngine, 1), answers(&engine, 1));
        let spread = wide.iter().fold(0.0f32, |m, v| m.max(v.abs()));
        for (a, b) in wide.iter().zip(&half) {
            assert!((a - b).abs() <= 0.03 * (0.1 + spread), "network {at}: {a} in f32, {b} in bf16");
        }
        for threads in [2, 5] {
            assert_eq!(half, answers(&engine, threads), "network {at}");
        }
    }
}
