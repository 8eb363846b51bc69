//! Faces cut out and looked at from near, by the second network.

use moue_cpu::CpuEngine;
use moue_graph::Weights;
use moue_graph::engine::{Engine, InferenceOptions, InferenceSession};
use moue_media::Picture;

use super::input::pack;
use super::pyramid::Pyramid;
use super::refine::{AROUND, SIDE, VALUES, network};
use crate::{Detection, Error, wrapped};

/// Cutouts that go through the network together.
const BATCH: usize = 16;

/// Largest logarithm of a size over that of the box it came from.
const MAX_LOG: f32 = 1.0;

/// Side of a face, in pixels of a reduced picture, from which it is cut out of that: about that of the box in a cutout.
const ENOUGH: f32 = 30.0;

/// Degrees of roll from which a face is turned upright and looked at again: upright faces are judged best.
const UPRIGHT: f32 = 4.0;

/// Looks at a face, at most.
const LOOKS: usize = 3;

/// Logit below which a place is no face however it is turned, so that nobody looks again.
const HOPELESS: f32 = -3.0;

/// The second network, ready to run.
pub(super) struct Closer {
    session: Box<dyn InferenceSession>,
    input: Vec<f32>,
    values: Vec<f32>,
    logits: Vec<f32>,
}

impl Closer {
    pub fn new(weights: &Weights, threads: usize) -> Result<Self, Error> {
        let options = InferenceOptions { max_batch: BATCH, threads };
        let session = CpuEngine.inference(&network()?, weights, &options)?;
        Ok(Self {
            session,
            input: vec![0.0; BATCH * SIDE * SIDE],
            values: vec![0.0; BATCH * VALUES],
            logits: Vec::new(),
        })
    }

    /// Logits of the score of what [`look`](Self::look) looked at last, in its order.
    pub fn logits(&self) -> &[f32] {
        &self.logits
    }

    /// Places, sizes and rolls of the faces as they are seen from near, in the order of `faces`; scores are left as they are. A
    /// face that is turned is looked at again upright.
    ///
    /// Faces that have pixels enough in `reduced`, the picture in grey at a scale, are cut out of that, which is faster.
    pub fn look(
        &mut self,
        picture: &Picture,
        reduced: Option<&mut Reduced>,
        faces: &[Detection],
    ) -> Result<Vec<Detection>, Error> {
        let mut seen = faces.to_vec();
        self.logits.clear();
        self.logits.resize(faces.len(), 0.0);
        let mut small: Vec<usize> = (0..faces.len()).collect();
        if let Some(Reduced { seen: pyramid, scale }) = reduced {
            let scale = *scale;
            let enough = |at: &usize| scale >= 1.0 || faces[*at].side() * scale >= ENOUGH;
            let (large, others): (Vec<usize>, _) = small.into_iter().partition(enough);
            small = others;
            let scaled = |face: &mut Detection, by: f32| {
                (face.x, face.y) = (face.x * by, face.y * by);
                (face.width, face.height) = (face.width * by, face.height * by);
            };
            large.iter().for_each(|&at| scaled(&mut seen[at], scale));
            self.look_at(&mut Ground::Reduced(pyramid), &mut seen, large.clone())?;
            large.iter().for_each(|&at| scaled(&mut seen[at], 1.0 / scale));
        }
        self.look_at(&mut Ground::Colour(picture), &mut seen, small)?;
        Ok(seen)
    }

    /// Looks at those of the faces that are listed.
    fn look_at(
        &mut self,
        ground: &mut Ground<'_>,
        seen: &mut [Detection],
        mut left: Vec<usize>,
    ) -> Result<(), Error> {
        for _ in 0..LOOKS {
            let mut again = Vec::new();
            for batch in left.chunks(BATCH) {
                let mut squares = Vec::with_capacity(batch.len());
                for (&at, out) in batch.iter().zip(self.input.chunks_exact_mut(SIDE * SIDE)) {
                    let square = Square::around(&seen[at]);
                    pack(&ground.cut(&square)?, SIDE, SIDE, out);
                    squares.push(square);
                }
                let values = &mut self.values[..batch.len() * VALUES];
                self.session.logits(&self.input[..batch.len() * SIDE * SIDE], batch.len(), values)?;
                for ((value, square), &at) in values.chunks_exact(VALUES).zip(&squares).zip(batch) {
                    let face = square.place(value, seen[at].score);
                    let turned = wrapped(face.roll - square.roll).abs();
                    self.logits[at] = value[0];
                    seen[at] = face;
                    if turned > UPRIGHT && value[0] > HOPELESS {
                        again.push(at);
                    }
                }
            }
            left = again;
            if left.is_empty() {
                break;
            }
        }
        Ok(())
    }
}

/// The picture as a whole as the first network saw it last.
pub(super) struct Reduced {
    pub seen: Pyramid,
    /// Its pixels a pixel of the picture.
    pub scale: f32,
}

