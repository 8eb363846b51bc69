//! What every session checks of a batch before it computes.

use moue_graph::{Error, Result};

/// An error where `count` is 0 or beyond `max_batch`, or a buffer does not hold `count` times `[values, classes]`.
pub(crate) fn check(
    count: usize,
    max_batch: usize,
    [values, classes]: [usize; 2],
    pictures: &[f32],
    logits: &[f32],
) -> Result<()> {
    if count == 0 || count > max_batch {
        return Err(Error::Parameter(format!("a batch holds 1 to {max_batch} pictures, not {count}")));
    }
    if pictures.len() != count * values || logits.len() != count * classes {
        return Err(Error::Parameter(format!(
            "{count} pictures have {} values and {} logits, not {} and {}",
            count * values,
            count * classes,
            pictures.len(),
            logits.len()
        )));
    }
    Ok(())
}
