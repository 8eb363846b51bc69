//! Training of the network on scenes composed from photos.
//!
//! Steps are addressed by their number: the scenes of a step depend on the seed and on nothing before it, so a run
//! that is stopped and resumed gives the weights of one that was not.

mod canvas;
mod cover;
mod decoys;
mod loss;
mod random;
mod scenes;

pub use scenes::{Album, HardNegative};

use std::path::{Path, PathBuf};

use moue_graph::engine::{Engine, Optimizer, TrainingOptions, TrainingSession, TrainingState};
use moue_graph::{Graph, Weights, checkpoint};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::boxes;
use super::detector::Network;
use super::input::pack;
use super::network::{GRANULE, VALUES, cells, heads, network};
use crate::Error;
use crate::labelled::Photo;
use scenes::seen_at;

/// How the network is trained; read from TOML, unknown keys are errors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Recipe {
    /// Seed of the first weights and of all scenes.
    pub seed: u64,
    /// Batches; a run that is done can be resumed with more only before `decay_steps` have begun.
    pub steps: u64,
    /// Scenes a batch, 1..=256.
    pub batch: usize,
    /// Side of a scene in pixels, a multiple of 32 in 64..=640.
    pub side: usize,
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
}

impl Default for Recipe {
    fn default() -> Self {
        Self {
            seed: 1,
            steps: 12_000,
            batch: 16,
            side: 256,
            rate: 2e-3,
            warm_up: 200,
            decay_steps: 3_000,
            weight_decay: 1e-3,
            averaging: 0.998,
            mine_every: 1_000,
        }
    }
}

impl Recipe {
    /// # Errors
    /// [`Error::Parameter`] where a value has no meaning.
    pub fn check(&self) -> Result<(), Error> {
        let fault = |name, value: String, expected| Err(Error::Parameter { name, value, expected });
        if !(1..=256).contains(&self.batch) {
            return fault("batch", self.batch.to_string(), "1 to 256");
        }
        if !(64..=640).contains(&self.side) || !self.side.is_multiple_of(GRANULE) {
            return fault("side", self.side.to_string(), "a multiple of 32 in 64 to 640");
        }
        if !(self.rate > 0.0 && self.rate <= 1.0) {
            return fault("rate", self.rate.to_string(), "above 0 and at most 1");
        }
        if self.steps == 0 || self.decay_steps > self.steps {
            return fault(
                "decay_steps",
                self.decay_steps.to_string(),
                "at most the number of steps, which is above 0",
            );
        }
        if !(0.0..1.0).contains(&self.averaging) || !(0.0..=1.0).contains(&self.weight_decay) {
            return fault("averaging", self.averaging.to_string(), "in 0..1, weight_decay in 0..=1");
        }
        Ok(())
    }

