//! Groups side by side.

use maud::{Markup, html};

use super::hues::{group_hue, hue};
use super::plot::{LEFT, RIGHT, WIDTH, at};
use super::strips::{Line, Scale, Strip, Strips, reach};
use super::timeline::cell;
use super::words::{self, percent, points, shortened, signed};
use crate::reaction::report::{Group, Report};

/// More lines cannot be told apart in one chart.
const LINES: usize = 8;

/// The section; there are two groups at least.
pub fn section(report: &Report) -> Markup {
    html! {
        section id="comparison" {
            h2 { "Comparison" }
            p class="how" {
                "A mark is the mean over the people of a group, the bar its 95 % interval. People count, not frames: each person gives one value, \
                 whatever the length of the clip, so a group of few people has wide bars. Intervals are not corrected for the number of \
                 comparisons."
            }
            figure {
                (intervals(report))
                figcaption {
                    "Student’s t over people. It covers how people differ, not the model’s mistakes, and takes people as independent of each other, \
                     which those who sit together are not."
                }
            }
            (table(report))
            h3 { "Over time" }
            @if report.groups.len() <= LINES {
                figure {
                    (over_time(report).render())
                    figcaption { "Means over the people in view, laid over each other from the beginning of each clip." }
                }
            } @else {
                p { "More than " (LINES) " groups cannot be told apart in one chart; timeline.csv has them all." }
            }
        }
    }
}

/// Valence first.
fn order(report: &Report) -> impl Iterator<Item = usize> {
    report.measures.valence().into_iter().chain(0..report.measures.labels().len())
}

/// A column of dots and bars a measure: valence on its own axis, then the emotions on a common one.
fn intervals(report: &Report) -> Markup {
    const ROW: f64 = 17.0;
    const GAP: f64 = 14.0;
    let measures = &report.measures;
    let tops = |m: usize| {
        report
            .groups
            .iter()
            .map(move |g| g.timeline.means.get(m).map_or(0.0, |e| e.interval.map_or(e.mean, |i| i.1)))
    };
    let most = reach((0..measures.labels().len()).flat_map(tops));
    let block = ROW * report.groups.len() as f64 + GAP;
    let top = 24.0;
    let height = top + block * measures.count() as f64 + 22.0;
    let left = LEFT + 150.0;
    html! {
        div class="chart" {
            svg class="intervals" viewBox={ "0 0 " (at(WIDTH)) " " (at(height)) } role="img" aria-labelledby="intervals-title intervals-desc" {
                title id="intervals-title" { "Mean of each group with its 95 % interval" }
                desc id="intervals-desc" { (spoken(report)) }
                @for (i, m) in order(report).enumerate() {
                    @let y = top + i as f64 * block;
                    @let is_valence = Some(m) == measures.valence();
                    @let (low, high) = if is_valence { (-1.0, 1.0) } else { (0.0, most) };
                    @let x = |v: f64| left + (v - low) / (high - low) * (RIGHT - left);
                    @let middle = y + ROW * report.groups.len() as f64 / 2.0;
                    g class=(if is_valence { "measure".to_owned() } else { format!("measure h{}", hue(measures.name(m), m)) }) {
                        line class="rule" x1="0" x2=(at(WIDTH)) y1=(at(y - GAP / 2.0)) y2=(at(y - GAP / 2.0)) {}
                        text class="name" x="0" y=(at(middle + 4.0)) { (measures.name(m)) }
                        @if is_valence { text class="note" x="0" y=(at(middle + 17.0)) { "derived" } }
                        @for quarter in 0..=4 {
                            @let v = low + (high - low) * f64::from(quarter) / 4.0;
                            @let zero = v == 0.0 && is_valence;
                            line class=(if zero { "base" } else { "grid" }) x1=(at(x(v))) x2=(at(x(v))) y1=(at(y)) y2=(at(y + block - GAP)) {}
                            @if i == 0 {
                                text class="tick" x=(at(x(v))) y=(at(y - GAP / 2.0 - 4.0)) text-anchor="middle" { (signed(v)) }
                            }
                            @if i + 1 == measures.count() && !is_valence {
                                text class="tick" x=(at(x(v))) y=(at(y + block)) text-anchor="middle" { (percent(v)) }
                            }
                        }
                        @for (g, group) in report.groups.iter().enumerate() {
                            (mark(report, group, g, m, y + ROW * (g as f64 + 0.5), &x))
                        }
                    }
                }
            }
        }
    }
}

/// One group in one measure.
fn mark(report: &Report, group: &Group, number: usize, m: usize, y: f64, x: &dyn Fn(f64) -> f64) -> Markup {
    let estimate = group.timeline.means.get(m).copied().unwrap_or_default();
    html! {
        text class="group" x=(at(LEFT)) y=(at(y + 4.0)) { (shortened(&group.name, 17)) " (" (estimate.count) ")" }
        @if estimate.count > 0 {
            g class={ "mark h" (group_hue(number)) } {
                @if let Some((low, high)) = estimate.interval {
                    line x1=(at(x(low))) x2=(at(x(high))) y1=(at(y)) y2=(at(y)) {}
                    line x1=(at(x(low))) x2=(at(x(low))) y1=(at(y - 4.0)) y2=(at(y + 4.0)) {}
                    line x1=(at(x(high))) x2=(at(x(high))) y1=(at(y - 4.0)) y2=(at(y + 4.0)) {}
                }
                path d=(shape(number, x(estimate.mean), y)) {}
            }
            text class="figure" x=(at(WIDTH)) y=(at(y + 4.0)) text-anchor="end" { (cell(report, m, Some(estimate.mean))) }
        }
    }
}

