//! Confidences that can be taken at their word: temperature scaling.

use moue_graph::Calibration;

use crate::metrics::Scores;
use crate::{Error, Result};

/// Temperatures considered; a network outside of them has another problem than its confidence.
const RANGE: [f64; 2] = [0.05, 20.0];

/// The temperature that makes the labels most probable (Guo, Pleiss, Sun and Weinberger: "On
/// Calibration of Modern Neural Networks", ICML 2017), within 0.05..=20.
///
/// `logits` holds `labels.len()` rows of `classes` values, from rows the network was not trained on.
/// The log loss is convex in the inverse temperature, so its derivative has one root, which is
/// bisected.
///
/// An error where lengths differ, there is no row, or a logit is not finite.
pub fn fit_temperature(logits: &[f32], labels: &[usize], classes: usize) -> Result<f32> {
    if classes < 2 || labels.is_empty() || logits.len() != labels.len() * classes {
        return Err(Error::Parameter(format!(
            "{} logits do not fit {} rows of {classes} classes",
            logits.len(),
            labels.len()
        )));
    }
    if labels.iter().any(|&l| l >= classes) || logits.iter().any(|l| !l.is_finite()) {
        return Err(Error::Data("a label has no class or a logit is not finite".into()));
    }
    // Slope of the log loss by the inverse temperature b: expected minus labelled logit at softmax(b l).
    let slope = |b: f64| -> f64 {
        logits
            .chunks_exact(classes)
            .zip(labels)
            .map(|(row, &label)| {
                let top = f64::from(row.iter().copied().fold(f32::NEG_INFINITY, f32::max));
                let (mut sum, mut weighted) = (0.0, 0.0);
                for &logit in row {
                    let power = ((f64::from(logit) - top) * b).exp();
                    sum += power;
                    weighted += power * f64::from(logit);
                }
                weighted / sum - f64::from(row[label])
            })
            .sum()
    };
    let (mut low, mut high) = (1.0 / RANGE[1], 1.0 / RANGE[0]);
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        if slope(middle) > 0.0 { high = middle } else { low = middle }
    }
    Ok((2.0 / (low + high)) as f32)
}

/// Probabilities of rows of logits at a temperature.
///
/// An error where the logits are no whole rows or the temperature is not positive.
pub fn probabilities(logits: &[f32], classes: usize, calibration: Calibration) -> Result<Vec<f32>> {
    let positive = calibration.temperature > 0.0 && calibration.temperature.is_finite();
    if classes == 0 || !logits.len().is_multiple_of(classes) || !positive {
        return Err(Error::Parameter(format!(
            "{} logits of {classes} classes at the temperature {} give no probabilities",
            logits.len(),
            calibration.temperature
        )));
    }
    Ok(logits.chunks_exact(classes).flat_map(|row| calibration.probabilities(row)).collect())
}

/// Calibration error that can be expected on new rows: each half of the rows (alternating) is scored
/// at the temperature fitted on the other half.
///
/// A temperature fitted and judged on the same rows looks better than it is; this figure does not.
/// Needs at least two rows; errors as [`fit_temperature`].
pub fn cross_validated_ece(logits: &[f32], labels: &[usize], names: &[String]) -> Result<f64> {
    let classes = names.len();
    if classes == 0 || logits.len() != labels.len() * classes {
        return Err(Error::Parameter(format!("{} logits do not fit {} rows", logits.len(), labels.len())));
    }
    let half = |parity: usize| -> (Vec<f32>, Vec<usize>) {
        let rows = logits.chunks_exact(classes).zip(labels).skip(parity).step_by(2);
        let (values, labels): (Vec<&[f32]>, Vec<usize>) = rows.map(|(row, &label)| (row, label)).unzip();
        (values.concat(), labels)
    };
    let halves = [half(0), half(1)];
    let mut scored = Vec::with_capacity(logits.len());
    for (fitted, other) in [(&halves[1], &halves[0]), (&halves[0], &halves[1])] {
        let temperature = fit_temperature(&fitted.0, &fitted.1, classes)?;
        scored.extend(probabilities(&other.0, classes, Calibration { temperature })?);
    }
    let labels = [halves[0].1.as_slice(), &halves[1].1].concat();
    Ok(Scores::new(&scored, &labels, names, &[])?.ece)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Logits whose softmax are the true probabilities of the labels drawn.
    fn honest(rows: usize, factor: f32) -> (Vec<f32>, Vec<usize>) {
        let mut logits = Vec::new();
        let mut labels = Vec::new();
        for i in 0..rows {
            let mut random = crate::random::Stream::new(5, 0, i as u64);
            let row: Vec<f32> = (0..7).map(|_| random.signed() * 3.0).collect();
            let p = Calibration::default().probabilities(&row);
            let mut rest = random.unit();
            let label = p.iter().position(|p| {
                rest -= p;
                rest < 0.0
            });
            labels.push(label.unwrap_or(6));
            logits.extend(row.iter().map(|l| l * factor));
        }
        (logits, labels)
    }

    #[test]
    fn finds_the_factor_by_which_logits_are_too_large() {
        for factor in [0.5, 1.0, 3.0] {
            let (logits, labels) = honest(20_000, factor);
            let temperature = fit_temperature(&logits, &labels, 7).unwrap();
            assert!((temperature / factor - 1.0).abs() < 0.03, "{temperature} for {factor}");
        }
    }

    #[test]
    fn minimises_the_log_loss() {
        let (logits, labels) = honest(500, 2.0);
        let names: Vec<String> = (0..7).map(|i| i.to_string()).collect();
        let loss = |temperature| {
            let p = probabilities(&logits, 7, Calibration { temperature }).unwrap();
            Scores::new(&p, &labels, &names, &[]).unwrap().log_loss
        };
        let best = fit_temperature(&logits, &labels, 7).unwrap();
        assert!(loss(best) < loss(best * 1.01) && loss(best) < loss(best * 0.99));
    }

    #[test]
    fn stays_in_range_where_the_answers_are_all_right_or_all_wrong() {
        let right = fit_temperature(&[5.0, 0.0, 0.0, 5.0], &[0, 1], 2).unwrap();
        assert!((right - 0.05).abs() < 1e-4);
        let wrong = fit_temperature(&[5.0, 0.0, 0.0, 5.0], &[1, 0], 2).unwrap();
        assert!((wrong - 20.0).abs() < 1e-3);
    }

    #[test]
    fn cross_validation_lowers_the_error_of_an_overconfident_network() {
        let (logits, labels) = honest(4000, 4.0);
        let names: Vec<String> = (0..7).map(|i| i.to_string()).collect();
        let raw = probabilities(&logits, 7, Calibration::default()).unwrap();
        let before = Scores::new(&raw, &labels, &names, &[]).unwrap().ece;
        let after = cross_validated_ece(&logits, &labels, &names).unwrap();
        assert!(before > 0.2 && after < 0.03, "{before} {after}");
    }

    #[test]
    fn refuses_what_does_not_fit() {
        assert!(fit_temperature(&[1.0; 3], &[0], 2).is_err());
        assert!(fit_temperature(&[f32::NAN, 0.0], &[0], 2).is_err());
        assert!(fit_temperature(&[], &[], 2).is_err());
        assert!(probabilities(&[1.0, 2.0], 2, Calibration { temperature: 0.0 }).is_err());
    }
}
