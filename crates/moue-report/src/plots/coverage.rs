//! What leaving unsure answers out would bring.

use moue_media::{Picture, palette};

use super::axis::Axis;
use super::canvas::{Anchor, Area, Canvas, FAINT_INK, GRID, LABEL, NOTE, TITLE};

/// Accuracy over the share of pictures answered, when only the most confident answers are given (El-Yaniv and Wiener:
/// "On the Foundations of Noise-free Selective Classification", JMLR 2010).
#[derive(Clone, Debug, PartialEq)]
pub struct CoveragePlot {
    /// A line above the curve.
    pub title: String,
    /// A smaller line below it, for instance the model and the data.
    pub subtitle: String,
    /// The curve, from few answers to all.
    pub points: Vec<CoveragePoint>,
    /// A threshold to be marked: the answers from its confidence on.
    pub chosen: Option<CoveragePoint>,
}

/// One point of a [`CoveragePlot`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CoveragePoint {
    /// Share of pictures answered, 0 to 1.
    pub coverage: f64,
    /// Lowest confidence among the answers, 0 to 1.
    pub confidence: f64,
    /// Share of right ones among them, 0 to 1.
    pub accuracy: f64,
}

const AREA: Area = Area { left: 72.0, top: 96.0, width: 560.0, height: 320.0 };

impl CoveragePlot {
    /// Draws the curve.
    pub fn render(&self) -> Picture {
        let mut canvas = Canvas::new(AREA.right() + 108.0, AREA.bottom() + 62.0);
        canvas.text(&self.title, AREA.left, 28.0, Anchor::Left, TITLE);
        canvas.text(&self.subtitle, AREA.left, 52.0, Anchor::Left, NOTE);
        let values = self.points.iter().map(|p| p.accuracy).filter(|a| (0.0..=1.0).contains(a));
        let mut up = Axis::around(values.map(|a| 100.0 * a), 6);
        if up.high > 100.0 {
            up = Axis::between(up.low.min(90.0), 100.0, 6);
        }
        let y = |share: f64| AREA.bottom() - up.place(100.0 * share) * AREA.height;
        for &tick in &up.ticks {
            canvas.horizontal(y(tick / 100.0), AREA.left, AREA.right(), GRID);
            let text = format!("{} %", up.text(tick));
            canvas.text(&text, AREA.left - 8.0, y(tick / 100.0), Anchor::Right, NOTE);
        }
        canvas.text_upwards("right answers", 18.0, AREA.top + AREA.height / 2.0, LABEL);
        canvas.horizontal(AREA.bottom(), AREA.left, AREA.right(), FAINT_INK);
        for tick in Axis::between(0.0, 1.0, 5).ticks {
            let x = x(tick);
            canvas.vertical(x, AREA.bottom(), AREA.bottom() + 5.0, FAINT_INK);
            canvas.text(&format!("{:.0} %", 100.0 * tick), x, AREA.bottom() + 16.0, Anchor::Centre, NOTE);
        }
        let middle = AREA.left + AREA.width / 2.0;
        canvas.text("pictures answered", middle, AREA.bottom() + 38.0, Anchor::Centre, LABEL);
        let colour = palette(4);
        let line: Vec<(f32, f32)> = self.points.iter().map(|p| (x(p.coverage), y(p.accuracy))).collect();
        canvas.polyline(&line, 2.0, colour);
        self.thresholds(&mut canvas, &line);
        if let Some(chosen) = self.chosen.filter(|c| c.coverage > 0.0 && c.accuracy.is_finite()) {
            mark(&mut canvas, chosen, (x(chosen.coverage), y(chosen.accuracy)));
        }
        canvas.into_picture()
    }

    /// Marks some points, the last one among them, with the confidence from which on answers count.
    fn thresholds(&self, canvas: &mut Canvas, line: &[(f32, f32)]) {
        const APART: f32 = 100.0;
        let mut free = f32::INFINITY;
        for (point, &(x, y)) in self.points.iter().zip(line).rev() {
            if x > free || !y.is_finite() {
                continue;
            }
            free = x - APART;
            canvas.dot(x, y, 3.5, palette(4));
            // Curves fall to the right, so that the place above on the right is free.
            let text = format!("from {:.0} % sure", 100.0 * point.confidence);
            canvas.text(&text, x + 6.0, y - 11.0, Anchor::Left, NOTE);
        }
    }
}

/// Lines from a point to both axes, and its figures where nothing else is written.
fn mark(canvas: &mut Canvas, chosen: CoveragePoint, (x, y): (f32, f32)) {
    const ROOM: f32 = 150.0;
    canvas.dashed((x, AREA.bottom()), (x, y), 1.5, FAINT_INK);
    canvas.dashed((AREA.left, y), (x, y), 1.5, FAINT_INK);
    canvas.dot(x, y, 5.0, palette(0));
    let (x, y, anchor) = if x - AREA.left > ROOM && AREA.bottom() - y > 42.0 {
        (x - 10.0, y + 14.0, Anchor::Right)
    } else {
        (x + 10.0, AREA.bottom() - 31.0, Anchor::Left)
    };
    let text = format!("{:.1} % right of {:.0} %", 100.0 * chosen.accuracy, 100.0 * chosen.coverage);
    canvas.text(&text, x, y, anchor, LABEL);
    canvas.text(&format!("from {:.0} % sure", 100.0 * chosen.confidence), x, y + 17.0, anchor, NOTE);
}

fn x(coverage: f64) -> f32 {
    AREA.left + coverage as f32 * AREA.width
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_points_can_be_drawn() {
        let point = |coverage, accuracy| CoveragePoint { coverage, confidence: 0.5, accuracy };
        for points in [
            vec![],
            vec![point(1.0, 1.0)],
            vec![point(0.5, 1.0), point(1.0, 1.0)],
            vec![point(0.5, f64::NAN), point(1.0, 0.0)],
        ] {
            for chosen in [None, Some(point(0.3, 0.9)), Some(point(0.0, 0.0))] {
                let points = points.clone();
                CoveragePlot { title: "t".into(), subtitle: "s".into(), points, chosen }.render();
            }
        }
    }
}
