//! The layout since PyTorch 1.6: a zip archive with a folder of `data.pkl`, the object, and `data/KEY`, the values of a
//! storage.

use std::borrow::Cow;
use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::path::Path;

use zip::ZipArchive;
use zip::result::ZipError;

use super::pickle::{self, MAX_PICKLE};
use super::{MAX_BYTES, Storages, known_tensors, storage_bytes, weights};
use crate::backbones::Lite;
use crate::{Error, Result, Weights};

/// The pickle's name within the archive's folder.
const PICKLE: &str = "data.pkl";

pub(super) fn read(mut file: File, path: &Path) -> Result<(Lite, Weights)> {
    let io = |source| Error::Io { path: path.to_owned(), source };
    file.rewind().map_err(io)?;
    let refuse = |reason: String| Error::format(path, reason);
    let mut archive = ZipArchive::new(BufReader::new(file)).map_err(|e| refuse(damage(&e)))?;
    let folder = archive.file_names().flatten().find_map(|name| folder_of_pickle(&name).map(str::to_owned));
    let folder =
        folder.ok_or_else(|| refuse(format!("is a zip archive without {PICKLE}, so not PyTorch's")))?;
    // Old files of this layout do not say; nothing but little-endian machines was common.
    if archive.file_names().flatten().any(|name| name.strip_prefix(&folder) == Some("byteorder")) {
        let order = member(&mut archive, &format!("{folder}byteorder"), 16).map_err(refuse)?;
        if order != b"little" {
            return Err(refuse("was written by a big-endian machine, which is not supported".into()));
        }
    }
    let program = member(&mut archive, &format!("{folder}{PICKLE}"), MAX_PICKLE as u64).map_err(refuse)?;
    let content = pickle::run(&program, 0)
        .map_err(|fault| refuse(format!("{PICKLE}, at byte {}: {}", fault.at, fault.reason)))?;
    let (size, tensors) = known_tensors(&content.heap, content.root).map_err(refuse)?;
    let mut storages = Storages::new();
    let mut total = 0;
    for (_, tensor) in &tensors {
        let (key, count) = (&*tensor.storage.key, tensor.storage.count);
        if storages.contains_key(key) {
            continue;
        }
        let name = format!("{folder}data/{key}");
        let length = storage_bytes(tensor.storage.element, count)
            .filter(|bytes| total + bytes <= MAX_BYTES)
            .ok_or_else(|| refuse(format!("its storages take more than {MAX_BYTES} bytes, the limit")))?;
        total += length;
        let bytes = member(&mut archive, &name, length).map_err(refuse)?;
        if bytes.len() as u64 != length {
            let (name, have) = (name.escape_debug(), bytes.len());
            return Err(refuse(format!("{name} has {have} bytes, {count} values need {length}")));
        }
        storages.insert(key.to_owned(), Cow::Owned(bytes));
    }
    Ok((size, weights(tensors, &storages, path)?))
}

/// The folder of the archive, `/` included, where this member is its pickle.
fn folder_of_pickle(member: &str) -> Option<&str> {
    member.strip_suffix(PICKLE).filter(|folder| folder.is_empty() || folder.ends_with('/'))
}

/// All bytes of a member, at most `limit`.
fn member(archive: &mut ZipArchive<BufReader<File>>, name: &str, limit: u64) -> Result<Vec<u8>, String> {
    let shown = name.escape_debug();
    let entry = archive.by_name(name).map_err(|e| match e {
        ZipError::FileNotFound => format!("{shown} is missing in the archive"),
        other => damage(&other),
    })?;
    let mut bytes = Vec::new();
    // One byte more: reaching the end lets the checksum be compared.
    entry.take(limit + 1).read_to_end(&mut bytes).map_err(|e| format!("{shown} cannot be read: {e}"))?;
    if bytes.len() as u64 > limit {
        return Err(format!("{shown} has more than {limit} bytes"));
    }
    Ok(bytes)
}

fn damage(error: &ZipError) -> String {
    match error {
        ZipError::InvalidArchive(what) => format!("the zip archive is cut off or damaged ({what})"),
        other => format!("the zip archive cannot be unpacked: {other}"),
    }
}
