//! 64 bytes: AVX-512 with VNNI.

use std::arch::x86_64::*;

use super::{Clamp, Vector};

/// 64 bytes.
#[derive(Clone, Copy)]
pub(crate) struct Zmm;

/// Moves the first `N` 4-byte groups of each lane together.
const GATHER: [[i32; 16]; 5] = [
    [0; 16],
    [0, 4, 8, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    [0, 1, 4, 5, 8, 9, 12, 13, 0, 0, 0, 0, 0, 0, 0, 0],
    [0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, 0, 0, 0, 0],
    [0; 16],
];

/// The other way round.
const SPREAD: [[i32; 16]; 5] = [
    [0; 16],
    [0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0],
    [0, 1, 0, 0, 2, 3, 0, 0, 4, 5, 0, 0, 6, 7, 0, 0],
    [0, 1, 2, 0, 3, 4, 5, 0, 6, 7, 8, 0, 9, 10, 11, 0],
    [0; 16],
];

/// Byte shuffles within a lane that widen group `j` to four i32.
const WIDEN: [[i8; 16]; 4] = [
    [0, -1, -1, -1, 1, -1, -1, -1, 2, -1, -1, -1, 3, -1, -1, -1],
    [4, -1, -1, -1, 5, -1, -1, -1, 6, -1, -1, -1, 7, -1, -1, -1],
    [8, -1, -1, -1, 9, -1, -1, -1, 10, -1, -1, -1, 11, -1, -1, -1],
    [12, -1, -1, -1, 13, -1, -1, -1, 14, -1, -1, -1, 15, -1, -1, -1],
];

// SAFETY of all blocks below: the caller has the instructions and good pointers (see `Vector`);
// tables are read within their length.
#[allow(clippy::undocumented_unsafe_blocks, reason = "one reason for all, stated above")]
impl Vector for Zmm {
    const LANES: usize = 16;
    const REGISTERS: usize = 32;
    type Ints = __m512i;

    #[inline(always)]
    unsafe fn ints(at: *const i32) -> __m512i {
        unsafe { _mm512_loadu_epi32(at) }
    }

    #[inline(always)]
    unsafe fn bytes(at: *const u8) -> __m512i {
        unsafe { _mm512_loadu_epi8(at.cast()) }
    }

    #[inline(always)]
    unsafe fn splat(at: *const u8) -> __m512i {
        unsafe { _mm512_set1_epi32(at.cast::<i32>().read_unaligned()) }
    }

    #[inline(always)]
    unsafe fn zero() -> __m512i {
        unsafe { _mm512_setzero_si512() }
    }

    #[inline(always)]
    unsafe fn dot(sum: __m512i, a: __m512i, k: __m512i) -> __m512i {
        unsafe { _mm512_dpbusd_epi32(sum, a, k) }
    }

    #[inline(always)]
    unsafe fn interleave([r0, r1, r2, r3]: [__m512i; 4]) -> [__m512i; 4] {
        unsafe {
            let (low, high) = (_mm512_unpacklo_epi8(r0, r1), _mm512_unpackhi_epi8(r0, r1));
            let (low2, high2) = (_mm512_unpacklo_epi8(r2, r3), _mm512_unpackhi_epi8(r2, r3));
            [
                _mm512_unpacklo_epi16(low, low2),
                _mm512_unpackhi_epi16(low, low2),
                _mm512_unpacklo_epi16(high, high2),
                _mm512_unpackhi_epi16(high, high2),
            ]
        }
    }

    #[inline(always)]
    unsafe fn scaled(sums: __m512i, scales: *const f32) -> __m512i {
        unsafe { _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_cvtepi32_ps(sums), _mm512_loadu_ps(scales))) }
    }

    #[inline(always)]
    unsafe fn scaled_plus(sums: __m512i, scales: *const f32, other: __m512i, factor: f32) -> __m512i {
        unsafe {
            let product = _mm512_mul_ps(_mm512_cvtepi32_ps(sums), _mm512_loadu_ps(scales));
            let other = _mm512_mul_ps(_mm512_cvtepi32_ps(other), _mm512_set1_ps(factor));
            _mm512_cvtps_epi32(_mm512_add_ps(product, other))
        }
    }

    #[inline(always)]
    unsafe fn clamped_plus(
        sums: __m512i,
        scales: *const f32,
        other: __m512i,
        factor: f32,
        clamp: Clamp,
    ) -> __m512i {
        unsafe {
            let product = _mm512_mul_ps(_mm512_cvtepi32_ps(sums), _mm512_loadu_ps(scales));
            let product = _mm512_max_ps(product, _mm512_set1_ps(clamp.low));
            let product = _mm512_min_ps(product, _mm512_set1_ps(clamp.high));
            let other = _mm512_mul_ps(_mm512_cvtepi32_ps(other), _mm512_set1_ps(factor));
            let other = _mm512_add_ps(other, _mm512_set1_ps(clamp.offset));
            _mm512_cvtps_epi32(_mm512_add_ps(product, other))
        }
    }

    #[inline(always)]
    unsafe fn store_real(
        sums: __m512i,
        scales: *const f32,
        (low, high): (f32, f32),
        out: *mut f32,
        count: usize,
    ) {
        unsafe {
            let product = _mm512_mul_ps(_mm512_cvtepi32_ps(sums), _mm512_loadu_ps(scales));
            let product = _mm512_max_ps(product, _mm512_set1_ps(low));
            let product = _mm512_min_ps(product, _mm512_set1_ps(high));
            _mm512_mask_storeu_ps(out, ((1u32 << count) - 1) as u16, product);
        }
    }

    #[inline(always)]
    unsafe fn store_three_quarters(values: [__m512i; 4], out: *mut u8) {
        unsafe {
            let low = _mm512_packs_epi32(values[0], values[1]);
            let high = _mm512_packs_epi32(values[2], values[3]);
            _mm512_mask_storeu_epi32(out.cast(), 0x0fff, _mm512_packus_epi16(low, high));
        }
    }

    #[inline(always)]
    unsafe fn store<const N: usize>(values: [__m512i; N], out: *mut u8) {
        unsafe {
            let low = _mm512_packs_epi32(values[0], values[1 % N]);
            let high = if N > 2 { _mm512_packs_epi32(values[2 % N], values[3 % N]) } else { low };
            let bytes = _mm512_packus_epi16(low, high);
            if N == 4 {
                _mm512_storeu_epi8(out.cast(), bytes);
                return;
            }
            let bytes = _mm512_permutexvar_epi32(_mm512_loadu_epi32(GATHER[N].as_ptr()), bytes);
            match N {
                1 => _mm_storeu_si128(out.cast(), _mm512_castsi512_si128(bytes)),
                2 => _mm256_storeu_si256(out.cast(), _mm512_castsi512_si256(bytes)),
                _ => _mm512_mask_storeu_epi32(out.cast(), 0x0fff, bytes),
            }
        }
    }

    #[inline(always)]
    unsafe fn load<const N: usize>(at: *const u8) -> [__m512i; N] {
        unsafe {
            let bytes = match N {
                1 => _mm512_castsi128_si512(_mm_loadu_si128(at.cast())),
                2 => _mm512_castsi256_si512(_mm256_loadu_si256(at.cast())),
                3 => _mm512_maskz_loadu_epi32(0x0fff, at.cast()),
                _ => _mm512_loadu_epi8(at.cast()),
            };
            let bytes = if N == 4 {
                bytes
            } else {
                _mm512_permutexvar_epi32(_mm512_loadu_epi32(SPREAD[N].as_ptr()), bytes)
            };
            let mut values = [bytes; N];
            for (value, widen) in values.iter_mut().zip(&WIDEN) {
                let widen = _mm_loadu_si128(widen.as_ptr().cast());
                *value = _mm512_shuffle_epi8(bytes, _mm512_broadcast_i32x4(widen));
            }
            values
        }
    }
}
