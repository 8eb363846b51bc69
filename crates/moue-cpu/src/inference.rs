//! Inference sessions: batch normalisation folded into the kernels, activations fused, buffers
//! planned and allocated once.

mod plan;

use moue_graph::engine::{InferenceOptions, InferenceSession};
use moue_graph::{Error, Graph, Result, Weights};
use rayon::ThreadPool;
use rayon::prelude::*;

use crate::kernels::activation::{add, bias_clamp, clamp};
use crate::kernels::matmul::{Matrix, matmul};
use crate::kernels::{Window, conv, depthwise, layout, pooling};
use crate::lowering::lower;
use crate::pool;
use crate::simd::Level;
use plan::{Plan, Step, Work};

/// Multiplications below which handing a piece to another thread costs more than it saves.
const WORTH_A_TASK: usize = 1 << 20;

pub(crate) struct Session {
    pool: ThreadPool,
    level: Level,
    plan: Plan,
    /// One set of buffers for each thread that may work on a picture of its own.
    arenas: Vec<Vec<Vec<f32>>>,
    max_batch: usize,
}

impl Session {
    pub(crate) fn new(graph: &Graph, weights: &Weights, options: &InferenceOptions) -> Result<Self> {
        if options.max_batch == 0 {
            return Err(Error::Parameter("a batch holds at least one picture".into()));
        }
        weights.check(graph)?;
        let plan = Plan::new(&lower(graph)?, &graph.parameters(), weights)?;
        let pool = pool::start(options.threads)?;
        let arenas = (0..pool.current_num_threads().min(options.max_batch))
            .map(|_| plan.buffers().iter().map(|&n| vec![0.0; n]).collect())
            .collect();
        Ok(Self { pool, level: Level::current(), plan, arenas, max_batch: options.max_batch })
    }
}

impl InferenceSession for Session {
    fn logits(&mut self, pictures: &[f32], count: usize, logits: &mut [f32]) -> Result<()> {
        let (one, classes) = (self.plan.input_len(), self.plan.output_len());
        if count == 0 || count > self.max_batch {
            return Err(Error::Parameter(format!(
                "a batch holds 1 to {} pictures, not {count}",
                self.max_batch
            )));
        }
        if pictures.len() != count * one || logits.len() != count * classes {
            return Err(Error::Parameter(format!(
                "{count} pictures have {} values and {} logits, not {} and {}",
                count * one,
                count * classes,
                pictures.len(),
                logits.len()
            )));
        }
        let (plan, level) = (&self.plan, self.level);
        let arenas = &mut self.arenas;
        if count == 1 {
            let arena = &mut arenas[0];
            self.pool.install(|| run(plan, level, arena, pictures, logits, true));
            return Ok(());
        }
        // Whole pictures side by side: each stays in its core's cache from first layer to last.
        let share = count.div_ceil(arenas.len());
        self.pool.install(|| {
            arenas
                .par_iter_mut()
                .zip(pictures.par_chunks(share * one))
                .zip(logits.par_chunks_mut(share * classes))
                .for_each(|((arena, pictures), logits)| {
                    for (picture, logits) in pictures.chunks_exact(one).zip(logits.chunks_exact_mut(classes))
                    {
                        run(plan, level, arena, picture, logits, false);
                    }
                });
        });
        Ok(())
    }
}

/// One picture through all steps. With `split`, large steps are shared among the threads.
fn run(plan: &Plan, level: Level, arena: &mut [Vec<f32>], picture: &[f32], logits: &mut [f32], split: bool) {
    arena[plan.input_buffer()][..picture.len()].copy_from_slice(picture);
    for step in plan.steps() {
        let mut out = std::mem::take(&mut arena[step.output]);
        run_step(level, step, arena, &mut out[..step.len], split);
        arena[step.output] = out;
    }
    logits.copy_from_slice(&arena[plan.output_buffer()][..logits.len()]);
}

