//! Detector and classifier together.

use moue_detect::{Detection, Detector};
use moue_media::Picture;
use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::analyzer::Setup;
use crate::crop::Cutout;
use crate::{BoundingBox, Classifier, Error, Face, Probabilities};

/// One detector and one classifier, which look at one picture at a time.
pub(crate) struct Pipeline {
    /// `None`: each picture is one face.
    detector: Option<Box<dyn Detector>>,
    classifier: Classifier,
    /// Where detectors that share their work among threads find some.
    pool: Option<ThreadPool>,
    crop_margin: f32,
    min_confidence: Option<f32>,
}

/// A face in one frame, not yet known whose.
#[derive(Clone, Debug, PartialEq)]
pub struct Sighting {
    /// Where the detector saw it, and how surely.
    pub place: Detection,
    /// The probability of every label for this frame alone.
    pub probabilities: Probabilities,
}

impl Pipeline {
    pub fn new(setup: &Setup, threads: usize) -> Result<Self, Error> {
        let mut classifier = Classifier::on(&*setup.engine, &setup.model, threads)?;
        if setup.test_time_augmentation {
            classifier = classifier.with_test_time_augmentation();
        }
        let detector = setup.detector(threads)?;
        let shares = detector.as_ref().is_some_and(|detector| detector.shares_work());
        let pool = || {
            ThreadPoolBuilder::new()
                .num_threads(threads)
                .thread_name(|i| format!("moue-detect-{i}"))
                .build()
                .map_err(|e| Error::Threads { threads, reason: e.to_string() })
        };
        Ok(Self {
            detector,
            classifier,
            pool: shares.then(pool).transpose()?,
            crop_margin: setup.crop_margin,
            min_confidence: setup.min_confidence,
        })
    }

    /// The faces of one picture, as [`look`](Self::look) sees them; ids count from 0.
    ///
    /// # Errors
    /// As [`look`](Self::look).
    pub fn analyze(&mut self, picture: &Picture) -> Result<Vec<Face>, Error> {
        let least = self.min_confidence;
        let face = |(Sighting { place, probabilities }, id)| {
            Face::new(id, bounds(&place), place.score, probabilities).rolled(place.roll).judged(least)
        };
        Ok(self.look(picture, None)?.into_iter().zip(0..).map(face).collect())
    }

    /// What is seen in one picture, the largest face first. Faces of one size stand from top to bottom, then from left to right.
    /// Frames of a video are joined by a [`Follower`](crate::Follower). With `expected`, faces are looked for near to these places
    /// only, where the detector can.
    ///
    /// A face is cut out as a square around the centre of its box, as wide as the longer side of the
    /// box and the crop margin on both sides, and turned upright by its roll. Without a detector the whole picture is one face with
    /// score 1, cut out as it is.
    ///
    /// # Errors
    /// [`Error::Detector`] where the picture is larger than the detector can take; otherwise those
    /// of [`Classifier::classify`].
    pub fn look(
        &mut self,
        picture: &Picture,
        expected: Option<&[Detection]>,
    ) -> Result<Vec<Sighting>, Error> {
        let (found, answers) = match &mut self.detector {
            Some(detector) => {
                let mut found = installed(&self.pool, || match expected {
                    Some(places) => detector.detect_near(picture, places),
                    None => detector.detect(picture),
                })?;
                sort(&mut found);
                let answers = self.read(picture, &found)?;
                (found, answers)
            }
            None => {
                let (width, height) = (picture.width() as f32, picture.height() as f32);
                let all = Detection { x: 0.0, y: 0.0, width, height, score: 1.0, roll: 0.0 };
                (vec![all], self.classifier.classify(picture, &[bounds(&all).into()])?)
            }
        };
        let seen = found.into_iter().zip(answers);
        Ok(seen.map(|(place, probabilities)| Sighting { place, probabilities }).collect())
    }

    /// The emotions of faces, in their order, each turned upright.
    fn read(&mut self, picture: &Picture, found: &[Detection]) -> Result<Vec<Probabilities>, Error> {
        let cutouts: Vec<Cutout> =
            found.iter().map(|d| Cutout::of(bounds(d).into(), d.roll, self.crop_margin)).collect();
        self.classifier.classify_turned(picture, &cutouts)
    }

    /// Gets ready for the frames of a video: from now on [`look`](Self::look) gives what is too unsure to stand alone but may
    /// continue a track.
    pub fn prepare_for_video(&mut self) {
        if let Some(detector) = &mut self.detector {
            detector.include_unsure();
        }
    }

    /// How many faces the last [`analyze`](Self::analyze) saw and left out because they are smaller than what the detector
    /// was asked for.
    pub fn smaller_faces(&self) -> usize {
        self.detector.as_ref().map_or(0, |detector| detector.smaller_faces())
    }
}

fn installed<T: Send>(pool: &Option<ThreadPool>, work: impl FnOnce() -> T + Send) -> T {
    match pool {
        Some(pool) => pool.install(work),
        None => work(),
    }
}

fn sort(found: &mut [Detection]) {
    found.sort_by(|a, b| {
        let area = |d: &Detection| d.width * d.height;
        area(b).total_cmp(&area(a)).then(a.y.total_cmp(&b.y)).then(a.x.total_cmp(&b.x))
    });
}

pub(crate) fn bounds(detection: &Detection) -> BoundingBox {
    let &Detection { x, y, width, height, .. } = detection;
    BoundingBox { x, y, width, height }
}
