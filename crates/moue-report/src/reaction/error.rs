//! What can go wrong, by whose fault it is.

use std::io;
use std::path::PathBuf;

/// Every error of the reaction report.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The system refused to read or write.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A line of a file is wrong.
    #[error("{file}:{line}: {reason}")]
    Line {
        /// The file.
        file: String,
        /// Its line, counted from 1.
        line: u64,
        /// What is wrong and what was expected.
        reason: String,
    },
    /// A record does not fit the ones before it.
    #[error("{0}")]
    Record(String),
    /// There is nothing to report on.
    #[error("{0}")]
    Empty(String),
    /// A setting that the caller chose has no meaning.
    #[error("{0}")]
    Argument(String),
}

impl Error {
    pub(super) fn io(path: impl Into<PathBuf>, source: io::Error) -> Self {
        Self::Io { path: path.into(), source }
    }

    pub(super) fn line(file: &str, line: u64, reason: impl Into<String>) -> Self {
        Self::Line { file: file.to_owned(), line, reason: reason.into() }
    }
}
