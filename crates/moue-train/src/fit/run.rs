//! One training, from its first or last checkpoint to its end.

use std::ops::ControlFlow;
use std::path::Path;
use std::time::Instant;

use moue_data::Dataset;
use moue_graph::engine::rendering::Stored;
use moue_graph::engine::{Engine, Loss, StepOutcome, TrainingOptions, TrainingSession};
use moue_graph::{Graph, Model, Precision, Weights};
use serde_json::json;

use super::history::{EpochRow, history_csv};
use super::observer::{Control, Observer, RunInfo, StepReport};
use super::progress::Progress;
use super::{Ended, FitOptions, FitOutcome, averaging, validation, write_text};
use crate::augment::Target;
use crate::evaluate::labels_of;
use crate::fingerprint::Fingerprint;
use crate::loader::{Loader, Prepared};
use crate::recipe::Recipe;
use crate::selection::Selection;
use crate::targets::Targets;
use crate::teaching::{self, Consistent};
use crate::{Error, Result};

/// What stays as it is.
pub(super) struct Plan<'a> {
    pub(super) engine: &'a dyn Engine,
    /// The network that is kept.
    pub(super) graph: &'a Graph,
    /// The network that learns: with the outputs of a second task, if there is one.
    pub(super) learner: Graph,
    pub(super) dataset: &'a Dataset,
    pub(super) recipe: &'a Recipe,
    pub(super) options: &'a FitOptions,
    pub(super) selection: Selection,
    pub(super) fingerprint: Fingerprint,
    pub(super) target: Target,
    /// Labels of the validation rows.
    pub(super) labels: Vec<usize>,
    pub(super) targets: Targets,
    /// What the inputs of teachers are like who look at every picture.
    views: Vec<Target>,
    /// Each class's share of the training labels, where answers are to keep them.
    pub(super) shares: Option<Vec<f64>>,
}

/// What changes.
struct State {
    session: Box<dyn TrainingSession>,
    /// Whether the session keeps the pictures.
    kept: bool,
    /// Teachers that look at every picture.
    consistent: Option<Consistent>,
    progress: Progress,
    average: Option<Weights>,
    last_checkpoint: Instant,
}

/// A training ready to go.
pub(super) struct Run<'a> {
    plan: Plan<'a>,
    state: State,
    resumed: Option<(usize, usize)>,
}

impl<'a> Run<'a> {
    pub(super) fn open(
        engine: &'a dyn Engine,
        graph: &'a Graph,
        weights: &Weights,
        dataset: &'a Dataset,
        recipe: &'a Recipe,
        options: &'a FitOptions,
    ) -> Result<Self> {
        recipe.check()?;
        let classes = dataset.labels().len();
        if graph.output_shape().as_slice() != [classes] {
            let shape = graph.output_shape();
            return Err(Error::Parameter(format!(
                "the graph's output {shape:?} is not the data's {classes} classes"
            )));
        }
        let target = Target::new(graph.input_shape(), &recipe.preprocessing())?;
        let selection = Selection::new(dataset, recipe, &options.base)?;
        let labels = labels_of(dataset, &selection.validation, dataset.labels().names())?;
        let mut targets = Targets::new(dataset, selection.training.clone(), recipe)?;
        let mut consistent = None;
        if let Some(teaching) = &recipe.teaching {
            let batch = if teaching.consistent { recipe.batch } else { teaching::BATCH };
            let mut teachers = teaching.open(engine, dataset, batch, &options.base, options.threads)?;
            if teaching.consistent {
                consistent = Some(Consistent::new(teachers, teaching.weight));
            } else {
                let answers = teachers.answers(dataset, &selection.training)?;
                targets = targets.taught(teaching.weight, &answers);
            }
        }
        let shares = recipe.match_shares.then(|| {
            let counts = dataset.class_counts(&selection.training);
            counts.into_iter().map(|n| n as f64 / selection.training.len() as f64).collect::<Vec<_>>()
        });
        if let Some(shares) = &shares {
            targets = targets.matched(shares)?;
        }
        let (learner, weights) = match targets.tasks() {
            tasks if tasks.is_single() => (graph.clone(), weights.clone()),
            tasks => tasks.widen(graph, weights, recipe.seed)?,
        };
        let fingerprint = Fingerprint::new(dataset);
        let selected = [selection.training.len(), selection.validation.len()];
        let fresh = Progress::new(recipe, fingerprint.clone(), selected);
        let plan = Plan {
            engine,
            graph,
            learner,
            dataset,
            recipe,
            options,
            selection,
            fingerprint,
            target,
            labels,
            targets,
            views: consistent.as_ref().map_or_else(Vec::new, |c| c.views().to_vec()),
            shares,
        };

        let last = options.last();
        if options.resume && options.folder.is_dir() {
            remove_leftovers(&options.folder)?;
        }
        if options.resume && last.exists() {
            let saved = Progress::load(&last)?;
            saved.progress.check_same(&fresh, &last)?;
            let (mut session, kept) = plan.session(&saved.state.weights, saved.progress.stage)?;
            session.restore(&saved.state)?;
            let resumed = Some((saved.progress.epoch, saved.progress.step));
            let state = State {
                session,
                kept,
                consistent,
                progress: saved.progress,
                average: saved.average,
                last_checkpoint: Instant::now(),
            };
            return Ok(Self { plan, state, resumed });
        }
        prepare_folder(options, &last)?;
        write_text(&options.recipe(), &recipe.to_toml()?)?;
        let (session, kept) = plan.session(&weights, 1)?;
        let state = State {
            session,
            kept,
            consistent,
            progress: fresh,
            average: None,
            last_checkpoint: Instant::now(),
        };
        Ok(Self { plan, state, resumed: None })
    }

