//! A picture at several sizes.

use moue_media::{Error, Grey};

/// Side below which a picture is not halved again.
const LEAST: u32 = 16;

/// A picture at full size, half, a quarter and so on, so that it can be drawn small without aliasing.
pub(super) struct Pyramid(Vec<Grey>);

impl Pyramid {
    /// All levels.
    pub fn new(picture: &Grey) -> Result<Self, Error> {
        let mut pyramid = Self::growing(picture.clone());
        while pyramid.grow()? {}
        Ok(pyramid)
    }

    /// The picture alone; [`square`](Self::square) makes the levels that it needs.
    pub fn growing(picture: Grey) -> Self {
        Self(vec![picture])
    }

    /// Makes one more level, where there is one.
    fn grow(&mut self) -> Result<bool, Error> {
        let Some(last) = self.0.last().filter(|last| last.width().min(last.height()) >= LEAST) else {
            return Ok(false);
        };
        let half = last.resized(last.width() / 2, last.height() / 2)?;
        self.0.push(half);
        Ok(true)
    }

    /// The picture at full size.
    pub fn full(&self) -> &Grey {
        &self.0[0]
    }

    pub fn width(&self) -> f32 {
        self.0[0].width() as f32
    }

    pub fn height(&self) -> f32 {
        self.0[0].height() as f32
    }

    /// The level to read when drawn at `scale` pixels a pixel of the picture, and its own scale by axis.
    pub fn level(&self, scale: f32) -> (&Grey, [f32; 2]) {
        let level = &self.0[wanted(scale).min(self.0.len() - 1)];
        (level, [level.width() as f32 / self.width(), level.height() as f32 / self.height()])
    }

    /// [`Grey::turned_square`] of the picture, read at the level that fits.
    pub fn square(&mut self, centre: [f32; 2], side: f32, degrees: f32, to: u32) -> Result<Vec<u8>, Error> {
        let scale = to as f32 / side;
        while self.0.len() <= wanted(scale) && self.grow()? {}
        let (level, [across, down]) = self.level(scale);
        let by = (across * down).sqrt();
        Ok(level.turned_square([centre[0] * across, centre[1] * down], side * by, degrees, to))
    }
}

/// How many times a picture is halved before it is drawn at `scale` pixels a pixel of it.
fn wanted(scale: f32) -> usize {
    (1.0 / scale).log2().round().max(0.0) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_square_is_read_from_the_picture_halved_as_often_as_it_is_reduced() {
        let pixels = (0..200 * 160).map(|i| if (i % 200 + i / 200) % 2 == 0 { 255 } else { 0 }).collect();
        let picture = Grey::from_raw(200, 160, pixels).unwrap();
        let mut pyramid = Pyramid::growing(picture.clone());
        assert_eq!(pyramid.square([50.0, 50.0], 20.0, 0.0, 20).unwrap(), {
            let part = picture.crop(40, 40, 20, 20).unwrap();
            part.pixels().to_vec()
        });
        assert_eq!(pyramid.0.len(), 1);
        // A chequerboard reduced is grey, not stripes.
        let reduced = pyramid.square([100.0, 80.0], 120.0, 30.0, 20).unwrap();
        assert!(reduced.iter().all(|v| (120..136).contains(v)), "{reduced:?}");
        assert_eq!(pyramid.0.len(), 4);
        let all = Pyramid::new(&picture).unwrap();
        assert!(all.0.last().unwrap().height() < LEAST);
    }
}
