//! From coefficients to samples, and from components to pixels: the arithmetic of libjpeg, so that the results are its own.

use super::careful::{Plane, Planes};
use super::survey::Colours;

/// The inverse cosine transform of a block in natural order ("islow" of libjpeg, after Loeffler, Ligtenberg and Moschytz), as
/// samples of 8 bits in rows that are `stride` apart.
pub fn inverse(block: &[i16; 64], table: &[u16; 64], precision: u8, out: &mut [u8], stride: usize) {
    // With 12 bits one bit less of the first pass is kept.
    let kept = if precision > 8 { 1 } else { 2 };
    let mut values = [0_i64; 64];
    for ((value, &coefficient), &factor) in values.iter_mut().zip(block).zip(table) {
        *value = i64::from(coefficient) * i64::from(factor);
    }
    for column in 0..8 {
        pass(&mut values, column, 8, 13 - kept);
    }
    for row in 0..8 {
        pass(&mut values, 8 * row, 1, 13 + kept + 3);
    }
    for (row, values) in values.chunks_exact(8).enumerate() {
        let Some(samples) = out.get_mut(row * stride..row * stride + 8) else { return };
        for (sample, &value) in samples.iter_mut().zip(values) {
            *sample = match precision {
                8 => (value + 128).clamp(0, 255) as u8,
                // 4095 is white.
                _ => (((value + 2048).clamp(0, 4095) * 255 + 2047) / 4095) as u8,
            };
        }
    }
}

fn pass(values: &mut [i64; 64], start: usize, step: usize, shift: u32) {
    let at = |n: usize| values[start + n * step];
    let (z2, z3) = (at(2), at(6));
    let z1 = (z2 + z3) * 4433;
    let (t2, t3) = (z1 - z3 * 15137, z1 + z2 * 6270);
    let (t0, t1) = ((at(0) + at(4)) << 13, (at(0) - at(4)) << 13);
    let even = [t0 + t3, t1 + t2, t1 - t2, t0 - t3];
    let (t0, t1, t2, t3) = (at(7), at(5), at(3), at(1));
    let (z1, z2, z3, z4) = (t0 + t3, t1 + t2, t0 + t2, t1 + t3);
    let z5 = (z3 + z4) * 9633;
    let (z1, z2) = (z1 * -7373, z2 * -20995);
    let (z3, z4) = (z3 * -16069 + z5, z4 * -3196 + z5);
    let odd = [t3 * 12299 + z1 + z4, t2 * 25172 + z2 + z3, t1 * 16819 + z2 + z4, t0 * 2446 + z1 + z3];
    let half = 1_i64 << (shift - 1);
    for (n, (e, o)) in even.into_iter().zip(odd).enumerate() {
        values[start + n * step] = (e + o + half) >> shift;
        values[start + (7 - n) * step] = (e - o + half) >> shift;
    }
}

/// Pixels of grey, or of red, green and blue.
pub fn pixels(planes: &Planes, colours: Colours, width: usize, height: usize) -> Vec<u8> {
    let channels = if colours == Colours::Grey { 1 } else { 3 };
    let mut pixels = Vec::with_capacity(width * height * channels);
    let mut rows = vec![Vec::new(); planes.planes.len()];
    for y in 0..height {
        for (plane, row) in planes.planes.iter().zip(&mut rows) {
            // One component is the picture, whatever its factors say.
            match planes.planes.len() {
                1 => *row = line(plane, y).to_vec(),
                _ => upsampled(plane, planes.h, planes.v, y, width, row),
            }
        }
        let get =
            |component: usize, x: usize| rows.get(component).and_then(|r| r.get(x)).copied().unwrap_or(0);
        match colours {
            Colours::Grey => pixels.extend((0..width).map(|x| get(0, x))),
            Colours::Rgb => pixels.extend((0..width).flat_map(|x| [get(0, x), get(1, x), get(2, x)])),
            Colours::YCbCr => pixels.extend((0..width).flat_map(|x| rgb(get(0, x), get(1, x), get(2, x)))),
            // As Adobe writes them, and after it everybody: 255 is no ink.
            Colours::Cmyk => {
                pixels.extend((0..width).flat_map(|x| [0, 1, 2].map(|c| shaded(get(c, x), get(3, x)))))
            }
            // The transform of Adobe makes CMY of what would be RGB: ink is what is missing of light.
            Colours::Ycck => pixels.extend((0..width).flat_map(|x| {
                rgb(get(0, x), get(1, x), get(2, x)).map(|light| shaded(255 - light, get(3, x)))
            })),
        }
    }
    pixels
}

