//! What a dataset is, in a line: two datasets with one fingerprint train the same model.

use moue_data::{Dataset, Usage};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Counts and checksum of a dataset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// Rows of Training.
    pub training: usize,
    /// Rows of PublicTest.
    pub public_test: usize,
    /// Rows of PrivateTest.
    pub private_test: usize,
    /// SHA-256, in hexadecimal, of class names, picture side, and label, part, pixels and FER+
    /// votes (where there are any) of every row in order.
    pub sha256: String,
}

impl Fingerprint {
    /// Reads the whole dataset once.
    pub fn new(dataset: &Dataset) -> Self {
        let mut hash = Sha256::new();
        for name in dataset.labels().names() {
            hash.update(name.as_bytes());
            hash.update([0]);
        }
        hash.update(dataset.side().to_le_bytes());
        for i in 0..dataset.len() {
            let part = Usage::ALL.iter().position(|&u| u == dataset.usage(i)).unwrap_or(Usage::ALL.len());
            hash.update([dataset.label(i), part as u8]);
            hash.update(dataset.pixels(i));
            if let Some(votes) = dataset.votes(i) {
                hash.update(votes.counts());
            }
        }
        let sha256 = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        let count = |usage| dataset.indices(usage).len();
        Self {
            training: count(Usage::Training),
            public_test: count(Usage::PublicTest),
            private_test: count(Usage::PrivateTest),
            sha256,
        }
    }
}
