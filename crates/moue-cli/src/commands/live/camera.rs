//! The newest frame of a source: whoever is slow misses frames, and nobody waits.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

use moue_media::{Error, Picture, Video, VideoOptions, VideoSource};

/// A frame that has just arrived.
pub struct Fresh {
    /// Counts all frames of the source, also those dropped.
    pub number: u64,
    /// Seconds since the first.
    pub time: f64,
    pub picture: Picture,
    pub arrived: Instant,
}

/// The newest frame, shared with the thread that reads them.
#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    closed: AtomicBool,
}

#[derive(Default)]
struct State {
    newest: Option<Fresh>,
    spare: Option<Picture>,
    arrived: u64,
    dropped: u64,
    /// The source has ended, and why if not in order.
    ended: Option<Option<Error>>,
}

impl Shared {
    /// A thread that panicked left nothing half done here.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A source being read by a thread of its own, which ends when this is dropped and the next frame comes.
pub struct Live {
    shared: Arc<Shared>,
    name: String,
    size: (u32, u32),
}

impl Live {
    /// Opens a camera or stream, or a file to be played in real time.
    pub fn open(source: &VideoSource) -> Result<Self, Error> {
        let file = !source.is_live();
        // Decoding in several threads holds back as many frames.
        let stop = Some(crate::interrupt::flag());
        let options = VideoOptions { real_time: file, threads: 1, stop, ..VideoOptions::default() };
        let video = Video::open(source, &options)?;
        let (shared, size) = (Arc::new(Shared::default()), video.size());
        let other = Arc::clone(&shared);
        thread::Builder::new()
            .name("moue-camera".to_owned())
            .spawn(move || read(video, &other))
            .map_err(|source| Error::Io { path: "moue-camera".into(), source })?;
        Ok(Self { shared, name: source.to_string(), size })
    }

    /// What the source is called.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Width and height of its frames.
    pub fn size(&self) -> (u32, u32) {
        self.size
    }

    /// Frames dropped so far because nobody had time for them.
    pub fn dropped(&self) -> u64 {
        self.shared.lock().dropped
    }

    /// Waits for a frame that was not given yet; `None` at the end of the source, or a moment after it should have come,
    /// with the error that ended it.
    pub fn next(&self, spare: Option<Picture>, stop: &AtomicBool) -> Result<Option<Fresh>, Error> {
        let mut state = self.shared.lock();
        if spare.is_some() {
            state.spare = spare;
        }
        loop {
            if let Some(frame) = state.newest.take() {
                return Ok(Some(frame));
            }
            if let Some(error) = &mut state.ended {
                return error.take().map_or(Ok(None), Err);
            }
            if stop.load(Ordering::Relaxed) {
                return Ok(None);
            }
            let wait = std::time::Duration::from_millis(50);
            state = self.shared.changed.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.shared.closed.store(true, Ordering::Relaxed);
    }
}

fn read(mut video: Video, shared: &Shared) {
    while !shared.closed.load(Ordering::Relaxed) {
        let spare = shared.lock().spare.take();
        let frame = video.next_frame(spare);
        let mut state = shared.lock();
        match frame {
            Ok(Some(frame)) => {
                let number = state.arrived;
                state.arrived += 1;
                let fresh =
                    Fresh { number, time: frame.time, picture: frame.picture, arrived: Instant::now() };
                if let Some(missed) = state.newest.replace(fresh) {
                    state.dropped += 1;
                    state.spare = Some(missed.picture);
                }
            }
            ended => state.ended = Some(ended.err()),
        }
        let over = state.ended.is_some();
        drop(state);
        shared.changed.notify_all();
        if over {
            return;
        }
    }
}
