//! Convolutions over all channels as register-blocked matrix products, without unfolding.
//!
//! A tile is a few pixels by a few registers of output channels, held in registers over the whole
//! sum. For each input value one broadcast meets the packed weights of its channels, so weights are
//! read in one straight line and pixels stay where the layer before wrote them: for a kernel wider
//! than one pixel the values under one kernel row are contiguous in NHWC, which makes a
//! convolution the sum of a product a kernel row.
//!
//! Each output is summed in the same order whatever the tile, the task or the batch.

use super::Window;
use crate::Level;
use crate::aligned::Aligned;
use crate::simd::{Vector, at_registers};

/// Most registers of output channels in a tile.
const MAX_VECTORS: usize = 4;

/// Most pixels in a tile of 1, 2, 3 and 4 registers of channels, so that sums, weights and a
/// broadcast fit into the register file.
const fn max_rows(registers: usize) -> [usize; MAX_VECTORS] {
    if registers >= 32 { [12, 12, 9, 6] } else { [8, 6, 4, 2] }
}

/// Some neighbouring output channels whose weights lie together.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Panel {
    /// First output channel.
    pub first: usize,
    /// Output channels.
    pub columns: usize,
    /// Registers they fill.
    vectors: usize,
    /// Where its weights begin.
    weights: usize,
    /// Where its biases begin.
    bias: usize,
}

/// Weights `[depth, columns]` packed panel by panel for one level, with their bias.
pub(crate) struct Panels {
    depth: usize,
    panels: Vec<Panel>,
    weights: Aligned,
    bias: Aligned,
}

impl Panels {
    /// Packs row-major `weights` (`depth` rows of `bias.len()` columns) for products of `pixels` pixels.
    pub fn new(level: Level, weights: &[f32], bias: &[f32], pixels: usize) -> Self {
        let (lanes, columns) = (level.lanes(), bias.len());
        let depth = weights.len() / columns.max(1);
        let mut panels = Vec::new();
        let (mut weights_at, mut bias_at) = (0, 0);
        let mut first = 0;
        for vectors in split(level, columns.div_ceil(lanes), pixels) {
            let panel = Panel {
                first,
                columns: (vectors * lanes).min(columns - first),
                vectors,
                weights: weights_at,
                bias: bias_at,
            };
            weights_at += depth * vectors * lanes;
            bias_at += vectors * lanes;
            first += panel.columns;
            panels.push(panel);
        }
        let mut packed =
            Self { depth, panels, weights: Aligned::zeros(weights_at), bias: Aligned::zeros(bias_at) };
        for panel in &packed.panels {
            let width = panel.vectors * lanes;
            for (row, out) in
                weights.chunks_exact(columns).zip(packed.weights[panel.weights..].chunks_exact_mut(width))
            {
                out[..panel.columns].copy_from_slice(&row[panel.first..panel.first + panel.columns]);
            }
            packed.bias[panel.bias..panel.bias + panel.columns]
                .copy_from_slice(&bias[panel.first..panel.first + panel.columns]);
        }
        packed
    }

    /// The panels, in the order of their channels.
    pub fn panels(&self) -> &[Panel] {
        &self.panels
    }

    /// Values each output is summed over.
    pub fn depth(&self) -> usize {
        self.depth
    }
}

/// How many registers each panel takes, for `vectors` registers of columns in all: the split that
/// the cost of its tiles makes cheapest.
fn split(level: Level, vectors: usize, pixels: usize) -> Vec<usize> {
    // Cost a step of the sum: multiply-adds at two a cycle, loads at two a cycle, and the four
    // cycles that a multiply-add takes to finish.
    let tile = |rows: usize, wide: usize| (rows * wide).max(rows + wide).max(8);
    let rows = max_rows(level.registers());
    let panel = |wide: usize| -> usize {
        let tiles = pixels.max(1).div_ceil(rows[wide - 1]);
        let (each, longer) = (pixels.max(1) / tiles, pixels.max(1) % tiles);
        (tiles - longer) * tile(each, wide) + longer * tile(each + 1, wide)
    };
    let mut best: Vec<(usize, usize)> = vec![(0, 0)];
    for n in 1..=vectors {
        let choice = (1..=MAX_VECTORS.min(n)).map(|wide| (best[n - wide].0 + panel(wide), wide)).min();
        best.push(choice.unwrap_or((0, 1)));
    }
    let (mut all, mut left) = (Vec::new(), vectors);
    while left > 0 {
        all.push(best[left].1);
        left -= best[left].1;
    }
    all.sort_unstable_by(|a, b| b.cmp(a));
    all
}

/// Where the pixels of a product are read: pixel `p` sums over `segments` runs of `depth` values, the
/// `s`-th beginning at `base + p * pixel_stride + s * segment_stride`.
#[derive(Clone, Copy)]
pub(crate) struct Source {
    pub base: *const f32,
    pub pixel_stride: usize,
    pub segments: usize,
    pub segment_stride: usize,
}

/// Where the pixels of a product are written: rows of `width` pixels.
#[derive(Clone, Copy)]
pub(crate) struct Target {
    pub base: *mut f32,
    pub width: usize,
    pub pixel_stride: usize,
    pub row_stride: usize,
    /// Values added before the clamp, laid out as the target; null for none.
    pub residual: *const f32,
}