fn shaded(colour: u8, black: u8) -> u8 {
    ((u32::from(colour) * u32::from(black) + 127) / 255) as u8
}

fn rgb(y: u8, b: u8, r: u8) -> [u8; 3] {
    const HALF: i32 = 1 << 15;
    let (y, b, r) = (i32::from(y), i32::from(b) - 128, i32::from(r) - 128);
    [
        y + ((91_881 * r + HALF) >> 16),
        y + ((-22_554 * b - 46_802 * r + HALF) >> 16),
        y + ((116_130 * b + HALF) >> 16),
    ]
    .map(|value| value.clamp(0, 255) as u8)
}

fn line(plane: &Plane, y: usize) -> &[u8] {
    let y = y.min(plane.height.saturating_sub(1));
    plane.samples.get(y * plane.stride..y * plane.stride + plane.width).unwrap_or(&[])
}

/// A row of a component at the size of the picture: halves are interpolated as triangles ("fancy upsampling"), other shares
/// repeated.
fn upsampled(plane: &Plane, h: usize, v: usize, y: usize, width: usize, out: &mut Vec<u8>) {
    out.clear();
    let (across, down) = (h as f32 / plane.h as f32, v as f32 / plane.v as f32);
    let smooth_across = across == 2.0 && plane.width > 2;
    // libjpeg takes the row above or below only together with columns, or where columns are whole.
    let smooth_down = down == 2.0 && (smooth_across || across == 1.0);
    if smooth_down {
        let (near, above) = (y / 2, y.is_multiple_of(2));
        let far = if above { near.saturating_sub(1) } else { near + 1 };
        let (near, far) = (line(plane, near), line(plane, far));
        let sums = near.iter().zip(far).map(|(&a, &b)| 3 * u16::from(a) + u16::from(b));
        match smooth_across {
            true => triangles(&sums.collect::<Vec<_>>(), [8, 7, 4], out),
            false => {
                let bias = if above { 1 } else { 2 };
                out.extend(sums.map(|sum| ((sum + bias) >> 2) as u8));
            }
        }
    } else {
        let row = line(plane, y * plane.v / v);
        match smooth_across {
            true => triangles(&row.iter().map(|&v| v.into()).collect::<Vec<_>>(), [1, 2, 2], out),
            false => out.extend((0..width).map(|x| row.get(x * plane.h / h).copied().unwrap_or(0))),
        }
    }
    out.truncate(width);
}

/// Twice as many samples: three quarters of the nearer and one of the farther. Rounding goes left and right by turns; the last
/// number of `bias` says by how many bits to divide.
fn triangles(row: &[u16], [left, right, bits]: [u16; 3], out: &mut Vec<u8>) {
    let last = row.len().saturating_sub(1);
    for (x, &value) in row.iter().enumerate() {
        let sides = [(x > 0).then(|| row[x - 1]), (x < last).then(|| row[x + 1])];
        for (side, bias) in sides.into_iter().zip([left, right]) {
            // At the edges sums of rows have biases of their own, and single rows are exact.
            out.push(match side {
                Some(side) => ((3 * value + side + bias) >> bits) as u8,
                None if bits == 4 => ((4 * value + bias) >> 4) as u8,
                None => value as u8,
            });
        }
    }
}
