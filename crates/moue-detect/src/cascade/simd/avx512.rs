//! 512-bit registers: all windows in one.

use std::arch::x86_64::*;

use super::Simd;
use crate::cascade::Subset;
use crate::cascade::program::Lanes;

/// For processors with AVX-512F.
pub(in crate::cascade) struct Avx512;

// SAFETY: everything here is AVX-512F, and the callers are compiled for it; they vouch for the memory.
unsafe impl Simd for Avx512 {
    const GATHERS: bool = true;

    type Ints = __m512i;
    type Floats = __m512;
    type Mask = __mmask16;
    type Sums = [__m512d; 2];

    #[inline(always)]
    unsafe fn load(from: *const i32) -> __m512i {
        // SAFETY: as above.
        unsafe { _mm512_loadu_si512(from.cast()) }
    }

    #[inline(always)]
    unsafe fn gather(from: *const i32, offsets: __m512i) -> __m512i {
        // SAFETY: as above.
        unsafe { _mm512_i32gather_epi32::<4>(offsets, from) }
    }

    #[inline(always)]
    unsafe fn load_floats(from: *const f32) -> __m512 {
        // SAFETY: as above.
        unsafe { _mm512_loadu_ps(from) }
    }

    #[inline(always)]
    unsafe fn sub(a: __m512i, b: __m512i) -> __m512i {
        // SAFETY: as above.
        unsafe { _mm512_sub_epi32(a, b) }
    }

    #[inline(always)]
    unsafe fn add(a: __m512i, b: __m512i) -> __m512i {
        // SAFETY: as above.
        unsafe { _mm512_add_epi32(a, b) }
    }

    #[inline(always)]
    unsafe fn at_least(a: __m512i, b: __m512i) -> __mmask16 {
        // SAFETY: as above.
        unsafe { _mm512_cmpge_epi32_mask(a, b) }
    }

    #[inline(always)]
    unsafe fn to_floats(a: __m512i) -> __m512 {
        // SAFETY: as above.
        unsafe { _mm512_cvtepi32_ps(a) }
    }

    #[inline(always)]
    unsafe fn splat(value: f32) -> __m512 {
        // SAFETY: as above.
        unsafe { _mm512_set1_ps(value) }
    }

    #[inline(always)]
    unsafe fn add_floats(a: __m512, b: __m512) -> __m512 {
        // SAFETY: as above.
        unsafe { _mm512_add_ps(a, b) }
    }

    #[inline(always)]
    unsafe fn mul(a: __m512, b: __m512) -> __m512 {
        // SAFETY: as above.
        unsafe { _mm512_mul_ps(a, b) }
    }

    #[inline(always)]
    unsafe fn below(a: __m512, b: __m512) -> __mmask16 {
        // SAFETY: as above.
        unsafe { _mm512_cmp_ps_mask::<_CMP_LT_OQ>(a, b) }
    }

    #[inline(always)]
    unsafe fn choose(mask: __mmask16, a: __m512, b: __m512) -> __m512 {
        // SAFETY: as above.
        unsafe { _mm512_mask_blend_ps(mask, b, a) }
    }

    #[inline(always)]
    unsafe fn in_set(bits: [__mmask16; 8], set: &Subset) -> __mmask16 {
        // SAFETY: as above; the set has 256 bits.
        unsafe {
            // The upper three bits choose one of eight words, the others a bit in it.
            let mut word = _mm512_setzero_si512();
            for (bit, value) in bits[..3].iter().zip([4, 2, 1]) {
                word = _mm512_mask_or_epi32(word, *bit, word, _mm512_set1_epi32(value));
            }
            let mut place = _mm512_setzero_si512();
            for (bit, value) in bits[3..].iter().zip([16, 8, 4, 2, 1]) {
                place = _mm512_mask_or_epi32(place, *bit, place, _mm512_set1_epi32(value));
            }
            let words = _mm512_castsi256_si512(_mm256_loadu_si256(set.as_ptr().cast()));
            let word = _mm512_permutexvar_epi32(word, words);
            _mm512_test_epi32_mask(word, _mm512_sllv_epi32(_mm512_set1_epi32(1), place))
        }
    }

    #[inline(always)]
    unsafe fn zero() -> [__m512d; 2] {
        // SAFETY: as above.
        unsafe { [_mm512_setzero_pd(); 2] }
    }

    #[inline(always)]
    unsafe fn vote(sums: [__m512d; 2], votes: __m512) -> [__m512d; 2] {
        // SAFETY: as above.
        unsafe {
            let upper = _mm256_castpd_ps(_mm512_extractf64x4_pd::<1>(_mm512_castps_pd(votes)));
            [
                _mm512_add_pd(sums[0], _mm512_cvtps_pd(_mm512_castps512_ps256(votes))),
                _mm512_add_pd(sums[1], _mm512_cvtps_pd(upper)),
            ]
        }
    }

    #[inline(always)]
    unsafe fn not_below(sums: [__m512d; 2], threshold: f64) -> Lanes {
        // SAFETY: as above.
        unsafe {
            let threshold = _mm512_set1_pd(threshold);
            let low = _mm512_cmp_pd_mask::<_CMP_NLT_UQ>(sums[0], threshold);
            let high = _mm512_cmp_pd_mask::<_CMP_NLT_UQ>(sums[1], threshold);
            Lanes::from(low) | Lanes::from(high) << 8
        }
    }
}
