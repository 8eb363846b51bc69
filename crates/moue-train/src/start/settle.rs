//! Gives normalisations the statistics that a frozen graph has lost.
//!
//! A frozen graph keeps of a normalisation a factor and a summand a channel. That is enough to answer, but not to train:
//! there the batch's mean and variance take the place of the stored ones, and unless these were much the same before,
//! the network answers something else from the first step on.

use std::path::Path;

use moue_data::{Dataset, splits};
use moue_graph::engine::{Engine, Optimizer, TrainingOptions, TrainingSession};
use moue_graph::{Graph, Op, Weights};

use super::Start;
use crate::Result;
use crate::augment::{Scratch, Source, Target, Transform, render};
use crate::recipe::Recipe;
use crate::selection::Selection;

/// Pictures whose statistics are taken: each gives thousands of values a channel in the first layers, sixteen in the last.
const PICTURES: usize = 512;
/// Of them at a time.
const BATCH: usize = 32;

impl Start {
    /// Where [`Start::is_folded`], measures on training pictures of `dataset` what each normalisation sees, and changes
    /// its four vectors so that they hold it and the network answers as before. A relative path of the recipe starts at
    /// `base`.
    ///
    /// # Errors
    /// No row to train on; a dataset that does not fit the network; what the engine reports.
    pub fn settle(
        &mut self,
        engine: &dyn Engine,
        dataset: &Dataset,
        recipe: &Recipe,
        base: &Path,
        threads: usize,
    ) -> Result<()> {
        if !self.is_folded {
            return Ok(());
        }
        let target = Target::new(self.graph.input_shape(), &recipe.preprocessing())?;
        let training = Selection::new(dataset, recipe, base)?.training;
        let mut pictures = Vec::new();
        let mut scratch = Scratch::default();
        let mut rows = training;
        splits::shuffle(&mut rows, recipe.seed, 0);
        for row in rows.into_iter().take(PICTURES) {
            let start = pictures.len();
            pictures.resize(start + target.len(), 0.0);
            let source = Source::new(dataset.pixels(row), dataset.side() as usize)?;
            render(source, &Transform::NONE, &target, &mut scratch, &mut pictures[start..])?;
        }
        self.weights = settled(engine, &self.graph, &self.weights, &pictures, target.len(), threads)?;
        self.is_folded = false;
        Ok(())
    }
}

/// `weights` with every normalisation knowing the statistics of its inputs for these pictures of `len` values each.
fn settled(
    engine: &dyn Engine,
    graph: &Graph,
    weights: &Weights,
    pictures: &[f32],
    len: usize,
    threads: usize,
) -> Result<Weights> {
    let mut all = weights.clone();
    for layer in graph.layers() {
        let Op::BatchNormalization { epsilon, momentum } = layer.op else { continue };
        // A normalisation that does not learn answers by its stored statistics, as the frozen graph did; the one that
        // does tells those of the batch.
        let mut one = graph.clone();
        one.set_trainable(false, |_, other| other.name != layer.name);
        let options = TrainingOptions {
            max_batch: BATCH,
            threads,
            optimizer: Optimizer::Sgd { momentum: 0.0, nesterov: false, weight_decay: 0.0 },
            sharpness: 0.0,
            seed: 0,
        };
        let mut session = engine.training(&one, weights, &options)?;
        let names =
            ["gamma", "beta", "moving_mean", "moving_variance"].map(|p| format!("{}/{p}", layer.name));
        let [mean, variance] = statistics(session.as_mut(), &names, f64::from(momentum), pictures, len)?;
        let mut found = Vec::new();
        for name in &names {
            found.push(weights.values(name, mean.len())?.to_vec());
        }
        for c in 0..mean.len() {
            let [gamma, beta, old_mean, old_variance] =
                [0, 1, 2, 3].map(|part: usize| f64::from(found[part][c]));
            let factor = gamma / (old_variance + f64::from(epsilon)).sqrt();
            found[0][c] = (factor * (variance[c] + f64::from(epsilon)).sqrt()) as f32;
            found[1][c] = (beta + factor * (mean[c] - old_mean)) as f32;
            found[2][c] = mean[c] as f32;
            found[3][c] = variance[c] as f32;
        }
        for (name, values) in names.into_iter().zip(found) {
            all.insert(name, moue_graph::Tensor::new(vec![values.len()], values)?);
        }
    }
    Ok(all)
}

