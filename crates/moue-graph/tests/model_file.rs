//! Model files and checkpoints: what is written comes back, and nothing else does.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "an unmet expectation fails the test")]

use std::path::Path;

use moue_graph::{
    Activation, Calibration, Graph, Head, Model, ModelCard, Op, Padding, Precision, Preprocessing, Tensor,
    Weights, attach_head, backbones, checkpoint,
};

fn card(labels: &[&str]) -> ModelCard {
    ModelCard {
        labels: labels.iter().map(|&l| l.to_owned()).collect(),
        preprocessing: Preprocessing::default(),
        crop_margin: -0.05,
        calibration: Calibration { temperature: 1.37 },
        licence: "MIT OR Apache-2.0".to_owned(),
        training: serde_json::json!({"epochs": 25, "accuracy": 0.6123456789012345, "data": ["fer2013", "«ü»"]}),
    }
}

/// A network of every kind of layer, small enough to damage it thousands of times.
fn tiny() -> Model {
    let mut b = Graph::builder("tiny");
    let conv = |filters, use_bias| Op::Conv2D {
        filters,
        kernel_size: [1, 1],
        strides: [1, 1],
        padding: Padding::Same,
        use_bias,
        activation: Activation::Linear,
    };
    let x = b.add("input", Op::InputLayer { shape: vec![4, 5, 3] }, &[]).unwrap();
    let x = b.add("pad", Op::ZeroPadding2D { padding: [[0, 1], [1, 1]] }, &[x]).unwrap();
    let x = b.add("conv", conv(2, true), &[x]).unwrap();
    let bn = Op::BatchNormalization { epsilon: 1e-3, momentum: 0.99 };
    let x = b.add("bn", bn, &[x]).unwrap();
    let y = b.add("relu", Op::Activation { function: Activation::Relu6 }, &[x]).unwrap();
    let depthwise =
        Op::DepthwiseConv2D { kernel_size: [3, 3], strides: [1, 1], padding: Padding::Same, use_bias: false };
    let y = b.add("depthwise", depthwise, &[y]).unwrap();
    b.add("add", Op::Add, &[x, y]).unwrap();
    let mut graph = attach_head(b.finish().unwrap(), &Head { hidden: vec![3], dropout: 0.25 }, 2).unwrap();
    graph.set_trainable(false, |_, layer| layer.name == "conv");
    let weights = Weights::initialise(&graph, 7);
    Model { graph, weights, card: card(&["no", "yes"]) }
}

fn mobilenet(labels: &[&str]) -> Model {
    let backbone =
        backbones::MobileNetV2 { alpha: 0.35, input: [48, 48, 3], ..Default::default() }.build().unwrap();
    let graph = attach_head(backbone, &Head::default(), labels.len()).unwrap();
    let weights = Weights::initialise(&graph, 3);
    Model { graph, weights, card: card(labels) }
}

const EMOTIONS: [&str; 7] = ["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"];

fn refusal(bytes: &[u8]) -> String {
    Model::from_bytes(bytes, "some.safetensors").unwrap_err().to_string()
}

/// Asserts that the bytes are refused, with the file's name and these words.
#[track_caller]
fn assert_refused(bytes: &[u8], words: &[&str]) {
    let message = refusal(bytes);
    assert!(message.starts_with("some.safetensors: "), "{message}");
    for word in words {
        assert!(message.contains(word), "{message:?} lacks {word:?}");
    }
}

/// A safetensors file with this metadata value under the key `moue`.
fn file_with_metadata(text: &str, tensors: &[(&str, &str, &[usize], Vec<u8>)]) -> Vec<u8> {
    let mut header = serde_json::Map::new();
    header.insert("__metadata__".into(), serde_json::json!({ "moue": text }));
    let mut data = Vec::new();
    for (name, dtype, shape, bytes) in tensors {
        let start = data.len();
        data.extend(bytes);
        let entry = serde_json::json!({"dtype": dtype, "shape": shape, "data_offsets": [start, data.len()]});
        header.insert((*name).into(), entry);
    }
    container(&serde_json::to_string(&header).unwrap(), &data)
}

