//! Networks in 8-bit integers against the same networks in f32, through files, and against threads.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "an unmet expectation fails the test"
)]

use moue_cpu::{Calibrator, CpuEngine, quantize};
use moue_graph::engine::{Engine, InferenceOptions, Optimizer, TrainingOptions};
use moue_graph::{
    Activation, Graph, Head, Model, ModelCard, Op, Padding, Precision, Quantized, Scaling, Tensor, Weights,
    attach_head, backbones,
};

fn mobilenet(side: usize) -> Graph {
    attach_head(backbones::by_name("mobilenet_v2", 0.5, side).unwrap(), &Head::default(), 7).unwrap()
}

/// Weights with statistics that do something, as those of a trained network.
fn weights(graph: &Graph) -> Weights {
    let mut weights = Weights::initialise(graph, 17);
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
    weights
}

/// Smooth pictures that differ, with values from `low` to `high`.
fn pictures(count: usize, graph: &Graph, low: f32, high: f32) -> Vec<f32> {
    let &[height, width, channels] = graph.input_shape().as_slice() else { panic!("no pictures") };
    let mut all = Vec::new();
    for i in 0..count {
        for y in 0..height {
            for x in 0..width {
                for c in 0..channels {
                    let (x, y, phase) =
                        (x as f32 / width as f32, y as f32 / height as f32, (i * 3 + c) as f32);
                    let wave = (7.0 * x + phase).sin() * (5.0 * y - 2.0 * phase).cos();
                    all.push(low + (high - low) * (0.5 + 0.5 * wave));
                }
            }
        }
    }
    all
}

fn quantised(graph: &Graph, weights: &Weights, pictures: &[f32]) -> Weights {
    let mut calibrator = Calibrator::new(graph, weights, 2).unwrap();
    let one: usize = graph.input_shape().iter().product();
    // In two calls, of which the second is larger.
    let first = pictures.len() / one / 3;
    calibrator.watch(&pictures[..first * one], first).unwrap();
    calibrator.watch(&pictures[first * one..], pictures.len() / one - first).unwrap();
    assert_eq!(calibrator.pictures(), pictures.len() / one);
    calibrator.finish().unwrap()
}

fn logits(graph: &Graph, weights: &Weights, pictures: &[f32], threads: usize, together: bool) -> Vec<f32> {
    let one: usize = graph.input_shape().iter().product();
    let (count, classes) = (pictures.len() / one, graph.output_shape()[0]);
    let options = InferenceOptions { max_batch: count, threads };
    let mut session = CpuEngine.inference(graph, weights, &options).unwrap();
    let mut out = vec![0.0; count * classes];
    if together {
        session.logits(pictures, count, &mut out).unwrap();
    } else {
        for (x, out) in pictures.chunks(one).zip(out.chunks_mut(classes)) {
            session.logits(x, 1, out).unwrap();
        }
    }
    out
}

/// Root of the mean squared difference, in terms of how far logits of different pictures lie apart.
fn error(real: &[f32], integer: &[f32], classes: usize) -> f64 {
    let count = (real.len() / classes) as f64;
    let (mut spread, mut off) = (0.0, 0.0);
    for c in 0..classes {
        let column = || real[c..].iter().step_by(classes).map(|v| f64::from(*v));
        let mean = column().sum::<f64>() / count;
        spread += column().map(|v| (v - mean).powi(2)).sum::<f64>();
        let other = integer[c..].iter().step_by(classes).map(|v| f64::from(*v));
        off += column().zip(other).map(|(a, b)| (a - b).powi(2)).sum::<f64>();
    }
    (off / spread).sqrt()
}

