//! `moue analyze` and `moue live` on video, run as people run them.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test fails by panicking and says what it skips"
)]

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

/// The clip that is in the repository; `None`, which is said, where ffmpeg is not there to read it.
fn clip() -> Option<PathBuf> {
    if ["ffmpeg", "ffprobe"].iter().any(|p| Command::new(p).arg("-version").output().is_err()) {
        eprintln!("SKIPPED: tests on video, which need ffmpeg and ffprobe");
        return None;
    }
    Some(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../samples/people.mp4"))
}

fn moue(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_moue"));
    command.args(arguments);
    command
}

fn probed(path: &Path) -> Vec<f64> {
    let output = Command::new("ffprobe")
        .args(["-v", "error", "-select_streams", "V:0", "-show_entries", "frame=pts_time", "-of", "csv=p=0"])
        .arg(path)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().filter_map(|line| line.split(',').next()?.parse().ok()).collect()
}

fn records(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect()
}

fn ids(record: &Value) -> Vec<u64> {
    record["faces"].as_array().unwrap().iter().map(|face| face["id"].as_u64().unwrap()).collect()
}

#[test]
fn every_frame_has_its_record_and_every_person_an_id() {
    let Some(clip) = clip() else { return };
    let output = moue(&["analyze", clip.to_str().unwrap(), "--json"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let records = records(&String::from_utf8(output.stdout).unwrap());
    let expected = probed(&clip);
    assert_eq!(records.len(), expected.len());
    for (index, (record, time)) in records.iter().zip(&expected).enumerate() {
        assert_eq!(record["frame"], index);
        assert!((record["time"].as_f64().unwrap() - time).abs() < 1e-3, "{index}");
    }
    let at = |seconds: f64| records.iter().find(|r| r["time"].as_f64().unwrap() >= seconds).unwrap();
    assert_eq!([0.5, 3.0, 7.0, 15.5].map(|t| ids(at(t)).len()), [0, 1, 2, 0]);
    assert_eq!((ids(at(3.0)), ids(at(8.0)), ids(at(18.0)).len()), (vec![0], vec![0, 1], 1));
    assert!(ids(at(18.0))[0] > 1, "who comes after three seconds is somebody else");
    for record in &records {
        for face in record["faces"].as_array().unwrap() {
            let p = face["probabilities"].as_object().unwrap();
            let best = p.values().map(|v| v.as_f64().unwrap()).fold(0.0, f64::max);
            assert_eq!(p[face["emotion"].as_str().unwrap()], best);
            assert!(face["raw_probabilities"].is_object());
        }
    }
    // The first person turns from neutral to happy with the fourth second.
    let emotion = |record: &Value| {
        let faces = record["faces"].as_array().unwrap();
        faces.iter().find(|face| face["id"] == 0).map(|face| face["emotion"].as_str().unwrap().to_owned())
    };
    let before = emotion(at(3.9)).unwrap();
    let seen =
        records.iter().find(|r| r["time"].as_f64().unwrap() >= 4.0 && emotion(r).as_deref() == Some("happy"));
    let time = seen.unwrap()["time"].as_f64().unwrap();
    assert!(before != "happy" && time <= 4.3, "{before}, happy at {time}");
}

#[test]
fn what_is_found_does_not_depend_on_threads_and_every_third_look_suffices() {
    let Some(clip) = clip() else { return };
    let run = |arguments: &[&str]| {
        let base = ["analyze", clip.to_str().unwrap(), "--json", "--no-smoothing"];
        String::from_utf8(moue(&[&base, arguments].concat()).output().unwrap().stdout).unwrap()
    };
    let sparse = run(&["--detect-every", "3", "--threads", "1"]);
    assert_eq!(sparse, run(&["--detect-every", "3", "--threads", "3"]));
    let people: Vec<usize> = records(&sparse).iter().map(|record| ids(record).len()).collect();
    assert_eq!([3.0, 7.0, 15.5].map(|t: f64| people[(t * 25.0) as usize]), [1, 2, 0]);
    assert!(!sparse.contains("raw_probabilities"));
}

/// Whole records in a file that may end in a part of one.
fn whole_lines(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap_or_default();
    records(&text[..text.rfind('\n').map_or(0, |end| end + 1)])
}

#[test]
fn killed_at_any_moment_nothing_that_was_told_is_lost_and_it_goes_on() {
    let Some(clip) = clip() else { return };
    let place = tempfile::tempdir().unwrap();
    let file = |name: &str| place.path().join(name);
    let names = ["a.jsonl", "a.csv", "a.vtt", "a.srt", "a.eaf", "a.mp4"];
    let paths: Vec<String> = names.iter().map(|n| file(n).to_str().unwrap().to_owned()).collect();
    let mut arguments = vec!["analyze", clip.to_str().unwrap(), "--json", "--resume"];
    for path in &paths {
        arguments.extend(["--out", path]);
    }
    let (mut told, mut state) = (0, 12345_u32);
    for round in 0..20 {
        // Every film is made from its beginning, so most rounds do without.
        let with_film = round % 7 == 6;
        let used = if with_film { &arguments[..] } else { &arguments[..arguments.len() - 2] };
        let mut child = moue(used).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        told += lines.by_ref().take((state >> 27) as usize).count();
        std::thread::sleep(Duration::from_micros(u64::from(state >> 17 & 0x3ff) * 10));
        child.kill().unwrap();
        child.wait().unwrap();
        // The last line may be half of one.
        told += lines.filter(|line| line.ends_with('}')).count();
        let kept = whole_lines(&file("a.jsonl"));
        assert!(kept.len() >= told, "round {round}: {} of {told} records", kept.len());
        assert!(kept.iter().enumerate().all(|(i, record)| record["frame"] == i), "round {round}");
        told = kept.len();
        for name in ["a.csv", "a.vtt", "a.srt"] {
            let text = fs::read_to_string(file(name)).unwrap_or_default();
            assert!(text.is_empty() || text.ends_with('\n'), "round {round}: {name}");
        }
        if let Ok(text) = fs::read_to_string(file("a.eaf")) {
            assert!(text.ends_with("</ANNOTATION_DOCUMENT>\n"), "round {round}");
        }
    }
    let status = moue(&arguments).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
    assert!(status.success());
    let times = probed(&clip);
    let expected = times.len();
    let kept = whole_lines(&file("a.jsonl"));
    assert_eq!(kept.len(), expected);
    assert!(kept.iter().all(|record| ids(record).iter().all(|&id| id < 8)), "ids went on");
    let film = probed(&file("a.mp4"));
    assert_eq!(film.len(), expected);
    let apart = film.iter().zip(&times).map(|(film, clip)| (film - clip).abs()).fold(0.0, f64::max);
    assert!(apart < 1e-3, "the film is {apart} s beside the clip and the subtitles");
    let frames: std::collections::BTreeSet<String> = fs::read_to_string(file("a.csv"))
        .unwrap()
        .lines()
        .skip(1)
        .map(|line| line.rsplit_once("people.mp4,").unwrap().1.split(',').next().unwrap().to_owned())
        .collect();
    assert_eq!(frames.len(), expected);
    let left: Vec<_> = fs::read_dir(place.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left.len(), names.len(), "{left:?}");
}

/// Some hundred kilobytes of room, whatever the size of the disk: what is beyond cannot be written.
#[cfg(unix)]
#[test]
fn on_a_full_disk_all_that_was_there_is_valid_and_resume_goes_on() {
    let Some(clip) = clip() else { return };
    let place = tempfile::tempdir().unwrap();
    let names = ["a.jsonl", "a.csv", "a.vtt", "a.eaf"];
    let mut arguments = vec!["analyze".to_owned(), clip.to_str().unwrap().to_owned(), "--resume".to_owned()];
    for name in names {
        arguments.extend(["--out".to_owned(), place.path().join(name).to_str().unwrap().to_owned()]);
    }
    // The shell's limit on the size of files (in blocks of 512 bytes) takes the place of a disk of that size; the signal that
    // would end the program is ignored, so that it sees the error.
    let limited = Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 200; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_moue")])
        .args(&arguments)
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&limited.stderr).into_owned();
    assert_eq!(limited.status.code(), Some(1), "{told}");
    assert!(told.contains("a.jsonl") && told.contains("--resume goes on when there is room"), "{told}");
    let kept = whole_lines(&place.path().join("a.jsonl"));
    let expected = probed(&clip).len();
    assert!((20..expected).contains(&kept.len()), "{} of {expected}", kept.len());
    assert!(fs::read_to_string(place.path().join("a.vtt")).unwrap().ends_with('\n'));
    let status = moue(&arguments.iter().map(String::as_str).collect::<Vec<_>>()).output().unwrap().status;
    assert!(status.success());
    let all = whole_lines(&place.path().join("a.jsonl"));
    assert_eq!(all.len(), expected);
    assert_eq!(all[..kept.len()], kept, "what was there stayed");
    let left: Vec<_> = fs::read_dir(place.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left.len(), names.len(), "{left:?}");
}

#[test]
fn records_go_on_without_a_film_that_cannot_be_written() {
    let Some(clip) = clip() else { return };
    let place = tempfile::tempdir().unwrap();
    let (film, lines) = (place.path().join("f.mp4"), place.path().join("f.jsonl"));
    fs::create_dir(&film).unwrap();
    let output = moue(&["analyze", clip.to_str().unwrap(), "--detector", "none", "--out"])
        .arg(&film)
        .arg("--out")
        .arg(&lines)
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("go on without this film"), "{told}");
    assert_eq!(whole_lines(&lines).len(), probed(&clip).len());
}

#[test]
fn a_password_in_an_address_is_shown_nowhere() {
    if clip().is_none() {
        return;
    }
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://admin:hunter2@{}/a.mp4", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut connection in listener.incoming().flatten() {
            // Closed while something is unread, a connection would be reset.
            let _ = std::io::Read::read(&mut connection, &mut [0; 4096]);
            let _ = connection
                .write_all(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        }
    });
    let output = moue(&["analyze", &address, "--json"]).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(!told.contains("hunter2") && told.contains("http://…@127.0.0.1"), "{told}");
    assert!(told.contains("asks for a name and a password"), "{told}");
}

