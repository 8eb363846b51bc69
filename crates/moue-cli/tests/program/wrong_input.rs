//! What people feed a program by mistake: each time the file, the line and the reason are named.

use std::fs;
use std::io::Write;
use std::path::Path;

use crate::support::{fer2013, moue};

/// Every command that reads data must refuse the file with these words.
#[track_caller]
fn refused_by_all(folder: &Path, file: &str, words: &[&str]) {
    moue(folder, &["train", file]).failed(words);
    moue(folder, &["data", "check", file]);
    moue(folder, &["data", "check", file, "--json"]).failed(words);
    assert!(!folder.join("mine.safetensors").exists() && !folder.join("mine.run").exists());
}

#[test]
fn rows_that_are_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let good = fer2013(&[("Training", 3), ("PublicTest", 2)]);
    let first = good.lines().nth(3).unwrap();
    let pixels = first.split(',').nth(1).unwrap();
    let rest = pixels.split_once(' ').unwrap().1;
    let cases = [
        (first.replacen("2,", "7,", 1), vec!["emotion \"7\"", "0 (angry) to 6 (neutral)"]),
        (first.replacen(pixels, rest, 1), vec!["2303 pixels", "2304"]),
        (first.replacen(pixels, &format!("256 {rest}"), 1), vec!["256", "0 to 255"]),
        (first.replacen("Training", "Validation", 1), vec!["Usage \"Validation\"", "PublicTest"]),
        (first.replacen("Training", "Training,extra", 1), vec!["field"]),
    ];
    for (line, words) in cases {
        let text = good.replacen(first, &line, 1);
        fs::write(folder.path().join("data.csv"), text).unwrap();
        refused_by_all(folder.path(), "data.csv", &[&["data.csv:4:"][..], &words[..]].concat());
    }
}

#[test]
fn files_that_are_no_data() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| fs::write(folder.path().join(name), bytes).unwrap();
    write("header.csv", fer2013(&[("Training", 2)]).replacen("pixels", "pixles", 1).as_bytes());
    refused_by_all(folder.path(), "header.csv", &["header.csv:1:", "pixles", "emotion, pixels and Usage"]);
    write("empty.csv", b"");
    refused_by_all(folder.path(), "empty.csv", &["empty.csv", "empty"]);
    write("rows.csv", b"emotion,pixels,Usage\n");
    refused_by_all(folder.path(), "rows.csv", &["rows.csv", "no rows"]);
    refused_by_all(folder.path(), "absent.csv", &["absent.csv", "No such file"]);
    fs::create_dir(folder.path().join("nothing")).unwrap();
    refused_by_all(folder.path(), "nothing", &["nothing"]);
}

#[test]
fn archives_that_are_cut_off() {
    let folder = tempfile::tempdir().unwrap();
    let csv = fer2013(&[("Training", 20)]);
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gz.write_all(csv.as_bytes()).unwrap();
    let mut bz2 = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    bz2.write_all(csv.as_bytes()).unwrap();
    for (name, bytes) in [("data.csv.gz", gz.finish().unwrap()), ("data.csv.bz2", bz2.finish().unwrap())] {
        fs::write(folder.path().join(name), &bytes).unwrap();
        let whole = moue(folder.path(), &["data", "check", name, "--json"]).done();
        assert_eq!(whole.json()["rows"], 20);
        fs::write(folder.path().join(name), &bytes[..bytes.len() / 2]).unwrap();
        refused_by_all(folder.path(), name, &[name]);
    }
    fs::write(folder.path().join("data.zip"), b"PK\x03\x04 and nothing more").unwrap();
    refused_by_all(folder.path(), "data.zip", &["data.zip"]);
}

#[test]
fn models_that_are_none() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("data.csv"), fer2013(&[("Training", 7), ("PublicTest", 7)])).unwrap();
    let model = folder.path().join("model.safetensors");
    for bytes in [&b""[..], b"no model", &[0xff; 64]] {
        fs::write(&model, bytes).unwrap();
        for arguments in [
            &["model", "info", "model.safetensors"][..],
            &["model", "summary", "model.safetensors"],
            &["eval", "data.csv", "--model", "model.safetensors"],
            &["train", "data.csv", "--start", "model.safetensors"],
        ] {
            let run = moue(folder.path(), arguments).failed(&["model.safetensors"]);
            assert!(run.stdout.is_empty(), "{}", run.stdout);
        }
    }
    moue(folder.path(), &["model", "info", "absent.safetensors"])
        .failed(&["absent.safetensors", "No such file"]);
}

#[test]
fn recipes_that_are_wrong() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("data.csv"), fer2013(&[("Training", 7)])).unwrap();
    fs::write(folder.path().join("r.toml"), "name = \"r\"\nepochs = 2\nbacth = 7\n").unwrap();
    moue(folder.path(), &["train", "data.csv", "--recipe", "r.toml"]).failed(&["r.toml:3:", "bacth"]);
    fs::write(folder.path().join("r.toml"), "name = \"r\"\nepochs = 0\n").unwrap();
    moue(folder.path(), &["train", "data.csv", "--recipe", "r.toml"]).failed(&["r.toml:2:", "epochs"]);
    moue(folder.path(), &["train", "data.csv", "--recipe", "sede"]).failed(&["sede", "seed, quick, default"]);
}
