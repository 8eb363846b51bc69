//! From operations and their integers to steps, packed kernels and places in the arena.

use moue_graph::{Error, Quantized, QuantizedKernel, Result, Scaling};

use super::cut;
use super::network::{Network, Operation, UNBOUNDED, Work};
use super::separable::{Pointwise, Separable};
use super::steps::{Action, Added, Depthwise, InputPlaces, Map, Matmul, Padded, RealOutput, Step, Task};
use crate::kernels::Window;
use crate::kernels::int8::depthwise::{PackedDepthwise, groups};
use crate::kernels::int8::gemm::{Clamp, PackedKernel};
use crate::kernels::int8::{Isa, stride};

/// Bytes of a ring of rows: half of a first cache of 48 KB, the rest being for weights and input.
const RING: usize = 24 << 10;

/// Buffers start on cache lines.
const ALIGNMENT: usize = 64;

/// The steps of a network, and what memory they need.
pub(super) struct Plan {
    pub steps: Vec<Step>,
    /// Bytes of the arena.
    pub arena: usize,
    /// Bytes a thread needs for itself.
    pub scratch: usize,
    /// Padding in the arena, which no step writes: where it stands, and its value.
    pub padding: Vec<(std::ops::Range<usize>, u8)>,
    /// Values of a picture.
    pub input: usize,
    /// Number of logits.
    pub classes: usize,
}

impl Plan {
    /// An error that names the layer whose integers are missing or out of what an i32 holds.
    pub fn new(network: &Network, quantized: &Quantized, isa: Isa, threads: usize) -> Result<Self> {
        Builder::new(network, quantized, isa, threads)?.build()
    }
}

struct Builder<'a> {
    network: &'a Network,
    quantized: &'a Quantized,
    isa: Isa,
    threads: usize,
    /// How each output is stored; those of real results are not used.
    scalings: Vec<Scaling>,
    /// The operation behind that computes this one's output on the way: a depthwise convolution that of a
    /// convolution, or a pointwise one that of a depthwise.
    fused_into: Vec<Option<usize>>,
    /// The last operation that reads each output.
    last_use: Vec<usize>,
    maps: Vec<Option<Map>>,
    free: Vec<(usize, usize)>,
    plan: Plan,
}

impl<'a> Builder<'a> {
    fn new(network: &'a Network, quantized: &'a Quantized, isa: Isa, threads: usize) -> Result<Self> {
        let operations = &network.operations;
        let n = operations.len();
        let mut scalings: Vec<Scaling> = Vec::new();
        for operation in operations {
            scalings.push(if operation.real {
                Scaling { scale: 1.0, zero_point: 0 }
            } else if operation.work.keeps_scale() {
                scalings[operation.inputs[0]]
            } else {
                clamping(operation, quantized.activation(&operation.layer)?)?
            });
        }
        let fused_into = fusions(network);
        let last_use = (0..n)
            .map(|id| {
                let done = |&reader: &usize| fused_into[reader].unwrap_or(reader);
                network.readers[id].iter().map(done).max().unwrap_or(id)
            })
            .collect();
        let plan = Plan {
            steps: Vec::new(),
            arena: 0,
            scratch: 0,
            padding: Vec::new(),
            input: operations[0].len(),
            classes: network.classes,
        };
        let (maps, free) = (vec![None; n], Vec::new());
        Ok(Self { network, quantized, isa, threads, scalings, fused_into, last_use, maps, free, plan })
    }

    fn build(mut self) -> Result<Plan> {
        for id in 0..self.network.operations.len() {
            if self.fused_into[id].is_none() {
                self.step(id)?;
            }
            for earlier in 0..=id {
                if self.last_use[earlier] == id
                    && let Some(map) = self.maps[earlier]
                {
                    self.free.push((map.offset, (map.pixels * map.step).next_multiple_of(ALIGNMENT)));
                }
            }
        }
        // Reading four bytes where fewer are meant must stay inside.
        self.plan.arena += ALIGNMENT;
        Ok(self.plan)
    }

