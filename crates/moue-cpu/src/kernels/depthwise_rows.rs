//! Depthwise convolution of rows that already carry their borders: no pixel needs a check.

use crate::Level;
use crate::aligned::Aligned;
use crate::simd::{Vector, at_registers};

/// Largest kernel side.
pub(crate) const MAX_SIDE: usize = 8;

/// Output pixels whose sums are held in registers at a time: neighbours share most of their input.
const PIXELS: usize = 4;

/// A depthwise kernel packed for groups of channels: for each group its bias, then its taps.
pub(crate) struct DepthwiseKernel {
    sides: [usize; 2],
    strides: [usize; 2],
    values: Aligned,
    groups: Vec<Group>,
}

#[derive(Clone, Copy)]
struct Group {
    channels: usize,
    /// Channels with the unused lanes of the last register.
    padded: usize,
    start: usize,
}

impl DepthwiseKernel {
    /// Packs a kernel `[height, width, channels]` for groups given by their first channel and number of
    /// channels.
    pub fn new(
        level: Level,
        kernel: &[f32],
        bias: &[f32],
        sides: [usize; 2],
        strides: [usize; 2],
        groups: impl Iterator<Item = (usize, usize)>,
    ) -> Self {
        let all = bias.len();
        let taps = sides[0] * sides[1];
        let mut placed = Vec::new();
        let (mut start, mut firsts) = (0, Vec::new());
        for (first, channels) in groups {
            let padded = channels.next_multiple_of(level.lanes());
            placed.push(Group { channels, padded, start });
            firsts.push(first);
            start += (taps + 1) * padded;
        }
        let mut values = Aligned::zeros(start);
        for (group, first) in placed.iter().zip(firsts) {
            let lines = std::iter::once(bias).chain(kernel.chunks_exact(all));
            for (line, out) in lines.zip(values[group.start..].chunks_exact_mut(group.padded)) {
                out[..group.channels].copy_from_slice(&line[first..first + group.channels]);
            }
        }
        Self { sides, strides, values, groups: placed }
    }

    /// Channels of a group.
    pub fn channels(&self, group: usize) -> usize {
        self.groups[group].channels
    }

    /// Channels of a group with the unused lanes of its last register: the pixel stride of its rows.
    pub fn padded(&self, group: usize) -> usize {
        self.groups[group].padded
    }
}

/// The input rows under one output row: a pointer for each kernel row, at the first tap of the first
/// output pixel.
pub(crate) type Rows = [*const f32; MAX_SIDE];

/// One output row of a group of channels.
#[derive(Clone, Copy)]
pub(crate) struct RowTarget {
    pub base: *mut f32,
    pub pixels: usize,
    pub pixel_stride: usize,
}

#[inline(always)]
unsafe fn row_body<V: Vector>(
    kernel: &DepthwiseKernel,
    group: usize,
    rows: &Rows,
    target: RowTarget,
    bounds: (f32, f32),
) {
    // SAFETY: the caller's contract; a kernel of 3x3 has three rows.
    unsafe {
        match (kernel.sides, kernel.strides[1]) {
            ([3, 3], 1) => channels::<V, 3, 1>(kernel, group, rows, target, bounds),
            ([3, 3], 2) => channels::<V, 3, 2>(kernel, group, rows, target, bounds),
            _ => channels::<V, 0, 0>(kernel, group, rows, target, bounds),
        }
    }
}

/// Walks over the channels a register at a time. `K` and `S` are the side and step of a square kernel
/// known at compile time, or 0 for any.
#[inline(always)]
unsafe fn channels<V: Vector, const K: usize, const S: usize>(
    kernel: &DepthwiseKernel,
    group: usize,
    rows: &Rows,
    target: RowTarget,
    bounds: (f32, f32),
) {
    let group = kernel.groups[group];
    for c in (0..group.channels).step_by(V::LANES) {
        let mut x = 0;
        while x + PIXELS <= target.pixels {
            // SAFETY: the caller's contract.
            unsafe { pixels::<V, K, S, PIXELS>(kernel, group, c, rows, x, target, bounds) };
            x += PIXELS;
        }
        // SAFETY: as above.
        unsafe {
            match target.pixels - x {
                1 => pixels::<V, K, S, 1>(kernel, group, c, rows, x, target, bounds),
                2 => pixels::<V, K, S, 2>(kernel, group, c, rows, x, target, bounds),
                3 => pixels::<V, K, S, 3>(kernel, group, c, rows, x, target, bounds),
                _ => {}
            }
        }
    }
}

#[inline(always)]
unsafe fn pixels<V: Vector, const K: usize, const S: usize, const P: usize>(
    kernel: &DepthwiseKernel,
    group: Group,
    c: usize,
    rows: &Rows,
    x: usize,
    target: RowTarget,
    bounds: (f32, f32),
) {
    let [height, width] = if K > 0 { [K, K] } else { kernel.sides };
    let step = if S > 0 { S } else { kernel.strides[1] };
    let stride = group.padded;
    // SAFETY: taps and bias of the group are packed with `padded` channels each; the caller vouches
    // for rows and target.
    unsafe {
        let values = kernel.values.as_ptr().add(group.start + c);
        let mut sums = [V::load(values); P];
        for (ky, row) in rows.iter().enumerate().take(height) {
            let row = row.add(x * step * stride + c);
            for kx in 0..width {
                let w = V::load(values.add((1 + ky * width + kx) * stride));
                for (p, sum) in sums.iter_mut().enumerate() {
                    *sum = V::load(row.add((p * step + kx) * stride)).mul_add(w, *sum);
                }
            }
        }
        let (low, high) = (V::splat(bounds.0), V::splat(bounds.1));
        let lanes = group.channels - c;
        for (p, sum) in sums.iter().enumerate() {
            let y = sum.max(low).min(high);
            let at = target.base.add((x + p) * target.pixel_stride + c);
            if lanes >= V::LANES {
                y.store(at);
            } else {
                y.store_first(at, lanes);
            }
        }
    }
}

at_registers! {
    /// One output row of one group of channels: `clamp(sum over taps + bias)`.
    ///
    /// # Safety
    ///
    /// Each of the kernel's rows can be read from its pointer for all taps of all pixels of the target
    /// (pixels lie [`DepthwiseKernel::padded`] values apart), the target's channels can be written,
    /// nothing else accesses them meanwhile, and `level` is the one the kernel was packed for.
    fn row = row_body(
        kernel: &DepthwiseKernel,
        group: usize,
        rows: &Rows,
        target: RowTarget,
        bounds: (f32, f32),
    )
}
