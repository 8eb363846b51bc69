//! Networks that only answer.

use burn_tensor::{Device, Tensor};
use moue_graph::engine::{InferenceOptions, InferenceSession};
use moue_graph::lowering::lower;
use moue_graph::{Error, Graph, Result, Weights};

use crate::Compute;
use crate::folding::fold;
use crate::network::{Mode, Network};
use crate::transfer::{check, check_logits, check_max_batch, download, upload};

pub(crate) struct Session {
    network: Network,
    parameters: Vec<Tensor<1>>,
    device: Device,
    max_batch: usize,
}

impl Session {
    pub fn new(
        device: &Device,
        compute: Compute,
        graph: &Graph,
        weights: &Weights,
        options: &InferenceOptions,
    ) -> Result<Self> {
        check_max_batch(options.max_batch)?;
        if weights.quantized().is_some() {
            return Err(Error::Weights(
                "they are int8, which only the CPU engine runs: use --device cpu".into(),
            ));
        }
        weights.check(graph)?;
        let mut lowered = lower(graph)?;
        let mut values = Vec::new();
        for spec in graph.parameters() {
            values.push(weights.values(&spec.name, spec.shape.iter().product())?.to_vec());
        }
        fold(&mut lowered, &mut values);
        let parameters = values.iter().map(|v| upload(v, [v.len()], device)).collect();
        let network = Network::new(lowered, compute);
        Ok(Self { network, parameters, device: device.clone(), max_batch: options.max_batch })
    }
}

impl InferenceSession for Session {
    fn logits(&mut self, pictures: &[f32], count: usize, logits: &mut [f32]) -> Result<()> {
        check(count, self.max_batch, self.network.picture_len(), pictures)?;
        check_logits(count, self.network.outputs(), logits)?;
        let pictures = upload(pictures, [count, self.network.picture_len()], &self.device);
        let (out, _) = self.network.forward(&self.parameters, pictures, Mode::Inference, &self.device)?;
        logits.copy_from_slice(&download(out)?);
        Ok(())
    }
}
