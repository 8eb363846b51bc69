//! Videos through ffmpeg, held against what ffprobe says of the same files.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test fails by panicking and says what it skips"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use moue_media::{Error, Video, VideoOptions, VideoSource, video_facts};

/// Whether the programs are there; says what is skipped where they are not.
fn have_ffmpeg() -> bool {
    let have = ["ffmpeg", "ffprobe"].iter().all(|p| Command::new(p).arg("-version").output().is_ok());
    if !have {
        eprintln!("SKIPPED: tests on video, which need ffmpeg and ffprobe");
    }
    have
}

/// Makes a file with ffmpeg.
fn make(path: &Path, arguments: &str) {
    let status = Command::new("ffmpeg")
        .args(["-v", "error", "-y", "-nostdin"])
        .args(arguments.split_whitespace())
        .arg(path)
        .status();
    assert!(status.unwrap().success(), "{arguments}");
}

/// Times of all frames by ffprobe.
fn probed(path: &Path) -> Vec<f64> {
    let output = Command::new("ffprobe")
        .args(["-v", "error", "-select_streams", "V:0", "-show_entries", "frame=pts_time", "-of", "csv=p=0"])
        .arg(path)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().filter_map(|line| line.split(',').next()?.parse().ok()).collect()
}

/// Size, times and the colour in the upper left corner of all frames.
fn read(path: &Path, options: &VideoOptions) -> ((u32, u32), Vec<f64>, Vec<[u8; 3]>) {
    let mut video = Video::open(&VideoSource::File(path.to_owned()), options).unwrap();
    let size = video.size();
    let (mut times, mut corners, mut spare) = (Vec::new(), Vec::new(), None);
    while let Some(frame) = video.next_frame(spare.take()).unwrap() {
        assert_eq!((frame.picture.width(), frame.picture.height()), size);
        times.push(frame.time);
        corners.push(frame.picture.pixels()[..3].try_into().unwrap());
        spare = Some(frame.picture);
    }
    assert!(video.next_frame(None).unwrap().is_none());
    (size, times, corners)
}

fn check(path: &Path) -> (u32, u32) {
    let (size, times, _) = read(path, &VideoOptions::default());
    let expected = probed(path);
    assert_eq!(times.len(), expected.len(), "{}", path.display());
    for (time, expected) in times.iter().zip(&expected) {
        assert!((time - expected).abs() < 1e-3, "{}: {time} instead of {expected}", path.display());
    }
    size
}

