//! Calm labels: probabilities of one face, filtered over time.
//!
//! The filter adapts as the 1 € filter does (Casiez, Roussel and Vogel 2012): it is slow while the values waver and fast when
//! they move. A quick low-pass follows the values within a tenth of a second. The state that is shown follows that, the
//! faster the farther it is away: while the distance (half the sum of the absolute differences, 0 to 1) is
//! small, with a time constant of a second and more, which calms flicker; from [`FAR`] on with a few hundredths of a
//! second, which shows a real change within 300 ms. Both are convex combinations of the values, so what is shown stays
//! a distribution, and its largest probability is the label.

/// Time constant of the quick low-pass in seconds.
const QUICK: f64 = 0.09;

/// Time constant of what is shown, in seconds, up to the distance [`NEAR`] and from the distance [`FAR`] on; between them
/// its logarithm falls evenly.
const CALM: f64 = 1.6;
const PROMPT: f64 = 0.04;

/// Distances between which the filter goes from calm to prompt.
const NEAR: f64 = 0.10;
const FAR: f64 = 0.38;

/// Seconds after which what was seen before says nothing about now.
const FORGET: f64 = 0.7;

/// The filter of one face.
#[derive(Clone, Debug, Default)]
pub struct Smoother {
    quick: Vec<f64>,
    shown: Vec<f64>,
    time: f64,
}

impl Smoother {
    /// A filter that has seen nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the probabilities at `time` seconds and gives the smoothed ones. Times do not decrease; the
    /// first values, those of another number and those after a long gap are shown as they are.
    pub fn update(&mut self, time: f64, probabilities: &[f32]) -> Vec<f32> {
        let step = time - self.time;
        self.time = time;
        let values = probabilities.iter().map(|&p| f64::from(p));
        if self.shown.len() != probabilities.len() || !(0.0..=FORGET).contains(&step) {
            self.quick = values.collect();
            self.shown.clone_from(&self.quick);
            return probabilities.to_vec();
        }
        let share = |constant: f64| 1.0 - (-step / constant).exp();
        let gain = share(QUICK);
        for (state, value) in self.quick.iter_mut().zip(values) {
            *state += gain * (value - *state);
        }
        let distance = 0.5 * self.quick.iter().zip(&self.shown).map(|(a, b)| (a - b).abs()).sum::<f64>();
        let along = ((distance - NEAR) / (FAR - NEAR)).clamp(0.0, 1.0);
        let gain = share(CALM * (PROMPT / CALM).powf(along));
        for (state, &value) in self.shown.iter_mut().zip(&self.quick) {
            *state += gain * (value - *state);
        }
        self.shown.iter().map(|&p| p as f32).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn largest(p: &[f32]) -> usize {
        (0..p.len()).max_by(|&a, &b| p[a].total_cmp(&p[b])).unwrap()
    }

    #[test]
    fn a_real_change_is_shown_within_300_ms_at_any_frame_rate() {
        let (before, after) = ([0.8, 0.1, 0.1], [0.1, 0.8, 0.1]);
        for rate in [10.0, 24.0, 30.0, 60.0] {
            let mut smoother = Smoother::new();
            let mut frame = 0;
            let mut next = |p: &[f32]| {
                frame += 1;
                smoother.update(f64::from(frame) / rate, p)
            };
            for _ in 0..(2.0 * rate) as usize {
                assert_eq!(largest(&next(&before)), 0);
            }
            let frames = (1..).find(|_| largest(&next(&after)) == 1).unwrap();
            assert!(f64::from(frames) / rate <= 0.3, "{frames} frames at {rate}");
        }
    }

    #[test]
    fn flicker_between_two_labels_is_calmed_to_a_fifth() {
        // Noise about two labels that are nearly even, correlated as neighbouring frames are.
        let mut state = 7_u32;
        let mut random = move || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            f64::from(state >> 8) / f64::from(1 << 24) - 0.5
        };
        let (mut smoother, mut noise) = (Smoother::new(), 0.0);
        let (mut raw_changes, mut changes, mut last) = (0, 0, [0; 2]);
        for frame in 0..3000 {
            noise = 0.6 * noise + 0.15 * random();
            let raw = [0.44 + noise, 0.42 - noise, 0.14].map(|p| p as f32);
            let shown = smoother.update(f64::from(frame) / 30.0, &raw);
            assert!((shown.iter().sum::<f32>() - 1.0).abs() < 1e-3);
            let now = [largest(&raw), largest(&shown)];
            raw_changes += usize::from(now[0] != last[0]);
            changes += usize::from(now[1] != last[1]);
            last = now;
        }
        assert!(raw_changes > 300 && changes * 5 <= raw_changes, "{raw_changes} {changes}");
    }

    #[test]
    fn after_a_gap_it_begins_anew() {
        let mut smoother = Smoother::new();
        smoother.update(1.0, &[1.0, 0.0]);
        assert_eq!(smoother.update(3.0, &[0.0, 1.0]), [0.0, 1.0]);
        // A face that is seen twice at one time changes nothing.
        assert_eq!(smoother.update(3.0, &[1.0, 0.0]), [0.0, 1.0]);
    }
}
