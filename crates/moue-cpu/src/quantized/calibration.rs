//! From real values to integers, by watching what a network computes for some pictures.

use moue_graph::{Error, Graph, Quantized, QuantizedKernel, Result, Scaling, Weights};

use super::float::{self, FloatKernel};
use super::network::{Network, Operation, Work};
use super::ranges::Histogram;
use crate::team::Team;

/// Largest integer bias, so that sums stay far from the end of an i32.
const MAX_BIAS: f64 = (1 << 26) as f64;

/// Turns a network into integers by watching it answer for `pictures`, each of the graph's input shape, preprocessed:
/// a few dozen to a thousand like those it will see. The result fits the same layers at any size of picture.
///
/// # Errors
/// Those of [`Calibrator::new`]; [`Error::Parameter`] where no picture comes or one has another length.
pub fn quantize<P: AsRef<[f32]>>(
    graph: &Graph,
    weights: &Weights,
    pictures: impl IntoIterator<Item = P>,
    threads: usize,
) -> Result<Weights> {
    let mut calibrator = Calibrator::new(graph, weights, threads)?;
    let together = calibrator.team.len();
    let (mut waiting, mut count) = (Vec::new(), 0);
    for picture in pictures {
        let (len, one) = (picture.as_ref().len(), calibrator.network.operations[0].len());
        if len != one {
            return Err(Error::Parameter(format!("a picture has {one} values, not {len}")));
        }
        waiting.extend_from_slice(picture.as_ref());
        count += 1;
        if count == together {
            calibrator.watch(&waiting, count)?;
            (waiting, count) = (Vec::new(), 0);
        }
    }
    if count > 0 {
        calibrator.watch(&waiting, count)?;
    }
    calibrator.finish()
}

/// Turns a network into integers after training ("post-training quantisation").
///
/// Kernels get a scale for each output channel, activations one range a layer: of those seen, the one
/// with the least squared error (clipping rare large values makes the steps finer). Rounding
/// kernels shifts each channel's mean; the bias takes that shift back (Nagel, van Baalen, Blankevoort and
/// Welling: "Data-Free Quantization Through Weight Equalization and Bias Correction", ICCV 2019).
pub struct Calibrator {
    network: Network,
    kernels: Vec<Option<FloatKernel>>,
    team: Team,
    watched: Vec<Watched>,
    outputs: Vec<Vec<Vec<f32>>>,
    pictures: usize,
}

/// What was seen of one operation's output.
struct Watched {
    histogram: Histogram,
    /// Sum over all pictures of the mean over pixels, by channel.
    sums: Vec<f64>,
}

impl Calibrator {
    /// Prepares a network. `threads` 0 takes one a core; the result does not depend on it.
    ///
    /// # Errors
    /// [`Error::Weights`] where parameters are missing or integers already, [`Error::Graph`] where the
    /// network has a layer for which there is no integer arithmetic.
    pub fn new(graph: &Graph, weights: &Weights, threads: usize) -> Result<Self> {
        weights.check_real()?;
        weights.check(graph)?;
        let network = Network::new(graph)?;
        let kernels = float::kernels(&network, graph, weights)?;
        let watched = network
            .operations
            .iter()
            .map(|o| Watched { histogram: Histogram::new(), sums: vec![0.0; o.channels()] })
            .collect();
        Ok(Self { network, kernels, team: Team::new(threads)?, watched, outputs: Vec::new(), pictures: 0 })
    }

    /// Watches the network answer for `count` NHWC pictures, preprocessed. Memory is needed for the
    /// outputs of all layers for all of them: a few dozen are a good number.
    ///
    /// # Errors
    /// [`Error::Parameter`] where the length of `pictures` is wrong.
    pub fn watch(&mut self, pictures: &[f32], count: usize) -> Result<()> {
        let one = self.network.operations[0].len();
        if pictures.len() != count * one {
            return Err(Error::Parameter(format!(
                "{count} pictures have {} values, not {}",
                count * one,
                pictures.len()
            )));
        }
        self.outputs.resize_with(count.max(self.outputs.len()), || vec![Vec::new(); self.watched.len()]);
        let (network, kernels) = (&self.network, &self.kernels);
        let outputs = Cells::new(&mut self.outputs[..count]);
        self.team.run(count, &|_, i| {
            // SAFETY: each task runs once, so nobody else has this element.
            let outputs = unsafe { outputs.get(i) };
            float::run(network, kernels, &pictures[i * one..][..one], outputs);
        });
        let outputs = &self.outputs[..count];
        let watched = Cells::new(&mut self.watched);
        self.team.run(network.operations.len(), &|_, id| {
            // SAFETY: as above.
            let watched = unsafe { watched.get(id) };
            let operation = &network.operations[id];
            for values in outputs.iter().map(|o| &o[id]) {
                watched.histogram.add(values);
                let mut sums = vec![0.0f64; operation.channels()];
                for pixel in values.chunks_exact(sums.len()) {
                    for (s, v) in sums.iter_mut().zip(pixel) {
                        *s += f64::from(*v);
                    }
                }
                for (all, s) in watched.sums.iter_mut().zip(sums) {
                    *all += s / operation.pixels() as f64;
                }
            }
        });
        self.pictures += count;
        Ok(())
    }

