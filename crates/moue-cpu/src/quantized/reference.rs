//! Plans against the same operations in plain integer arithmetic, one value at a time: equal bits on random graphs,
//! with every instruction set and several numbers of threads.

use moue_graph::engine::{InferenceOptions, InferenceSession};
use moue_graph::{Activation, Graph, GraphBuilder, LayerId, Op, Padding, Quantized, Scaling, Weights};

use super::Session;
use super::calibration::quantize;
use super::network::{Network, Operation, UNBOUNDED, Work};
use crate::Level;
use crate::kernels::Window;
use crate::kernels::int8::Isa;

fn saturated(value: f32) -> u8 {
    f64::from(value).round_ties_even().clamp(0.0, 255.0) as u8
}

/// Sums over the window of one output value, each a stored value less its zero point times a kernel value.
fn window_sum(
    w: &Window,
    input: &[u8],
    zero: u8,
    kernel: &[i8],
    [y, x, c]: [usize; 3],
    depthwise: bool,
) -> i64 {
    let [height, width, depth] = w.input;
    let mut sum = 0;
    for ky in 0..w.kernel[0] {
        for kx in 0..w.kernel[1] {
            let row = (y * w.strides[0] + ky).wrapping_sub(w.before[0]);
            let column = (x * w.strides[1] + kx).wrapping_sub(w.before[1]);
            if row >= height || column >= width {
                continue;
            }
            let pixel = &input[(row * width + column) * depth..][..depth];
            let tap = ky * w.kernel[1] + kx;
            let channels = if depthwise { c..c + 1 } else { 0..depth };
            for i in channels {
                let at = if depthwise { tap * depth + c } else { (tap * depth + i) * w.output[2] + c };
                sum += (i64::from(pixel[i]) - i64::from(zero)) * i64::from(kernel[at]);
            }
        }
    }
    sum
}

/// What a network answers.
fn answer(network: &Network, quantized: &Quantized, picture: &[f32]) -> Vec<f32> {
    let mut scalings: Vec<Scaling> = Vec::new();
    let mut stored: Vec<Vec<u8>> = Vec::new();
    let mut answers = vec![f32::NAN; network.classes];
    for (id, operation) in network.operations.iter().enumerate() {
        let own = if operation.real {
            Scaling { scale: 1.0, zero_point: 0 }
        } else if operation.work.keeps_scale() {
            scalings[operation.inputs[0]]
        } else {
            quantized.activation(&operation.layer).unwrap()
        };
        scalings.push(own);
        let input = operation.inputs.first().map_or(&[][..], |&i| &stored[i]);
        let rescaled = |from: usize, q: u8| {
            let from = scalings[from];
            let factor = from.scale / own.scale;
            f32::from(q) * factor + (f32::from(own.zero_point) - factor * f32::from(from.zero_point))
        };
        let (width, channels) = (operation.shape.get(1).copied().unwrap_or(1), operation.channels());
        let mut out = Vec::new();
        for at in 0..operation.len() {
            let (pixel, c) = (at / channels, at % channels);
            let (y, x) = (pixel / width, pixel % width);
            let value = match operation.work {
                Work::Input => saturated(picture[at] * (1.0 / own.scale) + f32::from(own.zero_point)),
                Work::Conv(_) | Work::Depthwise(_) | Work::Dense => {
                    let value = product(quantized, operation, &scalings, &stored, [y, x, c]);
                    if operation.real {
                        let output = network.outputs_of(id).next().unwrap();
                        answers[output.offset + pixel * output.step + c] = value;
                    }
                    saturated(value)
                }
                Work::Add => {
                    let [a, b] = [operation.inputs[0], operation.inputs[1]];
                    let factors = [a, b].map(|i| scalings[i].scale / own.scale);
                    let offset = f32::from(own.zero_point)
                        - factors[0] * f32::from(scalings[a].zero_point)
                        - factors[1] * f32::from(scalings[b].zero_point);
                    let terms =
                        [f32::from(stored[a][at]) * factors[0], f32::from(stored[b][at]) * factors[1]];
                    saturated(terms[0] + terms[1] + offset)
                }
                Work::Clamp => saturated(rescaled(operation.inputs[0], input[at])),
                Work::Pool => {
                    let sum: i32 = input[c..].iter().step_by(channels).map(|&q| i32::from(q)).sum();
                    let from = scalings[operation.inputs[0]];
                    let factor = from.scale / own.scale;
                    let offset = f32::from(own.zero_point) - factor * f32::from(from.zero_point);
                    saturated(sum as f32 * (factor / (input.len() / channels) as f32) + offset)
                }
                Work::Concatenate => {
                    let (mut from, mut c) = (0, c);
                    let depth = |from: usize| network.operations[operation.inputs[from]].channels();
                    while c >= depth(from) {
                        c -= depth(from);
                        from += 1;
                    }
                    let q = stored[operation.inputs[from]][pixel * depth(from) + c];
                    saturated(rescaled(operation.inputs[from], q))
                }
                Work::Upsample(size) => input[(y / size[0] * (width / size[1]) + x / size[1]) * channels + c],
                Work::Flatten => input[at],
            };
            out.push(value);
        }
        if !operation.real {
            for output in network.outputs_of(id) {
                for (at, &q) in out.iter().enumerate() {
                    let (pixel, c) = (at / channels, at % channels);
                    answers[output.offset + pixel * output.step + c] =
                        (f32::from(q) - f32::from(own.zero_point)) * own.scale;
                }
            }
        }
        stored.push(out);
    }
    answers
}