/// Mean and variance of what the one normalisation that learns sees, a value a channel, from what a step of length 0
/// adds to its moving statistics.
fn statistics(
    session: &mut dyn TrainingSession,
    names: &[String; 4],
    momentum: f64,
    pictures: &[f32],
    len: usize,
) -> Result<[Vec<f64>; 2]> {
    let mut start = session.state();
    for name in &names[2..] {
        if let Some(tensor) = start.weights.get(name) {
            let zeros = moue_graph::Tensor::filled(tensor.shape().to_vec(), 0.0);
            start.weights.insert(name, zeros);
        }
    }
    let (mut sums, mut squares, mut count) = (Vec::new(), Vec::new(), 0.0);
    for batch in pictures.chunks(BATCH * len) {
        session.restore(&start)?;
        let pictures = batch.len() / len;
        session.step_with(batch, pictures, 0.0, &mut |_, gradients| {
            gradients.fill(0.0);
            Ok(0.0)
        })?;
        let seen = session.weights();
        let channels = seen.get(&names[2]).map_or(0, |t| t.data().len());
        let (mean, variance) = (seen.values(&names[2], channels)?, seen.values(&names[3], channels)?);
        sums.resize(channels, 0.0);
        squares.resize(channels, 0.0);
        let weight = pictures as f64;
        for c in 0..channels {
            let [mean, variance] = [mean[c], variance[c]].map(|v| f64::from(v) / (1.0 - momentum));
            sums[c] += weight * mean;
            squares[c] += weight * (variance + mean * mean);
        }
        count += weight;
    }
    let mean: Vec<f64> = sums.iter().map(|s| s / count).collect();
    let variance = squares.iter().zip(&mean).map(|(s, m)| (s / count - m * m).max(0.0)).collect();
    Ok([mean, variance])
}

#[cfg(test)]
mod tests {
    use moue_cpu::CpuEngine;
    use moue_graph::engine::InferenceOptions;
    use moue_graph::{Activation, Padding, Tensor};

    use super::*;

    const SIDE: usize = 6;

    /// Two normalised convolutions; up to the input of the first or second normalisation, or whole.
    fn graph(norms: usize) -> Graph {
        let mut b = Graph::builder("small");
        let conv = |filters| Op::Conv2D {
            filters,
            kernel_size: [3, 3],
            strides: [1, 1],
            padding: Padding::Same,
            use_bias: false,
            activation: Activation::Linear,
        };
        let norm = Op::BatchNormalization { epsilon: 1e-3, momentum: 0.99 };
        let mut x = b.add("input", Op::InputLayer { shape: vec![SIDE, SIDE, 1] }, &[]).unwrap();
        for (index, filters) in [5, 4].into_iter().enumerate() {
            x = b.add(format!("conv_{index}"), conv(filters), &[x]).unwrap();
            if index == norms {
                b.add("flat", Op::Flatten, &[x]).unwrap();
                return b.finish().unwrap();
            }
            x = b.add(format!("bn_{index}"), norm.clone(), &[x]).unwrap();
            x = b.add(format!("relu_{index}"), Op::Activation { function: Activation::Relu6 }, &[x]).unwrap();
        }
        let x = b.add("pool", Op::GlobalAveragePooling2D, &[x]).unwrap();
        let dense = Op::Dense { units: 3, use_bias: true, activation: Activation::Softmax };
        b.add("dense", dense, &[x]).unwrap();
        b.finish().unwrap()
    }

    fn numbers(n: usize, seed: u64) -> Vec<f32> {
        let mut stream = crate::random::Stream::new(seed, 0, 0);
        (0..n).map(|_| stream.signed()).collect()
    }

