//! `moue data sample`: a picture or a clip to try moue on that shows nobody.

mod choose;
mod film;
mod mean;
mod patch;
mod wall;

use std::path::PathBuf;

use moue_data::{LabelSet, Usage};
use rayon::prelude::*;

use crate::console;
use crate::failure::{Outcome, Result};
use crate::options::DataSource;

/// Draw a picture of mean faces, one for each emotion, or a clip of people who change their faces, to try moue on
///
/// Each face is the mean over a hundred or more faces of the Training rows, aligned to each other, so that it shows an
/// emotion and nobody in particular. With the votes of FER+, faces on whose emotion people agreed are taken.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    data: DataSource,
    /// The picture to write, as .jpg or .png, or the clip, as .mp4
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

pub fn run(args: Args) -> Result {
    let dataset = args.data.read(LabelSet::Own)?;
    let excluded = args.data.excluded(&dataset)?;
    let mut training = dataset.indices(Usage::Training);
    training.retain(|index| excluded.binary_search(index).is_err());
    let reference = mean::reference(&dataset, &training);
    let chosen: Vec<Vec<usize>> = (0..dataset.labels().len() as u8)
        .map(|label| choose::faces(&dataset, &training, label))
        .collect::<Result<_>>()?;
    let means: Vec<mean::Mean> =
        chosen.par_iter().map(|faces| mean::aligned(&dataset, faces, &reference)).collect();
    for (name, mean) in dataset.labels().names().iter().zip(&means) {
        console::say(format_args!("{name}: mean over {} faces", mean.faces));
    }
    let portraits: Vec<&patch::Patch> = means.iter().map(|mean| &mean.patch).collect();
    match args.out.extension() {
        Some(extension) if extension.eq_ignore_ascii_case("mp4") => film::shoot(&portraits, &args.out)?,
        _ => wall::hang(&portraits).write(&args.out)?,
    }
    Ok(Outcome::Done)
}
