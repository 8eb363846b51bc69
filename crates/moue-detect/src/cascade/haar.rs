//! Haar-like features: weighted sums over up to three rectangles (Lienhart and Maydt 2002).

use super::Size;
use super::grid::{Grid, LANES};
use super::program::{Lanes, Test, Window};
use super::simd::Simd;
use super::together::View;

/// A weighted rectangle, in pixels of the window.
///
/// Tilted, it is turned by 45 degrees: `(x, y)` is its topmost corner, `width` runs down to the right
/// and `height` down to the left.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HaarRect {
    /// Left edge.
    pub x: u32,
    /// Upper edge.
    pub y: u32,
    /// Width.
    pub width: u32,
    /// Height.
    pub height: u32,
    /// Factor of its sum.
    pub weight: f32,
}

/// Up to three rectangles, all upright or all tilted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HaarFeature {
    /// The rectangles; those not used have weight and size 0.
    pub rects: [HaarRect; 3],
    /// Whether they are turned by 45 degrees.
    pub tilted: bool,
}

impl HaarRect {
    /// A rectangle that adds nothing.
    pub(super) const NONE: Self = Self { x: 0, y: 0, width: 0, height: 0, weight: 0.0 };

    /// Whether all four corners lie within the window.
    pub(super) fn fits(&self, window: Size, tilted: bool) -> bool {
        let [x, y, width, height] = [self.x, self.y, self.width, self.height].map(u64::from);
        let (right, bottom) = if tilted { (x + width, y + width + height) } else { (x + width, y + height) };
        let left_fits = !tilted || x >= height;
        left_fits && right <= u64::from(window.width) && bottom <= u64::from(window.height)
    }

    /// Positions of its corners in an integral image; the sum is `a - b - c + d`.
    fn corners(&self, grid: Grid, tilted: bool) -> [u32; 4] {
        let [x, y, width, height] = [self.x, self.y, self.width, self.height].map(|v| v as usize);
        let at = |x: usize, y: usize| grid.at(x, y) as u32;
        if tilted {
            [
                at(x, y),
                at(x - height, y + height),
                at(x + width, y + width),
                at(x + width - height, y + width + height),
            ]
        } else {
            [at(x, y), at(x + width, y), at(x, y + height), at(x + width, y + height)]
        }
    }
}

/// Whether a feature, freed of the window's contrast, lies below a threshold.
pub(super) struct HaarTest {
    corners: [[u32; 4]; 3],
    weights: [f32; 3],
    tilted: bool,
    threshold: f32,
}

impl HaarTest {
    pub fn new(feature: &HaarFeature, threshold: f32, grid: Grid) -> Self {
        Self {
            corners: feature.rects.map(|rect| rect.corners(grid, feature.tilted)),
            weights: feature.rects.map(|rect| rect.weight),
            tilted: feature.tilted,
            threshold,
        }
    }
}

#[inline(always)]
pub(super) fn rect_sum(sums: &[i32], corners: &[u32; 4]) -> i32 {
    let at = |i: usize| sums[corners[i] as usize];
    at(0).wrapping_sub(at(1)).wrapping_sub(at(2)).wrapping_add(at(3))
}

/// The sum over a rectangle times its weight, for several windows.
///
/// # Safety
/// As of [`View::read`].
#[inline(always)]
unsafe fn weighed<S: Simd, V: View<S>>(
    view: &V,
    table: *const i32,
    corners: &[u32; 4],
    weight: f32,
) -> S::Floats {
    // SAFETY: as the caller's.
    unsafe {
        let upper = S::sub(view.read(table, corners[0]), view.read(table, corners[1]));
        let lower = S::sub(view.read(table, corners[3]), view.read(table, corners[2]));
        S::mul(S::splat(weight), S::to_floats(S::add(upper, lower)))
    }
}

impl Test for HaarTest {
    fn reach(&self) -> u32 {
        self.corners.iter().flatten().copied().max().unwrap_or(0)
    }

    #[inline(always)]
    fn goes_left(&self, window: &Window<'_>) -> bool {
        let sums = if self.tilted { window.tilted } else { window.sums };
        let part = |i: usize| self.weights[i] * rect_sum(sums, &self.corners[i]) as f32;
        let mut value = part(0) + part(1);
        if self.weights[2] != 0.0 {
            value += part(2);
        }
        value * window.norm < self.threshold
    }

    #[inline(always)]
    unsafe fn go_left<S: Simd, V: View<S>>(&self, view: &V) -> S::Mask {
        // SAFETY: as the caller's.
        unsafe {
            let table = if self.tilted { view.tilted() } else { view.sums() };
            let mut value = weighed::<S, V>(view, table, &self.corners[0], self.weights[0]);
            value = S::add_floats(value, weighed::<S, V>(view, table, &self.corners[1], self.weights[1]));
            if self.weights[2] != 0.0 {
                value = S::add_floats(value, weighed::<S, V>(view, table, &self.corners[2], self.weights[2]));
            }
            S::below(S::mul(value, view.norms()), S::splat(self.threshold))
        }
    }
}

