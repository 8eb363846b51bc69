//! What a detector finds over what it gets wrong.

use moue_media::{Picture, palette};

use super::axis::Axis;
use super::canvas::{Anchor, Area, Canvas, FAINT_INK, GRID, LABEL, NOTE, TITLE};

/// Precision over recall of one detector or several, as the threshold of the score falls.
#[derive(Clone, Debug, PartialEq)]
pub struct DetectionPlot {
    /// A line above the curves.
    pub title: String,
    /// A smaller line below it, for instance the photos.
    pub subtitle: String,
    /// A curve a detector.
    pub curves: Vec<DetectionCurve>,
}

/// One curve of a [`DetectionPlot`].
#[derive(Clone, Debug, PartialEq)]
pub struct DetectionCurve {
    /// What it is of.
    pub name: String,
    /// Recall and precision, 0 to 1, from the highest threshold to the lowest.
    pub points: Vec<[f64; 2]>,
    /// Recall and precision at the threshold in use, if one is to be marked.
    pub mark: Option<[f64; 2]>,
}

const AREA: Area = Area { left: 72.0, top: 96.0, width: 560.0, height: 380.0 };

impl DetectionPlot {
    /// Draws the curves.
    pub fn render(&self) -> Picture {
        let mut canvas = Canvas::new(AREA.right() + 32.0, AREA.bottom() + 62.0);
        canvas.text(&self.title, AREA.left, 28.0, Anchor::Left, TITLE);
        canvas.text(&self.subtitle, AREA.left, 52.0, Anchor::Left, NOTE);
        for tick in Axis::between(0.0, 1.0, 10).ticks {
            let (x, y) = at([tick, tick]);
            canvas.horizontal(y, AREA.left, AREA.right(), GRID);
            canvas.text(&format!("{:.0} %", 100.0 * tick), AREA.left - 8.0, y, Anchor::Right, NOTE);
            canvas.vertical(x, AREA.bottom(), AREA.bottom() + 5.0, FAINT_INK);
            canvas.text(&format!("{:.0} %", 100.0 * tick), x, AREA.bottom() + 16.0, Anchor::Centre, NOTE);
        }
        canvas.text_upwards("right boxes (precision)", 18.0, AREA.top + AREA.height / 2.0, LABEL);
        canvas.horizontal(AREA.bottom(), AREA.left, AREA.right(), FAINT_INK);
        let middle = AREA.left + AREA.width / 2.0;
        canvas.text("faces found (recall)", middle, AREA.bottom() + 38.0, Anchor::Centre, LABEL);
        for (i, curve) in self.curves.iter().enumerate() {
            let colour = palette(i);
            let line: Vec<(f32, f32)> = curve.points.iter().map(|&p| at(p)).collect();
            canvas.polyline(&line, 2.0, colour);
            if let Some(mark) = curve.mark {
                let (x, y) = at(mark);
                canvas.dot(x, y, 4.0, colour);
            }
            // Curves leave the lower left corner free.
            let y = AREA.bottom() - 18.0 * (self.curves.len() - i) as f32;
            canvas.dot(AREA.left + 16.0, y, 4.0, colour);
            canvas.text(&curve.name, AREA.left + 28.0, y, Anchor::Left, NOTE);
        }
        canvas.into_picture()
    }
}

fn at([recall, precision]: [f64; 2]) -> (f32, f32) {
    (AREA.left + recall as f32 * AREA.width, AREA.bottom() - precision as f32 * AREA.height)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_points_can_be_drawn() {
        for points in [vec![], vec![[0.5, 1.0]], vec![[0.1, 1.0], [0.9, 0.4], [f64::NAN, 0.0]]] {
            let curve = DetectionCurve { name: "a".into(), points, mark: Some([0.5, 0.9]) };
            DetectionPlot { title: "t".into(), subtitle: "s".into(), curves: vec![curve] }.render();
        }
    }
}
