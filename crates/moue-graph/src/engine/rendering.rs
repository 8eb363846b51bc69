//! Training pictures that an engine keeps where it computes, and makes into inputs itself: a step then takes some twenty
//! numbers a picture to the device instead of all its values.
//!
//! What is drawn at random is drawn by the caller; what is here are the pictures and what becomes of each, so that every
//! engine makes the same input of them but for rounding.

use std::ops::Range;

/// Square grey pictures to keep.
#[derive(Clone, Copy, Debug)]
pub struct Stored<'a> {
    /// Rows of bytes without gaps, picture after picture.
    pub pixels: &'a [u8],
    /// Width and height of each in pixels.
    pub side: usize,
    /// Input = pixel (0..=255) x `scale` + `offset`, in every channel.
    pub scale: f32,
    /// See `scale`.
    pub offset: f32,
}

impl Stored<'_> {
    /// How many there are.
    pub fn count(&self) -> usize {
        self.pixels.len().checked_div(self.side * self.side).unwrap_or(0)
    }
}

/// What becomes of one stored picture, in the order of the fields. Pixels are in 0..=255.
#[derive(Clone, Debug, PartialEq)]
pub struct Rendering {
    /// Which of the stored pictures.
    pub picture: u32,
    /// Side that it is reduced to by [`reduction`] along both axes; its own side for none.
    pub reduced: u32,
    /// `[a, b, c, d, e, f]`: the pixel whose centre is at `(u, v)` of the input reads the reduced picture at
    /// `x = a u + b v + c`, `y = d u + e v + f` (its first pixel at 0), both clamped to the picture, bilinearly, and is rounded
    /// to a whole grey level.
    pub matrix: [f32; 6],
    /// Whether each row is then reversed.
    pub flip: bool,
    /// `pixel x contrast + lightness`, clamped to 0..=255.
    pub contrast: f32,
    /// See `contrast`.
    pub lightness: f32,
    /// Exponent of the pixel with white at 1.
    pub gamma: f32,
    /// Standard deviation of the noise that is added, white being 255; the sum is clamped to 0..=255.
    pub noise: f32,
    /// Pixel `i` (row after row) takes the noise `noise_start + i`, modulo [`NOISE_PERIOD`], of [`noise`].
    pub noise_start: u32,
    /// A rectangle painted over.
    pub erased: Option<Erased>,
    /// Share of the next picture of the batch (the first for the last) that is mixed into this one, both as they are after
    /// all of the above; 0..=0.5.
    pub share: f32,
}

/// Pixels painted over with one grey.
#[derive(Clone, Debug, PartialEq)]
pub struct Erased {
    /// Columns of the input.
    pub columns: Range<u32>,
    /// Rows of the input.
    pub rows: Range<u32>,
    /// In 0..=255.
    pub grey: f32,
}

/// Length of [`noise`].
pub const NOISE_PERIOD: usize = 1 << 16;

/// Noise of mean 0 and standard deviation 1, nearly normal, always the same. A picture starts in it where the
/// caller drew; a table is what every device can read and no two compute differently.
pub fn noise() -> Vec<f32> {
    let mut values: Vec<f64> = (0..NOISE_PERIOD as u64)
        .map(|i| {
            let bits = super::dropout::mixed(0x6e6f_6973_6521, i);
            // The sum of four 16-bit numbers has standard deviation 65536 / sqrt(3).
            let sum: u64 = (0..4).map(|part| bits >> (16 * part) & 0xffff).sum();
            (sum as f64 - 131_070.0) * 3f64.sqrt() / 65_536.0
        })
        .collect();
    let mean = values.iter().sum::<f64>() / NOISE_PERIOD as f64;
    values.iter_mut().for_each(|v| *v -= mean);
    values.into_iter().map(|v| v as f32).collect()
}

/// The triangle filter that reduces a line of `from` pixels to `to`: for each new pixel the first old one that it reads, and
/// the weights of that one and of those after it, which sum to 1.
///
/// The filter is twice as wide as the reduction, so that no pixel is skipped; pixels of the edge are repeated outside. It is
/// the one that reduces faces at inference.
pub fn reduction(from: usize, to: usize) -> Vec<(usize, Vec<f32>)> {
    let step = from as f64 / to as f64;
    let last = from as i64 - 1;
    (0..to)
        .map(|i| {
            let centre = (i as f64 + 0.5) * step;
            let (first, end) = ((centre - step - 0.5).floor() as i64, (centre + step - 0.5).ceil() as i64);
            let start = first.clamp(0, last);
            let mut raw = vec![0.0; (end.clamp(0, last) - start + 1) as usize];
            for k in first..=end {
                let weight = 1.0 - ((k as f64 + 0.5 - centre) / step).abs();
                raw[(k.clamp(0, last) - start) as usize] += weight.max(0.0);
            }
            let sum: f64 = raw.iter().sum();
            (start as usize, raw.into_iter().map(|w| (w / sum) as f32).collect())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_is_even_and_unlike_itself_elsewhere() {
        let noise = noise();
        let n = noise.len() as f64;
        let moment = |power: i32| noise.iter().map(|&v| f64::from(v).powi(power)).sum::<f64>() / n;
        assert!(moment(1).abs() < 1e-6 && (moment(2) - 1.0).abs() < 0.01, "{} {}", moment(1), moment(2));
        for shift in [1, 48, 64, 2304, 4096] {
            let same = (0..noise.len())
                .map(|i| f64::from(noise[i]) * f64::from(noise[(i + shift) % noise.len()]))
                .sum::<f64>();
            // Four standard errors of the correlation of unrelated values.
            assert!((same / n).abs() < 4.0 / n.sqrt(), "{shift}: {}", same / n);
        }
    }

    #[test]
    fn a_reduction_reads_every_pixel_alike() {
        for (from, to) in [(48, 24), (48, 37), (48, 1), (7, 3)] {
            let taps = reduction(from, to);
            let mut read = vec![0.0; from];
            for (first, weights) in &taps {
                assert!((weights.iter().sum::<f32>() - 1.0).abs() < 1e-6);
                for (pixel, weight) in read[*first..].iter_mut().zip(weights) {
                    *pixel += weight;
                }
            }
            let share = to as f32 / from as f32;
            // Away from the edges, whose pixels stand in for those outside.
            let inner = from / 4..from - from / 4;
            assert!(read[inner].iter().all(|r| (r / share - 1.0).abs() < 0.35), "{from} to {to}: {read:?}");
        }
    }
}
