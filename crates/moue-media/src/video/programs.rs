//! The programs `ffmpeg` and `ffprobe`, which read and write every format there is.

use std::ffi::OsStr;
use std::io::ErrorKind;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use crate::Error;

/// What to do about a missing program, on this system.
const INSTALL: &str = if cfg!(target_os = "macos") {
    "install it with: brew install ffmpeg"
} else if cfg!(windows) {
    "install it with: winget install ffmpeg"
} else {
    "install it with: apt install ffmpeg (Debian, Ubuntu), dnf install ffmpeg (Fedora) or pacman -S ffmpeg (Arch)"
};

/// A program as a command; environment variables `MOUE_FFMPEG` and `MOUE_FFPROBE` name others than those on the path.
///
/// It runs in a process group of its own, so that Ctrl-C reaches moue alone, which then ends it in order.
pub fn command(program: &'static str) -> Command {
    let variable = if program == "ffprobe" { "MOUE_FFPROBE" } else { "MOUE_FFMPEG" };
    let mut command = Command::new(std::env::var_os(variable).unwrap_or_else(|| program.into()));
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    command
}

/// Why a program could not be started.
pub fn not_started(program: &'static str, error: std::io::Error) -> Error {
    match error.kind() {
        ErrorKind::NotFound => Error::MissingProgram { program, install: INSTALL },
        _ => Error::Io { path: program.into(), source: error },
    }
}

/// What ffmpeg calls "give every frame as it comes": the name of the option changed with version 5.1.
pub fn every_frame() -> Result<[&'static str; 2], Error> {
    static OLD: OnceLock<bool> = OnceLock::new();
    let old = match OLD.get() {
        Some(old) => *old,
        None => {
            let output = command("ffmpeg")
                .arg("-version")
                .stdin(Stdio::null())
                .output()
                .map_err(|e| not_started("ffmpeg", e))?;
            *OLD.get_or_init(|| before_5_1(&String::from_utf8_lossy(&output.stdout)))
        }
    };
    Ok(if old { ["-vsync", "passthrough"] } else { ["-fps_mode", "passthrough"] })
}

/// Builds from the sources' history have no number and are new.
fn before_5_1(version: &str) -> bool {
    let Some(word) = version.split_whitespace().nth(2) else { return false };
    let mut parts = word.trim_start_matches('n').split(['.', '-']).map(str::parse::<u32>);
    match (parts.next(), parts.next()) {
        (Some(Ok(5)), Some(Ok(minor))) => minor < 1,
        (Some(Ok(major)), _) => major < 5,
        _ => false,
    }
}

/// What ffprobe says about a source: the values of `entries`, a line each, as `key=value`. Empty where it cannot tell.
pub fn probe(arguments: &[&OsStr], entries: &str) -> Result<String, Error> {
    let output = command("ffprobe")
        .args(["-v", "error", "-of", "default=noprint_wrappers=1", "-show_entries", entries])
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .map_err(|e| not_started("ffprobe", e))?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_told_apart() {
        let old = |version: &str| before_5_1(&format!("ffmpeg version {version} Copyright (c)"));
        for (version, expected) in [
            ("4.4.2-0ubuntu0.22.04.1", true),
            ("5.0.1", true),
            ("5.1.9-0+deb12u1", false),
            ("n6.1", false),
            ("7", false),
            ("N-109000-gabc", false),
            ("2024-01-01-git", false),
        ] {
            assert_eq!(old(version), expected, "{version}");
        }
        assert!(!before_5_1(""));
    }
}
