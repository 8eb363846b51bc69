//! Three steps of every network that the shipped recipes and their teachers train, with their optimizers, heads and
//! tasks, on smaller pictures.

use std::path::{Path, PathBuf};

use moue_cpu::CpuEngine;
use moue_gpu::GpuEngine;
use moue_graph::Graph;
use moue_graph::engine::Engine;
use moue_train::Recipe;

use crate::material::{Material, close, moved_and_apart, random_weights, training};

fn shipped() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../recipes");
    let mut all = Vec::new();
    for folder in [root.clone(), root.join("teachers")] {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|e| e == "toml") {
                all.push(path);
            }
        }
    }
    all.sort();
    all
}

/// The network of a recipe on pictures small enough for a test, with the outputs of its second task.
fn network(recipe: &Recipe) -> Graph {
    let mut small = recipe.clone();
    small.backbone.input = if recipe.backbone.input > 48 { 48 } else { 24 };
    let classes = if recipe.ferplus_task > 0.0 { 15 } else { 7 };
    small.start(classes, Path::new(".")).unwrap().graph
}

#[test]
fn three_steps_of_every_shipped_recipe() {
    let paths = shipped();
    assert!(paths.len() >= 7, "{paths:?}");
    let mut done: Vec<(Graph, moue_graph::engine::Optimizer)> = Vec::new();
    for path in paths {
        let recipe = Recipe::load(&path).unwrap();
        let graph = network(&recipe);
        let key = (graph, recipe.optimizer.clone());
        // Recipes that differ in their data alone train the same network.
        if done.contains(&key) {
            continue;
        }
        let (graph, optimizer) = &key;
        let weights = random_weights(graph, recipe.seed);
        let flex = GpuEngine::flex();
        let mut sessions =
            [&CpuEngine as &dyn Engine, &flex].map(|engine| training(engine, graph, &weights, optimizer, 8));
        let what = recipe.name.clone();
        for step in 0..3 {
            // The last batch of an epoch is smaller.
            let material = Material::new(graph, if step == 2 { 5 } else { 8 }, 20 + step);
            let [cpu, gpu] = sessions.each_mut().map(|s| s.step(&material.batch(), 1e-3).unwrap());
            println!("{what}, step {step}: loss {} and {}", cpu.loss, gpu.loss);
            close(&format!("{what}: loss of step {step}"), &[cpu.loss], &[gpu.loss], 2e-5);
        }
        let [cpu, gpu] = sessions.each_ref().map(|s| s.state());
        let (moved, apart) = moved_and_apart(&weights, &cpu.weights, &gpu.weights);
        println!("{what}: weights moved by {moved:e}, apart by {apart:e}");
        assert!(apart <= 1e-2 * moved, "{what}: weights moved by {moved:e} and are {apart:e} apart");
        let material = Material::new(graph, 4, 99);
        let mut logits = [vec![0.0; 4 * graph.output_shape()[0]], vec![0.0; 4 * graph.output_shape()[0]]];
        for (session, logits) in sessions.iter_mut().zip(&mut logits) {
            session.logits(&material.pictures, 4, logits).unwrap();
        }
        println!("{what}: logits {} apart", crate::material::distance(&logits[0], &logits[1]));
        close(&format!("{what}: logits after three steps"), &logits[0], &logits[1], 2e-3);
        done.push(key);
    }
    assert!(done.len() >= 4);
}
