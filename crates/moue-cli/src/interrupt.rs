//! Ctrl-C, and the request to end: what runs is ended in order, with everything written that was done.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::console;
use crate::failure::{Failure, Result};

static STOP: AtomicBool = AtomicBool::new(false);

/// Watches for it from now on. The flag is set at the first; the second ends the program at once.
pub fn watch() -> Result<&'static AtomicBool> {
    ctrlc::set_handler(|| {
        if STOP.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
        console::say("moue: ending in order; again to end at once");
    })?;
    Ok(&STOP)
}

/// The flag, for whoever waits for something that may never come.
pub fn flag() -> &'static AtomicBool {
    &STOP
}

/// An error where the user wants an end.
pub fn check() -> Result<()> {
    if STOP.load(Ordering::Relaxed) { Err(Failure::Interrupted) } else { Ok(()) }
}
