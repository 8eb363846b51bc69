//! Many parameters in one tensor.
//!
//! An optimizer's arithmetic is a few operations on each value. On a tensor a parameter that is thousands of tiny
//! launches a step; on one long tensor it is a handful, and one copy takes all parameters to the host or back.

use std::ops::Range;

use burn_tensor::{Device, Tensor};

/// Values to which every part is aligned: 256 bytes, the strictest alignment among devices. Parts that start and end
/// on it are views; others would be copied each time they are read.
const ALIGNMENT: usize = 64;

/// Where each part lies in the long tensor.
#[derive(Clone, Debug, Default)]
pub(crate) struct Layout {
    parts: Vec<Range<usize>>,
    len: usize,
}

impl Layout {
    /// Lays out parts of these lengths in order.
    pub fn new(lengths: impl IntoIterator<Item = usize>) -> Self {
        let mut layout = Self::default();
        for length in lengths {
            layout.parts.push(layout.len..layout.len + length);
            layout.len += length.next_multiple_of(ALIGNMENT);
        }
        layout
    }

    /// Number of parts.
    pub fn count(&self) -> usize {
        self.parts.len()
    }

    /// Where a part lies in a downloaded vector.
    pub fn range(&self, part: usize) -> Range<usize> {
        self.parts[part].clone()
    }

    /// Values of all parts with the gaps between them.
    pub fn len(&self) -> usize {
        self.len
    }

    /// One vector of all parts; gaps hold `gap`.
    pub fn gather<'a>(&self, gap: f32, part: impl Fn(usize) -> &'a [f32]) -> Vec<f32> {
        let mut all = vec![gap; self.len];
        for (id, range) in self.parts.iter().enumerate() {
            all[range.clone()].copy_from_slice(part(id));
        }
        all
    }

    /// Every part of the long tensor.
    pub fn split(&self, all: &Tensor<1>) -> Vec<Tensor<1>> {
        let aligned = |range: &Range<usize>| {
            let part = all.clone().narrow(0, range.start, range.len().next_multiple_of(ALIGNMENT));
            if range.len().is_multiple_of(ALIGNMENT) { part } else { part.narrow(0, 0, range.len()) }
        };
        self.parts.iter().map(aligned).collect()
    }

    /// The long tensor of all parts, a part that is not there being zeros.
    pub fn join(&self, parts: Vec<Option<Tensor<1>>>, device: &Device) -> Tensor<1> {
        let mut pieces = Vec::with_capacity(2 * parts.len());
        for (part, range) in parts.into_iter().zip(&self.parts) {
            let room = range.len().next_multiple_of(ALIGNMENT);
            let held = match part {
                Some(part) => {
                    pieces.push(part);
                    range.len()
                }
                None => 0,
            };
            if room > held {
                pieces.push(Tensor::zeros([room - held], device));
            }
        }
        Tensor::cat(pieces, 0)
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use super::*;
    use crate::transfer::{download, upload};

    #[test]
    fn parts_come_back_as_they_went_in() {
        let device = Device::flex();
        let parts = [vec![1.0, 2.0, 3.0], vec![4.0; 64], vec![5.0; 70], vec![6.0]];
        let layout = Layout::new(parts.iter().map(Vec::len));
        let host = layout.gather(0.0, |id| &parts[id]);
        assert_eq!((host.len(), layout.len(), layout.count()), (320, 320, 4));
        let all = upload(&host, [host.len()], &device);
        let split = layout.split(&all);
        for (got, want) in split.iter().zip(&parts) {
            assert_eq!(&download(got.clone()).unwrap(), want);
        }
        let mut again: Vec<_> = split.into_iter().map(Some).collect();
        assert_eq!(download(layout.join(again.clone(), &device)).unwrap(), host);
        again[2] = None;
        let without = download(layout.join(again, &device)).unwrap();
        assert!(without[layout.range(2)].iter().all(|v| *v == 0.0));
        assert_eq!(without[layout.range(3)], [6.0]);
    }
}