#[test]
fn integers_answer_as_real_values_do() {
    let mut errors = Vec::new();
    for (side, low) in [(32, 0.0), (48, -1.0), (97, 0.0)] {
        let graph = mobilenet(side);
        let weights = weights(&graph);
        let x = pictures(12, &graph, low, 1.0);
        let integers = quantised(&graph, &weights, &x);
        let (real, integer) = (logits(&graph, &weights, &x, 2, true), logits(&graph, &integers, &x, 2, true));
        let error = error(&real, &integer, 7);
        println!("side {side}: {error}");
        errors.push((side, error));
    }
    // Made-up weights give logits that hardly differ between pictures, so rounding weighs more than in a
    // trained network; a wrong zero point or border would exceed the spread itself. That nothing but
    // rounding differs, `exact_integers_pass_unchanged` shows.
    assert!(errors.iter().all(|(_, error)| *error < 0.4), "shares of the spread of logits: {errors:?}");
}

/// Kernels of -1, 0 and 1 and one step for all layers: every value is a whole number of steps in both
/// arithmetics, so both must give the same, with zero points, borders, strides, clamps and sums of inverted residuals.
#[test]
fn exact_integers_pass_unchanged() {
    let mut state = 7u64;
    let mut below = |n: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % n
    };
    // 255 steps make the 6 that the activations clamp to.
    const STEP: f32 = 6.0 / 255.0;
    for (height, width) in [(16, 16), (19, 13), (9, 33)] {
        let conv = |filters, side, stride, activation| Op::Conv2D {
            filters,
            kernel_size: [side, side],
            strides: [stride, stride],
            padding: Padding::Same,
            use_bias: true,
            activation,
        };
        let depthwise = |side, stride| Op::DepthwiseConv2D {
            kernel_size: [side, side],
            strides: [stride, stride],
            padding: Padding::Same,
            use_bias: true,
        };
        let relu6 = Op::Activation { function: Activation::Relu6 };
        let mut b = Graph::builder("integers");
        let x = b.add("input", Op::InputLayer { shape: vec![height, width, 3] }, &[]).unwrap();
        let mut x = b.add("stem", conv(20, 3, 2, Activation::Relu6), &[x]).unwrap();
        let mut scalings = vec![("input".to_owned(), 3), ("stem".to_owned(), 0)];
        for (i, (channels, side, stride)) in
            [(12, 3, 1), (12, 3, 1), (37, 3, 2), (37, 5, 1)].into_iter().enumerate()
        {
            let from = x;
            x = b.add(format!("expand{i}"), conv(50, 1, 1, Activation::Relu6), &[x]).unwrap();
            x = b.add(format!("depthwise{i}"), depthwise(side, stride), &[x]).unwrap();
            x = b.add(format!("relu{i}"), relu6.clone(), &[x]).unwrap();
            x = b.add(format!("project{i}"), conv(channels, 1, 1, Activation::Linear), &[x]).unwrap();
            scalings.extend([
                (format!("expand{i}"), 0),
                (format!("depthwise{i}"), 0),
                (format!("relu{i}"), 0),
            ]);
            scalings.push((format!("project{i}"), 120));
            if b.shape(from) == b.shape(x) {
                x = b.add(format!("sum{i}"), Op::Add, &[from, x]).unwrap();
                scalings.push((format!("sum{i}"), 131));
            }
        }
        let x = b.add("last", conv(5, 1, 1, Activation::Linear), &[x]).unwrap();
        scalings.push(("last".to_owned(), 200));
        let x = b.add("pool", Op::GlobalAveragePooling2D, &[x]).unwrap();
        b.add("probabilities", Op::Activation { function: Activation::Softmax }, &[x]).unwrap();
        let graph = b.finish().unwrap();

        let (mut real, mut integers) = (Weights::new(), Quantized::default());
        for spec in graph.parameters() {
            let (layer, parameter) = spec.name.split_once('/').unwrap();
            let kernel = parameter != "bias";
            let depthwise = layer.starts_with("depthwise");
            // Few enough of the values of a sum that no stored one leaves its byte.
            let share = [("depthwise", 6), ("project", 25)]
                .into_iter()
                .find(|(name, _)| layer.starts_with(name))
                .map_or(12, |(_, share)| share);
            let n: usize = spec.shape.iter().product();
            let values: Vec<i8> = (0..n)
                .map(|_| match below(2 * share) {
                    0 => -1,
                    1 => 1,
                    _ => i8::from(!kernel && below(2) == 0),
                })
                .collect();
            let floats = values.iter().map(|v| f32::from(*v) * if kernel { 1.0 } else { STEP }).collect();
            real.insert(&spec.name, Tensor::new(spec.shape.clone(), floats).unwrap());
            let entry =
                integers.kernels.entry(layer.to_owned()).or_insert_with(|| moue_graph::QuantizedKernel {
                    parameter: String::new(),
                    shape: Vec::new(),
                    values: Vec::new(),
                    scales: Vec::new(),
                    bias: Vec::new(),
                });
            if kernel {
                let channels = spec.shape[if depthwise { 2 } else { 3 }];
                entry.parameter = parameter.to_owned();
                entry.scales = vec![1.0; channels];
                entry.shape = spec.shape;
                entry.values = values;
            } else {
                entry.bias = values.iter().map(|v| i32::from(*v)).collect();
            }
        }
        for (name, zero_point) in scalings {
            integers.activations.insert(name, Scaling { scale: STEP, zero_point });
        }
        // The mean alone is no whole number, and is rounded to one.
        integers.activations.insert("pool".to_owned(), Scaling { scale: STEP, zero_point: 128 });
        let one = height * width * 3;
        let x: Vec<f32> = (0..4 * one).map(|_| (below(6) as f32 - 2.0) * STEP).collect();
        let wanted = logits(&graph, &real, &x, 1, true);
        let got = logits(&graph, &Weights::from_quantized(integers), &x, 2, true);
        assert!(wanted.iter().any(|v| *v != wanted[0]), "logits that say something");
        for (want, got) in wanted.iter().zip(&got) {
            assert!(
                (want - got).abs() <= STEP / 2.0 + 1e-4,
                "{height}x{width}: {got}, reference {want}\n{wanted:?}\n{got:?}"
            );
        }
    }
}

