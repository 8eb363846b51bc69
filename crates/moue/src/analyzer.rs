//! What most users of the library need: pictures, videos and live frames in, records out.

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use moue_cpu::{Bf16Engine, CpuEngine};
use moue_detect::Detector;
use moue_graph::engine::Engine;
use moue_graph::{Model, ModelCard};
use moue_media::{Limits, Picture, Region, read_picture};

use crate::pipeline::Pipeline;
use crate::{Detectors, Error, Face, FollowOptions, Follower, Record, TrackOptions};

/// Finds the faces of pictures and videos and reads their emotions.
///
/// It can be shared among threads, and a clone is the same analyzer. All that look through it at the same time use about as many
/// threads as it was given: whoever comes while others look gets one.
///
/// ```no_run
/// let analyzer = moue::Analyzer::new()?;
/// let picture = moue::Picture::open("party.jpg")?;
/// for face in analyzer.picture(&picture)?.faces {
///     println!("{} at {:?}: {:.2}", face.emotion, face.bounds, face.confidence);
/// }
/// # Ok::<(), moue::Error>(())
/// ```
#[derive(Clone)]
pub struct Analyzer {
    inner: Arc<Inner>,
}

impl std::fmt::Debug for Analyzer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Analyzer").field("threads", &self.inner.threads).finish_non_exhaustive()
    }
}

struct Inner {
    setup: Setup,
    threads: usize,
    /// How faces are followed, as the detector wants it.
    tracks: TrackOptions,
    idle: Mutex<Idle>,
    /// Somebody is done.
    done: Condvar,
}

/// Pipelines that nobody uses.
#[derive(Default)]
struct Idle {
    /// With all threads.
    wide: Vec<Pipeline>,
    /// With one.
    narrow: Vec<Pipeline>,
    /// With one, prepared for frames of a video.
    video: Vec<Pipeline>,
    /// How many are in use.
    working: usize,
}

/// What pipelines are made of.
pub(crate) struct Setup {
    pub model: Model,
    pub engine: Box<dyn Engine>,
    pub detectors: Detectors,
    pub options: DetectorOptions,
    pub crop_margin: f32,
    pub min_confidence: Option<f32>,
    pub test_time_augmentation: bool,
}

impl Setup {
    /// A detector with so many threads; none where each picture is one face.
    pub fn detector(&self, threads: usize) -> Result<Option<Box<dyn Detector>>, Error> {
        self.detectors.make(&self.options, threads)
    }
}

/// What an analyzer looks for, whatever the detector.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct DetectorOptions {
    pub min_face: Option<f32>,
    pub max_face: Option<f32>,
    pub max_faces: Option<usize>,
    pub region: Option<Region>,
    pub threshold: Option<f32>,
    pub thorough: bool,
}

/// Numbers that real-valued models compute with. A model of integers computes with integers whatever is said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Precision {
    /// 32 bits, on every processor.
    #[default]
    F32,
    /// 16 bits with the exponents of 32, on processors that multiply them.
    Bf16,
}

/// Puts an [`Analyzer`] together; made by [`Analyzer::builder`].
#[must_use = "an analyzer is made by build()"]
#[derive(Default)]
pub struct AnalyzerBuilder {
    model: Option<Model>,
    engine: Option<Box<dyn Engine>>,
    precision: Precision,
    detectors: Detectors,
    options: DetectorOptions,
    threads: usize,
    crop_margin: Option<f32>,
    min_confidence: Option<f32>,
    test_time_augmentation: bool,
}

impl AnalyzerBuilder {
    /// Reads emotions with this model instead of the one that comes with moue.
    pub fn model(mut self, model: Model) -> Self {
        self.model = Some(model);
        self
    }

    /// Finds faces so; by default with the network that comes with moue.
    pub fn detector(mut self, detectors: Detectors) -> Self {
        self.detectors = detectors;
        self
    }

