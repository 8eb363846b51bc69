//! Tensors of any names together with a JSON header in one file: what training needs to go on after
//! an interruption.
//!
//! The container is that of model files (see [`Model::save`](crate::Model::save)): written atomically,
//! guarded by a checksum, equal content in equal bytes. Files hold at most 1 GiB.

use std::path::Path;

use serde_json::Value;

use crate::tensor_file::{self, Kind, Precision};
use crate::{Error, Result, Weights};

/// Writes `header` and `tensors` (as F32, bit for bit; integers stay integers) to `path`, replacing what stood there only
/// once the new file is on the disk.
///
/// # Errors
/// [`Error::Weights`] where a value is not finite (a diverged training has nothing to go on from) or
/// the values exceed 1 GiB, [`Error::Io`] where the file cannot be written.
pub fn save(path: impl AsRef<Path>, header: &Value, tensors: &Weights) -> Result<()> {
    tensor_file::write_atomically(path.as_ref(), &to_bytes(header, tensors, Precision::F32)?)
}

/// The bytes of such a file, its values as `precision` holds them.
///
/// # Errors
/// [`Error::Weights`] as [`save`], and where a value does not fit the precision.
pub fn to_bytes(header: &Value, tensors: &Weights, precision: Precision) -> Result<Vec<u8>> {
    tensor_file::encode(Kind::Checkpoint, header, tensors, precision)
}

/// Reads what [`save`] wrote: the header and the tensors.
///
/// # Errors
/// [`Error::Io`] where the file cannot be read; otherwise those of [`from_bytes`].
pub fn load(path: impl AsRef<Path>) -> Result<(Value, Weights)> {
    let path = path.as_ref();
    read(&tensor_file::read(path)?, path)
}

/// Reads what [`to_bytes`] gave; `name` stands for the file in errors.
///
/// # Errors
/// [`Error::Format`], with the reason, where the bytes are no checkpoint, are truncated, were written by a newer
/// version or do not match their checksum.
pub fn from_bytes(bytes: &[u8], name: &str) -> Result<(Value, Weights)> {
    read(bytes, Path::new(name))
}

fn read(bytes: &[u8], path: &Path) -> Result<(Value, Weights)> {
    let (content, tensors) = tensor_file::decode(Kind::Checkpoint, bytes, path)?;
    let header = serde_json::from_str(&content)
        .map_err(|e| Error::format(path, format!("its header cannot be read: {e}")))?;
    Ok((header, tensors))
}
