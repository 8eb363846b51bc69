//! Training pictures that stay on the device, and the inputs made of them there ([`moue_graph::engine::rendering`]).
//!
//! FER2013 is 83 MB as bytes. A step takes twenty numbers a picture to the device; what `moue-train` does with one picture
//! after the other on the processor is done here with all of a batch at once, in the same order and by the same formulas.

use burn_tensor::{Device, Int, Tensor, TensorData};
use moue_graph::engine::rendering::{NOISE_PERIOD, Rendering, Stored, noise, reduction};
use moue_graph::{Error, Result};

use crate::transfer::upload;

/// Bytes in a word.
const BYTES: usize = 4;

/// Columns of the table of numbers that a step takes to the device.
mod column {
    pub const MATRIX: usize = 0;
    pub const LAST: usize = 6;
    pub const FLIP: usize = 7;
    pub const CONTRAST: usize = 8;
    pub const LIGHTNESS: usize = 9;
    pub const GAMMA: usize = 10;
    pub const NOISE: usize = 11;
    pub const NOISE_START: usize = 12;
    pub const LEFT: usize = 13;
    pub const RIGHT: usize = 14;
    pub const TOP: usize = 15;
    pub const BOTTOM: usize = 16;
    pub const GREY: usize = 17;
    pub const SHARE: usize = 18;
    pub const PICTURE: usize = 19;
    pub const REDUCED: usize = 20;
    pub const COUNT: usize = 21;
}

/// Most pictures: their numbers must be exact in f32.
const MAX_PICTURES: usize = 1 << 24;

/// Most bytes of pictures; FER2013 has 83 million.
const MAX_BYTES: usize = 1 << 30;

/// Largest side of a picture: the matrices of all reductions have its third power of values.
const MAX_SIDE: usize = 128;

/// Whether these pictures are few and small enough to stay on a device. Others are made into inputs on the processor.
pub(crate) fn fits(stored: &Stored<'_>) -> bool {
    stored.count() <= MAX_PICTURES && stored.pixels.len() <= MAX_BYTES && stored.side <= MAX_SIDE
}

/// The pictures of a dataset on a device.
pub(crate) struct Kept {
    device: Device,
    count: usize,
    /// Side of the pictures.
    from: usize,
    /// Side and channels of the input.
    side: usize,
    channels: usize,
    scale: f32,
    offset: f32,
    /// `[pictures, words]`: four pixels a word, since not every device has bytes.
    words: Tensor<2, Int>,
    /// `[from, from, from]`: the matrix that reduces a line to 1, 2 and so on pixels, zeros below.
    reductions: Tensor<3>,
    /// Noise long enough to read an input from any start.
    noise: Tensor<1>,
    /// `[1, side]`: 0, 1, 2 and so on.
    places: Tensor<2>,
}

impl Kept {
    /// Keeps pictures that [`fits`] accepts; `input` is the graph's input shape.
    pub fn new(stored: &Stored<'_>, input: &[usize], device: &Device) -> Result<Self> {
        let (from, count) = (stored.side, stored.count());
        let &[side, width, channels] = input else {
            return Err(Error::Parameter(format!("the input {input:?} is no [height, width, channels]")));
        };
        if side != width {
            return Err(Error::Parameter(format!("the input {input:?} is not square")));
        }
        if count == 0 || count * from * from != stored.pixels.len() {
            let bytes = stored.pixels.len();
            return Err(Error::Parameter(format!("{bytes} pixels are no pictures of {from}x{from}")));
        }
        let mut table = noise();
        table.extend_from_within(..(side * side).min(NOISE_PERIOD));
        // An input may be larger than the table is long.
        while table.len() < NOISE_PERIOD + side * side {
            table.extend_from_within(..NOISE_PERIOD);
        }
        let places: Vec<f32> = (0..side).map(|i| i as f32).collect();
        Ok(Self {
            count,
            from,
            side,
            channels,
            scale: stored.scale,
            offset: stored.offset,
            words: packed(stored, device),
            reductions: reductions(from, device),
            noise: upload(&table, [table.len()], device),
            places: upload(&places, [1, side], device),
            device: device.clone(),
        })
    }

