//! One row of windows, compiled for each instruction set; the best one is chosen at run time.

pub(super) use moue_cpu::Level;

use super::grid::LANES;
use super::program::{ALL, Lanes, Program, Test, visited};
use super::pyramid;

/// Scans the row of windows at `y`, [`LANES`] at a time, and adds the places of those that pass. `view` is the block of
/// windows from a number on (counted in steps), and a bit for each that is worth looking at. The hits are those of
/// going through the windows one by one.
#[inline(always)]
fn row<'a, T: Test>(
    program: &Program<T>,
    level: &pyramid::Level,
    y: usize,
    hits: &mut Vec<(usize, usize)>,
    view: impl Fn(usize) -> (T::Block<'a>, Lanes),
) {
    let windows = level.columns.div_ceil(level.step);
    let mut skip = false;
    for first in (0..windows).step_by(LANES) {
        let (block, looked_at) = view(first);
        let passed = program.first_stage(&block);
        // A window that is not looked at does not let the next one be left out.
        let visited = visited(passed | !looked_at, &mut skip);
        let inside = if windows - first >= LANES { ALL } else { (1 << (windows - first)) - 1 };
        let mut alive = passed & visited & looked_at & inside;
        if alive != 0 {
            alive = program.other_stages(&block, alive);
        }
        while alive != 0 {
            hits.push(((first + alive.trailing_zeros() as usize) * level.step, y));
            alive &= alive - 1;
        }
    }
}

pub(super) fn scan_row<'a, T: Test>(
    simd: Level,
    program: &Program<T>,
    level: &pyramid::Level,
    y: usize,
    hits: &mut Vec<(usize, usize)>,
    view: impl Fn(usize) -> (T::Block<'a>, Lanes),
) {
    #[cfg(target_arch = "x86_64")]
    {
        #[target_feature(enable = "avx2,fma")]
        fn avx2<'a, T: Test>(
            program: &Program<T>,
            level: &pyramid::Level,
            y: usize,
            hits: &mut Vec<(usize, usize)>,
            view: impl Fn(usize) -> (T::Block<'a>, Lanes),
        ) {
            row(program, level, y, hits, view);
        }
        #[target_feature(enable = "avx512f,avx2,fma")]
        fn avx512<'a, T: Test>(
            program: &Program<T>,
            level: &pyramid::Level,
            y: usize,
            hits: &mut Vec<(usize, usize)>,
            view: impl Fn(usize) -> (T::Block<'a>, Lanes),
        ) {
            row(program, level, y, hits, view);
        }
        match simd {
            // SAFETY: a level above portable is only handed out where the processor has it.
            Level::Avx512 => unsafe { avx512(program, level, y, hits, view) },
            // SAFETY: as above.
            Level::Avx2 => unsafe { avx2(program, level, y, hits, view) },
            Level::Portable => row(program, level, y, hits, view),
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        let _ = simd;
        row(program, level, y, hits, view);
    }
}