    /// Pictures watched so far.
    pub fn pictures(&self) -> usize {
        self.pictures
    }

    /// The network in integers.
    ///
    /// # Errors
    /// [`Error::Parameter`] where no picture was watched.
    pub fn finish(&self) -> Result<Weights> {
        if self.pictures == 0 {
            return Err(Error::Parameter(
                "a network is quantised by what it does with pictures: none came".into(),
            ));
        }
        let operations = &self.network.operations;
        let mut scalings: Vec<Scaling> = Vec::new();
        let mut quantized = Quantized::default();
        for (id, operation) in operations.iter().enumerate() {
            let scaling = if operation.work.keeps_scale() {
                scalings[operation.inputs[0]]
            } else {
                self.watched[id].histogram.best(operation.bounds)
            };
            if let Some(kernel) = &self.kernels[id] {
                let input = operation.inputs[0];
                let integers = self.kernel(operation, kernel, input, scalings[input], scaling);
                quantized.kernels.insert(operation.kernel_layer.clone(), integers);
            }
            if !operation.real && !operation.work.keeps_scale() {
                quantized.activations.insert(operation.layer.clone(), scaling);
            }
            scalings.push(scaling);
        }
        Ok(Weights::from_quantized(quantized))
    }

    /// One kernel in integers.
    fn kernel(
        &self,
        operation: &Operation,
        kernel: &FloatKernel,
        input: usize,
        stored: Scaling,
        output: Scaling,
    ) -> QuantizedKernel {
        let n = operation.channels();
        let depthwise = matches!(operation.work, Work::Depthwise(_));
        let (mut values, mut scales, mut bias) = (vec![0; kernel.values.len()], Vec::new(), Vec::new());
        let inputs = self.watched[input].sums.len();
        for c in 0..n {
            let column = || kernel.values[c..].iter().step_by(n);
            let largest = column().fold(0.0f32, |m, v| m.max(v.abs()));
            // So fine that neither the bias nor the zero point of the result outgrows an i32.
            let floor = f64::from(kernel.bias[c].abs()).max(255.0 * f64::from(output.scale))
                / (f64::from(stored.scale) * MAX_BIAS);
            let scale = (largest / 127.0).max(floor as f32).max(f32::MIN_POSITIVE);
            let mut shift = 0.0f64;
            for (row, &real) in column().enumerate() {
                let q = (real / scale).round_ties_even().clamp(-127.0, 127.0);
                values[row * n + c] = q as i8;
                // Rows of a matrix go through the input channels; a depthwise kernel stays in one.
                let channel = if depthwise { c } else { row % inputs };
                let mean = self.watched[input].sums[channel] / self.pictures as f64;
                shift += (f64::from(q * scale) - f64::from(real)) * mean;
            }
            let real = f64::from(kernel.bias[c]) - shift;
            let step = f64::from(stored.scale) * f64::from(scale);
            scales.push(scale);
            bias.push((real / step).round_ties_even().clamp(-2.0 * MAX_BIAS, 2.0 * MAX_BIAS) as i32);
        }
        let parameter = if depthwise { "depthwise_kernel" } else { "kernel" };
        let shape = kernel.shape.clone();
        QuantizedKernel { parameter: parameter.into(), shape, values, scales, bias }
    }
}

/// Elements that tasks take one each.
struct Cells<'a, T> {
    first: *mut T,
    len: usize,
    borrowed: std::marker::PhantomData<&'a mut [T]>,
}

// SAFETY: each element is handed to one task alone (see `get`).
unsafe impl<T: Send> Sync for Cells<'_, T> {}

impl<'a, T> Cells<'a, T> {
    fn new(all: &'a mut [T]) -> Self {
        Self { first: all.as_mut_ptr(), len: all.len(), borrowed: std::marker::PhantomData }
    }

    /// # Safety
    ///
    /// Nobody else may have the element at the same time.
    #[allow(clippy::mut_from_ref, reason = "the point of it")]
    unsafe fn get(&self, i: usize) -> &mut T {
        assert!(i < self.len);
        // SAFETY: within the slice, which is borrowed mutably; the rest is the caller's promise.
        unsafe { &mut *self.first.add(i) }
    }
}
