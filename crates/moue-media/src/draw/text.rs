//! Text in DejaVu Sans, which covers Latin, Greek, Cyrillic and more.

use std::sync::LazyLock;

use ab_glyph::{Font, FontRef, Glyph, PxScaleFont, ScaleFont, point};

use super::blend;
use crate::Picture;

/// How heavy the letters are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// For captions and running text.
    Regular,
    /// For short labels on a picture.
    Bold,
}

/// Larger text is drawn at this size: a bound on the memory of one letter.
const MAX_SIZE: f32 = 2048.0;

/// The fonts lie in the program itself; a test proves that they can be read, so that `None` is no case in use.
static REGULAR: LazyLock<Option<FontRef<'static>>> =
    LazyLock::new(|| FontRef::try_from_slice(dejavu::sans::regular()).ok());
static BOLD: LazyLock<Option<FontRef<'static>>> =
    LazyLock::new(|| FontRef::try_from_slice(dejavu::sans::bold()).ok());

fn font(size: f32, weight: Weight) -> Option<PxScaleFont<&'static FontRef<'static>>> {
    let font = match weight {
        Weight::Regular => REGULAR.as_ref(),
        Weight::Bold => BOLD.as_ref(),
    };
    // A size that is no number fails the comparison.
    if size > 0.0 { font.map(|font| font.as_scaled(size.min(MAX_SIZE))) } else { None }
}

/// The glyphs of one line with their baseline at 0, and the width of the line.
fn lay_out(text: &str, font: &PxScaleFont<&'static FontRef<'static>>) -> (Vec<Glyph>, f32) {
    let mut glyphs: Vec<Glyph> = Vec::new();
    let mut x = 0.0;
    for character in text.chars() {
        // A line has no line breaks or tabs; each takes the place of a space.
        let mut glyph = font.scaled_glyph(if character.is_control() { ' ' } else { character });
        if let Some(previous) = glyphs.last() {
            x += font.kern(previous.id, glyph.id);
        }
        glyph.position = point(x, 0.0);
        x += font.h_advance(glyph.id);
        glyphs.push(glyph);
    }
    (glyphs, x)
}

/// Width of one line of text in pixels, at the height `size` (see [`draw_text`]).
pub fn measure_text(text: &str, size: f32, weight: Weight) -> f32 {
    font(size, weight).map_or(0.0, |font| lay_out(text, &font).1)
}

/// The text, or as much of its beginning as fits in `width` pixels with "…" behind it; empty where not even "…" fits.
pub fn fit_text(text: &str, size: f32, weight: Weight, width: f32) -> String {
    let Some(font) = font(size, weight) else { return String::new() };
    let (glyphs, full) = lay_out(text, &font);
    if full <= width {
        return text.to_owned();
    }
    let room = width - font.h_advance(font.glyph_id('…'));
    if room < 0.0 {
        return String::new();
    }
    let kept = glyphs.iter().take_while(|glyph| glyph.position.x + font.h_advance(glyph.id) <= room).count();
    let start: String = text.chars().take(kept).collect();
    format!("{}…", start.trim_end())
}

/// Draws one line of text.
///
/// (`x`, `y`) is the upper left corner of the line and `size` its height in pixels, from the top of the highest
/// letters to the bottom of the lowest (capitals are about 0.63 of it); sizes above 2048 count as 2048. The baseline is put on a
/// whole pixel, which keeps small text sharp. Characters that DejaVu Sans lacks appear as boxes.
pub fn draw_text(
    picture: &mut Picture,
    text: &str,
    x: f32,
    y: f32,
    size: f32,
    weight: Weight,
    colour: [u8; 3],
) {
    let Some(font) = font(size, weight) else { return };
    if !(x.is_finite() && y.is_finite()) {
        return;
    }
    let baseline = (y + font.ascent()).round();
    let (width, height) = (picture.width() as f32, picture.height() as f32);
    for mut glyph in lay_out(text, &font).0 {
        glyph.position = point(x + glyph.position.x, baseline);
        let Some(outline) = font.outline_glyph(glyph) else { continue };
        let bounds = outline.px_bounds();
        if bounds.max.x <= 0.0 || bounds.max.y <= 0.0 || bounds.min.x >= width || bounds.min.y >= height {
            continue;
        }
        let (left, top) = (bounds.min.x as i64, bounds.min.y as i64);
        outline.draw(|column, row, coverage| {
            let (column, row) = (left + i64::from(column), top + i64::from(row));
            let inside = (0..i64::from(picture.width())).contains(&column)
                && (0..i64::from(picture.height())).contains(&row);
            if inside {
                let at = (row as usize * picture.width() as usize + column as usize) * 3;
                blend(&mut picture.pixels_mut()[at..at + 3], colour, coverage);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fonts_can_be_read_and_measure_as_their_tables_say() {
        for (weight, advance) in [(Weight::Regular, 1401.0), (Weight::Bold, 1585.0)] {
            let font = font(100.0, weight).unwrap();
            let unscaled = font.font().h_advance_unscaled(font.glyph_id('A'));
            assert_eq!(unscaled, advance, "DejaVu's hmtx table");
            let expected = advance * 100.0 / font.font().height_unscaled();
            assert!((measure_text("A", 100.0, weight) - expected).abs() < 1e-3);
        }
    }

    #[test]
    fn fitted_text_fits() {
        let text = "surprise and a long story";
        let full = measure_text(text, 20.0, Weight::Regular);
        assert_eq!(fit_text(text, 20.0, Weight::Regular, full), text);
        let mut last = text.chars().count();
        for tenth in (0..10).rev() {
            let width = full * tenth as f32 / 10.0;
            let short = fit_text(text, 20.0, Weight::Regular, width);
            assert!(measure_text(&short, 20.0, Weight::Regular) <= width);
            assert!(short.is_empty() || short.ends_with('…'));
            assert!(short.chars().count() <= last);
            last = short.chars().count();
        }
        assert_eq!(last, 0);
    }

    #[test]
    fn a_line_has_no_breaks() {
        assert_eq!(measure_text("a\nb", 20.0, Weight::Regular), measure_text("a b", 20.0, Weight::Regular));
        assert_eq!(measure_text("a", f32::NAN, Weight::Regular), 0.0);
        assert_eq!(measure_text("a", -1.0, Weight::Regular), 0.0);
    }
}
