//! Flags that several commands share, each defined once.

mod analyzer;
mod device;

use std::fmt::Display;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::Args;
use moue_data::{Dataset, Exclusions, LabelSet, Limits, Numbering, ReadOptions, ferplus};
use moue_graph::{Graph, Head, View, attach_head, backbones};

use crate::failure::{Failure, Result};
use crate::files::Files;

pub use analyzer::{build, choose};
pub use device::Computing;

/// Flag of every command with a result that scripts read.
#[derive(Clone, Copy, Debug, Args)]
pub struct Json {
    /// Print the result as JSON, one object a line
    #[arg(long)]
    pub json: bool,
}

/// Pictures with labels.
#[derive(Clone, Debug, Args)]
pub struct Labelled {
    /// fer2013.csv, plain or packed (.gz, .bz2, .zip, .tar, .tar.gz), or a folder of pictures per class
    #[arg(value_name = "PATH")]
    pub path: PathBuf,
    /// Rows of the csv to leave out, counted from 0: a column `line` or `row`, or numbers alone
    #[arg(long, value_name = "FILE")]
    pub exclude: Option<PathBuf>,
    /// Whose numbers the classes have: fer2013, ckplus (7 is contempt), affectnet or raf-db [default: fer2013 in a csv;
    /// folders called by numbers need this flag]
    #[arg(long, value_name = "WHOSE")]
    pub class_numbers: Option<Numbering>,
}

impl Labelled {
    /// Declares what is read.
    pub fn declare(&self, files: &mut Files) {
        files.reads_data("PATH", &self.path);
        files.reads_any("--exclude", &self.exclude);
    }

    /// The dataset; the first wrong row is an error.
    pub fn read(&self) -> Result<Dataset> {
        Ok(moue_data::read(&self.path, &self.options(ReadOptions::strict()))?.dataset)
    }

    /// How to read it.
    pub fn options(&self, options: ReadOptions) -> ReadOptions {
        ReadOptions { numbering: self.class_numbers, ..options }
    }

    /// Places in the dataset of the rows to leave out, sorted.
    pub fn excluded(&self, dataset: &Dataset) -> Result<Vec<usize>> {
        match &self.exclude {
            Some(path) => Ok(Exclusions::read(path, &Limits::default())?.samples(dataset)?),
            None => Ok(Vec::new()),
        }
    }
}

/// Pictures with labels and, perhaps, more opinions on them.
#[derive(Clone, Debug, Args)]
pub struct DataSource {
    #[command(flatten)]
    pub labelled: Labelled,
    /// Votes of FER+ for the same rows, in the same order: fer2013new.csv
    #[arg(long, value_name = "CSV")]
    pub ferplus: Option<PathBuf>,
}

/// Which classes pictures have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Classes {
    /// Those of the csv file or of the folders
    Own,
    /// The eight of FER+, contempt among them, by the majority of its votes (needs --ferplus)
    Ferplus,
}

impl From<Classes> for LabelSet {
    fn from(classes: Classes) -> Self {
        match classes {
            Classes::Own => Self::Own,
            Classes::Ferplus => Self::Ferplus,
        }
    }
}

impl DataSource {
    /// Declares what is read.
    pub fn declare(&self, files: &mut Files) {
        self.labelled.declare(files);
        files.reads_any("--ferplus", &self.ferplus);
    }

    /// The dataset with its votes and these labels; the first wrong row is an error.
    pub fn read(&self, labels: LabelSet) -> Result<Dataset> {
        let mut dataset = self.labelled.read()?;
        self.lay_votes_beside(&mut dataset)?;
        Ok(labels.of(dataset)?)
    }

    /// Gives each row the votes of FER+, if there are any.
    pub fn lay_votes_beside(&self, dataset: &mut Dataset) -> Result<()> {
        if let Some(path) = &self.ferplus {
            ferplus::Table::read(path, &Limits::default())?.lay_beside(dataset)?;
        }
        Ok(())
    }

    /// As [`Labelled::excluded`].
    pub fn excluded(&self, dataset: &Dataset) -> Result<Vec<usize>> {
        self.labelled.excluded(dataset)
    }
}

/// Flag of every command that runs a network.
#[derive(Clone, Copy, Debug, Args)]
pub struct Threads {
    /// Threads to compute with [default: one per core]
    #[arg(long, value_name = "N", value_parser = threads)]
    threads: Option<NonZeroUsize>,
}

impl Threads {
    /// So many.
    pub fn exactly(threads: NonZeroUsize) -> Self {
        Self { threads: Some(threads) }
    }

