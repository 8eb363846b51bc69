//! Runs the program and makes the little datasets it is run on.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A finished run.
pub struct Run {
    pub status: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Run {
    fn of(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("output is UTF-8");
        Self {
            status: output.status.code().unwrap_or(-1),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }

    /// The run, which must have ended well.
    #[track_caller]
    pub fn done(self) -> Self {
        assert_eq!(self.status, 0, "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        self
    }

    /// The run, which must have failed with status 1 and named each of these on stderr.
    #[track_caller]
    pub fn failed(self, named: &[&str]) -> Self {
        self.ended(1, named)
    }

    /// As [`failed`](Self::failed), for wrong usage.
    #[track_caller]
    pub fn refused(self, named: &[&str]) -> Self {
        self.ended(2, named)
    }

    #[track_caller]
    fn ended(self, status: i32, named: &[&str]) -> Self {
        assert_eq!(self.status, status, "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        for text in named {
            assert!(self.stderr.contains(text), "{text:?} is not in {:?}", self.stderr);
        }
        self
    }

    /// Stdout, which must be one line of JSON and nothing else.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        assert_eq!(self.stdout.matches('\n').count(), 1, "{}", self.stdout);
        serde_json::from_str(&self.stdout).expect("stdout is JSON")
    }
}

/// The program with arguments, in a folder.
pub fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_moue"));
    command.args(arguments).current_dir(folder).stdin(Stdio::null());
    command
}

/// Runs the program in a folder.
pub fn moue(folder: &Path, arguments: &[&str]) -> Run {
    Run::of(command(folder, arguments).output().expect("the program starts"))
}

/// Lines of a FER2013 csv for `count` pictures of each part, classes in turn.
///
/// Each class is a grating of its own direction with a little noise, so that a small network can learn them.
pub fn fer2013(parts: &[(&str, usize)]) -> String {
    let mut csv = String::from("emotion,pixels,Usage\n");
    let mut state = 1_u32;
    for &(usage, count) in parts {
        for i in 0..count {
            let class = i % 7;
            let angle = class as f32 * std::f32::consts::PI / 7.0;
            let _ = write!(csv, "{class},");
            for place in 0..48 * 48 {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let noise = (state >> 24) as f32 / 8.0;
                let (x, y) = ((place % 48) as f32, (place / 48) as f32);
                let wave = (0.5 * (x * angle.cos() + y * angle.sin())).sin();
                let space = if place == 0 { "" } else { " " };
                let _ = write!(csv, "{space}{}", (110.0 + 80.0 * wave + noise) as u8);
            }
            let _ = writeln!(csv, ",{usage}");
        }
    }
    csv
}

/// Writes 42 pictures to train on and 21 to validate on as `data.csv`.
pub fn write_data(folder: &Path) -> PathBuf {
    let path = folder.join("data.csv");
    std::fs::write(&path, fer2013(&[("Training", 42), ("PublicTest", 21)])).expect("the data is written");
    path
}

/// Arguments of a training of seconds: six steps an epoch of the smallest published MobileNetV2.
pub const TINY: [&str; 10] =
    ["--alpha", "0.35", "--input", "32", "--batch", "7", "--epochs", "2", "--learning-rate", "0.002"];

/// Trains a model on [`write_data`] into `mine.safetensors`.
pub fn train(folder: &Path) -> Run {
    write_data(folder);
    moue(folder, &[&["train", "data.csv", "--threads", "2"][..], &TINY].concat()).done()
}
