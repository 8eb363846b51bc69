//! The reliability diagram: whether a model is right as often as it says.

use moue_media::{Picture, palette};

use super::axis::Axis;
use super::canvas::{Anchor, Area, Canvas, FAINT_INK, GRID, HEADING, INK, LABEL, NOTE, TITLE};

/// A reliability diagram (Niculescu-Mizil and Caruana: "Predicting Good Probabilities with Supervised Learning", ICML
/// 2005) above a histogram of the confidences.
#[derive(Clone, Debug, PartialEq)]
pub struct ReliabilityPlot {
    /// A line above the diagram.
    pub title: String,
    /// A smaller line below it, for instance the model and the data.
    pub subtitle: String,
    /// The bins from low to high confidence.
    pub bins: Vec<ReliabilityBin>,
    /// Expected calibration error, 0 to 1 (Naeini, Cooper and Hauskrecht, AAAI 2015).
    pub ece: f64,
    /// Share of right answers, 0 to 1.
    pub accuracy: f64,
}

/// The answers whose confidence lies in one range.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ReliabilityBin {
    /// Lowest confidence, 0 to 1.
    pub low: f64,
    /// Highest confidence, 0 to 1.
    pub high: f64,
    /// Number of answers.
    pub count: u64,
    /// Mean of their confidences; without meaning where there are none.
    pub confidence: f64,
    /// Share of them that were right; without meaning where there are none.
    pub accuracy: f64,
}

/// Opacities of the bars and of the two kinds of gaps between what was said and what was so.
const RIGHT: f32 = 0.85;
const TOO_SURE: f32 = 0.3;
const NOT_SURE_ENOUGH: f32 = 0.8;

const SIDE: f32 = 420.0;
const DIAGRAM: Area = Area { left: 72.0, top: 96.0, width: SIDE, height: SIDE };
const HISTOGRAM: Area = Area { left: 72.0, top: 96.0 + SIDE + 34.0, width: SIDE, height: 110.0 };
const WIDTH: f32 = 72.0 + SIDE + 40.0;
const HEIGHT: f32 = HISTOGRAM.top + HISTOGRAM.height + 62.0;

impl ReliabilityPlot {
    /// Draws the diagram.
    pub fn render(&self) -> Picture {
        let mut canvas = Canvas::new(WIDTH, HEIGHT);
        canvas.text(&self.title, DIAGRAM.left, 28.0, Anchor::Left, TITLE);
        canvas.text(&self.subtitle, DIAGRAM.left, 52.0, Anchor::Left, NOTE);
        self.diagram(&mut canvas);
        self.histogram(&mut canvas);
        canvas.into_picture()
    }

    fn mean_confidence(&self) -> Option<f64> {
        let total: u64 = self.bins.iter().map(|b| b.count).sum();
        let sum: f64 = self.filled().map(|b| b.confidence * b.count as f64).sum();
        (total > 0).then(|| sum / total as f64)
    }

    fn filled(&self) -> impl Iterator<Item = &ReliabilityBin> {
        self.bins.iter().filter(|b| b.count > 0)
    }

    fn diagram(&self, canvas: &mut Canvas) {
        let axis = Axis::between(0.0, 1.0, 5);
        for &tick in &axis.ticks {
            let y = up(DIAGRAM, tick);
            canvas.horizontal(y, DIAGRAM.left, DIAGRAM.right(), GRID);
            canvas.text(&percent(tick), DIAGRAM.left - 8.0, y, Anchor::Right, NOTE);
        }
        canvas.text_upwards("right answers", 18.0, DIAGRAM.top + SIDE / 2.0, LABEL);
        for bin in self.filled() {
            let (left, right) = (across(bin.low) + 1.0, across(bin.high) - 1.0);
            let (said, was) = (up(DIAGRAM, bin.confidence), up(DIAGRAM, bin.accuracy));
            let bar = |top: f32, bottom: f32| Area { left, top, width: right - left, height: bottom - top };
            canvas.fill(bar(said.max(was), DIAGRAM.bottom()), palette(4), RIGHT);
            let gap = bar(said.min(was), said.max(was));
            // What stands higher on the paper has the smaller coordinate.
            canvas.fill(gap, palette(0), if said < was { TOO_SURE } else { NOT_SURE_ENOUGH });
        }
        canvas.dashed((DIAGRAM.left, DIAGRAM.bottom()), (DIAGRAM.right(), DIAGRAM.top), 1.5, INK);
        canvas.horizontal(DIAGRAM.bottom(), DIAGRAM.left, DIAGRAM.right(), FAINT_INK);
        self.legend(canvas);
    }

    fn legend(&self, canvas: &mut Canvas) {
        let (x, mut y) = (DIAGRAM.left + 16.0, DIAGRAM.top + 20.0);
        canvas.text(&format!("calibration error {:.2} %", 100.0 * self.ece), x, y, Anchor::Left, HEADING);
        for (name, colour, opacity) in [
            ("right answers", palette(4), RIGHT),
            ("wrong, too sure", palette(0), TOO_SURE),
            ("right, not sure enough", palette(0), NOT_SURE_ENOUGH),
        ] {
            y += 24.0;
            canvas.fill(Area { left: x, top: y - 6.0, width: 16.0, height: 12.0 }, colour, opacity);
            canvas.text(name, x + 24.0, y, Anchor::Left, LABEL);
        }
        y += 24.0;
        canvas.dashed((x, y), (x + 18.0, y), 1.5, INK);
        canvas.text("as sure as right", x + 24.0, y, Anchor::Left, LABEL);
    }