/// What is cut from.
enum Ground<'a> {
    Reduced(&'a mut Pyramid),
    Colour(&'a Picture),
}

impl Ground<'_> {
    /// The pixels of a square, `SIDE` a side; what lies outside of the picture is black.
    fn cut(&mut self, square: &Square) -> Result<Vec<u8>, Error> {
        let Square { centre: [x, y], side, roll } = *square;
        let picture = match self {
            Self::Reduced(pyramid) => return Ok(pyramid.square([x, y], side, roll, SIDE as u32)?),
            Self::Colour(picture) => picture,
        };
        // What the square can cover however it is turned, in whole pixels of the picture.
        let reach = side * std::f32::consts::FRAC_1_SQRT_2 + 1.0;
        let range = |at: f32, length: u32| {
            let inside = |at: f32| at.clamp(0.0, length as f32) as u32;
            (inside((at - reach).floor()), inside((at + reach).ceil()))
        };
        let ((left, right), (top, bottom)) = (range(x, picture.width()), range(y, picture.height()));
        let (wide, high) = (right - left, bottom - top);
        if wide == 0 || high == 0 {
            return Ok(vec![0; SIDE * SIDE]);
        }
        let part = picture.crop(i64::from(left), i64::from(top), wide, high)?;
        let factor = (side as u32 / SIDE as u32).clamp(1, wide.min(high));
        let seen = part.to_grey_of(wide / factor, high / factor)?;
        let by = [seen.width() as f32 / wide as f32, seen.height() as f32 / high as f32];
        let centre = [(x - left as f32) * by[0], (y - top as f32) * by[1]];
        Ok(seen.turned_square(centre, side * (by[0] * by[1]).sqrt(), roll, SIDE as u32))
    }
}

/// A face cut out as the network reads it.
pub(super) fn cutout(picture: &Picture, face: &Detection) -> Result<Vec<f32>, Error> {
    let mut out = vec![0.0; SIDE * SIDE];
    pack(&Ground::Colour(picture).cut(&Square::around(face))?, SIDE, SIDE, &mut out);
    Ok(out)
}

/// A square, which may leave the picture, turned clockwise about its centre.
#[derive(Clone, Copy)]
struct Square {
    centre: [f32; 2],
    side: f32,
    /// Degrees.
    roll: f32,
}

impl Square {
    fn around(face: &Detection) -> Self {
        let side = (face.side() * AROUND).clamp(8.0, 1e6);
        Self { centre: face.centre().map(|at| at.clamp(-1e6, 1e6)), side, roll: face.roll }
    }

    fn place(&self, value: &[f32], score: f32) -> Detection {
        // Values are in sides of the box that the square was drawn around, as the square stands.
        let unit = self.side / AROUND;
        let [across, down] = [value[1], value[2]].map(|v| v.clamp(-1.0, 1.0) * unit);
        let (sin, cos) = self.roll.to_radians().sin_cos();
        let x = self.centre[0] + across * cos - down * sin;
        let y = self.centre[1] + across * sin + down * cos;
        let [width, height] = [value[3], value[4]].map(|v| v.clamp(-MAX_LOG, MAX_LOG).exp() * unit);
        let roll = wrapped(self.roll + value[5].atan2(value[6]).to_degrees());
        Detection { x: x - width / 2.0, y: y - height / 2.0, width, height, score, roll }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cutout_shows_the_picture_where_there_is_one_and_black_elsewhere() {
        let mut picture = Picture::filled(40, 30, [200; 3]);
        picture.pixels_mut()[..3].fill(100);
        let face = Detection { x: -8.0, y: -8.0, width: 16.0, height: 16.0, score: 0.5, roll: 0.0 };
        let square = Square::around(&face);
        assert!((square.side - 30.4).abs() < 1e-3 && square.centre == [0.0; 2]);
        let cut = Ground::Colour(&picture).cut(&square).unwrap();
        let at = |x: usize, y: usize| cut[y * SIDE + x];
        assert_eq!((at(10, 40), at(40, 10), at(50, 50)), (0, 0, 200));
        assert!(at(32, 32) < 200, "the corner of the picture is in the middle");
        let away = Detection { x: 500.0, ..face };
        assert!(Ground::Colour(&picture).cut(&Square::around(&away)).unwrap().iter().all(|&v| v == 0));
    }

    #[test]
    fn values_of_nought_give_back_the_box() {
        let face = Detection { x: 10.0, y: 20.0, width: 40.0, height: 40.0, score: 0.5, roll: 0.0 };
        let square = Square::around(&face);
        let same = square.place(&[0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0], 0.5);
        assert!((same.x - 10.0).abs() < 1.0 && (same.width - 40.0).abs() < 0.5, "{same:?}");
        assert_eq!(same.roll, 90.0);
    }

    #[test]
    fn a_turned_square_shows_the_picture_turned_back() {
        // A bright bar to the right of the middle, in a picture turned by a quarter below it.
        let mut picture = Picture::filled(100, 100, [20; 3]);
        for y in 70..80 {
            for x in 46..54 {
                picture.pixels_mut()[(y * 100 + x) * 3..][..3].fill(220);
            }
        }
        let face = Detection { x: 30.0, y: 30.0, width: 40.0, height: 40.0, score: 0.5, roll: 90.0 };
        let square = Square::around(&face);
        let cut = Ground::Colour(&picture).cut(&square).unwrap();
        let bright = |x: usize, y: usize| cut[y * SIDE + x] > 150;
        assert!(bright(53, 32) && !bright(32, 53) && !bright(10, 32));
        // What lies to its right is found below in the picture.
        let found = square.place(&[0.0, 0.5, 0.0, 0.0, 0.0, 0.0, 1.0], 0.5);
        let [x, y] = found.centre();
        assert!((x - 50.0).abs() < 1.0 && (y - 70.0).abs() < 1.0 && found.roll == 90.0, "{found:?}");
    }
}
