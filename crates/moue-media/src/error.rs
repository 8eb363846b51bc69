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
    /// A video, stream or camera that cannot be read or written.
    #[error("{name}: {what}")]
    Video {
        /// The file, address or camera.
        name: String,
        /// What is wrong, mostly in the words of ffmpeg.
        what: String,
    },
    /// A program that reads and writes video is not installed.
    #[error("video needs the program {program}, which was not found: {install}")]
    MissingProgram {
        /// Its name.
        program: &'static str,
        /// How to get it on this system.
        install: &'static str,
    },
    /// A size, region or file name that the caller chose has no meaning.
    #[error("{0}")]
    Argument(String),
}
