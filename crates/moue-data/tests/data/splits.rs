//! Seeded orders and hold-outs.

use std::collections::BTreeSet;

use moue_data::splits::{hold_out, shuffle};
use moue_data::{Dataset, Duplicates};

use crate::csv::{file, read, written};

#[test]
fn shuffles_are_the_same_everywhere() {
    let order = |seed, stream| {
        let mut items: Vec<u32> = (0..10).collect();
        shuffle(&mut items, seed, stream);
        items
    };
    // Computed by another program, from ChaCha's definition: whoever repeats a split needs the very same order.
    assert_eq!(order(0, 0), [9, 2, 3, 4, 6, 7, 0, 1, 5, 8]);
    assert_eq!(order(2013, 7), [1, 5, 3, 0, 7, 4, 2, 9, 6, 8]);
    let distinct: BTreeSet<_> =
        (0..20).flat_map(|seed| (0..20).map(move |stream| order(seed, stream))).collect();
    assert_eq!(distinct.len(), 400);
    let mut none: [u8; 0] = [];
    shuffle(&mut none, 1, 1);
}

#[test]
fn every_order_is_equally_likely() {
    let mut counts = [0_u32; 6];
    for seed in 0..6000 {
        let mut items = [0, 1, 2];
        shuffle(&mut items, seed, 0);
        let place = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]]
            .iter()
            .position(|o| *o == items);
        counts[place.unwrap()] += 1;
    }
    // 20.5 is the 99.9 % point of chi-squared with 5 degrees of freedom.
    let chi_squared: f64 = counts.iter().map(|&c| (f64::from(c) - 1000.0).powi(2) / 1000.0).sum();
    assert!(chi_squared < 20.5, "{counts:?}");
}

/// 40 pictures of class 0 and 20 of class 1, of which every fourth stands twice, and a foreign sample.
fn dataset() -> (Dataset, Vec<usize>) {
    let mut rows: Vec<(u8, u32, &str)> = (0..60).map(|i| (u8::from(i >= 40), i, "Training")).collect();
    rows.push((0, 999, "PublicTest"));
    rows.extend((0..60).step_by(4).map(|i| (u8::from(i >= 40), i, "Training")));
    let (_folder, path) = written("x.csv", file(&rows));
    let dataset = read(&path).dataset;
    let training = dataset.indices(moue_data::Usage::Training);
    (dataset, training)
}

#[test]
fn hold_outs_keep_proportions_and_copies_together() {
    let (dataset, training) = dataset();
    let duplicates = Duplicates::find(&dataset);
    for seed in 0..20 {
        let split = hold_out(&dataset, &duplicates, &training, 0.2, seed).unwrap();
        let mut all = [split.kept.clone(), split.held_out.clone()].concat();
        all.sort_unstable();
        assert_eq!(all, training);
        assert!(duplicates.also_in(&split.held_out, &split.kept).is_empty());
        // A fifth of 50 and of 25, or one more for a copy.
        let counts = dataset.class_counts(&split.held_out);
        assert!((10..=11).contains(&counts[0]) && (5..=6).contains(&counts[1]), "{counts:?}");
        assert_eq!(split, hold_out(&dataset, &duplicates, &training, 0.2, seed).unwrap());
    }
    let two = [1, 2].map(|seed| hold_out(&dataset, &duplicates, &training, 0.2, seed).unwrap());
    assert_ne!(two[0], two[1]);
}

#[test]
fn hold_outs_without_a_meaning_are_refused() {
    let (dataset, training) = dataset();
    let duplicates = Duplicates::find(&dataset);
    for share in [0.0, 1.0, -0.5, f64::NAN, 0.001, 0.999] {
        assert!(hold_out(&dataset, &duplicates, &training, share, 0).is_err(), "{share}");
    }
    assert!(hold_out(&dataset, &duplicates, &[], 0.5, 0).is_err());
}
