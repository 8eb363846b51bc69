//! `moue analyze`: faces and emotions of pictures and videos.

mod batch;
mod inputs;
mod output;
mod people;
mod recording;
mod table;
mod video;

use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::{Path, PathBuf};

use moue::{Analyzer, Limits, Picture, Record};
use moue_media::{Found, VideoSource, find_pictures, is_moving_picture};

use crate::commands::detector::Flags;
use crate::commands::report;
use crate::failure::{Failure, Outcome, Result, describe};
use crate::files::Files;
use crate::options::{Abstain, Computing, Json, TestTime, Threads, build, choose};
use crate::text::counted;
use crate::{console, interrupt};
use inputs::Input;
use output::{CsvFile, Pictures};
use video::Videos;
pub use video::open_before;

/// Find the faces of pictures and videos and read their emotions
///
/// Prints a table of the faces of each picture, the largest face first, and writes the picture with a frame and the
/// emotion around each face as NAME.moue.jpg beside it. Of a video, every frame is looked at, and the people in it are
/// listed; with --json, a line is printed for every frame.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  moue analyze party.jpg                            a table, and party.moue.jpg
  moue analyze photos/ --out-dir marked/ --json     one JSON object a picture
  moue analyze clip.mp4 --json                      one JSON object a frame
  moue analyze clip.mp4 --report out/               all there is, with a page about the audience
  moue analyze clip.mp4 --report out/ --thumbnails  the page shows the faces at the peaks, too
  moue analyze clip.mp4 --out clip.jsonl --out clip.vtt --out marked.mp4
  moue analyze crops/ --detector none --no-pictures --csv emotions.csv
  moue analyze party.jpg --min-confidence 0.6       says \"uncertain\" rather than guess")]
pub struct Args {
    /// Pictures, folders in which all pictures are meant, videos, addresses of streams (rtsp://…), or - for a video on
    /// standard input
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    json: Json,
    #[command(flatten)]
    detector: Flags,
    /// Model to read emotions with, instead of the one that comes with moue
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,
    /// Share of a face's side added on each side before its emotion is read, for cascades that frame faces tighter or
    /// wider than usual [default: what the model says]
    #[arg(long, value_name = "SHARE", allow_negative_numbers = true)]
    crop_margin: Option<f32>,
    #[command(flatten)]
    abstain: Abstain,
    #[command(flatten)]
    test_time: TestTime,
    /// Folder for the pictures with frames, made if need be [default: beside each picture]; a video is recorded there in all
    /// forms of --out, as NAME.moue.jsonl and so on
    #[arg(long, value_name = "DIR", conflicts_with = "no_pictures")]
    out_dir: Option<PathBuf>,
    /// Folder for everything about videos: all forms of --out, and the page that `moue report` makes of them
    #[arg(long, value_name = "DIR", conflicts_with = "out_dir")]
    report: Option<PathBuf>,
    #[command(flatten)]
    page: report::Extras,
    /// Write no pictures
    #[arg(long)]
    no_pictures: bool,
    /// Write a table of all faces as CSV
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    #[command(flatten)]
    threads: Threads,
    #[command(flatten)]
    computing: Computing,
    #[command(flatten)]
    video: video::VideoFlags,
}

pub fn run(args: Args) -> Result {
    let inputs = inputs::sorted(&args.paths);
    // What is wrong with the flags is told before anything is done.
    let sources: Vec<_> = inputs.iter().filter_map(Input::video).collect();
    if args.report.is_some() && sources.is_empty() {
        return Err(Failure::usage("--report is for videos, and there is none"));
    }
    args.check_page(&sources)?;
    let folder = args.report.as_ref().or(args.out_dir.as_ref());
    args.video.check(&sources, folder.map(PathBuf::as_path))?;
    args.declare(&sources, folder.map(PathBuf::as_path))?;
    let model = args.model.as_deref();
    let chosen = choose(&args.detector, model, args.abstain, &args.computing, args.threads)?;
    let mut outcome = Outcome::Done;
    let found = pictures_of(&args.paths, &inputs, &mut outcome)?;
    let stop = interrupt::watch()?;
    if found.iter().all(Option::is_none) {
        return Ok(outcome);
    }
    console::say(format_args!("moue: faces by {}, emotions by {}", chosen.detector, chosen.model));
    let mut builder = chosen.builder.test_time_augmentation(args.test_time.tta);
    if let Some(margin) = args.crop_margin {
        builder = builder.crop_margin(margin);
    }
    let analyzer = build(builder)?;
    let mut videos = None;
    if !sources.is_empty() {
        videos = Some(Videos::new(&args.video, analyzer.clone(), folder.cloned())?);
    }
    let csv = args.csv.as_deref().map(|path| CsvFile::create(path, &chosen.labels)).transpose()?;
    let pictures = match args.no_pictures {
        true => None,
        false => Some(Pictures::new(folder.cloned(), found.iter().flatten().flatten())?),
    };
    let count = found.iter().flatten().map(Vec::len).sum();
    let mut job = Job { analyzer, pictures, csv, json: args.json.json, outcome, done: 0, count };
    for (input, pictures) in inputs.iter().zip(found) {
        match (input, &mut videos) {
            (Input::Video(source), Some(videos)) => match videos.run(source, job.json, &mut job.csv, stop) {
                Err(Failure::Failed(error)) if !is_stdout(&*error) => {
                    // What was ended on request did not fail.
                    interrupt::check()?;
                    fail(&mut job.outcome, named(&source.to_string(), describe(&*error)));
                }
                ended => ended?,
            },
            _ => batch::read_ahead(
                &pictures.unwrap_or_default(),
                args.threads.effective(),
                &Limits::default(),
                |path, picture| job.picture(path, picture),
            )?,
        }
        interrupt::check()?;
    }
    if let Some(folder) = &args.report {
        let records: Vec<PathBuf> = sources
            .iter()
            .map(|source| video::records_in(folder, source))
            .filter(|path| path.exists())
            .collect();
        match report::write(report::Args::of(records, folder.clone(), args.page)) {
            Ok((page, ended)) => {
                console::say(format_args!("moue: {}", page.display()));
                if ended == Outcome::PartlyFailed {
                    job.outcome = ended;
                }
            }
            // All the files are there; there is nothing to make a page of.
            Err(Failure::Failed(error)) if is_empty(&*error) => {
                console::say(format_args!("moue: no page: {error}"));
            }
            failed => drop(failed?),
        }
    }
    Ok(job.outcome)
}

