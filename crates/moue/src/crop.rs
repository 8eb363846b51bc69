//! From a face box to the numbers that a network reads.

use moue_graph::{Preprocessing, View};
use moue_media::{Picture, Region};

use crate::Error;

/// Side of a FER2013 picture. Models learn from faces of this size, enlarged to their input where that
/// is larger; a face cut from a photo at full detail would look like nothing they know.
const LEARNT_SIDE: u32 = 48;

/// All of a picture of [`LEARNT_SIDE`].
const WHOLE: Region = Region { x: 0.0, y: 0.0, width: LEARNT_SIDE as f32, height: LEARNT_SIDE as f32 };

/// Side of a FER2013 picture over the height of the face in it, forehead to chin: chin and hair line are just cut off.
const LEARNT_SHARE: f32 = 0.96;

/// The square cut out for a face, as FER2013 cuts faces out: around the centre of its box, 0.96 times as wide as the
/// longer side of the box, with `margin` times that side added on each side. It may leave the picture.
pub fn square(region: Region, margin: f32) -> Region {
    let side = region.width.max(region.height) * LEARNT_SHARE * (1.0 + 2.0 * margin);
    Region {
        x: region.x + (region.width - side) / 2.0,
        y: region.y + (region.height - side) / 2.0,
        width: side,
        height: side,
    }
}

/// A square of a picture to be read, turned with the face in it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cutout {
    /// The square as it would be if it stood upright, in pixels of the picture.
    pub region: Region,
    /// Degrees by which it is turned clockwise about its centre; it is turned back before it is read.
    pub roll: f32,
}

/// Degrees of roll up to which a face is read as it stands: models learn from faces that lean as much, and every turn costs a
/// little sharpness.
const UPRIGHT: f32 = 5.0;

impl Cutout {
    /// The square cut out for a face with this box and roll, as FER2013 cuts faces out, with `margin` times its side added on each side.
    pub fn of(bounds: Region, roll: f32, margin: f32) -> Self {
        Self { region: square(bounds, margin), roll }
    }

    fn is_turned(&self) -> bool {
        self.roll.abs() > UPRIGHT
    }

    /// The cutout moved and enlarged as the view says, to right and down as the face has them.
    pub fn seen(self, view: View) -> Self {
        let region = seen(self.region, view);
        if !self.is_turned() {
            return Self { region, ..self };
        }
        let centre = |r: Region| [r.x + r.width / 2.0, r.y + r.height / 2.0];
        let (from, to) = (centre(self.region), centre(region));
        let (across, down) = (to[0] - from[0], to[1] - from[1]);
        let (sin, cos) = self.roll.to_radians().sin_cos();
        let moved = Region {
            x: region.x - across + across * cos - down * sin,
            y: region.y - down + across * sin + down * cos,
            ..region
        };
        Self { region: moved, ..self }
    }
}

impl From<Region> for Cutout {
    fn from(region: Region) -> Self {
        Self { region, roll: 0.0 }
    }
}

/// The part of the picture that shows the region moved and enlarged as the view says.
pub fn seen(region: Region, view: View) -> Region {
    if view.scale == 1.0 && view.shift == [0.0; 2] {
        return region;
    }
    let Region { x, y, width, height } = region;
    let [right, down] = view.shift;
    // What moves right in the crop comes from further left.
    let start = |from: f32, side: f32, shift: f32| from + side * (0.5 - (0.5 + shift) / view.scale);
    Region {
        x: start(x, width, right),
        y: start(y, height, down),
        width: width / view.scale,
        height: height / view.scale,
    }
}

