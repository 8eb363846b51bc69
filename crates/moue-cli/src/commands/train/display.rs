//! What a training shows while it runs: a bar within an epoch, a line after it, both in the style of Keras.

use std::path::{Path, PathBuf};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use moue_train::{Control, EpochRow, Observer, RunInfo, StepReport, read_history};

use super::curves;
use crate::text::{counted, grouped};
use crate::{console, failure, interrupt};

pub struct Display {
    folder: PathBuf,
    data: String,
    /// Stands before every line where several trainings share the terminal.
    name: Option<String>,
    bar: ProgressBar,
    epochs: usize,
    steps: usize,
    /// A warning that stays true is given once.
    curves_failed: bool,
}

impl Display {
    /// For a run in `folder` on `data`. Without a terminal there is no bar.
    pub fn new(folder: &Path, data: &str) -> Self {
        Self {
            folder: folder.to_owned(),
            data: data.to_owned(),
            name: None,
            bar: ProgressBar::hidden(),
            epochs: 0,
            steps: 0,
            curves_failed: false,
        }
    }

    /// One of several that run at once: its lines begin with its name, and it has no bar.
    pub fn named(mut self, name: String) -> Self {
        self.name = Some(name);
        self
    }

    fn say(&self, line: &str) {
        match &self.name {
            Some(name) => console::say(format_args!("{name}: {line}")),
            None => self.bar.suspend(|| console::say(line)),
        }
    }

    fn draw_curves(&mut self) {
        let name = self.folder.file_stem().and_then(|n| n.to_str()).unwrap_or("training").to_owned();
        let drawn = read_history(&self.folder.join("history.csv"))
            .map_err(|e| failure::describe(&e))
            .and_then(|rows| curves::draw(&name, &rows, &self.folder).map_err(|e| failure::describe(&e)));
        if let Err(reason) = drawn {
            if !self.curves_failed {
                self.say(&format!("moue: the curves cannot be drawn: {reason}"));
            }
            self.curves_failed = true;
        }
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

impl Observer for Display {
    fn on_start(&mut self, info: &RunInfo) {
        self.steps = info.steps_per_epoch;
        self.epochs = info.epochs;
        let (all, trained) = info.parameters;
        self.say(&format!(
            "{}: {} to train on, {} of {} to validate on, {} of them not in Training",
            self.data,
            counted(info.training, "picture", "pictures"),
            grouped(info.validation),
            info.validation_source,
            grouped(info.validation_deduplicated),
        ));
        let dropped = info.dropped;
        let reasons = [
            (dropped.excluded, "excluded"),
            (dropped.not_a_face, "without a face"),
            (dropped.leaked, "that stand in an evaluation set"),
            (dropped.conflicts, "with conflicting labels"),
            (dropped.duplicates, "that are there twice"),
        ];
        let reasons: Vec<String> = reasons
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, reason)| format!("{} {reason}", grouped(*count)))
            .collect();
        if !reasons.is_empty() {
            self.say(&format!("Left out: {}", reasons.join(", ")));
        }
        self.say(&format!("{} parameters, {} of them trained", grouped(all), grouped(trained)));
        if let Some((epoch, step)) = info.resumed {
            let done =
                if step == 0 { String::new() } else { format!(", after {step} of {} steps", self.steps) };
            self.say(&format!("Going on with epoch {}{done}", epoch.min(self.epochs)));
        }
        self.say(&format!("Run folder {}: stop at any time, go on with --resume", self.folder.display()));
    }

    fn on_epoch_start(&mut self, epoch: usize, epochs: usize) {
        self.say(&format!("Epoch {epoch}/{epochs}"));
        if console::is_interactive() && self.name.is_none() {
            self.bar =
                ProgressBar::with_draw_target(Some(self.steps as u64), ProgressDrawTarget::stderr_with_hz(8));
            // The template is checked by a test; another one would only look different.
            self.bar.set_style(bar_style().unwrap_or_else(|_| ProgressStyle::default_bar()));
        }
    }

    fn on_step(&mut self, report: &StepReport) -> Control {
        self.bar.set_position(report.step as u64);
        self.bar.set_message(progress(report));
        if interrupt::check().is_err() { Control::Stop } else { Control::Continue }
    }

    fn on_validation_start(&mut self, _epoch: usize) {
        self.bar.set_message("validating");
    }

    fn on_epoch_end(&mut self, row: &EpochRow, best: bool) {
        self.bar.finish_and_clear();
        self.bar = ProgressBar::hidden();
        self.say(&epoch_line(row, self.steps, best));
        self.draw_curves();
    }
}

fn bar_style() -> Result<ProgressStyle, indicatif::style::TemplateError> {
    Ok(ProgressStyle::with_template("{pos}/{len} [{bar:10}] {wide_msg}")?.progress_chars("=> "))
}

/// What stands behind the bar, the least important last: narrow terminals cut it off.
fn progress(report: &StepReport) -> String {
    format!(
        "{} left - loss: {:.4} - accuracy: {:.4} - {:.0} images/s",
        duration(report.eta_seconds),
        report.loss,
        report.accuracy,
        report.images_per_second
    )
}

/// An epoch as Keras prints it.
fn epoch_line(row: &EpochRow, steps: usize, best: bool) -> String {
    format!(
        "{steps}/{steps} - {} - {:.0} images/s - loss: {:.4} - accuracy: {:.4} - val_loss: {:.4} - val_accuracy: {:.4} - learning_rate: {:.2e}{}",
        duration(row.seconds),
        row.images_per_second,
        row.loss,
        row.accuracy,
        row.val_loss,
        row.val_accuracy,
        row.learning_rate,
        if best { " - best so far" } else { "" },
    )
}

/// `7s`, `3m 20s`, `2h 05m`.
fn duration(seconds: f64) -> String {
    let whole = Duration::try_from_secs_f64(seconds.round()).unwrap_or_default().as_secs();
    match (whole / 3600, whole / 60 % 60, whole % 60) {
        (0, 0, seconds) => format!("{seconds}s"),
        (0, minutes, seconds) => format!("{minutes}m {seconds:02}s"),
        (hours, minutes, _) => format!("{hours}h {minutes:02}m"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_template_of_the_bar_is_sound() {
        assert!(bar_style().is_ok());
    }

    #[test]
    fn an_epoch_reads_as_in_keras() {
        let row = EpochRow {
            epoch: 3,
            loss: 1.23456,
            accuracy: 0.54321,
            val_loss: 1.1,
            val_accuracy: 0.575,
            val_macro_f1: 0.5,
            learning_rate: 1e-3,
            seconds: 205.2,
            images_per_second: 139.7,
            val_accuracy_deduplicated: 0.57,
        };
        assert_eq!(
            epoch_line(&row, 1197, true),
            "1197/1197 - 3m 25s - 140 images/s - loss: 1.2346 - accuracy: 0.5432 - val_loss: 1.1000 - \
             val_accuracy: 0.5750 - learning_rate: 1.00e-3 - best so far"
        );
    }

    #[test]
    fn durations_are_short() {
        assert_eq!(
            [0.4, 59.6, 200.0, 7500.0, f64::NAN].map(duration),
            ["0s", "1m 00s", "3m 20s", "2h 05m", "0s"]
        );
    }
}
