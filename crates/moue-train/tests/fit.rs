//! Whole trainings: that they learn, that interruptions leave no trace, that mistakes are named.

#![allow(clippy::unwrap_used, reason = "an unmet expectation fails the test")]

#[path = "fit/data.rs"]
mod data;
#[path = "fit/engine.rs"]
mod engine;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use engine::Linear;
use moue_data::{Dataset, Usage};
use moue_graph::engine::{Engine, InferenceOptions, Optimizer};
use moue_graph::{Model, Precision, View, Weights};
use moue_train::augment::{Augmentation, Erasing};
use moue_train::{
    Averaging, Control, Decay, EarlyStopping, Ended, EpochRow, Error, FitOptions, FitOutcome, Freeze, Metric,
    Mixing, Observer, Recipe, Result, Rows, RunInfo, Schedule, Silent, StepReport, Teaching, evaluate, fit,
    leaked, read_history,
};

const ROWS: usize = 70;

fn recipe() -> Recipe {
    Recipe {
        name: "test".into(),
        epochs: 4,
        batch: 8,
        optimizer: Optimizer::Sgd { momentum: 0.8, nesterov: false, weight_decay: 0.0 },
        schedule: Schedule { rate: 0.02, warmup_epochs: 0.5, minimum: 1e-4, decay: Decay::Cosine },
        augmentation: Augmentation {
            flip: 0.5,
            shift: 0.05,
            rotation: 4.0,
            brightness: 0.1,
            erasing: Some(Erasing { probability: 0.3, area: [0.02, 0.1] }),
            ..Augmentation::default()
        },
        ..Recipe::default()
    }
}

/// Everything the machinery can do at once.
fn full_recipe() -> Recipe {
    Recipe {
        label_smoothing: 0.05,
        freeze: Freeze { layers: vec!["features".into()], unfreeze_epoch: Some(3), ..Freeze::default() },
        averaging: Some(Averaging { decay: 0.6, every: 3, start_epoch: 2 }),
        early_stopping: Some(EarlyStopping { patience: 3, metric: Metric::ValLoss, min_delta: 0.0 }),
        ..recipe()
    }
}

/// A second task and mixed pictures on top of that.
fn double_recipe() -> Recipe {
    Recipe { ferplus_task: 0.5, mixing: Some(Mixing { probability: 0.5, alpha: 0.4 }), ..full_recipe() }
}

fn train(
    dataset: &Dataset,
    recipe: &Recipe,
    options: &FitOptions,
    observer: &mut dyn Observer,
) -> Result<FitOutcome> {
    let graph = engine::graph();
    let weights = Weights::initialise(&graph, recipe.seed);
    fit(&Linear::default(), &graph, &weights, dataset, recipe, options, observer)
}

fn options(folder: &Path) -> FitOptions {
    FitOptions { checkpoint_every: None, ..FitOptions::new(folder.join("run")) }
}

/// History without times.
fn timeless(history: &[EpochRow]) -> Vec<EpochRow> {
    history.iter().map(|r| EpochRow { seconds: 0.0, images_per_second: 0.0, ..r.clone() }).collect()
}

fn assert_same(a: &FitOutcome, b: &FitOutcome) {
    assert_eq!(timeless(&a.history), timeless(&b.history));
    assert_eq!((a.best_epoch, a.ended), (b.best_epoch, b.ended));
    let (a, b) = (a.model.as_ref().unwrap(), b.model.as_ref().unwrap());
    assert_eq!(a.weights, b.weights);
    assert_eq!(a.card.calibration, b.card.calibration);
    assert_eq!(a.card.training["scores"], b.card.training["scores"]);
}

/// Tensors of a checkpoint: weights, slots and average.
fn tensors(options: &FitOptions) -> Weights {
    moue_graph::checkpoint::load(options.last()).unwrap().1
}

#[derive(Default)]
struct Log {
    info: Option<RunInfo>,
    steps: Vec<(usize, usize)>,
    bests: Vec<bool>,
    checkpoints: usize,
    stop_after: Option<usize>,
    die_after: Option<usize>,
}