    /// Threads to use; 0, the default, takes one a core. The result does not depend on it.
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = threads;
        self
    }

    /// Numbers to compute with, on the processor.
    pub fn precision(mut self, precision: Precision) -> Self {
        self.precision = precision;
        self
    }

    /// Runs the model on this engine instead of the processor.
    pub fn engine(mut self, engine: Box<dyn Engine>) -> Self {
        self.engine = Some(engine);
        self
    }

    /// Looks at this part of each picture only. Faces must have their centre in it.
    pub fn region(mut self, region: Region) -> Self {
        self.options.region = Some(region);
        self
    }

    /// Leaves out faces whose shorter side has fewer pixels; by default 30, and none with detectors of your own. The smaller,
    /// the longer the search of large pictures takes.
    pub fn min_face(mut self, pixels: f32) -> Self {
        self.options.min_face = Some(pixels);
        self
    }

    /// Leaves out faces whose longer side has more pixels; by default none.
    pub fn max_face(mut self, pixels: f32) -> Self {
        self.options.max_face = Some(pixels);
        self
    }

    /// Keeps only so many faces a picture, those found most surely.
    pub fn max_faces(mut self, count: usize) -> Self {
        self.options.max_faces = Some(count);
        self
    }

    /// How sure the network must be of a face, between 0 and 1; by default 0.3. Cascades and detectors of your own have none.
    pub fn threshold(mut self, score: f32) -> Self {
        self.options.threshold = Some(score);
        self
    }

    /// Searches large pictures for small faces everywhere, in tiles: more faces in crowds, and more time.
    pub fn thorough(mut self, on: bool) -> Self {
        self.options.thorough = on;
        self
    }

    /// Share of the side of a face added on each side before it is cut out, above -0.5; by default what
    /// the card of the model says. It fits the boxes of one detector to what the model knows.
    pub fn crop_margin(mut self, margin: f32) -> Self {
        self.crop_margin = Some(margin);
        self
    }

    /// Marks faces whose confidence is below this probability, 0 to 1, as not [`certain`](Face::certain); by
    /// default no face is marked either way. Emotion and probabilities are given all the same.
    pub fn min_confidence(mut self, probability: f32) -> Self {
        self.min_confidence = Some(probability);
        self
    }

    /// Looks at each face several times; see [`Classifier::with_test_time_augmentation`](crate::Classifier::with_test_time_augmentation). By default once.
    pub fn test_time_augmentation(mut self, on: bool) -> Self {
        self.test_time_augmentation = on;
        self
    }

    /// The analyzer.
    ///
    /// # Errors
    /// [`Error::Parameter`] where the crop margin, the confidence or the precision has no meaning; [`Error::Detector`] where a
    /// size, the region or the threshold has none, or the detector's file cannot be read; [`Error::Threads`]; and the errors
    /// of [`Classifier::on`](crate::Classifier::on).
    pub fn build(self) -> Result<Analyzer, Error> {
        let model = match self.model {
            Some(model) => model,
            None => crate::embedded_model()?,
        };
        let crop_margin = self.crop_margin.unwrap_or(model.card.crop_margin);
        if !(crop_margin > -0.5 && crop_margin <= 10.0) {
            return Err(Error::Parameter(format!(
                "the crop margin is {crop_margin}, but must lie above -0.5 and be at most 10"
            )));
        }
        if let Some(least) = self.min_confidence.filter(|p| !(0.0..=1.0).contains(p)) {
            return Err(Error::Parameter(format!(
                "the smallest confidence is {least}, but must be a probability from 0 to 1"
            )));
        }
        let engine: Box<dyn Engine> = match (self.engine, self.precision) {
            (Some(_), Precision::Bf16) => {
                return Err(Error::Parameter("an engine of your own decides on its precision".to_owned()));
            }
            (Some(engine), Precision::F32) => engine,
            (None, Precision::F32) => Box::new(CpuEngine),
            (None, Precision::Bf16) => Box::new(Bf16Engine::new()?),
        };
        let setup = Setup {
            model,
            engine,
            detectors: self.detectors.read()?,
            options: self.options,
            crop_margin,
            min_confidence: self.min_confidence,
            test_time_augmentation: self.test_time_augmentation,
        };
        let sure = setup.detector(1)?.map_or(0.0, |mut detector| detector.include_unsure());
        let cores = || std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let threads = if self.threads == 0 { cores() } else { self.threads };
        // What cannot be made is told now.
        let first = Pipeline::new(&setup, threads)?;
        let idle = Mutex::new(Idle { wide: vec![first], ..Idle::default() });
        let tracks = TrackOptions { sure, ..TrackOptions::default() };
        Ok(Analyzer { inner: Arc::new(Inner { setup, threads, tracks, idle, done: Condvar::new() }) })
    }
}

