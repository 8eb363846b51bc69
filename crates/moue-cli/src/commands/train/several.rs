//! One recipe, several seeds, all at once.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use super::display::Display;
use super::{Args, Plan};
use crate::failure::{Failure, Outcome, Result, describe};
use crate::files::Files;
use crate::options::Threads;
use crate::{console, interrupt};

/// Trainings at once: each has a network, its gradients and its batches in memory.
const MOST: usize = 64;

/// Trains each seed's model in a thread of its own, on one copy of the data and the same devices. Where one fails, the
/// others go on.
pub fn run(args: Args) -> Result {
    let mut seeds = args.seeds.clone();
    seeds.sort_unstable();
    if seeds.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(Failure::usage("--seeds: each seed gives one model, so none may stand there twice"));
    }
    if seeds.len() > MOST {
        return Err(Failure::usage(format!("--seeds: {} seeds, at most {MOST} at once", seeds.len())));
    }
    let each = NonZeroUsize::new(args.threads.effective() / seeds.len()).unwrap_or(NonZeroUsize::MIN);
    let plans = seeds.iter().map(|&seed| {
        let mut own = args.clone();
        own.seeds.clear();
        own.changes.seed = Some(seed);
        own.out = with_seed(&args.out, seed);
        own.run = args.run.as_deref().map(|run| with_seed(run, seed));
        own.threads = Threads::exactly(each);
        Plan::new(own)
    });
    let plans = plans.collect::<Result<Vec<Plan>>>()?;
    // Together, so that none falls on another's.
    let mut files = Files::default();
    plans.iter().for_each(|plan| plan.declare(&mut files));
    files.check()?;
    plans.iter().try_for_each(Plan::check_targets)?;
    let engine = args.computing.learning_engine()?;
    let Some(first) = plans.first() else { return Ok(Outcome::Done) };
    let dataset = args.data.read(first.recipe.data.labels)?;
    first.check_data(&dataset)?;
    let (engine, dataset) = (engine.as_ref(), &dataset);
    first.watch()?;
    interrupt::keeps("the trainings stand in their run folders; the same command with --resume goes on");
    let failed = std::thread::scope(|scope| {
        let trainings: Vec<_> = plans
            .iter()
            .zip(&seeds)
            .map(|(plan, seed)| {
                let display =
                    Display::new(&plan.options.folder, dataset.source()).named(format!("seed {seed}"));
                // A failure cannot leave its thread as it is; its words can.
                let train = move || plan.train(engine, dataset, display).map_err(words);
                (seed, scope.spawn(train))
            })
            .collect();
        let mut failed = 0;
        for (seed, training) in trainings {
            let reason = match training.join() {
                Ok(Ok(_)) => continue,
                Ok(Err(reason)) => reason,
                Err(_) => "the training stopped in the middle".to_owned(),
            };
            failed += 1;
            console::say(format_args!("moue: seed {seed}: {reason}"));
        }
        failed
    });
    interrupt::check()?;
    Ok(if failed == 0 { Outcome::Done } else { Outcome::PartlyFailed })
}

fn words(failure: Failure) -> String {
    match failure {
        Failure::Usage(reason) | Failure::Refused(reason) => reason,
        Failure::Interrupted => "interrupted".to_owned(),
        Failure::Failed(error) => describe(&*error),
    }
}

/// `mine.safetensors` becomes `mine-seed3.safetensors`.
fn with_seed(path: &Path, seed: u64) -> PathBuf {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let ending = path.extension().map(|e| format!(".{}", e.to_string_lossy())).unwrap_or_default();
    path.with_file_name(format!("{stem}-seed{seed}{ending}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_seed_has_files_of_its_own() {
        assert_eq!(with_seed(Path::new("a/mine.safetensors"), 3), Path::new("a/mine-seed3.safetensors"));
        assert_eq!(with_seed(Path::new("runs/mine"), 12), Path::new("runs/mine-seed12"));
    }
}
