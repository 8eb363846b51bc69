//! The reader of TensorFlow.js layers models on small models made here.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "an unmet expectation fails the test")]

use std::path::Path;

use moue_graph::formats::tfjs;
use moue_graph::{Activation, Graph, Op, Padding, Weights};
use serde_json::{Value, json};

/// A layer of a Functional model.
fn layer(class: &str, name: &str, inputs: &[&str], config: Value) -> Value {
    let tensors: Vec<Value> = inputs.iter().map(|input| json!([input, 0, 0, {}])).collect();
    let inbound = if tensors.is_empty() { json!([]) } else { json!([tensors]) };
    json!({"class_name": class, "name": name, "config": config, "inbound_nodes": inbound})
}

/// input → conv → bn → relu → depthwise → add(relu) → pooling → flatten → dropout → dense, out of order.
fn layers() -> Vec<Value> {
    let conv = json!({"filters": 2, "kernel_size": [1, 1], "strides": [1, 1], "padding": "same", "use_bias": true,
                      "activation": "linear", "dilation_rate": [1, 1], "data_format": "channels_last", "trainable": false});
    let depthwise =
        json!({"kernel_size": 3, "strides": 1, "padding": "same", "use_bias": false, "depth_multiplier": 1});
    let bn = json!({"axis": [3], "epsilon": 0.001, "momentum": 0.99, "center": true, "scale": true});
    vec![
        layer("Add", "add", &["relu", "depthwise"], json!({})),
        layer("InputLayer", "input", &[], json!({"batch_input_shape": [null, 4, 6, 3]})),
        layer("Conv2D", "conv", &["input"], conv),
        layer("BatchNormalization", "bn", &["conv"], bn),
        layer("ReLU", "relu", &["bn"], json!({"max_value": 6, "negative_slope": 0, "threshold": 0})),
        layer("DepthwiseConv2D", "depthwise", &["relu"], depthwise),
        layer(
            "AveragePooling2D",
            "pool",
            &["add"],
            json!({"pool_size": [4, 6], "strides": [4, 6], "padding": "valid"}),
        ),
        layer("Flatten", "flat", &["pool"], json!({"trainable": false})),
        layer("Dropout", "drop", &["flat"], json!({"rate": 0.5})),
        layer("Dense", "dense", &["drop"], json!({"units": 2, "use_bias": false, "activation": "softmax"})),
        layer("Dense", "surplus", &["drop"], json!({"units": 3, "activation": "relu"})),
    ]
}

fn topology(layers: Vec<Value>) -> Value {
    json!({"model_config": {"class_name": "Model", "config": {
        "name": "small", "layers": layers, "input_layers": [["input", 0, 0]], "output_layers": [["dense", 0, 0]]}}})
}

/// Weights in all four ways to store them, and their bytes in two shards that cut a tensor.
fn manifest() -> (Value, Vec<u8>) {
    let mut bytes = Vec::new();
    let mut weights = Vec::new();
    let mut f32s = |bytes: &mut Vec<u8>, name: &str, shape: &[usize]| {
        let n: usize = shape.iter().product();
        (0..n).for_each(|i| bytes.extend((i as f32 + 0.5).to_le_bytes()));
        weights.push(json!({"name": name, "shape": shape, "dtype": "float32"}));
    };
    f32s(&mut bytes, "conv/kernel", &[1, 1, 3, 2]);
    f32s(&mut bytes, "conv/bias", &[2]);
    f32s(&mut bytes, "scope/bn/gamma:0", &[2]);
    f32s(&mut bytes, "bn/beta", &[2]);
    f32s(&mut bytes, "bn/moving_mean", &[2]);
    bytes.extend([0, 255]);
    weights.push(json!({"name": "bn/moving_variance", "shape": [2], "dtype": "float32",
                        "quantization": {"min": 1.0, "scale": 0.5, "dtype": "uint8"}}));
    (0..18u16).for_each(|i| bytes.extend((i * 3000).to_le_bytes()));
    weights.push(json!({"name": "depthwise/depthwise_kernel", "shape": [3, 3, 2, 1], "dtype": "float32",
                        "quantization": {"min": -1.0, "scale": 0.001, "dtype": "uint16"}}));
    [0x3c00u16, 0xc000, 0x3555, 0x0001].iter().for_each(|h| bytes.extend(h.to_le_bytes()));
    weights.push(json!({"name": "dense/kernel", "shape": [2, 2], "dtype": "float32",
                        "quantization": {"dtype": "float16"}}));
    (json!([{"paths": ["a.bin", "sub/b"], "weights": weights}]), bytes)
}

