//! Means over people and what they leave open.

/// A mean over people.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Estimate {
    /// The mean; 0 without people.
    pub mean: f64,
    /// 95 % interval of the mean; `None` for fewer than two people, of whom nothing can be said beyond themselves.
    pub interval: Option<(f64, f64)>,
    /// People.
    pub count: usize,
}

/// Takes values one by one (Welford: "Note on a Method for Calculating Corrected Sums of Squares and Products", 1962).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Sample {
    count: usize,
    mean: f64,
    squares: f64,
}

impl Sample {
    pub fn add(&mut self, value: f64) {
        self.count += 1;
        let off = value - self.mean;
        self.mean += off / self.count as f64;
        self.squares += off * (value - self.mean);
    }

    /// The mean with its interval by Student's t, `mean ± t · s / √n`, cut to the range that the measure has.
    pub fn estimate(&self, (least, greatest): (f64, f64)) -> Estimate {
        let interval = self.error_squared().map(|error| {
            let reach = t_quantile(self.count as f64 - 1.0) * error.sqrt();
            ((self.mean - reach).max(least), (self.mean + reach).min(greatest))
        });
        Estimate { mean: self.mean, interval, count: self.count }
    }

    /// Squared standard error of the mean, `s² / n`.
    fn error_squared(&self) -> Option<f64> {
        (self.count >= 2).then(|| self.squares / (self.count as f64 - 1.0) / self.count as f64)
    }

    /// How far the mean of `self` is above that of `other`, with Welch's 95 % interval (Welch: "The Generalization of
    /// 'Student's' Problem when Several Different Population Variances are Involved", 1947).
    pub fn above(&self, other: &Self) -> Estimate {
        let mean = self.mean - other.mean;
        let interval = self.error_squared().zip(other.error_squared()).map(|(a, b)| {
            let (m, n) = (self.count as f64 - 1.0, other.count as f64 - 1.0);
            let freedom = (a + b).powi(2) / (a * a / m + b * b / n);
            // Two groups without any spread have no freedom to speak of, and nothing to multiply.
            let reach = if a + b > 0.0 { t_quantile(freedom) * (a + b).sqrt() } else { 0.0 };
            (mean - reach, mean + reach)
        });
        Estimate { mean, interval, count: self.count + other.count }
    }
}

/// The 97.5 % quantile of Student's t, by G. W. Hill: "Algorithm 396: Student's t-quantiles", CACM 1970. Degrees of
/// freedom are taken as the whole number below, and 1 at least: the interval is then rather too wide than too narrow.
fn t_quantile(freedom: f64) -> f64 {
    use std::f64::consts::{FRAC_PI_2, PI};
    const TAILS: f64 = 0.05;
    /// The 2.5 % quantile of the normal distribution.
    const NORMAL: f64 = -1.959_963_984_540_054;
    // Welch's 4 may come as 3.9999999.
    let n = (freedom + 1e-9).floor().max(1.0);
    if n == 1.0 {
        return 1.0 / (TAILS * FRAC_PI_2).tan();
    }
    if n == 2.0 {
        return (2.0 / (TAILS * (2.0 - TAILS)) - 2.0).sqrt();
    }
    let a = 1.0 / (n - 0.5);
    let b = 48.0 / (a * a);
    let mut c = ((20700.0 * a / b - 98.0) * a - 16.0) * a + 96.36;
    let d = ((94.5 / (b + c) - 3.0) / b + 1.0) * (a * PI / 2.0).sqrt() * n;
    let mut y = (d * TAILS).powf(2.0 / n);
    if y > 0.05 + a {
        y = NORMAL * NORMAL;
        if n < 5.0 {
            c += 0.3 * (n - 4.5) * (NORMAL + 0.6);
        }
        c += (((0.05 * d * NORMAL - 5.0) * NORMAL - 7.0) * NORMAL - 2.0) * NORMAL + b;
        y = (((((0.4 * y + 6.3) * y + 36.0) * y + 94.5) / c - y - 3.0) / b + 1.0) * NORMAL;
        y = (a * y * y).exp_m1();
    } else {
        y = ((1.0 / (((n + 6.0) / (n * y) - 0.089 * d - 0.822) * (n + 2.0) * 3.0) + 0.5 / (n + 4.0)) * y
            - 1.0)
            * (n + 1.0)
            / (n + 2.0)
            + 1.0 / y;
    }
    (n * y).sqrt()
}

