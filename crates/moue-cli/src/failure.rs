//! How a command ends: the exit status and the words on stderr.

use std::error::Error;
use std::io::{self, ErrorKind};
use std::process::ExitCode;

use crate::{console, interrupt};

/// What a command gives back when it ran to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Everything was done: exit status 0.
    Done,
    /// Parts failed and were named on stderr, the rest was done: exit status 1.
    PartlyFailed,
}

/// Why a command stopped.
#[derive(Debug)]
pub enum Failure {
    /// Arguments that no run could satisfy: exit status 2.
    Usage(String),
    /// Files that a run would replace and must not: exit status 2. One line, and nothing was touched.
    Refused(String),
    /// Ctrl-C, or the request to end: what was done until then stands, exit status 130 as shells expect it.
    Interrupted,
    /// Anything else: exit status 1.
    Failed(Box<dyn Error>),
}

pub type Result<T = Outcome> = std::result::Result<T, Failure>;

impl Failure {
    pub fn usage(reason: impl Into<String>) -> Self {
        Self::Usage(reason.into())
    }

    pub fn message(reason: impl Into<String>) -> Self {
        Self::Failed(reason.into().into())
    }
}

// `Failure` is no `Error` itself, so that `?` takes every error there is.
impl<E: Error + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Failed(Box::new(error))
    }
}

/// Names what failed on stderr and gives the exit status.
pub fn exit_code(result: Result) -> ExitCode {
    match result {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::PartlyFailed) => ExitCode::from(1),
        // The reader of stdout has seen enough, as in `moue … | head`.
        Err(Failure::Failed(error)) if is_broken_pipe(&*error) => ExitCode::SUCCESS,
        Err(Failure::Failed(error)) => {
            console::say(format_args!("moue: {}", describe(&*error)));
            ExitCode::from(1)
        }
        Err(Failure::Interrupted) => {
            console::say(interrupt::farewell());
            ExitCode::from(interrupt::STATUS)
        }
        Err(Failure::Refused(reason)) => {
            console::say(format_args!("moue: {reason}"));
            ExitCode::from(2)
        }
        Err(Failure::Usage(reason)) => {
            console::say(format_args!("moue: {reason}\n\nFor more information, try '--help'."));
            ExitCode::from(2)
        }
    }
}

/// Only stdout hands its bare I/O errors on; files wrap theirs with a path.
fn is_broken_pipe(error: &(dyn Error + 'static)) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == ErrorKind::BrokenPipe)
}

/// An error with its causes. Causes that an outer message already cites are not repeated.
pub fn describe(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let message = inner.to_string();
        if !text.contains(&message) {
            text.push_str(": ");
            text.push_str(&message);
        }
        cause = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{text}")]
    struct Layer {
        text: &'static str,
        #[source]
        inner: Option<Box<Layer>>,
    }

    fn layers(texts: &[&'static str]) -> Layer {
        let inner = (texts.len() > 1).then(|| Box::new(layers(&texts[1..])));
        Layer { text: texts[0], inner }
    }

    #[test]
    fn causes_are_named_once() {
        assert_eq!(describe(&layers(&["a.csv", "line 3", "no number"])), "a.csv: line 3: no number");
        assert_eq!(describe(&layers(&["a.csv: line 3", "line 3"])), "a.csv: line 3");
    }

    #[test]
    fn only_a_bare_broken_pipe_is_quiet() {
        assert!(is_broken_pipe(&io::Error::from(ErrorKind::BrokenPipe)));
        assert!(!is_broken_pipe(&io::Error::from(ErrorKind::NotFound)));
        assert!(!is_broken_pipe(&layers(&["broken pipe"])));
    }
}
