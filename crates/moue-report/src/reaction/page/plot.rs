//! Places and paths of charts, in the units of an SVG `viewBox`.

use std::fmt::Write as _;

use maud::{Markup, PreEscaped, html};

/// Width of all charts; the page scales them.
pub const WIDTH: f64 = 1080.0;
/// Where the time axis begins and ends: the same in every chart, so that they can be read one below the other.
pub const LEFT: f64 = 128.0;
pub const RIGHT: f64 = 968.0;

/// The time axis.
#[derive(Clone, Copy, Debug)]
pub struct TimeAxis {
    pub length: f64,
}

impl TimeAxis {
    pub fn x(self, time: f64) -> f64 {
        LEFT + (time / self.length.max(1e-9)).clamp(0.0, 1.0) * (RIGHT - LEFT)
    }

    /// Round times, at most eleven.
    pub fn ticks(self) -> Vec<f64> {
        const STEPS: [f64; 20] = [
            0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0,
            7200.0, 14_400.0, 43_200.0, 86_400.0,
        ];
        let largest = STEPS.iter().find(|s| self.length / *s <= 10.0).copied().unwrap_or(self.length / 10.0);
        let step = largest.max(self.length / 10.0);
        (0..=(self.length / step + 1e-9) as usize).map(|i| i as f64 * step).collect()
    }
}

/// The upward axis of one panel.
#[derive(Clone, Copy, Debug)]
pub struct UpAxis {
    pub top: f64,
    pub height: f64,
    pub low: f64,
    pub high: f64,
}

impl UpAxis {
    pub fn y(self, value: f64) -> f64 {
        let share = (value - self.low) / (self.high - self.low);
        self.top + self.height * (1.0 - share.clamp(0.0, 1.0))
    }

    pub fn bottom(self) -> f64 {
        self.top + self.height
    }
}

/// A coordinate with one decimal.
pub fn at(value: f64) -> String {
    let tenths = (10.0 * value).round() / 10.0 + 0.0;
    format!("{tenths}")
}

/// Runs of bins that have a value: number of the first, and the values.
pub fn runs<T: Copy>(values: &[Option<T>]) -> Vec<(usize, Vec<T>)> {
    let mut runs: Vec<(usize, Vec<T>)> = Vec::new();
    let mut open = false;
    for (i, value) in values.iter().enumerate() {
        match value {
            Some(value) if open => {
                if let Some((_, run)) = runs.last_mut() {
                    run.push(*value);
                }
            }
            Some(value) => runs.push((i, vec![*value])),
            None => {}
        }
        open = value.is_some();
    }
    runs
}

/// The points of a run: the middles of its bins, from the beginning of the first to the end of the last.
fn points(start: usize, values: &[f64], bin: f64, time: TimeAxis, up: UpAxis) -> Vec<(f64, f64)> {
    let x = |place: f64| time.x(place * bin);
    let (first, last) = (values.first().copied().unwrap_or(0.0), values.last().copied().unwrap_or(0.0));
    let mut points = vec![(x(start as f64), up.y(first))];
    points.extend(values.iter().enumerate().map(|(i, &v)| (x((start + i) as f64 + 0.5), up.y(v))));
    points.push((x((start + values.len()) as f64), up.y(last)));
    points
}

fn draw(path: &mut String, points: &[(f64, f64)], command: char) {
    let mut command = command;
    for &(x, y) in points {
        // Writing to a string cannot fail.
        let _ = write!(path, "{command}{} {}", at(x), at(y));
        command = 'L';
    }
}

/// A line with gaps where there is no value.
pub fn line(values: &[Option<f64>], bin: f64, time: TimeAxis, up: UpAxis) -> String {
    let mut path = String::new();
    for (start, run) in runs(values) {
        draw(&mut path, &points(start, &run, bin, time, up), 'M');
    }
    path
}

/// The area between a line and a level.
pub fn area(values: &[Option<f64>], level: f64, bin: f64, time: TimeAxis, up: UpAxis) -> String {
    let mut path = String::new();
    for (start, run) in runs(values) {
        let points = points(start, &run, bin, time, up);
        let ends = [points.last(), points.first()].map(|p| (p.map_or(0.0, |p| p.0), up.y(level)));
        draw(&mut path, &points, 'M');
        draw(&mut path, &ends, 'L');
        path.push('Z');
    }
    path
}

/// The area between low and high.
pub fn band(values: &[Option<(f64, f64)>], bin: f64, time: TimeAxis, up: UpAxis) -> String {
    let mut path = String::new();
    for (start, run) in runs(values) {
        let low: Vec<f64> = run.iter().map(|v| v.0).collect();
        let high: Vec<f64> = run.iter().map(|v| v.1).collect();
        draw(&mut path, &points(start, &high, bin, time, up), 'M');
        let mut back = points(start, &low, bin, time, up);
        back.reverse();
        draw(&mut path, &back, 'L');
        path.push('Z');
    }
    path
}

/// Means over runs of `factor` bins, of those that have a value.
pub fn coarser(values: &[Option<f64>], factor: usize) -> Vec<Option<f64>> {
    let mean = |run: &[Option<f64>]| {
        let there: Vec<f64> = run.iter().flatten().copied().collect();
        (!there.is_empty()).then(|| there.iter().sum::<f64>() / there.len() as f64)
    };
    values.chunks(factor.max(1)).map(mean).collect()
}

/// Hatching for times without anybody, defined once a page.
pub fn patterns() -> Markup {
    html! {
        svg class="patterns" width="0" height="0" aria-hidden="true" focusable="false" {
            (PreEscaped(concat!(
                "<defs><pattern id=\"nobody\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\" ",
                "patternTransform=\"rotate(45)\"><line x1=\"0\" y1=\"0\" x2=\"0\" y2=\"6\"></line></pattern></defs>"
            )))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_break_where_nothing_was_seen() {
        let time = TimeAxis { length: 4.0 };
        let up = UpAxis { top: 0.0, height: 10.0, low: 0.0, high: 1.0 };
        let values = [Some(0.0), Some(1.0), None, Some(0.5)];
        assert_eq!(line(&values, 1.0, time, up), "M128 10L233 10L443 0L548 0M758 5L863 5L968 5");
        assert_eq!(area(&values[3..], 0.0, 1.0, time, up), "M128 5L233 5L338 5L338 10L128 10Z");
        assert_eq!(band(&[Some((0.0, 1.0))], 1.0, time, up), "M128 0L233 0L338 0L338 10L233 10L128 10Z");
        assert_eq!(line(&[None, None], 1.0, time, up), "");
    }

    #[test]
    fn ticks_are_round_and_few() {
        for length in [0.3, 1.0, 7.0, 60.0, 95.0, 600.0, 7200.0, 1e6] {
            let ticks = TimeAxis { length }.ticks();
            assert!(
                (2..=11).contains(&ticks.len()) && ticks.last().is_some_and(|&t| t <= length + 1e-9),
                "{length}"
            );
        }
        assert_eq!(TimeAxis { length: 60.0 }.ticks(), [0.0, 10.0, 20.0, 30.0, 40.0, 50.0, 60.0]);
    }

    #[test]
    fn coarse_values_are_means_of_those_that_are_there() {
        let values = [Some(1.0), None, None, None, Some(0.5), Some(0.25)];
        assert_eq!(coarser(&values, 2), [Some(1.0), None, Some(0.375)]);
    }
}
