//! From a face box to the numbers that a network reads.

use moue_graph::{Preprocessing, View};
use moue_media::{Grey, Picture, Region};

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
    Grey { picture: Grey, channels: usize },
    /// Red, green, blue.
    Colour(&'a Picture),
}

impl<'a> Source<'a> {
    pub fn new(picture: &'a Picture, preprocessing: &Preprocessing, channels: usize) -> Self {
        if preprocessing.grey {
            Self::Grey { picture: picture.to_grey(), channels }
        } else {
            Self::Colour(picture)
        }
    }

    /// Writes the part under `region` as a preprocessed square of `side` pixels, NHWC: first reduced (or
    /// enlarged) to the size of the training pictures, then resized to the input as training does, both in
    /// whole levels.
    pub fn fill(
        &self,
        region: Region,
        side: u32,
        preprocessing: &Preprocessing,
        out: &mut [f32],
    ) -> Result<(), Error> {
        match self {
            Self::Grey { picture, channels } => {
                let mut crop = picture.crop_resized(region, LEARNT_SIDE)?;
                if side != LEARNT_SIDE {
                    crop = crop.crop_resized(WHOLE, side)?;
                }
                for (pixel, &value) in out.chunks_exact_mut(*channels).zip(crop.pixels()) {
                    pixel.fill(f32::from(value) * preprocessing.scale + preprocessing.offset);
                }
            }
            Self::Colour(picture) => {
                let mut crop = picture.crop_resized(region, LEARNT_SIDE)?;
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

#[cfg(test)]
mod tests {
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
        Source::new(&picture, &preprocessing, 3).fill(whole, 48, &preprocessing, &mut out).unwrap();
        let expected: Vec<f32> = pixels.iter().flat_map(|&v| [f32::from(v) * 2.0 - 1.0; 3]).collect();
        assert_eq!(out, expected);
    }

    #[test]
    fn colour_is_kept_where_the_model_reads_it() {
        let picture = Picture::filled(20, 20, [10, 20, 30]);
        let preprocessing = Preprocessing { grey: false, scale: 1.0, offset: 0.0 };
        let mut out = vec![0.0; 4 * 4 * 3];
        let region = Region { x: -5.0, y: 3.0, width: 9.0, height: 9.0 };
        Source::new(&picture, &preprocessing, 3).fill(region, 4, &preprocessing, &mut out).unwrap();
        assert!(out.chunks_exact(3).all(|p| p == [10.0, 20.0, 30.0]));
    }
}