#[test]
fn a_page_has_faces_and_events_when_they_are_asked_for() {
    let Some(clip) = clip() else { return };
    let place = tempfile::tempdir().unwrap();
    let events = place.path().join("scenes.csv");
    fs::write(&events, "time,name\n0:04,Logo appears\n").unwrap();
    let (clip, events) = (clip.to_str().unwrap(), events.to_str().unwrap());
    let page = |name: &str, arguments: &[&str]| {
        let folder = place.path().join(name);
        let output = moue(arguments).arg(&folder).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        fs::read_to_string(folder.join("report.html")).unwrap()
    };
    let plain = page("plain", &["analyze", clip, "--events", events, "--report"]);
    assert!(plain.contains("Logo appears") && !plain.contains("<img"));
    let records = place.path().join("plain/people.moue.jsonl");
    let faces = page("faces", &["report", records.to_str().unwrap(), "--thumbnails", "--out"]);
    assert!(faces.contains("<img src=\"data:image/jpeg;base64,") && !faces.contains("Logo appears"));
    // The pictures are the page's only pictures of people, and it says so.
    assert!(faces.contains("It holds pictures of people") && !plain.contains("It holds pictures of people"));

    // Records whose video is gone: the page is written without pictures, and what is missing is named.
    let gone = place.path().join("gone.jsonl");
    fs::write(&gone, fs::read_to_string(&records).unwrap().replace("people.mp4", "gone.mp4")).unwrap();
    let output = moue(&["report", gone.to_str().unwrap(), "--thumbnails", "--out"])
        .arg(place.path().join("gone"))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("gone.mp4: no pictures of its peaks"));
    assert!(!fs::read_to_string(place.path().join("gone/report.html")).unwrap().contains("<img"));
}

