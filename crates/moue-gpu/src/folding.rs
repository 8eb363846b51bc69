//! Normalisations folded into the convolutions before them, for networks that only answer.

use moue_graph::lowering::{Kind, Lowered, NodeId};

/// Folds every normalisation whose input is a convolution that nothing else reads: the kernel takes its scale, a bias
/// takes its shift, and the clamp stays. `parameters` holds the values of each parameter; biases are added to it.
pub(crate) fn fold(lowered: &mut Lowered, parameters: &mut Vec<Vec<f32>>) {
    for id in 0..lowered.nodes.len() {
        let Kind::Norm { gamma, epsilon, activation, .. } = lowered.nodes[id].kind else { continue };
        let [input] = lowered.nodes[id].inputs[..] else { continue };
        if lowered.readers[input].len() != 1 {
            continue;
        }
        let (scale, shift) = scale_and_shift(&parameters[gamma..gamma + 4], epsilon);
        if take_into(lowered, input, parameters, &scale, &shift) {
            lowered.nodes[id].kind = Kind::Clamp { activation };
        }
    }
}

/// The normalisation as `scale x + shift`, of gamma, beta, mean and variance.
fn scale_and_shift(values: &[Vec<f32>], epsilon: f32) -> (Vec<f64>, Vec<f64>) {
    let channels = 0..values[0].len();
    channels
        .map(|c| {
            let [gamma, beta, mean, variance] = [0, 1, 2, 3].map(|i| f64::from(values[i][c]));
            let scale = gamma / (variance + f64::from(epsilon)).sqrt();
            (scale, beta - mean * scale)
        })
        .unzip()
}

fn take_into(
    lowered: &mut Lowered,
    id: NodeId,
    parameters: &mut Vec<Vec<f32>>,
    scale: &[f64],
    shift: &[f64],
) -> bool {
    let (Kind::Conv { kernel, bias, .. } | Kind::Depthwise { kernel, bias, .. }) =
        &mut lowered.nodes[id].kind
    else {
        return false;
    };
    // Channels out are the fastest axis of either kernel.
    for row in parameters[*kernel].chunks_exact_mut(scale.len()) {
        for (value, scale) in row.iter_mut().zip(scale) {
            *value = (f64::from(*value) * scale) as f32;
        }
    }
    let old = bias.map(|bias| parameters[bias].clone());
    let old = |c: usize| old.as_ref().map_or(0.0, |bias| f64::from(bias[c]));
    parameters.push(scale.iter().zip(shift).enumerate().map(|(c, (s, t))| (old(c) * s + t) as f32).collect());
    *bias = Some(parameters.len() - 1);
    true
}
