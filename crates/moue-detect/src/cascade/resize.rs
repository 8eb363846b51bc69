//! Bilinear resizing in 8.8 fixed point: the arithmetic that OpenCV calls `INTER_LINEAR_EXACT`.
//!
//! A destination pixel centre `d + 0.5` lies at `(d + 0.5) * src / dst - 0.5` in the source. The weight
//! of the right (lower) neighbour is the fraction rounded to 1/256, half to even. Rows are mixed first
//! into 16 bits, then columns of those, and the 16 fractional bits are rounded half up at the end.

/// Where each destination position of one axis reads, and with which weights.
struct Axis {
    /// The two source positions.
    taps: Vec<[u32; 2]>,
    /// Their weights in 1/256; they add up to 256.
    weights: Vec<[u16; 2]>,
}

impl Axis {
    fn new(source: u32, target: u32) -> Self {
        // Two divisions, as OpenCV makes them: `source / target` alone can differ in the last bit,
        // and a weight sitting exactly between two steps would then round the other way.
        let scale = 1.0 / (f64::from(target) / f64::from(source));
        let last = source - 1;
        let mut taps = Vec::with_capacity(target as usize);
        let mut weights = Vec::with_capacity(target as usize);
        for position in 0..target {
            let exact = scale * (f64::from(position) + 0.5) - 0.5;
            let floor = exact.floor();
            if floor < 0.0 {
                taps.push([0, 0]);
                weights.push([256, 0]);
            } else if floor >= f64::from(last) {
                taps.push([last, last]);
                weights.push([256, 0]);
            } else {
                let first = floor as u32;
                let second = ((exact - floor) * 256.0).round_ties_even() as u16;
                taps.push([first, first + 1]);
                weights.push([256 - second, second]);
            }
        }
        Self { taps, weights }
    }
}

/// Buffers that [`resize`] keeps between calls.
#[derive(Default)]
pub(super) struct Rows {
    rows: [Vec<u16>; 2],
}

/// Resizes `width * height` grey pixels to `target_width * target_height` into `out`, whose length is
/// changed to fit. All four sizes are at least 1.
pub(super) fn resize(
    pixels: &[u8],
    (width, height): (u32, u32),
    (target_width, target_height): (u32, u32),
    buffers: &mut Rows,
    out: &mut Vec<u8>,
) {
    out.clear();
    if (width, height) == (target_width, target_height) {
        out.extend_from_slice(pixels);
        return;
    }
    let columns = Axis::new(width, target_width);
    let lines = Axis::new(height, target_height);
    let mut held = [None; 2];
    for (taps, weights) in lines.taps.iter().zip(&lines.weights) {
        for tap in *taps {
            // Rows alternate between the two buffers, so a row that the next line shares is kept.
            let place = (tap % 2) as usize;
            if held[place] != Some(tap) {
                let start = tap as usize * width as usize;
                mix_row(&pixels[start..start + width as usize], &columns, &mut buffers.rows[place]);
                held[place] = Some(tap);
            }
        }
        let upper = &buffers.rows[(taps[0] % 2) as usize];
        let lower = &buffers.rows[(taps[1] % 2) as usize];
        let [a, b] = weights.map(u32::from);
        let start = out.len();
        out.resize(start + target_width as usize, 0);
        for ((out, &u), &l) in out[start..].iter_mut().zip(upper).zip(lower) {
            *out = ((u32::from(u) * a + u32::from(l) * b + 32768) >> 16) as u8;
        }
    }
}

fn mix_row(row: &[u8], columns: &Axis, out: &mut Vec<u16>) {
    out.resize(columns.taps.len(), 0);
    for ((out, &[left, right]), &[a, b]) in out.iter_mut().zip(&columns.taps).zip(&columns.weights) {
        *out = u16::from(row[left as usize]) * a + u16::from(row[right as usize]) * b;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resized(pixels: &[u8], from: (u32, u32), to: (u32, u32)) -> Vec<u8> {
        let mut out = Vec::new();
        resize(pixels, from, to, &mut Rows::default(), &mut out);
        out
    }

    #[test]
    fn halving_averages_four_pixels_rounding_half_up() {
        assert_eq!(resized(&[0, 1, 2, 3, 1, 0, 2, 4], (4, 2), (2, 1)), [1, 3]);
    }

    #[test]
    fn borders_are_repeated_when_enlarging() {
        assert_eq!(resized(&[0, 200], (2, 1), (4, 1)), [0, 50, 150, 200]);
        assert_eq!(resized(&[7], (1, 1), (3, 2)), [7; 6]);
    }

    #[test]
    fn a_flat_picture_stays_flat_at_every_size() {
        for value in [0, 1, 127, 255] {
            for width in 1..40 {
                let out = resized(&[value; 37 * 23], (37, 23), (width, 19));
                assert!(out.iter().all(|&v| v == value), "{value} at {width}");
            }
        }
    }
}
