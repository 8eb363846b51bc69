//! `moue analyze`, run as people run it.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test fails by panicking and says what it skips"
)]

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use moue_graph::{
    Activation, Calibration, Graph, Model, ModelCard, Op, Padding, Precision, Preprocessing, Tensor, Weights,
};
use moue_media::Picture;
use serde_json::Value;
use tempfile::TempDir;

/// A model that names the brightest quarter of the crop.
fn quarters() -> Model {
    let mut b = Graph::builder("quarters");
    let input = b.add("input", Op::InputLayer { shape: vec![4, 4, 1] }, &[]).unwrap();
    let conv = Op::Conv2D {
        filters: 4,
        kernel_size: [4, 4],
        strides: [1, 1],
        padding: Padding::Valid,
        use_bias: false,
        activation: Activation::Linear,
    };
    let x = b.add("conv", conv, &[input]).unwrap();
    let x = b.add("pool", Op::GlobalAveragePooling2D, &[x]).unwrap();
    b.add("dense", Op::Dense { units: 4, use_bias: false, activation: Activation::Softmax }, &[x]).unwrap();
    let graph = b.finish().unwrap();

    let mut kernel = vec![0.0; 4 * 4 * 4];
    for (i, filters) in kernel.chunks_exact_mut(4).enumerate() {
        filters[i / 8 * 2 + i % 4 / 2] = 0.25;
    }
    let mut dense = vec![0.0; 16];
    dense.iter_mut().step_by(5).for_each(|w| *w = 10.0);
    let mut weights = Weights::new();
    weights.insert("conv/kernel", Tensor::new(vec![4, 4, 1, 4], kernel).unwrap());
    weights.insert("dense/kernel", Tensor::new(vec![4, 4], dense).unwrap());
    let card = ModelCard {
        labels: ["ul", "ur", "ll", "lr"].map(String::from).to_vec(),
        preprocessing: Preprocessing::default(),
        crop_margin: 0.0,
        calibration: Calibration::default(),
        licence: String::new(),
        training: Value::Null,
    };
    Model { graph, weights, card }
}

/// A folder with the model in it, to run the program in.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        quarters().save(place.path("quarters.safetensors"), Precision::F32).unwrap();
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn file(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        fs::write(self.path(name), bytes).unwrap();
    }

    /// Writes a picture whose quarter at (`right`, `lower`) is white.
    fn picture(&self, name: &str, right: bool, lower: bool) {
        let mut picture = Picture::filled(40, 20, [0; 3]);
        picture.fill_rectangle(i64::from(right) * 20, i64::from(lower) * 10, 20, 10, [255; 3], 1.0);
        fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        picture.write(&self.path(name)).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_moue"));
        command.current_dir(self.0.path()).arg("analyze").args(arguments);
        command
    }

    fn run(&self, arguments: &[&str]) -> Run {
        Run::from(self.command(arguments).output().unwrap())
    }

    /// Each picture as one face, read by the model of known answers.
    fn whole(&self, arguments: &[&str]) -> Run {
        let fixed = ["--detector", "none", "--model", "quarters.safetensors"];
        self.run(&[&fixed, arguments].concat())
    }

    fn names(&self, folder: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path(folder)).unwrap();
        let mut names: Vec<String> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

struct Run {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl From<Output> for Run {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Run {
    /// Every line of stdout as JSON; anything else there fails.
    fn json(&self) -> Vec<Value> {
        let parse = |line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        self.stdout.lines().map(parse).collect()
    }

    fn emotions(&self) -> Vec<String> {
        self.json().iter().map(|r| r["faces"][0]["emotion"].as_str().unwrap().to_owned()).collect()
    }

    fn sources(&self) -> Vec<String> {
        self.json().iter().map(|r| r["source"].as_str().unwrap().to_owned()).collect()
    }

