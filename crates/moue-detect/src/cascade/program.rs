//! A cascade laid out for running: flat arrays in the order in which they are read.
//!
//! Windows that stand side by side are judged together, [`LANES`] at a time: what they read at one corner of a feature
//! lies side by side, too. As soon as few of them are left, each goes on alone.

use super::grid::LANES;
use super::simd::Simd;
use super::{Stage, Tree};

/// What OpenCV takes off every stage threshold, lest rounding reject a window that just passes.
const THRESHOLD_EPSILON: f32 = 1e-5;

/// Windows of a block down to which judging them together pays.
const FEW: u32 = 2;

/// A bit for each window of a block.
pub(super) type Lanes = u32;

/// Every window of a block.
pub(super) const ALL: Lanes = (1 << LANES) - 1;

/// A yes-or-no question about a window.
pub(super) trait Test: Send + Sync {
    /// What the question is asked of.
    type Window<'a>;
    /// The same for [`LANES`] windows side by side.
    type Block<'a>;

    fn goes_left(&self, window: &Self::Window<'_>) -> bool;

    /// The answer for each window: 1 for left, 0 for right.
    fn go_left(&self, block: &Self::Block<'_>) -> [u32; LANES];

    /// One window of a block.
    fn single<'a>(block: &Self::Block<'a>, lane: usize) -> Self::Window<'a>
    where
        'a: 'a;
}

pub(super) struct Program<T> {
    stages: Vec<StageRange>,
    shape: Shape,
    trees: Vec<TreeStart>,
    nodes: Vec<Branch<T>>,
    leaves: Vec<f32>,
}

/// What the trees have in common.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// Each is a single decision; then tree `i` is node `i`.
    Stumps,
    /// Each node stands after its parent.
    Ordered,
    /// Anything.
    Any,
}

struct StageRange {
    first: usize,
    end: usize,
    threshold: f64,
}

struct TreeStart {
    node: usize,
    end: usize,
    leaf: usize,
}

struct Branch<T> {
    test: T,
    left: i32,
    right: i32,
    /// The values of the leaves it leads to, where it does.
    values: [f32; 2],
}

/// Most nodes of a tree that are judged together.
const MAX_NODES: usize = 8;

impl<T: Test> Program<T> {
    /// Lays out `stages`; `test` makes the question of a node from its feature and its test.
    pub fn new<S>(stages: &[Stage<S>], test: impl Fn(u32, &S) -> T) -> Self {
        let mut program = Self {
            stages: Vec::new(),
            shape: Shape::Stumps,
            trees: Vec::new(),
            nodes: Vec::new(),
            leaves: Vec::new(),
        };
        for stage in stages {
            let first = program.trees.len();
            stage.trees.iter().for_each(|tree| program.push(tree, &test));
            let threshold = f64::from(stage.threshold - THRESHOLD_EPSILON);
            program.stages.push(StageRange { first, end: program.trees.len(), threshold });
        }
        program
    }

    fn push<S>(&mut self, tree: &Tree<S>, test: &impl Fn(u32, &S) -> T) {
        let children = |i: usize, node: &super::Node<S>| {
            [node.left, node.right].into_iter().all(|next| next <= 0 || next as usize > i)
        };
        if tree.nodes.len() > MAX_NODES || !tree.nodes.iter().enumerate().all(|(i, node)| children(i, node)) {
            self.shape = Shape::Any;
        } else if tree.nodes.len() > 1 && self.shape == Shape::Stumps {
            self.shape = Shape::Ordered;
        }
        let first = self.nodes.len();
        for node in &tree.nodes {
            self.nodes.push(Branch {
                test: test(node.feature, &node.test),
                left: node.left,
                right: node.right,
                values: [node.left, node.right].map(|leaf| match usize::try_from(-i64::from(leaf)) {
                    Ok(leaf) => tree.leaves[leaf],
                    Err(_) => 0.0,
                }),
            });
        }
        self.trees.push(TreeStart { node: first, end: self.nodes.len(), leaf: self.leaves.len() });
        self.leaves.extend(&tree.leaves);
    }

    /// How many stages the window passes, all of them for a hit.
    #[inline]
    pub fn passed(&self, window: &T::Window<'_>) -> usize {
        self.passed_from(0, window)
    }

    /// How many stages there are.
    pub fn stage_count(&self) -> usize {
        self.stages.len()
    }

    /// The same for a window that has passed the first `stage` stages.
    #[inline]
    fn passed_from(&self, stage: usize, window: &T::Window<'_>) -> usize {
        if self.shape == Shape::Stumps {
            self.passed_by(stage, |tree| {
                let node = &self.nodes[tree];
                node.values[usize::from(!node.test.goes_left(window))]
            })
        } else {
            self.passed_by(stage, |tree| self.leaf(&self.trees[tree], window))
        }
    }

