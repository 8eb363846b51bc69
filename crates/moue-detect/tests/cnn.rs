//! The embedded network finds the faces of the repository's own sample whichever way the picture lies, and small ones in
//! a very large picture.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::sync::Arc;

use moue_detect::cnn::{CnnDetector, CnnParameters, Network};
use moue_detect::{Detection, Detector, Search, Searcher};
use moue_media::{Limits, Picture, read_picture};

/// Six faces, each the mean of many.
fn sample() -> Picture {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../samples/faces.jpg");
    read_picture(&path, &Limits::default()).unwrap()
}

fn detector(parameters: CnnParameters) -> CnnDetector {
    CnnDetector::new(Arc::new(Network::embedded().unwrap()), parameters).unwrap()
}

fn search(picture: &Picture, any_rotation: bool) -> Vec<Detection> {
    let search = Search { any_rotation, ..Search::default() };
    let detector = Box::new(detector(CnnParameters::default()));
    Searcher::new(detector, search).unwrap().detect(picture).unwrap()
}

/// Intersection over union.
fn overlap(a: &Detection, b: &Detection) -> f32 {
    let across = ((a.x + a.width).min(b.x + b.width) - a.x.max(b.x)).max(0.0);
    let down = ((a.y + a.height).min(b.y + b.height) - a.y.max(b.y)).max(0.0);
    across * down / (a.width * a.height + b.width * b.height - across * down)
}

#[test]
fn turned_faces_are_found_where_they_are_asked_for() {
    let upright = sample();
    let faces = search(&upright, false);
    assert!(faces.len() >= 6 && faces.iter().all(|face| face.turn == 0), "{faces:?}");
    for quarters in 1..4 {
        let picture = upright.turned(quarters);
        let without = search(&picture, false);
        assert!(
            without.len() < faces.len(),
            "upright faces in a picture turned {quarters} times: {without:?}"
        );
        let found = search(&picture, true);
        assert_eq!(found.len(), faces.len(), "{quarters}: {found:?}");
        for face in &faces {
            let turned = face.turned(quarters, upright.width() as f32, upright.height() as f32);
            let same = found.iter().find(|other| overlap(other, &turned) > 0.6);
            assert_eq!(same.map(|face| face.turn), Some(quarters), "{turned:?} among {found:?}");
        }
    }
}

#[test]
fn small_faces_of_a_very_large_picture_are_found_in_tiles() {
    let (faces, shrunk) = (search(&sample(), false), 0.25);
    let sample = sample();
    let side = |pixels: u32| (pixels as f32 * shrunk) as u32;
    let small = sample.resized(side(sample.width()), side(sample.height())).unwrap();
    // On its own ground, so that its border shows nothing: near a corner, in the middle and at the right edge.
    let ground = [sample.pixels()[0], sample.pixels()[1], sample.pixels()[2]];
    let mut canvas = Picture::filled(6000, 4000, ground);
    let places = [(3_i64, 2_i64), (2900, 1900), (5700, 2550)];
    for (x, y) in places {
        canvas.paste(&small, x, y);
    }
    let found =
        detector(CnnParameters { smallest_face: 20.0, ..CnnParameters::default() }).detect(&canvas).unwrap();
    for face in &faces {
        for (x, y) in places {
            let wanted = Detection {
                x: face.x * shrunk + x as f32,
                y: face.y * shrunk + y as f32,
                width: face.width * shrunk,
                height: face.height * shrunk,
                ..*face
            };
            assert!(found.iter().any(|face| overlap(face, &wanted) > 0.5), "{wanted:?} among {found:?}");
        }
    }
    assert_eq!(found.len(), faces.len() * places.len(), "{found:?}");
    // Reduced to the longest side as a whole, the picture shows none of them.
    let at_once = CnnParameters { smallest_face: 200.0, ..CnnParameters::default() };
    assert_eq!(detector(at_once).detect(&canvas).unwrap(), []);
}
