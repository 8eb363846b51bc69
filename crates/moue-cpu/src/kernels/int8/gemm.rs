//! Products of pixels and kernels: pointwise and full convolutions, and dense layers.
//!
//! A kernel is packed for one instruction set into *panels* of 1 to 4 vectors of columns (output
//! channels). A tile of some pixels times one panel is held in registers over the whole depth; each
//! panel is read once for every tile of pixels.
//!
//! The values that a pixel is multiplied with need not stand in one run: a convolution reads a
//! *segment* for each row of its window, so that no window is ever copied out ("im2col").

use super::Isa;
use super::isa::at_isa;
use super::memory::Bytes;
use super::vector::{Vector, column};

/// Most pixels of a tile.
const MAX_PIXELS: usize = 12;

/// A kernel with its bias and scales, as the kernels here read it.
pub(crate) struct PackedKernel {
    isa: Isa,
    segments: usize,
    quads: usize,
    columns: usize,
    panels: Vec<Panel>,
    weights: Bytes,
    bias: Vec<i32>,
    scales: Vec<f32>,
}

/// Some columns.
#[derive(Clone, Copy, Debug)]
struct Panel {
    /// First column.
    column: usize,
    /// Vectors of columns.
    vectors: usize,
    /// Where its weights start.
    weights: usize,
}

impl PackedKernel {
    /// Packs `kernel`, which holds for each of `segments` a matrix `[depth, bias.len()]`, row-major.
    /// The columns are cut into panels of the widths given, in vectors (see [`Isa::lanes`]).
    ///
    /// A result is `round(scales[c] * (bias[c] + sum))`, to nearest, saturated to 0..=255.
    pub fn new(
        isa: Isa,
        kernel: &[i8],
        segments: usize,
        bias: &[i32],
        scales: &[f32],
        widths: &[usize],
    ) -> Self {
        let (columns, lanes) = (bias.len(), isa.lanes());
        let depth = kernel.len() / (segments * columns).max(1);
        let quads = depth.div_ceil(4);
        let total: usize = widths.iter().sum();
        assert!(total * lanes >= columns && scales.len() == columns, "panels hold all columns");
        let mut weights = Bytes::zeroed(total * lanes * 4 * quads * segments);
        let mut packed = weights.as_mut_slice().as_chunks_mut::<4>().0.iter_mut();
        let (mut packed_bias, mut packed_scales) = (Vec::new(), Vec::new());
        let (mut panels, mut first, mut at) = (Vec::new(), 0, 0);
        for &vectors in widths {
            panels.push(Panel { column: first, vectors, weights: at });
            let places = || (0..vectors).flat_map(|v| (0..lanes).map(move |i| column(vectors, v, i)));
            for segment in 0..segments {
                for quad in 0..quads {
                    for place in places() {
                        let Some(bytes) = packed.next() else { continue };
                        for (i, byte) in bytes.iter_mut().enumerate() {
                            let (row, c) = (4 * quad + i, first + place);
                            if row < depth && c < columns {
                                *byte = kernel[(segment * depth + row) * columns + c] as u8;
                            }
                        }
                    }
                }
            }
            // Columns that do not exist give 0.
            packed_bias.extend(places().map(|c| bias.get(first + c).copied().unwrap_or(0)));
            packed_scales.extend(places().map(|c| scales.get(first + c).copied().unwrap_or(0.0)));
            first += vectors * lanes;
            at += vectors * lanes * 4 * quads * segments;
        }
        Self { isa, segments, quads, columns, panels, weights, bias: packed_bias, scales: packed_scales }
    }

    /// Number of panels.
    #[cfg(test)]
    pub fn panels(&self) -> usize {
        self.panels.len()
    }

    /// Bytes of a pixel that panel `i` writes, and the first of them.
    pub fn columns_of(&self, i: usize) -> std::ops::Range<usize> {
        let Panel { column, vectors, .. } = self.panels[i];
        column..column + vectors * self.isa.lanes()
    }
}

/// Where pixels stand, as bytes from a base.
#[derive(Clone, Copy)]
pub(crate) enum Places<'a> {
    /// Pixel `i` at `i * step`.
    Even(usize),
    /// Pixel `i` at `table[i] * unit`.
    Table(&'a [u32], usize),
}

