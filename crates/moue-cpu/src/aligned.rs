//! Memory for large buffers: aligned to cache lines, so that no register access spans two, and on
//! large pages where the system offers them, so that walking through it does not keep looking up
//! addresses.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

/// Values in a cache line, and in the widest register.
pub(crate) const LINE: usize = 16;

/// A cache line, in bytes.
const LINE_BYTES: usize = LINE * size_of::<f32>();

/// A large page, in bytes; smaller buffers are left on ordinary ones.
const LARGE_PAGE: usize = 1 << 21;

/// Values of f32, the first at the start of a cache line.
pub(crate) struct Aligned {
    start: NonNull<f32>,
    len: usize,
}

// SAFETY: the values are owned, as those of a vector.
unsafe impl Send for Aligned {}
// SAFETY: as above.
unsafe impl Sync for Aligned {}

impl Aligned {
    /// `len` zeros.
    pub fn zeros(len: usize) -> Self {
        if len == 0 {
            return Self::default();
        }
        let layout = Self::layout(len);
        // SAFETY: the layout is not empty.
        let Some(start) = NonNull::new(unsafe { alloc(layout) }) else { handle_alloc_error(layout) };
        if layout.size() >= LARGE_PAGE {
            advise_large_pages(start, layout.size());
        }
        // SAFETY: that many bytes were allocated, and zeros are values of f32.
        unsafe { start.write_bytes(0, layout.size()) };
        Self { start: start.cast(), len }
    }

    /// Makes room for at least `len` values; what was in it is lost where it had too little.
    pub fn reserve(&mut self, len: usize) {
        if self.len < len {
            *self = Self::zeros(len);
        }
    }

    fn layout(len: usize) -> Layout {
        let bytes = (len * size_of::<f32>()).next_multiple_of(LINE_BYTES);
        let align = if bytes >= LARGE_PAGE { LARGE_PAGE } else { LINE_BYTES };
        Layout::from_size_align(bytes, align).unwrap_or(Layout::new::<f32>())
    }
}

#[cfg(target_os = "linux")]
fn advise_large_pages(start: NonNull<u8>, len: usize) {
    // SAFETY: the range was just allocated; the advice changes no contents. Where the kernel knows no
    // large pages it is refused, which costs nothing but speed.
    let _ = unsafe { rustix::mm::madvise(start.as_ptr().cast(), len, rustix::mm::Advice::LinuxHugepage) };
}

#[cfg(not(target_os = "linux"))]
fn advise_large_pages(_start: NonNull<u8>, _len: usize) {}

impl Default for Aligned {
    fn default() -> Self {
        Self { start: NonNull::dangling(), len: 0 }
    }
}

impl Clone for Aligned {
    fn clone(&self) -> Self {
        let mut copy = Self::zeros(self.len);
        copy.copy_from_slice(self);
        copy
    }
}

impl Drop for Aligned {
    fn drop(&mut self) {
        if self.len > 0 {
            // SAFETY: allocated with this layout.
            unsafe { dealloc(self.start.as_ptr().cast(), Self::layout(self.len)) };
        }
    }
}

impl Deref for Aligned {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        // SAFETY: `len` values are allocated and were written; a dangling start has none.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }
}

impl DerefMut for Aligned {
    fn deref_mut(&mut self) -> &mut [f32] {
        // SAFETY: as above, and `self` is borrowed mutably.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }
}
