//! The model file: graph, card and weights in one `.safetensors` file.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{Model, ModelCard};
use crate::tensor_file::{self, Kind, Precision};
use crate::{Error, Graph, Result};

/// What stands in the metadata beside the tensors.
#[derive(Serialize)]
struct ContentRef<'a> {
    graph: &'a Graph,
    card: &'a ModelCard,
}

#[derive(Deserialize)]
struct Content {
    graph: Graph,
    card: ModelCard,
}

impl Model {
    /// Writes the model to `path`, replacing what stood there only once the new file is on the disk.
    ///
    /// The file is a `.safetensors` file: tensors are named `layer/parameter` and shaped as in Keras;
    /// graph and card are JSON in the metadata key `moue`, with a checksum. The same model gives the
    /// same bytes.
    ///
    /// # Errors
    /// As [`Model::to_bytes`]; [`Error::Io`] where the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>, precision: Precision) -> Result<()> {
        tensor_file::write_atomically(path.as_ref(), &self.to_bytes(precision)?)
    }

    /// Reads a model file of at most 1 GiB.
    ///
    /// # Errors
    /// [`Error::Io`] where the file cannot be read; [`Error::Format`], with the reason, where it is
    /// another kind of file, is truncated, was written by a newer version, does not match its
    /// checksum, or holds weights that do not fit its graph.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        Self::decode(&tensor_file::read(path)?, path)
    }

    /// The bytes of the model file.
    ///
    /// # Errors
    /// [`Error::Weights`] where the model fails [`Model::check`], holds tensors that its graph does
    /// not have, or has values that are not finite or do not fit the precision.
    pub fn to_bytes(&self, precision: Precision) -> Result<Vec<u8>> {
        self.check()?;
        self.check_surplus()?;
        tensor_file::encode(
            Kind::Model,
            &ContentRef { graph: &self.graph, card: &self.card },
            &self.weights,
            precision,
        )
    }

    /// Reads a model from the bytes of a model file; `name` stands for the file in errors, which are
    /// those of [`Model::load`].
    pub fn from_bytes(bytes: &[u8], name: &str) -> Result<Self> {
        Self::decode(bytes, Path::new(name))
    }

    fn decode(bytes: &[u8], name: &Path) -> Result<Self> {
        let (content, weights) = tensor_file::decode(Kind::Model, bytes, name)?;
        let Content { graph, card } = serde_json::from_str(&content)
            .map_err(|e| Error::format(name, format!("its graph or card cannot be read: {e}")))?;
        let model = Self { graph, weights, card };
        model.check().and_then(|()| model.check_surplus()).map_err(|e| Error::format(name, e.to_string()))?;
        Ok(model)
    }

    /// A tensor without a layer is a sign of a wrong graph.
    fn check_surplus(&self) -> Result<()> {
        let parameters = self.graph.parameters();
        let known: std::collections::HashSet<&str> = parameters.iter().map(|p| p.name.as_str()).collect();
        match self.weights.iter().find(|(name, _)| !known.contains(name)) {
            Some((name, _)) => Err(Error::Weights(format!("{name} belongs to no layer of the graph"))),
            None => Ok(()),
        }
    }
}