    /// The inputs, `[renderings, values]`, in NHWC. `after` is the picture that the last one is mixed with.
    pub fn inputs(&self, renderings: &[Rendering], after: &Rendering) -> Result<Tensor<2>> {
        let all = || renderings.iter().chain([after]);
        for rendering in all() {
            self.check(rendering)?;
        }
        let any = |what: &dyn Fn(&Rendering) -> bool| renderings.iter().any(what) || what(after);
        let (count, side) = (renderings.len() + 1, self.side);
        let rows: Vec<f32> = all().flat_map(row).collect();
        let table = upload(&rows, [count, column::COUNT], &self.device);
        // A number of each picture, to be combined with its pixels.
        let number = |column: usize| table.clone().narrow(1, column, 1).reshape([count, 1, 1]);

        let source = self.sources(&table, any(&|r| (r.reduced as usize) < self.from));
        let mut x = self.warped(source, &number);
        x = (x * number(column::CONTRAST) + number(column::LIGHTNESS)).clamp(0.0, 255.0);
        if any(&|r| r.gamma != 1.0) {
            let gamma = number(column::GAMMA).expand([count, side, side]);
            x = x.div_scalar(255.0).powf(gamma).mul_scalar(255.0);
        }
        if any(&|r| r.noise > 0.0) {
            let start = number(column::NOISE_START).int().reshape([count, 1]);
            let pixels = Tensor::<1, Int>::arange(0..(side * side) as i64, &self.device);
            let places = (start + pixels.reshape([1, side * side])).reshape([count * side * side]);
            let noise = self.noise.clone().select(0, places).reshape([count, side, side]);
            x = (x + noise * number(column::NOISE)).clamp(0.0, 255.0);
        }
        if any(&|r| r.erased.is_some()) {
            let columns = self.places.clone().reshape([1, 1, side]).expand([count, side, side]);
            let rows = self.places.clone().reshape([1, side, 1]).expand([count, side, side]);
            let wide = |column| number(column).expand([count, side, side]);
            let inside = columns.clone().greater_equal(wide(column::LEFT)).float()
                * columns.lower(wide(column::RIGHT)).float()
                * rows.clone().greater_equal(wide(column::TOP)).float()
                * rows.lower(wide(column::BOTTOM)).float();
            let kept = inside.clone().mul_scalar(-1.0).add_scalar(1.0);
            x = x * kept + inside * number(column::GREY);
        }
        let own = x.clone().narrow(0, 0, count - 1);
        if renderings.iter().any(|r| r.share > 0.0) {
            let next = x.narrow(0, 1, count - 1);
            let share = number(column::SHARE).narrow(0, 0, count - 1);
            x = own.clone() + (next - own) * share;
        } else {
            x = own;
        }
        let x = x.mul_scalar(self.scale).add_scalar(self.offset).reshape([count - 1, side * side, 1]);
        Ok(x.repeat_dim(2, self.channels).reshape([count - 1, side * side * self.channels]))
    }

    fn check(&self, rendering: &Rendering) -> Result<()> {
        let (picture, reduced) = (rendering.picture as usize, rendering.reduced as usize);
        if picture >= self.count || !(1..=self.from).contains(&reduced) {
            let (count, from) = (self.count, self.from);
            return Err(Error::Parameter(format!(
                "picture {picture} reduced to {reduced} pixels is not among {count} of {from}"
            )));
        }
        Ok(())
    }

    /// The stored pictures, `[count, from, from]`, each reduced to its upper left corner.
    fn sources(&self, table: &Tensor<2>, reduced: bool) -> Tensor<3> {
        let count = table.dims()[0];
        let indices = |column: usize| table.clone().narrow(1, column, 1).reshape([count]).int();
        let words = self.words.clone().select(0, indices(column::PICTURE));
        let bytes = (0..BYTES as i32)
            .map(|byte| words.clone().bitwise_right_shift_scalar(8 * byte).bitwise_and_scalar(255))
            .collect();
        let pixels: Tensor<3, Int> = Tensor::stack(bytes, 2);
        let [_, words, bytes] = pixels.dims();
        let pixels = pixels.reshape([count, words * bytes]).narrow(1, 0, self.from * self.from);
        let pixels = pixels.float().reshape([count, self.from, self.from]);
        if !reduced {
            return pixels;
        }
        let matrix = self.reductions.clone().select(0, indices(column::REDUCED));
        matrix.clone().matmul(pixels.matmul(matrix.swap_dims(1, 2)))
    }

