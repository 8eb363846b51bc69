//! FER+ votes and lists of rows beside a csv file.

use std::path::Path;

use moue_data::ferplus::{COLUMNS, Relabelled, Table, relabel};
use moue_data::{Dataset, Exclusions, LabelSet, Labels, Limits, ReadOptions, Usage};

use crate::csv::{file, read, row, written};

const ROWS: [(u8, u32, &str); 3] = [(3, 1, "Training"), (0, 2, "Training"), (6, 3, "PublicTest")];

fn table(lines: &[&str]) -> String {
    let mut text = format!("Usage,Image name,{}\n", COLUMNS.join(","));
    for line in lines {
        text.push_str(line);
        text.push('\n');
    }
    text
}

const GOOD: [&str; 3] = [
    "Training,fer0000000.png,1,7,0,0,2,0,0,0,0,0",
    "Training,,0,0,0,0,0,0,0,0,0,10",
    "PublicTest,fer0000002.png,0,0,0,0,0,0,0,9,1,0",
];

fn beside(text: &str, dataset: &mut Dataset) -> Result<(), String> {
    let (_folder, path) = written("votes.csv", text);
    let votes = Table::read(&path, &Limits::default());
    let laid = votes.and_then(|votes| votes.lay_beside(dataset));
    laid.map_err(|error| error.to_string().replace(&path.display().to_string(), "votes.csv"))
}

#[test]
fn votes_go_to_their_rows() {
    let (_folder, path) = written("x.csv", file(&ROWS));
    let mut dataset = read(&path).dataset;
    assert_eq!(dataset.votes(0), None);
    beside(&table(&GOOD), &mut dataset).unwrap();
    let votes = dataset.votes(0).unwrap();
    assert_eq!(votes.counts(), [1, 7, 0, 0, 2, 0, 0, 0, 0, 0]);
    // angry, disgust, fear, happy, sad, surprise, neutral
    assert_eq!(votes.fer2013(), [2, 0, 0, 7, 0, 0, 1]);
    assert_eq!(votes.agreement(3), 0.7);
    assert_eq!(votes.agreement(0), 0.2);
    assert_eq!(votes.agreement(7), 0.0);
    assert_eq!(dataset.votes(1), None);
    assert_eq!(dataset.votes(2).unwrap().fer2013(), [0; 7]);
}

#[test]
fn the_majority_is_that_of_the_paper() {
    let rows = [(0, 1, "Training"); 8];
    let (_folder, path) = written("x.csv", file(&rows));
    let mut dataset = read(&path).dataset;
    assert!(relabel(&dataset).unwrap_err().to_string().contains("need its votes"));
    let lines = [
        // Six of ten for anger.
        "Training,a.png,2,0,0,0,6,2,0,0,0,0",
        // Five of ten are not more than half …
        "Training,a.png,5,0,0,0,2,3,0,0,0,0",
        // … but five of nine are, and single votes do not count.
        "Training,a.png,5,0,0,0,2,2,1,0,0,0",
        // Most saw another emotion, or no face.
        "Training,a.png,0,0,0,2,0,0,0,0,8,0",
        "Training,a.png,2,0,0,0,0,0,0,0,0,8",
        // Dropped by FER+.
        "Training,,0,0,0,0,0,0,0,0,0,10",
        "Training,a.png,2,0,0,0,0,0,0,8,0,0",
        // Nothing but single votes.
        "Training,a.png,1,1,1,1,1,1,1,1,1,1",
    ];
    beside(&table(&lines), &mut dataset).unwrap();
    let Relabelled { dataset: eight, dropped } = relabel(&dataset).unwrap();
    assert_eq!((eight.len(), dropped), (3, 5));
    assert_eq!(eight.labels(), &Labels::with_contempt());
    let names: Vec<&str> = (0..3).map(|i| eight.labels().name(eight.label(i))).collect();
    assert_eq!(names, ["angry", "neutral", "contempt"]);
    // Rows stay what they were: pixels, place and votes.
    assert_eq!((eight.place(1), eight.rows()), (dataset.place(2), 8));
    assert_eq!(eight.pixels(2), dataset.pixels(6));
    assert_eq!(eight.votes(1).unwrap().with_contempt(), [2, 2, 0, 0, 0, 0, 5, 0]);
    assert_eq!(LabelSet::Ferplus.of(dataset.clone()).unwrap().len(), 3);
    assert_eq!(LabelSet::Own.of(dataset).unwrap().len(), 8);
}

