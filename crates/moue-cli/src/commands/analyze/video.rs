//! Videos: every frame, in a pipeline.

use std::collections::HashSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use moue::{Analyzer, Record, VideoAnalysis};
use moue_media::{RawFormat, Video, VideoOptions, VideoSource, video_facts};

use super::output::CsvFile;
use super::people::People;
use super::recording::{Journal, Kind, Recording, Subject, kind, part};
use crate::failure::{Failure, Result};
use crate::files::Files;
use crate::options::between;
use crate::{console, interrupt};

/// What is asked for of videos.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Video")]
pub struct VideoFlags {
    /// Look for faces everywhere in every N-th frame only, and near to where they were in the others
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = between(1_u32, 10_000))]
    detect_every: u32,
    /// Give the probabilities of each frame alone, instead of smoothing them over time
    #[arg(long)]
    no_smoothing: bool,
    /// Standard input (-) holds raw frames without any header, such as rgb24:640x480@30
    #[arg(long, value_name = "PIXELS:WIDTHxHEIGHT@RATE")]
    raw: Option<RawFormat>,
    /// Record a video in this file, which grows as frames are seen: .jsonl or .csv, subtitles (.vtt, .srt), annotations for
    /// ELAN (.eaf), or the video with frames around the faces and its sound (.mp4, .mkv, .mov); may be given several times
    #[arg(long, value_name = "FILE", value_parser = kind::path)]
    out: Vec<PathBuf>,
    /// Go on where an earlier run with the same arguments ended, from its records in FILE.jsonl
    #[arg(long)]
    resume: bool,
    /// Replace what an earlier run wrote
    #[arg(long, conflicts_with = "resume")]
    pub force: bool,
}

impl VideoFlags {
    /// The files that the video at `source` is recorded in; an error where there is no telling.
    pub fn check(&self, sources: &[&VideoSource], folder: Option<&Path>) -> Result<()> {
        let mut named = HashSet::new();
        if let Some(twice) = sources.iter().find(|source| folder.is_some() && !named.insert(stem(source))) {
            return Err(Failure::usage(format!(
                "{twice}: another video has the same name, and their files would, too; give them different folders"
            )));
        }
        if !self.out.is_empty() && sources.len() != 1 {
            let found = crate::text::counted(sources.len(), "video", "videos");
            return Err(Failure::usage(format!(
                "--out is for one video, but there are {found}; --out-dir names the files of several"
            )));
        }
        Ok(())
    }

