//! Every int8 kernel against plain integer arithmetic: equal bytes, on random shapes, with every
//! instruction set this processor has.

use super::convert;
use super::depthwise::{MAX_SIDE, PackedDepthwise, groups};
use super::gemm::{Clamp, PackedKernel, Places, Product, Skip};
use super::{Isa, stride};
use crate::Level;

/// A small stream of random numbers.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    fn below(&mut self, n: usize) -> usize {
        self.next() as usize % n
    }

    fn bytes(&mut self, n: usize) -> Vec<u8> {
        // The ends are where saturation of intermediate sums would show.
        (0..n).map(|_| [0, 255, self.next() as u8, self.next() as u8][self.below(4)]).collect()
    }

    fn kernel(&mut self, n: usize) -> Vec<i8> {
        (0..n).map(|_| [-128, 127, self.next() as i8, self.next() as i8][self.below(4)]).collect()
    }

    fn bias(&mut self, n: usize) -> Vec<i32> {
        (0..n).map(|_| self.next() as i32 % 60_000 - 30_000).collect()
    }

    /// Scales under which results spread over and beyond 0..=255, some of them powers of two, which
    /// give ties.
    fn scales(&mut self, n: usize) -> Vec<f32> {
        (0..n)
            .map(|_| match self.below(3) {
                0 => 1.0 / 128.0,
                1 => 0.5,
                _ => self.below(1000) as f32 * 1e-5,
            })
            .collect()
    }
}

/// The stated result, in f64 beyond the two f32 roundings that are part of it.
fn requantised(sum: i32, scale: f32, plus: f32) -> u8 {
    saturated(sum as f32 * scale + plus)
}

fn saturated(value: f32) -> u8 {
    f64::from(value).round_ties_even().clamp(0.0, 255.0) as u8
}

/// Widths of 1 to 4 vectors that hold `columns`.
fn widths(random: &mut Random, isa: Isa, columns: usize) -> Vec<usize> {
    let mut left = columns.div_ceil(isa.lanes());
    let mut widths = Vec::new();
    while left > 0 {
        let width = (1 + random.below(4)).min(left);
        widths.push(width);
        left -= width;
    }
    widths
}

#[test]
fn products_equal_integer_arithmetic() {
    let mut random = Random(1);
    let clamp = Clamp { low: 0.0, high: 120.5, offset: 7.25 };
    for round in 0..400 {
        let (pixels, segments) = (1 + random.below(40), 1 + random.below(3));
        let depth = [1, 2, 3, 4, 5, 8, 9, 12, 16, 23, 24, 64, 96][random.below(13)];
        let columns = 1 + random.below(150);
        let (step, segment_step) = (depth + random.below(7), depth + random.below(50));
        let x = random.bytes(pixels * step + segments * segment_step + 4);
        let kernel = random.kernel(segments * depth * columns);
        let (bias, scales) = (random.bias(columns), random.scales(columns));
        let out_step = stride(columns);
        let skip = (round % 2 == 0).then(|| (random.bytes(pixels * out_step), 0.37));
        // Output pixels in reverse, through a table.
        let table: Vec<u32> = (0..pixels as u32).rev().collect();
        let mut want = vec![0; pixels * out_step];
        for p in 0..pixels {
            let place = if round % 3 == 0 { (pixels - 1 - p) * out_step } else { p * out_step };
            for c in 0..columns {
                let sum = (0..segments * depth).fold(bias[c], |sum, r| {
                    let at = p * step + r / depth * segment_step + r % depth;
                    sum + i32::from(x[at]) * i32::from(kernel[r * columns + c])
                });
                let plus = skip.as_ref().map_or(0.0, |(s, factor)| f32::from(s[place + c]) * factor);
                want[place + c] = if skip.is_some() && round % 4 == 0 {
                    let product = (sum as f32 * scales[c]).max(clamp.low).min(clamp.high);
                    saturated(product + (plus + clamp.offset))
                } else {
                    requantised(sum, scales[c], plus)
                };
            }
        }
        for isa in Isa::available() {
            let widths = widths(&mut random, isa, columns);
            let packed = PackedKernel::new(isa, &kernel, segments, &bias, &scales, &widths);
            let mut out = vec![7; pixels * out_step];
            // The pixels in two parts.
            let middle = random.below(pixels + 1);
            for (first, end) in [(0, middle), (middle, pixels)] {
                for panel in 0..packed.panels() {
                    assert!(packed.columns_of(panel).end <= out_step);
                    let output_places =
                        if round % 3 == 0 { Places::Table(&table, out_step) } else { Places::Even(out_step) };
                    let product = Product {
                        kernel: &packed,
                        panel,
                        first,
                        end,
                        input: x.as_ptr(),
                        input_places: Places::Even(step),
                        segment_step,
                        output: out.as_mut_ptr(),
                        output_places,
                        output_column: 0,
                        skip: skip.as_ref().map(|(s, factor)| Skip {
                            base: s.as_ptr(),
                            places: output_places,
                            factor: *factor,
                            clamp: (round % 4 == 0).then_some(clamp),
                        }),
                        real: None,
                    };
                    // SAFETY: `x` holds every segment of every pixel and four bytes more; `out` and
                    // the added bytes hold the padded columns of every pixel.
                    unsafe { product.run() };
                }
            }
            for p in 0..pixels {
                let (got, want) = (&out[p * out_step..][..columns], &want[p * out_step..][..columns]);
                assert_eq!(got, want, "{isa:?}, pixel {p} of {pixels}, depth {depth}, {columns} columns");
            }
        }
    }
}