#[test]
fn batches_and_threads_change_nothing() {
    let graph = mobilenet(48);
    let x = pictures(5, &graph, 0.0, 1.0);
    let integers = quantised(&graph, &weights(&graph), &x);
    let one = logits(&graph, &integers, &x, 1, false);
    for (threads, together) in [(1, true), (2, false), (2, true), (3, true), (8, false), (8, true)] {
        let other = logits(&graph, &integers, &x, threads, together);
        assert_eq!(one, other, "{threads} threads, together: {together}");
    }
    // Pictures watched by other numbers of threads, too.
    let mut calibrator = Calibrator::new(&graph, &weights(&graph), 1).unwrap();
    calibrator.watch(&x, 5).unwrap();
    assert_eq!(calibrator.finish().unwrap(), integers);
}

/// What MobileNetV2 does not have: kernels of other sides, a sum and a clamp on their own, strides without
/// padding, no closing dense layer, sides and channels that fit no vector.
#[test]
fn operations_of_other_networks() {
    let conv = |filters, side, stride, padding, activation| Op::Conv2D {
        filters,
        kernel_size: [side, side],
        strides: [stride, stride],
        padding,
        use_bias: true,
        activation,
    };
    let depthwise = |side, stride, padding| Op::DepthwiseConv2D {
        kernel_size: [side, side],
        strides: [stride, stride],
        padding,
        use_bias: true,
    };
    let mut b = Graph::builder("other");
    let x = b.add("input", Op::InputLayer { shape: vec![23, 19, 5] }, &[]).unwrap();
    let early = b.add("depthwise_5", depthwise(5, 1, Padding::Same), &[x]).unwrap();
    let x = b.add("conv_3", conv(11, 3, 2, Padding::Same, Activation::Relu), &[early]).unwrap();
    let a = b.add("branch", conv(13, 1, 1, Padding::Same, Activation::Linear), &[x]).unwrap();
    let c = b.add("other_branch", conv(13, 3, 1, Padding::Same, Activation::Relu), &[x]).unwrap();
    let sum = b.add("sum", Op::Add, &[c, a]).unwrap();
    let twice = b.add("twice", Op::Add, &[sum, sum]).unwrap();
    let clamp = b.add("clamp", Op::Activation { function: Activation::Relu6 }, &[sum]).unwrap();
    let x = b.add("total", Op::Add, &[twice, clamp]).unwrap();
    let x = b.add("depthwise_4", depthwise(4, 3, Padding::Valid), &[x]).unwrap();
    let x = b.add("pointwise", conv(9, 1, 1, Padding::Same, Activation::Linear), &[x]).unwrap();
    let x = b.add("pool", Op::GlobalAveragePooling2D, &[x]).unwrap();
    b.add("probabilities", Op::Activation { function: Activation::Softmax }, &[x]).unwrap();
    let graph = b.finish().unwrap();
    let weights = weights(&graph);
    let x = pictures(30, &graph, -1.0, 1.0);
    let integers = quantised(&graph, &weights, &x);
    let real = logits(&graph, &weights, &x, 2, true);
    for threads in [1, 2, 3] {
        let integer = logits(&graph, &integers, &x, threads, threads == 2);
        let error = error(&real, &integer, 9);
        println!("{threads} threads: {error}");
        assert!(error < 0.1, "logits are off by {error} of their spread");
    }
}

