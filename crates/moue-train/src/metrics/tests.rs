use super::*;

fn names(n: usize) -> Vec<String> {
    (0..n).map(|i| format!("c{i}")).collect()
}

fn near(a: f64, b: f64) {
    assert!((a - b).abs() < 1e-9, "{a} is not {b}");
}

#[test]
fn a_case_worked_by_hand() {
    // Answers 0 0 1 1 0, labels 0 0 1 0 1; class 2 has neither rows nor answers.
    let probabilities = [
        0.8, 0.1, 0.1, //
        0.6, 0.3, 0.1, //
        0.2, 0.7, 0.1, //
        0.4, 0.5, 0.1, //
        0.5, 0.4, 0.1,
    ];
    let scores =
        Scores::new(&probabilities, &[0, 0, 1, 0, 1], &names(3), &[false, true, false, false, true]).unwrap();
    near(scores.accuracy, 0.6);
    assert_eq!(scores.confusion, [[2, 1, 0], [1, 1, 0], [0, 0, 0]]);
    near(scores.per_class[0].precision, 2.0 / 3.0);
    near(scores.per_class[0].recall, 2.0 / 3.0);
    near(scores.per_class[1].f1, 0.5);
    let empty = &scores.per_class[2];
    assert_eq!((empty.precision, empty.recall, empty.f1, empty.support), (0.0, 0.0, 0.0, 0));
    near(scores.balanced_accuracy, (2.0 / 3.0 + 0.5) / 2.0);
    near(scores.macro_f1, (2.0 / 3.0 + 0.5) / 3.0);
    let loss = -(0.8f32.ln() + 0.6f32.ln() + 0.7f32.ln() + 0.4f32.ln() + 0.4f32.ln()) / 5.0;
    assert!((scores.log_loss - f64::from(loss)).abs() < 1e-6);
    // Every row is alone in its bin, but the two of confidence 0.5: one wrong, one wrong.
    let expected = (0.2 + 0.4 + 0.3 + 2.0 * 0.5) / 5.0;
    assert!((scores.ece - expected).abs() < 1e-6, "{}", scores.ece);
    assert_eq!(scores.deduplicated.count, 3);
    near(scores.deduplicated.accuracy, 2.0 / 3.0);
}

#[test]
fn wilson_interval_of_published_values() {
    // Newcombe 1998, table I: 81/263, 15/148, 0/20, 1/29 (95 %, Wilson without correction).
    for (right, count, low, high) in
        [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)]
    {
        let [a, b] = wilson(right, count);
        assert!((a - low).abs() < 6e-5 && (b - high).abs() < 6e-5, "{right}/{count}: {a} {b}");
    }
    assert_eq!(wilson(0, 0), [0.0, 1.0]);
}

#[test]
fn bins_are_closed_above() {
    let rows = [[1.0f32, 0.0], [0.6, 0.4], [0.0, 1.0]];
    let scores = Scores::new(rows.as_flattened(), &[0, 0, 0], &names(2), &[]).unwrap();
    assert_eq!(scores.reliability.len(), RELIABILITY_BINS);
    assert_eq!(scores.reliability[14].count, 2);
    near(scores.reliability[14].accuracy, 0.5);
    // 0.6 is the upper bound of the ninth bin; as f32 it lies just above, in the tenth.
    assert_eq!(scores.reliability[9].count, 1);
    assert_eq!(scores.reliability.iter().map(|b| b.count).sum::<usize>(), 3);
}

#[test]
fn coverage_ends_at_the_accuracy_and_starts_with_the_surest() {
    let mut probabilities = Vec::new();
    let mut labels = Vec::new();
    for i in 0..100 {
        let p = 0.505 + i as f32 * 0.004;
        probabilities.extend([p, 1.0 - p]);
        labels.push(usize::from(i < 40));
    }
    let scores = Scores::new(&probabilities, &labels, &names(2), &[]).unwrap();
    assert_eq!(scores.coverage.len(), 20);
    near(scores.coverage[0].accuracy, 1.0);
    near(scores.coverage[0].coverage, 0.05);
    near(scores.coverage[19].accuracy, scores.accuracy);
    near(scores.accuracy, 0.6);
    near(scores.coverage[11].accuracy, 1.0);
    assert!(scores.coverage[12].accuracy < 1.0);
}

#[test]
fn abstaining_counts_the_answers_at_and_above_the_threshold() {
    let rows = [0.9, 0.1, 0.75, 0.25, 0.3, 0.7, 0.4, 0.6];
    let labels = [0, 1, 1, 1];
    let at = |p| Abstaining::of(&rows, &labels, 2, p);
    assert_eq!((at(0.0).count, at(0.75).count, at(0.76).count, at(0.95).count), (4, 2, 1, 0));
    near(at(0.0).accuracy, 0.75);
    near(at(0.75).accuracy, 0.5);
    near(at(0.75).coverage, 0.5);
    near(at(0.76).accuracy, 1.0);
    assert_eq!((at(0.95).accuracy, at(0.95).coverage, at(0.95).accuracy_ci95), (0.0, 0.0, [0.0, 1.0]));
}

#[test]
fn json_has_the_keys_scripts_rely_on() {
    let scores = Scores::new(&[0.9, 0.1], &[0], &names(2), &[]).unwrap();
    let json = serde_json::to_value(&scores).unwrap();
    for key in [
        "count",
        "accuracy",
        "accuracy_ci95",
        "balanced_accuracy",
        "macro_f1",
        "log_loss",
        "ece",
        "labels",
        "confusion",
        "per_class",
        "deduplicated",
    ] {
        assert!(json.get(key).is_some(), "{key} is missing");
    }
    for key in ["label", "precision", "recall", "f1", "support"] {
        assert!(json["per_class"][0].get(key).is_some(), "{key} is missing");
    }
    assert!(json["deduplicated"]["count"] == 1 && json["deduplicated"]["accuracy"] == 1.0);
}

#[test]
fn refuses_what_cannot_be_scored() {
    let two = names(2);
    assert!(Scores::new(&[], &[], &two, &[]).is_err());
    assert!(Scores::new(&[0.5; 4], &[0, 2], &two, &[]).is_err());
    assert!(Scores::new(&[0.5; 3], &[0, 1], &two, &[]).is_err());
    assert!(Scores::new(&[0.5; 4], &[0, 1], &two, &[true]).is_err());
    assert!(Scores::new(&[f32::NAN, 0.5], &[0], &two, &[]).is_err());
    assert!(Scores::new(&[1.5, 0.5], &[0], &two, &[]).is_err());
}