fn container(header: &str, data: &[u8]) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), data].concat()
}

/// Header text and data of a file.
fn parts(bytes: &[u8]) -> (String, Vec<u8>) {
    let n = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    (String::from_utf8(bytes[8..8 + n].to_vec()).unwrap(), bytes[8 + n..].to_vec())
}

/// The same file with its JSON content edited and the checksum left as it was, or made right.
fn edited(bytes: &[u8], edit: impl FnOnce(&mut serde_json::Value)) -> Vec<u8> {
    let (header, data) = parts(bytes);
    let mut header: serde_json::Value = serde_json::from_str(&header).unwrap();
    let mut envelope: serde_json::Value =
        serde_json::from_str(header["__metadata__"]["moue"].as_str().unwrap()).unwrap();
    edit(&mut envelope);
    header["__metadata__"]["moue"] = envelope.to_string().into();
    container(&header.to_string(), &data)
}

/// A file without tensors whose graph is this JSON and whose checksum is right: an attacker can do that.
fn file_of_graph(graph: serde_json::Value) -> Vec<u8> {
    use sha2::{Digest, Sha256};
    let content = serde_json::json!({"graph": graph, "card": card(&["no", "yes"])}).to_string();
    let mut hash = Sha256::new();
    for part in ["model", &content] {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    let checksum: String = hash.finalize().iter().map(|b| format!("{b:02x}")).collect();
    let text = format!(r#"{{"format":1,"kind":"model","checksum":"{checksum}","content":{content}}}"#);
    file_with_metadata(&text, &[])
}

#[test]
fn a_model_comes_back_as_it_was() {
    for model in [tiny(), mobilenet(&EMOTIONS)] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.safetensors");
        std::fs::write(&path, "an older file").unwrap();
        model.save(&path, Precision::F32).unwrap();
        assert_eq!(Model::load(&path).unwrap(), model);
        assert_eq!(std::fs::read(&path).unwrap(), model.to_bytes(Precision::F32).unwrap());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file stays behind");
    }
}

#[cfg(unix)]
#[test]
fn the_saved_file_follows_the_umask() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let (saved, plain) = (folder.path().join("model.safetensors"), folder.path().join("plain"));
    tiny().save(&saved, Precision::F32).unwrap();
    std::fs::write(&plain, "").unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode();
    assert_eq!(mode(&saved), mode(&plain));
}

#[test]
fn half_precision_keeps_kernels_within_its_rounding_and_the_rest_exactly() {
    let mut model = mobilenet(&EMOTIONS);
    let mut variance = model.weights.get("bn_Conv1/moving_variance").unwrap().clone();
    variance.data_mut()[0] = 3e6;
    variance.data_mut()[1] = 1e-9;
    model.weights.insert("bn_Conv1/moving_variance", variance);
    let bytes = model.to_bytes(Precision::F16).unwrap();
    assert!(bytes.len() < model.to_bytes(Precision::F32).unwrap().len() * 6 / 10);
    let loaded = Model::from_bytes(&bytes, "half").unwrap();
    let mut changed = 0;
    for (name, tensor) in model.weights.iter() {
        let back = loaded.weights.get(name).unwrap();
        if tensor.shape().len() < 2 {
            assert_eq!(back, tensor, "{name}");
            continue;
        }
        for (&was, &is) in tensor.data().iter().zip(back.data()) {
            // 2^-11 relative for normal numbers, half a unit of 2^-24 below 2^-14.
            assert!(
                (was - is).abs() <= (was.abs() / 2048.0).max(1.0 / (1 << 25) as f32),
                "{name}: {was} {is}"
            );
            changed += usize::from(was != is);
        }
    }
    assert!(changed > 1000);
    // What was rounded once stays.
    assert_eq!(loaded.to_bytes(Precision::F16).unwrap(), bytes);
}

