//! `curves.png` in the run folder.

use std::path::Path;

use moue_report::plots::{CurvesPlot, Panel, Series, Unit};
use moue_train::EpochRow;

/// Draws loss and accuracy over the epochs and marks the best one so far.
pub fn draw(name: &str, history: &[EpochRow], folder: &Path) -> Result<(), moue_media::Error> {
    plot(name, history).render().write(&folder.join("curves.png"))
}

fn plot(name: &str, history: &[EpochRow]) -> CurvesPlot {
    let series = |name: &str, value: fn(&EpochRow) -> f64| Series {
        name: name.to_owned(),
        values: history.iter().map(value).collect(),
    };
    let loss = Panel {
        title: "Loss (nats)".to_owned(),
        unit: Unit::Number,
        series: vec![series("training", |r| r.loss), series("validation", |r| r.val_loss)],
    };
    let accuracy = Panel {
        title: "Accuracy (%)".to_owned(),
        unit: Unit::Percent,
        series: vec![series("training", |r| r.accuracy), series("validation", |r| r.val_accuracy)],
    };
    let mark = best(history).map(|epoch| (epoch, format!("best: epoch {epoch}")));
    let epochs = history.len();
    let title = format!("{name}: {epochs} epoch{}", if epochs == 1 { "" } else { "s" });
    CurvesPlot { title, panels: vec![loss, accuracy], mark }
}

/// The epoch whose model is kept: the most right answers on validation pictures that are not in Training; of equal
/// ones the lower loss.
fn best(history: &[EpochRow]) -> Option<usize> {
    history
        .iter()
        .max_by(|a, b| {
            let by_accuracy = a.val_accuracy_deduplicated.total_cmp(&b.val_accuracy_deduplicated);
            // Of wholly equal ones the first is kept, as in the training.
            by_accuracy.then(b.val_loss.total_cmp(&a.val_loss)).then(b.epoch.cmp(&a.epoch))
        })
        .map(|row| row.epoch)
}
