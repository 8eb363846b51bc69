//! What happens at the end of an epoch.

use std::path::PathBuf;

use moue_graph::engine::{InferenceOptions, TrainingSession};
use moue_graph::{Calibration, Model, ModelCard, Weights};
use serde_json::json;

use super::run::Plan;
use crate::Result;
use crate::calibrate::{cross_validated_ece, fit_temperature, probabilities};
use crate::evaluate::{Rows, logits_of};
use crate::metrics::Scores;

/// Answers on the validation rows.
pub(super) struct Validation {
    logits: Vec<f32>,
    /// Scores before calibration.
    pub(super) scores: Scores,
}

/// Runs the validation rows through the averaged weights, or where there are none, the session's;
/// `None` where an answer is not finite.
pub(super) fn validate(
    plan: &Plan<'_>,
    session: &mut dyn TrainingSession,
    average: Option<&Weights>,
) -> Result<Option<Validation>> {
    let rows = Rows {
        dataset: plan.dataset,
        indices: &plan.selection.validation,
        leaked: &plan.selection.validation_leaked,
    };
    let names = plan.dataset.labels().names();
    let batch = plan.recipe.batch;
    let tasks = plan.targets.tasks();
    let apart = match average {
        Some(weights) => Some(tasks.cut(&plan.learner, weights.clone())?),
        None if tasks.is_single() => None,
        None => Some(tasks.cut(&plan.learner, session.weights())?),
    };
    let logits = if let Some(weights) = &apart {
        let options = InferenceOptions { max_batch: batch, threads: plan.options.threads };
        let mut kept = plan.engine.inference(plan.graph, weights, &options)?;
        logits_of(&mut |p, n, out| kept.logits(p, n, out), &plan.target, names.len(), rows, batch)?
    } else {
        logits_of(&mut |p, n, out| session.logits(p, n, out), &plan.target, names.len(), rows, batch)?
    };
    if logits.iter().any(|l| !l.is_finite()) {
        return Ok(None);
    }
    let raw = probabilities(&logits, names.len(), Calibration::default())?;
    let scores = Scores::new(&raw, &plan.labels, names, rows.leaked)?;
    Ok(Some(Validation { logits, scores }))
}

/// The model of an epoch with its temperature fitted on the validation rows.
pub(super) fn model(
    plan: &Plan<'_>,
    validation: &Validation,
    epoch: usize,
    weights: Weights,
) -> Result<Model> {
    let names = plan.dataset.labels().names();
    let temperature = fit_temperature(&validation.logits, &plan.labels, names.len())?;
    let calibration = Calibration { temperature };
    let calibrated = probabilities(&validation.logits, names.len(), calibration)?;
    let scores = Scores::new(&calibrated, &plan.labels, names, &plan.selection.validation_leaked)?;
    // One row cannot be split; its calibration error says nothing either way.
    let ece = if plan.labels.len() > 1 {
        Some(cross_validated_ece(&validation.logits, &plan.labels, names)?)
    } else {
        None
    };
    // A card travels; where files lay on the machine that trained is nobody's business.
    let mut recipe = plan.recipe.clone();
    for path in recipe.paths_mut() {
        *path = path.file_name().map(PathBuf::from).unwrap_or_default();
    }
    let training = json!({
        "moue": env!("CARGO_PKG_VERSION"),
        "recipe": recipe,
        "data": plan.fingerprint,
        "training_rows": plan.selection.training.len(),
        "dropped": plan.selection.dropped,
        "validation": plan.selection.validation_source,
        "epoch": epoch,
        "scores": scores,
        "ece_cross_validated": ece,
    });
    let card = ModelCard {
        labels: names.to_vec(),
        preprocessing: plan.recipe.preprocessing(),
        crop_margin: plan.recipe.crop_margin,
        calibration,
        licence: plan.recipe.licence.clone(),
        training,
    };
    Ok(Model { graph: plan.graph.clone(), weights, card })
}
