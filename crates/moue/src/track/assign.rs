//! The best assignment as a whole.

/// Cost of a pair that may not be: more than all others together.
const FORBIDDEN: f64 = 1e6;

/// Gives each row a column of its own, or none, so that as many rows as possible have one and the sum of the costs is
/// least. `None` among the costs forbids a pair. All rows have the same length.
///
/// The Hungarian method with shortest augmenting paths (Jonker and Volgenant 1987), O(n³).
pub fn assign(costs: &[Vec<Option<f32>>]) -> Vec<Option<usize>> {
    let rows = costs.len();
    let columns = costs.first().map_or(0, Vec::len);
    // Square, with rows and columns that stand for "none".
    let n = rows.max(columns);
    let cost = |row: usize, column: usize| {
        let pair = costs.get(row).and_then(|r| r.get(column)).copied().flatten();
        pair.map_or(FORBIDDEN, f64::from)
    };
    // Index 0 is no row and no column; potentials make all reduced costs non-negative.
    let (mut of_row, mut of_column) = (vec![0.0; n + 1], vec![0.0; n + 1]);
    let mut matched = vec![0; n + 1];
    for row in 1..=n {
        matched[0] = row;
        let mut least = vec![f64::INFINITY; n + 1];
        let mut before = vec![0; n + 1];
        let mut done = vec![false; n + 1];
        let mut column = 0;
        loop {
            done[column] = true;
            let current = matched[column];
            let (mut delta, mut next) = (f64::INFINITY, 0);
            for j in (1..=n).filter(|&j| !done[j]).collect::<Vec<_>>() {
                let reduced = cost(current - 1, j - 1) - of_row[current] - of_column[j];
                if reduced < least[j] {
                    (least[j], before[j]) = (reduced, column);
                }
                if least[j] < delta {
                    (delta, next) = (least[j], j);
                }
            }
            for j in 0..=n {
                if done[j] {
                    of_row[matched[j]] += delta;
                    of_column[j] -= delta;
                } else {
                    least[j] -= delta;
                }
            }
            column = next;
            if matched[column] == 0 {
                break;
            }
        }
        while column != 0 {
            matched[column] = matched[before[column]];
            column = before[column];
        }
    }
    let mut result = vec![None; rows];
    for (column, row) in matched[1..].iter().take(columns).enumerate() {
        let row = row - 1;
        if row < rows && cost(row, column) < FORBIDDEN {
            result[row] = Some(column);
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The best of all assignments, by trying every one.
    fn best(costs: &[Vec<Option<f32>>], row: usize, taken: &mut Vec<bool>) -> (usize, f64) {
        let Some(options) = costs.get(row) else { return (0, 0.0) };
        let mut found = best(costs, row + 1, taken);
        for column in 0..options.len() {
            let Some(cost) = options[column].filter(|_| !taken[column]) else { continue };
            taken[column] = true;
            let (count, sum) = best(costs, row + 1, taken);
            taken[column] = false;
            let with = (count + 1, sum + f64::from(cost));
            if with.0 > found.0 || (with.0 == found.0 && with.1 < found.1) {
                found = with;
            }
        }
        found
    }

    #[test]
    fn it_is_the_best_of_all_assignments() {
        let mut state = 1_u32;
        let mut random = move || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state >> 16
        };
        for round in 0..400 {
            let (rows, columns) = (1 + round % 5, 1 + round / 5 % 5);
            let costs: Vec<Vec<Option<f32>>> = (0..rows)
                .map(|_| {
                    let pair = |_| (random() % 4 > 0).then(|| (random() % 100) as f32 / 100.0);
                    (0..columns).map(pair).collect()
                })
                .collect();
            let assigned = assign(&costs);
            let mut taken = vec![false; columns];
            let (mut count, mut sum) = (0, 0.0);
            for (row, column) in assigned.iter().enumerate() {
                let Some(column) = *column else { continue };
                assert!(!std::mem::replace(&mut taken[column], true));
                sum += f64::from(costs[row][column].unwrap());
                count += 1;
            }
            let expected = best(&costs, 0, &mut vec![false; columns]);
            assert_eq!(count, expected.0, "{costs:?}");
            assert!((sum - expected.1).abs() < 1e-4, "{costs:?} {assigned:?}");
        }
        assert!(assign(&[]).is_empty());
    }
}
