//! Looks at the newest frame, again and again.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError};
use std::time::Duration;

use moue::{Analyzer, Face, FollowOptions, Follower, Record};
use moue_media::Picture;

use super::camera::{Fresh, Live};
use crate::failure::{Failure, Result};

/// What reads faces.
pub struct Seer {
    pub analyzer: Analyzer,
    pub follower: Follower,
    /// To begin anew with another camera.
    pub follow: FollowOptions,
}

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

impl Seer {
    /// Hands over the faces of the newest frame until the source ends, `stop` is set or nobody listens.
    pub fn look(
        &mut self,
        live: &Live,
        spares: &std::sync::mpsc::Receiver<Picture>,
        sights: &SyncSender<Sight>,
        stop: &AtomicBool,
    ) -> std::result::Result<(), moue::Error> {
        self.follower = Follower::new(self.follow);
        while let Some(fresh) = live.next(spares.try_recv().ok(), stop)? {
            let seen = self.analyzer.look(&fresh.picture, None)?;
            let faces = self.follower.faces(fresh.time, seen);
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

/// Frames a second and latency of the last frames.
#[derive(Debug, Default)]
pub struct Pace {
    last: Option<std::time::Instant>,
    interval: f64,
    latency: f64,
    /// Frames shown.
    pub frames: u64,
}

impl Pace {
    /// Takes a frame that arrived then and is out now.
    pub fn add(&mut self, arrived: std::time::Instant) {
        let now = std::time::Instant::now();
        let latency = (now - arrived).as_secs_f64();
        self.frames += 1;
        let interval = self.last.replace(now).map(|last| (now - last).as_secs_f64());
        // The mean over about the last ten.
        let mean = |old: f64, new: f64| if old == 0.0 { new } else { 0.9 * old + 0.1 * new };
        self.latency = mean(self.latency, latency);
        if let Some(interval) = interval {
            self.interval = mean(self.interval, interval);
        }
    }

    /// Frames a second.
    pub fn rate(&self) -> f64 {
        if self.interval > 0.0 { 1.0 / self.interval } else { 0.0 }
    }

    /// Milliseconds from the arrival of a frame.
    pub fn latency_ms(&self) -> f64 {
        1000.0 * self.latency
    }
}

/// What a thread that panicked leaves.
pub fn ended(outcome: std::thread::Result<std::result::Result<(), moue::Error>>) -> Result<()> {
    match outcome {
        Ok(ended) => Ok(ended?),
        Err(_) => Err(Failure::message("looking at a frame failed")),
    }
}
