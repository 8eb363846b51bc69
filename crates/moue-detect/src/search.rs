//! Where to look for faces, and which of those found to keep: the same for every detector.

mod near;

use moue_media::{Picture, Region};

use crate::cnn::overlap;
use crate::{Detection, Detector, Error};

/// Overlap from which a face found in the turned picture is one found before.
const SAME_FACE: f32 = 0.3;

/// What is looked for, and where.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Search {
    /// Faces whose shorter side has fewer pixels are left out.
    pub min_size: f32,
    /// Faces whose longer side has more pixels are left out; `None` keeps all.
    pub max_size: Option<f32>,
    /// The part of the picture that is looked at; `None` is all of it. Faces must have their centre in it.
    pub region: Option<Region>,
    /// Most faces; those with the best scores are kept.
    pub max_faces: Option<usize>,
    /// Whether the picture is also looked at turned by a quarter, a half and three quarters, by detectors that find upright
    /// faces only.
    pub any_rotation: bool,
}

impl Search {
    /// Whether a face is among those looked for, its place aside.
    fn wants(&self, face: &Detection) -> bool {
        face.width.min(face.height) >= self.min_size
            && self.max_size.is_none_or(|most| face.width.max(face.height) <= most)
    }
}

/// A detector that looks for what a [`Search`] says. Faces come best first.
pub struct Searcher {
    detector: Box<dyn Detector>,
    search: Search,
    /// Faces that the last search saw and left out for their size.
    smaller: usize,
}

impl Searcher {
    /// Looks with `detector` for what `search` says.
    ///
    /// # Errors
    /// [`Error::Parameter`] where a size is no size or the region is empty.
    pub fn new(detector: Box<dyn Detector>, search: Search) -> Result<Self, Error> {
        let fault = |name, value: String, expected| Err(Error::Parameter { name, value, expected });
        if !(search.min_size >= 0.0 && search.min_size.is_finite()) {
            return fault("the smallest face", search.min_size.to_string(), "0 pixels or more");
        }
        if let Some(most) = search.max_size.filter(|&most| !(most > 0.0 && most >= search.min_size)) {
            return fault("the largest face", most.to_string(), "at least as large as the smallest");
        }
        let sound = |r: &Region| {
            [r.x, r.y, r.width, r.height].iter().all(|v| v.is_finite() && v.abs() < 1e7)
                && r.width > 0.0
                && r.height > 0.0
        };
        if let Some(region) = search.region.filter(|region| !sound(region)) {
            let Region { x, y, width, height } = region;
            return fault("the region", format!("{width}x{height} at {x},{y}"), "a part of a picture");
        }
        Ok(Self { detector, search, smaller: 0 })
    }

    fn look(&mut self, picture: &Picture) -> Result<Vec<Detection>, Error> {
        let mut faces = self.detector.detect(picture)?;
        self.smaller = faces.iter().filter(|face| face.width.min(face.height) < self.search.min_size).count();
        faces.retain(|face| self.search.wants(face));
        if self.search.any_rotation && !self.detector.finds_turned() {
            for turn in 1..4_u8 {
                let turned = picture.turned(turn);
                for face in self.detector.detect(&turned)? {
                    let face = face.turned(4 - turn, turned.width() as f32, turned.height() as f32);
                    // Upright comes first: a face seen twice is likelier to be as people hold their heads.
                    let known = faces.iter_mut().find(|other| overlap(other, &face) >= SAME_FACE);
                    match known {
                        Some(other)
                            if other.score >= face.score - if other.roll == 0.0 { 0.15 } else { 0.0 } => {}
                        Some(other) if self.search.wants(&face) => *other = face,
                        Some(_) => {}
                        None if self.search.wants(&face) => faces.push(face),
                        None => {}
                    }
                }
            }
        }
        Ok(faces)
    }
}

