//! Trains LBP cascades.
//!
//! Each stage is boosted (Gentle AdaBoost, Friedman, Hastie and Tibshirani 2000) from single decisions on
//! multi-block LBP features, as OpenCV's `opencv_traincascade -featureType LBP -bt GAB -maxDepth 1` does:
//! a decision splits the 256 patterns of one feature into two sets, each with a vote. The stage's
//! threshold lets through the wished share of the faces; trees are added until few enough of the
//! other windows pass. Those windows are mined: each stage learns from what the stages before it wrongly
//! let through in pictures without faces (Viola and Jones 2001).
//!
//! The same data, parameters and seed give the same cascade, whatever the number of threads.

mod boost;
mod material;
mod mine;
mod samples;

use std::sync::Arc;

use moue_media::Grey;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

pub use self::material::Material;

use self::boost::Votes;
use self::mine::Miner;
use self::samples::Samples;
use super::{Cascade, LbpFeature, Node, Size, Stage, Stages, Subset, Tree};
use crate::Error;

/// Most bytes the table of feature values may take.
const MAX_TABLE_BYTES: usize = 4 << 30;

/// In the first stage the faces weigh at least this many times what the other windows do; 30 % less in each
/// stage after it.
const FIRST_ASYMMETRY: f32 = 3.0;

/// What to train.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainParameters {
    /// Size of the window, 3 to 64 pixels a side.
    pub window: Size,
    /// Most stages. Training ends sooner where the pictures yield too few false faces for another.
    pub stages: usize,
    /// Least share of its faces that a stage lets through; above 0.5, at most 1.
    pub min_hit_rate: f64,
    /// Largest share of the mined windows that a stage lets through; above 0, below 1.
    pub max_false_alarm: f64,
    /// Most trees in the first stage; the limit grows by 40 % from each stage to the next. A stage is closed
    /// at its limit though more false alarms pass than wished. Nearly all windows are seen by the first
    /// stages only, so their size decides the speed.
    pub first_trees: usize,
    /// Most trees in any stage.
    pub max_trees: usize,
    /// How many windows without faces each stage learns from.
    pub negatives: usize,
    /// Share of the features that are tried for each tree, drawn anew each time; above 0, at most 1.
    pub feature_share: f64,
    /// Seed of all random choices.
    pub seed: u64,
}

impl Default for TrainParameters {
    fn default() -> Self {
        Self {
            window: Size { width: 24, height: 24 },
            stages: 20,
            min_hit_rate: 0.995,
            max_false_alarm: 0.5,
            first_trees: 6,
            max_trees: 100,
            negatives: 5000,
            feature_share: 0.5,
            seed: 0,
        }
    }
}

/// How far training is.
#[derive(Clone, Debug, PartialEq)]
pub enum Progress {
    /// Windows without faces are being mined for a stage.
    Mining {
        /// The stage, counted from 0.
        stage: usize,
        /// Windows found so far.
        found: usize,
        /// Windows wanted.
        wanted: usize,
        /// Passes over all pictures begun so far for this stage.
        passes: usize,
    },
    /// A tree was added.
    Tree {
        /// The stage, counted from 0.
        stage: usize,
        /// Trees in it.
        trees: usize,
        /// Share of the mined windows it now lets through.
        false_alarm: f64,
    },
    /// A stage is finished.
    Stage {
        /// The stage, counted from 0.
        stage: usize,
        /// Trees in it.
        trees: usize,
        /// Share of its faces it lets through.
        hit_rate: f64,
        /// Share of its mined windows it lets through.
        false_alarm: f64,
        /// Share of all windows of the negative pictures that came through the stages before it.
        mined_rate: f64,
        /// The cascade as it is now; it can be used, and saved lest the work be lost.
        cascade: Arc<Cascade>,
    },
}

impl TrainParameters {
    fn trees(&self, stage: usize) -> usize {
        let limit = self.first_trees as f64 * 1.4_f64.powi(stage.min(100) as i32);
        (limit.min(self.max_trees as f64)) as usize
    }

    /// How much more the faces weigh: most in the stages that must be short.
    fn asymmetry(&self, stage: usize) -> f32 {
        FIRST_ASYMMETRY * 0.7_f32.powi(stage.min(100) as i32)
    }

    fn check(&self, positives: &[Grey], negatives: &[Grey]) -> Result<(), Error> {
        let wrong = |name, value: String, expected| Err(Error::Parameter { name, value, expected });
        let sides = [self.window.width, self.window.height];
        if sides.iter().any(|side| !(3..=64).contains(side)) {
            return wrong("the window", format!("{}x{}", sides[0], sides[1]), "3 to 64 pixels a side");
        }
        if [self.stages, self.first_trees, self.max_trees, self.negatives].contains(&0) {
            return wrong("stages, trees or negatives", "0".into(), "at least 1");
        }
        if !(self.min_hit_rate > 0.5 && self.min_hit_rate <= 1.0) {
            return wrong("the hit rate", self.min_hit_rate.to_string(), "above 0.5 and at most 1");
        }
        if !(self.max_false_alarm > 0.0 && self.max_false_alarm < 1.0) {
            return wrong("the false alarm rate", self.max_false_alarm.to_string(), "between 0 and 1");
        }
        if !(self.feature_share > 0.0 && self.feature_share <= 1.0) {
            return wrong("the feature share", self.feature_share.to_string(), "above 0 and at most 1");
        }
        if positives.len() < 10 {
            return Err(Error::Training(format!(
                "{} faces are too few; at least 10 are needed",
                positives.len()
            )));
        }
        let fits = |face: &Grey| (face.width(), face.height()) == (self.window.width, self.window.height);
        if let Some(i) = positives.iter().position(|face| !fits(face)) {
            let (face, window) = (&positives[i], self.window);
            return Err(Error::Training(format!(
                "face {i} has {}x{} pixels, but the window {}x{}",
                face.width(),
                face.height(),
                window.width,
                window.height
            )));
        }
        let holds = |picture: &Grey| picture.width() >= sides[0] && picture.height() >= sides[1];
        if !negatives.iter().any(holds) {
            return Err(Error::Training("no picture without faces is as large as the window".into()));
        }
        let table =
            features(self.window).len().saturating_mul(positives.len().saturating_add(self.negatives));
        if table > MAX_TABLE_BYTES {
            return Err(Error::Training(format!(
                "the feature values of {} faces and {} other windows would take {} MB; the limit is {} MB",
                positives.len(),
                self.negatives,
                table >> 20,
                MAX_TABLE_BYTES >> 20
            )));
        }
        Ok(())
    }
}

