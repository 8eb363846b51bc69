//! `moue report`: how an audience reacted, as a page.

mod thumbnails;

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use moue_report::reaction::{
    Collector, Error, Event, Illustrations, LinesRead, Report, Settings, read_events,
};

use crate::failure::{Failure, Outcome, Result};
use crate::files::Files;
use crate::options::between;
use crate::{console, interrupt};

/// Show how an audience reacted, second by second, as a page that opens offline
///
/// Reads what `moue analyze --json` wrote about videos and writes DIR/report.html with its tables as CSV: the emotions over time, for the
/// audience and each person, who was in view when, the peaks, what changed at events, and how several clips or groups compare. No
/// face is in the page unless --thumbnails asks for it.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  moue report advert.jsonl --out reaction/
  moue report advert.jsonl --events scenes.csv --out reaction/    scenes.csv: lines such as 1:23,Logo
  moue report advert.jsonl --thumbnails --out reaction/           with the faces at the peaks
  moue report old.jsonl new.jsonl --out reaction/                 two cuts compared
  moue report --group Berlin=b1.jsonl,b2.jsonl --group Lagos=l1.jsonl,l2.jsonl --out reaction/")]
pub struct Args {
    /// Records of videos as JSON Lines; `-` is standard input. Each clip in them is a group of its own
    #[arg(value_name = "RECORDS", required_unless_present = "groups")]
    records: Vec<PathBuf>,
    /// Folder for the page and its tables, made if need be
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    #[command(flatten)]
    extras: Extras,
    /// Members whose people are one group; their clips are laid over each other, beginning on beginning
    #[arg(long = "group", value_name = "NAME=FILE,FILE")]
    groups: Vec<Members>,
    /// Headline of the page
    #[arg(long, value_name = "TEXT")]
    title: Option<String>,
    /// Seconds a point of the timelines: 0.1, 0.5, 1, 5, 10, 30, 60, 300, 600 or 3600 [default: by the length]
    #[arg(long, value_name = "SECONDS")]
    bin: Option<f64>,
    /// Seconds before and after each event that are compared
    #[arg(long, value_name = "SECONDS", default_value_t = Settings::default().window, value_parser = between(0.0_f64, 86_400.0))]
    window: f64,
    /// Seconds that a face must be in view in all to count as a person
    #[arg(long, value_name = "SECONDS", default_value_t = Settings::default().min_view, value_parser = between(0.0_f64, 86_400.0))]
    min_view: f64,
    /// How many people sat before the camera of each clip [default: the most in view at once]
    #[arg(long, value_name = "COUNT", value_parser = between(1_usize, 100_000))]
    people: Option<usize>,
}

impl Args {
    /// The page of these files in `out` with `extras`, and all else as usual.
    pub fn of(records: Vec<PathBuf>, out: PathBuf, extras: Extras) -> Self {
        let Settings { bin, window, min_view, people, .. } = Settings::default();
        Self { records, out, extras, groups: Vec::new(), title: None, bin, window, min_view, people }
    }
}

/// What a page may have that records do not.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Page")]
pub struct Extras {
    /// What happened when: a CSV of time (seconds or h:mm:ss) and name
    #[arg(long, value_name = "CSV")]
    events: Option<PathBuf>,
    /// Show at each peak the face that showed the emotion most, cut out of the video, which is read again for it; without this
    /// flag, no face is in the page
    #[arg(long)]
    thumbnails: bool,
}

impl Extras {
    /// Declares what is read.
    pub fn declare(&self, files: &mut Files) {
        files.reads_any("--events", &self.events);
    }

    /// Names a flag that was given.
    pub fn given(&self) -> Option<&'static str> {
        match (&self.events, self.thumbnails) {
            (Some(_), _) => Some("--events"),
            (None, true) => Some("--thumbnails"),
            (None, false) => None,
        }
    }

    /// Whether videos are read again.
    pub fn thumbnails(&self) -> bool {
        self.thumbnails
    }

    /// The events in the order of the file.
    pub fn events(&self) -> Result<Vec<Event>> {
        Ok(self.events.as_deref().map(read_events).transpose()?.unwrap_or_default())
    }
}

/// The files of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Members {
    name: String,
    files: Vec<PathBuf>,
}

impl FromStr for Members {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let expected = "expected NAME=FILE,FILE";
        let (name, files) = text.split_once('=').ok_or(expected)?;
        let files: Vec<PathBuf> =
            files.split(',').map(str::trim).filter(|f| !f.is_empty()).map(PathBuf::from).collect();
        if name.trim().is_empty() || files.is_empty() {
            return Err(expected.to_owned());
        }
        Ok(Self { name: name.trim().to_owned(), files })
    }
}

