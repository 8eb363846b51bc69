//! Large pictures to small grey ones.

use crate::luma;

/// Largest factor: sums of so many bytes fit 16 bits.
pub const MOST: u32 = 16;

/// The mean of each square of `factor` x `factor` pixels, 2 to [`MOST`], in grey, of so many rows of `stride` bytes. Columns that
/// fill no square are left out, as the resizing that follows would hardly see them.
#[inline(always)]
pub fn line(rows: &[u8], stride: usize, factor: usize, sums: &mut Vec<u16>, out: &mut [u8]) {
    sums.clear();
    sums.resize(stride, 0);
    for row in rows.chunks_exact(stride) {
        for (sum, &value) in sums.iter_mut().zip(row) {
            *sum += u16::from(value);
        }
    }
    let count = (factor * factor) as u32;
    for (square, out) in sums.chunks_exact(3 * factor).zip(out) {
        let mut total = [0_u32; 3];
        for pixel in square.chunks_exact(3) {
            for (total, &value) in total.iter_mut().zip(pixel) {
                *total += u32::from(value);
            }
        }
        *out = luma::of(total.map(|total| (total + count / 2) / count));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Picture;

    #[test]
    fn each_pixel_is_the_mean_of_its_square() {
        let mut picture = Picture::filled(7, 2, [0; 3]);
        for (i, value) in picture.pixels_mut().iter_mut().enumerate() {
            *value = (i * 37 % 251) as u8;
        }
        let mut small = [0; 3];
        line(picture.pixels(), 21, 2, &mut Vec::new(), &mut small);
        let full = picture.to_grey();
        for (x, &small) in (0..).zip(&small) {
            let at = |dx: usize, dy: u32| f32::from(full.row(dy)[2 * x + dx]);
            let mean = (at(0, 0) + at(1, 0) + at(0, 1) + at(1, 1)) / 4.0;
            assert!((f32::from(small) - mean).abs() <= 1.5, "{x}");
        }
    }
}