    pub(super) fn go(mut self, observer: &mut dyn Observer) -> Result<FitOutcome> {
        let (plan, state) = (&self.plan, &mut self.state);
        let epochs = plan.recipe.epochs;
        observer.on_start(&plan.info(self.resumed)?);
        if !state.progress.history.is_empty() {
            // A run that died between its checkpoint and its history has one row too few there.
            write_text(&plan.options.history(), &history_csv(&state.progress.history))?;
        }
        if state.is_unfinished(epochs)
            && let Some(consistent) = &mut state.consistent
        {
            plan.match_answers(consistent)?;
        }
        while state.is_unfinished(epochs) {
            observer.on_epoch_start(state.progress.epoch, epochs);
            if state.epoch(plan, observer)?.is_break() {
                return self.outcome(Ended::Stopped);
            }
        }
        let stopped_early = self.state.progress.epoch <= epochs;
        self.complete_card()?;
        self.outcome(if stopped_early { Ended::EarlyStopping } else { Ended::Complete })
    }

    /// Adds to the best model's card what is known only at the end.
    fn complete_card(&self) -> Result<()> {
        let path = self.plan.options.best();
        let mut model = Model::load(&path)?;
        if let Some(training) = model.card.training.as_object_mut() {
            training.insert("history".into(), json!(self.state.progress.history));
            training.insert("seconds".into(), json!(self.state.progress.seconds));
        }
        Ok(model.save(&path, Precision::F32)?)
    }

    fn outcome(self, ended: Ended) -> Result<FitOutcome> {
        let progress = self.state.progress;
        let model = match progress.best {
            Some(_) => Some(Model::load(self.plan.options.best())?),
            None => None,
        };
        let best_epoch = progress.best.map(|b| b.epoch);
        let seconds = progress.seconds + progress.epoch_seconds;
        Ok(FitOutcome { model, best_epoch, history: progress.history, ended, seconds })
    }
}

impl Plan<'_> {
    /// A session whose frozen layers are those of an epoch, and whether it keeps the pictures.
    fn session(&self, weights: &Weights, stage: usize) -> Result<(Box<dyn TrainingSession>, bool)> {
        let mut graph = self.learner.clone();
        self.recipe.freeze.apply(&mut graph, stage)?;
        let options = TrainingOptions {
            max_batch: self.recipe.batch,
            threads: self.options.threads,
            optimizer: self.recipe.optimizer.clone(),
            sharpness: self.recipe.sharpness,
            // A session counts its steps from 0: a later one must not drop the same features again.
            seed: self.recipe.seed.wrapping_add(stage as u64 - 1),
        };
        let mut session = self.engine.training(&graph, weights, &options)?;
        let kept = session.keep(&Stored {
            pixels: self.dataset.all_pixels(),
            side: self.dataset.side() as usize,
            scale: self.target.scale,
            offset: self.target.offset,
        })?;
        Ok((session, kept))
    }

    fn loader(&self, kept: bool) -> Loader<'_> {
        Loader {
            dataset: self.dataset,
            targets: &self.targets,
            augmentation: &self.recipe.augmentation,
            mixing: self.recipe.mixing.as_ref(),
            target: self.target,
            seed: self.recipe.seed,
            batch: self.recipe.batch,
            kept,
            views: &self.views,
        }
    }

    /// Where answers are to keep the classes' shares, has the teachers look at a whole epoch in which nobody learns.
    fn match_answers(&self, consistent: &mut Consistent) -> Result<()> {
        let Some(shares) = &self.shares else { return Ok(()) };
        let mut answers = Vec::with_capacity(self.targets.len() * shares.len());
        // The pictures for the network itself are not made.
        let _ = self.loader(true).each(0, 0, &mut |_, prepared| {
            let count = prepared.batch().count;
            let (_, views) = prepared.targets_and_views();
            answers.extend(consistent.look(views, count)?);
            Ok(ControlFlow::Continue(()))
        })?;
        consistent.match_shares(&answers, shares)
    }

    fn info(&self, resumed: Option<(usize, usize)>) -> Result<RunInfo> {
        let mut graph = self.graph.clone();
        self.recipe.freeze.apply(&mut graph, 1)?;
        let leaked = self.selection.validation_leaked.iter().filter(|&&l| l).count();
        Ok(RunInfo {
            training: self.selection.training.len(),
            validation: self.selection.validation.len(),
            validation_source: self.selection.validation_source.clone(),
            validation_deduplicated: self.selection.validation.len() - leaked,
            dropped: self.selection.dropped,
            steps_per_epoch: self.loader(false).steps(),
            epochs: self.recipe.epochs,
            parameters: graph.parameter_count(),
            resumed,
        })
    }
}

