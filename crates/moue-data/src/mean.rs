//! The average face of a class.
//!
//! An average over many faces shows what an emotion looks like and nobody in particular, so that it can be given away where
//! the pictures themselves cannot.

use moue_media::Grey;

use crate::{Dataset, Error, Result};

/// Fewest faces of a mean: with fewer, the persons might be told.
pub const FEWEST_FACES: usize = 100;

/// Which faces a mean is taken over.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MeanOptions {
    /// Adds each face's mirror image, which makes the mean symmetric.
    pub mirrored: bool,
    /// Takes only faces for which at least this share of FER+'s annotators, 0 to 1, saw the class; see
    /// [`Votes::agreement`](crate::Votes::agreement).
    pub agreement: Option<f64>,
}

/// An average face.
#[derive(Clone, Debug)]
pub struct Mean {
    /// The average, rounded to whole grey values; `side` pixels a side as in the dataset.
    pub picture: Grey,
    /// How many faces it was taken over.
    pub faces: usize,
}

/// The mean over those of `samples` that have the label and meet the options.
///
/// # Errors
/// [`Error::Argument`] where fewer than [`FEWEST_FACES`] remain, or an agreement is asked for and the dataset has no votes.
pub fn mean_face(dataset: &Dataset, samples: &[usize], label: u8, options: &MeanOptions) -> Result<Mean> {
    let name = dataset.labels().name(label);
    if options.agreement.is_some() && !samples.iter().any(|&index| dataset.votes(index).is_some()) {
        return Err(Error::Argument(format!(
            "mean of {name:?}: an agreement needs FER+ votes, which the dataset does not have"
        )));
    }
    let agreed = |index: usize| match options.agreement {
        Some(least) => dataset.votes(index).is_some_and(|votes| votes.agreement(label) >= least),
        None => true,
    };
    let mut sum = vec![0_u64; dataset.picture_len()];
    let mut faces = 0_usize;
    for &index in samples.iter().filter(|&&index| dataset.label(index) == label && agreed(index)) {
        for (sum, &value) in sum.iter_mut().zip(dataset.pixels(index)) {
            *sum += u64::from(value);
        }
        faces += 1;
    }
    if faces < FEWEST_FACES {
        return Err(Error::Argument(format!(
            "mean of {name:?} over {faces} faces, expected at least {FEWEST_FACES} so that it shows nobody"
        )));
    }
    let side = dataset.side() as usize;
    let mean = |sum: u64, count: usize| ((sum * 2 + count as u64) / (count as u64 * 2)) as u8;
    let pixels = if options.mirrored {
        let at = |i: usize| sum[i] + sum[i / side * side + side - 1 - i % side];
        (0..sum.len()).map(|i| mean(at(i), faces * 2)).collect()
    } else {
        sum.iter().map(|&sum| mean(sum, faces)).collect()
    };
    let picture = Grey::from_raw(dataset.side(), dataset.side(), pixels)
        .ok_or_else(|| Error::Argument(format!("pictures of side {side} are too large")))?;
    Ok(Mean { picture, faces })
}