/// One value of a convolution or a dense layer, before it is rounded.
fn product(
    quantized: &Quantized,
    operation: &Operation,
    scalings: &[Scaling],
    stored: &[Vec<u8>],
    [y, x, c]: [usize; 3],
) -> f32 {
    let kernel = quantized.kernel(&operation.kernel_layer).unwrap();
    let (from, input) = (scalings[operation.inputs[0]], &stored[operation.inputs[0]]);
    let sum = match operation.work {
        Work::Conv(w) => window_sum(&w, input, from.zero_point, &kernel.values, [y, x, c], false),
        Work::Depthwise(w) => window_sum(&w, input, from.zero_point, &kernel.values, [y, x, c], true),
        _ => (input.iter().zip(kernel.values[c..].iter().step_by(operation.channels())))
            .map(|(&q, &k)| (i64::from(q) - i64::from(from.zero_point)) * i64::from(k))
            .sum(),
    };
    let sum = (sum + i64::from(kernel.bias[c])) as i32;
    if operation.real {
        let value = sum as f32 * (kernel.scales[c] * from.scale);
        return value.max(operation.bounds.0).min(operation.bounds.1);
    }
    let own = scalings.last().unwrap();
    let scale = (f64::from(from.scale) * f64::from(kernel.scales[c]) / f64::from(own.scale)) as f32;
    // Zero points are rounded to steps of the sum.
    let plus = |offset: f64| sum + (offset / f64::from(scale)).round_ties_even() as i32;
    let Some(skip) = operation.skip else {
        return plus(f64::from(own.zero_point)) as f32 * scale;
    };
    let [height, width] = [operation.shape[0], operation.shape[1]];
    assert!(y < height && x < width);
    let pixel = y / skip.size[0] * (width / skip.size[1]) + x / skip.size[1];
    let q = f32::from(stored[skip.from][pixel * operation.channels() + c]);
    let added = scalings[skip.from];
    let factor = added.scale / own.scale;
    if skip.before == UNBOUNDED {
        let offset = f64::from(own.zero_point) - f64::from(added.zero_point) * f64::from(factor);
        return plus(offset) as f32 * scale + q * factor;
    }
    let value = (sum as f32 * scale).max(skip.before.0 / own.scale).min(skip.before.1 / own.scale);
    value + (q * factor + (f32::from(own.zero_point) - factor * f32::from(added.zero_point)))
}

struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n
    }
}

