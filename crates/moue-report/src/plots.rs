//! Pictures of figures: learning curves, confusion matrix, reliability diagram.
//!
//! All are drawn at twice the size at which they are meant to be read, so that they are crisp on fine
//! screens and in print. Colours and forms stay distinct with any kind of colour vision.

mod axis;
mod canvas;
mod confusion;
mod coverage;
mod curves;
mod detection;
mod ramp;
mod reliability;

pub use confusion::ConfusionPlot;
pub use coverage::{CoveragePlot, CoveragePoint};
pub use curves::{CurvesPlot, Panel, Series, Unit};
pub use detection::{DetectionCurve, DetectionPlot};
pub use reliability::{ReliabilityBin, ReliabilityPlot};
