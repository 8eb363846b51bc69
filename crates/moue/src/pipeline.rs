//! Detector and classifier together.

use moue_cpu::CpuEngine;
use moue_detect::{Detection, Detector};
use moue_graph::engine::Engine;
use moue_graph::{Model, ModelCard};
use moue_media::Picture;
use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::crop::Cutout;
use crate::{BoundingBox, Classifier, Error, Face, Probabilities, Record, TrackOptions};

/// Finds the faces of pictures and reads their emotions.
pub struct Analyzer {
    detector: Option<Box<dyn Detector>>,
    classifier: Classifier,
    pool: ThreadPool,
    crop_margin: f32,
    min_face: f32,
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

/// Puts an [`Analyzer`] together; made by [`Analyzer::builder`].
pub struct AnalyzerBuilder {
    model: Model,
    engine: Box<dyn Engine>,
    detector: Option<Box<dyn Detector>>,
    threads: usize,
    crop_margin: Option<f32>,
    min_face: f32,
    min_confidence: Option<f32>,
    test_time_augmentation: bool,
}

impl AnalyzerBuilder {
    /// Finds faces with this detector. Without one, a picture is taken as one face.
    pub fn detector(mut self, detector: impl Detector + 'static) -> Self {
        self.detector = Some(Box::new(detector));
        self
    }

    /// Threads to use; 0, the default, takes one a core. The result does not depend on it.
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = threads;
        self
    }

    /// Runs the model on this engine; by default on [`moue_cpu::CpuEngine`].
    pub fn engine(mut self, engine: Box<dyn Engine>) -> Self {
        self.engine = engine;
        self
    }

    /// Share of the side of a face added on each side before it is cut out, above -0.5; by default what
    /// the card of the model says. It fits the boxes of one detector to what the model knows.
    pub fn crop_margin(mut self, margin: f32) -> Self {
        self.crop_margin = Some(margin);
        self
    }

    /// Leaves out detected faces whose shorter side has fewer pixels; 0, the default, keeps all.
    pub fn min_face(mut self, pixels: f32) -> Self {
        self.min_face = pixels;
        self
    }

    /// Marks faces whose confidence is below this probability, 0 to 1, as not [`certain`](Face::certain); by
    /// default no face is marked either way. Emotion and probabilities are given all the same.
    pub fn min_confidence(mut self, probability: f32) -> Self {
        self.min_confidence = Some(probability);
        self
    }

    /// Looks at each face several times; see [`Classifier::with_test_time_augmentation`]. By default once.
    pub fn test_time_augmentation(mut self, on: bool) -> Self {
        self.test_time_augmentation = on;
        self
    }

    /// The analyzer.
    ///
    /// # Errors
    /// [`Error::Parameter`] where the crop margin, the smallest face or the confidence has no meaning; [`Error::Threads`]; and the
    /// errors of [`Classifier::on`].
    pub fn build(self) -> Result<Analyzer, Error> {
        let crop_margin = self.crop_margin.unwrap_or(self.model.card.crop_margin);
        if !(crop_margin > -0.5 && crop_margin <= 10.0) {
            return Err(Error::Parameter(format!(
                "the crop margin is {crop_margin}, but must lie above -0.5 and be at most 10"
            )));
        }
        if !(self.min_face >= 0.0 && self.min_face.is_finite()) {
            return Err(Error::Parameter(format!(
                "the smallest face is {} pixels, but must be 0 or more",
                self.min_face
            )));
        }
        if let Some(least) = self.min_confidence.filter(|p| !(0.0..=1.0).contains(p)) {
            return Err(Error::Parameter(format!(
                "the smallest confidence is {least}, but must be a probability from 0 to 1"
            )));
        }
        let pool = ThreadPoolBuilder::new()
            .num_threads(self.threads)
            .thread_name(|i| format!("moue-detect-{i}"))
            .build()
            .map_err(|e| Error::Threads { threads: self.threads, reason: e.to_string() })?;
        let mut classifier = Classifier::on(&*self.engine, self.model, self.threads)?;
        if self.test_time_augmentation {
            classifier = classifier.with_test_time_augmentation();
        }
        Ok(Analyzer {
            detector: self.detector,
            classifier,
            pool,
            crop_margin,
            min_face: self.min_face,
            min_confidence: self.min_confidence,
        })
    }
}

impl Analyzer {
    /// Starts with the model that reads the emotions.
    pub fn builder(model: Model) -> AnalyzerBuilder {
        AnalyzerBuilder {
            model,
            engine: Box::new(CpuEngine),
            detector: None,
            threads: 0,
            crop_margin: None,
            min_face: 0.0,
            min_confidence: None,
            test_time_augmentation: false,
        }
    }

