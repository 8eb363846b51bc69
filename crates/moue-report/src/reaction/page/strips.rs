//! The chart of the page: strips of one measure each, one below the other, over a common time.

use maud::{Markup, PreEscaped, html};
use serde::Serialize;

use super::plot::{self, LEFT, RIGHT, TimeAxis, UpAxis, WIDTH, at};
use super::words::{clock, moment, shortened};
use crate::reaction::Event;

/// A chart.
pub struct Strips<'a> {
    /// Unique in the page.
    pub id: String,
    /// What it shows, and what is to be seen: read aloud in place of the picture.
    pub title: String,
    pub description: String,
    /// Seconds of the time axis and of a bin.
    pub length: f64,
    pub bin: f64,
    /// People in view by bin, where the chart is about several.
    pub people: Option<Vec<usize>>,
    pub strips: Vec<Strip>,
    pub events: &'a [Event],
    /// Head of the column of figures on the right.
    pub head: &'static str,
}

/// How a measure is scaled and written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scale {
    /// A share from 0 to the given one.
    Share(f64),
    /// -1 to 1, cut to plus and minus the given value.
    Valence(f64),
}

/// One measure.
pub struct Strip {
    pub name: String,
    /// A smaller line below the name.
    pub note: String,
    pub hue: Option<usize>,
    pub scale: Scale,
    pub height: f64,
    pub lines: Vec<Line>,
    /// The figure on the right.
    pub figure: String,
    /// Peaks: time and level.
    pub marks: Vec<(f64, f64)>,
}

/// One line of a strip.
pub struct Line {
    pub values: Vec<Option<f64>>,
    /// 95 % intervals, where there are any.
    pub band: Vec<Option<(f64, f64)>>,
    /// Of one of several groups: its number and its name.
    pub group: Option<(usize, String)>,
}

const GAP: f64 = 13.0;
const EVENT_ROW: f64 = 17.0;
const EVENT_ROWS: usize = 3;

/// A round scale that holds these values.
pub fn reach(values: impl Iterator<Item = f64>) -> f64 {
    let most = values.map(f64::abs).fold(0.0, f64::max);
    [0.25, 0.4, 0.5, 0.6, 0.8].into_iter().find(|&r| most <= r).unwrap_or(1.0)
}

