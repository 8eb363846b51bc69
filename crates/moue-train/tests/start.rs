//! A training that begins with a frozen graph, from its file to the first epoch.

#![allow(clippy::unwrap_used, reason = "an unmet expectation fails the test")]

#[allow(dead_code, reason = "other tests use all of it")]
#[path = "fit/data.rs"]
mod data;

use std::path::Path;

use moue_cpu::CpuEngine;
use moue_graph::backbones::Stem;
use moue_train::{FitOptions, Recipe, Silent, fit};
use serde_json::json;

/// The first layers of a MobileNet of a tenth of the width, as TensorFlow.js keeps a frozen graph: `faces.json`.
fn write_frozen(folder: &Path) {
    let node = |op: &str, name: &str, inputs: &[&str]| json!({"op": op, "name": name, "input": inputs});
    let mut input = node("Placeholder", "input_1", &[]);
    input["attr"] =
        json!({"shape": {"shape": {"dim": [{"size": "-1"}, {"size": "64"}, {"size": "64"}, {"size": "3"}]}}});
    let mut conv = node("Conv2D", "conv1_bn/batchnorm/mul_1", &["input_1", "conv1/convolution/merged_input"]);
    conv["attr"] = json!({"strides": {"list": {"i": ["1", "2", "2", "1"]}}, "padding": {"s": "U0FNRQ=="}});
    let nodes = [
        input,
        conv,
        node("Add", "conv1_bn/batchnorm/add_1", &["conv1_bn/batchnorm/mul_1", "conv1_bn/batchnorm/sub"]),
        node("Relu6", "conv1_relu/Relu6", &["conv1_bn/batchnorm/add_1"]),
        node("Mean", "global_pooling/Mean", &["conv1_relu/Relu6", "axes"]),
    ];
    let manifest = json!([{"paths": ["faces.bin"], "weights": [
        {"name": "conv1/convolution/merged_input", "shape": [3, 3, 3, 3], "dtype": "float32"},
        {"name": "conv1_bn/batchnorm/sub", "shape": [3], "dtype": "float32"},
        {"name": "axes", "shape": [2], "dtype": "int32"},
    ]}]);
    let mut bytes = Vec::new();
    (0..84).for_each(|i| bytes.extend((((i * 37 % 23) as f32 - 11.0) / 500.0).to_le_bytes()));
    [1i32, 2].iter().for_each(|axis| bytes.extend(axis.to_le_bytes()));
    std::fs::write(folder.join("faces.bin"), bytes).unwrap();
    let model =
        json!({"format": "graph-model", "modelTopology": {"node": nodes}, "weightsManifest": manifest});
    std::fs::write(folder.join("faces.json"), model.to_string()).unwrap();
}

#[test]
fn a_frozen_graph_is_settled_and_trained() {
    let folder = tempfile::tempdir().unwrap();
    write_frozen(folder.path());
    let mut recipe = Recipe { epochs: 1, batch: 16, sharpness: 0.05, ..Recipe::default() };
    recipe.backbone.name = "mobilenet_v1".into();
    recipe.backbone.alpha = 0.1;
    recipe.backbone.input = 32;
    recipe.backbone.channels = 1;
    recipe.backbone.stem = Stem::Stride1;
    recipe.backbone.weights = Some("faces.json".into());
    recipe.backbone.weights_range = Some([-100.0, 155.0]);
    let mut start = recipe.start(7, folder.path()).unwrap();
    assert!(start.is_folded);
    assert_eq!(start.taken, 5, "the kernel and the normalisation of the first layer");

    let dataset = data::read(&data::csv(70));
    let values = |start: &moue_train::Start, part: &str| {
        start.weights.get(&format!("conv1_bn/{part}")).unwrap().data().to_vec()
    };
    assert!(values(&start, "moving_variance").iter().all(|v| *v == 0.999));
    start.settle(&CpuEngine, &dataset, &recipe, folder.path(), 2).unwrap();
    assert!(!start.is_folded);
    // Pixels of 0 to 255 and kernels of hundredths: what comes out varies by other amounts than 1.
    assert!(values(&start, "moving_variance").iter().all(|v| (v - 0.999).abs() > 0.05));
    let (settled, weights) = (start.clone(), start.weights.clone());
    start.settle(&CpuEngine, &dataset, &recipe, folder.path(), 2).unwrap();
    assert_eq!(start, settled, "once is enough");

    let options = FitOptions::new(folder.path().join("run"));
    let outcome = fit(&CpuEngine, &start.graph, &weights, &dataset, &recipe, &options, &mut Silent).unwrap();
    assert_eq!(outcome.history.len(), 1);
    assert!(outcome.history[0].loss.is_finite());
}
