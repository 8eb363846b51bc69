//! Reads OpenCV's cascade XML: the format of `opencv_traincascade` (OpenCV 2.4 and later) and the older
//! one of `opencv_haartraining`.

mod numbers;
mod old;

use roxmltree::{Document, Node as Element, ParsingOptions};

use self::numbers::{float, integer, list, number, small};
use super::{
    Cascade, HaarFeature, HaarRect, LbpFeature, MAX_WINDOW, Node, Size, Stage, Stages, Subset, Tree,
};

/// Most elements, comments and texts; a bound on the memory that hostile XML can take.
const MAX_XML_NODES: u32 = 4_000_000;

/// What is wrong with the text, and where.
#[derive(Debug)]
pub(super) struct Fault {
    pub line: Option<u32>,
    pub what: String,
}

impl Fault {
    fn at(element: Element<'_, '_>, what: impl Into<String>) -> Self {
        let line = element.document().text_pos_at(element.range().start).row;
        Self { line: Some(line), what: what.into() }
    }
}

pub(super) fn parse(text: &str) -> Result<Cascade, Fault> {
    let options = ParsingOptions { nodes_limit: MAX_XML_NODES, ..ParsingOptions::default() };
    let document = Document::parse_with_options(text, options)
        .map_err(|error| Fault { line: Some(error.pos().row), what: format!("no sound XML: {error}") })?;
    let root = document.root_element();
    if !root.has_tag_name("opencv_storage") {
        let what = format!("no OpenCV file: the root is <{}>, not <opencv_storage>", root.tag_name().name());
        return Err(Fault::at(root, what));
    }
    let Some(cascade) = root.children().find(Element::is_element) else {
        return Err(Fault::at(root, "an OpenCV file with nothing in it, so no cascade"));
    };
    if child(cascade, "stageType").is_some() {
        present(cascade)
    } else if cascade.attribute("type_id") == Some("opencv-haar-classifier") {
        old::cascade(cascade)
    } else {
        let what = format!("no cascade: <{}> has no <stageType>", cascade.tag_name().name());
        Err(Fault::at(cascade, what))
    }
}

fn present(cascade: Element<'_, '_>) -> Result<Cascade, Fault> {
    let stage_type = wanted(cascade, "stageType")?;
    if word(stage_type) != "BOOST" {
        return Err(Fault::at(
            stage_type,
            format!("stages of type {:?}, but only BOOST is known", word(stage_type)),
        ));
    }
    let feature_type = wanted(cascade, "featureType")?;
    let window = Size { width: side(wanted(cascade, "width")?)?, height: side(wanted(cascade, "height")?)? };
    let categories = number(wanted(wanted(cascade, "featureParams")?, "maxCatCount")?, small)?;
    let features = wanted(cascade, "features")?;
    let stages = match word(feature_type).as_str() {
        "LBP" => {
            if categories != 256 {
                let what = format!("LBP features have 256 patterns, but maxCatCount says {categories}");
                return Err(Fault::at(cascade, what));
            }
            let features =
                items(features).map(|item| lbp_feature(item, window)).collect::<Result<Vec<_>, _>>()?;
            let stages = stages(cascade, features.len(), 11, subset)?;
            Stages::Lbp { features, stages }
        }
        "HAAR" => {
            if categories != 0 {
                let what = format!("HAAR features are not categories, but maxCatCount says {categories}");
                return Err(Fault::at(cascade, what));
            }
            room_for_contrast(cascade, window)?;
            let features =
                items(features).map(|item| haar_feature(item, window)).collect::<Result<Vec<_>, _>>()?;
            let stages = stages(cascade, features.len(), 4, |element, words| float(element, words[0]))?;
            Stages::Haar { features, stages }
        }
        other => {
            let what = format!("features of type {other:?}, but only LBP and HAAR are known");
            return Err(Fault::at(feature_type, what));
        }
    };
    Ok(Cascade { window, stages })
}

fn stages<T>(
    cascade: Element<'_, '_>,
    features: usize,
    step: usize,
    test: impl Fn(Element<'_, '_>, &[&str]) -> Result<T, Fault>,
) -> Result<Vec<Stage<T>>, Fault> {
    let list = wanted(cascade, "stages")?;
    let stages = items(list).map(|item| stage(item, features, step, &test)).collect::<Result<Vec<_>, _>>()?;
    if let Some(said) = child(cascade, "stageNum") {
        check_count(said, "stages", stages.len())?;
    }
    finish(list, stages)
}