fn conv(filters: usize, side: usize, stride: usize, activation: Activation) -> Op {
    Op::Conv2D {
        filters,
        kernel_size: [side; 2],
        strides: [stride; 2],
        padding: Padding::Same,
        use_bias: true,
        activation,
    }
}

/// A small graph of all that there is integer arithmetic for, with outputs of several kinds.
fn random_graph(random: &mut Random) -> Graph {
    let mut b = Graph::builder("random");
    let shape = vec![4 + random.below(14), 4 + random.below(14), 1 + random.below(5)];
    let mut at = b.add("in", Op::InputLayer { shape }, &[]).unwrap();
    let mut maps = vec![at];
    for i in 0..9 {
        let from = if random.below(4) == 0 { maps[random.below(maps.len())] } else { at };
        at = random_layer(&mut b, random, &maps, from, i);
        maps.push(at);
    }
    let mut rows = Vec::new();
    for i in 0..1 + random.below(3) {
        let from = maps[maps.len() - 1 - random.below(4)];
        let x = match random.below(5) {
            0 => from,
            1 => b.add(format!("pool{i}"), Op::GlobalAveragePooling2D, &[from]).unwrap(),
            2 => {
                let (a, c) = (conv(3, 1, 1, Activation::Linear), conv(18, 3, 1, Activation::Relu6));
                let a = b.add(format!("left{i}"), a, &[from]).unwrap();
                let c = b.add(format!("right{i}"), c, &[from]).unwrap();
                b.add(format!("sides{i}"), Op::Concatenate, &[a, c, a]).unwrap()
            }
            _ => b
                .add(format!("head{i}"), conv(1 + random.below(20), 1, 1, Activation::Linear), &[from])
                .unwrap(),
        };
        let mut x = b.add(format!("row{i}"), Op::Flatten, &[x]).unwrap();
        if random.below(3) == 0 {
            let dense = Op::Dense { units: 5, use_bias: true, activation: Activation::Linear };
            x = b.add(format!("dense{i}"), dense, &[x]).unwrap();
        }
        rows.push(x);
    }
    if rows.len() > 1 {
        b.add("cells", Op::Concatenate, &rows).unwrap();
    }
    b.finish().unwrap()
}

