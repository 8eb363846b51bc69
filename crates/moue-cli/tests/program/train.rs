use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Instant;

use crate::support::{TINY, command, moue, train, write_data};

/// What a training leaves behind.
#[test]
fn a_training_leaves_a_model_a_history_and_curves() {
    let folder = tempfile::tempdir().unwrap();
    let run = train(folder.path());
    assert!(run.stdout.starts_with("mine.safetensors: epoch "), "{}", run.stdout);
    // Stderr is no terminal here: plain lines, one an epoch.
    assert!(!run.stderr.contains(['\x1b', '\r']), "{:?}", run.stderr);
    for words in
        ["Epoch 1/2\n6/6 - ", "Epoch 2/2\n6/6 - ", " - loss: ", " - val_accuracy: ", "learning_rate: 2.00e-3"]
    {
        assert!(run.stderr.contains(words), "{words:?} is not in {}", run.stderr);
    }
    let inside = folder.path().join("mine.run");
    let history = fs::read_to_string(inside.join("history.csv")).unwrap();
    assert_eq!(history.lines().count(), 3, "{history}");
    let curves =
        moue_media::read_picture(&inside.join("curves.png"), &moue_media::Limits::default()).unwrap();
    assert!(curves.width() > curves.height());
    for name in ["best.safetensors", "last.safetensors", "recipe.toml"] {
        assert!(inside.join(name).is_file(), "{name}");
    }

    let info = moue(folder.path(), &["model", "info", "mine.safetensors", "--json"]).done().json();
    assert_eq!(info["backbone"], "mobilenet_v2");
    assert_eq!(info["input"], serde_json::json!([32, 32, 3]));
    assert_eq!(info["labels"][6], "neutral");
    assert_eq!(info["training"]["recipe"]["name"], "seed");
    assert_eq!(info["training"]["recipe"]["backbone"]["alpha"], 0.35f32);
    assert_eq!(info["training"]["data"]["training"], 42);
    assert!(info["parameters"].as_u64() > info["trainable_parameters"].as_u64());
    assert_eq!(info["precision"], serde_json::json!(["F32"]));
}

#[test]
fn nothing_is_replaced_unless_asked() {
    let folder = tempfile::tempdir().unwrap();
    train(folder.path());
    let model = folder.path().join("mine.safetensors");
    let before = fs::read(&model).unwrap();
    let again = [&["train", "data.csv"][..], &TINY].concat();
    moue(folder.path(), &again).refused(&["--resume", "--force"]);
    assert_eq!(fs::read(&model).unwrap(), before);
    // Without the model, the run in its folder is still somebody's work.
    fs::remove_file(&model).unwrap();
    moue(folder.path(), &again).refused(&["--resume", "--force"]);
    // Another seed goes on with nothing.
    let other = [&again[..], &["--seed", "2", "--resume"][..]].concat();
    moue(folder.path(), &other).failed(&["last.safetensors"]);
    // A training that is through is not repeated.
    let resumed = moue(folder.path(), &["train", "data.csv", "--resume"]).done();
    assert!(!resumed.stderr.contains("Epoch 1/2"), "{}", resumed.stderr);
    assert_eq!(fs::read(&model).unwrap(), before);
    moue(folder.path(), &[&again[..], &["--seed", "2", "--force"][..]].concat()).done();
    assert_ne!(fs::read(&model).unwrap(), before);
}

#[test]
fn a_training_that_cannot_be_resumed_says_so() {
    let folder = tempfile::tempdir().unwrap();
    write_data(folder.path());
    moue(folder.path(), &["train", "data.csv", "--resume"]).failed(&["mine.run", "resume"]);
    moue(folder.path(), &["train", "data.csv", "--out", "no/such/mine.safetensors"]).failed(&["no/such"]);
}