impl Args {
    /// No output may fall on what is read, on another output, or on the records of an earlier run.
    fn declare(&self, sources: &[&VideoSource], folder: Option<&Path>) -> Result<()> {
        let mut files = Files::default();
        self.paths.iter().for_each(|path| files.reads_pictures("PATH", path));
        files.reads_any("--model", &self.model);
        self.detector.declare(&mut files);
        self.page.declare(&mut files);
        self.csv.iter().for_each(|path| files.writes("--csv", path));
        let flag = if self.report.is_some() { "--report" } else { "--out-dir" };
        folder.iter().for_each(|folder| files.makes(flag, folder));
        self.video.declare(&mut files, sources, folder.map(|folder| (flag, folder)));
        if let Some(folder) = &self.report {
            report::declare_page(&mut files, "--report", folder);
        }
        files.check()?;
        if let Some(csv) = self.csv.as_deref().filter(|_| !self.video.force) {
            CsvFile::check(csv)?;
        }
        self.video.check_earlier(sources, folder, self.csv.as_deref())
    }

    /// What is wrong with what is asked for of the page is told before hours of analysis, not after.
    fn check_page(&self, sources: &[&VideoSource]) -> Result<()> {
        if let Some(flag) = self.page.given().filter(|_| self.report.is_none()) {
            return Err(Failure::usage(format!("{flag} is for the page of --report DIR")));
        }
        let once = sources.iter().find(|source| !matches!(source, VideoSource::File(_)));
        if let Some(source) = once.filter(|_| self.page.thumbnails()) {
            return Err(Failure::usage(format!(
                "--thumbnails reads videos again when their peaks are known, and {source} cannot be read twice"
            )));
        }
        self.page.events().map(drop)
    }
}

