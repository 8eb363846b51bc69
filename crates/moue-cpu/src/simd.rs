//! Which instruction set the kernels use, and the registers it has.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "aarch64")]
mod neon;
#[cfg(not(target_arch = "aarch64"))]
mod portable;
mod vector;

pub(crate) use vector::Vector;

use std::sync::OnceLock;

/// The registers of [`Level::Portable`].
#[cfg(target_arch = "aarch64")]
pub(crate) type Baseline = std::arch::aarch64::float32x4_t;
/// The registers of [`Level::Portable`].
#[cfg(not(target_arch = "aarch64"))]
pub(crate) type Baseline = portable::F32x4;

/// An instruction set for which kernels are compiled; the best one present is chosen at run time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// What every processor of the architecture has. On 64-bit Arm that is NEON.
    Portable,
    /// x86-64 with AVX2 and fused multiply-add.
    Avx2,
    /// x86-64 with AVX-512F.
    Avx512,
}

impl Level {
    /// Values of f32 in a register of the hand-blocked kernels.
    pub(crate) fn lanes(self) -> usize {
        match self {
            Self::Portable => Baseline::LANES,
            Self::Avx2 => 8,
            Self::Avx512 => 16,
        }
    }

    /// Registers that the hand-blocked kernels may fill.
    pub(crate) fn registers(self) -> usize {
        match self {
            Self::Portable => Baseline::REGISTERS,
            Self::Avx2 => 16,
            Self::Avx512 => 32,
        }
    }

    /// Every level this processor can run, slowest first.
    pub fn available() -> Vec<Level> {
        let mut levels = vec![Level::Portable];
        #[cfg(target_arch = "x86_64")]
        {
            if std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma") {
                levels.push(Level::Avx2);
                if std::arch::is_x86_feature_detected!("avx512f") {
                    levels.push(Level::Avx512);
                }
            }
        }
        levels
    }

    /// As the environment variable `MOUE_SIMD` names it.
    pub fn name(self) -> &'static str {
        match self {
            Level::Portable => "portable",
            Level::Avx2 => "avx2",
            Level::Avx512 => "avx512",
        }
    }

    /// The level in use: the best available, or the one named in the environment variable
    /// `MOUE_SIMD` (`portable`, `avx2`, `avx512`) where this processor has it.
    pub fn current() -> Level {
        static CURRENT: OnceLock<Level> = OnceLock::new();
        *CURRENT.get_or_init(|| {
            let available = Self::available();
            let wished = std::env::var("MOUE_SIMD").ok().and_then(|name| match name.as_str() {
                "portable" => Some(Level::Portable),
                "avx2" => Some(Level::Avx2),
                "avx512" => Some(Level::Avx512),
                _ => None,
            });
            let best = available.last().copied().unwrap_or(Level::Portable);
            wished.filter(|level| available.contains(level)).unwrap_or(best)
        })
    }
}

/// Defines `fn name(level, arguments…)`, which calls the body compiled for that level.
///
/// The body is an `#[inline(always)]` function, generic over `const FMA: bool`; inside a
/// `#[target_feature]` wrapper the compiler vectorises it with that set's registers.
macro_rules! at_level {
    ($(#[$doc:meta])* fn $name:ident = $body:ident($($arg:ident: $ty:ty),* $(,)?)) => {
        $(#[$doc])*
        #[allow(clippy::too_many_arguments, reason = "plain buffers in, plain buffers out")]
        pub(crate) fn $name(level: $crate::Level, $($arg: $ty),*) {
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx2,fma")]
                fn avx2($($arg: $ty),*) {
                    $body::<true>($($arg),*);
                }
                #[target_feature(enable = "avx512f,avx2,fma")]
                fn avx512($($arg: $ty),*) {
                    $body::<true>($($arg),*);
                }
                match level {
                    // SAFETY: a level above portable is only handed out where the processor has it.
                    $crate::Level::Avx512 => unsafe { avx512($($arg),*) },
                    // SAFETY: as above.
                    $crate::Level::Avx2 => unsafe { avx2($($arg),*) },
                    $crate::Level::Portable => $body::<false>($($arg),*),
                }
            }
            #[cfg(not(target_arch = "x86_64"))]
            {
                let _ = level;
                // Fused multiply-add is part of every 64-bit Arm processor.
                $body::<{ cfg!(target_arch = "aarch64") }>($($arg),*);
            }
        }
    };
}
pub(crate) use at_level;

/// Defines `unsafe fn name(level, arguments…)`, which calls a body written over [`Vector`] with the
/// registers of that level.
macro_rules! at_registers {
    ($(#[$doc:meta])* fn $name:ident = $body:ident($($arg:ident: $ty:ty),* $(,)?)) => {
        $(#[$doc])*
        #[allow(clippy::too_many_arguments, reason = "plain buffers in, plain buffers out")]
        pub(crate) unsafe fn $name(level: $crate::Level, $($arg: $ty),*) {
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx2,fma")]
                unsafe fn avx2($($arg: $ty),*) {
                    // SAFETY: the registers are those of this function's instruction set; the rest
                    // is the caller's contract.
                    unsafe { $body::<std::arch::x86_64::__m256>($($arg),*) }
                }
                #[target_feature(enable = "avx512f,avx2,fma")]
                unsafe fn avx512($($arg: $ty),*) {
                    // SAFETY: as above.
                    unsafe { $body::<std::arch::x86_64::__m512>($($arg),*) }
                }
                match level {
                    // SAFETY: a level above portable is only handed out where the processor has it;
                    // the rest is the caller's contract.
                    $crate::Level::Avx512 => unsafe { avx512($($arg),*) },
                    // SAFETY: as above.
                    $crate::Level::Avx2 => unsafe { avx2($($arg),*) },
                    // SAFETY: baseline instructions; the rest is the caller's contract.
                    $crate::Level::Portable => unsafe { $body::<$crate::simd::Baseline>($($arg),*) },
                }
            }
            #[cfg(not(target_arch = "x86_64"))]
            {
                let _ = level;
                // SAFETY: baseline instructions; the rest is the caller's contract.
                unsafe { $body::<$crate::simd::Baseline>($($arg),*) }
            }
        }
    };
}
pub(crate) use at_registers;

/// `a * b + c`, fused where the instruction set has it (elsewhere fusing is a slow library call).
#[inline(always)]
pub(crate) fn mul_add<const FMA: bool>(a: f32, b: f32, c: f32) -> f32 {
    if FMA { a.mul_add(b, c) } else { a * b + c }
}