/// Another model's values are taken where they fit.
#[test]
fn a_training_starts_from_a_model() {
    let folder = tempfile::tempdir().unwrap();
    train(folder.path());
    let start =
        ["train", "data.csv", "--start", "mine.safetensors", "--out", "next.safetensors", "--recipe", "seed"];
    let run = moue(folder.path(), &[&start[..], &TINY[..]].concat()).done();
    assert!(run.stderr.contains("Starting from 266 of 266 tensors"), "{}", run.stderr);
    let info = moue(folder.path(), &["model", "info", "next.safetensors", "--json"]).done().json();
    // No folder of this machine in a file that is handed on.
    assert_eq!(info["training"]["recipe"]["backbone"]["weights"], "mine.safetensors");
}

/// Six steps an epoch, three epochs, a checkpoint after every step, so that kills fall anywhere between them.
fn arguments(out: &str) -> Vec<&str> {
    let mut arguments =
        vec!["train", "data.csv", "--recipe", "seed", "--checkpoint-seconds", "0", "--out", out];
    arguments.extend(TINY);
    let epochs = arguments.iter().position(|a| *a == "--epochs").unwrap();
    arguments[epochs + 1] = "3";
    arguments
}

fn start(folder: &Path, out: &str) -> Child {
    let mut arguments = arguments(out);
    if folder.join(out).with_extension("run").is_dir() {
        arguments.push("--resume");
    }
    command(folder, &arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Killed with SIGKILL again and again, a training still ends in the same file, byte for byte.
#[test]
fn killed_and_resumed_the_model_is_the_same() {
    let folder = tempfile::tempdir().unwrap();
    write_data(folder.path());
    let begun = Instant::now();
    moue(folder.path(), &arguments("whole.safetensors")).done();
    let whole = begun.elapsed();

    // A moment of its own for each kill and each run of this test.
    let mut random = std::process::id() ^ begun.elapsed().subsec_nanos();
    let mut moments = Vec::new();
    let mut kills = 0;
    for _ in 0..4 {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let moment = whole.mul_f64(f64::from(random >> 8) / f64::from(1 << 24) * 0.6);
        moments.push(moment);
        let mut child = start(folder.path(), "killed.safetensors");
        std::thread::sleep(moment);
        if child.try_wait().unwrap().is_none() {
            // SIGKILL on Unix.
            child.kill().unwrap();
            kills += 1;
        }
        child.wait().unwrap();
    }
    assert!(kills > 0, "no kill fell into the training: {moments:?} of {whole:?}");
    // Killed before it had a folder, there is nothing to resume.
    let status = start(folder.path(), "killed.safetensors").wait().unwrap();
    assert!(status.success(), "killed at {moments:?}");
    let read = |name: &str| fs::read(folder.path().join(name)).unwrap();
    assert!(read("killed.safetensors") == read("whole.safetensors"), "killed at {moments:?}");

    // The history is the same but for times.
    let history = |run: &str| -> Vec<String> {
        let text = fs::read_to_string(folder.path().join(run).join("history.csv")).unwrap();
        let figures = |line: &str| line.split(',').take(7).collect::<Vec<_>>().join(",");
        text.lines().map(figures).collect()
    };
    assert_eq!(history("killed.run"), history("whole.run"));
    let files = fs::read_dir(folder.path().join("killed.run")).unwrap();
    let names = files.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
    let leftovers: Vec<String> = names.filter(|name| name.starts_with('.')).collect();
    assert!(leftovers.is_empty(), "{leftovers:?}, killed at {moments:?}");
}

/// The same seed gives the same file, whatever the number of threads.
#[test]
fn threads_do_not_change_the_model() {
    let folder = tempfile::tempdir().unwrap();
    write_data(folder.path());
    for (threads, out) in [("1", "one.safetensors"), ("3", "three.safetensors")] {
        let arguments = [&["train", "data.csv", "--threads", threads, "--out", out][..], &TINY].concat();
        moue(folder.path(), &arguments).done();
    }
    let read = |name: &str| fs::read(folder.path().join(name)).unwrap();
    assert!(read("one.safetensors") == read("three.safetensors"));
}
