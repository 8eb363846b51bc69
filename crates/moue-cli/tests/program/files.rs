//! No output falls on an input, on another output or on an earlier result, however its path is spelled.

use std::fs;
use std::path::Path;

use moue_media::Picture;

use crate::support::{fer2013, moue};

/// The files below a folder with their content.
fn contents(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let (mut found, mut left) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = left.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.is_symlink() {
                left.push(path);
            } else {
                found.push((path.display().to_string(), fs::read(&path).unwrap_or_default()));
            }
        }
    }
    found.sort();
    found
}

/// The program must end with status 2 and one line that names all of these, and leave everything as it was.
#[track_caller]
fn refused(folder: &Path, arguments: &str, named: &[&str]) {
    let before = contents(folder);
    let arguments: Vec<&str> = arguments.split_whitespace().collect();
    let run = moue(folder, &arguments).refused(named);
    assert_eq!(run.stderr.lines().count(), 1, "{}", run.stderr);
    assert!(run.stdout.is_empty());
    assert!(contents(folder) == before, "{arguments:?} touched something");
}

fn write(folder: &Path, name: &str, bytes: impl AsRef<[u8]>) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

#[test]
fn an_analysis_keeps_what_it_reads() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    // Nobody looks into them before it is known that they are safe.
    write(folder, "clip.mp4", "film");
    write(folder, "vid.jsonl", "film");
    write(folder, "scenes.csv", "5,Logo\n");
    write(folder, "own.safetensors", "model");
    write(folder, "clip.csv", "film");
    fs::hard_link(folder.join("clip.mp4"), folder.join("hardlink.mp4")).unwrap();
    Picture::filled(8, 8, [9; 3]).write(&folder.join("a.png")).unwrap();
    fs::create_dir(folder.join("photos")).unwrap();
    fs::copy(folder.join("a.png"), folder.join("photos/b.png")).unwrap();
    for (arguments, named) in [
        ("analyze clip.mp4 --csv clip.mp4", ["--csv clip.mp4", "(PATH)"]),
        ("analyze clip.mp4 --csv ./photos/../clip.mp4", ["--csv", "(PATH)"]),
        ("analyze vid.jsonl --out vid.jsonl", ["--out vid.jsonl", "(PATH)"]),
        ("analyze clip.mp4 --out hardlink.mp4", ["--out hardlink.mp4", "(PATH)"]),
        ("analyze clip.mp4 --out hardlink.mp4 --force", ["--out hardlink.mp4", "(PATH)"]),
        ("analyze clip.mp4 --out a.jsonl --csv a.jsonl", ["--csv a.jsonl", "--out a.jsonl"]),
        ("analyze clip.mp4 --out a.csv --out ./a.csv", ["--out a.csv", "--out ./a.csv"]),
        ("analyze a.png --csv a.png", ["--csv a.png", "(PATH)"]),
        ("analyze photos --csv photos/b.png", ["--csv photos/b.png", "(PATH)"]),
        ("analyze a.png --model own.safetensors --csv own.safetensors", ["--csv", "(--model)"]),
        ("analyze clip.mp4 --report out --events scenes.csv --csv scenes.csv", ["--csv", "(--events)"]),
        ("analyze clip.mp4 --out-dir new --csv new/clip.moue.csv", ["--csv", "--out-dir"]),
        ("analyze clip.mp4 --report new --csv new/people.csv", ["--csv", "--report"]),
        ("analyze clip.mp4 --report new --csv new", ["--csv", "--report"]),
    ] {
        refused(folder, arguments, &named);
    }
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("clip.mp4", folder.join("link.csv")).unwrap();
        refused(folder, "analyze clip.mp4 --csv link.csv", &["--csv link.csv", "(PATH)"]);
        std::os::unix::fs::symlink("later.csv", folder.join("dangling.csv")).unwrap();
        refused(folder, "analyze clip.mp4 --out later.csv --csv dangling.csv", &["--csv", "--out"]);
    }
}

#[test]
fn earlier_records_are_replaced_only_when_asked() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write(folder, "clip.mp4", "film");
    write(folder, "hours.jsonl", "{}\n");
    write(folder, "out/clip.moue.jsonl", "{}\n");
    write(folder, "film.mp4", "somebody's own");
    write(folder, "grades.csv", "name,grade\n");
    let both = ["--resume", "--force"];
    refused(folder, "analyze clip.mp4 --out hours.jsonl", &both);
    refused(folder, "analyze clip.mp4 --out new.vtt --out hours.jsonl", &both);
    refused(folder, "analyze clip.mp4 --out-dir out", &both);
    refused(folder, "analyze clip.mp4 --report out", &both);
    // There is nothing to go on from.
    refused(folder, "analyze clip.mp4 --out film.mp4", &["film.mp4", "--force"]);
    refused(folder, "analyze clip.mp4 --out film.mp4 --out new.jsonl --resume", &["film.mp4", "--force"]);
    refused(folder, "analyze clip.mp4 --csv grades.csv", &["--csv grades.csv", "--force"]);
    moue(folder, &["analyze", "clip.mp4", "--resume", "--force"]).refused(&["--resume", "--force"]);
}

