//! Faces cut out and looked at from near, by the second network.

use moue_cpu::CpuEngine;
use moue_graph::Weights;
use moue_graph::engine::{Engine, InferenceOptions, InferenceSession};
use moue_media::{Grey, Picture};

use super::input::pack;
use super::refine::{AROUND, SIDE, VALUES, network};
use crate::{Detection, Error};

/// Cutouts that go through the network together.
const BATCH: usize = 16;

/// Largest logarithm of a size over that of the box it came from.
const MAX_LOG: f32 = 1.0;

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

    /// Places, sizes and rolls of the faces as they are seen from near, in the order of `faces`; scores are left as they are.
    pub fn look(&mut self, picture: &Picture, faces: &[Detection]) -> Result<Vec<Detection>, Error> {
        self.logits.clear();
        let mut seen = Vec::with_capacity(faces.len());
        for batch in faces.chunks(BATCH) {
            let mut squares = Vec::with_capacity(batch.len());
            for (face, out) in batch.iter().zip(self.input.chunks_exact_mut(SIDE * SIDE)) {
                let square = Square::around(face);
                pack(&square.cut(picture)?, SIDE, SIDE, out);
                squares.push(square);
            }
            let count = batch.len();
            let values = &mut self.values[..count * VALUES];
            self.session.logits(&self.input[..count * SIDE * SIDE], count, values)?;
            for ((value, square), face) in values.chunks_exact(VALUES).zip(&squares).zip(batch) {
                self.logits.push(value[0]);
                seen.push(square.place(value, face.score));
            }
        }
        Ok(seen)
    }
}

/// A face cut out as the network reads it.
pub(super) fn cutout(picture: &Picture, face: &Detection) -> Result<Vec<f32>, Error> {
    let mut out = vec![0.0; SIDE * SIDE];
    pack(&Square::around(face).cut(picture)?, SIDE, SIDE, &mut out);
    Ok(out)
}

/// A square of whole pixels, which may leave the picture.
struct Square {
    x: i64,
    y: i64,
    side: u32,
}

impl Square {
    fn around(face: &Detection) -> Self {
        let side = (face.side() * AROUND).round().clamp(8.0, 1e6);
        let [x, y] = face.centre().map(|at| (at - side / 2.0).round().clamp(-1e6, 1e6) as i64);
        Self { x, y, side: side as u32 }
    }

    /// Its pixels, `SIDE` a side; what lies outside of the picture is black.
    fn cut(&self, picture: &Picture) -> Result<Vec<u8>, Error> {
        let mut out = vec![0_u8; SIDE * SIDE];
        let part = |start: i64, limit: u32| {
            let from = start.max(0);
            let to = (start + i64::from(self.side)).min(i64::from(limit));
            // Where the part lies in the cutout.
            let place = |at: i64| ((at - start) as f32 * SIDE as f32 / self.side as f32).round() as usize;
            (to > from).then(|| (from, (to - from) as u32, place(from).min(SIDE - 1), place(to).min(SIDE)))
        };
        let (Some((x, width, left, right)), Some((y, height, top, bottom))) =
            (part(self.x, picture.width()), part(self.y, picture.height()))
        else {
            return Ok(out);
        };
        let (wide, high) = ((right.max(left + 1) - left) as u32, (bottom.max(top + 1) - top) as u32);
        let seen: Grey = picture.crop(x, y, width, height)?.to_grey_of(wide, high)?;
        for (row, out) in out.chunks_exact_mut(SIDE).skip(top).take(high as usize).enumerate() {
            out[left..left + wide as usize].copy_from_slice(seen.row(row as u32));
        }
        Ok(out)
    }

    fn place(&self, value: &[f32], score: f32) -> Detection {
        // Values are in sides of the box that the square was drawn around.
        let unit = self.side as f32 / AROUND;
        let centre =
            |start: i64, off: f32| start as f32 + self.side as f32 / 2.0 + off.clamp(-1.0, 1.0) * unit;
        let (x, y) = (centre(self.x, value[1]), centre(self.y, value[2]));
        let [width, height] = [value[3], value[4]].map(|v| v.clamp(-MAX_LOG, MAX_LOG).exp() * unit);
        let roll = value[5].atan2(value[6]).to_degrees();
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
        assert_eq!((square.x, square.y, square.side), (-15, -15, 30));
        let cut = square.cut(&picture).unwrap();
        let at = |x: usize, y: usize| cut[y * SIDE + x];
        assert_eq!((at(10, 40), at(40, 10), at(50, 50)), (0, 0, 200));
        assert!(at(32, 32) < 200, "the corner of the picture is in the middle");
        let away = Detection { x: 500.0, ..face };
        assert!(Square::around(&away).cut(&picture).unwrap().iter().all(|&v| v == 0));
    }

    #[test]
    fn values_of_nought_give_back_the_box() {
        let face = Detection { x: 10.0, y: 20.0, width: 40.0, height: 40.0, score: 0.5, roll: 0.0 };
        let square = Square::around(&face);
        let same = square.place(&[0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0], 0.5);
        assert!((same.x - 10.0).abs() < 1.0 && (same.width - 40.0).abs() < 0.5, "{same:?}");
        assert_eq!(same.roll, 90.0);
    }
}
