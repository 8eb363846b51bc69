//! A picture in grey and at another size, in one pass over its rows: what a detector sees.
//!
//! Each row is turned to grey, brought to the new width, and kept until the rows of the result that it touches are made. The filter
//! is the triangle of [`Grey::resized`](crate::Grey::resized), in 14-bit fixed point.

use crate::{Grey, Picture, luma};

use super::reduced;

/// Bits of a weight.
const BITS: u32 = 14;

/// Bytes that may be read behind a line.
const BEHIND: usize = 16;

/// Most pixels of a line that make one of the result, for vectors. Lines are averaged in whole pixels first, so that mostly less
/// than twice the size is left to reduce, and a triangle reaches less than two pixels each way.
const MOST_TAPS: usize = 6;

/// `picture` in grey, as `width` x `height` pixels; all sizes are at least 1.
pub fn grey(picture: &Picture, width: u32, height: u32) -> Option<Grey> {
    let factor = (picture.width() / width).min(picture.height() / height).clamp(1, reduced::MOST);
    let mut source = Source {
        pixels: picture.pixels(),
        stride: picture.width() as usize * 3,
        factor: factor as usize,
        sums: Vec::new(),
    };
    let (wide, high) = (picture.width() / factor, picture.height() / factor);
    let (columns, rows) = (Filter::new(wide, width), Filter::new(high, height));
    let mut pixels = vec![0_u8; width as usize * height as usize];
    run(&mut source, (wide as usize, high as usize), &columns, &rows, &mut pixels);
    Grey::from_raw(width, height, pixels)
}

fn run(source: &mut Source<'_>, size: (usize, usize), columns: &Filter, rows: &Filter, out: &mut [u8]) {
    if columns.is_identity() && rows.is_identity() {
        for (at, out) in out.chunks_exact_mut(size.0).enumerate() {
            whole_line(source, at, out);
        }
        return;
    }
    #[cfg(target_arch = "x86_64")]
    if columns.taps <= MOST_TAPS && std::arch::is_x86_feature_detected!("avx2") {
        let groups = vectors::Groups::new(columns);
        // SAFETY: the processor has AVX2.
        unsafe { vectors::run(source, size, columns, &groups, rows, out) };
        return;
    }
    body(source, size, columns.starts.len(), rows, out, &|line, out| columns.apply_from(0, line, out));
}

/// A line as it is, with vectors where there are some.
fn whole_line(source: &mut Source<'_>, at: usize, out: &mut [u8]) {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has AVX2.
        unsafe { vectors::whole_line(source, at, out) };
        return;
    }
    source.line(at, out);
}

/// The whole work, around what brings a line to the new width.
#[inline(always)]
fn body(
    source: &mut Source<'_>,
    (wide, high): (usize, usize),
    width: usize,
    rows: &Filter,
    out: &mut [u8],
    across: &impl Fn(&[u8], &mut [u8]),
) {
    let mut line = vec![0_u8; wide + BEHIND];
    // Lines at the new width, each in the place of one that is not needed any more.
    let kept = rows.taps + 1;
    let mut lines = vec![0_u8; kept * width];
    let mut made = 0;
    for ((&start, weights), out) in
        rows.starts.iter().zip(rows.weights.chunks_exact(rows.taps)).zip(out.chunks_exact_mut(width))
    {
        let end = (start + rows.taps).min(high);
        // Lines between two rows that neither reads are not made.
        made = made.max(start);
        while made < end {
            source.line(made, &mut line[..wide]);
            let place = made % kept * width;
            across(&line, &mut lines[place..place + width]);
            made += 1;
        }
        let line = |tap: usize| {
            let place = (start + tap) % kept * width;
            &lines[place..place + width]
        };
        down(&line, &weights[..end - start], out);
    }
}

