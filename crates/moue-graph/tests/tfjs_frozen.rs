//! The reader of TensorFlow.js graph models on a small model made here.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "an unmet expectation fails the test")]

use std::path::Path;

use moue_graph::formats::tfjs;
use moue_graph::{Activation, Op, Padding};
use serde_json::{Value, json};

/// A node that reads others.
fn node(op: &str, name: &str, inputs: &[&str]) -> Value {
    json!({"op": op, "name": name, "input": inputs, "attr": {}})
}

fn convolution(op: &str, name: &str, inputs: &[&str], stride: &str, padding: &str) -> Value {
    let mut node = node(op, name, inputs);
    node["attr"] = json!({
        "strides": {"list": {"i": ["1", stride, stride, "1"]}},
        "dilations": {"list": {"i": ["1", "1", "1", "1"]}},
        "padding": {"s": padding},
    });
    node
}

const SAME: &str = "U0FNRQ==";
const VALID: &str = "VkFMSUQ=";

/// As TensorFlow freezes a network of Keras: a folded convolution, a depthwise one with its factor beside it, ReLU6 in
/// three nodes, a sum, the global pooling, and a classifier that is not understood.
fn nodes() -> Vec<Value> {
    let mut input = node("Placeholder", "images", &[]);
    input["attr"] =
        json!({"shape": {"shape": {"dim": [{"size": "-1"}, {"size": "6"}, {"size": "4"}, {"size": "3"}]}}});
    vec![
        node("Const", "conv/kernel/merged", &[]),
        input,
        convolution("Conv2D", "conv_bn/batchnorm/mul_1", &["images", "conv/kernel/merged"], "2", SAME),
        node("Add", "conv_bn/batchnorm/add_1", &["conv_bn/batchnorm/mul_1:0", "conv_bn/batchnorm/sub"]),
        node("Relu", "conv_relu/Relu", &["conv_bn/batchnorm/add_1"]),
        node("Minimum", "conv_relu/Minimum", &["conv_relu/Relu", "conv_relu/Cast"]),
        node("Maximum", "conv_relu/clip_by_value", &["conv_relu/Minimum", "conv_relu/Const_1"]),
        convolution(
            "DepthwiseConv2dNative",
            "dw/depthwise",
            &["conv_relu/clip_by_value", "dw/depthwise_kernel"],
            "1",
            SAME,
        ),
        node("Mul", "dw_bn/batchnorm/mul_1", &["dw/depthwise", "dw_bn/batchnorm/mul"]),
        node("AddV2", "dw_bn/batchnorm/add_1", &["dw_bn/batchnorm/mul_1", "dw_bn/batchnorm/sub"]),
        node("Relu", "dw_relu/Relu", &["dw_bn/batchnorm/add_1"]),
        node("AddV2", "sum/add", &["dw_relu/Relu", "conv_relu/clip_by_value"]),
        convolution("Conv2D", "last/convolution", &["sum/add", "last/kernel"], "1", VALID),
        node("Relu6", "last_relu/Relu6", &["last/convolution"]),
        node("Mean", "pool/Mean", &["last_relu/Relu6", "pool/Mean/axes"]),
        node("_FusedMatMul", "dense/Relu", &["pool/Mean", "dense/kernel"]),
    ]
}

/// The constants, each of its own values.
fn constants() -> (Value, Vec<u8>) {
    let (mut weights, mut bytes) = (Vec::new(), Vec::new());
    let mut real = |name: &str, shape: &[usize], first: f32| {
        let n: usize = shape.iter().product();
        (0..n).for_each(|i| bytes.extend((first + i as f32 / 8.0).to_le_bytes()));
        weights.push(json!({"name": name, "shape": shape, "dtype": "float32"}));
    };
    real("conv/kernel/merged", &[3, 3, 3, 2], 1.0);
    real("conv_bn/batchnorm/sub", &[2], 2.0);
    real("conv_relu/Cast", &[], 6.0);
    real("conv_relu/Const_1", &[], 0.0);
    real("dw/depthwise_kernel", &[3, 3, 2, 1], 3.0);
    real("dw_bn/batchnorm/mul", &[2], 4.0);
    real("dw_bn/batchnorm/sub", &[2], 5.0);
    real("last/kernel", &[1, 2, 2, 5], 7.0);
    [1i32, 2].iter().for_each(|axis| bytes.extend(axis.to_le_bytes()));
    weights.push(json!({"name": "pool/Mean/axes", "shape": [2], "dtype": "int32"}));
    (json!([{"paths": ["all.bin"], "weights": weights}]), bytes)
}

fn write(folder: &Path, nodes: &[Value], manifest: &Value, bytes: &[u8]) -> std::path::PathBuf {
    let model =
        json!({"format": "graph-model", "modelTopology": {"node": nodes}, "weightsManifest": manifest});
    let path = folder.join("faces.json");
    std::fs::write(&path, model.to_string()).unwrap();
    std::fs::write(folder.join("all.bin"), bytes).unwrap();
    path
}

fn read(nodes: &[Value]) -> Result<tfjs::Features, String> {
    let (manifest, bytes) = constants();
    let folder = tempfile::tempdir().unwrap();
    tfjs::read_features(write(folder.path(), nodes, &manifest, &bytes)).map_err(|e| e.to_string())
}

