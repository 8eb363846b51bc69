//! The audience over time.

use maud::{Markup, html};

use super::hues::hue;
use super::strips::{Line, Scale, Strip, Strips, reach};
use super::words::{self, clock, list, percent, signed};
use super::{anchor, plot};
use crate::reaction::report::{Group, Report};

const VALENCE_HEIGHT: f64 = 104.0;
const ATTENTION_HEIGHT: f64 = 34.0;
const EMOTION_HEIGHT: f64 = 46.0;

/// The section of a group.
pub fn section(report: &Report, group: &Group, number: usize) -> Markup {
    let id = anchor("timeline", number);
    html! {
        section id=(id) {
            h2 {
                @if report.groups.len() > 1 { (group.name) } @else { "Second by second" }
            }
            @if report.groups.len() > 1 { (super::summary::figures(report, group)) }
            @if group.people.is_empty() {
                p { "Nobody was in view for long enough to count." }
            } @else {
                p class="how" {
                    "Each strip is the mean over the people in view"
                    @if group.people.len() > 1 { "; the shaded band is its 95 % interval" }
                    ". All emotions share one scale. A point is " (words::span(group.timeline.width.seconds())) " of video"
                    @if !group.moments.is_empty() { "; ▼ marks the largest peak of an emotion" }
                    "."
                    span class="with-script" { " Move over the chart, or focus it and use the arrow keys; drag, or hold Shift, to select a stretch." }
                }
                figure {
                    (chart(report, group, &format!("{id}-chart")).render())
                    figcaption { (caption(report)) }
                }
                (table(report, group))
            }
        }
    }
}

fn caption(report: &Report) -> Markup {
    html! {
        @if let Some(formula) = report.measures.formula() {
            strong { "Valence" } " is derived, not measured: " code { (formula) } ", from −1 (unpleasant) to +1 (pleasant). "
        }
        strong { "Attention" } " is the share of people whose face was in view. It does not say where they looked."
    }
}

fn chart<'a>(report: &'a Report, group: &Group, id: &str) -> Strips<'a> {
    let line = &group.timeline;
    let measures = &report.measures;
    let series = |m: usize| Line {
        values: line.series(m).map(|e| e.map(|e| e.mean)).collect(),
        band: line.series(m).map(|e| e.and_then(|e| e.interval)).collect(),
        group: None,
    };
    let mut strips = Vec::new();
    if let Some(m) = measures.valence() {
        let shown = series(m);
        let ends = shown.band.iter().flatten().flat_map(|&(low, high)| [low, high]);
        let most = reach(shown.values.iter().flatten().copied().chain(ends));
        strips.push(Strip {
            name: "Valence".to_owned(),
            note: "derived".to_owned(),
            hue: None,
            scale: Scale::Valence(most),
            height: VALENCE_HEIGHT,
            lines: vec![shown],
            figure: line.means.get(m).map_or(String::new(), |e| signed(e.mean)),
            marks: Vec::new(),
        });
    }
    strips.push(Strip {
        name: "Attention".to_owned(),
        note: "faces in view".to_owned(),
        hue: None,
        scale: Scale::Share(1.0),
        height: ATTENTION_HEIGHT,
        lines: vec![Line {
            values: line.bins.iter().map(|b| b.attention).collect(),
            band: Vec::new(),
            group: None,
        }],
        figure: percent(group.presence.share),
        marks: Vec::new(),
    });
    let emotions: Vec<Line> = (0..measures.labels().len()).map(series).collect();
    let most = reach(emotions.iter().flat_map(|l| l.values.iter().flatten().copied()));
    for (m, shown) in emotions.into_iter().enumerate() {
        let largest = group.moments.iter().find(|p| p.measure == m);
        strips.push(Strip {
            name: measures.name(m).to_owned(),
            note: String::new(),
            hue: Some(hue(measures.name(m), m)),
            scale: Scale::Share(most),
            height: EMOTION_HEIGHT,
            lines: vec![shown],
            figure: line.means.get(m).map_or(String::new(), |e| percent(e.mean)),
            marks: largest.map(|p| (p.time, p.level)).into_iter().collect(),
        });
    }
    Strips {
        id: id.to_owned(),
        title: format!("{}: the audience over time", group.name),
        description: description(report, group),
        length: line.bins.len() as f64 * line.width.seconds(),
        bin: line.width.seconds(),
        people: Some(line.bins.iter().map(|b| b.people).collect()),
        strips,
        events: &report.events,
        head: "mean",
    }
}

/// What is to be seen, for those who do not see it.
fn description(report: &Report, group: &Group) -> String {
    let measures = &report.measures;
    let means = group.timeline.means.iter().enumerate().map(|(m, e)| {
        let value = if Some(m) == measures.valence() { signed(e.mean) } else { percent(e.mean) };
        format!("{} {value}", measures.name(m))
    });
    let peaks: Vec<String> = group
        .moments
        .iter()
        .take(3)
        .map(|p| {
            format!("{} at {} with {}", p.emotion, words::moment(p.time, report.length), percent(p.level))
        })
        .collect();
    let peaks = if peaks.is_empty() { String::new() } else { format!(" Largest peaks: {}.", list(&peaks)) };
    format!(
        "Strips over {} for valence, attention and each emotion. Means over people: {}.{peaks} The values are in the table \
         below.",
        words::duration(group.timeline.bins.len() as f64 * group.timeline.width.seconds()),
        list(&means.collect::<Vec<_>>()),
    )
}

/// Rows of the table behind a chart: more are in the CSV.
const ROWS: usize = 120;

fn table(report: &Report, group: &Group) -> Markup {
    let line = &group.timeline;
    let factor = line.bins.len().div_ceil(ROWS).max(1);
    let seconds = line.width.seconds() * factor as f64;
    let columns: Vec<Vec<Option<f64>>> = (0..report.measures.count())
        .map(|m| plot::coarser(&line.series(m).map(|e| e.map(|e| e.mean)).collect::<Vec<_>>(), factor))
        .collect();
    let faces = plot::coarser(&line.bins.iter().map(|b| b.faces).collect::<Vec<_>>(), factor);
    html! {
        details class="data" {
            summary { "The same as a table" }
            div class="scroll" tabindex="0" {
                table {
                    caption { "Means over the people in view, a row " (words::span(seconds)) "; timeline.csv has every bin with its interval." }
                    thead { tr {
                        th scope="col" { "from" }
                        th scope="col" { "faces in view" }
                        @for m in 0..report.measures.count() { th scope="col" { (report.measures.name(m)) } }
                    } }
                    tbody {
                        @for (row, faces) in faces.iter().enumerate() {
                            tr {
                                th scope="row" { (clock(row as f64 * seconds)) }
                                td { @if let Some(faces) = faces { (format!("{faces:.1}")) } @else { "–" } }
                                @for (m, column) in columns.iter().enumerate() {
                                    td { (cell(report, m, column.get(row).copied().flatten())) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// A value of a measure; a dash where there is none.
pub fn cell(report: &Report, measure: usize, value: Option<f64>) -> String {
    match value {
        None => "–".to_owned(),
        Some(value) if Some(measure) == report.measures.valence() => signed(value),
        Some(value) => percent(value),
    }
}