    /// Labels, preprocessing and origin of the model.
    pub fn card(&self) -> &ModelCard {
        self.classifier.card()
    }

    /// The confidence from which on a face counts as certain; `None` where none was set.
    pub fn min_confidence(&self) -> Option<f32> {
        self.min_confidence
    }

    /// The faces of one picture, the largest first; ids count from 0 in this order. Faces of one size
    /// stand from top to bottom, then from left to right.
    ///
    /// A face is cut out as a square around the centre of its box, as wide as the longer side of the
    /// box and the crop margin on both sides, and turned upright by its roll. Without a detector the whole picture is one face with
    /// score 1, cut out as it is.
    ///
    /// # Errors
    /// [`Error::Detector`] where the picture is larger than the detector can take; otherwise those
    /// of [`Classifier::classify`].
    pub fn analyze(&mut self, picture: &Picture) -> Result<Vec<Face>, Error> {
        let Some(detector) = &mut self.detector else { return self.whole(picture) };
        let mut found = self.pool.install(|| detector.detect(picture))?;
        found.retain(|d| d.width.min(d.height) >= self.min_face);
        sort(&mut found);
        let answers = self.read(picture, &found)?;
        let faces = found.iter().zip(answers).zip(0..);
        Ok(faces
            .map(|((d, p), id)| {
                Face::new(id, bounds(d), d.score, p).rolled(d.roll).judged(self.min_confidence)
            })
            .collect())
    }

    /// [`analyze`](Self::analyze) as the record of a still picture.
    ///
    /// # Errors
    /// As [`analyze`](Self::analyze).
    pub fn record(&mut self, source: impl Into<String>, picture: &Picture) -> Result<Record, Error> {
        Ok(Record {
            source: source.into(),
            frame: 0,
            time: 0.0,
            width: picture.width(),
            height: picture.height(),
            faces: self.analyze(picture)?,
        })
    }

    /// What is seen in one frame of a video, joined to other frames by a [`Follower`](crate::Follower). With `expected`, faces
    /// are looked for near to these places only, where the detector can.
    ///
    /// # Errors
    /// As [`analyze`](Self::analyze).
    pub fn look(
        &mut self,
        picture: &Picture,
        expected: Option<&[Detection]>,
    ) -> Result<Vec<Sighting>, Error> {
        let Some(detector) = &mut self.detector else {
            let faces = self.whole(picture)?.into_iter();
            return Ok(faces
                .map(|f| Sighting { place: f.place(), probabilities: f.probabilities })
                .collect());
        };
        let mut found = self.pool.install(|| match expected {
            Some(places) => detector.detect_near(picture, places),
            None => detector.detect(picture),
        })?;
        found.retain(|d| d.width.min(d.height) >= self.min_face);
        sort(&mut found);
        let answers = self.read(picture, &found)?.into_iter();
        Ok(found
            .into_iter()
            .zip(answers)
            .map(|(place, probabilities)| Sighting { place, probabilities })
            .collect())
    }

    /// The emotions of faces, in their order, each turned upright.
    fn read(&mut self, picture: &Picture, found: &[Detection]) -> Result<Vec<Probabilities>, Error> {
        let cutouts: Vec<Cutout> =
            found.iter().map(|d| Cutout::of(bounds(d).into(), d.roll, self.crop_margin)).collect();
        self.classifier.classify_turned(picture, &cutouts)
    }

    /// Gets ready for the frames of a video: from now on [`look`](Self::look) gives what is too unsure to stand alone but may
    /// continue a track, and the options say from which score one may begin.
    pub fn prepare_for_video(&mut self) -> TrackOptions {
        let sure = self.detector.as_mut().map_or(0.0, |detector| detector.include_unsure());
        TrackOptions { sure, ..TrackOptions::default() }
    }

    /// How many faces the last [`analyze`](Self::analyze) saw and left out because they are smaller than what the detector
    /// was asked for.
    pub fn smaller_faces(&self) -> usize {
        self.detector.as_ref().map_or(0, |detector| detector.smaller_faces())
    }

    fn whole(&mut self, picture: &Picture) -> Result<Vec<Face>, Error> {
        let all =
            BoundingBox { x: 0.0, y: 0.0, width: picture.width() as f32, height: picture.height() as f32 };
        let answers = self.classifier.classify(picture, &[all.into()])?;
        Ok(answers.into_iter().map(|p| Face::new(0, all, 1.0, p).judged(self.min_confidence)).collect())
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
