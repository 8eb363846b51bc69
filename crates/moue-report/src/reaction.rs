//! The reaction report: how an audience looked, second by second, as one page that opens offline.
//!
//! A [`Collector`] takes records one by one and keeps sums a time bin, never frames, so that hours fit in memory. It
//! ends as a [`Report`] of one or more groups of people, which is written as a page and tables:
//!
//! ```no_run
//! use moue_report::reaction::{Illustrations, Report, Settings};
//!
//! # fn main() -> Result<(), moue_report::reaction::Error> {
//! # let records: Vec<moue::Record> = Vec::new();
//! let report = Report::from_records(records, Settings::default(), Vec::new())?;
//! report.write("out".as_ref(), &Illustrations::default())?;
//! # Ok(())
//! # }
//! ```
//!
//! What the figures mean stands in `docs/reaction-report.md`. The rooms: `collector` reads into `bins`; `statistics`
//! has the intervals; `timeline`, `people`, `moments`, `changes` and `comparison` each answer one question of the page;
//! `tables` and `page` write it down.

mod bins;
mod changes;
mod collector;
mod comparison;
mod error;
mod events;
mod json_lines;
mod measures;
mod moments;
mod page;
mod people;
mod report;
mod settings;
mod statistics;
mod tables;
mod timeline;
mod write;

pub use collector::{Collector, Stream};
pub use error::Error;
pub use events::{Event, read_events};
pub use json_lines::LinesRead;
pub use moments::{FaceAt, Moment};
pub use report::{Group, Report};
pub use settings::Settings;
pub use write::{Illustrations, Written};
