//! `moue train`: from pictures with labels to a model file.

mod curves;
mod display;
mod finish;
mod recipe;
mod several;

use std::path::{Path, PathBuf};
use std::time::Duration;

use moue_data::{Dataset, Usage};
use moue_graph::Precision;
use moue_graph::engine::Engine;
use moue_train::{Ended, FitOptions, FitOutcome, Recipe, fit};

use crate::failure::{Failure, Outcome, Result};
use crate::files::Files;
use crate::options::{Computing, DataSource, Threads, between};
use crate::text::{grouped, percent};
use crate::{console, interrupt};
use display::Display;

/// Train a model on FER2013 or folders of pictures
///
/// Without a recipe this is the plain reference: MobileNetV2 at 224x224 with dense layers of 128 and 64 units, Adam,
/// cross-entropy, 25 epochs. Everything a training writes lies in its run folder; the best model goes to --out.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  moue train fer2013.csv --out mine.safetensors
  moue train fer2013.csv.bz2 --recipe quick --ferplus fer2013new.csv --start efficientnet-lite0.pth
  moue train fer2013.csv --ferplus fer2013new.csv --labels ferplus      eight classes, contempt among them
  moue train faces/ --start mobilenet_v2_tfjs/ --input 96
  moue train fer2013.csv --device cuda --precision bf16      on an NVIDIA card
  moue train fer2013.csv --device cuda:0,1                   one model on two cards: each takes half of every batch
  moue train fer2013.csv --out mine.safetensors --resume     after Ctrl-C, a crash or a power cut")]
pub struct Args {
    #[command(flatten)]
    data: DataSource,
    /// How to train: a TOML file, or one that comes with moue: seed, quick, default, ferplus [default: seed]
    #[arg(long, value_name = "FILE|NAME")]
    recipe: Option<PathBuf>,
    /// Where the best model goes
    #[arg(long, value_name = "FILE", default_value = "mine.safetensors")]
    out: PathBuf,
    /// Folder of checkpoints, history and curves [default: --out with the ending .run]
    #[arg(long, value_name = "DIR")]
    run: Option<PathBuf>,
    /// Go on with the training in the run folder; without --recipe, by the recipe in it
    #[arg(long, conflicts_with = "force")]
    resume: bool,
    /// Start afresh although the run folder or the model is there already, and replace them
    #[arg(long)]
    force: bool,
    /// Values to begin with: a model file, a folder in TensorFlow.js layers format, a TensorFlow.js graph model (its
    /// .json), or a PyTorch state dict (.pth)
    #[arg(long, value_name = "MODEL|TFJS_DIR")]
    start: Option<PathBuf>,
    #[command(flatten)]
    changes: recipe::Changes,
    /// Train one model with each of these seeds, all at once: --out and the run folder get -seedN before their ending.
    /// For ensembles and teachers, and to fill a card that one small network leaves half idle
    #[arg(long, value_name = "N,N,…", value_delimiter = ',', conflicts_with = "seed")]
    seeds: Vec<u64>,
    #[command(flatten)]
    threads: Threads,
    #[command(flatten)]
    computing: Computing,
    /// Seconds between checkpoints: a killed training loses no more than that
    #[arg(long, value_name = "S", default_value_t = 120, value_parser = between(0_u64, 604_800))]
    checkpoint_seconds: u64,
}

pub fn run(args: Args) -> Result {
    if !args.seeds.is_empty() {
        return several::run(args);
    }
    let plan = Plan::new(args)?;
    let mut files = Files::default();
    plan.declare(&mut files);
    files.check()?;
    plan.check_targets()?;
    interrupt::end_at_once("the training had not begun, and nothing was replaced")?;
    let engine = plan.args.computing.learning_engine()?;
    let dataset = plan.args.data.read(plan.recipe.data.labels)?;
    plan.check_data(&dataset)?;
    plan.watch()?;
    let display = Display::new(&plan.options.folder, dataset.source());
    plan.train(engine.as_ref(), &dataset, display)
}

/// A training that may begin.
struct Plan {
    args: Args,
    options: FitOptions,
    recipe: Recipe,
}

impl Plan {
    fn new(args: Args) -> Result<Self> {
        let folder = args.run.clone().unwrap_or_else(|| args.out.with_extension("run"));
        let mut options = FitOptions::new(folder);
        options.resume = args.resume;
        options.threads = args.threads.count();
        options.checkpoint_every = Some(Duration::from_secs(args.checkpoint_seconds));
        let recipe = recipe::choose(&args, &options)?;
        Ok(Self { args, options, recipe })
    }

    /// Declares what is read and written. What the run folder holds is named after --run, also where --out gives it its name.
    fn declare(&self, files: &mut Files) {
        let (args, options) = (&self.args, &self.options);
        args.data.declare(files);
        files.reads_any("--recipe", args.recipe.iter().filter(|path| !recipe::is_known(path)));
        args.start.iter().for_each(|path| files.reads_model("--start", path));
        let mut recipe = self.recipe.clone();
        recipe.paths_mut().for_each(|path| files.reads_model("named in --recipe", path));
        files.writes("--out", &args.out);
        files.makes("--run", &options.folder);
        let goes_on = options.resume && options.last().exists();
        let curves = options.folder.join("curves.png");
        for path in [options.last(), options.best(), options.history(), curves] {
            files.writes("--run", path);
        }
        // A run that goes on reads its recipe there, and leaves it.
        if !goes_on {
            files.writes("--run", options.recipe());
        }
    }