impl Observer for Log {
    fn on_start(&mut self, info: &RunInfo) {
        self.info = Some(info.clone());
    }

    fn on_step(&mut self, report: &StepReport) -> Control {
        self.steps.push((report.epoch, report.step));
        assert!(report.loss.is_finite() && (0.0..=1.0).contains(&report.accuracy));
        assert!(report.images_per_second > 0.0 && report.eta_seconds >= 0.0);
        assert!(self.die_after != Some(self.steps.len()), "as if killed");
        if self.stop_after == Some(self.steps.len()) { Control::Stop } else { Control::Continue }
    }

    fn on_epoch_end(&mut self, _: &EpochRow, best: bool) {
        self.bests.push(best);
    }

    fn on_checkpoint(&mut self, path: &Path) {
        assert!(path.exists());
        self.checkpoints += 1;
    }
}

#[test]
fn a_training_learns_and_leaves_its_files() {
    let folder = tempfile::tempdir().unwrap();
    let dataset = data::read(&data::csv(ROWS));
    let options = options(folder.path());
    let mut log = Log::default();
    let recipe = Recipe { epochs: 8, ..recipe() };
    let outcome = train(&dataset, &recipe, &options, &mut log).unwrap();

    let info = log.info.unwrap();
    // Rows 0 and 1 also stand in PublicTest.
    assert_eq!((info.training, info.validation, info.validation_deduplicated), (ROWS + 1 - 2, 35, 33));
    assert_eq!((info.dropped.leaked, info.validation_source.as_str()), (2, "PublicTest"));
    assert_eq!(info.steps_per_epoch, 9);
    assert_eq!(log.steps.len(), 8 * 9);
    assert_eq!(outcome.ended, Ended::Complete);
    let (first, last) = (&outcome.history[0], &outcome.history[7]);
    assert!(last.val_loss < first.val_loss && last.loss < first.loss);
    // Guessing would get a seventh.
    assert!(last.val_accuracy > 0.5, "{last:?}");

    // The files are what was returned.
    assert_eq!(read_history(&options.history()).unwrap().len(), 8);
    let model = outcome.model.unwrap();
    assert_eq!(Model::load(options.best()).unwrap(), model);
    assert_eq!(Recipe::load(&options.recipe()).unwrap(), recipe);
    assert_eq!(model.card.labels, dataset.labels().names());
    assert_eq!(model.card.training["history"].as_array().unwrap().len(), 8);
    assert_eq!(model.card.training["data"]["public_test"], 35);

    // The best epoch is the one with the highest honest accuracy, and the model scores just that.
    let best = &outcome.history[outcome.best_epoch.unwrap() - 1];
    assert!(outcome.history.iter().all(|r| r.val_accuracy_deduplicated <= best.val_accuracy_deduplicated));
    let inference = InferenceOptions { max_batch: 16, threads: 1 };
    let mut session = Linear::default().inference(&model.graph, &model.weights, &inference).unwrap();
    let indices = dataset.indices(Usage::PublicTest);
    let leaks = leaked(&dataset, &indices);
    assert_eq!(leaks.iter().filter(|&&l| l).count(), 2);
    let rows = Rows { dataset: &dataset, indices: &indices, leaked: &leaks };
    for batch in [1, 5, 16] {
        let evaluation =
            evaluate(session.as_mut(), model.graph.input_shape(), &model.card, rows, &[View::PLAIN], batch)
                .unwrap();
        assert_eq!(evaluation.scores.accuracy, best.val_accuracy);
        assert_eq!(evaluation.scores.deduplicated.accuracy, best.val_accuracy_deduplicated);
        assert_eq!(serde_json::to_value(&evaluation.scores).unwrap(), model.card.training["scores"]);
        let wrong = evaluation.mistakes();
        assert_eq!(wrong.len(), (35.0 * (1.0 - best.val_accuracy)).round() as usize);
        assert!(wrong.is_sorted_by(|a, b| a.confidence >= b.confidence));
    }
}

