//! The confusion matrix.

use moue_media::{Picture, Weight, readable_on};

use super::canvas::{Anchor, Area, Canvas, FAINT_INK, HEADING, INK, LABEL, NOTE, Style, TITLE};
use super::ramp::sequential;

/// A confusion matrix as a heat map: rows are the true classes, columns the predicted ones, and colours the share
/// of the row.
#[derive(Clone, Debug, PartialEq)]
pub struct ConfusionPlot {
    /// A line above the matrix.
    pub title: String,
    /// A smaller line below it, for instance the accuracy.
    pub subtitle: String,
    /// Names of the classes; at most the first 64 are drawn.
    pub labels: Vec<String>,
    /// Pictures by true class, then predicted class. Missing entries count as 0.
    pub counts: Vec<Vec<u64>>,
}

const MAX_CLASSES: usize = 64;
const TOP: f32 = 128.0;
const GAP: f32 = 1.0;
/// Width of the column of totals.
const TOTALS: f32 = 78.0;
const MARGIN: f32 = 28.0;

impl ConfusionPlot {
    /// Draws the matrix.
    pub fn render(&self) -> Picture {
        let n = self.labels.len().min(MAX_CLASSES);
        let layout = Layout::new(&self.labels[..n]);
        let mut canvas = Canvas::new(layout.width, layout.height);
        canvas.text(&self.title, MARGIN, 28.0, Anchor::Left, TITLE);
        canvas.text(&self.subtitle, MARGIN, 52.0, Anchor::Left, NOTE);
        self.headings(&mut canvas, &layout);
        for row in 0..n {
            let total: u64 = (0..n).map(|column| self.count(row, column)).sum();
            for column in 0..n {
                self.cell(&mut canvas, layout.cell(row, column), self.count(row, column), total);
            }
            layout.total(&mut canvas, row, total);
        }
        for column in 0..n {
            let total: u64 = (0..n).map(|row| self.count(row, column)).sum();
            let precision = share(self.count(column, column), total);
            layout.foot(&mut canvas, column, total, precision);
        }
        layout.colour_bar(&mut canvas);
        canvas.into_picture()
    }

    fn count(&self, row: usize, column: usize) -> u64 {
        self.counts.get(row).and_then(|r| r.get(column)).copied().unwrap_or_default()
    }

    fn headings(&self, canvas: &mut Canvas, layout: &Layout) {
        let matrix = layout.matrix();
        canvas.text("predicted class", matrix.left + matrix.width / 2.0, TOP - 48.0, Anchor::Centre, HEADING);
        canvas.text_upwards("true class", MARGIN - 4.0, matrix.top + matrix.height / 2.0, HEADING);
        for (i, label) in self.labels.iter().enumerate().take(MAX_CLASSES) {
            let area = layout.cell(i, i);
            if layout.side >= 14.0 {
                let y = area.top + area.height / 2.0;
                canvas.text(label, matrix.left - 10.0, y, Anchor::Right, LABEL);
            }
            if layout.side >= 40.0 {
                canvas.text(label, area.left + area.width / 2.0, TOP - 16.0, Anchor::Centre, LABEL);
            }
        }
        if layout.side >= 14.0 {
            let x = matrix.right() + TOTALS - 14.0;
            canvas.text("pictures", x, TOP - 16.0, Anchor::Right, NOTE);
        }
    }

    fn cell(&self, canvas: &mut Canvas, area: Area, count: u64, total: u64) {
        let part = share(count, total);
        let colour = sequential(part.unwrap_or_default());
        canvas.fill(area, colour, 1.0);
        let (x, y) = (area.left + area.width / 2.0, area.top + area.height / 2.0);
        let ink = readable_on(colour);
        match part {
            Some(part) if area.width >= 40.0 => {
                let weight = if count > 0 { Weight::Bold } else { Weight::Regular };
                let large = Style { size: 15.0, weight, colour: ink };
                canvas.text(&percent(part), x, y - 8.0, Anchor::Centre, large);
                let small = Style { size: 11.5, weight: Weight::Regular, colour: ink };
                canvas.text(&count.to_string(), x, y + 11.0, Anchor::Centre, small);
            }
            Some(part) if area.width >= 22.0 => {
                let small = Style { size: 10.0, weight: Weight::Regular, colour: ink };
                canvas.text(&format!("{:.0}", 100.0 * part), x, y, Anchor::Centre, small);
            }
            _ => {}
        }
    }
}

fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// One decimal below ten percent, where it tells rows apart.
fn percent(share: f64) -> String {
    let value = 100.0 * share;
    if value < 9.95 && value > 0.0 { format!("{value:.1} %") } else { format!("{value:.0} %") }
}

