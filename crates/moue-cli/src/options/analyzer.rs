//! The analyzer that flags ask for.

use std::path::Path;

use moue::{Analyzer, AnalyzerBuilder, Model};

use super::{Abstain, Computing, Threads};
use crate::commands::detector::Flags;
use crate::failure::{Failure, Result};

/// What reads faces, half put together.
pub struct Parts {
    pub builder: AnalyzerBuilder,
    /// Labels of the model.
    pub labels: Vec<String>,
    /// What messages call the detector and the model.
    pub detector: String,
    pub model: String,
}

/// What all commands that read faces are told of how to do it.
pub fn choose(
    detector: &Flags,
    model: Option<&Path>,
    abstain: Abstain,
    computing: &Computing,
    threads: Threads,
) -> Result<Parts> {
    let (detectors, detector) = detector.detectors()?;
    let (model, name) = match model {
        Some(path) => (Model::load(path)?, path.display().to_string()),
        None => (moue::embedded_model()?, "the embedded model".to_owned()),
    };
    let labels = model.card.labels.clone();
    let mut builder = Analyzer::builder()
        .model(model)
        .detector(detectors)
        .engine(computing.engine()?)
        .threads(threads.count());
    if let Some(confidence) = abstain.min_confidence {
        builder = builder.min_confidence(confidence);
    }
    Ok(Parts { builder, labels, detector, model: name })
}

/// The analyzer; settings without meaning were typed on the command line.
pub fn build(builder: AnalyzerBuilder) -> Result<Analyzer> {
    builder.build().map_err(|error| match error {
        moue::Error::Parameter(reason) => Failure::usage(reason),
        error => error.into(),
    })
}
