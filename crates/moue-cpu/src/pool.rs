//! The threads a session runs on.

use moue_graph::{Error, Result};
use rayon::ThreadPool;

/// Starts the threads of a session; 0 asks for one a core.
pub(crate) fn start(threads: usize) -> Result<ThreadPool> {
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .thread_name(|i| format!("moue-cpu-{i}"))
        .build()
        .map_err(|e| Error::Engine(format!("cannot start {threads} threads: {e}")))
}
