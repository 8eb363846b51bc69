//! Arrays that the compiler may vectorise.

use super::{Clamp, Vector};

/// Four values at a time, in plain Rust.
#[derive(Clone, Copy)]
pub(crate) struct Plain;

/// 1.5 * 2²³: adding it to a small f32 leaves the nearest integer, ties to even, in the low bits.
const ROUND: f32 = 12_582_912.0;

/// What the other sets do by saturating conversions, for results of which only 0..=255 matters.
#[inline(always)]
fn rounded(value: f32) -> i32 {
    // Clamping first changes nothing: the ends are integers.
    (value.clamp(0.0, 255.0) + ROUND).to_bits() as i32 & 0xff
}

impl Vector for Plain {
    const LANES: usize = 4;
    const REGISTERS: usize = 16;
    type Ints = [i32; 4];

    #[inline(always)]
    unsafe fn ints(at: *const i32) -> [i32; 4] {
        // SAFETY: the caller's promise.
        unsafe { at.cast::<[i32; 4]>().read_unaligned() }
    }

    #[inline(always)]
    unsafe fn bytes(at: *const u8) -> [i32; 4] {
        // SAFETY: the caller's promise.
        unsafe { at.cast::<[[u8; 4]; 4]>().read_unaligned() }.map(i32::from_le_bytes)
    }

    #[inline(always)]
    unsafe fn splat(at: *const u8) -> [i32; 4] {
        // SAFETY: the caller's promise.
        [i32::from_le_bytes(unsafe { at.cast::<[u8; 4]>().read_unaligned() }); 4]
    }

    #[inline(always)]
    unsafe fn zero() -> [i32; 4] {
        [0; 4]
    }

    #[inline(always)]
    unsafe fn dot(sum: [i32; 4], a: [i32; 4], k: [i32; 4]) -> [i32; 4] {
        std::array::from_fn(|i| {
            let (a, k) = (a[i].to_le_bytes(), k[i].to_le_bytes());
            let product = |b: usize| i32::from(a[b]) * i32::from(k[b] as i8);
            sum[i] + product(0) + product(1) + product(2) + product(3)
        })
    }

    #[inline(always)]
    unsafe fn interleave(rows: [[i32; 4]; 4]) -> [[i32; 4]; 4] {
        let rows = rows.map(|row| row.map(i32::to_le_bytes));
        std::array::from_fn(|vector| {
            std::array::from_fn(|i| i32::from_le_bytes(std::array::from_fn(|row| rows[row][vector][i])))
        })
    }

    #[inline(always)]
    unsafe fn scaled(sums: [i32; 4], scales: *const f32) -> [i32; 4] {
        // SAFETY: the caller's promise.
        let scales = unsafe { scales.cast::<[f32; 4]>().read_unaligned() };
        std::array::from_fn(|i| rounded(sums[i] as f32 * scales[i]))
    }

    #[inline(always)]
    unsafe fn scaled_plus(sums: [i32; 4], scales: *const f32, other: [i32; 4], factor: f32) -> [i32; 4] {
        // SAFETY: the caller's promise.
        let scales = unsafe { scales.cast::<[f32; 4]>().read_unaligned() };
        std::array::from_fn(|i| rounded(sums[i] as f32 * scales[i] + other[i] as f32 * factor))
    }

    #[inline(always)]
    unsafe fn clamped_plus(
        sums: [i32; 4],
        scales: *const f32,
        other: [i32; 4],
        factor: f32,
        clamp: Clamp,
    ) -> [i32; 4] {
        // SAFETY: the caller's promise.
        let scales = unsafe { scales.cast::<[f32; 4]>().read_unaligned() };
        std::array::from_fn(|i| {
            let product = (sums[i] as f32 * scales[i]).max(clamp.low).min(clamp.high);
            rounded(product + (other[i] as f32 * factor + clamp.offset))
        })
    }

    #[inline(always)]
    unsafe fn store_real(
        sums: [i32; 4],
        scales: *const f32,
        (low, high): (f32, f32),
        out: *mut f32,
        count: usize,
    ) {
        for (i, sum) in sums.into_iter().enumerate().take(count) {
            // SAFETY: the caller's promise.
            unsafe { *out.add(i) = (sum as f32 * *scales.add(i)).max(low).min(high) };
        }
    }

    #[inline(always)]
    unsafe fn store<const N: usize>(values: [[i32; 4]; N], out: *mut u8) {
        // SAFETY: the caller's promise. One lane: columns are in order.
        unsafe { out.cast::<[[u8; 4]; N]>().write_unaligned(values.map(|v| v.map(|v| v as u8))) }
    }

    #[inline(always)]
    unsafe fn load<const N: usize>(at: *const u8) -> [[i32; 4]; N] {
        // SAFETY: the caller's promise.
        unsafe { at.cast::<[[u8; 4]; N]>().read_unaligned() }.map(|v| v.map(i32::from))
    }
}
