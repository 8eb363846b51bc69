//! Training of the second network, on cutouts.

use std::path::{Path, PathBuf};

use moue_graph::Weights;
use moue_graph::engine::{Engine, Optimizer, TrainingOptions, TrainingSession};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::super::input::pack;
use super::super::refine::{SIDE, network};
use super::close::{FalseFace, loss};
use super::scenes::Album;
use super::schedule::{self, Schedule};
use super::{Progress, REPORT_EVERY};
use crate::Error;

/// How the second network is trained: part of a [`Recipe`](super::Recipe).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RefineRecipe {
    /// Batches.
    pub steps: u64,
    /// Cutouts a batch, 1..=1024.
    pub batch: usize,
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
}

impl Default for RefineRecipe {
    fn default() -> Self {
        Self {
            steps: 12_000,
            batch: 128,
            rate: 2e-3,
            warm_up: 200,
            decay_steps: 6_000,
            weight_decay: 1e-3,
            averaging: 0.999,
        }
    }
}

impl RefineRecipe {
    fn schedule(&self) -> Schedule {
        let &Self { steps, rate, warm_up, decay_steps, .. } = self;
        Schedule { steps, rate, warm_up, decay_steps }
    }

    /// # Errors
    /// [`Error::Parameter`] where a value has no meaning.
    pub fn check(&self) -> Result<(), Error> {
        if !(1..=1024).contains(&self.batch) {
            let value = self.batch.to_string();
            return Err(Error::Parameter { name: "batch", value, expected: "1 to 1024" });
        }
        self.schedule().check()
    }
}

#[derive(Serialize, Deserialize)]
struct Header {
    recipe: RefineRecipe,
    seed: u64,
    step: u64,
}

/// A training of the second network under way.
pub struct Refinement<'a> {
    recipe: RefineRecipe,
    seed: u64,
    album: &'a Album,
    false_faces: Vec<FalseFace>,
    session: Box<dyn TrainingSession>,
    average: Weights,
    step: u64,
    path: PathBuf,
}

impl<'a> Refinement<'a> {
    /// Starts a training from random weights, or goes on with the one in `folder` if there is one. `false_faces` are what the
    /// first network takes for faces in the photos of the album ([`false_faces`](super::false_faces)).
    ///
    /// # Errors
    /// Those of the recipe, the engine and the files; [`Error::Training`] where the training in the folder was made by another
    /// recipe.
    pub fn open(
        recipe: RefineRecipe,
        seed: u64,
        album: &'a Album,
        false_faces: Vec<FalseFace>,
        engine: &dyn Engine,
        threads: usize,
        folder: &Path,
    ) -> Result<Self, Error> {
        recipe.check()?;
        let graph = network()?;
        let optimizer =
            Optimizer::Adam { beta_1: 0.9, beta_2: 0.999, epsilon: 1e-7, weight_decay: recipe.weight_decay };
        let options = TrainingOptions { max_batch: recipe.batch, threads, optimizer, sharpness: 0.0, seed };
        let weights = Weights::initialise(&graph, seed);
        let mut session = engine.training(&graph, &weights, &options)?;
        std::fs::create_dir_all(folder).map_err(|source| Error::Io { path: folder.to_owned(), source })?;
        let path = folder.join("refine.safetensors");
        let (mut average, mut step) = (weights, 0);
        if path.is_file() {
            let (header, state, mean) = schedule::load(&path, |header: &Header| header.step)?;
            if header.recipe != recipe || header.seed != seed {
                return Err(Error::Training(format!("{} was made by another recipe", path.display())));
            }
            session.restore(&state)?;
            (average, step) = (mean, header.step);
        }
        Ok(Self { recipe, seed, album, false_faces, session, average, step, path })
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
        let (batch, seed) = (self.recipe.batch, self.seed);
        let mut pictures = vec![0.0; batch * SIDE * SIDE];
        let (mut sum, mut count) = (0.0_f64, 0_u64);
        while self.step < self.recipe.steps {
            let (album, false_faces, step) = (self.album, &self.false_faces, self.step);
            let made = (0..batch as u64)
                .into_par_iter()
                .map(|i| album.cutout(seed, step, i, false_faces))
                .collect::<Result<Vec<_>, Error>>()?;
            let mut lessons = Vec::with_capacity(batch);
            for ((pixels, lesson), out) in made.into_iter().zip(pictures.chunks_exact_mut(SIDE * SIDE)) {
                pack(&pixels, SIDE, SIDE, out);
                lessons.push(lesson);
            }
            let rate = self.recipe.schedule().rate_at(self.step);
            let loss = self.session.step_with(&pictures, batch, rate, &mut |outputs, gradients| {
                Ok(loss(outputs, gradients, &lessons))
            })?;
            if !loss.is_finite() {
                return Err(Error::Training(format!("the loss of step {} is no number", self.step)));
            }
            self.step += 1;
            schedule::follow(&mut self.average, &self.session.weights(), self.recipe.averaging, self.step);
            sum += f64::from(loss);
            count += 1;
            if self.step.is_multiple_of(REPORT_EVERY) || self.step == self.recipe.steps {
                let header = Header { recipe: self.recipe.clone(), seed, step: self.step };
                schedule::save(&self.path, &header, &*self.session, &self.average)?;
                let loss = (sum / count as f64) as f32;
                (sum, count) = (0.0, 0);
                if !report(Progress { step: self.step, loss, hard: self.false_faces.len() }) {
                    break;
                }
            }
        }
        Ok(())
    }
}
