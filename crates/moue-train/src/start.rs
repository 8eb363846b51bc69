//! The network a training begins with.

mod settle;
mod stem;

use std::path::{Path, PathBuf};

use moue_graph::backbones;
use moue_graph::{Graph, Model, Weights, attach_head, formats};

use crate::recipe::{Backbone, Recipe};
use crate::{Error, Result};

/// Graph and values to begin with.
#[derive(Clone, Debug, PartialEq)]
pub struct Start {
    /// Backbone and head.
    pub graph: Graph,
    /// Its values.
    pub weights: Weights,
    /// Where values came from; `None` where all are new.
    pub source: Option<PathBuf>,
    /// Tensors taken from there.
    pub taken: usize,
    /// Tensors of the graph.
    pub tensors: usize,
    /// Whether normalisations taken from there do not know their inputs' statistics: [`Start::settle`] measures them.
    pub is_folded: bool,
}

impl Recipe {
    /// The graph this recipe trains, for `classes` classes.
    ///
    /// # Errors
    /// An unknown backbone, or one that cannot be built.
    pub fn graph(&self, classes: usize) -> Result<Graph> {
        let Backbone { name, alpha, input: side, channels, stem, .. } = &self.backbone;
        let backbone = backbones::build(name, *alpha, [*side, *side, *channels], *stem)?;
        Ok(attach_head(backbone, &self.head, classes)?)
    }

    /// The graph and the values a training begins with: new ones from the recipe's seed, replaced by
    /// those of the recipe's `backbone.weights` whose layer name and shape agree. A model with the
    /// same head hands its head on, too.
    ///
    /// `base` is the folder at which a relative path starts.
    ///
    /// # Errors
    /// As [`Recipe::graph`]; a file that cannot be read; one from which not a single tensor fits.
    pub fn start(&self, classes: usize, base: &Path) -> Result<Start> {
        let graph = self.graph(classes)?;
        let mut weights = Weights::initialise(&graph, self.seed);
        let tensors = weights.len();
        let Some(path) = self.backbone.weights.as_ref().map(|p| base.join(p)) else {
            return Ok(Start { graph, weights, source: None, taken: 0, tensors, is_folded: false });
        };
        let is_model = path.extension().is_some_and(|e| e == "safetensors");
        let is_pytorch = path.extension().is_some_and(|e| e == "pth" || e == "pt");
        let (theirs, mut found, is_folded) = if is_model {
            let model = Model::load(&path)?;
            (model.graph, model.weights, false)
        } else if is_pytorch {
            let (graph, weights) = formats::pytorch::read(&path)?;
            (graph, weights, false)
        } else {
            let features = formats::tfjs::read_features(&path)?;
            (features.graph, features.weights, features.is_folded)
        };
        if let Some(theirs_range) = self.backbone.weights_range {
            stem::rescale(&theirs, self.input_range, theirs_range, &mut found)?;
        }
        stem::adapt(&graph, &theirs, &mut found)?;
        let taken = weights.take_matching(&graph, &found);
        if taken == 0 {
            let path = path.display();
            return Err(Error::Parameter(format!(
                "{path}: none of its {} tensors has the name and shape of one of {} (alpha {})",
                found.len(),
                self.backbone.name,
                self.backbone.alpha
            )));
        }
        Ok(Start { graph, weights, source: Some(path), taken, tensors, is_folded })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reference_has_the_published_size() {
        let graph = Recipe::default().graph(7).unwrap();
        assert_eq!(graph.parameter_count(), (2_430_663, 2_396_551));
    }

    #[test]
    fn a_model_hands_its_weights_on() {
        let folder = tempfile::tempdir().unwrap();
        let mut recipe = Recipe { seed: 5, ..Recipe::default() };
        recipe.backbone.alpha = 0.1;
        recipe.backbone.input = 32;
        let first = recipe.start(7, folder.path()).unwrap();
        assert_eq!((first.taken, first.source), (0, None));
        let card = moue_graph::ModelCard {
            labels: (0..7).map(|i| i.to_string()).collect(),
            preprocessing: recipe.preprocessing(),
            crop_margin: 0.0,
            calibration: moue_graph::Calibration::default(),
            licence: String::new(),
            training: serde_json::Value::Null,
        };
        let model = Model { graph: first.graph, weights: first.weights, card };
        model.save(folder.path().join("m.safetensors"), moue_graph::Precision::F32).unwrap();

        recipe.seed = 6;
        recipe.backbone.weights = Some("m.safetensors".into());
        recipe.head.hidden = vec![128, 32];
        let second = recipe.start(7, folder.path()).unwrap();
        // The two last fully connected layers have other shapes and stay new.
        assert_eq!(second.taken + 3, second.tensors);
        let kernel = |w: &Weights, name: &str| w.get(name).unwrap().data().to_vec();
        assert_eq!(kernel(&second.weights, "Conv1/kernel"), kernel(&model.weights, "Conv1/kernel"));
        recipe.backbone.alpha = 1.0;
        recipe.backbone.weights = Some("none.safetensors".into());
        assert!(recipe.start(7, folder.path()).is_err());
    }

    #[test]
    fn a_state_dict_is_read_and_must_fit() {
        let fixture =
            concat!(env!("CARGO_MANIFEST_DIR"), "/../moue-graph/tests/fixtures/pytorch/archive.pth");
        let mut recipe = Recipe::default();
        recipe.backbone.name = "efficientnet_lite0".into();
        recipe.backbone.weights = Some(fixture.into());
        // Its names are those of the network, its sizes are not.
        let message = recipe.start(7, Path::new(".")).unwrap_err().to_string();
        assert!(message.contains("none of its 12 tensors"), "{message}");
    }

    #[test]
    fn an_unknown_backbone_is_named() {
        let mut recipe = Recipe::default();
        recipe.backbone.name = "vgg".into();
        assert!(recipe.graph(7).unwrap_err().to_string().contains("vgg"));
    }

    #[test]
    fn the_shared_tensorflow_js_weights_fit() {
        let folder =
            Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data/weights/mobilenet_v2_tfjs"));
        if !folder.exists() {
            eprintln!("SKIPPED: {} is not there", folder.display());
            return;
        }
        let mut recipe = Recipe::default();
        recipe.backbone.weights = Some(folder.to_owned());
        let start = recipe.start(7, Path::new(".")).unwrap();
        // All but the three fully connected layers of the new head.
        assert_eq!(start.taken + 6, start.tensors);
    }
}
