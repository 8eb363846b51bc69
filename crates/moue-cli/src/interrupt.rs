//! Ctrl-C, and the request to end: what runs is ended in order, with everything written that was done.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, Once, PoisonError};

use crate::console;
use crate::failure::{Failure, Result};

/// As shells expect it of a program that Ctrl-C ended.
pub const STATUS: u8 = 130;

static STOP: AtomicBool = AtomicBool::new(false);
static AT_ONCE: AtomicBool = AtomicBool::new(false);
static KEPT: Mutex<String> = Mutex::new(String::new());
static WATCHED: Once = Once::new();

/// Watches for it from now on. The flag is set at the first; the second ends the program at once.
pub fn watch() -> Result<&'static AtomicBool> {
    AT_ONCE.store(false, Ordering::Relaxed);
    install()?;
    Ok(&STOP)
}

/// Ends the program at once from now on, after saying `kept`: for work that leaves nothing half done.
pub fn end_at_once(kept: &str) -> Result<()> {
    keeps(kept);
    AT_ONCE.store(true, Ordering::Relaxed);
    install()
}

/// Says what is kept if the program is ended now, and how to go on.
pub fn keeps(kept: impl Into<String>) {
    *KEPT.lock().unwrap_or_else(PoisonError::into_inner) = kept.into();
}

/// The last line of a program that was ended so.
pub fn farewell() -> String {
    let kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    if kept.is_empty() { "moue: interrupted".to_owned() } else { format!("moue: interrupted: {kept}") }
}

/// The flag, for whoever waits for something that may never come.
pub fn flag() -> &'static AtomicBool {
    &STOP
}

/// An error where the user wants an end.
pub fn check() -> Result<()> {
    if STOP.load(Ordering::Relaxed) { Err(Failure::Interrupted) } else { Ok(()) }
}

fn install() -> Result<()> {
    let mut outcome = Ok(());
    WATCHED.call_once(|| {
        outcome = unless_ignored(|| {
            ctrlc::set_handler(|| {
                if AT_ONCE.load(Ordering::Relaxed) || STOP.swap(true, Ordering::Relaxed) {
                    console::say(farewell());
                    std::process::exit(STATUS.into());
                }
                console::say("moue: ending in order; again to end at once");
            })
        });
    });
    Ok(outcome?)
}

/// Installs a handler, but not for signals that whoever started the program had ignored: `nohup` wants it to outlive the
/// terminal, and shells want what they run in the background to survive Ctrl-C.
#[cfg(unix)]
fn unless_ignored<T>(install: impl FnOnce() -> T) -> T {
    use nix::sys::signal::{SigHandler, Signal, signal};
    let mut ignored = Vec::new();
    for kind in [Signal::SIGHUP, Signal::SIGINT] {
        // SAFETY: to ignore a signal runs no code of ours in its handler.
        if matches!(unsafe { signal(kind, SigHandler::SigIgn) }, Ok(SigHandler::SigIgn)) {
            ignored.push(kind);
        }
    }
    let installed = install();
    for kind in ignored {
        // SAFETY: as above. It was set so just now, so that it cannot fail.
        let _ = unsafe { signal(kind, SigHandler::SigIgn) };
    }
    installed
}

#[cfg(not(unix))]
fn unless_ignored<T>(install: impl FnOnce() -> T) -> T {
    install()
}
