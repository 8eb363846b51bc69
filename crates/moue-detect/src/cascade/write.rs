//! Writes OpenCV's cascade XML.

use std::fmt::Write;

use super::{Cascade, HaarFeature, LbpFeature, Stage, Stages, Tree};

pub(super) fn xml(cascade: &Cascade, comment: &str) -> String {
    let mut out = String::from("<?xml version=\"1.0\"?>\n");
    if !comment.is_empty() {
        // Two hyphens may not stand together within an XML comment.
        let comment = comment.replace("--", "- -");
        let _ = write!(out, "<!--\n{}\n-->\n", comment.trim_end_matches(['-', '\n']));
    }
    let (kind, categories, stage_count) = match &cascade.stages {
        Stages::Lbp { stages, .. } => ("LBP", 256, stages.len()),
        Stages::Haar { stages, .. } => ("HAAR", 0, stages.len()),
    };
    let deepest = match &cascade.stages {
        Stages::Lbp { stages, .. } => most_nodes(stages),
        Stages::Haar { stages, .. } => most_nodes(stages),
    };
    let _ = write!(
        out,
        "<opencv_storage>\n<cascade type_id=\"opencv-cascade-classifier\"><stageType>BOOST</stageType>\n  \
         <featureType>{kind}</featureType>\n  <height>{}</height>\n  <width>{}</width>\n  \
         <stageParams>\n    <maxDepth>{deepest}</maxDepth></stageParams>\n  \
         <featureParams>\n    <maxCatCount>{categories}</maxCatCount></featureParams>\n  \
         <stageNum>{stage_count}</stageNum>\n  <stages>\n",
        cascade.window.height, cascade.window.width,
    );
    match &cascade.stages {
        Stages::Lbp { features, stages } => {
            write_stages(&mut out, stages, |out, subset| {
                for bits in subset {
                    let _ = write!(out, " {}", *bits as i32);
                }
            });
            write_features(&mut out, features, write_lbp);
        }
        Stages::Haar { features, stages } => {
            write_stages(&mut out, stages, |out, threshold| {
                let _ = write!(out, " {}", real(*threshold));
            });
            write_features(&mut out, features, write_haar);
        }
    }
    out.push_str("</cascade>\n</opencv_storage>\n");
    out
}

fn most_nodes<T>(stages: &[Stage<T>]) -> usize {
    stages.iter().flat_map(|stage| &stage.trees).map(|tree| tree.nodes.len()).max().unwrap_or(0)
}

/// The shortest decimal that reads back as the same number, and as a real one: OpenCV takes digits
/// alone for a whole number.
fn real(value: f32) -> String {
    let text = format!("{value:?}");
    if text.contains(['.', 'e']) { text } else { text + "." }
}

fn write_stages<T>(out: &mut String, stages: &[Stage<T>], test: impl Fn(&mut String, &T)) {
    for (i, stage) in stages.iter().enumerate() {
        let _ = write!(
            out,
            "    <!-- stage {i} -->\n    <_>\n      <maxWeakCount>{}</maxWeakCount>\n      \
             <stageThreshold>{}</stageThreshold>\n      <weakClassifiers>\n",
            stage.trees.len(),
            real(stage.threshold),
        );
        stage.trees.iter().for_each(|tree| write_tree(out, tree, &test));
        out.push_str("      </weakClassifiers></_>\n");
    }
    out.push_str("  </stages>\n");
}

fn write_tree<T>(out: &mut String, tree: &Tree<T>, test: impl Fn(&mut String, &T)) {
    out.push_str("<_><internalNodes>");
    for (i, node) in tree.nodes.iter().enumerate() {
        let gap = if i > 0 { " " } else { "" };
        let _ = write!(out, "{gap}{} {} {}", node.left, node.right, node.feature);
        test(out, &node.test);
    }
    out.push_str("</internalNodes><leafValues>");
    let leaves: Vec<String> = tree.leaves.iter().map(|&leaf| real(leaf)).collect();
    let _ = writeln!(out, "{}</leafValues></_>", leaves.join(" "));
}

fn write_features<T>(out: &mut String, features: &[T], feature: impl Fn(&mut String, &T)) {
    out.push_str("  <features>\n");
    for item in features {
        out.push_str("<_>");
        feature(out, item);
        out.push_str("</_>\n");
    }
    out.push_str("  </features>");
}

fn write_lbp(out: &mut String, feature: &LbpFeature) {
    let LbpFeature { x, y, block_width, block_height } = feature;
    let _ = write!(out, "<rect>{x} {y} {block_width} {block_height}</rect>");
}

fn write_haar(out: &mut String, feature: &HaarFeature) {
    out.push_str("<rects>");
    for rect in feature.rects.iter().filter(|rect| rect.weight != 0.0) {
        let _ =
            write!(out, "<_>{} {} {} {} {}</_>", rect.x, rect.y, rect.width, rect.height, real(rect.weight));
    }
    let _ = write!(out, "</rects><tilted>{}</tilted>", u8::from(feature.tilted));
}
