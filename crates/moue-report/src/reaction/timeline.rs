//! The audience over time: a mean over people in every bin.

use super::bins::Width;
use super::measures::Measures;
use super::people::{Person, Presence};
use super::statistics::{Estimate, Sample};

/// What the people of a group showed, bin by bin.
pub(super) struct Timeline {
    pub width: Width,
    pub bins: Vec<Bin>,
    /// By measure: mean over people of each one's own mean over the clip.
    pub means: Vec<Estimate>,
    /// The same values as they were drawn, for comparisons.
    pub samples: Vec<Sample>,
}

/// One bin.
pub(super) struct Bin {
    /// People in view, of those who count.
    pub people: usize,
    /// Share of attention, 0 to 1, and the mean number of faces in view; `None` where nothing was looked at.
    pub attention: Option<f64>,
    pub faces: Option<f64>,
    /// By measure; without people all have count 0.
    pub estimates: Vec<Estimate>,
}

impl Timeline {
    pub fn new(
        people: &[Person],
        presence: &Presence,
        measures: &Measures,
        width: Width,
        length: f64,
    ) -> Self {
        // The last bin begins before the end.
        let count = ((length / width.seconds() - 1e-4).ceil().max(1.0) as usize).max(presence.bins.len());
        let mut samples = vec![vec![Sample::default(); measures.count()]; count];
        for bin in people.iter().flat_map(|p| &p.bins) {
            if let Some(samples) = samples.get_mut(bin.bin) {
                add(samples, &bin.means);
            }
        }
        let mut whole = vec![Sample::default(); measures.count()];
        people.iter().for_each(|p| add(&mut whole, &p.means));
        let bins = samples
            .iter()
            .enumerate()
            .map(|(i, samples)| {
                let estimates = estimates(samples, measures);
                let presence = presence.bins.get(i).copied().flatten();
                Bin {
                    people: estimates.first().map_or(0, |e| e.count),
                    attention: presence.map(|(faces, seats)| (faces / seats).min(1.0)),
                    faces: presence.map(|(faces, _)| faces),
                    estimates,
                }
            })
            .collect();
        Self { width, bins, means: estimates(&whole, measures), samples: whole }
    }

    /// A measure by bin, where there were people.
    pub fn series(&self, measure: usize) -> impl Iterator<Item = Option<Estimate>> {
        self.bins.iter().map(move |b| b.estimates.get(measure).copied().filter(|e| e.count > 0))
    }

    /// When a bin begins, in seconds.
    pub fn start(&self, bin: usize) -> f64 {
        bin as f64 * self.width.seconds()
    }
}

fn add(samples: &mut [Sample], values: &[f64]) {
    for (sample, &value) in samples.iter_mut().zip(values) {
        sample.add(value);
    }
}

fn estimates(samples: &[Sample], measures: &Measures) -> Vec<Estimate> {
    samples.iter().enumerate().map(|(measure, s)| s.estimate(measures.range(measure))).collect()
}
