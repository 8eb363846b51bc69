//! What a camera does to a face: few pixels, another curve of light, noise.

use crate::random::Stream;

/// Curve of light and noise of one picture, drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Camera {
    /// Side that the picture is reduced to before anything else, as a share of its own; 1 changes nothing.
    pub resolution: f32,
    /// Exponent of the pixels with white at 1; 1 changes nothing.
    pub gamma: f32,
    /// Standard deviation of the noise added to each pixel, with white at 1; 0 adds none.
    pub noise: f32,
    /// Start of the noise.
    pub seed: u64,
}

impl Camera {
    /// No change.
    pub const NONE: Self = Self { resolution: 1.0, gamma: 1.0, noise: 0.0, seed: 0 };

    /// Pixels in 0..=255 through the curve, then with noise; results stay in 0..=255.
    pub(super) fn expose(&self, pixels: &mut [f32]) {
        if self.gamma != 1.0 {
            for pixel in pixels.iter_mut() {
                *pixel = (*pixel / 255.0).powf(self.gamma) * 255.0;
            }
        }
        if self.noise > 0.0 {
            let mut random = Stream::new(self.seed, 0, 0);
            // The sum of four 16-bit numbers has standard deviation 65536 / sqrt(3) and is near enough to normal.
            let scale = self.noise * 255.0 / (65_536.0 / 3.0f32.sqrt());
            for pixel in pixels {
                let bits = random.bits();
                let sum: u64 = (0..4).map(|i| bits >> (16 * i) & 0xffff).sum();
                *pixel = (*pixel + (sum as f32 - 131_070.0) * scale).clamp(0.0, 255.0);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_has_the_given_deviation() {
        let mut pixels = vec![128.0f32; 40_000];
        Camera { noise: 0.05, seed: 4, ..Camera::NONE }.expose(&mut pixels);
        let n = pixels.len() as f64;
        let mean = pixels.iter().map(|&p| f64::from(p)).sum::<f64>() / n;
        let deviation = (pixels.iter().map(|&p| (f64::from(p) - mean).powi(2)).sum::<f64>() / n).sqrt();
        assert!((mean - 128.0).abs() < 0.3, "{mean}");
        assert!((deviation - 0.05 * 255.0).abs() < 0.2, "{deviation}");
    }

    #[test]
    fn the_curve_keeps_black_and_white() {
        let mut pixels = [0.0, 51.0, 255.0];
        Camera { gamma: 2.0, ..Camera::NONE }.expose(&mut pixels);
        assert!(pixels.iter().zip([0.0, 10.2, 255.0]).all(|(a, b)| (a - b).abs() < 1e-3), "{pixels:?}");
    }
}
