//! PyTorch state dicts (`.pth`, `.pt`), in both layouts that `torch.save` has written: a row of pickles with the raw
//! values behind them (before PyTorch 1.6), and a zip archive of a pickle and a file a storage
//! (<https://github.com/pytorch/pytorch/blob/main/torch/serialization.py>).
//!
//! A pickle is a program, and Python's own machine for it runs whatever the file says. The one here knows dictionaries,
//! numbers, strings and tensors, and refuses everything else by its name.

mod archive;
mod legacy;
mod names;
mod objects;
mod pickle;
mod values;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::backbones::{EfficientNetLite, Lite};
use crate::{Error, Graph, ParameterSpec, Result, Weights};

use names::Place;
use objects::{Heap, Object, Value};
use values::{Element, StridedTensor};

/// Most bytes of the file, of its storages together, and of the values taken from them.
const MAX_BYTES: u64 = 1 << 30;

/// Where training scripts put the state dict beside epochs and optimizer states.
const NESTED: [&str; 3] = ["state_dict", "model_state_dict", "model"];

/// What is wrong with a pickle, and at which of its bytes.
struct Fault {
    at: usize,
    reason: String,
}

/// Values of the storages by key, as stored.
type Storages<'a> = BTreeMap<String, Cow<'a, [u8]>>;

/// Reads the weights of a state dict, by the names and in the layout that moue's graphs use, and gives them with the
/// backbone that has these names (a state dict knows only values; the file need not hold all of them).
///
/// Known are the names of EfficientNet-Lite as the package `efficientnet_lite_pytorch` has them; they become those
/// of [`EfficientNetLite`] of the size whose parameters have the most of the file's shapes: convolutions turn from `[out, in, height, width]` to
/// `[height, width, in, out]`, depthwise ones to `[height, width, channels, 1]`, fully connected ones from
/// `[out, in]` to `[in, out]`. Other tensors of the file are left out. Tensors may be of 16, 32 or 64 bits or bfloat16,
/// and views with any strides; the state dict may be the file's object itself or its entry `state_dict`,
/// `model_state_dict` or `model`.
///
/// # Errors
/// [`Error::Format`] names the file and the byte at which it is wrong, asks for a function or class that is not needed
/// for tensors, or is beyond a limit (1 GiB of values, 16 MiB of pickle), and says so where no tensor has a known
/// name; [`Error::Io`] where the file cannot be read.
pub fn read(path: impl AsRef<Path>) -> Result<(Graph, Weights)> {
    let path = path.as_ref();
    let (size, weights) = read_weights(path)?;
    Ok((EfficientNetLite { size, ..EfficientNetLite::default() }.build()?, weights))
}

fn read_weights(path: &Path) -> Result<(Lite, Weights)> {
    let io = |source| Error::Io { path: path.to_owned(), source };
    let file = File::open(path).map_err(io)?;
    if file.metadata().map_err(io)?.is_dir() {
        return Err(Error::format(path, "is a folder, expected a PyTorch file"));
    }
    let mut head = Vec::new();
    (&file).take(legacy::MAGIC.len() as u64).read_to_end(&mut head).map_err(io)?;
    if head.starts_with(b"PK\x03\x04") {
        archive::read(file, path)
    } else if head == legacy::MAGIC {
        legacy::read(file, head, path)
    } else {
        Err(Error::format(path, "is no PyTorch file: neither a zip archive nor torch.save's older layout"))
    }
}