impl Places<'_> {
    #[inline(always)]
    fn at(self, pixel: usize) -> usize {
        match self {
            Self::Even(step) => pixel * step,
            Self::Table(table, unit) => table[pixel] as usize * unit,
        }
    }
}

/// What is added to a product before it is rounded: a stored activation times a factor.
#[derive(Clone, Copy)]
pub(crate) struct Skip<'a> {
    /// What pixels are read from; the columns are those of the output.
    pub base: *const u8,
    /// Where in it the pixels stand.
    pub places: Places<'a>,
    /// Scale of the added activation over that of the result.
    pub factor: f32,
    /// What the product is clamped to first. Without it, zero points are in the bias.
    pub clamp: Option<Clamp>,
}

/// A clamp before a sum, in steps of the result.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Clamp {
    pub low: f32,
    pub high: f32,
    /// What both zero points add to the sum.
    pub offset: f32,
}

/// A product of a range of pixels and one panel.
#[derive(Clone, Copy)]
pub(crate) struct Product<'a> {
    /// The kernel.
    pub kernel: &'a PackedKernel,
    /// Which of its panels.
    pub panel: usize,
    /// First pixel.
    pub first: usize,
    /// One past the last pixel.
    pub end: usize,
    /// What pixels are read from.
    pub input: *const u8,
    /// Where in it they stand.
    pub input_places: Places<'a>,
    /// Bytes from one segment to the next.
    pub segment_step: usize,
    /// Where results go.
    pub output: *mut u8,
    /// Where in it the pixels stand.
    pub output_places: Places<'a>,
    /// Column at which a pixel starts there: 0, or the panel's first where others are left out.
    pub output_column: usize,
    /// What is added.
    pub skip: Option<Skip<'a>>,
    /// Results are f32, a scale times each sum, clamped to this interval. Panels then have one vector, output places
    /// are in bytes as ever, and nothing is added.
    pub real: Option<(f32, f32)>,
}

impl Product<'_> {
    /// Does it.
    ///
    /// # Safety
    ///
    /// For every pixel of the range, `input` must be good for reading each segment's bytes, rounded
    /// up to a multiple of four; `output` for writing the columns of the panel
    /// ([`PackedKernel::columns_of`], less `output_column`; of real results, those columns that exist), and `skip` for reading them. Nobody else may access what is
    /// written, nor write what is read, until this returns.
    pub unsafe fn run(self) {
        // SAFETY: the caller's promise.
        unsafe { run(self.kernel.isa, 64, self) }
    }
}

