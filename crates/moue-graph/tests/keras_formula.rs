//! The formula that engine tests share with `scripts/keras_reference.py` gives the script's bits.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "an unmet expectation fails the test")]

#[path = "../../moue-cpu/tests/reference/keras_formula.rs"]
mod keras_formula;

use keras_formula::{initial_weights, reference};

#[test]
fn formula_gives_the_bits_of_the_script() {
    let reference = reference();
    assert_eq!(reference.cases.len(), 2);
    for case in &reference.cases {
        let graph = case.graph(&reference);
        let weights = initial_weights(&graph);
        assert_eq!(weights.len(), case.weights.len());
        for (name, tensor) in weights.iter() {
            let first = &case.initial[name];
            assert_eq!(&tensor.data()[..first.len()], first, "{name}");
            assert_eq!(tensor.shape(), case.weights[name].shape, "{name}");
        }
        let pictures = case.pictures();
        assert_eq!(pictures.len(), case.count * case.height * case.width * 3);
        assert_eq!(pictures[..case.pictures_start.len()], case.pictures_start);
        let targets = case.targets(reference.classes);
        for (row, &label) in targets.chunks(reference.classes).zip(&case.labels) {
            assert_eq!((row[label], row.iter().sum::<f32>()), (1.0, 1.0));
        }
        // Keras left the frozen layers, and only those, at their start.
        let parameters = graph.parameters();
        let frozen: Vec<_> = parameters.iter().filter(|p| !graph.layers()[p.layer].trainable).collect();
        assert_eq!(frozen.len(), case.unchanged, "{}", case.name);
        for parameter in frozen {
            let facts = &case.weights[&parameter.name];
            let start = weights.get(&parameter.name).unwrap();
            assert_eq!(facts.samples_of(start.data()), facts.samples, "{}", parameter.name);
        }
    }
}
