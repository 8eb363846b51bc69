//! Memory in large pages.
//!
//! Memory comes from the system in pages of 4 KiB, each at the price of an interrupt when it is first touched: over a
//! microsecond on a virtual machine, which for the weights of a network is longer than it takes to read them. Large
//! pages (2 MiB) cost a thousandth of that, and less time in the processor's address tables ever after.

use std::hint::black_box;

/// A vector of zeros, in large pages where the system has them and it is long enough to fill some.
pub fn zeroed(count: usize) -> Vec<f32> {
    let mut values = vec![0.0; count];
    advise(&mut values);
    values
}

/// Lets the next `bytes` bytes that the main thread takes lie in large pages, in blocks of any size. For a program to
/// call when it starts; the memory itself is only taken when it is used.
///
/// It rests on how glibc's allocator works, and does nothing with others: once a block of up to 32 MiB was freed, blocks
/// of that size are no longer taken from the system and given back one by one; and what it keeps stays as advised.
pub fn reserve(bytes: usize) {
    const KEPT: usize = 31 << 20;
    drop(black_box(Vec::<u8>::with_capacity(KEPT)));
    drop(black_box(zeroed(bytes.min(KEPT) / size_of::<f32>())));
}

#[cfg(target_os = "linux")]
fn advise(values: &mut [f32]) {
    use rustix::mm::{Advice, madvise};

    /// Large pages of x86-64 and of 64-bit Arm with pages of 4 KiB.
    const LARGE: usize = 2 << 20;
    const SMALL: usize = 4 << 10;

    if size_of_val(values) < LARGE {
        return;
    }
    // Advice is for whole pages: those that lie within the values.
    let range = values.as_mut_ptr_range();
    let start = range.start.map_addr(|at| at.next_multiple_of(SMALL));
    let length = (range.end.addr() - start.addr()) / SMALL * SMALL;
    // SAFETY: the pages belong to `values` alone, and this advice leaves what stands in them as it is.
    // A system without large pages refuses, which changes nothing either.
    let _ = unsafe { madvise(start.cast(), length, Advice::LinuxHugepage) };
}

#[cfg(not(target_os = "linux"))]
fn advise(_: &mut [f32]) {}

#[cfg(test)]
mod tests {
    use super::{reserve, zeroed};

    #[test]
    fn memory_from_a_reserve_is_zero_where_it_must_be() {
        reserve(24 << 20);
        for count in [1000, 600_000, 5_000_000] {
            let mut values = vec![0.0_f32; count];
            assert!(values.iter().all(|&v| v == 0.0));
            values.fill(1.5);
        }
        reserve(0);
        reserve(usize::MAX);
    }

    #[test]
    fn zeros_of_any_length_can_be_written() {
        for count in [0, 1, 1000, 524_288, 524_289, 3_000_001] {
            let mut values = zeroed(count);
            assert!(values.len() == count && values.iter().all(|&v| v == 0.0));
            values.fill(1.5);
            assert_eq!(values.iter().sum::<f32>(), 1.5 * count as f32);
        }
    }
}
