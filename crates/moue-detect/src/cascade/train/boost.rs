//! Gentle AdaBoost over the patterns of LBP features.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;
use rayon::prelude::*;

use super::super::{LbpFeature, Subset};
use super::samples::Samples;

/// A pattern seen by less weight than this is held to be as often face as not; all weights add up to 2.
const DOUBT: f32 = 1e-4;

/// A decision on one feature: patterns of `subset` vote `leaves[0]`, the others `leaves[1]`.
pub(super) struct Decision {
    pub feature: u32,
    pub subset: Subset,
    pub leaves: [f32; 2],
}

/// The state of boosting one stage.
pub(super) struct Votes {
    features: usize,
    /// Least ratio of the faces' total weight to that of the other windows.
    asymmetry: f32,
    faces: Class,
    others: Class,
}

/// The windows of one class: their patterns, weights and sums of votes.
struct Class {
    codes: Vec<u8>,
    weights: Vec<f32>,
    sums: Vec<f64>,
}

/// The best decision on one feature; larger gain is better.
struct Split {
    gain: f32,
    feature: usize,
    subset: Subset,
    leaves: [f32; 2],
}

impl Votes {
    /// Both classes start with the same total weight, or the faces with `asymmetry` times as much. They also
    /// keep that in later rounds: a stage of few trees must reject what is surely no face and must not spend its
    /// trees on telling the average apart (compare Viola and Jones 2002, asymmetric AdaBoost).
    pub fn new(features: &[LbpFeature], faces: &Samples, others: &Samples, asymmetry: f32) -> Self {
        let class = |samples: &Samples| Class {
            codes: samples.codes(features),
            weights: vec![1.0 / samples.len() as f32; samples.len()],
            sums: vec![0.0; samples.len()],
        };
        let (faces, others) = (class(faces), class(others));
        let mut votes = Self { features: features.len(), asymmetry, faces, others };
        votes.balance();
        votes
    }

    /// Scales the weights: all add up to 2, the faces' share is at least what the asymmetry demands.
    fn balance(&mut self) {
        let sums = [&self.faces, &self.others].map(|class| class.weights.iter().sum::<f32>());
        let ratio = (sums[0] / sums[1]).max(self.asymmetry);
        let factors = [2.0 * ratio / (1.0 + ratio) / sums[0], 2.0 / (1.0 + ratio) / sums[1]];
        self.faces.weights.iter_mut().for_each(|weight| *weight *= factors[0]);
        self.others.weights.iter_mut().for_each(|weight| *weight *= factors[1]);
    }

    /// Adds the decision that fits the weighted windows best among a random share of the features.
    pub fn boost(&mut self, share: f64, random: &mut ChaCha8Rng) -> Decision {
        let limit = (share * f64::from(u32::MAX)) as u32;
        let mut tried: Vec<usize> = (0..self.features).filter(|_| random.next_u32() <= limit).collect();
        if tried.is_empty() {
            tried.push(random.next_u32() as usize % self.features);
        }
        let split = |&feature: &usize| self.split(feature);
        // Of equal ones the first, so that the order in which threads finish does not matter.
        let better = |a: Split, b: Split| {
            if (b.gain, a.feature) > (a.gain, b.feature) { b } else { a }
        };
        let none =
            || Split { gain: f32::NEG_INFINITY, feature: usize::MAX, subset: [0; 8], leaves: [0.0; 2] };
        let best = tried.par_iter().map(split).reduce(none, better);
        self.faces.vote(&best, 1.0);
        self.others.vote(&best, -1.0);
        self.balance();
        Decision { feature: best.feature as u32, subset: best.subset, leaves: best.leaves }
    }

