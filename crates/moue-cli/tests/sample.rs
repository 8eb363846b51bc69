//! `moue data sample`, run as people run it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "an unmet expectation fails the test"
)]

use std::fs;
use std::process::Command;

#[test]
fn a_mean_over_few_faces_is_refused_because_it_would_show_somebody() {
    let place = tempfile::tempdir().unwrap();
    let row =
        |label: u8, grey: u8| format!("{label},{},Training\n", vec![grey.to_string(); 48 * 48].join(" "));
    let rows: String = (0..7).flat_map(|label| (0..3).map(move |i| row(label, label * 30 + i))).collect();
    fs::write(place.path().join("few.csv"), format!("emotion,pixels,Usage\n{rows}")).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_moue"))
        .current_dir(place.path())
        .args(["data", "sample", "few.csv", "--out", "faces.jpg"])
        .output()
        .unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("few.csv") && stderr.contains("angry") && stderr.contains("200"), "{stderr}");
    assert!(output.stdout.is_empty() && !place.path().join("faces.jpg").exists());
}
