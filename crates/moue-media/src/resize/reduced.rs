//! Large pictures to small grey ones.

use crate::{Grey, Picture};

/// Largest factor: sums of so many bytes fit 16 bits.
pub const MOST: u32 = 16;

/// The mean of each square of `factor` x `factor` pixels, 2 to [`MOST`], in grey. Rows and columns that fill no square are left
/// out, as the resizing that follows would hardly see them.
pub fn grey(picture: &Picture, factor: usize) -> Option<Grey> {
    let stride = picture.width() as usize * 3;
    let (width, height) = (picture.width() as usize / factor, picture.height() as usize / factor);
    let mut pixels = Vec::with_capacity(width * height);
    let mut sums = vec![0_u16; stride];
    // Luma in 14 bits, as `Picture::to_grey` has it, times the number of pixels.
    let count = (factor * factor) as u32;
    for rows in picture.pixels().chunks_exact(stride * factor) {
        sums.fill(0);
        for row in rows.chunks_exact(stride) {
            for (sum, &value) in sums.iter_mut().zip(row) {
                *sum += u16::from(value);
            }
        }
        pixels.extend(sums.chunks_exact(3 * factor).map(|square| {
            let mut total = [0_u32; 3];
            for pixel in square.chunks_exact(3) {
                for (total, &value) in total.iter_mut().zip(pixel) {
                    *total += u32::from(value);
                }
            }
            let mean = total.map(|total| (total + count / 2) / count);
            ((mean[0] * 4899 + mean[1] * 9617 + mean[2] * 1868 + 8192) >> 14) as u8
        }));
    }
    Grey::from_raw(width as u32, height as u32, pixels)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_pixel_is_the_mean_of_its_square() {
        let mut picture = Picture::filled(7, 5, [0; 3]);
        for (i, value) in picture.pixels_mut().iter_mut().enumerate() {
            *value = (i * 37 % 251) as u8;
        }
        let small = grey(&picture, 2).unwrap();
        assert_eq!((small.width(), small.height()), (3, 2));
        let full = picture.to_grey();
        for y in 0..2_u32 {
            for x in 0..3_u32 {
                let at = |dx: u32, dy: u32| f32::from(full.row(2 * y + dy)[(2 * x + dx) as usize]);
                let mean = (at(0, 0) + at(1, 0) + at(0, 1) + at(1, 1)) / 4.0;
                assert!((f32::from(small.row(y)[x as usize]) - mean).abs() <= 1.5, "{x},{y}");
            }
        }
    }
}