/// What windows side by side read at one corner.
#[inline(always)]
fn lanes(table: &[i32], corner: u32) -> &[i32; LANES] {
    const NOTHING: [i32; LANES] = [0; LANES];
    table.get(corner as usize..).and_then(|row| row.first_chunk()).unwrap_or(&NOTHING)
}

/// Measures the contrast of windows over their inner part, one pixel less on each side.
pub(super) struct Contrast {
    corners: [u32; 4],
    area: f64,
}

impl Contrast {
    pub fn new(window: Size, grid: Grid) -> Self {
        let (width, height) = (window.width - 2, window.height - 2);
        let inner = HaarRect { x: 1, y: 1, width, height, weight: 1.0 };
        Self { corners: inner.corners(grid, false), area: f64::from(width) * f64::from(height) }
    }

    /// The factor by which features of this window are multiplied; `None` for a window so flat that
    /// OpenCV does not look at it.
    #[inline(always)]
    pub fn norm(&self, sums: &[i32], squares: &[i32]) -> Option<f32> {
        let sum = f64::from(rect_sum(sums, &self.corners));
        let squared = f64::from(rect_sum(squares, &self.corners) as u32);
        let spread = self.area * squared - sum * sum;
        if spread > 0.0 {
            let norm = (1.0 / spread.sqrt()) as f32;
            (self.area * f64::from(norm) < 0.1).then_some(norm)
        } else {
            None
        }
    }

    /// [`norm`](Self::norm) of windows side by side, and a bit for each that is looked at.
    #[inline(always)]
    pub fn norms(&self, sums: &[i32], squares: &[i32]) -> ([f32; LANES], Lanes) {
        let corners = self.corners;
        let row = |table| corners.map(|corner| lanes(table, corner));
        let (s, q): ([&[i32; LANES]; 4], [&[i32; LANES]; 4]) = (row(sums), row(squares));
        let mut norms = [0.0_f32; LANES];
        for (lane, norm) in norms.iter_mut().enumerate() {
            let sum = s[0][lane].wrapping_sub(s[1][lane]).wrapping_sub(s[2][lane]).wrapping_add(s[3][lane]);
            let squared =
                q[0][lane].wrapping_sub(q[1][lane]).wrapping_sub(q[2][lane]).wrapping_add(q[3][lane]);
            let sum = f64::from(sum);
            let spread = self.area * f64::from(squared as u32) - sum * sum;
            // No root of a number below 0 is taken; such a window is not looked at.
            *norm = if spread > 0.0 { (1.0 / spread.max(0.0).sqrt()) as f32 } else { f32::INFINITY };
        }
        let mut looked_at = 0;
        for (lane, &norm) in norms.iter().enumerate() {
            looked_at |= Lanes::from(self.area * f64::from(norm) < 0.1) << lane;
        }
        (norms, looked_at)
    }
}

#[cfg(test)]
mod tests {
    use super::super::integral;
    use super::*;

    #[test]
    fn a_tilted_rectangle_sums_its_diamond() {
        // Width 2, height 1 with the top corner at (2, 1): the pixels beside the diagonals.
        let mut pixels = vec![0_u8; 6 * 6];
        for (x, y) in [(1, 1), (2, 2), (1, 2), (2, 3)] {
            pixels[y * 6 + x] = 1;
        }
        let mut table = vec![0; 7 * 7];
        integral::tilted(&pixels, 6, 7, &mut table);
        let rect = HaarRect { x: 2, y: 1, width: 2, height: 1, weight: 1.0 };
        assert_eq!(rect_sum(&table, &rect.corners(Grid::plain(7), true)), 4);
        integral::tilted(&[1; 36], 6, 7, &mut table);
        assert_eq!(rect_sum(&table, &rect.corners(Grid::plain(7), true)), 2 * 2);
    }

    #[test]
    fn rectangles_must_fit_the_window() {
        let window = Size { width: 20, height: 20 };
        let rect = |x, y, width, height| HaarRect { x, y, width, height, weight: 1.0 };
        assert!(rect(0, 0, 20, 20).fits(window, false));
        assert!(!rect(1, 0, 20, 20).fits(window, false));
        assert!(!rect(u32::MAX, 0, u32::MAX, 1).fits(window, false));
        assert!(rect(10, 0, 10, 10).fits(window, true));
        assert!(!rect(9, 0, 10, 10).fits(window, true));
        assert!(!rect(10, 1, 10, 10).fits(window, true));
    }

    #[test]
    fn flat_windows_have_no_contrast() {
        let contrast = Contrast::new(Size { width: 20, height: 20 }, Grid::plain(21));
        let mut sums = vec![0; 21 * 21];
        let mut squares = sums.clone();
        let mut pixels = vec![200_u8; 400];
        let mut norm = |pixels: &[u8]| {
            integral::sums(pixels, 20, 21, &mut sums);
            integral::squares(pixels, 20, 21, &mut squares);
            contrast.norm(&sums, &squares)
        };
        assert_eq!(norm(&pixels), None);
        pixels.iter_mut().step_by(2).for_each(|v| *v = 100);
        // Half the pixels at 100 and half at 200: standard deviation 50 over 324 pixels.
        let got = norm(&pixels).unwrap();
        assert!((got - 1.0 / (324.0 * 50.0)).abs() < 1e-9, "{got}");
    }
}