/// One row of the result: the sum of lines, times their weights.
#[inline(always)]
fn down<'a>(line: &impl Fn(usize) -> &'a [u8], weights: &[i16], out: &mut [u8]) {
    const WIDE: usize = 64;
    for start in (0..out.len()).step_by(WIDE) {
        let length = WIDE.min(out.len() - start);
        let mut sums = [1_i32 << (BITS - 1); WIDE];
        for (tap, &weight) in weights.iter().enumerate().filter(|(_, weight)| **weight != 0) {
            let values = &line(tap)[start..start + length];
            for (sum, &value) in sums.iter_mut().zip(values) {
                *sum += i32::from(weight) * i32::from(value);
            }
        }
        for (out, sum) in out[start..start + length].iter_mut().zip(sums) {
            *out = (sum >> BITS) as u8;
        }
    }
}

/// Where the lines come from.
struct Source<'a> {
    pixels: &'a [u8],
    stride: usize,
    /// Pixels a side that are averaged.
    factor: usize,
    sums: Vec<u16>,
}

impl Source<'_> {
    #[inline(always)]
    fn line(&mut self, at: usize, out: &mut [u8]) {
        let rows = &self.pixels[at * self.factor * self.stride..][..self.factor * self.stride];
        if self.factor == 1 {
            luma::row(rows, out);
        } else {
            reduced::line(rows, self.stride, self.factor, &mut self.sums, out);
        }
    }
}

/// What makes each pixel of one axis: as many pixels for each, from `starts` on, some of weight 0.
struct Filter {
    taps: usize,
    starts: Vec<usize>,
    weights: Vec<i16>,
}

impl Filter {
    /// From `length` pixels to `side`, as Pillow's `BILINEAR` does it: the filter is cut off at the edges.
    fn new(length: u32, side: u32) -> Self {
        let scale = f64::from(length) / f64::from(side);
        let reach = scale.max(1.0);
        let range = |i: u32| {
            let centre = (f64::from(i) + 0.5) * scale;
            let start = (centre - reach + 0.5).max(0.0) as usize;
            let end = ((centre + reach + 0.5) as usize).min(length as usize).max(start + 1);
            (centre, start, end)
        };
        let taps = (0..side).map(range).map(|(_, start, end)| end - start).max().unwrap_or(1);
        let mut weights = vec![0_i16; taps * side as usize];
        let mut starts = Vec::with_capacity(side as usize);
        for (i, own) in weights.chunks_exact_mut(taps).enumerate() {
            let (centre, start, end) = range(i as u32);
            let weight = |k: usize| (1.0 - ((k as f64 + 0.5 - centre) / reach).abs()).max(0.0);
            let total: f64 = (start..end).map(weight).sum();
            let one = f64::from(1_u32 << BITS);
            let mut left = 1_i32 << BITS;
            for (own, k) in own.iter_mut().zip(start..end) {
                *own = (weight(k) / total * one).round() as i16;
                left -= i32::from(*own);
            }
            // Weights add up to one, or a grey picture would change its grey.
            if let Some(largest) = own.iter_mut().max() {
                *largest += left as i16;
            }
            starts.push(start);
        }
        Self { taps, starts, weights }
    }

    /// Whether each pixel stays what it is.
    fn is_identity(&self) -> bool {
        let one = 1_i16 << BITS;
        self.starts.iter().zip(self.weights.chunks_exact(self.taps)).enumerate().all(
            |(i, (&start, weights))| {
                weights.iter().enumerate().all(|(tap, &w)| w == if start + tap == i { one } else { 0 })
            },
        )
    }

