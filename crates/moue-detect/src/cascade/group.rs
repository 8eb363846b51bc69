//! Grouping of overlapping hits, as OpenCV's `groupRectangles` does it.

/// An upright rectangle in whole pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rect {
    pub x: i32,
    pub y: i32,
    pub width: i32,
    pub height: i32,
}

/// How far edges may differ, as a share of the mean side.
const EPSILON: f64 = 0.2;

/// Joins similar rectangles (transitively), averages each class, drops classes of `threshold` or fewer
/// and those that lie inside a class with clearly more members. Returns each class with its count,
/// in the order of their first members; with threshold 0 every rectangle by itself.
pub(super) fn group(rects: &[Rect], threshold: u32) -> Vec<(Rect, u32)> {
    if threshold == 0 {
        return rects.iter().map(|&rect| (rect, 1)).collect();
    }
    let classes = averages(rects, &labels(rects));
    let strong: Vec<(Rect, u32)> = classes.into_iter().filter(|&(_, count)| count > threshold).collect();
    let kept = |i: usize| {
        let (inner, count) = strong[i];
        !strong
            .iter()
            .enumerate()
            .any(|(j, &(outer, more))| i != j && inside(inner, outer) && (more > count.max(3) || count < 3))
    };
    (0..strong.len()).filter(|&i| kept(i)).map(|i| strong[i]).collect()
}

fn similar(a: Rect, b: Rect) -> bool {
    let delta = EPSILON * f64::from(a.width.min(b.width) + a.height.min(b.height)) * 0.5;
    let near = |a: i32, b: i32| f64::from((a - b).abs()) <= delta;
    near(a.x, b.x)
        && near(a.y, b.y)
        && near(a.x + a.width, b.x + b.width)
        && near(a.y + a.height, b.y + b.height)
}

fn inside(inner: Rect, outer: Rect) -> bool {
    let across = (f64::from(outer.width) * EPSILON).round_ties_even() as i32;
    let down = (f64::from(outer.height) * EPSILON).round_ties_even() as i32;
    inner.x >= outer.x - across
        && inner.y >= outer.y - down
        && inner.x + inner.width <= outer.x + outer.width + across
        && inner.y + inner.height <= outer.y + outer.height + down
}

/// The class of each rectangle; classes are numbered by their first members.
fn labels(rects: &[Rect]) -> Vec<usize> {
    let mut parents: Vec<usize> = (0..rects.len()).collect();
    // Similar rectangles have near left edges, so sorting by those spares most of the n² comparisons.
    let mut by_x: Vec<usize> = (0..rects.len()).collect();
    by_x.sort_by_key(|&i| rects[i].x);
    for (place, &i) in by_x.iter().enumerate() {
        let reach = EPSILON * f64::from(rects[i].width + rects[i].height) * 0.5;
        for &j in &by_x[place + 1..] {
            if f64::from(rects[j].x - rects[i].x) > reach {
                break;
            }
            if similar(rects[i], rects[j]) {
                let (a, b) = (root(&mut parents, i), root(&mut parents, j));
                parents[a.max(b)] = a.min(b);
            }
        }
    }
    let mut count = 0;
    let mut labels: Vec<usize> = Vec::with_capacity(rects.len());
    for i in 0..rects.len() {
        // The root is the smallest index of its class, so it has its number already.
        let first = root(&mut parents, i);
        labels.push(if first == i { count } else { labels[first] });
        count += usize::from(first == i);
    }
    labels
}

fn root(parents: &mut [usize], mut i: usize) -> usize {
    while parents[i] != i {
        parents[i] = parents[parents[i]];
        i = parents[i];
    }
    i
}

fn averages(rects: &[Rect], labels: &[usize]) -> Vec<(Rect, u32)> {
    let classes = labels.iter().max().map_or(0, |&last| last + 1);
    let mut totals = vec![(Rect { x: 0, y: 0, width: 0, height: 0 }, 0_u32); classes];
    for (rect, &label) in rects.iter().zip(labels) {
        let (total, count) = &mut totals[label];
        total.x = total.x.wrapping_add(rect.x);
        total.y = total.y.wrapping_add(rect.y);
        total.width = total.width.wrapping_add(rect.width);
        total.height = total.height.wrapping_add(rect.height);
        *count += 1;
    }
    for (rect, count) in &mut totals {
        // Multiplied by the reciprocal in single precision: what OpenCV does decides the last pixel.
        let share = 1.0 / *count as f32;
        let mean = |total: i32| (total as f32 * share).round_ties_even() as i32;
        *rect = Rect { x: mean(rect.x), y: mean(rect.y), width: mean(rect.width), height: mean(rect.height) };
    }
    totals
}

#[cfg(test)]
mod tests {
    use super::*;

    fn square(x: i32, y: i32, side: i32) -> Rect {
        Rect { x, y, width: side, height: side }
    }

    #[test]
    fn chains_join_and_classes_are_averaged() {
        let rects =
            [square(300, 0, 50), square(0, 0, 50), square(8, 0, 50), square(16, 0, 50), square(304, 2, 50)];
        assert_eq!(group(&rects, 1), [(square(302, 1, 50), 2), (square(8, 0, 50), 3)]);
        assert_eq!(group(&rects, 2), [(square(8, 0, 50), 3)]);
        assert_eq!(group(&rects, 0).len(), 5);
    }

    #[test]
    fn a_weak_class_inside_a_strong_one_goes() {
        let mut rects = vec![square(0, 0, 100); 5];
        rects.extend([square(40, 40, 30); 2]);
        assert_eq!(group(&rects, 1), [(square(0, 0, 100), 5)]);
        // Three members each: neither is clearly stronger.
        let mut rects = vec![square(0, 0, 100); 3];
        rects.extend([square(40, 40, 30); 3]);
        assert_eq!(group(&rects, 1).len(), 2);
    }

    #[test]
    fn the_sorted_sweep_finds_what_comparing_all_pairs_finds() {
        let mut state = 1_u64;
        let mut next = |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            ((state >> 33) % below) as i32
        };
        let rects: Vec<Rect> = (0..300).map(|_| square(next(400), next(400), 20 + next(60))).collect();
        let labels = labels(&rects);
        for i in 0..rects.len() {
            for j in 0..rects.len() {
                assert!(!similar(rects[i], rects[j]) || labels[i] == labels[j]);
            }
        }
        // And each class is connected: its members are reached from the first one over similar pairs.
        for label in 0..=*labels.iter().max().unwrap() {
            let members: Vec<usize> = (0..rects.len()).filter(|&i| labels[i] == label).collect();
            let mut reached = vec![members[0]];
            let mut next = 0;
            while next < reached.len() {
                let from = rects[reached[next]];
                for &i in &members {
                    if !reached.contains(&i) && similar(from, rects[i]) {
                        reached.push(i);
                    }
                }
                next += 1;
            }
            assert_eq!(reached.len(), members.len());
        }
    }
}
