//! From the names and layouts of PyTorch's modules to those of moue's graphs.

use super::values::StridedTensor;
use crate::backbones::Lite;

/// Where a tensor belongs.
pub(super) struct Place {
    /// Its name in the file.
    pub(super) theirs: String,
    /// `layer/parameter`.
    pub(super) name: String,
    pub(super) turn: Turn,
}

/// What becomes of a tensor's dimensions.
#[derive(Clone, Copy)]
pub(super) enum Turn {
    /// A vector stays.
    Vector,
    /// `[out, in, height, width]` to `[height, width, in, out]`.
    Convolution,
    /// `[channels, 1, height, width]` to `[height, width, channels, 1]`.
    Depthwise,
    /// `[out, in]` to `[in, out]`.
    Dense,
}

impl Turn {
    /// An error where the tensor has other dimensions than such a parameter.
    pub(super) fn apply(self, tensor: &StridedTensor) -> Result<StridedTensor, String> {
        let (order, expected): (&[usize], _) = match self {
            Self::Vector => (&[0], "[channels]"),
            Self::Convolution => (&[2, 3, 1, 0], "[out, in, height, width]"),
            Self::Depthwise => (&[2, 3, 0, 1], "[channels, 1, height, width]"),
            Self::Dense => (&[1, 0], "[out, in]"),
        };
        let shape = tensor.shape();
        if shape.len() != order.len() || matches!(self, Self::Depthwise) && shape[1] != 1 {
            return Err(format!("has the shape {shape:?}, expected {expected}"));
        }
        Ok(tensor.permuted(order))
    }
}

/// The place of a tensor by its name in an EfficientNet-Lite of `efficientnet_lite_pytorch`; `None` for other names
/// and for counters of batches. Networks trained on several devices have `module.` before each name.
pub(super) fn place(theirs: &str, size: Lite) -> Option<Place> {
    let name = theirs.strip_prefix("module.").unwrap_or(theirs);
    let (module, parameter) = name.rsplit_once('.')?;
    let layer = layer(module, size)?;
    let (turn, ours) = match (module.rsplit('.').next()?, parameter) {
        ("_depthwise_conv", "weight") => (Turn::Depthwise, "depthwise_kernel"),
        ("_fc", "weight") => (Turn::Dense, "kernel"),
        ("_fc", "bias") => (Turn::Vector, "bias"),
        (module, "weight") if module.ends_with("_conv") || module.starts_with("_conv") => {
            (Turn::Convolution, "kernel")
        }
        (module, parameter) if module.starts_with("_bn") => {
            let ours = match parameter {
                "weight" => "gamma",
                "bias" => "beta",
                "running_mean" => "moving_mean",
                "running_var" => "moving_variance",
                _ => return None,
            };
            (Turn::Vector, ours)
        }
        _ => return None,
    };
    Some(Place { theirs: theirs.to_owned(), name: format!("{layer}/{ours}"), turn })
}

/// The layer's name in `keras.applications.EfficientNetB0`.
fn layer(module: &str, size: Lite) -> Option<String> {
    let Some(block) = module.strip_prefix("_blocks.") else {
        let name = match module {
            "_conv_stem" => "stem_conv",
            "_bn0" => "stem_bn",
            "_conv_head" => "top_conv",
            "_bn1" => "top_bn",
            "_fc" => "predictions",
            _ => return None,
        };
        return Some(name.to_owned());
    };
    let (index, part) = block.split_once('.')?;
    let part = match part {
        "_expand_conv" => "expand_conv",
        "_bn0" => "expand_bn",
        "_depthwise_conv" => "dwconv",
        "_bn1" => "bn",
        "_project_conv" => "project_conv",
        "_bn2" => "project_bn",
        _ => return None,
    };
    let mut index: usize = index.parse().ok()?;
    for (stage, blocks) in size.blocks().into_iter().enumerate() {
        if index < blocks {
            let letter = ('a'..='z').nth(index)?;
            return Some(format!("block{}{letter}_{part}", stage + 1));
        }
        index -= blocks;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_keras() {
        let ours = |theirs| place(theirs, Lite::Lite0).map(|p| p.name);
        for (theirs, expected) in [
            ("_conv_stem.weight", "stem_conv/kernel"),
            ("_bn0.running_var", "stem_bn/moving_variance"),
            ("_blocks.0._depthwise_conv.weight", "block1a_dwconv/depthwise_kernel"),
            ("_blocks.0._bn1.bias", "block1a_bn/beta"),
            ("_blocks.2._expand_conv.weight", "block2b_expand_conv/kernel"),
            ("_blocks.5._bn0.weight", "block4a_expand_bn/gamma"),
            ("_blocks.14._project_conv.weight", "block6d_project_conv/kernel"),
            ("module._blocks.15._bn2.running_mean", "block7a_project_bn/moving_mean"),
            ("_conv_head.weight", "top_conv/kernel"),
            ("_bn1.weight", "top_bn/gamma"),
            ("_fc.weight", "predictions/kernel"),
            ("_fc.bias", "predictions/bias"),
        ] {
            assert_eq!(ours(theirs).as_deref(), Some(expected));
        }
        for none in [
            "_blocks.16._bn0.weight",
            "_bn0.num_batches_tracked",
            "_blocks.x._bn0.weight",
            "_conv_stem.bias",
            "conv1.weight",
            "weight",
            "_blocks.1._bn3.weight",
        ] {
            assert_eq!(ours(none), None, "{none}");
        }
        let last = place("_blocks.20._bn2.weight", Lite::Lite1).map(|p| p.name);
        assert_eq!(last.as_deref(), Some("block7a_project_bn/gamma"));
    }
}
