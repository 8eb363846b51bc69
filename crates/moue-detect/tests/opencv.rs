//! The detector finds what OpenCV 4.14 found (`golden/make.py`), box for box and in the same order: with random
//! cascades, one of upright and tilted Haar features in trees of two nodes, one of LBP stumps.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use moue_detect::cascade::{Cascade, CascadeDetector, ScanParameters, Scanner, Size};
use moue_detect::{Detector, Error};
use moue_media::{Grey, Picture};

fn picture() -> Grey {
    let (width, height) = (161_u32, 123_u32);
    let value = |x: u32, y: u32| {
        (((x * x * 7 + y * x * 13 + y * y * 3) >> 6) + ((x * 31 + y * 17) ^ (x * y)) % 64) as u8
    };
    let pixels = (0..width * height).map(|i| value(i % width, i / width)).collect();
    Grey::from_raw(width, height, pixels).unwrap()
}

fn golden(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

fn scanner(name: &str) -> Scanner {
    Scanner::new(Arc::new(Cascade::read(&golden(name)).unwrap()))
}

#[test]
fn boxes_equal_those_of_opencv() {
    let text = std::fs::read_to_string(golden("expected.json")).unwrap();
    let expected: BTreeMap<String, Vec<[u32; 5]>> = serde_json::from_str(&text).unwrap();
    assert_eq!(expected.len(), 8);
    for (key, boxes) in expected {
        let words: Vec<&str> = key.split(' ').collect();
        let side: u32 = words[3].parse().unwrap();
        let parameters = ScanParameters {
            scale_factor: words[1].parse().unwrap(),
            min_neighbours: words[2].parse().unwrap(),
            min_size: Some(Size { width: side, height: side }),
            max_size: None,
        };
        let found = scanner(words[0]).detect_multi_scale(&picture(), &parameters).unwrap();
        let found: Vec<[u32; 5]> =
            found.iter().map(|f| [f.x, f.y, f.width, f.height, f.neighbours]).collect();
        assert_eq!(found, boxes, "{key}");
    }
}

#[test]
fn neither_threads_nor_what_was_scanned_before_change_the_result() {
    let parameters = ScanParameters { min_neighbours: 0, ..ScanParameters::default() };
    for name in ["lbp.xml", "haar_tilted.xml"] {
        let alone = scanner(name).detect_multi_scale(&picture(), &parameters).unwrap();
        assert!(!alone.is_empty());
        let mut used = scanner(name);
        for (width, height) in [(300, 200), (11, 11), (12, 400), (40, 30)] {
            let other = Grey::from_raw(width, height, vec![77; (width * height) as usize]).unwrap();
            used.detect_multi_scale(&other, &parameters).unwrap();
            let pool = rayon::ThreadPoolBuilder::new().num_threads(width as usize % 3 + 1).build().unwrap();
            let again = pool.install(|| used.detect_multi_scale(&picture(), &parameters)).unwrap();
            assert_eq!(again, alone, "{name}");
        }
    }
}

#[test]
fn pictures_too_small_hold_no_faces_and_those_too_large_are_refused() {
    let mut detector =
        CascadeDetector::new(Arc::new(Cascade::embedded().unwrap()), ScanParameters::FACES).unwrap();
    for (width, height) in [(0, 0), (1, 1), (23, 23), (1000, 23)] {
        assert_eq!(detector.detect(&Picture::filled(width, height, [9; 3])).unwrap(), []);
    }
    let grey = Grey::from_raw(20_000, 10_001, vec![0; 20_000 * 10_001]).unwrap();
    let error = scanner("lbp.xml").detect_multi_scale(&grey, &ScanParameters::FACES).unwrap_err();
    assert!(matches!(error, Error::PictureTooLarge { width: 20_000, height: 10_001, .. }), "{error}");
    let wrong = ScanParameters { scale_factor: 1.0, ..ScanParameters::FACES };
    let cascade = Arc::new(Cascade::embedded().unwrap());
    assert!(matches!(CascadeDetector::new(cascade, wrong), Err(Error::Parameter { .. })));
}
