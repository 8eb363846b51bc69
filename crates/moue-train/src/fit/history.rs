//! One line an epoch.

use std::fmt::Write;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// Figures of one epoch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochRow {
    /// Epoch, counted from 1.
    pub epoch: usize,
    /// Mean loss of the training steps, with class weights, in nats.
    pub loss: f64,
    /// Share of right answers in the training steps (augmented pictures, dropout on).
    pub accuracy: f64,
    /// Log loss of the validation rows before calibration.
    pub val_loss: f64,
    /// Share of right answers on the validation rows.
    pub val_accuracy: f64,
    /// Mean of the classes' F1 on the validation rows.
    pub val_macro_f1: f64,
    /// Learning rate of the last step.
    pub learning_rate: f64,
    /// Time of the epoch with its validation.
    pub seconds: f64,
    /// Pictures trained on per second, without the validation.
    pub images_per_second: f64,
    /// `val_accuracy` without rows whose picture stands in Training.
    pub val_accuracy_deduplicated: f64,
}

const COLUMNS: &str = "epoch,loss,accuracy,val_loss,val_accuracy,val_macro_f1,learning_rate,seconds,\
                       images_per_second,val_accuracy_deduplicated";

/// Epochs as CSV with a header line, one line an epoch.
pub fn history_csv(history: &[EpochRow]) -> String {
    let mut text = format!("{COLUMNS}\n");
    for r in history {
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "{},{:.6},{:.6},{:.6},{:.6},{:.6},{:e},{:.2},{:.2},{:.6}",
            r.epoch,
            r.loss,
            r.accuracy,
            r.val_loss,
            r.val_accuracy,
            r.val_macro_f1,
            r.learning_rate,
            r.seconds,
            r.images_per_second,
            r.val_accuracy_deduplicated
        );
    }
    text
}

/// Reads what [`history_csv`] wrote, for instance to draw curves; `path` is a `history.csv`.
///
/// # Errors
/// [`Error::Io`], or [`Error::Data`] naming file, line and what was expected.
pub fn read_history(path: &Path) -> Result<Vec<EpochRow>> {
    let text = std::fs::read_to_string(path).map_err(|e| Error::io(path, e))?;
    let fault = |line: usize, reason: &str| Error::Data(format!("{}:{line}: {reason}", path.display()));
    // Spreadsheets put a mark before what they save.
    let mut lines = text.strip_prefix('\u{feff}').unwrap_or(&text).lines().enumerate();
    if lines.next().map(|(_, header)| header) != Some(COLUMNS) {
        return Err(fault(1, &format!("expected the columns {COLUMNS}")));
    }
    lines
        .map(|(i, line)| {
            let fields: Vec<&str> = line.split(',').collect();
            let [epoch, rest @ ..] = fields.as_slice() else { return Err(fault(i + 1, "an empty line")) };
            let epoch = epoch.parse().map_err(|_| fault(i + 1, "the epoch is no number"))?;
            let values: Vec<f64> = rest
                .iter()
                .map(|f| f.parse().map_err(|_| fault(i + 1, &format!("{f:?} is no number"))))
                .collect::<Result<_>>()?;
            let &[loss, accuracy, val_loss, val_accuracy, val_macro_f1, learning_rate, seconds, speed, dedup] =
                values.as_slice()
            else {
                return Err(fault(i + 1, "expected 10 fields"));
            };
            Ok(EpochRow {
                epoch,
                loss,
                accuracy,
                val_loss,
                val_accuracy,
                val_macro_f1,
                learning_rate,
                seconds,
                images_per_second: speed,
                val_accuracy_deduplicated: dedup,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(epoch: usize) -> EpochRow {
        EpochRow {
            epoch,
            loss: 1.25,
            accuracy: 0.5,
            val_loss: 1.5,
            val_accuracy: 0.375,
            val_macro_f1: 0.25,
            learning_rate: 1e-4,
            seconds: 12.5,
            images_per_second: 200.25,
            val_accuracy_deduplicated: 0.3125,
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history.csv");
        let history = vec![row(1), row(2)];
        std::fs::write(&path, history_csv(&history)).unwrap();
        assert_eq!(read_history(&path).unwrap(), history);
    }

    #[test]
    fn errors_name_the_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history.csv");
        let good = history_csv(&[row(1)]);
        for (text, place) in [
            ("epoch,loss\n".to_owned(), "csv:1:"),
            (format!("{good}2,1,2\n"), "csv:3:"),
            (format!("{good}x,1,1,1,1,1,1,1,1,1\n"), "csv:3:"),
        ] {
            std::fs::write(&path, text).unwrap();
            let message = read_history(&path).unwrap_err().to_string();
            assert!(message.contains(place), "{message}");
        }
    }
}