#[test]
fn the_epoch_that_is_kept_is_the_best_by_the_figure_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let dataset = data::read(&data::csv(ROWS));
    // Steps so long that F1 and log loss disagree about the epochs.
    let schedule = Schedule { rate: 0.08, decay: Decay::Constant, ..recipe().schedule };
    let kept = |keep: Metric| {
        let options =
            FitOptions { folder: folder.path().join(format!("{keep:?}")), ..options(folder.path()) };
        let recipe = Recipe { keep, epochs: 2, schedule: schedule.clone(), ..recipe() };
        let outcome = train(&dataset, &recipe, &options, &mut Silent).unwrap();
        let best = outcome.best_epoch.unwrap();
        assert_eq!(outcome.model.unwrap().card.training["epoch"], best);
        (outcome.history, best - 1)
    };
    let (history, by_loss) = kept(Metric::ValLoss);
    assert!(history.iter().all(|row| row.val_loss >= history[by_loss].val_loss));
    let (history, by_f1) = kept(Metric::ValMacroF1);
    assert!(history.iter().all(|row| row.val_macro_f1 <= history[by_f1].val_macro_f1));
    assert_ne!(by_loss, by_f1, "the test tells nothing apart: {history:?}");
}

#[test]
fn the_same_seed_gives_the_same_bits_and_another_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let dataset = data::read(&data::csv(ROWS));
    let run = |name: &str, recipe: &Recipe| {
        let options = FitOptions { folder: folder.path().join(name), ..options(folder.path()) };
        train(&dataset, recipe, &options, &mut Silent).unwrap()
    };
    let (a, b) = (run("a", &full_recipe()), run("b", &full_recipe()));
    assert_same(&a, &b);
    let c = run("c", &Recipe { seed: 2, ..full_recipe() });
    assert_ne!(timeless(&a.history), timeless(&c.history));
}

#[test]
fn a_second_task_leaves_a_model_of_the_classes() {
    let folder = tempfile::tempdir().unwrap();
    let dataset = data::read_with_votes(&data::csv(ROWS));
    for (name, averaging) in [("plain", None), ("averaged", full_recipe().averaging)] {
        let recipe = Recipe { epochs: 12, averaging, freeze: Freeze::default(), ..double_recipe() };
        let options = FitOptions { folder: folder.path().join(name), ..options(folder.path()) };
        let outcome = train(&dataset, &recipe, &options, &mut Silent).unwrap();
        let model = outcome.model.unwrap();
        assert_eq!(model.graph, engine::graph());
        model.weights.check(&model.graph).unwrap();
        let best = outcome.history.iter().find(|row| Some(row.epoch) == outcome.best_epoch).unwrap();
        assert!(best.val_accuracy > 0.8, "{name}: {}", best.val_accuracy);

        // What is saved answers as what was validated.
        let options = InferenceOptions { max_batch: 8, threads: 1 };
        let mut session = Linear::default().inference(&model.graph, &model.weights, &options).unwrap();
        let indices = dataset.indices(Usage::PublicTest);
        let rows = Rows { dataset: &dataset, indices: &indices, leaked: &[] };
        let again =
            evaluate(session.as_mut(), model.graph.input_shape(), &model.card, rows, &[View::PLAIN], 8)
                .unwrap();
        assert_eq!(again.scores.accuracy, best.val_accuracy);
    }
}