#[test]
fn half_precision_refuses_what_it_cannot_hold() {
    let mut model = tiny();
    model.weights.insert("depthwise/depthwise_kernel", Tensor::filled(vec![3, 3, 2, 1], 70_000.0));
    let message = model.to_bytes(Precision::F16).unwrap_err().to_string();
    assert!(message.contains("depthwise/depthwise_kernel") && message.contains("70000"), "{message}");
    assert!(model.to_bytes(Precision::F32).is_ok());
}

#[test]
fn equal_models_give_equal_bytes() {
    // Built afresh each time: the order of hash maps differs from run to run and map to map.
    let first = mobilenet(&EMOTIONS).to_bytes(Precision::F16).unwrap();
    for _ in 0..4 {
        assert!(mobilenet(&EMOTIONS).to_bytes(Precision::F16).unwrap() == first);
    }
    let loaded = Model::from_bytes(&first, "first").unwrap();
    assert!(loaded.to_bytes(Precision::F16).unwrap() == first);
}

#[test]
fn any_safetensors_reader_opens_the_file() {
    let model = tiny();
    let bytes = model.to_bytes(Precision::F32).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(file.len(), model.weights.len());
    let kernel = file.tensor("dense/kernel").unwrap();
    assert_eq!((kernel.shape(), kernel.dtype()), ([2, 3].as_slice(), safetensors::Dtype::F32));
    let (_, metadata) = safetensors::SafeTensors::read_metadata(&bytes).unwrap();
    let metadata = metadata.metadata().as_ref().unwrap();
    assert_eq!(metadata.len(), 1);
    let moue: serde_json::Value = serde_json::from_str(&metadata["moue"]).unwrap();
    assert_eq!(moue["content"]["card"]["labels"], serde_json::json!(["no", "yes"]));
    assert_eq!(moue["content"]["graph"]["layers"][2]["type"], "Conv2D");
}

#[test]
fn a_model_that_is_wrong_is_not_written() {
    type Break = fn(&mut Model);
    let cases: [(Break, &str); 9] = [
        (|m| m.card.labels.truncate(1), "labels"),
        (|m| m.card.labels[1] = "no".into(), "twice"),
        (|m| m.card.calibration.temperature = 0.0, "temperature"),
        (|m| m.card.crop_margin = f32::NAN, "finite"),
        (|m| m.card.preprocessing.scale = f32::INFINITY, "finite"),
        (|m| m.weights.insert("bn/gamma", Tensor::filled(vec![3], 1.0)), "bn/gamma"),
        (|m| m.weights.insert("bn/gamma", Tensor::filled(vec![2], f32::NAN)), "bn/gamma"),
        (|m| m.weights.insert("bm/gamma", Tensor::filled(vec![2], 1.0)), "bm/gamma"),
        (|m| m.weights = Weights::new(), "missing"),
    ];
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    tiny().save(&path, Precision::F32).unwrap();
    for (i, (spoil, word)) in cases.iter().enumerate() {
        let mut model = tiny();
        spoil(&mut model);
        let message = model.save(&path, Precision::F32).unwrap_err().to_string();
        assert!(message.contains(word), "case {i}: {message}");
        assert_eq!(Model::load(&path).unwrap(), tiny(), "the old file stays");
    }
}

#[test]
fn files_that_cannot_be_opened_or_written_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let absent = folder.path().join("absent.safetensors");
    let message = Model::load(&absent).unwrap_err().to_string();
    assert!(message.contains("absent.safetensors"), "{message}");
    let message = Model::load(folder.path()).unwrap_err().to_string();
    assert!(message.contains("is a folder"), "{message}");
    let message = tiny().save(folder.path().join("no/such/folder.safetensors"), Precision::F32).unwrap_err();
    assert!(message.to_string().contains("folder.safetensors"), "{message}");
}