struct Layout {
    left: f32,
    side: f32,
    classes: usize,
    width: f32,
    height: f32,
}

impl Layout {
    fn new(labels: &[String]) -> Self {
        let classes = labels.len();
        let side = (640.0 / classes.max(1) as f32).clamp(10.0, 72.0);
        let names = labels.iter().map(|label| LABEL.width(label)).fold(0.0, f32::max).min(260.0);
        let left = MARGIN + 22.0 + names.max(NOTE.width("of them right"));
        let body = side * classes as f32;
        let bar = 86.0;
        Self {
            left,
            side,
            classes,
            width: (left + body + TOTALS + bar).max(420.0),
            height: TOP + body + 92.0,
        }
    }

    fn matrix(&self) -> Area {
        let body = self.side * self.classes as f32;
        Area { left: self.left, top: TOP, width: body, height: body }
    }

    fn cell(&self, row: usize, column: usize) -> Area {
        Area {
            left: self.left + column as f32 * self.side + GAP / 2.0,
            top: TOP + row as f32 * self.side + GAP / 2.0,
            width: self.side - GAP,
            height: self.side - GAP,
        }
    }

    fn total(&self, canvas: &mut Canvas, row: usize, total: u64) {
        if self.side >= 14.0 {
            let area = self.cell(row, 0);
            let x = self.matrix().right() + TOTALS - 14.0;
            canvas.text(&total.to_string(), x, area.top + area.height / 2.0, Anchor::Right, LABEL);
        }
    }

    /// Below a column: how many pictures were called so, and how often rightly.
    fn foot(&self, canvas: &mut Canvas, column: usize, total: u64, precision: Option<f64>) {
        if self.side < 40.0 {
            return;
        }
        let bottom = self.matrix().bottom();
        if column == 0 {
            canvas.text("answers", self.left - 10.0, bottom + 18.0, Anchor::Right, NOTE);
            canvas.text("of them right", self.left - 10.0, bottom + 38.0, Anchor::Right, NOTE);
        }
        let area = self.cell(0, column);
        let x = area.left + area.width / 2.0;
        canvas.text(&total.to_string(), x, bottom + 18.0, Anchor::Centre, LABEL);
        let text = precision.map_or_else(|| "–".to_owned(), percent);
        canvas.text(&text, x, bottom + 38.0, Anchor::Centre, LABEL.coloured(FAINT_INK));
    }

    fn colour_bar(&self, canvas: &mut Canvas) {
        const STEPS: u16 = 100;
        let matrix = self.matrix();
        let left = matrix.right() + TOTALS + 8.0;
        let step = matrix.height / f32::from(STEPS);
        for i in 0..STEPS {
            let top = matrix.bottom() - f32::from(i + 1) * step;
            let area = Area { left, top, width: 14.0, height: step };
            canvas.fill(area, sequential((f64::from(i) + 0.5) / f64::from(STEPS)), 1.0);
        }
        for i in 0..=4_u8 {
            let share = f32::from(i) / 4.0;
            let y = matrix.bottom() - share * matrix.height;
            canvas.horizontal(y, left + 14.0, left + 18.0, FAINT_INK);
            canvas.text(&format!("{:.0} %", 100.0 * share), left + 23.0, y, Anchor::Left, NOTE);
        }
        canvas.text("of the row", left, matrix.bottom() + 18.0, Anchor::Left, NOTE.coloured(INK));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_has_the_colour_of_its_share() {
        let plot = ConfusionPlot {
            title: "test".into(),
            subtitle: String::new(),
            labels: vec!["a".into(), "b".into()],
            counts: vec![vec![3, 1], vec![0, 0]],
        };
        let layout = Layout::new(&plot.labels);
        let picture = plot.render();
        let corner = |row, column| {
            let area = layout.cell(row, column);
            let (x, y) = ((area.left * 2.0) as u32 + 4, (area.top * 2.0) as u32 + 4);
            let at = ((y * picture.width() + x) * 3) as usize;
            [0, 1, 2].map(|i| picture.pixels()[at + i])
        };
        assert_eq!(corner(0, 0), sequential(0.75));
        assert_eq!(corner(0, 1), sequential(0.25));
        assert_eq!(corner(1, 1), sequential(0.0));
    }

    #[test]
    fn any_matrix_can_be_drawn() {
        for n in [0, 1, 2, 11, 30, 500] {
            ConfusionPlot {
                title: "t".into(),
                subtitle: "s".into(),
                labels: (0..n).map(|i| format!("class {i}")).collect(),
                counts: vec![vec![u64::from(u32::MAX); 3]; 2],
            }
            .render();
        }
    }
}