#[test]
fn a_taught_network_answers_as_its_teacher() {
    let folder = tempfile::tempdir().unwrap();
    let run = |name: &str, text: &str, recipe: &Recipe| {
        let options = FitOptions { folder: folder.path().join(name), ..options(folder.path()) };
        train(&data::read(text), recipe, &options, &mut Silent).map(|o| o.model.unwrap())
    };
    let text = data::csv(ROWS);
    let teacher = run("teacher", &text, &Recipe { epochs: 8, ..recipe() }).unwrap();
    let path = folder.path().join("teacher.safetensors");
    teacher.save(&path, Precision::F32).unwrap();
    // The same pictures, every label of Training off by one: who learns from the teacher alone never sees them.
    let off: String = text
        .lines()
        .map(|line| match line.split_once(',') {
            Some((label, rest)) if rest.ends_with("Training") => {
                format!("{},{rest}\n", (label.parse::<usize>().unwrap() + 1) % 7)
            }
            _ => format!("{line}\n"),
        })
        .collect();
    let teaching = |path: &Path, consistent| {
        Some(Teaching { models: vec![path.into()], weight: 1.0, temperature: 1.0, consistent })
    };
    let taught = Recipe { epochs: 20, teaching: teaching(&path, false), ..recipe() };
    let student = run("student", &off, &taught).unwrap();
    // Pictures that nothing changes get the same answers at every step as once and for all.
    let plain = Recipe { epochs: 4, augmentation: Augmentation::default(), ..taught };
    let once = run("once", &off, &plain).unwrap();
    let consistent = Recipe { teaching: teaching(&path, true), ..plain.clone() };
    let always = run("always", &off, &consistent).unwrap();
    for (name, tensor) in always.weights.iter() {
        let other = once.weights.get(name).unwrap().data();
        assert!(tensor.data().iter().zip(other).all(|(a, b)| (a - b).abs() < 1e-5), "{name} differs");
    }
    // Others do not.
    let changed = |recipe: Recipe| Recipe { augmentation: crate::recipe().augmentation, ..recipe };
    let (once, always) =
        (run("a", &off, &changed(plain)).unwrap(), run("b", &off, &changed(consistent)).unwrap());
    let kernel = |model: &Model| model.weights.get("dense/kernel").unwrap().data().to_vec();
    assert!(kernel(&once).iter().zip(kernel(&always)).any(|(a, b)| (a - b).abs() > 1e-3));
    assert_eq!(student.card.training["recipe"]["teaching"]["models"][0], "teacher.safetensors");
    let dataset = data::read(&text);
    let indices = dataset.indices(Usage::PublicTest);
    let answer = |model: &Model| {
        let options = InferenceOptions { max_batch: 8, threads: 1 };
        let mut session = Linear::default().inference(&model.graph, &model.weights, &options).unwrap();
        let rows = Rows { dataset: &dataset, indices: &indices, leaked: &[] };
        evaluate(session.as_mut(), model.graph.input_shape(), &model.card, rows, &[View::PLAIN], 8)
            .unwrap()
            .scores
            .accuracy
    };
    // Two of 35 more wrong than the teacher at most.
    assert!(answer(&student) >= answer(&teacher) - 2.0 / 35.0, "{} {}", answer(&student), answer(&teacher));

    let mut other = teacher;
    other.card.labels[0] = "furious".into();
    let path = folder.path().join("other.safetensors");
    other.save(&path, Precision::F32).unwrap();
    let error = run("other", &text, &Recipe { teaching: teaching(&path, false), ..recipe() }).unwrap_err();
    assert!(error.to_string().contains("furious") && error.to_string().contains("other.safetensors"));
}

