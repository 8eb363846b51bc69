use std::fs;
use std::path::Path;

use crate::support::moue;

#[test]
fn the_reference_network_has_its_published_size() {
    let folder = tempfile::tempdir().unwrap();
    let summary =
        moue(folder.path(), &["model", "summary", "--input", "224", "--classes", "7"]).done().stdout;
    assert!(summary.contains("Total params: 2,430,663"), "{summary}");
    assert!(summary.contains("Trainable params: 2,396,551"), "{summary}");
    let small = moue(folder.path(), &["model", "summary", "--alpha", "0.35", "--input", "96"]).done().stdout;
    assert!(small.contains("(None, 96, 96, 3)"), "{small}");
}

#[test]
fn without_a_file_the_model_inside_is_described() {
    let folder = tempfile::tempdir().unwrap();
    let run = moue(folder.path(), &["model", "info"]).done();
    for text in ["the embedded model", "labels", "happy", "licence", "parameters"] {
        assert!(run.stdout.contains(text), "{text:?} is not in {}", run.stdout);
    }
    let json = moue(folder.path(), &["model", "info", "--json"]).done().json();
    assert!(json["bytes"].as_u64().unwrap() > 100_000 && json["labels"].as_array().unwrap().len() >= 7);
    assert!(!json["precision"].as_array().unwrap().is_empty());
}

/// A Keras model of two layers as TensorFlow.js writes it.
fn write_layers_model(folder: &Path) {
    let model = serde_json::json!({
        "format": "layers-model",
        "modelTopology": {"class_name": "Sequential", "config": {"name": "tiny", "layers": [
            {"class_name": "InputLayer", "config": {"name": "input", "batch_input_shape": [null, 8, 8, 3], "dtype": "float32"}},
            {"class_name": "GlobalAveragePooling2D", "config": {"name": "pool", "data_format": "channels_last"}},
            {"class_name": "Dense", "config": {"name": "dense", "units": 2, "activation": "softmax", "use_bias": true}},
        ]}},
        "weightsManifest": [{"paths": ["shard.bin"], "weights": [
            {"name": "dense/kernel", "shape": [3, 2], "dtype": "float32"},
            {"name": "dense/bias", "shape": [2], "dtype": "float32"},
        ]}],
    });
    fs::create_dir_all(folder).unwrap();
    fs::write(folder.join("model.json"), model.to_string()).unwrap();
    let values: Vec<u8> = (0..8_u8).flat_map(|v| f32::from(v).to_le_bytes()).collect();
    fs::write(folder.join("shard.bin"), values).unwrap();
}

#[test]
fn a_model_of_tensorflow_js_is_imported_with_its_labels() {
    let folder = tempfile::tempdir().unwrap();
    write_layers_model(&folder.path().join("tfjs"));
    let import = ["model", "import", "tfjs", "--out", "in.safetensors", "--labels", "happy,sad"];
    let range = ["--input-range", "-1", "1", "--licence", "MIT"];
    moue(folder.path(), &[&import[..], &range[..]].concat()).done();
    let info = moue(folder.path(), &["model", "info", "in.safetensors", "--json"]).done().json();
    assert_eq!(info["labels"], serde_json::json!(["happy", "sad"]));
    assert_eq!(info["parameters"], 8);
    assert_eq!(info["licence"], "MIT");
    assert_eq!(info["preprocessing"]["offset"], -1.0);
    assert_eq!(info["preprocessing"]["grey"], true);
    let text = moue(folder.path(), &["model", "info", "in.safetensors"]).done().stdout;
    assert!(text.contains("happy, sad") && text.contains("8 x 8 x 3, grey"), "{text}");
    let summary = moue(folder.path(), &["model", "summary", "tfjs"]).done().stdout;
    assert!(summary.contains("Model: \"tiny\"") && summary.contains("Total params: 8"), "{summary}");

    moue(folder.path(), &["model", "export", "in.safetensors", "--out", "half.safetensors"]).done();
    let half = moue(folder.path(), &["model", "info", "half.safetensors", "--json"]).done().json();
    assert_eq!((&half["labels"], &half["parameters"]), (&info["labels"], &info["parameters"]));
    // A kernel of six values takes 12 bytes less.
    let size = |name: &str| fs::metadata(folder.path().join(name)).unwrap().len();
    assert!(size("half.safetensors") < size("in.safetensors"));

    let three = ["model", "import", "tfjs", "--out", "in.safetensors", "--labels", "a,b,c"];
    moue(folder.path(), &three).refused(&["3 classes"]);
    moue(folder.path(), &[&import[..], &["--input-range", "1", "0"][..]].concat())
        .refused(&["--input-range"]);
    fs::write(folder.path().join("tfjs/shard.bin"), [0; 9]).unwrap();
    moue(folder.path(), &import).failed(&["shard.bin"]);
}
