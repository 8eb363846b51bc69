//! rustface (SeetaFace's funnel-structured cascade) with the settings of its example: threshold 2, pyramid 0.8, window
//! step 4; faces from 20 pixels on. The arguments and lines are those of `bench/peers/pictures.py`.
//!
//!     detect-rustface find LIST MODEL
//!     detect-rustface time PICTURE MODEL THREADS SECONDS

use std::time::{Duration, Instant};

use rustface::{Detector, ImageData};

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["find", list, model] => {
            let mut detector = detector(model)?;
            for path in std::fs::read_to_string(list)?.lines() {
                let faces = find(&mut *detector, &image::open(path)?.into_luma8());
                let faces: Vec<String> = faces.iter().map(|face| format!("{face:?}")).collect();
                println!("[{}]", faces.join(", "));
            }
            Ok(())
        }
        ["time", path, model, threads, seconds] => {
            rayon::ThreadPoolBuilder::new().num_threads(threads.parse()?).build_global()?;
            let (mut detector, picture) = (detector(model)?, image::open(path)?.into_luma8());
            let limit = Duration::from_secs_f64(seconds.parse()?);
            find(&mut *detector, &picture);
            let (start, mut times) = (Instant::now(), Vec::new());
            while times.len() < 5 || start.elapsed() < limit {
                let begin = Instant::now();
                find(&mut *detector, &picture);
                times.push(begin.elapsed().as_secs_f64() * 1e3);
            }
            times.sort_by(f64::total_cmp);
            let (median, least) = (times[times.len() / 2], times[0]);
            println!(r#"{{"median_ms": {median}, "min_ms": {least}, "version": "rustface 0.1.7"}}"#);
            Ok(())
        }
        _ => Err("expected find LIST MODEL, or time PICTURE MODEL THREADS SECONDS".into()),
    }
}

fn detector(model: &str) -> Result<Box<dyn Detector>, Failure> {
    let mut detector = rustface::create_detector(model)?;
    detector.set_min_face_size(20);
    detector.set_score_thresh(2.0);
    detector.set_pyramid_scale_factor(0.8);
    detector.set_slide_window_step(4, 4);
    Ok(detector)
}

fn find(detector: &mut dyn Detector, picture: &image::GrayImage) -> Vec<[f64; 5]> {
    let data = ImageData::new(picture, picture.width(), picture.height());
    let faces = detector.detect(&data);
    faces
        .iter()
        .map(|face| {
            let b = face.bbox();
            [b.x().into(), b.y().into(), b.width().into(), b.height().into(), face.score()]
        })
        .collect()
}
