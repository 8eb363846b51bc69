//! Registers for the windows that are judged together. The code over them is compiled once for each instruction set;
//! the best one is chosen at run time.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod portable;

pub(super) use moue_cpu::Level;

use super::Subset;
use super::program::Lanes;

#[cfg(target_arch = "x86_64")]
pub(super) use avx2::Avx2;
#[cfg(target_arch = "x86_64")]
pub(super) use avx512::Avx512;
pub(super) use portable::Portable;

/// [`LANES`](super::grid::LANES) values side by side, and what is done with them.
///
/// # Safety
/// Every function may only be called where the processor has the instruction set; those that take a pointer read all lanes
/// from there. Functions are made part of their callers, which are compiled for the set.
pub(super) unsafe trait Simd {
    /// Whether reading at several places is faster together than one by one.
    const GATHERS: bool;

    /// Integers of 32 bits; arithmetic wraps.
    type Ints: Copy;
    /// Floats of 32 bits.
    type Floats: Copy;
    /// Yes or no.
    type Mask: Copy;
    /// Sums of votes, in 64 bits.
    type Sums: Copy;

    unsafe fn load(from: *const i32) -> Self::Ints;
    /// Reads at so many entries from the pointer on.
    unsafe fn gather(from: *const i32, offsets: Self::Ints) -> Self::Ints;
    unsafe fn load_floats(from: *const f32) -> Self::Floats;
    unsafe fn sub(a: Self::Ints, b: Self::Ints) -> Self::Ints;
    unsafe fn add(a: Self::Ints, b: Self::Ints) -> Self::Ints;
    /// Whether `a >= b`.
    unsafe fn at_least(a: Self::Ints, b: Self::Ints) -> Self::Mask;

    unsafe fn to_floats(a: Self::Ints) -> Self::Floats;
    unsafe fn splat(value: f32) -> Self::Floats;
    unsafe fn add_floats(a: Self::Floats, b: Self::Floats) -> Self::Floats;
    unsafe fn mul(a: Self::Floats, b: Self::Floats) -> Self::Floats;
    /// Whether `a < b`.
    unsafe fn below(a: Self::Floats, b: Self::Floats) -> Self::Mask;
    /// `a` where yes, `b` where no.
    unsafe fn choose(mask: Self::Mask, a: Self::Floats, b: Self::Floats) -> Self::Floats;

    /// Whether eight bits, the highest first, stand for a number of the set.
    unsafe fn in_set(bits: [Self::Mask; 8], set: &Subset) -> Self::Mask;

    unsafe fn zero() -> Self::Sums;
    unsafe fn vote(sums: Self::Sums, votes: Self::Floats) -> Self::Sums;
    /// A bit for each sum that is not below the threshold.
    unsafe fn not_below(sums: Self::Sums, threshold: f64) -> Lanes;
}
