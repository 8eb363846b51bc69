//! How many multiply-adds this processor can do: the floor below which no engine can go.

use std::hint::black_box;
use std::sync::Barrier;
use std::time::{Duration, Instant};

use crate::Level;

/// What is multiplied and added up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arithmetic {
    /// f32, fused.
    F32,
    /// bf16 products added up in f32.
    Bf16,
    /// Products of u8 and i8 added up in i32.
    Int8,
}

/// Time each thread measures for. Clocks settle within it, and an inference takes no longer.
const MEASURED: Duration = Duration::from_millis(30);

/// Sums that are independent of each other, enough to fill the pipelines of all known processors: two of four
/// steps, or three of four on the widest ones.
const SUMS: usize = 12;

/// Values of each sum where the compiler chooses the registers.
const PORTABLE_LANES: usize = 4;

/// Times the sums grow between two looks at the clock.
const ROUNDS: usize = 4096;

/// Multiply-adds a second of all threads together, measured with the instructions of [`Level::current`] on values
/// that never leave the registers. `None` where that level has no instruction for this arithmetic, or threads cannot be started.
pub fn peak(arithmetic: Arithmetic, threads: usize) -> Option<f64> {
    let (spin, lanes) = kernel(Level::current(), arithmetic)?;
    let threads = threads.max(1);
    let start = Barrier::new(threads);
    let rates: Vec<f64> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|_| {
                scope.spawn(|| {
                    start.wait();
                    rate(spin)
                })
            })
            .collect();
        workers.into_iter().map(|worker| worker.join().unwrap_or(f64::NAN)).collect()
    });
    let total = rates.iter().sum::<f64>() * lanes as f64;
    total.is_finite().then_some(total)
}

/// Steps of one sum that one thread makes in a second, times the number of sums: that of its fastest stretch, since
/// whatever made others slower was not the processor.
fn rate(spin: fn(usize)) -> f64 {
    let begin = Instant::now();
    let mut best = Duration::MAX;
    while begin.elapsed() < MEASURED {
        let before = Instant::now();
        spin(ROUNDS);
        best = best.min(before.elapsed());
    }
    (ROUNDS * SUMS) as f64 / best.as_secs_f64()
}

/// The loop for an arithmetic at a level, and how many multiply-adds each step of a sum makes.
fn kernel(level: Level, arithmetic: Arithmetic) -> Option<(fn(usize), usize)> {
    #[cfg(target_arch = "x86_64")]
    if level != Level::Portable {
        return x86::kernel(level, arithmetic);
    }
    let _ = level;
    (arithmetic == Arithmetic::F32).then_some((portable as fn(usize), PORTABLE_LANES))
}

/// What the compiler makes of plain code: SSE2 on x86-64, fused on 64-bit Arm.
fn portable(rounds: usize) {
    let mut sums = [[0.0_f32; PORTABLE_LANES]; SUMS];
    let factor = black_box([0.5_f32; PORTABLE_LANES]);
    for _ in 0..rounds {
        for sum in &mut sums {
            for (s, f) in sum.iter_mut().zip(factor) {
                *s = crate::simd::mul_add::<{ cfg!(target_arch = "aarch64") }>(*s, f, f);
            }
        }
    }
    black_box(sums);
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::asm;
    use std::arch::is_x86_feature_detected as has;
    use std::arch::x86_64::*;
    use std::hint::black_box;

    use super::{Arithmetic, SUMS};
    use crate::Level;

    pub(super) fn kernel(level: Level, arithmetic: Arithmetic) -> Option<(fn(usize), usize)> {
        let wide = level == Level::Avx512;
        match arithmetic {
            Arithmetic::F32 if wide => Some((f32_avx512, 16)),
            Arithmetic::F32 => Some((f32_avx2, 8)),
            Arithmetic::Bf16 if wide && has!("avx512bf16") => Some((bf16_avx512, 32)),
            Arithmetic::Bf16 => None,
            Arithmetic::Int8 if wide && has!("avx512vnni") => Some((int8_avx512, 64)),
            // Without VNNI the products go through i16: three instructions instead of one.
            Arithmetic::Int8 => Some((int8_avx2, 32)),
        }
    }

    /// Defines a loop over `SUMS` registers that adds to each, in every round, the step of an instruction set.
    macro_rules! spin {
        ($name:ident, $features:literal, $register:ident, $start:expr, |$sum:ident, $factor:ident| $step:expr) => {
            fn $name(rounds: usize) {
                #[target_feature(enable = $features)]
                fn spin(rounds: usize) {
                    let mut sums = [$start; SUMS];
                    let mut factor = black_box($start);
                    for _ in 0..rounds {
                        for sum in &mut sums {
                            // SAFETY: no instruction at all; the compiler is only told that `factor` may have changed,
                            // so that one product does not serve several sums.
                            unsafe {
                                asm!("/* {0} */", inout($register) factor, options(nomem, nostack, preserves_flags));
                            }
                            let ($sum, $factor) = (*sum, factor);
                            *sum = $step;
                        }
                    }
                    black_box(sums);
                }
                // SAFETY: `kernel` hands this function out only where the processor has these features; those of a
                // level are detected with it.
                unsafe { spin(rounds) }
            }
        };
    }

    spin!(f32_avx512, "avx512f", zmm_reg, _mm512_set1_ps(0.5), |sum, factor| _mm512_fmadd_ps(
        factor, factor, sum
    ));
    spin!(f32_avx2, "avx2,fma", ymm_reg, _mm256_set1_ps(0.5), |sum, factor| _mm256_fmadd_ps(
        factor, factor, sum
    ));
    spin!(bf16_avx512, "avx512f,avx512bf16", zmm_reg, _mm512_set1_ps(0.5), |sum, factor| {
        // SAFETY: both are 512 bits, and every pattern of them is a value.
        let pairs = unsafe { std::mem::transmute::<__m512, __m512bh>(factor) };
        _mm512_dpbf16_ps(sum, pairs, pairs)
    });
    spin!(int8_avx512, "avx512f,avx512vnni", zmm_reg, _mm512_set1_epi8(3), |sum, factor| {
        _mm512_dpbusd_epi32(sum, factor, factor)
    });
    spin!(int8_avx2, "avx2", ymm_reg, _mm256_set1_epi8(3), |sum, factor| {
        let products = _mm256_maddubs_epi16(factor, factor);
        _mm256_add_epi32(sum, _mm256_madd_epi16(products, _mm256_set1_epi16(1)))
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_loop_runs() {
        for arithmetic in [Arithmetic::F32, Arithmetic::Bf16, Arithmetic::Int8] {
            for level in Level::available() {
                if let Some((spin, lanes)) = kernel(level, arithmetic) {
                    assert!(lanes >= PORTABLE_LANES && rate(spin) > 0.0, "{level:?} {arithmetic:?}");
                }
            }
        }
        assert!(peak(Arithmetic::F32, 2).is_some_and(|rate| rate > 1e8));
    }
}
