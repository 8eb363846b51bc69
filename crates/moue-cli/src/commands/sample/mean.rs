//! Means over faces that were aligned to each other.
//!
//! The faces of FER2013 stand a few pixels apart, which blurs their mean. Each is therefore moved and resized to fit the
//! mean found so far, as in congealing (Learned-Miller: "Data Driven Image Models through Continuous Joint Alignment",
//! PAMI 2006): the mean position and size over all faces stay what they were.

use moue_data::Dataset;

use super::patch::{Patch, View};

/// Side of a mean: aligned at fractions of a pixel, many small pictures know more than one.
const SIDE: usize = 192;

/// Times that the faces are aligned to the mean and the mean is taken again.
const ROUNDS: usize = 2;

/// Share of the faces that is kept: those that fit best look straight ahead.
const KEPT: f32 = 0.5;

/// A mean face.
pub struct Mean {
    /// [`SIDE`] pixels a side, mean 0 and standard deviation 1.
    pub patch: Patch,
    /// How many faces it was taken over.
    pub faces: usize,
}

/// What all faces are first aligned to: the mean over every fifth sample as it is, and its mirror image.
pub fn reference(dataset: &Dataset, samples: &[usize]) -> Patch {
    let side = dataset.side() as usize;
    let window = window(side);
    let faces: Vec<Patch> =
        samples.iter().step_by(5).map(|&i| picture(dataset, i).normalised(&window)).collect();
    mean(&faces).symmetric().normalised(&window)
}

/// The mean over those of the faces that fit each other best, aligned, and their mirror images.
pub fn aligned(dataset: &Dataset, samples: &[usize], reference: &Patch) -> Mean {
    let side = dataset.side() as usize;
    let window = window(side);
    let faces: Vec<Patch> = samples.iter().map(|&i| picture(dataset, i)).collect();
    let kept = (faces.len() as f32 * KEPT) as usize;
    let mut reference = reference.clone();
    let mut best = Vec::new();
    for _ in 0..ROUNDS {
        let mut fits: Vec<(View, f32)> = faces.iter().map(|face| fit(face, &reference, &window)).collect();
        centre(&mut fits);
        let mut order: Vec<usize> = (0..faces.len()).collect();
        order.sort_by(|&a, &b| fits[b].1.total_cmp(&fits[a].1));
        best = order[..kept].iter().map(|&i| (i, fits[i].0)).collect();
        let seen: Vec<Patch> = best
            .iter()
            .map(|&(i, view): &(usize, View)| faces[i].seen(view, side).normalised(&window))
            .collect();
        reference = mean(&seen).symmetric().normalised(&window);
    }
    let even = vec![1.0; SIDE * SIDE];
    let seen: Vec<Patch> =
        best.iter().map(|&(i, view)| faces[i].seen(view, SIDE).normalised(&even)).collect();
    Mean { patch: mean(&seen).symmetric().normalised(&even), faces: kept }
}

fn picture(dataset: &Dataset, index: usize) -> Patch {
    Patch::new(dataset.side() as usize, dataset.pixels(index).iter().map(|&p| f32::from(p)))
}

fn mean(patches: &[Patch]) -> Patch {
    let side = patches.first().map_or(0, |patch| patch.side);
    let mut sum = vec![0.0; side * side];
    for patch in patches {
        for (sum, value) in sum.iter_mut().zip(&patch.pixels) {
            *sum += value;
        }
    }
    Patch::new(side, sum.into_iter().map(|v| v / patches.len() as f32))
}

/// Weights of the pixels when faces are compared: the face counts, hair and background do not.
fn window(side: usize) -> Vec<f32> {
    let middle = (side as f32 - 1.0) / 2.0;
    (0..side * side)
        .map(|i| {
            let x = ((i % side) as f32 - middle) / (0.36 * side as f32);
            let y = ((i / side) as f32 - middle) / (0.4 * side as f32);
            (-(x * x + y * y).powi(2)).exp()
        })
        .collect()
}

/// The view of the face that correlates best with the reference, and the correlation. From coarse to fine, so that a
/// few dozen views do.
fn fit(face: &Patch, reference: &Patch, window: &[f32]) -> (View, f32) {
    let total: f32 = window.iter().sum();
    let correlation = |view: View| {
        let seen = face.seen(view, reference.side).normalised(window);
        let products = seen.pixels.iter().zip(&reference.pixels).zip(window).map(|((a, b), w)| a * b * w);
        products.sum::<f32>() / total
    };
    let mut best = (View::PLAIN, f32::NEG_INFINITY);
    for (step, growth) in [(2.0, 0.08), (1.0, 0.04), (0.5, 0.02)] {
        let start = best.0;
        for (x, y) in (-2..=2).flat_map(|y| (-2..=2).map(move |x| (x, y))) {
            for size in [-1.0, 0.0, 1.0] {
                let view = View {
                    scale: start.scale + size * growth,
                    x: start.x + x as f32 * step,
                    y: start.y + y as f32 * step,
                };
                let value = correlation(view);
                if value > best.1 {
                    best = (view, value);
                }
            }
        }
    }
    best
}

/// Takes from all views what they have in common, lest the mean grow or wander.
fn centre(fits: &mut [(View, f32)]) {
    let count = fits.len() as f32;
    let average =
        |value: &dyn Fn(&View) -> f32| fits.iter().map(|(view, _)| value(view)).sum::<f32>() / count;
    let (x, y) = (average(&|v| v.x), average(&|v| v.y));
    let scale = average(&|v| v.scale.ln()).exp();
    for (view, _) in fits {
        *view = View { scale: view.scale / scale, x: view.x - x, y: view.y - y };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A dark spot on a light ground.
    fn spot(side: usize, x: f32, y: f32) -> Patch {
        let value = |i: usize| {
            let (dx, dy) = ((i % side) as f32 - x, (i / side) as f32 - y);
            200.0 - 150.0 * (-(dx * dx + dy * dy) / 20.0).exp()
        };
        Patch::new(side, (0..side * side).map(value))
    }

    #[test]
    fn a_moved_picture_is_moved_back() {
        let window = window(48);
        let reference = spot(48, 23.5, 23.5).normalised(&window);
        let (view, correlation) = fit(&spot(48, 26.5, 21.0), &reference, &window);
        assert!((view.x + 3.0).abs() <= 0.5 && (view.y - 2.5).abs() <= 0.5, "{view:?}");
        assert!(correlation > 0.99, "{correlation}");
    }

    #[test]
    fn views_have_nothing_in_common_afterwards() {
        let view = |scale, x, y| (View { scale, x, y }, 0.0);
        let mut fits = vec![view(1.0, 1.0, 2.0), view(4.0, 3.0, -4.0)];
        centre(&mut fits);
        for ((view, _), scale, x, y) in [(fits[0], 0.5, -1.0, 3.0), (fits[1], 2.0, 1.0, -3.0)] {
            assert!((view.scale - scale).abs() < 1e-5, "{view:?}");
            assert_eq!((view.x, view.y), (x, y));
        }
    }
}
