//! The layout before PyTorch 1.6: five pickles (magic number, version, byte order, the object, keys of its storages),
//! then for each key the number of values in eight bytes and the values.

use std::borrow::Cow;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::objects::{Heap, Object, Value};
use super::pickle::{self, Unpickled};
use super::{Fault, MAX_BYTES, Storages, known_tensors, storage_bytes, text, weights};
use crate::backbones::Lite;
use crate::{Error, Result, Weights};

/// The pickle of the magic number 0x1950a86a20f9469cfc6c.
pub(super) const MAGIC: &[u8] = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";

/// The version of this layout, which never changed.
const VERSION: i64 = 1001;

/// Reads a file whose first bytes, [`MAGIC`], are read already.
pub(super) fn read(file: File, head: Vec<u8>, path: &Path) -> Result<(Lite, Weights)> {
    let mut bytes = head;
    let left = MAX_BYTES + 1 - bytes.len() as u64;
    file.take(left).read_to_end(&mut bytes).map_err(|source| Error::Io { path: path.to_owned(), source })?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(Error::format(path, format!("has more than {MAX_BYTES} bytes, the limit")));
    }
    let refuse = |fault: Fault| Error::format(path, format!("at byte {}: {}", fault.at, fault.reason));
    let version = pickle::run(&bytes, MAGIC.len()).map_err(refuse)?;
    if version.root != Value::Integer(VERSION) {
        return Err(Error::format(path, format!("its layout has another version than {VERSION}")));
    }
    let system = pickle::run(&bytes, version.end).map_err(refuse)?;
    if !little_endian(&system) {
        return Err(Error::format(path, "was written by a big-endian machine, which is not supported"));
    }
    let content = pickle::run(&bytes, system.end).map_err(refuse)?;
    let (size, tensors) =
        known_tensors(&content.heap, content.root).map_err(|reason| Error::format(path, reason))?;
    let keys = pickle::run(&bytes, content.end).map_err(refuse)?;
    let storages = storages(&bytes, &keys, &content).map_err(refuse)?;
    Ok((size, weights(tensors, &storages, path)?))
}

fn little_endian(system: &Unpickled) -> bool {
    let Some(Object::Dictionary(entries)) = system.heap.object(system.root) else { return false };
    entries.iter().any(|&(k, v)| text(&system.heap, k) == Some("little_endian") && v == Value::Bool(true))
}

/// The values behind the pickles.
fn storages<'a>(bytes: &'a [u8], keys: &Unpickled, content: &Unpickled) -> Result<Storages<'a>, Fault> {
    let mut at = keys.end;
    let mut found = Storages::new();
    for key in
        listed(&keys.heap, keys.root).ok_or_else(|| fault(at, "no list of storages is there".into()))?
    {
        let Some(key) = text(&keys.heap, key) else {
            return Err(fault(at, "the key of a storage is no string".into()));
        };
        let shown = key.escape_debug();
        let storage = content
            .storages
            .get(key)
            .ok_or_else(|| fault(at, format!("storage {shown} is not one that the state dict speaks of")))?;
        let cut_off = || fault(at, format!("storage {shown} is cut off"));
        let count = bytes.get(at..).and_then(<[u8]>::first_chunk).ok_or_else(cut_off)?;
        let count = u64::from_le_bytes(*count);
        if count != storage.count {
            let expected = storage.count;
            return Err(fault(
                at,
                format!("storage {shown} has {count} values, the state dict says {expected}"),
            ));
        }
        let length = storage_bytes(storage.element, count).ok_or_else(cut_off)? as usize;
        let values = bytes.get(at + 8..).and_then(|rest| rest.get(..length)).ok_or_else(cut_off)?;
        found.insert(key.to_owned(), Cow::Borrowed(values));
        at += 8 + length;
    }
    Ok(found)
}

fn listed(heap: &Heap, value: Value) -> Option<Vec<Value>> {
    match heap.object(value) {
        Some(Object::List(items)) => Some(items.clone()),
        _ => None,
    }
}

fn fault(at: usize, reason: String) -> Fault {
    Fault { at, reason }
}