impl Target {
    /// How far pixel `p` lies from the base.
    #[inline(always)]
    fn offset(&self, p: usize) -> usize {
        if self.row_stride == self.width * self.pixel_stride {
            return p * self.pixel_stride;
        }
        p / self.width * self.row_stride + p % self.width * self.pixel_stride
    }
}

/// Runs the body for `$i` in `0..$n`, `$n` a constant of at most 12, as straight-line code: a loop that
/// the compiler unrolls late keeps the sums of a tile in memory.
macro_rules! unrolled {
    ($i:ident < $n:expr, $body:expr) => {
        unrolled!($i < $n, $body, 0 1 2 3 4 5 6 7 8 9 10 11)
    };
    ($i:ident < $n:expr, $body:expr, $($value:literal)*) => {
        $(if $value < $n {
            let $i: usize = $value;
            $body;
        })*
    };
}

/// One tile: `R` pixels from `pixel` on, `N` registers of channels.
#[inline(always)]
#[allow(clippy::too_many_arguments, reason = "plain buffers in, plain buffers out")]
unsafe fn tile<V: Vector, const R: usize, const N: usize>(
    source: &Source,
    depth: usize,
    pixel: usize,
    weights: *const f32,
    bias: *const f32,
    target: &Target,
    columns: usize,
    bounds: (f32, f32),
) {
    // SAFETY: the caller of `product` vouches for every pixel of source and target; weights and bias
    // are whole panels.
    unsafe {
        let mut sums = [[V::splat(0.0); N]; R];
        unrolled!(n < N, {
            let b = V::load(bias.add(n * V::LANES));
            unrolled!(r < R, sums[r][n] = b);
        });
        let mut weights = weights;
        let stride = source.pixel_stride;
        for segment in 0..source.segments {
            // A pointer for every third pixel: the two after it are reached by index registers.
            let mut first = source.base.add(pixel * stride + segment * source.segment_stride);
            let mut second = first.wrapping_add(3 * stride);
            let mut third = first.wrapping_add(6 * stride);
            let mut fourth = first.wrapping_add(9 * stride);
            for _ in 0..depth {
                let mut w = [V::splat(0.0); N];
                unrolled!(n < N, w[n] = V::load(weights.add(n * V::LANES)));
                unrolled!(r < R, {
                    let start = [first, second, third, fourth][r / 3];
                    let x = V::splat(*start.add(r % 3 * stride));
                    unrolled!(n < N, sums[r][n] = x.mul_add(w[n], sums[r][n]));
                });
                weights = weights.add(N * V::LANES);
                first = first.wrapping_add(1);
                second = second.wrapping_add(1);
                third = third.wrapping_add(1);
                fourth = fourth.wrapping_add(1);
            }
        }
        let (low, high) = (V::splat(bounds.0), V::splat(bounds.1));
        // Only the last register of a panel can be partly used.
        let rest = columns - (N - 1) * V::LANES;
        if !target.residual.is_null() {
            unrolled!(r < R, {
                let from = target.residual.add(target.offset(pixel + r));
                unrolled!(n < N, {
                    let from = from.add(n * V::LANES);
                    let added =
                        if n + 1 < N || rest == V::LANES { V::load(from) } else { V::load_first(from, rest) };
                    sums[r][n] = sums[r][n].add(added);
                });
            });
        }
        unrolled!(r < R, {
            let to = target.base.add(target.offset(pixel + r));
            unrolled!(n < N, {
                let (to, y) = (to.add(n * V::LANES), sums[r][n].max(low).min(high));
                if n + 1 < N || rest == V::LANES {
                    y.store(to);
                } else {
                    y.store_first(to, rest);
                }
            });
        });
    }
}

/// All pixels of one panel, in tiles of nearly the same number of pixels.
#[inline(always)]
#[allow(clippy::too_many_arguments, reason = "plain buffers in, plain buffers out")]
unsafe fn tiles<V: Vector, const N: usize>(
    source: &Source,
    depth: usize,
    pixels: std::ops::Range<usize>,
    weights: *const f32,
    bias: *const f32,
    target: &Target,
    columns: usize,
    bounds: (f32, f32),
) {
    let count = pixels.len().div_ceil(const { max_rows(V::REGISTERS)[N - 1] });
    let mut pixel = pixels.start;
    for left in (1..=count).rev() {
        let rows = (pixels.end - pixel).div_ceil(left);
        macro_rules! rows {
            ($($r:literal)*) => {
                match rows {
                    // Tiles that would not fit into the registers are not asked for, and so not compiled.
                    $($r if $r <= const { max_rows(V::REGISTERS)[N - 1] } => {
                        // SAFETY: the caller's contract.
                        unsafe {
                            tile::<V, $r, N>(source, depth, pixel, weights, bias, target, columns, bounds);
                        }
                    })*
                    _ => {}
                }
            };
        }
        rows!(1 2 3 4 5 6 7 8 9 10 11 12);
        pixel += rows;
    }
}