    fn step(&mut self, id: usize) -> Result<()> {
        let network = self.network;
        let operation = &network.operations[id];
        let (pixels, channels) = (operation.pixels(), operation.channels());
        match operation.work {
            Work::Input => {
                // A convolution that is the only reader gets its input padded, see `matmul`.
                let padded = match network.readers[id].as_slice() {
                    &[reader] => {
                        network.outputs_of(id).next().is_none()
                            && matches!(network.operations[reader].work, Work::Conv(w) if !w.is_pointwise())
                    }
                    _ => false,
                };
                if !padded {
                    let output = self.map(id);
                    let row = operation.shape.get(1).map_or(1, |w| w * channels);
                    let Scaling { scale, zero_point: zero } = self.scalings[id];
                    let tasks = cut::by_rows(pixels * channels / row, row / 2, self.threads);
                    self.push(Action::Quantise { factor: 1.0 / scale, zero, row, channels, output }, tasks);
                }
            }
            Work::Conv(window) if operation.real => {
                // Panels of one vector, whose columns are in order.
                let cut = cut::rows_of_product(self.isa, pixels, depth(&window), channels, self.threads);
                let matmul = self.matmul(id, &cut.widths)?;
                let (bounds, output) = (operation.bounds, self.real_output(id)?);
                self.push(Action::RealProduct { matmul, bounds, output }, cut.tasks);
            }
            Work::Conv(window) => {
                let from = operation.inputs[0];
                if let (Some(_), Work::Depthwise(window)) =
                    (self.fused_into[from], network.operations[from].work)
                {
                    return self.separable(from, window, Some(id)).and_then(|()| self.dequantise(id));
                }
                let cut = cut::product(self.isa, pixels, depth(&window), channels, self.threads);
                let matmul = self.matmul(id, &cut.widths)?;
                self.product(id, matmul, cut.tasks)?;
            }
            Work::Dense => {
                let input = operation.inputs[0];
                if operation.real {
                    return self.logits(id);
                }
                let depth = network.operations[input].len();
                let cut = cut::product(self.isa, 1, depth, channels, self.threads);
                let (bias, scales) = self.constants(id)?;
                let values = &self.quantized.kernel(&operation.kernel_layer)?.values;
                let kernel = PackedKernel::new(self.isa, values, 1, &bias, &scales, &cut.widths);
                let source = self.source(input)?;
                let matmul = Matmul {
                    kernel,
                    input: source.offset,
                    input_places: InputPlaces::Even(0),
                    segment_step: 0,
                };
                self.product(id, matmul, cut.tasks)?;
            }
            Work::Depthwise(window) if self.fused_into[operation.inputs[0]] == Some(id) => {
                self.depthwise(id, window)?;
            }
            Work::Depthwise(window) => self.separable(id, window, None)?,
            Work::Add => {
                let [a, b] = [operation.inputs[0], operation.inputs[1]];
                let factors = [a, b].map(|i| self.scalings[i].scale / self.scalings[id].scale);
                let offset = f32::from(self.scalings[id].zero_point)
                    - factors[0] * f32::from(self.scalings[a].zero_point)
                    - factors[1] * f32::from(self.scalings[b].zero_point);
                let inputs = [self.source(a)?, self.source(b)?];
                let output = self.map(id);
                let tasks = cut::by_rows(pixels, output.step / 4, self.threads);
                self.push(Action::Add { inputs, factors, offset, output }, tasks);
            }
            Work::Clamp => {
                let (factor, offset) = self.rescaling(operation.inputs[0], id);
                let input = self.source(operation.inputs[0])?;
                let output = self.map(id);
                let tasks = cut::by_rows(pixels, output.step / 4, self.threads);
                self.push(Action::Rescale { input, factor, offset, output }, tasks);
            }
            Work::Concatenate => {
                let part = |&input: &usize| {
                    let (factor, offset) = self.rescaling(input, id);
                    Ok((self.source(input)?, factor, offset))
                };
                let parts = operation.inputs.iter().map(part).collect::<Result<Vec<_>>>()?;
                let output = self.map(id);
                let tasks = cut::by_rows(pixels, output.step / 4 + 8 * parts.len(), self.threads);
                self.push(Action::Concatenate { parts, output }, tasks);
            }
            Work::Upsample(size) => {
                let input = self.source(operation.inputs[0])?;
                let [height, width] = [operation.shape[0], operation.shape[1]];
                let output = self.map(id);
                let tasks = cut::by_rows(height, width * (output.step / 16 + 4), self.threads);
                let width = width / size[1];
                self.push(Action::Upsample { input, width, size, output }, tasks);
            }
            Work::Flatten => {
                let input = self.source(operation.inputs[0])?;
                let output = self.map(id);
                let tasks = cut::by_rows(input.pixels, input.step / 16 + 4, self.threads);
                self.push(Action::Flatten { input, output }, tasks);
            }
            Work::Pool => {
                let input = self.source(operation.inputs[0])?;
                let (factor, offset) = self.rescaling(operation.inputs[0], id);
                let factor = factor / input.pixels as f32;
                self.plan.scratch = self.plan.scratch.max(4 * channels);
                let output = self.map(id);
                self.push(Action::Average { input, factor, offset, output }, Vec::new());
            }
        }
        self.dequantise(id)
    }

