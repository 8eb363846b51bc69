//! Integral images: tables from which the sum over any rectangle is read with four look-ups
//! (Viola and Jones 2001; the tilted table: Lienhart and Maydt 2002).
//!
//! Entries wrap around at 32 bits. Differences of wrapped entries are still exact for every rectangle
//! whose own sum fits, whatever the size of the picture.

/// Fills `out` with `(height + 1)` rows of `stride` entries: entry `(x, y)` is the sum of all pixels
/// above and left of `(x, y)`. `stride` is at least `width + 1`; entries past `width` are left alone.
pub(super) fn sums(pixels: &[u8], width: usize, stride: usize, out: &mut [i32]) {
    table(pixels, width, stride, out, i32::from);
}

/// The same with each pixel squared. The sums are unsigned: read them as `u32`.
pub(super) fn squares(pixels: &[u8], width: usize, stride: usize, out: &mut [i32]) {
    table(pixels, width, stride, out, |v| i32::from(v) * i32::from(v));
}

fn table(pixels: &[u8], width: usize, stride: usize, out: &mut [i32], value: impl Fn(u8) -> i32) {
    out[..=width].fill(0);
    for (row, pixels) in pixels.chunks_exact(width).enumerate() {
        let (above, current) = out[row * stride..].split_at_mut(stride);
        current[0] = 0;
        let mut sum = 0_i32;
        for ((entry, &above), &pixel) in current[1..=width].iter_mut().zip(&above[1..=width]).zip(pixels) {
            sum = sum.wrapping_add(value(pixel));
            *entry = above.wrapping_add(sum);
        }
    }
}

/// The table for rectangles turned by 45 degrees: entry `(x, y)` is the sum of the pixels `(i, j)` with
/// `j < y` and `|i - x + 1| <= y - j - 1`, a triangle opening upwards whose tip is pixel `(x - 1, y - 1)`.
pub(super) fn tilted(pixels: &[u8], width: usize, stride: usize, out: &mut [i32]) {
    out[..=width].fill(0);
    let height = pixels.len() / width;
    for y in 1..=height {
        let tip_row = &pixels[(y - 1) * width..y * width];
        let second_row = if y >= 2 { &pixels[(y - 2) * width..(y - 1) * width] } else { &[] };
        let (before, current) = out.split_at_mut(y * stride);
        let one_up = &before[(y - 1) * stride..];
        let two_up = if y >= 2 { &before[(y - 2) * stride..(y - 1) * stride] } else { &[] };
        // The triangle at (x, y) is those at (x - 1, y - 1) and (x + 1, y - 1), less their overlap at
        // (x, y - 2), plus the tip and the pixel above it. Left of the picture the left triangle is
        // its own overlap; right of it the right one is.
        current[0] = one_up[1.min(width)];
        for x in 1..=width {
            let left = one_up[x - 1];
            let beyond =
                if x < width { one_up[x + 1].wrapping_sub(two_up.get(x).copied().unwrap_or(0)) } else { 0 };
            let tip = i32::from(tip_row[x - 1]) + second_row.get(x - 1).map_or(0, |&v| i32::from(v));
            current[x] = left.wrapping_add(beyond).wrapping_add(tip);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WIDTH: usize = 7;
    const HEIGHT: usize = 6;
    const STRIDE: usize = WIDTH + 4;

    fn pixels() -> Vec<u8> {
        (0..WIDTH * HEIGHT).map(|i| (i * 89 % 251) as u8).collect()
    }

    fn by_definition(
        inside: impl Fn(isize, isize, isize, isize) -> bool,
        value: impl Fn(u8) -> i32,
    ) -> Vec<i32> {
        let pixels = pixels();
        let mut out = vec![0; STRIDE * (HEIGHT + 1)];
        for y in 0..=HEIGHT {
            for x in 0..=WIDTH {
                for (i, &pixel) in pixels.iter().enumerate() {
                    let (px, py) = ((i % WIDTH) as isize, (i / WIDTH) as isize);
                    if inside(px, py, x as isize, y as isize) {
                        out[y * STRIDE + x] += value(pixel);
                    }
                }
            }
        }
        out
    }

    #[test]
    fn tables_equal_their_definition() {
        let upright = |px, py, x, y| px < x && py < y;
        let mut out = vec![0; STRIDE * (HEIGHT + 1)];
        sums(&pixels(), WIDTH, STRIDE, &mut out);
        assert_eq!(out, by_definition(upright, i32::from));
        squares(&pixels(), WIDTH, STRIDE, &mut out);
        assert_eq!(out, by_definition(upright, |v| i32::from(v).pow(2)));
        tilted(&pixels(), WIDTH, STRIDE, &mut out);
        let triangle = |px: isize, py: isize, x: isize, y: isize| py < y && (px - x + 1).abs() < y - py;
        assert_eq!(out, by_definition(triangle, i32::from));
    }

    #[test]
    fn differences_survive_the_wrap() {
        // 4096 * 4096 white pixels squared pass 32 bits many times over.
        let (width, height) = (4096, 4096);
        let mut out = vec![0; (width + 1) * (height + 1)];
        squares(&vec![255; width * height], width, width + 1, &mut out);
        let at = |x: usize, y: usize| out[y * (width + 1) + x];
        let sum = at(4090, 4090)
            .wrapping_sub(at(4066, 4090))
            .wrapping_sub(at(4090, 4066))
            .wrapping_add(at(4066, 4066));
        assert_eq!(sum as u32, 24 * 24 * 255 * 255);
    }
}
