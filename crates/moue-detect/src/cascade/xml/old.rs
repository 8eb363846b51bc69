//! The format of `opencv_haartraining`, from before OpenCV 2.4: each node carries its own feature.
//!
//! `parent` and `next`, with which that program could write stages that branch, are ignored, as OpenCV
//! has ignored them since it converts such files on loading: the stages run in the order of the file.

use roxmltree::Node as Element;

use super::numbers::{float, list, number, small};
use super::{Fault, check_tree, child, finish, haar_feature, items, room_for_contrast, wanted, window_side};
use crate::cascade::{Cascade, HaarFeature, Node, Size, Stage, Stages, Tree};

pub(super) fn cascade(cascade: Element<'_, '_>) -> Result<Cascade, Fault> {
    let window = size(wanted(cascade, "size")?)?;
    room_for_contrast(cascade, window)?;
    let mut features = Vec::new();
    let list = wanted(cascade, "stages")?;
    let stages = items(list).map(|item| stage(item, window, &mut features)).collect::<Result<Vec<_>, _>>()?;
    Ok(Cascade { window, stages: Stages::Haar { stages: finish(list, stages)?, features } })
}

fn size(element: Element<'_, '_>) -> Result<Size, Fault> {
    let text = list(element);
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    let [width, height] = words[..] else {
        return Err(Fault::at(element, format!("<size> is width and height, not {} numbers", words.len())));
    };
    let side = |word| small(element, word).and_then(|side| window_side(element, side));
    Ok(Size { width: side(width)?, height: side(height)? })
}

fn stage(
    element: Element<'_, '_>,
    window: Size,
    features: &mut Vec<HaarFeature>,
) -> Result<Stage<f32>, Fault> {
    let threshold = number(wanted(element, "stage_threshold")?, float)?;
    let list = wanted(element, "trees")?;
    let trees = items(list).map(|item| tree(item, window, features)).collect::<Result<Vec<_>, _>>()?;
    if trees.is_empty() {
        return Err(Fault::at(list, "a stage without trees"));
    }
    Ok(Stage { threshold, trees })
}

fn tree(element: Element<'_, '_>, window: Size, features: &mut Vec<HaarFeature>) -> Result<Tree<f32>, Fault> {
    let mut tree = Tree { nodes: Vec::new(), leaves: Vec::new() };
    for item in items(element) {
        let test = number(wanted(item, "threshold")?, float)?;
        let feature = features.len() as u32;
        features.push(haar_feature(wanted(item, "feature")?, window)?);
        let left = branch(item, ["left_node", "left_val"], &mut tree.leaves)?;
        let right = branch(item, ["right_node", "right_val"], &mut tree.leaves)?;
        tree.nodes.push(Node { left, right, feature, test });
    }
    if tree.nodes.is_empty() {
        return Err(Fault::at(element, "a tree without nodes"));
    }
    check_tree(element, &tree)?;
    Ok(tree)
}

/// A branch is the number of a node or else the value of a leaf.
fn branch(element: Element<'_, '_>, [node, value]: [&str; 2], leaves: &mut Vec<f32>) -> Result<i32, Fault> {
    if let Some(node) = child(element, node) {
        let number = number(node, small)?;
        return match i32::try_from(number) {
            Ok(number) if number > 0 => Ok(number),
            _ => Err(Fault::at(node, format!("a branch leads to node {number}"))),
        };
    }
    let leaf = -(leaves.len() as i32);
    leaves.push(number(wanted(element, value)?, float)?);
    Ok(leaf)
}
