//! What can go wrong, by whose fault it is.

/// Every error of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A picture that cannot be read, written or cut.
    #[error(transparent)]
    Picture(#[from] moue_media::Error),
    /// The detector failed.
    #[error(transparent)]
    Detector(#[from] moue_detect::Error),
    /// A model file that cannot be read, or a network that the engine cannot run.
    #[error(transparent)]
    Model(#[from] moue_graph::Error),
    /// The model is sound but no classifier of faces.
    #[error("the model does not fit: {0}")]
    Unsuitable(String),
    /// A setting that the caller chose has no meaning.
    #[error("{0}")]
    Parameter(String),
    /// The system refused to start threads.
    #[error("cannot start {threads} threads: {reason}")]
    Threads {
        /// How many were asked for; 0 stands for one a core.
        threads: usize,
        /// What the system said.
        reason: String,
    },
}
