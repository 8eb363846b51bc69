//! The operations on real values: what integers are held against.

use moue_graph::{Graph, Result, Weights};

use super::network::{KernelSource, Network, Operation, Work};
use crate::Level;
use crate::kernels::Window;
use crate::kernels::activation::{add, bias_clamp, clamp};
use crate::kernels::matmul::{Matrix, matmul};
use crate::kernels::{conv, depthwise, layout, pooling};

/// A kernel with batch normalisation folded in.
#[derive(Clone, Debug)]
pub(super) struct FloatKernel {
    pub shape: Vec<usize>,
    pub values: Vec<f32>,
    pub bias: Vec<f32>,
}

/// The kernels of a network, `None` for operations without one.
pub(super) fn kernels(
    network: &Network,
    graph: &Graph,
    weights: &Weights,
) -> Result<Vec<Option<FloatKernel>>> {
    weights.check_real()?;
    let specs = graph.parameters();
    let values = |id: usize| weights.values(&specs[id].name, specs[id].shape.iter().product());
    let fold = |o: &Operation, source: &KernelSource| -> Result<FloatKernel> {
        let n = o.channels();
        let mut kernel = values(source.kernel)?.to_vec();
        let mut bias = source.bias.map_or_else(|| Ok(vec![0.0; n]), |id| Ok(values(id)?.to_vec()))?;
        if let Some((gamma, epsilon)) = source.norm {
            let [gamma, beta, mean, variance] =
                [values(gamma)?, values(gamma + 1)?, values(gamma + 2)?, values(gamma + 3)?];
            for c in 0..n {
                let scale = f64::from(gamma[c]) / (f64::from(variance[c]) + f64::from(epsilon)).sqrt();
                for k in kernel[c..].iter_mut().step_by(n) {
                    *k = (f64::from(*k) * scale) as f32;
                }
                bias[c] = ((f64::from(bias[c]) - f64::from(mean[c])) * scale + f64::from(beta[c])) as f32;
            }
        }
        Ok(FloatKernel { shape: specs[source.kernel].shape.clone(), values: kernel, bias })
    };
    network.operations.iter().map(|o| o.kernel.as_ref().map(|source| fold(o, source)).transpose()).collect()
}

/// Computes the output of every operation for one picture; `outputs` holds a vector for each.
pub(super) fn run(
    network: &Network,
    kernels: &[Option<FloatKernel>],
    picture: &[f32],
    outputs: &mut [Vec<f32>],
) {
    let level = Level::current();
    let (mut lines, mut repeated) = (Vec::new(), Vec::new());
    for (id, operation) in network.operations.iter().enumerate() {
        let mut out = std::mem::take(&mut outputs[id]);
        out.resize(operation.len(), 0.0);
        let input = operation.inputs.first().map_or(picture, |&i| outputs[i].as_slice());
        let limits = operation.skip.map_or(operation.bounds, |skip| skip.before);
        match (operation.work, &kernels[id]) {
            (Work::Conv(window), Some(kernel)) => {
                let pixels = operation.pixels();
                let depth = kernel.values.len() / operation.channels();
                lines.resize(conv::unfolded_len(&window, window.output[0]), 0.0);
                conv::unfold(&window, input, 0, window.output[0], &mut lines);
                let matrix = Matrix::new(&kernel.values, depth, operation.channels());
                matmul(Matrix::new(&lines, pixels, depth), matrix, &mut out, false);
                bias_clamp(level, &mut out, &kernel.bias, limits);
            }
            (Work::Depthwise(window), Some(kernel)) => {
                bordered(&window, input, &mut lines);
                let (kernel, bias) = (&kernel.values, Some(kernel.bias.as_slice()));
                let pass = depthwise::Forward { window: &window, source: &lines, kernel, bias };
                depthwise::forward(level, &pass, &mut out, None);
                clamp(level, &mut out, limits);
            }
            (Work::Dense, Some(kernel)) => {
                let matrix = Matrix::new(&kernel.values, input.len(), operation.channels());
                matmul(Matrix::new(input, 1, input.len()), matrix, &mut out, false);
                bias_clamp(level, &mut out, &kernel.bias, limits);
            }
            (Work::Pool, _) => pooling::global_average(input, &mut out),
            (Work::Concatenate, _) => {
                let channels = |&i: &usize| network.operations[i].channels();
                let parts: Vec<(&[f32], usize)> =
                    operation.inputs.iter().map(|i| (outputs[*i].as_slice(), channels(i))).collect();
                layout::concatenate(&parts, &mut out);
                clamp(level, &mut out, limits);
            }
            (Work::Upsample(size), _) => repeat(operation, size, input, &mut out),
            _ => {
                out.copy_from_slice(input);
                if let Some(&other) = operation.inputs.get(1) {
                    add(level, &mut out, &outputs[other]);
                }
                clamp(level, &mut out, limits);
            }
        }
        if let Some(skip) = operation.skip {
            if skip.size == [1, 1] {
                add(level, &mut out, &outputs[skip.from]);
            } else {
                repeated.resize(out.len(), 0.0);
                repeat(operation, skip.size, &outputs[skip.from], &mut repeated);
                add(level, &mut out, &repeated);
            }
            clamp(level, &mut out, operation.bounds);
        }
        outputs[id] = out;
    }
}

/// The pixels of `x`, repeated to the shape of an operation's output.
fn repeat(operation: &Operation, size: [usize; 2], x: &[f32], out: &mut [f32]) {
    let channels = operation.channels();
    let row = operation.shape.get(1).map_or(channels, |width| width / size[1] * channels);
    layout::upsample(x, row, channels, size, out);
}

/// Copies a picture between the zeros that a depthwise convolution reads around it.
fn bordered(w: &Window, picture: &[f32], out: &mut Vec<f32>) {
    let [_, width, channels] = w.input;
    let line = depthwise::padded_width(w) * channels;
    out.clear();
    out.resize(depthwise::rows_read(w, w.output[0]) * line, 0.0);
    let rows = picture.chunks_exact(width * channels);
    for (row, out) in rows.zip(out.chunks_exact_mut(line).skip(w.before[0])) {
        out[w.before[1] * channels..][..row.len()].copy_from_slice(row);
    }
}