#[test]
fn originals_are_kept_whatever_they_are_called() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let picture = Picture::filled(64, 64, [90; 3]);
    picture.write(&folder.join("party.png")).unwrap();
    picture.write(&folder.join("x.jpg")).unwrap();
    // An original, though its name has the form of moue's.
    fs::rename(folder.join("x.jpg"), folder.join("party.moue.jpg")).unwrap();
    let original = fs::read(folder.join("party.moue.jpg")).unwrap();
    for _ in 0..2 {
        let run = moue(folder, &["analyze", "party.png", "--detector", "none"]).done();
        assert!(run.stdout.contains("-> party-2.moue.jpg"), "{}", run.stdout);
        assert_eq!(fs::read(folder.join("party.moue.jpg")).unwrap(), original);
    }
    // What moue wrote is replaced by the next run, and stays one file.
    assert_eq!(fs::read_dir(folder).unwrap().count(), 3);
}

#[test]
fn a_training_keeps_its_data_recipe_and_start() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write(folder, "f.csv", fer2013(&[("Training", 7)]));
    write(folder, "recipe.toml", "seed = 2\n");
    write(folder, "named.toml", "[backbone]\nweights = 'start.pth'\n");
    write(folder, "start.pth", "weights");
    write(folder, "f2.csv", "0\n");
    write(folder, "f-seed2.csv", "votes");
    write(folder, "old.run/best.safetensors", "weights");
    write(folder, "old.run/last.safetensors", "weights");
    write(folder, "tfjs/model.json", "{}");
    write(folder, "tfjs/group1-shard1of1.bin", "weights");
    for (arguments, named) in [
        ("train f.csv --out f.csv --force", ["--out f.csv", "(PATH)"]),
        ("train f.csv --recipe recipe.toml --out recipe.toml --force", ["--out recipe.toml", "(--recipe)"]),
        ("train f.csv --recipe recipe.toml --run . --force", ["--run ./recipe.toml", "(--recipe)"]),
        ("train f.csv --recipe named.toml --out start.pth --force", ["--out start.pth", "--recipe"]),
        ("train f.csv --start start.pth --out start.pth --force", ["--out start.pth", "(--start)"]),
        (
            "train f.csv --start old.run/best.safetensors --out old.safetensors --force",
            ["--run", "(--start)"],
        ),
        ("train f.csv --start tfjs --out tfjs/group1-shard1of1.bin --force", ["--out", "(--start)"]),
        ("train f.csv --exclude f2.csv --out f2.csv --force", ["--out f2.csv", "(--exclude)"]),
        ("train f.csv --out x.run/last.safetensors --run x.run", ["--out", "--run"]),
        ("train f.csv --out old.safetensors", ["--resume", "--force"]),
        ("train f.csv --out f.csv --seeds 1,2 --ferplus f-seed2.csv", ["--out f-seed2.csv", "(--ferplus)"]),
    ] {
        refused(folder, arguments, &named);
    }
    // A run that cannot begin has removed nothing of the run before.
    let before = contents(&folder.join("old.run"));
    moue(folder, &["train", "absent.csv", "--out", "old.safetensors", "--force"]).failed(&["absent.csv"]);
    assert!(contents(&folder.join("old.run")) == before);
    let start = ["train", "f.csv", "--start", "recipe.toml", "--out", "old.safetensors", "--force"];
    moue(folder, &start).failed(&["recipe.toml"]);
    assert!(contents(&folder.join("old.run")) == before);
}

#[test]
fn reports_sheets_and_models_replace_nothing_that_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write(folder, "f.csv", fer2013(&[("Training", 7)]));
    write(folder, "tl/timeline.csv", "records");
    write(folder, "tl/predictions.csv", "0\n");
    write(folder, "tl/report.html", "records");
    write(folder, "m.safetensors", "model");
    write(folder, "tfjs/model.json", "{}");
    write(folder, "faces/happy/a.png", "picture");
    for (arguments, named) in [
        ("report tl/timeline.csv --out tl", ["--out tl/timeline.csv", "(RECORDS)"]),
        ("report --group A=tl/report.html --out ./tl", ["--out ./tl/report.html", "(--group)"]),
        ("report f.csv --events tl/timeline.csv --out tl", ["--out tl/timeline.csv", "(--events)"]),
        ("eval f.csv --exclude tl/predictions.csv --report tl", ["--report", "(--exclude)"]),
        ("eval faces --report faces/happy", ["--report", "(PATH)"]),
        ("data check faces --sheet faces/happy/a.png", ["--sheet", "(PATH)"]),
        ("data check faces --sheet faces/happy/sheet.png", ["--sheet", "(PATH)"]),
        ("data check f.csv --sheet f.csv", ["--sheet f.csv", "(PATH)"]),
        ("model quantize m.safetensors --data f.csv --out m.safetensors", ["--out", "(MODEL)"]),
        ("model quantize m.safetensors --data f.csv --out ./f.csv", ["--out ./f.csv", "(--data)"]),
        ("model export m.safetensors --out ./m.safetensors", ["--out", "(MODEL)"]),
        ("model import tfjs --labels a,b --out tfjs/model.json", ["--out", "(TFJS_DIR)"]),
    ] {
        refused(folder, arguments, &named);
    }
}
