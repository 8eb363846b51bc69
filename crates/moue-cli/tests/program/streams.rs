//! Results that cannot be written are told, never lost without a word.
#![cfg(unix)]

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use moue_media::Picture;

use crate::support::{command, moue, write_data};

/// What prints a result, each in its own way.
const PRINTING: [&[&str]; 5] = [
    &["analyze", "a.png", "--detector", "none", "--json", "--no-pictures"],
    &["analyze", "a.png", "--detector", "none", "--no-pictures"],
    &["data", "check", "data.csv", "--json"],
    &["model", "summary"],
    &["--help"],
];

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    Picture::filled(64, 64, [90; 3]).write(&folder.path().join("a.png")).unwrap();
    write_data(folder.path());
    folder
}

#[track_caller]
fn told(output: &Output, words: &str) {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.to_lowercase().contains(words), "{stderr}");
    assert!(!stderr.contains("panicked"), "{stderr}");
}

#[test]
fn a_closed_stdout_is_a_failure() {
    let folder = folder();
    for arguments in PRINTING {
        let mut shell = Command::new("sh");
        shell.current_dir(folder.path()).stdin(Stdio::null());
        shell.args(["-c", "exec \"$@\" >&-", "sh", env!("CARGO_BIN_EXE_moue")]).args(arguments);
        told(&shell.output().unwrap(), "standard output is closed");
    }
    // Nobody closed that one: what is wanted is silence.
    let run = command(folder.path(), PRINTING[0]).stdout(Stdio::null()).status().unwrap();
    assert!(run.success());
    let null = File::options().read(true).write(true).open("/dev/null").unwrap();
    assert!(command(folder.path(), PRINTING[0]).stdout(null).status().unwrap().success());
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_device_is_a_failure() {
    let folder = folder();
    for arguments in PRINTING {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let output = command(folder.path(), arguments).stdout(full).stderr(Stdio::piped()).output().unwrap();
        told(&output, "standard output: no space left");
    }
    let run = moue(
        folder.path(),
        &["analyze", "a.png", "--detector", "none", "--no-pictures", "--csv", "/dev/full"],
    );
    run.failed(&["/dev/full", "No space left"]);
    assert!(Path::new("/dev/full").exists());
    assert!(fs::metadata("/dev/full").is_ok_and(|m| !m.is_file()), "a device is never replaced");
}
