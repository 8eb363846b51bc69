//! Three steps of every network that the shipped recipes and their teachers train, with their optimizers, heads and
//! tasks, on smaller pictures.

use std::path::{Path, PathBuf};

use moue_cpu::CpuEngine;
use moue_gpu::GpuEngine;
use moue_graph::engine::{Engine, Optimizer};
use moue_graph::{Activation, Graph, Op};
use moue_train::Recipe;

use crate::material::{Material, distance, moved_and_apart, random_weights, training};

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

/// Weights after each of three steps of a network: how far they moved, how far burn's are from the CPU's, and how far
/// the CPU's are from its own when its pictures are disturbed by a millionth.
///
/// A clamp passes a gradient or does not, and of millions of values a few stand so close to the limit that rounding
/// decides. After that two trainings part, each step further. So engines cannot agree better than one engine agrees
/// with itself on pictures that differ by their last bits. After the first step losses may be `loose` of their size
/// apart beyond that.
fn three_steps(what: &str, graph: &Graph, optimizer: &Optimizer, seed: u64, loose: f32) -> Vec<[f64; 3]> {
    let weights = random_weights(graph, seed);
    let flex = GpuEngine::flex();
    let engines = [&CpuEngine as &dyn Engine, &flex, &CpuEngine];
    let mut sessions = engines.map(|engine| training(engine, graph, &weights, optimizer, 8));
    let mut rows = Vec::new();
    for step in 0..3 {
        // The last batch of an epoch is smaller.
        let material = Material::new(graph, if step == 2 { 7 } else { 8 }, 20 + step);
        let disturbed = material.disturbed(1e-6);
        let mut losses = Vec::new();
        for (session, material) in sessions.iter_mut().zip([&material, &material, &disturbed]) {
            losses.push(session.step(&material.batch(), 1e-3).unwrap().loss);
        }
        let [cpu, gpu, other] = sessions.each_ref().map(|s| s.weights());
        let (moved, apart) = moved_and_apart(&weights, &cpu, &gpu);
        let (_, own) = moved_and_apart(&weights, &cpu, &other);
        println!(
            "{what}, step {step}: losses {losses:?}, moved {moved:.1e}, apart {apart:.1e}, disturbed {own:.1e}"
        );
        let own_loss = (losses[2] - losses[0]).abs();
        let tolerance = 2e-5 * losses[0] + 10.0 * own_loss + if step == 0 { 0.0 } else { loose * losses[0] };
        let loss_apart = (losses[1] - losses[0]).abs();
        assert!(
            loss_apart <= tolerance,
            "{what}: losses of step {step}: {losses:?}, {tolerance} apart is allowed"
        );
        rows.push([moved, apart, own]);
    }
    let material = Material::new(graph, 4, 99);
    let mut logits = Vec::new();
    for session in &mut sessions {
        let mut own = vec![0.0; 4 * graph.output_shape()[0]];
        session.logits(&material.pictures, 4, &mut own).unwrap();
        logits.push(own);
    }
    let (apart, own) = (distance(&logits[0], &logits[1]), distance(&logits[0], &logits[2]));
    println!("{what}: logits {apart:.1e} apart, disturbed {own:.1e}");
    assert!(apart <= 1e-3 + 5.0 * own, "{what}: logits {apart} apart, disturbed {own}");
    rows
}

/// The network without its clamps, where nothing depends on which side of a limit a value falls.
fn smooth(graph: &Graph) -> Graph {
    let mut b = Graph::builder(graph.name());
    for layer in graph.layers() {
        let op = match &layer.op {
            Op::Activation { function: Activation::Relu | Activation::Relu6 } => {
                Op::Activation { function: Activation::Linear }
            }
            Op::Dense { units, use_bias, activation: Activation::Relu } => {
                Op::Dense { units: *units, use_bias: *use_bias, activation: Activation::Linear }
            }
            other => other.clone(),
        };
        b.add(layer.name.clone(), op, &layer.inputs).unwrap();
    }
    b.finish().unwrap()
}

#[test]
fn three_steps_of_every_shipped_recipe() {
    let paths = shipped();
    assert!(paths.len() >= 7, "{paths:?}");
    let mut done: Vec<(Graph, Optimizer)> = Vec::new();
    for path in paths {
        let recipe = Recipe::load(&path).unwrap();
        let key = (network(&recipe), recipe.optimizer.clone());
        // Recipes that differ in their data alone train the same network.
        if done.contains(&key) {
            continue;
        }
        let (graph, optimizer) = &key;
        for [moved, apart, own] in three_steps(&recipe.name, graph, optimizer, recipe.seed, 0.02) {
            assert!(apart <= 5.0 * own + 1e-4 * moved, "{}: {apart:e} apart, disturbed {own:e}", recipe.name);
        }
        let what = format!("{} without clamps", recipe.name);
        for [moved, apart, _] in three_steps(&what, &smooth(graph), optimizer, recipe.seed, 1e-4) {
            assert!(apart <= 1e-3 * moved, "{what}: moved by {moved:e} and {apart:e} apart");
        }
        done.push(key);
    }
    assert!(done.len() >= 4);
}
