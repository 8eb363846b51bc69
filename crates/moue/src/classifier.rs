//! Emotions of faces whose place is known.

use moue_cpu::CpuEngine;
use moue_graph::engine::{Engine, InferenceOptions, InferenceSession};
use moue_graph::views::mean_logits;
use moue_graph::{Model, ModelCard, View};
use moue_media::{Picture, Region};

use crate::crop::{Cutout, Source};
use crate::{Error, Probabilities};

/// Faces that go through the network together. More would take memory and win nothing.
const BATCH: usize = 16;

/// A model on an engine: tells the emotion of a part of a picture.
pub struct Classifier {
    session: Box<dyn InferenceSession>,
    card: ModelCard,
    views: &'static [View],
    side: u32,
    channels: usize,
    input: Vec<f32>,
    logits: Vec<f32>,
}

impl Classifier {
    /// Prepares a model on the CPU with this many threads; 0 takes one a core.
    ///
    /// # Errors
    /// [`Error::Unsuitable`] where the input of the model is not square, or has neither one nor three
    /// channels (three where it reads colour); [`Error::Model`] where the engine cannot run it.
    pub fn new(model: &Model, threads: usize) -> Result<Self, Error> {
        Self::on(&CpuEngine, model, threads)
    }

    /// As [`new`](Self::new), on another engine.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn on(engine: &dyn Engine, model: &Model, threads: usize) -> Result<Self, Error> {
        model.check()?;
        let (side, channels) = input_of(model)?;
        let one = side as usize * side as usize * channels;
        let options = InferenceOptions { max_batch: BATCH, threads };
        let session = engine.inference(&model.graph, &model.weights, &options)?;
        let input = vec![0.0; BATCH * one];
        let logits = vec![0.0; BATCH * model.card.labels.len()];
        Ok(Self { session, card: model.card.clone(), views: &[View::PLAIN], side, channels, input, logits })
    }

    /// Looks at each face several times, mirrored and slightly moved and enlarged ([`View::TEST_TIME`]), and answers with
    /// the mean. It takes as many times longer as there are views.
    pub fn with_test_time_augmentation(mut self) -> Self {
        self.views = &View::TEST_TIME;
        self
    }

    /// Labels, preprocessing and origin of the model.
    pub fn card(&self) -> &ModelCard {
        &self.card
    }

    /// The probabilities of every label for each region of the picture, in the order of `regions`.
    ///
    /// A region is cut out as it is (no margin is added), brought to the 48x48 pixels of the pictures
    /// that models learn from, and then to the input of the model. One that is not square is
    /// stretched; where it leaves the picture, the edge is repeated.
    ///
    /// # Errors
    /// [`Error::Picture`] where the picture has no pixels or a region is empty, not finite or has a
    /// coordinate beyond 2^24; [`Error::Unsuitable`] where the model's answer is no number.
    pub fn classify(&mut self, picture: &Picture, regions: &[Region]) -> Result<Vec<Probabilities>, Error> {
        let upright: Vec<Cutout> = regions.iter().map(|&region| region.into()).collect();
        self.classify_turned(picture, &upright)
    }

    /// As [`classify`](Self::classify), for squares that are turned with the faces in them.
    ///
    /// # Errors
    /// As [`classify`](Self::classify).
    pub fn classify_turned(
        &mut self,
        picture: &Picture,
        cutouts: &[Cutout],
    ) -> Result<Vec<Probabilities>, Error> {
        let mut answers = Vec::with_capacity(cutouts.len());
        if cutouts.is_empty() {
            return Ok(answers);
        }
        let source = Source::new(picture, &self.card.preprocessing, self.channels);
        let one = self.input.len() / BATCH;
        let classes = self.card.labels.len();
        let looks: Vec<(Cutout, View)> =
            cutouts.iter().flat_map(|&cutout| self.views.iter().map(move |&view| (cutout, view))).collect();
        let mut rows = Vec::with_capacity(looks.len() * classes);
        for batch in looks.chunks(BATCH) {
            for (&(cutout, view), out) in batch.iter().zip(self.input.chunks_exact_mut(one)) {
                source.fill(cutout.seen(view), self.side, &self.card.preprocessing, out)?;
                if view.mirrored {
                    mirror(out, self.side as usize, self.channels);
                }
            }
            let logits = &mut self.logits[..batch.len() * classes];
            self.session.logits(&self.input[..batch.len() * one], batch.len(), logits)?;
            rows.extend_from_slice(logits);
        }
        for row in rows.chunks_exact(self.views.len() * classes) {
            let row = mean_logits(row, classes);
            let probabilities = self.card.calibration.probabilities(&row);
            if probabilities.iter().any(|p| !p.is_finite()) {
                return Err(Error::Unsuitable(format!(
                    "its answer {row:?} holds values that are no numbers"
                )));
            }
            answers.push(self.card.labels.iter().cloned().zip(probabilities).collect());
        }
        Ok(answers)
    }
}

/// Reverses every row of pixels.
fn mirror(picture: &mut [f32], side: usize, channels: usize) {
    for row in picture.chunks_exact_mut(side * channels) {
        for left in 0..side / 2 {
            for channel in 0..channels {
                row.swap(left * channels + channel, (side - 1 - left) * channels + channel);
            }
        }
    }
}

/// Side and channels of the input.
fn input_of(model: &Model) -> Result<(u32, usize), Error> {
    let grey = model.card.preprocessing.grey;
    match model.graph.input_shape().as_slice() {
        &[height, width, channels] if height == width && (channels == 3 || (channels == 1 && grey)) => {
            let side = u32::try_from(height)
                .map_err(|_| Error::Unsuitable(format!("its input has {height} rows")))?;
            Ok((side, channels))
        }
        shape => {
            let channels = if grey { "1 or 3 channels of grey" } else { "3 channels of colour" };
            Err(Error::Unsuitable(format!("its input is {shape:?}; a square with {channels} is needed")))
        }
    }
}
