//! What changed at events.

use maud::{Markup, html};

use super::anchor;
use super::timeline::cell;
use super::words::{self, clock, points, signed};
use crate::reaction::changes::Change;
use crate::reaction::report::{Group, Report};
use crate::reaction::statistics::Estimate;

/// The section of a group.
pub fn section(report: &Report, group: &Group, number: usize) -> Markup {
    let window = words::span(report.settings.window);
    let changes: Vec<&Change> = group.changes.iter().collect();
    html! {
        section id=(anchor("events", number)) {
            h2 { "Events" @if report.groups.len() > 1 { span class="of" { " · " (group.name) } } }
            p class="how" {
                "How the " (window) " after an event differ from the " (window) " before it: the mean of each person's own change, in percentage \
                 points (valence: in its own units). " strong class="clear" { "Framed" } " where its 95 % interval excludes no change and it is a point or more. Of twenty \
                 such cells one is framed by chance alone, and an event is not the only thing that happens at its time."
            }
            @if changes.iter().all(|c| c.people() == 0) {
                p { "Nobody was in view both before and after an event." }
            } @else {
                div class="scroll" tabindex="0" {
                    table class="changes" {
                        caption class="quiet" { "Change from before to after each event" }
                        thead { tr {
                            th scope="col" { "Event" }
                            th scope="col" { "people" }
                            @for m in order(report) { th scope="col" { (report.measures.name(m)) } }
                        } }
                        tbody { @for change in &changes { (row(report, change)) } }
                    }
                }
                (details(report, &changes))
            }
        }
    }
}

/// Valence first, as on the timeline.
fn order(report: &Report) -> impl Iterator<Item = usize> {
    report.measures.valence().into_iter().chain(0..report.measures.labels().len())
}

fn row(report: &Report, change: &Change) -> Markup {
    html! {
        tr {
            (head(report, change))
            td { (change.people()) }
            @for m in order(report) {
                @if let Some(difference) = change.difference.get(m) { (tinted(report, m, difference)) }
            }
        }
    }
}

fn head(report: &Report, change: &Change) -> Markup {
    html! {
        @if let Some(event) = report.events.get(change.event) {
            th scope="row" {
                span class="number" { (change.event + 1) } (event.name) " " span class="time" { (clock(event.time)) }
            }
        }
    }
}

/// A cell whose tint grows with the change and whose frame says that it is clear.
fn tinted(report: &Report, m: usize, difference: &Estimate) -> Markup {
    if difference.count == 0 {
        return html! { td { "–" } };
    }
    let text =
        if Some(m) == report.measures.valence() { signed(difference.mean) } else { points(difference.mean) };
    // Full tint from a change of 40 points on.
    let strength = (difference.mean.abs() / 0.4).min(1.0) * 60.0;
    let side = if difference.mean >= 0.0 { "up" } else { "down" };
    let clear = is_clear(difference) && !["0", "0.00"].contains(&text.as_str());
    let interval = match difference.interval {
        Some((low, high)) => format!("95 % interval {} to {}", value(report, m, low), value(report, m, high)),
        None => "one person, no interval".to_owned(),
    };
    html! {
        td class=(side) style={ "--s:" (format!("{strength:.0}")) "%" } title=(interval) {
            @if clear { strong class="clear" { (text) } } @else { (text) }
        }
    }
}

fn value(report: &Report, m: usize, v: f64) -> String {
    if Some(m) == report.measures.valence() { signed(v) } else { points(v) }
}

fn is_clear(difference: &Estimate) -> bool {
    difference.interval.is_some_and(|(low, high)| low > 0.0 || high < 0.0)
}

fn details(report: &Report, changes: &[&Change]) -> Markup {
    html! {
        details class="data" {
            summary { "Before and after, with intervals" }
            div class="scroll" tabindex="0" {
                table {
                    caption { "Means over the people who were in view on both sides of the event." }
                    thead { tr {
                        th scope="col" { "event" } th scope="col" { "measure" } th scope="col" { "before" } th scope="col" { "after" }
                        th scope="col" { "change" } th scope="col" { "95 % interval" }
                    } }
                    tbody {
                        @for change in changes.iter().filter(|c| c.people() > 0) {
                            @for m in order(report) {
                                @let d = change.difference.get(m).copied().unwrap_or_default();
                                tr {
                                    (head(report, change))
                                    td class="text" { (report.measures.name(m)) }
                                    td { (cell(report, m, change.before.get(m).map(|e| e.mean))) }
                                    td { (cell(report, m, change.after.get(m).map(|e| e.mean))) }
                                    td { (value(report, m, d.mean)) }
                                    td {
                                        @if let Some((low, high)) = d.interval { (value(report, m, low)) " to " (value(report, m, high)) }
                                        @else { "–" }
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
