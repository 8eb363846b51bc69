//! What changed when something happened.

use super::Settings;
use super::collector::Clip;
use super::measures::Measures;
use super::people::Person;
use super::statistics::{Estimate, Sample};

/// A person counts for an event who was in view for this share of the window on both sides.
const LEAST_SHARE: f64 = 0.25;

/// Before and after one event, over the people who were in view on both sides.
pub(super) struct Change {
    /// Number of the event.
    pub event: usize,
    /// By measure.
    pub before: Vec<Estimate>,
    pub after: Vec<Estimate>,
    /// After less before, a person at a time, so that how each one usually looks cancels out.
    pub difference: Vec<Estimate>,
}

impl Change {
    pub fn new(
        event: usize,
        clips: &[Clip],
        people: &[Person],
        settings: &Settings,
        measures: &Measures,
    ) -> Self {
        let mut before = vec![Sample::default(); measures.count()];
        let (mut after, mut difference) = (before.clone(), before.clone());
        let least = LEAST_SHARE * settings.window;
        for person in people {
            let track = clips.get(person.clip).and_then(|c| c.tracks.get(person.track));
            let window = track.and_then(|t| t.windows.iter().find(|(number, _)| *number == event));
            let Some((_, window)) = window else { continue };
            if window.seconds_before < least || window.seconds_after < least {
                continue;
            }
            let means = |sums: &[f64], seconds: f64| {
                measures.complete(sums.iter().map(|sum| sum / seconds).collect())
            };
            let was = means(&window.before, window.seconds_before);
            let is = means(&window.after, window.seconds_after);
            for (measure, (was, is)) in was.into_iter().zip(is).enumerate() {
                before[measure].add(was);
                after[measure].add(is);
                difference[measure].add(is - was);
            }
        }
        let within = |samples: &[Sample], range: &dyn Fn(usize) -> (f64, f64)| {
            samples.iter().enumerate().map(|(m, s)| s.estimate(range(m))).collect()
        };
        let range = |m| measures.range(m);
        // A difference may reach from one end of the range to the other.
        let twice = |m| {
            let (low, high) = measures.range(m);
            (low - high, high - low)
        };
        Self {
            event,
            before: within(&before, &range),
            after: within(&after, &range),
            difference: within(&difference, &twice),
        }
    }

    /// People who were in view before and after.
    pub fn people(&self) -> usize {
        self.difference.first().map_or(0, |d| d.count)
    }
}
