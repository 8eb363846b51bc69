//! A running ffmpeg, and what ends it from outside while somebody waits for its frames: the wish to end, and silence.

use std::process::{Child, ExitStatus};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// A live source that gives nothing for so long is given up.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// How often it is looked after.
const STEP: Duration = Duration::from_millis(100);

/// How long ffmpeg has to give its next frame once an end is wished for.
const GRACE: Duration = Duration::from_millis(300);

/// The program, which ends when this is dropped.
pub struct Watched(Arc<Shared>);

struct Shared {
    child: Mutex<Child>,
    begun: Instant,
    /// Milliseconds after `begun` at which waiting began, plus one; 0 while nobody waits.
    waiting: AtomicU64,
    over: AtomicBool,
    silent: AtomicBool,
}

impl Shared {
    fn child(&self) -> MutexGuard<'_, Child> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watched {
    /// Looks after a program. `stop` is set where an end is wished for; `patience` is how long it may be silent while somebody
    /// waits.
    pub fn new(
        child: Child,
        stop: Option<&'static AtomicBool>,
        patience: Option<Duration>,
    ) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            child: Mutex::new(child),
            begun: Instant::now(),
            waiting: AtomicU64::new(0),
            over: AtomicBool::new(false),
            silent: AtomicBool::new(false),
        });
        let watched = Self(shared.clone());
        if stop.is_some() || patience.is_some() {
            thread::Builder::new()
                .name("moue-watch".to_owned())
                .spawn(move || watch(&shared, stop, patience))?;
        }
        Ok(watched)
    }

    /// Says that somebody waits for the program from now on, or no longer.
    pub fn waits(&self, waits: bool) {
        let since = if waits { self.0.begun.elapsed().as_millis() as u64 + 1 } else { 0 };
        self.0.waiting.store(since, Ordering::Relaxed);
    }

    /// Whether it was ended because it was silent.
    pub fn was_silent(&self) -> bool {
        self.0.silent.load(Ordering::Relaxed)
    }

    /// Waits for its end.
    pub fn end(&self) -> std::io::Result<ExitStatus> {
        loop {
            // Not under the lock, so that it can be ended meanwhile.
            if let Some(status) = self.0.child().try_wait()? {
                return Ok(status);
            }
            thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.0.over.store(true, Ordering::Relaxed);
        let mut child = self.0.child();
        // It may have ended by itself.
        let _ = child.kill();
        let _ = child.wait();
    }
}

fn watch(shared: &Shared, stop: Option<&'static AtomicBool>, patience: Option<Duration>) {
    let mut wished = None;
    while !shared.over.load(Ordering::Relaxed) {
        thread::sleep(STEP);
        let since = shared.waiting.load(Ordering::Relaxed);
        let waited = match since {
            0 => Duration::ZERO,
            since => shared.begun.elapsed().saturating_sub(Duration::from_millis(since - 1)),
        };
        if stop.is_some_and(|stop| stop.load(Ordering::Relaxed)) && wished.is_none() {
            wished = Some(Instant::now());
        }
        let unheard = wished.is_some_and(|wished| wished.elapsed() > GRACE) && waited > GRACE;
        let silent = patience.is_some_and(|patience| waited > patience);
        if unheard || silent {
            shared.silent.store(!unheard, Ordering::Relaxed);
            let _ = shared.child().kill();
            return;
        }
    }
}
