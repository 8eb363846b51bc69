//! The container of model files and checkpoints: one `.safetensors` file
//! (<https://github.com/huggingface/safetensors>, format version 1) with a single metadata key
//! `moue`, a JSON object `{"format", "kind", "checksum", "content"}`.
//!
//! The checksum is SHA-256 over kind, content and tensors, so that a file which was edited or has a
//! flipped bit is refused instead of giving wrong answers. The key is a single one because the order
//! of several would change from run to run: equal content gives equal bytes.

mod atomic;
mod foreign;
mod integers;
mod values;

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::Read;
use std::path::Path;

use safetensors::tensor::{Dtype, SafeTensorError, SafeTensors, View};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use crate::{Error, Result, Weights};

pub(crate) use atomic::write_atomically;

/// Version of the `moue` metadata of a file whose tensors are all real values.
const FORMAT: u32 = 1;
/// Version of a file with integer tensors, so that a program which does not know them says that a newer
/// one is needed. The newest version this program reads.
const FORMAT_INTEGERS: u32 = 2;
/// Largest file read or written.
const MAX_FILE: u64 = 1 << 30;
/// Largest header, metadata included.
const MAX_HEADER: u64 = 16 << 20;
/// The metadata key.
const KEY: &str = "moue";
/// The header's length stands before it.
const PREFIX: usize = 8;

/// How numbers are stored. Loading always gives f32.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    /// Every value as it is.
    #[default]
    F32,
    /// Kernels (tensors of two or more axes) in half precision, relative error at most 2⁻¹¹; biases
    /// and normalisation stay F32, being few and of wide range. An error where a kernel value
    /// exceeds 65,504.
    F16,
}

/// What a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Model,
    Checkpoint,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Checkpoint => "checkpoint",
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope<'a> {
    format: u32,
    #[serde(borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    checksum: Cow<'a, str>,
    #[serde(borrow)]
    content: &'a RawValue,
}

/// Read before the rest, whose fields another version may have changed.
#[derive(Deserialize)]
struct Version {
    format: u64,
}

/// A tensor as it lies in the file.
struct Stored<'a> {
    dtype: Dtype,
    shape: Cow<'a, [usize]>,
    data: Cow<'a, [u8]>,
}

impl View for &Stored<'_> {
    fn dtype(&self) -> Dtype {
        self.dtype
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(&self.data)
    }

    fn data_len(&self) -> usize {
        self.data.len()
    }
}

/// The bytes of a file. An error where a value is not finite or does not fit the precision, or where
/// the file would exceed what [`decode`] accepts.
pub(crate) fn encode(
    kind: Kind,
    content: &impl Serialize,
    weights: &Weights,
    precision: Precision,
) -> Result<Vec<u8>> {
    let bytes: u64 = weights.iter().map(|(_, tensor)| 4 * tensor.data().len() as u64).sum();
    if bytes > MAX_FILE {
        return Err(Error::Weights(format!(
            "{bytes} bytes of values exceed the limit of {MAX_FILE} for a file"
        )));
    }
    let mut tensors = BTreeMap::new();
    for (name, tensor) in weights.iter() {
        tensors.insert(name.to_owned(), values::store(name, tensor, precision)?);
    }
    let mut format = FORMAT;
    if let Some(quantized) = weights.quantized() {
        format = FORMAT_INTEGERS;
        tensors.extend(integers::store(quantized));
    }
    let json = |e: serde_json::Error| Error::Parameter(format!("the {} cannot be written: {e}", kind.name()));
    let content = serde_json::value::to_raw_value(content).map_err(json)?;
    let envelope = Envelope {
        format,
        kind: kind.name().into(),
        checksum: checksum(kind, content.get(), &tensors).into(),
        content: &content,
    };
    let metadata = HashMap::from([(KEY.to_owned(), serde_json::to_string(&envelope).map_err(json)?)]);
    let bytes = safetensors::serialize(tensors.iter(), Some(metadata))
        .map_err(|e| Error::Parameter(format!("the {} cannot be written: {e}", kind.name())))?;
    match header_length(&bytes) {
        Some(n) if n <= MAX_HEADER && bytes.len() as u64 <= MAX_FILE => Ok(bytes),
        _ => Err(Error::Parameter(format!(
            "the {} exceeds the limits of a file ({MAX_HEADER} bytes of header, {MAX_FILE} in all)",
            kind.name()
        ))),
    }
}

/// The content (JSON) and tensors of a file; `name` stands for it in errors.
pub(crate) fn decode(kind: Kind, bytes: &[u8], name: &Path) -> Result<(String, Weights)> {
    let refuse = |reason: String| Error::format(name, reason);
    check_container(bytes).map_err(refuse)?;
    let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(|e| refuse(explain(bytes, &e)))?;
    let file = SafeTensors::deserialize(bytes).map_err(|e| refuse(explain(bytes, &e)))?;
    let text = metadata.metadata().as_ref().and_then(|all| all.get(KEY)).ok_or_else(|| {
        refuse(format!(
            "is a safetensors file of {} tensors without the metadata `{KEY}`: weights of another program, \
             without layers and labels; expected a {} written by moue",
            file.len(),
            kind.name()
        ))
    })?;
    let damaged = |e: serde_json::Error| refuse(format!("its metadata `{KEY}` is damaged: {e}"));
    let version: Version = serde_json::from_str(text).map_err(damaged)?;
    if !(u64::from(FORMAT)..=u64::from(FORMAT_INTEGERS)).contains(&version.format) {
        return Err(refuse(format!(
            "has the format version {}, this program reads versions {FORMAT} and {FORMAT_INTEGERS}; a newer moue may read it",
            version.format
        )));
    }
    let envelope: Envelope<'_> = serde_json::from_str(text).map_err(damaged)?;
    if envelope.kind != kind.name() {
        return Err(refuse(format!("is a moue {}, expected a {}", envelope.kind, kind.name())));
    }
    let views = file.tensors();
    let mut tensors = BTreeMap::new();
    for (name, view) in &views {
        let data = Cow::Borrowed(view.data());
        tensors.insert(name.clone(), Stored { dtype: view.dtype(), shape: view.shape().into(), data });
    }
    let content = envelope.content.get();
    // Each takes milliseconds, which is what starting the program waits for.
    let integers = version.format == u64::from(FORMAT_INTEGERS);
    let restore = || match integers {
        true => integers::restore(&tensors).map(Weights::from_quantized),
        false => values::restore(&tensors),
    };
    let (sum, weights) = side_by_side(|| checksum(kind, content, &tensors), restore);
    if sum != envelope.checksum {
        return Err(refuse(
            "its content does not match its checksum: the file was damaged or edited after it was written"
                .into(),
        ));
    }
    Ok((content.to_owned(), weights.map_err(refuse)?))
}