impl Strips<'_> {
    /// The picture, with the values for the script that follows the pointer.
    pub fn render(&self) -> Markup {
        let time = TimeAxis { length: self.length };
        let labels = self.event_labels(time);
        let rows = labels.iter().map(|l| l.row + 1).max().unwrap_or(0);
        let top = 22.0 + rows as f64 * EVENT_ROW;
        let mut y = top;
        let panels: Vec<(&Strip, UpAxis)> = self
            .strips
            .iter()
            .map(|strip| {
                let (low, high) = match strip.scale {
                    Scale::Share(most) => (0.0, most),
                    Scale::Valence(most) => (-most, most),
                };
                let up = UpAxis { top: y, height: strip.height, low, high };
                y += strip.height + GAP;
                (strip, up)
            })
            .collect();
        let bottom = y - GAP;
        let height = bottom + 30.0;
        let (title, description) = (format!("{}-title", self.id), format!("{}-desc", self.id));
        html! {
            (self.legend())
            div class="chart" {
                svg id=(self.id) class="strips" viewBox={ "0 0 " (at(WIDTH)) " " (at(height)) } role="img"
                    aria-labelledby={ (title) " " (description) } {
                    title id=(title) { (self.title) }
                    desc id=(description) { (self.description) }
                    g class="axis" {
                        @for tick in time.ticks() {
                            @let x = at(time.x(tick));
                            line class="grid" x1=(x) x2=(x) y1=(at(top)) y2=(at(bottom)) {}
                            text x=(x) y=(at(bottom + 19.0)) text-anchor="middle" { (clock(tick)) }
                        }
                        text class="head" x=(at(WIDTH)) y=(at(top - 10.0)) text-anchor="end" { (self.head) }
                    }
                    @for (i, (strip, up)) in panels.iter().enumerate() { (strip.render(i, *up, time, self.bin)) }
                    (self.nobody(time, top, bottom))
                    g class="events" {
                        @for label in &labels { (label.render(top, bottom)) }
                    }
                }
                @if self.people.is_some() {
                    output class="reading" for=(self.id) aria-live="polite" {}
                    script type="application/json" data-for=(self.id) { (PreEscaped(self.data(top, bottom))) }
                }
            }
        }
    }

    /// Which line is which group.
    fn legend(&self) -> Markup {
        let groups: Vec<&(usize, String)> = self
            .strips
            .first()
            .map_or(Vec::new(), |s| s.lines.iter().filter_map(|l| l.group.as_ref()).collect());
        html! {
            @if !groups.is_empty() {
                ul class="legend" {
                    @for (group, name) in groups {
                        li class={ "h" (super::hues::group_hue(*group)) } {
                            svg viewBox="0 0 44 10" aria-hidden="true" focusable="false" {
                                path class={ "line d" (group % 8) } d="M1 5L43 5" {}
                            }
                            (name)
                        }
                    }
                }
            }
        }
    }

    /// Hatching over the times at which nobody was in view.
    fn nobody(&self, time: TimeAxis, top: f64, bottom: f64) -> Markup {
        let empty: Vec<Option<()>> = match &self.people {
            Some(people) => people.iter().map(|n| (*n == 0).then_some(())).collect(),
            None => Vec::new(),
        };
        html! {
            @for (start, run) in plot::runs(&empty) {
                @let x = time.x(start as f64 * self.bin);
                @let end = time.x((start + run.len()) as f64 * self.bin);
                rect class="nobody" x=(at(x)) y=(at(top)) width=(at(end - x)) height=(at(bottom - top)) {}
                @if end - x > 84.0 {
                    text class="nobody-label" x=(at((x + end) / 2.0)) y=(at(top + 16.0)) text-anchor="middle" {
                        "nobody in view"
                    }
                }
            }
        }
    }

    /// Names of events, each in the first row that has room.
    fn event_labels(&self, time: TimeAxis) -> Vec<EventLabel> {
        let mut free = [LEFT - 20.0; EVENT_ROWS];
        let mut labels = Vec::new();
        for (i, event) in self.events.iter().enumerate().filter(|(_, e)| e.time <= self.length) {
            let x = time.x(event.time);
            let text = shortened(&event.name, 26);
            let width = 7.0 * text.chars().count() as f64 + 24.0;
            let turned = x + width > WIDTH;
            let from = if turned { x - width } else { x - 8.0 };
            let row = free.iter().position(|&f| from >= f);
            let text = row.is_some().then_some(text);
            let row = row.unwrap_or(EVENT_ROWS - 1);
            if text.is_some() {
                free[row] = from + width + 10.0;
            }
            labels.push(EventLabel {
                number: i + 1,
                x,
                text,
                name: event.name.clone(),
                time: event.time,
                row,
                turned,
            });
        }
        labels
    }

    fn data(&self, top: f64, bottom: f64) -> String {
        #[derive(Serialize)]
        struct Data<'a> {
            left: f64,
            right: f64,
            top: f64,
            bottom: f64,
            length: f64,
            bin: f64,
            people: Option<&'a [usize]>,
            names: Vec<&'a str>,
            valence: Vec<bool>,
            values: Vec<Vec<Option<f64>>>,
        }
        let rounded = |v: &Option<f64>| v.map(|v| (v * 1000.0).round() / 1000.0);
        let values =
            |s: &Strip| s.lines.first().map_or(Vec::new(), |l| l.values.iter().map(rounded).collect());
        let data = Data {
            left: LEFT,
            right: RIGHT,
            top,
            bottom,
            length: self.length,
            bin: self.bin,
            people: self.people.as_deref(),
            names: self.strips.iter().map(|s| s.name.as_str()).collect(),
            valence: self.strips.iter().map(|s| matches!(s.scale, Scale::Valence(_))).collect(),
            values: self.strips.iter().map(values).collect(),
        };
        // Nothing in the text can end the script element.
        serde_json::to_string(&data).unwrap_or_default().replace('<', "\\u003c")
    }
}

struct EventLabel {
    number: usize,
    x: f64,
    /// `None` where there is no room for it.
    text: Option<String>,
    name: String,
    time: f64,
    row: usize,
    turned: bool,
}

impl EventLabel {
    fn render(&self, top: f64, bottom: f64) -> Markup {
        let x = at(self.x);
        let y = 12.0 + self.row as f64 * EVENT_ROW;
        let (text_x, anchor) = if self.turned { (self.x - 10.0, "end") } else { (self.x + 10.0, "start") };
        html! {
            g {
                title { (self.number) ". " (self.name) " at " (clock(self.time)) }
                line class="event" x1=(x) x2=(x) y1=(at(if self.text.is_some() { y } else { top - 4.0 })) y2=(at(bottom)) {}
                @if let Some(text) = &self.text {
                    circle class="event-dot" cx=(x) cy=(at(y)) r="7" {}
                    text class="event-number" x=(x) y=(at(y + 3.5)) text-anchor="middle" { (self.number) }
                    text class="event-name" x=(at(text_x)) y=(at(y + 4.0)) text-anchor=(anchor) { (text) }
                }
            }
        }
    }
}