/// A picture in the channels that a network reads.
pub enum Source<'a> {
    /// Luma, copied to every channel of the input.
    Grey { picture: &'a Picture, channels: usize },
    /// Red, green, blue.
    Colour(&'a Picture),
}

impl<'a> Source<'a> {
    pub fn new(picture: &'a Picture, preprocessing: &Preprocessing, channels: usize) -> Self {
        if preprocessing.grey { Self::Grey { picture, channels } } else { Self::Colour(picture) }
    }

    /// Writes the part under `cutout`, turned upright, as a preprocessed square of `side` pixels, NHWC: first reduced (or
    /// enlarged) to the size of the training pictures, then resized to the input as training does, both in
    /// whole levels.
    pub fn fill(
        &self,
        cutout: Cutout,
        side: u32,
        preprocessing: &Preprocessing,
        out: &mut [f32],
    ) -> Result<(), Error> {
        match self {
            Self::Grey { picture, channels } => {
                let (part, cutout) = around(picture, cutout)?;
                let grey = part.to_grey();
                let mut crop = match cutout.is_turned() {
                    true => grey.crop_turned(cutout.region, cutout.roll, LEARNT_SIDE)?,
                    false => grey.crop_resized(cutout.region, LEARNT_SIDE)?,
                };
                if side != LEARNT_SIDE {
                    crop = crop.crop_resized(WHOLE, side)?;
                }
                for (pixel, &value) in out.chunks_exact_mut(*channels).zip(crop.pixels()) {
                    pixel.fill(f32::from(value) * preprocessing.scale + preprocessing.offset);
                }
            }
            Self::Colour(picture) => {
                let mut crop = match cutout.is_turned() {
                    true => picture.crop_turned(cutout.region, cutout.roll, LEARNT_SIDE)?,
                    false => picture.crop_resized(cutout.region, LEARNT_SIDE)?,
                };
                if side != LEARNT_SIDE {
                    crop = crop.crop_resized(WHOLE, side)?;
                }
                for (out, &value) in out.iter_mut().zip(crop.pixels()) {
                    *out = f32::from(value) * preprocessing.scale + preprocessing.offset;
                }
            }
        }
        Ok(())
    }
}

/// The part of a picture that a cutout is made of, and where the cutout lies in it: a face is a small part of a large photo, and
/// only that is turned to grey.
fn around(picture: &Picture, cutout: Cutout) -> Result<(Picture, Cutout), Error> {
    let Region { x, y, width, height } = cutout.region;
    // The diagonal bounds it however it is turned; filters reach a pixel of the crop beyond.
    let reach = if cutout.is_turned() { width.hypot(height) / 2.0 } else { width.max(height) / 2.0 };
    let reach = reach + width.max(height) / LEARNT_SIDE as f32 + 2.0;
    let part = |middle: f32, limit: u32| {
        let start = (middle - reach).floor().clamp(0.0, limit.saturating_sub(1) as f32);
        let end = (middle + reach).ceil().clamp(start + 1.0, limit as f32);
        (start, end - start)
    };
    let (left, across) = part(x + width / 2.0, picture.width());
    let (top, down) = part(y + height / 2.0, picture.height());
    let part = picture.crop(left as i64, top as i64, across as u32, down as u32)?;
    let region = Region { x: x - left, y: y - top, width, height };
    Ok((part, Cutout { region, ..cutout }))
}

#[cfg(test)]
mod tests {
    use moue_media::Grey;

    use super::*;

    #[test]
    fn the_square_keeps_the_centre_and_covers_the_box() {
        let region = Region { x: 10.0, y: 20.0, width: 80.0, height: 100.0 };
        let near = |a: Region, [x, y, side]: [f32; 3]| {
            let parts = [a.x - x, a.y - y, a.width - side, a.height - side];
            assert!(parts.iter().all(|d| d.abs() < 1e-3), "{a:?}");
        };
        near(square(region, 0.0), [2.0, 22.0, 96.0]);
        near(square(region, 0.25), [-22.0, -2.0, 144.0]);
        near(square(region, -0.25), [26.0, 46.0, 48.0]);
    }

    #[test]
    fn a_view_moves_and_enlarges_what_is_seen() {
        let region = Region { x: 10.0, y: 20.0, width: 100.0, height: 50.0 };
        let parts = |r: Region| [r.x, r.y, r.width, r.height];
        assert_eq!(parts(seen(region, View { mirrored: true, ..View::PLAIN })), parts(region));
        let moved = seen(region, View { shift: [0.25, -0.5], ..View::PLAIN });
        assert_eq!(parts(moved), [-15.0, 45.0, 100.0, 50.0]);
        let large = seen(region, View { scale: 2.0, ..View::PLAIN });
        assert_eq!(parts(large), [35.0, 32.5, 50.0, 25.0]);
        // Shift and size as training has them: the middle goes to the middle plus the shift.
        let both = seen(region, View { scale: 2.0, shift: [0.25, 0.0], ..View::PLAIN });
        assert_eq!(both.x + 0.75 * both.width, 60.0);
    }

    #[test]
    fn a_training_picture_reaches_the_network_unchanged() {
        let pixels: Vec<u8> = (0..48 * 48).map(|i| (i * 7 % 256) as u8).collect();
        let picture = Grey::from_raw(48, 48, pixels.clone()).unwrap().to_picture();
        let preprocessing = Preprocessing { grey: true, scale: 2.0, offset: -1.0 };
        let whole = Region { x: 0.0, y: 0.0, width: 48.0, height: 48.0 };
        let mut out = vec![0.0; 48 * 48 * 3];
        Source::new(&picture, &preprocessing, 3).fill(whole.into(), 48, &preprocessing, &mut out).unwrap();
        let expected: Vec<f32> = pixels.iter().flat_map(|&v| [f32::from(v) * 2.0 - 1.0; 3]).collect();
        assert_eq!(out, expected);
    }

    #[test]
    fn a_turned_face_is_read_as_the_upright_one() {
        // Smooth, so that turning costs no sharpness.
        let wave = |x: f32, y: f32| 128.0 + 90.0 * (x * 0.05).sin() * (y * 0.04).cos();
        let (centre, size) = ([150.0, 140.0], 300);
        let drawn = |roll: f32| {
            let (sin, cos) = roll.to_radians().sin_cos();
            let pixels = (0..size * size).map(|i| {
                let (dx, dy) = ((i % size) as f32 + 0.5 - centre[0], (i / size) as f32 + 0.5 - centre[1]);
                wave(dx * cos + dy * sin, dy * cos - dx * sin).round() as u8
            });
            Grey::from_raw(size, size, pixels.collect()).unwrap().to_picture()
        };
        let preprocessing = Preprocessing { grey: true, scale: 1.0, offset: 0.0 };
        let region = Region { x: centre[0] - 50.0, y: centre[1] - 50.0, width: 100.0, height: 100.0 };
        let view = View { scale: 1.1, shift: [0.1, -0.05], ..View::PLAIN };
        let read = |roll: f32| {
            let mut out = vec![0.0; 48 * 48];
            let picture = drawn(roll);
            let source = Source::new(&picture, &preprocessing, 1);
            source.fill(Cutout { region, roll }.seen(view), 48, &preprocessing, &mut out).unwrap();
            out
        };
        let upright = read(0.0);
        for roll in [7.0, 30.0, -90.0, 135.0, 180.0] {
            for (a, b) in read(roll).iter().zip(&upright) {
                assert!((a - b).abs() <= 3.0, "{roll}: {a} and {b}");
            }
        }
    }

    #[test]
    fn colour_is_kept_where_the_model_reads_it() {
        let picture = Picture::filled(20, 20, [10, 20, 30]);
        let preprocessing = Preprocessing { grey: false, scale: 1.0, offset: 0.0 };
        let mut out = vec![0.0; 4 * 4 * 3];
        let region = Region { x: -5.0, y: 3.0, width: 9.0, height: 9.0 };
        Source::new(&picture, &preprocessing, 3).fill(region.into(), 4, &preprocessing, &mut out).unwrap();
        assert!(out.chunks_exact(3).all(|p| p == [10.0, 20.0, 30.0]));
    }
}