    /// What a stored output gives to the network's.
    fn dequantise(&mut self, id: usize) -> Result<()> {
        let network = self.network;
        if network.operations[id].real {
            return Ok(());
        }
        for output in network.outputs_of(id) {
            let input = self.source(id)?;
            let output = RealOutput { offset: output.offset, step: output.step };
            let Scaling { scale, zero_point: zero } = self.scalings[id];
            let tasks = cut::by_rows(input.pixels, input.channels / 4 + 4, self.threads);
            self.push(Action::Dequantise { input, scale, zero, output }, tasks);
        }
        Ok(())
    }

    /// Where a real result stands.
    fn real_output(&self, id: usize) -> Result<RealOutput> {
        match self.network.outputs_of(id).next() {
            Some(output) => Ok(RealOutput { offset: output.offset, step: output.step }),
            None => Err(Error::Engine(format!("{} gives no output", self.network.operations[id].layer))),
        }
    }

    /// Factor and offset from one stored output to another.
    fn rescaling(&self, from: usize, to: usize) -> (f32, f32) {
        let (from, to) = (self.scalings[from], self.scalings[to]);
        let factor = from.scale / to.scale;
        (factor, f32::from(to.zero_point) - factor * f32::from(from.zero_point))
    }

    fn product(&mut self, id: usize, matmul: Matmul, tasks: Vec<Task>) -> Result<()> {
        let skip = self.added(id)?;
        let output = self.map(id);
        self.push(Action::Product { matmul, output, skip }, tasks);
        Ok(())
    }

    /// What an operation adds to its products.
    fn added(&self, id: usize) -> Result<Option<Added>> {
        let operation = &self.network.operations[id];
        let Some(skip) = operation.skip else { return Ok(None) };
        let (from, own) = (self.scalings[skip.from], self.scalings[id]);
        let factor = from.scale / own.scale;
        let map = self.source(skip.from)?;
        let clamp = (skip.before != UNBOUNDED).then(|| Clamp {
            low: skip.before.0 / own.scale,
            high: skip.before.1 / own.scale,
            offset: f32::from(own.zero_point) - factor * f32::from(from.zero_point),
        });
        let places = if skip.size == [1, 1] {
            InputPlaces::Even(map.step)
        } else {
            let [height, width] = [operation.shape[0], operation.shape[1]];
            let row = width / skip.size[1];
            let place = |y: usize, x: usize| (y / skip.size[0] * row + x / skip.size[1]) * map.step;
            let table = (0..height).flat_map(|y| (0..width).map(move |x| place(y, x) as u32)).collect();
            if u32::try_from(map.pixels * map.step).is_err() {
                return Err(Error::Engine(format!("{}: its input is too large", operation.layer)));
            }
            InputPlaces::Table(table)
        };
        Ok(Some(Added { offset: map.offset, places, factor, clamp }))
    }

    /// The product that a convolution is, with what must be done before it.
    fn matmul(&mut self, id: usize, widths: &[usize]) -> Result<Matmul> {
        let operation = &self.network.operations[id];
        let Work::Conv(window) = operation.work else {
            return Err(Error::Engine(format!("{} is no convolution", operation.layer)));
        };
        let (bias, scales) = self.constants(id)?;
        let values = &self.quantized.kernel(&operation.kernel_layer)?.values;
        let input = operation.inputs[0];
        if window.is_pointwise() {
            let map = self.source(input)?;
            let kernel = PackedKernel::new(self.isa, values, 1, &bias, &scales, widths);
            let input_places = InputPlaces::Even(map.step);
            return Ok(Matmul { kernel, input: map.offset, input_places, segment_step: 0 });
        }
        let kernel = PackedKernel::new(self.isa, values, window.kernel[0], &bias, &scales, widths);
        let padded = self.padded(input, &window)?;
        let [height, width, _] = window.output;
        let mut table = Vec::with_capacity(height * width);
        for y in 0..height {
            for x in 0..width {
                let pixel = y * window.strides[0] * padded.pitch + x * window.strides[1];
                table.push((pixel * padded.channels) as u32);
            }
        }
        let segment_step = padded.pitch * padded.channels;
        Ok(Matmul { kernel, input: padded.offset, input_places: InputPlaces::Table(table), segment_step })
    }

