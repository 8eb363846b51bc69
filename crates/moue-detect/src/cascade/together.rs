//! Judges windows together, [`LANES`] at a time.
//!
//! Windows that stand side by side read at each corner of a feature what lies side by side, too, so that the first stages
//! take a row of windows block by block. Where few of a block are left, these wait until the rows of the band have been gone
//! through, and are then judged together with those that are left of other blocks, wherever they stand.

use std::ops::Range;

use super::grid::{Grid, LANES};
use super::haar::Contrast;
use super::program::{ALL, Lanes, Program, Test, Window, visited};
use super::pyramid::Level;
use super::simd::{self, Portable, Simd};
#[cfg(target_arch = "x86_64")]
use super::simd::{Avx2, Avx512};

/// Windows of a block down to which judging them as a block pays; to read those of different places takes about three
/// times as long.
const FEW: u32 = 2;

/// Windows down to which judging them together pays, wherever they stand.
const SINGLE: usize = 3;

/// What windows are judged by, and where they stand.
pub(super) struct Job<'a, T> {
    pub program: &'a Program<T>,
    /// `None` where contrast plays no part.
    pub contrast: Option<&'a Contrast>,
    pub sums: &'a [i32],
    /// Read by `contrast` only.
    pub squares: &'a [i32],
    /// Empty if no feature is tilted.
    pub tilted: &'a [i32],
    pub grid: Grid,
    pub level: &'a Level,
}

/// Windows to be judged together.
pub(super) trait View<S: Simd> {
    /// The integral image.
    fn sums(&self) -> *const i32;
    /// The tilted one; as the other where there is none.
    fn tilted(&self) -> *const i32;
    /// One over area times standard deviation.
    fn norms(&self) -> S::Floats;
    /// What the windows read at a corner of a table.
    ///
    /// # Safety
    /// The processor has the instruction set; the table is of this view, and the corner within reach.
    unsafe fn read(&self, table: *const i32, corner: u32) -> S::Ints;
}

/// Windows side by side; the tables begin with the first of them.
struct Block<S: Simd> {
    sums: *const i32,
    tilted: *const i32,
    norms: S::Floats,
}

impl<S: Simd> View<S> for Block<S> {
    #[inline(always)]
    fn sums(&self) -> *const i32 {
        self.sums
    }

    #[inline(always)]
    fn tilted(&self) -> *const i32 {
        self.tilted
    }

    #[inline(always)]
    fn norms(&self) -> S::Floats {
        self.norms
    }

    #[inline(always)]
    unsafe fn read(&self, table: *const i32, corner: u32) -> S::Ints {
        // SAFETY: so many entries and a block beyond were found to be there when the block was made.
        unsafe { S::load(table.add(corner as usize)) }
    }
}

/// Windows anywhere.
struct Scattered<S: Simd> {
    sums: *const i32,
    tilted: *const i32,
    norms: S::Floats,
    offsets: S::Ints,
}

impl<S: Simd> View<S> for Scattered<S> {
    #[inline(always)]
    fn sums(&self) -> *const i32 {
        self.sums
    }

    #[inline(always)]
    fn tilted(&self) -> *const i32 {
        self.tilted
    }

    #[inline(always)]
    fn norms(&self) -> S::Floats {
        self.norms
    }

    #[inline(always)]
    unsafe fn read(&self, table: *const i32, corner: u32) -> S::Ints {
        // SAFETY: each window was part of a block, for which so many entries were found to be there.
        unsafe { S::gather(table.add(corner as usize), self.offsets) }
    }
}

/// A window that has passed some stages.
#[derive(Clone, Copy)]
struct Waiting {
    /// Stages passed.
    stage: u32,
    /// Entry of its upper left corner.
    offset: i32,
    norm: f32,
    x: u32,
    y: u32,
}

impl<'a, T: Test> Job<'a, T> {
    /// How far the tables can be read from the first window of a block on.
    fn holds(&self, start: usize, reach: usize) -> bool {
        let end = start + reach + LANES;
        // Gathers count entries in 32 bits.
        end <= self.sums.len().min(i32::MAX as usize) && (self.tilted.is_empty() || end <= self.tilted.len())
    }

    /// The hits of rows of windows, in order. They are those of going through the windows one by one.
    ///
    /// # Safety
    /// The processor has the instruction set.
    #[inline(always)]
    unsafe fn scan<S: Simd>(&self, rows: Range<usize>) -> Vec<(usize, usize)> {
        let (program, level) = (self.program, self.level);
        let windows = level.columns.div_ceil(level.step);
        let reach = program.reach() as usize;
        let mut waiting = Vec::new();
        for y in rows.step_by(level.step) {
            let mut skip = false;
            for first in (0..windows).step_by(LANES) {
                let start = self.grid.at(0, y) + first;
                if !self.holds(start, reach) {
                    debug_assert!(false, "a block of windows beyond its tables");
                    break;
                }
                let (norms, looked_at) = match self.contrast {
                    Some(contrast) => contrast.norms(&self.sums[start..], &self.squares[start..]),
                    None => ([1.0; LANES], ALL),
                };
                let from = |table: &[i32]| table.get(start..).unwrap_or(&self.sums[start..]).as_ptr();
                // SAFETY: the tables hold what the block reads, and `norms` has a value for each window; the caller vouches
                // for the rest. A program without tilted features reads no tilted table.
                let mut alive = unsafe {
                    let norms = S::load_floats(norms.as_ptr());
                    let block = Block::<S> { sums: from(self.sums), tilted: from(self.tilted), norms };
                    let passed = program.stage::<S, _>(0, &block);
                    // A window that is not looked at does not let the next one be left out.
                    let visited = visited(passed | !looked_at, &mut skip);
                    let inside = if windows - first >= LANES { ALL } else { (1 << (windows - first)) - 1 };
                    let mut alive = passed & visited & looked_at & inside;
                    let mut stage = 1;
                    while alive.count_ones() > FEW && stage < program.stage_count() {
                        alive &= program.stage::<S, _>(stage, &block);
                        stage += 1;
                    }
                    (alive, stage as u32)
                };
                while alive.0 != 0 {
                    let lane = alive.0.trailing_zeros() as usize;
                    alive.0 &= alive.0 - 1;
                    waiting.push(Waiting {
                        stage: alive.1,
                        offset: (start + lane) as i32,
                        norm: norms[lane],
                        x: ((first + lane) * level.step) as u32,
                        y: y as u32,
                    });
                }
            }
        }
        // SAFETY: all of them come from blocks that the tables hold; the caller vouches for the rest.
        unsafe { self.finish::<S>(waiting) }
    }

