use std::fmt::Write;

use moue_data::ReadOptions;

use super::*;
use crate::recipe::DataSelection;

/// Rows of (label, grey level, Usage): rows of one grey level are copies of one picture.
fn dataset(rows: &[(u8, u8, &str)]) -> Dataset {
    let mut text = String::from("emotion,pixels,Usage\n");
    for (label, grey, usage) in rows {
        writeln!(text, "{label},{},{usage}", vec![grey.to_string(); 48 * 48].join(" ")).unwrap();
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    moue_data::read(file.path(), &ReadOptions::strict()).unwrap().dataset
}

const ROWS: [(u8, u8, &str); 11] = [
    (0, 1, "Training"),
    (0, 2, "Training"),
    // The picture of row 1 with the same label, then one with another.
    (0, 2, "Training"),
    (1, 3, "Training"),
    (2, 3, "Training"),
    // Leaked into PublicTest and PrivateTest.
    (3, 4, "Training"),
    (3, 5, "Training"),
    (3, 4, "PublicTest"),
    (4, 6, "PublicTest"),
    (4, 5, "PrivateTest"),
    (5, 7, "Training"),
];

fn choose(data: DataSelection, base: &Path) -> Result<Selection> {
    Selection::new(&dataset(&ROWS), &Recipe { data, ..Recipe::default() }, base)
}

#[test]
fn copies_of_evaluation_pictures_are_dropped_unless_asked_not_to() {
    let honest = choose(DataSelection::default(), Path::new(".")).unwrap();
    assert_eq!(honest.training, [0, 1, 2, 3, 4, 10]);
    assert_eq!(honest.validation, [7, 8]);
    assert_eq!(honest.validation_leaked, [true, false]);
    assert_eq!(honest.dropped, Dropped { leaked: 2, ..Dropped::default() });
    let all =
        choose(DataSelection { drop_leaked: false, ..DataSelection::default() }, Path::new(".")).unwrap();
    assert_eq!(all.training, [0, 1, 2, 3, 4, 5, 6, 10]);
    assert_eq!(all.dropped, Dropped::default());
    assert_eq!(leaked(&dataset(&ROWS), &[7, 8, 9]), [true, false, true]);
}

#[test]
fn duplicates_and_conflicts() {
    let rules = DataSelection { drop_duplicates: true, ..DataSelection::default() };
    let chosen = choose(rules.clone(), Path::new(".")).unwrap();
    assert_eq!(chosen.training, [0, 1, 3, 10]);
    assert_eq!((chosen.dropped.duplicates, chosen.dropped.conflicts), (2, 0));
    let chosen = choose(DataSelection { drop_conflicts: true, ..rules }, Path::new(".")).unwrap();
    assert_eq!(chosen.training, [0, 1, 10]);
    assert_eq!((chosen.dropped.duplicates, chosen.dropped.conflicts), (1, 2));
}

#[test]
fn excluded_rows_are_out_of_everything() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("out.csv"), "line,usage\n0,Training\n7,PublicTest\n").unwrap();
    let rules = DataSelection { exclude: Some("out.csv".into()), ..DataSelection::default() };
    let chosen = choose(rules, folder.path()).unwrap();
    // Row 5 is no copy of an evaluation picture any more.
    assert_eq!(chosen.training, [1, 2, 3, 4, 5, 10]);
    assert_eq!(chosen.validation, [8]);
    assert_eq!((chosen.dropped.excluded, chosen.dropped.leaked), (2, 1));
    let rules = DataSelection { exclude: Some("none.csv".into()), ..DataSelection::default() };
    assert!(choose(rules, folder.path()).is_err());
}

#[test]
fn held_out_rows_are_not_trained_on() {
    let rows: Vec<(u8, u8, &str)> = (0..70).map(|i| (i % 7, i, "Training")).collect();
    let mut recipe = Recipe::default();
    recipe.data.holdout = 0.2;
    let chosen = Selection::new(&dataset(&rows), &recipe, Path::new(".")).unwrap();
    assert_eq!((chosen.training.len(), chosen.validation.len()), (56, 14));
    assert_eq!(chosen.validation_source, "20 % of Training");
    assert!(chosen.validation.iter().all(|i| !chosen.training.contains(i)));
    recipe.seed = 2;
    assert_ne!(
        Selection::new(&dataset(&rows), &recipe, Path::new(".")).unwrap().validation,
        chosen.validation
    );
}

#[test]
fn no_rows_are_named() {
    let only_tests = dataset(&[(0, 1, "PublicTest"), (1, 2, "PublicTest")]);
    let error = Selection::new(&only_tests, &Recipe::default(), Path::new(".")).unwrap_err().to_string();
    assert!(error.contains("no row is left to train on"), "{error}");
    let recipe = Recipe { ferplus_weight: 0.5, ..Recipe::default() };
    let error = Selection::new(&dataset(&ROWS), &recipe, Path::new(".")).unwrap_err().to_string();
    assert!(error.contains("FER+"), "{error}");
}
