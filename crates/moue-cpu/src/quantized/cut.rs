//! How steps are cut into pieces for several threads. Results do not depend on it.

use std::ops::Range;

use crate::kernels::Window;
use crate::kernels::int8::depthwise::groups;
use crate::kernels::int8::{CHANNEL_BLOCK, Isa};

use super::steps::Task;

/// Vector instructions below which a step costs less than handing a part of it over.
const WORTH_A_TASK: usize = 3000;

/// `0..n` in `parts` of about equal size.
pub(super) fn even(n: usize, parts: usize) -> Vec<Range<usize>> {
    let parts = parts.clamp(1, n.max(1));
    (0..parts).map(|i| i * n / parts..(i + 1) * n / parts).collect()
}

/// Tasks of a step by rows alone, of which each costs so many vector instructions.
pub(super) fn by_rows(rows: usize, cost: usize, threads: usize) -> Vec<Task> {
    let parts = if rows * cost < WORTH_A_TASK { 1 } else { threads };
    even(rows, parts).into_iter().map(|rows| Task { rows, parts: 0..1 }).collect()
}

/// Widths of the panels of a product of many pixels, in vectors.
pub(super) fn panels(isa: Isa, columns: usize) -> Vec<usize> {
    let vectors = columns.div_ceil(isa.lanes());
    even(vectors, vectors.div_ceil(4)).into_iter().map(|panel| panel.len()).collect()
}

/// Vector instructions of a product.
pub(super) fn product_cost(isa: Isa, pixels: usize, depth: usize, columns: usize) -> usize {
    pixels * columns.div_ceil(isa.lanes()) * (depth.div_ceil(4) + 8)
}

/// Vector instructions of a row of a depthwise convolution of a stored map.
pub(super) fn depthwise_row(window: &Window, groups: usize) -> usize {
    window.output[1] * groups * (12 * window.kernel[0].div_ceil(4) * window.kernel[1] + 16)
}

/// A product in panels of one vector, cut by pixels alone.
pub(super) fn rows_of_product(
    isa: Isa,
    pixels: usize,
    depth: usize,
    columns: usize,
    threads: usize,
) -> ProductCut {
    let vectors = columns.div_ceil(isa.lanes());
    let cost = vectors * (depth.div_ceil(4) + 8);
    let mut tasks = by_rows(pixels, cost, threads);
    tasks.iter_mut().for_each(|task| task.parts = 0..vectors);
    ProductCut { widths: vec![1; vectors], tasks }
}

/// How a product is packed and cut.
pub(super) struct ProductCut {
    /// Widths of the panels, in vectors.
    pub widths: Vec<usize>,
    pub tasks: Vec<Task>,
}

/// Cuts a product of `pixels` times `[depth, columns]`: by pixels where there are many, else by
/// columns, so that no two threads read the same weights.
pub(super) fn product(isa: Isa, pixels: usize, depth: usize, columns: usize, threads: usize) -> ProductCut {
    let vectors = columns.div_ceil(isa.lanes());
    let cost = product_cost(isa, pixels, depth, columns);
    let threads = if cost < WORTH_A_TASK { 1 } else { threads };
    let by_columns = pixels < 64 * threads && vectors >= threads;
    // A panel of 3 vectors lets one tile hold the 9 pixels of a small network's last layers.
    let widest = if pixels <= 9 && pixels > 1 { 3 } else { 4 };
    let (mut widths, mut tasks) = (Vec::new(), Vec::new());
    for part in even(vectors, if by_columns { threads } else { 1 }) {
        let first = widths.len();
        let panels = part.len().div_ceil(widest);
        widths.extend(even(part.len(), panels).into_iter().map(|panel| panel.len()));
        for rows in even(pixels, if by_columns { 1 } else { threads }) {
            tasks.push(Task { rows, parts: first..widths.len() });
        }
    }
    ProductCut { widths, tasks }
}

/// How a depthwise convolution and the product before it are packed and cut.
pub(super) struct DepthwiseCut {
    /// Channels of each group.
    pub widths: Vec<usize>,
    pub tasks: Vec<Task>,
}

/// Cuts by rows (then the rows between two parts are computed twice) or by channels (then groups of channels
/// may be narrower), whichever costs less.
pub(super) fn depthwise(isa: Isa, window: &Window, depth: usize, threads: usize) -> DepthwiseCut {
    let [height, width, channels] = window.input;
    let all = groups(isa, channels);
    // One vector instruction in eight is a guess at the interleaving and rounding.
    let per_pixel = 4 * depth.div_ceil(4) + 48;
    let threads = if height * width * all.len() * per_pixel < WORTH_A_TASK { 1 } else { threads };
    let cut = |row_parts: usize| {
        let blocks = channels.div_ceil(CHANNEL_BLOCK);
        let channel_parts = even(blocks, threads / row_parts);
        let rows = even(window.output[0], row_parts);
        let (mut widths, mut tasks, mut most) = (Vec::new(), Vec::new(), 0);
        for part in &channel_parts {
            let first = widths.len();
            widths.extend(groups(isa, CHANNEL_BLOCK * part.len()));
            most = most.max(widths.len() - first);
            tasks.extend(rows.iter().map(|rows| Task { rows: rows.clone(), parts: first..widths.len() }));
        }
        let longest = rows.iter().map(Range::len).max().unwrap_or(0);
        let read = ((longest.max(1) - 1) * window.strides[0] + window.kernel[0]).min(height);
        (read * most, DepthwiseCut { widths, tasks })
    };
    let options = (1..=threads).filter(|parts| threads % parts == 0 && *parts <= window.output[0]).map(cut);
    match options.min_by_key(|(cost, _)| *cost) {
        Some((_, cut)) => cut,
        None => {
            DepthwiseCut { tasks: vec![Task { rows: 0..window.output[0], parts: 0..all.len() }], widths: all }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_cover_everything_once() {
        for isa in Isa::available() {
            for threads in [1, 2, 3, 8] {
                for (pixels, depth, columns) in
                    [(1, 1280, 128), (9, 960, 160), (36, 96, 576), (2304, 16, 96), (7, 3, 5)]
                {
                    let cut = product(isa, pixels, depth, columns, threads);
                    assert!(cut.widths.iter().all(|w| (1..=4).contains(w)), "{:?}", cut.widths);
                    assert_eq!(cut.widths.iter().sum::<usize>(), columns.div_ceil(isa.lanes()));
                    let done: usize = cut.tasks.iter().map(|t| t.rows.len() * t.parts.len()).sum();
                    assert_eq!(done, pixels * cut.widths.len(), "{threads} threads");
                }
                for (side, channels) in [(3, 960), (6, 576), (24, 144), (48, 32), (1, 8), (5, 40)] {
                    let window = Window {
                        input: [side, side, channels],
                        output: [side, side, channels],
                        kernel: [3, 3],
                        strides: [1, 1],
                        before: [1, 1],
                    };
                    let cut = depthwise(isa, &window, 64, threads);
                    assert_eq!(cut.widths.iter().sum::<usize>(), channels.next_multiple_of(CHANNEL_BLOCK));
                    let done: usize = cut.tasks.iter().map(|t| t.rows.len() * t.parts.len()).sum();
                    assert_eq!(done, side * cut.widths.len(), "{threads} threads, {side}, {channels}");
                }
            }
        }
    }
}
