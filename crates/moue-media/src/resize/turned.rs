//! A turned square of a picture, cut out upright.

use crate::Region;

/// Most pixels a side that are taken from the picture before they are averaged: beyond it some are passed over.
const MOST: u32 = 1024;

/// The square around the centre of `region`, as wide as the region, turned clockwise by `degrees`, as pixels of about the size
/// of the picture's own: between pixels, values are interpolated; the edge of the picture is repeated. Gives the side, and
/// `side * side` pixels of `CHANNELS` bytes.
pub fn square<const CHANNELS: usize>(
    pixels: &[u8],
    (width, height): (u32, u32),
    region: Region,
    degrees: f32,
    least: u32,
) -> (u32, Vec<u8>) {
    let side = (region.width.round() as u32).clamp(least, MOST.max(least));
    let (sin, cos) = f64::from(degrees).to_radians().sin_cos();
    let centre = [
        f64::from(region.x) + f64::from(region.width) / 2.0,
        f64::from(region.y) + f64::from(region.height) / 2.0,
    ];
    let step = f64::from(region.width) / f64::from(side);
    let last = [width as usize - 1, height as usize - 1];
    let mut out = Vec::with_capacity(side as usize * side as usize * CHANNELS);
    for row in 0..side {
        let down = (f64::from(row) + 0.5 - f64::from(side) / 2.0) * step;
        for column in 0..side {
            let across = (f64::from(column) + 0.5 - f64::from(side) / 2.0) * step;
            // Pixel centres lie at halves.
            let place =
                [centre[0] + across * cos - down * sin - 0.5, centre[1] + across * sin + down * cos - 0.5];
            let [(x, right, fx), (y, below, fy)] = [0, 1].map(|axis| {
                let at = place[axis].clamp(0.0, last[axis] as f64);
                let low = at as usize;
                (low, (low + 1).min(last[axis]), (at - low as f64) as f32)
            });
            for channel in 0..CHANNELS {
                let at =
                    |x: usize, y: usize| f32::from(pixels[(y * width as usize + x) * CHANNELS + channel]);
                let upper = at(x, y) + (at(right, y) - at(x, y)) * fx;
                let lower = at(x, below) + (at(right, below) - at(x, below)) * fx;
                out.push((upper + (lower - upper) * fy + 0.5) as u8);
            }
        }
    }
    (side, out)
}