    /// As they come out of a frozen graph: means 0, variances 1 less epsilon.
    fn folded(graph: &Graph) -> Weights {
        let mut weights = Weights::initialise(graph, 3);
        for (layer, channels) in [("bn_0", 5), ("bn_1", 4)] {
            let mut set = |part: &str, values: Vec<f32>| {
                weights.insert(format!("{layer}/{part}"), Tensor::new(vec![channels], values).unwrap());
            };
            set("gamma", numbers(channels, 5).into_iter().map(|v| 2.0 * v + 0.1).collect());
            set("beta", numbers(channels, 6));
            set("moving_mean", vec![0.0; channels]);
            set("moving_variance", vec![0.999; channels]);
        }
        weights
    }

    fn answers(graph: &Graph, weights: &Weights, pictures: &[f32]) -> Vec<f32> {
        let count = pictures.len() / (SIDE * SIDE);
        let outputs: usize = graph.output_shape().iter().product();
        let mut out = vec![0.0; count * outputs];
        let options = InferenceOptions { max_batch: count, threads: 1 };
        CpuEngine.inference(graph, weights, &options).unwrap().logits(pictures, count, &mut out).unwrap();
        out
    }

    #[test]
    fn answers_stay_and_statistics_are_those_of_the_pictures() {
        let whole = graph(2);
        let start = folded(&whole);
        // More than one batch, the last one smaller.
        let pictures = numbers((BATCH + 9) * SIDE * SIDE, 1);
        let done = settled(&CpuEngine, &whole, &start, &pictures, SIDE * SIDE, 2).unwrap();

        let (before, after) = (answers(&whole, &start, &pictures), answers(&whole, &done, &pictures));
        for (b, a) in before.iter().zip(&after) {
            assert!((b - a).abs() < 1e-4, "{b} became {a}");
        }
        for (index, channels) in [5, 4].into_iter().enumerate() {
            let seen = answers(&graph(index), &start, &pictures);
            for c in 0..channels {
                let values: Vec<f64> = seen.chunks_exact(channels).map(|pixel| f64::from(pixel[c])).collect();
                let n = values.len() as f64;
                let mean = values.iter().sum::<f64>() / n;
                let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n;
                let stored =
                    |part: &str| f64::from(done.get(&format!("bn_{index}/{part}")).unwrap().data()[c]);
                assert!((stored("moving_mean") - mean).abs() < 1e-4, "mean {c} of bn_{index}");
                assert!(
                    (stored("moving_variance") / variance - 1.0).abs() < 1e-3,
                    "variance {c} of bn_{index}"
                );
            }
        }
        assert_eq!(done.get("conv_1/kernel"), start.get("conv_1/kernel"));
        assert_eq!(done.get("dense/kernel"), start.get("dense/kernel"));
    }

    #[test]
    fn a_settled_network_trains_from_where_it_was() {
        let whole = graph(2);
        let start = folded(&whole);
        let pictures = numbers(BATCH * SIDE * SIDE, 2);
        let done = settled(&CpuEngine, &whole, &start, &pictures, SIDE * SIDE, 1).unwrap();
        let outputs = |weights: &Weights| {
            let options = TrainingOptions {
                max_batch: BATCH,
                threads: 1,
                optimizer: Optimizer::default(),
                sharpness: 0.0,
                seed: 0,
            };
            let mut session = CpuEngine.training(&whole, weights, &options).unwrap();
            let mut seen = Vec::new();
            session
                .step_with(&pictures, BATCH, 0.0, &mut |outputs, gradients| {
                    seen = outputs.to_vec();
                    gradients.fill(0.0);
                    Ok(0.0)
                })
                .unwrap();
            seen
        };
        let apart = |a: &[f32], b: &[f32]| a.iter().zip(b).fold(0f32, |most, (a, b)| most.max((a - b).abs()));
        let logits = answers(&whole, &start, &pictures);
        let (settled, folded) = (apart(&outputs(&done), &logits), apart(&outputs(&start), &logits));
        assert!(settled < 1e-4, "training sees answers {settled} away");
        assert!(folded > 0.05, "the test would not see the difference: {folded}");
    }
}
