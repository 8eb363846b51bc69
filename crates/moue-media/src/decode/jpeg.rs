//! JPEG (ITU-T T.81), decoded strictly.
//!
//! Decoders made for browsers show as much as they can of a damaged file and fill the rest with grey.
//! A detector would search that grey and report "no face", so that here a part is an error.

use image::metadata::Orientation;
use image::{DynamicImage, ImageBuffer};
use zune_jpeg::JpegDecoder;
use zune_jpeg::errors::DecodeErrors;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use super::Limits;
use crate::Error;

/// Decodes the picture as stored, and says how it is to be turned.
pub fn decode(bytes: &[u8], name: &str, limits: &Limits) -> Result<(DynamicImage, Orientation), Error> {
    let failed = |error: DecodeErrors| explain(&error, name);
    // The sides are checked below, with a message that names the limit. Stray bytes between headers are
    // common and harmless; strictness begins with the pixels.
    let options =
        DecoderOptions::default().set_max_width(usize::MAX).set_max_height(usize::MAX).set_strict_mode(false);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    decoder.decode_headers().map_err(failed)?;
    let (width, height) = decoder.dimensions().unwrap_or_default();
    limits.check(name, width as u64, height as u64)?;
    let orientation = decoder
        .exif()
        .and_then(|exif| Orientation::from_exif_chunk(exif))
        .unwrap_or(Orientation::NoTransforms);

    let grey = decoder.input_colorspace() == Some(ColorSpace::Luma);
    let output = if grey { ColorSpace::Luma } else { ColorSpace::RGB };
    decoder.set_options(options.set_strict_mode(true).jpeg_set_out_colorspace(output));
    let mut pixels = vec![0; width * height * output.num_components()];
    decoder.decode_into(&mut pixels).map_err(failed)?;
    if !has_end(bytes) {
        return Err(broken(name, "it is cut off (no end-of-image marker)".to_owned()));
    }

    let (width, height) = (width as u32, height as u32);
    let picture = if grey {
        ImageBuffer::from_raw(width, height, pixels).map(DynamicImage::ImageLuma8)
    } else {
        ImageBuffer::from_raw(width, height, pixels).map(DynamicImage::ImageRgb8)
    };
    let picture = picture.ok_or_else(|| broken(name, "its size is not what it says".to_owned()))?;
    Ok((picture, orientation))
}

/// Whether an end-of-image marker follows the first start-of-scan marker.
///
/// The decoder stops after the last block, which a file cut off near its end can still seem to hold. Within
/// coded data a byte FF is always followed by 00 or a restart marker, so that FF D9 is no accident there.
fn has_end(bytes: &[u8]) -> bool {
    first_scan(bytes).is_some_and(|start| bytes[start..].windows(2).any(|pair| pair == [0xff, 0xd9]))
}

/// Where the first start-of-scan marker stands; thumbnails with markers of their own lie in segments before it.
fn first_scan(bytes: &[u8]) -> Option<usize> {
    let mut at = 2;
    loop {
        at += bytes.get(at..)?.iter().position(|&byte| byte == 0xff)?;
        match *bytes.get(at + 1)? {
            0xda => return Some(at),
            // Fill bytes and markers without a segment.
            0xff => at += 1,
            0x00 | 0x01 | 0xd0..=0xd8 => at += 2,
            _ => {
                let length = u16::from_be_bytes([*bytes.get(at + 2)?, *bytes.get(at + 3)?]);
                at += 2 + usize::from(length);
            }
        }
    }
}

fn broken(name: &str, what: String) -> Error {
    Error::Broken { name: name.to_owned(), format: "JPEG", what }
}

fn explain(error: &DecodeErrors, name: &str) -> Error {
    match error {
        DecodeErrors::Unsupported(kind) => Error::Unsupported {
            name: name.to_owned(),
            what: format!("this kind of JPEG is not read: {kind:?}"),
        },
        DecodeErrors::ZeroError => Error::Limit {
            name: name.to_owned(),
            what: "the picture is 0 pixels wide or high, so there is nothing to see".to_owned(),
        },
        DecodeErrors::ExhaustedData | DecodeErrors::IoErrors(_) => {
            broken(name, "it is cut off (the data end early)".to_owned())
        }
        other => broken(name, other.to_string().trim_matches('"').to_owned()),
    }
}