/// A detector in small: sums behind clamps, borders below and to the right alone, a pyramid whose maps are enlarged
/// and added, and heads laid into one row.
fn detector(height: usize, width: usize) -> Graph {
    let conv = |filters, side, stride, use_bias| Op::Conv2D {
        filters,
        kernel_size: [side; 2],
        strides: [stride; 2],
        padding: Padding::Same,
        use_bias,
        activation: Activation::Linear,
    };
    let mut b = Graph::builder("detector");
    let mut at = b.add("input", Op::InputLayer { shape: vec![height, width, 4] }, &[]).unwrap();
    let mut layer = |name: String, op: Op, from: &[usize]| b.add(name, op, from).unwrap();
    let norm = || Op::BatchNormalization { epsilon: 1e-3, momentum: 0.9 };
    let relu = || Op::Activation { function: Activation::Relu };
    let block = |layer: &mut dyn FnMut(String, Op, &[usize]) -> usize, name: &str, from, channels, stride| {
        let (mut x, mut padding) = (from, Padding::Same);
        if stride == 2 {
            x = layer(format!("{name}_pad"), Op::ZeroPadding2D { padding: [[0, 2], [0, 2]] }, &[x]);
            padding = Padding::Valid;
        }
        let depthwise =
            Op::DepthwiseConv2D { kernel_size: [3, 3], strides: [stride; 2], padding, use_bias: false };
        let x = layer(format!("{name}_depthwise"), depthwise, &[x]);
        let x = layer(format!("{name}_pointwise"), conv(channels, 1, 1, false), &[x]);
        let x = layer(format!("{name}_bn"), norm(), &[x]);
        layer(format!("{name}_relu"), relu(), &[x])
    };
    at = layer("stem".into(), conv(24, 3, 2, false), &[at]);
    at = layer("stem_bn".into(), norm(), &[at]);
    at = layer("stem_relu".into(), relu(), &[at]);
    let mut maps = Vec::new();
    for (name, channels) in [("fine", 24), ("middle", 40), ("coarse", 48)] {
        at = block(&mut layer, &format!("{name}_0"), at, channels, 2);
        let y = block(&mut layer, &format!("{name}_1"), at, channels, 1);
        at = layer(format!("{name}_add"), Op::Add, &[at, y]);
        maps.push(at);
    }
    let mut rows = Vec::new();
    let mut top = maps[2];
    for (i, name) in ["coarse", "middle", "fine"].into_iter().enumerate() {
        if i > 0 {
            let reduced = layer(format!("{name}_reduce"), conv(24, 1, 1, false), &[top]);
            let up = layer(format!("{name}_up"), Op::UpSampling2D { size: [2, 2] }, &[reduced]);
            let side = layer(format!("{name}_side"), conv(24, 1, 1, false), &[maps[2 - i]]);
            let side = layer(format!("{name}_side_bn"), norm(), &[side]);
            let side = layer(format!("{name}_side_relu"), relu(), &[side]);
            top = layer(format!("{name}_merged"), Op::Add, &[side, up]);
        }
        let x = block(&mut layer, &format!("{name}_head"), top, 24, 1);
        let x = layer(format!("{name}_values"), conv(7, 1, 1, true), &[x]);
        rows.push(layer(format!("{name}_row"), Op::Flatten, &[x]));
    }
    rows.reverse();
    layer("cells".into(), Op::Concatenate, &rows);
    b.finish().unwrap()
}