#[test]
fn raw_frames_come_through_standard_input() {
    if clip().is_none() {
        return;
    }
    let mut child = moue(&["analyze", "-", "--raw", "rgb24:31x17@50", "--json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(&vec![90; 31 * 17 * 3 * 7]).unwrap();
    let output = child.wait_with_output().unwrap();
    let records = records(&String::from_utf8(output.stdout).unwrap());
    let times: Vec<f64> = records.iter().map(|r| r["time"].as_f64().unwrap()).collect();
    assert_eq!(times, [0.0, 0.02, 0.04, 0.06, 0.08, 0.1, 0.12]);
    assert!(records.iter().all(|r| r["width"] == 31 && r["height"] == 17 && ids(r).is_empty()));
}

#[test]
fn without_ffmpeg_one_line_says_how_to_get_it() {
    let clip = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../samples/people.mp4");
    let output = moue(&["analyze", clip.to_str().unwrap()])
        .env("MOUE_FFMPEG", "/nonexistent/ffmpeg")
        .env("MOUE_FFPROBE", "/nonexistent/ffprobe")
        .output()
        .unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    let line = stderr.lines().find(|line| line.contains("ffmpeg")).unwrap();
    assert!(line.contains("people.mp4") && line.contains("install"), "{stderr}");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn a_file_plays_as_a_camera_in_real_time() {
    let Some(clip) = clip() else { return };
    let short = tempfile::tempdir().unwrap();
    let path = short.path().join("short.mp4");
    let cut = Command::new("ffmpeg")
        .args(["-v", "error", "-nostdin", "-i", clip.to_str().unwrap(), "-t", "3", "-c", "copy"])
        .arg(&path)
        .status();
    assert!(cut.unwrap().success());
    let begun = std::time::Instant::now();
    let output =
        moue(&["live", "--headless", "--json", "--source", path.to_str().unwrap()]).output().unwrap();
    let took = begun.elapsed().as_secs_f64();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && stderr.contains("dropped"), "{stderr}");
    let records = records(&String::from_utf8(output.stdout).unwrap());
    assert!(took > 2.5, "{took} s for three seconds of video");
    let numbers: Vec<u64> = records.iter().map(|r| r["frame"].as_u64().unwrap()).collect();
    assert!(!numbers.is_empty() && numbers.windows(2).all(|w| w[0] < w[1]), "{numbers:?}");
}

#[test]
fn flags_that_contradict_each_other_are_refused() {
    let clip = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../samples/people.mp4");
    let clip = clip.to_str().unwrap();
    for arguments in [
        &["analyze", clip, "--resume"][..],
        &["analyze", clip, clip, "--out", "a.jsonl"],
        &["analyze", clip, "--out", "a.xyz"],
        &["analyze", clip, "--detect-every", "0"],
        &["live", "--json"],
        &["analyze", clip, "--thumbnails"],
        &["analyze", clip, "--events", "scenes.csv"],
        &["analyze", "-", "--thumbnails", "--report", "out"],
    ] {
        let output = moue(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
    }
}
