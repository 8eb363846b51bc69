//! Files that appear whole or not at all.

use std::path::Path;

use crate::{Error, Result};

/// As [`moue_files::whole::write`].
pub(crate) fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    moue_files::whole::write(path, bytes).map_err(|source| Error::Io { path: path.to_owned(), source })
}