/// Checks that need all stages.
fn finish<T>(element: Element<'_, '_>, stages: Vec<Stage<T>>) -> Result<Vec<Stage<T>>, Fault> {
    if stages.is_empty() {
        return Err(Fault::at(element, "a cascade without stages"));
    }
    let mut trees = stages.iter().flat_map(|stage| &stage.trees);
    let single = |tree: &Tree<T>| tree.nodes.len() == 1;
    // OpenCV takes leaf 0 for "left" in cascades of single decisions, whatever the file says.
    if trees.clone().all(single) && trees.any(|tree| (tree.nodes[0].left, tree.nodes[0].right) != (0, -1)) {
        return Err(Fault::at(
            element,
            "a single decision whose children are not leaf 0 and leaf 1 (written 0 -1)",
        ));
    }
    Ok(stages)
}

fn stage<T>(
    element: Element<'_, '_>,
    features: usize,
    step: usize,
    test: &impl Fn(Element<'_, '_>, &[&str]) -> Result<T, Fault>,
) -> Result<Stage<T>, Fault> {
    let threshold = number(wanted(element, "stageThreshold")?, float)?;
    let list = wanted(element, "weakClassifiers")?;
    let trees = items(list).map(|item| tree(item, features, step, test)).collect::<Result<Vec<_>, _>>()?;
    if trees.is_empty() {
        return Err(Fault::at(list, "a stage without trees"));
    }
    if let Some(said) = child(element, "maxWeakCount") {
        check_count(said, "trees in the stage", trees.len())?;
    }
    Ok(Stage { threshold, trees })
}

fn tree<T>(
    element: Element<'_, '_>,
    features: usize,
    step: usize,
    test: &impl Fn(Element<'_, '_>, &[&str]) -> Result<T, Fault>,
) -> Result<Tree<T>, Fault> {
    let inner = wanted(element, "internalNodes")?;
    let text = list(inner);
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    if words.is_empty() || !words.len().is_multiple_of(step) {
        let what = format!("{} numbers in <internalNodes>, but a node has {step}", words.len());
        return Err(Fault::at(inner, what));
    }
    let mut nodes = Vec::with_capacity(words.len() / step);
    for words in words.chunks_exact(step) {
        let feature = small(inner, words[2])?;
        if feature as usize >= features {
            let what = format!("a node asks for feature {feature}, but there are {features}");
            return Err(Fault::at(inner, what));
        }
        let (left, right) = (integer(inner, words[0])?, integer(inner, words[1])?);
        nodes.push(Node { left, right, feature, test: test(inner, &words[3..])? });
    }
    let values = wanted(element, "leafValues")?;
    let leaves =
        list(values).split_ascii_whitespace().map(|w| float(values, w)).collect::<Result<Vec<_>, _>>()?;
    let tree = Tree { nodes, leaves };
    check_tree(element, &tree)?;
    Ok(tree)
}

/// Every child exists, and every node is the child of at most one other, the root of none: so there is
/// no way round in a circle.
fn check_tree<T>(element: Element<'_, '_>, tree: &Tree<T>) -> Result<(), Fault> {
    let (nodes, leaves) = (tree.nodes.len(), tree.leaves.len());
    if leaves != nodes + 1 {
        let what = format!("a tree of {nodes} nodes has {} leaves, but the file gives {leaves}", nodes + 1);
        return Err(Fault::at(element, what));
    }
    let mut has_parent = vec![false; nodes];
    for child in tree.nodes.iter().flat_map(|node| [node.left, node.right]) {
        let number = child.unsigned_abs() as usize;
        if child <= 0 {
            if number >= leaves {
                return Err(Fault::at(
                    element,
                    format!("a node leads to leaf {number}, but there are {leaves}"),
                ));
            }
        } else if number >= nodes {
            return Err(Fault::at(element, format!("a node leads to node {number}, but there are {nodes}")));
        } else if std::mem::replace(&mut has_parent[number], true) {
            let what = format!("two branches lead to node {number}: no tree, perhaps a circle");
            return Err(Fault::at(element, what));
        }
    }
    Ok(())
}

fn subset(element: Element<'_, '_>, words: &[&str]) -> Result<Subset, Fault> {
    let mut subset = Subset::default();
    for (bits, word) in subset.iter_mut().zip(words) {
        *bits = integer(element, word)? as u32;
    }
    Ok(subset)
}