/// The middle value, or the mean of the two middle ones; `None` of nothing.
pub(super) fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let high = *values.get(middle)?;
    Some(if values.len().is_multiple_of(2) { (values[middle - 1] + high) / 2.0 } else { high })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample<const N: usize>(values: [f64; N]) -> Sample {
        let mut sample = Sample::default();
        values.into_iter().for_each(|v| sample.add(v));
        sample
    }

    /// Share of Student's distribution within -t to t: the integral of cos^(n-1) up to atan(t / √n), over that up to
    /// π/2.
    fn share_within(t: f64, n: f64) -> f64 {
        let integral = |end: f64| {
            const STEPS: usize = 200_000;
            let step = end / STEPS as f64;
            (0..STEPS).map(|i| ((i as f64 + 0.5) * step).cos().powf(n - 1.0) * step).sum::<f64>()
        };
        integral((t / n.sqrt()).atan()) / integral(std::f64::consts::FRAC_PI_2)
    }

    #[test]
    fn quantiles_leave_five_percent_outside() {
        for n in [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 10.0, 29.0, 64.0, 500.0] {
            let share = share_within(t_quantile(n), n);
            assert!((share - 0.95).abs() < 1e-4, "{n}: {share}");
        }
        // From a printed table.
        for (n, t) in [(1.0, 12.706), (2.0, 4.303), (4.0, 2.776), (9.0, 2.262), (29.0, 2.045), (1e9, 1.960)] {
            assert!((t_quantile(n) - t).abs() < 6e-4, "{n}");
        }
    }

    #[test]
    fn an_interval_is_the_one_of_the_textbook() {
        // Mean 5, s² = (9 + 1 + 1 + 1 + 0 + 0 + 4 + 16) / 7.
        let eight = sample([2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]);
        let estimate = eight.estimate((-100.0, 100.0));
        let reach = 2.364_624 * (32.0_f64 / 7.0 / 8.0).sqrt();
        let (low, high) = estimate.interval.unwrap();
        assert_eq!((estimate.mean, estimate.count), (5.0, 8));
        assert!((low - (5.0 - reach)).abs() < 1e-4 && (high - (5.0 + reach)).abs() < 1e-4);
        assert_eq!(eight.estimate((4.0, 5.5)).interval, Some((4.0, 5.5)));
        assert_eq!(sample([0.5]).estimate((0.0, 1.0)).interval, None);
        assert_eq!(Sample::default().estimate((0.0, 1.0)), Estimate::default());
    }

    #[test]
    fn a_difference_has_the_interval_of_welch() {
        // Variances of the means 1/3 and 4/3: freedom (5/3)² / (1/9/2 + 16/9/2) = 50/17, so 2.
        let difference = sample([1.0, 2.0, 3.0]).above(&sample([2.0, 4.0, 6.0]));
        let reach = 4.302_652_73 * (5.0_f64 / 3.0).sqrt();
        let (low, high) = difference.interval.unwrap();
        assert_eq!((difference.mean, difference.count), (-2.0, 6));
        assert!((low + 2.0 + reach).abs() < 1e-7 && (high + 2.0 - reach).abs() < 1e-7);
        let still = sample([1.0, 1.0]).above(&sample([0.5, 0.5]));
        assert_eq!(still.interval, Some((0.5, 0.5)));
        assert_eq!(sample([1.0]).above(&sample([0.5, 0.5])).interval, None);
    }

    #[test]
    fn medians() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median(vec![]), None);
    }
}
