//! Peaks.

use maud::{Markup, html};

use super::hues::hue;
use super::words::{moment, percent, points};
use super::{anchor, data_uri, words};
use crate::reaction::Illustrations;
use crate::reaction::moments::Moment;
use crate::reaction::report::{Group, Report};

/// The section of a group.
pub fn section(report: &Report, group: &Group, number: usize, pictures: &Illustrations) -> Markup {
    html! {
        section id=(anchor("moments", number)) {
            h2 { "Peaks" @if report.groups.len() > 1 { span class="of" { " · " (group.name) } } }
            p class="how" {
                "When an emotion rose furthest above its own baseline: the median over the clip. Levels are means over people, averaged over up to two \
                 seconds; rises under 5 percentage points are not listed, nor are moments at which fewer than half as many people as usual were in view."
                @if (0..group.moments.len()).any(|i| pictures.get(number, i).is_some()) {
                    " The pictures show the person who showed the emotion most, in the frame in which it was most probable."
                }
            }
            @if group.moments.is_empty() {
                p { "Nothing rose that far." }
            } @else {
                div class="moments" {
                    @for m in 0..report.measures.labels().len() {
                        @let of: Vec<(usize, &Moment)> =
                            group.moments.iter().enumerate().filter(|(_, p)| p.measure == m).collect();
                        @if !of.is_empty() {
                            section class={ "emotion h" (hue(report.measures.name(m), m)) } {
                                h3 { span class="swatch" {} (report.measures.name(m))
                                    span class="usual" { "usually " (percent(of[0].1.baseline)) } }
                                ol { @for (i, peak) in of { (item(peak, report.length, pictures.get(number, i))) } }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn item(peak: &Moment, length: f64, picture: Option<(&'static str, &[u8])>) -> Markup {
    let (from, to) = peak.span;
    html! {
        li {
            @if let Some((media_type, bytes)) = picture {
                img src=(data_uri(media_type, bytes)) alt={ "The face that showed it most, person " (peak.face.id) } width="72" height="72";
            }
            div {
                p class="when" { (moment(peak.time, length)) span { (moment(from, length)) "–" (moment(to, length)) } }
                (bar(peak))
                p class="what" {
                    strong { (percent(peak.level)) } ", " (points(peak.rise())) " points · " (words::people(peak.people)) " in view"
                }
            }
        }
    }
}

/// The level as a bar, the baseline as a notch in it.
fn bar(peak: &Moment) -> Markup {
    let place = |p: f64| super::plot::at(200.0 * p.clamp(0.0, 1.0));
    html! {
        svg class="bar" viewBox="0 0 200 8" preserveAspectRatio="none" aria-hidden="true" focusable="false" {
            rect class="track" x="0" y="0" width="200" height="8" {}
            rect class="level" x="0" y="0" width=(place(peak.level)) height="8" {}
            rect class="notch" x=(place(peak.baseline)) y="0" width="2" height="8" {}
        }
    }
}
