//! TensorFlow.js layers models: `model.json` with the topology of a Keras model and a manifest of
//! weight shards beside it
//! (<https://github.com/tensorflow/tfjs/tree/master/tfjs-converter>, "layers-model" format).

mod layers;
mod manifest;
mod topology;

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use crate::{Error, Graph, Result, Weights};

/// Largest `model.json`: topologies are text of some hundred kilobytes.
const MAX_JSON: u64 = 16 << 20;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    #[serde(default)]
    format: Option<String>,
    model_topology: Value,
    weights_manifest: Vec<manifest::Group>,
}

/// Reads a layers model from its `model.json` or the folder that holds it.
///
/// Functional and Sequential models of InputLayer, ZeroPadding2D, Conv2D, DepthwiseConv2D,
/// BatchNormalization, ReLU, Activation, Softmax, Add, GlobalAveragePooling2D, Dropout and Dense are
/// understood; an AveragePooling2D over the whole feature map becomes a GlobalAveragePooling2D, and a
/// Flatten or Dropout of a flat input changes nothing. Layers come sorted so that each stands behind its
/// inputs, frozen ones marked as such; layers that the output does not need are dropped. Weights may
/// be float32, float16, or quantised to uint8, uint16 or float16.
///
/// # Errors
/// [`Error::Format`] names the file and, where it has one, the layer and class, tensor or shard that
/// is wrong or not understood; [`Error::Io`] where a file cannot be read. `model.json` may have at most
/// 16 MiB, the shards 1 GiB together.
pub fn read(path: impl AsRef<Path>) -> Result<(Graph, Weights)> {
    let path = path.as_ref();
    let json = if path.is_dir() { path.join("model.json") } else { path.to_owned() };
    let bytes = read_limited(&json, MAX_JSON)?;
    let refuse = |reason: String| Error::format(&json, reason);
    let file: File = serde_json::from_slice(&bytes)
        .map_err(|e| refuse(format!("is no TensorFlow.js layers model (model.json): {e}")))?;
    if let Some(other) = file.format.as_deref().filter(|&f| f != "layers-model") {
        return Err(refuse(format!("is a TensorFlow.js {other}, expected a layers-model")));
    }
    let graph = topology::graph(file.model_topology).map_err(refuse)?;
    let folder = json.parent().map_or_else(PathBuf::new, Path::to_owned);
    let found = manifest::weights(&file.weights_manifest, &folder, &json)?;
    let mut weights = Weights::new();
    weights.take_matching(&graph, &found);
    // A tensor of another shape was not taken: say which shape it has rather than that it is missing.
    if let Some((name, have, want)) = graph.parameters().into_iter().find_map(|p| {
        let tensor = found.get(&p.name).filter(|t| t.shape() != p.shape)?;
        Some((p.name, tensor.shape().to_vec(), p.shape))
    }) {
        return Err(refuse(format!("weight {name} has the shape {have:?}, its layer needs {want:?}")));
    }
    weights.check(&graph).map_err(|e| refuse(e.to_string()))?;
    Ok((graph, weights))
}

/// All bytes of a file whose length is checked first.
fn read_limited(path: &Path, limit: u64) -> Result<Vec<u8>> {
    use std::io::Read;
    let io = |source| Error::Io { path: path.to_owned(), source };
    let file = std::fs::File::open(path).map_err(io)?;
    let length = file.metadata().map_err(io)?.len();
    let mut bytes = Vec::new();
    if length <= limit {
        file.take(limit + 1).read_to_end(&mut bytes).map_err(io)?;
    }
    if length.max(bytes.len() as u64) > limit {
        return Err(Error::format(path, format!("has more than {limit} bytes, the limit")));
    }
    Ok(bytes)
}
