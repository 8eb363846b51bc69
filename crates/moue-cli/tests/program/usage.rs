use std::io::Read;
use std::process::Stdio;

use crate::support::{command, moue};

#[test]
fn wrong_arguments_end_with_status_2() {
    let folder = tempfile::tempdir().unwrap();
    moue(folder.path(), &[]).refused(&["Usage: moue"]);
    moue(folder.path(), &["trian"]).refused(&["trian"]);
    moue(folder.path(), &["eval", "data.csv", "--usage", "Tset"]).refused(&["Tset", "PublicTest"]);
    moue(folder.path(), &["train", "data.csv", "--epochs", "0"]).refused(&["--epochs"]);
    moue(folder.path(), &["train", "data.csv", "--learning-rate", "0"]).refused(&["rate"]);
    moue(folder.path(), &["bench", "infer", "--alpha", "99"]).refused(&["alpha"]);
    moue(folder.path(), &["bench", "infer", "--backbone", "vgg"]).refused(&["vgg", "mobilenet_v2"]);
    moue(folder.path(), &["bench", "infer", "--seconds", "0"]).refused(&["--seconds"]);
    moue(folder.path(), &["bench", "infer", "--threads", "0"]).refused(&["--threads"]);
    let none = ["bench", "detect", "a.jpg", "--detector", "none"];
    moue(folder.path(), &none).refused(&["none"]);
}

#[test]
fn numbers_have_a_ceiling_that_is_said() {
    let folder = tempfile::tempdir().unwrap();
    for (arguments, flag, limit) in [
        (&["analyze", "a.jpg", "--threads", "1000000"][..], "--threads", "this machine has"),
        (&["train", "data.csv", "--threads", "99999999999999999999"], "--threads", "this machine has"),
        (&["train", "data.csv", "--epochs", "1000000000"], "epochs", "10000"),
        (&["train", "data.csv", "--batch", "1000000000"], "batch", "4096"),
        (&["train", "data.csv", "--input", "1000000"], "input", "in"),
        (&["train", "data.csv", "--checkpoint-seconds", "99999999999"], "--checkpoint-seconds", "604800"),
        (&["bench", "infer", "--batch", "1000000000"], "--batch", "1 to 4096"),
        (&["bench", "train", "--input", "1000000"], "--input", "1 to 1024"),
        (&["model", "summary", "--classes", "1000000000"], "--classes", "1 to 256"),
        (&["model", "summary", "--alpha", "nan"], "--alpha", "0.1 to 4"),
        (
            &["model", "quantize", "m", "--data", "d", "--out", "o", "--pictures", "99999999999"],
            "--pictures",
            "1000000",
        ),
        (&["analyze", "a.mp4", "--detect-every", "4000000000"], "--detect-every", "10000"),
        (&["live", "--rate", "4000000000"], "--rate", "1000"),
        (&["report", "a.jsonl", "--out", "o", "--window", "1e300"], "--window", "86400"),
        (&["report", "a.jsonl", "--out", "o", "--people", "99999999999"], "--people", "100000"),
    ] {
        let run = moue(folder.path(), arguments).refused(&[flag, limit]);
        assert!(!run.stderr.contains("panicked"), "{}", run.stderr);
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn every_command_explains_itself() {
    let folder = tempfile::tempdir().unwrap();
    let about = [
        (&["train"][..], "Train a model"),
        (&["eval"][..], "Measure how good"),
        (&["data", "check"][..], "Say what is in a dataset"),
        (&["model", "summary"][..], "Print the layers"),
        (&["model", "info"][..], "Print what a model file holds"),
        (&["model", "import"][..], "Turn a model"),
        (&["report"][..], "Show how an audience reacted"),
        (&["bench", "infer"][..], "Measure how long a network"),
        (&["bench", "train"][..], "Measure how long a training step"),
        (&["bench", "detect"][..], "Measure how long finding"),
    ];
    for (name, about) in about {
        let run = moue(folder.path(), &[name, &["--help"][..]].concat()).done();
        assert!(run.stdout.starts_with(about), "{}", run.stdout);
        assert!(run.stdout.contains("Example"), "{}", run.stdout);
        assert!(run.stderr.is_empty());
    }
    let version = moue(folder.path(), &["--version"]).done().stdout;
    assert_eq!(version, format!("moue {}\n", env!("CARGO_PKG_VERSION")));
}

/// `moue … | head -1` must not end in a panic or a message.
#[test]
fn a_reader_that_leaves_ends_the_program_quietly() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = command(folder.path(), &["model", "summary"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let status = child.wait().unwrap();
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    assert_eq!((status.code(), stderr.as_str()), (Some(0), ""));
}
