//! Groups against each other. People are the unit, not frames: a person's frames are no new evidence about others.

use super::measures::Measures;
use super::report::Group;
use super::statistics::Estimate;

/// How far each group is from the first.
pub(super) struct Comparison {
    /// By group after the first, by measure: mean of the group less that of the first, with Welch's interval.
    pub differences: Vec<Vec<Estimate>>,
}

impl Comparison {
    pub fn new(groups: &[Group], measures: &Measures) -> Self {
        let Some((first, others)) = groups.split_first() else { return Self { differences: Vec::new() } };
        let against_first = |group: &Group| {
            let pairs = group.timeline.samples.iter().zip(&first.timeline.samples);
            let differences = pairs.map(|(own, first)| own.above(first)).enumerate();
            differences.map(|(measure, d)| clamped(d, measures.range(measure))).collect()
        };
        Self { differences: others.iter().map(against_first).collect() }
    }
}

fn clamped(difference: Estimate, (least, greatest): (f64, f64)) -> Estimate {
    let most = greatest - least;
    let interval = difference.interval.map(|(low, high)| (low.max(-most), high.min(most)));
    Estimate { interval, ..difference }
}
