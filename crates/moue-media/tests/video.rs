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

use moue_media::{
    Error, Picture, Video, VideoOptions, VideoSource, VideoWriter, is_moving_picture, video_facts,
};

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
    // Frames count from the beginning, whatever the clock shows then.
    let begin = video_facts(&VideoSource::File(path.to_owned())).unwrap().start.unwrap_or(0.0);
    for (time, expected) in times.iter().zip(&expected) {
        let expected = expected - begin;
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

/// Where the small inputs lie that stand for what people bring.
fn cases() -> Option<PathBuf> {
    let cases = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/cases"));
    if !have_ffmpeg() || !cases.is_dir() {
        eprintln!("SKIPPED: files that people bring, which are not beside this checkout");
        return None;
    }
    Some(cases)
}

fn every(path: &Path) -> ((u32, u32), Vec<f64>) {
    let (size, times, _) = read(path, &VideoOptions::default());
    assert!(times.windows(2).all(|t| t[0] < t[1]), "{}: {times:?}", path.display());
    (size, times)
}

/// Why a file cannot be read to its end, and how many frames came before.
fn failure(path: &Path) -> (usize, String) {
    let mut video = match Video::open(&VideoSource::File(path.to_owned()), &VideoOptions::default()) {
        Ok(video) => video,
        Err(error) => return (0, error.to_string()),
    };
    let mut frames = 0;
    loop {
        match video.next_frame(None) {
            Ok(Some(_)) => frames += 1,
            Ok(None) => panic!("{}: nothing was said", path.display()),
            Err(error) => return (frames, error.to_string()),
        }
    }
}

#[test]
fn what_people_bring_is_read_or_named() {
    let Some(cases) = cases() else { return };
    for name in ["base.ts", "start3600.ts", "start3600_silent.ts"] {
        let (_, times) = every(&cases.join(name));
        assert!(times.len() == 24 && times[0].abs() < 0.03 && times[23] < 1.1, "{name}: {times:?}");
    }
    let (_, times) = every(&cases.join("jump_back.ts"));
    assert!(times.len() == 48 && times[47] < 2.1, "{times:?}");
    let (size, times) = every(&cases.join("sar2.mp4"));
    assert_eq!((size, times.len()), ((640, 360), 48));
    for (name, count) in [("reaction.gif", 10), ("esp32cam.mjpeg", 10)] {
        assert!(is_moving_picture(&cases.join(name)), "{name}");
        assert_eq!(every(&cases.join(name)).1.len(), count, "{name}");
    }
    assert!(!is_moving_picture(&cases.join("plain.jpg")));
    assert!(failure(&cases.join("empty.mp4")).1.ends_with("the file is empty"));
    let (_, words) = failure(&cases.join("cut_no_moov.mp4"));
    assert!(words.contains("no index (\"moov\")") && words.contains("cut off"), "{words}");
}

#[test]
fn pixels_that_are_not_square_are_shown_as_wide_as_they_are() {
    if !have_ffmpeg() {
        return;
    }
    let place = tempfile::tempdir().unwrap();
    for (sar, width) in [("2/1", 128), ("1/2", 32), ("16/15", 68), ("1/1", 64)] {
        let path = place.path().join("x.mkv");
        make(&path, &format!("-f lavfi -i color=red:s=64x48:d=0.2 -vf setsar={sar} -c:v ffv1"));
        let (size, _, corners) = read(&path, &VideoOptions::default());
        assert_eq!(size, (width, 48), "{sar}");
        assert!(corners[0][0] > 200 && corners[0][2] < 40, "{corners:?}");
    }
}

#[test]
fn a_film_whose_size_changes_midway_is_read_to_its_end() {
    if !have_ffmpeg() {
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let (a, b, both) = (place.path().join("a.ts"), place.path().join("b.ts"), place.path().join("both.ts"));
    make(&a, "-f lavfi -i testsrc2=s=96x64:r=25:d=1 -c:v mpeg2video");
    make(&b, "-f lavfi -i testsrc2=s=160x128:r=25:d=1 -c:v mpeg2video");
    fs::write(&both, [fs::read(&a).unwrap(), fs::read(&b).unwrap()].concat()).unwrap();
    let (size, times) = every(&both);
    assert_eq!(size, (96, 64));
    assert!(times.len() >= 48 && times.last().unwrap() < &2.5, "{times:?}");
}

#[test]
fn a_film_that_was_cut_off_gives_its_frames_and_says_so() {
    if !have_ffmpeg() {
        return;
    }
    let place = tempfile::tempdir().unwrap();
    for (name, codec) in [
        ("a.mp4", "-c:v mpeg4 -movflags +faststart"),
        ("a.mkv", "-c:v mpeg4"),
        ("a.avi", "-c:v mpeg4"),
        ("a.flv", "-c:v flv"),
    ] {
        let (whole, cut) = (place.path().join(name), place.path().join(format!("cut-{name}")));
        make(&whole, &format!("-f lavfi -i testsrc2=s=192x128:r=25:d=4 {codec}"));
        let (_, times) = every(&whole);
        let bytes = fs::read(&whole).unwrap();
        fs::write(&cut, &bytes[..bytes.len() / 2]).unwrap();
        let (frames, words) = failure(&cut);
        assert!(frames > 20 && frames < times.len(), "{name}: {frames}");
        assert!(words.contains("it was cut off"), "{name}: {words}");
    }
}

#[test]
fn a_playlist_behind_the_name_of_a_film_opens_nothing() {
    if !have_ffmpeg() {
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let path = |name: &str| place.path().join(name);
    make(&path("real.ts"), "-f lavfi -i testsrc2=s=96x64:r=25:d=1 -c:v mpeg2video");
    let real = path("real.ts").display().to_string();
    for (name, text) in [
        ("hls.mp4", format!("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n{real}\n#EXT-X-ENDLIST\n")),
        ("list.mp4", format!("ffconcat version 1.0\nfile '{real}'\n")),
    ] {
        fs::write(path(name), text).unwrap();
        let (frames, words) = failure(&path(name));
        assert!(frames == 0 && words.contains("playlist"), "{words}");
    }
}

#[test]
fn moving_pictures_are_films() {
    if !have_ffmpeg() {
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let path = |name: &str| place.path().join(name);
    let lavfi = "-f lavfi -i testsrc2=s=40x30:r=5:d=1";
    make(&path("a.gif"), lavfi);
    make(&path("a.png"), &format!("{lavfi} -f apng"));
    make(&path("a.mjpeg"), &format!("{lavfi} -f mjpeg"));
    for (name, step) in [("a.gif", 0.2), ("a.png", 0.2), ("a.mjpeg", 0.04)] {
        assert!(is_moving_picture(&path(name)), "{name}");
        let (size, times) = every(&path(name));
        assert_eq!((size, times.len()), ((40, 30), 5), "{name}");
        for (index, time) in times.iter().enumerate() {
            assert!((time - step * index as f64).abs() < 1e-6, "{name}: {times:?}");
        }
    }
    make(&path("still.gif"), &format!("{lavfi} -frames:v 1"));
    make(&path("still.png"), &format!("{lavfi} -frames:v 1"));
    make(&path("still.jpg"), &format!("{lavfi} -frames:v 1"));
    for name in ["still.gif", "still.png", "still.jpg", "none.gif"] {
        assert!(!is_moving_picture(&path(name)), "{name}");
    }
}

#[test]
fn sound_is_copied_encoded_anew_or_left_out_but_never_in_the_way() {
    if !have_ffmpeg() {
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let path = |name: &str| place.path().join(name);
    let (picture, sine) = ("-f lavfi -i testsrc2=s=96x64:r=25:d=1", "-f lavfi -i sine=d=1");
    make(&path("flac.mkv"), &format!("{picture} {sine} -c:v mpeg4 -c:a flac"));
    make(&path("aac.ts"), &format!("{picture} {sine} -c:v mpeg2video -c:a aac"));
    make(
        &path("two.mkv"),
        &format!("{picture} {sine} {sine} -map 0 -map 1 -map 2 -c:v mpeg4 -c:a:0 aac -c:a:1 pcm_s16le"),
    );
    make(&path("silent.mkv"), &format!("{picture} -c:v mpeg4"));
    for (source, tracks) in [("flac.mkv", 1), ("aac.ts", 1), ("two.mkv", 2), ("silent.mkv", 0)] {
        for target in ["x.mp4", "x.mov", "x.mkv"] {
            let target = path(target);
            let mut writer = VideoWriter::create(&target, (96, 64), Some(&path(source))).unwrap();
            // The first frame may come late; its time stays.
            for frame in 5..25 {
                writer.write(f64::from(frame) * 0.04, &Picture::filled(96, 64, [frame as u8; 3])).unwrap();
            }
            writer.finish().unwrap_or_else(|e| panic!("{source}: {e}"));
            let output = Command::new("ffprobe")
                .args([
                    "-v",
                    "error",
                    "-select_streams",
                    "a",
                    "-show_entries",
                    "stream=codec_name",
                    "-of",
                    "csv=p=0",
                ])
                .arg(&target)
                .output()
                .unwrap();
            let found = String::from_utf8(output.stdout).unwrap();
            assert_eq!(found.lines().count(), tracks, "{source} to {}: {found}", target.display());
            let times = probed(&target);
            // Encoders of sound begin a little before it, which Matroska cannot say.
            assert!(
                times.len() == 21 && (times[1] - 0.2).abs() < 0.03,
                "{source} to {}: {times:?}",
                target.display()
            );
        }
    }
}

#[test]
fn a_wish_to_end_is_heard_while_nothing_comes() {
    use std::sync::atomic::{AtomicBool, Ordering};
    static STOP: AtomicBool = AtomicBool::new(false);
    if !have_ffmpeg() {
        return;
    }
    // Somebody listens, and never says anything.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://me:secret@{}/a.mp4", listener.local_addr().unwrap());
    let silent = std::thread::spawn(move || {
        let connection = listener.accept();
        STOP.store(true, Ordering::Relaxed);
        std::thread::sleep(std::time::Duration::from_secs(5));
        drop(connection);
    });
    let begun = std::time::Instant::now();
    let options = VideoOptions { stop: Some(&STOP), ..VideoOptions::default() };
    let error = Video::open(&VideoSource::Stream(address), &options).err().unwrap().to_string();
    assert!(begun.elapsed().as_secs() < 4, "{error}");
    assert!(!error.contains("secret"), "{error}");
    drop(silent);
}

#[test]
fn a_program_that_is_missing_is_named_with_the_way_to_get_it() {
    let error = Error::MissingProgram { program: "ffmpeg", install: "install it" };
    assert_eq!(error.to_string(), "video needs the program ffmpeg, which was not found: install it");
}
