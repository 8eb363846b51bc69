//! Ctrl-C: status 130, and a line that says what was kept and how to go on.
#![cfg(unix)]

use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use moue_media::Picture;

use crate::support::{TINY, command, moue, write_data};

fn send(signal: &str, child: &Child) {
    let sent = Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

/// Waits for the end, which must be the one of an interrupted program, and gives what stood on stderr.
#[track_caller]
fn interrupted(mut child: Child, named: &[&str]) {
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{stderr}");
    for text in named.iter().chain(&["interrupted"]) {
        assert!(stderr.contains(text), "{text:?} is not in {stderr:?}");
    }
}

fn begin(folder: &Path, arguments: &[&str]) -> Child {
    command(folder, arguments).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
}

#[track_caller]
fn wait_for(what: impl Fn() -> bool) {
    let begun = Instant::now();
    while !what() {
        assert!(begun.elapsed() < Duration::from_secs(120), "it does not come");
        sleep(Duration::from_millis(5));
    }
}

/// Whether the program waits for somebody to write into a pipe: then it watches for signals, too.
fn waits(child: &Child) -> bool {
    // A handler for Ctrl-C is in place.
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap_or("0");
    u64::from_str_radix(caught.trim(), 16).is_ok_and(|mask| mask & 0b10 != 0)
}

#[cfg(target_os = "linux")]
#[test]
fn what_keeps_nothing_says_so() {
    let folder = tempfile::tempdir().unwrap();
    // Reading this never ends.
    assert!(Command::new("mkfifo").arg(folder.path().join("data.csv")).status().unwrap().success());
    for arguments in [&["data", "check", "data.csv"][..], &["eval", "data.csv"], &["train", "data.csv"]] {
        let child = begin(folder.path(), arguments);
        wait_for(|| waits(&child));
        send("-INT", &child);
        interrupted(child, &["nothing"]);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn who_is_told_to_outlive_the_terminal_does() {
    let folder = tempfile::tempdir().unwrap();
    assert!(Command::new("mkfifo").arg(folder.path().join("data.csv")).status().unwrap().success());
    let mut shell = Command::new("sh");
    shell.args(["-c", "trap '' HUP; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_moue"), "eval", "data.csv"]);
    let child =
        shell.current_dir(folder.path()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    wait_for(|| waits(&child));
    sleep(Duration::from_millis(200));
    send("-HUP", &child);
    sleep(Duration::from_millis(300));
    send("-TERM", &child);
    let mut child = child;
    assert!(child.try_wait().unwrap().is_none_or(|status| status.code() == Some(130)));
    interrupted(child, &[]);
}

#[test]
fn a_training_goes_on_after_ctrl_c() {
    let folder = tempfile::tempdir().unwrap();
    write_data(folder.path());
    let arguments =
        [&["train", "data.csv", "--threads", "1", "--checkpoint-seconds", "0"][..], &TINY].concat();
    let arguments: Vec<&str> = arguments.iter().map(|a| if *a == "2" { "40" } else { a }).collect();
    let child = begin(folder.path(), &arguments);
    wait_for(|| folder.path().join("mine.run/last.safetensors").exists());
    send("-INT", &child);
    interrupted(child, &["mine.run", "--resume"]);
    assert!(!folder.path().join("mine.safetensors").exists());
    let mut child = begin(folder.path(), &[&arguments[..], &["--resume"]].concat());
    sleep(Duration::from_millis(200));
    assert!(child.try_wait().unwrap().is_none(), "it goes on");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn an_analysis_says_which_pictures_are_left() {
    let folder = tempfile::tempdir().unwrap();
    Picture::filled(640, 480, [90; 3]).write(&folder.path().join("000.jpg")).unwrap();
    for i in 1..400 {
        fs::copy(folder.path().join("000.jpg"), folder.path().join(format!("{i:03}.jpg"))).unwrap();
    }
    let child = begin(folder.path(), &["analyze", ".", "--threads", "1"]);
    wait_for(|| folder.path().join("001.moue.jpg").exists());
    send("-INT", &child);
    interrupted(child, &["of 400 pictures are done", "kept", ".jpg on"]);
    let done = moue(folder.path(), &["analyze", "000.jpg", "--no-pictures"]).done();
    assert!(done.stdout.contains("000.jpg"));
}
