//! 32 and 16 bytes: AVX2, with the byte products of AVX-VNNI or of AVX-512 VNNI where present.

use std::arch::x86_64::*;

use super::{Clamp, Vector};

/// Byte products by widening to 16 bits. (`maddubs` would saturate.)
pub(crate) const MADD: u8 = 0;
/// Byte products of AVX-VNNI.
pub(crate) const VEX: u8 = 1;
/// Byte products of AVX-512 VNNI with AVX-512 VL.
pub(crate) const EVEX: u8 = 2;

/// 32 bytes.
#[derive(Clone, Copy)]
pub(crate) struct Ymm<const DOT: u8>;

/// 16 bytes.
#[derive(Clone, Copy)]
pub(crate) struct Xmm<const DOT: u8>;

/// Which 4-byte groups a vector of `N * 32` bits has, as a mask of the first `2 N`.
const FIRST: [[i32; 8]; 5] = [
    [0; 8],
    [-1, -1, 0, 0, 0, 0, 0, 0],
    [-1, -1, -1, -1, 0, 0, 0, 0],
    [-1, -1, -1, -1, -1, -1, 0, 0],
    [-1; 8],
];

/// Masks of the first so many values.
const PREFIX: [[i32; 8]; 9] = {
    let mut masks = [[0; 8]; 9];
    let mut count = 0;
    while count < 9 {
        let mut i = 0;
        while i < count {
            masks[count][i] = -1;
            i += 1;
        }
        count += 1;
    }
    masks
};

/// Moves the first `N` groups of each lane together.
const GATHER: [[i32; 8]; 5] = [
    [0; 8],
    [0, 4, 0, 0, 0, 0, 0, 0],
    [0, 1, 4, 5, 0, 0, 0, 0],
    [0, 1, 2, 4, 5, 6, 0, 0],
    [0, 1, 2, 3, 4, 5, 6, 7],
];

/// The other way round.
const SPREAD: [[i32; 8]; 5] = [
    [0; 8],
    [0, 0, 0, 0, 1, 0, 0, 0],
    [0, 1, 0, 0, 2, 3, 0, 0],
    [0, 1, 2, 0, 3, 4, 5, 0],
    [0, 1, 2, 3, 4, 5, 6, 7],
];

/// Byte shuffles within a lane that widen group `j` to four i32.
const WIDEN: [[i8; 16]; 4] = [
    [0, -1, -1, -1, 1, -1, -1, -1, 2, -1, -1, -1, 3, -1, -1, -1],
    [4, -1, -1, -1, 5, -1, -1, -1, 6, -1, -1, -1, 7, -1, -1, -1],
    [8, -1, -1, -1, 9, -1, -1, -1, 10, -1, -1, -1, 11, -1, -1, -1],
    [12, -1, -1, -1, 13, -1, -1, -1, 14, -1, -1, -1, 15, -1, -1, -1],
];

/// # Safety
///
/// Needs AVX2.
#[inline(always)]
unsafe fn table(values: &[i32; 8]) -> __m256i {
    // SAFETY: 32 bytes are read of an array of 32.
    unsafe { _mm256_loadu_si256(values.as_ptr().cast()) }
}

// SAFETY of all blocks below: the caller has the instructions and good pointers (see `Vector`).
#[allow(clippy::undocumented_unsafe_blocks, reason = "one reason for all, stated above")]
impl<const DOT: u8> Vector for Ymm<DOT> {
    const LANES: usize = 8;
    const REGISTERS: usize = if DOT == EVEX { 32 } else { 16 };
    type Ints = __m256i;

    #[inline(always)]
    unsafe fn ints(at: *const i32) -> __m256i {
        unsafe { _mm256_loadu_si256(at.cast()) }
    }

    #[inline(always)]
    unsafe fn bytes(at: *const u8) -> __m256i {
        unsafe { _mm256_loadu_si256(at.cast()) }
    }

    #[inline(always)]
    unsafe fn splat(at: *const u8) -> __m256i {
        unsafe { _mm256_set1_epi32(at.cast::<i32>().read_unaligned()) }
    }

    #[inline(always)]
    unsafe fn zero() -> __m256i {
        unsafe { _mm256_setzero_si256() }
    }

    #[inline(always)]
    unsafe fn dot(sum: __m256i, a: __m256i, k: __m256i) -> __m256i {
        unsafe {
            match DOT {
                VEX => _mm256_dpbusd_avx_epi32(sum, a, k),
                EVEX => _mm256_dpbusd_epi32(sum, a, k),
                _ => {
                    let (a_even, a_odd) =
                        (_mm256_and_si256(a, _mm256_set1_epi16(0xff)), _mm256_srli_epi16::<8>(a));
                    let k_even = _mm256_srai_epi16::<8>(_mm256_slli_epi16::<8>(k));
                    let k_odd = _mm256_srai_epi16::<8>(k);
                    let sum = _mm256_add_epi32(sum, _mm256_madd_epi16(a_even, k_even));
                    _mm256_add_epi32(sum, _mm256_madd_epi16(a_odd, k_odd))
                }
            }
        }
    }

