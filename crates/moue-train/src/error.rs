//! The errors of this crate, split by whose fault they are.

use std::path::{Path, PathBuf};

/// What can go wrong in training and evaluation.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A recipe that cannot be read: file, line and what was expected.
    #[error("{}:{line}: {reason}", path.display())]
    Recipe {
        /// The recipe's file.
        path: PathBuf,
        /// Line, counted from 1.
        line: usize,
        /// What is wrong and what was expected.
        reason: String,
    },
    /// An argument, or a value of a recipe built in code, that is out of its range.
    #[error("{0}")]
    Parameter(String),
    /// Data that training or evaluation cannot work with.
    #[error("data: {0}")]
    Data(String),
    /// The training ran away.
    #[error(
        "{what} in epoch {epoch}, step {step}: try a lower `schedule.rate`, a longer \
         `schedule.warmup_epochs`, or a larger optimizer `epsilon`; checkpoints of earlier epochs are kept"
    )]
    Diverged {
        /// Epoch, counted from 1.
        epoch: usize,
        /// Step within the epoch, counted from 1.
        step: usize,
        /// What stopped being a number.
        what: String,
    },
    /// A run folder that does not fit what was asked.
    #[error("{}: {reason}", path.display())]
    Resume {
        /// The run folder or its checkpoint.
        path: PathBuf,
        /// What differs or is missing.
        reason: String,
    },
    /// The operating system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's own error.
        source: std::io::Error,
    },
    /// A file that belongs to the data.
    #[error(transparent)]
    Reading(#[from] moue_data::Error),
    /// A picture that cannot be changed as asked.
    #[error(transparent)]
    Media(#[from] moue_media::Error),
    /// A graph, its weights, a model file or an engine.
    #[error(transparent)]
    Graph(#[from] moue_graph::Error),
}

/// The result type of this crate.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    pub(crate) fn io(path: &Path, source: std::io::Error) -> Self {
        Self::Io { path: path.to_owned(), source }
    }
}
