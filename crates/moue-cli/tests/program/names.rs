//! Names of files are from strangers: they steer neither terminals nor spreadsheets.
#![cfg(unix)]

use std::fs;

use moue_media::Picture;

use crate::support::{fer2013, moue};

#[test]
fn a_name_is_no_formula_and_no_command_to_the_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let names = ["=1+1.png", "@SUM.png", "+49.png", "\u{1b}[2J\u{1b}]0;hi\u{7}.png", "two\nlines.png"];
    for name in names {
        Picture::filled(64, 64, [90; 3]).write(&folder.join(name)).unwrap();
    }
    fs::write(folder.join("\u{1b}[31mno.png"), "none").unwrap();
    let run = moue(folder, &["analyze", ".", "--detector", "none", "--csv", "out.csv"]).failed(&["no.png"]);
    for text in [&run.stdout, &run.stderr] {
        assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text:?}");
    }
    assert!(run.stdout.contains(r"\u{1b}[2J") && run.stdout.contains(r"two\nlines.png"), "{}", run.stdout);
    let run = moue(
        folder,
        &[
            "analyze",
            "=1+1.png",
            "@SUM.png",
            "+49.png",
            "--detector",
            "none",
            "--csv",
            "out.csv",
            "--no-pictures",
        ],
    )
    .done();
    assert!(run.stdout.contains("=1+1.png"));
    let table = fs::read_to_string(folder.join("out.csv")).unwrap();
    let cells: Vec<&str> = table.lines().skip(1).map(|line| line.split(',').next().unwrap()).collect();
    assert_eq!(cells, ["'=1+1.png", "'@SUM.png", "'+49.png"]);
    // The names are as they are where programs read them.
    let run = moue(folder, &["analyze", "=1+1.png", "--detector", "none", "--json", "--no-pictures"]).done();
    assert_eq!(run.json()["source"], "=1+1.png");
    moue(folder, &["data", "check", "\u{9b}31m\u{202e}gone.csv"]).failed(&[r"\u{9b}31m\u{202e}gone.csv"]);
    let csv = "\u{1b}[31m.csv";
    fs::write(folder.join(csv), fer2013(&[("Training", 7)])).unwrap();
    assert!(moue(folder, &["data", "check", csv]).done().stdout.starts_with(r"\u{1b}[31m.csv: 7 pictures"));
}