    #[inline(always)]
    fn passed_by(&self, from: usize, vote: impl Fn(usize) -> f32) -> usize {
        for (i, stage) in self.stages.iter().enumerate().skip(from) {
            let mut sum = 0.0_f64;
            for tree in stage.first..stage.end {
                sum += f64::from(vote(tree));
            }
            if sum < stage.threshold {
                return i;
            }
        }
        self.stages.len()
    }

    #[inline(always)]
    fn leaf(&self, tree: &TreeStart, window: &T::Window<'_>) -> f32 {
        let mut at = 0_usize;
        loop {
            let node = &self.nodes[tree.node + at];
            let next = if node.test.goes_left(window) { node.left } else { node.right };
            match usize::try_from(next) {
                Ok(child) if child > 0 => at = child,
                _ => return self.leaves[tree.leaf + next.unsigned_abs() as usize],
            }
        }
    }

    /// The windows of a block that pass the first stage.
    #[inline(always)]
    pub fn first_stage<S: Simd>(&self, block: &T::Block<'_>) -> Lanes {
        match self.stages.first() {
            Some(stage) => self.stage::<S>(stage, block, ALL),
            None => ALL,
        }
    }

    /// Those of `alive`, which have passed the first stage, that pass the rest.
    #[inline(always)]
    pub fn other_stages<S: Simd>(&self, block: &T::Block<'_>, mut alive: Lanes) -> Lanes {
        for (i, stage) in self.stages.iter().enumerate().skip(1) {
            if alive.count_ones() <= FEW {
                let mut passed = 0;
                while alive != 0 {
                    let lane = alive.trailing_zeros();
                    alive &= alive - 1;
                    let window = T::single(block, lane as usize);
                    if self.passed_from(i, &window) == self.stages.len() {
                        passed |= 1 << lane;
                    }
                }
                return passed;
            }
            alive &= self.stage::<S>(stage, block, alive);
        }
        alive
    }

    #[inline(always)]
    fn stage<S: Simd>(&self, stage: &StageRange, block: &T::Block<'_>, alive: Lanes) -> Lanes {
        let mut sums = [0.0_f64; LANES];
        match self.shape {
            Shape::Stumps => {
                for node in &self.nodes[stage.first..stage.end] {
                    let left = node.test.go_left(block);
                    S::vote(&left, node.values, &mut sums);
                }
            }
            Shape::Ordered => {
                // Children stand after their parents, so a vote is always written before it is read.
                let mut votes = [[0.0_f32; LANES]; MAX_NODES];
                for tree in &self.trees[stage.first..stage.end] {
                    let nodes = &self.nodes[tree.node..tree.end];
                    for (i, node) in nodes.iter().enumerate().rev() {
                        let left = node.test.go_left(block);
                        let [a, b] = node.values.map(|value| [value; LANES]);
                        let vote = match (node.left, node.right) {
                            (1.., 1..) => {
                                let sides = [node.left, node.right].map(|next| next as usize % MAX_NODES);
                                S::choose(&left, &votes[sides[0]], &votes[sides[1]])
                            }
                            (1.., _) => S::choose(&left, &votes[node.left as usize % MAX_NODES], &b),
                            (_, 1..) => S::choose(&left, &a, &votes[node.right as usize % MAX_NODES]),
                            _ => S::choose(&left, &a, &b),
                        };
                        votes[i % MAX_NODES] = vote;
                    }
                    S::add(&votes[0], &mut sums);
                }
            }
            Shape::Any => {
                let mut passed = 0;
                for lane in 0..LANES {
                    if alive & (1 << lane) != 0 {
                        let window = T::single(block, lane);
                        let sum: f64 = self.trees[stage.first..stage.end]
                            .iter()
                            .map(|tree| f64::from(self.leaf(tree, &window)))
                            .sum();
                        passed |= Lanes::from(sum >= stage.threshold) << lane;
                    }
                }
                return passed;
            }
        }
        S::not_below(&sums, stage.threshold)
    }
}

/// Which windows of a row are visited, left to right: where not even the first stage sees a face, the next is left out.
/// `passed` has a bit for each window that does not let the next one be left out, `skip` says whether the first of the
/// block is left out already and is set for the block after it.
#[inline(always)]
pub(super) fn visited(passed: Lanes, skip: &mut bool) -> Lanes {
    let mut visited = 0;
    let mut at = usize::from(*skip);
    while at < LANES {
        visited |= 1 << at;
        at += if passed & (1 << at) != 0 { 1 } else { 2 };
    }
    *skip = at > LANES;
    visited
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_after_a_hopeless_one_is_left_out() {
        let mut skip = false;
        assert_eq!(visited(0, &mut skip), 0x5555);
        assert!(!skip);
        assert_eq!(visited(0b10, &mut skip), 0x5555);
        // Window 0 passes, so 1 is visited and 2 left out; the last visited one, 15, leaves out the next block's first.
        assert_eq!(visited(1, &mut skip), 0xaaab);
        assert!(skip);
        assert_eq!(visited(ALL, &mut skip), 0xfffe);
        assert!(!skip);
    }
}
