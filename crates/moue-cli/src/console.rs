//! The two streams: results on stdout, everything else on stderr.

use std::fmt::Display;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::path::Path;
use std::sync::atomic::Ordering;

use moue_files::text::shown_lines;
use serde::Serialize;

use crate::failure::{Failure, Result};

/// Writes a result to stdout; names in it cannot steer the terminal. A stream that nobody reads any more is an error here,
/// and a quiet end in `main`.
pub fn print(text: impl Display) -> Result<()> {
    to_stdout(&shown_lines(&text.to_string()))
}

/// Writes a value to stdout as one line of JSON.
pub fn print_json(value: &impl Serialize) -> Result<()> {
    to_stdout(&(serde_json::to_string(value)? + "\n"))
}

fn to_stdout(text: &str) -> Result<()> {
    check_stdout()?;
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(|error| stdout_failure(error).into())
}

/// What a failed write to stdout is called. That its reader has seen enough is left for `main` to tell.
pub fn stdout_failure(error: io::Error) -> io::Error {
    match error.kind() {
        ErrorKind::BrokenPipe => error,
        _ => io::Error::other(format!("standard output: {error}")),
    }
}

/// Fails where there is no stdout to write to: the standard library puts `/dev/null` in its place, and results would be
/// lost without a word.
pub fn check_stdout() -> Result<()> {
    match early::STDOUT_CLOSED.load(Ordering::Relaxed) {
        true => Err(Failure::message("standard output is closed, and the result goes there")),
        false => Ok(()),
    }
}

/// Writes a line to stderr; names in it cannot steer the terminal. That nobody reads it must not end a training.
pub fn say(message: impl Display) {
    let _ = writeln!(io::stderr().lock(), "{}", shown_lines(&message.to_string()));
}

/// As [`moue_files::whole::write`], with the file named in what goes wrong.
pub fn write_file(path: &Path, content: &[u8]) -> Result<()> {
    moue_files::whole::write(path, content).map_err(|e| Failure::message(format!("{}: {e}", path.display())))
}

/// Whether stderr is a terminal: only there do bars and colours make sense.
pub fn is_interactive() -> bool {
    io::stderr().is_terminal()
}

/// What can only be seen before the standard library has begun, since it opens streams that are closed.
mod early {
    use std::sync::atomic::AtomicBool;

    /// Whether the program was started without a stdout, as by `>&-`.
    pub static STDOUT_CLOSED: AtomicBool = AtomicBool::new(false);

    // The functions in this section are run before `main`: `look` has their type, and neither panics nor needs the runtime.
    #[cfg(any(target_os = "linux", target_os = "macos"))]
    #[used]
    #[cfg_attr(target_os = "linux", unsafe(link_section = ".init_array"))]
    #[cfg_attr(target_os = "macos", unsafe(link_section = "__DATA,__mod_init_func"))]
    static LOOK: extern "C" fn() = look;

    #[cfg(any(target_os = "linux", target_os = "macos"))]
    extern "C" fn look() {
        use std::fs::symlink_metadata;
        use std::sync::atomic::Ordering;
        // Systems without this folder do not tell.
        if symlink_metadata("/dev/fd/.").is_ok() && symlink_metadata("/dev/fd/1").is_err() {
            STDOUT_CLOSED.store(true, Ordering::Relaxed);
        }
    }
}
