//! The change of one picture, drawn.

use moue_graph::engine::rendering::Rendering;

use super::camera::Camera;
use super::erasing::Erased;
use super::warp::{self, Source};

/// What happens to one picture. The middle of the picture is the fixed point of rotation and size.
#[derive(Clone, Debug, PartialEq)]
pub struct Transform {
    /// Mirrored left to right, after everything else of the geometry.
    pub flip: bool,
    /// Shift right and down as a share of the side.
    pub shift: [f32; 2],
    /// Clockwise rotation in degrees.
    pub rotation: f32,
    /// Size factor; above 1 the face grows.
    pub scale: f32,
    /// Added to every pixel, white being 1.
    pub brightness: f32,
    /// Factor of the distance from the picture's mean.
    pub contrast: f32,
    /// Resolution, curve of light and noise.
    pub camera: Camera,
    /// The rectangle painted over.
    pub erased: Option<Erased>,
}

impl Transform {
    /// No change: a plain resize.
    pub const NONE: Self = Self {
        flip: false,
        shift: [0.0; 2],
        rotation: 0.0,
        scale: 1.0,
        brightness: 0.0,
        contrast: 1.0,
        camera: Camera::NONE,
        erased: None,
    };

    /// What becomes of the picture number `picture`, `source`, on its way to an input of `side` x `side`.
    pub fn rendering(&self, picture: u32, source: Source<'_>, side: usize) -> Rendering {
        let resolved = ((source.side() as f32 * self.camera.resolution).round() as usize).max(1);
        let reduced = resolved.min(side).min(source.side());
        Rendering {
            picture,
            reduced: reduced as u32,
            matrix: warp::matrix(self, reduced, side),
            flip: self.flip,
            contrast: self.contrast,
            lightness: if self.brightness == 0.0 && self.contrast == 1.0 {
                0.0
            } else {
                source.mean() * (1.0 - self.contrast) + self.brightness * 255.0
            },
            gamma: self.camera.gamma,
            noise: self.camera.noise * 255.0,
            noise_start: self.camera.noise_start,
            erased: self.erased.as_ref().map(|e| e.on(side)),
            share: 0.0,
        }
    }
}

/// Changes brightness and contrast of pixels in 0..=255; results stay in 0..=255.
pub(super) fn light(contrast: f32, lightness: f32, pixels: &mut [f32]) {
    if contrast != 1.0 || lightness != 0.0 {
        for pixel in pixels {
            *pixel = (*pixel * contrast + lightness).clamp(0.0, 255.0);
        }
    }
}
