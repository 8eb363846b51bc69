//! `moue data check`: what is in a dataset, and what is wrong with it.

use std::fmt::Write as _;
use std::path::PathBuf;

use moue_data::{Check, Dataset, Duplicates, ReadOptions, SheetOptions, contact_sheet, ferplus};
use serde::Serialize;

use crate::failure::{Outcome, Result};
use crate::files::Files;
use crate::options::{DataSource, Json};
use crate::text::{counted, grouped};
use crate::{console, interrupt};

/// Say what is in a dataset, and what is wrong with it
///
/// Counts pictures by class and part; finds rows that cannot be read, empty pictures, equal pictures within and across the
/// parts, and those with different labels. The exit status is 1 where rows cannot be read.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  moue data check fer2013.csv.bz2 --sheet faces.png
  moue data check fer2013.csv --ferplus fer2013new.csv
  moue data check faces/ --json | jq .duplicates.leaks")]
pub struct Args {
    #[command(flatten)]
    data: DataSource,
    /// Draw a contact sheet: examples of every class and of what is wrong (.png or .jpg)
    #[arg(long, value_name = "FILE")]
    sheet: Option<PathBuf>,
    #[command(flatten)]
    json: Json,
}

/// The findings. Keys are part of the command's interface: add freely, rename none.
#[derive(Debug, Serialize)]
struct Report {
    #[serde(flatten)]
    check: Check,
    /// Rows that the list given names.
    #[serde(skip_serializing_if = "Option::is_none")]
    excluded: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ferplus: Option<FerPlus>,
}

/// What FER+ says of the rows.
#[derive(Debug, Serialize)]
struct FerPlus {
    /// Rows with votes.
    rows: usize,
    /// Rows that FER+ dropped.
    dropped: usize,
    /// Rows that most annotators take for no face.
    not_a_face: usize,
    /// Rows whose label got more votes than any other class.
    agreeing: usize,
}

pub fn run(args: Args) -> Result {
    let mut files = Files::default();
    args.data.declare(&mut files);
    args.sheet.iter().for_each(|path| files.writes("--sheet", path));
    files.check()?;
    interrupt::end_at_once("nothing was changed and no sheet was written; run it again")?;
    let labelled = &args.data.labelled;
    let mut reading = moue_data::read(&labelled.path, &labelled.options(ReadOptions::collect()))?;
    args.data.lay_votes_beside(&mut reading.dataset)?;
    let excluded = match &args.data.labelled.exclude {
        Some(_) => Some(args.data.excluded(&reading.dataset)?.len()),
        None => None,
    };
    let duplicates = Duplicates::find(&reading.dataset);
    let report = Report {
        check: Check::of(&reading, &duplicates),
        excluded,
        ferplus: args.data.ferplus.is_some().then(|| FerPlus::of(&reading.dataset)),
    };
    if let Some(path) = &args.sheet {
        contact_sheet(&reading.dataset, &duplicates, &SheetOptions::default())?.write(path)?;
        console::say(format_args!("Contact sheet: {}", path.display()));
    }
    let wrong = &report.check.wrong;
    if args.json.json {
        console::print_json(&report)?;
        for row in &wrong.rows {
            console::say(format_args!("moue: {row}"));
        }
    } else {
        console::print(report.to_text())?;
    }
    if wrong.count == 0 {
        return Ok(Outcome::Done);
    }
    let rows = counted(usize::try_from(wrong.count).unwrap_or(usize::MAX), "row", "rows");
    console::say(format_args!("moue: {}: {rows} cannot be read", report.check.source));
    Ok(Outcome::PartlyFailed)
}

impl FerPlus {
    fn of(dataset: &Dataset) -> Self {
        const NOT_A_FACE: usize = ferplus::COLUMNS.len() - 1;
        let mut found = Self { rows: 0, dropped: 0, not_a_face: 0, agreeing: 0 };
        for index in 0..dataset.len() {
            let Some(votes) = dataset.votes(index) else {
                found.dropped += 1;
                continue;
            };
            found.rows += 1;
            let all: u32 = votes.counts().iter().copied().map(u32::from).sum();
            found.not_a_face += usize::from(2 * u32::from(votes.counts()[NOT_A_FACE]) > all);
            let votes = votes.fer2013();
            let own = votes.get(usize::from(dataset.label(index))).copied().unwrap_or_default();
            found.agreeing += usize::from(votes.iter().filter(|&&v| v >= own).count() == 1);
        }
        found
    }
}

impl Report {
    fn to_text(&self) -> String {
        let mut out = self.check.to_string();
        // Writing to a string cannot fail.
        if let Some(f) = &self.ferplus {
            let _ = writeln!(
                out,
                "FER+: votes on {}, {} dropped; {} not a face, {} with the label as first choice",
                counted(f.rows, "picture", "pictures"),
                grouped(f.dropped),
                grouped(f.not_a_face),
                grouped(f.agreeing)
            );
        }
        if let Some(excluded) = self.excluded {
            let _ = writeln!(out, "excluded by the list: {}", counted(excluded, "picture", "pictures"));
        }
        out
    }
}