    /// Fails before hours of work where their result could not be put in its place, or would replace another.
    fn check_targets(&self) -> Result<()> {
        let (args, options) = (&self.args, &self.options);
        let parent = args.out.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        if !parent.is_dir() {
            return Err(Failure::message(format!("{}: there is no such folder for --out", parent.display())));
        }
        if args.out.is_dir() {
            return Err(Failure::usage(format!("--out {} is a folder, not a file", args.out.display())));
        }
        if args.force || args.resume {
            return Ok(());
        }
        let taken = [options.last(), options.best(), args.out.clone()].into_iter().find(|p| p.exists());
        match taken {
            Some(taken) => Err(Failure::Refused(format!(
                "{} is there already: --resume goes on with that training, --force replaces it, --out and --run name another place",
                taken.display()
            ))),
            None => Ok(()),
        }
    }

    /// Watches for Ctrl-C, at which a checkpoint is written.
    fn watch(&self) -> Result<()> {
        interrupt::watch()?;
        interrupt::keeps(format!(
            "the training stands in {} up to its last checkpoint; the same command with --resume instead of --force goes on",
            self.options.folder.display()
        ));
        Ok(())
    }

    /// Fails where there is nothing to learn from, and says what is there.
    fn check_data(&self, dataset: &Dataset) -> Result<()> {
        let has = |usage: &Usage| (0..dataset.len()).any(|index| dataset.usage(index) == *usage);
        match Usage::ALL.into_iter().find(has) {
            Some(there) if there != Usage::Training => Err(Failure::message(format!(
                "{}: no {} pictures: {}",
                dataset.source(),
                Usage::Training,
                moue_data::without_training(there)
            ))),
            _ => Ok(()),
        }
    }

    /// Clears the place, now that data and start are known to be good: a training that cannot begin replaces nothing.
    fn claim(&self) -> Result<()> {
        if self.args.force {
            recipe::remove_run(&self.options)?;
        }
        if self.args.force || self.args.resume {
            recipe::remove_leftovers(&self.options)?;
        }
        Ok(())
    }

    fn train(&self, engine: &dyn Engine, dataset: &Dataset, mut display: Display) -> Result {
        let (recipe, options) = (&self.recipe, &self.options);
        let mut start = recipe.start(dataset.labels().len(), &options.base)?;
        describe(recipe, &start);
        // A run that goes on has its weights in its checkpoint.
        if start.is_folded && !(options.resume && options.last().exists()) {
            console::say(format_args!("Its normalisations are folded: measuring what they see"));
            start.settle(engine, dataset, recipe, &options.base, options.threads)?;
        }
        self.claim()?;
        let outcome = fit(engine, &start.graph, &start.weights, dataset, recipe, options, &mut display)?;
        drop(display);
        if outcome.ended == Ended::Stopped {
            return Err(Failure::Interrupted);
        }
        if let Err(error) = curves::draw(&recipe.name, &outcome.history, &options.folder) {
            console::say(format_args!("moue: {}", crate::failure::describe(&error)));
        }
        report(&self.args, &options.folder, outcome)
    }
}

fn describe(recipe: &Recipe, start: &moue_train::Start) {
    let backbone = &recipe.backbone;
    console::say(format_args!(
        "{}: {} (alpha {}) at {side}x{side}, batches of {}, {} epochs, seed {}",
        recipe.name,
        backbone.name,
        backbone.alpha,
        recipe.batch,
        recipe.epochs,
        recipe.seed,
        side = backbone.input,
    ));
    if let Some(source) = &start.source {
        console::say(format_args!(
            "Starting from {} of {} tensors in {}",
            start.taken,
            start.tensors,
            source.display()
        ));
        // A frozen graph comes from anywhere, and nothing in it tells what its pictures were like.
        if start.is_folded && backbone.weights_range.is_none() {
            let [black, white] = recipe.input_range;
            console::say(format_args!(
                "It is taken to know black as {black} and white as {white}, like input_range; if it does not, \
                 backbone.weights_range has to say so"
            ));
        }
    }
}

/// Puts the best model in its place and says where everything is.
fn report(args: &Args, folder: &Path, outcome: FitOutcome) -> Result {
    let FitOutcome { model, best_epoch, history, ended, .. } = outcome;
    let (Some(model), Some(best)) = (model, best_epoch) else {
        return Err(Failure::message("the training ended before its first epoch was through"));
    };
    let model = finish::portable(model);
    model.save(&args.out, Precision::F32)?;
    if ended == Ended::EarlyStopping {
        console::say(format_args!("Stopped early: no better since epoch {best}"));
    }
    let row = history.iter().find(|row| row.epoch == best);
    let scores = row.map_or_else(String::new, |row| {
        format!(
            "validation accuracy {} ({} without pictures that stand in Training), log loss {:.4} before calibration\n",
            percent(row.val_accuracy),
            percent(row.val_accuracy_deduplicated),
            row.val_loss
        )
    });
    console::print(format_args!(
        "{}: epoch {best} of {}, {} parameters, temperature {:.3}\n{scores}{}: curves.png, history.csv, recipe.toml, checkpoints\n",
        args.out.display(),
        history.len(),
        grouped(model.graph.parameter_count().0),
        model.card.calibration.temperature,
        folder.display(),
    ))?;
    Ok(Outcome::Done)
}