    /// The number for an engine, where 0 means one per core.
    pub fn count(self) -> usize {
        self.threads.map_or(0, NonZeroUsize::get)
    }

    /// The number an engine ends up with.
    pub fn effective(self) -> usize {
        let cores = || std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        self.threads.map_or_else(cores, NonZeroUsize::get)
    }
}

/// Flag of every command that can leave an answer open.
#[derive(Clone, Copy, Debug, Args)]
pub struct Abstain {
    /// Call answers below this probability uncertain: nothing is said about such a face, though JSON and CSV keep its
    /// probabilities and mark it `certain: false`
    #[arg(long, value_name = "P", value_parser = probability)]
    pub min_confidence: Option<f32>,
}

/// Flag of every command that can look at a face more than once.
#[derive(Clone, Copy, Debug, Args)]
pub struct TestTime {
    /// Look at each face 8 times, mirrored and slightly moved and enlarged, and answer with the mean: a little more
    /// accurate, and reading a face takes 8 times as long (test-time augmentation)
    #[arg(long)]
    pub tta: bool,
}

impl TestTime {
    /// The looks.
    pub fn views(self) -> &'static [View] {
        if self.tta { &View::TEST_TIME } else { &[View::PLAIN] }
    }
}

/// Threads a processor, at most, and those that are allowed on any machine. More than one a processor only take turns, and
/// each has memory of its own; but the same command is to run on small machines, too.
const THREADS_EACH: usize = 4;
const THREADS_ANYWHERE: usize = 64;

fn threads(text: &str) -> std::result::Result<NonZeroUsize, String> {
    let processors = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let most = (processors * THREADS_EACH).max(THREADS_ANYWHERE);
    non_zero(most)(text).map_err(|_| {
        let processors = crate::text::counted(processors, "processor", "processors");
        format!("expected 1 to {most}: this machine has {processors}")
    })
}

/// Reads a number within limits, both of them allowed.
pub fn between<T>(low: T, high: T) -> impl Fn(&str) -> std::result::Result<T, String> + Clone
where
    T: FromStr + PartialOrd + Display + Copy,
{
    move |text| match text.parse() {
        Ok(number) if low <= number && number <= high => Ok(number),
        _ => Err(format!("expected a number from {low} to {high}")),
    }
}

/// Reads a whole number from 1 to `high`.
pub fn non_zero(high: usize) -> impl Fn(&str) -> std::result::Result<NonZeroUsize, String> + Clone {
    move |text| {
        let number = text.parse().ok().filter(|number: &NonZeroUsize| number.get() <= high);
        number.ok_or_else(|| format!("expected a whole number from 1 to {high}"))
    }
}

fn probability(text: &str) -> std::result::Result<f32, String> {
    match text.parse() {
        Ok(p) if (0.0..=1.0).contains(&p) => Ok(p),
        _ => Err("expected a probability from 0 to 1".to_owned()),
    }
}

/// The network a command is about, built rather than read.
#[derive(Clone, Debug, Args)]
pub struct Architecture {
    /// Family of networks: mobilenet_v1, mobilenet_v2, efficientnet_lite0 to 2
    #[arg(long, value_name = "NAME", default_value = "mobilenet_v2")]
    pub backbone: String,
    /// Width multiplier; 1 is the published network
    #[arg(long, value_name = "X", default_value_t = 1.0, value_parser = between(0.1_f32, 4.0))]
    pub alpha: f32,
    /// Side of the square input in pixels
    #[arg(long, value_name = "PX", default_value_t = 224, value_parser = between(1_usize, 1024))]
    pub input: usize,
    /// Number of classes behind the head of 128 and 64 units
    #[arg(long, value_name = "N", default_value_t = 7, value_parser = between(1_usize, 256))]
    pub classes: usize,
}

impl Architecture {
    /// Backbone with the reference head on it.
    pub fn graph(&self) -> Result<Graph> {
        backbones::by_name(&self.backbone, self.alpha, self.input)
            .and_then(|backbone| attach_head(backbone, &Head::default(), self.classes))
            // Whatever is wrong with this graph was typed on the command line.
            .map_err(|e| Failure::usage(e.to_string()))
    }
}

/// Whether a path means a model in TensorFlow.js layers format: a folder, or its `model.json`. Model files of moue are
/// neither.
pub fn is_layers_model(path: &Path) -> bool {
    path.is_dir() || path.extension().is_some_and(|extension| extension == "json")
}