at_isa! {
    unsafe fn run = panel(product: Product<'_>)
}

/// # Safety
///
/// As [`Product::run`], on a processor with the instructions of `V`.
#[inline(always)]
unsafe fn panel<V: Vector>(product: Product<'_>) {
    // SAFETY: the caller's promise.
    unsafe {
        match product.kernel.panels[product.panel].vectors {
            1 if product.real.is_some() => tiles::<V, 1, true>(product),
            1 => tiles::<V, 1, false>(product),
            2 => tiles::<V, 2, false>(product),
            3 => tiles::<V, 3, false>(product),
            _ => tiles::<V, 4, false>(product),
        }
    }
}

/// Pixels of a tile: as many as registers hold beside `vectors` of weights and two pixels' values.
const fn tile_pixels(registers: usize, vectors: usize) -> usize {
    let sums = if registers >= 32 { registers - vectors - 2 } else { registers - 4 };
    let pixels = sums / vectors;
    if pixels > MAX_PIXELS { MAX_PIXELS } else { pixels }
}

/// # Safety
///
/// As [`panel`]; the panel has `N` vectors.
#[inline(always)]
unsafe fn tiles<V: Vector, const N: usize, const REAL: bool>(product: Product<'_>) {
    let most = const { tile_pixels(V::REGISTERS, N) };
    let mut pixel = product.first;
    while pixel < product.end {
        // Tiles of about equal size: a rest of one pixel would read all weights for itself.
        let left = product.end - pixel;
        let pixels = left.div_ceil(left.div_ceil(most));
        // SAFETY: the caller's promise.
        unsafe {
            match pixels {
                12 if most >= 12 => tile::<V, 12, N, REAL>(product, pixel),
                11 if most >= 11 => tile::<V, 11, N, REAL>(product, pixel),
                10 if most >= 10 => tile::<V, 10, N, REAL>(product, pixel),
                9 if most >= 9 => tile::<V, 9, N, REAL>(product, pixel),
                8 if most >= 8 => tile::<V, 8, N, REAL>(product, pixel),
                7 if most >= 7 => tile::<V, 7, N, REAL>(product, pixel),
                6 if most >= 6 => tile::<V, 6, N, REAL>(product, pixel),
                5 if most >= 5 => tile::<V, 5, N, REAL>(product, pixel),
                4 if most >= 4 => tile::<V, 4, N, REAL>(product, pixel),
                3 => tile::<V, 3, N, REAL>(product, pixel),
                2 => tile::<V, 2, N, REAL>(product, pixel),
                _ => tile::<V, 1, N, REAL>(product, pixel),
            }
        }
        pixel += pixels;
    }
}

/// # Safety
///
/// As [`tiles`], for `M` pixels from `pixel` on.
#[inline(always)]
unsafe fn tile<V: Vector, const M: usize, const N: usize, const REAL: bool>(
    product: Product<'_>,
    pixel: usize,
) {
    let kernel = product.kernel;
    let panel = kernel.panels[product.panel];
    // SAFETY: the caller's promise for what the product points to; the packed arrays hold what the
    // panel needs by construction.
    unsafe {
        let mut input = [product.input; M];
        for (i, at) in input.iter_mut().enumerate() {
            *at = at.add(product.input_places.at(pixel + i));
        }
        let mut weights = kernel.weights.as_slice().as_ptr().add(panel.weights);
        let bias = kernel.bias.as_ptr().add(panel.column);
        let mut start = [V::zero(); N];
        for (j, start) in start.iter_mut().enumerate() {
            *start = V::ints(bias.add(j * V::LANES));
        }
        let mut sums = [start; M];
        for _ in 0..kernel.segments {
            for quad in 0..kernel.quads {
                let mut k = [V::zero(); N];
                for (j, k) in k.iter_mut().enumerate() {
                    *k = V::bytes(weights.add(4 * j * V::LANES));
                }
                for i in 0..M {
                    let a = V::splat(input[i].add(4 * quad));
                    for j in 0..N {
                        sums[i][j] = V::dot(sums[i][j], a, k[j]);
                    }
                }
                weights = weights.add(4 * N * V::LANES);
            }
            for at in &mut input {
                *at = at.wrapping_add(product.segment_step);
            }
        }
        let scales = kernel.scales.as_ptr().add(panel.column);
        for (i, mut values) in sums.into_iter().enumerate() {
            if REAL {
                // One vector has its columns in order.
                let bounds = product.real.unwrap_or((f32::NEG_INFINITY, f32::INFINITY));
                let out = product.output.add(product.output_places.at(pixel + i)).cast::<f32>();
                let count = (kernel.columns - panel.column).min(V::LANES);
                V::store_real(values[0], scales, bounds, out.add(panel.column), count);
                continue;
            }
            let place = product.output_places.at(pixel + i) + panel.column - product.output_column;
            if let Some(skip) = product.skip {
                let other = V::load::<N>(skip.base.add(skip.places.at(pixel + i) + panel.column));
                if let Some(clamp) = skip.clamp {
                    for j in 0..N {
                        let scales = scales.add(j * V::LANES);
                        values[j] = V::clamped_plus(values[j], scales, other[j], skip.factor, clamp);
                    }
                } else {
                    for j in 0..N {
                        let scales = scales.add(j * V::LANES);
                        values[j] = V::scaled_plus(values[j], scales, other[j], skip.factor);
                    }
                }
            } else {
                for (j, value) in values.iter_mut().enumerate() {
                    *value = V::scaled(*value, scales.add(j * V::LANES));
                }
            }
            V::store::<N>(values, product.output.add(place));
        }
    }
}
