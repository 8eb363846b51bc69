//! Seeded orders and splits, the same on every machine.
//!
//! Random numbers are ChaCha8's keystream (Bernstein, "ChaCha, a variant of Salsa20", 2008), whose values are fixed by its
//! definition; nothing here depends on the width of a word, on threads, or on the version of a library's sampling.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::{Dataset, Duplicates, Error, Result};

/// Two sets of samples without a common picture, each in the order of the dataset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoldOut {
    /// The samples to go on with.
    pub kept: Vec<usize>,
    /// The samples set apart.
    pub held_out: Vec<usize>,
}

/// Brings items into a random order (Fisher and Yates; Durstenfeld, Algorithm 235, 1964). The same `seed` and `stream` give
/// the same order; different streams of one seed, such as epochs, are unrelated.
pub fn shuffle<T>(items: &mut [T], seed: u64, stream: u64) {
    let mut random = generator(seed, stream);
    for last in (1..items.len()).rev() {
        items.swap(last, below(&mut random, last as u64 + 1) as usize);
    }
}

/// Sets a share of `samples` apart, chosen at random within each class, so that both sets keep the classes' proportions.
///
/// Equal pictures go to the same side, or the held-out score would be too good. A group of copies counts by the label of its
/// first sample. Of each class, groups are drawn until the share (rounded to whole samples) is reached, so it may be
/// exceeded by the surplus copies of one group.
///
/// # Errors
/// [`Error::Argument`] where `share` is not above 0 and below 1, or a side would be empty.
pub fn hold_out(
    dataset: &Dataset,
    duplicates: &Duplicates,
    samples: &[usize],
    share: f64,
    seed: u64,
) -> Result<HoldOut> {
    if !(share > 0.0 && share < 1.0) {
        return Err(Error::Argument(format!("a hold-out share of {share}, expected above 0 and below 1")));
    }
    let mut sorted = samples.to_vec();
    sorted.sort_unstable_by_key(|&index| (duplicates.first(index), index));
    sorted.dedup();
    let mut classes: Vec<Vec<&[usize]>> = vec![Vec::new(); dataset.labels().len()];
    for group in sorted.chunk_by(|&a, &b| duplicates.first(a) == duplicates.first(b)) {
        classes[usize::from(dataset.label(group[0]))].push(group);
    }
    let mut split = HoldOut { kept: Vec::new(), held_out: Vec::new() };
    for (stream, mut groups) in (0..).zip(classes) {
        let all: usize = groups.iter().map(|group| group.len()).sum();
        let wanted = (all as f64 * share).round() as usize;
        shuffle(&mut groups, seed, stream);
        let mut held = 0;
        for group in groups {
            let side = if held < wanted { &mut split.held_out } else { &mut split.kept };
            held += group.len();
            side.extend_from_slice(group);
        }
    }
    split.kept.sort_unstable();
    split.held_out.sort_unstable();
    if split.kept.is_empty() || split.held_out.is_empty() {
        return Err(Error::Argument(format!(
            "a share of {share} of {} samples leaves one side empty",
            sorted.len()
        )));
    }
    Ok(split)
}

/// The seed fills the first eight bytes of the key, least significant first.
fn generator(seed: u64, stream: u64) -> ChaCha8Rng {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    let mut random = ChaCha8Rng::from_seed(key);
    random.set_stream(stream);
    random
}

/// Uniform in `0..bound`, without bias (Lemire, "Fast Random Integer Generation in an Interval", 2019). `bound` is above 0.
fn below(random: &mut ChaCha8Rng, bound: u64) -> u64 {
    let threshold = bound.wrapping_neg() % bound;
    loop {
        let product = u128::from(random.next_u64()) * u128::from(bound);
        if product as u64 >= threshold {
            return (product >> 64) as u64;
        }
    }
}