fn write(folder: &Path, topology: &Value, manifest: &Value, bytes: &[u8]) {
    let model = json!({"format": "layers-model", "modelTopology": topology, "weightsManifest": manifest});
    std::fs::write(folder.join("model.json"), model.to_string()).unwrap();
    std::fs::create_dir_all(folder.join("sub")).unwrap();
    let cut = bytes.len().min(29);
    std::fs::write(folder.join("a.bin"), &bytes[..cut]).unwrap();
    std::fs::write(folder.join("sub/b"), &bytes[cut..]).unwrap();
}

fn read(topology: &Value, manifest: &Value, bytes: &[u8]) -> Result<(Graph, Weights), String> {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), topology, manifest, bytes);
    tfjs::read(folder.path()).map_err(|e| e.to_string())
}

/// The error for a model whose layer `name` has this configuration in place of its own.
fn error_with(name: &str, class: &str, config: Value) -> String {
    let mut all = layers();
    let layer = all.iter_mut().find(|l| l["name"] == name).unwrap();
    layer["class_name"] = class.into();
    layer["config"] = config;
    let (manifest, bytes) = manifest();
    read(&topology(all), &manifest, &bytes).unwrap_err()
}

#[test]
fn reads_a_functional_model_in_any_order() {
    let (manifest, bytes) = manifest();
    let (graph, weights) = read(&topology(layers()), &manifest, &bytes).unwrap();
    let names: Vec<&str> = graph.layers().iter().map(|l| l.name.as_str()).collect();
    assert_eq!(names, ["input", "conv", "bn", "relu", "depthwise", "add", "pool", "drop", "dense"]);
    assert_eq!(graph.name(), "small");
    let inputs: Vec<&[usize]> = graph.layers().iter().map(|l| l.inputs.as_slice()).collect();
    assert_eq!(inputs, [&[][..], &[0], &[1], &[2], &[3], &[3, 4], &[5], &[6], &[7]]);
    assert_eq!(graph.layer("relu").unwrap().op, Op::Activation { function: Activation::Relu6 });
    assert_eq!(
        graph.layer("depthwise").unwrap().op,
        Op::DepthwiseConv2D { kernel_size: [3, 3], strides: [1, 1], padding: Padding::Same, use_bias: false }
    );
    assert_eq!(graph.layer("pool").unwrap().op, Op::GlobalAveragePooling2D);
    let frozen: Vec<&str> = graph.layers().iter().filter(|l| !l.trainable).map(|l| l.name.as_str()).collect();
    assert_eq!(frozen, ["conv"]);

    let values = |name: &str| weights.get(name).unwrap().data().to_vec();
    assert_eq!(weights.len(), 8);
    assert_eq!(values("conv/kernel"), [0.5, 1.5, 2.5, 3.5, 4.5, 5.5]);
    assert_eq!(values("bn/gamma"), [0.5, 1.5]);
    assert_eq!(values("bn/moving_variance"), [1.0, 128.5]);
    assert_eq!(values("depthwise/depthwise_kernel")[17], (51_000.0_f64 * 0.001 - 1.0) as f32);
    let tiny = half::f16::from_bits(1).to_f32();
    assert_eq!(values("dense/kernel"), [1.0, -2.0, half::f16::from_bits(0x3555).to_f32(), tiny]);
}

#[test]
fn reads_a_sequential_model() {
    let dense = json!({"class_name": "Dense", "config": {"name": "d", "units": 2, "batch_input_shape": [null, 3], "activation": "relu"}});
    let softmax = json!({"class_name": "Activation", "config": {"name": "s", "activation": "softmax"}});
    let manifest = json!([{"paths": ["a.bin"], "weights": [
        {"name": "d/kernel", "shape": [3, 2], "dtype": "float32", "quantization": {"min": 0, "scale": 1, "dtype": "uint8"}},
        {"name": "d/bias", "shape": [2], "dtype": "float32", "quantization": {"min": 0, "scale": 1, "dtype": "uint8"}}]}]);
    // As TensorFlow.js writes it, and as old Keras did: without wrapping, and as a bare list.
    for config in [json!({"name": "seq", "layers": [dense, softmax]}), json!([dense, softmax])] {
        let (graph, weights) = read(
            &json!({"class_name": "Sequential", "config": config}),
            &manifest,
            &[1, 2, 3, 4, 5, 6, 7, 8],
        )
        .unwrap();
        let classes: Vec<&str> = graph.layers().iter().map(|l| l.op.class_name()).collect();
        assert_eq!(classes, ["InputLayer", "Dense", "Softmax"]);
        assert_eq!(weights.get("d/bias").unwrap().data(), [7.0, 8.0]);
    }
}

