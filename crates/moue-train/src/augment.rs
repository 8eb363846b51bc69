//! From a stored grey picture to the network's input: resize and random changes in one pass.
//!
//! Training, validation and evaluation go through [`render`]. Without changes it equals
//! `moue_media::Grey::crop_resized`, through which faces go at inference, so that a network sees at work
//! what it saw while it learnt.

mod camera;
mod erasing;
mod transform;
mod warp;

use moue_graph::Preprocessing;
use moue_graph::engine::rendering::NOISE_PERIOD;
use serde::{Deserialize, Serialize};

use crate::random::Stream;
use crate::{Error, Result};

pub use camera::Camera;
pub use erasing::{Erased, Erasing};
pub use transform::Transform;
pub use warp::Source;

/// Random changes of a training picture. The default changes nothing.
///
/// Each value is drawn anew for every picture in every epoch, uniformly within its range.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Augmentation {
    /// Probability of a mirrored picture, 0..=1.
    pub flip: f32,
    /// Largest shift along each axis as a share of the side, 0..=0.5.
    pub shift: f32,
    /// Largest rotation either way in degrees, 0..=180.
    pub rotation: f32,
    /// Largest change of size: the factor is drawn from `1 / (1 + scale)` to `1 + scale`, as often
    /// below 1 as above; 0..=1.
    pub scale: f32,
    /// Largest amount added to or taken from all pixels, with white at 1; 0..=1.
    pub brightness: f32,
    /// Largest change of contrast: distances from the picture's mean are multiplied by a factor
    /// between `1 - contrast` and `1 + contrast`; 0..=1.
    pub contrast: f32,
    /// Smallest resolution as a share of the picture's own: the share is `1 - (1 - resolution) u^2` with `u` in 0..1,
    /// so that most pictures lose little; 1 changes nothing, 0.1..=1.
    pub resolution: f32,
    /// Largest change of the curve of light: the exponent is drawn from `1 / (1 + gamma)` to `1 + gamma`; 0..=2.
    pub gamma: f32,
    /// Largest standard deviation of the noise in each pixel, with white at 1; 0..=0.5.
    pub noise: f32,
    /// A rectangle painted over; absent: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub erasing: Option<Erasing>,
}

impl Default for Augmentation {
    fn default() -> Self {
        Self {
            flip: 0.0,
            shift: 0.0,
            rotation: 0.0,
            scale: 0.0,
            brightness: 0.0,
            contrast: 0.0,
            resolution: 1.0,
            gamma: 0.0,
            noise: 0.0,
            erasing: None,
        }
    }
}

/// Keeps the draws of [`Camera`] apart from the others.
const CAMERA: u64 = 0x6361_6d65_7261;

impl Augmentation {
    /// The changes of sample `sample` in epoch `epoch`. They depend on nothing else, so that threads,
    /// batches and interruptions cannot change a training.
    pub fn draw(&self, seed: u64, epoch: u64, sample: u64) -> Transform {
        let mut random = Stream::new(seed, epoch, sample);
        // Every value is drawn whether it is used or not: switching one change on leaves the others.
        let flip = random.unit() < self.flip;
        let shift = [self.shift * random.signed(), self.shift * random.signed()];
        let rotation = self.rotation * random.signed();
        let scale = (1.0 + self.scale).powf(random.signed());
        let brightness = self.brightness * random.signed();
        let contrast = 1.0 + self.contrast * random.signed();
        let erased = self.erasing.as_ref().and_then(|e| e.draw(&mut random));
        let mut random = Stream::new(seed ^ CAMERA, epoch, sample);
        let camera = Camera {
            resolution: 1.0 - (1.0 - self.resolution) * random.unit().powi(2),
            gamma: (1.0 + self.gamma).powf(random.signed()),
            noise: self.noise * random.unit(),
            noise_start: if self.noise > 0.0 { (random.bits() % NOISE_PERIOD as u64) as u32 } else { 0 },
        };
        Transform { flip, shift, rotation, scale, brightness, contrast, camera, erased }
    }