fn run_step(level: Level, step: &Step, arena: &[Vec<f32>], out: &mut [f32], split: bool) {
    match &step.work {
        Work::Pad { window } => {
            let x = &arena[step.inputs[0]][..window.input_len()];
            let row = window.input[1] * window.input[2];
            out.fill(0.0);
            for (y, x) in x.chunks_exact(row).enumerate() {
                let start = ((y + window.before[0]) * window.output[1] + window.before[1]) * window.output[2];
                out[start..start + row].copy_from_slice(x);
            }
        }
        Work::Conv { window, kernel, bias, bounds } => {
            let x = &arena[step.inputs[0]][..window.input_len()];
            let channels = window.output[2];
            let depth = kernel.len() / channels;
            let pixels = window.output[0] * window.output[1];
            let kernel = Matrix::new(kernel, depth, channels);
            if window.is_pointwise() {
                let rows = rows_per_piece(pixels, depth * channels, split);
                pieces(out, rows * channels, split, |piece, out| {
                    let rows_here = out.len() / channels;
                    let x = &x[piece * rows * depth..][..rows_here * depth];
                    matmul(Matrix::new(x, rows_here, depth), kernel, out, false);
                    bias_clamp(level, out, bias, *bounds);
                });
            } else {
                let lines_per_piece = band_per_piece(window, depth * channels, split);
                pieces(out, lines_per_piece * window.output[1] * channels, split, |piece, out| {
                    let rows = out.len() / (window.output[1] * channels);
                    let mut lines = vec![0.0; conv::unfolded_len(window, rows)];
                    conv::unfold(window, x, piece * lines_per_piece, rows, &mut lines);
                    matmul(Matrix::new(&lines, out.len() / channels, depth), kernel, out, false);
                    bias_clamp(level, out, bias, *bounds);
                });
            }
        }
        Work::Depthwise { window, kernel, bias, bounds } => {
            let x = &arena[step.inputs[0]][..window.input_len()];
            let epilogue = depthwise::Epilogue { bias: Some(bias), bounds: *bounds };
            let taps = window.kernel[0] * window.kernel[1];
            // A tap costs more here than in a matrix product, so pieces may be smaller.
            let rows = band_per_piece(window, 4 * taps * window.output[2], split);
            pieces(out, rows * window.output[1] * window.output[2], split, |piece, out| {
                depthwise::forward(level, window, x, kernel, epilogue, piece * rows, out);
            });
        }
        Work::Affine { scale, shift, bounds } => {
            let x = &arena[step.inputs[0]][..out.len()];
            crate::kernels::batch_norm::normalise(level, x, out, scale, shift, *bounds);
        }
        Work::Clamp { bounds } => {
            out.copy_from_slice(&arena[step.inputs[0]][..out.len()]);
            clamp(level, out, *bounds);
        }
        Work::Add => {
            out.copy_from_slice(&arena[step.inputs[0]][..out.len()]);
            add(level, out, &arena[step.inputs[1]][..out.len()]);
        }
        Work::Concatenate { parts } => {
            let rows = out.len() / parts.iter().sum::<usize>();
            let inputs = step.inputs.iter().zip(parts);
            let parts: Vec<(&[f32], usize)> = inputs.map(|(&i, &n)| (&arena[i][..rows * n], n)).collect();
            layout::concatenate(&parts, out);
        }
        Work::Upsample { row, channels, size } => {
            let x = &arena[step.inputs[0]][..out.len() / (size[0] * size[1])];
            layout::upsample(x, *row, *channels, *size, out);
        }
        Work::Pool { input } => pooling::global_average(&arena[step.inputs[0]][..*input], out),
        Work::Dense { kernel, bias, bounds } => {
            let inner = kernel.len() / out.len();
            let x = Matrix::new(&arena[step.inputs[0]][..inner], 1, inner);
            matmul(x, Matrix::new(kernel, inner, out.len()), out, false);
            bias_clamp(level, out, bias, *bounds);
        }
    }
}

/// Rows a piece of a step holds, for `work` multiplications a row.
fn rows_per_piece(rows: usize, work: usize, split: bool) -> usize {
    if split { (WORTH_A_TASK / work.max(1)).clamp(1, rows.max(1)) } else { rows.max(1) }
}

fn band_per_piece(w: &Window, work_per_pixel: usize, split: bool) -> usize {
    rows_per_piece(w.output[0], work_per_pixel * w.output[1], split)
}

/// Calls `work(index, piece)` for every piece of `out`, on several threads with `split`.
fn pieces(out: &mut [f32], size: usize, split: bool, work: impl Fn(usize, &mut [f32]) + Sync) {
    if split && out.len() > size {
        out.par_chunks_mut(size).enumerate().for_each(|(i, out)| work(i, out));
    } else {
        for (i, out) in out.chunks_mut(size).enumerate() {
            work(i, out);
        }
    }
}