#[test]
fn every_frame_comes_with_its_time_whatever_the_format() {
    if !have_ffmpeg() {
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let path = |name: &str| place.path().join(name);
    let plain = path("plain.mp4");
    make(&plain, "-f lavfi -i testsrc2=s=96x64:r=30:d=1 -c:v mpeg4");
    assert_eq!(check(&plain), (96, 64));
    make(
        &path("uneven.mkv"),
        "-f lavfi -i testsrc2=s=96x64:r=30:d=2 -vf select='not(mod(n,3))+not(mod(n,7))' -vsync vfr -c:v mpeg4",
    );
    check(&path("uneven.mkv"));
    make(&path("odd.mkv"), "-f lavfi -i testsrc=s=97x63:r=25:d=0.4 -c:v ffv1");
    assert_eq!(check(&path("odd.mkv")), (97, 63));
    // Its times begin after 1.4 seconds. Encoded, not copied: the size of an MPEG-4 stream would stay behind in the MP4 file.
    make(&path("late.ts"), "-f lavfi -i testsrc2=s=96x64:r=30:d=1 -c:v mpeg4");
    check(&path("late.ts"));
    // A colon, a percent sign and a leading dash are only characters.
    fs::copy(&plain, path("-a:b%d.mp4")).unwrap();
    check(&path("-a:b%d.mp4"));
}

#[test]
fn a_rotation_flag_is_followed() {
    if !have_ffmpeg() {
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let (upright, lying) = (place.path().join("upright.mov"), place.path().join("lying.mov"));
    // Black above, white below.
    make(&upright, "-f lavfi -i color=black:s=64x32:d=0.2 -vf drawbox=y=16:h=16:c=white:t=fill -c:v mpeg4");
    turned_by_a_quarter(&upright, &lying);
    let (size, _, corners) = read(&lying, &VideoOptions::default());
    assert_eq!(size, (32, 64));
    let (_, _, before) = read(&upright, &VideoOptions::default());
    assert!(before[0][0] < 40 && corners[0][0] > 215, "{before:?} {corners:?}");
}

/// Writes a display matrix into a QuickTime file: a quarter clockwise. The option of ffmpeg that did it has another
/// name in each version.
fn turned_by_a_quarter(from: &Path, to: &Path) {
    let mut bytes = fs::read(from).unwrap();
    let header = bytes.windows(4).position(|w| w == b"tkhd").unwrap();
    let matrix = header + 4 + 40;
    let one = 65_536_i32;
    for (i, value) in [0, one, 0, -one, 0, 0, 0, 0, 1 << 30].into_iter().enumerate() {
        bytes[matrix + 4 * i..][..4].copy_from_slice(&value.to_be_bytes());
    }
    fs::write(to, bytes).unwrap();
}

#[test]
fn reading_begins_late_on_request_and_times_stay() {
    if !have_ffmpeg() {
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("long.mkv");
    make(&path, "-f lavfi -i testsrc2=s=64x48:r=24:d=4 -c:v mpeg4 -g 12");
    let (_, all, _) = read(&path, &VideoOptions::default());
    let (_, rest, _) = read(&path, &VideoOptions { from: Some(2.5), ..VideoOptions::default() });
    assert!(rest.len() < all.len() && !rest.is_empty());
    assert!(rest[0] <= 2.5 + 0.05, "{rest:?}");
    for (time, expected) in rest.iter().rev().zip(all.iter().rev()) {
        assert!((time - expected).abs() < 1e-3);
    }
    let facts = video_facts(&VideoSource::File(path)).unwrap();
    assert!((facts.duration.unwrap() - 4.0).abs() < 0.1);
}

#[test]
fn what_is_no_video_is_named() {
    if !have_ffmpeg() {
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let sound = place.path().join("sound.wav");
    make(&sound, "-f lavfi -i sine=d=0.2");
    let text = place.path().join("text.mp4");
    fs::write(&text, "no video").unwrap();
    for path in [sound, text, place.path().join("missing.mp4")] {
        let source = VideoSource::File(path.clone());
        let error = Video::open(&source, &VideoOptions::default()).err().unwrap();
        let words = error.to_string();
        assert!(words.starts_with(&path.display().to_string()), "{words}");
        assert_eq!(words.lines().count(), 1);
    }
}

#[test]
fn a_file_cut_off_gives_all_frames_before_the_cut() {
    if !have_ffmpeg() {
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let whole = place.path().join("whole.ts");
    make(&whole, "-f lavfi -i testsrc2=s=96x64:r=30:d=2 -c:v mpeg4 -g 5");
    let bytes = fs::read(&whole).unwrap();
    let cut = place.path().join("cut.ts");
    fs::write(&cut, &bytes[..bytes.len() / 2]).unwrap();
    let expected = probed(&cut);
    assert!(!expected.is_empty() && expected.len() < probed(&whole).len());
    let mut video = Video::open(&VideoSource::File(cut), &VideoOptions::default()).unwrap();
    let mut frames = 0;
    // Whether the cut itself is an error is for ffmpeg to say.
    while let Ok(Some(_)) = video.next_frame(None) {
        frames += 1;
    }
    assert_eq!(frames, expected.len());
}

#[test]
fn real_clips_are_read_to_the_last_frame() {
    let clips = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data/clips"));
    if !have_ffmpeg() || !clips.is_dir() {
        eprintln!("SKIPPED: real clips, which are not beside this checkout");
        return;
    }
    for entry in fs::read_dir(clips).unwrap() {
        check(&entry.unwrap().path());
    }
}

#[test]
fn a_program_that_is_missing_is_named_with_the_way_to_get_it() {
    let error = Error::MissingProgram { program: "ffmpeg", install: "install it" };
    assert_eq!(error.to_string(), "video needs the program ffmpeg, which was not found: install it");
}