    /// Declares the files that videos are recorded in.
    pub fn declare(
        &self,
        files: &mut Files,
        sources: &[&VideoSource],
        folder: Option<(&'static str, &Path)>,
    ) {
        let mut declare = |flag, path: &Path| {
            files.writes(flag, path);
            // A resumed run makes some of them anew before it replaces them.
            if self.resume {
                files.writes(flag, part(path));
            }
        };
        self.out.iter().for_each(|path| declare("--out", path));
        if let Some((flag, folder)) = folder {
            sources.iter().flat_map(|source| files_in(folder, source)).for_each(|path| declare(flag, &path));
        }
    }

    /// Refuses to replace what an earlier run recorded in hours, unless that is asked for.
    pub fn check_earlier(
        &self,
        sources: &[&VideoSource],
        folder: Option<&Path>,
        csv: Option<&Path>,
    ) -> Result<()> {
        for source in sources.iter().filter(|_| !self.force) {
            let files = self.files(source, folder);
            let records = files.iter().find(|file| Kind::of(file) == Some(Kind::Lines));
            if self.resume && records.is_none_or(|path| path.exists()) {
                continue;
            }
            let there = |path: &&Path| std::fs::metadata(path).is_ok_and(|m| m.is_file() && m.len() > 0);
            let Some(taken) = files.iter().map(PathBuf::as_path).chain(csv).find(there) else { continue };
            let taken = crate::text::path(taken);
            let can_go_on = matches!(source, VideoSource::File(_)) && records.is_some_and(|p| p.exists());
            return Err(Failure::Refused(match can_go_on {
                true => format!("{taken} is there already: --resume goes on with it, --force replaces it"),
                false => format!("{taken} is there already: --force replaces it, another name keeps it"),
            }));
        }
        Ok(())
    }

    /// Records come first, so that whatever ends the run when the files are begun, it can be resumed.
    fn files(&self, source: &VideoSource, folder: Option<&Path>) -> Vec<PathBuf> {
        let mut files = self.out.clone();
        if let Some(folder) = folder {
            files.extend(files_in(folder, source));
        }
        files.sort_by_key(|file| Kind::of(file) != Some(Kind::Lines));
        files
    }
}

/// Files of all kinds in a folder.
fn files_in(folder: &Path, source: &VideoSource) -> Vec<PathBuf> {
    let name = stem(source);
    let file = |(extension, _)| {
        let mut file = name.clone();
        file.push(format!(".moue.{extension}"));
        folder.join(file)
    };
    Kind::extensions().map(file).collect()
}

/// What files about a video are called.
fn stem(source: &VideoSource) -> OsString {
    match source {
        VideoSource::File(path) => path.file_stem().unwrap_or_default().to_owned(),
        _ => "video".into(),
    }
}

/// The records of a video among the files in `folder`.
pub fn records_in(folder: &Path, source: &VideoSource) -> PathBuf {
    let mut name = stem(source);
    name.push(".moue.jsonl");
    folder.join(name)
}

/// Analyses videos one after another.
pub struct Videos {
    flags: VideoFlags,
    analyzer: Analyzer,
    folder: Option<PathBuf>,
}

impl Videos {
    /// With `folder`, files of every kind are written there.
    pub fn new(flags: &VideoFlags, analyzer: Analyzer, folder: Option<PathBuf>) -> Result<Self> {
        if let Some(folder) = &folder {
            let failed = |error| Failure::message(format!("{}: {error}", folder.display()));
            std::fs::create_dir_all(folder).map_err(failed)?;
        }
        Ok(Self { flags: flags.clone(), analyzer, folder })
    }

    /// Gives a record of every frame until the end of the video, or until `stop` is set.
    pub fn run(
        &mut self,
        source: &VideoSource,
        json: bool,
        csv: &mut Option<CsvFile>,
        stop: &'static AtomicBool,
    ) -> Result<()> {
        let source = match (source, &self.flags.raw) {
            (VideoSource::Stdin(_), Some(raw)) => &VideoSource::Stdin(Some(raw.clone())),
            (source, _) => source,
        };
        let name = source.to_string();
        let files = self.flags.files(source, self.folder.as_deref());
        let records = files.iter().find(|file| Kind::of(file) == Some(Kind::Lines)).cloned();
        let journal = match self.flags.resume {
            true => self.journal(source, &files)?,
            false => None,
        };
        let last = journal.as_ref().and_then(Journal::last);
        let mut video = open_after(source, last, Some(stop))?;
        let (width, height) = video.size();
        let mut follower = self.analyzer.follower(!self.flags.no_smoothing);
        let (mut people, bar) = (People::default(), progress(source)?);
        let file = if let VideoSource::File(path) = source { Some(path.as_path()) } else { None };
        let subject = Subject { file, size: (width, height), labels: &self.analyzer.card().labels };
        let first = journal.as_ref().map_or(0, Journal::frames);
        let before = journal.as_ref().map(Journal::reopened);
        let mut recording = Recording::begin(&files, subject, journal)?;
        if let Some(journal) = before {
            let mut film = match recording.has_film() && first > 0 {
                true => {
                    Some(Video::open(source, &VideoOptions { stop: Some(stop), ..VideoOptions::default() })?)
                }
                false => None,
            };
            journal.replay(|record| {
                interrupt::check()?;
                let frame = film.as_mut().map(|film| film.next_frame(None)).transpose()?.flatten();
                let mut picture = frame.map(|frame| frame.picture);
                recording.again(&record, picture.as_mut())?;
                if let Some(csv) = csv {
                    csv.write(&record)?;
                }
                follower.recall(&record);
                people.add(&record);
                Ok(())
            })?;
        }
        recording.ready()?;
        interrupt::keeps(match &records {
            Some(path) if matches!(source, VideoSource::File(_)) => format!(
                "the records stand in {}; the same command with --resume goes on",
                path.display()
            ),
            _ => "what was written until then is kept; without --out FILE.jsonl or --out-dir there is no --resume"
                .to_owned(),
        });
        let analysis = VideoAnalysis {
            detect_every: self.flags.detect_every.into(),
            first,
            after: last,
            ..VideoAnalysis::default()
        };
        let outcome = self.analyzer.watch::<Failure>(&mut video, &mut follower, &analysis, stop, |seen| {
            let source = name.clone();
            let record =
                Record { source, frame: seen.frame, time: seen.time, width, height, faces: seen.faces };
            recording.add(&record, seen.picture)?;
            if json {
                console::print_json(&record)?;
            }
            if let Some(csv) = csv {
                csv.write(&record)?;
            }
            people.add(&record);
            bar.set_position(seen.frame + 1);
            Ok(())
        });
        bar.finish_and_clear();
        // Whatever ended it, the files are ended in order.
        let finished = recording.finish();
        let seen = !people.is_empty();
        // Of a video that ends with an error, as one that was cut off, the people until then are told.
        if !json && (outcome.is_ok() && finished.is_ok() || seen) {
            console::print(people.table(&name))?;
        }
        outcome?;
        finished
    }