#[test]
fn layers_are_found_again() {
    let tfjs::Features { graph, weights, is_folded } = read(&nodes()).unwrap();
    assert!(is_folded);
    let layers: Vec<(&str, &str, &[usize])> =
        graph.layers().iter().map(|l| (l.name.as_str(), l.op.class_name(), l.shape.as_slice())).collect();
    let expected: [(&str, &str, &[usize]); 11] = [
        ("images", "InputLayer", &[6, 4, 3]),
        ("conv", "Conv2D", &[3, 2, 2]),
        ("conv_bn", "BatchNormalization", &[3, 2, 2]),
        ("conv_relu", "ReLU", &[3, 2, 2]),
        ("dw", "DepthwiseConv2D", &[3, 2, 2]),
        ("dw_bn", "BatchNormalization", &[3, 2, 2]),
        ("dw_relu", "ReLU", &[3, 2, 2]),
        ("sum", "Add", &[3, 2, 2]),
        ("last", "Conv2D", &[3, 1, 5]),
        ("last_relu", "ReLU", &[3, 1, 5]),
        ("pool", "GlobalAveragePooling2D", &[5]),
    ];
    assert_eq!(layers, expected);
    let op = |name: &str| graph.layers().iter().find(|l| l.name == name).unwrap().op.clone();
    assert!(matches!(op("conv_relu"), Op::Activation { function: Activation::Relu6 }));
    assert!(matches!(op("dw_relu"), Op::Activation { function: Activation::Relu }));
    assert!(matches!(op("last_relu"), Op::Activation { function: Activation::Relu6 }));
    assert!(matches!(op("conv"), Op::Conv2D { strides: [2, 2], padding: Padding::Same, .. }));
    assert!(matches!(op("last"), Op::Conv2D { kernel_size: [1, 2], padding: Padding::Valid, .. }));
    let sum = graph.layers().iter().find(|l| l.name == "sum").unwrap();
    let read: Vec<&str> = sum.inputs.iter().map(|&i| graph.layers()[i].name.as_str()).collect();
    assert_eq!(read, ["dw_relu", "conv_relu"]);

    let data = |name: &str| weights.get(name).unwrap().data().to_vec();
    assert_eq!(data("conv/kernel")[..3], [1.0, 1.125, 1.25]);
    assert_eq!(data("dw/depthwise_kernel").len(), 18);
    // Folded into the kernel the factor is 1; with this variance the normalisation changes nothing else.
    assert_eq!((data("conv_bn/gamma"), data("conv_bn/beta")), (vec![1.0, 1.0], vec![2.0, 2.125]));
    assert_eq!((data("dw_bn/gamma"), data("dw_bn/beta")), (vec![4.0, 4.125], vec![5.0, 5.125]));
    assert_eq!(data("dw_bn/moving_mean"), [0.0, 0.0]);
    assert_eq!(data("dw_bn/moving_variance"), [0.999, 0.999]);
    assert!(weights.get("dense/kernel").is_none());
}

#[test]
fn what_is_not_understood_is_named() {
    // A node by its place in `nodes`, what is changed in it, and a word of the error.
    type Change = fn(&mut Value);
    let cases: [(usize, Change, &str); 10] = [
        (4, |n| n["op"] = "LeakyRelu".into(), "node conv_relu/Relu (LeakyRelu): operations of this kind"),
        (2, |n| n["attr"]["strides"]["list"]["i"][0] = "2".into(), "strides"),
        (2, |n| n["attr"]["dilations"]["list"]["i"][1] = "2".into(), "dilation"),
        (2, |n| n["attr"]["padding"]["s"] = "RVhQTElDSVQ=".into(), "padding"),
        (2, |n| n["input"][1] = "nowhere".into(), "nowhere is no constant"),
        (4, |n| n["input"][0] = "nowhere".into(), "reads nowhere"),
        (10, |n| n["input"][0] = "dw_bn/batchnorm/mul_1".into(), "a factor without a summand"),
        (14, |n| n["input"][1] = "dw_bn/batchnorm/sub".into(), "over the axes"),
        (14, |n| n["op"] = "Identity".into(), "node dense/Relu (_FusedMatMul)"),
        (1, |n| n["attr"]["shape"]["shape"]["dim"][1]["size"] = "-1".into(), "node images"),
    ];
    for (at, change, word) in cases {
        let mut all = nodes();
        change(&mut all[at]);
        let message = read(&all).unwrap_err();
        assert!(message.contains("faces.json") && message.contains(word), "{message:?} lacks {word:?}");
    }
    let message = read(&nodes()[..14]).unwrap_err();
    assert!(message.contains("no global average pooling"), "{message}");
    // A limit of 5 is none that a layer has.
    let (manifest, mut bytes) = constants();
    let cast = (3 * 3 * 3 * 2 + 2) * 4;
    assert_eq!(bytes[cast..cast + 4], 6f32.to_le_bytes());
    bytes[cast..cast + 4].copy_from_slice(&5f32.to_le_bytes());
    let folder = tempfile::tempdir().unwrap();
    let message =
        tfjs::read_features(write(folder.path(), &nodes(), &manifest, &bytes)).unwrap_err().to_string();
    assert!(message.contains("limited to"), "{message}");
}
