//! One row of windows, compiled for each instruction set; the best one is chosen at run time.

pub(super) use moue_cpu::Level;

use super::grid::LANES;
use super::program::{ALL, Lanes, Program, Test, visited};
use super::pyramid;

/// What compilers do not make of plain loops: choices of single floats by masks of integers.
pub(super) trait Simd {
    /// Adds to each sum the first value where the answer is 1, the second where it is 0.
    #[inline(always)]
    fn vote(left: &[u32; LANES], [a, b]: [f32; 2], sums: &mut [f64; LANES]) {
        for (sum, &left) in sums.iter_mut().zip(left) {
            *sum += f64::from(if left != 0 { a } else { b });
        }
    }

    /// Of each pair the first value where the answer is 1, the second where it is 0.
    #[inline(always)]
    fn choose(left: &[u32; LANES], a: &[f32; LANES], b: &[f32; LANES]) -> [f32; LANES] {
        let mut out = [0.0; LANES];
        for (lane, out) in out.iter_mut().enumerate() {
            *out = if left[lane] != 0 { a[lane] } else { b[lane] };
        }
        out
    }

    /// Adds a value to each sum.
    #[inline(always)]
    fn add(values: &[f32; LANES], sums: &mut [f64; LANES]) {
        for (sum, &value) in sums.iter_mut().zip(values) {
            *sum += f64::from(value);
        }
    }

    /// A bit for each sum that is not below a threshold.
    #[inline(always)]
    fn not_below(sums: &[f64; LANES], threshold: f64) -> Lanes {
        let mut passed = 0;
        for (lane, &sum) in sums.iter().enumerate() {
            let below = sum < threshold;
            passed |= Lanes::from(!below) << lane;
        }
        passed
    }
}

/// Plain loops.
struct Portable;

impl Simd for Portable {}

/// For processors with AVX2; called inside functions that are compiled for it only.
#[cfg(target_arch = "x86_64")]
struct Avx2;

#[cfg(target_arch = "x86_64")]
impl Simd for Avx2 {
    #[inline(always)]
    fn vote(left: &[u32; LANES], [a, b]: [f32; 2], sums: &mut [f64; LANES]) {
        use std::arch::x86_64::*;
        // SAFETY: the callers are compiled for AVX2 and run where the processor has it; each load and store covers
        // four values within the arrays.
        unsafe {
            let (a, b) = (_mm256_set1_pd(f64::from(a)), _mm256_set1_pd(f64::from(b)));
            for four in (0..LANES).step_by(4) {
                let left = _mm256_cvtepi32_epi64(_mm_loadu_si128(left.as_ptr().add(four).cast()));
                let right = _mm256_castsi256_pd(_mm256_cmpeq_epi64(left, _mm256_setzero_si256()));
                let sum = sums.as_mut_ptr().add(four);
                _mm256_storeu_pd(sum, _mm256_add_pd(_mm256_loadu_pd(sum), _mm256_blendv_pd(a, b, right)));
            }
        }
    }

    #[inline(always)]
    fn not_below(sums: &[f64; LANES], threshold: f64) -> Lanes {
        use std::arch::x86_64::*;
        let mut passed = 0;
        // SAFETY: as above.
        unsafe {
            let threshold = _mm256_set1_pd(threshold);
            for four in (0..LANES).step_by(4) {
                let sum = _mm256_loadu_pd(sums.as_ptr().add(four));
                let mask = _mm256_movemask_pd(_mm256_cmp_pd::<_CMP_NLT_UQ>(sum, threshold));
                passed |= (mask as Lanes) << four;
            }
        }
        passed
    }
}

/// For processors with AVX-512F; called inside functions that are compiled for it only.
#[cfg(target_arch = "x86_64")]
struct Avx512;

