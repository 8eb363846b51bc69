//! Values between pixels.

/// Bits of a place within a pixel. Whole numbers: sums of nearly nothing, which floating point is slow at, do not come up.
pub const BITS: u32 = 12;

/// What the values of [`at`] are multiples of: their parts of a grey level.
pub const ONE: u32 = 1 << (2 * BITS);

/// The value at a place in pixels, whose centres lie at halves: interpolated between the four nearest, the edge of the picture
/// repeated; in parts of [`ONE`]. The picture has a pixel at least, and `pixels` `width * height * CHANNELS` bytes.
#[inline(always)]
pub fn at<const CHANNELS: usize>(
    pixels: &[u8],
    (width, height): (usize, usize),
    [x, y]: [f32; 2],
) -> [u32; CHANNELS] {
    let part = (1_u32 << BITS) as f32;
    // A place that is no number is 0.
    at_whole(pixels, (width, height), [x, y].map(|at| ((at - 0.5) * part).max(0.0) as u32))
}

/// [`at`], of a place as a whole number of parts of a pixel, counted from the centre of the first.
#[inline(always)]
pub fn at_whole<const CHANNELS: usize>(
    pixels: &[u8],
    (width, height): (usize, usize),
    [x, y]: [u32; 2],
) -> [u32; CHANNELS] {
    let [(left, right, across), (top, below, down)] = [(x, width), (y, height)].map(|(place, length)| {
        let low = ((place >> BITS) as usize).min(length - 1);
        (low, (low + 1).min(length - 1), place & ((1 << BITS) - 1))
    });
    let (upper, lower) = (top * width, below * width);
    let [a, b, c, d] = [upper + left, upper + right, lower + left, lower + right].map(|at| at * CHANNELS);
    std::array::from_fn(|channel| {
        let [a, b, c, d] = [a, b, c, d].map(|at| u32::from(pixels[at + channel]));
        let between = |a: u32, b: u32, by: u32| (a << BITS) + b * by - a * by;
        let (upper, lower) = (between(a, b, across), between(c, d, across));
        upper * ((1 << BITS) - down) + lower * down
    })
}

/// A value of [`at`] as the nearest byte.
#[inline(always)]
pub fn byte(value: u32) -> u8 {
    (value.saturating_add(ONE / 2) >> (2 * BITS)) as u8
}
