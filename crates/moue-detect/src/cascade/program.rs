//! A cascade laid out for running: flat arrays in the order in which they are read.

use super::grid::LANES;
use super::simd::Simd;
use super::together::View;
use super::{Stage, Tree};

/// What OpenCV takes off every stage threshold, lest rounding reject a window that just passes.
const THRESHOLD_EPSILON: f32 = 1e-5;

/// A bit for each of the windows that are judged together.
pub(super) type Lanes = u32;

/// Every one of them.
pub(super) const ALL: Lanes = (1 << LANES) - 1;

/// What a window looks like to features.
pub(super) struct Window<'a> {
    /// The integral image from the upper left corner of the window on.
    pub sums: &'a [i32],
    /// The same of the tilted one; empty if no feature is tilted.
    pub tilted: &'a [i32],
    /// One over area times standard deviation, for Haar features.
    pub norm: f32,
}

/// A yes-or-no question about a window.
pub(super) trait Test: Send + Sync {
    /// Farthest entry that is read, from that of the window.
    fn reach(&self) -> u32;

    fn goes_left(&self, window: &Window<'_>) -> bool;

    /// The answers for several windows.
    ///
    /// # Safety
    /// The processor has the instruction set, and the view reads up to [`reach`](Self::reach).
    unsafe fn go_left<S: Simd, V: View<S>>(&self, view: &V) -> S::Mask;
}

pub(super) struct Program<T> {
    stages: Vec<StageRange>,
    shape: Shape,
    trees: Vec<TreeStart>,
    nodes: Vec<Branch<T>>,
    leaves: Vec<f32>,
    /// Farthest entry that a test reads, from that of the window.
    reach: u32,
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
            reach: 0,
        };
        for stage in stages {
            let first = program.trees.len();
            stage.trees.iter().for_each(|tree| program.push(tree, &test));
            let threshold = f64::from(stage.threshold - THRESHOLD_EPSILON);
            program.stages.push(StageRange { first, end: program.trees.len(), threshold });
        }
        program.reach = program.nodes.iter().map(|node| node.test.reach()).max().unwrap_or(0);
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
    pub fn passed(&self, window: &Window<'_>) -> usize {
        if self.shape == Shape::Stumps {
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

    /// Whether the window passes one stage.
    pub fn passes(&self, stage: usize, window: &Window<'_>) -> bool {
        let stage = &self.stages[stage];
        let trees = self.trees[stage.first..stage.end].iter();
        let sum: f64 = trees.map(|tree| f64::from(self.leaf(tree, window))).sum();
        sum >= stage.threshold
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
    fn leaf(&self, tree: &TreeStart, window: &Window<'_>) -> f32 {
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

    /// Farthest entry that is read, from that of the window.
    pub fn reach(&self) -> u32 {
        self.reach
    }

    /// Whether several windows can be judged together.
    pub fn takes_many(&self) -> bool {
        self.shape != Shape::Any && !self.stages.is_empty()
    }

    /// The windows that pass a stage.
    ///
    /// # Safety
    /// The processor has the instruction set, the program [`takes_many`](Self::takes_many), and the view reads up to
    /// [`reach`](Self::reach).
    #[inline(always)]
    pub unsafe fn stage<S: Simd, V: View<S>>(&self, stage: usize, view: &V) -> Lanes {
        let stage = &self.stages[stage];
        // SAFETY: as the caller's.
        unsafe {
            let mut sums = S::zero();
            if self.shape == Shape::Stumps {
                for node in &self.nodes[stage.first..stage.end] {
                    let (a, b) = (S::splat(node.values[0]), S::splat(node.values[1]));
                    sums = S::vote(sums, S::choose(node.test.go_left::<S, V>(view), a, b));
                }
            } else {
                // Children stand after their parents, so a vote is always written before it is read.
                let mut votes = [S::splat(0.0); MAX_NODES];
                for tree in &self.trees[stage.first..stage.end] {
                    for (i, node) in self.nodes[tree.node..tree.end].iter().enumerate().rev() {
                        let mut sides = [S::splat(node.values[0]), S::splat(node.values[1])];
                        for (side, child) in sides.iter_mut().zip([node.left, node.right]) {
                            if child > 0 {
                                *side = votes[child as usize % MAX_NODES];
                            }
                        }
                        let [a, b] = sides;
                        votes[i % MAX_NODES] = S::choose(node.test.go_left::<S, V>(view), a, b);
                    }
                    sums = S::vote(sums, votes[0]);
                }
            }
            S::not_below(sums, stage.threshold)
        }
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
