//! What can go wrong, by whose fault it is.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;

/// The result type of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// One line of a file, or one picture, that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RowError {
    /// The file; `archive[member]` for a file inside an archive.
    pub file: String,
    /// Line of a text file, counted from 1 with its header; `None` for a picture.
    pub line: Option<u64>,
    /// What is wrong and what was expected.
    pub reason: String,
}

impl fmt::Display for RowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.file, self.reason),
            None => write!(f, "{}: {}", self.file, self.reason),
        }
    }
}

/// Every error of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The system refused to read.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A line or a picture is wrong.
    #[error("{0}")]
    Row(RowError),
    /// A file or folder as a whole is not what it should be: empty, cut off, another format.
    #[error("{file}: {reason}")]
    File {
        /// The file or folder; `archive[member]` for a file inside an archive.
        file: String,
        /// What is wrong and what was expected.
        reason: String,
    },
    /// A file is larger than [`Limits`](crate::Limits) allow. Nothing of that size was put into memory.
    #[error("{file}: {reason}")]
    Limit {
        /// The file; `archive[member]` for a file inside an archive.
        file: String,
        /// Its size, and the limit.
        reason: String,
    },
    /// What the caller asked for does not fit the data.
    #[error("{0}")]
    Argument(String),
    /// Drawing a contact sheet failed.
    #[error(transparent)]
    Media(#[from] moue_media::Error),
}

impl Error {
    pub(crate) fn io(path: &Path, source: io::Error) -> Self {
        Self::Io { path: path.to_owned(), source }
    }

    pub(crate) fn row(file: &str, line: u64, reason: impl Into<String>) -> Self {
        Self::Row(RowError { file: file.to_owned(), line: Some(line), reason: reason.into() })
    }

    pub(crate) fn file(file: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::File { file: file.into(), reason: reason.into() }
    }

    pub(crate) fn limit(file: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Limit { file: file.into(), reason: reason.into() }
    }
}
