//! Whole trainings by `moue-train`, with every random change of the pictures: made on the processor for one engine, on the
//! device for the other.

use std::fmt::Write;
use std::path::Path;

use moue_cpu::CpuEngine;
use moue_data::{Dataset, ReadOptions};
use moue_gpu::GpuEngine;
use moue_graph::engine::{Engine, Optimizer};
use moue_graph::{Activation, Graph, Op, Padding, Weights};
use moue_train::augment::{Augmentation, Erasing};
use moue_train::{FitOptions, Mixing, Recipe, Silent, fit};

use crate::material::{NORM, Numbers, conv, dense, moved_and_apart};

/// Gratings in noise, a direction and width a class.
fn dataset(folder: &Path) -> Dataset {
    let mut text = String::from("emotion,pixels,Usage\n");
    let mut numbers = Numbers(3);
    for row in 0..84 {
        let class = row % 7;
        let noise = numbers.vec(48 * 48, 0.0, 60.0);
        let pixels: Vec<String> = (0..48 * 48)
            .map(|i| {
                let place = if class < 4 { i % 48 } else { i / 48 };
                let bar = place / (3 + 2 * (class % 4)) % 2;
                (60 + 80 * bar + noise[i] as usize).to_string()
            })
            .collect();
        let usage = if row < 70 { "Training" } else { "PublicTest" };
        writeln!(text, "{class},{},{usage}", pixels.join(" ")).unwrap();
    }
    let path = folder.join("gratings.csv");
    std::fs::write(&path, text).unwrap();
    moue_data::read(&path, &ReadOptions::strict()).unwrap().dataset
}

/// Nothing that rounding can tip over (see the test of the recipes).
fn graph() -> Graph {
    let mut b = Graph::builder("smooth");
    let x = b.add("input", Op::InputLayer { shape: vec![24, 24, 3] }, &[]).unwrap();
    let x = b.add("stem", conv(8, [3, 3], [2, 2], Padding::Same, false), &[x]).unwrap();
    let x = b.add("stem_bn", NORM, &[x]).unwrap();
    let x = b.add("pool", Op::Flatten, &[x]).unwrap();
    b.add("logits", dense(7, Activation::Softmax), &[x]).unwrap();
    b.finish().unwrap()
}

fn recipe() -> Recipe {
    Recipe {
        epochs: 2,
        batch: 16,
        optimizer: Optimizer::Sgd { momentum: 0.9, nesterov: false, weight_decay: 0.01 },
        augmentation: Augmentation {
            flip: 0.5,
            shift: 0.1,
            rotation: 12.0,
            scale: 0.12,
            brightness: 0.12,
            contrast: 0.3,
            resolution: 0.4,
            gamma: 0.3,
            noise: 0.02,
            erasing: Some(Erasing { probability: 0.4, area: [0.02, 0.15] }),
        },
        mixing: Some(Mixing { probability: 0.5, alpha: 0.4 }),
        ..Recipe::default()
    }
}

#[test]
fn a_recipe_leads_to_the_same_model_wherever_its_pictures_are_made() {
    let folder = tempfile::tempdir().unwrap();
    let dataset = dataset(folder.path());
    let (graph, recipe) = (graph(), recipe());
    let start = Weights::initialise(&graph, 2);
    let trained = |engine: &dyn Engine, name: &str, recipe: &Recipe| {
        let options = FitOptions { checkpoint_every: None, ..FitOptions::new(folder.path().join(name)) };
        fit(engine, &graph, &start, &dataset, recipe, &options, &mut Silent).unwrap()
    };
    let cpu = trained(&CpuEngine, "cpu", &recipe);
    let gpu = trained(&GpuEngine::flex(), "flex", &recipe);
    for (a, b) in cpu.history.iter().zip(&gpu.history) {
        println!("epoch {}: loss {} and {}", a.epoch, a.loss, b.loss);
        assert!((a.loss - b.loss).abs() < 1e-4 * a.loss, "epoch {}: {} and {}", a.epoch, a.loss, b.loss);
    }
    let weights = |outcome: moue_train::FitOutcome| outcome.model.unwrap().weights;
    let (cpu, gpu) = (weights(cpu), weights(gpu));
    let (moved, apart) = moved_and_apart(&start, &cpu, &gpu);
    println!("moved by {moved:e}, apart by {apart:e}");
    assert!(apart < 1e-3 * moved, "moved by {moved:e}, apart by {apart:e}");
    // Without the changes it is another model: they were made in both.
    let plain = Recipe { augmentation: Augmentation::default(), mixing: None, ..recipe };
    let other = weights(trained(&GpuEngine::flex(), "plain", &plain));
    let (_, apart) = moved_and_apart(&start, &gpu, &other);
    assert!(apart > 0.05 * moved, "{apart:e}");
}
