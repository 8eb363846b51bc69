//! The loop with the CPU engine and a real, if small, network: what the engine keeps to itself
//! (moments, moving statistics, dropout) must survive an interruption, too.

#![allow(clippy::unwrap_used, reason = "an unmet expectation fails the test")]

#[allow(dead_code, reason = "the other test uses all of it")]
#[path = "fit/data.rs"]
mod data;

use std::path::Path;

use moue_cpu::CpuEngine;
use moue_data::Dataset;
use moue_graph::engine::{Engine, InferenceOptions};
use moue_graph::{Calibration, ModelCard, View};
use moue_train::{
    Averaging, Control, Ended, EpochRow, FitOptions, FitOutcome, Freeze, Observer, Recipe, Rows, Selection,
    Silent, StepReport, evaluate, fit,
};

fn recipe() -> Recipe {
    let mut recipe = Recipe { epochs: 3, batch: 16, ..Recipe::default() };
    recipe.backbone.alpha = 0.1;
    recipe.backbone.input = 32;
    recipe.head.dropout = 0.3;
    recipe.augmentation.flip = 0.5;
    recipe.schedule.rate = 1e-3;
    recipe.freeze =
        Freeze { until: Some("block_2_add".into()), unfreeze_epoch: Some(3), ..Freeze::default() };
    recipe.averaging = Some(Averaging { decay: 0.8, every: 2, start_epoch: 1 });
    recipe
}

struct StopEvery(usize);

impl Observer for StopEvery {
    fn on_step(&mut self, report: &StepReport) -> Control {
        if report.step.is_multiple_of(self.0) { Control::Stop } else { Control::Continue }
    }
}

fn train(dataset: &Dataset, folder: &Path, resume: bool, threads: usize, stop_every: usize) -> FitOutcome {
    let recipe = recipe();
    let start = recipe.start(7, Path::new(".")).unwrap();
    let options = FitOptions { resume, threads, ..FitOptions::new(folder) };
    fit(&CpuEngine, &start.graph, &start.weights, dataset, &recipe, &options, &mut StopEvery(stop_every))
        .unwrap()
}

fn timeless(history: &[EpochRow]) -> Vec<EpochRow> {
    history.iter().map(|r| EpochRow { seconds: 0.0, images_per_second: 0.0, ..r.clone() }).collect()
}

#[test]
fn interrupted_runs_and_other_threads_give_the_same_bits() {
    let dataset = data::read(&data::csv(70));
    let folder = tempfile::tempdir().unwrap();
    let whole = train(&dataset, &folder.path().join("whole"), false, 1, usize::MAX);
    assert_eq!((whole.ended, whole.history.len()), (Ended::Complete, 3));

    let mut outcome = train(&dataset, &folder.path().join("parts"), false, 2, 2);
    let mut parts = 1;
    while outcome.ended == Ended::Stopped {
        outcome = train(&dataset, &folder.path().join("parts"), true, 2, 2);
        parts += 1;
    }
    assert!(parts > 5, "{parts} parts only");
    assert_eq!(timeless(&outcome.history), timeless(&whole.history));
    let last = |name: &str| {
        moue_graph::checkpoint::load(folder.path().join(name).join("last.safetensors")).unwrap().1
    };
    assert_eq!(last("parts"), last("whole"));
    assert_eq!(outcome.model.unwrap().weights, whole.model.unwrap().weights);
}

/// The mean of the answers to the validation rows is what the labels' shares in Training are, however few epochs the
/// network has had to learn that.
#[test]
fn answers_keep_the_shares_of_the_labels() {
    let dataset = data::read(&data::csv(70));
    let folder = tempfile::tempdir().unwrap();
    let train = |name: &str, match_shares: bool| {
        let recipe = Recipe { epochs: 2, match_shares, ..recipe() };
        let start = recipe.start(7, Path::new(".")).unwrap();
        let options = FitOptions::new(folder.path().join(name));
        let outcome =
            fit(&CpuEngine, &start.graph, &start.weights, &dataset, &recipe, &options, &mut Silent).unwrap();
        let model = outcome.model.unwrap();
        let selection = Selection::new(&dataset, &recipe, Path::new(".")).unwrap();
        let options = InferenceOptions { max_batch: 8, threads: 1 };
        let mut session = CpuEngine.inference(&model.graph, &model.weights, &options).unwrap();
        let rows = Rows { dataset: &dataset, indices: &selection.validation, leaked: &[] };
        let card = ModelCard { calibration: Calibration::default(), ..model.card.clone() };
        let seen =
            evaluate(session.as_mut(), model.graph.input_shape(), &card, rows, &[View::PLAIN], 8).unwrap();
        let counts = dataset.class_counts(&selection.training);
        let mut furthest = 0f64;
        for (class, count) in counts.into_iter().enumerate() {
            let share = count as f64 / selection.training.len() as f64;
            let answers = seen.probabilities.chunks_exact(7).map(|row| f64::from(row[class]));
            let mean = answers.sum::<f64>() / selection.validation.len() as f64;
            furthest = furthest.max((mean - share).abs());
        }
        // What the run reports is how good the saved model is.
        assert!(
            (outcome.history[1].val_accuracy - seen.scores.accuracy).abs() < 1e-9
                || outcome.best_epoch == Some(1)
        );
        furthest
    };
    let (matched, plain) = (train("matched", true), train("plain", false));
    assert!(matched < 1e-4, "{matched} from the shares");
    assert!(plain > 1e-2, "the test would not see the difference: {plain}");
}
