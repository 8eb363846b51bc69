//! JPEG (ITU-T T.81), decoded strictly.
//!
//! Decoders made for browsers show as much as they can of a damaged file and fill the rest with grey.
//! A detector would search that grey and report "no face", so that here a part is an error.
//!
//! A fast decoder reads what nearly all files are. What it would read wrong, and what it fails at, goes to a careful one, which
//! also says what is wrong with a file.

mod arithmetic;
mod bits;
mod careful;
mod survey;
mod transform;

use image::metadata::Orientation;
use image::{DynamicImage, ImageBuffer};
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use super::Limits;
use crate::Error;
use careful::Fault;
use survey::{Colours, Survey};

/// Decodes the picture as stored, and says how it is to be turned.
pub fn decode(bytes: &[u8], name: &str, limits: &Limits) -> Result<(DynamicImage, Orientation), Error> {
    let survey = Survey::of(bytes);
    if survey.kind == 0 {
        return Err(broken(name, "it is cut off (there is no header of a picture)".to_owned()));
    }
    if let Some(what) = unread(&survey) {
        return Err(Error::Unsupported { name: name.to_owned(), what });
    }
    limits.check(name, survey.width.into(), survey.height.into())?;
    let cut = || broken(name, "it is cut off (no end-of-image marker)".to_owned());
    let end = survey.end.ok_or_else(cut)?;
    // Whatever follows is another picture, or the camera's own.
    let bytes = &bytes[..end + 2];
    let orientation = orientation(bytes).unwrap_or(Orientation::NoTransforms);
    let output = u64::from(survey.width) * u64::from(survey.height);
    let grey = survey.colours() == Some(Colours::Grey);
    let between =
        if survey.is_ordinary() && survey.kind != 0xc2 && !grey { 0 } else { careful::memory(&survey) };
    super::check_memory(name, (survey.width.into(), survey.height.into()), 3 * output + between)?;
    // Without the end marker, the fast decoder runs out of data where a sequential picture is incomplete, instead of reading
    // zeros. A progressive one needs it, and has all its scans if it is ordinary.
    let until = if survey.kind == 0xc2 { end + 2 } else { end };
    let fast = if survey.is_ordinary() { fast(&bytes[..until], &survey) } else { None };
    let pixels = match fast {
        Some(pixels) => pixels,
        None => careful(bytes, &survey, name)?,
    };
    let (width, height) = (survey.width.into(), survey.height.into());
    let picture = if survey.colours() == Some(Colours::Grey) {
        ImageBuffer::from_raw(width, height, pixels).map(DynamicImage::ImageLuma8)
    } else {
        ImageBuffer::from_raw(width, height, pixels).map(DynamicImage::ImageRgb8)
    };
    let picture = picture.ok_or_else(|| broken(name, "its size is not what it says".to_owned()))?;
    Ok((picture, orientation))
}

/// The place behind the end marker of the first picture.
pub fn end(bytes: &[u8]) -> Option<usize> {
    Survey::of(bytes).end.map(|end| end + 2)
}

/// What no decoder here reads, and what to do about it.
fn unread(survey: &Survey) -> Option<String> {
    let ffmpeg = "ffmpeg -i FILE NEW.png makes a PNG of it";
    Some(match survey.kind {
        0xc3 | 0xcb => format!("lossless JPEG is not read here; {ffmpeg}"),
        0xc5..=0xc7 | 0xcd..=0xcf => "hierarchical JPEG, which next to no program reads, is not read here; \
            save it anew as an ordinary JPEG with the program that made it"
            .to_owned(),
        _ if !matches!(survey.precision, 8 | 12) => {
            format!("a JPEG with {} bits a sample is not read here; {ffmpeg}", survey.precision)
        }
        _ if survey.colours().is_none() => {
            format!("a JPEG with {} components is not read here: 1, 3 or 4 are", survey.components.len())
        }
        _ => return None,
    })
}

/// By the decoder for ordinary pictures; `None` where anything is not as it should be.
fn fast(bytes: &[u8], survey: &Survey) -> Option<Vec<u8>> {
    let grey = survey.colours() == Some(Colours::Grey);
    let output = if grey { ColorSpace::Luma } else { ColorSpace::RGB };
    // The sides are checked already. Stray bytes between headers are common and harmless; strictness begins with the pixels.
    let options =
        DecoderOptions::default().set_max_width(usize::MAX).set_max_height(usize::MAX).set_strict_mode(false);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    decoder.decode_headers().ok()?;
    let size = (usize::from(survey.width), usize::from(survey.height));
    if decoder.dimensions() != Some(size) {
        return None;
    }
    decoder.set_options(options.set_strict_mode(true).jpeg_set_out_colorspace(output));
    let mut pixels = vec![0; size.0 * size.1 * output.num_components()];
    decoder.decode_into(&mut pixels).ok()?;
    Some(pixels)
}

fn careful(bytes: &[u8], survey: &Survey, name: &str) -> Result<Vec<u8>, Error> {
    let planes = careful::decode(bytes, survey).map_err(|fault| match fault {
        Fault::Cut => broken(name, "it is cut off (the data end early)".to_owned()),
        Fault::Damaged(what) => broken(name, what.to_owned()),
    })?;
    let colours = survey.colours().unwrap_or(Colours::Grey);
    Ok(transform::pixels(&planes, colours, survey.width.into(), survey.height.into()))
}

/// As EXIF says it, in a segment before the first scan.
fn orientation(bytes: &[u8]) -> Option<Orientation> {
    let mut at = 2;
    loop {
        at += bytes.get(at..)?.iter().position(|&byte| byte == 0xff)?;
        match *bytes.get(at + 1)? {
            0xda => return None,
            0xff => at += 1,
            0x00 | 0x01 | 0xd0..=0xd8 => at += 2,
            marker => {
                let length =
                    usize::from(u16::from_be_bytes([*bytes.get(at + 2)?, *bytes.get(at + 3)?])).max(2);
                let body = bytes.get(at + 4..at + 2 + length)?;
                if marker == 0xe1
                    && let Some(exif) = body.strip_prefix(b"Exif\0\0")
                {
                    return Orientation::from_exif_chunk(exif);
                }
                at += 2 + length;
            }
        }
    }
}

fn broken(name: &str, what: String) -> Error {
    Error::Broken { name: name.to_owned(), format: "JPEG", what }
}