    /// The input of a window with padding around it.
    fn padded(&mut self, input: usize, window: &Window) -> Result<Padded> {
        let [height, width, channels] = window.input;
        let covered = |axis: usize| (window.output[axis] - 1) * window.strides[axis] + window.kernel[axis];
        let rows = covered(0).max(window.before[0] + height);
        let pitch = covered(1).max(window.before[1] + width);
        let len = (rows * pitch * channels + 4).next_multiple_of(ALIGNMENT);
        if u32::try_from(len).is_err() {
            return Err(Error::Engine(format!("a padded input of {len} bytes is too large")));
        }
        let offset = self.plan.arena;
        self.plan.arena += len;
        let Scaling { scale, zero_point: zero } = self.scalings[input];
        self.plan.padding.push((offset..offset + len, zero));
        let output = Padded { offset, pitch, channels, before: window.before, sides: [height, width] };
        let tasks = cut::by_rows(height, width * channels / 2, self.threads);
        match self.maps[input] {
            Some(input) => self.push(Action::Pad { input, output }, tasks),
            None => self.push(Action::QuantisePadded { factor: 1.0 / scale, zero, output }, tasks),
        }
        Ok(output)
    }

    /// A depthwise convolution of a stored map, with the pointwise one behind it.
    fn separable(&mut self, id: usize, window: Window, pointwise: Option<usize>) -> Result<()> {
        let network = self.network;
        let input = self.source(network.operations[id].inputs[0])?;
        let zero = self.scalings[network.operations[id].inputs[0]].zero_point;
        let widths = groups(self.isa, window.input[2]);
        let (groups, first) = self.packed_depthwise(id, &window, &widths)?;
        let last = pointwise.unwrap_or(id);
        let mut row = cut::depthwise_row(&window, widths.len());
        let pointwise = match pointwise {
            None => None,
            Some(last) => {
                let (operation, channels) = (&network.operations[last], network.operations[last].channels());
                let widths = cut::panels(self.isa, channels);
                let (bias, scales) = self.constants(last)?;
                let values = &self.quantized.kernel(&operation.kernel_layer)?.values;
                let kernel = PackedKernel::new(self.isa, values, 1, &bias, &scales, &widths);
                row += cut::product_cost(self.isa, window.output[1], window.input[2], channels);
                Some(Pointwise { kernel, panels: widths.len(), skip: self.added(last)? })
            }
        };
        let output = self.map(last);
        let separable = Separable { window, input, zero, groups, first, pointwise, output };
        self.plan.scratch = self.plan.scratch.max(separable.scratch());
        let tasks = cut::by_rows(window.output[0], row, self.threads);
        self.push(Action::Separable(separable), tasks);
        Ok(())
    }

    /// A depthwise kernel in groups of these widths, and the first channel of each.
    fn packed_depthwise(
        &self,
        id: usize,
        window: &Window,
        widths: &[usize],
    ) -> Result<(Vec<PackedDepthwise>, Vec<usize>)> {
        let (bias, scales) = self.constants(id)?;
        let values = &self.quantized.kernel(&self.network.operations[id].kernel_layer)?.values;
        let (mut groups, mut first, mut channel) = (Vec::new(), Vec::new(), 0);
        for &width in widths {
            let sides = window.kernel;
            groups.push(PackedDepthwise::new(self.isa, sides, values, &bias, &scales, channel, width));
            first.push(channel);
            channel += width;
        }
        Ok((groups, first))
    }

