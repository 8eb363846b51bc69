//! Equal pictures, and the check that counts them.

use moue_data::{Check, Duplicates, ReadOptions, SheetOptions, Usage, contact_sheet};
use serde_json::json;

use crate::csv::{PICTURE, file, pixels, read, written};

const TRAINING: &str = "Training";
const PUBLIC: &str = "PublicTest";

/// Samples 0 to 9; equal seeds are equal pictures.
const ROWS: [(u8, u32, &str); 10] = [
    (0, 1, TRAINING),
    (1, 2, TRAINING),
    (0, 1, TRAINING),
    (3, 3, TRAINING),
    (4, 3, TRAINING),
    (0, 1, PUBLIC),
    (5, 4, PUBLIC),
    (5, 2, PUBLIC),
    (6, 5, TRAINING),
    (0, 1, TRAINING),
];

#[test]
fn groups_are_of_equal_pictures() {
    let (_folder, path) = written("x.csv", file(&ROWS));
    let dataset = read(&path).dataset;
    let duplicates = Duplicates::find(&dataset);
    assert_eq!(duplicates.groups(), [vec![0, 2, 5, 9], vec![1, 7], vec![3, 4]]);
    assert_eq!((0..10).map(|i| duplicates.first(i)).collect::<Vec<_>>(), [0, 1, 0, 3, 3, 0, 6, 1, 8, 0]);
    let training = dataset.indices(Usage::Training);
    let public = dataset.indices(Usage::PublicTest);
    assert_eq!(duplicates.groups_among(&training), [vec![0, 2, 9], vec![3, 4]]);
    assert_eq!(duplicates.also_in(&public, &training), [5, 7]);
    assert_eq!(duplicates.also_in(&training, &public), [0, 1, 2, 9]);
    assert_eq!(duplicates.without(&training, &public), [3, 4, 8]);
    // Samples 3 and 4 contradict each other; within Training, 1 stands alone.
    assert_eq!(duplicates.distinct(&dataset, &training), [0, 1, 8]);
    // In the whole, 1 contradicts 7, too.
    assert_eq!(duplicates.distinct(&dataset, &(0..10).collect::<Vec<_>>()), [0, 6, 8]);
    assert_eq!(duplicates.distinct(&dataset, &[9, 2, 3]), [9, 3]);
}

#[test]
fn one_pixel_makes_a_difference() {
    let black = pixels(&[0; PICTURE]);
    let almost = format!("1{}", &black[1..]);
    let text = format!("emotion,pixels\n0,{black}\n0,{almost}\n0,{black}\n");
    let (_folder, path) = written("x.csv", text);
    assert_eq!(Duplicates::find(&read(&path).dataset).groups(), [vec![0, 2]]);
}

#[test]
fn checks_report_everything_under_stable_keys() {
    let mut text = file(&ROWS);
    text.push_str(&format!("2,{},PrivateTest\n", pixels(&[7; PICTURE])));
    text.push_str("nonsense\n");
    let (_folder, path) = written("x.csv", text);
    let reading = moue_data::read(&path, &ReadOptions::collect()).unwrap();
    let check = Check::of(&reading, &Duplicates::find(&reading.dataset));
    let found = serde_json::to_value(&check).unwrap();
    let file = path.display().to_string();
    let place = |line: u32, usage: &str, label: &str| json!({"line": line, "row": line - 2, "usage": usage, "label": label});
    assert_eq!(found["source"], json!(file));
    assert_eq!(found["side"], json!(48));
    assert_eq!(found["rows"], json!(11));
    assert_eq!(found["labels"], json!(["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"]));
    assert_eq!(found["usages"].as_array().unwrap().len(), 3);
    assert_eq!(found["usages"][0]["usage"], json!("Training"));
    assert_eq!(found["usages"][0]["rows"], json!(7));
    assert_eq!(found["usages"][0]["classes"][0], json!({"label": "angry", "rows": 3}));
    assert_eq!(found["usages"][1]["classes"][5], json!({"label": "surprise", "rows": 2}));
    assert_eq!(
        found["wrong"],
        json!({"count": 1, "rows": [{"file": file, "line": 13, "reason": "1 field, expected 3 as in the header"}]})
    );
    assert_eq!(found["empty"], json!([place(12, "PrivateTest", "fear")]));
    let duplicates = &found["duplicates"];
    assert_eq!(
        duplicates["within"],
        json!([
            {"usage": "Training", "groups": 2, "surplus": 3, "conflicting_groups": 1},
            {"usage": "PublicTest", "groups": 0, "surplus": 0, "conflicting_groups": 0},
            {"usage": "PrivateTest", "groups": 0, "surplus": 0, "conflicting_groups": 0},
        ])
    );
    assert_eq!(duplicates["all"], json!({"groups": 3, "surplus": 5, "conflicting_groups": 2}));
    assert_eq!(duplicates["leaks"][0], json!({"usage": "PublicTest", "rows": 2, "share": 2.0 / 3.0}));
    assert_eq!(duplicates["leaks"][1], json!({"usage": "PrivateTest", "rows": 0, "share": 0.0}));
    assert_eq!(
        duplicates["groups"][1],
        json!({"conflicting": true, "samples": [place(3, TRAINING, "disgust"), place(9, PUBLIC, "surprise")]})
    );
    let text = check.to_string();
    for part in [
        "x.csv: 11 pictures of 48x48 pixels",
        ":13: 1 field, expected 3",
        "line 12 (fear, PrivateTest)",
        "2 of PublicTest also in Training: 66.7 %",
        "line 3 (disgust, Training), line 9 (surprise, PublicTest)",
    ] {
        assert!(text.contains(part), "{part:?} is not in:\n{text}");
    }
}

#[test]
fn a_clean_dataset_is_reported_as_clean() {
    let (_folder, path) = written("x.csv", file(&[ROWS[0], ROWS[1]]));
    let reading = read(&path);
    let text = Check::of(&reading, &Duplicates::find(&reading.dataset)).to_string();
    for part in ["wrong rows: none", "empty pictures: none", "equal pictures: none"] {
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn contact_sheets_have_a_row_per_class_and_per_defect() {
    let mut text = file(&ROWS);
    let (_folder, path) = written("x.csv", &text);
    let dataset = read(&path).dataset;
    let duplicates = Duplicates::find(&dataset);
    let options = SheetOptions { per_class: 4, side: 32, seed: 5 };
    let sheet = contact_sheet(&dataset, &duplicates, &options).unwrap();
    assert_eq!(sheet, contact_sheet(&dataset, &duplicates, &options).unwrap());
    // An empty picture adds one row to seven classes and the row of conflicts.
    text.push_str(&format!("2,{},PrivateTest\n", pixels(&[7; PICTURE])));
    let (_folder, path) = written("x.csv", text);
    let dataset = read(&path).dataset;
    let more = contact_sheet(&dataset, &Duplicates::find(&dataset), &options).unwrap();
    assert_eq!(more.width(), sheet.width());
    let row = more.height() - sheet.height();
    assert_eq!((sheet.height() / row, more.height() / row), (8, 9));
    let wrong = SheetOptions { per_class: 1, ..options };
    assert!(contact_sheet(&dataset, &Duplicates::find(&dataset), &wrong).is_err());
}
