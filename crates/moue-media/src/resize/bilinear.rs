//! Values between pixels.

/// The value at a place in pixels, whose centres lie at halves: interpolated between the four nearest, the edge of the picture
/// repeated. The picture has a pixel at least, and `pixels` `width * height * CHANNELS` bytes.
#[inline(always)]
pub fn at<const CHANNELS: usize>(
    pixels: &[u8],
    (width, height): (usize, usize),
    [x, y]: [f32; 2],
) -> [f32; CHANNELS] {
    let (x, y) = ((x - 0.5).clamp(0.0, (width - 1) as f32), (y - 0.5).clamp(0.0, (height - 1) as f32));
    let (left, top) = (x as usize, y as usize);
    let (right, below) = ((left + 1).min(width - 1), (top + 1).min(height - 1));
    let (across, down) = (x - left as f32, y - top as f32);
    let (upper, lower) = (top * width, below * width);
    let [a, b, c, d] = [upper + left, upper + right, lower + left, lower + right].map(|at| at * CHANNELS);
    std::array::from_fn(|channel| {
        let [a, b, c, d] = [a, b, c, d].map(|at| f32::from(pixels[at + channel]));
        let (upper, lower) = (a + (b - a) * across, c + (d - c) * across);
        upper + (lower - upper) * down
    })
}
