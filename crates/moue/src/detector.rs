//! The detector for those who do not want to choose one.

use std::sync::Arc;

use moue_detect::cascade::{CascadeDetector, FeatureKind, ScanParameters};
use moue_detect::locate;

use crate::Error;

/// The LBP cascade that comes with moue, with the settings of [`ScanParameters::FACES`]. Other cascades and
/// settings: [`moue_detect::cascade::CascadeDetector`].
///
/// # Errors
/// [`Error::Detector`] where a folder named in [`locate::FOLDERS_VARIABLE`] has a broken cascade.
pub fn face_detector() -> Result<CascadeDetector, Error> {
    let located = locate::find(FeatureKind::Lbp)?;
    Ok(CascadeDetector::new(Arc::new(located.cascade), ScanParameters::FACES)?)
}
