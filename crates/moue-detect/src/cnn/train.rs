//! Training of the network on scenes composed from photos.
//!
//! Steps are addressed by their number: the scenes of a step depend on the seed and on nothing before it, so a run
//! that is stopped and resumed gives the weights of one that was not.

mod canvas;
mod close;
mod cover;
mod decoys;
mod loss;
mod random;
mod refinement;
mod scenes;
mod schedule;

pub use close::{FalseFace, Shelf, false_faces};
pub use loss::{Lesson, Role, Target};
pub use refinement::{RefineRecipe, Refinement};
pub use scenes::{Album, HardNegative, Sources};

use std::path::{Path, PathBuf};

use moue_graph::engine::{Engine, Optimizer, TrainingOptions, TrainingSession};
use moue_graph::{Graph, Weights};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::boxes;
use super::detector::Network;
use super::input::pack;
use super::network::{GRANULE, VALUES, cells, heads, network};
use crate::Error;
use crate::labelled::Photo;
use scenes::seen_at;
use schedule::Schedule;

/// How the network is trained; read from TOML, unknown keys are errors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Recipe {
    /// Seed of the first weights and of all scenes.
    pub seed: u64,
    /// Batches; a run that is done can be resumed with more only before `decay_steps` have begun.
    pub steps: u64,
    /// Side of a scene in pixels, a multiple of 32 in 64..=960, and scenes a batch, 1..=256: for small faces many small
    /// scenes, for large ones a few large ones. They take turns.
    pub shapes: Vec<[usize; 2]>,
    /// Steps of one shape before it is the next one's turn.
    pub block: u64,
    /// Learning rate of Adam between warm-up and decay.
    pub rate: f32,
    /// Steps over which the rate rises at the start.
    pub warm_up: u64,
    /// Last steps, over which the rate falls to a hundredth as a half cosine.
    pub decay_steps: u64,
    /// Share of each kernel taken away a step, times the rate.
    pub weight_decay: f32,
    /// Share of the averaged weights that a step keeps.
    pub averaging: f32,
    /// Steps between searches for false faces in the backgrounds.
    pub mine_every: u64,
    /// How the second network is trained, after the first; without it there is none.
    pub refine: Option<RefineRecipe>,
}

impl Default for Recipe {
    fn default() -> Self {
        Self {
            seed: 1,
            steps: 12_000,
            shapes: vec![[256, 16]],
            block: 25,
            rate: 2e-3,
            warm_up: 200,
            decay_steps: 3_000,
            weight_decay: 1e-3,
            averaging: 0.998,
            mine_every: 1_000,
            refine: None,
        }
    }
}

impl Recipe {
    /// # Errors
    /// [`Error::Parameter`] where a value has no meaning.
    pub fn check(&self) -> Result<(), Error> {
        let fault = |name, value: String, expected| Err(Error::Parameter { name, value, expected });
        if self.shapes.is_empty() || self.block == 0 {
            return fault("shapes", "none".to_owned(), "at least one [side, batch], and block above 0");
        }
        for &[side, batch] in &self.shapes {
            if !(1..=256).contains(&batch) {
                return fault("batch", batch.to_string(), "1 to 256");
            }
            if !(64..=960).contains(&side) || !side.is_multiple_of(GRANULE) {
                return fault("side", side.to_string(), "a multiple of 32 in 64 to 960");
            }
        }
        self.schedule().check()?;
        if let Some(refine) = &self.refine {
            refine.check()?;
        }
        if !(0.0..1.0).contains(&self.averaging) || !(0.0..=1.0).contains(&self.weight_decay) {
            return fault("averaging", self.averaging.to_string(), "in 0..1, weight_decay in 0..=1");
        }
        Ok(())
    }

    /// Which of the shapes a step has, counted from 0.
    fn shape_at(&self, step: u64) -> usize {
        (step / self.block.max(1)) as usize % self.shapes.len().max(1)
    }

    fn schedule(&self) -> Schedule {
        let &Self { steps, rate, warm_up, decay_steps, .. } = self;
        Schedule { steps, rate, warm_up, decay_steps }
    }
}

/// What a training reports as it goes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// Steps done.
    pub step: u64,
    /// Mean loss since the last report.
    pub loss: f32,
    /// False faces that wait to be unlearnt.
    pub hard: usize,
}

/// What stands in a checkpoint beside the tensors.
#[derive(Serialize, Deserialize)]
struct Header {
    recipe: Recipe,
    step: u64,
    hard: Vec<HardNegative>,
}

/// Steps between two checkpoints and reports.
const REPORT_EVERY: u64 = 100;

/// Score from which a false face is kept for training.
const HARD_SCORE: f32 = 0.15;

