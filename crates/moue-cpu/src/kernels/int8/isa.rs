//! Which instructions multiply bytes.

use crate::Level;

/// The instructions that the int8 kernels are compiled for. A [`Level`] names registers; how well
/// they multiply bytes differs within a level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Isa {
    /// What every processor of the architecture has.
    Portable,
    /// AVX2: bytes are widened to 16 bits, whose products cannot saturate.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// AVX2 with the byte products of AVX-VNNI.
    #[cfg(target_arch = "x86_64")]
    AvxVnni,
    /// AVX-512 with VNNI.
    #[cfg(target_arch = "x86_64")]
    Avx512Vnni,
}

impl Isa {
    /// The best instructions of a level that this processor has. Processors with AVX-512 but without
    /// VNNI fall back to AVX2.
    pub fn of(level: Level) -> Self {
        Self::available().into_iter().rfind(|isa| isa.level() <= level).unwrap_or(Self::Portable)
    }

    /// All that this processor has, slowest first.
    pub fn available() -> Vec<Self> {
        #[allow(unused_mut, reason = "nothing is added on other architectures")]
        let mut all = vec![Self::Portable];
        #[cfg(target_arch = "x86_64")]
        {
            use std::arch::is_x86_feature_detected as has;
            if has!("avx2") && has!("fma") {
                all.push(Self::Avx2);
                if has!("avxvnni") {
                    all.push(Self::AvxVnni);
                }
                if has!("avx512f") && has!("avx512bw") && has!("avx512vl") && has!("avx512vnni") {
                    all.push(Self::Avx512Vnni);
                }
            }
        }
        all
    }

    fn level(self) -> Level {
        match self {
            Self::Portable => Level::Portable,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 | Self::AvxVnni => Level::Avx2,
            #[cfg(target_arch = "x86_64")]
            Self::Avx512Vnni => Level::Avx512,
        }
    }

    /// i32 values a vector holds.
    pub fn lanes(self) -> usize {
        match self {
            Self::Portable => 4,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 | Self::AvxVnni => 8,
            #[cfg(target_arch = "x86_64")]
            Self::Avx512Vnni => 16,
        }
    }
}

/// Defines `unsafe fn name(isa, arguments…)`, which calls `body::<V>` compiled for the instructions,
/// `V` being the vector of that set which holds `$bytes` bytes (its widest for 64).
macro_rules! at_isa {
    ($(#[$doc:meta])* unsafe fn $name:ident = $body:ident($($arg:ident: $ty:ty),* $(,)?)) => {
        $(#[$doc])*
        pub(crate) unsafe fn $name(isa: $crate::kernels::int8::Isa, bytes: usize, $($arg: $ty),*) {
            use $crate::kernels::int8::vector;
            #[cfg(target_arch = "x86_64")]
            {
                use $crate::kernels::int8::Isa;
                use vector::avx2::{MADD, VEX, EVEX, Xmm, Ymm};
                #[target_feature(enable = "avx2,fma")]
                unsafe fn avx2(bytes: usize, $($arg: $ty),*) {
                    // SAFETY: the caller's promise.
                    unsafe {
                        if bytes >= 32 { $body::<Ymm<MADD>>($($arg),*) } else { $body::<Xmm<MADD>>($($arg),*) }
                    }
                }
                #[target_feature(enable = "avx2,fma,avxvnni")]
                unsafe fn avx_vnni(bytes: usize, $($arg: $ty),*) {
                    // SAFETY: the caller's promise.
                    unsafe {
                        if bytes >= 32 { $body::<Ymm<VEX>>($($arg),*) } else { $body::<Xmm<VEX>>($($arg),*) }
                    }
                }
                #[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512vl,avx512vnni")]
                unsafe fn avx512(bytes: usize, $($arg: $ty),*) {
                    // SAFETY: the caller's promise.
                    unsafe {
                        match bytes {
                            64.. => $body::<vector::avx512::Zmm>($($arg),*),
                            32.. => $body::<Ymm<EVEX>>($($arg),*),
                            _ => $body::<Xmm<EVEX>>($($arg),*),
                        }
                    }
                }
                match isa {
                    // SAFETY: an `Isa` above portable is only handed out where the processor has it;
                    // the rest is the caller's promise.
                    Isa::Avx512Vnni => return unsafe { avx512(bytes, $($arg),*) },
                    // SAFETY: as above.
                    Isa::AvxVnni => return unsafe { avx_vnni(bytes, $($arg),*) },
                    // SAFETY: as above.
                    Isa::Avx2 => return unsafe { avx2(bytes, $($arg),*) },
                    Isa::Portable => {}
                }
            }
            let _ = (isa, bytes);
            // SAFETY: the caller's promise.
            unsafe { $body::<vector::portable::Plain>($($arg),*) }
        }
    };
}
pub(super) use at_isa;
