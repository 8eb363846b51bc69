//! `moue detector train` and `eval` on a few made-up photos: discs for faces.

use std::fmt::Write as _;
use std::path::Path;

use crate::support::moue;

/// Photos of 96x72 grey pixels with so many discs each, and the table of their boxes, if there are any.
fn photos(folder: &Path, name: &str, count: usize, discs: usize) {
    let mut archive = tar::Builder::new(Vec::new());
    let mut table = String::from("file,x,y,w,h,ignore\n");
    let mut state = name.len() as u32;
    let mut random = move |below: u32| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) % below
    };
    for photo in 0..count {
        let mut pixels: Vec<u8> = (0..96 * 72).map(|_| random(90) as u8).collect();
        let file = format!("{photo}.pgm");
        for disc in 0..discs {
            let radius = 8 + random(6);
            let (x, y) = (96 / discs as u32 * disc as u32 + 15 + random(3), 20 + random(30));
            for (i, pixel) in pixels.iter_mut().enumerate() {
                let (dx, dy) = ((i as u32 % 96).abs_diff(x), (i as u32 / 96).abs_diff(y));
                if dx * dx + dy * dy <= radius * radius {
                    *pixel = 220 - 9 * (dx.max(3) + dy.max(2)) as u8;
                }
            }
            let (left, top, side) = (x as i32 - radius as i32, y as i32 - radius as i32, 2 * radius + 1);
            let _ = writeln!(table, "{file},{left},{top},{side},{side},0");
        }
        let picture = [&b"P5\n96 72\n255\n"[..], &pixels].concat();
        let mut header = tar::Header::new_gnu();
        header.set_size(picture.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        archive.append_data(&mut header, &file, &picture[..]).unwrap();
    }
    std::fs::write(folder.join(format!("{name}.tar")), archive.into_inner().unwrap()).unwrap();
    if discs > 0 {
        std::fs::write(folder.join(format!("{name}.csv")), table).unwrap();
    }
}

fn data(folder: &Path) {
    photos(folder, "lfw-train", 24, 1);
    photos(folder, "facemask-train", 24, 3);
    photos(folder, "negatives-train", 16, 0);
}

fn recipe(folder: &Path, name: &str, steps: u32, decay: u32) {
    let text = format!(
        "steps = {steps}\nshapes = [[64, 2], [96, 1]]\nblock = 2\nwarm_up = 2\ndecay_steps = {decay}\nmine_every = 3\nseed = 7\n"
    );
    std::fs::write(folder.join(name), text).unwrap();
}

fn train(folder: &Path, recipe: &str, out: &str, more: &[&str]) -> crate::support::Run {
    moue(folder, &[&["detector", "train", recipe, "--photos", ".", "--out", out][..], more].concat())
}

#[test]
fn a_resumed_training_gives_the_same_network_whatever_the_threads() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    data(folder);
    recipe(folder, "all.toml", 6, 3);
    recipe(folder, "half.toml", 3, 0);
    train(folder, "all.toml", "one.safetensors", &["--threads", "1"]).done();
    assert!(folder.join("one.run/scenes.png").is_file());
    train(folder, "half.toml", "two.safetensors", &["--threads", "2"]).done();
    let resumed = train(folder, "all.toml", "two.safetensors", &["--threads", "2"]).done();
    assert!(resumed.stderr.contains("goes on after step 3"), "{}", resumed.stderr);
    let read = |name: &str| std::fs::read(folder.join(name)).unwrap();
    assert!(read("one.safetensors") == read("two.safetensors"));
    // Once the rate has fallen, more steps would not give what a longer run gives.
    recipe(folder, "more.toml", 9, 3);
    train(folder, "more.toml", "two.safetensors", &[]).failed(&["two.run", "another recipe"]);

    // Another network to start from gives another one.
    let started = ["--start", "one.safetensors", "--threads", "1"];
    train(folder, "all.toml", "three.safetensors", &started).done();
    assert!(read("one.safetensors") != read("three.safetensors"));
    train(folder, "all.toml", "four.safetensors", &["--start", "all.toml"]).failed(&["all.toml"]);

    // Every photo serves one end.
    let count = |part: &str| {
        let arguments = ["detector", "eval", "--photos", ".", "--network", "one.safetensors", "--part", part];
        let report = moue(folder, &[&arguments[..], &["--json"]].concat()).done().json();
        let sets = report["sets"].as_array().unwrap();
        [0, 1, 4].map(|i| sets[i]["photos"].as_u64().unwrap())
    };
    assert_eq!(count("all"), [24, 24, 16]);
    let (held_out, calibration) = (count("held-out"), count("calibration"));
    assert!((0..3).all(|i| held_out[i] + calibration[i] < [24, 24, 16][i]), "{held_out:?} {calibration:?}");
    assert!(held_out.iter().chain(&calibration).sum::<u64>() > 0);
}

#[test]
fn what_cannot_be_trained_from_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    data(folder);
    recipe(folder, "all.toml", 1, 0);
    std::fs::write(folder.join("wrong.toml"), "steps = 1\nsides = 64\n").unwrap();
    train(folder, "wrong.toml", "a.safetensors", &[]).failed(&["wrong.toml:2", "sides"]);
    train(folder, "no.toml", "a.safetensors", &[]).failed(&["no.toml"]);
    std::fs::write(folder.join("lfw-train.csv"), "file,x,y,w,h,ignore\n0.pgm,1,2,3,0,0\n").unwrap();
    train(folder, "all.toml", "a.safetensors", &[]).failed(&["lfw-train.csv:2", "above 0"]);
    std::fs::remove_file(folder.join("negatives-train.tar")).unwrap();
    data(folder);
    std::fs::remove_file(folder.join("facemask-train.tar")).unwrap();
    train(folder, "all.toml", "a.safetensors", &[]).failed(&["facemask-train.tar"]);
    assert!(!folder.join("a.safetensors").exists());
}
