//! The recipe that the arguments ask for.

use std::fs;
use std::io::ErrorKind;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use moue_train::{FitOptions, Recipe};

use super::Args;
use crate::failure::{Failure, Result};
use crate::options::Classes;

/// Recipes inside the program, by name.
const KNOWN: [(&str, &str); 4] = [
    ("seed", include_str!("../../../../../recipes/seed.toml")),
    ("quick", include_str!("../../../../../recipes/quick.toml")),
    ("default", include_str!("../../../../../recipes/default.toml")),
    ("ferplus", include_str!("../../../../../recipes/ferplus.toml")),
];

/// Flags that change single values of the recipe.
#[derive(Clone, Debug, clap::Args)]
pub struct Changes {
    /// Classes to learn [default: the recipe's]
    #[arg(long, value_name = "SET", value_enum)]
    labels: Option<Classes>,
    /// Passes over the training pictures [default: the recipe's]
    #[arg(long, value_name = "N")]
    epochs: Option<NonZeroUsize>,
    /// Pictures a step [default: the recipe's]
    #[arg(long, value_name = "N")]
    batch: Option<NonZeroUsize>,
    /// Highest learning rate [default: the recipe's]
    #[arg(long, value_name = "X")]
    learning_rate: Option<f64>,
    /// Seed of new values, order and augmentation [default: the recipe's]
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Side of the network's square input in pixels [default: the recipe's]
    #[arg(long, value_name = "PX")]
    input: Option<NonZeroUsize>,
    /// Width multiplier of the network [default: the recipe's]
    #[arg(long, value_name = "X")]
    alpha: Option<f32>,
}

/// Reads the recipe and changes it as the flags say. Its paths become absolute, so that a resumed training finds
/// them from any folder.
pub fn choose(args: &Args, options: &FitOptions) -> Result<Recipe> {
    let (mut recipe, base) = match &args.recipe {
        Some(name) => named(name)?,
        None if args.resume && !options.recipe().exists() => {
            return Err(Failure::message(format!(
                "{}: no recipe.toml there, so there is no training to resume; name its --recipe or its --run folder",
                options.folder.display()
            )));
        }
        None if args.resume => (Recipe::load(&options.recipe())?, options.folder.clone()),
        None => named(Path::new(KNOWN[0].0))?,
    };
    for path in recipe.paths_mut() {
        *path = absolute(&base.join(&*path))?;
    }
    if let Some(path) = &args.start {
        recipe.backbone.weights = Some(absolute(path)?);
    }
    if let Some(path) = &args.data.labelled.exclude {
        recipe.data.exclude = Some(absolute(path)?);
    }
    args.changes.apply(&mut recipe);
    // The file was checked when it was read, so what is wrong now was typed.
    recipe.check().map_err(|e| Failure::usage(e.to_string()))?;
    Ok(recipe)
}

/// Whether this names a recipe inside the program.
pub fn is_known(name: &Path) -> bool {
    KNOWN.iter().any(|(known, _)| name == Path::new(known))
}

/// A recipe by its name or file, and the folder at which its relative paths start.
fn named(name: &Path) -> Result<(Recipe, PathBuf)> {
    let known = KNOWN.iter().find(|(known, _)| name == Path::new(known));
    // A file of that name in the current folder is `./seed`.
    if let Some((known, text)) = known {
        return Ok((Recipe::from_toml(text, Path::new(known))?, PathBuf::new()));
    }
    if !name.exists() {
        let names = KNOWN.map(|(known, _)| known).join(", ");
        return Err(Failure::message(format!(
            "{}: no such file, and no recipe of moue ({names})",
            name.display()
        )));
    }
    let base = name.parent().map(Path::to_owned).unwrap_or_default();
    Ok((Recipe::load(name)?, base))
}

fn absolute(path: &Path) -> Result<PathBuf> {
    std::path::absolute(path).map_err(|e| Failure::message(format!("{}: {e}", path.display())))
}

impl Changes {
    fn apply(&self, recipe: &mut Recipe) {
        if let Some(labels) = self.labels {
            recipe.data.labels = labels.into();
        }
        if let Some(epochs) = self.epochs {
            recipe.epochs = epochs.get();
        }
        if let Some(batch) = self.batch {
            recipe.batch = batch.get();
        }
        if let Some(rate) = self.learning_rate {
            recipe.schedule.rate = rate;
        }
        if let Some(seed) = self.seed {
            recipe.seed = seed;
        }
        if let Some(input) = self.input {
            recipe.backbone.input = input.get();
        }
        if let Some(alpha) = self.alpha {
            recipe.backbone.alpha = alpha;
        }
    }
}

/// Removes the files by which a run folder is known as such; others in it are not touched.
pub fn remove_run(options: &FitOptions) -> Result<()> {
    for path in [options.last(), options.best(), options.history(), options.recipe()] {
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(Failure::message(format!("{}: {error}", path.display())));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Removes half-written files of a killed run from its folder. A training that goes on from a checkpoint does so itself,
/// but one that was killed before its first checkpoint begins anew and would leave them there.
pub fn remove_leftovers(options: &FitOptions) -> Result<()> {
    let failed = |e: std::io::Error| Failure::message(format!("{}: {e}", options.folder.display()));
    if !options.folder.is_dir() {
        return Ok(());
    }
    for entry in fs::read_dir(&options.folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if moue_files::whole::is_leftover(&name) {
            fs::remove_file(entry.path()).map_err(failed)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_recipes_inside_can_be_read() {
        for (name, text) in KNOWN {
            let recipe = Recipe::from_toml(text, Path::new(name)).unwrap();
            assert_eq!(recipe.name, name);
        }
    }

    #[test]
    fn the_seed_is_the_reference() {
        let (recipe, _) = named(Path::new("seed")).unwrap();
        let schedule = moue_train::Schedule { rate: 1e-4, ..moue_train::Schedule::default() };
        assert_eq!(recipe, Recipe { name: "seed".into(), schedule, ..Recipe::default() });
    }
}
