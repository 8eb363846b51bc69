//! A register of f32, whatever its width: what the hand-blocked kernels are written in.
//!
//! A kernel is one generic, `#[inline(always)]` body; wrappers with the matching target features give it
//! each instruction set's registers. Every operation rounds alike at every width, so results are the
//! same bits wherever multiply-add is fused.

/// A register of [`Vector::LANES`] values of f32.
///
/// # Safety
///
/// Methods may use instructions beyond the architecture's baseline: a caller must be compiled for, or
/// have found present, the instruction set that the type names.
pub(crate) unsafe trait Vector: Copy {
    /// Values in a register.
    const LANES: usize;

    /// Registers that the instruction set has.
    const REGISTERS: usize;

    /// The same value in all lanes.
    ///
    /// # Safety
    /// The instruction set is present.
    unsafe fn splat(value: f32) -> Self;

    /// Reads `LANES` values, aligned or not.
    ///
    /// # Safety
    /// The instruction set is present and `LANES` values can be read at `from`.
    unsafe fn load(from: *const f32) -> Self;

    /// Reads the first `count < LANES` values; the other lanes are zero.
    ///
    /// # Safety
    /// The instruction set is present and `count` values can be read at `from`.
    unsafe fn load_first(from: *const f32, count: usize) -> Self;

    /// Writes `LANES` values, aligned or not.
    ///
    /// # Safety
    /// The instruction set is present and `LANES` values can be written at `to`.
    unsafe fn store(self, to: *mut f32);

    /// Writes the first `count < LANES` values.
    ///
    /// # Safety
    /// The instruction set is present and `count` values can be written at `to`.
    unsafe fn store_first(self, to: *mut f32, count: usize);

    /// `self * factor + addend`, rounded once where the instruction set can.
    ///
    /// # Safety
    /// The instruction set is present.
    unsafe fn mul_add(self, factor: Self, addend: Self) -> Self;

    /// `self + other`.
    ///
    /// # Safety
    /// The instruction set is present.
    unsafe fn add(self, other: Self) -> Self;

    /// The larger of each pair.
    ///
    /// # Safety
    /// The instruction set is present.
    unsafe fn max(self, other: Self) -> Self;

    /// The smaller of each pair.
    ///
    /// # Safety
    /// The instruction set is present.
    unsafe fn min(self, other: Self) -> Self;
}

/// Implements the two partial accesses by a copy through memory, for sets without masks.
macro_rules! partial_by_copy {
    () => {
        #[inline(always)]
        unsafe fn load_first(from: *const f32, count: usize) -> Self {
            let mut lanes = [0.0f32; Self::LANES];
            // SAFETY: the caller vouches for `count < LANES` values at `from`.
            unsafe {
                std::ptr::copy_nonoverlapping(from, lanes.as_mut_ptr(), count);
                Self::load(lanes.as_ptr())
            }
        }

        #[inline(always)]
        unsafe fn store_first(self, to: *mut f32, count: usize) {
            let mut lanes = [0.0f32; Self::LANES];
            // SAFETY: the caller vouches for room for `count < LANES` values at `to`.
            unsafe {
                self.store(lanes.as_mut_ptr());
                std::ptr::copy_nonoverlapping(lanes.as_ptr(), to, count);
            }
        }
    };
}
pub(super) use partial_by_copy;
