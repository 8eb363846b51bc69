//! TensorFlow.js layers models: `model.json` with the topology of a Keras model and a manifest of
//! weight shards beside it
//! (<https://github.com/tensorflow/tfjs/tree/master/tfjs-converter>, "layers-model" format); and of its graph models
//! ("graph-model" format) the part that extracts features.

mod frozen;
mod layers;
mod manifest;
mod topology;

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use crate::{Error, Graph, Result, Weights};
use manifest::Naming;

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
    let (json, file) = open(path.as_ref())?;
    let refuse = |reason: String| Error::format(&json, reason);
    if let Some(other) = file.format.as_deref().filter(|&f| f != "layers-model") {
        return Err(refuse(format!("is a TensorFlow.js {other}, expected a layers-model")));
    }
    let graph = topology::graph(file.model_topology).map_err(refuse)?;
    let found = manifest::weights(&file.weights_manifest, &folder_of(&json), &json, Naming::Layers)?;
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

/// What a file gives a training to begin with.
#[derive(Clone, Debug, PartialEq)]
pub struct Features {
    /// The network; of a graph model, up to its global average pooling.
    pub graph: Graph,
    /// Its values.
    pub weights: Weights,
    /// Whether normalisations are only what a graph model leaves of them: they answer as they did, but what their
    /// inputs' means and variances are is not known (those stored are 0 and 1).
    pub is_folded: bool,
}

/// Reads a layers model as [`read`] does, or a graph model's layers up to its global average pooling.
///
/// Of graph models those are understood that convert Keras networks of convolutions, depthwise ones, normalisations,
/// ReLU, ReLU6 and sums, `model.json` and its shards called as they please. Layers and parameters get the names that
/// they have in Keras.
///
/// # Errors
/// As [`read`]; the node that is not understood is named.
pub fn read_features(path: impl AsRef<Path>) -> Result<Features> {
    let path = path.as_ref();
    let (json, file) = open(path)?;
    if file.format.as_deref() != Some("graph-model") {
        let (graph, weights) = read(path)?;
        return Ok(Features { graph, weights, is_folded: false });
    }
    let constants = manifest::weights(&file.weights_manifest, &folder_of(&json), &json, Naming::Nodes)?;
    let (graph, weights) =
        frozen::features(file.model_topology, &constants).map_err(|reason| Error::format(&json, reason))?;
    Ok(Features { graph, weights, is_folded: true })
}

fn open(path: &Path) -> Result<(PathBuf, File)> {
    let json = if path.is_dir() { path.join("model.json") } else { path.to_owned() };
    let bytes = read_limited(&json, MAX_JSON)?;
    let file = serde_json::from_slice(&bytes)
        .map_err(|e| Error::format(&json, format!("is no TensorFlow.js model (model.json): {e}")))?;
    Ok((json, file))
}

fn folder_of(json: &Path) -> PathBuf {
    json.parent().map_or_else(PathBuf::new, Path::to_owned)
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
