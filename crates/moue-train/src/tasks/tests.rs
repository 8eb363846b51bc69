use moue_graph::{Head, attach_head, backbones};

use super::*;

fn network() -> (Graph, Weights) {
    let backbone = backbones::by_name("mobilenet_v2", 0.1, 32).unwrap();
    let graph = attach_head(backbone, &Head { hidden: vec![], dropout: 0.1 }, 7).unwrap();
    let weights = Weights::initialise(&graph, 4);
    (graph, weights)
}

#[test]
fn what_is_widened_and_cut_is_what_it_was() {
    let (graph, weights) = network();
    let tasks = Tasks::new(7, Some((8, 0.5)));
    let (wide, values) = tasks.widen(&graph, &weights, 9).unwrap();
    assert_eq!(wide.output_shape(), &vec![15]);
    values.check(&wide).unwrap();
    let kernel = values.get("dense/kernel").unwrap();
    assert!(kernel.data()[7..15].iter().any(|v| *v != 0.0), "the second group starts from new values");
    assert_eq!(tasks.cut(&wide, values).unwrap(), weights);
}

#[test]
fn frozen_layers_stay_frozen() {
    let (mut graph, _) = network();
    graph.set_trainable(false, |id, _| id < 5);
    let wide = Tasks::new(7, Some((8, 0.5))).widened(&graph).unwrap();
    assert_eq!(wide.layers().iter().filter(|l| !l.trainable).count(), 5);
}

#[test]
fn a_network_without_classes_is_refused() {
    let (graph, _) = network();
    assert!(Tasks::new(6, Some((8, 0.5))).widened(&graph).is_err());
    let backbone = backbones::by_name("mobilenet_v2", 0.1, 32).unwrap();
    assert!(Tasks::new(7, Some((8, 0.5))).widened(&backbone).is_err());
}

/// Plain f64 formula: sum over examples and groups of weight x -t log softmax, over the batch.
fn reference(logits: &[f64], targets: &[f32], rows: &[f32]) -> f64 {
    let mut sum = 0.0;
    for ((l, t), &row) in logits.chunks(5).zip(targets.chunks(5)).zip(rows) {
        for (part, weight) in [(0..2, 1.0), (2..5, 0.25)] {
            let total: f64 = l[part.clone()].iter().map(|v| v.exp()).sum();
            let terms = l[part.clone()].iter().zip(&t[part]);
            sum +=
                f64::from(row) * weight * terms.map(|(v, t)| -f64::from(*t) * (v - total.ln())).sum::<f64>();
        }
    }
    sum / rows.len() as f64
}

#[test]
fn loss_and_gradient_follow_the_formula() {
    let tasks = Tasks::new(2, Some((3, 0.25)));
    let logits = [0.3f32, -1.2, 2.0, 0.1, -0.4, 1.5, 1.0, -2.0, 0.7, 3.0];
    // The second example has no votes.
    let targets = [0.8f32, 0.2, 0.5, 0.5, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0];
    let rows = [1.0f32, 3.0];
    let mut gradients = [9.0f32; 10];
    let outcome = tasks.loss(&logits, &targets, &rows, &mut gradients);
    let wide = logits.map(f64::from);
    assert!((f64::from(outcome.loss) - reference(&wide, &targets, &rows)).abs() < 1e-6);
    assert_eq!(outcome.correct, 1);
    for i in 0..10 {
        let (mut up, mut down) = (wide, wide);
        up[i] += 1e-5;
        down[i] -= 1e-5;
        let slope = (reference(&up, &targets, &rows) - reference(&down, &targets, &rows)) / 2e-5;
        assert!(
            (f64::from(gradients[i]) - slope).abs() < 1e-6,
            "output {i}: {} is not {slope}",
            gradients[i]
        );
    }
    assert_eq!(gradients[7..], [0.0; 3]);
}