    /// Splits the patterns of a feature into two sets so that the sets' mean labels leave the least
    /// squared error. With two sets the best split is one along the patterns ordered by mean label
    /// (Breiman et al. 1984).
    fn split(&self, feature: usize) -> Split {
        let for_face = self.faces.histogram(feature);
        let against = self.others.histogram(feature);
        let mut patterns: Vec<(f32, usize)> = (0..256)
            .filter(|&code| for_face[code] + against[code] > 0.0)
            .map(|code| ((for_face[code] - against[code]) / (for_face[code] + against[code] + DOUBT), code))
            .collect();
        patterns.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let sum = |codes: &[(f32, usize)]| {
            codes.iter().fold((0.0, 0.0), |(p, n), &(_, code)| (p + for_face[code], n + against[code]))
        };
        let (all_for, all_against): (f32, f32) = sum(&patterns);
        let gain = |p: f32, n: f32| (p - n) * (p - n) / (p + n + f32::MIN_POSITIVE);
        let (mut best, mut cut, mut left) = (f32::NEG_INFINITY, 0, (0.0, 0.0));
        for (i, &(_, code)) in patterns.iter().enumerate() {
            left = (left.0 + for_face[code], left.1 + against[code]);
            let both = gain(left.0, left.1) + gain(all_for - left.0, all_against - left.1);
            if both > best {
                (best, cut) = (both, i + 1);
            }
        }
        // Patterns never seen count as no face: set every bit and clear those that speak for one.
        let mut subset = [u32::MAX; 8];
        patterns[cut..].iter().for_each(|&(_, code)| subset[code / 32] &= !(1 << (code % 32)));
        let leaf = |(p, n): (f32, f32)| (p - n) / (p + n + DOUBT);
        Split {
            gain: best,
            feature,
            subset,
            leaves: [leaf(sum(&patterns[..cut])), leaf(sum(&patterns[cut..]))],
        }
    }

    /// The highest threshold that at least this share of the faces reaches.
    pub fn threshold(&self, hit_rate: f64) -> f32 {
        let mut sums = self.faces.sums.clone();
        sums.sort_unstable_by(f64::total_cmp);
        let lost = ((1.0 - hit_rate) * sums.len() as f64 + 1e-9).floor() as usize;
        let sum = sums[lost.min(sums.len() - 1)];
        // Rounded down, so that this face itself still passes.
        let threshold = sum as f32;
        if f64::from(threshold) > sum { threshold.next_down() } else { threshold }
    }

    /// Share of the other windows that reach a threshold.
    pub fn false_alarm(&self, threshold: f32) -> f64 {
        let passing = self.others.sums.iter().filter(|&&sum| sum >= f64::from(threshold)).count();
        passing as f64 / self.others.sums.len() as f64
    }

    /// Which faces and which other windows reach a threshold.
    pub fn passing(&self, threshold: f32) -> (Vec<bool>, Vec<bool>) {
        let passing = |class: &Class| class.sums.iter().map(|&sum| sum >= f64::from(threshold)).collect();
        (passing(&self.faces), passing(&self.others))
    }
}

impl Class {
    fn codes_of(&self, feature: usize) -> &[u8] {
        let count = self.weights.len();
        &self.codes[feature * count..(feature + 1) * count]
    }

    /// Weight of each pattern.
    fn histogram(&self, feature: usize) -> [f32; 256] {
        let mut histogram = [0.0; 256];
        for (&code, &weight) in self.codes_of(feature).iter().zip(&self.weights) {
            histogram[usize::from(code)] += weight;
        }
        histogram
    }

    fn vote(&mut self, split: &Split, label: f32) {
        let count = self.weights.len();
        let codes = &self.codes[split.feature * count..(split.feature + 1) * count];
        for ((&code, weight), sum) in codes.iter().zip(&mut self.weights).zip(&mut self.sums) {
            let (place, bit) = (usize::from(code) / 32, code % 32);
            let vote = split.leaves[usize::from((split.subset[place] >> bit) & 1 == 0)];
            *weight *= (-label * vote).exp();
            *sum += f64::from(vote);
        }
    }
}