    /// The bilinear reading, `[count, side, side]`, mirrored where a picture wants it.
    fn warped(&self, source: Tensor<3>, number: &dyn Fn(usize) -> Tensor<3>) -> Tensor<3> {
        let (count, from, side) = (source.dims()[0], self.from, self.side);
        let centre = self.places.clone().add_scalar(0.5);
        let (u, v) = (centre.clone().reshape([1, 1, side]), centre.reshape([1, side, 1]));
        // Reading from the right is mirroring what is written.
        let u = u.clone() + (u.mul_scalar(-2.0).add_scalar(side as f32)) * number(column::FLIP);
        let last = number(column::LAST).expand([count, side, side]);
        let [x, y] = [0, 3].map(|first| {
            let [a, b, c] = [0, 1, 2].map(|i| number(column::MATRIX + first + i));
            (a * u.clone() + (b * v.clone() + c)).clamp_min(0.0).min_pair(last.clone())
        });
        let (left, top) = (x.clone().floor(), y.clone().floor());
        let (fx, fy) = (x - left.clone(), y - top.clone());
        let edge = (from - 1) as i32;
        let (left, top) = (left.int(), top.int());
        // Beside the last pixel nothing is read: its share is 0 there.
        let (right, below) =
            (left.clone().add_scalar(1).clamp_max(edge), top.clone().add_scalar(1).clamp_max(edge));
        let first = Tensor::<1, Int>::arange_step(0..(count * from * from) as i64, from * from, &self.device);
        let first = first.reshape([count, 1, 1]);
        let source = source.reshape([count * from * from]);
        let read = |row: &Tensor<3, Int>, column: &Tensor<3, Int>| {
            let places = row.clone().mul_scalar(from as i32) + column.clone() + first.clone();
            source.clone().select(0, places.reshape([count * side * side])).reshape([count, side, side])
        };
        let high = mix(read(&top, &left), read(&top, &right), &fx);
        let low = mix(read(&below, &left), read(&below, &right), &fx);
        mix(high, low, &fy).add_scalar(0.5).floor()
    }
}

fn mix(a: Tensor<3>, b: Tensor<3>, share: &Tensor<3>) -> Tensor<3> {
    a.clone() + (b - a) * share.clone()
}

/// The numbers of one picture.
fn row(rendering: &Rendering) -> [f32; column::COUNT] {
    let mut row = [0.0; column::COUNT];
    row[column::MATRIX..][..6].copy_from_slice(&rendering.matrix);
    row[column::LAST] = (rendering.reduced - 1) as f32;
    row[column::FLIP] = f32::from(u8::from(rendering.flip));
    row[column::CONTRAST] = rendering.contrast;
    row[column::LIGHTNESS] = rendering.lightness;
    row[column::GAMMA] = rendering.gamma;
    row[column::NOISE] = rendering.noise;
    row[column::NOISE_START] = (rendering.noise_start as usize % NOISE_PERIOD) as f32;
    if let Some(erased) = &rendering.erased {
        row[column::LEFT] = erased.columns.start as f32;
        row[column::RIGHT] = erased.columns.end as f32;
        row[column::TOP] = erased.rows.start as f32;
        row[column::BOTTOM] = erased.rows.end as f32;
        row[column::GREY] = erased.grey;
    }
    row[column::SHARE] = rendering.share;
    row[column::PICTURE] = rendering.picture as f32;
    row[column::REDUCED] = (rendering.reduced - 1) as f32;
    row
}

/// Four pixels a word, the first in its lowest byte; a picture's last word may have room left.
fn packed(stored: &Stored<'_>, device: &Device) -> Tensor<2, Int> {
    let length = stored.side * stored.side;
    let words: Vec<i32> = stored
        .pixels
        .chunks_exact(length)
        .flat_map(|picture| {
            picture.chunks(BYTES).map(|pixels| {
                let mut word = [0; BYTES];
                word[..pixels.len()].copy_from_slice(pixels);
                i32::from_le_bytes(word)
            })
        })
        .collect();
    Tensor::from_data(TensorData::new(words, [stored.count(), length.div_ceil(BYTES)]), device)
}

/// For each number of pixels up to `from` the matrix that reduces a line to so many.
fn reductions(from: usize, device: &Device) -> Tensor<3> {
    let mut all = vec![0.0; from * from * from];
    for (to, matrix) in (1..=from).zip(all.chunks_exact_mut(from * from)) {
        if to == from {
            // Reducing to the same side is no reduction; the filter would blur.
            (0..from).for_each(|i| matrix[i * from + i] = 1.0);
            continue;
        }
        for (line, (first, weights)) in matrix.chunks_exact_mut(from).zip(reduction(from, to)) {
            line[first..][..weights.len()].copy_from_slice(&weights);
        }
    }
    upload(&all, [from, from, from], device)
}