/// Trains a cascade from faces, each of exactly the window's size, and pictures without any face.
///
/// `progress` is told of every step. Fewer stages than asked for come back where even many passes over
/// the pictures find too few windows that still pass.
///
/// # Errors
/// [`Error::Parameter`] and [`Error::Training`] where parameters or data make no sense.
pub fn train(
    positives: &[Grey],
    negatives: &[Grey],
    parameters: &TrainParameters,
    progress: &mut dyn FnMut(Progress),
) -> Result<Cascade, Error> {
    parameters.check(positives, negatives)?;
    let window = parameters.window;
    let features = features(window);
    let mut random = ChaCha8Rng::seed_from_u64(parameters.seed);
    let mut faces = Samples::new(window);
    positives.iter().for_each(|face| faces.push(face.pixels()));
    let mut others = Samples::new(window);
    let mut miner = Miner::new(negatives, window, &mut random);
    let mut stages: Vec<Stage<Subset>> = Vec::new();
    let mut cascade: Option<Arc<Cascade>> = None;

    while stages.len() < parameters.stages {
        let number = stages.len();
        let mut mining = |found, passes| {
            progress(Progress::Mining { stage: number, found, wanted: parameters.negatives, passes })
        };
        let mined_rate =
            miner.fill(cascade.clone(), parameters.negatives, &mut others, &mut random, &mut mining);
        // Fewer windows than this would teach a stage only what they happen to share.
        if others.len() < parameters.negatives.div_ceil(4) {
            break;
        }
        let mut votes = Votes::new(&features, &faces, &others, parameters.asymmetry(number));
        let mut stage = Stage { threshold: 0.0, trees: Vec::new() };
        let mut false_alarm = 1.0;
        while stage.trees.len() < parameters.trees(number) && false_alarm > parameters.max_false_alarm {
            let decision = votes.boost(parameters.feature_share, &mut random);
            stage.trees.push(Tree {
                nodes: vec![Node { left: 0, right: -1, feature: decision.feature, test: decision.subset }],
                leaves: decision.leaves.to_vec(),
            });
            stage.threshold = votes.threshold(parameters.min_hit_rate);
            false_alarm = votes.false_alarm(stage.threshold);
            progress(Progress::Tree { stage: number, trees: stage.trees.len(), false_alarm });
        }
        let (kept_faces, kept_others) = votes.passing(stage.threshold);
        let hit_rate = kept_faces.iter().filter(|&&kept| kept).count() as f64 / faces.len() as f64;
        faces.retain(&kept_faces);
        others.retain(&kept_others);
        let trees = stage.trees.len();
        stages.push(stage);
        let so_far = Arc::new(compact(window, &features, &stages));
        cascade = Some(so_far.clone());
        progress(Progress::Stage {
            stage: number,
            trees,
            hit_rate,
            false_alarm,
            mined_rate,
            cascade: so_far,
        });
    }
    let cascade = cascade.ok_or_else(|| Error::Training("the pictures hold too few windows".into()))?;
    Ok(Arc::unwrap_or_clone(cascade))
}

/// Every grid of 3 x 3 equal blocks that fits the window.
fn features(window: Size) -> Vec<LbpFeature> {
    let mut features = Vec::new();
    for block_height in 1..=window.height / 3 {
        for block_width in 1..=window.width / 3 {
            for y in 0..=window.height - 3 * block_height {
                for x in 0..=window.width - 3 * block_width {
                    features.push(LbpFeature { x, y, block_width, block_height });
                }
            }
        }
    }
    features
}

/// A cascade with only those features that its trees use.
fn compact(window: Size, features: &[LbpFeature], stages: &[Stage<Subset>]) -> Cascade {
    let mut stages = stages.to_vec();
    let nodes = stages.iter_mut().flat_map(|stage| &mut stage.trees).flat_map(|tree| &mut tree.nodes);
    let mut used: Vec<u32> = Vec::new();
    for node in nodes {
        let place = used.iter().position(|&feature| feature == node.feature).unwrap_or_else(|| {
            used.push(node.feature);
            used.len() - 1
        });
        node.feature = place as u32;
    }
    let features = used.into_iter().map(|feature| features[feature as usize]).collect();
    Cascade { window, stages: Stages::Lbp { features, stages } }
}