    #[inline(always)]
    unsafe fn interleave([r0, r1, r2, r3]: [__m256i; 4]) -> [__m256i; 4] {
        unsafe {
            let (low, high) = (_mm256_unpacklo_epi8(r0, r1), _mm256_unpackhi_epi8(r0, r1));
            let (low2, high2) = (_mm256_unpacklo_epi8(r2, r3), _mm256_unpackhi_epi8(r2, r3));
            [
                _mm256_unpacklo_epi16(low, low2),
                _mm256_unpackhi_epi16(low, low2),
                _mm256_unpacklo_epi16(high, high2),
                _mm256_unpackhi_epi16(high, high2),
            ]
        }
    }

    #[inline(always)]
    unsafe fn scaled(sums: __m256i, scales: *const f32) -> __m256i {
        unsafe { _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_cvtepi32_ps(sums), _mm256_loadu_ps(scales))) }
    }

    #[inline(always)]
    unsafe fn scaled_plus(sums: __m256i, scales: *const f32, other: __m256i, factor: f32) -> __m256i {
        unsafe {
            let product = _mm256_mul_ps(_mm256_cvtepi32_ps(sums), _mm256_loadu_ps(scales));
            let other = _mm256_mul_ps(_mm256_cvtepi32_ps(other), _mm256_set1_ps(factor));
            _mm256_cvtps_epi32(_mm256_add_ps(product, other))
        }
    }

    #[inline(always)]
    unsafe fn clamped_plus(
        sums: __m256i,
        scales: *const f32,
        other: __m256i,
        factor: f32,
        clamp: Clamp,
    ) -> __m256i {
        unsafe {
            let product = _mm256_mul_ps(_mm256_cvtepi32_ps(sums), _mm256_loadu_ps(scales));
            let product = _mm256_max_ps(product, _mm256_set1_ps(clamp.low));
            let product = _mm256_min_ps(product, _mm256_set1_ps(clamp.high));
            let other = _mm256_mul_ps(_mm256_cvtepi32_ps(other), _mm256_set1_ps(factor));
            let other = _mm256_add_ps(other, _mm256_set1_ps(clamp.offset));
            _mm256_cvtps_epi32(_mm256_add_ps(product, other))
        }
    }

    #[inline(always)]
    unsafe fn store_real(
        sums: __m256i,
        scales: *const f32,
        (low, high): (f32, f32),
        out: *mut f32,
        count: usize,
    ) {
        unsafe {
            let product = _mm256_mul_ps(_mm256_cvtepi32_ps(sums), _mm256_loadu_ps(scales));
            let product = _mm256_max_ps(product, _mm256_set1_ps(low));
            let product = _mm256_min_ps(product, _mm256_set1_ps(high));
            _mm256_maskstore_ps(out, table(&PREFIX[count.min(8)]), product);
        }
    }

    #[inline(always)]
    unsafe fn store<const N: usize>(values: [__m256i; N], out: *mut u8) {
        unsafe {
            let low = _mm256_packs_epi32(values[0], values[1 % N]);
            let high = if N > 2 { _mm256_packs_epi32(values[2 % N], values[3 % N]) } else { low };
            let bytes = _mm256_packus_epi16(low, high);
            match N {
                4 => _mm256_storeu_si256(out.cast(), bytes),
                2 => {
                    let bytes = _mm256_permute4x64_epi64::<0b1000>(bytes);
                    _mm_storeu_si128(out.cast(), _mm256_castsi256_si128(bytes));
                }
                _ => {
                    let bytes = _mm256_permutevar8x32_epi32(bytes, table(&GATHER[N]));
                    _mm256_maskstore_epi32(out.cast(), table(&FIRST[N]), bytes);
                }
            }
        }
    }

    #[inline(always)]
    unsafe fn load<const N: usize>(at: *const u8) -> [__m256i; N] {
        unsafe {
            let bytes = _mm256_maskload_epi32(at.cast(), table(&FIRST[N]));
            let bytes = _mm256_permutevar8x32_epi32(bytes, table(&SPREAD[N]));
            let mut values = [bytes; N];
            for (value, widen) in values.iter_mut().zip(&WIDEN) {
                let widen = _mm_loadu_si128(widen.as_ptr().cast());
                *value = _mm256_shuffle_epi8(bytes, _mm256_broadcastsi128_si256(widen));
            }
            values
        }
    }
}

// SAFETY of all blocks below: the caller has the instructions and good pointers (see `Vector`).
#[allow(clippy::undocumented_unsafe_blocks, reason = "one reason for all, stated above")]
impl<const DOT: u8> Vector for Xmm<DOT> {
    const LANES: usize = 4;
    const REGISTERS: usize = if DOT == EVEX { 32 } else { 16 };
    type Ints = __m128i;

    #[inline(always)]
    unsafe fn ints(at: *const i32) -> __m128i {
        unsafe { _mm_loadu_si128(at.cast()) }
    }

    #[inline(always)]
    unsafe fn bytes(at: *const u8) -> __m128i {
        unsafe { _mm_loadu_si128(at.cast()) }
    }