#[test]
fn files_of_other_kinds_are_recognised() {
    let text = |s: &str| s.as_bytes().to_vec();
    let zip = |names: &str| [b"PK\x03\x04\x14\0\0\0\0\0".as_slice(), names.as_bytes()].concat();
    let cases: [(Vec<u8>, &str); 20] = [
        (b"\x89HDF\r\n\x1a\n\0\0\0\0\0\x08\x08\0".to_vec(), "HDF5"),
        (zip("archive/data.pkl"), "PyTorch"),
        (zip("model.weights.h5"), ".keras"),
        (zip("letter.txt"), "zip"),
        (b"\x80\x02}q\x01(X\x06\0\0\0".to_vec(), "pickle"),
        (b"\x08\x07\x12\x07pytorch\x1a\x052.1.0".to_vec(), "ONNX"),
        (b"\x08\x01\x12\xbd\x0f\x0a\x0asaved_model".to_vec(), "SavedModel"),
        (b"\x1c\0\0\0TFL3\x14\0\x20\0".to_vec(), "TensorFlow Lite"),
        (b"GGUF\x03\0\0\0\0\0\0\0".to_vec(), "GGUF"),
        (b"\x93NUMPY\x01\0v\0{'descr'".to_vec(), "NumPy"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF\0".to_vec(), "JPEG"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec(), "PNG"),
        (b"RIFF\x24\0\0\0WEBPVP8 ".to_vec(), "WebP"),
        (b"\0\0\0\x20ftypisom\0\0\x02\0".to_vec(), "video"),
        (b"\x1f\x8b\x08\0\0\0\0\0\0\x03".to_vec(), "gzip"),
        (text("{\"modelTopology\": {\"keras_version\": \"2.2.4\"}}"), "TensorFlow.js"),
        (text("[1, 2, 3]"), "JSON"),
        (text("<?xml version=\"1.0\"?><opencv_storage/>"), "XML"),
        (text("emotion,pixels,Usage\n0,70 80 82,Training\n"), "text"),
        (text("version https://git-lfs.github.com/spec/v1\noid sha256:0"), "Git LFS"),
    ];
    for (bytes, word) in cases {
        assert_refused(&bytes, &["is no safetensors file", word, "expected a .safetensors file"]);
    }
    assert_refused(&[0xfe; 300], &["is no safetensors file", "expected"]);
    assert_refused(&[1], &["is no safetensors file", "expected"]);
    assert_refused(b"", &["is empty"]);
}

#[test]
fn a_truncated_file_says_how_much_is_missing() {
    let bytes = tiny().to_bytes(Precision::F32).unwrap();
    let header = parts(&bytes).0.len();
    for n in 0..bytes.len() {
        let message = refusal(&bytes[..n]);
        let found = format!("the file has {n}");
        if n > 8 + header {
            assert!(message.contains(&format!("announces {} bytes", bytes.len())), "{n}: {message}");
            assert!(message.contains(&found), "{n}: {message}");
        } else if n > 8 && n < 8 + header {
            assert!(message.contains("is truncated") && message.contains(&found), "{n}: {message}");
        }
    }
    let longer = [bytes.as_slice(), &[0; 5]].concat();
    assert_refused(
        &longer,
        &[&format!("has {} bytes", longer.len()), &format!("announces only {}", bytes.len())],
    );
}

#[test]
fn sizes_are_limited_before_memory_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("huge.safetensors");
    // Sparse: takes no disk and, being refused by its length, no memory.
    std::fs::File::create(&path).unwrap().set_len((1 << 30) + 1).unwrap();
    let message = Model::load(&path).unwrap_err().to_string();
    assert!(message.contains("huge.safetensors") && message.contains("the limit is 1073741824"), "{message}");

    let header = |n: u64| [&n.to_le_bytes(), b"{}".as_slice()].concat();
    assert_refused(&header(17 << 20), &["header of 17825792 bytes", "limit"]);
    assert_refused(&header(1 << 20), &["is truncated", "1048584 bytes", "the file has 10"]);
    assert_refused(&header(u64::MAX), &["is no safetensors file"]);
}