    /// Brings a line to the new width, from this pixel of the result on.
    #[inline(always)]
    fn apply_from(&self, first: usize, line: &[u8], out: &mut [u8]) {
        let filters = self.starts.iter().zip(self.weights.chunks_exact(self.taps));
        for (out, (&start, weights)) in out.iter_mut().zip(filters).skip(first) {
            let values = line[start..].iter().zip(weights);
            let sum: i32 = values.map(|(&v, &w)| i32::from(v) * i32::from(w)).sum();
            *out = ((sum + (1 << (BITS - 1))) >> BITS) as u8;
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod vectors {
    use std::arch::x86_64::*;

    use super::{BEHIND, BITS, Filter, MOST_TAPS, Source, body};

    /// Pixels of the result that are made together.
    const GROUP: usize = 4;
    const PAIRS: usize = MOST_TAPS / 2;

    /// The filter of a row in groups of [`GROUP`], up to the first whose bytes lie too far from one another.
    pub struct Groups(Vec<Group>);

    /// Which bytes of the sixteen from `start` on stand where, and their weights.
    struct Group {
        start: usize,
        pairs: [Pair; PAIRS],
    }

    #[derive(Clone, Copy)]
    struct Pair {
        bytes: [i8; 16],
        weights: [i16; 8],
    }

    impl Groups {
        pub fn new(filter: &Filter) -> Self {
            let mut all = Vec::with_capacity(filter.starts.len() / GROUP);
            for (starts, weights) in
                filter.starts.chunks_exact(GROUP).zip(filter.weights.chunks_exact(GROUP * filter.taps))
            {
                let start = starts[0];
                // Starts do not fall from one to the next.
                if starts[GROUP - 1] - start + filter.taps > BEHIND {
                    break;
                }
                let mut pairs = [Pair { bytes: [-1; 16], weights: [0; 8] }; PAIRS];
                for (i, own) in weights.chunks_exact(filter.taps).enumerate() {
                    for (tap, &weight) in own.iter().enumerate() {
                        let pair = &mut pairs[tap / 2];
                        let lane = 2 * i + tap % 2;
                        pair.bytes[2 * lane] = (starts[i] - start + tap) as i8;
                        pair.weights[lane] = weight;
                    }
                }
                all.push(Group { start, pairs });
            }
            Self(all)
        }

        /// [`Filter::apply_from`] the first pixel; `line` has [`BEHIND`] more bytes behind it.
        #[target_feature(enable = "avx2")]
        fn apply(&self, filter: &Filter, line: &[u8], out: &mut [u8]) {
            let half = _mm_set1_epi32(1 << (BITS - 1));
            let lowest = _mm_setr_epi8(0, 4, 8, 12, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1);
            let pairs = filter.taps.div_ceil(2);
            for (group, out) in self.0.iter().zip(out.chunks_exact_mut(GROUP)) {
                let read = &line[group.start..group.start + BEHIND];
                // SAFETY: `read` has 16 bytes.
                let bytes = unsafe { _mm_loadu_si128(read.as_ptr().cast()) };
                let mut sum = half;
                for pair in &group.pairs[..pairs] {
                    // SAFETY: both arrays have 16 bytes.
                    let (places, weights) = unsafe {
                        (
                            _mm_loadu_si128(pair.bytes.as_ptr().cast()),
                            _mm_loadu_si128(pair.weights.as_ptr().cast()),
                        )
                    };
                    sum = _mm_add_epi32(sum, _mm_madd_epi16(_mm_shuffle_epi8(bytes, places), weights));
                }
                let packed = _mm_shuffle_epi8(_mm_srai_epi32::<{ BITS as i32 }>(sum), lowest);
                out.copy_from_slice(&_mm_cvtsi128_si32(packed).to_le_bytes());
            }
            filter.apply_from(self.0.len() * GROUP, line, out);
        }
    }

    /// [`Source::line`] with AVX2.
    #[target_feature(enable = "avx2")]
    pub fn whole_line(source: &mut Source<'_>, at: usize, out: &mut [u8]) {
        source.line(at, out);
    }

    /// [`body`] with AVX2.
    #[target_feature(enable = "avx2")]
    pub fn run(
        source: &mut Source<'_>,
        size: (usize, usize),
        columns: &Filter,
        groups: &Groups,
        rows: &Filter,
        out: &mut [u8],
    ) {
        body(source, size, columns.starts.len(), rows, out, &|line, out| groups.apply(columns, line, out));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(width: u32, height: u32) -> Picture {
        let mut picture = Picture::filled(width, height, [0; 3]);
        for (i, value) in picture.pixels_mut().iter_mut().enumerate() {
            *value = ((i * i) % 251 + i % 5) as u8;
        }
        picture
    }

    #[test]
    fn it_is_the_grey_picture_resized() {
        for (from, to) in [
            ((64, 48), (64, 48)),
            ((64, 48), (51, 38)),
            ((100, 75), (53, 40)),
            ((40, 30), (100, 80)),
            ((33, 5), (17, 9)),
            ((1, 1), (3, 2)),
            ((300, 20), (160, 3)),
            ((7, 90), (20, 50)),
        ] {
            let picture = picture(from.0, from.1);
            let fitted = grey(&picture, to.0, to.1).unwrap();
            let factor = (from.0 / to.0).min(from.1 / to.1).max(1);
            if factor > 1 {
                continue;
            }
            let resized = picture.to_grey().resized(to.0, to.1).unwrap();
            for (i, (a, b)) in fitted.pixels().iter().zip(resized.pixels()).enumerate() {
                assert!(a.abs_diff(*b) <= 1, "{from:?} to {to:?}, pixel {i}: {a} and {b}");
            }
        }
    }

    #[test]
    fn large_pictures_are_averaged_first() {
        let picture = picture(230, 170);
        let fitted = grey(&picture, 50, 37).unwrap();
        let mut pixels = Vec::new();
        let small = picture.to_grey();
        for row in 0..170 / 4 {
            for column in 0..230 / 4 {
                let sum: u32 = (0..16)
                    .map(|i| u32::from(small.row(row * 4 + i / 4)[(column * 4 + i % 4) as usize]))
                    .sum();
                pixels.push(((sum + 8) / 16) as u8);
            }
        }
        let expected = Grey::from_raw(57, 42, pixels).unwrap().resized(50, 37).unwrap();
        for (a, b) in fitted.pixels().iter().zip(expected.pixels()) {
            assert!(a.abs_diff(*b) <= 2, "{a} and {b}");
        }
    }

    #[test]
    fn half_the_size_is_the_mean_of_four() {
        let picture = picture(1203, 40);
        let fitted = grey(&picture, 601, 20).unwrap();
        let full = picture.to_grey();
        for y in 0..20_u32 {
            for x in 0..601_usize {
                let at = |dx: usize, dy: u32| u32::from(full.row(2 * y + dy)[2 * x + dx]);
                let mean = (at(0, 0) + at(1, 0) + at(0, 1) + at(1, 1) + 2) / 4;
                assert_eq!(u32::from(fitted.row(y)[x]), mean, "{x},{y}");
            }
        }
        // A length that is not quite twice: the identity is told from a shift.
        assert!(Filter::new(7, 7).is_identity() && !Filter::new(8, 7).is_identity());
    }

    #[test]
    fn vectors_give_the_same_bytes_as_plain_code() {
        for (from, to) in [(640, 512), (1000, 531), (77, 200), (13, 9)] {
            let filter = Filter::new(from, to);
            let mut line: Vec<u8> = (0..from).map(|i| (i * i * 7 + i) as u8).collect();
            line.extend([255; BEHIND]);
            let (mut plain, mut fast) = (vec![0; to as usize], vec![0; to as usize]);
            filter.apply_from(0, &line, &mut plain);
            let mut source = Source { pixels: &[], stride: 0, factor: 1, sums: Vec::new() };
            let rgb: Vec<u8> = line[..from as usize].iter().flat_map(|&v| [v; 3]).collect();
            source.pixels = &rgb;
            source.stride = rgb.len();
            let one = Filter { taps: 1, starts: vec![0], weights: vec![1 << BITS] };
            run(&mut source, (from as usize, 1), &filter, &one, &mut fast);
            assert_eq!(fast, plain, "{from} to {to}");
        }
    }
}
