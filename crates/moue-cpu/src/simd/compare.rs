//! What kernels of training need of a register beyond arithmetic.

use super::Vector;

/// Comparison and difference of registers.
///
/// # Safety
///
/// As for [`Vector`].
pub(crate) unsafe trait Compare: Vector {
    /// `value` where `low < self < high`, zero elsewhere.
    ///
    /// # Safety
    /// The instruction set is present.
    unsafe fn keep_inside(self, value: Self, low: Self, high: Self) -> Self;

    /// `self - other`.
    ///
    /// # Safety
    /// The instruction set is present.
    unsafe fn sub(self, other: Self) -> Self;
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::{
        __m256, __m512, _CMP_GT_OQ, _CMP_LT_OQ, _mm256_and_ps, _mm256_cmp_ps, _mm256_sub_ps,
        _mm512_cmp_ps_mask, _mm512_mask_cmp_ps_mask, _mm512_maskz_mov_ps, _mm512_sub_ps,
    };

    use super::Compare;

    // SAFETY: everything here is AVX.
    unsafe impl Compare for __m256 {
        #[inline(always)]
        unsafe fn keep_inside(self, value: Self, low: Self, high: Self) -> Self {
            // SAFETY: the caller has AVX.
            unsafe {
                let above = _mm256_cmp_ps::<_CMP_GT_OQ>(self, low);
                let below = _mm256_cmp_ps::<_CMP_LT_OQ>(self, high);
                _mm256_and_ps(value, _mm256_and_ps(above, below))
            }
        }

        #[inline(always)]
        unsafe fn sub(self, other: Self) -> Self {
            // SAFETY: the caller has AVX.
            unsafe { _mm256_sub_ps(self, other) }
        }
    }

    // SAFETY: everything here is AVX-512F.
    unsafe impl Compare for __m512 {
        #[inline(always)]
        unsafe fn keep_inside(self, value: Self, low: Self, high: Self) -> Self {
            // SAFETY: the caller has AVX-512F.
            unsafe {
                let above = _mm512_cmp_ps_mask::<_CMP_GT_OQ>(self, low);
                let inside = _mm512_mask_cmp_ps_mask::<_CMP_LT_OQ>(above, self, high);
                _mm512_maskz_mov_ps(inside, value)
            }
        }

        #[inline(always)]
        unsafe fn sub(self, other: Self) -> Self {
            // SAFETY: the caller has AVX-512F.
            unsafe { _mm512_sub_ps(self, other) }
        }
    }
}

#[cfg(target_arch = "aarch64")]
mod arm {
    use std::arch::aarch64::{
        float32x4_t, vandq_u32, vcgtq_f32, vcltq_f32, vreinterpretq_f32_u32, vreinterpretq_u32_f32, vsubq_f32,
    };

    use super::Compare;

    // SAFETY: NEON is part of every 64-bit Arm processor.
    unsafe impl Compare for float32x4_t {
        #[inline(always)]
        unsafe fn keep_inside(self, value: Self, low: Self, high: Self) -> Self {
            // SAFETY: baseline instructions.
            unsafe {
                let inside = vandq_u32(vcgtq_f32(self, low), vcltq_f32(self, high));
                vreinterpretq_f32_u32(vandq_u32(vreinterpretq_u32_f32(value), inside))
            }
        }

        #[inline(always)]
        unsafe fn sub(self, other: Self) -> Self {
            // SAFETY: baseline instructions.
            unsafe { vsubq_f32(self, other) }
        }
    }
}

#[cfg(not(target_arch = "aarch64"))]
mod plain {
    use super::super::portable::F32x4;
    use super::{Compare, Vector};

    #[inline(always)]
    fn lanes(register: F32x4) -> [f32; 4] {
        let mut lanes = [0.0; 4];
        // SAFETY: baseline instructions; there is room for four values.
        unsafe { register.store(lanes.as_mut_ptr()) };
        lanes
    }

    // SAFETY: nothing beyond the baseline is used.
    unsafe impl Compare for F32x4 {
        #[inline(always)]
        unsafe fn keep_inside(self, value: Self, low: Self, high: Self) -> Self {
            let (x, low, high) = (lanes(self), lanes(low), lanes(high));
            let mut kept = lanes(value);
            for i in 0..4 {
                let inside = (x[i] > low[i]) & (x[i] < high[i]);
                kept[i] = if inside { kept[i] } else { 0.0 };
            }
            // SAFETY: four values are there to read.
            unsafe { Self::load(kept.as_ptr()) }
        }

        #[inline(always)]
        unsafe fn sub(self, other: Self) -> Self {
            let (mut a, b) = (lanes(self), lanes(other));
            for i in 0..4 {
                a[i] -= b[i];
            }
            // SAFETY: four values are there to read.
            unsafe { Self::load(a.as_ptr()) }
        }
    }
}
