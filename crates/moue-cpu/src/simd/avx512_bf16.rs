//! Products of bf16 in 512-bit registers.

use std::arch::x86_64::{
    __m256bh, __m256i, __m512, __m512bh, _mm256_storeu_si256, _mm512_cvtneps_pbh, _mm512_dpbf16_ps,
};

use super::{Bf16, Vector};

/// Sixteen f32 sums whose factors are pairs of bf16: where [`Vector::mul_add`] of f32 does one step of a sum,
/// this does two, the even one in the lower half of each 32-bit lane. Loads and broadcasts move such pairs
/// as if they were f32.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(crate) struct Pairs(__m512);

// SAFETY: everything here is AVX-512F and AVX512-BF16.
unsafe impl Vector for Pairs {
    const LANES: usize = 16;
    const REGISTERS: usize = 32;

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        // SAFETY: the caller has AVX-512F.
        Self(unsafe { __m512::splat(value) })
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller's contract.
        Self(unsafe { __m512::load(from) })
    }

    #[inline(always)]
    unsafe fn load_first(from: *const f32, count: usize) -> Self {
        // SAFETY: the caller's contract.
        Self(unsafe { __m512::load_first(from, count) })
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the caller's contract.
        unsafe { self.0.store(to) }
    }

    #[inline(always)]
    unsafe fn store_first(self, to: *mut f32, count: usize) {
        // SAFETY: the caller's contract.
        unsafe { self.0.store_first(to, count) }
    }

    #[inline(always)]
    unsafe fn load_bf16(from: *const Bf16) -> Self {
        // SAFETY: the caller's contract.
        Self(unsafe { __m512::load_bf16(from) })
    }

    #[inline(always)]
    unsafe fn store_bf16(self, to: *mut Bf16) {
        // SAFETY: the caller has AVX512-BF16 and vouches for the memory.
        unsafe {
            let rounded = std::mem::transmute::<__m256bh, __m256i>(_mm512_cvtneps_pbh(self.0));
            _mm256_storeu_si256(to.cast(), rounded);
        }
    }

    #[inline(always)]
    unsafe fn mul_add(self, factor: Self, addend: Self) -> Self {
        // SAFETY: the caller has AVX512-BF16; both are 512 bits.
        unsafe {
            let pairs = |lanes| std::mem::transmute::<__m512, __m512bh>(lanes);
            Self(_mm512_dpbf16_ps(addend.0, pairs(self.0), pairs(factor.0)))
        }
    }

    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        // SAFETY: the caller has AVX-512F.
        Self(unsafe { self.0.add(other.0) })
    }

    #[inline(always)]
    unsafe fn max(self, other: Self) -> Self {
        // SAFETY: the caller has AVX-512F.
        Self(unsafe { self.0.max(other.0) })
    }

    #[inline(always)]
    unsafe fn min(self, other: Self) -> Self {
        // SAFETY: the caller has AVX-512F.
        Self(unsafe { self.0.min(other.0) })
    }
}