/// Circle, square, triangle, diamond: groups differ without colour, too.
fn shape(number: usize, x: f64, y: f64) -> String {
    match number % 4 {
        0 => format!("M{} {}a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0 -9 0Z", at(x - 4.5), at(y)),
        1 => format!("M{} {}h8v8h-8Z", at(x - 4.0), at(y - 4.0)),
        2 => format!("M{} {}l5 9h-10Z", at(x), at(y - 5.0)),
        _ => format!("M{} {}l5.5 5.5l-5.5 5.5l-5.5 -5.5Z", at(x), at(y - 5.5)),
    }
}

/// The chart in words.
fn spoken(report: &Report) -> String {
    let group = |g: &Group| {
        let values = order(report).map(|m| {
            let mean = g.timeline.means.get(m).copied().unwrap_or_default();
            format!("{} {}", report.measures.name(m), cell(report, m, Some(mean.mean)))
        });
        format!(
            "{}, {}: {}.",
            g.name,
            words::people(g.people.len()),
            words::list(&values.collect::<Vec<_>>())
        )
    };
    report.groups.iter().map(group).collect::<Vec<_>>().join(" ")
}

fn over_time(report: &Report) -> Strips<'_> {
    let lines = |m: usize| -> Vec<Line> {
        let of = |(i, g): (usize, &Group)| Line {
            values: g.timeline.series(m).map(|e| e.map(|e| e.mean)).collect(),
            band: Vec::new(),
            group: Some((i, g.name.clone())),
        };
        report.groups.iter().enumerate().map(of).collect()
    };
    let values = |lines: &[Line]| lines.iter().flat_map(|l| l.values.clone()).flatten().collect::<Vec<_>>();
    let emotions = (0..report.measures.labels().len()).flat_map(|m| values(&lines(m)));
    let most = reach(emotions);
    let strips = order(report)
        .map(|m| {
            let is_valence = Some(m) == report.measures.valence();
            let lines = lines(m);
            let scale = if is_valence {
                Scale::Valence(reach(values(&lines).into_iter()))
            } else {
                Scale::Share(most)
            };
            let name = report.measures.name(m).to_owned();
            Strip {
                hue: (!is_valence).then(|| hue(&name, m)),
                name: if is_valence { "Valence".to_owned() } else { name },
                note: if is_valence { "derived".to_owned() } else { String::new() },
                scale,
                height: if is_valence { 110.0 } else { 48.0 },
                lines,
                figure: String::new(),
                marks: Vec::new(),
            }
        })
        .collect();
    Strips {
        id: "comparison-chart".to_owned(),
        title: "The groups over time".to_owned(),
        description: format!("{} The values are in timeline.csv.", spoken(report)),
        length: report.groups.iter().map(|g| g.timeline.bins.len()).max().unwrap_or(1) as f64
            * report.width.seconds(),
        bin: report.width.seconds(),
        people: None,
        strips,
        events: &report.events,
        head: "",
    }
}

/// Means, and how far each group is from the first.
fn table(report: &Report) -> Markup {
    let (Some(comparison), Some(first)) = (&report.comparison, report.groups.first()) else {
        return html! {};
    };
    let value = |m: usize, v: f64| if Some(m) == report.measures.valence() { signed(v) } else { points(v) };
    html! {
        details class="data" {
            summary { "The same as a table, with differences to " (first.name) }
            div class="scroll" tabindex="0" {
                table {
                    caption {
                        "Mean over people [95 % interval by Student’s t]; below it the difference to " (first.name)
                        " in percentage points [95 % interval by Welch’s t]. Persons of different clips are taken as different people."
                    }
                    thead { tr {
                        th scope="col" { "group" } th scope="col" { "people" }
                        @for m in order(report) { th scope="col" { (report.measures.name(m)) } }
                    } }
                    tbody {
                        @for (i, group) in report.groups.iter().enumerate() {
                            tr {
                                th scope="row" { (group.name) }
                                td { (group.people.len()) }
                                @for m in order(report) {
                                    @let e = group.timeline.means.get(m).copied().unwrap_or_default();
                                    td {
                                        @if e.count == 0 { "–" } @else {
                                            (cell(report, m, Some(e.mean)))
                                            @if let Some((low, high)) = e.interval {
                                                br; small { "[" (cell(report, m, Some(low))) ", " (cell(report, m, Some(high))) "]" }
                                            }
                                            @if let Some(d) = i.checked_sub(1).and_then(|i| comparison.differences.get(i)?.get(m)) {
                                                br; (value(m, d.mean))
                                                @if let Some((low, high)) = d.interval {
                                                    br; small { "[" (value(m, low)) ", " (value(m, high)) "]" }
                                                }
                                            }
                                        }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}
