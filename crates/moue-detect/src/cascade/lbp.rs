//! Multi-block local binary patterns (Liao et al. 2007).

use super::Subset;
use super::grid::Grid;
use super::program::{Test, Window};
use super::simd::Simd;
use super::together::View;

/// A grid of 3 x 3 equal blocks within the window, in pixels. Its value is eight bits: whether each
/// outer block, clockwise from the upper left one (the highest bit), is at least as bright as the middle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LbpFeature {
    /// Left edge of the grid.
    pub x: u32,
    /// Upper edge of the grid.
    pub y: u32,
    /// Width of one block; the grid has three times that.
    pub block_width: u32,
    /// Height of one block.
    pub block_height: u32,
}

impl LbpFeature {
    /// Positions of the 4 x 4 corners of the blocks in an integral image, from that of the window.
    pub(super) fn corners(self, grid: Grid) -> [u32; 16] {
        std::array::from_fn(|i| {
            let x = self.x as usize + (i % 4) * self.block_width as usize;
            let y = self.y as usize + (i / 4) * self.block_height as usize;
            grid.at(x, y) as u32
        })
    }
}

/// The pattern read at these corners of an integral image.
#[inline(always)]
pub(super) fn code(sums: &[i32], corners: &[u32; 16]) -> usize {
    // Written out: a closure over all corners is called rather than made part of the loop.
    let at = |i: usize| sums[corners[i] as usize];
    let p = [
        at(0),
        at(1),
        at(2),
        at(3),
        at(4),
        at(5),
        at(6),
        at(7),
        at(8),
        at(9),
        at(10),
        at(11),
        at(12),
        at(13),
        at(14),
        at(15),
    ];
    let block = |a: usize| p[a].wrapping_sub(p[a + 1]).wrapping_sub(p[a + 4]).wrapping_add(p[a + 5]);
    let middle = block(5);
    let bit = |corner: usize, shift: u32| usize::from(block(corner) >= middle) << shift;
    bit(0, 7) | bit(1, 6) | bit(2, 5) | bit(6, 4) | bit(10, 3) | bit(9, 2) | bit(8, 1) | bit(4, 0)
}

/// Whether the pattern is in a set.
pub(super) struct LbpTest {
    pub corners: [u32; 16],
    pub subset: Subset,
}

impl Test for LbpTest {
    fn reach(&self) -> u32 {
        self.corners.into_iter().max().unwrap_or(0)
    }

    #[inline(always)]
    fn goes_left(&self, window: &Window<'_>) -> bool {
        let code = code(window.sums, &self.corners);
        (self.subset[code >> 5] >> (code & 31)) & 1 == 1
    }

    #[inline(always)]
    unsafe fn go_left<S: Simd, V: View<S>>(&self, view: &V) -> S::Mask {
        // SAFETY: as the caller's.
        unsafe {
            let table = view.sums();
            // Written out: closures would be called rather than made part of the loop.
            let mut rows = [[view.read(table, self.corners[0]); 3]; 4];
            for (row, corners) in rows.iter_mut().zip(self.corners.chunks_exact(4)) {
                let (a, b) = (view.read(table, corners[0]), view.read(table, corners[1]));
                let (c, d) = (view.read(table, corners[2]), view.read(table, corners[3]));
                *row = [S::sub(a, b), S::sub(b, c), S::sub(c, d)];
            }
            let mut blocks = [rows[0]; 3];
            for (y, blocks) in blocks.iter_mut().enumerate() {
                for (x, block) in blocks.iter_mut().enumerate() {
                    *block = S::sub(rows[y][x], rows[y + 1][x]);
                }
            }
            let [[a, b, c], [h, middle, d], [g, f, e]] = blocks;
            let bits = [
                S::at_least(a, middle),
                S::at_least(b, middle),
                S::at_least(c, middle),
                S::at_least(d, middle),
                S::at_least(e, middle),
                S::at_least(f, middle),
                S::at_least(g, middle),
                S::at_least(h, middle),
            ];
            S::in_set(bits, &self.subset)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::integral;
    use super::*;

    #[test]
    fn bits_run_clockwise_from_the_upper_left() {
        let order = [(0, 0), (1, 0), (2, 0), (2, 1), (2, 2), (1, 2), (0, 2), (0, 1)];
        for (i, (column, row)) in order.into_iter().enumerate() {
            // Everything as dark as can be but the middle, a little brighter, and one block above it.
            let feature = LbpFeature { x: 1, y: 2, block_width: 2, block_height: 3 };
            let mut pixels = vec![0_u8; 9 * 12];
            let mut paint = |column: usize, row: usize, value: u8| {
                for y in 0..3 {
                    for x in 0..2 {
                        pixels[(2 + row * 3 + y) * 9 + 1 + column * 2 + x] = value;
                    }
                }
            };
            paint(1, 1, 10);
            paint(column, row, 11);
            let mut sums = vec![0; 10 * 13];
            integral::sums(&pixels, 9, 10, &mut sums);
            assert_eq!(code(&sums, &feature.corners(Grid::plain(10))), 1 << (7 - i));
        }
    }

    #[test]
    fn a_flat_window_sets_every_bit() {
        let mut sums = vec![0; 25 * 25];
        integral::sums(&[90; 24 * 24], 24, 25, &mut sums);
        let feature = LbpFeature { x: 0, y: 0, block_width: 8, block_height: 8 };
        assert_eq!(code(&sums, &feature.corners(Grid::plain(25))), 255);
    }
}
