//! The detector for those who do not want to choose one.

use std::sync::Arc;

use moue_detect::cnn::{CnnDetector, CnnParameters, Network};

use crate::Error;

/// The network that comes with moue, with its usual settings. Cascades and other settings:
/// [`moue_detect::cascade::CascadeDetector`], [`CnnDetector`].
///
/// # Errors
/// None in a sound build; the embedded file is checked like any other.
pub fn face_detector() -> Result<CnnDetector, Error> {
    Ok(CnnDetector::new(Arc::new(Network::embedded()?), CnnParameters::default())?)
}
