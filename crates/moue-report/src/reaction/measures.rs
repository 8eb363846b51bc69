//! What is measured: the probabilities of the model, and valence, which is derived from them.

/// Labels of pleasant and of unpleasant expressions; others (surprise, neutral) count as neither.
const PLEASANT: [&str; 1] = ["happy"];
const UNPLEASANT: [&str; 5] = ["angry", "disgust", "fear", "sad", "contempt"];

/// The measures of a report, numbered: the labels in the model's order, then valence where it is defined.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Measures {
    labels: Vec<String>,
    /// +1, -1 or 0 a label; `None` where the labels have no pleasant or no unpleasant one.
    signs: Option<Vec<f64>>,
}

impl Measures {
    pub fn new(labels: Vec<String>) -> Self {
        let sign = |label: &String| {
            let is = |list: &[&str]| list.contains(&label.as_str());
            if is(&PLEASANT) {
                1.0
            } else if is(&UNPLEASANT) {
                -1.0
            } else {
                0.0
            }
        };
        let signs: Vec<f64> = labels.iter().map(sign).collect();
        let has_both = signs.contains(&1.0) && signs.contains(&-1.0);
        Self { labels, signs: has_both.then_some(signs) }
    }

    pub fn labels(&self) -> &[String] {
        &self.labels
    }

    /// Labels, and valence.
    pub fn count(&self) -> usize {
        self.labels.len() + usize::from(self.signs.is_some())
    }

    /// Place of valence among the measures.
    pub fn valence(&self) -> Option<usize> {
        self.signs.as_ref().map(|_| self.labels.len())
    }

    /// Place of the label `neutral`.
    pub fn neutral(&self) -> Option<usize> {
        self.labels.iter().position(|label| label == "neutral")
    }

    /// Name of a measure.
    pub fn name(&self, measure: usize) -> &str {
        self.labels.get(measure).map_or("valence", String::as_str)
    }

    /// Least and greatest value of a measure.
    pub fn range(&self, measure: usize) -> (f64, f64) {
        if Some(measure) == self.valence() { (-1.0, 1.0) } else { (0.0, 1.0) }
    }

    /// Adds valence behind probabilities, or sums or means of them: valence is linear.
    pub fn complete(&self, mut probabilities: Vec<f64>) -> Vec<f64> {
        if let Some(signs) = &self.signs {
            let valence = signs.iter().zip(&probabilities).map(|(sign, p)| sign * p).sum();
            probabilities.push(valence);
        }
        probabilities
    }

    /// How valence is derived, in words: `P(happy) − P(angry) − …`.
    pub fn formula(&self) -> Option<String> {
        let signs = self.signs.as_ref()?;
        let named = |wanted: f64| {
            let chosen = self.labels.iter().zip(signs).filter(move |(_, sign)| **sign == wanted);
            chosen.map(|(label, _)| format!("P({label})")).collect::<Vec<_>>()
        };
        Some(format!("{} − {}", named(1.0).join(" + "), named(-1.0).join(" − ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measures(labels: &[&str]) -> Measures {
        Measures::new(labels.iter().map(|&l| l.to_owned()).collect())
    }

    #[test]
    fn valence_is_pleasant_less_unpleasant() {
        let m = measures(&["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"]);
        assert_eq!((m.count(), m.valence(), m.neutral()), (8, Some(7), Some(6)));
        let values = m.complete(vec![0.125, 0.0, 0.0, 0.5, 0.125, 0.125, 0.125]);
        assert_eq!(values[7], 0.25);
        assert_eq!(m.formula().unwrap(), "P(happy) − P(angry) − P(disgust) − P(fear) − P(sad)");
    }

    #[test]
    fn labels_without_both_sides_have_no_valence() {
        let m = measures(&["happy", "other"]);
        assert_eq!((m.count(), m.valence(), m.formula()), (2, None, None));
        assert_eq!(m.complete(vec![0.5, 0.5]), [0.5, 0.5]);
    }
}