pub fn run(args: Args) -> Result {
    interrupt::end_at_once("")?;
    let (page, outcome) = write(args)?;
    console::print(format_args!("{}\n", page.display()))?;
    Ok(outcome)
}

/// Declares all files that a page in this folder may have.
pub fn declare_page(files: &mut Files, flag: &'static str, folder: &Path) {
    files.makes(flag, folder);
    Report::FILES.iter().for_each(|name| files.writes(flag, folder.join(name)));
}

/// Writes the page and its tables; gives the place of the page, and whether it has all that was asked for.
pub fn write(args: Args) -> Result<(PathBuf, Outcome)> {
    let mut files = Files::default();
    files.reads_any("RECORDS", &args.records);
    args.groups.iter().for_each(|group| files.reads_any("--group", &group.files));
    args.extras.declare(&mut files);
    declare_page(&mut files, "--out", &args.out);
    files.check()?;
    interrupt::keeps("what was written of the page stands; moue report makes it anew from the records");
    let events = args.extras.events()?;
    let default = Settings::default();
    let settings = Settings {
        title: args.title.unwrap_or(default.title),
        bin: args.bin,
        window: args.window,
        min_view: args.min_view,
        people: args.people,
    };
    let mut collector = Collector::new(settings, events).map_err(usage)?;
    for (path, group) in inputs(&args.records, &args.groups)? {
        let read = read(&mut collector, path, group)?;
        if let Some(line) = read.cut_off {
            console::say(format_args!("moue: {}:{line}: cut off, left out", path.display()));
        }
    }
    let report = collector.finish().map_err(usage)?;
    let (pictures, outcome) = match args.extras.thumbnails {
        true => thumbnails::thumbnails(&report)?,
        false => (Illustrations::default(), Outcome::Done),
    };
    let written = report.write(&args.out, &pictures)?;
    Ok((written.page, outcome))
}

/// Each file once, with its group: groups own their files even if these are named alone, too.
fn inputs<'a>(alone: &'a [PathBuf], groups: &'a [Members]) -> Result<Vec<(&'a Path, Option<&'a str>)>> {
    let mut seen = HashSet::new();
    let mut grouped = Vec::new();
    for group in groups {
        for file in &group.files {
            if !seen.insert(file.as_path()) {
                return Err(Failure::usage(format!("{} is in --group twice", file.display())));
            }
            grouped.push((file.as_path(), Some(group.name.as_str())));
        }
    }
    let mut inputs: Vec<(&Path, Option<&str>)> = Vec::new();
    for file in alone {
        if seen.insert(file) {
            inputs.push((file, None));
        }
    }
    inputs.extend(grouped);
    Ok(inputs)
}

fn read(collector: &mut Collector, path: &Path, group: Option<&str>) -> Result<LinesRead> {
    if path == Path::new("-") {
        let stream = collector.stream("standard input", group);
        return Ok(collector.read_json_lines(io::stdin().lock(), "standard input", stream)?);
    }
    let name = path.display().to_string();
    let file = File::open(path).map_err(|e| Failure::message(format!("{name}: {e}")))?;
    let stream = collector.stream(&name, group);
    Ok(collector.read_json_lines(BufReader::with_capacity(1 << 18, file), &name, stream)?)
}

fn usage(error: Error) -> Failure {
    match error {
        Error::Argument(reason) => Failure::usage(reason),
        error => error.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_has_a_name_and_files() {
        let files = "Berlin=a.jsonl, b.jsonl".parse::<Members>().unwrap();
        assert_eq!(files, Members { name: "Berlin".into(), files: vec!["a.jsonl".into(), "b.jsonl".into()] });
        for wrong in ["a.jsonl", "=a.jsonl", "Berlin=", "Berlin= , "] {
            assert!(wrong.parse::<Members>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_file_of_a_group_does_not_stand_alone() {
        let alone = ["a", "b", "b", "c"].map(PathBuf::from);
        let groups = ["G=b,d".parse::<Members>().unwrap()];
        let inputs = inputs(&alone, &groups).unwrap();
        let expected = [("a", None), ("c", None), ("b", Some("G")), ("d", Some("G"))];
        assert_eq!(inputs, expected.map(|(f, g)| (Path::new(f), g)));
        let twice = ["G=b".parse::<Members>().unwrap(), "H=b".parse().unwrap()];
        assert!(super::inputs(&[], &twice).is_err());
    }
}
