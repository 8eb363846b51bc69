use std::fs;

use crate::support::{TINY, moue, train, write_data};

/// One line that says what is missing and how to get it, before any work is done.
#[cfg(not(any(feature = "cuda", feature = "wgpu")))]
#[test]
fn a_build_without_a_device_says_how_to_get_one() {
    let folder = tempfile::tempdir().unwrap();
    write_data(folder.path());
    fs::write(folder.path().join("photo.ppm"), b"P6 2 2 255 000000000000").unwrap();
    for (device, feature) in [("cuda", "cuda"), ("cuda:1", "cuda"), ("cuda:0,1", "cuda"), ("wgpu", "wgpu")] {
        let train = [&["train", "data.csv", "--device", device][..], &TINY].concat();
        for arguments in [
            &train[..],
            &["eval", "data.csv", "--device", device],
            &["analyze", "photo.ppm", "--detector", "none", "--device", device],
        ] {
            let build = format!("cargo build --release --features {feature}");
            let run = moue(folder.path(), arguments).failed(&["built without it", &build, "docs/gpu.md"]);
            let lines: Vec<&str> = run.stderr.lines().filter(|l| l.contains("--device")).collect();
            assert_eq!(lines.len(), 1, "{}", run.stderr);
            assert!(run.stdout.is_empty(), "{}", run.stdout);
        }
    }
    assert!(!folder.path().join("mine.run").exists(), "nothing was begun");
}

#[test]
fn devices_and_precisions_that_are_none_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    write_data(folder.path());
    moue(folder.path(), &["train", "data.csv", "--device", "gpu"])
        .refused(&["cpu, cuda, cuda:NUMBER, cuda:NUMBER,NUMBER or wgpu"]);
    moue(folder.path(), &["train", "data.csv", "--precision", "bf16"]).refused(&["--device cuda or wgpu"]);
    moue(folder.path(), &["eval", "data.csv", "--precision", "f64"]).refused(&["f64"]);
}

/// Several seeds at once give the models that each gives alone.
#[test]
fn seeds_at_once_give_the_models_of_each() {
    let folder = tempfile::tempdir().unwrap();
    let alone = train(folder.path());
    assert!(alone.stdout.starts_with("mine.safetensors: epoch "), "{}", alone.stdout);
    let both = [&["train", "data.csv", "--threads", "2", "--seeds", "2,1"][..], &TINY].concat();
    let run = moue(folder.path(), &both).done();
    for line in ["seed 1: Epoch 2/2", "seed 2: Epoch 2/2"] {
        assert!(run.stderr.contains(line), "{line} is not in {}", run.stderr);
    }
    let weights = |name: &str| {
        let model = moue_graph::Model::load(folder.path().join(name)).unwrap();
        (model.weights, model.card.calibration)
    };
    assert!(
        weights("mine.safetensors") == weights("mine-seed1.safetensors"),
        "seed 1 alone and beside another"
    );
    assert!(
        weights("mine-seed1.safetensors") != weights("mine-seed2.safetensors"),
        "another seed, another model"
    );
    assert!(folder.path().join("mine-seed2.run").join("last.safetensors").is_file());
    // What is there is not replaced, and one seed is one model.
    moue(folder.path(), &both).refused(&["mine-seed1", "--resume", "--force"]);
    let twice = [&["train", "data.csv", "--seeds", "3,3"][..], &TINY].concat();
    moue(folder.path(), &twice).refused(&["--seeds"]);
}