impl Strip {
    fn render(&self, number: usize, up: UpAxis, time: TimeAxis, bin: f64) -> Markup {
        let class = self.hue.map_or("strip".to_owned(), |h| format!("strip h{h}"));
        let middle = up.top + up.height / 2.0;
        let (low, high, level) = match self.scale {
            Scale::Share(most) => ("0".to_owned(), format!("{:.0} %", 100.0 * most), 0.0),
            Scale::Valence(most) => (format!("−{most}"), format!("+{most}"), 0.0),
        };
        let several = self.lines.len() > 1 || self.lines.iter().any(|l| l.group.is_some());
        html! {
            g class=(class) {
                line class="base" x1=(at(LEFT)) x2=(at(RIGHT)) y1=(at(up.y(level))) y2=(at(up.y(level))) {}
                @if matches!(self.scale, Scale::Valence(_)) {
                    text class="side" x=(at(LEFT + 4.0)) y=(at(up.top + 9.0)) { "pleasant ↑" }
                    text class="side" x=(at(LEFT + 4.0)) y=(at(up.bottom() - 3.0)) { "unpleasant ↓" }
                }
                @for line in &self.lines { (line.render(up, time, bin, several)) }
                @for &(t, level) in &self.marks { (mark(time, t, up.y(level), up.top)) }
                text class="name" x="0" y=(at(middle + if self.note.is_empty() { 4.5 } else { -1.5 })) { (self.name) }
                @if !self.note.is_empty() { text class="note" x="0" y=(at(middle + 12.5)) { (self.note) } }
                text class="tick" x=(at(LEFT - 7.0)) y=(at(up.top + 7.0)) text-anchor="end" { (high) }
                text class="tick" x=(at(LEFT - 7.0)) y=(at(up.bottom() + 1.0)) text-anchor="end" { (low) }
                @if several {
                    (self.names_at_the_end(up))
                } @else {
                    text class="figure" data-strip=(number) x=(at(WIDTH)) y=(at(middle + 5.0)) text-anchor="end" { (self.figure) }
                }
            }
        }
    }

    /// The names of groups where their lines end, moved apart where they would lie on each other; in tall strips only,
    /// where there is room.
    fn names_at_the_end(&self, up: UpAxis) -> Markup {
        const LINE: f64 = 11.5;
        let named = self.lines.iter().filter_map(|l| l.group.as_ref().map(|(g, name)| (*g, name, l)));
        let mut ends: Vec<(f64, usize, &String)> = named
            .filter_map(|(g, name, l)| l.values.iter().rev().flatten().next().map(|&v| (up.y(v), g, name)))
            .collect();
        if up.height < 100.0 {
            return html! {};
        }
        ends.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut lowest = up.bottom() + 4.0 - LINE * ends.len().saturating_sub(1) as f64;
        let mut free = up.top;
        for end in &mut ends {
            end.0 = end.0.min(lowest).max(free);
            free = end.0 + LINE;
            lowest += LINE;
        }
        html! {
            @for (y, group, name) in ends {
                text class={ "end h" (super::hues::group_hue(group)) } x=(at(RIGHT + 6.0)) y=(at(y + 3.5)) {
                    (shortened(name, 14))
                }
            }
        }
    }
}

impl Line {
    fn render(&self, up: UpAxis, time: TimeAxis, bin: f64, several: bool) -> Markup {
        // Around zero the band alone is clearer.
        let is_valence = up.low < 0.0 && !self.band.is_empty();
        let line = plot::line(&self.values, bin, time, up);
        let band = plot::band(&self.band, bin, time, up);
        let class = match &self.group {
            Some((group, _)) => format!("line d{} h{}", group % 8, super::hues::group_hue(*group)),
            None => "line".to_owned(),
        };
        html! {
            @if !several && !is_valence { path class="area" d=(plot::area(&self.values, 0.0, bin, time, up)) {} }
            @if !band.is_empty() { path class="band" d=(band) {} }
            path class=(class) d=(line) {}
        }
    }
}

/// A peak: a small triangle above the line, and its time.
fn mark(axis: TimeAxis, time: f64, y: f64, top: f64) -> Markup {
    let x = axis.x(time);
    let y = (y - 4.0).max(top + 1.0);
    let path = format!("M{} {}l-4 -7h8Z", at(x), at(y));
    let (text_x, anchor) = if x > RIGHT - 50.0 { (x - 7.0, "end") } else { (x + 7.0, "start") };
    html! {
        path class="peak" d=(path) {}
        text class="peak-time" x=(at(text_x)) y=(at(y)) text-anchor=(anchor) { (moment(time, axis.length)) }
    }
}
