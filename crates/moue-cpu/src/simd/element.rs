//! What activations are stored as between two steps: f32, or bf16 where a session asks for it.

use super::Vector;

/// A stored activation.
pub(crate) trait Element: Copy {
    /// Reads `V::LANES` values from index `at` on.
    ///
    /// # Safety
    /// The instruction set of `V` is present and the values can be read.
    unsafe fn load<V: Vector>(base: *const Self, at: usize) -> V;

    /// Reads the first `count < V::LANES` values from index `at` on; the other lanes are zero.
    ///
    /// # Safety
    /// As for [`Element::load`], for `count` values.
    unsafe fn load_first<V: Vector>(base: *const Self, at: usize, count: usize) -> V;

    /// Writes `V::LANES` values from index `at` on.
    ///
    /// # Safety
    /// The instruction set of `V` is present and the values can be written.
    unsafe fn store<V: Vector>(base: *mut Self, at: usize, values: V);

    /// Writes the first `count < V::LANES` values from index `at` on.
    ///
    /// # Safety
    /// As for [`Element::store`], for `count` values.
    unsafe fn store_first<V: Vector>(base: *mut Self, at: usize, values: V, count: usize);
}

impl Element for f32 {
    #[inline(always)]
    unsafe fn load<V: Vector>(base: *const Self, at: usize) -> V {
        // SAFETY: the caller's contract.
        unsafe { V::load(base.add(at)) }
    }

    #[inline(always)]
    unsafe fn load_first<V: Vector>(base: *const Self, at: usize, count: usize) -> V {
        // SAFETY: the caller's contract.
        unsafe { V::load_first(base.add(at), count) }
    }

    #[inline(always)]
    unsafe fn store<V: Vector>(base: *mut Self, at: usize, values: V) {
        // SAFETY: the caller's contract.
        unsafe { values.store(base.add(at)) }
    }

    #[inline(always)]
    unsafe fn store_first<V: Vector>(base: *mut Self, at: usize, values: V, count: usize) {
        // SAFETY: the caller's contract.
        unsafe { values.store_first(base.add(at), count) }
    }
}

/// The upper half of an f32 (sign, 8 bits of exponent, 7 of mantissa), rounded to nearest even.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(transparent)]
pub(crate) struct Bf16(pub u16);

impl Bf16 {
    /// The nearest value; ties go to the even one. Not a number stays not a number.
    #[inline(always)]
    pub fn new(value: f32) -> Self {
        let bits = value.to_bits();
        if value.is_nan() {
            return Self((bits >> 16) as u16 | 0x40);
        }
        Self((bits.wrapping_add(0x7fff + (bits >> 16 & 1)) >> 16) as u16)
    }

    /// The same value in f32.
    #[inline(always)]
    pub fn widen(self) -> f32 {
        f32::from_bits(u32::from(self.0) << 16)
    }
}

impl Element for Bf16 {
    #[inline(always)]
    unsafe fn load<V: Vector>(base: *const Self, at: usize) -> V {
        // SAFETY: the caller's contract.
        unsafe { V::load_bf16(base.add(at)) }
    }

    #[inline(always)]
    unsafe fn load_first<V: Vector>(base: *const Self, at: usize, count: usize) -> V {
        let mut wide = [0.0f32; 16];
        for (i, wide) in wide.iter_mut().enumerate().take(count) {
            // SAFETY: the caller vouches for `count` values.
            *wide = unsafe { *base.add(at + i) }.widen();
        }
        // SAFETY: no register is wider than sixteen values.
        unsafe { V::load(wide.as_ptr()) }
    }

    #[inline(always)]
    unsafe fn store<V: Vector>(base: *mut Self, at: usize, values: V) {
        // SAFETY: the caller's contract.
        unsafe { values.store_bf16(base.add(at)) }
    }

    #[inline(always)]
    unsafe fn store_first<V: Vector>(base: *mut Self, at: usize, values: V, count: usize) {
        let mut wide = [0.0f32; 16];
        // SAFETY: no register is wider than sixteen values; the caller vouches for `count` of them.
        unsafe {
            values.store(wide.as_mut_ptr());
            for (i, wide) in wide.iter().enumerate().take(count) {
                *base.add(at + i) = Bf16::new(*wide);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_is_to_nearest_even() {
        for (value, bits) in [
            (1.0f32, 0x3f80),
            (f32::from_bits(0x3f80_8000), 0x3f80),
            (f32::from_bits(0x3f80_8001), 0x3f81),
            (f32::from_bits(0x3f81_8000), 0x3f82),
            (-2.5, 0xc020),
            (f32::INFINITY, 0x7f80),
            (f32::MAX, 0x7f80),
        ] {
            assert_eq!(Bf16::new(value).0, bits, "{value}");
        }
        assert!(Bf16::new(f32::NAN).widen().is_nan());
        assert_eq!(Bf16::new(-2.5).widen(), -2.5);
    }
}
