//! The change of one picture, drawn.

use super::camera::Camera;
use super::erasing::Erased;

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

    /// Changes brightness and contrast of pixels in 0..=255 around `mean`; results stay in 0..=255.
    pub(super) fn light(&self, mean: f32, pixels: &mut [f32]) {
        if self.brightness == 0.0 && self.contrast == 1.0 {
            return;
        }
        let offset = mean * (1.0 - self.contrast) + self.brightness * 255.0;
        for pixel in pixels {
            *pixel = (*pixel * self.contrast + offset).clamp(0.0, 255.0);
        }
    }
}