    fn failures(&self) -> Vec<&str> {
        self.stderr.lines().filter(|l| !l.starts_with("moue: faces by")).collect()
    }
}

fn shared() -> Option<PathBuf> {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data")).to_path_buf();
    if !folder.is_dir() {
        eprintln!("SKIPPED: {} is absent", folder.display());
        return None;
    }
    Some(folder)
}

#[test]
fn json_has_the_fixed_form_and_stands_alone_on_stdout() {
    let place = Place::new();
    place.picture("a.png", true, false);
    let run = place.whole(&["a.png", "--json"]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert_eq!(run.stdout.lines().count(), 1);
    let record = &run.json()[0];
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    // `serde_json` sorts keys on reading; their order is a matter of the line.
    assert_eq!(keys(record), ["faces", "frame", "height", "source", "time", "width"]);
    let face = &record["faces"][0];
    assert_eq!(keys(face), ["box", "confidence", "emotion", "id", "probabilities", "roll", "score"]);
    assert_eq!(face["box"], serde_json::json!({"x": 0.0, "y": 0.0, "width": 40.0, "height": 20.0}));
    assert_eq!(keys(&face["probabilities"]), ["ll", "lr", "ul", "ur"]);
    assert_eq!((record["width"].as_u64(), record["height"].as_u64()), (Some(40), Some(20)));
    assert_eq!((record["frame"].as_u64(), record["time"].as_f64()), (Some(0), Some(0.0)));
    assert_eq!((face["emotion"].as_str(), face["id"].as_u64()), (Some("ur"), Some(0)));
    assert_eq!(face["confidence"], face["probabilities"]["ur"]);
    let start =
        r#"{"source":"a.png","frame":0,"time":0.0,"width":40,"height":20,"faces":[{"id":0,"box":{"x":"#;
    assert!(run.stdout.starts_with(start), "{}", run.stdout);
    assert!(
        run.stdout.contains(r#""probabilities":{"ul":"#),
        "labels keep the model's order: {}",
        run.stdout
    );
    assert!(place.path("a.moue.jpg").is_file());
}

#[test]
fn nothing_is_said_about_faces_below_the_smallest_confidence() {
    let place = Place::new();
    // Quarters that differ by little: a small confidence.
    let mut grey = Picture::filled(40, 20, [100; 3]);
    grey.fill_rectangle(0, 0, 20, 10, [130; 3], 1.0);
    grey.write(&place.path("faint.png")).unwrap();
    place.picture("clear.png", true, false);
    let with = |p: &str, more: &[&str]| {
        place.whole(&[&["clear.png", "faint.png", "--no-pictures", "--min-confidence", p], more].concat())
    };
    let run = with("0.9", &["--json", "--csv", "faces.csv"]);
    let faces: Vec<Value> = run.json().iter().map(|r| r["faces"][0].clone()).collect();
    // The answer stays, so that scripts which know nothing of certainty go on working.
    assert_eq!(run.emotions(), ["ur", "ul"]);
    assert_eq!([&faces[0]["certain"], &faces[1]["certain"]], [true, false]);
    assert!(faces[1]["confidence"].as_f64().unwrap() < 0.9);
    let csv = fs::read_to_string(place.path("faces.csv")).unwrap();
    let rows: Vec<&str> = csv.lines().collect();
    assert!(rows[0].contains("confidence,certain,p_ul"), "{csv}");
    assert!(rows[1].contains(",true,") && rows[2].contains(",false,"), "{csv}");
    let table = with("0.9", &[]).stdout;
    let lines: Vec<&str> = table.lines().filter(|l| l.trim_start().starts_with('0')).collect();
    assert!(lines[0].contains(" ur ") && lines[1].contains("uncertain"), "{table}");
    assert!(with("0", &["--json"]).json().iter().all(|r| r["faces"][0]["certain"] == true));
    for wrong in ["1.5", "-0.1", "60", "high", "nan"] {
        let run = place.whole(&["clear.png", &format!("--min-confidence={wrong}")]);
        assert_eq!(run.code, Some(2), "{}", run.stderr);
        assert!(run.stderr.contains("a probability from 0 to 1"), "{}", run.stderr);
    }
}

#[test]
fn broken_files_are_named_and_the_others_are_done_in_order() {
    let place = Place::new();
    place.picture("first.jpg", false, false);
    place.picture("last.png", true, true);
    place.file("empty.jpg", "");
    place.file("text.png", "no picture\n");
    place.file("clip.mp4", b"\0\0\0\x18ftypmp42\0\0\0\0");
    let whole = fs::read(place.path("first.jpg")).unwrap();
    place.file("half.jpg", &whole[..whole.len() / 2]);
    let run = place.whole(&[
        "first.jpg",
        "empty.jpg",
        "text.png",
        "half.jpg",
        "missing.jpg",
        "clip.mp4",
        "last.png",
        "--json",
    ]);
    assert_eq!(run.code, Some(1));
    assert_eq!(run.sources(), ["first.jpg", "last.png"]);
    assert_eq!(run.emotions(), ["ul", "lr"]);
    let failures = run.failures();
    assert_eq!(failures.len(), 5, "{failures:#?}");
    for name in ["empty.jpg", "text.png", "half.jpg", "missing.jpg", "clip.mp4"] {
        let start = format!("moue: {name}: ");
        assert_eq!(failures.iter().filter(|l| l.starts_with(&start)).count(), 1, "{name}: {failures:#?}");
    }
}

#[test]
fn many_pictures_come_in_the_order_in_which_they_were_named() {
    let place = Place::new();
    let mut names = Vec::new();
    for i in 0..40 {
        // Small and large ones mixed, so that some decode much faster than others.
        let name = format!("{}{i}.png", if i % 3 == 0 { "z" } else { "a" });
        if i % 5 == 0 {
            Picture::filled(1500, 1000, [200, 0, 0]).write(&place.path(&name)).unwrap();
        } else {
            place.picture(&name, i % 2 == 0, false);
        }
        names.push(name);
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    for threads in ["1", "3", "16"] {
        let run = place.whole(&[&names[..], &["--json", "--no-pictures", "--threads", threads]].concat());
        assert_eq!(run.code, Some(0), "{}", run.stderr);
        assert_eq!(run.sources(), names);
    }
}

#[test]
fn pictures_are_turned_upright_as_exif_says() {
    let place = Place::new();
    place.picture("plain.jpg", false, false);
    let plain = fs::read(place.path("plain.jpg")).unwrap();
    // Orientation 6: turned a quarter clockwise to be shown, so that the upper left comes to the upper right.
    let exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0";
    let mut turned = plain[..2].to_vec();
    turned.extend([0xff, 0xe1]);
    turned.extend((exif.len() as u16 + 2).to_be_bytes());
    turned.extend(exif);
    turned.extend(&plain[2..]);
    place.file("turned.jpg", turned);
    let run = place.whole(&["plain.jpg", "turned.jpg", "--json"]);
    assert_eq!(run.emotions(), ["ul", "ur"]);
    let sizes: Vec<_> = run.json().iter().map(|r| (r["width"].as_u64(), r["height"].as_u64())).collect();
    assert_eq!(sizes, [(Some(40), Some(20)), (Some(20), Some(40))]);
    let written = moue::read_picture(&place.path("turned.moue.jpg"), &moue::Limits::default()).unwrap();
    assert_eq!((written.width(), written.height()), (20, 40));
}

#[test]
fn folders_are_searched_and_a_second_run_reads_the_same() {
    let place = Place::new();
    place.picture("in/b.png", false, false);
    place.picture("in/a.jpg", false, true);
    place.picture("in/deep/er/c.bmp.png", true, false);
    place.file("in/notes.txt", "no picture");
    let sources = ["in/a.jpg", "in/b.png", "in/deep/er/c.bmp.png"];
    for _ in 0..2 {
        let run = place.whole(&["in", "--json"]);
        assert_eq!(run.code, Some(0), "{}", run.stderr);
        assert_eq!(run.sources(), sources);
    }
    assert_eq!(place.names("in"), ["a.jpg", "a.moue.jpg", "b.moue.jpg", "b.png", "deep", "notes.txt"]);
    assert_eq!(place.names("in/deep/er"), ["c.bmp.moue.jpg", "c.bmp.png"]);
    let only_own = place.whole(&["in/a.moue.jpg"]);
    assert_eq!(only_own.code, Some(1));
    assert!(only_own.stderr.contains("in/a.moue.jpg: no pictures there"), "{}", only_own.stderr);
}

#[test]
fn what_of_a_folder_is_not_taken_is_counted_and_photos_that_are_not_read_fail() {
    let place = Place::new();
    place.picture("in/a.png", false, false);
    place.file("in/notes.txt", "no picture");
    place.file("in/a.moue.jsonl", "{}");
    let run = place.whole(&["in", "--json", "--no-pictures"]);
    assert_eq!((run.code, run.json().len()), (Some(0), 1), "{}", run.stderr);
    assert!(run.stderr.contains("not looked at: 1 .txt ("), "{}", run.stderr);

    let photo = [&[0, 0, 0, 24][..], b"ftypheic", &[0; 24]].concat();
    place.file("in/IMG_1.HEIC", &photo);
    place.file("in/IMG_2.HEIC", &photo);
    let run = place.whole(&["in", "--json", "--no-pictures"]);
    assert_eq!((run.code, run.json().len()), (Some(1), 1), "{}", run.stderr);
    assert!(run.stderr.contains("2 .heic, 1 .txt") && run.stderr.contains("HEIC pictures are not read here"));
    let alone = place.whole(&["in/IMG_1.HEIC"]);
    assert!(
        alone.code == Some(1) && alone.stderr.contains("HEIC pictures are not read here"),
        "{}",
        alone.stderr
    );
}

#[test]
fn a_picture_on_standard_input_is_turned_upright() {
    let place = Place::new();
    place.picture("a.png", true, false);
    let picture = moue::read_picture(&place.path("a.png"), &moue::Limits::default()).unwrap();
    picture.write(&place.path("a.jpg")).unwrap();
    // Orientation 6: a quarter clockwise.
    let exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0";
    let mut bytes = fs::read(place.path("a.jpg")).unwrap();
    let segment = [&[0xff, 0xe1][..], &(exif.len() as u16 + 2).to_be_bytes(), exif].concat();
    bytes.splice(2..2, segment);
    place.file("b.jpg", &bytes);
    let output = place
        .command(&["--detector", "none", "--model", "quarters.safetensors", "-", "--json"])
        .stdin(fs::File::open(place.path("b.jpg")).unwrap())
        .output();
    let run = Run::from(output.unwrap());
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let record = &run.json()[0];
    assert_eq!((record["width"].as_u64(), record["height"].as_u64()), (Some(20), Some(40)));
    assert_eq!(record["faces"][0]["emotion"], "lr");
}

#[test]
fn output_goes_where_it_is_wanted() {
    let place = Place::new();
    place.picture("x/a.png", false, false);
    place.picture("y/a.png", true, false);
    let before = [place.path("x/a.png"), place.path("y/a.png")].map(|p| fs::read(p).unwrap());
    let run = place.whole(&["x", "y", "--out-dir", "out/deep", "--csv", "faces.csv"]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert_eq!(place.names("out/deep"), ["a-2.moue.jpg", "a.moue.jpg"]);
    assert_eq!(place.names("x"), ["a.png"]);
    assert_eq!(before, [place.path("x/a.png"), place.path("y/a.png")].map(|p| fs::read(p).unwrap()));
    let csv = fs::read_to_string(place.path("faces.csv")).unwrap();
    let rows: Vec<&str> = csv.lines().collect();
    assert_eq!(rows.len(), 3);
    assert!(rows[0].ends_with("p_ul,p_ur,p_ll,p_lr"));
    assert!(rows[1].starts_with("x/a.png,0,0,40,20,0,0,0,40,20,0,1,ul,0.99"), "{}", rows[1]);
    assert!(rows[2].starts_with("y/a.png,") && rows[2].contains(",ur,"), "{}", rows[2]);

    let run = place.whole(&["x/a.png", "--no-pictures"]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert_eq!(place.names("x"), ["a.png"]);
    let mut lines = run.stdout.lines();
    assert_eq!(lines.next(), Some("x/a.png  40x20  1 face"));
    assert_eq!(lines.next(), Some("  face  emotion   sure  box           otherwise"));
    assert_eq!(lines.next(), Some("     0  ul       100 %  40x20 at 0,0  ur 0 %, ll 0 %"));
}

#[test]
fn a_picture_that_cannot_be_written_is_named_and_its_faces_are_still_told() {
    let place = Place::new();
    place.picture("a.png", false, false);
    place.picture("b.png", true, false);
    // A folder in its way keeps the file from being written, whoever runs this.
    fs::create_dir(place.path("a.moue.jpg")).unwrap();
    let run = place.whole(&["a.png", "b.png", "--json"]);
    assert_eq!(run.code, Some(1));
    assert_eq!(run.emotions(), ["ul", "ur"]);
    assert_eq!(run.failures().len(), 1);
    assert!(run.failures()[0].starts_with("moue: a.moue.jpg: "), "{}", run.stderr);
    assert!(place.path("b.moue.jpg").is_file());
    assert_eq!(place.names(".").iter().filter(|n| n.starts_with(".moue")).count(), 0);
}

#[test]
fn wrong_usage_ends_with_2_before_anything_is_done() {
    let place = Place::new();
    place.picture("a.png", false, false);
    place.file("c.xml", "<x/>");
    let wrong: [&[&str]; 9] = [
        &[],
        &["a.png", "--detector", "magic"],
        &["a.png", "--detector", "none", "--cascade", "c.xml"],
        &["a.png", "--scale-factor", "1"],
        &["a.png", "--scale-factor", "NaN"],
        &["a.png", "--crop-margin", "-0.6"],
        &["a.png", "--min-face", "0"],
        &["a.png", "--threads", "0"],
        &["a.png", "--out-dir", "x", "--no-pictures"],
    ];
    for arguments in wrong {
        let run = place.run(arguments);
        assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""), "{arguments:?}: {}", run.stderr);
        assert!(!run.stderr.is_empty());
    }
    assert_eq!(place.names("."), ["a.png", "c.xml", "quarters.safetensors"]);
}

#[test]
fn a_cascade_or_model_that_is_none_is_named() {
    let place = Place::new();
    place.picture("a.png", false, false);
    place.file("text.xml", "no cascade");
    place.file("other.xml", "<opencv_storage>\n<cascade>\n</cascade></opencv_storage>");
    place.file("text.safetensors", "no model");
    let wrong: [(&[&str], &str); 6] = [
        (&["a.png", "--cascade", "text.xml"], "text.xml"),
        (&["a.png", "--cascade", "other.xml"], "other.xml"),
        (&["a.png", "--cascade", "missing.xml"], "missing.xml"),
        (&["a.png", "--detector", "none", "--model", "text.safetensors"], "text.safetensors"),
        (&["a.png", "--detector", "none", "--model", "missing.safetensors"], "missing.safetensors"),
        (&["a.png", "--detector", "none", "--csv", "missing/faces.csv"], "missing/faces.csv"),
    ];
    for (arguments, name) in wrong {
        let run = place.run(arguments);
        assert_eq!((run.code, run.stdout.as_str()), (Some(1), ""), "{arguments:?}: {}", run.stderr);
        assert!(run.failures()[0].starts_with(&format!("moue: {name}")), "{}", run.stderr);
    }
}

#[test]
fn a_reader_who_has_seen_enough_ends_it_quietly() {
    let place = Place::new();
    let names: Vec<String> = (0..60).map(|i| format!("{i:02}.png")).collect();
    for name in &names {
        place.picture(name, false, false);
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let fixed = ["--detector", "none", "--model", "quarters.safetensors", "--json", "--no-pictures"];
    let mut child = place
        .command(&[&fixed, &names[..]].concat())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0), "{stderr}");
    assert!(stderr.lines().all(|l| l.starts_with("moue: faces by")), "{stderr}");
}

#[test]
fn analysis_and_evaluation_read_a_training_picture_alike() {
    let place = Place::new();
    let model = moue::embedded_model().unwrap();
    model.save(place.path("embedded.safetensors"), Precision::F32).unwrap();
    let mut csv = "emotion,pixels,Usage\n".to_owned();
    let mut labels = Vec::new();
    for i in 0..14_usize {
        let waves =
            |x: f64, y: f64| 128.0 + 100.0 * (x * (i + 1) as f64 / 20.0).sin() * (y / (i + 2) as f64).cos();
        // `analyze` rounds an enlarged face to whole grey levels, `eval` does not. From 48 to 60 pixels values are mixed by
        // hundredths, so that multiples of 100 come out whole, and both networks see the same.
        let level = |p: usize| 100 * (waves((p % 48) as f64, (p / 48) as f64) / 100.0).round() as u8;
        let pixels: Vec<u8> = (0..48 * 48).map(level).collect();
        let text: Vec<String> = pixels.iter().map(u8::to_string).collect();
        csv.push_str(&format!("{},{},PublicTest\n", i % 7, text.join(" ")));
        let name = format!("in/{i:02}.png");
        fs::create_dir_all(place.path("in")).unwrap();
        moue_media::Grey::from_raw(48, 48, pixels).unwrap().write(&place.path(&name)).unwrap();
        labels.push(model.card.labels[i % 7].clone());
    }
    place.file("rows.csv", csv);
    let run = place.run(&[
        "in",
        "--json",
        "--no-pictures",
        "--detector",
        "none",
        "--model",
        "embedded.safetensors",
    ]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let p = |(record, label): (&Value, &String)| record["faces"][0]["probabilities"][label].as_f64().unwrap();
    let seen = run.json().iter().zip(&labels).map(p).map(|p| -p.ln()).sum::<f64>() / labels.len() as f64;

    let mut eval = Command::new(env!("CARGO_BIN_EXE_moue"));
    eval.current_dir(place.0.path()).args(["eval", "rows.csv", "--usage", "PublicTest", "--json"]);
    let eval = Run::from(eval.args(["--model", "embedded.safetensors"]).output().unwrap());
    assert_eq!(eval.code, Some(0), "{}", eval.stderr);
    let measured = eval.json()[0]["log_loss"].as_f64().unwrap();
    assert!((seen - measured).abs() < 1e-4, "{seen} is not {measured}");
}

#[test]
fn faces_of_real_photos_are_found() {
    let Some(shared) = shared() else { return };
    let place = Place::new();
    let photos = shared.join("photos");
    let out = place.path("out");
    let run = place.run(&[photos.to_str().unwrap(), "--json", "--out-dir", out.to_str().unwrap()]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let count = |name: &str| {
        let records = run.json();
        let record = records.iter().find(|r| r["source"].as_str().unwrap().ends_with(name)).unwrap();
        record["faces"].as_array().unwrap().len()
    };
    assert_eq!(count("astronaut.png"), 1);
    assert!((4..=5).contains(&count("multi_face.jpg")), "{} faces", count("multi_face.jpg"));
    assert_eq!(count("fer_no-faces.jpg"), 0);
    assert!(run.stderr.starts_with("moue: faces by "), "{}", run.stderr);
    assert_eq!(place.names("out").len(), run.json().len());
}

#[test]
fn the_sample_shows_seven_faces_and_the_clearest_are_read_right() {
    let place = Place::new();
    let sample = concat!(env!("CARGO_MANIFEST_DIR"), "/../../samples/faces.jpg");
    // The cascade that comes with moue, so that the answer does not depend on what is installed.
    let cascade = concat!(env!("CARGO_MANIFEST_DIR"), "/../moue-detect/models/lbp_face.xml");
    let run = place.run(&[sample, "--json", "--no-pictures", "--cascade", cascade]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let record = &run.json()[0];
    let faces = record["faces"].as_array().unwrap();
    assert_eq!(faces.len(), 7);
    for (emotion, x, y) in [("happy", 120.0, 170.0), ("surprise", 600.0, 180.0)] {
        let holds = |face: &&Value| {
            let side = |key: &str| face["box"][key].as_f64().unwrap();
            (side("x")..side("x") + side("width")).contains(&x)
                && (side("y")..side("y") + side("height")).contains(&y)
        };
        let face = faces.iter().find(holds).unwrap();
        assert_eq!(face["emotion"], emotion);
        assert!(face["confidence"].as_f64().unwrap() > 0.5, "{face}");
    }
}