#[test]
fn a_detector_answers_as_in_real_values_at_every_size() {
    let graph = detector(48, 64);
    let weights = weights(&graph);
    let x = pictures(10, &graph, -1.0, 1.0);
    let one: usize = graph.input_shape().iter().product();
    let integers = quantize(&graph, &weights, x.chunks(one), 2).unwrap();
    for (height, width) in [(48, 64), (32, 96), (80, 48)] {
        let graph = detector(height, width);
        let x = pictures(6, &graph, -1.0, 1.0);
        let (real, integer) = (logits(&graph, &weights, &x, 2, true), logits(&graph, &integers, &x, 1, true));
        let square = |values: &mut dyn Iterator<Item = f32>| values.map(|v| f64::from(v * v)).sum::<f64>();
        let mean = real.iter().sum::<f32>() / real.len() as f32;
        let spread = square(&mut real.iter().map(|v| v - mean));
        let off = (square(&mut real.iter().zip(&integer).map(|(a, b)| a - b)) / spread).sqrt();
        println!("{height}x{width}: {off}");
        assert!(off < 0.1, "{height}x{width}: outputs are off by {off} of their spread");
        for (threads, together) in [(1, false), (2, false), (2, true), (3, false)] {
            let other = logits(&graph, &integers, &x, threads, together);
            assert_eq!(integer, other, "{height}x{width}, {threads} threads, together: {together}");
        }
    }
    let message = quantize(&graph, &weights, [&x[1..one]], 1).err().unwrap().to_string();
    assert!(message.contains("values"), "{message}");
    assert!(quantize(&graph, &weights, std::iter::empty::<&[f32]>(), 1).is_err(), "no pictures");
}

fn model(graph: Graph, weights: Weights) -> Model {
    let card = ModelCard {
        labels: (0..7).map(|i| i.to_string()).collect(),
        preprocessing: Default::default(),
        crop_margin: 0.0,
        calibration: Default::default(),
        licence: "CC0-1.0".into(),
        training: serde_json::Value::Null,
    };
    Model { graph, weights, card }
}

#[test]
fn a_file_holds_them_as_integers() {
    let graph = mobilenet(32);
    let x = pictures(4, &graph, 0.0, 1.0);
    let integers = quantised(&graph, &weights(&graph), &x);
    let model = model(graph.clone(), integers.clone());
    let bytes = model.to_bytes(Precision::F32).unwrap();
    let again = Model::from_bytes(&bytes, "int8.safetensors").unwrap();
    assert_eq!(again, model);
    assert_eq!(again.to_bytes(Precision::F32).unwrap(), bytes);
    assert_eq!(logits(&graph, &again.weights, &x, 2, true), logits(&graph, &integers, &x, 2, true));
    let (parameters, _) = graph.parameter_count();
    assert!(bytes.len() < parameters * 3 / 2, "{} bytes for {parameters} parameters", bytes.len());
}