#[test]
fn real_products_equal_integer_arithmetic() {
    let mut random = Random(4);
    for round in 0..100 {
        let (pixels, depth) = (1 + random.below(40), 1 + random.below(60));
        let (columns, step) = (1 + random.below(40), 40 + random.below(3));
        let x = random.bytes(pixels * depth + 4);
        let kernel = random.kernel(depth * columns);
        let (bias, scales) = (random.bias(columns), random.scales(columns));
        let bounds = if round % 2 == 0 { (f32::NEG_INFINITY, f32::INFINITY) } else { (0.0, 6.0) };
        let mut want = vec![-7.0; pixels * step];
        for p in 0..pixels {
            for c in 0..columns {
                let sum = (0..depth).fold(bias[c], |sum, r| {
                    sum + i32::from(x[p * depth + r]) * i32::from(kernel[r * columns + c])
                });
                want[p * step + c] = (sum as f32 * scales[c]).max(bounds.0).min(bounds.1);
            }
        }
        for isa in Isa::available() {
            let widths = vec![1; columns.div_ceil(isa.lanes())];
            let packed = PackedKernel::new(isa, &kernel, 1, &bias, &scales, &widths);
            let mut out = vec![-7.0f32; pixels * step];
            for panel in 0..packed.panels() {
                let product = Product {
                    kernel: &packed,
                    panel,
                    first: 0,
                    end: pixels,
                    input: x.as_ptr(),
                    input_places: Places::Even(depth),
                    segment_step: 0,
                    output: out.as_mut_ptr().cast(),
                    output_places: Places::Even(4 * step),
                    output_column: 0,
                    skip: None,
                    real: Some(bounds),
                };
                // SAFETY: `x` holds every pixel and four bytes more; `out` holds all columns of every pixel.
                unsafe { product.run() };
            }
            // What is not a column stays as it was.
            assert_eq!(out, want, "{isa:?}, {pixels} pixels, depth {depth}, {columns} columns");
        }
    }
}

