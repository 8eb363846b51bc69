//! Learning curves.

use moue_media::{Picture, palette};

use super::axis::Axis;
use super::canvas::{Anchor, Area, Canvas, FAINT_INK, GRID, HEADING, INK, LABEL, NOTE, TITLE};

/// Curves over the epochs of a training, in panels side by side.
#[derive(Clone, Debug, PartialEq)]
pub struct CurvesPlot {
    /// A line above all panels.
    pub title: String,
    /// Drawn from left to right; at most four.
    pub panels: Vec<Panel>,
    /// An epoch, counted from 1, that every panel marks, and what is said of it.
    pub mark: Option<(usize, String)>,
}

/// Curves that share a vertical axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Panel {
    /// What is drawn, with its unit: "Loss (nats)".
    pub title: String,
    /// How values are written.
    pub unit: Unit,
    /// The curves; colours are given out in this order.
    pub series: Vec<Series>,
}

/// How the values of a [`Panel`] are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// As they are.
    Number,
    /// Shares of one, written as percentages.
    Percent,
}

/// One curve.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// Its name in the legend.
    pub name: String,
    /// A value an epoch, from epoch 1 on. Values that are not finite leave a gap.
    pub values: Vec<f64>,
}

const MAX_PANELS: usize = 4;
const PANEL: (f32, f32) = (400.0, 280.0);
/// Space around the axes of a panel for ticks on the left and values at the ends of curves on the right.
const LEFT: f32 = 58.0;
const RIGHT: f32 = 62.0;
const TOP: f32 = 104.0;
const BOTTOM: f32 = 58.0;

impl Unit {
    fn scaled(self, value: f64) -> f64 {
        match self {
            Self::Number => value,
            Self::Percent => 100.0 * value,
        }
    }

    fn text(self, scaled: f64) -> String {
        match self {
            Self::Number => format!("{scaled:.3}"),
            Self::Percent => format!("{scaled:.1} %"),
        }
    }
}

/// The colour of a curve: blue, vermillion, green, purple, … by Okabe and Ito.
fn colour(index: usize) -> [u8; 3] {
    const ORDER: [usize; 5] = [4, 0, 1, 2, 5];
    palette(ORDER[index % ORDER.len()])
}

impl CurvesPlot {
    /// Draws the panels.
    pub fn render(&self) -> Picture {
        let panels = &self.panels[..self.panels.len().min(MAX_PANELS)];
        let width = LEFT + PANEL.0 + RIGHT;
        let mut canvas = Canvas::new(width * panels.len().max(1) as f32, TOP + PANEL.1 + BOTTOM);
        canvas.text(&self.title, LEFT, 28.0, Anchor::Left, TITLE);
        let epochs =
            panels.iter().flat_map(|p| &p.series).map(|s| s.values.len()).max().unwrap_or_default().max(1);
        for (i, panel) in panels.iter().enumerate() {
            let area = Area { left: i as f32 * width + LEFT, top: TOP, width: PANEL.0, height: PANEL.1 };
            Frame::new(area, panel, epochs).draw(&mut canvas, panel, self.mark.as_ref());
        }
        canvas.into_picture()
    }
}

/// A panel's place and axes.
struct Frame {
    area: Area,
    across: Axis,
    up: Axis,
}

impl Frame {
    fn new(area: Area, panel: &Panel, epochs: usize) -> Self {
        let values = panel.series.iter().flat_map(|s| &s.values).map(|&v| panel.unit.scaled(v));
        Self { area, across: Axis::whole(1, epochs, 8), up: Axis::around(values, 6) }
    }

    fn x(&self, epoch: f64) -> f32 {
        self.area.left + self.across.place(epoch) * self.area.width
    }

    fn y(&self, value: f64) -> f32 {
        self.area.bottom() - self.up.place(value) * self.area.height
    }

    fn draw(&self, canvas: &mut Canvas, panel: &Panel, mark: Option<&(usize, String)>) {
        let area = self.area;
        for &tick in &self.up.ticks {
            let y = self.y(tick);
            canvas.horizontal(y, area.left, area.right(), GRID);
            canvas.text(&self.up.text(tick), area.left - 8.0, y, Anchor::Right, NOTE);
        }
        canvas.horizontal(area.bottom(), area.left, area.right(), FAINT_INK);
        for &tick in &self.across.ticks {
            let x = self.x(tick);
            canvas.vertical(x, area.bottom(), area.bottom() + 5.0, FAINT_INK);
            canvas.text(&self.across.text(tick), x, area.bottom() + 16.0, Anchor::Centre, NOTE);
        }
        canvas.text("epoch", area.left + area.width / 2.0, area.bottom() + 38.0, Anchor::Centre, LABEL);
        if let Some((epoch, words)) =
            mark.filter(|(epoch, _)| (1..=self.across.high as usize).contains(epoch))
        {
            self.mark(canvas, *epoch, words);
        }
        self.legend(canvas, panel);
        for (i, series) in panel.series.iter().enumerate() {
            self.curve(canvas, panel.unit, series, colour(i));
        }
        if let Some((epoch, _)) = mark {
            for (i, series) in panel.series.iter().enumerate() {
                if let Some(&value) = epoch.checked_sub(1).and_then(|at| series.values.get(at)) {
                    let value = panel.unit.scaled(value);
                    if value.is_finite() {
                        canvas.dot(self.x(*epoch as f64), self.y(value), 4.0, colour(i));
                    }
                }
            }
        }
        self.end_values(canvas, panel);
    }