    /// What an earlier run recorded.
    fn journal(&self, source: &VideoSource, files: &[PathBuf]) -> Result<Option<Journal>> {
        if !matches!(source, VideoSource::File(_)) {
            return Err(Failure::usage(format!("--resume is for files, and {source} cannot be read again")));
        }
        match files.iter().find(|file| Kind::of(file) == Some(Kind::Lines)) {
            Some(path) => Ok(Some(Journal::open(path, &source.to_string())?)),
            None => Err(Failure::usage("--resume goes on with the records in --out FILE.jsonl or --out-dir")),
        }
    }
}

/// Seconds before the last known frame at which reading begins, where the format can be entered in its middle.
const RUN_UP: f64 = 5.0;

/// The video, from a little before the time of a frame that is known already.
fn open_after(source: &VideoSource, last: Option<f64>, stop: Option<&'static AtomicBool>) -> Result<Video> {
    if let Some(last) = last.filter(|&last| last > 2.0 * RUN_UP) {
        let options = VideoOptions { from: Some(last - RUN_UP), stop, ..VideoOptions::default() };
        // Where that leads elsewhere, as in files without an index, it is read from its beginning.
        if let Ok(mut video) = Video::open(source, &options)
            && let Ok(Some(frame)) = video.next_frame(None)
            && frame.time <= last
        {
            return Ok(video);
        }
    }
    Ok(Video::open(source, &VideoOptions { stop, ..VideoOptions::default() })?)
}

/// The video, from a little before the frame at `time` seconds, which is still to come.
pub fn open_before(source: &VideoSource, time: f64) -> Result<Video> {
    open_after(source, Some(time - 0.001), None)
}

/// A bar where somebody watches.
fn progress(source: &VideoSource) -> Result<indicatif::ProgressBar> {
    if !console::is_interactive() {
        return Ok(indicatif::ProgressBar::hidden());
    }
    let bar = match video_facts(source)?.frames {
        Some(frames) => indicatif::ProgressBar::new(frames),
        None => indicatif::ProgressBar::no_length(),
    };
    let style =
        indicatif::ProgressStyle::with_template("{wide_bar} {pos}/{len} frames, {per_sec}, {eta} left")?;
    Ok(bar.with_style(style))
}