/// What was seen in one picture.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Look {
    /// The faces, the largest first.
    pub faces: Vec<Face>,
    /// How many faces were seen and left out because they are smaller than what was asked for.
    pub smaller_faces: usize,
}

impl Look {
    /// The record of the picture that was looked at.
    #[must_use]
    pub fn record(self, picture: &Picture) -> Record {
        Record::of_picture(picture, self.faces)
    }
}

impl Analyzer {
    /// The model and the detector that come with moue, on all cores.
    ///
    /// # Errors
    /// [`Error::Threads`] where the system gives none.
    pub fn new() -> Result<Self, Error> {
        Self::builder().build()
    }

    /// Starts with what [`new`](Self::new) takes.
    pub fn builder() -> AnalyzerBuilder {
        AnalyzerBuilder::default()
    }

    /// Labels, preprocessing and origin of the model.
    pub fn card(&self) -> &ModelCard {
        &self.inner.setup.model.card
    }

    /// The confidence from which on a face counts as certain; `None` where none was set.
    pub fn min_confidence(&self) -> Option<f32> {
        self.inner.setup.min_confidence
    }

    /// Threads that all work together takes.
    pub fn threads(&self) -> usize {
        self.inner.threads
    }

    /// The record of one picture: its faces, the largest first; ids count from 0 in this order. Faces of one size stand from top
    /// to bottom, then from left to right. The source is empty; [`Record::from_source`] names it.
    ///
    /// A face is cut out as a square around the centre of its box, as wide as the longer side of the
    /// box and the crop margin on both sides, and turned upright by its roll.
    ///
    /// # Errors
    /// [`Error::Detector`] where the picture is larger than the detector can take; otherwise those
    /// of [`Classifier::classify`](crate::Classifier::classify).
    pub fn picture(&self, picture: &Picture) -> Result<Record, Error> {
        Ok(self.look(picture)?.record(picture))
    }

    /// As [`picture`](Self::picture), with what was left out for its size.
    ///
    /// # Errors
    /// As [`picture`](Self::picture).
    pub fn look(&self, picture: &Picture) -> Result<Look, Error> {
        self.inner.seat()?.with(|pipeline| {
            let faces = pipeline.analyze(picture)?;
            Ok(Look { faces, smaller_faces: pipeline.smaller_faces() })
        })
    }

    /// [`picture`](Self::picture) of a file in any format that moue reads, upright, named in the record.
    ///
    /// # Errors
    /// As [`Picture::open`] and [`picture`](Self::picture).
    pub fn file(&self, path: impl AsRef<Path>) -> Result<Record, Error> {
        let path = path.as_ref();
        let picture = read_picture(path, &Limits::default())?;
        Ok(self.picture(&picture)?.from_source(path.display().to_string()))
    }