fn random_layer(
    b: &mut GraphBuilder,
    random: &mut Random,
    maps: &[LayerId],
    from: LayerId,
    i: usize,
) -> LayerId {
    let shape = b.shape(from).clone();
    let activation = [Activation::Linear, Activation::Relu, Activation::Relu6][random.below(3)];
    let channels = [3, 8, 17, 24, 48, 70][random.below(6)];
    match random.below(9) {
        0 | 1 => b.add(format!("pointwise{i}"), conv(channels, 1, 1, activation), &[from]).unwrap(),
        2 => b.add(format!("conv{i}"), conv(channels, 3, 1 + random.below(2), activation), &[from]).unwrap(),
        3..=5 => {
            let (mut x, mut padding) = (from, Padding::Same);
            if random.below(2) == 0 || shape[0].min(shape[1]) < 3 {
                let pad = Op::ZeroPadding2D { padding: [[random.below(2), 2], [random.below(2), 2]] };
                (x, padding) = (b.add(format!("pad{i}"), pad, &[x]).unwrap(), Padding::Valid);
            }
            let depthwise = Op::DepthwiseConv2D {
                kernel_size: [3, 3],
                strides: [1 + random.below(2); 2],
                padding,
                use_bias: false,
            };
            let x = b.add(format!("depthwise{i}"), depthwise, &[x]).unwrap();
            let c = if random.below(2) == 0 { shape[2] } else { channels };
            let y = b.add(format!("project{i}"), conv(c, 1, 1, activation), &[x]).unwrap();
            if b.shape(y) == b.shape(from) {
                b.add(format!("sum{i}"), Op::Add, &[from, y]).unwrap()
            } else {
                y
            }
        }
        6 => {
            // A pyramid's sum: of a reduced map, repeated, and a convolution of the map itself, in both orders.
            let small = b.add(format!("small{i}"), conv(channels, 3, 2, Activation::Relu), &[from]).unwrap();
            let [h, w] = [b.shape(small)[0], b.shape(small)[1]];
            if [2 * h, 2 * w] != shape[..2] {
                return small;
            }
            let up = Op::UpSampling2D { size: [2, 2] };
            if random.below(2) == 0 {
                let up = b.add(format!("up{i}"), up, &[small]).unwrap();
                let side = b.add(format!("side{i}"), conv(channels, 1, 1, activation), &[from]).unwrap();
                b.add(format!("merged{i}"), Op::Add, &[side, up]).unwrap()
            } else {
                let side = b.add(format!("side{i}"), conv(channels, 1, 1, activation), &[from]).unwrap();
                let small =
                    b.add(format!("again{i}"), conv(channels, 1, 1, Activation::Linear), &[small]).unwrap();
                let up = b.add(format!("up{i}"), up, &[small]).unwrap();
                b.add(format!("merged{i}"), Op::Add, &[up, side]).unwrap()
            }
        }
        7 => {
            let same: Vec<LayerId> =
                maps.iter().copied().filter(|&m| b.shape(m)[..2] == shape[..2] && m != from).collect();
            match same.first() {
                Some(&other) if b.shape(other)[2] + shape[2] < 150 => {
                    b.add(format!("beside{i}"), Op::Concatenate, &[from, other]).unwrap()
                }
                _ => {
                    let relu = Op::Activation { function: Activation::Relu6 };
                    b.add(format!("clamp{i}"), relu, &[from]).unwrap()
                }
            }
        }
        _ if shape[0].max(shape[1]) < 20 => {
            b.add(format!("repeat{i}"), Op::UpSampling2D { size: [2, 1 + random.below(2)] }, &[from]).unwrap()
        }
        _ => {
            let twice = b.add(format!("wide{i}"), conv(shape[2], 1, 1, activation), &[from]).unwrap();
            b.add(format!("plus{i}"), Op::Add, &[twice, from]).unwrap()
        }
    }
}

#[test]
fn plans_of_random_graphs_equal_plain_integer_arithmetic() {
    let mut random = Random(11);
    let (mut reals, mut sums, mut repeats) = (0, 0, 0);
    for round in 0..120 {
        let graph = random_graph(&mut random);
        let weights = Weights::initialise(&graph, round);
        let one: usize = graph.input_shape().iter().product();
        let pictures: Vec<Vec<f32>> =
            (0..2).map(|_| (0..one).map(|_| random.below(2000) as f32 / 1000.0 - 1.0).collect()).collect();
        let integers = quantize(&graph, &weights, &pictures, 1).unwrap();
        let quantized = integers.quantized().unwrap();
        let network = Network::new(&graph).unwrap();
        reals += network.operations.iter().filter(|o| o.real).count();
        let skips = || network.operations.iter().filter_map(|o| o.skip);
        sums += skips().filter(|skip| skip.before != UNBOUNDED).count();
        repeats += skips().filter(|skip| skip.size != [1, 1]).count();
        let want: Vec<f32> = pictures.iter().flat_map(|p| answer(&network, quantized, p)).collect();
        assert!(want.iter().all(|v| v.is_finite()), "every output has a value");
        let pictures = pictures.concat();
        for isa in Isa::available() {
            for (threads, max_batch) in [(1, 2), (2, 1), (3, 2)] {
                let options = InferenceOptions { max_batch, threads };
                let mut session =
                    Session::with(&graph, quantized, &options, Level::available()[0], isa).unwrap();
                let mut got = vec![0.0; want.len()];
                let classes = want.len() / 2;
                for (x, out) in pictures.chunks(max_batch * one).zip(got.chunks_mut(max_batch * classes)) {
                    session.logits(x, max_batch, out).unwrap();
                }
                assert!(got == want, "graph {round}, {isa:?}, {threads} threads: {graph:#?}");
            }
        }
    }
    assert!(reals > 20 && sums > 20 && repeats > 5, "{reals} real, {sums} sums, {repeats} repeats");
}
