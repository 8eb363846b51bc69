//! What a measured time is to be compared with: the arithmetic alone, at the processor's own speed.

use moue_cpu::Level;
use moue_cpu::peak::{Arithmetic, peak};
use serde::Serialize;

/// The arithmetic of one call, and the time that nothing on this processor can stay below.
///
/// Keys are part of the command's interface: add freely, rename none.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Floor {
    /// Instruction set that the kernels use.
    level: &'static str,
    /// Multiply-adds of a call.
    multiply_adds: u64,
    /// Measured peak of this processor for them: two operations a multiply-add, all threads together. Absent where the
    /// instruction set has none for this precision.
    #[serde(skip_serializing_if = "Option::is_none")]
    peak_gflops: Option<f64>,
    /// Time of the multiply-adds at that peak.
    #[serde(skip_serializing_if = "Option::is_none")]
    floor_ms: Option<f64>,
}

impl Floor {
    /// Measures the peak, so that nothing else should run.
    pub fn measure(multiply_adds: u64, arithmetic: Arithmetic, threads: usize) -> Self {
        let rate = peak(arithmetic, threads);
        Self {
            level: Level::current().name(),
            multiply_adds,
            peak_gflops: rate.map(|rate| 2.0 * rate / 1e9),
            floor_ms: rate.map(|rate| multiply_adds as f64 / rate * 1e3),
        }
    }

    /// The figures for people, one line.
    pub fn to_text(self, median_ms: f64) -> String {
        let work = format!("{:.1} million multiply-adds by {}", self.multiply_adds as f64 / 1e6, self.level);
        match (self.floor_ms, self.peak_gflops) {
            (Some(floor), Some(peak)) => format!(
                "{work}: {floor:.2} ms at the processor's peak of {peak:.0} GFLOP/s, {:.1} times as long measured",
                median_ms / floor
            ),
            _ => work,
        }
    }
}

/// The most memory that this process held at a time, in MB of 10^6 bytes; `None` where the system does not tell it.
pub fn peak_memory_mb() -> Option<f64> {
    // proc_pid_status(5): the high-water mark of resident memory, in units of 1024 bytes.
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024.0 / 1e6)
}
