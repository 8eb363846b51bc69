//! The classification head that transfer learning puts on a backbone.

use serde::{Deserialize, Serialize};

use crate::graph::Graph;
use crate::op::{Activation, Op};
use crate::{Error, Result};

/// Fully connected layers on top of pooled features; the reference head is 128, 64, classes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// Units of each hidden layer, ReLU after each.
    pub hidden: Vec<usize>,
    /// Share of features dropped before each fully connected layer in training; 0 adds no layer.
    #[serde(default)]
    pub dropout: f32,
}

impl Default for Head {
    fn default() -> Self {
        Self { hidden: vec![128, 64], dropout: 0.0 }
    }
}

/// Adds `head` and a softmax over `classes` to a backbone whose output is a flat feature vector or
/// a feature map (which is average-pooled first).
///
/// Layers are named as Keras names them: `global_average_pooling2d`, `dense`, `dense_1`, …
pub fn attach_head(backbone: Graph, head: &Head, classes: usize) -> Result<Graph> {
    if classes < 2 {
        return Err(Error::Parameter(format!("a classifier has at least 2 classes, not {classes}")));
    }
    let mut b = backbone.into_builder();
    let Some(mut last) = b.last() else {
        return Err(Error::Parameter("the backbone has no layers".into()));
    };
    if b.shape(last).len() == 3 {
        last = b.add("global_average_pooling2d", Op::GlobalAveragePooling2D, &[last])?;
    }
    let sizes = head.hidden.iter().map(|&n| (n, Activation::Relu)).chain([(classes, Activation::Softmax)]);
    for (i, (units, activation)) in sizes.enumerate() {
        let suffix = if i == 0 { String::new() } else { format!("_{i}") };
        if head.dropout > 0.0 {
            last = b.add(format!("dropout{suffix}"), Op::Dropout { rate: head.dropout }, &[last])?;
        }
        last = b.add(format!("dense{suffix}"), Op::Dense { units, use_bias: true, activation }, &[last])?;
    }
    b.finish()
}
