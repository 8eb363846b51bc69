//! What stands beside the picture: bars of the probabilities of the largest face, and how the machine keeps up.

use moue::Face;
use moue_media::{Picture, Weight, draw_text, fit_text, measure_text, palette};

/// Width of the panel in pixels.
pub const WIDTH: u32 = 250;

const GROUND: [u8; 3] = [24, 26, 30];
const TRACK: [u8; 3] = [52, 56, 64];
const TEXT: [u8; 3] = [235, 237, 240];
const QUIET: [u8; 3] = [150, 156, 166];

/// What is told about the run.
pub struct Status<'a> {
    pub source: &'a str,
    pub rate: f64,
    pub latency_ms: f64,
    pub dropped: u64,
    pub paused: bool,
    pub recording: bool,
    pub message: &'a str,
}

/// A canvas with room for a picture of this size and the panel to its right.
pub fn canvas((width, height): (u32, u32)) -> Picture {
    Picture::filled(width + WIDTH, height.max(360), GROUND)
}

/// Lays the picture and the panel on the canvas.
pub fn compose(
    canvas: &mut Picture,
    picture: &Picture,
    faces: &[Face],
    labels: &[String],
    status: &Status<'_>,
) {
    canvas.paste(picture, 0, 0);
    let (left, height) = (picture.width(), canvas.height());
    canvas.fill_rectangle(left.into(), 0, WIDTH, height, GROUND, 1.0);
    let (x, room) = (left as f32 + 16.0, WIDTH as f32 - 32.0);
    let face = faces.iter().max_by(|a, b| {
        let area = |f: &Face| f.bounds.width * f.bounds.height;
        area(a).total_cmp(&area(b))
    });
    let title =
        face.map_or_else(|| "no face".to_owned(), |face| format!("{} (person {})", face.verdict(), face.id));
    draw_text(canvas, &fit_text(&title, 20.0, Weight::Bold, room), x, 14.0, 20.0, Weight::Bold, TEXT);
    let mut top = 50.0;
    for (index, label) in labels.iter().enumerate() {
        let p = face.and_then(|face| face.probabilities.get(label)).unwrap_or_default();
        let figure = format!("{:.0} %", 100.0 * p);
        draw_text(canvas, label, x, top, 14.0, Weight::Regular, TEXT);
        let at = x + room - measure_text(&figure, 14.0, Weight::Regular);
        draw_text(canvas, &figure, at, top, 14.0, Weight::Regular, QUIET);
        let (bar_x, bar_y) = (x as i64, top as i64 + 19);
        canvas.fill_rectangle(bar_x, bar_y, room as u32, 8, TRACK, 1.0);
        let colour = palette(known(label).unwrap_or(index));
        canvas.fill_rectangle(bar_x, bar_y, (room * p.clamp(0.0, 1.0)).round() as u32, 8, colour, 1.0);
        top += 35.0;
    }
    let mut lines = vec![
        format!("{:.0} frames a second", status.rate),
        format!("{:.0} ms from arrival to window", status.latency_ms),
        format!("{} dropped", status.dropped),
        status.source.to_owned(),
    ];
    lines.extend(status.paused.then(|| "paused".to_owned()));
    lines.extend(status.recording.then(|| "recording".to_owned()));
    lines.extend((!status.message.is_empty()).then(|| status.message.to_owned()));
    for text in lines {
        let fitting = fit_text(&text, 13.0, Weight::Regular, room);
        draw_text(canvas, &fitting, x, top, 13.0, Weight::Regular, QUIET);
        top += 18.0;
    }
}

/// The place of a label's colour, as on annotated pictures.
fn known(label: &str) -> Option<usize> {
    ["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral", "contempt"]
        .iter()
        .position(|l| *l == label)
}