/// All bytes of a file, refused where it is empty or too large before memory is taken.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>> {
    let io = |source| Error::Io { path: path.to_owned(), source };
    let file = File::open(path).map_err(io)?;
    let metadata = file.metadata().map_err(io)?;
    if metadata.is_dir() {
        return Err(Error::format(path, "is a folder, expected a .safetensors file"));
    }
    let too_large = |n: u64| Error::format(path, format!("has {n} bytes or more, the limit is {MAX_FILE}"));
    if metadata.len() > MAX_FILE {
        return Err(too_large(metadata.len()));
    }
    let mut bytes = Vec::with_capacity(metadata.len() as usize);
    // The length of a pipe or device is not known beforehand.
    file.take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(io)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(too_large(bytes.len() as u64));
    }
    Ok(bytes)
}

fn header_length(bytes: &[u8]) -> Option<u64> {
    let prefix: [u8; PREFIX] = bytes.get(..PREFIX)?.try_into().ok()?;
    Some(u64::from_le_bytes(prefix))
}

/// What can be said before the header is parsed.
fn check_container(bytes: &[u8]) -> Result<(), String> {
    const EXPECTED: &str = "expected a .safetensors file written by moue";
    if bytes.is_empty() {
        return Err(format!("is empty, {EXPECTED}"));
    }
    let header = header_length(bytes);
    // JSON behind a length of less than 4 GiB is what nothing else starts with.
    let plausible = bytes.get(PREFIX) == Some(&b'{') && header.is_some_and(|n| n <= u64::from(u32::MAX));
    if !plausible {
        return Err(match foreign::describe(bytes) {
            Some(what) => format!("is no safetensors file but looks like {what}; {EXPECTED}"),
            None => format!("is no safetensors file; {EXPECTED}"),
        });
    }
    match header {
        Some(n) if n > MAX_HEADER => Err(format!("has a header of {n} bytes, the limit is {MAX_HEADER}")),
        Some(n) if n + PREFIX as u64 > bytes.len() as u64 => Err(format!(
            "is truncated: its header alone takes {} bytes, the file has {}",
            n + PREFIX as u64,
            bytes.len()
        )),
        _ => Ok(()),
    }
}

/// The library's error in words that say what was announced and what was found.
fn explain(bytes: &[u8], error: &SafeTensorError) -> String {
    if !matches!(error, SafeTensorError::MetadataIncompleteBuffer) {
        return format!("its safetensors header is damaged: {error}");
    }
    let found = bytes.len() as u64;
    match announced_length(bytes) {
        Some(n) if n > found => format!("is truncated: its header announces {n} bytes, the file has {found}"),
        Some(n) => format!("has {found} bytes, its header announces only {n}"),
        None => format!("is truncated or damaged: {error}"),
    }
}

/// File length according to the header.
fn announced_length(bytes: &[u8]) -> Option<u64> {
    #[derive(Deserialize)]
    struct Entry {
        data_offsets: Option<[u64; 2]>,
    }
    let header = header_length(bytes)?;
    let end = usize::try_from(header).ok()?.checked_add(PREFIX)?;
    let entries: HashMap<String, Entry> = serde_json::from_slice(bytes.get(PREFIX..end)?).ok()?;
    let data = entries.values().filter_map(|e| e.data_offsets).map(|[_, end]| end).max().unwrap_or(0);
    header.checked_add(PREFIX as u64)?.checked_add(data)
}

fn checksum(kind: Kind, content: &str, tensors: &BTreeMap<String, Stored<'_>>) -> String {
    let mut hash = Sha256::new();
    // Every part follows its length, so that no two different files give the same stream of bytes.
    let mut part = |bytes: &[u8]| {
        hash.update((bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    };
    part(kind.name().as_bytes());
    part(content.as_bytes());
    for (name, tensor) in tensors {
        part(name.as_bytes());
        part(tensor.dtype.to_string().as_bytes());
        let shape: Vec<u8> = tensor.shape.iter().flat_map(|&side| (side as u64).to_le_bytes()).collect();
        part(&shape);
        part(&tensor.data);
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Both results; `first` runs on another thread where one can be started.
fn side_by_side<A: Send, B>(first: impl Fn() -> A + Sync, second: impl FnOnce() -> B) -> (A, B) {
    let (a, b) = std::thread::scope(|scope| {
        let other = std::thread::Builder::new().spawn_scoped(scope, &first);
        let b = second();
        (other.ok().and_then(|thread| thread.join().ok()), b)
    });
    (a.unwrap_or_else(first), b)
}
