//! What happens at the end of an epoch.

use std::path::PathBuf;

use moue_graph::engine::{InferenceOptions, TrainingSession};
use moue_graph::{Calibration, Graph, Model, ModelCard, Weights};
use serde_json::json;

use super::run::Plan;
use crate::calibrate::{cross_validated_ece, fit_temperature, probabilities};
use crate::evaluate::{Rows, logits_of};
use crate::metrics::Scores;
use crate::tasks::last_parameters;
use crate::{Error, Result, shares};

/// Answers on the validation rows.
pub(super) struct Validation {
    logits: Vec<f32>,
    /// What was added to the logits of each class so that classes keep their shares; empty where nothing was.
    offsets: Vec<f32>,
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
    let mut logits = if let Some(weights) = &apart {
        let options = InferenceOptions { max_batch: batch, threads: plan.options.threads };
        let mut kept = plan.engine.inference(plan.graph, weights, &options)?;
        logits_of(&mut |p, n, out| kept.logits(p, n, out), &plan.target, names.len(), rows, batch)?
    } else {
        logits_of(&mut |p, n, out| session.logits(p, n, out), &plan.target, names.len(), rows, batch)?
    };
    if logits.iter().any(|l| !l.is_finite()) {
        return Ok(None);
    }
    let mut raw = probabilities(&logits, names.len(), Calibration::default())?;
    let mut offsets = Vec::new();
    if let Some(shares) = &plan.shares {
        let factors = shares::factors(&raw, names.len(), shares)?;
        shares::apply(&mut raw, names.len(), &factors);
        offsets = factors.iter().map(|f| f.ln() as f32).collect();
        for row in logits.chunks_exact_mut(names.len()) {
            row.iter_mut().zip(&offsets).for_each(|(logit, offset)| *logit += offset);
        }
    }
    let scores = Scores::new(&raw, &plan.labels, names, rows.leaked)?;
    Ok(Some(Validation { logits, offsets, scores }))
}

/// Adds a value a class to the biases of the last layer.
fn shift(graph: &Graph, weights: &mut Weights, offsets: &[f32]) -> Result<()> {
    if offsets.is_empty() {
        return Ok(());
    }
    let bias = last_parameters(graph).into_iter().find(|name| name.ends_with("/bias"));
    let mut tensor = match bias.as_ref().and_then(|name| weights.get(name)) {
        Some(tensor) if tensor.data().len() == offsets.len() => tensor.clone(),
        _ => return Err(Error::Parameter("match_shares: the last layer has no bias a class".into())),
    };
    tensor.data_mut().iter_mut().zip(offsets).for_each(|(value, offset)| *value += offset);
    weights.insert(bias.unwrap_or_default(), tensor);
    Ok(())
}

/// The model of an epoch with its temperature fitted on the validation rows.
pub(super) fn model(
    plan: &Plan<'_>,
    validation: &Validation,
    epoch: usize,
    mut weights: Weights,
) -> Result<Model> {
    shift(plan.graph, &mut weights, &validation.offsets)?;
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
