//! The model that comes with moue.

use crate::{Error, Model};

/// Trained by `moue train` on FER2013; the recipe and the model card stand beside the file.
const BYTES: &[u8] = include_bytes!("../models/emotion.safetensors");

/// The model that comes with moue, so that a single file reads emotions. What it was trained on, how
/// good it is and its licence stand in its card.
///
/// # Errors
/// None in a sound build; the file is checked like any other.
pub fn embedded_model() -> Result<Model, Error> {
    Ok(Model::from_bytes(BYTES, "the embedded model")?)
}

/// The file of [`embedded_model`], byte for byte.
pub fn embedded_model_file() -> &'static [u8] {
    BYTES
}
