use moue_data::{Limits, ReadOptions, ferplus};

use super::*;
use crate::recipe::ClassWeights;

/// Three rows with the votes of FER+ beside them: unanimous, split, dropped by FER+.
fn dataset() -> Dataset {
    let folder = tempfile::tempdir().unwrap();
    let mut text = String::from("emotion,pixels,Usage\n");
    for (row, label) in [3, 0, 4].into_iter().enumerate() {
        text.push_str(&format!("{label},{},Training\n", vec![row.to_string(); 48 * 48].join(" ")));
    }
    let (csv, votes) = (folder.path().join("fer2013.csv"), folder.path().join("fer2013new.csv"));
    std::fs::write(&csv, text).unwrap();
    std::fs::write(
        &votes,
        "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF\n\
         Training,fer0000000.png,0,10,0,0,0,0,0,0,0,0\n\
         Training,fer0000001.png,2,0,0,0,4,2,0,1,1,0\n\
         Training,,0,0,0,0,0,0,0,0,0,10\n",
    )
    .unwrap();
    let mut dataset = moue_data::read(&csv, &ReadOptions::strict()).unwrap().dataset;
    ferplus::Table::read(&votes, &Limits::default()).unwrap().lay_beside(&mut dataset).unwrap();
    dataset
}

fn close(row: &[f32], expected: [f32; 7]) {
    assert!(row.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6), "{row:?} is not {expected:?}");
    assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-6);
}

