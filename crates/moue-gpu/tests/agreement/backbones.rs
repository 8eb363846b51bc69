//! Logits of every backbone, with random statistics and odd sizes.

use moue_cpu::CpuEngine;
use moue_gpu::GpuEngine;
use moue_graph::backbones::{NAMES, Stem, build};
use moue_graph::engine::{Engine, InferenceOptions};
use moue_graph::{Head, attach_head};

use crate::material::{Material, PLAIN, close, random_weights, training};

#[test]
fn logits_of_every_backbone() {
    for (case, name) in NAMES.iter().enumerate() {
        for (input, alpha, stem, hidden) in
            [([33, 47, 3], 1.0, Stem::Stride2, vec![128, 64]), ([24, 25, 1], 0.5, Stem::Stride1, vec![])]
        {
            let what = format!("{name}, {input:?}, {alpha}, {stem:?}");
            let backbone = build(name, alpha, input, stem).unwrap();
            let graph = attach_head(backbone, &Head { hidden, dropout: 0.2 }, 7).unwrap();
            let weights = random_weights(&graph, case as u64);
            let material = Material::new(&graph, 2, 8);
            let mut all = Vec::new();
            for engine in [&CpuEngine as &dyn Engine, &GpuEngine::flex()] {
                let mut logits = vec![0.0; 14];
                let options = InferenceOptions { max_batch: 2, threads: 2 };
                engine
                    .inference(&graph, &weights, &options)
                    .unwrap()
                    .logits(&material.pictures, 2, &mut logits)
                    .unwrap();
                all.push(logits.clone());
                // The same without folding.
                training(engine, &graph, &weights, &PLAIN, 2)
                    .logits(&material.pictures, 2, &mut logits)
                    .unwrap();
                all.push(logits);
            }
            for other in &all[1..] {
                close(&what, &all[0], other, 2e-5);
            }
        }
    }
}
