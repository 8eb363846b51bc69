//! How often each class is answered.
//!
//! Votes and teachers bring their own opinion of how frequent a class is: FER+'s annotators called twice as many faces
//! neutral as FER2013 does, and a network that learnt a tenth of each target from them says "neutral" too often. What is
//! wrong with it can be told without labels: the mean of its probabilities is not the class's share.

use crate::{Error, Result};

/// Rounds at most; each brings the means closer, and some dozen are enough.
const ROUNDS: usize = 500;
/// Means that are closer than this to the shares, relatively, are the shares.
const CLOSE: f64 = 1e-7;

/// What each class's probability is to be multiplied by, before a row is divided by its sum, so that the mean over all
/// rows is `shares`: the maximum-likelihood offsets of the logits for labels that are so distributed, by iterative
/// scaling (Darroch and Ratcliff: "Generalized Iterative Scaling for Log-Linear Models", 1972). Their product is 1.
///
/// `rows` holds rows of `width` values, of which the first `shares.len()` are probabilities. A class whose share or
/// whose mean is 0 keeps the factor 1.
///
/// # Errors
/// Where the rows do not fit.
pub(crate) fn factors(rows: &[f32], width: usize, shares: &[f64]) -> Result<Vec<f64>> {
    let classes = shares.len();
    if classes == 0 || width < classes || rows.is_empty() || !rows.len().is_multiple_of(width) {
        let n = rows.len();
        return Err(Error::Parameter(format!("{n} values are no rows of {width} with {classes} classes")));
    }
    let count = (rows.len() / width) as f64;
    let mut factors = vec![1.0; classes];
    for _ in 0..ROUNDS {
        let mut means = vec![0.0; classes];
        for row in rows.chunks_exact(width) {
            let sum: f64 = row.iter().zip(&factors).map(|(p, f)| f64::from(*p) * f).sum();
            if sum > 0.0 {
                for ((mean, p), f) in means.iter_mut().zip(row).zip(&factors) {
                    *mean += f64::from(*p) * f / sum / count;
                }
            }
        }
        let mut furthest = 0f64;
        for ((factor, mean), share) in factors.iter_mut().zip(&means).zip(shares) {
            if *mean > 0.0 && *share > 0.0 {
                *factor *= share / mean;
                furthest = furthest.max((share / mean - 1.0).abs());
            }
        }
        if furthest < CLOSE {
            break;
        }
    }
    let middle = (factors.iter().map(|f| f.ln()).sum::<f64>() / classes as f64).exp();
    factors.iter_mut().for_each(|f| *f /= middle);
    Ok(factors)
}

/// Multiplies the probabilities of each row by [`factors`] and divides by their sum.
pub(crate) fn apply(rows: &mut [f32], width: usize, factors: &[f64]) {
    for row in rows.chunks_exact_mut(width.max(1)) {
        let sum: f64 = row.iter().zip(factors).map(|(p, f)| f64::from(*p) * f).sum();
        if sum > 0.0 {
            for (p, f) in row.iter_mut().zip(factors) {
                *p = (f64::from(*p) * f / sum) as f32;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Stream;

    /// Rows of three probabilities and one value that is none.
    fn rows(n: u64) -> Vec<f32> {
        let row = |i| {
            let mut random = Stream::new(3, 1, i);
            let p = [random.unit() + 0.01, random.unit() * 0.5 + 0.01, random.unit() * 3.0];
            let sum: f32 = p.iter().sum();
            [p[0] / sum, p[1] / sum, p[2] / sum, 7.0]
        };
        (0..n).flat_map(row).collect()
    }

    fn means(rows: &[f32]) -> [f64; 3] {
        let n = (rows.len() / 4) as f64;
        [0, 1, 2].map(|c: usize| rows.chunks_exact(4).map(|r| f64::from(r[c])).sum::<f64>() / n)
    }

    #[test]
    fn means_become_the_shares() {
        let mut rows = rows(500);
        let shares = [0.5, 0.3, 0.2];
        assert!(means(&rows)[2] > 0.5);
        let found = factors(&rows, 4, &shares).unwrap();
        assert!((found.iter().product::<f64>() - 1.0).abs() < 1e-9);
        apply(&mut rows, 4, &found);
        for (mean, share) in means(&rows).iter().zip(shares) {
            assert!((mean - share).abs() < 1e-6, "{mean} is not {share}");
        }
        for row in rows.chunks_exact(4) {
            assert!((row[..3].iter().sum::<f32>() - 1.0).abs() < 1e-6);
            assert_eq!(row[3], 7.0, "what is no class stays");
        }
    }

    #[test]
    fn shares_that_are_met_change_nothing() {
        let one_hot = [1.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 1.0];
        assert_eq!(factors(&one_hot, 2, &[0.5, 0.5]).unwrap(), [1.0, 1.0]);
        // A class that nobody has is left alone.
        assert_eq!(factors(&[1.0, 0.0, 1.0, 0.0], 2, &[1.0, 0.0]).unwrap(), [1.0, 1.0]);
        assert!(factors(&[1.0], 2, &[0.5, 0.5]).is_err());
        assert!(factors(&[], 2, &[0.5, 0.5]).is_err());
    }
}
