//! How tables are laid out in memory, so that neighbouring windows are neighbours there.

/// Windows that are judged together.
pub(super) const LANES: usize = 16;

/// Rows of `stride` entries. Where windows stand at every second column only, each row holds its even columns and then
/// its odd ones: what neighbouring windows read at one of their corners is then contiguous all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Grid {
    /// Entries a row, even.
    pub stride: usize,
    /// Whether even and odd columns are apart.
    pub split: bool,
}

impl Grid {
    /// A grid for tables of at most so many columns.
    pub fn new(columns: usize, split: bool) -> Self {
        Self { stride: columns.next_multiple_of(2), split }
    }

    /// Columns in their order.
    pub fn plain(stride: usize) -> Self {
        Self { stride, split: false }
    }

    /// Place of an entry, counted from that of a window whose column is even or whose grid is not split.
    pub fn at(self, x: usize, y: usize) -> usize {
        let column = if self.split { (x & 1) * (self.stride / 2) + x / 2 } else { x };
        y * self.stride + column
    }

    /// Puts the even columns of each row first, if the grid is split. `row` is a buffer.
    pub fn arrange(self, table: &mut [i32], row: &mut Vec<i32>) {
        if !self.split {
            return;
        }
        let half = self.stride / 2;
        row.resize(self.stride, 0);
        for entries in table.chunks_exact_mut(self.stride) {
            let (even, odd) = row.split_at_mut(half);
            for ((pair, even), odd) in entries.chunks_exact(2).zip(even).zip(odd) {
                *even = pair[0];
                *odd = pair[1];
            }
            entries.copy_from_slice(row);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbouring_even_columns_are_neighbours() {
        let grid = Grid::new(9, true);
        let mut table: Vec<i32> = (0..30).collect();
        grid.arrange(&mut table, &mut Vec::new());
        for y in 0..3 {
            for x in 0..10 {
                assert_eq!(table[grid.at(x, y)], (y * 10 + x) as i32);
            }
        }
        assert_eq!(grid.at(6, 1) - grid.at(4, 1), 1);
        assert_eq!(grid.at(5, 2) - grid.at(3, 2), 1);
    }
}
