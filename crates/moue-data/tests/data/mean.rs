//! Means over many faces.

use moue_data::ferplus::{COLUMNS, Table};
use moue_data::{Dataset, Limits, MeanOptions, mean_face};

use crate::csv::{PICTURE, file, picture, read, written};

const PLAIN: MeanOptions = MeanOptions { mirrored: false, agreement: None };

/// 120 happy faces with seeds 0 to 119, then 50 sad ones.
fn dataset() -> Dataset {
    let rows: Vec<_> = (0..170).map(|i| (if i < 120 { 3 } else { 4 }, i, "Training")).collect();
    let (_folder, path) = written("x.csv", file(&rows));
    read(&path).dataset
}

fn exact(seeds: impl Iterator<Item = u32> + Clone, pixel: usize) -> f64 {
    let sum: f64 = seeds.clone().map(|seed| f64::from(picture(seed)[pixel])).sum();
    sum / seeds.count() as f64
}

#[test]
fn means_are_rounded_averages() {
    let dataset = dataset();
    let all: Vec<usize> = (0..dataset.len()).collect();
    let mean = mean_face(&dataset, &all, 3, &PLAIN).unwrap();
    assert_eq!((mean.faces, mean.picture.width(), mean.picture.height()), (120, 48, 48));
    let mirrored = mean_face(&dataset, &all, 3, &MeanOptions { mirrored: true, ..PLAIN }).unwrap();
    for pixel in (0..PICTURE).step_by(97) {
        let exactly = exact(0..120, pixel);
        let found = f64::from(mean.picture.pixels()[pixel]);
        assert!((found - exactly).abs() <= 0.5, "{pixel}: {found} instead of {exactly}");
        let mirror = pixel / 48 * 48 + 47 - pixel % 48;
        let exactly = (exactly + exact(0..120, mirror)) / 2.0;
        let found = f64::from(mirrored.picture.pixels()[pixel]);
        assert!((found - exactly).abs() <= 0.5, "{pixel}: {found} instead of {exactly}");
        assert_eq!(mirrored.picture.pixels()[pixel], mirrored.picture.pixels()[mirror]);
    }
    let some = mean_face(&dataset, &all[10..], 3, &PLAIN).unwrap();
    assert_eq!(some.faces, 110);
    assert!((f64::from(some.picture.pixels()[5]) - exact(10..120, 5)).abs() <= 0.5);
}

#[test]
fn means_over_few_faces_are_refused() {
    let dataset = dataset();
    let all: Vec<usize> = (0..dataset.len()).collect();
    assert!(mean_face(&dataset, &all[21..], 3, &PLAIN).is_err());
    assert!(mean_face(&dataset, &all[20..], 3, &PLAIN).is_ok());
    let error = mean_face(&dataset, &all, 4, &PLAIN).unwrap_err().to_string();
    assert!(error.contains("\"sad\" over 50 faces"), "{error}");
}

#[test]
fn agreement_chooses_by_votes() {
    let mut dataset = dataset();
    let all: Vec<usize> = (0..dataset.len()).collect();
    let agreed = |share| MeanOptions { agreement: Some(share), ..PLAIN };
    assert!(mean_face(&dataset, &all, 3, &agreed(0.5)).unwrap_err().to_string().contains("FER+ votes"));
    // The first five happy faces are neutral to most, the sixth was dropped.
    let mut text = format!("Usage,Image name,{}\n", COLUMNS.join(","));
    for row in 0..170 {
        let name = if row == 5 { "" } else { "a.png" };
        let votes = if row < 5 { "6,4" } else { "3,7" };
        text.push_str(&format!("Training,{name},{votes},0,0,0,0,0,0,0,0\n"));
    }
    let (_folder, path) = written("votes.csv", text);
    Table::read(&path, &Limits::default()).unwrap().lay_beside(&mut dataset).unwrap();
    assert_eq!(mean_face(&dataset, &all, 3, &agreed(0.7)).unwrap().faces, 114);
    assert_eq!(mean_face(&dataset, &all, 3, &agreed(0.4)).unwrap().faces, 119);
    assert_eq!(mean_face(&dataset, &all, 3, &PLAIN).unwrap().faces, 120);
    assert!(mean_face(&dataset, &all, 3, &agreed(0.71)).is_err());
}