/// Whether there was nothing to make a page of.
fn is_empty(error: &(dyn std::error::Error + 'static)) -> bool {
    matches!(error.downcast_ref(), Some(moue_report::reaction::Error::Empty(_)))
}

/// The pictures that each input means, `None` where it means none; a video counts as something to look at.
fn pictures_of(
    paths: &[PathBuf],
    inputs: &[Input],
    outcome: &mut Outcome,
) -> Result<Vec<Option<Vec<PathBuf>>>> {
    let (mut all, mut own_output) = (Vec::new(), 0);
    for input in inputs {
        let Input::Pictures(paths) = input else {
            all.push(Some(Vec::new()));
            continue;
        };
        let found = find_pictures(paths);
        for failure in &found.failures {
            fail(outcome, describe(failure));
        }
        passed_over(&found, paths, outcome);
        own_output += found.own_output.len();
        all.push((!found.pictures.is_empty()).then_some(found.pictures));
    }
    if all.iter().all(Option::is_none) && *outcome == Outcome::Done {
        return Err(Failure::message(nothing_to_read(paths, own_output)));
    }
    Ok(all)
}

/// Says what of folders is not taken, by kinds, and of what only a part is.
fn passed_over(found: &Found, named: &[PathBuf], outcome: &mut Outcome) {
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    let mut photos = None;
    for path in &found.others {
        let kind = path.extension().map(|e| format!(".{}", e.to_string_lossy().to_lowercase()));
        if kind.as_deref().is_some_and(|kind| [".heic", ".heif", ".hif", ".avif"].contains(&kind)) {
            photos = photos.or(Some(path));
        }
        *kinds.entry(kind.unwrap_or_else(|| "without an extension".to_owned())).or_default() += 1;
    }
    if !kinds.is_empty() {
        let kinds: Vec<String> = kinds.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
        console::say(format_args!(
            "moue: files in folders that are not looked at: {} (videos are, where they are named themselves)",
            kinds.join(", ")
        ));
    }
    // Pictures that nobody looked at are missing in the results: what helps is said once, for all of them.
    if let Some(Err(error)) = photos.map(|path| moue_media::read_picture(path, &Limits::default())) {
        fail(outcome, describe(&error));
    }
    for path in found.pictures.iter().filter(|path| !named.contains(path)) {
        if is_moving_picture(path) {
            console::say(format_args!(
                "moue: {} moves; only its first frame is looked at, unless it is named itself",
                path.display()
            ));
        }
    }
}

/// Only stdout hands its bare I/O errors on.
fn is_stdout(error: &(dyn std::error::Error + 'static)) -> bool {
    error.is::<std::io::Error>()
}

/// What went wrong with an input, which is named once.
fn named(source: &str, what: String) -> String {
    if what.starts_with(source) { what } else { format!("{source}: {what}") }
}

fn nothing_to_read(paths: &[PathBuf], own_output: usize) -> String {
    let paths: Vec<String> = paths.iter().map(|p| p.display().to_string()).collect();
    let paths = paths.join(", ");
    match own_output {
        0 => format!("{paths}: no pictures there"),
        _ => format!("{paths}: no pictures there but those that moue wrote (NAME.moue.jpg)"),
    }
}

/// A message that names a path, in which nothing of the name ends the line.
fn one_line(path: &Path, what: String) -> String {
    what.replace(&path.display().to_string(), &crate::text::path(path))
}

/// Faces that were seen and left out, and how to get them.
fn smaller_faces(count: usize) -> String {
    format!("{}: --min-face 12", counted(count, "smaller face", "smaller faces"))
}

/// Names one failure; the rest goes on.
fn fail(outcome: &mut Outcome, what: impl Display) {
    console::say(format_args!("moue: {what}"));
    *outcome = Outcome::PartlyFailed;
}

/// What is done with each picture in turn.
struct Job {
    analyzer: Analyzer,
    pictures: Option<Pictures>,
    csv: Option<CsvFile>,
    json: bool,
    outcome: Outcome,
    /// Pictures looked at, of all.
    done: usize,
    count: usize,
}

impl Job {
    /// What Ctrl-C leaves, with `next` in hand.
    fn tell_what_is_kept(&self, next: &Path) {
        interrupt::keeps(format!(
            "{} of {} are done, and what was written of them is kept; to go on, name the others, from {} on",
            self.done,
            counted(self.count, "picture", "pictures"),
            next.display()
        ));
    }

    /// Errors end the whole batch: nobody reads stdout any more, or the CSV file cannot be written.
    fn picture(
        &mut self,
        path: &Path,
        picture: std::result::Result<Picture, moue_media::Error>,
    ) -> Result<()> {
        self.tell_what_is_kept(path);
        interrupt::check()?;
        self.done += 1;
        let mut picture = match picture {
            Ok(picture) => picture,
            Err(error) => {
                fail(&mut self.outcome, one_line(path, describe(&error)));
                return Ok(());
            }
        };
        let source = path.display().to_string();
        let look = match self.analyzer.look(&picture) {
            Ok(look) => look,
            Err(error) => {
                fail(&mut self.outcome, one_line(path, format!("{source}: {}", describe(&error))));
                return Ok(());
            }
        };
        if look.smaller_faces > 0 {
            console::say(format_args!("{source}: {}", smaller_faces(look.smaller_faces)));
        }
        let record = look.record(&picture).from_source(source);
        // Who reads JSON waits for the answer, which does not depend on the picture.
        if self.json {
            console::print_json(&record)?;
        }
        let written = self.write_picture(path, &mut picture, &record);
        if let Some(csv) = &mut self.csv {
            csv.write(&record)?;
        }
        if self.json { Ok(()) } else { console::print(table::table(&record, written.as_deref())) }
    }

    /// The name of the picture with frames, if one is wanted and could be written.
    fn write_picture(&mut self, path: &Path, picture: &mut Picture, record: &Record) -> Option<PathBuf> {
        let target = self.pictures.as_mut()?.name(path);
        moue::annotate(picture, &record.faces);
        match output::write_picture(picture, &target) {
            Ok(()) => Some(target),
            Err(error) => {
                let what = match error {
                    Failure::Failed(error) => describe(&*error),
                    _ => "it cannot be written".to_owned(),
                };
                fail(&mut self.outcome, named(&target.display().to_string(), what));
                None
            }
        }
    }
}
