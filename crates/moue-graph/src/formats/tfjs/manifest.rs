//! The weight shards of a TensorFlow.js model.

use std::path::{Component, Path, PathBuf};

use serde::Deserialize;

use crate::{Error, Result, Tensor, Weights};

/// Most bytes of all shards together.
const MAX_SHARDS: u64 = 1 << 30;

/// Weights that lie one behind the other in the concatenation of some files.
#[derive(Deserialize)]
pub(super) struct Group {
    paths: Vec<String>,
    weights: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    name: String,
    shape: Vec<u64>,
    dtype: String,
    #[serde(default)]
    quantization: Option<Quantization>,
}

/// `value = stored * scale + min`; float16 has neither.
#[derive(Deserialize)]
struct Quantization {
    dtype: String,
    #[serde(default)]
    min: Option<f64>,
    #[serde(default)]
    scale: Option<f64>,
}

/// How a value is stored.
#[derive(Clone, Copy)]
enum Stored {
    F32,
    F16,
    U8 { min: f64, scale: f64 },
    U16 { min: f64, scale: f64 },
    I32,
}

/// What tensors are called.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Naming {
    /// `layer/parameter`: some converters put scopes before it and `:0` behind. Numbers are real.
    Layers,
    /// As in the file, as nodes refer to them. Whole numbers, which constants may be, are read as real ones.
    Nodes,
}

impl Stored {
    fn bytes(self) -> u64 {
        match self {
            Self::F32 | Self::I32 => 4,
            Self::F16 | Self::U16 { .. } => 2,
            Self::U8 { .. } => 1,
        }
    }

    /// Values from bytes; TensorFlow.js computes in f64 and rounds once, too.
    fn values(self, bytes: &[u8]) -> Vec<f32> {
        match self {
            Self::F32 => bytes.as_chunks().0.iter().map(|&b| f32::from_le_bytes(b)).collect(),
            Self::I32 => bytes.as_chunks().0.iter().map(|&b| i32::from_le_bytes(b) as f32).collect(),
            Self::F16 => bytes.as_chunks().0.iter().map(|&b| half::f16::from_le_bytes(b).to_f32()).collect(),
            Self::U8 { min, scale } => bytes.iter().map(|&q| (f64::from(q) * scale + min) as f32).collect(),
            Self::U16 { min, scale } => {
                let words = bytes.as_chunks().0.iter().map(|&b| u16::from_le_bytes(b));
                words.map(|q| (f64::from(q) * scale + min) as f32).collect()
            }
        }
    }
}

impl Entry {
    fn stored(&self, naming: Naming) -> Result<Stored, String> {
        let name = &self.name;
        let affine = |q: &Quantization| match (q.min, q.scale) {
            (Some(min), Some(scale)) if min.is_finite() && scale.is_finite() => Ok((min, scale)),
            _ => Err(format!("weight {name}: its quantisation lacks a finite `min` and `scale`")),
        };
        match (self.dtype.as_str(), self.quantization.as_ref()) {
            ("float32", None) => Ok(Stored::F32),
            ("float16", None) => Ok(Stored::F16),
            ("int32", None) if naming == Naming::Nodes => Ok(Stored::I32),
            ("float32", Some(q)) => match q.dtype.as_str() {
                "uint8" => affine(q).map(|(min, scale)| Stored::U8 { min, scale }),
                "uint16" => affine(q).map(|(min, scale)| Stored::U16 { min, scale }),
                "float16" => Ok(Stored::F16),
                other => {
                    Err(format!("weight {name} is quantised to {other}, expected uint8, uint16 or float16"))
                }
            },
            (other, _) => Err(format!("weight {name} has the type {other}, expected float32 or float16")),
        }
    }

    fn values(&self) -> Option<u64> {
        self.shape.iter().try_fold(1u64, |n, &side| n.checked_mul(side))
    }

    fn tensor_name(&self, naming: Naming) -> String {
        if naming == Naming::Nodes {
            return self.name.clone();
        }
        let name = self.name.split(':').next().unwrap_or(&self.name);
        let mut parts: Vec<&str> = name.rsplitn(3, '/').take(2).collect();
        parts.reverse();
        parts.join("/")
    }
}

/// Every weight of the manifest; shards are looked for in `folder`, errors of the manifest name `json`.
pub(super) fn weights(groups: &[Group], folder: &Path, json: &Path, naming: Naming) -> Result<Weights> {
    let refuse = |reason: String| Error::format(json, reason);
    let mut weights = Weights::new();
    let mut total = 0u64;
    for group in groups {
        let mut parts = Vec::with_capacity(group.weights.len());
        let mut needed = 0u64;
        for entry in &group.weights {
            let stored = entry.stored(naming).map_err(refuse)?;
            let length =
                entry.values().and_then(|n| n.checked_mul(stored.bytes())).filter(|&n| n <= MAX_SHARDS);
            let Some(length) = length else {
                return Err(refuse(format!(
                    "weight {} has the shape {:?}, too large",
                    entry.name, entry.shape
                )));
            };
            parts.push((entry, stored, length as usize));
            needed += length;
            if total + needed > MAX_SHARDS {
                return Err(refuse(format!("its weights take more than {MAX_SHARDS} bytes, the limit")));
            }
        }
        total += needed;
        let bytes = read_shards(group, needed, folder, json)?;
        let mut rest = bytes.as_slice();
        for (entry, stored, length) in parts {
            let (here, behind) = rest.split_at(length);
            rest = behind;
            let values = stored.values(here);
            if values.iter().any(|v| !v.is_finite()) {
                return Err(refuse(format!("weight {} holds values that are not finite", entry.name)));
            }
            let shape = entry.shape.iter().map(|&side| side as usize).collect();
            let name = entry.tensor_name(naming);
            if weights.get(&name).is_some() {
                return Err(refuse(format!("weight {name} stands twice in the manifest")));
            }
            weights.insert(name, Tensor::new(shape, values)?);
        }
    }
    Ok(weights)
}

/// The concatenated shards of a group, which must have exactly `needed` bytes.
fn read_shards(group: &Group, needed: u64, folder: &Path, json: &Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut files = Vec::with_capacity(group.paths.len());
    for path in &group.paths {
        let file = shard(path, folder, json)?;
        let left = needed - bytes.len() as u64;
        let more = super::read_limited(&file, left).map_err(|e| match e {
            Error::Format { path, .. } => Error::format(
                &path,
                format!(
                    "is longer than the {left} bytes that the manifest in {} leaves for it",
                    json.display()
                ),
            ),
            other => other,
        })?;
        bytes.extend(more);
        files.push(file);
    }
    if bytes.len() as u64 == needed {
        return Ok(bytes);
    }
    let last = files.last().map_or(json, PathBuf::as_path);
    Err(Error::format(
        last,
        format!(
            "is truncated: the manifest needs {needed} bytes, the shards up to this one hold {}",
            bytes.len()
        ),
    ))
}

/// Where a shard lies. Its path comes from an untrusted file: it must stay within the folder.
fn shard(path: &str, folder: &Path, json: &Path) -> Result<PathBuf> {
    let inside = !path.is_empty() && Path::new(path).components().all(|c| matches!(c, Component::Normal(_)));
    // On every system, so that a model is not good here and refused there.
    if !inside || path.contains(['\\', ':', '\0']) {
        return Err(Error::format(
            json,
            format!("shard path {path:?} must be relative and stay within the folder"),
        ));
    }
    let file = folder.join(path);
    // The npm package nsfwjs renames its shards without changing the manifest.
    let renamed = folder.join(format!("{path}.bin"));
    Ok(if !file.exists() && renamed.exists() { renamed } else { file })
}
