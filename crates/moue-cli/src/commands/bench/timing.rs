//! Repeated runs of one piece of work, and what their times say.

use std::time::{Duration, Instant};

use serde::Serialize;

use crate::failure::{Failure, Result};

/// How long to measure.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Patience {
    /// Seconds to measure for, after a warm-up; at least 5 runs are made
    #[arg(long, value_name = "S", default_value_t = 3.0)]
    seconds: f64,
}

/// Times of all runs after the warm-up.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Timing {
    /// Half of the runs were faster.
    pub median_ms: f64,
    /// The fastest run.
    pub min_ms: f64,
    /// Nine of ten runs were faster.
    pub p90_ms: f64,
    /// The mean of all runs.
    pub mean_ms: f64,
    /// Processor time a run over all threads; absent where the system does not tell it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_ms: Option<f64>,
    /// Number of runs.
    pub runs: usize,
}

const MIN_RUNS: usize = 5;

impl Patience {
    /// Runs `work` until the time is over.
    pub fn measure(self, mut work: impl FnMut() -> Result<()>) -> Result<Timing> {
        if !(self.seconds > 0.0 && self.seconds <= 3600.0) {
            return Err(Failure::usage(format!("--seconds {} must lie between 0 and 3600", self.seconds)));
        }
        let limit = Duration::from_secs_f64(self.seconds);
        // Caches, page tables and clock rates settle in the first runs.
        let start = Instant::now();
        for _ in 0..3 {
            work()?;
            if start.elapsed() > limit {
                break;
            }
        }
        let mut times = Vec::new();
        let cpu_before = processor_time();
        let start = Instant::now();
        while times.len() < MIN_RUNS || start.elapsed() < limit {
            let before = Instant::now();
            work()?;
            times.push(before.elapsed().as_secs_f64() * 1e3);
        }
        let cpu = processor_time().zip(cpu_before).map(|(after, before)| after.saturating_sub(before));
        Ok(Timing::new(times, cpu))
    }
}

impl Timing {
    /// From the times in milliseconds, of which there is at least one.
    fn new(mut times: Vec<f64>, cpu: Option<Duration>) -> Self {
        times.sort_by(f64::total_cmp);
        let runs = times.len();
        Self {
            median_ms: quantile(&times, 0.5),
            min_ms: quantile(&times, 0.0),
            p90_ms: quantile(&times, 0.9),
            mean_ms: times.iter().sum::<f64>() / runs as f64,
            cpu_ms: cpu.map(|time| time.as_secs_f64() * 1e3 / runs as f64),
            runs,
        }
    }

    /// The figures for people, one line.
    pub fn to_text(self) -> String {
        let cpu = self.cpu_ms.map_or_else(String::new, |ms| format!(", {ms:.2} ms of processor time"));
        format!(
            "{:.2} ms (median of {} runs; fastest {:.2}, 90 % below {:.2}{cpu})",
            self.median_ms, self.runs, self.min_ms, self.p90_ms
        )
    }
}

/// The value below which a share of the sorted values lies, between neighbours by straight line.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let place = share * sorted.len().saturating_sub(1) as f64;
    let (below, above) = (place.floor() as usize, place.ceil() as usize);
    match (sorted.get(below), sorted.get(above)) {
        (Some(low), Some(high)) => low + (high - low) * place.fract(),
        _ => f64::NAN,
    }
}

/// Processor time of the whole process so far, over all its threads.
#[cfg(unix)]
fn processor_time() -> Option<Duration> {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Some(Duration::new(time.tv_sec.try_into().ok()?, time.tv_nsec.try_into().ok()?))
}

#[cfg(not(unix))]
fn processor_time() -> Option<Duration> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_numpy() {
        // numpy.quantile([1, 2, 4, 8], [0, 0.5, 0.9, 1])
        let sorted = [1.0, 2.0, 4.0, 8.0];
        let expected = [(0.0, 1.0), (0.5, 3.0), (0.9, 6.8), (1.0, 8.0)];
        assert!(expected.iter().all(|&(share, value)| (quantile(&sorted, share) - value).abs() < 1e-12));
    }

    #[test]
    fn work_is_repeated_for_the_time_asked() {
        let mut runs = 0;
        let timing = Patience { seconds: 0.05 }
            .measure(|| {
                runs += 1;
                std::thread::sleep(Duration::from_millis(2));
                Ok(())
            })
            .unwrap();
        // One to three runs warm up, however slow the machine is.
        assert!((1..=3).contains(&(runs - timing.runs)) && timing.runs >= MIN_RUNS);
        assert!(
            timing.min_ms >= 2.0 && timing.min_ms <= timing.median_ms && timing.median_ms <= timing.p90_ms
        );
        assert!(Patience { seconds: f64::NAN }.measure(|| Ok(())).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn processor_time_counts_work_and_not_sleep() {
        let before = processor_time().unwrap();
        std::thread::sleep(Duration::from_millis(50));
        let slept = processor_time().unwrap() - before;
        let start = Instant::now();
        while start.elapsed() < Duration::from_millis(50) {
            std::hint::spin_loop();
        }
        assert!(processor_time().unwrap() - before > slept);
    }
}
