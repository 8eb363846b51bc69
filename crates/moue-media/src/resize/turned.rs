//! Turned squares of a picture, cut out upright.

use super::bilinear;
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
    let places = Places::new(
        [region.x + region.width / 2.0, region.y + region.height / 2.0],
        region.width,
        degrees,
        side,
    );
    let size = (width as usize, height as usize);
    let mut out = Vec::with_capacity(side as usize * side as usize * CHANNELS);
    for row in 0..side {
        for column in 0..side {
            let values = bilinear::at::<CHANNELS>(pixels, size, places.at(column, row));
            out.extend(values.map(bilinear::byte));
        }
    }
    (side, out)
}

/// The grey levels at these places of a picture that has some pixels, `to` a row; 0 outside of it.
pub fn grey(pixels: &[u8], (width, height): (usize, usize), places: &Places, to: u32, out: &mut [u8]) {
    // Places as whole numbers, which a row goes through in equal steps.
    let whole = |v: f32| (v * (1 << bilinear::BITS) as f32) as i32;
    let [across, down] = places.step.map(whole);
    let limits = [width, height].map(|length| (length as u32).saturating_mul(1 << bilinear::BITS));
    for (row, out) in (0..).zip(out.chunks_exact_mut(to as usize)) {
        let [mut x, mut y] = places.at(0, row).map(whole);
        for out in out {
            // Below 0, a place is beyond all limits as a number without sign.
            if (x as u32) < limits[0] && (y as u32) < limits[1] {
                let place = [x, y].map(|v| (v as u32).saturating_sub(1 << (bilinear::BITS - 1)));
                *out = bilinear::byte(bilinear::at_whole::<1>(pixels, (width, height), place)[0]);
            }
            (x, y) = (x.wrapping_add(across), y.wrapping_add(down));
        }
    }
}

/// Where in a picture the pixels of a square lie that is turned in it.
pub struct Places {
    centre: [f32; 2],
    /// Half the square's pixels.
    half: f32,
    /// From one of its pixels to the next of its row, in the picture.
    step: [f32; 2],
}

impl Places {
    /// Of a square of `pixels` x `pixels` around `centre`, `side` wide and turned clockwise by `degrees`.
    pub fn new(centre: [f32; 2], side: f32, degrees: f32, pixels: u32) -> Self {
        let (sin, cos) = degrees.to_radians().sin_cos();
        let step = side / pixels as f32;
        Self { centre, half: pixels as f32 / 2.0, step: [cos * step, sin * step] }
    }

    /// Of the centre of a pixel.
    #[inline(always)]
    pub fn at(&self, column: u32, row: u32) -> [f32; 2] {
        let (across, down) = (column as f32 + 0.5 - self.half, row as f32 + 0.5 - self.half);
        let [cos, sin] = self.step;
        [self.centre[0] + across * cos - down * sin, self.centre[1] + across * sin + down * cos]
    }
}
