//! Scores beside those of scikit-learn (see `scores/reference.py`).

use moue_train::metrics::Scores;

#[test]
fn scores_are_those_of_scikit_learn() {
    let reference: serde_json::Value = serde_json::from_str(include_str!("scores/reference.json")).unwrap();
    let numbers = |key: &str| -> Vec<f64> {
        reference[key].as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
    };
    let labels: Vec<usize> = numbers("labels").into_iter().map(|l| l as usize).collect();
    let rows = reference["probabilities"].as_array().unwrap();
    let probabilities: Vec<f32> =
        rows.iter().flat_map(|r| r.as_array().unwrap()).map(|p| p.as_f64().unwrap() as f32).collect();
    let names: Vec<String> = (0..7).map(|i| i.to_string()).collect();
    let scores = Scores::new(&probabilities, &labels, &names, &[]).unwrap();

    let close = |name: &str, ours: f64, theirs: f64, tolerance: f64| {
        assert!((ours - theirs).abs() < tolerance, "{name}: {ours} is not {theirs}");
    };
    for (name, ours, tolerance) in [
        ("accuracy", scores.accuracy, 1e-12),
        ("balanced_accuracy", scores.balanced_accuracy, 1e-12),
        ("macro_f1", scores.macro_f1, 1e-12),
        // scikit-learn sums in single precision.
        ("log_loss", scores.log_loss, 2e-6),
        ("ece", scores.ece, 1e-9),
    ] {
        close(name, ours, reference[name].as_f64().unwrap(), tolerance);
    }
    assert_eq!(serde_json::json!(scores.confusion), reference["confusion"]);
    for (class, ours) in scores.per_class.iter().enumerate() {
        close("precision", ours.precision, numbers("precision")[class], 1e-12);
        close("recall", ours.recall, numbers("recall")[class], 1e-12);
        close("f1", ours.f1, numbers("f1")[class], 1e-12);
        assert_eq!(ours.support as f64, numbers("support")[class]);
    }
}
