//! Networks in 8-bit integers, for inference.
//!
//! [`network`] says which layers become one operation and which outputs are stored; everything else
//! follows it: [`float`] runs the operations on real values while [`ranges`] watches what comes out,
//! [`calibration`] turns both into integers, and a [`plan`] of steps is what a [`session`] runs.

pub(crate) mod calibration;
mod cut;
mod float;
mod network;
mod plan;
mod ranges;
#[cfg(test)]
mod reference;
mod separable;
mod session;
mod steps;

pub(crate) use session::Session;
