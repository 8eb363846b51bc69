//! What can go wrong, by whose fault it is.

use std::io;
use std::path::PathBuf;

/// Every error of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The file is no cascade, or a broken one.
    #[error("{file}{}: {what}", at_line(*line))]
    Cascade {
        /// The file, or the name given for the text.
        file: String,
        /// The line, counted from 1, where it is known.
        line: Option<u32>,
        /// What is wrong and what was expected.
        what: String,
    },
    /// Training or test data are not what they should be.
    #[error("{file}{}: {what}", at_line(*line))]
    Data {
        /// The file.
        file: String,
        /// The line, counted from 1, where it is known.
        line: Option<u32>,
        /// What is wrong and what was expected.
        what: String,
    },
    /// A picture is none, or cannot be resized.
    #[error(transparent)]
    Media(#[from] moue_media::Error),
    /// The network or its engine.
    #[error(transparent)]
    Network(#[from] moue_graph::Error),
    /// A setting the caller chose has no meaning.
    #[error("{name} is {value}, but must be {expected}")]
    Parameter {
        /// The setting.
        name: &'static str,
        /// What was given.
        value: String,
        /// What would do.
        expected: &'static str,
    },
    /// No cascade of the wanted kind is installed; the message says how to get one.
    #[error("{0}")]
    NoCascade(String),
    /// The picture is larger than [`MAX_PIXELS`](crate::cascade::MAX_PIXELS).
    #[error("a picture of {width}x{height} pixels is too large to scan (the limit is {limit} pixels)")]
    PictureTooLarge {
        /// Pixels a row.
        width: u32,
        /// Rows.
        height: u32,
        /// Most pixels a picture may have.
        limit: u64,
    },
    /// The training data do not suffice for what was asked of them.
    #[error("training: {0}")]
    Training(String),
}

fn at_line(line: Option<u32>) -> String {
    line.map_or_else(String::new, |line| format!(":{line}"))
}