    /// The first field out of range, as its name and what is wrong with it.
    pub(crate) fn check(&self) -> std::result::Result<(), (&'static str, String)> {
        let limits = [
            ("flip", self.flip, 1.0),
            ("shift", self.shift, 0.5),
            ("rotation", self.rotation, 180.0),
            ("scale", self.scale, 1.0),
            ("brightness", self.brightness, 1.0),
            ("contrast", self.contrast, 1.0),
        ];
        for (name, value, limit) in limits {
            if !(0.0..=limit).contains(&value) {
                return Err((name, format!("{value} must lie in 0..={limit}")));
            }
        }
        for (name, value, low, high) in [
            ("resolution", self.resolution, 0.1, 1.0),
            ("gamma", self.gamma, 0.0, 2.0),
            ("noise", self.noise, 0.0, 0.5),
        ] {
            if !(low..=high).contains(&value) {
                return Err((name, format!("{value} must lie in {low}..={high}")));
            }
        }
        self.erasing.as_ref().map_or(Ok(()), |e| e.check().map_err(|reason| ("erasing", reason)))
    }
}

/// Where rendered pictures go: a square input of `side` pixels with `channels` equal channels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Target {
    /// Width and height in pixels.
    pub side: usize,
    /// Channels, each of which gets the grey value.
    pub channels: usize,
    /// Input = pixel x `scale` + `offset`, pixels in 0..=255.
    pub scale: f32,
    /// See `scale`.
    pub offset: f32,
}

impl Target {
    /// The target of a graph's input shape `[side, side, channels]`.
    ///
    /// An error where the input is not square or the preprocessing wants colour.
    pub fn new(input: &[usize], preprocessing: &Preprocessing) -> Result<Self> {
        let &[height, width, channels] = input else {
            return Err(Error::Parameter(format!("the input {input:?} is no [height, width, channels]")));
        };
        if height != width {
            return Err(Error::Parameter(format!("the input {input:?} is not square")));
        }
        if !preprocessing.grey {
            return Err(Error::Parameter("the model wants colour, the data is grey".into()));
        }
        Ok(Self { side: height, channels, scale: preprocessing.scale, offset: preprocessing.offset })
    }

    /// Values of one picture.
    pub fn len(&self) -> usize {
        self.side * self.side * self.channels
    }

    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Buffers of [`render`], kept from picture to picture.
#[derive(Debug, Default)]
pub struct Scratch {
    source: Vec<f32>,
    grey: Vec<f32>,
}

/// Writes one picture in NHWC: resolution and geometry, then light, then erasing, then the preprocessing. An engine that
/// keeps the pictures does the same with the [`Transform::rendering`].
///
/// With [`Transform::NONE`] the geometry is a bilinear resize with half-pixel centres and
/// replicated edges. Where the target is smaller than the source, the source is first reduced with
/// a triangle filter as wide as the reduction, so that no pixel is skipped.
///
/// An error where `out` has not [`Target::len`] values.
pub fn render(
    source: Source<'_>,
    transform: &Transform,
    target: &Target,
    scratch: &mut Scratch,
    out: &mut [f32],
) -> Result<()> {
    if out.len() != target.len() || target.is_empty() {
        let (have, want) = (out.len(), target.len());
        return Err(Error::Parameter(format!("a rendered picture has {want} values, the buffer {have}")));
    }
    let Scratch { source: wide, grey } = scratch;
    grey.resize(target.side * target.side, 0.0);
    let rendering = transform.rendering(0, source, target.side);
    warp::warp(source, &rendering, target.side, wide, grey);
    transform::light(rendering.contrast, rendering.lightness, grey);
    camera::bend(rendering.gamma, grey);
    camera::add_noise(rendering.noise, rendering.noise_start, grey);
    if let Some(erased) = &rendering.erased {
        erasing::paint(erased, target.side, grey);
    }
    let (scale, offset) = (target.scale, target.offset);
    if target.channels == 3 {
        for (pixel, &value) in out.as_chunks_mut::<3>().0.iter_mut().zip(grey.iter()) {
            *pixel = [value * scale + offset; 3];
        }
    } else {
        for (pixel, &value) in out.chunks_exact_mut(target.channels).zip(grey.iter()) {
            pixel.fill(value * scale + offset);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
