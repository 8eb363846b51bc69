//! Tensors as views of storages, and their values.

use std::rc::Rc;

use crate::Tensor;

/// How a value is stored, little-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Element {
    F16,
    BF16,
    F32,
    F64,
    I64,
}

impl Element {
    pub(super) fn bytes(self) -> u64 {
        match self {
            Self::F16 | Self::BF16 => 2,
            Self::F32 => 4,
            Self::F64 | Self::I64 => 8,
        }
    }
}

/// A row of values, of which tensors are views.
#[derive(Clone, Debug)]
pub(super) struct Storage {
    pub(super) element: Element,
    pub(super) key: Rc<str>,
    /// Values in it.
    pub(super) count: u64,
}

/// A tensor: value `[i, j, …]` stands at `offset + i * strides[0] + j * strides[1] + …` of its storage.
#[derive(Clone, Debug)]
pub(super) struct StridedTensor {
    pub(super) storage: Storage,
    offset: u64,
    shape: Vec<u64>,
    strides: Vec<u64>,
}

impl StridedTensor {
    /// A view; an error where it does not lie in the storage.
    pub(super) fn new(storage: Storage, offset: i64, shape: &[i64], strides: &[i64]) -> Result<Self, String> {
        let whole =
            |numbers: &[i64]| numbers.iter().map(|&n| u64::try_from(n).ok()).collect::<Option<Vec<u64>>>();
        let view = || {
            let (offset, sides, steps) = (u64::try_from(offset).ok()?, whole(shape)?, whole(strides)?);
            if sides.len() != steps.len() {
                return None;
            }
            sides.iter().try_fold(1u64, |n, &side| n.checked_mul(side))?;
            let empty = sides.contains(&0);
            let last = sides.iter().zip(&steps).try_fold(offset, |last, (&side, &step)| {
                last.checked_add(side.saturating_sub(1).checked_mul(step)?)
            })?;
            (empty || last < storage.count).then_some((offset, sides, steps))
        };
        match view() {
            Some((offset, shape, strides)) => Ok(Self { storage, offset, shape, strides }),
            None => Err(format!(
                "a tensor of the shape {shape:?} with steps {strides:?} at {offset} does not lie in its storage of \
                 {} values",
                storage.count
            )),
        }
    }

    pub(super) fn shape(&self) -> &[u64] {
        &self.shape
    }

    /// Values, fewer than 2^64 as [`new`](Self::new) saw.
    pub(super) fn count(&self) -> u64 {
        self.shape.iter().product()
    }

    /// The same values with the dimensions in another order.
    pub(super) fn permuted(&self, order: &[usize]) -> Self {
        let pick = |sides: &[u64]| order.iter().filter_map(|&i| sides.get(i).copied()).collect();
        Self {
            storage: self.storage.clone(),
            offset: self.offset,
            shape: pick(&self.shape),
            strides: pick(&self.strides),
        }
    }

    /// The values, row-major; an error where the storage has other than the bytes it should, or values are not finite.
    pub(super) fn values(&self, storage: &[u8]) -> Result<Tensor, String> {
        if Some(storage.len() as u64) != self.storage.count.checked_mul(self.storage.element.bytes()) {
            return Err(format!(
                "its storage has {} bytes, expected {} values",
                storage.len(),
                self.storage.count
            ));
        }
        let values = match self.storage.element {
            Element::F16 => self.gather(storage, |b| half::f16::from_le_bytes(b).to_f32()),
            Element::BF16 => self.gather(storage, |b| half::bf16::from_le_bytes(b).to_f32()),
            Element::F32 => self.gather(storage, f32::from_le_bytes),
            Element::F64 => self.gather(storage, |b| f64::from_le_bytes(b) as f32),
            Element::I64 => self.gather(storage, |b| i64::from_le_bytes(b) as f32),
        };
        if values.iter().any(|v| !v.is_finite()) {
            return Err("it holds values that are not finite".into());
        }
        let shape = self.shape.iter().map(|&side| side as usize).collect();
        Tensor::new(shape, values).map_err(|e| e.to_string())
    }

    fn gather<const N: usize>(&self, storage: &[u8], value: impl Fn([u8; N]) -> f32) -> Vec<f32> {
        let stored = storage.as_chunks::<N>().0;
        let count = self.count() as usize;
        let mut values = Vec::with_capacity(count);
        let mut index = vec![0u64; self.shape.len()];
        let mut place = self.offset;
        for _ in 0..count {
            values.push(value(stored[place as usize]));
            // The next index: the last dimension runs fastest.
            for axis in (0..index.len()).rev() {
                index[axis] += 1;
                place += self.strides[axis];
                if index[axis] < self.shape[axis] {
                    break;
                }
                place -= self.shape[axis] * self.strides[axis];
                index[axis] = 0;
            }
        }
        values
    }
}
