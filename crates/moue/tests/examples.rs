//! The examples, run on the sample pictures.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::print_stderr, reason = "what is skipped is said")]

use std::path::{Path, PathBuf};
use std::process::Command;

#[path = "../examples/folder.rs"]
mod folder;
#[path = "../examples/live.rs"]
mod live;
#[path = "../examples/photo.rs"]
mod photo;
#[path = "../examples/video.rs"]
mod video;

fn sample(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../samples").join(name)
}

#[test]
fn photo_names_the_emotion_of_each_face() {
    let lines = photo::run(sample("faces.jpg").to_str().unwrap()).unwrap();
    let emotions: Vec<&str> = lines.lines().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(emotions.len(), 7, "{lines}");
    for label in ["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"] {
        assert!(emotions.contains(&label), "{label}: {lines}");
    }
}

#[test]
fn folder_gives_each_file_its_record_or_its_error() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(sample("faces.jpg"), folder.path().join("a.jpg")).unwrap();
    std::fs::write(folder.path().join("b.jpg"), "no picture").unwrap();
    std::fs::copy(sample("faces.jpg"), folder.path().join("c.jpg")).unwrap();
    let found = folder::run(folder.path()).unwrap();
    let faces: Vec<Option<usize>> =
        found.iter().map(|(_, record)| record.as_ref().ok().map(|r| r.faces.len())).collect();
    assert_eq!(faces, [Some(7), None, Some(7)]);
    assert!(found[0].1.as_ref().unwrap().source.ends_with("a.jpg"));
}

#[test]
fn live_keeps_people_apart_while_the_camera_moves() {
    let records = live::run(sample("faces.jpg").to_str().unwrap(), 8).unwrap();
    let last = records.last().unwrap();
    assert_eq!((last.frame, last.faces.len()), (7, 7));
    let mut ids: Vec<u64> = records.iter().flat_map(|record| record.faces.iter().map(|f| f.id)).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 7, "nobody becomes somebody else");
}

#[test]
fn video_names_each_person_once() {
    let folder = tempfile::tempdir().unwrap();
    let clip = folder.path().join("clip.mp4");
    let made = Command::new("ffmpeg")
        .args(["-v", "error", "-loop", "1", "-i", sample("faces.jpg").to_str().unwrap()])
        .args(["-t", "0.6", "-r", "10", "-pix_fmt", "yuv420p", "-vf", "pad=ceil(iw/2)*2:ceil(ih/2)*2"])
        .arg(&clip)
        .status();
    if !made.is_ok_and(|status| status.success()) {
        eprintln!("SKIPPED: ffmpeg is not there, so there is no video to look at");
        return;
    }
    let lines = video::run(clip.to_str().unwrap()).unwrap();
    assert_eq!(lines.lines().count(), 7, "{lines}");
    assert!(lines.lines().all(|line| line.starts_with("person ")), "{lines}");
    // Whoever stops listening ends the work.
    let analyzer = moue::Analyzer::new().unwrap();
    let mut records = analyzer.video(&clip).unwrap();
    assert_eq!(records.next().unwrap().unwrap().frame, 0);
    drop(records);
    assert!(analyzer.video(folder.path().join("none.mp4")).is_err());
}
