//! Videos: every frame, in a pipeline.

use std::sync::atomic::AtomicBool;

use moue::{Analyzer, FollowOptions, Follower, Record, TrackOptions, VideoAnalysis, analyze_video};
use moue_media::{RawFormat, Video, VideoOptions, VideoSource, video_facts};

use super::output::CsvFile;
use super::people::People;
use crate::console;
use crate::failure::{Failure, Result};

/// What is asked for of videos.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Video")]
pub struct Flags {
    /// Look for faces everywhere in every N-th frame only, and near to where they were in the others
    #[arg(long, value_name = "N", default_value = "1")]
    detect_every: std::num::NonZeroU32,
    /// Give the probabilities of each frame alone, instead of smoothing them over time
    #[arg(long)]
    no_smoothing: bool,
    /// Standard input (-) holds raw frames without any header, such as rgb24:640x480@30
    #[arg(long, value_name = "PIXELS:WIDTHxHEIGHT@RATE")]
    raw: Option<RawFormat>,
}

/// Analyses videos one after another.
pub struct Videos {
    flags: Flags,
    /// One for each thread.
    analyzers: Vec<Analyzer>,
    /// Score from which a detection may begin a track.
    sure: f32,
}

impl Videos {
    pub fn new(flags: &Flags, analyzers: Vec<Analyzer>, sure: f32) -> Self {
        Self { flags: flags.clone(), analyzers, sure }
    }

    /// Gives a record of every frame until the end of the video, or until `stop` is set.
    pub fn run(
        &mut self,
        source: &VideoSource,
        json: bool,
        csv: &mut Option<CsvFile>,
        stop: &AtomicBool,
    ) -> Result<()> {
        let source = match (source, &self.flags.raw) {
            (VideoSource::Stdin(_), Some(raw)) => &VideoSource::Stdin(Some(raw.clone())),
            (source, _) => source,
        };
        let name = source.to_string();
        let mut video = Video::open(source, &VideoOptions::default())?;
        let (width, height) = video.size();
        let options = FollowOptions {
            tracks: TrackOptions { sure: self.sure, ..TrackOptions::default() },
            smoothing: !self.flags.no_smoothing,
        };
        let mut follower = Follower::new(options);
        let analysis =
            VideoAnalysis { detect_every: self.flags.detect_every.get().into(), ..VideoAnalysis::default() };
        let (mut people, bar) = (People::default(), progress(source)?);
        let outcome = analyze_video::<Failure>(
            &mut video,
            &mut self.analyzers,
            &mut follower,
            &analysis,
            stop,
            |seen| {
                let source = name.clone();
                let record =
                    Record { source, frame: seen.frame, time: seen.time, width, height, faces: seen.faces };
                if json {
                    console::print_json(&record)?;
                }
                if let Some(csv) = csv {
                    csv.write(&record)?;
                }
                people.add(&record);
                bar.set_position(seen.frame + 1);
                Ok(())
            },
        );
        bar.finish_and_clear();
        if !json {
            console::print(people.table(&name))?;
        }
        outcome
    }
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