#[test]
fn a_run_that_dies_anywhere_goes_on_to_the_same_weights() {
    let dataset = data::read_with_votes(&data::csv(ROWS));
    for recipe in [recipe(), full_recipe(), double_recipe()] {
        let folder = tempfile::tempdir().unwrap();
        let whole_options = options(folder.path());
        let whole = train(&dataset, &recipe, &whole_options, &mut Silent).unwrap();
        let steps = 9 * whole.history.len();
        // In an epoch, at its end, at the first and last step, in both stages of freezing.
        for die_after in [1, 4, 9, 10, 17, 18, 19, 26, steps - 1, steps] {
            let folder = tempfile::tempdir().unwrap();
            let mut options = FitOptions { checkpoint_steps: 4, ..options(folder.path()) };
            let mut log = Log { die_after: Some(die_after), ..Log::default() };
            let dead = catch_unwind(AssertUnwindSafe(|| train(&dataset, &recipe, &options, &mut log)));
            assert!(dead.is_err());
            // What a kill in the middle of writing leaves behind.
            let leftover = options.folder.join(".moue-abc123.part");
            std::fs::write(&leftover, b"half a checkp").unwrap();
            // What a kill between the checkpoint and the history leaves out.
            let _ = std::fs::remove_file(options.history());
            let saved = options.last().exists();
            options.resume = true;
            let mut log = Log::default();
            let outcome = train(&dataset, &recipe, &options, &mut log).unwrap();
            assert_eq!(log.info.unwrap().resumed.is_some(), saved);
            assert!(!saved || log.steps.len() < steps, "nothing was resumed");
            assert!(!leftover.exists());
            assert_same(&outcome, &whole);
            let written = read_history(&options.history()).unwrap();
            assert_eq!(written.len(), whole.history.len());
            assert_eq!(tensors(&options), tensors(&whole_options));
        }
    }
}

#[test]
fn a_run_can_be_stopped_and_resumed_again_and_again() {
    let dataset = data::read(&data::csv(ROWS));
    let recipe = full_recipe();
    let whole_folder = tempfile::tempdir().unwrap();
    let whole = train(&dataset, &recipe, &options(whole_folder.path()), &mut Silent).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let options = FitOptions { resume: false, ..options(folder.path()) };
    let stopped =
        train(&dataset, &recipe, &options, &mut Log { stop_after: Some(5), ..Log::default() }).unwrap();
    assert_eq!((stopped.ended, stopped.model), (Ended::Stopped, None));
    let options = FitOptions { resume: true, ..options };
    let mut rounds = 0;
    let outcome = loop {
        let mut log = Log { stop_after: Some(5), ..Log::default() };
        let outcome = train(&dataset, &recipe, &options, &mut log).unwrap();
        rounds += 1;
        if outcome.ended != Ended::Stopped {
            break outcome;
        }
        assert_eq!(log.checkpoints, log.bests.len() + 1);
    };
    assert!(rounds > 4);
    assert_same(&outcome, &whole);
    // A finished run, resumed, gives its result again.
    let again = train(&dataset, &recipe, &options, &mut Silent).unwrap();
    assert_same(&again, &whole);
}

#[test]
fn a_run_whose_teachers_look_at_every_picture_goes_on_to_the_same_weights() {
    let dataset = data::read_with_votes(&data::csv(ROWS));
    let folder = tempfile::tempdir().unwrap();
    let teacher = train(&dataset, &recipe(), &options(&folder.path().join("teacher")), &mut Silent).unwrap();
    let path = folder.path().join("teacher.safetensors");
    teacher.model.unwrap().save(&path, Precision::F32).unwrap();
    let teaching = Teaching { models: vec![path], weight: 0.5, temperature: 1.0, consistent: true };
    let recipe = Recipe { match_shares: true, teaching: Some(teaching), ..double_recipe() };
    let whole_options = options(&folder.path().join("whole"));
    let whole = train(&dataset, &recipe, &whole_options, &mut Silent).unwrap();

    let parts = options(&folder.path().join("parts"));
    let mut log = Log { stop_after: Some(13), ..Log::default() };
    assert_eq!(train(&dataset, &recipe, &parts, &mut log).unwrap().ended, Ended::Stopped);
    let parts = FitOptions { resume: true, ..parts };
    assert_same(&train(&dataset, &recipe, &parts, &mut Silent).unwrap(), &whole);
    assert_eq!(tensors(&parts), tensors(&whole_options));
}

/// Trains in the folder named by the environment until it is killed or done.
#[test]
#[ignore = "a part of `a_run_killed_by_the_system_goes_on_to_the_same_weights`"]
fn victim() {
    let Some(folder) = std::env::var_os("MOUE_TRAIN_TEST_FOLDER") else { return };
    let folder = Path::new(&folder);
    let dataset = data::read(&std::fs::read_to_string(folder.join("data.csv")).unwrap());
    let options = FitOptions { resume: true, checkpoint_steps: 2, ..options(folder) };
    train(&dataset, &full_recipe(), &options, &mut Silent).unwrap();
}

