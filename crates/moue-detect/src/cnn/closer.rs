//! Faces cut out and looked at from near, by the second network.

use moue_cpu::CpuEngine;
use moue_graph::Weights;
use moue_graph::engine::{Engine, InferenceOptions, InferenceSession};
use moue_media::{Grey, Picture};

use super::input::pack;
use super::refine::{AROUND, SIDE, VALUES, network};
use crate::{Detection, Error, wrapped};

/// Cutouts that go through the network together.
const BATCH: usize = 16;

/// Largest logarithm of a size over that of the box it came from.
const MAX_LOG: f32 = 1.0;

/// Side of a face, in pixels of a reduced picture, from which it is cut out of that: about that of the box in a cutout.
const ENOUGH: f32 = 30.0;

/// Degrees of roll from which a face is turned upright and looked at again: upright faces are judged best.
const UPRIGHT: f32 = 8.0;

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
        reduced: Option<&(Grey, f32)>,
        faces: &[Detection],
    ) -> Result<Vec<Detection>, Error> {
        let mut seen = faces.to_vec();
        self.logits.clear();
        self.logits.resize(faces.len(), 0.0);
        let mut small: Vec<usize> = (0..faces.len()).collect();
        if let Some((grey, scale)) = reduced {
            let enough = |at: &usize| *scale >= 1.0 || faces[*at].side() * scale >= ENOUGH;
            let (large, others): (Vec<usize>, _) = small.into_iter().partition(enough);
            small = others;
            let scaled = |face: &mut Detection, by: f32| {
                (face.x, face.y) = (face.x * by, face.y * by);
                (face.width, face.height) = (face.width * by, face.height * by);
            };
            large.iter().for_each(|&at| scaled(&mut seen[at], *scale));
            self.look_at(Ground::Grey(grey), &mut seen, large.clone())?;
            large.iter().for_each(|&at| scaled(&mut seen[at], 1.0 / scale));
        }
        self.look_at(Ground::Colour(picture), &mut seen, small)?;
        Ok(seen)
    }

    /// Looks at those of the faces that are listed.
    fn look_at(
        &mut self,
        ground: Ground<'_>,
        seen: &mut [Detection],
        mut left: Vec<usize>,
    ) -> Result<(), Error> {
        for _ in 0..LOOKS {
            let mut again = Vec::new();
            for batch in left.chunks(BATCH) {
                let mut squares = Vec::with_capacity(batch.len());
                for (&at, out) in batch.iter().zip(self.input.chunks_exact_mut(SIDE * SIDE)) {
                    let square = Square::around(&seen[at]);
                    pack(&square.cut(ground)?, SIDE, SIDE, out);
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

/// What is cut from.
#[derive(Clone, Copy)]
enum Ground<'a> {
    Grey(&'a Grey),
    Colour(&'a Picture),
}

impl Ground<'_> {
    fn size(&self) -> (u32, u32) {
        match self {
            Self::Grey(grey) => (grey.width(), grey.height()),
            Self::Colour(picture) => (picture.width(), picture.height()),
        }
    }

    /// A part that lies inside, in grey, at this size.
    fn part(&self, x: i64, y: i64, from: (u32, u32), to: (u32, u32)) -> Result<Grey, Error> {
        Ok(match self {
            Self::Grey(grey) => grey.crop(x, y, from.0, from.1)?.resized(to.0, to.1)?,
            Self::Colour(picture) => picture.crop(x, y, from.0, from.1)?.to_grey_of(to.0, to.1)?,
        })
    }
}

/// A face cut out as the network reads it.
pub(super) fn cutout(picture: &Picture, face: &Detection) -> Result<Vec<f32>, Error> {
    let mut out = vec![0.0; SIDE * SIDE];
    pack(&Square::around(face).cut(Ground::Colour(picture))?, SIDE, SIDE, &mut out);
    Ok(out)
}

/// A square of whole pixels, which may leave the picture, turned clockwise about its centre.
struct Square {
    x: i64,
    y: i64,
    side: u32,
    /// Degrees.
    roll: f32,
}

impl Square {
    fn around(face: &Detection) -> Self {
        let side = (face.side() * AROUND).round().clamp(8.0, 1e6);
        let [x, y] = face.centre().map(|at| (at - side / 2.0).round().clamp(-1e6, 1e6) as i64);
        Self { x, y, side: side as u32, roll: face.roll }
    }

    /// Its pixels, `SIDE` a side; what lies outside of the picture is black.
    fn cut(&self, ground: Ground<'_>) -> Result<Vec<u8>, Error> {
        if self.roll == 0.0 {
            return cut(ground, self.x, self.y, self.side, SIDE);
        }
        // Half as much again on each side holds the square however it is turned.
        let more = i64::from(self.side / 4);
        let (wide, side) = (self.side + 2 * more as u32, SIDE + SIDE / 2);
        let around = cut(ground, self.x - more, self.y - more, wide, side)?;
        let scale = side as f32 / wide as f32 * self.side as f32 / SIDE as f32;
        let (sin, cos) = self.roll.to_radians().sin_cos();
        let middle = side as f32 / 2.0;
        let at = |x: usize, y: usize| f32::from(around[y * side + x]);
        let turned = |i: usize| {
            let (dx, dy) = ((i % SIDE) as f32 + 0.5, (i / SIDE) as f32 + 0.5);
            let (dx, dy) = ((dx - SIDE as f32 / 2.0) * scale, (dy - SIDE as f32 / 2.0) * scale);
            let place = |v: f32| (v - 0.5).clamp(0.0, (side - 1) as f32);
            let (x, y) = (place(middle + dx * cos - dy * sin), place(middle + dx * sin + dy * cos));
            let (left, top) = (x as usize, y as usize);
            let (right, below) = ((left + 1).min(side - 1), (top + 1).min(side - 1));
            let (fx, fy) = (x.fract(), y.fract());
            let upper = at(left, top) + (at(right, top) - at(left, top)) * fx;
            let lower = at(left, below) + (at(right, below) - at(left, below)) * fx;
            (upper + (lower - upper) * fy).round() as u8
        };
        Ok((0..SIDE * SIDE).map(turned).collect())
    }

    fn place(&self, value: &[f32], score: f32) -> Detection {
        // Values are in sides of the box that the square was drawn around, as the square stands.
        let unit = self.side as f32 / AROUND;
        let [across, down] = [value[1], value[2]].map(|v| v.clamp(-1.0, 1.0) * unit);
        let (sin, cos) = self.roll.to_radians().sin_cos();
        let middle = self.side as f32 / 2.0;
        let x = self.x as f32 + middle + across * cos - down * sin;
        let y = self.y as f32 + middle + across * sin + down * cos;
        let [width, height] = [value[3], value[4]].map(|v| v.clamp(-MAX_LOG, MAX_LOG).exp() * unit);
        let roll = wrapped(self.roll + value[5].atan2(value[6]).to_degrees());
        Detection { x: x - width / 2.0, y: y - height / 2.0, width, height, score, roll }
    }
}

/// A square part of a picture in grey, brought to `to` pixels a side; what lies outside of the picture is black.
fn cut(ground: Ground<'_>, x: i64, y: i64, side: u32, to: usize) -> Result<Vec<u8>, Error> {
    let mut out = vec![0_u8; to * to];
    let part = |start: i64, limit: u32| {
        let from = start.max(0);
        let end = (start + i64::from(side)).min(i64::from(limit));
        // Where the part lies in the cutout.
        let place = |at: i64| ((at - start) as f32 * to as f32 / side as f32).round() as usize;
        (end > from).then(|| (from, (end - from) as u32, place(from).min(to - 1), place(end).min(to)))
    };
    let (Some((x, width, left, right)), Some((y, height, top, bottom))) =
        (part(x, ground.size().0), part(y, ground.size().1))
    else {
        return Ok(out);
    };
    let (wide, high) = ((right.max(left + 1) - left) as u32, (bottom.max(top + 1) - top) as u32);
    let seen = ground.part(x, y, (width, height), (wide, high))?;
    for (row, out) in out.chunks_exact_mut(to).skip(top).take(high as usize).enumerate() {
        out[left..left + wide as usize].copy_from_slice(seen.row(row as u32));
    }
    Ok(out)
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
        assert_eq!((square.x, square.y, square.side), (-15, -15, 30));
        let cut = square.cut(Ground::Colour(&picture)).unwrap();
        let at = |x: usize, y: usize| cut[y * SIDE + x];
        assert_eq!((at(10, 40), at(40, 10), at(50, 50)), (0, 0, 200));
        assert!(at(32, 32) < 200, "the corner of the picture is in the middle");
        let away = Detection { x: 500.0, ..face };
        assert!(Square::around(&away).cut(Ground::Colour(&picture)).unwrap().iter().all(|&v| v == 0));
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
        let cut = square.cut(Ground::Colour(&picture)).unwrap();
        let bright = |x: usize, y: usize| cut[y * SIDE + x] > 150;
        assert!(bright(53, 32) && !bright(32, 53) && !bright(10, 32));
        // What lies to its right is found below in the picture.
        let found = square.place(&[0.0, 0.5, 0.0, 0.0, 0.0, 0.0, 1.0], 0.5);
        let [x, y] = found.centre();
        assert!((x - 50.0).abs() < 1.0 && (y - 70.0).abs() < 1.0 && found.roll == 90.0, "{found:?}");
    }
}
