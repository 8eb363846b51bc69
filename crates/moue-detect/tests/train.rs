//! The trainer learns a made-up object from scratch, finds it again, and does the same every time.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use moue_detect::Error;
use moue_detect::cascade::train::{Progress, TrainParameters, train};
use moue_detect::cascade::{Cascade, ScanParameters, Scanner, Size};
use moue_media::Grey;

const SIDE: u32 = 12;

/// A small generator of repeatable noise.
struct Noise(u64);

impl Noise {
    fn below(&mut self, limit: u32) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) % u64::from(limit)) as u32
    }
}

/// Draws a bright disc with two dark eyes and a dark mouth; one that is no face has only one of these three.
fn draw(canvas: &mut [u8], width: u32, (left, top, side): (f32, f32, f32), is_face: bool, noise: &mut Noise) {
    let skin = 150 + noise.below(60);
    let only = noise.below(3);
    for (i, pixel) in canvas.iter_mut().enumerate() {
        let x = ((i as u32 % width) as f32 + 0.5 - left) / side;
        let y = ((i as u32 / width) as f32 + 0.5 - top) / side;
        let near = |cx: f32, cy: f32, r: f32| (x - cx).powi(2) + (y - cy).powi(2) < r * r;
        let mouth = (y - 0.75).abs() < 0.08 && (x - 0.5).abs() < 0.22;
        let parts = [near(0.3, 0.38, 0.12), near(0.7, 0.38, 0.12), mouth];
        let dark = if is_face { parts.contains(&true) } else { parts[only as usize] };
        if near(0.5, 0.5, 0.5) {
            *pixel = (skin - if dark { 90 } else { 0 } + noise.below(30)) as u8;
        }
    }
}

/// A window on a face, not always in quite the same place.
fn face(noise: &mut Noise) -> Grey {
    let mut pixels = ground(noise, SIDE, SIDE).pixels().to_vec();
    let side = SIDE as f32 * (0.9 + 0.01 * noise.below(20) as f32);
    let mut shift = || (SIDE as f32 - side) / 2.0 + 0.1 * noise.below(17) as f32 - 0.8;
    let (left, top) = (shift(), shift());
    draw(&mut pixels, SIDE, (left, top, side), true, noise);
    Grey::from_raw(SIDE, SIDE, pixels).unwrap()
}

/// Blocks of random brightness with noise, and discs that are no faces.
fn ground(noise: &mut Noise, width: u32, height: u32) -> Grey {
    let block = 2 + noise.below(7);
    let blocks: Vec<u32> = (0..400).map(|_| noise.below(220)).collect();
    let mut pixels: Vec<u8> = (0..width * height)
        .map(|i| {
            (blocks[((i % width) / block + 20 * ((i / width) / block)) as usize % 400] + noise.below(30))
                as u8
        })
        .collect();
    for _ in 0..width / SIDE - 1 {
        let place = (
            noise.below(width - SIDE) as f32,
            noise.below(height - SIDE) as f32,
            (10 + noise.below(20)) as f32,
        );
        draw(&mut pixels, width, place, false, noise);
    }
    Grey::from_raw(width, height, pixels).unwrap()
}

fn data() -> (Vec<Grey>, Vec<Grey>) {
    let mut noise = Noise(5);
    let faces = (0..500).map(|_| face(&mut noise)).collect();
    (faces, (0..30).map(|_| ground(&mut noise, 120, 90)).collect())
}

fn parameters() -> TrainParameters {
    TrainParameters {
        window: Size { width: SIDE, height: SIDE },
        stages: 10,
        max_trees: 30,
        negatives: 400,
        feature_share: 0.5,
        seed: 3,
        ..TrainParameters::default()
    }
}

fn trained(threads: usize) -> (Cascade, Vec<Progress>) {
    let (faces, grounds) = data();
    let mut steps = Vec::new();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    let cascade =
        pool.install(|| train(&faces, &grounds, &parameters(), &mut |step| steps.push(step))).unwrap();
    (cascade, steps)
}

