//! Colour to grey, row by row.

/// Luma by ITU-R BT.601 in 14-bit fixed point.
#[inline(always)]
pub(crate) fn of([red, green, blue]: [u32; 3]) -> u8 {
    ((red * 4899 + green * 9617 + blue * 1868 + 8192) >> 14) as u8
}

/// The luma of RGB pixels; `out` has a byte for each.
pub(crate) fn row(pixels: &[u8], out: &mut [u8]) {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has AVX2.
        unsafe { vectors::row(pixels, out) };
        return;
    }
    plain(pixels, out);
}

#[inline(always)]
fn plain(pixels: &[u8], out: &mut [u8]) {
    for (pixel, out) in pixels.chunks_exact(3).zip(out) {
        *out = of([pixel[0], pixel[1], pixel[2]].map(u32::from));
    }
}

#[cfg(target_arch = "x86_64")]
mod vectors {
    use std::arch::x86_64::*;

    /// Pixels a step, and the bytes that it reads.
    const STEP: usize = 8;
    const READ: usize = 28;

    #[target_feature(enable = "avx2")]
    pub fn row(pixels: &[u8], out: &mut [u8]) {
        let count = (pixels.len() / 3).min(out.len());
        // Of four pixels in each half: red and green as 16-bit pairs; blue and nothing.
        let red_green = _mm256_broadcastsi128_si256(_mm_setr_epi8(
            0, -1, 1, -1, 3, -1, 4, -1, 6, -1, 7, -1, 9, -1, 10, -1,
        ));
        let blue = _mm256_broadcastsi128_si256(_mm_setr_epi8(
            2, -1, -1, -1, 5, -1, -1, -1, 8, -1, -1, -1, 11, -1, -1, -1,
        ));
        let weights = _mm256_set1_epi32((9617 << 16) | 4899);
        let weight = _mm256_set1_epi32(1868);
        let half = _mm256_set1_epi32(8192);
        // The lowest byte of each 32-bit value.
        let bytes = _mm256_broadcastsi128_si256(_mm_setr_epi8(
            0, 4, 8, 12, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
        ));
        let mut at = 0;
        while at + STEP <= count && 3 * at + READ <= pixels.len() {
            let read = &pixels[3 * at..3 * at + READ];
            // SAFETY: `read` has 28 bytes: 16 from the first on and 16 from the twelfth on.
            let four = unsafe {
                [_mm_loadu_si128(read.as_ptr().cast()), _mm_loadu_si128(read.as_ptr().add(12).cast())]
            };
            let eight = _mm256_set_m128i(four[1], four[0]);
            let sum = _mm256_add_epi32(
                _mm256_madd_epi16(_mm256_shuffle_epi8(eight, red_green), weights),
                _mm256_madd_epi16(_mm256_shuffle_epi8(eight, blue), weight),
            );
            let luma = _mm256_srli_epi32::<14>(_mm256_add_epi32(sum, half));
            let packed = _mm256_shuffle_epi8(luma, bytes);
            let low = _mm_cvtsi128_si32(_mm256_castsi256_si128(packed));
            let high = _mm_cvtsi128_si32(_mm256_extracti128_si256::<1>(packed));
            out[at..at + 4].copy_from_slice(&low.to_le_bytes());
            out[at + 4..at + STEP].copy_from_slice(&high.to_le_bytes());
            at += STEP;
        }
        super::plain(&pixels[3 * at..], &mut out[at..]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_give_the_same_bytes_as_the_formula() {
        for count in [0, 1, 7, 8, 9, 10, 31, 64, 1001] {
            let pixels: Vec<u8> = (0..count * 3).map(|i: usize| (i * i * 31 + i * 7) as u8).collect();
            let mut expected = vec![0; count];
            plain(&pixels, &mut expected);
            let mut fast = vec![0; count];
            row(&pixels, &mut fast);
            assert_eq!(fast, expected, "{count} pixels");
        }
    }
}