#[test]
fn votes_skip_rows_that_could_not_be_read() {
    let text = file(&ROWS[..1]) + "wrong\n" + &row(6, 3, "PublicTest");
    let (_folder, path) = written("x.csv", text);
    let mut dataset = moue_data::read(&path, &ReadOptions::collect()).unwrap().dataset;
    beside(&table(&GOOD), &mut dataset).unwrap();
    assert_eq!(dataset.len(), 2);
    assert_eq!(dataset.votes(1).unwrap().counts()[7], 9);
}

#[test]
fn votes_of_other_rows_are_refused() {
    let (_folder, path) = written("x.csv", file(&ROWS));
    let csv = path.display().to_string();
    let mut dataset = read(&path).dataset;
    let mut refused = |text: &str, expected: &str| {
        let message = beside(text, &mut dataset).unwrap_err().replace(&csv, "x.csv");
        assert!(message.contains(expected), "{message:?} lacks {expected:?}");
    };
    let swapped = [GOOD[0], GOOD[2], GOOD[1]];
    refused(&table(&swapped), "votes.csv:3: Usage PublicTest, expected Training as in x.csv:3");
    refused(&table(&GOOD[..2]), "votes.csv: 2 rows of votes, expected 3 as in x.csv");
    refused("", "the file is empty");
    refused(
        "emotion,pixels,Usage\n",
        "votes.csv:1: the header is \"emotion,pixels,Usage\", expected Usage,Image name",
    );
    for (line, reason) in [
        ("Training,a.png,1,2,3", "5 fields, expected 12"),
        ("Test,a.png,1,0,0,0,0,0,0,0,0,0", "Usage \"Test\""),
        ("Training,a.png,11,0,0,0,0,0,0,0,0,0", "neutral has \"11\" votes, expected 0 to 10"),
        ("Training,a.png,1,x,0,0,0,0,0,0,0,0", "happiness has \"x\" votes"),
        ("Training,a.png,10,10,10,10,10,10,10,10,10,10", "100 votes, expected at most 10"),
    ] {
        refused(&table(&[GOOD[0], line, GOOD[2]]), &format!("votes.csv:3: {reason}"));
    }
}

fn excluded(text: &str, dataset: &Dataset) -> Result<Vec<usize>, String> {
    let (_folder, path) = written("rows.csv", text);
    let rows = Exclusions::read(&path, &Limits::default()).and_then(|rows| rows.samples(dataset));
    rows.map_err(|error| error.to_string().replace(&path.display().to_string(), "rows.csv"))
}

#[test]
fn lists_of_rows_have_a_header_or_not() {
    let (_folder, path) = written("x.csv", file(&ROWS));
    let dataset = read(&path).dataset;
    assert_eq!(
        excluded("line,usage,pixels_from\n2,PublicTest,black\n0,Training,jpeg\n", &dataset),
        Ok(vec![0, 2])
    );
    assert_eq!(excluded("why,Row\nblack,1\n", &dataset), Ok(vec![1]));
    assert_eq!(excluded("1\r\n\r\n1\r\n0", &dataset), Ok(vec![0, 1]));
    assert_eq!(
        excluded("", &dataset),
        Err("rows.csv: the file is empty, expected a csv with a header line".into())
    );
    for (text, reason) in [
        (
            "line,usage\n0,Training\n1,PublicTest\n",
            "rows.csv:3: Usage PublicTest for row 1, expected Training as in",
        ),
        ("0\n3\n", "rows.csv:2: row 3, expected 0 to 2 as in"),
        ("0\n-1\n", "rows.csv:2: row \"-1\", expected a whole number"),
        ("number\n0\n", "rows.csv:1: the first field is \"number\""),
    ] {
        let message = excluded(text, &dataset).unwrap_err();
        assert!(message.starts_with(reason), "{message}");
    }
}

#[test]
fn row_numbers_count_rows_that_could_not_be_read() {
    let text = file(&ROWS[..1]) + "wrong\n\n" + &row(6, 3, "PublicTest");
    let (_folder, path) = written("x.csv", text);
    let dataset = moue_data::read(&path, &ReadOptions::collect()).unwrap().dataset;
    assert_eq!(dataset.usage(1), Usage::PublicTest);
    assert_eq!(excluded("1\n2\n", &dataset), Ok(vec![1]));
}

#[test]
fn folders_have_no_rows() {
    let root = tempfile::tempdir().unwrap();
    let picture = moue_media::Picture::filled(48, 48, [9; 3]);
    std::fs::create_dir(root.path().join("sad")).unwrap();
    picture.write(&root.path().join("sad/a.png")).unwrap();
    let mut dataset = read(Path::new(root.path())).dataset;
    assert!(beside(&table(&GOOD), &mut dataset).unwrap_err().contains("a folder of pictures"));
    assert!(excluded("0\n", &dataset).unwrap_err().contains("a folder of pictures"));
}
