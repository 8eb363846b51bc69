//! Each person: a lane of the expression that was most probable, and valence above it.

use maud::{Markup, html};

use super::hues::hue;
use super::plot::{self, LEFT, RIGHT, TimeAxis, UpAxis, WIDTH, at};
use super::strips::{Line, Scale, Strip, Strips, reach};
use super::timeline::cell;
use super::words::{self, clock, percent, shortened, signed};
use super::{anchor, words::list};
use crate::reaction::people::Person;
use crate::reaction::report::{Group, Report};

/// Lanes of a group, and of a page with many groups; all people are in the tables beside the page.
const LANES: usize = 40;
const LANES_OF_ALL: usize = 120;
/// Rows of the table in the page.
const ROWS: usize = 200;
/// Pieces of a lane, at most.
const PIECES: usize = 140;

/// The section of a group.
pub fn section(report: &Report, group: &Group, number: usize) -> Markup {
    let shown = longest(group, LANES.min(LANES_OF_ALL / report.groups.len()));
    let id = anchor("people", number);
    let length = group.timeline.bins.len() as f64 * group.timeline.width.seconds();
    html! {
        section id=(id) {
            h2 { "Person by person" @if report.groups.len() > 1 { span class="of" { " · " (group.name) } } }
            @if group.people.is_empty() {
                p { "Nobody was in view for long enough to count." }
            } @else {
                p class="how" {
                    "The ribbon names the most probable expression"
                    @if report.measures.valence().is_some() { "; the curve above it is valence, up for pleasant" }
                    ". Gaps: the face was not in view."
                    @if report.judged { " Dashed: mostly uncertain, less probable than was asked for, so that no expression is named." }
                    " Open a person for all emotions."
                    @if group.people.len() > shown.len() {
                        " Shown are the " (shown.len()) " of " (group.people.len()) " who were longest in view."
                    }
                }
                div class="lanes" {
                    (axis(length))
                    @for person in shown { (lane(report, group, person, &format!("{id}-{}-{}", person.clip, person.id), length)) }
                }
                (table(report, group))
            }
        }
    }
}

/// The people who were longest in view, in their usual order.
fn longest(group: &Group, most: usize) -> Vec<&Person> {
    let mut people: Vec<&Person> = group.people.iter().collect();
    if people.len() > most {
        people.sort_by(|a, b| b.seconds.total_cmp(&a.seconds));
        people.truncate(most);
        people.sort_by_key(|p| (p.clip, p.id));
    }
    people
}

fn axis(length: f64) -> Markup {
    let time = TimeAxis { length };
    html! {
        svg class="lane-axis" viewBox={ "0 0 " (at(WIDTH)) " 20" } aria-hidden="true" focusable="false" {
            @for tick in time.ticks() {
                text x=(at(time.x(tick))) y="14" text-anchor="middle" { (clock(tick)) }
            }
            text x=(at(WIDTH)) y="14" text-anchor="end" { "valence" }
        }
    }
}

/// A measure of a person bin by bin.
fn series(person: &Person, measure: usize, bins: usize) -> Vec<Option<f64>> {
    let mut values = vec![None; bins];
    for bin in &person.bins {
        if let (Some(place), Some(value)) = (values.get_mut(bin.bin), bin.means.get(measure)) {
            *place = Some(*value);
        }
    }
    values
}

fn lane(report: &Report, group: &Group, person: &Person, id: &str, length: f64) -> Markup {
    const HEIGHT: f64 = 58.0;
    let time = TimeAxis { length };
    let bins = group.timeline.bins.len();
    let width = group.timeline.width.seconds();
    let valence = report.measures.valence().map(|m| (m, series(person, m, bins)));
    let up = UpAxis { top: 3.0, height: 34.0, low: -1.0, high: 1.0 };
    let label = summary(report, person);
    html! {
        details class="person" {
            summary {
                svg viewBox={ "0 0 " (at(WIDTH)) " " (at(HEIGHT)) } role="img" aria-label=(label) {
                    text class="name" x="14" y="24" { (shortened(&person.name, 17)) }
                    text class="note" x="14" y="41" { "in view " (percent(person.share)) }
                    @if let Some((_, values)) = &valence {
                        line class="base" x1=(at(LEFT)) x2=(at(RIGHT)) y1=(at(up.y(0.0))) y2=(at(up.y(0.0))) {}
                        path class="area" d=(plot::area(values, 0.0, width, time, up)) {}
                        path class="line" d=(plot::line(values, width, time, up)) {}
                    }
                    @for piece in pieces(report, person, bins) { (piece.render(report, time, width)) }
                    @if let Some((m, _)) = valence {
                        text class="figure" x=(at(WIDTH)) y="36" text-anchor="end" { (signed(person.means[m])) }
                    }
                }
            }
            (chart(report, group, person, id).render())
        }
    }
}

/// A lane in words.
fn summary(report: &Report, person: &Person) -> String {
    let mut ranked: Vec<usize> = (0..report.measures.labels().len()).collect();
    ranked.sort_by(|&a, &b| person.means[b].total_cmp(&person.means[a]));
    let top: Vec<String> = ranked
        .iter()
        .take(3)
        .map(|&m| format!("{} {}", report.measures.name(m), percent(person.means[m])))
        .collect();
    let uncertain = match report.judged {
        true => format!(", uncertain for {} of that", percent(person.uncertain)),
        false => String::new(),
    };
    format!(
        "{}: in view for {} ({}){uncertain}; on average {}.",
        person.name,
        words::duration(person.seconds),
        percent(person.share),
        list(&top)
    )
}

