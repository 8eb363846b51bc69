use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;

use crate::support::{command, moue};

/// Ten seconds of two people, at ten frames a second.
fn records(source: &str, happy: f64) -> String {
    let face = |id: u64, p: f64| {
        format!(
            r#"{{"id":{id},"box":{{"x":1.0,"y":1.0,"width":9.0,"height":9.0}},"score":0.9,"emotion":"happy","confidence":{p},"probabilities":{{"happy":{p},"sad":{}}}}}"#,
            1.0 - p
        )
    };
    let mut text = String::new();
    for frame in 0..100 {
        let (time, faces) = (f64::from(frame) / 10.0, [face(0, happy), face(1, happy / 2.0)].join(","));
        text.push_str(&format!(
            "{{\"source\":\"{source}\",\"frame\":{frame},\"time\":{time},\"width\":64,\"height\":48,\"faces\":[{faces}]}}\n"
        ));
    }
    text
}

fn write(folder: &Path, name: &str, text: &str) {
    fs::write(folder.join(name), text).unwrap();
}

#[test]
fn a_page_and_its_tables_are_written() {
    let folder = tempfile::tempdir().unwrap();
    let whole = records("a.mp4", 0.5);
    write(folder.path(), "a.jsonl", &whole[..whole.len() - 30]);
    write(folder.path(), "events.csv", "time,name\n0:05,Logo\n");
    let run =
        moue(folder.path(), &["report", "a.jsonl", "--events", "events.csv", "--out", "deep/out"]).done();
    assert!(run.stdout.trim_end().ends_with("report.html") && run.stderr.contains("a.jsonl:100: cut off"));
    let page = fs::read_to_string(folder.path().join("deep/out/report.html")).unwrap();
    assert!(page.contains("Logo") && page.contains("last line of a.jsonl was cut off"));
    let people = fs::read_to_string(folder.path().join("deep/out/people.csv")).unwrap();
    assert_eq!(people.lines().nth(1), Some("a.mp4,a.mp4,0,9.9,1,0.5,0.5,0"));
}

#[test]
fn groups_and_standard_input() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["a", "b", "c"] {
        write(folder.path(), &format!("{name}.jsonl"), &records(&format!("{name}.mp4"), 0.5));
    }
    let arguments =
        ["report", "-", "--group", "Berlin=a.jsonl,b.jsonl", "--group", "Lagos=c.jsonl", "--out", "out"];
    let mut child = command(folder.path(), &arguments).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(records("live", 0.25).as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
    let table = fs::read_to_string(folder.path().join("out/comparison.csv")).unwrap();
    let happy: Vec<String> = table
        .lines()
        .filter(|l| l.contains(",happy,"))
        .map(|l| l.split(',').take(4).collect::<Vec<_>>().join(","))
        .collect();
    assert_eq!(happy, ["live,2,happy,0.1875", "Berlin,4,happy,0.375", "Lagos,2,happy,0.375"]);
}

#[test]
fn what_spreadsheets_and_editors_save_is_read() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "a.jsonl", &format!("\u{feff}{}", records("=a\\u001b[2J.mp4", 0.5)));
    write(folder.path(), "events_de.csv", "0,5;Logo\n1,5;Joke\n");
    moue(folder.path(), &["report", "a.jsonl", "--events", "events_de.csv", "--out", "out"]).done();
    let changes = fs::read_to_string(folder.path().join("out/event_changes.csv")).unwrap();
    assert!(changes.contains("\nLogo,0.5,'=a") && changes.contains("\nJoke,1.5,'=a"), "{changes}");
    let page = fs::read_to_string(folder.path().join("out/report.html")).unwrap();
    assert!(page.contains(r"=a\u{1b}[2J.mp4") && !page.contains('\u{1b}'));
    let wide: Vec<u8> = records("a.mp4", 0.5).encode_utf16().flat_map(u16::to_le_bytes).collect();
    fs::write(folder.path().join("wide.jsonl"), wide).unwrap();
    moue(folder.path(), &["report", "wide.jsonl", "--out", "out2"]).failed(&[
        "wide.jsonl:1",
        "UTF-16",
        "UTF-8",
    ]);
}

#[test]
fn wrong_input_is_named() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "a.jsonl", &records("a.mp4", 0.5));
    write(folder.path(), "bad.jsonl", &records("a.mp4", 0.5).replacen("\"time\":0.2", "\"tim\":0.2", 1));
    write(folder.path(), "events.csv", "time,name\n5,Logo\nlater,End\n");
    let report = |rest: &[&str]| moue(folder.path(), &[&["report"][..], rest, &["--out", "out"]].concat());
    report(&["bad.jsonl"]).failed(&["bad.jsonl:3:", "time"]);
    report(&["absent.jsonl"]).failed(&["absent.jsonl", "No such file"]);
    report(&["a.jsonl", "--events", "events.csv"]).failed(&["events.csv:3:", "later"]);
    report(&["a.jsonl", "--bin", "0.3"]).refused(&["0.3", "0.5"]);
    report(&["a.jsonl", "--group", "Berlin"]).refused(&["NAME=FILE"]);
    report(&[]).refused(&["RECORDS"]);
    write(folder.path(), "pictures.jsonl", records("a.jpg", 0.5).lines().next().unwrap());
    report(&["pictures.jsonl"]).failed(&["not pictures"]);
    assert!(!folder.path().join("out").exists());
}
