//! Every answer as a row of `predictions.csv`.

use std::fmt::Write as _;

use moue_data::{Dataset, Origin};
use moue_report::records::quote;
use moue_train::Evaluation;

/// A header and a row for each picture: where it stands (the row of the csv, counted from 0, or the picture file), label,
/// answer, whether the picture stands in Training, and the probability of every class.
pub fn csv(evaluation: &Evaluation, dataset: &Dataset, leaked: &[bool]) -> String {
    let names = &evaluation.scores.labels;
    let mut out = String::from("picture,label,answer,confidence,right,in_training");
    for name in names {
        out.push(',');
        out.push_str(&quoted(name));
    }
    out.push('\n');
    let name = |class: usize| names.get(class).map(|n| quoted(n)).unwrap_or_default();
    let rows = evaluation.probabilities.chunks_exact(names.len().max(1));
    for (((&index, &label), row), in_training) in
        evaluation.indices.iter().zip(&evaluation.labels).zip(rows).zip(leaked)
    {
        // Of equal probabilities the first class is the answer, as in the scores.
        let answer = (0..row.len()).rev().max_by(|&a, &b| row[a].total_cmp(&row[b])).unwrap_or_default();
        let confidence = row.get(answer).copied().unwrap_or_default();
        // Writing to a string cannot fail.
        let _ = write!(
            out,
            "{},{},{},{confidence:.6},{},{in_training}",
            quoted(&place(dataset, index)),
            name(label),
            name(answer),
            answer == label
        );
        for probability in row {
            let _ = write!(out, ",{probability:.6}");
        }
        out.push('\n');
    }
    out
}

fn place(dataset: &Dataset, index: usize) -> String {
    match dataset.origin(index) {
        Origin::Row { row, .. } => row.to_string(),
        Origin::Picture(_) => dataset.place(index),
    }
}

/// A field of a csv file, harmless in spreadsheets.
fn quoted(field: &str) -> String {
    let mut out = String::new();
    quote(&mut out, field);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_quoted_where_they_must_be() {
        assert_eq!(quoted("a/b.png"), "a/b.png");
        assert_eq!(quoted("a,\"b\".png"), "\"a,\"\"b\"\".png\"");
        assert_eq!(quoted("=a.png"), "'=a.png");
    }
}