impl Detector for Searcher {
    fn detect(&mut self, picture: &Picture) -> Result<Vec<Detection>, Error> {
        let mut faces = match self.search.region {
            None => self.look(picture)?,
            Some(region) => {
                // The part with a margin: a face on its edge is recognised by what is around it.
                let margin = 0.25 * region.width.max(region.height);
                let edge = |at: f32, limit: u32| at.clamp(0.0, limit as f32);
                let (left, top) = (
                    edge(region.x - margin, picture.width()).floor(),
                    edge(region.y - margin, picture.height()).floor(),
                );
                let right = edge(region.x + region.width + margin, picture.width()).ceil();
                let bottom = edge(region.y + region.height + margin, picture.height()).ceil();
                if right <= left || bottom <= top {
                    return Ok(Vec::new());
                }
                let part =
                    picture.crop(left as i64, top as i64, (right - left) as u32, (bottom - top) as u32)?;
                let mut faces = self.look(&part)?;
                for face in &mut faces {
                    face.x += left;
                    face.y += top;
                }
                faces.retain(|face| centred_in(face, region));
                faces
            }
        };
        faces.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.y.total_cmp(&b.y)).then(a.x.total_cmp(&b.x)));
        faces.truncate(self.search.max_faces.unwrap_or(usize::MAX));
        Ok(faces)
    }

    fn include_unsure(&mut self) -> f32 {
        self.detector.include_unsure()
    }

    fn finds_turned(&self) -> bool {
        self.detector.finds_turned()
    }

    fn shares_work(&self) -> bool {
        self.detector.shares_work()
    }

    fn smaller_faces(&self) -> usize {
        self.smaller
    }

    /// Faces turned by more than the detector itself takes are not found, since only upright ones are looked for.
    fn detect_near(&mut self, picture: &Picture, expected: &[Detection]) -> Result<Vec<Detection>, Error> {
        let mut faces = near::detect(&mut *self.detector, picture, expected)?;
        faces.retain(|face| {
            self.search.wants(face) && self.search.region.is_none_or(|region| centred_in(face, region))
        });
        faces.truncate(self.search.max_faces.unwrap_or(usize::MAX));
        Ok(faces)
    }
}

