//! Matrix products of training: tall, narrow matrices with the sum in any direction.
//!
//! One register-blocked kernel serves the three products of a pointwise convolution. A tile of the
//! result stays in registers while one value of the left matrix at a time is multiplied with a panel
//! of the right one:
//!
//! - forward, `Y = X W`: the left matrix are pixels, the panels are packed weights;
//! - gradient of the input, `dX = dY W^T`: the same with packed transposed weights;
//! - gradient of the weights, `dW = X^T dY`: the left matrix is read down its columns, and the panels
//!   are columns of `dY` where it lies.
//!
//! Every value of the result is one sum in the order of the inner index, whatever the tile.

use crate::simd::{Compare, Level, at_registers};

/// Row strides of matrices that are read as panels are multiples of this: the widest panel.
pub(crate) const PANEL: usize = 32;

/// Registers side by side in a panel.
const ACROSS: usize = 2;

/// Values side by side in a panel at this level.
pub(crate) fn panel_width(level: Level) -> usize {
    ACROSS * level.lanes()
}

/// Values a packed matrix of `inner` rows and `columns` columns takes, at any level.
pub(crate) fn packed_len(inner: usize, columns: usize) -> usize {
    inner * columns.next_multiple_of(PANEL)
}

/// A left matrix: element `(row, inner)` stands at `row * row_stride + inner * inner_stride`.
#[derive(Clone, Copy)]
pub(crate) struct Left<'a> {
    pub data: &'a [f32],
    pub row_stride: usize,
    pub inner_stride: usize,
}

/// A right matrix: rows of the inner index, columns in panels.
#[derive(Clone, Copy)]
pub(crate) struct Right<'a> {
    data: &'a [f32],
    row_stride: usize,
    panel_stride: usize,
}

impl<'a> Right<'a> {
    /// What [`pack`] or [`pack_transposed`] wrote for this level.
    pub fn packed(level: Level, data: &'a [f32], inner: usize) -> Self {
        let width = panel_width(level);
        Self { data, row_stride: width, panel_stride: width * inner }
    }

    /// A row-major matrix whose rows take `stride` values, a multiple of [`PANEL`].
    pub fn rows(data: &'a [f32], stride: usize) -> Self {
        assert!(stride.is_multiple_of(PANEL), "{stride} is no multiple of {PANEL}");
        Self { data, row_stride: stride, panel_stride: 0 }
    }
}

/// Packs panel number `panel` of a row-major matrix `[inner, columns]`; columns beyond the last are
/// zeros. `out` takes `inner` rows of [`panel_width`].
pub(crate) fn pack(level: Level, matrix: &[f32], columns: usize, panel: usize, out: &mut [f32]) {
    let width = panel_width(level);
    let first = panel * width;
    let wide = width.min(columns - first);
    for (row, out) in matrix.chunks_exact(columns).zip(out.chunks_exact_mut(width)) {
        out[..wide].copy_from_slice(&row[first..first + wide]);
        out[wide..].fill(0.0);
    }
}

/// Packs panel number `panel` of the transpose of a row-major matrix `[columns, inner]`.
pub(crate) fn pack_transposed(level: Level, matrix: &[f32], columns: usize, panel: usize, out: &mut [f32]) {
    /// Inner indices at a time, so that the lines written stay in the first cache.
    const BLOCK: usize = 64;
    let width = panel_width(level);
    let inner = matrix.len() / columns;
    let first = panel * width;
    let wide = width.min(columns - first);
    for (block, out) in out.chunks_mut(BLOCK * width).enumerate() {
        let start = block * BLOCK;
        let end = start + out.len() / width;
        for lane in 0..width {
            let at = out.iter_mut().skip(lane).step_by(width);
            if lane < wide {
                let row = (first + lane) * inner;
                for (o, v) in at.zip(&matrix[row + start..row + end]) {
                    *o = *v;
                }
            } else {
                at.for_each(|o| *o = 0.0);
            }
        }
    }
}

/// `out = left * right`, or `out += left * right` with `accumulate`, for `rows` rows and `columns`
/// columns; rows of `out` lie `out_stride` values apart.
#[allow(clippy::too_many_arguments, reason = "the sides of a matrix product")]
pub(crate) fn product(
    level: Level,
    [rows, columns, inner]: [usize; 3],
    left: Left<'_>,
    right: Right<'_>,
    out: &mut [f32],
    out_stride: usize,
    accumulate: bool,
) {
    if rows == 0 || columns == 0 {
        return;
    }
    let width = panel_width(level);
    let right =
        Right { panel_stride: if right.panel_stride == 0 { width } else { right.panel_stride }, ..right };
    assert!((rows - 1) * out_stride + columns <= out.len(), "the result fits");
    if inner > 0 {
        assert!(
            (rows - 1) * left.row_stride + (inner - 1) * left.inner_stride < left.data.len(),
            "left side"
        );
        let last_panel = (columns - 1) / width * right.panel_stride;
        // A last panel of one register or less is read one register wide.
        assert!(last_panel + (inner - 1) * right.row_stride + width <= right.data.len(), "right side");
    }
    let sides = Sides {
        rows,
        columns,
        inner,
        left: left.data.as_ptr(),
        left_row: left.row_stride,
        left_inner: left.inner_stride,
        right: right.data.as_ptr(),
        right_row: right.row_stride,
        right_panel: right.panel_stride,
        out: out.as_mut_ptr(),
        out_row: out_stride,
        accumulate,
    };
    // SAFETY: the assertions keep every index inside the three slices.
    unsafe { multiply(level, &sides) }
}