#[test]
fn a_run_killed_by_the_system_goes_on_to_the_same_weights() {
    let csv = data::csv(ROWS);
    let dataset = data::read(&csv);
    let whole_folder = tempfile::tempdir().unwrap();
    let whole_options = options(whole_folder.path());
    let whole = train(&dataset, &full_recipe(), &whole_options, &mut Silent).unwrap();

    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("data.csv"), csv).unwrap();
    std::fs::create_dir(folder.path().join("run")).unwrap();
    let mut kills = 0;
    loop {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "victim", "--ignored", "--quiet"])
            .env("MOUE_TRAIN_TEST_FOLDER", folder.path())
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        // Early at first, since a fast machine is soon done, then later and later, so that a slow one gets
        // there, too.
        std::thread::sleep(Duration::from_millis(5 + kills * kills));
        child.kill().unwrap();
        if child.wait().unwrap().success() {
            break;
        }
        kills += 1;
        assert!(kills < 200, "never got to the end");
    }
    assert!(kills > 0, "the run was over before it was killed");
    let options = FitOptions { resume: true, ..options(folder.path()) };
    let outcome = train(&dataset, &full_recipe(), &options, &mut Silent).unwrap();
    assert_same(&outcome, &whole);
    assert_eq!(tensors(&options), tensors(&whole_options));
}

#[test]
fn resuming_something_else_says_what_differs() {
    let folder = tempfile::tempdir().unwrap();
    let dataset = data::read(&data::csv(ROWS));
    let options = options(folder.path());
    let recipe = recipe();
    let missing = FitOptions { resume: true, ..options.clone() };
    assert!(matches!(train(&dataset, &recipe, &missing, &mut Silent), Err(Error::Resume { .. })));

    train(&dataset, &recipe, &options, &mut Log { stop_after: Some(12), ..Log::default() }).unwrap();
    let again = train(&dataset, &recipe, &options, &mut Silent).unwrap_err().to_string();
    assert!(again.contains("holds a run already"), "{again}");

    let resume = FitOptions { resume: true, ..options.clone() };
    let other =
        Recipe { batch: 4, schedule: Schedule { rate: 0.5, ..recipe.schedule.clone() }, ..recipe.clone() };
    let message = train(&dataset, &other, &resume, &mut Silent).unwrap_err().to_string();
    assert!(message.contains("batch: 8 then, 4 now"), "{message}");
    assert!(message.contains("schedule.rate: 0.02 then, 0.5 now"), "{message}");
    let more = data::read(&data::csv(ROWS + 7));
    let message = train(&more, &recipe, &resume, &mut Silent).unwrap_err().to_string();
    assert!(
        message.contains("dataset sha256") && message.contains("dataset training: 71 then, 78 now"),
        "{message}"
    );

    // A checkpoint that was cut off, or another kind of file.
    let bytes = std::fs::read(options.last()).unwrap();
    for broken in [&bytes[..bytes.len() / 2], b"" as &[u8], b"not a checkpoint"] {
        std::fs::write(options.last(), broken).unwrap();
        let message = train(&dataset, &recipe, &resume, &mut Silent).unwrap_err().to_string();
        assert!(message.contains("last.safetensors"), "{message}");
    }
}

#[test]
fn a_loss_that_is_no_number_ends_the_run_and_keeps_the_best() {
    let folder = tempfile::tempdir().unwrap();
    let dataset = data::read(&data::csv(ROWS));
    let options = options(folder.path());
    let graph = engine::graph();
    let weights = Weights::initialise(&graph, 1);
    let engine = Linear { diverges_at: Some(15) };
    let error = fit(&engine, &graph, &weights, &dataset, &recipe(), &options, &mut Silent).unwrap_err();
    assert!(matches!(error, Error::Diverged { epoch: 2, step: 6, .. }), "{error}");
    assert!(
        error.to_string().starts_with("the loss became NaN in epoch 2, step 6: try a lower `schedule.rate`")
    );
    assert!(Model::load(options.best()).is_ok());
    assert_eq!(read_history(&options.history()).unwrap().len(), 1);
}

