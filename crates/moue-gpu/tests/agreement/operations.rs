//! Every operation on its own shapes: odd sides, one channel and many, each kind of border.

use moue_cpu::CpuEngine;
use moue_gpu::GpuEngine;
use moue_graph::engine::{Engine, InferenceOptions};
use moue_graph::{Activation, Graph, LayerId, Op, Padding};

use crate::material::{Material, NORM, PLAIN, close, conv, dense, depthwise, random_weights, training};

/// Logits of both kinds of session, and one step: its loss, gradients and moving statistics.
fn check(what: &str, graph: &Graph, seed: u64) {
    let weights = random_weights(graph, seed);
    let material = Material::new(graph, 3, seed + 1);
    let outputs = graph.output_shape()[0];
    let flex = GpuEngine::flex();
    let mut answers = Vec::new();
    let mut steps = Vec::new();
    for engine in [&CpuEngine as &dyn Engine, &flex] {
        let mut logits = vec![0.0; 3 * outputs];
        let options = InferenceOptions { max_batch: 3, threads: 1 };
        let mut plan = engine.inference(graph, &weights, &options).unwrap();
        plan.logits(&material.pictures, 3, &mut logits).unwrap();
        answers.push(logits.clone());
        let mut session = training(engine, graph, &weights, &PLAIN, 4);
        session.logits(&material.pictures, 3, &mut logits).unwrap();
        answers.push(logits);
        let outcome = session.step(&material.batch(), 1.0).unwrap();
        steps.push((outcome, session.state()));
    }
    for other in &answers[1..] {
        close(&format!("{what}: logits"), &answers[0], other, 1e-5);
    }
    let [(cpu, cpu_state), (gpu, gpu_state)] = &steps[..] else { panic!("two engines") };
    assert_eq!(cpu.correct, gpu.correct, "{what}");
    close(&format!("{what}: loss"), &[cpu.loss], &[gpu.loss], 1e-5);
    assert_eq!(gpu_state.step, 1);
    for spec in graph.parameters() {
        let of = |weights: &moue_graph::Weights| weights.get(&spec.name).unwrap().data().to_vec();
        let (before, cpu, gpu) = (of(&weights), of(&cpu_state.weights), of(&gpu_state.weights));
        // What the step changed, so that large values do not hide small gradients.
        let change = |after: &[f32]| after.iter().zip(&before).map(|(a, b)| a - b).collect::<Vec<f32>>();
        let (cpu, gpu) = (change(&cpu), change(&gpu));
        let size = cpu.iter().fold(0f32, |size, v| size.max(v.abs()));
        // A difference of values near 1 is rounded to 6e-8.
        let tolerance = 5e-5 + 5e-7 / size.max(1e-9);
        close(&format!("{what}: change of {}", spec.name), &cpu, &gpu, tolerance);
        if !spec.trainable && !spec.name.contains("moving") {
            assert!(gpu.iter().all(|v| *v == 0.0), "{what}: {} is frozen", spec.name);
        }
    }
}

/// `body` between an input of this shape and four classes.
fn graph(shape: [usize; 3], body: impl FnOnce(&mut moue_graph::GraphBuilder, LayerId) -> LayerId) -> Graph {
    let mut b = Graph::builder("case");
    let x = b.add("input", Op::InputLayer { shape: shape.to_vec() }, &[]).unwrap();
    let mut x = body(&mut b, x);
    if b.shape(x).len() == 3 {
        x = b.add("flatten", Op::Flatten, &[x]).unwrap();
    }
    b.add("logits", dense(4, Activation::Softmax), &[x]).unwrap();
    b.finish().unwrap()
}

#[test]
fn convolutions_of_every_window() {
    let sides = [([7, 5], 1), ([8, 9], 3), ([6, 6], 2), ([1, 4], 5)];
    let kernels = [
        ([1, 1], [1, 1]),
        ([3, 3], [1, 1]),
        ([3, 3], [2, 2]),
        ([2, 3], [1, 2]),
        ([5, 5], [2, 1]),
        ([1, 1], [2, 3]),
    ];
    for (case, ([h, w], c)) in sides.into_iter().enumerate() {
        for (at, (kernel, strides)) in kernels.into_iter().enumerate() {
            for padding in [Padding::Same, Padding::Valid] {
                if padding == Padding::Valid && (kernel[0] > h || kernel[1] > w) {
                    continue;
                }
                let what = format!("{h}x{w}x{c}, kernel {kernel:?}, strides {strides:?}, {padding:?}");
                let g = graph([h, w, c], |b, x| {
                    b.add("conv", conv(6, kernel, strides, padding, at % 2 == 0), &[x]).unwrap()
                });
                check(&what, &g, (case * 10 + at) as u64);
                let g = graph([h, w, c], |b, x| {
                    b.add("depthwise", depthwise(kernel, strides, padding, at % 2 == 1), &[x]).unwrap()
                });
                check(&format!("depthwise {what}"), &g, (case * 10 + at) as u64);
            }
        }
    }
}

