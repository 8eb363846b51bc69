//! The MobileNetV2 in TensorFlow.js format that lies beside the checkout.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "an unmet expectation fails the test")]
#![allow(clippy::print_stderr, reason = "a skipped test says so")]

use std::path::PathBuf;

use moue_graph::backbones::MobileNetV2;
use moue_graph::formats::tfjs;
use moue_graph::{Op, Weights};

/// The model, or `None` (said loudly) where the data are not there.
fn shared_model() -> Option<PathBuf> {
    let path =
        PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data/weights/mobilenet_v2_tfjs"));
    if path.is_dir() {
        return Some(path);
    }
    eprintln!("SKIPPED: {} is absent", path.display());
    None
}

#[test]
fn reads_the_whole_network() {
    let Some(path) = shared_model() else { return };
    let (graph, weights) = tfjs::read(&path).unwrap();
    assert_eq!(graph.input_shape(), &[224, 224, 3]);
    assert_eq!(graph.output_shape(), &[5]);
    assert_eq!(weights.len(), 266);
    weights.check(&graph).unwrap();
    // Its first blocks were frozen.
    assert!(!graph.layer("Conv1").unwrap().trainable);
    assert!(graph.layer("dense_3").unwrap().trainable);
    // The pooling over 7x7 and the flattening behind it.
    assert_eq!(graph.layer("average_pooling2d_1").unwrap().op, Op::GlobalAveragePooling2D);
    assert!(graph.layer("flatten_1").is_none());
    // Dequantised by hand: first byte of the shard, `q * scale + min`.
    let first = f64::from(std::fs::read(path.join("group1-shard1of1.bin")).unwrap()[0]);
    let expected = (first * 0.006666756611244351 - 0.87334511607301) as f32;
    assert_eq!(weights.get("Conv1/kernel").unwrap().data()[0], expected);
    // Read by its model.json, too.
    assert_eq!(tfjs::read(path.join("model.json")).unwrap().1, weights);
}

#[test]
fn gives_the_backbone_for_transfer_learning() {
    let Some(path) = shared_model() else { return };
    let (graph, weights) = tfjs::read(path).unwrap();
    let backbone = graph.cut_after("out_relu").unwrap();
    assert_eq!(backbone.parameter_count().0, 2_257_984);
    assert_eq!(backbone.output_shape(), &[7, 7, 1280]);

    for side in [224, 96, 48] {
        let ours = MobileNetV2 { input: [side, side, 3], ..MobileNetV2::default() }.build().unwrap();
        let mut start = Weights::initialise(&ours, 1);
        assert_eq!(start.len(), 260);
        assert_eq!(start.take_matching(&ours, &weights), 260);
        for (name, tensor) in start.iter() {
            assert_eq!(Some(tensor), weights.get(name), "{name}");
        }
    }
}