#[test]
fn early_stopping_waits_as_long_as_it_should() {
    let folder = tempfile::tempdir().unwrap();
    let dataset = data::read(&data::csv(ROWS));
    // Nothing gets better by so much after the first epoch.
    let early_stopping = Some(EarlyStopping { patience: 2, metric: Metric::ValMacroF1, min_delta: 1.0 });
    let recipe = Recipe { epochs: 50, early_stopping, ..recipe() };
    let outcome = train(&dataset, &recipe, &options(folder.path()), &mut Silent).unwrap();
    assert_eq!((outcome.ended, outcome.history.len()), (Ended::EarlyStopping, 3));
}

#[test]
fn frozen_layers_stay_until_they_are_thawed() {
    let folder = tempfile::tempdir().unwrap();
    let dataset = data::read(&data::csv(ROWS));
    let freeze = Freeze { layers: vec!["features".into()], ..Freeze::default() };
    let start = Weights::initialise(&engine::graph(), 1);
    for (name, unfreeze_epoch, thawed) in [("a", None, false), ("b", Some(2), true)] {
        let recipe = Recipe { epochs: 2, freeze: Freeze { unfreeze_epoch, ..freeze.clone() }, ..recipe() };
        let options = FitOptions { folder: folder.path().join(name), ..options(folder.path()) };
        train(&dataset, &recipe, &options, &mut Silent).unwrap();
        let last = tensors(&options);
        let kernel = last.get("weights:features/kernel").unwrap();
        assert_eq!(kernel != start.get("features/kernel").unwrap(), thawed);
        assert_ne!(last.get("weights:dense/kernel"), start.get("dense/kernel"));
    }
}

#[test]
fn cards_name_files_without_their_folders() {
    let folder = tempfile::tempdir().unwrap();
    let dataset = data::read(&data::csv(ROWS));
    let exclude = folder.path().join("out.csv");
    std::fs::write(&exclude, "3\n").unwrap();
    let mut recipe = Recipe { epochs: 1, ..recipe() };
    recipe.data.exclude = Some(exclude);
    let mut log = Log::default();
    let outcome = train(&dataset, &recipe, &options(folder.path()), &mut log).unwrap();
    assert_eq!(log.info.unwrap().dropped.excluded, 1);
    assert_eq!(outcome.model.unwrap().card.training["recipe"]["data"]["exclude"], "out.csv");
}

#[test]
fn without_public_test_rows_are_held_out() {
    let folder = tempfile::tempdir().unwrap();
    let csv = data::csv(ROWS);
    let training: Vec<&str> = csv.lines().filter(|l| !l.ends_with("PublicTest")).collect();
    let dataset = data::read(&training.join("\n"));
    let mut log = Log::default();
    let mut recipe = Recipe { epochs: 1, ..recipe() };
    recipe.data.holdout = 0.2;
    train(&dataset, &recipe, &options(folder.path()), &mut log).unwrap();
    let info = log.info.unwrap();
    assert_eq!(info.validation_source, "20 % of Training");
    assert!((14..=15).contains(&info.validation) && info.training + info.validation == ROWS + 1, "{info:?}");
    assert_eq!(info.validation_deduplicated, info.validation);
}

#[test]
fn a_graph_for_other_data_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let dataset = data::read(&data::csv(14));
    let graph = Recipe::default().graph(5).unwrap();
    let weights = Weights::new();
    let result =
        fit(&Linear::default(), &graph, &weights, &dataset, &recipe(), &options(folder.path()), &mut Silent);
    assert!(result.unwrap_err().to_string().contains("7 classes"));
}
