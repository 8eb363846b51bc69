//! Networks as data.
//!
//! A [`Graph`] is a list of named, typed layers with the names and meaning they have in Keras, so
//! that Keras weights map onto it by name. Backbones build graphs, importers build graphs, engines
//! run them: nothing in this crate computes a convolution.
//!
//! Pictures are laid out NHWC (batch, height, width, channels) throughout.

pub mod backbones;
pub mod checkpoint;
pub mod engine;
mod error;
pub mod formats;
mod graph;
mod head;
pub mod lowering;
mod model;
mod op;
pub mod pages;
mod quantized;
pub mod random;
mod summary;
mod tensor_file;
pub mod views;
mod weights;

pub use error::{Error, Result};
pub use graph::{Graph, GraphBuilder, Layer, LayerId, ParameterSpec};
pub use head::{Head, attach_head};
pub use model::{Calibration, Model, ModelCard, Preprocessing};
pub use op::{Activation, Op, Padding, Shape};
pub use quantized::{Quantized, QuantizedKernel, Scaling};
pub use tensor_file::Precision;
pub use views::View;
pub use weights::{Tensor, Weights};
