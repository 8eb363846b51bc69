//! How many pictures a second one thread makes ready: what a device that is faster waits for.
//!
//!     cargo test --release -p moue-train --test supply -- --ignored --nocapture

#![allow(clippy::print_stdout, reason = "a measurement is for reading")]
#![allow(clippy::unwrap_used, reason = "an unmet expectation fails the test")]

#[allow(dead_code, reason = "the other test uses all of it")]
#[path = "fit/data.rs"]
mod data;

use std::path::Path;

use moue_graph::engine::{
    Engine, InferenceOptions, InferenceSession, Loss, TrainingOptions, TrainingSession, TrainingState,
};
use moue_graph::{Graph, Result, Weights};
use moue_train::{Control, FitOptions, Observer, Recipe, StepReport, fit};

/// Does nothing, at once.
struct Idle;

impl Engine for Idle {
    fn name(&self) -> &str {
        "idle"
    }

    fn inference(&self, _: &Graph, _: &Weights, _: &InferenceOptions) -> Result<Box<dyn InferenceSession>> {
        Ok(Box::new(Idle))
    }

    fn training(&self, _: &Graph, _: &Weights, _: &TrainingOptions) -> Result<Box<dyn TrainingSession>> {
        Ok(Box::new(Idle))
    }
}

impl InferenceSession for Idle {
    fn logits(&mut self, _: &[f32], _: usize, logits: &mut [f32]) -> Result<()> {
        logits.fill(0.0);
        Ok(())
    }
}

impl TrainingSession for Idle {
    fn outputs(&self) -> usize {
        7
    }

    fn step_with(&mut self, pictures: &[f32], _: usize, _: f32, _: &mut Loss<'_>) -> Result<f32> {
        assert!(pictures.iter().all(|p| p.is_finite()));
        Ok(1.0)
    }

    fn logits(&mut self, _: &[f32], _: usize, logits: &mut [f32]) -> Result<()> {
        logits.fill(0.0);
        Ok(())
    }

    fn weights(&self) -> Weights {
        Weights::new()
    }

    fn state(&self) -> TrainingState {
        TrainingState::default()
    }

    fn restore(&mut self, _: &TrainingState) -> Result<()> {
        Ok(())
    }
}

/// Stops before the validation, for which an idle engine has no model.
struct OneEpoch(f64);

impl Observer for OneEpoch {
    fn on_step(&mut self, report: &StepReport) -> Control {
        self.0 = report.images_per_second;
        if report.step + 1 >= report.steps { Control::Stop } else { Control::Continue }
    }
}

#[test]
#[ignore = "a measurement, which wants a quiet machine"]
fn pictures_a_second_of_the_shipped_recipes() {
    let dataset = data::read(&data::csv(4000));
    let recipes = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../recipes");
    for name in ["default", "quick", "seed", "teachers/long", "teachers/lite", "teachers/mobilenet"] {
        let mut recipe = Recipe::load(&recipes.join(format!("{name}.toml"))).unwrap();
        recipe.teaching = None;
        recipe.ferplus_weight = 0.0;
        recipe.ferplus_task = 0.0;
        recipe.averaging = None;
        let start = recipe.start(7, Path::new(".")).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let options = FitOptions { checkpoint_every: None, ..FitOptions::new(folder.path().join("run")) };
        let mut seen = OneEpoch(0.0);
        fit(&Idle, &start.graph, &start.weights, &dataset, &recipe, &options, &mut seen).unwrap();
        assert!(seen.0 > 0.0);
        println!("{name}: {:.0} pictures a second", seen.0);
    }
}
