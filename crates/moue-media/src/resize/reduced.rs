//! Large pictures to small grey ones.

use crate::luma;

/// Largest factor: sums of so many bytes fit 16 bits.
pub const MOST: u32 = 16;

/// The mean of each square of `factor` x `factor` pixels, 2 to [`MOST`], in grey, of so many rows of `stride` bytes. Columns that
/// fill no square are left out, as the resizing that follows would hardly see them.
#[inline(always)]
pub fn line(rows: &[u8], stride: usize, factor: usize, sums: &mut Vec<u16>, out: &mut [u8]) {
    if factor == 2 {
        return halved(rows, stride, sums, out);
    }
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

/// [`line`] of squares of two: pixels are turned to grey first, which has vectors.
#[inline(always)]
fn halved(rows: &[u8], stride: usize, sums: &mut Vec<u16>, out: &mut [u8]) {
    const WIDE: usize = 256;
    sums.clear();
    let (upper, lower) = rows.split_at(stride);
    let pixels = 2 * 3 * WIDE;
    for ((upper, lower), out) in upper.chunks(pixels).zip(lower.chunks(pixels)).zip(out.chunks_mut(WIDE)) {
        let mut grey = [[0_u8; 2 * WIDE]; 2];
        luma::row(upper, &mut grey[0]);
        luma::row(lower, &mut grey[1]);
        let pairs = grey[0].chunks_exact(2).zip(grey[1].chunks_exact(2));
        for ((a, b), out) in pairs.zip(out) {
            let sum = u16::from(a[0]) + u16::from(a[1]) + u16::from(b[0]) + u16::from(b[1]);
            *out = ((sum + 2) >> 2) as u8;
        }
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
