//! `moue eval`: how good a model is.

mod pictures;
mod predictions;
mod report;

use std::path::{Path, PathBuf};

use moue_data::{Dataset, Usage};
use moue_graph::Model;
use moue_graph::engine::InferenceOptions;
use moue_train::{Evaluation, Rows, consistency, evaluate, leaked};

use crate::failure::{Failure, Outcome, Result};
use crate::files::Files;
use crate::options::{Abstain, Classes, Computing, DataSource, Json, TestTime, Threads};
use crate::text::counted;
use crate::{console, interrupt};
use report::Report;

/// Measure how good a model is on FER2013 or folders of pictures
///
/// Prints accuracy with its 95 % interval, also without pictures that stand in Training, scores of each class,
/// calibration and the confusion matrix.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  moue eval fer2013.csv --model mine.safetensors
  moue eval fer2013.csv --usage PublicTest --model mine.safetensors --report out/
  moue eval fer2013.csv --json | jq .accuracy
  moue eval fer2013.csv --ferplus fer2013new.csv --labels ferplus --model eight.safetensors
  moue eval fer2013.csv --min-confidence 0.6 --json | jq .abstaining")]
pub struct Args {
    #[command(flatten)]
    data: DataSource,
    /// Classes that the pictures have
    #[arg(long, value_name = "SET", value_enum, default_value = "own")]
    labels: Classes,
    /// Part of the data to measure on: Training, PublicTest or PrivateTest
    #[arg(long, value_name = "PART", default_value_t = Usage::PublicTest)]
    usage: Usage,
    /// The model file, instead of the model that comes with moue
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,
    /// Folder for pictures (confusion matrix, reliability, coverage, mistakes), report.json and predictions.csv
    #[arg(long, value_name = "DIR")]
    report: Option<PathBuf>,
    #[command(flatten)]
    abstain: Abstain,
    #[command(flatten)]
    test_time: TestTime,
    /// Measure how far the answers depend on what should not matter: pictures mirrored, moved, scaled, turned, reduced,
    /// compressed, blurred and lit otherwise (19 more looks at each picture)
    #[arg(long, conflicts_with = "tta")]
    consistency: bool,
    #[command(flatten)]
    json: Json,
    #[command(flatten)]
    threads: Threads,
    #[command(flatten)]
    computing: Computing,
}

/// Pictures that go through the network together.
const BATCH: usize = 32;

/// What is written into the folder of --report.
const REPORT_FILES: [&str; 6] =
    ["confusion.png", "reliability.png", "coverage.png", "mistakes.png", "report.json", "predictions.csv"];

pub fn run(args: Args) -> Result {
    let mut files = Files::default();
    args.data.declare(&mut files);
    files.reads_any("--model", &args.model);
    if let Some(folder) = &args.report {
        files.makes("--report", folder);
        REPORT_FILES.iter().for_each(|name| files.writes("--report", folder.join(name)));
    }
    files.check()?;
    interrupt::end_at_once("nothing was measured to its end, and no report was written; run it again")?;
    // Before anything is read: a device that is not there is said at once.
    let engine = args.computing.engine()?;
    let (model, model_name) = match &args.model {
        Some(path) => (Model::load(path)?, path.display().to_string()),
        None => (moue::embedded_model()?, "the embedded model".to_owned()),
    };
    let dataset = args.data.read(args.labels.into())?;
    let excluded = args.data.excluded(&dataset)?;
    let mut indices = dataset.indices(args.usage);
    let before = indices.len();
    indices.retain(|index| excluded.binary_search(index).is_err());
    if indices.is_empty() {
        let other = Usage::ALL.into_iter().find(|usage| !dataset.indices(*usage).is_empty());
        return Err(Failure::message(format!(
            "{}: no pictures of {} to measure on{}",
            dataset.source(),
            args.usage,
            match other.filter(|usage| *usage != args.usage) {
                Some(usage) => format!("; --usage {usage} takes those that are there"),
                None => String::new(),
            }
        )));
    }
    let leaked = leaked(&dataset, &indices);
    console::say(format_args!(
        "Measuring {model_name} on {} of {} in {}",
        counted(indices.len(), "picture", "pictures"),
        args.usage,
        dataset.source()
    ));
    let options = InferenceOptions { max_batch: BATCH, threads: args.threads.count() };
    let mut session = engine.inference(&model.graph, &model.weights, &options)?;
    let rows = Rows { dataset: &dataset, indices: &indices, leaked: &leaked };
    let input = model.graph.input_shape();
    let evaluation = evaluate(session.as_mut(), input, &model.card, rows, args.test_time.views(), BATCH)?;
    let consistency = match args.consistency {
        true => Some(consistency(session.as_mut(), input, &model.card, rows, &evaluation, BATCH)?),
        false => None,
    };
    let report = Report {
        scores: &evaluation.scores,
        model: &model_name,
        data: dataset.source(),
        usage: args.usage,
        excluded: before - indices.len(),
        tta: args.test_time.tta,
        abstaining: args.abstain.min_confidence.map(|p| evaluation.abstaining(p)),
        consistency,
    };
    if let Some(folder) = &args.report {
        interrupt::keeps("the report may lack files; run it again");
        write_folder(folder, &report, &evaluation, &dataset, &leaked)?;
    }
    if args.json.json {
        console::print_json(&report)?;
    } else {
        console::print(report.to_text())?;
    }
    Ok(Outcome::Done)
}

fn write_folder(
    folder: &Path,
    report: &Report<'_>,
    evaluation: &Evaluation,
    dataset: &Dataset,
    leaked: &[bool],
) -> Result<()> {
    let in_folder = |e: std::io::Error| Failure::message(format!("{}: {e}", folder.display()));
    std::fs::create_dir_all(folder).map_err(in_folder)?;
    pictures::write(folder, report, evaluation, dataset)?;
    let json = serde_json::to_string_pretty(report)?;
    console::write_file(&folder.join("report.json"), format!("{json}\n").as_bytes())?;
    let csv = predictions::csv(evaluation, dataset, leaked);
    console::write_file(&folder.join("predictions.csv"), csv.as_bytes())?;
    console::say(format_args!("Pictures, report.json and predictions.csv are in {}", folder.display()));
    Ok(())
}
