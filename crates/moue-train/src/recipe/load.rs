//! Recipes from TOML, with errors that name the line.

use std::ops::Range;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Recipe;
use crate::{Error, Result};

/// A recipe is a page of text; anything larger is some other file.
const MAX_BYTES: u64 = 1 << 20;

impl Recipe {
    /// Reads a recipe; an error names file, line and what was expected.
    pub fn load(path: &Path) -> Result<Self> {
        let size = std::fs::metadata(path).map_err(|e| Error::io(path, e))?.len();
        if size > MAX_BYTES {
            let reason = format!("{size} bytes are too many for a recipe (at most {MAX_BYTES})");
            return Err(Error::Recipe { path: path.to_owned(), line: 1, reason });
        }
        let bytes = std::fs::read(path).map_err(|e| Error::io(path, e))?;
        let text = moue_files::text::decode(&bytes).map_err(|fault| Error::Recipe {
            path: path.to_owned(),
            line: fault.line as usize,
            reason: fault.reason,
        })?;
        Self::from_toml(text, path)
    }

    /// Reads a recipe from its text; `path` is only named in errors.
    pub fn from_toml(text: &str, path: &Path) -> Result<Self> {
        let fault = |span: Range<usize>, reason: String| Error::Recipe {
            path: path.to_owned(),
            line: 1 + text.bytes().take(span.start).filter(|&b| b == b'\n').count(),
            reason,
        };
        let recipe: Self =
            toml::from_str(text).map_err(|e| fault(e.span().unwrap_or(0..0), e.message().into()))?;
        recipe.faults().map_err(|f| {
            let span = span_of(text, &f.keys).unwrap_or(0..0);
            fault(span, format!("{}: {}", f.keys.join("."), f.reason))
        })?;
        Ok(recipe)
    }

    /// The recipe as TOML text that [`Recipe::from_toml`] reads back.
    pub fn to_toml(&self) -> Result<String> {
        toml::to_string(self).map_err(|e| Error::Parameter(format!("recipe {}: {e}", self.name)))
    }
}