impl State {
    /// Whether an epoch is left to train.
    fn is_unfinished(&self, epochs: usize) -> bool {
        self.progress.epoch <= epochs && !self.progress.is_stopped_early()
    }

    /// Trains what is left of the epoch under way and closes it.
    fn epoch(&mut self, plan: &Plan<'_>, observer: &mut dyn Observer) -> Result<ControlFlow<()>> {
        let epoch = self.progress.epoch;
        if plan.recipe.freeze.changes_at(epoch) && self.progress.stage != epoch {
            (self.session, self.kept) = plan.session(&self.session.weights(), epoch)?;
            self.progress.stage = epoch;
        }
        let before = self.progress.epoch_seconds;
        let start = Instant::now();
        let loader = plan.loader(self.kept);
        let first = self.progress.step;
        let steps = loader.steps();
        let flow = loader.each(epoch, first, &mut |_, prepared| {
            let report = self.step(plan, prepared, steps)?;
            self.progress.epoch_seconds = before + start.elapsed().as_secs_f64();
            let rate = self.progress.seen as f64 / self.progress.epoch_seconds.max(1e-9);
            let left = self.progress.epoch_seconds / report.step as f64 * (steps - report.step) as f64;
            let report = StepReport { images_per_second: rate, eta_seconds: left, ..report };
            if observer.on_step(&report) == Control::Stop {
                self.checkpoint(plan, observer)?;
                return Ok(ControlFlow::Break(()));
            }
            if self.is_checkpoint_due(plan.options) {
                self.checkpoint(plan, observer)?;
            }
            Ok(ControlFlow::Continue(()))
        })?;
        if flow.is_break() {
            return Ok(flow);
        }
        let images_per_second = self.progress.seen as f64 / self.progress.epoch_seconds.max(1e-9);
        observer.on_validation_start(epoch);
        let validation = validation::validate(plan, self.session.as_mut(), self.average.as_ref())?
            .ok_or_else(|| self.diverged("an answer to the validation rows stopped being finite".into()))?;
        let seen = self.progress.seen as f64;
        let scores = &validation.scores;
        let row = EpochRow {
            epoch,
            loss: self.progress.loss_sum / seen,
            accuracy: self.progress.correct as f64 / seen,
            val_loss: scores.log_loss,
            val_accuracy: scores.accuracy,
            val_macro_f1: scores.macro_f1,
            learning_rate: plan
                .recipe
                .schedule
                .rate_at(self.progress.global_step - 1, steps, plan.recipe.epochs)
                .into(),
            seconds: before + start.elapsed().as_secs_f64(),
            images_per_second,
            val_accuracy_deduplicated: scores.deduplicated.accuracy,
        };
        let best = self.progress.finish_epoch(row.clone());
        if best {
            let weights = self.average.clone().unwrap_or_else(|| self.session.weights());
            let weights = plan.targets.tasks().cut(&plan.learner, weights)?;
            validation::model(plan, &validation, epoch, weights)?
                .save(plan.options.best(), Precision::F32)?;
        }
        // The best model first: a checkpoint that knows of it must find it.
        self.checkpoint(plan, observer)?;
        write_text(&plan.options.history(), &history_csv(&self.progress.history))?;
        observer.on_epoch_end(&row, best);
        Ok(ControlFlow::Continue(()))
    }