    /// Learning rate of a step, counted from 0.
    fn rate_at(&self, step: u64) -> f32 {
        let rise = ((step + 1) as f32 / self.warm_up.max(1) as f32).min(1.0);
        let left = (self.steps.saturating_sub(step)) as f32 / self.decay_steps.max(1) as f32;
        let fall =
            if left < 1.0 { 0.01 + 0.99 * 0.5 * (1.0 - (std::f32::consts::PI * left).cos()) } else { 1.0 };
        self.rate * rise * fall
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
    session: Box<dyn TrainingSession>,
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
        let graph = network(recipe.side, recipe.side)?;
        let optimizer =
            Optimizer::Adam { beta_1: 0.9, beta_2: 0.999, epsilon: 1e-7, weight_decay: recipe.weight_decay };
        let options = TrainingOptions {
            max_batch: recipe.batch,
            threads,
            optimizer,
            sharpness: 0.0,
            seed: recipe.seed,
        };
        let weights = start.map_or_else(|| fresh(&graph, recipe.seed), |network| network.weights().clone());
        let mut session = engine.training(&graph, &weights, &options)?;
        std::fs::create_dir_all(folder).map_err(|source| Error::Io { path: folder.to_owned(), source })?;
        let mut training = Self {
            recipe,
            album,
            backgrounds,
            engine,
            session: engine.training(&graph, &weights, &options)?,
            average: weights,
            hard: Vec::new(),
            step: 0,
            folder: folder.to_owned(),
        };
        if training.checkpoint().is_file() {
            let (header, tensors) = checkpoint::load(training.checkpoint())?;
            let header: Header = serde_json::from_value(header)
                .map_err(|e| Error::Training(format!("the checkpoint is of another kind: {e}")))?;
            let same = Recipe {
                steps: training.recipe.steps,
                decay_steps: training.recipe.decay_steps,
                ..header.recipe.clone()
            };
            let falling = header.step > header.recipe.steps - header.recipe.decay_steps;
            if same != training.recipe || (falling && header.recipe != training.recipe) {
                return Err(Error::Training(format!(
                    "{} was made by another recipe",
                    training.checkpoint().display()
                )));
            }
            let part = |prefix: &str| {
                let mut part = Weights::new();
                for (name, tensor) in tensors.iter() {
                    if let Some(name) = name.strip_prefix(prefix) {
                        part.insert(name, tensor.clone());
                    }
                }
                part
            };
            session.restore(&TrainingState {
                weights: part("weights/"),
                slots: part("slots/"),
                step: header.step,
            })?;
            training.session = session;
            training.average = part("average/");
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
        let side = self.recipe.side;
        let scenes = |hard: &[HardNegative], album: &Album, recipe: &Recipe, step: u64| {
            (0..recipe.batch as u64)
                .into_par_iter()
                .map(|i| album.scene(recipe.seed, step, i, side, hard))
                .collect::<Result<Vec<_>, Error>>()
        };
        let mut pictures = vec![0.0; self.recipe.batch * side * side];
        let (mut sum, mut count) = (0.0_f64, 0_u64);
        while self.step < self.recipe.steps {
            if self.step > 0 && self.step.is_multiple_of(self.recipe.mine_every) {
                self.hard = self.mine()?;
            }
            let batch = scenes(&self.hard, self.album, &self.recipe, self.step)?;
            let mut targets = Vec::with_capacity(batch.len());
            for ((pixels, boxes), out) in batch.into_iter().zip(pictures.chunks_exact_mut(side * side)) {
                pack(&pixels, side, side, out);
                targets.push(boxes);
            }
            let rate = self.recipe.rate_at(self.step);
            let loss =
                self.session.step_with(&pictures, self.recipe.batch, rate, &mut |outputs, gradients| {
                    Ok(loss::loss(outputs, gradients, &targets, side, side))
                })?;
            if !loss.is_finite() {
                return Err(Error::Training(format!("the loss of step {} is no number", self.step)));
            }
            self.step += 1;
            self.take_average();
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

    /// The average follows at the same pace however few steps there were.
    fn take_average(&mut self) {
        let keep = self.recipe.averaging.min((self.step as f32 - 1.0) / (self.step as f32 + 9.0));
        let current = self.session.weights();
        let mut new = Weights::new();
        for (name, tensor) in current.iter() {
            let mut tensor = tensor.clone();
            if let Some(old) = self.average.get(name) {
                for (value, old) in tensor.data_mut().iter_mut().zip(old.data()) {
                    *value += keep * (old - *value);
                }
            }
            new.insert(name, tensor);
        }
        self.average = new;
    }

    fn save(&self) -> Result<(), Error> {
        let state = self.session.state();
        let mut tensors = Weights::new();
        for (prefix, part) in
            [("weights", &state.weights), ("slots", &state.slots), ("average", &self.average)]
        {
            for (name, tensor) in part.iter() {
                tensors.insert(format!("{prefix}/{name}"), tensor.clone());
            }
        }
        let header = Header { recipe: self.recipe.clone(), step: self.step, hard: self.hard.clone() };
        let header = serde_json::to_value(header).map_err(|e| Error::Training(e.to_string()))?;
        Ok(checkpoint::save(self.checkpoint(), &header, &tensors)?)
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