/// The arguments of [`product`] as pointers and strides.
pub(crate) struct Sides {
    rows: usize,
    columns: usize,
    inner: usize,
    left: *const f32,
    left_row: usize,
    left_inner: usize,
    right: *const f32,
    right_row: usize,
    right_panel: usize,
    out: *mut f32,
    out_row: usize,
    accumulate: bool,
}

at_registers! {
    /// The product of [`Sides`].
    ///
    /// # Safety
    /// Every index inside the sides is inside the memory they point to.
    fn multiply = multiply_body(sides: &Sides)
}

#[inline(always)]
unsafe fn multiply_body<V: Compare>(s: &Sides) {
    let width = ACROSS * V::LANES;
    for panel in 0..s.columns.div_ceil(width) {
        let first = panel * width;
        let columns = (s.columns - first).min(width);
        // SAFETY: inside the sides, as the caller vouches.
        unsafe {
            let right = s.right.add(panel * s.right_panel);
            let out = s.out.add(first);
            if columns > V::LANES {
                panel_rows::<V, 2>(s, right, out, columns);
            } else {
                panel_rows::<V, 1>(s, right, out, columns);
            }
        }
    }
}

/// All rows of one panel, in the tallest tiles that fit.
#[inline(always)]
unsafe fn panel_rows<V: Compare, const NV: usize>(
    s: &Sides,
    right: *const f32,
    out: *mut f32,
    columns: usize,
) {
    let mut row = 0;
    // SAFETY: rows up to `s.rows` are inside the sides.
    unsafe {
        // Tiles that fill 32 registers, or 16.
        if V::REGISTERS == 32 {
            while row + 12 <= s.rows {
                tile::<V, 12, NV>(s, row, right, out, columns);
                row += 12;
            }
        }
        while row + 6 <= s.rows {
            tile::<V, 6, NV>(s, row, right, out, columns);
            row += 6;
        }
        match s.rows - row {
            5 => tile::<V, 5, NV>(s, row, right, out, columns),
            4 => tile::<V, 4, NV>(s, row, right, out, columns),
            3 => tile::<V, 3, NV>(s, row, right, out, columns),
            2 => tile::<V, 2, NV>(s, row, right, out, columns),
            1 => tile::<V, 1, NV>(s, row, right, out, columns),
            _ => {}
        }
    }
}

/// A tile of `MR` rows and `NV` registers.
#[inline(always)]
unsafe fn tile<V: Compare, const MR: usize, const NV: usize>(
    s: &Sides,
    row: usize,
    right: *const f32,
    out: *mut f32,
    columns: usize,
) {
    // SAFETY: rows `row..row + MR` and the panel's columns are inside the sides.
    unsafe {
        let mut sums = [[V::splat(0.0); NV]; MR];
        let mut left = s.left.add(row * s.left_row);
        let mut right = right;
        for _ in 0..s.inner {
            let mut panel = [V::splat(0.0); NV];
            for (j, register) in panel.iter_mut().enumerate() {
                *register = V::load(right.add(j * V::LANES));
            }
            for (i, sums) in sums.iter_mut().enumerate() {
                let value = V::splat(*left.add(i * s.left_row));
                for j in 0..NV {
                    sums[j] = value.mul_add(panel[j], sums[j]);
                }
            }
            left = left.wrapping_add(s.left_inner);
            right = right.wrapping_add(s.right_row);
        }
        for (i, sums) in sums.iter().enumerate() {
            let out = out.add((row + i) * s.out_row);
            for (j, sum) in sums.iter().enumerate() {
                let out = out.add(j * V::LANES);
                let count = columns - j * V::LANES;
                if count >= V::LANES {
                    let old = if s.accumulate { V::load(out) } else { V::splat(0.0) };
                    sum.add(old).store(out);
                } else {
                    let old = if s.accumulate { V::load_first(out, count) } else { V::splat(0.0) };
                    sum.add(old).store_first(out, count);
                }
            }
        }
    }
}
