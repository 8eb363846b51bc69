//! Emotions of faces whose place is known.

use moue_cpu::CpuEngine;
use moue_graph::engine::{Engine, InferenceOptions, InferenceSession};
use moue_graph::{Model, ModelCard};
use moue_media::{Picture, Region};

use crate::crop::Source;
use crate::{Error, Probabilities};

/// Faces that go through the network together. More would take memory and win nothing.
const BATCH: usize = 16;

/// A model on an engine: tells the emotion of a part of a picture.
pub struct Classifier {
    session: Box<dyn InferenceSession>,
    card: ModelCard,
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
    pub fn new(model: Model, threads: usize) -> Result<Self, Error> {
        Self::on(&CpuEngine, model, threads)
    }

    /// As [`new`](Self::new), on another engine.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn on(engine: &dyn Engine, model: Model, threads: usize) -> Result<Self, Error> {
        model.check()?;
        let (side, channels) = input_of(&model)?;
        let one = side as usize * side as usize * channels;
        let options = InferenceOptions { max_batch: BATCH, threads };
        let session = engine.inference(&model.graph, &model.weights, &options)?;
        let input = vec![0.0; BATCH * one];
        let logits = vec![0.0; BATCH * model.card.labels.len()];
        Ok(Self { session, card: model.card, side, channels, input, logits })
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
        let mut answers = Vec::with_capacity(regions.len());
        if regions.is_empty() {
            return Ok(answers);
        }
        let source = Source::new(picture, &self.card.preprocessing, self.channels);
        let one = self.input.len() / BATCH;
        let classes = self.card.labels.len();
        for batch in regions.chunks(BATCH) {
            for (&region, out) in batch.iter().zip(self.input.chunks_exact_mut(one)) {
                source.fill(region, self.side, &self.card.preprocessing, out)?;
            }
            let logits = &mut self.logits[..batch.len() * classes];
            self.session.logits(&self.input[..batch.len() * one], batch.len(), logits)?;
            for row in logits.chunks_exact(classes) {
                let probabilities = self.card.calibration.probabilities(row);
                if probabilities.iter().any(|p| !p.is_finite()) {
                    return Err(Error::Unsuitable(format!(
                        "its answer {row:?} holds values that are no numbers"
                    )));
                }
                answers.push(self.card.labels.iter().cloned().zip(probabilities).collect());
            }
        }
        Ok(answers)
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