fn lbp_feature(element: Element<'_, '_>, window: Size) -> Result<LbpFeature, Fault> {
    let element = wanted(element, "rect")?;
    let text = list(element);
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    let [x, y, width, height] = words[..] else {
        return Err(Fault::at(
            element,
            format!("an LBP feature is x y width height, not {} numbers", words.len()),
        ));
    };
    let feature = LbpFeature {
        x: small(element, x)?,
        y: small(element, y)?,
        block_width: small(element, width)?,
        block_height: small(element, height)?,
    };
    let fits = |from: u32, block: u32, side: u32| u64::from(from) + 3 * u64::from(block) <= u64::from(side);
    let empty = feature.block_width == 0 || feature.block_height == 0;
    if empty
        || !fits(feature.x, feature.block_width, window.width)
        || !fits(feature.y, feature.block_height, window.height)
    {
        return Err(outside(element, &text, window));
    }
    Ok(feature)
}

fn haar_feature(element: Element<'_, '_>, window: Size) -> Result<HaarFeature, Fault> {
    let tilted = match child(element, "tilted") {
        Some(tilted) => number(tilted, integer)? != 0,
        None => false,
    };
    let list_element = wanted(element, "rects")?;
    let mut rects = [HaarRect::NONE; 3];
    let mut count = 0;
    for item in items(list_element) {
        let rect = haar_rect(item, window, tilted)?;
        let Some(place) = rects.get_mut(count) else {
            return Err(Fault::at(item, "a HAAR feature of more than three rectangles"));
        };
        *place = rect;
        count += 1;
    }
    if count == 0 {
        return Err(Fault::at(list_element, "a HAAR feature without rectangles"));
    }
    Ok(HaarFeature { rects, tilted })
}

fn haar_rect(element: Element<'_, '_>, window: Size, tilted: bool) -> Result<HaarRect, Fault> {
    let text = list(element);
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    let [x, y, width, height, weight] = words[..] else {
        let what = format!("a HAAR rectangle is x y width height weight, not {} numbers", words.len());
        return Err(Fault::at(element, what));
    };
    let rect = HaarRect {
        x: small(element, x)?,
        y: small(element, y)?,
        width: small(element, width)?,
        height: small(element, height)?,
        weight: float(element, weight)?,
    };
    if rect.fits(window, tilted) { Ok(rect) } else { Err(outside(element, &text, window)) }
}

fn outside(element: Element<'_, '_>, text: &str, window: Size) -> Fault {
    let rect = text.split_ascii_whitespace().collect::<Vec<_>>().join(" ");
    let what =
        format!("the feature {rect:?} does not fit the window of {}x{} pixels", window.width, window.height);
    Fault::at(element, what)
}

/// HAAR windows are measured without their outermost pixels.
fn room_for_contrast(element: Element<'_, '_>, window: Size) -> Result<(), Fault> {
    if window.width < 3 || window.height < 3 {
        let what = format!("a HAAR window of {}x{} pixels; the least is 3x3", window.width, window.height);
        return Err(Fault::at(element, what));
    }
    Ok(())
}

fn side(element: Element<'_, '_>) -> Result<u32, Fault> {
    window_side(element, number(element, small)?)
}

fn window_side(element: Element<'_, '_>, side: u32) -> Result<u32, Fault> {
    if (1..=MAX_WINDOW).contains(&side) {
        Ok(side)
    } else {
        Err(Fault::at(element, format!("a window side of {side} pixels, but it must be 1 to {MAX_WINDOW}")))
    }
}

fn check_count(said: Element<'_, '_>, of: &str, count: usize) -> Result<(), Fault> {
    let number = number(said, small)?;
    if number as usize == count {
        Ok(())
    } else {
        let name = said.tag_name().name();
        Err(Fault::at(said, format!("<{name}> says {number}, but the file has {count} {of}")))
    }
}

fn child<'a, 'i>(element: Element<'a, 'i>, name: &str) -> Option<Element<'a, 'i>> {
    element.children().find(|child| child.has_tag_name(name))
}

fn wanted<'a, 'i>(element: Element<'a, 'i>, name: &str) -> Result<Element<'a, 'i>, Fault> {
    child(element, name)
        .ok_or_else(|| Fault::at(element, format!("<{}> has no <{name}>", element.tag_name().name())))
}

/// The members of a list; OpenCV calls each of them `_`.
fn items<'a, 'i>(element: Element<'a, 'i>) -> impl Iterator<Item = Element<'a, 'i>> {
    element.children().filter(Element::is_element)
}

fn word(element: Element<'_, '_>) -> String {
    list(element).trim().to_owned()
}