#[test]
fn padding_before_windows_and_alone() {
    for (case, padding) in
        [[[0, 1], [0, 1]], [[1, 1], [1, 1]], [[2, 0], [1, 3]], [[0, 0], [0, 0]]].into_iter().enumerate()
    {
        let pad = Op::ZeroPadding2D { padding };
        let g = graph([7, 6, 3], |b, x| {
            let x = b.add("pad", pad.clone(), &[x]).unwrap();
            b.add("conv", conv(5, [3, 3], [2, 2], Padding::Valid, false), &[x]).unwrap()
        });
        check(&format!("{padding:?} before a convolution"), &g, case as u64);
        let g = graph([7, 6, 3], |b, x| {
            let x = b.add("first", conv(4, [1, 1], [1, 1], Padding::Same, true), &[x]).unwrap();
            let x = b.add("pad", pad.clone(), &[x]).unwrap();
            b.add("depthwise", depthwise([3, 3], [2, 2], Padding::Valid, false), &[x]).unwrap()
        });
        check(&format!("{padding:?} before a depthwise convolution"), &g, case as u64);
        let g = graph([5, 4, 2], |b, x| {
            let x = b.add("first", conv(4, [1, 1], [1, 1], Padding::Same, true), &[x]).unwrap();
            b.add("pad", pad.clone(), &[x]).unwrap()
        });
        check(&format!("{padding:?} alone"), &g, case as u64);
    }
}

#[test]
fn normalisation_clamps_and_branches() {
    for (case, function) in [Activation::Linear, Activation::Relu, Activation::Relu6].into_iter().enumerate()
    {
        let g = graph([6, 5, 3], |b, x| {
            let x = b.add("conv", conv(33, [3, 3], [1, 1], Padding::Same, case == 1), &[x]).unwrap();
            let x = b.add("bn", NORM, &[x]).unwrap();
            let skip = b.add("activation", Op::Activation { function }, &[x]).unwrap();
            let x = b.add("project", conv(33, [1, 1], [1, 1], Padding::Same, false), &[skip]).unwrap();
            let x = b.add("project_bn", NORM, &[x]).unwrap();
            let x = b.add("add", Op::Add, &[skip, x]).unwrap();
            let x = b.add("after", Op::Activation { function }, &[x]).unwrap();
            let x = b.add("pool", Op::GlobalAveragePooling2D, &[x]).unwrap();
            let x = b.add("dropout", Op::Dropout { rate: 0.3 }, &[x]).unwrap();
            b.add("dense", dense(9, function), &[x]).unwrap()
        });
        check(&format!("{function:?}"), &g, case as u64);
        let mut frozen = g.clone();
        frozen.set_trainable(false, |_, layer| layer.name == "bn" || layer.name == "project");
        check(&format!("{function:?} with frozen layers"), &frozen, 10 + case as u64);
    }
}

/// A clamp passes no gradient where its output stands at a limit.
#[test]
fn clamps_of_values_at_their_limits() {
    let g = graph([2, 2, 3], |b, x| {
        b.add("relu6", Op::Activation { function: Activation::Relu6 }, &[x]).unwrap()
    });
    let mut frozen = g.clone();
    frozen.set_trainable(false, |_, layer| layer.name == "logits");
    assert!(
        GpuEngine::flex().training(&frozen, &random_weights(&g, 1), &options()).is_err(),
        "nothing learns"
    );
    // Zeros out of a convolution of nothing: the gradient of its bias depends on what happens at the limit.
    let g = graph([2, 2, 3], |b, x| {
        let x = b.add("conv", conv(3, [1, 1], [1, 1], Padding::Same, true), &[x]).unwrap();
        b.add("relu6", Op::Activation { function: Activation::Relu6 }, &[x]).unwrap()
    });
    let mut weights = random_weights(&g, 1);
    let zeros = moue_graph::Tensor::filled(vec![3], 0.0);
    weights.insert("conv/bias", zeros.clone());
    let mut material = Material::new(&g, 3, 2);
    material.pictures.fill(0.0);
    for engine in [&CpuEngine as &dyn Engine, &GpuEngine::flex()] {
        let mut session = training(engine, &g, &weights, &PLAIN, 4);
        session.step(&material.batch(), 1.0).unwrap();
        assert_eq!(session.weights().get("conv/bias"), Some(&zeros), "{}", engine.name());
    }
}

fn options() -> moue_graph::engine::TrainingOptions {
    moue_graph::engine::TrainingOptions {
        max_batch: 1,
        threads: 1,
        optimizer: PLAIN,
        sharpness: 0.0,
        seed: 1,
    }
}

#[test]
fn maps_enlarged_laid_side_by_side_and_dropped() {
    for (case, size) in [[2, 3], [1, 1], [3, 1]].into_iter().enumerate() {
        let g = graph([4, 6, 3], |b, x| {
            let fine = b.add("fine", conv(4, [3, 3], [1, 1], Padding::Same, true), &[x]).unwrap();
            let coarse = b.add("coarse", conv(5, size, size, Padding::Valid, true), &[fine]);
            let up = match coarse {
                Ok(coarse) => b.add("up", Op::UpSampling2D { size }, &[coarse]).unwrap(),
                Err(_) => fine,
            };
            let cut = if b.shape(up)[0] == 4 { vec![fine, up, fine] } else { vec![up, up] };
            let both = b.add("both", Op::Concatenate, &cut).unwrap();
            let x = b.add("dropout", Op::Dropout { rate: 0.4 }, &[both]).unwrap();
            let x = b.add("mix", conv(3, [1, 1], [1, 1], Padding::Same, false), &[x]).unwrap();
            let first = b.add("first", Op::Flatten, &[x]).unwrap();
            let second = b.add("pool", Op::GlobalAveragePooling2D, &[both]).unwrap();
            let x = b.add("row", Op::Concatenate, &[first, second]).unwrap();
            b.add("row_bn", NORM, &[x]).unwrap()
        });
        check(&format!("{size:?}"), &g, case as u64);
    }
}

#[test]
fn very_many_pixels_are_normalised_by_all_of_them() {
    crate::material::normalises_very_many_pixels(&moue_gpu::GpuEngine::flex());
}
