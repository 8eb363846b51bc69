//! What can go wrong, by whose fault it is.

use std::io;
use std::path::PathBuf;

/// Every error of this crate.
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
    /// The file is no picture at all.
    #[error("{name}: not a picture: {found} (expected {})", crate::decode::FORMATS)]
    NotAPicture {
        /// The file, or the name given for the bytes.
        name: String,
        /// What stands there instead.
        found: &'static str,
    },
    /// The file is a picture that was cut off or changed on its way.
    #[error("{name}: broken {format} picture: {what}")]
    Broken {
        /// The file, or the name given for the bytes.
        name: String,
        /// The file format its first bytes announce.
        format: &'static str,
        /// What is wrong.
        what: String,
    },
    /// The file is a picture of a kind that is not read here.
    #[error("{name}: {what} (expected {})", crate::decode::FORMATS)]
    Unsupported {
        /// The file, or the name given for the bytes.
        name: String,
        /// The kind.
        what: String,
    },
    /// The picture has no pixels, or more than [`Limits`](crate::Limits) allow.
    #[error("{name}: {what}")]
    Limit {
        /// The file, or the name given for the bytes.
        name: String,
        /// Its size, and the limit.
        what: String,
    },
    /// A size, region or file name that the caller chose has no meaning.
    #[error("{0}")]
    Argument(String),
}
