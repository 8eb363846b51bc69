//! What one should know within a minute.

use maud::{Markup, html};

use super::words::{self, moment, percent, signed};
use crate::reaction::report::{Group, Report};

/// Headline, the finding in words, the key figures.
pub fn header(report: &Report) -> Markup {
    let people: usize = report.groups.iter().map(Group::people).sum();
    let clips: usize = report.groups.iter().map(|g| g.clips.len()).sum();
    html! {
        p class="eyebrow" { "Reaction report" }
        h1 { (report.settings.title) }
        p class="about" {
            @match report.groups.as_slice() {
                [only] if only.clips.len() == 1 => { (only.name) },
                [only] => { (only.name) ", " (words::counted(clips, "clip", "clips")) },
                groups => {
                    (groups.len()) " groups, " (words::counted(clips, "clip", "clips"))
                },
            }
            " · " (words::duration(report.length)) " · " (words::people(people))
        }
        @if let [only] = report.groups.as_slice() {
            p class="lede" { (finding(report, only)) }
            (figures(report, only))
        } @else {
            p class="lede" { (contrast(report)) }
        }
        @if !report.notes.is_empty() {
            ul class="notes" { @for note in &report.notes { li { (note) } } }
        }
    }
}

/// The main findings of one group in two sentences.
fn finding(report: &Report, group: &Group) -> Markup {
    if group.people.is_empty() {
        return html! { "Nobody was in view for long enough to be counted as a person." };
    }
    let neutral = report.measures.neutral();
    let expressive = group.moments.iter().find(|m| Some(m.measure) != neutral);
    html! {
        @if let Some(peak) = expressive {
            "Faces looked most " strong { (peak.emotion) } " around " strong { (moment(peak.time, report.length)) }
            ": " (percent(peak.level)) " against " (percent(peak.baseline)) " usually. "
        } @else {
            "No emotion rose by more than 5 percentage points above what was usual. "
        }
        @if let Some(mean) = report.measures.valence().and_then(|m| group.timeline.means.get(m)) {
            "Overall the expressions were " (leaning(mean.mean, mean.interval))
            @if swings(report, group) { ", but they swung between clearly pleasant and clearly unpleasant" }
            ", and "
        } @else {
            "On average "
        }
        @if group.presence.seats == 1 {
            "a face was in view for " (percent(group.presence.share)) " of the time."
        } @else {
            (format!("{:.1}", group.presence.mean_in_view())) " of " (words::people(group.presence.seats)) " were in view."
        }
    }
}

/// What a valence amounts to in words. An interval that holds 0 says nothing either way.
fn leaning(mean: f64, interval: Option<(f64, f64)>) -> &'static str {
    match interval {
        Some((low, high)) if low <= 0.0 && high >= 0.0 => "neither clearly pleasant nor clearly unpleasant",
        None if mean.abs() < 0.05 => "neither pleasant nor unpleasant",
        _ if mean > 0.0 => "more pleasant than unpleasant",
        _ => "more unpleasant than pleasant",
    }
}

/// How far valence lies from 0 on both sides before a mean near 0 is said to come of swings.
const SWING: f64 = 0.2;

/// Whether valence lay clearly on both sides of 0, in bins of the timeline: the mean then describes neither.
fn swings(report: &Report, group: &Group) -> bool {
    let values = || report.measures.valence().into_iter().flat_map(|m| group.timeline.series(m)).flatten();
    values().any(|v| v.mean >= SWING) && values().any(|v| v.mean <= -SWING)
}

/// The key figures of a group.
pub fn figures(report: &Report, group: &Group) -> Markup {
    let p = &group.presence;
    let valence = report.measures.valence().and_then(|m| group.timeline.means.get(m));
    let neutral = report.measures.neutral();
    let peak = group.moments.iter().find(|m| Some(m.measure) != neutral);
    html! {
        dl class="figures" {
            div {
                dt { "People" }
                dd { (group.people.len()) }
                dd class="small" {
                    @if p.short > 0 {
                        (words::counted(p.short, "more face", "more faces")) " seen for less than " (seconds(p.enough)) ", left out"
                    } @else {
                        "each in view for " (seconds(p.enough)) " or more"
                    }
                }
            }
            div {
                dt { "Attention" }
                dd { (percent(p.share)) }
                dd class="small" {
                    (format!("{:.1}", p.mean_in_view())) " of " (p.seats) " faces in view on average"
                    @if !p.seats_known { " (" (p.seats) " is the most at once)" }
                }
            }
            @if let Some(valence) = valence.filter(|v| v.count > 0) {
                div {
                    dt { "Valence, derived" }
                    dd { (signed(valence.mean)) }
                    dd class="small" {
                        @if let Some((low, high)) = valence.interval {
                            "95 % interval " (signed(low)) " to " (signed(high)) ", over people"
                        } @else {
                            "one person, so no interval"
                        }
                    }
                }
            }
            @if let Some(peak) = peak {
                div {
                    dt { "Largest peak" }
                    dd { (moment(peak.time, report.length)) }
                    dd class="small" { (peak.emotion) " " (percent(peak.level)) ", usually " (percent(peak.baseline)) }
                }
            }
        }
    }
}

/// A time in view, to the hundredth.
fn seconds(value: f64) -> String {
    words::span((100.0 * value).round() / 100.0)
}

/// What sets groups apart, of the measures whose interval excludes no difference.
fn contrast(report: &Report) -> Markup {
    let (Some(comparison), Some(first)) = (&report.comparison, report.groups.first()) else {
        return html! {};
    };
    let mut clear = Vec::new();
    for (group, differences) in report.groups.iter().skip(1).zip(&comparison.differences) {
        for (m, d) in differences.iter().enumerate() {
            if let Some((low, high)) = d.interval
                && (low > 0.0 || high < 0.0)
            {
                clear.push((group, m, d.mean, low, high));
            }
        }
    }
    clear.sort_by(|a, b| b.2.abs().total_cmp(&a.2.abs()));
    let value = |m: usize, v: f64| {
        if Some(m) == report.measures.valence() { signed(v) } else { format!("{} points", words::points(v)) }
    };
    html! {
        @if comparison.differences.iter().flatten().all(|d| d.interval.is_none()) {
            "With fewer than two people in a group, nothing can be said about how groups differ."
        } @else if clear.is_empty() {
            "No difference to " strong { (first.name) } " is larger than what these few people leave open."
        } @else {
            @for (group, m, mean, low, high) in clear.iter().take(2) {
                strong { (group.name) } " shows "
                @if *mean > 0.0 { "more " } @else { "less " }
                strong { (report.measures.name(*m)) } " than " (first.name) ": " (value(*m, *mean))
                " (95 % interval " (value(*m, *low)) " to " (value(*m, *high)) "). "
            }
        }
    }
}
