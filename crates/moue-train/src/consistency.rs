//! Whether the same face gets the same answer when it is seen differently.

mod changes;

use moue_graph::ModelCard;
use moue_graph::engine::InferenceSession;
use moue_media::Grey;
use serde::{Deserialize, Serialize};

use crate::augment::{Scratch, Source, Target, render};
use crate::calibrate::probabilities;
use crate::evaluate::Rows;
use crate::metrics::top;
use crate::{Error, Evaluation, Result};

use changes::{Change, How};

/// How much the answers of a model depend on what should not matter. Serialised, it is what
/// `moue eval --consistency --json` adds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Consistency {
    /// Pictures looked at.
    pub count: usize,
    /// Mean of `same` over all changes.
    pub same: f64,
    /// Mean of `distance` over all changes.
    pub distance: f64,
    /// Each change, in a fixed order.
    pub changes: Vec<Changed>,
}

/// What one change of all pictures does to the answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Changed {
    /// Name of the change.
    pub change: String,
    /// What it does, for people.
    pub description: String,
    /// Share of pictures whose most probable class stays the same.
    pub same: f64,
    /// Mean total-variation distance of the probabilities before and after: half the sum of the absolute
    /// differences, 0 (equal) to 1.
    pub distance: f64,
    /// Share of right answers to the changed pictures.
    pub accuracy: f64,
}

/// Changes the pictures of a plain evaluation (one look at each) in all the ways of this module and compares the answers;
/// `session`, `input`, `card`, `rows` and `batch` are those of [`evaluate`](crate::evaluate()).
///
/// An error where `plain` is not of these rows, or an answer is not a number.
pub fn consistency(
    session: &mut dyn InferenceSession,
    input: &[usize],
    card: &ModelCard,
    rows: Rows<'_>,
    plain: &Evaluation,
    batch: usize,
) -> Result<Consistency> {
    let classes = card.labels.len();
    let target = Target::new(input, &card.preprocessing)?;
    let count = rows.indices.len();
    if plain.indices != rows.indices || batch == 0 || count == 0 {
        return Err(Error::Parameter("the plain answers are not those to the same pictures".into()));
    }
    let mut changes = Vec::with_capacity(changes::ALL.len());
    for change in &changes::ALL {
        let logits = logits_under(session, change, &target, classes, rows, batch)?;
        if logits.iter().any(|l| !l.is_finite()) {
            let name = change.name;
            return Err(Error::Data(format!("the network's answer to a picture {name} is not a number")));
        }
        let changed = probabilities(&logits, classes, card.calibration)?;
        changes.push(compare(change, &plain.probabilities, &changed, &plain.labels, classes));
    }
    let mean = |value: fn(&Changed) -> f64| changes.iter().map(value).sum::<f64>() / changes.len() as f64;
    Ok(Consistency { count, same: mean(|c| c.same), distance: mean(|c| c.distance), changes })
}

fn compare(change: &Change, before: &[f32], after: &[f32], labels: &[usize], classes: usize) -> Changed {
    let (mut same, mut right, mut distance) = (0usize, 0usize, 0.0f64);
    for ((old, new), &label) in before.chunks_exact(classes).zip(after.chunks_exact(classes)).zip(labels) {
        same += usize::from(top(old).0 == top(new).0);
        right += usize::from(top(new).0 == label);
        let differences = old.iter().zip(new).map(|(a, b)| f64::from(a - b).abs());
        distance += 0.5 * differences.sum::<f64>();
    }
    let count = labels.len().max(1) as f64;
    Changed {
        change: change.name.to_owned(),
        description: change.description.to_owned(),
        same: same as f64 / count,
        distance: distance / count,
        accuracy: right as f64 / count,
    }
}

/// Logits of the changed pictures.
fn logits_under(
    session: &mut dyn InferenceSession,
    change: &Change,
    target: &Target,
    classes: usize,
    rows: Rows<'_>,
    batch: usize,
) -> Result<Vec<f32>> {
    let side = rows.dataset.side();
    let mut pictures = vec![0.0; target.len() * batch.min(rows.indices.len())];
    let mut logits = vec![0.0; rows.indices.len() * classes];
    let mut scratch = Scratch::default();
    for (indices, out) in rows.indices.chunks(batch).zip(logits.chunks_mut(batch * classes)) {
        for (&i, picture) in indices.iter().zip(pictures.chunks_exact_mut(target.len())) {
            match &change.how {
                How::Geometry(transform) => {
                    let source = Source::new(rows.dataset.pixels(i), side as usize)?;
                    render(source, transform, target, &mut scratch, picture)?;
                }
                How::Picture(changed) => {
                    let grey: Grey = changed(&rows.dataset.grey(i)?)?;
                    let source = Source::new(grey.pixels(), side as usize)?;
                    render(source, &crate::augment::Transform::NONE, target, &mut scratch, picture)?;
                }
            }
        }
        session.logits(&pictures[..indices.len() * target.len()], indices.len(), out)?;
    }
    Ok(logits)
}