    fn mark(&self, canvas: &mut Canvas, epoch: usize, words: &str) {
        let x = self.x(epoch as f64);
        canvas.dashed((x, self.area.top), (x, self.area.bottom()), 1.0, FAINT_INK);
        let half = NOTE.width(words) / 2.0;
        let middle =
            x.clamp(self.area.left + half, (self.area.right() + RIGHT - half).max(self.area.left + half));
        canvas.text(words, middle, self.area.top - 9.0, Anchor::Centre, NOTE);
    }

    /// Title of the panel and, on the same line, a short line in the colour of each curve with its name.
    fn legend(&self, canvas: &mut Canvas, panel: &Panel) {
        let y = self.area.top - 34.0;
        canvas.text(&panel.title, self.area.left, y, Anchor::Left, HEADING);
        let mut x = self.area.left + HEADING.width(&panel.title) + 22.0;
        for (i, series) in panel.series.iter().enumerate() {
            canvas.polyline(&[(x, y), (x + 18.0, y)], 2.5, colour(i));
            canvas.text(&series.name, x + 25.0, y, Anchor::Left, LABEL.coloured(INK));
            x += 25.0 + LABEL.width(&series.name) + 16.0;
        }
    }

    fn curve(&self, canvas: &mut Canvas, unit: Unit, series: &Series, colour: [u8; 3]) {
        let points: Vec<Option<(f32, f32)>> = series
            .values
            .iter()
            .zip(1_u32..)
            .map(|(&v, epoch)| v.is_finite().then(|| (self.x(f64::from(epoch)), self.y(unit.scaled(v)))))
            .collect();
        for run in points.split(Option::is_none) {
            let run: Vec<(f32, f32)> = run.iter().flatten().copied().collect();
            match run.as_slice() {
                &[(x, y)] => canvas.dot(x, y, 3.0, colour),
                run => canvas.polyline(run, 2.0, colour),
            }
        }
    }

    /// The last value of each curve at its end, moved apart where they would overlap.
    fn end_values(&self, canvas: &mut Canvas, panel: &Panel) {
        const APART: f32 = 15.0;
        let mut ends: Vec<(f32, f32, String, [u8; 3])> = panel
            .series
            .iter()
            .enumerate()
            .filter_map(|(i, series)| {
                let (at, &value) = series.values.iter().enumerate().rfind(|(_, v)| v.is_finite())?;
                let value = panel.unit.scaled(value);
                Some((self.x(at as f64 + 1.0), self.y(value), panel.unit.text(value), colour(i)))
            })
            .collect();
        ends.sort_by(|a, b| a.1.total_cmp(&b.1));
        for i in 1..ends.len() {
            let overlap = ends[i - 1].1 + APART - ends[i].1;
            if overlap > 0.0 {
                // Half the way each, so that neither label leaves its curve far behind.
                ends[i - 1].1 -= overlap / 2.0;
                ends[i].1 += overlap / 2.0;
            }
        }
        for (x, y, text, colour) in ends {
            canvas.text(&text, x + 8.0, y, Anchor::Left, NOTE.coloured(colour));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plot(train: Vec<f64>, validation: Vec<f64>) -> CurvesPlot {
        let series = vec![
            Series { name: "train".into(), values: train },
            Series { name: "validation".into(), values: validation },
        ];
        let panel = Panel { title: "Accuracy".into(), unit: Unit::Percent, series };
        CurvesPlot { title: "test".into(), panels: vec![panel], mark: Some((2, "best".into())) }
    }

    /// Rows within the axes on which the pixel of column `x` has this colour.
    fn rows_of(picture: &Picture, x: u32, colour: [u8; 3]) -> Vec<u32> {
        let pixel = |y: u32| {
            let at = ((y * picture.width() + x) * 3) as usize;
            &picture.pixels()[at..at + 3]
        };
        // The legend stands above them.
        ((TOP * 2.0) as u32 - 4..picture.height()).filter(|&y| pixel(y) == colour).collect()
    }

    #[test]
    fn curves_stand_where_their_values_are() {
        let picture = plot(vec![0.2, 0.4, 0.6], vec![0.6, 0.6, 0.6]).render();
        // The axis runs from 20 to 60 percent over the panel's height; epoch 1.5 is a quarter across.
        let x = ((LEFT + PANEL.0 / 4.0) * 2.0) as u32;
        let rows = rows_of(&picture, x, colour(0));
        let expected = (TOP + PANEL.1 * 0.75) * 2.0;
        assert!(!rows.is_empty() && rows.iter().all(|&y| (y as f32 - expected).abs() < 5.0), "{rows:?}");
        let rows = rows_of(&picture, x, colour(1));
        assert!(rows.iter().any(|&y| (y as f32 - TOP * 2.0).abs() < 3.0), "{rows:?}");
    }

    #[test]
    fn any_values_can_be_drawn() {
        for values in [vec![], vec![0.5], vec![f64::NAN; 4], vec![f64::NAN, 1e300, -1e300], vec![0.0; 10_000]]
        {
            plot(values, vec![]).render();
        }
        CurvesPlot { title: String::new(), panels: vec![], mark: None }.render();
    }
}
