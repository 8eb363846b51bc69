//! The errors of this crate, split by whose fault they are.

use std::path::{Path, PathBuf};

/// What can go wrong with graphs, weights and model files.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A graph that cannot be: the message names the layer and what it expected.
    #[error("layer {layer}: {reason}")]
    Graph {
        /// Name of the offending layer.
        layer: String,
        /// What is wrong and what was expected.
        reason: String,
    },
    /// Weights that do not belong to the graph.
    #[error("weights: {0}")]
    Weights(String),
    /// An argument out of its range.
    #[error("{0}")]
    Parameter(String),
    /// A file that is not what it should be.
    #[error("{}: {reason}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong and what was expected.
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
    /// An engine failed while it ran a graph.
    #[error("engine: {0}")]
    Engine(String),
}

/// The result type of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub(crate) fn graph(layer: &str, reason: impl Into<String>) -> Self {
        Self::Graph { layer: layer.to_owned(), reason: reason.into() }
    }

    pub(crate) fn format(path: &Path, reason: impl Into<String>) -> Self {
        Self::Format { path: path.to_owned(), reason: reason.into() }
    }
}