/// What [`product`] multiplies with, panel `range` only.
#[derive(Clone, Copy)]
pub(crate) struct Factor<'a> {
    pub panels: &'a Panels,
    pub range: (usize, usize),
}

#[inline(always)]
unsafe fn product_body<V: Vector>(
    factor: Factor<'_>,
    source: Source,
    pixels: usize,
    target: Target,
    bounds: (f32, f32),
) {
    let Factor { panels, range } = factor;
    let chosen = &panels.panels[range.0..range.1];
    let first = chosen.first().map_or(0, |p| p.first);
    let depth = panels.depth / source.segments.max(1);
    // Small weights stay in the first-level cache: then each pixel is read once.
    let bytes = chosen.iter().map(|p| p.vectors).sum::<usize>() * V::LANES * panels.depth * 4;
    let block = if bytes <= 24 << 10 { 24 } else { pixels.max(1) };
    for start in (0..pixels).step_by(block) {
        let range = start..(start + block).min(pixels);
        for panel in chosen {
            let target = Target {
                // SAFETY: a panel's channels lie within a pixel of the target.
                base: unsafe { target.base.add(panel.first - first) },
                residual: if target.residual.is_null() {
                    target.residual
                } else {
                    // SAFETY: as above.
                    unsafe { target.residual.add(panel.first - first) }
                },
                ..target
            };
            let weights = panels.weights[panel.weights..].as_ptr();
            let bias = panels.bias[panel.bias..].as_ptr();
            let range = range.clone();
            let columns = panel.columns;
            // SAFETY: the caller's contract.
            unsafe {
                match panel.vectors {
                    1 => tiles::<V, 1>(&source, depth, range, weights, bias, &target, columns, bounds),
                    2 => tiles::<V, 2>(&source, depth, range, weights, bias, &target, columns, bounds),
                    3 => tiles::<V, 3>(&source, depth, range, weights, bias, &target, columns, bounds),
                    _ => tiles::<V, 4>(&source, depth, range, weights, bias, &target, columns, bounds),
                }
            }
        }
    }
}

at_registers! {
    /// `target = clamp(source x panels + bias + residual)` for `pixels` pixels; the target's base is
    /// the first channel of the first panel of the range.
    ///
    /// # Safety
    ///
    /// Every value that [`Source`] describes for `pixels` pixels can be read, every channel of the
    /// range's panels of every pixel of [`Target`] can be written (and its residual read), nothing
    /// else accesses them meanwhile, and `level` is that of the panels.
    fn product = product_body(factor: Factor<'_>, source: Source, pixels: usize, target: Target, bounds: (f32, f32))
}

/// A convolution ready to run: weights packed, borders already in the input.
pub(crate) struct Convolution {
    /// Input and output sides; the input includes the padding, so `before` is zero.
    pub window: Window,
    pub panels: Panels,
    pub bounds: (f32, f32),
}

impl Convolution {
    /// Output pixels `pixels` of a pointwise convolution, of one picture or of several that follow each
    /// other, channels of the panels in `range` only. `target` tells where the first of those is written.
    ///
    /// # Safety
    ///
    /// As for [`Convolution::rows`].
    pub unsafe fn pixels(
        &self,
        level: Level,
        input: *const f32,
        pixels: std::ops::Range<usize>,
        range: (usize, usize),
        target: impl Fn(usize) -> Target,
    ) {
        let channels = self.window.input[2];
        let factor = Factor { panels: &self.panels, range };
        // SAFETY: within the pictures, by the caller's contract.
        unsafe {
            let base = input.add(pixels.start * channels);
            let source = Source { base, pixel_stride: channels, segments: 1, segment_stride: 0 };
            product(level, factor, source, pixels.len(), target(pixels.start), self.bounds);
        }
    }

    /// Output rows `rows` of one picture, channels of the panels in `range` only.
    ///
    /// # Safety
    ///
    /// `input` holds a picture of the window's input; the target (its base being the first pixel of
    /// the first row) has room for those rows, and nothing else accesses it meanwhile.
    pub unsafe fn rows(
        &self,
        level: Level,
        input: *const f32,
        rows: std::ops::Range<usize>,
        range: (usize, usize),
        target: Target,
    ) {
        let w = &self.window;
        let factor = Factor { panels: &self.panels, range };
        let row = w.input[1] * w.input[2];
        if w.is_pointwise() {
            let pixels = rows.start * w.output[1]..rows.end * w.output[1];
            // SAFETY: the caller's contract.
            unsafe { self.pixels(level, input, pixels, range, |_| target) };
            return;
        }
        for (i, y) in rows.enumerate() {
            // SAFETY: as above.
            unsafe {
                let source = Source {
                    base: input.add(y * w.strides[0] * row),
                    pixel_stride: w.strides[1] * w.input[2],
                    segments: w.kernel[0],
                    segment_stride: row,
                };
                let step = i * target.row_stride;
                let residual =
                    if target.residual.is_null() { target.residual } else { target.residual.add(step) };
                let target = Target { base: target.base.add(step), residual, ..target };
                product(level, factor, source, w.output[1], target, self.bounds);
            }
        }
    }
}
