//! The pictures of a report.

use std::path::Path;

use moue_data::{Dataset, Origin};
use moue_media::{Sheet, Tile, palette};
use moue_report::plots::{ConfusionPlot, CoveragePlot, CoveragePoint, ReliabilityBin, ReliabilityPlot};
use moue_train::Evaluation;

use super::report::Report;
use crate::failure::Result;
use crate::text::{grouped, percent};

/// Mistakes shown, and how many of them stand in a row.
const MISTAKES: usize = 60;
const COLUMNS: u32 = 10;

/// Draws all pictures into the folder.
pub fn write(folder: &Path, report: &Report<'_>, evaluation: &Evaluation, dataset: &Dataset) -> Result<()> {
    let subject = subject(report);
    confusion(report, &subject).render().write(&folder.join("confusion.png"))?;
    reliability(report, &subject).render().write(&folder.join("reliability.png"))?;
    coverage(report, &subject).render().write(&folder.join("coverage.png"))?;
    if let Some(sheet) = mistakes(&subject, evaluation, dataset)? {
        sheet.render()?.write(&folder.join("mistakes.png"))?;
    }
    Ok(())
}

/// What was measured on what, without the folders that the files lie in.
fn subject(report: &Report<'_>) -> String {
    let name = |path: &str| Path::new(path).file_name().and_then(|n| n.to_str()).unwrap_or(path).to_owned();
    format!("{} on {} of {}", name(report.model), report.usage, name(report.data))
}

fn confusion(report: &Report<'_>, subject: &str) -> ConfusionPlot {
    let s = report.scores;
    ConfusionPlot {
        title: "Confusion matrix".to_owned(),
        subtitle: format!("{subject}: {} of {} right", percent(s.accuracy), grouped(s.count)),
        labels: s.labels.clone(),
        counts: s.confusion.iter().map(|row| row.iter().map(|&n| n as u64).collect()).collect(),
    }
}

fn reliability(report: &Report<'_>, subject: &str) -> ReliabilityPlot {
    let bins = report.scores.reliability.iter().map(|b| ReliabilityBin {
        low: b.lower,
        high: b.upper,
        count: b.count as u64,
        confidence: b.confidence,
        accuracy: b.accuracy,
    });
    ReliabilityPlot {
        title: "Reliability".to_owned(),
        subtitle: subject.to_owned(),
        bins: bins.collect(),
        ece: report.scores.ece,
        accuracy: report.scores.accuracy,
    }
}

fn coverage(report: &Report<'_>, subject: &str) -> CoveragePlot {
    let points = report.scores.coverage.iter().map(|p| CoveragePoint {
        coverage: p.coverage,
        confidence: p.confidence,
        accuracy: p.accuracy,
    });
    CoveragePlot {
        title: "Accuracy when unsure answers are left out".to_owned(),
        subtitle: subject.to_owned(),
        points: points.collect(),
        chosen: report.abstaining.map(|a| CoveragePoint {
            coverage: a.coverage,
            confidence: a.min_confidence.into(),
            accuracy: a.accuracy,
        }),
    }
}

/// The wrong answers of which the model was most sure; `None` where every answer is right.
fn mistakes(subject: &str, evaluation: &Evaluation, dataset: &Dataset) -> Result<Option<Sheet>> {
    let mistakes = evaluation.mistakes();
    let name = |class: usize| evaluation.scores.labels.get(class).map_or("", String::as_str);
    let mut tiles = Vec::new();
    for mistake in mistakes.iter().take(MISTAKES) {
        let place = match dataset.origin(mistake.index) {
            Origin::Row { row, .. } => format!("row {row}"),
            Origin::Picture(_) => dataset
                .picture(mistake.index)
                .and_then(|p| p.file_name())
                .map(|n| n.to_string_lossy().into_owned())
                .unwrap_or_default(),
        };
        tiles.push(Tile {
            picture: dataset.grey(mistake.index)?.to_picture(),
            caption: vec![
                format!("{} → {}", name(mistake.label), name(mistake.answer)),
                format!("{:.0} %  {place}", 100.0 * mistake.confidence),
            ],
            border: palette(mistake.answer),
        });
    }
    let title =
        format!("Most confident of {} mistakes (true → predicted): {subject}", grouped(mistakes.len()));
    Ok((!tiles.is_empty()).then_some(Sheet { title, columns: COLUMNS, side: 96, tiles }))
}