    /// The hits among windows that have passed some stages.
    ///
    /// # Safety
    /// The processor has the instruction set, and the tables hold what the windows read.
    #[inline(always)]
    unsafe fn finish<S: Simd>(&self, mut waiting: Vec<Waiting>) -> Vec<(usize, usize)> {
        waiting.sort_by_key(|window| window.stage);
        let mut waiting = waiting.into_iter().peekable();
        let mut active: Vec<Waiting> = Vec::new();
        for stage in 1..self.program.stage_count() {
            while let Some(window) = waiting.next_if(|window| window.stage as usize == stage) {
                active.push(window);
            }
            let mut kept = 0;
            let mut first = 0;
            while first < active.len() {
                let count = (active.len() - first).min(LANES);
                // SAFETY: as the caller's.
                let passed = unsafe { self.judge::<S>(stage, &active[first..first + count]) };
                for lane in 0..count {
                    active[kept] = active[first + lane];
                    kept += (passed >> lane & 1) as usize;
                }
                first += count;
            }
            active.truncate(kept);
        }
        active.extend(waiting);
        let mut hits: Vec<(usize, usize)> = active.iter().map(|w| (w.x as usize, w.y as usize)).collect();
        hits.sort_unstable_by_key(|&(x, y)| (y, x));
        hits
    }

    /// Those of up to [`LANES`] windows that pass a stage.
    ///
    /// # Safety
    /// As of [`finish`](Self::finish).
    #[inline(always)]
    unsafe fn judge<S: Simd>(&self, stage: usize, windows: &[Waiting]) -> Lanes {
        if windows.len() <= SINGLE || !S::GATHERS {
            let mut passed = 0;
            for (lane, window) in windows.iter().enumerate() {
                let from = |table: &'a [i32]| table.get(window.offset as usize..).unwrap_or(&[]);
                let window = Window { sums: from(self.sums), tilted: from(self.tilted), norm: window.norm };
                passed |= Lanes::from(self.program.passes(stage, &window)) << lane;
            }
            return passed;
        }
        // Lanes without a window repeat the first.
        let of = |lane: usize| windows.get(lane).unwrap_or(&windows[0]);
        let offsets: [i32; LANES] = std::array::from_fn(|lane| of(lane).offset);
        let norms: [f32; LANES] = std::array::from_fn(|lane| of(lane).norm);
        let tilted = if self.tilted.is_empty() { self.sums } else { self.tilted };
        // SAFETY: the tables hold what these windows read; the caller vouches for the rest.
        unsafe {
            let view = Scattered::<S> {
                sums: self.sums.as_ptr(),
                tilted: tilted.as_ptr(),
                norms: S::load_floats(norms.as_ptr()),
                offsets: S::load(offsets.as_ptr()),
            };
            self.program.stage::<S, _>(stage, &view)
        }
    }
}

/// Scans rows of windows with the instructions of a level. The step between windows is at most 2, and the program takes
/// many windows at once.
pub(super) fn scan<T: Test>(simd: simd::Level, job: &Job<'_, T>, rows: Range<usize>) -> Vec<(usize, usize)> {
    #[cfg(target_arch = "x86_64")]
    {
        #[target_feature(enable = "avx2,fma")]
        fn avx2<T: Test>(job: &Job<'_, T>, rows: Range<usize>) -> Vec<(usize, usize)> {
            // SAFETY: this function is only called where the processor has AVX2.
            unsafe { job.scan::<Avx2>(rows) }
        }
        #[target_feature(enable = "avx512f,avx2,fma")]
        fn avx512<T: Test>(job: &Job<'_, T>, rows: Range<usize>) -> Vec<(usize, usize)> {
            // SAFETY: this function is only called where the processor has AVX-512F.
            unsafe { job.scan::<Avx512>(rows) }
        }
        match simd {
            // SAFETY: a level above portable is only handed out where the processor has it.
            simd::Level::Avx512 => return unsafe { avx512(job, rows) },
            // SAFETY: as above.
            simd::Level::Avx2 => return unsafe { avx2(job, rows) },
            simd::Level::Portable => {}
        }
    }
    let _ = simd;
    // SAFETY: any processor has what this needs.
    unsafe { job.scan::<Portable>(rows) }
}