    /// A depthwise convolution that makes its input, the output of a convolution that only it reads.
    fn depthwise(&mut self, id: usize, window: Window) -> Result<()> {
        let network = self.network;
        let input = network.operations[id].inputs[0];
        let Work::Conv(inner) = network.operations[input].work else {
            return Err(Error::Engine(format!("{} is no convolution", network.operations[input].layer)));
        };
        let cut = cut::depthwise(self.isa, &window, depth(&inner), self.threads);
        let lanes = self.isa.lanes();
        let panels: Vec<usize> = cut.widths.iter().map(|width| width / lanes).collect();
        let producer = self.matmul(input, &panels)?;
        let (groups, first) = self.packed_depthwise(id, &window, &cut.widths)?;
        let [height, columns, _] = window.input;
        let pitch =
            ((window.output[1] - 1) * window.strides[1] + window.kernel[1]).max(window.before[1] + columns);
        let widest = cut.widths.iter().copied().max().unwrap_or(1);
        let ring = (RING / (pitch * widest)).max(window.kernel[0]).min(height.max(window.kernel[0]));
        let place = |y: usize, x: usize| (y % ring * pitch + window.before[1] + x) as u32;
        let places = (0..height).flat_map(|y| (0..columns).map(move |x| place(y, x))).collect();
        let zero = self.scalings[input].zero_point;
        let output = self.map(id);
        let depthwise = Depthwise { producer, window, zero, ring, pitch, places, groups, first, output };
        self.plan.scratch = self.plan.scratch.max(depthwise.scratch());
        self.push(Action::Depthwise(depthwise), cut.tasks);
        Ok(())
    }

    fn logits(&mut self, id: usize) -> Result<()> {
        let operation = &self.network.operations[id];
        let kernel = self.quantized.kernel(&operation.kernel_layer)?;
        let input = operation.inputs[0];
        let (n, stored) = (operation.channels(), self.scalings[input]);
        let depth = kernel.values.len() / n;
        let mut transposed = Vec::with_capacity(kernel.values.len());
        let mut bias = Vec::new();
        for c in 0..n {
            let column = || kernel.values[c..].iter().step_by(n).copied();
            transposed.extend(column());
            bias.push(folded_bias(&operation.layer, kernel, c, column(), stored.zero_point, 0.0)?);
        }
        let scales = kernel.scales.iter().map(|s| s * stored.scale).collect();
        let input = self.source(input)?;
        debug_assert_eq!(input.channels, depth);
        let (bounds, output) = (operation.bounds, self.real_output(id)?);
        self.push(Action::Logits { input, kernel: transposed, bias, scales, bounds, output }, Vec::new());
        Ok(())
    }

    /// Bias and scales of an operation's result, with all zero points in the bias.
    fn constants(&self, id: usize) -> Result<(Vec<i32>, Vec<f32>)> {
        let operation = &self.network.operations[id];
        let kernel = self.quantized.kernel(&operation.kernel_layer)?;
        let (input, output) = (self.scalings[operation.inputs[0]], self.scalings[id]);
        let n = operation.channels();
        // What must be added to a scaled sum to have the stored value.
        let mut offset = f64::from(output.zero_point);
        if let Some(skip) = operation.skip {
            let from = self.scalings[skip.from];
            offset -= f64::from(from.zero_point) * f64::from(from.scale / output.scale);
            if skip.before != UNBOUNDED {
                // It is added behind the clamp.
                offset = 0.0;
            }
        }
        let (mut bias, mut scales) = (Vec::with_capacity(n), Vec::with_capacity(n));
        for c in 0..n {
            let scale =
                (f64::from(input.scale) * f64::from(kernel.scales[c]) / f64::from(output.scale)) as f32;
            let column = kernel.values[c..].iter().step_by(n).copied();
            let plus = offset / f64::from(scale);
            let folded = folded_bias(&operation.layer, kernel, c, column.clone(), input.zero_point, plus)?;
            let reach =
                column.map(|k| 255 * i64::from(k.unsigned_abs())).sum::<i64>() + i64::from(folded).abs();
            // Results are rounded to an i32 before they saturate.
            if !(scale > 0.0 && reach as f64 * f64::from(scale) < f64::from(1 << 30)) {
                return Err(Error::Weights(format!(
                    "{}: channel {c} scales sums of up to {reach} by {scale}, out of what integers hold",
                    operation.layer
                )));
            }
            bias.push(folded);
            scales.push(scale);
        }
        Ok((bias, scales))
    }

    /// Where an output stands that was computed before.
    fn source(&self, id: usize) -> Result<Map> {
        self.maps[id].ok_or_else(|| {
            Error::Engine(format!("the output of {} is not stored", self.network.operations[id].layer))
        })
    }

