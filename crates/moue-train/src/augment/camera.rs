//! What a camera does to a face: few pixels, another curve of light, noise.

use std::sync::LazyLock;

use moue_graph::engine::rendering::{self, NOISE_PERIOD};

/// The noise of every picture, read from a place of its own.
static NOISE: LazyLock<Vec<f32>> = LazyLock::new(rendering::noise);

/// Curve of light and noise of one picture, drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Camera {
    /// Side that the picture is reduced to before anything else, as a share of its own; 1 changes nothing.
    pub resolution: f32,
    /// Exponent of the pixels with white at 1; 1 changes nothing.
    pub gamma: f32,
    /// Standard deviation of the noise added to each pixel, with white at 1; 0 adds none.
    pub noise: f32,
    /// Where the picture starts in [`rendering::noise`], below [`NOISE_PERIOD`].
    pub noise_start: u32,
}

impl Camera {
    /// No change.
    pub const NONE: Self = Self { resolution: 1.0, gamma: 1.0, noise: 0.0, noise_start: 0 };
}

/// Pixels in 0..=255 through the curve of light.
pub(super) fn bend(gamma: f32, pixels: &mut [f32]) {
    if gamma != 1.0 {
        for pixel in pixels {
            *pixel = (*pixel / 255.0).powf(gamma) * 255.0;
        }
    }
}

/// Adds noise of this deviation, with white at 255; results stay in 0..=255.
pub(super) fn add_noise(deviation: f32, start: u32, pixels: &mut [f32]) {
    if deviation > 0.0 {
        let noise = NOISE.iter().cycle().skip(start as usize % NOISE_PERIOD);
        for (pixel, noise) in pixels.iter_mut().zip(noise) {
            *pixel = (*pixel + noise * deviation).clamp(0.0, 255.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_has_the_given_deviation() {
        let mut pixels = vec![128.0f32; 40_000];
        add_noise(0.05 * 255.0, 65_000, &mut pixels);
        let n = pixels.len() as f64;
        let mean = pixels.iter().map(|&p| f64::from(p)).sum::<f64>() / n;
        let deviation = (pixels.iter().map(|&p| (f64::from(p) - mean).powi(2)).sum::<f64>() / n).sqrt();
        assert!((mean - 128.0).abs() < 0.3, "{mean}");
        assert!((deviation - 0.05 * 255.0).abs() < 0.2, "{deviation}");
    }

    #[test]
    fn the_curve_keeps_black_and_white() {
        let mut pixels = [0.0, 51.0, 255.0];
        bend(2.0, &mut pixels);
        assert!(pixels.iter().zip([0.0, 10.2, 255.0]).all(|(a, b)| (a - b).abs() < 1e-3), "{pixels:?}");
    }
}