/// A training under way.
pub struct Training<'a> {
    recipe: Recipe,
    album: &'a Album,
    backgrounds: &'a [Photo],
    engine: &'a dyn Engine,
    /// One for each shape of the recipe; the one whose turn it is holds the state.
    sessions: Vec<Box<dyn TrainingSession>>,
    average: Weights,
    hard: Vec<HardNegative>,
    step: u64,
    folder: PathBuf,
}

impl<'a> Training<'a> {
    /// Starts a training, from `start` or else from random weights, or goes on with the one in `folder` if there is one.
    /// `backgrounds` are the photos without faces that the album was made with.
    ///
    /// # Errors
    /// Those of the recipe, the engine and the files; [`Error::Training`] where the training in the folder was made
    /// by another recipe (the number of steps may differ, as long as the rate had not begun to fall).
    pub fn open(
        recipe: Recipe,
        album: &'a Album,
        backgrounds: &'a [Photo],
        engine: &'a dyn Engine,
        threads: usize,
        start: Option<&Network>,
        folder: &Path,
    ) -> Result<Self, Error> {
        recipe.check()?;
        let fresh = fresh(&network(GRANULE, GRANULE)?, recipe.seed);
        let weights = start.map_or_else(|| fresh.clone(), |start| started(&fresh, start));
        let optimizer =
            Optimizer::Adam { beta_1: 0.9, beta_2: 0.999, epsilon: 1e-7, weight_decay: recipe.weight_decay };
        let session = |&[side, batch]: &[usize; 2]| {
            let options = TrainingOptions {
                max_batch: batch,
                threads,
                optimizer: optimizer.clone(),
                sharpness: 0.0,
                seed: recipe.seed,
            };
            engine.training(&network(side, side)?, &weights, &options)
        };
        let sessions = recipe.shapes.iter().map(session).collect::<Result<Vec<_>, _>>()?;
        std::fs::create_dir_all(folder).map_err(|source| Error::Io { path: folder.to_owned(), source })?;
        let mut training = Self {
            recipe,
            album,
            backgrounds,
            engine,
            sessions,
            average: weights,
            hard: Vec::new(),
            step: 0,
            folder: folder.to_owned(),
        };
        if training.checkpoint().is_file() {
            let (header, state, average) = schedule::load(&training.checkpoint(), |h: &Header| h.step)?;
            let same = Recipe {
                steps: training.recipe.steps,
                refine: training.recipe.refine.clone(),
                decay_steps: training.recipe.decay_steps,
                ..header.recipe.clone()
            };
            let falling = header.step > header.recipe.steps - header.recipe.decay_steps;
            let schedule = |recipe: &Recipe| (recipe.steps, recipe.decay_steps);
            let other = schedule(&header.recipe) != schedule(&training.recipe);
            if same != training.recipe || (falling && other) {
                return Err(Error::Training(format!(
                    "{} was made by another recipe",
                    training.checkpoint().display()
                )));
            }
            let shape = training.recipe.shape_at(header.step.saturating_sub(1));
            training.sessions[shape].restore(&state)?;
            training.average = average;
            training.hard = header.hard;
            training.step = header.step;
        }
        Ok(training)
    }

    fn checkpoint(&self) -> PathBuf {
        self.folder.join("last.safetensors")
    }

    /// Steps done.
    pub fn step(&self) -> u64 {
        self.step
    }

    /// Averaged weights as they are now.
    pub fn weights(&self) -> &Weights {
        &self.average
    }

    /// Trains to the end. `report` is called every hundred steps, after a checkpoint was written, and ends the training
    /// by giving `false`.
    ///
    /// # Errors
    /// Those of the engine and of files; [`Error::Training`] where the loss is no number any more.
    pub fn run(&mut self, report: &mut dyn FnMut(Progress) -> bool) -> Result<(), Error> {
        let scenes =
            |album: &Album, hard: &[HardNegative], seed: u64, step: u64, [side, batch]: [usize; 2]| {
                (0..batch as u64)
                    .into_par_iter()
                    .map(|i| album.scene(seed, step, i, side, hard))
                    .collect::<Result<Vec<_>, Error>>()
            };
        let most = self.recipe.shapes.iter().map(|[side, batch]| side * side * batch).max().unwrap_or(0);
        let mut pictures = vec![0.0; most];
        let (mut sum, mut count) = (0.0_f64, 0_u64);
        while self.step < self.recipe.steps {
            if self.step > 0 && self.step.is_multiple_of(self.recipe.mine_every) {
                self.hard = self.mine()?;
            }
            let turn = self.recipe.shape_at(self.step);
            let before = self.recipe.shape_at(self.step.saturating_sub(1));
            if turn != before {
                let state = self.sessions[before].state();
                self.sessions[turn].restore(&state)?;
            }
            let [side, batch] = self.recipe.shapes[turn];
            let pictures = &mut pictures[..side * side * batch];
            let mut lessons = Vec::with_capacity(batch);
            let made = scenes(self.album, &self.hard, self.recipe.seed, self.step, [side, batch])?;
            for ((pixels, lesson), out) in made.into_iter().zip(pictures.chunks_exact_mut(side * side)) {
                pack(&pixels, side, side, out);
                lessons.push(lesson);
            }
            let rate = self.recipe.schedule().rate_at(self.step);
            let loss = self.sessions[turn].step_with(pictures, batch, rate, &mut |outputs, gradients| {
                Ok(loss::loss(outputs, gradients, &lessons, side, side))
            })?;
            if !loss.is_finite() {
                return Err(Error::Training(format!("the loss of step {} is no number", self.step)));
            }
            self.step += 1;
            let current = self.session().weights();
            schedule::follow(&mut self.average, &current, self.recipe.averaging, self.step);
            sum += f64::from(loss);
            count += 1;
            if self.step.is_multiple_of(REPORT_EVERY) || self.step == self.recipe.steps {
                self.save()?;
                let loss = (sum / count as f64) as f32;
                (sum, count) = (0.0, 0);
                if !report(Progress { step: self.step, loss, hard: self.hard.len() }) {
                    break;
                }
            }
        }
        Ok(())
    }