#[test]
fn layers_that_are_not_understood_are_named() {
    let window = |key: &str, value: Value| {
        let mut config = json!({"filters": 2, "kernel_size": [1, 1], "strides": [1, 1], "padding": "same"});
        config[key] = value;
        config
    };
    let cases = [
        ("conv", "Conv2DTranspose", json!({}), "not supported"),
        ("conv", "Lambda", json!({"function": "rm -rf"}), "not supported"),
        ("conv", "Conv2D", window("dilation_rate", json!([2, 2])), "dilation"),
        ("conv", "Conv2D", window("groups", json!(2)), "groups"),
        ("conv", "Conv2D", window("padding", json!("causal")), "causal"),
        ("conv", "Conv2D", window("activation", json!("swish")), "swish"),
        ("conv", "Conv2D", window("data_format", json!("channels_first")), "channels_first"),
        ("conv", "Conv2D", window("filters", json!(1u64 << 40)), "filters"),
        ("conv", "Conv2D", window("strides", json!([0, 1])), "strides"),
        ("conv", "Conv2D", json!({}), "kernel_size"),
        ("depthwise", "DepthwiseConv2D", window("depth_multiplier", json!(2)), "depth"),
        ("depthwise", "DepthwiseConv2D", window("activation", json!("relu")), "activation"),
        ("relu", "ReLU", json!({"max_value": 1}), "max_value"),
        ("relu", "ReLU", json!({"negative_slope": 0.5}), "negative_slope"),
        ("bn", "BatchNormalization", json!({"axis": 1, "epsilon": 0.001, "momentum": 0.9}), "axis"),
        (
            "bn",
            "BatchNormalization",
            json!({"axis": 3, "epsilon": 0.001, "momentum": 0.9, "scale": false}),
            "gamma",
        ),
        (
            "pool",
            "AveragePooling2D",
            json!({"pool_size": [2, 2], "strides": null, "padding": "valid"}),
            "whole map",
        ),
        ("pool", "GlobalAveragePooling2D", json!({"keepdims": true}), "keepdims"),
        ("pool", "Flatten", json!({}), "flat"),
        ("input", "InputLayer", json!({"batch_input_shape": [null, null, null, 3]}), "open shape"),
        ("input", "InputLayer", json!({"batch_input_shape": [null, 1u64 << 50, 4, 3]}), "input shape"),
    ];
    for (name, class, config, word) in cases {
        let message = error_with(name, class, config);
        assert!(message.contains("model.json") && message.contains(&format!("layer {name}")), "{message}");
        assert!(message.contains(class) && message.contains(word), "{message:?} lacks {class} or {word}");
    }
}

#[test]
fn graphs_that_cannot_be_are_refused() {
    type Edit = fn(&mut Vec<Value>);
    let (manifest, bytes) = manifest();
    let error = |edit: Edit| {
        let mut all = layers();
        edit(&mut all);
        read(&topology(all), &manifest, &bytes).unwrap_err()
    };
    let cases: [(Edit, &str); 8] = [
        (|l| l[2]["inbound_nodes"] = json!([[["add", 0, 0, {}]]]), "cycle"),
        (|l| l[2]["inbound_nodes"] = json!([[["conv", 0, 0, {}]]]), "cycle"),
        (|l| l[2]["inbound_nodes"] = json!([[["nowhere", 0, 0, {}]]]), "nowhere"),
        (|l| l[2]["inbound_nodes"] = json!([[["input", 0, 0]], [["relu", 0, 0]]]), "used 2 times"),
        (|l| l[2]["inbound_nodes"] = json!([{"args": [], "kwargs": {}}]), "not understood"),
        (|l| l[3]["name"] = json!("conv"), "already taken"),
        (|l| drop(l.remove(1)), "reads input"),
        (|l| l[6]["inbound_nodes"] = json!([]), "pool"),
    ];
    for (edit, word) in cases {
        let message = error(edit);
        assert!(message.contains("model.json") && message.contains(word), "{message:?} lacks {word:?}");
    }
    let mut two_outputs = topology(layers());
    two_outputs["model_config"]["config"]["output_layers"] = json!([["dense", 0, 0], ["surplus", 0, 0]]);
    assert!(read(&two_outputs, &manifest, &bytes).unwrap_err().contains("2 outputs"));
    let mut absent = topology(layers());
    absent["model_config"]["config"]["output_layers"] = json!([["end", 0, 0]]);
    assert!(read(&absent, &manifest, &bytes).unwrap_err().contains("output end"));
    let nested = json!({"class_name": "Bidirectional", "config": {}});
    assert!(read(&nested, &manifest, &bytes).unwrap_err().contains("Bidirectional"));
}

