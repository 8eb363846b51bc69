//! Files in the layout of FER2013, made up.

use std::path::{Path, PathBuf};

use moue_data::{ReadOptions, Reading};
use tempfile::TempDir;

pub const PICTURE: usize = 48 * 48;

/// The picture that row `seed` shows: equal seeds, equal pictures.
pub fn picture(seed: u32) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(1);
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..PICTURE).map(|_| next()).collect()
}

pub fn pixels(picture: &[u8]) -> String {
    let numbers: Vec<String> = picture.iter().map(u8::to_string).collect();
    numbers.join(" ")
}

/// A row in the published order of columns.
pub fn row(label: u8, seed: u32, usage: &str) -> String {
    format!("{label},{},{usage}\n", pixels(&picture(seed)))
}

/// A file of rows `(label, seed, usage)`.
pub fn file(rows: &[(u8, u32, &str)]) -> String {
    let mut text = "emotion,pixels,Usage\n".to_owned();
    for &(label, seed, usage) in rows {
        text.push_str(&row(label, seed, usage));
    }
    text
}

/// A folder that vanishes after the test, and a file in it.
pub fn written(name: &str, bytes: impl AsRef<[u8]>) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    (folder, path)
}

pub fn read(path: &Path) -> Reading {
    moue_data::read(path, &ReadOptions::strict()).unwrap()
}

/// The message with which strict reading fails.
pub fn refusal(path: &Path) -> String {
    moue_data::read(path, &ReadOptions::strict()).unwrap_err().to_string()
}