    fn step(&mut self, plan: &Plan<'_>, prepared: &mut Prepared, steps: usize) -> Result<StepReport> {
        let progress = &mut self.progress;
        let tasks = plan.targets.tasks();
        if let Some(consistent) = &mut self.consistent {
            let (targets, views) = prepared.targets_and_views();
            consistent.mix(targets, tasks.outputs(), views)?;
        }
        let prepared = &*prepared;
        let batch = prepared.batch();
        let learning_rate = plan.recipe.schedule.rate_at(progress.global_step, steps, plan.recipe.epochs);
        batch.check(tasks.outputs())?;
        let mut first = None;
        let compare: &mut Loss<'_> = &mut |logits, gradients| {
            let outcome = if tasks.is_single() {
                batch.cross_entropy(logits, gradients)
            } else {
                tasks.loss(logits, batch.targets, batch.weights, gradients)
            };
            first.get_or_insert(outcome);
            Ok(outcome.loss)
        };
        let loss = if self.kept {
            self.session.step_rendered(prepared.renderings(), learning_rate, compare)?
        } else {
            self.session.step_with(batch.pictures, batch.count, learning_rate, compare)?
        };
        let outcome = StepOutcome { loss, correct: first.map_or(0, |f| f.correct) };
        if !outcome.loss.is_finite() {
            let (epoch, step) = (progress.epoch, progress.step + 1);
            return Err(Error::Diverged { epoch, step, what: format!("the loss became {}", outcome.loss) });
        }
        progress.step += 1;
        progress.global_step += 1;
        progress.seen += batch.count;
        progress.correct += outcome.correct;
        progress.loss_sum += f64::from(outcome.loss) * batch.count as f64;
        if let Some(averaging) = &plan.recipe.averaging {
            let due = progress.global_step.is_multiple_of(averaging.every as u64);
            if due && progress.epoch >= averaging.start_epoch {
                averaging::update(&mut self.average, self.session.weights(), averaging);
            }
        }
        Ok(StepReport {
            epoch: progress.epoch,
            step: progress.step,
            steps,
            loss: progress.loss_sum / progress.seen as f64,
            accuracy: progress.correct as f64 / progress.seen as f64,
            learning_rate,
            images_per_second: 0.0,
            eta_seconds: 0.0,
        })
    }

    fn diverged(&self, what: String) -> Error {
        Error::Diverged { epoch: self.progress.epoch, step: self.progress.step, what }
    }

    fn is_checkpoint_due(&self, options: &FitOptions) -> bool {
        let by_steps =
            options.checkpoint_steps > 0 && self.progress.step.is_multiple_of(options.checkpoint_steps);
        by_steps || options.checkpoint_every.is_some_and(|every| self.last_checkpoint.elapsed() >= every)
    }

    fn checkpoint(&mut self, plan: &Plan<'_>, observer: &mut dyn Observer) -> Result<()> {
        let path = plan.options.last();
        let state = self.session.state();
        let tensors = state.weights.iter().chain(state.slots.iter());
        if let Some((name, _)) = tensors.into_iter().find(|(_, t)| t.data().iter().any(|v| !v.is_finite())) {
            return Err(self.diverged(format!("{name} stopped being finite")));
        }
        self.progress.save(&path, state, self.average.as_ref())?;
        self.last_checkpoint = Instant::now();
        observer.on_checkpoint(&path);
        Ok(())
    }
}

/// Makes the run folder; an error where it holds a run already.
fn prepare_folder(options: &FitOptions, last: &Path) -> Result<()> {
    let folder = &options.folder;
    if options.resume && !folder.is_dir() {
        let reason = "there is no such run to resume".into();
        return Err(Error::Resume { path: folder.clone(), reason });
    }
    if last.exists() || (!options.resume && options.best().exists()) {
        let reason = "holds a run already: resume it or choose another folder".into();
        return Err(Error::Resume { path: folder.clone(), reason });
    }
    std::fs::create_dir_all(folder).map_err(|e| Error::io(folder, e))
}

/// Removes the half-written files of a run that was killed.
fn remove_leftovers(folder: &Path) -> Result<()> {
    for entry in std::fs::read_dir(folder).map_err(|e| Error::io(folder, e))? {
        let path = entry.map_err(|e| Error::io(folder, e))?.path();
        let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
        if moue_files::whole::is_leftover(name) {
            std::fs::remove_file(&path).map_err(|e| Error::io(&path, e))?;
        }
    }
    Ok(())
}