#[test]
fn depthwise_rows_equal_integer_arithmetic() {
    let mut random = Random(2);
    for round in 0..400 {
        let sides = if round % 2 == 0 { [3, 3] } else { [1 + random.below(MAX_SIDE), 1 + random.below(8)] };
        let (step, pixels) = (1 + random.below(3), 1 + random.below(20));
        let channels = 1 + random.below(150);
        let columns = (pixels - 1) * step + sides[1];
        let rows = random.bytes(sides[0] * columns * channels);
        let kernel = random.kernel(sides[0] * sides[1] * channels);
        let (bias, scales) = (random.bias(channels), random.scales(channels));
        let mut want = vec![0; pixels * channels];
        for p in 0..pixels {
            for c in 0..channels {
                let mut sum = bias[c];
                for y in 0..sides[0] {
                    for x in 0..sides[1] {
                        let value = rows[(y * columns + p * step + x) * channels + c];
                        sum += i32::from(value) * i32::from(kernel[(y * sides[1] + x) * channels + c]);
                    }
                }
                want[p * channels + c] = requantised(sum, scales[c], 0.0);
            }
        }
        for isa in Isa::available() {
            let out_step = stride(channels);
            let mut out = vec![7; pixels * out_step];
            let mut first = 0;
            for width in groups(isa, channels) {
                let packed = PackedDepthwise::new(isa, sides, &kernel, &bias, &scales, first, width);
                assert_eq!(packed.width(), width);
                // The group's channels alone, as the kernel wants them.
                let mut group = vec![0; sides[0] * columns * width + 64];
                for (from, to) in rows.chunks(channels).zip(group.chunks_mut(width)) {
                    let n = width.min(channels - first);
                    to[..n].copy_from_slice(&from[first..first + n]);
                }
                let mut at = [group.as_ptr(); MAX_SIDE];
                for (y, at) in at.iter_mut().enumerate().take(sides[0]) {
                    *at = group[y * columns * width..].as_ptr();
                }
                // SAFETY: every row has the columns that the windows cover; `out` has room for all
                // padded channels.
                unsafe { packed.run(at, width, step, out.as_mut_ptr().add(first), out_step, pixels) };
                first += width;
            }
            for p in 0..pixels {
                let (got, want) = (&out[p * out_step..][..channels], &want[p * channels..][..channels]);
                assert_eq!(got, want, "{isa:?}, {sides:?}, step {step}, pixel {p}, {channels} channels");
            }
        }
    }
}

#[test]
fn conversions_are_the_same_bytes_at_every_level() {
    let mut random = Random(3);
    for n in [1, 2, 15, 16, 17, 64, 100] {
        let values: Vec<f32> = (0..n).map(|_| random.below(4000) as f32 / 1000.0 - 1.0).collect();
        let (a, b) = (random.bytes(n), random.bytes(n));
        let kernel = random.kernel(3 * n);
        let (bias, scales) = (random.bias(3), random.scales(3));
        for level in Level::available() {
            let mut out = vec![0; n];
            convert::quantise(level, &values, 100.0, 3.0, &mut out);
            for (v, o) in values.iter().zip(&out) {
                assert_eq!(f64::from(*o), f64::from(v * 100.0 + 3.0).round_ties_even().clamp(0.0, 255.0));
            }
            convert::add(level, &a, &b, [0.3, 0.7], 2.0, &mut out);
            for ((a, b), o) in a.iter().zip(&b).zip(&out) {
                let sum = f32::from(*a) * 0.3 + f32::from(*b) * 0.7 + 2.0;
                assert_eq!(f64::from(*o), f64::from(sum).round_ties_even().clamp(0.0, 255.0));
            }
            convert::rescale(level, &a, 0.9, -5.0, &mut out);
            for (a, o) in a.iter().zip(&out) {
                let value = f32::from(*a) * 0.9 - 5.0;
                assert_eq!(f64::from(*o), f64::from(value).round_ties_even().clamp(0.0, 255.0));
            }
            let (mut sums, mut mean) = (vec![0; n], vec![0; n]);
            let pixels = [a.clone(), vec![9; 3], b.clone(), vec![9; 3]].concat();
            convert::average(level, &pixels, n + 3, 1.0, 0.5, &mut sums, &mut mean);
            for ((a, b), o) in a.iter().zip(&b).zip(&mean) {
                let value = f64::from(f32::from(*a) + f32::from(*b)) * 0.5 + 1.0;
                assert_eq!(f64::from(*o), value.round_ties_even().clamp(0.0, 255.0));
            }
            let mut real = vec![0.0; 3];
            convert::logits(level, &a, &kernel, &bias, &scales, &mut real);
            for (c, r) in real.iter().enumerate() {
                let row = kernel[c * n..].iter().zip(&a).map(|(&k, &a)| i32::from(k) * i32::from(a));
                assert_eq!(*r, (bias[c] + row.sum::<i32>()) as f32 * scales[c]);
            }
        }
    }
    assert_eq!(convert::saturate(f32::NAN), 0);
    assert_eq!([0.5, 1.5, -3.0, 300.0, f32::INFINITY].map(convert::saturate), [0, 2, 0, 255, 255]);
}
