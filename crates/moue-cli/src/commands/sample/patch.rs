//! Small grey pictures in floating point, as means are computed with.

/// A square picture; values have no fixed range.
#[derive(Clone, Debug, PartialEq)]
pub struct Patch {
    pub side: usize,
    pub pixels: Vec<f32>,
}

/// Where a picture is looked at: the middle moved by (`x`, `y`) pixels, everything enlarged by `scale`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct View {
    pub scale: f32,
    pub x: f32,
    pub y: f32,
}

impl View {
    /// The picture as it is.
    pub const PLAIN: Self = Self { scale: 1.0, x: 0.0, y: 0.0 };
}

impl Patch {
    pub fn new(side: usize, pixels: impl IntoIterator<Item = f32>) -> Self {
        Self { side, pixels: pixels.into_iter().collect() }
    }

    /// The picture at a view as `side` pixels a side; bicubic (Catmull and Rom 1974), the edge repeated.
    pub fn seen(&self, view: View, side: usize) -> Self {
        let step = self.side as f32 / (side as f32 * view.scale);
        let middle = self.side as f32 / 2.0;
        let taps = |shift: f32| -> Vec<[(usize, f32); 4]> {
            let last = self.side as isize - 1;
            (0..side)
                .map(|i| {
                    let at = (i as f32 + 0.5 - side as f32 / 2.0) * step + middle - shift - 0.5;
                    let first = at.floor();
                    let weights = catmull_rom(at - first);
                    [0, 1, 2, 3]
                        .map(|k| ((first as isize - 1 + k).clamp(0, last) as usize, weights[k as usize]))
                })
                .collect()
        };
        let (columns, rows) = (taps(view.x), taps(view.y));
        let mut lines = Vec::with_capacity(self.side * side);
        for line in self.pixels.chunks_exact(self.side) {
            lines.extend(columns.iter().map(|taps| taps.iter().map(|&(x, w)| line[x] * w).sum::<f32>()));
        }
        let mut pixels = Vec::with_capacity(side * side);
        for taps in &rows {
            pixels.extend((0..side).map(|x| taps.iter().map(|&(y, w)| lines[y * side + x] * w).sum::<f32>()));
        }
        Self { side, pixels }
    }

    /// Mean 0 and standard deviation 1 under these weights, one a pixel.
    pub fn normalised(&self, weights: &[f32]) -> Self {
        let total: f32 = weights.iter().sum();
        let mean = self.pixels.iter().zip(weights).map(|(p, w)| p * w).sum::<f32>() / total;
        let variance =
            self.pixels.iter().zip(weights).map(|(p, w)| (p - mean).powi(2) * w).sum::<f32>() / total;
        // A picture of one grey stays one.
        let scale = 1.0 / variance.sqrt().max(1e-3);
        Self::new(self.side, self.pixels.iter().map(|p| (p - mean) * scale))
    }

    /// The picture laid over its mirror image.
    pub fn symmetric(&self) -> Self {
        let mirrored = self.pixels.chunks_exact(self.side).flat_map(|row| row.iter().rev());
        Self::new(self.side, self.pixels.iter().zip(mirrored).map(|(a, b)| (a + b) / 2.0))
    }

    /// Unsharp masking: adds `amount` times the difference to the picture blurred by `sigma` pixels.
    pub fn sharpened(&self, sigma: f32, amount: f32) -> Self {
        let blurred = self.blurred(sigma);
        Self::new(self.side, self.pixels.iter().zip(&blurred.pixels).map(|(p, b)| p + amount * (p - b)))
    }

    /// Gaussian blur, the edge repeated.
    fn blurred(&self, sigma: f32) -> Self {
        let reach = (3.0 * sigma).ceil() as isize;
        let kernel: Vec<f32> = (-reach..=reach).map(|i| (-0.5 * (i as f32 / sigma).powi(2)).exp()).collect();
        let total: f32 = kernel.iter().sum();
        let (side, last) = (self.side, self.side as isize - 1);
        let pass = |from: &[f32], at: &dyn Fn(usize, usize) -> usize| -> Vec<f32> {
            let mut to = vec![0.0; from.len()];
            for line in 0..side {
                for i in 0..side {
                    let value = |k: usize| (i as isize + k as isize - reach).clamp(0, last) as usize;
                    let sum: f32 = kernel.iter().enumerate().map(|(k, w)| w * from[at(line, value(k))]).sum();
                    to[at(line, i)] = sum / total;
                }
            }
            to
        };
        let across = pass(&self.pixels, &|line, i| line * side + i);
        Self { side, pixels: pass(&across, &|line, i| i * side + line) }
    }
}

fn catmull_rom(t: f32) -> [f32; 4] {
    [
        ((2.0 - t) * t - 1.0) * t / 2.0,
        ((3.0 * t - 5.0) * t * t + 2.0) / 2.0,
        ((4.0 - 3.0 * t) * t + 1.0) * t / 2.0,
        (t - 1.0) * t * t / 2.0,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ramp(side: usize) -> Patch {
        Patch::new(side, (0..side * side).map(|i| (i % side) as f32 + 10.0 * (i / side) as f32))
    }

    #[test]
    fn a_plain_view_is_the_picture_and_a_moved_one_is_moved() {
        let patch = ramp(8);
        assert_eq!(patch.seen(View::PLAIN, 8), patch);
        let moved = patch.seen(View { x: 2.0, y: -1.0, ..View::PLAIN }, 8);
        // Pixel (4, 3) shows what stood two to the left and one below.
        assert_eq!(moved.pixels[3 * 8 + 4], patch.pixels[4 * 8 + 2]);
        let doubled = patch.seen(View::PLAIN, 16);
        assert!((doubled.pixels[8 * 16 + 8] - (patch.pixels[4 * 8 + 4] - 0.25 - 2.5)).abs() < 1e-4);
        let enlarged = patch.seen(View { scale: 2.0, ..View::PLAIN }, 8);
        assert!((enlarged.pixels[0] - doubled.pixels[4 * 16 + 4]).abs() < 1e-4);
    }

    #[test]
    fn weights_of_the_spline_add_up() {
        for i in 0..=10 {
            assert!((catmull_rom(i as f32 / 10.0).iter().sum::<f32>() - 1.0).abs() < 1e-6);
        }
    }

    #[test]
    fn normalising_looks_at_the_weighted_pixels_only() {
        let patch = Patch::new(2, [1.0, 3.0, 500.0, -7.0]).normalised(&[1.0, 1.0, 0.0, 0.0]);
        assert_eq!(patch.pixels[..2], [-1.0, 1.0]);
        let flat = Patch::new(2, [4.0; 4]).normalised(&[1.0; 4]);
        assert_eq!(flat.pixels, [0.0; 4]);
    }

    #[test]
    fn sharpening_keeps_a_plain_and_raises_an_edge() {
        let flat = Patch::new(8, vec![3.0; 64]);
        assert!(flat.sharpened(2.0, 1.0).pixels.iter().all(|p| (p - 3.0).abs() < 1e-4));
        let edge = Patch::new(8, (0..64).map(|i| if i % 8 < 4 { 0.0 } else { 1.0 })).sharpened(1.0, 1.0);
        assert!(edge.pixels[3] < -0.2 && edge.pixels[4] > 1.2);
        assert_eq!(ramp(4).symmetric().pixels[..4], [1.5; 4]);
    }
}