/// The tensors of known names in the object that a file holds, as those of the size that they fit best.
fn known_tensors(heap: &Heap, root: Value) -> Result<(Lite, Vec<(Place, StridedTensor)>), String> {
    let whole = dictionary(heap, root).ok_or("holds no dictionary, expected a state dict")?;
    let dict = NESTED.iter().find_map(|key| entry(heap, whole, key)).unwrap_or(whole);
    let tensors: Vec<(&str, &StridedTensor)> = dict
        .iter()
        .filter_map(|&(key, value)| match (text(heap, key), heap.object(value)) {
            (Some(name), Some(Object::Tensor(tensor))) => Some((name, tensor)),
            _ => None,
        })
        .collect();
    let Some((first, _)) = tensors.first() else {
        return Err("holds no tensors, expected a state dict".into());
    };
    let mut best: Option<(usize, Lite, BTreeMap<_, _>)> = None;
    for size in Lite::ALL {
        let found = placed(&tensors, size);
        let fitting = fitting(&found, size).map_err(|e| e.to_string())?;
        if !found.is_empty() && best.as_ref().is_none_or(|(most, ..)| fitting > *most) {
            best = Some((fitting, size, found));
        }
    }
    match best {
        Some((_, size, found)) => Ok((size, found.into_values().collect())),
        None => Err(format!(
            "none of its {} tensors has a name of EfficientNet-Lite such as _conv_stem.weight; the first is {}",
            tensors.len(),
            first.escape_debug()
        )),
    }
}

/// The tensors that have a place in a network of this size, by our names.
fn placed(tensors: &[(&str, &StridedTensor)], size: Lite) -> BTreeMap<String, (Place, StridedTensor)> {
    // As in a dictionary, the last of equal names counts.
    tensors
        .iter()
        .filter_map(|&(name, tensor)| names::place(name, size).map(|place| (place, tensor)))
        .map(|(place, tensor)| (place.name.clone(), (place, tensor.clone())))
        .collect()
}

/// How many of them have the shape of the parameter of that name.
fn fitting(found: &BTreeMap<String, (Place, StridedTensor)>, size: Lite) -> Result<usize> {
    let graph = EfficientNetLite { size, ..EfficientNetLite::default() }.build()?;
    let fits = |spec: &ParameterSpec| {
        found.get(&spec.name).is_some_and(|(place, tensor)| {
            place
                .turn
                .apply(tensor)
                .is_ok_and(|turned| turned.shape().iter().copied().eq(spec.shape.iter().map(|&n| n as u64)))
        })
    };
    Ok(graph.parameters().iter().filter(|spec| fits(spec)).count())
}

/// The dictionary that stands under a key.
fn entry<'a>(heap: &'a Heap, dict: &[(Value, Value)], key: &str) -> Option<&'a [(Value, Value)]> {
    let &(_, value) = dict.iter().rfind(|&&(k, _)| text(heap, k) == Some(key))?;
    dictionary(heap, value)
}

fn dictionary(heap: &Heap, value: Value) -> Option<&[(Value, Value)]> {
    match heap.object(value) {
        Some(Object::Dictionary(entries)) => Some(entries),
        _ => None,
    }
}

fn text(heap: &Heap, value: Value) -> Option<&str> {
    match heap.object(value) {
        Some(Object::Text(text)) => Some(text),
        _ => None,
    }
}

/// Puts the values of the tensors into our layout.
fn weights(tensors: Vec<(Place, StridedTensor)>, storages: &Storages<'_>, path: &Path) -> Result<Weights> {
    let total = tensors.iter().try_fold(0u64, |sum, (_, t)| sum.checked_add(t.count()));
    if total.and_then(|n| n.checked_mul(4)).is_none_or(|bytes| bytes > MAX_BYTES) {
        return Err(Error::format(path, format!("its tensors take more than {MAX_BYTES} bytes, the limit")));
    }
    let mut weights = Weights::new();
    for (place, tensor) in tensors {
        let refuse = |reason: String| Error::format(path, format!("tensor {}: {reason}", place.theirs));
        let storage = storages.get(&*tensor.storage.key).map_or(&[][..], |bytes| bytes);
        let turned = place.turn.apply(&tensor).map_err(refuse)?;
        let values = turned.values(storage).map_err(refuse)?;
        weights.insert(place.name, values);
    }
    Ok(weights)
}

/// Length of a storage in bytes, within the limit.
fn storage_bytes(element: Element, count: u64) -> Option<u64> {
    count.checked_mul(element.bytes()).filter(|&bytes| bytes <= MAX_BYTES)
}
