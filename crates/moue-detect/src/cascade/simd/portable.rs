//! Plain loops, for processors without a file of their own here.

use std::array::from_fn;

use super::Simd;
use crate::cascade::Subset;
use crate::cascade::grid::LANES;
use crate::cascade::program::Lanes;

/// Arrays.
pub(in crate::cascade) struct Portable;

// SAFETY: any processor has what this needs; the callers vouch for the memory.
unsafe impl Simd for Portable {
    const GATHERS: bool = false;

    type Ints = [i32; LANES];
    type Floats = [f32; LANES];
    /// 1 for yes, 0 for no.
    type Mask = [u32; LANES];
    type Sums = [f64; LANES];

    #[inline(always)]
    unsafe fn load(from: *const i32) -> [i32; LANES] {
        // SAFETY: the caller vouches for the memory.
        unsafe { from.cast::<[i32; LANES]>().read_unaligned() }
    }

    #[inline(always)]
    unsafe fn gather(from: *const i32, offsets: [i32; LANES]) -> [i32; LANES] {
        // SAFETY: the caller vouches for the memory.
        offsets.map(|offset| unsafe { from.offset(offset as isize).read() })
    }

    #[inline(always)]
    unsafe fn load_floats(from: *const f32) -> [f32; LANES] {
        // SAFETY: the caller vouches for the memory.
        unsafe { from.cast::<[f32; LANES]>().read_unaligned() }
    }

    #[inline(always)]
    unsafe fn sub(a: [i32; LANES], b: [i32; LANES]) -> [i32; LANES] {
        from_fn(|i| a[i].wrapping_sub(b[i]))
    }

    #[inline(always)]
    unsafe fn add(a: [i32; LANES], b: [i32; LANES]) -> [i32; LANES] {
        from_fn(|i| a[i].wrapping_add(b[i]))
    }

    #[inline(always)]
    unsafe fn at_least(a: [i32; LANES], b: [i32; LANES]) -> [u32; LANES] {
        from_fn(|i| u32::from(a[i] >= b[i]))
    }

    #[inline(always)]
    unsafe fn to_floats(a: [i32; LANES]) -> [f32; LANES] {
        a.map(|value| value as f32)
    }

    #[inline(always)]
    unsafe fn splat(value: f32) -> [f32; LANES] {
        [value; LANES]
    }

    #[inline(always)]
    unsafe fn add_floats(a: [f32; LANES], b: [f32; LANES]) -> [f32; LANES] {
        from_fn(|i| a[i] + b[i])
    }

    #[inline(always)]
    unsafe fn mul(a: [f32; LANES], b: [f32; LANES]) -> [f32; LANES] {
        from_fn(|i| a[i] * b[i])
    }

    #[inline(always)]
    unsafe fn below(a: [f32; LANES], b: [f32; LANES]) -> [u32; LANES] {
        from_fn(|i| u32::from(a[i] < b[i]))
    }

    #[inline(always)]
    unsafe fn choose(mask: [u32; LANES], a: [f32; LANES], b: [f32; LANES]) -> [f32; LANES] {
        // By bits: choices between floats are made into branches.
        from_fn(|i| {
            let yes = mask[i].wrapping_neg();
            f32::from_bits((a[i].to_bits() & yes) | (b[i].to_bits() & !yes))
        })
    }

    #[inline(always)]
    unsafe fn in_set(bits: [[u32; LANES]; 8], set: &Subset) -> [u32; LANES] {
        from_fn(|i| {
            // The upper three bits choose one of eight words: by three choices of two, which need no table.
            let pick = |bit: u32, set: u32, clear: u32| if bit != 0 { set } else { clear };
            let (high, middle, low) = (bits[0][i], bits[1][i], bits[2][i]);
            let upper = pick(middle, pick(low, set[7], set[6]), pick(low, set[5], set[4]));
            let lower = pick(middle, pick(low, set[3], set[2]), pick(low, set[1], set[0]));
            let word = pick(high, upper, lower);
            let place = bits[3][i] << 4 | bits[4][i] << 3 | bits[5][i] << 2 | bits[6][i] << 1 | bits[7][i];
            (word >> place) & 1
        })
    }

    #[inline(always)]
    unsafe fn zero() -> [f64; LANES] {
        [0.0; LANES]
    }

    #[inline(always)]
    unsafe fn vote(sums: [f64; LANES], votes: [f32; LANES]) -> [f64; LANES] {
        from_fn(|i| sums[i] + f64::from(votes[i]))
    }

    #[inline(always)]
    unsafe fn not_below(sums: [f64; LANES], threshold: f64) -> Lanes {
        let mut passed = 0;
        for (lane, &sum) in sums.iter().enumerate() {
            let below = sum < threshold;
            passed |= Lanes::from(!below) << lane;
        }
        passed
    }
}
