use std::fs;

use crate::support::{TINY, moue, train, write_data};

#[test]
fn an_evaluation_has_the_keys_that_scripts_rely_on() {
    let folder = tempfile::tempdir().unwrap();
    train(folder.path());
    let run = moue(
        folder.path(),
        &[
            "eval",
            "data.csv",
            "--usage",
            "PublicTest",
            "--model",
            "mine.safetensors",
            "--json",
            "--report",
            "out/deep",
        ],
    )
    .done();
    let report = run.json();
    for key in [
        "count",
        "accuracy",
        "accuracy_ci95",
        "balanced_accuracy",
        "macro_f1",
        "log_loss",
        "ece",
        "labels",
        "confusion",
        "per_class",
        "deduplicated",
    ] {
        assert!(!report[key].is_null(), "{key} is missing in {report}");
    }
    assert_eq!(report["count"], 21);
    assert_eq!(report["labels"][3], "happy");
    let rows = report["confusion"].as_array().unwrap();
    for row in rows {
        let sum: u64 = row.as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).sum();
        assert_eq!(sum, 3, "rows are the true class");
    }
    let right: u64 = rows.iter().enumerate().map(|(i, row)| row[i].as_u64().unwrap()).sum();
    assert!((report["accuracy"].as_f64().unwrap() - right as f64 / 21.0).abs() < 1e-12);
    assert_eq!(report["per_class"][0]["support"], 3);
    assert_eq!(report["deduplicated"]["count"], 21);

    let inside = folder.path().join("out/deep");
    let limits = moue_media::Limits::default();
    for name in ["confusion.png", "reliability.png", "coverage.png"] {
        assert!(moue_media::read_picture(&inside.join(name), &limits).unwrap().width() > 800, "{name}");
    }
    assert_eq!(inside.join("mistakes.png").exists(), right < 21);
    let written: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(inside.join("report.json")).unwrap()).unwrap();
    assert_eq!(written, report);
    let predictions = fs::read_to_string(inside.join("predictions.csv")).unwrap();
    let header =
        "picture,label,answer,confidence,right,in_training,angry,disgust,fear,happy,sad,surprise,neutral";
    assert_eq!(predictions.lines().next(), Some(header));
    assert_eq!(predictions.lines().count(), 22);
    // Rows are counted from 0 over the whole file: 42 stand before the first of PublicTest.
    assert!(predictions.lines().nth(1).unwrap().starts_with("42,angry,"), "{predictions}");
    let counted = predictions.lines().filter(|line| line.contains(",true,false,")).count();
    assert_eq!(counted as u64, right);
}

#[test]
fn answers_below_the_smallest_confidence_are_left_out() {
    let folder = tempfile::tempdir().unwrap();
    train(folder.path());
    let with = |more: &[&str]| {
        moue(folder.path(), &[&["eval", "data.csv", "--model", "mine.safetensors"], more].concat()).done()
    };
    let all = with(&["--json", "--min-confidence", "0"]).json();
    assert_eq!(all["abstaining"]["count"], 21);
    for key in ["accuracy", "accuracy_ci95"] {
        assert_eq!(all["abstaining"][key], all[key]);
    }
    assert!(with(&["--json"]).json()["abstaining"].is_null());
    let some = with(&["--json", "--min-confidence", "0.5", "--report", "out"]).json();
    let predictions = fs::read_to_string(folder.path().join("out/predictions.csv")).unwrap();
    let sure = |line: &&str| line.split(',').nth(3).unwrap().parse::<f64>().is_ok_and(|p| p >= 0.5);
    let given: Vec<&str> = predictions.lines().skip(1).filter(sure).collect();
    let right = given.iter().filter(|line| line.split(',').nth(4) == Some("true")).count();
    assert_eq!(some["abstaining"]["count"], given.len());
    let share = |part: usize, all: usize| if all == 0 { 0.0 } else { part as f64 / all as f64 };
    assert_eq!(some["abstaining"]["coverage"], share(given.len(), 21));
    assert_eq!(some["abstaining"]["accuracy"], share(right, given.len()));
    assert!(with(&["--min-confidence", "0.5"]).stdout.contains("from  50 % sure"));
    moue(folder.path(), &["eval", "data.csv", "--min-confidence", "2"])
        .refused(&["a probability from 0 to 1"]);
}

#[test]
fn pictures_are_looked_at_several_times() {
    let folder = tempfile::tempdir().unwrap();
    train(folder.path());
    let with = |more: &[&str]| {
        let fixed = ["eval", "data.csv", "--model", "mine.safetensors"];
        moue(folder.path(), &[&fixed[..], more].concat()).done()
    };
    let (once, often) = (with(&["--json"]).json(), with(&["--json", "--tta"]).json());
    assert_eq!((&once["tta"], &often["tta"]), (&false.into(), &true.into()));
    assert_eq!(often["count"], 21);
    assert!(once["log_loss"] != often["log_loss"], "the answers are other ones");
    assert_eq!(with(&["--json", "--tta", "--threads", "1"]).json(), often);
    assert!(with(&["--tta"]).stdout.contains("data.csv, each picture looked at several times\n"));
}