#[test]
fn what_cannot_be_is_an_error() {
    let graph = mobilenet(32);
    let x = pictures(2, &graph, 0.0, 1.0);
    let real = weights(&graph);
    let integers = quantised(&graph, &real, &pictures(3, &graph, 0.0, 1.0));
    let options = InferenceOptions { max_batch: 1, threads: 1 };
    let refused = |weights: &Weights, what: &str| {
        let message = CpuEngine.inference(&graph, weights, &options).err().unwrap().to_string();
        assert!(message.contains(what), "{message:?} lacks {what:?}");
    };
    let changed = |change: fn(&mut Quantized)| {
        let mut quantized = (**integers.quantized().unwrap()).clone();
        change(&mut quantized);
        Weights::from_quantized(quantized)
    };
    refused(&changed(|q| drop(q.kernels.remove("Conv1"))), "Conv1 has no int8 kernel");
    let without = changed(|q| {
        q.activations.remove("Conv1_relu");
    });
    refused(&without, "Conv1_relu's output is missing");
    refused(&changed(|q| q.activations.get_mut("Conv1_relu").unwrap().scale = 0.5), "exceeds what");
    refused(&changed(|q| q.activations.get_mut("Conv1_relu").unwrap().scale = 1e-30), "what integers hold");
    refused(&changed(|q| q.activations.get_mut("Conv1_relu").unwrap().scale = f32::NAN), "positive");
    refused(&changed(|q| q.kernels.get_mut("Conv1").unwrap().scales[3] = 0.0), "positive");
    let without = changed(|q| {
        q.kernels.get_mut("Conv1").unwrap().bias.pop();
    });
    refused(&without, "biases");
    refused(&changed(|q| q.kernels.get_mut("Conv1").unwrap().bias[0] = i32::MAX), "beyond an i32");
    refused(&changed(|q| q.kernels.get_mut("Conv1").unwrap().shape = vec![27, 16]), "of the shape");

    let training = TrainingOptions {
        max_batch: 1,
        threads: 1,
        optimizer: Optimizer::default(),
        sharpness: 0.0,
        seed: 0,
    };
    let message = CpuEngine.training(&graph, &integers, &training).err().unwrap().to_string();
    assert!(message.contains("int8"), "{message}");
    let message = Calibrator::new(&graph, &integers, 1).err().unwrap().to_string();
    assert!(message.contains("int8"), "{message}");
    let mut calibrator = Calibrator::new(&graph, &real, 1).unwrap();
    assert!(calibrator.finish().is_err(), "no pictures");
    assert!(calibrator.watch(&x, 1).is_err(), "two pictures as one");

    let mut session = CpuEngine.inference(&graph, &integers, &options).unwrap();
    let mut out = vec![0.0; 14];
    assert!(session.logits(&x, 2, &mut out).is_err(), "more than planned");
    assert!(session.logits(&x[1..], 1, &mut out[..7]).is_err(), "a part of a picture");
    assert!(session.logits(&x[..x.len() / 2], 1, &mut out).is_err(), "too many logits");
}

#[test]
fn layers_without_integer_arithmetic_are_named() {
    let mut b = Graph::builder("norm first");
    let x = b.add("input", Op::InputLayer { shape: vec![8, 8, 3] }, &[]).unwrap();
    let x = b.add("norm", Op::BatchNormalization { epsilon: 1e-3, momentum: 0.9 }, &[x]).unwrap();
    let x = b.add("pool", Op::GlobalAveragePooling2D, &[x]).unwrap();
    b.add("softmax", Op::Activation { function: Activation::Softmax }, &[x]).unwrap();
    let graph = b.finish().unwrap();
    let message = Calibrator::new(&graph, &weights(&graph), 1).err().unwrap().to_string();
    assert!(message.contains("norm") && message.contains("int8"), "{message}");
    // Padding that no convolution takes in.
    let mut b = Graph::builder("padded sum");
    let x = b.add("input", Op::InputLayer { shape: vec![8, 8, 3] }, &[]).unwrap();
    let x = b.add("border", Op::ZeroPadding2D { padding: [[1, 1], [1, 1]] }, &[x]).unwrap();
    b.add("pool", Op::GlobalAveragePooling2D, &[x]).unwrap();
    let message = Calibrator::new(&b.finish().unwrap(), &Weights::new(), 1).err().unwrap().to_string();
    assert!(message.contains("border") && message.contains("int8"), "{message}");
}
