//! The two streams: results on stdout, everything else on stderr.

use std::fmt::Display;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::path::Path;

use serde::Serialize;

use crate::failure::{Failure, Result};

/// Writes a result to stdout. A stream that nobody reads any more is an error here, and a quiet end in `main`.
pub fn print(text: impl Display) -> Result<()> {
    let mut out = io::stdout().lock();
    write!(out, "{text}").and_then(|()| out.flush()).map_err(|error| match error.kind() {
        ErrorKind::BrokenPipe => error.into(),
        _ => Failure::message(format!("standard output: {error}")),
    })
}

/// Writes a value to stdout as one line of JSON.
pub fn print_json(value: &impl Serialize) -> Result<()> {
    let line = serde_json::to_string(value)?;
    print(format_args!("{line}\n"))
}

/// Writes a line to stderr. That nobody reads it must not end a training.
pub fn say(message: impl Display) {
    let _ = writeln!(io::stderr().lock(), "{message}");
}

/// Writes a file under a temporary name beside its place and renames it, so that no reader ever sees a part.
pub fn write_file(path: &Path, content: &[u8]) -> Result<()> {
    let failed = |e: &io::Error| Failure::message(format!("{}: {e}", path.display()));
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    builder.prefix(".moue-").suffix(".part");
    // Temporary files are private; a result has the permissions that the user's mask leaves.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = builder.tempfile_in(folder).map_err(|e| failed(&e))?;
    file.write_all(content).map_err(|e| failed(&e))?;
    file.persist(path).map_err(|e| failed(&e.error))?;
    Ok(())
}

/// Whether stderr is a terminal: only there do bars and colours make sense.
pub fn is_interactive() -> bool {
    io::stderr().is_terminal()
}
