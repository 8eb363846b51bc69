//! A header that announces a huge picture is refused before memory for its pixels is taken.

#[path = "media/headers.rs"]
mod headers;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use moue_media::{Limits, decode_picture};

/// The system's allocator, and the largest piece asked of it.
struct Watched;

static LARGEST: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is passed on unchanged to the system's allocator, which keeps the contract.
unsafe impl GlobalAlloc for Watched {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LARGEST.fetch_max(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        LARGEST.fetch_max(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `alloc_zeroed`.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        LARGEST.fetch_max(size, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `realloc`.
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Watched = Watched;

#[test]
fn refusing_a_huge_picture_takes_little_memory() {
    // The tiff test file of `tiff_with` is the smallest that a decoder reads to its end.
    let tags = [(256, 2), (257, 2), (258, 8), (259, 1), (262, 1), (273, 8), (277, 1), (278, 2), (279, 4)];
    assert!(decode_picture(&headers::tiff_with(&tags), "small.tiff", &Limits::default()).is_ok());
    for (bytes, name, _) in headers::sized(100_000) {
        LARGEST.store(0, Ordering::Relaxed);
        assert!(decode_picture(&bytes, name, &Limits::default()).is_err());
        let largest = LARGEST.load(Ordering::Relaxed);
        assert!(largest < 1 << 20, "{name}: {largest} bytes at once");
    }
}
