//! 256-bit registers: the windows in two.

use std::arch::x86_64::*;

use super::Simd;
use crate::cascade::Subset;
use crate::cascade::program::Lanes;

/// For processors with AVX2.
pub(in crate::cascade) struct Avx2;

// Closures would not be compiled for AVX2, and calls of them not made part of the loop: everything is written out.

// SAFETY: everything here is AVX2, and the callers are compiled for it; they vouch for the memory.
unsafe impl Simd for Avx2 {
    const GATHERS: bool = true;

    type Ints = [__m256i; 2];
    type Floats = [__m256; 2];
    /// All bits of a lane for yes, none for no.
    type Mask = [__m256i; 2];
    type Sums = [__m256d; 4];

    #[inline(always)]
    unsafe fn load(from: *const i32) -> [__m256i; 2] {
        // SAFETY: as above.
        unsafe { [_mm256_loadu_si256(from.cast()), _mm256_loadu_si256(from.add(8).cast())] }
    }

    #[inline(always)]
    unsafe fn gather(from: *const i32, offsets: [__m256i; 2]) -> [__m256i; 2] {
        // SAFETY: as above.
        unsafe {
            [_mm256_i32gather_epi32::<4>(from, offsets[0]), _mm256_i32gather_epi32::<4>(from, offsets[1])]
        }
    }

    #[inline(always)]
    unsafe fn load_floats(from: *const f32) -> [__m256; 2] {
        // SAFETY: as above.
        unsafe { [_mm256_loadu_ps(from), _mm256_loadu_ps(from.add(8))] }
    }

    #[inline(always)]
    unsafe fn sub(a: [__m256i; 2], b: [__m256i; 2]) -> [__m256i; 2] {
        // SAFETY: as above.
        unsafe { [_mm256_sub_epi32(a[0], b[0]), _mm256_sub_epi32(a[1], b[1])] }
    }

    #[inline(always)]
    unsafe fn add(a: [__m256i; 2], b: [__m256i; 2]) -> [__m256i; 2] {
        // SAFETY: as above.
        unsafe { [_mm256_add_epi32(a[0], b[0]), _mm256_add_epi32(a[1], b[1])] }
    }

    #[inline(always)]
    unsafe fn at_least(a: [__m256i; 2], b: [__m256i; 2]) -> [__m256i; 2] {
        // SAFETY: as above.
        unsafe {
            let all = _mm256_set1_epi32(-1);
            [
                _mm256_xor_si256(_mm256_cmpgt_epi32(b[0], a[0]), all),
                _mm256_xor_si256(_mm256_cmpgt_epi32(b[1], a[1]), all),
            ]
        }
    }

    #[inline(always)]
    unsafe fn to_floats(a: [__m256i; 2]) -> [__m256; 2] {
        // SAFETY: as above.
        unsafe { [_mm256_cvtepi32_ps(a[0]), _mm256_cvtepi32_ps(a[1])] }
    }

    #[inline(always)]
    unsafe fn splat(value: f32) -> [__m256; 2] {
        // SAFETY: as above.
        unsafe { [_mm256_set1_ps(value); 2] }
    }

    #[inline(always)]
    unsafe fn add_floats(a: [__m256; 2], b: [__m256; 2]) -> [__m256; 2] {
        // SAFETY: as above.
        unsafe { [_mm256_add_ps(a[0], b[0]), _mm256_add_ps(a[1], b[1])] }
    }

    #[inline(always)]
    unsafe fn mul(a: [__m256; 2], b: [__m256; 2]) -> [__m256; 2] {
        // SAFETY: as above.
        unsafe { [_mm256_mul_ps(a[0], b[0]), _mm256_mul_ps(a[1], b[1])] }
    }

    #[inline(always)]
    unsafe fn below(a: [__m256; 2], b: [__m256; 2]) -> [__m256i; 2] {
        // SAFETY: as above.
        unsafe {
            [
                _mm256_castps_si256(_mm256_cmp_ps::<_CMP_LT_OQ>(a[0], b[0])),
                _mm256_castps_si256(_mm256_cmp_ps::<_CMP_LT_OQ>(a[1], b[1])),
            ]
        }
    }

    #[inline(always)]
    unsafe fn choose(mask: [__m256i; 2], a: [__m256; 2], b: [__m256; 2]) -> [__m256; 2] {
        // SAFETY: as above.
        unsafe {
            [
                _mm256_blendv_ps(b[0], a[0], _mm256_castsi256_ps(mask[0])),
                _mm256_blendv_ps(b[1], a[1], _mm256_castsi256_ps(mask[1])),
            ]
        }
    }

    #[inline(always)]
    unsafe fn in_set(bits: [[__m256i; 2]; 8], set: &Subset) -> [__m256i; 2] {
        // SAFETY: as above; the set has 256 bits.
        unsafe {
            let words = _mm256_loadu_si256(set.as_ptr().cast());
            let one = _mm256_set1_epi32(1);
            let mut answers = [one; 2];
            for (i, answer) in answers.iter_mut().enumerate() {
                // The upper three bits choose one of eight words, the others a bit in it.
                let (mut word, mut place) = (_mm256_setzero_si256(), _mm256_setzero_si256());
                for (bit, value) in bits[..3].iter().zip([4, 2, 1]) {
                    word = _mm256_or_si256(word, _mm256_and_si256(bit[i], _mm256_set1_epi32(value)));
                }
                for (bit, value) in bits[3..].iter().zip([16, 8, 4, 2, 1]) {
                    place = _mm256_or_si256(place, _mm256_and_si256(bit[i], _mm256_set1_epi32(value)));
                }
                let word = _mm256_permutevar8x32_epi32(words, word);
                *answer = _mm256_cmpeq_epi32(_mm256_and_si256(_mm256_srlv_epi32(word, place), one), one);
            }
            answers
        }
    }

    #[inline(always)]
    unsafe fn zero() -> [__m256d; 4] {
        // SAFETY: as above.
        unsafe { [_mm256_setzero_pd(); 4] }
    }

    #[inline(always)]
    unsafe fn vote(sums: [__m256d; 4], votes: [__m256; 2]) -> [__m256d; 4] {
        // SAFETY: as above.
        unsafe {
            [
                _mm256_add_pd(sums[0], _mm256_cvtps_pd(_mm256_castps256_ps128(votes[0]))),
                _mm256_add_pd(sums[1], _mm256_cvtps_pd(_mm256_extractf128_ps::<1>(votes[0]))),
                _mm256_add_pd(sums[2], _mm256_cvtps_pd(_mm256_castps256_ps128(votes[1]))),
                _mm256_add_pd(sums[3], _mm256_cvtps_pd(_mm256_extractf128_ps::<1>(votes[1]))),
            ]
        }
    }

    #[inline(always)]
    unsafe fn not_below(sums: [__m256d; 4], threshold: f64) -> Lanes {
        let mut passed = 0;
        for (i, &sum) in sums.iter().enumerate() {
            // SAFETY: as above.
            let mask =
                unsafe { _mm256_movemask_pd(_mm256_cmp_pd::<_CMP_NLT_UQ>(sum, _mm256_set1_pd(threshold))) };
            passed |= (mask as Lanes) << (4 * i);
        }
        passed
    }
}