fn centred_in(face: &Detection, region: Region) -> bool {
    let (x, y) = (face.x + face.width / 2.0 - region.x, face.y + face.height / 2.0 - region.y);
    (0.0..region.width).contains(&x) && (0.0..region.height).contains(&y)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Finds the box around all pixels brighter than half, if it is taller than wide: a "face" that stands upright.
    struct Bright {
        /// The brightness that a forehead has and nothing else.
        forehead: u8,
    }

    const BRIGHT: Bright = Bright { forehead: 255 };

    impl Detector for Bright {
        fn detect(&mut self, picture: &Picture) -> Result<Vec<Detection>, Error> {
            let width = picture.width() as usize;
            let lit = picture.pixels().chunks_exact(3).enumerate().filter(|(_, p)| p[0] > 128);
            let places: Vec<(usize, usize)> = lit.map(|(i, _)| (i % width, i / width)).collect();
            let range = |axis: fn(&(usize, usize)) -> usize| {
                let low = places.iter().map(axis).min().unwrap_or(0) as f32;
                (low, places.iter().map(axis).max().unwrap_or(0) as f32 + 1.0 - low)
            };
            let ((x, width), (y, height)) = (range(|p| p.0), range(|p| p.1));
            // The brighter pixel marks the forehead: upright only if it is in the upper half.
            let top = picture.pixels().chunks_exact(3).position(|p| p[0] >= self.forehead);
            let upright = top.is_some_and(|i| ((i / picture.width() as usize) as f32) < y + height / 2.0);
            let found = !places.is_empty() && height > width && upright;
            Ok(if found {
                vec![Detection { x, y, width, height, score: 0.8, roll: 0.0 }]
            } else {
                Vec::new()
            })
        }
    }

    fn picture() -> Picture {
        let mut picture = Picture::filled(40, 30, [0; 3]);
        for y in 6..18 {
            for x in 21..27 {
                let value = if y == 6 { 255 } else { 200 };
                picture.pixels_mut()[(y * 40 + x) * 3..][..3].fill(value);
            }
        }
        picture
    }

    fn search(search: Search, picture: &Picture) -> Vec<Detection> {
        Searcher::new(Box::new(BRIGHT), search).unwrap().detect(picture).unwrap()
    }

    #[test]
    fn faces_are_found_whichever_way_the_picture_lies() {
        let upright = search(Search::default(), &picture());
        assert_eq!((upright[0].x, upright[0].y, upright[0].roll), (21.0, 6.0, 0.0));
        for quarters in 1..4_u8 {
            let turned = picture().turned(quarters);
            assert!(search(Search::default(), &turned).is_empty());
            let any = Search { any_rotation: true, ..Search::default() };
            let found = search(any, &turned);
            let roll = [0.0, 90.0, 180.0, -90.0][usize::from(quarters)];
            assert_eq!((found.len(), found[0].roll), (1, roll), "{found:?}");
            // The box, turned about its centre, lies on the lit pixels of the turned picture.
            let mut f = found[0];
            if quarters % 2 == 1 {
                let [x, y] = f.centre();
                (f.x, f.y, f.width, f.height) = (x - f.height / 2.0, y - f.width / 2.0, f.height, f.width);
            }
            for (i, pixel) in turned.pixels().chunks_exact(3).enumerate() {
                let (x, y) = ((i % turned.width() as usize) as f32, (i / turned.width() as usize) as f32);
                let inside = x >= f.x && x < f.x + f.width && y >= f.y && y < f.y + f.height;
                assert_eq!(inside, pixel[0] > 128, "{quarters} {x} {y}");
            }
        }
    }

    #[test]
    fn faces_are_found_again_near_to_where_they_were() {
        // Near places are looked at enlarged or reduced, which dims a forehead of one row.
        let mut searcher = Searcher::new(Box::new(Bright { forehead: 210 }), Search::default()).unwrap();
        let expected = |x: f32, y: f32| Detection { x, y, width: 6.0, height: 12.0, score: 1.0, roll: 0.0 };
        // Two expectations of one face give it once, in pixels of the picture.
        let found = searcher.detect_near(&picture(), &[expected(18.0, 7.0), expected(23.0, 4.0)]).unwrap();
        assert_eq!(found.len(), 1, "{found:?}");
        let (face, off) = (found[0], 1.0);
        assert!((face.x - 21.0).abs() < off && (face.y - 6.0).abs() < off, "{face:?}");
        assert!((face.width - 6.0).abs() < off && (face.height - 12.0).abs() < off, "{face:?}");
        assert!(searcher.detect_near(&picture(), &[]).unwrap().is_empty());
        assert!(searcher.detect_near(&picture(), &[expected(90.0, 7.0)]).unwrap().is_empty());
    }

    #[test]
    fn sizes_region_and_number_limit_what_is_kept() {
        let all = picture();
        assert!(search(Search { min_size: 7.0, ..Search::default() }, &all).is_empty());
        assert!(search(Search { max_size: Some(11.0), ..Search::default() }, &all).is_empty());
        assert!(search(Search { max_faces: Some(0), ..Search::default() }, &all).is_empty());
        let region = |x, y, width, height| Search {
            region: Some(Region { x, y, width, height }),
            ..Search::default()
        };
        assert_eq!(search(region(20.0, 5.0, 15.0, 15.0), &all)[0].x, 21.0);
        assert!(search(region(0.0, 0.0, 20.0, 30.0), &all).is_empty());
        assert!(search(region(100.0, 0.0, 20.0, 30.0), &all).is_empty());
        for wrong in [region(0.0, 0.0, 0.0, 3.0), Search { min_size: f32::NAN, ..Search::default() }] {
            assert!(Searcher::new(Box::new(BRIGHT), wrong).is_err());
        }
    }
}