    /// [`picture`](Self::picture) of several, on all threads, in their order. An error concerns its picture alone.
    pub fn pictures(&self, pictures: &[Picture]) -> Vec<Result<Record, Error>> {
        let next = AtomicUsize::new(0);
        let work = || {
            let mut own = Vec::new();
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                let Some(picture) = pictures.get(at) else { return own };
                own.push((at, self.picture(picture)));
            }
        };
        let mut answers: Vec<_> = std::thread::scope(|scope| {
            let others: Vec<_> = (1..self.threads().min(pictures.len()))
                .filter_map(|_| std::thread::Builder::new().spawn_scoped(scope, work).ok())
                .collect();
            let own = work();
            // A thread that panicked has no answers; what it had in hand is told below.
            own.into_iter()
                .chain(others.into_iter().flat_map(|other| other.join().unwrap_or_default()))
                .collect()
        });
        answers.sort_by_key(|&(at, _)| at);
        let mut answers = answers.into_iter().peekable();
        (0..pictures.len())
            .map(|at| match answers.next_if(|&(of, _)| of == at) {
                Some((_, answer)) => answer,
                None => Err(Error::Parameter(format!("picture {at} broke off the thread that looked at it"))),
            })
            .collect()
    }

    /// What joins the frames of a video to people, as the detector wants it.
    pub fn follower(&self, smoothing: bool) -> Follower {
        let tracks = self.inner.tracks;
        Follower::new(FollowOptions { tracks, smoothing, min_confidence: self.min_confidence() })
    }

    /// A pipeline of its own with all threads, prepared for frames.
    pub(crate) fn for_frames(&self) -> Result<Pipeline, Error> {
        let mut pipeline = Pipeline::new(&self.inner.setup, self.threads())?;
        pipeline.prepare_for_video();
        Ok(pipeline)
    }

    /// A pipeline with one thread for each thread, prepared for frames; given back by [`return_all`](Self::return_all).
    pub(crate) fn take_all(&self) -> Result<Vec<Pipeline>, Error> {
        let mut all = std::mem::take(&mut self.inner.lock().video);
        while all.len() < self.threads() {
            let mut pipeline = Pipeline::new(&self.inner.setup, 1)?;
            pipeline.prepare_for_video();
            all.push(pipeline);
        }
        Ok(all)
    }

    pub(crate) fn return_all(&self, pipelines: Vec<Pipeline>) {
        self.inner.lock().video = pipelines;
    }
}

impl Inner {
    /// A thread that panicked left nothing half done here.
    fn lock(&self) -> MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A pipeline: with all threads where nobody works, or else with one, as soon as one is free.
    fn seat(&self) -> Result<Seat<'_>, Error> {
        let mut idle = self.lock();
        while idle.working >= self.threads {
            idle = self.done.wait(idle).unwrap_or_else(PoisonError::into_inner);
        }
        let wide = idle.working == 0;
        let known = if wide { idle.wide.pop() } else { idle.narrow.pop() };
        idle.working += 1;
        drop(idle);
        let threads = if wide { self.threads } else { 1 };
        let made = known.map_or_else(|| Pipeline::new(&self.setup, threads), Ok);
        match made {
            Ok(pipeline) => Ok(Seat { inner: self, wide, pipeline: Some(pipeline) }),
            Err(error) => {
                self.leave(None);
                Err(error)
            }
        }
    }

    fn leave(&self, back: Option<(bool, Pipeline)>) {
        let mut idle = self.lock();
        idle.working -= 1;
        match back {
            Some((true, pipeline)) => idle.wide.push(pipeline),
            Some((false, pipeline)) => idle.narrow.push(pipeline),
            None => {}
        }
        self.done.notify_one();
    }
}

/// A pipeline in use, which goes back when its user is done.
struct Seat<'a> {
    inner: &'a Inner,
    wide: bool,
    pipeline: Option<Pipeline>,
}

impl Seat<'_> {
    fn with<T>(mut self, work: impl FnOnce(&mut Pipeline) -> Result<T, Error>) -> Result<T, Error> {
        match &mut self.pipeline {
            Some(pipeline) => work(pipeline),
            // It is taken by `drop` alone.
            None => Err(Error::Parameter("the pipeline is gone".to_owned())),
        }
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        // What a panic left may be half done.
        let back = self.pipeline.take().filter(|_| !std::thread::panicking());
        self.inner.leave(back.map(|pipeline| (self.wide, pipeline)));
    }
}