#[test]
fn a_trained_cascade_finds_the_object_and_little_else() {
    let (cascade, steps) = trained(2);
    let stages: Vec<&Progress> = steps.iter().filter(|step| matches!(step, Progress::Stage { .. })).collect();
    assert_eq!(stages.len(), cascade.stage_count());
    for stage in stages {
        let Progress::Stage { hit_rate, false_alarm, .. } = stage else { unreachable!() };
        assert!(*hit_rate >= 0.995 && *false_alarm <= 0.5, "{stage:?}");
    }
    // Faces and grounds that it has not seen; one face in each picture, at twice the window's size.
    let mut scanner = Scanner::new(Arc::new(cascade));
    let mut noise = Noise(99);
    let scan = ScanParameters { min_neighbours: 2, ..ScanParameters::default() };
    let (mut found, mut wrong) = (0, 0);
    for _ in 0..20 {
        let mut pixels = ground(&mut noise, 100, 80).pixels().to_vec();
        let (left, top) = (noise.below(70), noise.below(50));
        draw(&mut pixels, 100, (left as f32, top as f32, 2.0 * SIDE as f32), true, &mut noise);
        let picture = Grey::from_raw(100, 80, pixels).unwrap();
        for hit in scanner.detect_multi_scale(&picture, &scan).unwrap() {
            let near = |a: u32, b: u32| a.abs_diff(b) <= 5;
            if near(hit.x, left) && near(hit.y, top) && near(hit.width, 2 * SIDE) {
                found += 1;
            } else {
                wrong += 1;
            }
        }
    }
    assert!(found >= 16 && wrong <= 3, "{found} of 20 found, {wrong} wrong");
}

#[test]
fn the_same_seed_gives_the_same_cascade_on_any_number_of_threads() {
    let (one, steps) = trained(1);
    let (three, other_steps) = trained(3);
    assert_eq!(one, three);
    assert_eq!(steps, other_steps);
    assert_eq!(Cascade::parse(&one.to_xml("trained"), "written").unwrap(), one);
    let (faces, grounds) = data();
    let other = train(&faces, &grounds, &TrainParameters { seed: 4, ..parameters() }, &mut |_| ()).unwrap();
    assert_ne!(one, other);
}

#[test]
fn data_that_cannot_teach_are_refused() {
    let (faces, grounds) = data();
    let refused = |faces: &[Grey], grounds: &[Grey], parameters: TrainParameters| {
        train(faces, grounds, &parameters, &mut |_| ()).unwrap_err()
    };
    assert!(matches!(refused(&faces[..9], &grounds, parameters()), Error::Training(_)));
    assert!(matches!(refused(&faces, &faces[..0], parameters()), Error::Training(_)));
    let small = [Grey::from_raw(11, 500, vec![0; 5500]).unwrap()];
    assert!(matches!(refused(&faces, &small, parameters()), Error::Training(_)));
    let window = Size { width: 24, height: 24 };
    let error = refused(&faces, &grounds, TrainParameters { window, ..parameters() });
    assert!(error.to_string().contains("face 0 has 12x12 pixels, but the window 24x24"), "{error}");
    for wrong in [
        TrainParameters { window: Size { width: 2, height: 12 }, ..parameters() },
        TrainParameters { stages: 0, ..parameters() },
        TrainParameters { first_trees: 0, ..parameters() },
        TrainParameters { min_hit_rate: 1.1, ..parameters() },
        TrainParameters { max_false_alarm: f64::NAN, ..parameters() },
        TrainParameters { feature_share: 0.0, ..parameters() },
    ] {
        assert!(matches!(refused(&faces, &grounds, wrong), Error::Parameter { .. }));
    }
    let many = TrainParameters { negatives: usize::MAX, ..parameters() };
    assert!(matches!(refused(&faces, &grounds, many), Error::Training(_)));
}

#[test]
fn training_ends_early_where_nothing_false_is_left_to_find() {
    let (faces, _) = data();
    // Flat grounds: every pattern is that of a flat block, which the first stage rejects.
    let flat = [Grey::from_raw(60, 60, vec![128; 3600]).unwrap()];
    let cascade = train(&faces, &flat, &parameters(), &mut |_| ()).unwrap();
    assert!(cascade.stage_count() < 10);
}
