//! Time in bins, and what is kept of a person in each.

use moue::BoundingBox;

/// How long a bin is. Each width is a whole number of the one before, so that bins can be put together and never need to
/// be cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Width(usize);

/// Tenths of a second.
const TENTHS: [u64; 10] = [1, 5, 10, 50, 100, 300, 600, 3000, 6000, 36_000];

const MAX_POINTS: f64 = 720.0;

impl Width {
    pub const NARROWEST: Self = Self(0);

    pub fn of_seconds(seconds: f64) -> Option<Self> {
        TENTHS.iter().position(|&tenths| tenths as f64 == 10.0 * seconds).map(Self)
    }

    /// The narrowest with which a time of this length has no more points than a page has room for, and half a second
    /// at least for what is longer than half a minute. It never shrinks while a length grows.
    pub fn for_length(length: f64) -> Self {
        let fits = |w: &Self| {
            let seconds = w.seconds();
            length / seconds <= MAX_POINTS && (seconds >= 0.5 || length <= 30.0)
        };
        Self::all().find(fits).unwrap_or(Self(TENTHS.len() - 1))
    }

    pub fn all() -> impl Iterator<Item = Self> {
        (0..TENTHS.len()).map(Self)
    }

    /// The widths in words.
    pub fn choices() -> String {
        let names: Vec<String> = Self::all().map(|w| w.seconds().to_string()).collect();
        format!("{} seconds", names.join(", "))
    }

    pub fn seconds(self) -> f64 {
        self.tenths() as f64 / 10.0
    }

    pub fn wider(self) -> Option<Self> {
        (self.0 + 1 < TENTHS.len()).then_some(Self(self.0 + 1))
    }

    /// The bin in which a time of 0 or more lies. A hundred-thousandth of a second belongs to the next bin already, so
    /// that a frame at 0.3 s is in the bin from 0.3 s on however 0.3 is rounded.
    pub fn bin(self, time: f64) -> u32 {
        ((time + 1e-5) * 10.0).floor() as u32 / self.tenths() as u32
    }

    /// How many bins of `self` make one of `wide`; `None` where it is not a whole number.
    pub fn per(self, wide: Self) -> Option<u32> {
        let (narrow, wide) = (self.tenths(), wide.tenths());
        wide.is_multiple_of(narrow).then_some((wide / narrow) as u32)
    }

    fn tenths(self) -> u64 {
        TENTHS.get(self.0).copied().unwrap_or(1)
    }
}

/// A face in the frame of its bin that shows a label most: what a picture of that bin would show.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Glimpse {
    pub time: f64,
    pub bounds: BoundingBox,
    /// The probability of the label in that frame.
    pub p: f32,
}

/// A face in a frame.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sight<'a> {
    pub time: f64,
    pub bounds: BoundingBox,
    pub probabilities: &'a [f32],
    /// Nothing should be said about it.
    pub uncertain: bool,
}

/// One bin of one person.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Cell {
    pub bin: u32,
    /// How long the face was in view.
    pub seconds: f64,
    /// How long of that nothing should be said about it.
    pub uncertain: f64,
}

/// What is kept of one face from bin to bin: sums over time of its probabilities.
#[derive(Clone, Debug)]
pub(super) struct Cells {
    labels: usize,
    cells: Vec<Cell>,
    /// `labels` numbers a cell: the integral of each probability over the seconds in view.
    sums: Vec<f64>,
    /// `labels` a cell.
    glimpses: Vec<Glimpse>,
}

impl Cells {
    pub fn new(labels: usize) -> Self {
        Self { labels, cells: Vec::new(), sums: Vec::new(), glimpses: Vec::new() }
    }

    pub fn len(&self) -> usize {
        self.cells.len()
    }

    /// Adds a frame that lasted `seconds`; bins never go back.
    pub fn add(&mut self, bin: u32, seconds: f64, sight: &Sight<'_>) {
        let Sight { time, bounds, probabilities, uncertain } = *sight;
        let uncertain = if uncertain { seconds } else { 0.0 };
        let glimpses = probabilities.iter().map(|&p| Glimpse { time, bounds, p });
        let sums = probabilities.iter().map(|&p| seconds * f64::from(p));
        self.merge(Cell { bin, seconds, uncertain }, sums, glimpses);
    }

    /// Each bin with its sums.
    pub fn iter(&self) -> impl Iterator<Item = (&Cell, &[f64])> {
        self.cells.iter().zip(self.sums.chunks_exact(self.labels.max(1)))
    }

    /// Each bin with the frame that shows a label most.
    pub fn glimpses(&self, label: usize) -> impl Iterator<Item = (&Cell, &Glimpse)> {
        self.cells.iter().zip(self.glimpses.iter().skip(label).step_by(self.labels.max(1)))
    }

    /// The same in bins `factor` times as wide.
    pub fn widened(&self, factor: u32) -> Self {
        let mut wide = Self::new(self.labels);
        for ((cell, sums), glimpses) in self.iter().zip(self.glimpses.chunks_exact(self.labels.max(1))) {
            let cell = Cell { bin: cell.bin / factor, ..*cell };
            wide.merge(cell, sums.iter().copied(), glimpses.iter().copied());
        }
        wide
    }

    /// Adds to the last bin, or begins a new one.
    fn merge(
        &mut self,
        cell: Cell,
        sums: impl Iterator<Item = f64>,
        glimpses: impl Iterator<Item = Glimpse>,
    ) {
        let Some(last) = self.cells.last_mut().filter(|last| last.bin == cell.bin) else {
            self.cells.push(cell);
            self.sums.extend(sums);
            self.glimpses.extend(glimpses);
            return;
        };
        last.seconds += cell.seconds;
        last.uncertain += cell.uncertain;
        let start = self.sums.len() - self.labels;
        for (sum, more) in self.sums[start..].iter_mut().zip(sums) {
            *sum += more;
        }
        for (best, glimpse) in self.glimpses[start..].iter_mut().zip(glimpses) {
            if glimpse.p > best.p {
                *best = glimpse;
            }
        }
    }
}

/// Adds up runs of `factor` bins.
pub(super) fn widened_sums(sums: &[f64], factor: u32) -> Vec<f64> {
    sums.chunks(factor.max(1) as usize).map(|run| run.iter().sum()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths_are_multiples_of_each_other() {
        let mut width = Width::NARROWEST;
        while let Some(wider) = width.wider() {
            assert!(width.per(wider).is_some_and(|n| n > 1), "{width:?}");
            width = wider;
        }
        assert_eq!(width.seconds(), 3600.0);
        assert_eq!(Width::of_seconds(0.5).unwrap().per(Width::of_seconds(10.0).unwrap()), Some(20));
        assert_eq!(Width::of_seconds(0.25), None);
    }

    #[test]
    fn tenths_fall_into_their_own_bin() {
        for tenth in 0..100_000 {
            assert_eq!(Width::NARROWEST.bin(f64::from(tenth) / 10.0), tenth);
            assert_eq!(Width::NARROWEST.bin(f64::from(tenth) * 0.1), tenth);
        }
        assert_eq!(Width::of_seconds(5.0).unwrap().bin(14.99), 2);
    }
}
