//! A cascade laid out for running: flat arrays in the order in which they are read.

use super::{Stage, Tree};

/// What OpenCV takes off every stage threshold, lest rounding reject a window that just passes.
const THRESHOLD_EPSILON: f32 = 1e-5;

/// A yes-or-no question about a window.
pub(super) trait Test: Send + Sync {
    /// What the question is asked of.
    type Window<'a>;

    fn goes_left(&self, window: &Self::Window<'_>) -> bool;
}

pub(super) struct Program<T> {
    stages: Vec<StageRange>,
    /// Whether every tree is a single decision; then tree `i` is node `i` with leaves `2 i`, `2 i + 1`.
    stumps: bool,
    trees: Vec<TreeStart>,
    nodes: Vec<Branch<T>>,
    leaves: Vec<f32>,
}

struct StageRange {
    first: usize,
    end: usize,
    threshold: f64,
}

struct TreeStart {
    node: usize,
    leaf: usize,
}

struct Branch<T> {
    test: T,
    left: i32,
    right: i32,
    /// The leaves' values, if the tree is a single decision.
    values: [f32; 2],
}

impl<T: Test> Program<T> {
    /// Lays out `stages`; `test` makes the question of a node from its feature and its test.
    pub fn new<S>(stages: &[Stage<S>], test: impl Fn(u32, &S) -> T) -> Self {
        let mut program = Self {
            stages: Vec::new(),
            stumps: true,
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
        self.stumps &= tree.nodes.len() == 1;
        self.trees.push(TreeStart { node: self.nodes.len(), leaf: self.leaves.len() });
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
        self.leaves.extend(&tree.leaves);
    }

    /// How many stages the window passes, all of them for a hit.
    #[inline]
    pub fn passed(&self, window: &T::Window<'_>) -> usize {
        if self.stumps {
            self.passed_by(|tree| {
                let node = &self.nodes[tree];
                node.values[usize::from(!node.test.goes_left(window))]
            })
        } else {
            self.passed_by(|tree| self.leaf(&self.trees[tree], window))
        }
    }

    /// How many stages there are.
    pub fn stage_count(&self) -> usize {
        self.stages.len()
    }

    #[inline(always)]
    fn passed_by(&self, vote: impl Fn(usize) -> f32) -> usize {
        for (i, stage) in self.stages.iter().enumerate() {
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
}
