//! The embedded network finds the faces of the repository's own sample however the picture is turned and however much of it
//! they fill, small ones in a very large picture, and bears pictures of every shape.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::sync::Arc;

use moue_detect::cnn::{CnnDetector, CnnParameters, Network};
use moue_detect::evaluate::single::turned_overlap;
use moue_detect::{Detection, Detector, Search, Searcher};
use moue_media::{Limits, Picture, read_picture};

/// Seven faces, each the mean of many.
fn sample() -> Picture {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../samples/faces.jpg");
    read_picture(&path, &Limits::default()).unwrap()
}

/// Score of faces that must be found again; one of the seven means is found less surely.
const SURE: f32 = 0.9;

fn detector(parameters: CnnParameters) -> CnnDetector {
    CnnDetector::new(Arc::new(Network::embedded().unwrap()), parameters).unwrap()
}

fn search(picture: &Picture, search: Search) -> Searcher {
    let mut searcher = Searcher::new(Box::new(detector(CnnParameters::default())), search).unwrap();
    searcher.detect(picture).unwrap();
    searcher
}

fn found(picture: &Picture) -> Vec<Detection> {
    search(picture, Search::default()).detect(picture).unwrap()
}

#[test]
fn turned_faces_are_found_by_default_and_their_roll_is_told() {
    let upright = sample();
    let faces = found(&upright);
    assert!(faces.len() >= 7 && faces.iter().all(|face| face.roll.abs() < 8.0), "{faces:?}");
    for quarters in 1..4 {
        let picture = upright.turned(quarters);
        let again = found(&picture);
        assert!(again.len() <= faces.len(), "{quarters}: {again:?}");
        for face in faces.iter().filter(|face| face.score > SURE) {
            let turned = face.turned(quarters, upright.width() as f32, upright.height() as f32);
            let same = again.iter().find(|other| turned_overlap(other, &turned) > 0.6);
            let off = same.map(|same| {
                let off = (same.roll - turned.roll).rem_euclid(360.0);
                off.min(360.0 - off)
            });
            assert!(off.is_some_and(|off| off < 12.0), "{turned:?} among {again:?}");
        }
        // The flag of earlier versions changes nothing.
        let any = Search { any_rotation: true, ..Search::default() };
        assert_eq!(search(&picture, any).detect(&picture).unwrap(), again);
    }
}

#[test]
fn a_close_up_is_one_face_whatever_its_size() {
    let sample = sample();
    let faces = found(&sample);
    let mut looked_at = 0;
    for face in faces.iter().take(3) {
        for height in [1.15, 1.5, 2.2] {
            let side = (face.height * height) as u32;
            let [x, y] = face.centre();
            let corner = |at: f32| (at - side as f32 / 2.0) as i64;
            let close = sample.crop(corner(x), corner(y), side, side).unwrap();
            for pixels in [160, 400, 900, 1900] {
                let picture = close.resized(pixels, pixels).unwrap();
                let scale = pixels as f32 / side as f32;
                let wanted = Detection {
                    x: (pixels as f32 - face.width * scale) / 2.0,
                    y: (pixels as f32 - face.height * scale) / 2.0,
                    width: face.width * scale,
                    height: face.height * scale,
                    ..*face
                };
                let found = found(&picture);
                let one = found.len() == 1 && turned_overlap(&found[0], &wanted) > 0.5;
                assert!(one, "{height} face heights, {pixels} pixels: {found:?}");
                looked_at += 1;
            }
        }
    }
    assert_eq!(looked_at, 36);
}

#[test]
fn small_faces_of_a_very_large_picture_are_found_in_tiles() {
    let (faces, shrunk) = (found(&sample()), 0.25);
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
    let parameters = CnnParameters { smallest_face: 20.0, thorough: true, ..CnnParameters::default() };
    let found = detector(parameters).detect(&canvas).unwrap();
    for face in faces.iter().filter(|face| face.score > SURE) {
        for (x, y) in places {
            let wanted = Detection {
                x: face.x * shrunk + x as f32,
                y: face.y * shrunk + y as f32,
                width: face.width * shrunk,
                height: face.height * shrunk,
                ..*face
            };
            assert!(
                found.iter().any(|face| turned_overlap(face, &wanted) > 0.5),
                "{wanted:?} among {found:?}"
            );
        }
    }
    assert!(found.len() <= faces.len() * places.len(), "{found:?}");
    // Reduced as a whole, the picture shows none of them.
    let at_once = CnnParameters { smallest_face: 200.0, ..CnnParameters::default() };
    assert_eq!(detector(at_once).detect(&canvas).unwrap(), []);
}

#[test]
fn smaller_faces_are_counted_and_left_out() {
    let sample = sample();
    let small = sample.resized(sample.width() / 5, sample.height() / 5).unwrap();
    let mut canvas = Picture::filled(640, 480, [90; 3]);
    canvas.paste(&small, 40, 40);
    let wanted = |min_size| Search { min_size, ..Search::default() };
    let all = search(&canvas, wanted(10.0));
    let count = { all }.detect(&canvas).unwrap().len();
    assert!(count >= 5, "{count}");
    let mut none = search(&canvas, wanted(60.0));
    assert_eq!(none.detect(&canvas).unwrap(), []);
    assert_eq!(none.smaller_faces(), count);
}

#[test]
fn pictures_of_every_shape_are_borne() {
    for (width, height) in
        [(1, 1), (1, 20), (20, 20), (7, 3), (33, 1), (12_000, 800), (800, 12_000), (30_000, 2)]
    {
        for grey in [0, 128, 255] {
            let picture = Picture::filled(width, height, [grey; 3]);
            assert_eq!(found(&picture), [], "{width}x{height} of {grey}");
        }
    }
    // Noise is no face.
    let mut state = 1_u32;
    let mut noise = Picture::filled(640, 480, [0; 3]);
    for value in noise.pixels_mut() {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        *value = (state >> 24) as u8;
    }
    assert_eq!(found(&noise), []);
}

#[test]
fn a_panorama_shows_its_faces() {
    let sample = sample();
    let faces = found(&sample);
    let mut panorama =
        Picture::filled(12_000, 800, [sample.pixels()[0], sample.pixels()[1], sample.pixels()[2]]);
    let scale = 760.0 / sample.height() as f32;
    let wide = (sample.width() as f32 * scale) as u32;
    panorama.paste(&sample.resized(wide, 760).unwrap(), 7_003, 20);
    let sure = faces.iter().filter(|face| face.score > SURE).count();
    let there = found(&panorama).len();
    assert!((sure..=faces.len()).contains(&there), "{there} of {}, {sure} of them sure", faces.len());
}
