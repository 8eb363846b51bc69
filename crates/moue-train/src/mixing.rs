//! Pictures laid over each other (Zhang, Cisse, Dauphin and Lopez-Paz: "mixup: Beyond Empirical Risk
//! Minimization", ICLR 2018): a network that answers between two faces as much as it lies between them learns fewer
//! wrong labels by heart.

use serde::{Deserialize, Serialize};

use crate::random::Stream;

/// How often and how much a picture is mixed with the next one of its batch, targets alike.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mixing {
    /// Probability that a picture is mixed, 0..=1.
    pub probability: f32,
    /// The share of the other picture is drawn from Beta(alpha, alpha), folded into 0..=0.5 so that a picture
    /// stays what it is for the most part; alpha in 0.01..=1.
    pub alpha: f32,
}

/// Streams of [`Mixing::draw`] are not those of the augmentation.
const SALT: u64 = 0x6d69_7869_6e67;

impl Mixing {
    /// The first field out of range, as its name and what is wrong with it.
    pub(crate) fn check(&self) -> Result<(), (&'static str, String)> {
        if !(0.0..=1.0).contains(&self.probability) {
            return Err(("probability", format!("{} must lie in 0..=1", self.probability)));
        }
        if !(0.01..=1.0).contains(&self.alpha) {
            return Err(("alpha", format!("{} must lie in 0.01..=1", self.alpha)));
        }
        Ok(())
    }

    /// Share of the other picture for a sample in an epoch, 0..=0.5.
    pub(crate) fn draw(&self, seed: u64, epoch: u64, sample: u64) -> f32 {
        let mut random = Stream::new(seed ^ SALT, epoch, sample);
        if random.unit() >= self.probability {
            return 0.0;
        }
        // Jöhnk's algorithm (1964) for Beta(alpha, alpha) with alpha up to 1: at worst every second pair is refused.
        for _ in 0..64 {
            let x = f64::from(random.unit()).powf(1.0 / f64::from(self.alpha));
            let y = f64::from(random.unit()).powf(1.0 / f64::from(self.alpha));
            if x + y > 0.0 && x + y <= 1.0 {
                let share = x / (x + y);
                return share.min(1.0 - share) as f32;
            }
        }
        0.0
    }
}

/// Mixes each row of `width` values with the row after it, the last with the first; `shares` holds how much of the
/// other row each takes.
pub(crate) fn blend(rows: &mut [f32], width: usize, shares: &[f32]) {
    if width == 0 || rows.len() < width {
        return;
    }
    let first = rows[..width].to_vec();
    for (index, &share) in shares.iter().enumerate() {
        let Some((row, rest)) = rows.get_mut(index * width..).and_then(|r| r.split_at_mut_checked(width))
        else {
            return;
        };
        if share > 0.0 {
            let other = rest.get(..width).unwrap_or(&first);
            for (value, other) in row.iter_mut().zip(other) {
                *value += share * (other - *value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_take_their_share_of_the_next_as_it_was() {
        let mut rows = [0.0, 0.0, 10.0, 20.0, 40.0, 80.0];
        blend(&mut rows, 2, &[0.5, 0.25, 0.5]);
        assert_eq!(rows, [5.0, 10.0, 17.5, 35.0, 20.0, 40.0]);
        blend(&mut rows, 2, &[0.0; 3]);
        assert_eq!(rows, [5.0, 10.0, 17.5, 35.0, 20.0, 40.0]);
        let mut alone = [3.0, 4.0];
        blend(&mut alone, 2, &[0.5]);
        assert_eq!(alone, [3.0, 4.0]);
    }

    #[test]
    fn shares_are_those_of_the_folded_beta() {
        let mixing = Mixing { probability: 0.75, alpha: 0.4 };
        let n = 40_000;
        let shares: Vec<f64> = (0..n).map(|i| f64::from(mixing.draw(3, 2, i))).collect();
        assert!(shares.iter().all(|s| (0.0..=0.5).contains(s)));
        let none = shares.iter().filter(|s| **s == 0.0).count() as f64 / n as f64;
        assert!((none - 0.25).abs() < 0.01, "{none}");
        // E[(x - 1/2)^2] of Beta(a, a) is 1 / (4 (2 a + 1)); folding keeps it.
        let mixed: Vec<f64> = shares.into_iter().filter(|s| *s > 0.0).collect();
        let spread = mixed.iter().map(|s| (s - 0.5).powi(2)).sum::<f64>() / mixed.len() as f64;
        assert!((spread - 1.0 / (4.0 * 1.8)).abs() < 0.003, "{spread}");
    }

    #[test]
    fn uniform_shares_end_the_drawing_soon() {
        let mixing = Mixing { probability: 1.0, alpha: 1.0 };
        assert!((0..1000).all(|i| mixing.draw(1, 1, i) > 0.0));
    }
}
