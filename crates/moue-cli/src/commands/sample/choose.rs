//! Which faces a mean is taken over.

use moue_data::{Dataset, FEWEST_FACES};

use super::patch::{Patch, View};
use crate::failure::{Failure, Result};

/// Most faces of a class; more change nothing but the time it takes.
const MOST: usize = 700;

/// Side to which pictures are reduced to be compared.
const COARSE: usize = 16;

/// Correlation beyond which two pictures are taken for copies of one. FER2013 holds many: cut otherwise, mirrored,
/// compressed again. A mean in which one person stands twenty times would show that person.
const SAME: f32 = 0.95;

/// Up to [`MOST`] faces of the label among `samples`, those first on which the annotators of FER+ agreed most, and no two
/// alike.
pub fn faces(dataset: &Dataset, samples: &[usize], label: u8) -> Result<Vec<usize>> {
    let agreement = |&index: &usize| dataset.votes(index).map_or(0.0, |votes| votes.agreement(label));
    let mut candidates: Vec<usize> = samples.iter().copied().filter(|&i| dataset.label(i) == label).collect();
    candidates.sort_by(|a, b| agreement(b).total_cmp(&agreement(a)));
    let mut chosen = Vec::new();
    let mut seen: Vec<(Vec<f32>, Vec<f32>)> = Vec::new();
    for index in candidates {
        let (plain, mirrored) = fingerprint(dataset.pixels(index), dataset.side() as usize);
        let alike =
            |(other, mirror): &(Vec<f32>, Vec<f32>)| dot(&plain, other) > SAME || dot(&plain, mirror) > SAME;
        if !seen.iter().any(alike) {
            seen.push((plain, mirrored));
            chosen.push(index);
        }
        if chosen.len() == MOST {
            break;
        }
    }
    // Half of them will be left out as turned away; see `mean::aligned`.
    if chosen.len() < 2 * FEWEST_FACES {
        let name = dataset.labels().name(label);
        return Err(Failure::message(format!(
            "{}: {} different Training pictures are called {name}; a mean that shows nobody takes {}",
            dataset.source(),
            chosen.len(),
            2 * FEWEST_FACES
        )));
    }
    Ok(chosen)
}

/// The picture and its mirror image, small, each of length 1 as vectors.
fn fingerprint(pixels: &[u8], side: usize) -> (Vec<f32>, Vec<f32>) {
    let picture = Patch::new(side, pixels.iter().map(|&p| f32::from(p)));
    // Reduced in two steps, each of which looks at every pixel.
    let small = picture.seen(View::PLAIN, side / 2).seen(View::PLAIN, COARSE);
    let small = small.normalised(&[1.0; COARSE * COARSE]);
    let unit = |values: Vec<f32>| -> Vec<f32> {
        let length = values.iter().map(|v| v * v).sum::<f32>().sqrt().max(1e-6);
        values.into_iter().map(|v| v / length).collect()
    };
    let mirrored = small.pixels.chunks_exact(COARSE).flat_map(|row| row.iter().rev().copied()).collect();
    (unit(small.pixels), unit(mirrored))
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
