//! Training and evaluation: from a [`Recipe`] and a dataset to a model and its scores.
//!
//! [`Recipe::start`] gives the network, [`fit()`] trains it, [`evaluate()`] scores it. Engines are known only
//! through the traits of [`moue_graph::engine`]; nothing here prints, an [`Observer`] is told instead.

pub mod augment;
pub mod calibrate;
mod consistency;
mod error;
mod evaluate;
mod fingerprint;
mod fit;
mod loader;
pub mod metrics;
mod mixing;
mod random;
mod recipe;
mod schedule;
mod selection;
mod shares;
mod start;
mod targets;
mod tasks;
mod teaching;

pub use consistency::{Changed, Consistency, consistency};
pub use error::{Error, Result};
pub use evaluate::{Evaluation, Mistake, Rows, evaluate};
pub use fingerprint::Fingerprint;
pub use fit::{
    Control, Ended, EpochRow, FitOptions, FitOutcome, Observer, RunInfo, Silent, StepReport, fit,
    history_csv, read_history,
};
pub use mixing::Mixing;
pub use recipe::{Averaging, Backbone, ClassWeights, DataSelection, EarlyStopping, Freeze, Metric, Recipe};
pub use schedule::{Decay, Schedule};
pub use selection::{Dropped, Selection, leaked};
pub use start::Start;
pub use teaching::Teaching;
