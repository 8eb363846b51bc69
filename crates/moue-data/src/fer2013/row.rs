//! One row: a class, 2304 pixels and a Usage.

use super::columns::Columns;
use crate::fields::{Fields, counted, shown};
use crate::{Numbering, ReadOptions, Usage};

/// Reads a row and writes its pixels to `pixels`, which has room for exactly one picture. `Err` says what is wrong and
/// what was expected.
pub(super) fn parse(
    line: &[u8],
    columns: &Columns,
    options: &ReadOptions,
    pixels: &mut [u8],
) -> Result<(u8, Usage), String> {
    let max_line = options.limits.max_line;
    if line.len() > max_line {
        return Err(format!("the line is {} bytes long; the limit is {max_line}", line.len()));
    }
    let fields = Fields::of(line, columns.separator)?;
    if fields.len() != columns.count {
        return Err(format!(
            "{}, expected {} as in the header{}",
            counted(fields.len()),
            columns.count,
            not_text(line)
        ));
    }
    let label = emotion(fields.get(columns.emotion), options.numbering)?;
    let usage = columns.usage.map_or(Ok(Usage::Training), |column| self::usage(fields.get(column)))?;
    let field = fields.get(columns.pixels);
    if read_pixels(field, pixels).is_none() {
        return Err(explain(field, pixels.len()));
    }
    Ok((label, usage))
}

fn emotion(field: &[u8], numbering: Option<Numbering>) -> Result<u8, String> {
    match (field, numbering) {
        // These numbers are the labels themselves.
        ([digit @ b'0'..=b'6'], None | Some(Numbering::Fer2013 | Numbering::CkPlus)) => Ok(digit - b'0'),
        _ => {
            let meant = numbering.unwrap_or(Numbering::Fer2013);
            let label = std::str::from_utf8(field).ok().and_then(|field| meant.label(field));
            label.ok_or_else(|| {
                let hint = if field == b"7" && numbering.is_none() { SEVEN } else { "" };
                format!("emotion {}, expected {}{hint}", shown(field), meant.range())
            })
        }
    }
}

/// What is likely where FER2013's numbers end.
const SEVEN: &str =
    "; in CK+'s ckextended.csv 7 is contempt: --class-numbers ckplus reads it as an eighth class";

fn usage(field: &[u8]) -> Result<Usage, String> {
    Usage::ALL
        .into_iter()
        .find(|usage| usage.name().as_bytes() == field)
        .ok_or_else(|| format!("Usage {}, expected Training, PublicTest or PrivateTest", shown(field)))
}

/// Decimal numbers from 0 to 255 with spaces between them. `None` where that, or their number, does not hold.
fn read_pixels(field: &[u8], pixels: &mut [u8]) -> Option<()> {
    let mut places = pixels.iter_mut();
    let (mut value, mut inside) = (0_u32, false);
    for &byte in field {
        let digit = byte.wrapping_sub(b'0');
        if digit < 10 {
            value = value * 10 + u32::from(digit);
            inside = true;
            if value > 255 {
                return None;
            }
        } else if byte == b' ' {
            if inside {
                *places.next()? = value as u8;
                value = 0;
                inside = false;
            }
        } else {
            return None;
        }
    }
    if inside {
        *places.next()? = value as u8;
    }
    places.next().is_none().then_some(())
}

/// Says why [`read_pixels`] refused.
#[cold]
fn explain(field: &[u8], expected: usize) -> String {
    let numbers = || field.split(|&b| b == b' ').filter(|number| !number.is_empty());
    for (index, number) in numbers().enumerate() {
        let place = index + 1;
        if !number.iter().all(u8::is_ascii_digit) {
            let found = shown(number);
            return format!(
                "pixel {place} is {found}, expected a whole number from 0 to 255{}",
                not_text(number)
            );
        }
        // Leading zeros change nothing, and anything longer is above 255.
        let significant = number.iter().position(|&b| b != b'0').map_or(0, |start| number.len() - start);
        let value =
            number.iter().fold(0_u32, |v, b| v.saturating_mul(10).saturating_add(u32::from(b - b'0')));
        if significant > 3 || value > 255 {
            let text = String::from_utf8_lossy(&number[..number.len().min(20)]);
            return format!("pixel {place} is {text}, expected 0 to 255");
        }
    }
    let side = expected.isqrt();
    format!("{} pixels, expected {expected} ({side}x{side})", numbers().count())
}

/// A hint for lines of binary data.
fn not_text(bytes: &[u8]) -> &'static str {
    if std::str::from_utf8(bytes).is_err() { " (this is not UTF-8 text)" } else { "" }
}