    /// A place for an operation's output that nobody needs any more.
    fn map(&mut self, id: usize) -> Map {
        let operation = &self.network.operations[id];
        let (channels, pixels) = (operation.channels(), operation.pixels());
        let step = stride(channels);
        let len = (pixels * step).next_multiple_of(ALIGNMENT);
        let fits = (0..self.free.len()).filter(|&i| self.free[i].1 >= len).min_by_key(|&i| self.free[i].1);
        let offset = match fits {
            Some(i) => {
                let (offset, size) = self.free.swap_remove(i);
                if size > len {
                    self.free.push((offset + len, size - len));
                }
                offset
            }
            None => {
                self.plan.arena += len;
                self.plan.arena - len
            }
        };
        let map = Map { offset, step, channels, pixels };
        self.maps[id] = Some(map);
        map
    }

    /// Adds a step; without tasks, it is done in one piece.
    fn push(&mut self, action: Action, mut split: Vec<Task>) {
        let end = |range: fn(&Task) -> &std::ops::Range<usize>| split.iter().map(|t| range(t).end).max();
        let (rows, parts) = (end(|t| &t.rows).unwrap_or(1), end(|t| &t.parts).unwrap_or(1));
        let whole = Task { rows: 0..rows, parts: 0..parts };
        if split.is_empty() {
            split.push(whole.clone());
        }
        self.plan.steps.push(Step { action, whole, split });
    }
}

/// Which operation computes another's output on the way.
fn fusions(network: &Network) -> Vec<Option<usize>> {
    let operations = &network.operations;
    let mut fused: Vec<Option<usize>> = vec![None; operations.len()];
    let only_reader = |id: usize| match network.readers[id].as_slice() {
        &[reader] if network.outputs_of(id).next().is_none() => Some(reader),
        _ => None,
    };
    for id in 0..operations.len() {
        let Some(reader) = only_reader(id) else { continue };
        let (own, next) = (&operations[id], &operations[reader]);
        let fits = match (own.work, next.work) {
            (Work::Conv(_), Work::Depthwise(_)) => own.skip.is_none(),
            (Work::Depthwise(_), Work::Conv(window)) => {
                fused[own.inputs[0]] != Some(id) && window.is_pointwise() && !next.real && next.inputs == [id]
            }
            _ => false,
        };
        if fits {
            fused[id] = Some(reader);
        }
    }
    // A convolution has one place for what it makes on the way.
    for id in 0..operations.len() {
        if let (Some(reader), Work::Depthwise(_)) = (fused[id], operations[id].work)
            && fused[reader].is_some()
        {
            fused[id] = None;
        }
    }
    fused
}

/// Bias of a channel as the kernels want it: less what the input's zero point adds, plus `plus`.
fn folded_bias(
    layer: &str,
    kernel: &QuantizedKernel,
    channel: usize,
    column: impl Iterator<Item = i8>,
    zero_point: u8,
    plus: f64,
) -> Result<i32> {
    let (mut sum, mut reach) = (0i64, 0i64);
    for k in column {
        sum += i64::from(k);
        reach += 255 * i64::from(k).abs();
    }
    let bias = i64::from(kernel.bias[channel]) - i64::from(zero_point) * sum + plus.round_ties_even() as i64;
    if bias.abs().saturating_add(reach) >= i64::from(i32::MAX) {
        return Err(Error::Weights(format!(
            "{layer}: channel {channel} has sums of up to {}, beyond an i32",
            bias.abs().saturating_add(reach)
        )));
    }
    Ok(bias as i32)
}

/// Checks that an output's range does what its clamp would do.
fn clamping(operation: &Operation, scaling: Scaling) -> Result<Scaling> {
    let Scaling { scale, zero_point } = scaling;
    let (low, high) = (-f32::from(zero_point) * scale, (255.0 - f32::from(zero_point)) * scale);
    let (lowest, highest) = operation.bounds;
    if low < lowest || high > highest * 1.0001 {
        return Err(Error::Weights(format!(
            "{}: a range of {low} to {high} exceeds what the layer clamps to, {lowest} to {highest}",
            operation.layer
        )));
    }
    Ok(scaling)
}

/// Values that one result is a sum over.
fn depth(window: &Window) -> usize {
    window.kernel[0] * window.kernel[1] * window.input[2]
}