    #[inline(always)]
    unsafe fn splat(at: *const u8) -> __m128i {
        unsafe { _mm_set1_epi32(at.cast::<i32>().read_unaligned()) }
    }

    #[inline(always)]
    unsafe fn zero() -> __m128i {
        unsafe { _mm_setzero_si128() }
    }

    #[inline(always)]
    unsafe fn dot(sum: __m128i, a: __m128i, k: __m128i) -> __m128i {
        unsafe {
            match DOT {
                VEX => _mm_dpbusd_avx_epi32(sum, a, k),
                EVEX => _mm_dpbusd_epi32(sum, a, k),
                _ => {
                    let (a_even, a_odd) = (_mm_and_si128(a, _mm_set1_epi16(0xff)), _mm_srli_epi16::<8>(a));
                    let k_even = _mm_srai_epi16::<8>(_mm_slli_epi16::<8>(k));
                    let k_odd = _mm_srai_epi16::<8>(k);
                    let sum = _mm_add_epi32(sum, _mm_madd_epi16(a_even, k_even));
                    _mm_add_epi32(sum, _mm_madd_epi16(a_odd, k_odd))
                }
            }
        }
    }

    #[inline(always)]
    unsafe fn interleave([r0, r1, r2, r3]: [__m128i; 4]) -> [__m128i; 4] {
        unsafe {
            let (low, high) = (_mm_unpacklo_epi8(r0, r1), _mm_unpackhi_epi8(r0, r1));
            let (low2, high2) = (_mm_unpacklo_epi8(r2, r3), _mm_unpackhi_epi8(r2, r3));
            [
                _mm_unpacklo_epi16(low, low2),
                _mm_unpackhi_epi16(low, low2),
                _mm_unpacklo_epi16(high, high2),
                _mm_unpackhi_epi16(high, high2),
            ]
        }
    }

    #[inline(always)]
    unsafe fn scaled(sums: __m128i, scales: *const f32) -> __m128i {
        unsafe { _mm_cvtps_epi32(_mm_mul_ps(_mm_cvtepi32_ps(sums), _mm_loadu_ps(scales))) }
    }

    #[inline(always)]
    unsafe fn scaled_plus(sums: __m128i, scales: *const f32, other: __m128i, factor: f32) -> __m128i {
        unsafe {
            let product = _mm_mul_ps(_mm_cvtepi32_ps(sums), _mm_loadu_ps(scales));
            let other = _mm_mul_ps(_mm_cvtepi32_ps(other), _mm_set1_ps(factor));
            _mm_cvtps_epi32(_mm_add_ps(product, other))
        }
    }

    #[inline(always)]
    unsafe fn clamped_plus(
        sums: __m128i,
        scales: *const f32,
        other: __m128i,
        factor: f32,
        clamp: Clamp,
    ) -> __m128i {
        unsafe {
            let product = _mm_mul_ps(_mm_cvtepi32_ps(sums), _mm_loadu_ps(scales));
            let product = _mm_max_ps(product, _mm_set1_ps(clamp.low));
            let product = _mm_min_ps(product, _mm_set1_ps(clamp.high));
            let other = _mm_mul_ps(_mm_cvtepi32_ps(other), _mm_set1_ps(factor));
            let other = _mm_add_ps(other, _mm_set1_ps(clamp.offset));
            _mm_cvtps_epi32(_mm_add_ps(product, other))
        }
    }

    #[inline(always)]
    unsafe fn store_real(
        sums: __m128i,
        scales: *const f32,
        (low, high): (f32, f32),
        out: *mut f32,
        count: usize,
    ) {
        unsafe {
            let product = _mm_mul_ps(_mm_cvtepi32_ps(sums), _mm_loadu_ps(scales));
            let product = _mm_max_ps(product, _mm_set1_ps(low));
            let product = _mm_min_ps(product, _mm_set1_ps(high));
            _mm_maskstore_ps(out, _mm256_castsi256_si128(table(&PREFIX[count.min(4)])), product);
        }
    }

    #[inline(always)]
    unsafe fn store<const N: usize>(values: [__m128i; N], out: *mut u8) {
        unsafe {
            let low = _mm_packs_epi32(values[0], values[1 % N]);
            let high = if N > 2 { _mm_packs_epi32(values[2 % N], values[3 % N]) } else { low };
            let bytes = _mm_packus_epi16(low, high);
            match N {
                4 => _mm_storeu_si128(out.cast(), bytes),
                2 => _mm_storeu_si64(out, bytes),
                _ => _mm_maskstore_epi32(
                    out.cast(),
                    _mm_loadu_si128([[0; 4], [-1, 0, 0, 0], [0; 4], [-1, -1, -1, 0]][N].as_ptr().cast()),
                    bytes,
                ),
            }
        }
    }

    #[inline(always)]
    unsafe fn load<const N: usize>(at: *const u8) -> [__m128i; N] {
        unsafe {
            let mut values = [_mm_setzero_si128(); N];
            for (j, value) in values.iter_mut().enumerate() {
                *value = _mm_cvtepu8_epi32(_mm_loadu_si32(at.add(4 * j)));
            }
            values
        }
    }
}