#[test]
fn the_same_pictures_are_seen_differently() {
    let folder = tempfile::tempdir().unwrap();
    train(folder.path());
    let with = |more: &[&str]| {
        let fixed = ["eval", "data.csv", "--model", "mine.safetensors", "--consistency"];
        moue(folder.path(), &[&fixed[..], more].concat())
    };
    let consistency = with(&["--json"]).done().json()["consistency"].clone();
    assert_eq!(consistency["count"], 21);
    let changes = consistency["changes"].as_array().unwrap();
    assert_eq!((changes.len(), &changes[0]["change"]), (19, &"mirrored".into()));
    let mean = |key: &str| changes.iter().map(|c| c[key].as_f64().unwrap()).sum::<f64>() / 19.0;
    for key in ["same", "distance"] {
        let all = consistency[key].as_f64().unwrap();
        assert!((all - mean(key)).abs() < 1e-9 && (0.0..=1.0).contains(&all), "{key}: {all}");
    }
    // A model of two epochs is nearly indifferent, but hardly to all of it.
    assert!(changes.iter().any(|c| c["distance"].as_f64().unwrap() > 0.0), "something changes");
    assert!(with(&[]).done().stdout.contains("seen differently"));
    with(&["--tta"]).refused(&["--tta"]);
}

#[test]
fn the_labels_of_ferplus_are_learnt_and_measured() {
    let folder = tempfile::tempdir().unwrap();
    write_data(folder.path());
    // FER2013's classes among FER+'s columns; every ninth row is contempt, every tenth has no majority.
    const COLUMNS: [usize; 7] = [4, 5, 6, 1, 3, 2, 0];
    let mut votes = String::from(
        "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF\n",
    );
    for row in 0..63 {
        let (usage, class) = if row < 42 { ("Training", row % 7) } else { ("PublicTest", (row - 42) % 7) };
        let mut counts = [0; 10];
        counts[if row % 9 == 8 { 7 } else { COLUMNS[class] }] = if row % 10 == 9 { 5 } else { 8 };
        counts[8] = if row % 10 == 9 { 5 } else { 2 };
        let counts: Vec<String> = counts.iter().map(i32::to_string).collect();
        votes.push_str(&format!("{usage},{row}.png,{}\n", counts.join(",")));
    }
    fs::write(folder.path().join("votes.csv"), votes).unwrap();
    let labels = ["--labels", "ferplus", "--threads", "2"];
    moue(folder.path(), &[&["train", "data.csv"][..], &labels, &TINY].concat()).failed(&["need its votes"]);
    let labels = [&labels[..], &["--ferplus", "votes.csv"]].concat();
    moue(folder.path(), &[&["train", "data.csv", "--force"][..], &labels, &TINY].concat()).done();
    let eval = ["eval", "data.csv", "--model", "mine.safetensors", "--json"];
    let report = moue(folder.path(), &[&eval[..], &labels].concat()).done().json();
    assert_eq!(report["labels"].as_array().unwrap().len(), 8);
    assert_eq!(report["labels"][7], "contempt");
    // Rows 49 and 59 have no majority; 44, 53 and 62 are contempt.
    assert_eq!((&report["count"], &report["per_class"][7]["support"]), (&19.into(), &3.into()));
    // The model knows FER2013's classes, too.
    assert_eq!(moue(folder.path(), &eval).done().json()["count"], 21);
}

#[test]
fn an_evaluation_reads_well_and_leaves_rows_out() {
    let folder = tempfile::tempdir().unwrap();
    train(folder.path());
    fs::write(folder.path().join("out.csv"), "row\n0\n42\n43\n").unwrap();
    let arguments = ["eval", "data.csv", "--model", "mine.safetensors", "--exclude", "out.csv"];
    let run = moue(folder.path(), &arguments).done();
    assert!(
        run.stdout.starts_with("mine.safetensors on PublicTest of data.csv\n19 pictures, 2 left out\n"),
        "{}",
        run.stdout
    );
    for words in
        ["accuracy  ", "balanced accuracy", "macro F1", "log loss", "calibration error", "<- predicted"]
    {
        assert!(run.stdout.contains(words), "{words:?} is not in {}", run.stdout);
    }
    // On the pictures it learnt from, everything is leaked.
    let training = ["eval", "data.csv", "--model", "mine.safetensors", "--usage", "training", "--json"];
    assert_eq!(moue(folder.path(), &training).done().json()["deduplicated"]["count"], 0);
    let none = ["eval", "data.csv", "--model", "mine.safetensors", "--usage", "PrivateTest"];
    moue(folder.path(), &none).failed(&["data.csv", "PrivateTest"]);
}
