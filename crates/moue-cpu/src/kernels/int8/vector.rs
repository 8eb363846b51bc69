//! The vector operations that int8 kernels are written in, one file an instruction set.
//!
//! # The order of columns
//!
//! Narrowing i32 to bytes works within 16-byte lanes: four vectors of 32-bit values become one vector
//! of bytes whose lane `l` holds the lanes `l` of the four in turn. Instead of sorting bytes after each
//! product, the *columns* of kernels, biases and scales are stored in the order that comes out
//! sorted ([`column`]). The depthwise kernels, which interleave the bytes of several pixels
//! within lanes, find the same order.
//!
//! # No closures
//!
//! What is called here must be inlined into a function with the instructions enabled. Closures handed
//! to the standard library (as to `array::from_fn`) are not, and every instruction in them becomes a
//! call: networks ran 15 times slower. So there are loops.

#[cfg(target_arch = "x86_64")]
pub(super) mod avx2;
#[cfg(target_arch = "x86_64")]
pub(super) mod avx512;
pub(super) mod portable;

use super::gemm::Clamp;

/// The column that 32-bit value `place` of vector `vector` stands for, in a group of `vectors`
/// vectors.
pub(crate) fn column(vectors: usize, vector: usize, place: usize) -> usize {
    let (lane, element) = (place / 4, place % 4);
    4 * vectors * lane + 4 * vector + element
}

/// A vector of `LANES` i32, or of as many groups of four bytes ("quads").
///
/// # Safety
///
/// Every method needs the instructions of its set, and its pointers must be good for the bytes it
/// reads or writes: `4 * LANES` unless it says otherwise. Nothing needs to be aligned.
pub(crate) trait Vector: Copy {
    /// i32 values held.
    const LANES: usize;
    /// Registers that the instruction set has.
    const REGISTERS: usize;
    /// The values.
    type Ints: Copy;

    /// `LANES` i32.
    unsafe fn ints(at: *const i32) -> Self::Ints;
    /// `4 * LANES` bytes.
    unsafe fn bytes(at: *const u8) -> Self::Ints;
    /// The same four bytes in every lane; reads 4 bytes.
    unsafe fn splat(at: *const u8) -> Self::Ints;
    /// Zeros.
    unsafe fn zero() -> Self::Ints;
    /// Adds to each lane the products of its four u8 of `a` and four i8 of `k`.
    unsafe fn dot(sum: Self::Ints, a: Self::Ints, k: Self::Ints) -> Self::Ints;
    /// Quad `i` of the result's vectors, in the order of [`column`] for 4, holds byte `i` of each of
    /// the four inputs.
    unsafe fn interleave(rows: [Self::Ints; 4]) -> [Self::Ints; 4];
    /// Each sum times its scale, rounded to nearest, ties to even. Products lie within i32.
    unsafe fn scaled(sums: Self::Ints, scales: *const f32) -> Self::Ints;
    /// As [`scaled`](Self::scaled), with `other * factor` added before rounding.
    unsafe fn scaled_plus(sums: Self::Ints, scales: *const f32, other: Self::Ints, factor: f32)
    -> Self::Ints;
    /// As [`scaled_plus`](Self::scaled_plus), the product clamped first: `other * factor + offset` is added.
    unsafe fn clamped_plus(
        sums: Self::Ints,
        scales: *const f32,
        other: Self::Ints,
        factor: f32,
        clamp: Clamp,
    ) -> Self::Ints;
    /// Writes the first `count` sums, each times its scale, clamped; reads `LANES` scales.
    unsafe fn store_real(
        sums: Self::Ints,
        scales: *const f32,
        bounds: (f32, f32),
        out: *mut f32,
        count: usize,
    );
    /// Writes `N * LANES` values, 1 to 4 vectors in the order of [`column`], as bytes; what exceeds
    /// 0..=255 becomes its nearer end.
    unsafe fn store<const N: usize>(values: [Self::Ints; N], out: *mut u8);
    /// Writes the first 48 bytes of what `store::<4>` would. For vectors of 64 bytes; narrower ones write all they have.
    unsafe fn store_three_quarters(values: [Self::Ints; 4], out: *mut u8) {
        // SAFETY: the caller's promise.
        unsafe { Self::store::<4>(values, out) }
    }
    /// Reads `N * LANES` bytes into vectors in the order of [`column`].
    unsafe fn load<const N: usize>(at: *const u8) -> [Self::Ints; N];
}