#[cfg(target_arch = "x86_64")]
impl Simd for Avx512 {
    #[inline(always)]
    fn vote(left: &[u32; LANES], [a, b]: [f32; 2], sums: &mut [f64; LANES]) {
        use std::arch::x86_64::*;
        // SAFETY: the callers are compiled for AVX-512F and run where the processor has it; each load and store covers
        // sixteen answers or eight sums within the arrays.
        unsafe {
            let left = _mm512_loadu_si512(left.as_ptr().cast());
            let left = _mm512_test_epi32_mask(left, left);
            let (a, b) = (_mm512_set1_pd(f64::from(a)), _mm512_set1_pd(f64::from(b)));
            for (half, left) in [(0, left as u8), (8, (left >> 8) as u8)] {
                let sum = sums.as_mut_ptr().add(half);
                _mm512_storeu_pd(sum, _mm512_add_pd(_mm512_loadu_pd(sum), _mm512_mask_blend_pd(left, b, a)));
            }
        }
    }

    #[inline(always)]
    fn choose(left: &[u32; LANES], a: &[f32; LANES], b: &[f32; LANES]) -> [f32; LANES] {
        use std::arch::x86_64::*;
        let mut out = [0.0; LANES];
        // SAFETY: as above; each load and store covers the sixteen values of an array.
        unsafe {
            let left = _mm512_loadu_si512(left.as_ptr().cast());
            let left = _mm512_test_epi32_mask(left, left);
            let chosen = _mm512_mask_blend_ps(left, _mm512_loadu_ps(b.as_ptr()), _mm512_loadu_ps(a.as_ptr()));
            _mm512_storeu_ps(out.as_mut_ptr(), chosen);
        }
        out
    }

    #[inline(always)]
    fn add(values: &[f32; LANES], sums: &mut [f64; LANES]) {
        use std::arch::x86_64::*;
        // SAFETY: as above; eight values and sums at a time.
        unsafe {
            for half in [0, 8] {
                let sum = sums.as_mut_ptr().add(half);
                let value = _mm512_cvtps_pd(_mm256_loadu_ps(values.as_ptr().add(half)));
                _mm512_storeu_pd(sum, _mm512_add_pd(_mm512_loadu_pd(sum), value));
            }
        }
    }

    #[inline(always)]
    fn not_below(sums: &[f64; LANES], threshold: f64) -> Lanes {
        use std::arch::x86_64::*;
        // SAFETY: as above; eight sums at a time.
        unsafe {
            let threshold = _mm512_set1_pd(threshold);
            let half = |from: usize| {
                let sum = _mm512_loadu_pd(sums.as_ptr().add(from));
                Lanes::from(_mm512_cmp_pd_mask::<_CMP_NLT_UQ>(sum, threshold))
            };
            half(0) | half(8) << 8
        }
    }
}

/// Scans the row of windows at `y`, [`LANES`] at a time, and adds the places of those that pass. `view` is the block of
/// windows from a number on (counted in steps), and a bit for each that is worth looking at. The hits are those of
/// going through the windows one by one.
#[inline(always)]
fn row<'a, S: Simd, T: Test>(
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
        let passed = program.first_stage::<S>(&block);
        // A window that is not looked at does not let the next one be left out.
        let visited = visited(passed | !looked_at, &mut skip);
        let inside = if windows - first >= LANES { ALL } else { (1 << (windows - first)) - 1 };
        let mut alive = passed & visited & looked_at & inside;
        if alive != 0 {
            alive = program.other_stages::<S>(&block, alive);
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
            row::<Avx2, T>(program, level, y, hits, view);
        }
        #[target_feature(enable = "avx512f,avx2,fma")]
        fn avx512<'a, T: Test>(
            program: &Program<T>,
            level: &pyramid::Level,
            y: usize,
            hits: &mut Vec<(usize, usize)>,
            view: impl Fn(usize) -> (T::Block<'a>, Lanes),
        ) {
            row::<Avx512, T>(program, level, y, hits, view);
        }
        match simd {
            // SAFETY: a level above portable is only handed out where the processor has it.
            Level::Avx512 => unsafe { avx512(program, level, y, hits, view) },
            // SAFETY: as above.
            Level::Avx2 => unsafe { avx2(program, level, y, hits, view) },
            Level::Portable => row::<Portable, T>(program, level, y, hits, view),
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        let _ = simd;
        row::<Portable, T>(program, level, y, hits, view);
    }
}
