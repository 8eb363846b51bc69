//! Axes with ticks at round numbers.

/// A range of values along an axis, widened to ticks at round numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    pub low: f64,
    pub high: f64,
    pub ticks: Vec<f64>,
    /// Digits behind the point that tell the ticks apart.
    pub decimals: usize,
}

/// Steps of ticks, as multiples of a power of ten.
const STEPS: [f64; 4] = [1.0, 2.0, 2.5, 5.0];

impl Axis {
    /// An axis that holds all finite values, with at most about `count` steps between its ticks.
    pub fn around(values: impl IntoIterator<Item = f64>, count: usize) -> Self {
        let (low, high) = values
            .into_iter()
            .filter(|v| v.is_finite())
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
        if low > high {
            return Self::between(0.0, 1.0, count);
        }
        // A curve that is a point or level still needs a height.
        let spread = if high > low { 0.0 } else { (high.abs() * 0.1).max(0.5) };
        Self::between(low - spread, high + spread, count)
    }

    /// An axis from at most `low` to at least `high`, both finite and `low < high`.
    pub fn between(low: f64, high: f64, count: usize) -> Self {
        let step = round_step((high - low) / count.max(1) as f64);
        let (first, last) = ((low / step).floor(), (high / step).ceil());
        let ticks: Vec<f64> =
            (0..=(last - first).clamp(1.0, 100.0) as usize).map(|i| (first + i as f64) * step).collect();
        Self { low: first * step, high: last * step, ticks, decimals: decimals(step) }
    }

    /// An axis of whole numbers from `low` to `high` that ends at them, with ticks at round numbers between.
    pub fn whole(low: usize, high: usize, count: usize) -> Self {
        let high = high.max(low + 1);
        let step = round_step((high - low) as f64 / count.max(1) as f64).ceil().max(1.0) as usize;
        let mut ticks: Vec<f64> =
            (low..=high).filter(|n| n % step == 0 || *n == low).map(|n| n as f64).collect();
        // The first number and the first round one must not run into each other.
        if ticks.len() > 2 && ticks[1] - ticks[0] < step as f64 * 0.6 {
            ticks.remove(1);
        }
        Self { low: low as f64, high: high as f64, ticks, decimals: 0 }
    }

    /// Where a value stands on the axis: 0 at its low end, 1 at its high one.
    pub fn place(&self, value: f64) -> f32 {
        ((value - self.low) / (self.high - self.low)) as f32
    }

    /// A tick as text.
    pub fn text(&self, tick: f64) -> String {
        // The sum of a tick that should be 0 may come out as -0 or 1e-17.
        let tick = if tick.abs() < 1e-12 { 0.0 } else { tick };
        format!("{tick:.*}", self.decimals)
    }
}

/// The smallest round step that is not below this one.
fn round_step(step: f64) -> f64 {
    let power = 10_f64.powf(step.log10().floor());
    STEPS.iter().map(|s| s * power).find(|&s| s >= step * (1.0 - 1e-9)).unwrap_or(10.0 * power)
}

fn decimals(step: f64) -> usize {
    (0..12).find(|&n| (step * 10_f64.powi(n)).fract().abs() < 1e-6).unwrap_or(12) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_cover_the_values() {
        let axis = Axis::around([0.93, 1.82, f64::NAN], 5);
        assert_eq!(
            axis.ticks.iter().map(|&t| axis.text(t)).collect::<Vec<_>>(),
            ["0.8", "1.0", "1.2", "1.4", "1.6", "1.8", "2.0"]
        );
        assert!(axis.place(0.93) > 0.0 && axis.place(1.82) < 1.0);
        let axis = Axis::around([31.0, 68.0], 5);
        assert_eq!(axis.ticks, [30.0, 40.0, 50.0, 60.0, 70.0]);
        assert_eq!(axis.decimals, 0);
    }

    #[test]
    fn level_and_absent_values_have_an_axis() {
        assert_eq!(Axis::around([], 5), Axis::between(0.0, 1.0, 5));
        for value in [0.0, 3.0, -7.5, 1e-9] {
            let axis = Axis::around([value], 5);
            assert!((0.0..=1.0).contains(&axis.place(value)) && axis.ticks.len() > 2, "{axis:?}");
        }
    }

    #[test]
    fn whole_numbers_keep_their_ends() {
        let axis = Axis::whole(1, 25, 6);
        assert_eq!((axis.low, axis.high), (1.0, 25.0));
        assert_eq!(axis.ticks, [1.0, 5.0, 10.0, 15.0, 20.0, 25.0]);
        assert_eq!(Axis::whole(1, 2, 6).ticks, [1.0, 2.0]);
        assert_eq!(Axis::whole(1, 1, 6).ticks, [1.0, 2.0]);
        assert_eq!(Axis::whole(1, 100, 6).ticks, [1.0, 20.0, 40.0, 60.0, 80.0, 100.0]);
    }
}
