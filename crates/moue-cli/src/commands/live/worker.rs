//! Looks at the newest frame, again and again.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError};
use std::time::{Duration, Instant};

use moue::{Face, Record};
use moue_media::Picture;

use super::camera::{Fresh, Live};
use crate::failure::{Failure, Result};

/// What reads faces.
pub struct Reader(pub moue::Live);

/// A frame with its faces.
pub struct Sight {
    pub fresh: Fresh,
    pub faces: Vec<Face>,
}

impl Sight {
    pub fn record(&self, source: &str) -> Record {
        let Fresh { number, time, picture, .. } = &self.fresh;
        Record {
            source: source.to_owned(),
            frame: *number,
            time: *time,
            width: picture.width(),
            height: picture.height(),
            faces: self.faces.clone(),
        }
    }
}

impl Reader {
    /// Hands over the faces of the newest frame until the source ends, `stop` is set or nobody listens.
    pub fn look(
        &mut self,
        live: &Live,
        spares: &std::sync::mpsc::Receiver<Picture>,
        sights: &SyncSender<Sight>,
        stop: &AtomicBool,
    ) -> std::result::Result<(), moue::Error> {
        self.0.restart();
        while let Some(fresh) = live.next(spares.try_recv().ok(), stop)? {
            let faces = self.0.faces(fresh.time, &fresh.picture)?;
            let mut sight = Sight { fresh, faces };
            // Waiting for a listener must end with him.
            loop {
                match sights.try_send(sight) {
                    Ok(()) => break,
                    Err(TrySendError::Disconnected(_)) => return Ok(()),
                    Err(TrySendError::Full(back)) => sight = back,
                }
                if stop.load(Ordering::Relaxed) {
                    return Ok(());
                }
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        Ok(())
    }
}

/// Frames a second and latency: of the last frames, and of all.
#[derive(Debug, Default)]
pub struct Pace {
    last: Option<Instant>,
    interval: f64,
    latency: f64,
    /// How many frames took so many milliseconds; the last place counts all that took longer.
    milliseconds: Vec<u64>,
}

/// Latencies are told apart up to so many milliseconds.
const LONGEST_MS: usize = 2000;

impl Pace {
    /// Takes a frame that arrived then and is out now.
    pub fn add(&mut self, arrived: Instant) {
        self.add_at(Instant::now(), arrived);
    }

    fn add_at(&mut self, now: Instant, arrived: Instant) {
        let latency = now.saturating_duration_since(arrived);
        let place = (latency.as_millis() as usize).min(LONGEST_MS);
        if self.milliseconds.len() <= place {
            self.milliseconds.resize(place + 1, 0);
        }
        self.milliseconds[place] += 1;
        let interval = self.last.replace(now).map(|last| (now - last).as_secs_f64());
        // The mean over about the last ten.
        let mean = |old: f64, new: f64| if old == 0.0 { new } else { 0.9 * old + 0.1 * new };
        self.latency = mean(self.latency, latency.as_secs_f64());
        if let Some(interval) = interval {
            self.interval = mean(self.interval, interval);
        }
    }

    /// Frames taken.
    pub fn frames(&self) -> u64 {
        self.milliseconds.iter().sum()
    }

    /// Frames a second, lately.
    pub fn rate(&self) -> f64 {
        if self.interval > 0.0 { 1.0 / self.interval } else { 0.0 }
    }

    /// Milliseconds from the arrival of a frame, lately.
    pub fn latency_ms(&self) -> f64 {
        1000.0 * self.latency
    }

    /// What to say in the end, such as "500 frames shown, 2 dropped; from arrival to window 26 ms (median), 31 ms or
    /// less for 95 %".
    pub fn summary(&self, done: &str, dropped: u64, to: &str) -> String {
        let frames = self.frames();
        let mut text = format!("{frames} frames {done}, {dropped} dropped");
        if frames > 0 {
            let (median, most) = (self.within(0.5), self.within(0.95));
            let _ = write!(text, "; from arrival to {to} {median} ms (median), {most} ms or less for 95 %");
        }
        text
    }

    /// The milliseconds, rounded up, that this share of the frames took at most.
    fn within(&self, share: f64) -> usize {
        let wanted = (share * self.frames() as f64).ceil() as u64;
        let mut sum = 0;
        let place = self.milliseconds.iter().position(|count| {
            sum += count;
            sum >= wanted
        });
        place.map_or(0, |place| place + 1)
    }
}

/// What a thread that panicked leaves.
pub fn ended(outcome: std::thread::Result<std::result::Result<(), moue::Error>>) -> Result<()> {
    match outcome {
        Ok(ended) => Ok(ended?),
        Err(_) => Err(Failure::message("looking at a frame failed")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pace_tells_the_median_and_the_slow_ones() {
        let mut pace = Pace::default();
        assert_eq!(pace.summary("shown", 3, "window"), "0 frames shown, 3 dropped");
        let begun = Instant::now();
        for frame in 0..100 {
            let now = begun + Duration::from_millis(40 * frame + 100);
            // Ninety of 20.5 ms, eight of 50.5 ms, two that took very long.
            let latency = match frame {
                0..90 => 20_500,
                90..98 => 50_500,
                _ => 5_000_000,
            };
            pace.add_at(now, now.checked_sub(Duration::from_micros(latency)).unwrap());
        }
        assert_eq!(
            pace.summary("shown", 0, "window"),
            "100 frames shown, 0 dropped; from arrival to window 21 ms (median), 51 ms or less for 95 %"
        );
        assert!((pace.rate() - 25.0).abs() < 1e-6);
    }
}