    /// The session that holds the state after the steps done so far.
    fn session(&self) -> &dyn TrainingSession {
        &*self.sessions[self.recipe.shape_at(self.step.saturating_sub(1))]
    }

    fn save(&self) -> Result<(), Error> {
        let header = Header { recipe: self.recipe.clone(), step: self.step, hard: self.hard.clone() };
        schedule::save(&self.checkpoint(), &header, self.session(), &self.average)
    }

    /// Looks for faces where there are none, with the averaged weights, in half of the backgrounds: as the detector looks
    /// at them, and reduced.
    fn mine(&self) -> Result<Vec<HardNegative>, Error> {
        const SIDE: usize = 640;
        let graph = network(SIDE, SIDE)?;
        let options = moue_graph::engine::InferenceOptions { max_batch: 1, threads: 0 };
        let mut session = self.engine.inference(&graph, &self.average, &options)?;
        let mut values = vec![0.0; cells(SIDE, SIDE).count() * VALUES];
        let mut input = vec![0.0; SIDE * SIDE];
        let mut grey = vec![0_u8; SIDE * SIDE];
        let mut found = Vec::new();
        let round = (self.step / self.recipe.mine_every.max(1)) as usize;
        for (background, photo) in self.backgrounds.iter().enumerate().skip(round % 2).step_by(2) {
            let picture = &photo.picture;
            let longest = picture.width().max(picture.height()) as f32;
            let scale = seen_at(longest) * [1.0, 0.6][(background + round) / 2 % 2];
            let size = |v: u32| ((v as f32 * scale) as u32).max(1);
            let scaled = picture.resized(size(picture.width()), size(picture.height()))?;
            grey.fill(0);
            for (row, out) in grey.chunks_exact_mut(SIDE).enumerate().take(scaled.height() as usize) {
                let n = SIDE.min(scaled.width() as usize);
                out[..n].copy_from_slice(&scaled.row(row as u32)[..n]);
            }
            pack(&grey, SIDE, SIDE, &mut input);
            session.logits(&input, 1, &mut values)?;
            for face in boxes::merge(boxes::decode(&values, SIDE, SIDE, [1.0, 0.0], HARD_SCORE)) {
                let centre = [face.x + face.width / 2.0, face.y + face.height / 2.0].map(|v| v / scale);
                found.push(HardNegative { background, centre, scale });
            }
        }
        // What was hard before stays so for a while.
        found.extend(self.hard.iter().take(400));
        found.truncate(1200);
        Ok(found)
    }
}

/// Weights to begin with: those of another network where it has them in the same shape, new ones elsewhere.
fn started(fresh: &Weights, start: &Network) -> Weights {
    let mut weights = Weights::new();
    for (name, tensor) in fresh.iter() {
        let own = start.weights().get(name).filter(|own| own.shape() == tensor.shape());
        weights.insert(name, own.unwrap_or(tensor).clone());
    }
    weights
}

/// First weights: as every network's, but scores start at about 1 %, or the loss of the background would drown all else.
fn fresh(graph: &Graph, seed: u64) -> Weights {
    let mut weights = Weights::initialise(graph, seed);
    for head in heads() {
        if let Some(tensor) = weights.get(&format!("{head}/bias")) {
            let mut tensor = tensor.clone();
            if let Some(score) = tensor.data_mut().first_mut() {
                *score = -4.6;
            }
            weights.insert(format!("{head}/bias"), tensor);
        }
    }
    weights
}