/// Where the value at `keys` (or the innermost table that is there) stands.
fn span_of(text: &str, keys: &[&'static str]) -> Option<Range<usize>> {
    let root = DeTable::parse(text).ok()?;
    let mut table: &DeTable<'_> = root.get_ref();
    let mut span = None;
    for key in keys {
        let Some((name, value)) = table.iter().find(|(name, _)| name.get_ref() == key) else { break };
        span = Some(Spanned::span(name));
        match value.get_ref() {
            DeValue::Table(inner) => table = inner,
            _ => break,
        }
    }
    span
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::{ClassWeights, Metric};

    fn read(text: &str) -> Result<Recipe> {
        Recipe::from_toml(text, Path::new("a.toml"))
    }

    fn message(text: &str) -> String {
        read(text).unwrap_err().to_string()
    }

    #[test]
    fn an_empty_recipe_is_the_reference() {
        assert_eq!(read("").unwrap(), Recipe::default());
    }

    #[test]
    fn every_field_survives_the_way_to_text_and_back() {
        let recipe = read(
            "name = 'x'\nepochs = 3\nclass_weights = { kind = 'balanced', power = 0.5 }\n\
             [optimizer]\nname = 'sgd'\nmomentum = 0.9\n[schedule]\nrate = 0.1\ndecay = { shape = 'cosine' }\n\
             [early_stopping]\npatience = 4\nmetric = 'val_loss'\n[averaging]\ndecay = 0.99\n\
             [augmentation]\nflip = 0.5\nerasing = { probability = 0.3, area = [0.1, 0.2] }\n\
             [freeze]\nuntil = 'Conv1_relu'\nunfreeze_epoch = 2\n[backbone]\nweights = 'w'\n[data]\nexclude = 'e.csv'\n",
        )
        .unwrap();
        assert_eq!(recipe.class_weights, ClassWeights::Balanced { power: 0.5 });
        assert_eq!(recipe.early_stopping.as_ref().unwrap().metric, Metric::ValLoss);
        let text = recipe.to_toml().unwrap();
        assert_eq!(read(&text).unwrap(), recipe, "{text}");
        let json = serde_json::to_value(&recipe).unwrap();
        assert_eq!(serde_json::from_value::<Recipe>(json).unwrap(), recipe);
    }

    #[test]
    fn errors_name_file_and_line() {
        assert!(message("name = 'x'\nepoch = 3\n").starts_with("a.toml:2: unknown field `epoch`"));
        assert!(message("\n\n[backbone]\nalfa = 1\n").starts_with("a.toml:4: unknown field `alfa`"));
        assert!(message("seed = 1\nepochs = 'many'\n").starts_with("a.toml:2: invalid type"));
        assert!(
            message("[schedule]\nrate = 0.1\ndecay = { shape = 'round' }")
                .starts_with("a.toml:3: unknown variant")
        );
        assert!(message("[schedule").starts_with("a.toml:1: "));
    }

    #[test]
    fn values_out_of_range_name_their_line() {
        assert_eq!(message("seed = 1\nbatch = 0\n"), "a.toml:2: batch: 0 must lie in 1..=4096");
        assert_eq!(
            message("seed = 1\n[backbone]\nname = 'mobilenet_v2'\nalpha = 9\n"),
            "a.toml:4: backbone.alpha: 9 must lie in 0.1..=4"
        );
        assert!(message("[schedule]\n\nrate = -1").starts_with("a.toml:3: schedule.rate: -1"));
        assert!(message("[optimizer]\nname='adam'\nbeta_1 = 1.0").starts_with("a.toml:3: optimizer.beta_1"));
        assert!(message("[augmentation]\nflip = 2").starts_with("a.toml:2: augmentation.flip"));
        assert!(message("input_range = [1, 0]").starts_with("a.toml:1: input_range"));
        assert!(message("sharpness = -0.1").starts_with("a.toml:1: sharpness"));
        assert!(
            message("[backbone]\nweights_range = [2, 1]").starts_with("a.toml:2: backbone.weights_range")
        );
        assert!(message("name = '../x'").starts_with("a.toml:1: name"));
        assert!(message("\nlabel_smoothing = nan").starts_with("a.toml:2: label_smoothing"));
    }

    #[test]
    fn the_recipes_of_the_project_are_valid() {
        let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../recipes"));
        let mut names = Vec::new();
        // Other folders hold recipes of other kinds, for instance those of detectors.
        let folders = [folder.to_owned(), folder.join("teachers")];
        for entry in folders.iter().flat_map(|folder| std::fs::read_dir(folder).unwrap()) {
            let path = entry.unwrap().path();
            if path.is_dir() {
                continue;
            }
            let recipe = Recipe::load(&path).unwrap();
            assert_eq!(path.file_stem().unwrap().to_str().unwrap(), recipe.name);
            let mut graph = recipe.graph(7).unwrap();
            recipe.freeze.apply(&mut graph, 1).unwrap();
            names.push(recipe.name);
        }
        assert!(names.contains(&"seed".to_owned()) && names.contains(&"default".to_owned()), "{names:?}");
    }

    #[test]
    fn a_recipe_file_is_limited_before_it_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("big.toml");
        std::fs::File::create(&path).unwrap().set_len(MAX_BYTES + 1).unwrap();
        assert!(Recipe::load(&path).unwrap_err().to_string().contains("too many"));
        std::fs::write(&path, b"name = 'x'\n\xff\xfe").unwrap();
        assert!(Recipe::load(&path).unwrap_err().to_string().contains(":2: no UTF-8"));
        let utf16: Vec<u8> = "name = 'x'".encode_utf16().flat_map(u16::to_le_bytes).collect();
        std::fs::write(&path, utf16).unwrap();
        assert!(Recipe::load(&path).unwrap_err().to_string().contains("UTF-16"));
        std::fs::write(&path, b"\xef\xbb\xbfname = 'x'\r\nseed = 3\r\n").unwrap();
        assert_eq!(Recipe::load(&path).unwrap().seed, 3);
        assert!(matches!(Recipe::load(&folder.path().join("none.toml")), Err(Error::Io { .. })));
    }
}
