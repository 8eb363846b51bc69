//! The builder and the summary against what Keras prints (`scripts/keras_reference.py`).

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "an unmet expectation fails the test")]

use moue_graph::backbones::{self, MobileNetV1, MobileNetV2};
use moue_graph::{Graph, Head, attach_head};
use serde::Deserialize;

#[derive(Deserialize)]
struct Facts {
    rows: Vec<Row>,
    totals: Vec<String>,
    without_head: std::collections::BTreeMap<String, Counts>,
}

#[derive(Deserialize)]
struct Row {
    name: String,
    class: String,
    shape: Vec<usize>,
    params: usize,
    inputs: Vec<String>,
    weights: Vec<(String, Vec<usize>)>,
}

#[derive(Deserialize)]
struct Counts {
    total: usize,
    trainable: usize,
}

fn facts() -> Facts {
    serde_json::from_str(include_str!("fixtures/keras_summary.json")).unwrap()
}

fn reference_network() -> Graph {
    let backbone = backbones::by_name("mobilenet_v2", 1.0, 224).unwrap();
    attach_head(backbone, &Head::default(), 7).unwrap()
}

#[test]
fn counts_the_parameters_of_the_reference_network() {
    assert_eq!(reference_network().parameter_count(), (2_430_663, 2_396_551));
}

#[test]
fn counts_the_multiplications_of_the_reference_network() {
    // The 300,774,272 that torchvision states for its mobilenet_v2 (1000 classes on 1280 features, no hidden layers),
    // with our head in the place of its classifier.
    let head = 1280 * 128 + 128 * 64 + 64 * 7;
    assert_eq!(reference_network().multiply_adds(), 300_774_272 - 1280 * 1000 + head);
}

#[test]
fn layers_are_those_of_keras_in_its_order() {
    same_layers(&reference_network(), &facts());
}

fn mobilenet_v1_facts() -> Facts {
    serde_json::from_str(include_str!("fixtures/keras_mobilenet_v1.json")).unwrap()
}

#[test]
fn layers_of_the_first_mobilenet_are_those_of_keras() {
    let mut facts = mobilenet_v1_facts();
    facts.rows[0].name = "input_layer".into();
    let first = facts.rows[1].inputs[0].clone();
    assert!(first.starts_with("input_layer"), "{first}");
    facts.rows[1].inputs[0] = "input_layer".into();
    same_layers(&backbones::by_name("mobilenet_v1", 1.0, 224).unwrap(), &facts);
    assert_eq!(facts.without_head.len(), 4);
    for (alpha, counts) in facts.without_head {
        let backbone =
            MobileNetV1 { alpha: alpha.parse().unwrap(), ..MobileNetV1::default() }.build().unwrap();
        assert_eq!(backbone.parameter_count(), (counts.total, counts.trainable), "alpha {alpha}");
    }
}

fn same_layers(graph: &Graph, facts: &Facts) {
    assert_eq!(graph.layers().len(), facts.rows.len());
    let parameters = graph.parameters();
    for (id, (layer, row)) in graph.layers().iter().zip(&facts.rows).enumerate() {
        let inputs: Vec<&str> = layer.inputs.iter().map(|&i| graph.layers()[i].name.as_str()).collect();
        let own = parameters.iter().filter(|p| p.layer == id);
        let own: Vec<_> =
            own.map(|p| (p.name.split('/').nth(1).unwrap().to_owned(), p.shape.clone())).collect();
        assert_eq!(layer.name, row.name);
        assert_eq!(layer.op.class_name(), row.class, "{}", row.name);
        assert_eq!(layer.shape, row.shape, "{}", row.name);
        assert_eq!(inputs, row.inputs, "{}", row.name);
        assert_eq!(own, row.weights, "{}", row.name);
    }
}

#[test]
fn summary_prints_the_rows_and_sums_of_keras() {
    let summary = reference_network().summary();
    let facts = facts();
    let mut rows = summary.lines().filter(|line| line.starts_with('│'));
    for row in &facts.rows {
        let cells: Vec<&str> = rows.next().unwrap().trim_matches('│').split('│').map(str::trim).collect();
        let sides: String = row.shape.iter().map(|side| format!(", {side}")).collect();
        let inputs: Vec<String> = row.inputs.iter().map(|name| format!("{name}[0][0]")).collect();
        let inputs = if inputs.is_empty() { "-".to_owned() } else { inputs.join(", ") };
        let params = cells[2].replace(',', "");
        assert_eq!(cells[0], format!("{} ({})", row.name, row.class));
        assert_eq!(cells[1], format!("(None{sides})"));
        assert_eq!(params, row.params.to_string(), "{}", row.name);
        assert_eq!(cells[3], inputs);
    }
    assert_eq!(rows.next(), None);
    let totals: Vec<&str> = summary.lines().filter(|line| line.contains("params:")).collect();
    assert_eq!(totals, facts.totals);
    assert!(summary.contains(" 163,968 "), "thousands are grouped");
    let widths: Vec<usize> =
        summary.lines().filter(|l| !l.starts_with([' ', 'M'])).map(|line| line.chars().count()).collect();
    assert!(widths.windows(2).all(|pair| pair[0] == pair[1]), "columns are flush");
}

#[test]
fn summary_of_a_frozen_network_moves_its_parameters() {
    let mut graph = reference_network();
    graph.set_trainable(false, |_, layer| !layer.name.starts_with("dense"));
    let summary = graph.summary();
    assert!(summary.contains(" Total params: 2,430,663 (9.27 MB)\n"), "{summary}");
    assert!(summary.contains(" Trainable params: 172,679 (674.53 KB)\n"), "{summary}");
    assert!(summary.contains(" Non-trainable params: 2,257,984 (8.61 MB)\n"), "{summary}");
}

#[test]
fn width_multipliers_give_the_backbones_of_keras() {
    let facts = facts();
    assert_eq!(facts.without_head.len(), 6);
    for (alpha, counts) in facts.without_head {
        let backbone =
            MobileNetV2 { alpha: alpha.parse().unwrap(), ..MobileNetV2::default() }.build().unwrap();
        assert_eq!(backbone.parameter_count(), (counts.total, counts.trainable), "alpha {alpha}");
    }
}
