//! Sums over devices.

use burn_tensor::{Device, Tensor};
#[cfg(feature = "cuda")]
use moue_graph::Error;
use moue_graph::Result;

use crate::transfer::{download, upload};

/// How the devices of a kind add what each of them has. burn 0.22 does it for CUDA alone: asked for it on any other
/// device it panics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reduction {
    /// On the host, in the order of the devices.
    Host,
    /// Among the cards, by NVIDIA's NCCL.
    #[cfg(feature = "cuda")]
    Nccl,
}

impl Reduction {
    /// That of a kind of device, by the name of its engine.
    pub fn of(kind: &str) -> Self {
        match kind {
            #[cfg(feature = "cuda")]
            "cuda" => Self::Nccl,
            _ => Self::Host,
        }
    }

    /// An error, in one line, where these devices cannot add so.
    #[cfg_attr(not(feature = "cuda"), expect(unused_variables, reason = "only cards can fail to"))]
    pub fn check(self, first: &Device, others: &[Device]) -> Result<()> {
        match self {
            // A device may be there twice, as in tests.
            Self::Host => Ok(()),
            #[cfg(feature = "cuda")]
            Self::Nccl => {
                // NCCL would wait for ever for the second of two members that are one card.
                let twice = |(at, card): (usize, &Device)| card == first || others[..at].contains(card);
                if others.iter().enumerate().any(twice) {
                    return Err(Error::Parameter("a card cannot be two of those that train together".into()));
                }
                if others.is_empty() { Ok(()) } else { crate::device::cuda::check_nccl() }
            }
        }
    }

    /// The sum of these tensors, which have one length and lie on a device each, on each of their devices. It is the
    /// same to the bit everywhere.
    pub fn sums(self, parts: Vec<Tensor<1>>) -> Result<Vec<Tensor<1>>> {
        if parts.len() < 2 {
            return Ok(parts);
        }
        match self {
            Self::Host => on_the_host(&parts),
            #[cfg(feature = "cuda")]
            Self::Nccl => Ok(among_cards(parts)),
        }
    }
}

fn on_the_host(parts: &[Tensor<1>]) -> Result<Vec<Tensor<1>>> {
    let mut sum = Vec::new();
    for part in parts {
        let values = download(part.clone())?;
        if sum.is_empty() {
            sum = values;
        } else {
            sum.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
        }
    }
    Ok(parts.iter().map(|part| upload(&sum, [sum.len()], &part.device())).collect())
}

/// One thread may do this for all cards: burn's calls only queue work for the threads it keeps a card, where the
/// members of a sum wait for each other. But none may be waited for before all have been queued.
#[cfg(feature = "cuda")]
fn among_cards(parts: Vec<Tensor<1>>) -> Vec<Tensor<1>> {
    use std::sync::{Mutex, PoisonError};

    use burn_tensor::distributed::{CollectiveTensor, ReduceOperation, all_reduce};

    /// NCCL knows what belongs together by its order on each card. Two trainings on the same cards must therefore not
    /// queue their sums at once; each is in every card's queue when it has been resolved.
    static TURN: Mutex<()> = Mutex::new(());

    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let devices: Vec<Device> = parts.iter().map(Tensor::device).collect();
    let queue = |part| all_reduce(part, ReduceOperation::Sum, devices.clone());
    let queued: Vec<_> = parts.into_iter().map(queue).collect();
    queued.into_iter().map(CollectiveTensor::resolve).collect()
}
