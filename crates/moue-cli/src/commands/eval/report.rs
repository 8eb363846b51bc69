//! Scores as JSON and as text.

use std::fmt::Write as _;

use moue_data::Usage;
use moue_train::Consistency;
use moue_train::metrics::{Abstaining, Scores};
use serde::Serialize;

use crate::text::{counted, grouped, percent};

/// What was measured. Its JSON form is part of the command's interface: keys may be added, none is renamed.
#[derive(Debug, Serialize)]
pub struct Report<'a> {
    /// The figures.
    #[serde(flatten)]
    pub scores: &'a Scores,
    /// Which model.
    pub model: &'a str,
    /// On which data.
    pub data: &'a str,
    /// And which part of it.
    pub usage: Usage,
    /// Pictures of that part that were left out by `--exclude`.
    pub excluded: usize,
    /// Whether each picture was looked at several times.
    pub tta: bool,
    /// The answers that `--min-confidence` leaves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub abstaining: Option<Abstaining>,
    /// How far the answers depend on what should not matter, where that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consistency: Option<Consistency>,
}

impl Report<'_> {
    /// All figures for people.
    pub fn to_text(&self) -> String {
        let s = self.scores;
        let mut out = String::new();
        // Writing to a string cannot fail.
        let looks = if self.tta { ", each picture looked at several times" } else { "" };
        let _ = writeln!(out, "{} on {} of {}{looks}", self.model, self.usage, self.data);
        let _ = match self.excluded {
            0 => writeln!(out, "{}", counted(s.count, "picture", "pictures")),
            n => writeln!(out, "{}, {} left out", counted(s.count, "picture", "pictures"), grouped(n)),
        };
        let _ = writeln!(out, "\naccuracy           {}", accuracy(s.accuracy, s.accuracy_ci95));
        let alone = &s.deduplicated;
        let _ = match alone.count {
            0 => writeln!(out, "  without leakage  every picture stands in Training"),
            n if n == s.count => writeln!(out, "  without leakage  the same: no picture stands in Training"),
            n => writeln!(
                out,
                "  without leakage  {}, on the {} that do not stand in Training",
                accuracy(alone.accuracy, alone.accuracy_ci95),
                counted(n, "picture", "pictures"),
            ),
        };
        let _ = writeln!(out, "balanced accuracy  {}", percent(s.balanced_accuracy));
        let _ = writeln!(out, "macro F1           {:.4}", s.macro_f1);
        let _ = writeln!(out, "log loss           {:.4} nats", s.log_loss);
        let _ = writeln!(out, "calibration error  {} (ECE)", percent(s.ece));
        if let Some(left) = &self.abstaining {
            let _ = writeln!(
                out,
                "from {:>3.0} % sure    {}, on the {} of the pictures that are answered",
                100.0 * left.min_confidence,
                accuracy(left.accuracy, left.accuracy_ci95),
                percent(left.coverage),
            );
        }
        out.push('\n');
        self.classes(&mut out);
        out.push('\n');
        self.confusion(&mut out);
        if let Some(consistency) = &self.consistency {
            out.push('\n');
            changes(&mut out, consistency);
        }
        out
    }

    fn classes(&self, out: &mut String) {
        let name = self.name_width();
        let _ = writeln!(out, "{:<name$}  precision  recall      F1  pictures", "class");
        for class in &self.scores.per_class {
            let _ = writeln!(
                out,
                "{:<name$}  {:>9.4}  {:>6.4}  {:>6.4}  {:>8}",
                class.label,
                class.precision,
                class.recall,
                class.f1,
                grouped(class.support)
            );
        }
    }

    fn confusion(&self, out: &mut String) {
        let (labels, rows) = (&self.scores.labels, &self.scores.confusion);
        let name = self.name_width();
        let widest = rows.iter().flatten().max().copied().unwrap_or_default().to_string().len();
        let width = labels.iter().map(|l| l.chars().count()).max().unwrap_or_default().max(widest);
        let _ = write!(out, "{:<name$}", "true");
        for label in labels {
            let _ = write!(out, "  {label:>width$}");
        }
        out.push_str("  <- predicted\n");
        for (label, row) in labels.iter().zip(rows) {
            let _ = write!(out, "{label:<name$}");
            for count in row {
                let _ = write!(out, "  {count:>width$}");
            }
            out.push('\n');
        }
    }

    fn name_width(&self) -> usize {
        self.scores.labels.iter().map(|l| l.chars().count()).max().unwrap_or_default().max(5)
    }
}

/// The same pictures, seen differently.
fn changes(out: &mut String, consistency: &Consistency) {
    let widths = consistency.changes.iter().map(|c| c.description.chars().count());
    let width = widths.max().unwrap_or_default().max(16);
    let _ = writeln!(out, "{:<width$}  same answer  distance   accuracy", "seen differently");
    for change in &consistency.changes {
        let _ = writeln!(
            out,
            "{:<width$}  {:>11}  {:>8.4}  {:>9}",
            change.description,
            percent(change.same),
            change.distance,
            percent(change.accuracy)
        );
    }
    let mean = percent(consistency.same);
    let _ = writeln!(out, "{:<width$}  {mean:>11}  {:>8.4}", "mean", consistency.distance);
}

fn accuracy(share: f64, [low, high]: [f64; 2]) -> String {
    format!("{} (95 % interval {:.2} to {:.2} %)", percent(share), 100.0 * low, 100.0 * high)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_line_up() {
        let names = ["angry".to_owned(), "surprise".to_owned()];
        let scores =
            Scores::new(&[0.75, 0.25, 0.5, 0.5, 0.25, 0.75], &[0, 1, 1], &names, &[false, true, false])
                .unwrap();
        let abstaining = Some(Abstaining {
            min_confidence: 0.6,
            count: 2,
            coverage: 2.0 / 3.0,
            accuracy: 1.0,
            accuracy_ci95: [0.3424, 1.0],
        });
        let (model, data) = ("m", "d.csv");
        let usage = Usage::PublicTest;
        let consistency = Some(Consistency {
            count: 3,
            same: 0.5,
            distance: 0.25,
            changes: vec![moue_train::Changed {
                change: "mirrored".to_owned(),
                description: "left and right".to_owned(),
                same: 0.5,
                distance: 0.25,
                accuracy: 1.0,
            }],
        });
        let (excluded, tta) = (2, false);
        let report = Report { scores: &scores, model, data, usage, excluded, tta, abstaining, consistency };
        let expected = "\
m on PublicTest of d.csv
3 pictures, 2 left out

accuracy           66.67 % (95 % interval 20.77 to 93.85 %)
  without leakage  100.00 % (95 % interval 34.24 to 100.00 %), on the 2 pictures that do not stand in Training
balanced accuracy  75.00 %
macro F1           0.6667
log loss           0.4228 nats
calibration error  33.33 % (ECE)
from  60 % sure    100.00 % (95 % interval 34.24 to 100.00 %), on the 66.67 % of the pictures that are answered

class     precision  recall      F1  pictures
angry        0.5000  1.0000  0.6667         1
surprise     1.0000  0.5000  0.6667         2

true         angry  surprise  <- predicted
angry            1         0
surprise         1         1

seen differently  same answer  distance   accuracy
left and right        50.00 %    0.2500   100.00 %
mean                  50.00 %    0.2500
";
        assert_eq!(report.to_text(), expected);
    }
}