/// A stretch of one expression.
struct Piece {
    start: usize,
    end: usize,
    /// `None` where nothing should be said.
    label: Option<usize>,
}

/// The most probable label over time, of a few bins together so that the ribbon does not flicker. Where the face is
/// uncertain for half of the time or more, there is none.
fn pieces(report: &Report, person: &Person, bins: usize) -> Vec<Piece> {
    let factor = bins.div_ceil(PIECES).max(1);
    let columns: Vec<Vec<Option<f64>>> = (0..report.measures.labels().len())
        .map(|m| plot::coarser(&series(person, m, bins), factor))
        .collect();
    let mut unsaid = vec![None; bins];
    for bin in &person.bins {
        if let Some(place) = unsaid.get_mut(bin.bin) {
            *place = Some(bin.uncertain / bin.seconds);
        }
    }
    let unsaid = plot::coarser(&unsaid, factor);
    let mut pieces: Vec<Piece> = Vec::new();
    for i in 0..bins.div_ceil(factor) {
        let values = columns.iter().enumerate().filter_map(|(m, c)| Some((m, c.get(i).copied().flatten()?)));
        let Some((label, _)) = values.max_by(|a, b| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0))) else {
            continue;
        };
        let said = unsaid.get(i).copied().flatten().is_none_or(|share| share < 0.5);
        let label = said.then_some(label);
        let (start, end) = (i * factor, ((i + 1) * factor).min(bins));
        match pieces.last_mut() {
            Some(last) if last.end == start && last.label == label => last.end = end,
            _ => pieces.push(Piece { start, end, label }),
        }
    }
    pieces
}

impl Piece {
    fn render(&self, report: &Report, time: TimeAxis, bin: f64) -> Markup {
        let (from, to) = (self.start as f64 * bin, self.end as f64 * bin);
        let (x, end) = (time.x(from), time.x(to));
        let (name, class) = match self.label {
            Some(label) => {
                let name = report.measures.name(label);
                (name, format!("piece h{}", hue(name, label)))
            }
            None => (moue::Face::UNCERTAIN, "piece unsaid".to_owned()),
        };
        let fits = end - x > 6.1 * name.chars().count() as f64 + 6.0;
        html! {
            g class=(class) {
                title { (name) ", " (clock(from)) "–" (clock(to)) }
                rect x=(at(x)) y="40" width=(at((end - x - 0.7).max(0.7))) height="16" {}
                @if fits { text x=(at((x + end) / 2.0)) y="51.5" text-anchor="middle" { (name) } }
            }
        }
    }
}

/// All measures of one person, coarser than the audience's chart.
fn chart<'a>(report: &'a Report, group: &Group, person: &Person, id: &str) -> Strips<'a> {
    let bins = group.timeline.bins.len();
    let factor = bins.div_ceil(240).max(1);
    let line = |m| {
        let values = plot::coarser(&series(person, m, bins), factor);
        Line { values, band: Vec::new(), group: None }
    };
    let mut strips = Vec::new();
    if let Some(m) = report.measures.valence() {
        let shown = line(m);
        let most = reach(shown.values.iter().flatten().copied());
        strips.push(Strip {
            name: "Valence".to_owned(),
            note: "derived".to_owned(),
            hue: None,
            scale: Scale::Valence(most),
            height: 56.0,
            lines: vec![shown],
            figure: cell(report, m, person.means.get(m).copied()),
            marks: Vec::new(),
        });
    }
    let emotions: Vec<Line> = (0..report.measures.labels().len()).map(line).collect();
    let most = reach(emotions.iter().flat_map(|l| l.values.iter().flatten().copied()));
    for (m, shown) in emotions.into_iter().enumerate() {
        let name = report.measures.name(m).to_owned();
        strips.push(Strip {
            hue: Some(hue(&name, m)),
            name,
            note: String::new(),
            scale: Scale::Share(most),
            height: 28.0,
            lines: vec![shown],
            figure: cell(report, m, person.means.get(m).copied()),
            marks: Vec::new(),
        });
    }
    Strips {
        id: id.to_owned(),
        title: format!("{} over time", person.name),
        description: summary(report, person),
        length: bins as f64 * group.timeline.width.seconds(),
        bin: group.timeline.width.seconds() * factor as f64,
        people: None,
        strips,
        events: &report.events,
        head: "mean",
    }
}

fn table(report: &Report, group: &Group) -> Markup {
    html! {
        details class="data" {
            summary { "The same as a table" }
            div class="scroll" tabindex="0" {
                table {
                    caption { "Means over the time that each person was in view"
                        @if group.people.len() > ROWS { ", of the " (ROWS) " longest in view; people.csv has all" }
                        "; person_timeline.csv has every bin." }
                    thead { tr {
                        th scope="col" { "person" } th scope="col" { "in view" } th scope="col" { "share" }
                        @if report.judged { th scope="col" { "uncertain" } }
                        @for m in 0..report.measures.count() { th scope="col" { (report.measures.name(m)) } }
                    } }
                    tbody {
                        @for person in longest(group, ROWS) {
                            tr {
                                th scope="row" { (person.name) }
                                td { (words::duration(person.seconds)) }
                                td { (percent(person.share)) }
                                @if report.judged { td { (percent(person.uncertain)) } }
                                @for (m, &mean) in person.means.iter().enumerate() { td { (cell(report, m, Some(mean))) } }
                            }
                        }
                    }
                }
            }
        }
    }
}
