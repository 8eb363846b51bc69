//! The figures of the page as CSV (RFC 4180, lines ended by a line feed).

use std::fmt::Write as _;

use super::Report;
use super::statistics::Estimate;
use crate::records::quote;

/// A table to download.
pub(super) struct Table {
    pub file: &'static str,
    /// What is in it.
    pub about: &'static str,
    pub text: String,
}

/// All tables that have rows.
pub(super) fn tables(report: &Report) -> Vec<Table> {
    let mut tables = vec![
        Table { file: "timeline.csv", about: "The audience, bin by bin", text: timeline(report) },
        Table { file: "people.csv", about: "A row a person", text: people(report) },
        Table {
            file: "person_timeline.csv",
            about: "Each person, bin by bin",
            text: person_timeline(report),
        },
        Table { file: "moments.csv", about: "The peaks of each emotion", text: moments(report) },
    ];
    if !report.events.is_empty() {
        let text = changes(report);
        tables.push(Table { file: "event_changes.csv", about: "Before and after each event", text });
    }
    if report.comparison.is_some() {
        tables.push(Table {
            file: "comparison.csv",
            about: "Groups against the first",
            text: comparison(report),
        });
    }
    tables
}

struct Csv {
    text: String,
    at_start: bool,
}

impl Csv {
    fn new(header: &str) -> Self {
        Self { text: header.to_owned(), at_start: false }
    }

    fn cell(&mut self, text: &str) -> &mut Self {
        self.separate();
        quote(&mut self.text, text);
        self
    }

    fn number(&mut self, value: f64) -> &mut Self {
        self.separate();
        // Writing to a string cannot fail. Five places hold a probability and a millisecond; -0 is 0.
        let rounded = (value * 1e5).round() / 1e5 + 0.0;
        let _ = write!(self.text, "{rounded}");
        self
    }

    fn optional(&mut self, value: Option<f64>) -> &mut Self {
        match value {
            Some(value) => self.number(value),
            None => self.cell(""),
        }
    }

    /// Mean, low and high; empty where there is none.
    fn estimate(&mut self, estimate: Option<&Estimate>) -> &mut Self {
        let there = estimate.filter(|e| e.count > 0);
        self.optional(there.map(|e| e.mean));
        let interval = there.and_then(|e| e.interval);
        self.optional(interval.map(|i| i.0)).optional(interval.map(|i| i.1))
    }

    fn end(&mut self) {
        self.text.push('\n');
        self.at_start = true;
    }

    fn separate(&mut self) {
        if !std::mem::take(&mut self.at_start) && !self.text.is_empty() {
            self.text.push(',');
        }
    }
}

/// A column, or three, a measure.
fn headed(columns: &str, report: &Report, with_interval: bool) -> Csv {
    let mut csv = Csv::new(columns);
    for measure in 0..report.measures.count() {
        let name = report.measures.name(measure);
        csv.cell(name);
        if with_interval {
            csv.cell(&format!("{name}_low")).cell(&format!("{name}_high"));
        }
    }
    csv.end();
    csv
}

fn timeline(report: &Report) -> String {
    let mut csv = headed("group,start,end,people,faces_in_view,attention", report, true);
    for group in &report.groups {
        let line = &group.timeline;
        for (i, bin) in line.bins.iter().enumerate() {
            csv.cell(&group.name).number(line.start(i)).number(line.start(i + 1)).number(bin.people as f64);
            csv.optional(bin.faces).optional(bin.attention);
            for estimate in &bin.estimates {
                csv.estimate(Some(estimate));
            }
            csv.end();
        }
    }
    csv.text
}

fn people(report: &Report) -> String {
    let uncertain = if report.judged { ",share_uncertain" } else { "" };
    let columns = format!("group,source,person,seconds_in_view,share_in_view{uncertain}");
    let mut csv = headed(&columns, report, false);
    for group in &report.groups {
        for person in &group.people {
            let source = group.clips.get(person.clip).map_or("", String::as_str);
            csv.cell(&group.name).cell(source).number(person.id as f64);
            csv.number(person.seconds).number(person.share);
            if report.judged {
                csv.number(person.uncertain);
            }
            for &mean in &person.means {
                csv.number(mean);
            }
            csv.end();
        }
    }
    csv.text
}

fn person_timeline(report: &Report) -> String {
    let uncertain = if report.judged { ",seconds_uncertain" } else { "" };
    let mut csv = headed(&format!("group,source,person,start,end,seconds_in_view{uncertain}"), report, false);
    for group in &report.groups {
        for person in &group.people {
            let source = group.clips.get(person.clip).map_or("", String::as_str);
            for bin in &person.bins {
                csv.cell(&group.name).cell(source).number(person.id as f64);
                csv.number(group.timeline.start(bin.bin)).number(group.timeline.start(bin.bin + 1));
                csv.number(bin.seconds);
                if report.judged {
                    csv.number(bin.uncertain);
                }
                for &mean in &bin.means {
                    csv.number(mean);
                }
                csv.end();
            }
        }
    }
    csv.text
}

fn moments(report: &Report) -> String {
    let mut csv = Csv::new("group,emotion,time,from,to,level,baseline,rise,people,source,person");
    csv.end();
    for group in &report.groups {
        for m in &group.moments {
            csv.cell(&group.name).cell(&m.emotion).number(m.time).number(m.span.0).number(m.span.1);
            csv.number(m.level).number(m.baseline).number(m.rise()).number(m.people as f64);
            csv.cell(&m.face.source).number(m.face.id as f64).end();
        }
    }
    csv.text
}

fn changes(report: &Report) -> String {
    let mut csv = Csv::new("event,time,group,people,measure,before,after,change,change_low,change_high");
    csv.end();
    for group in &report.groups {
        for change in &group.changes {
            let Some(event) = report.events.get(change.event) else { continue };
            for measure in 0..report.measures.count() {
                csv.cell(&event.name).number(event.time).cell(&group.name).number(change.people() as f64);
                csv.cell(report.measures.name(measure));
                let mean = |e: &[Estimate]| e.get(measure).filter(|e| e.count > 0).map(|e| e.mean);
                csv.optional(mean(&change.before)).optional(mean(&change.after));
                csv.estimate(change.difference.get(measure)).end();
            }
        }
    }
    csv.text
}

fn comparison(report: &Report) -> String {
    let mut csv = Csv::new("group,people,measure,mean,low,high,above_first,above_first_low,above_first_high");
    csv.end();
    let Some(comparison) = &report.comparison else { return csv.text };
    for (i, group) in report.groups.iter().enumerate() {
        for (measure, mean) in group.timeline.means.iter().enumerate() {
            csv.cell(&group.name).number(group.people.len() as f64).cell(report.measures.name(measure));
            csv.estimate(Some(mean));
            let others = i.checked_sub(1).and_then(|i| comparison.differences.get(i));
            let comparable = others.filter(|_| group.people() > 0 && report.groups[0].people() > 0);
            csv.estimate(comparable.and_then(|d| d.get(measure))).end();
        }
    }
    csv.text
}