#[test]
fn shards_must_be_whole_and_at_their_place() {
    let (manifest, bytes) = manifest();
    let topology = topology(layers());
    let message = read(&topology, &manifest, &bytes[..bytes.len() - 1]).unwrap_err();
    assert!(
        message.contains("sub/b: is truncated") && message.contains(&bytes.len().to_string()),
        "{message}"
    );
    let message = read(&topology, &manifest, &[bytes.as_slice(), &[0]].concat()).unwrap_err();
    assert!(message.contains("sub/b: is longer"), "{message}");

    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &topology, &manifest, &bytes);
    // A shard under the name it has in the npm package nsfwjs.
    std::fs::rename(folder.path().join("sub/b"), folder.path().join("sub/b.bin")).unwrap();
    assert!(tfjs::read(folder.path()).is_ok());
    std::fs::remove_file(folder.path().join("sub/b.bin")).unwrap();
    let message = tfjs::read(folder.path()).unwrap_err().to_string();
    assert!(message.contains("sub/b"), "{message}");

    for path in [
        "../a.bin",
        "/etc/passwd",
        "sub/../../a.bin",
        "",
        "..\\a.bin",
        "C:a.bin",
        ".",
        "./a.bin",
        "http://x/a.bin",
    ] {
        let mut escaping = manifest.clone();
        escaping[0]["paths"][0] = path.into();
        let message = read(&topology, &escaping, &bytes).unwrap_err();
        assert!(message.contains("stay within the folder"), "{path}: {message}");
    }
}

#[test]
fn manifests_are_checked() {
    let (manifest, bytes) = manifest();
    let cases: [(&str, Value, &str); 10] = [
        ("dtype", json!("int32"), "int32"),
        ("dtype", json!("string"), "string"),
        ("shape", json!([1u64 << 40]), "too large"),
        ("shape", json!([u64::MAX, u64::MAX]), "too large"),
        ("shape", json!([-1]), "model.json"),
        ("shape", json!([1, 1, 2, 3]), "has the shape [1, 1, 2, 3]"),
        ("name", json!("conv/kernal"), "conv/kernel is missing"),
        ("name", json!("conv/bias"), "stands twice"),
        ("quantization", json!({"dtype": "uint4", "min": 0, "scale": 1}), "uint4"),
        ("quantization", json!({"dtype": "uint8", "min": 0}), "scale"),
    ];
    for (key, value, word) in cases {
        let mut wrong = manifest.clone();
        wrong[0]["weights"][0][key] = value;
        let message = read(&topology(layers()), &wrong, &bytes).unwrap_err();
        assert!(message.contains("model.json") && message.contains(word), "{message:?} lacks {word:?}");
    }
    let mut infinite = bytes.clone();
    infinite[..4].copy_from_slice(&f32::INFINITY.to_le_bytes());
    assert!(read(&topology(layers()), &manifest, &infinite).unwrap_err().contains("not finite"));
}

#[test]
fn files_that_are_no_layers_model_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.json");
    let error = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        tfjs::read(folder.path()).unwrap_err().to_string()
    };
    assert!(error(b"").contains("is no TensorFlow.js model"));
    assert!(error(b"\xff\xd8\xff").contains("is no TensorFlow.js model"));
    assert!(error(b"{}").contains("modelTopology"));
    assert!(error(&[b'['; 100_000]).contains("is no TensorFlow.js model"));
    let graph_model = br#"{"format":"graph-model","modelTopology":{"node":[]},"weightsManifest":[]}"#;
    assert!(error(graph_model).contains("graph-model, expected a layers-model"));
    std::fs::File::create(&path).unwrap().set_len((16 << 20) + 1).unwrap();
    assert!(tfjs::read(&path).unwrap_err().to_string().contains("the limit"));
    std::fs::remove_file(&path).unwrap();
    assert!(tfjs::read(folder.path()).unwrap_err().to_string().contains("model.json"));
}
