//! The card of a finished model.

use std::path::Path;

use moue_graph::Model;
use serde_json::{Map, Value};

/// Takes out of the card what differs between two runs of one recipe: times, which stay in the run folder's history,
/// and where on this machine the files lay. The same recipe and data then give the same file, byte for byte,
/// whether the training was interrupted or not.
pub fn portable(mut model: Model) -> Model {
    if let Some(training) = model.card.training.as_object_mut() {
        training.remove("seconds");
        for row in training.get_mut("history").and_then(Value::as_array_mut).into_iter().flatten() {
            if let Some(row) = row.as_object_mut() {
                row.remove("seconds");
                row.remove("images_per_second");
            }
        }
        for (table, key) in [("backbone", "weights"), ("data", "exclude")] {
            let recipe = training.get_mut("recipe").and_then(|recipe| recipe.get_mut(table));
            if let Some(table) = recipe.and_then(Value::as_object_mut) {
                keep_file_name(table, key);
            }
        }
    }
    model
}

fn keep_file_name(table: &mut Map<String, Value>, key: &str) {
    let Some(path) = table.get_mut(key) else { return };
    let name = path.as_str().and_then(|path| Path::new(path).file_name()).and_then(|name| name.to_str());
    if let Some(name) = name.map(str::to_owned) {
        *path = Value::String(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use moue_graph::{Calibration, Graph, ModelCard, Op, Preprocessing, Weights};
    use serde_json::json;

    #[test]
    fn times_and_places_are_taken_out() {
        let mut builder = Graph::builder("test");
        builder.add("input", Op::InputLayer { shape: vec![2] }, &[]).unwrap();
        let training = json!({
            "seconds": 12.0,
            "epoch": 2,
            "history": [{"epoch": 1, "loss": 0.5, "seconds": 6.0, "images_per_second": 7.0}],
            "recipe": {"backbone": {"weights": "/home/me/start"}, "data": {"holdout": 0.1}},
        });
        let card = ModelCard {
            labels: vec!["a".into(), "b".into()],
            preprocessing: Preprocessing::default(),
            crop_margin: 0.0,
            calibration: Calibration::default(),
            licence: String::new(),
            training,
        };
        let model = Model { graph: builder.finish().unwrap(), weights: Weights::new(), card };
        let expected = json!({
            "epoch": 2,
            "history": [{"epoch": 1, "loss": 0.5}],
            "recipe": {"backbone": {"weights": "start"}, "data": {"holdout": 0.1}},
        });
        assert_eq!(portable(model).card.training, expected);
    }
}