#[test]
fn safetensors_files_of_others_are_refused() {
    assert_refused(&container("{}", &[]), &["0 tensors", "without the metadata `moue`"]);
    let foreign = r#"{"__metadata__":{"format":"pt"},"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#;
    assert_refused(
        &container(foreign, &[0; 4]),
        &["1 tensors", "without the metadata `moue`", "another program"],
    );
    assert_refused(
        &container(r#"{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}"#, &[0; 4]),
        &["damaged"],
    );
    let overlap = r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#;
    assert_refused(&container(overlap, &[0; 4]), &["damaged"]);
    let overflow = r#"{"a":{"dtype":"F32","shape":[4294967296,4294967296,4294967296],"data_offsets":[0,0]}}"#;
    assert_refused(&container(overflow, &[]), &["damaged"]);
    assert_refused(&container(&"[".repeat(100_000), &[]), &["is no safetensors file"]);
    assert_refused(&container(&format!("{{\"__metadata__\":{}", "[".repeat(100_000)), &[]), &["damaged"]);
}

#[test]
fn metadata_is_checked() {
    assert_refused(&file_with_metadata("", &[]), &["damaged"]);
    assert_refused(&file_with_metadata("{}", &[]), &["damaged", "format"]);
    assert_refused(
        &file_with_metadata(r#"{"format":3,"news":true}"#, &[]),
        &["format version 3", "reads versions 1 and 2"],
    );
    assert_refused(&file_with_metadata(r#"{"format":0}"#, &[]), &["format version 0"]);
    assert_refused(&file_with_metadata(r#"{"format":1,"kind":"model"}"#, &[]), &["damaged", "checksum"]);
    let bytes = tiny().to_bytes(Precision::F32).unwrap();
    let checksum = ["does not match its checksum"];
    assert_refused(&edited(&bytes, |e| e["content"]["card"]["labels"][0] = "yes".into()), &checksum);
    assert_refused(&edited(&bytes, |e| e["content"]["card"]["crop_margin"] = 0.5.into()), &checksum);
    assert_refused(&edited(&bytes, |e| e["content"]["graph"]["name"] = "other".into()), &checksum);
    assert_refused(&edited(&bytes, |e| e["checksum"] = "0".repeat(64).into()), &checksum);
    assert_refused(&edited(&bytes, |e| e["extra"] = 1.into()), &["damaged", "extra"]);
    assert_refused(
        &edited(&bytes, |e| e["kind"] = "checkpoint".into()),
        &["is a moue checkpoint, expected a model"],
    );
}

#[test]
fn a_changed_weight_is_refused() {
    let model = tiny();
    let bytes = model.to_bytes(Precision::F32).unwrap();
    let (header, _) = parts(&bytes);
    for at in 8 + header.len()..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1;
        assert_refused(&damaged, &["does not match its checksum"]);
    }
    // Swapped names of tensors of one shape.
    let swapped =
        header.replace("bn/gamma", "bn/TEMP").replace("bn/beta", "bn/gamma").replace("bn/TEMP", "bn/beta");
    assert_ne!(header, swapped);
    assert_refused(&container(&swapped, &bytes[8 + header.len()..]), &["does not match its checksum"]);
}

#[test]
fn flipped_bits_never_pass_and_never_panic() {
    let model = tiny();
    let bytes = model.to_bytes(Precision::F16).unwrap();
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1 << bit;
            assert!(Model::from_bytes(&damaged, "damaged").is_err(), "byte {at}, bit {bit}");
        }
    }
}

#[test]
fn random_damage_never_passes_for_another_model() {
    let model = tiny();
    let bytes = model.to_bytes(Precision::F32).unwrap();
    let mut state = 1u64;
    let mut random = |n: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % n
    };
    for round in 0..20_000 {
        let mut damaged = bytes.clone();
        for _ in 0..1 + random(4) {
            let at = random(damaged.len());
            match random(3) {
                0 => damaged[at] = random(256) as u8,
                1 => drop(damaged.remove(at)),
                _ => damaged.insert(at, random(256) as u8),
            }
        }
        // A blank for another blank behind the header's JSON changes nothing, and may pass.
        if let Ok(loaded) = Model::from_bytes(&damaged, "damaged") {
            assert_eq!(loaded, model, "round {round}");
        }
    }
}

#[test]
fn hostile_graphs_are_refused() {
    use serde_json::json;
    let input = json!({"name": "input", "type": "InputLayer", "shape": [4, 4, 3]});
    let dense = |name: &str, from: &str| json!({"name": name, "type": "Dense", "units": 2, "use_bias": false, "activation": "softmax", "inputs": [from]});
    let conv = |filters: u64, side: u64| {
        json!({"name": "conv", "type": "Conv2D", "filters": filters, "kernel_size": [side, side], "strides": [1, 1],
               "padding": "same", "use_bias": false, "activation": "linear", "inputs": ["input"]})
    };
    let pad = |n: u64| json!({"name": "pad", "type": "ZeroPadding2D", "padding": [[n, 0], [0, 0]], "inputs": ["input"]});
    let shaped = |shape: serde_json::Value| json!({"name": "input", "type": "InputLayer", "shape": shape});
    let cases = [
        (json!([]), "graph"),
        (json!([dense("a", "a")]), "reads a"),
        (json!([input, dense("a", "b"), dense("b", "a")]), "reads b"),
        (json!([input, input]), "already taken"),
        (json!([input, dense("input", "input")]), "already taken"),
        (json!([dense("a", "input"), input]), "reads input"),
        (json!([input, shaped(json!([2])), dense("a", "input")]), "already taken"),
        (json!([shaped(json!([]))]), "input shape"),
        (json!([shaped(json!([0, 4, 3]))]), "input shape"),
        (json!([shaped(json!([1, 2, 3, 4]))]), "input shape"),
        (json!([shaped(json!([100_000, 4, 3]))]), "input shape"),
        (json!([shaped(json!([65_536, 65_536, 65_536]))]), "exceeds"),
        (json!([shaped(json!([u64::MAX, u64::MAX, 3]))]), "input shape"),
        (json!([shaped(json!([-1, 4, 3]))]), "graph"),
        (json!([input, pad(u64::MAX)]), "padding"),
        (json!([input, pad(65)]), "padding"),
        (json!([input, conv(0, 3)]), "filters"),
        (json!([input, conv(u64::MAX, 3)]), "filters"),
        (json!([input, conv(2, 0)]), "kernel"),
        (json!([input, conv(2, 65)]), "kernel"),
        (json!([input, json!({"name": "x", "type": "Exec", "inputs": ["input"]})]), "Exec"),
        (json!([input, dense("a", "input")]), "flat"),
        (json!([input, dense("a\nb", "input")]), "name"),
        (json!([input, dense("a/b", "input")]), "name"),
        (json!([input, dense("", "input")]), "name"),
        (json!([input, json!({"name": "d", "type": "Dropout", "rate": 1.5, "inputs": ["input"]})]), "rate"),
        (json!([input, json!({"name": "s", "type": "Add", "inputs": ["input"]})]), "2 inputs"),
    ];
    for (layers, word) in cases {
        assert_refused(
            &file_of_graph(json!({"name": "hostile", "layers": layers})),
            &["graph or card", word],
        );
    }
    let many: Vec<_> = (0..5000)
        .map(|i| match i {
            0 => input.clone(),
            _ => json!({"name": format!("d{i}"), "type": "Dropout", "rate": 0.5, "inputs": ["input"]}),
        })
        .collect();
    assert_refused(&file_of_graph(json!({"name": "hostile", "layers": many})), &["more than 4096 layers"]);
    // A sound graph passes that check and stumbles over its weights only.
    let sound = json!([
        input,
        json!({"name": "p", "type": "GlobalAveragePooling2D", "inputs": ["input"]}),
        dense("a", "p")
    ]);
    assert_refused(&file_of_graph(json!({"name": "sound", "layers": sound})), &["a/kernel is missing"]);
    let huge = json!([
        shaped(json!([65_536])),
        json!({"name": "a", "type": "Dense", "units": 65_536, "use_bias": true, "activation": "linear", "inputs": ["input"]})
    ]);
    assert_refused(&file_of_graph(json!({"name": "sound", "layers": huge})), &["a/kernel is missing"]);
}

#[test]
fn checkpoints_come_back_bit_for_bit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("last.checkpoint");
    let header = serde_json::json!({"epoch": 3, "loss": 1.234567890123456, "best": null, "rng": u64::MAX});
    let mut tensors = Weights::new();
    tensors.insert(
        "m/Conv1/kernel",
        Tensor::new(vec![2, 2], vec![-0.0, f32::MIN_POSITIVE / 4.0, 1e-45, f32::MAX]).unwrap(),
    );
    tensors.insert("v/Conv1/kernel", Tensor::filled(vec![2, 2], 1.5));
    tensors.insert("order", Tensor::new(vec![0], Vec::new()).unwrap());
    checkpoint::save(&path, &header, &tensors).unwrap();
    let (header_back, back) = checkpoint::load(&path).unwrap();
    assert_eq!(header_back, header);
    let bits = |w: &Weights| -> Vec<(String, Vec<usize>, Vec<u32>)> {
        w.iter()
            .map(|(n, t)| (n.to_owned(), t.shape().to_vec(), t.data().iter().map(|v| v.to_bits()).collect()))
            .collect()
    };
    assert_eq!(bits(&back), bits(&tensors));

    let first = std::fs::read(&path).unwrap();
    checkpoint::save(&path, &header, &tensors).unwrap();
    assert!(std::fs::read(&path).unwrap() == first);

    let message = Model::load(&path).unwrap_err().to_string();
    assert!(message.contains("is a moue checkpoint, expected a model"), "{message}");
    tiny().save(&path, Precision::F32).unwrap();
    let message = checkpoint::load(&path).unwrap_err().to_string();
    assert!(message.contains("is a moue model, expected a checkpoint"), "{message}");

    tensors.insert("v/Conv1/kernel", Tensor::filled(vec![1], f32::INFINITY));
    let message = checkpoint::save(&path, &header, &tensors).unwrap_err().to_string();
    assert!(message.contains("v/Conv1/kernel"), "{message}");
}

#[test]
fn checkpoints_refuse_damage() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("last.checkpoint");
    let mut tensors = Weights::new();
    tensors.insert("m", Tensor::filled(vec![3], 0.5));
    checkpoint::save(&path, &serde_json::json!({"epoch": 3}), &tensors).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 4;
        std::fs::write(&path, &damaged).unwrap();
        assert!(checkpoint::load(&path).is_err(), "byte {at}");
    }
}

#[test]
fn integers_in_a_checkpoint_come_back_as_integers() {
    let mut quantized = moue_graph::Quantized::default();
    let kernel = moue_graph::QuantizedKernel {
        parameter: "kernel".into(),
        shape: vec![1, 1, 2, 3],
        values: vec![-127, 0, 127, 1, -1, 5],
        scales: vec![0.5, 0.25, 1e-3],
        bias: vec![-70_000, 0, 9],
    };
    quantized.kernels.insert("head".into(), kernel);
    quantized.activations.insert("input".into(), moue_graph::Scaling { scale: 0.01, zero_point: 128 });
    let weights = Weights::from_quantized(quantized);
    let header = serde_json::json!({ "what": "a detector" });
    let bytes = checkpoint::to_bytes(&header, &weights, moue_graph::Precision::F16).unwrap();
    assert_eq!(checkpoint::from_bytes(&bytes, "int8").unwrap(), (header, weights));
}