#[test]
fn plain_labels_are_one_hot() {
    let targets = Targets::new(&dataset(), vec![0, 1], &Recipe::default()).unwrap();
    assert_eq!(targets.row(0), [0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0]);
    assert_eq!(targets.row(1), [1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
    assert_eq!(targets.weight(0), None);
}

#[test]
fn votes_are_mixed_in_without_contempt_and_unknown() {
    let recipe = Recipe { ferplus_weight: 0.5, ..Recipe::default() };
    let targets = Targets::new(&dataset(), vec![0, 1, 2], &recipe).unwrap();
    close(targets.row(0), [0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0]);
    // Eight votes count: anger 4, disgust 2, neutral 2.
    close(targets.row(1), [0.75, 0.125, 0.0, 0.0, 0.0, 0.0, 0.125]);
    // Without votes the label stands alone.
    close(targets.row(2), [0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0]);
}

#[test]
fn with_contempt_the_votes_for_it_count() {
    let mut recipe = Recipe { ferplus_weight: 1.0, ..Recipe::default() };
    recipe.data.labels = moue_data::LabelSet::Ferplus;
    assert!(Targets::new(&dataset(), vec![0], &recipe).is_err(), "the data has seven classes");
    let eight = recipe.data.labels.of(dataset()).unwrap();
    // The second row has no majority but for the single votes: four of eight for anger.
    assert_eq!(eight.len(), 1);
    let targets = Targets::new(&eight, vec![0], &recipe).unwrap();
    assert_eq!(targets.row(0), [0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0]);
}

#[test]
fn smoothing_comes_last() {
    let recipe = Recipe { label_smoothing: 0.07, ..Recipe::default() };
    let targets = Targets::new(&dataset(), vec![0], &recipe).unwrap();
    close(targets.row(0), [0.01, 0.01, 0.01, 0.94, 0.01, 0.01, 0.01]);
}

#[test]
fn weights_are_those_of_the_label() {
    let class_weights = ClassWeights::List { weights: vec![3.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0] };
    let recipe = Recipe { class_weights, ..Recipe::default() };
    let targets = Targets::new(&dataset(), vec![0, 1], &recipe).unwrap();
    assert_eq!((targets.weight(0), targets.weight(1)), (Some(0.5), Some(1.5)));
    assert!(Targets::new(&dataset(), vec![], &recipe).is_err());
}

#[test]
fn rows_that_ferplus_dropped_are_not_trained_on() {
    let folder = tempfile::tempdir().unwrap();
    let (csv, votes) = (folder.path().join("fer2013.csv"), folder.path().join("fer2013new.csv"));
    let mut text = String::from("emotion,pixels,Usage\n");
    let mut lines = String::from(
        "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF\n",
    );
    // A face, a row FER+ dropped, one with as many votes for no face as for any emotion, PublicTest.
    for (row, (usage, image, counts)) in [
        ("Training", "fer0000000.png", "5,0,0,1,0,0,0,0,0,4"),
        ("Training", "", "0,0,0,0,0,0,0,0,0,10"),
        ("Training", "fer0000002.png", "4,0,0,1,0,0,0,0,1,4"),
        ("PublicTest", "fer0000003.png", "10,0,0,0,0,0,0,0,0,0"),
    ]
    .into_iter()
    .enumerate()
    {
        text.push_str(&format!("6,{},{usage}\n", vec![row.to_string(); 48 * 48].join(" ")));
        lines.push_str(&format!("{usage},{image},{counts}\n"));
    }
    std::fs::write(&csv, text).unwrap();
    std::fs::write(&votes, lines).unwrap();
    let mut dataset = moue_data::read(&csv, &ReadOptions::strict()).unwrap().dataset;
    ferplus::Table::read(&votes, &Limits::default()).unwrap().lay_beside(&mut dataset).unwrap();
    let recipe = Recipe { ferplus_weight: 0.5, ..Recipe::default() };
    let chosen = crate::Selection::new(&dataset, &recipe, std::path::Path::new(".")).unwrap();
    assert_eq!((chosen.training, chosen.dropped.not_a_face), (vec![0], 2));
    let plain = crate::Selection::new(&dataset, &Recipe::default(), std::path::Path::new(".")).unwrap();
    assert_eq!(plain.training, [0, 1, 2]);
}

#[test]
fn a_second_task_stands_behind_the_classes() {
    let recipe = Recipe { ferplus_task: 0.5, label_smoothing: 0.07, ..Recipe::default() };
    let targets = Targets::new(&dataset(), vec![1, 2], &recipe).unwrap();
    assert_eq!(targets.tasks().outputs(), 15);
    close(&targets.row(0)[..7], [0.94, 0.01, 0.01, 0.01, 0.01, 0.01, 0.01]);
    // Nine of the ten votes name an emotion: neutral 2, anger 4, disgust 2, contempt 1.
    let votes = [2.0, 0.0, 0.0, 0.0, 4.0, 2.0, 0.0, 1.0].map(|n| n / 9.0);
    assert!(targets.row(0)[7..].iter().zip(votes).all(|(a, b)| (a - b).abs() < 1e-6));
    assert_eq!(targets.row(1)[7..], [0.0; 8]);
}

#[test]
fn teachers_take_their_share_of_the_classes_only() {
    let recipe = Recipe { ferplus_task: 0.5, ..Recipe::default() };
    let answers = [0.1, 0.2, 0.0, 0.4, 0.1, 0.1, 0.1, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0];
    let plain = Targets::new(&dataset(), vec![0, 1], &recipe).unwrap();
    let targets = Targets::new(&dataset(), vec![0, 1], &recipe).unwrap().taught(0.25, &answers);
    close(&targets.row(0)[..7], [0.025, 0.05, 0.0, 0.85, 0.025, 0.025, 0.025]);
    assert_eq!(targets.row(1)[..7], plain.row(1)[..7]);
    assert_eq!(targets.row(0)[7..], plain.row(0)[7..]);
}

#[test]
fn matched_targets_have_the_shares_of_the_labels() {
    let recipe = Recipe { ferplus_weight: 0.5, ferplus_task: 0.5, ..Recipe::default() };
    let targets = Targets::new(&dataset(), vec![0, 1, 2], &recipe).unwrap();
    let emotions = targets.row(1)[7..].to_vec();
    let third = 1.0 / 3.0;
    let matched = targets.matched(&[third, 0.0, 0.0, third, third, 0.0, 0.0]).unwrap();
    // The votes gave disgust and neutral something, which no label does: these have no share to be brought to.
    let mean = |class: usize| (0..3).map(|row| matched.row(row)[class]).sum::<f32>() / 3.0;
    assert!((mean(3) - 1.0 / 3.0).abs() < 1e-3, "{}", mean(3));
    for row in 0..3 {
        assert!((matched.row(row)[..7].iter().sum::<f32>() - 1.0).abs() < 1e-6);
    }
    assert_eq!(matched.row(1)[7..], emotions, "the second task is left alone");
}