    fn histogram(&self, canvas: &mut Canvas) {
        let total: u64 = self.bins.iter().map(|b| b.count).sum();
        let share = |count: u64| if total == 0 { 0.0 } else { count as f64 / total as f64 };
        let highest = self.bins.iter().map(|b| share(b.count)).fold(0.0, f64::max);
        let axis = Axis::between(0.0, highest.max(0.01), 3);
        let y = |value: f64| HISTOGRAM.bottom() - axis.place(value) * HISTOGRAM.height;
        for &tick in &axis.ticks {
            canvas.horizontal(y(tick), HISTOGRAM.left, HISTOGRAM.right(), GRID);
            canvas.text(&percent(tick), HISTOGRAM.left - 8.0, y(tick), Anchor::Right, NOTE);
        }
        for bin in self.filled() {
            let (left, right) = (across(bin.low) + 1.0, across(bin.high) - 1.0);
            let top = y(share(bin.count));
            let bar = Area { left, top, width: right - left, height: HISTOGRAM.bottom() - top };
            canvas.fill(bar, FAINT_INK, 0.7);
        }
        canvas.horizontal(HISTOGRAM.bottom(), HISTOGRAM.left, HISTOGRAM.right(), FAINT_INK);
        for &tick in &Axis::between(0.0, 1.0, 5).ticks {
            let x = across(tick);
            canvas.vertical(x, HISTOGRAM.bottom(), HISTOGRAM.bottom() + 5.0, FAINT_INK);
            canvas.text(&percent(tick), x, HISTOGRAM.bottom() + 16.0, Anchor::Centre, NOTE);
        }
        let middle = HISTOGRAM.left + SIDE / 2.0;
        canvas.text("confidence", middle, HISTOGRAM.bottom() + 38.0, Anchor::Centre, LABEL);
        canvas.text_upwards("pictures", 18.0, HISTOGRAM.top + HISTOGRAM.height / 2.0, LABEL);
        self.means(canvas);
    }

    /// Accuracy and mean confidence as lines through the histogram: equal in a model that is honest on the whole.
    fn means(&self, canvas: &mut Canvas) {
        let Some(confidence) = self.mean_confidence() else { return };
        let mut marks = [("accuracy", self.accuracy), ("mean confidence", confidence)];
        marks.sort_by(|a, b| a.1.total_cmp(&b.1));
        for ((name, value), anchor) in marks.into_iter().zip([Anchor::Right, Anchor::Left]) {
            if !value.is_finite() {
                continue;
            }
            let x = across(value);
            canvas.dashed((x, HISTOGRAM.top - 8.0), (x, HISTOGRAM.bottom()), 1.5, INK);
            let text = format!("{name} {:.1} %", 100.0 * value);
            let width = NOTE.width(&text);
            // On the paper, however near its edge the line stands.
            let beside = match anchor {
                Anchor::Left => (x + 5.0).min(WIDTH - 8.0 - width),
                _ => (x - 5.0).max(8.0 + width),
            };
            canvas.text(&text, beside, HISTOGRAM.top - 12.0, anchor, NOTE.coloured(INK));
        }
    }
}

fn across(share: f64) -> f32 {
    DIAGRAM.left + share as f32 * SIDE
}

fn up(area: Area, share: f64) -> f32 {
    area.bottom() - share as f32 * area.height
}

fn percent(share: f64) -> String {
    let value = 100.0 * share;
    if (value - value.round()).abs() < 1e-6 { format!("{value:.0} %") } else { format!("{value:.1} %") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_end_at_the_accuracy_of_their_bin() {
        let bin = ReliabilityBin { low: 0.8, high: 1.0, count: 10, confidence: 0.9, accuracy: 0.5 };
        let plot = ReliabilityPlot {
            title: "t".into(),
            subtitle: String::new(),
            bins: vec![bin],
            ece: 0.4,
            accuracy: 0.5,
        };
        assert_eq!(plot.mean_confidence(), Some(0.9));
        let picture = plot.render();
        let pixel = |share: f32| {
            // Off the diagonal and its dashes.
            let x = (across(0.82) * 2.0) as u32;
            let y = ((DIAGRAM.bottom() - share * SIDE) * 2.0) as u32;
            let at = ((y * picture.width() + x) * 3) as usize;
            [0, 1, 2].map(|i| picture.pixels()[at + i])
        };
        assert_eq!(pixel(0.1), pixel(0.48));
        assert_ne!(pixel(0.48), pixel(0.52));
        assert_eq!(pixel(0.52), pixel(0.72));
        assert_eq!(pixel(0.95), [255, 255, 255]);
    }

    #[test]
    fn no_answers_can_be_drawn() {
        let empty =
            ReliabilityBin { low: 0.0, high: 1.0, count: 0, confidence: f64::NAN, accuracy: f64::NAN };
        for bins in [vec![], vec![empty]] {
            ReliabilityPlot {
                title: "t".into(),
                subtitle: "s".into(),
                bins,
                ece: f64::NAN,
                accuracy: f64::NAN,
            }
            .render();
        }
    }
}
