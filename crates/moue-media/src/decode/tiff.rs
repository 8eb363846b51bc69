//! TIFF files whose pixels are places in a table of colours, or grey of two or four bits, which the crate `image` does not read
//! (TIFF 6.0, sections 3 to 5). Their indices are read as grey, which they are in all but name.

use std::io::Cursor;

use image::metadata::Orientation;
use image::{DynamicImage, ImageBuffer};
use tiff::decoder::{Decoder, DecodingResult, Limits as Memory};
use tiff::tags::Tag;

use super::{Limits, SPARE_MEMORY};
use crate::Error;

const WIDTH: u16 = 256;
const HEIGHT: u16 = 257;
const BITS: u16 = 258;
const PHOTOMETRIC: u16 = 262;
const ORIENTATION: u16 = 274;

/// Values of [`PHOTOMETRIC`].
const WHITE_IS_ZERO: u64 = 0;
const BLACK_IS_ZERO: u64 = 1;
const PALETTE: u64 = 3;

/// Whether the first bytes are those of a TIFF, in its form for large files, too (BigTIFF).
pub fn is_tiff(bytes: &[u8]) -> bool {
    matches!(bytes.get(..4), Some(b"II*\0" | b"MM\0*" | b"II+\0" | b"MM\0+"))
}

/// What the first directory says, as far as it matters here.
struct Directory {
    entries: Vec<(u16, u64, usize)>,
    big_endian: bool,
}

impl Directory {
    fn of(bytes: &[u8]) -> Option<Self> {
        let big_endian = bytes.first() == Some(&b'M');
        let large = bytes.get(if big_endian { 3 } else { 2 }) == Some(&b'+');
        let number = |at: usize, length: usize| -> Option<u64> {
            let part = bytes.get(at..at.checked_add(length)?)?;
            let add = |sum: u64, byte: &u8| sum << 8 | u64::from(*byte);
            Some(if big_endian { part.iter().fold(0, add) } else { part.iter().rev().fold(0, add) })
        };
        let (pointer, count, entry) = if large { (8, 8, 20) } else { (4, 2, 12) };
        let start = usize::try_from(number(pointer, if large { 8 } else { 4 })?).ok()?;
        let mut entries = Vec::new();
        for i in 0..number(start, count)?.min(4096) as usize {
            let at = start + count + i * entry;
            let value = at + if large { 12 } else { 8 };
            // Only single numbers matter, and SHORT and LONG among them.
            let length = match number(at + 2, 2)? {
                3 => 2,
                _ => 4,
            };
            entries.push((number(at, 2)? as u16, number(value, length)?, value));
        }
        Some(Self { entries, big_endian })
    }

    fn get(&self, tag: u16) -> Option<u64> {
        self.entries.iter().find(|e| e.0 == tag).map(|e| e.1)
    }
}

/// The picture as stored and how it is to be turned; `None` for all other kinds of TIFF.
pub fn decode(
    bytes: &[u8],
    name: &str,
    limits: &Limits,
) -> Option<Result<(DynamicImage, Orientation), Error>> {
    let directory = Directory::of(bytes)?;
    let (bits, meaning) = (directory.get(BITS).unwrap_or(1), directory.get(PHOTOMETRIC)?);
    let wanted = match meaning {
        PALETTE => matches!(bits, 1 | 2 | 4 | 8),
        WHITE_IS_ZERO | BLACK_IS_ZERO => matches!(bits, 2 | 4),
        _ => false,
    };
    if !wanted {
        return None;
    }
    let size = (directory.get(WIDTH)?, directory.get(HEIGHT)?);
    if let Err(error) = limits.check(name, size.0, size.1) {
        return Some(Err(error));
    }
    let broken = |what: String| Error::Broken { name: name.to_owned(), format: "TIFF", what };
    Some(indices(bytes, &directory, bits as u32, meaning).map_err(broken))
}

fn indices(
    bytes: &[u8],
    directory: &Directory,
    bits: u32,
    meaning: u64,
) -> Result<(DynamicImage, Orientation), String> {
    let words = |error: tiff::TiffError| error.to_string();
    let mut copy = bytes.to_vec();
    if let Some(&(.., at)) = directory.entries.iter().find(|e| e.0 == PHOTOMETRIC) {
        let grey = if directory.big_endian { [0, 1] } else { [1, 0] };
        copy.get_mut(at..at + 2).ok_or("it is cut off")?.copy_from_slice(&grey);
    }
    let mut memory = Memory::default();
    memory.decoding_buffer_size = 1 << 28;
    memory.intermediate_buffer_size = SPARE_MEMORY as usize;
    let mut decoder = Decoder::new(Cursor::new(copy)).map_err(words)?.with_limits(memory);
    let (width, height) = decoder.dimensions().map_err(words)?;
    let DecodingResult::U8(packed) = decoder.read_image().map_err(words)? else {
        return Err("its samples are of an unknown kind".to_owned());
    };
    let (wide, tall) = (width as usize, height as usize);
    // Rows begin with whole bytes.
    let stride = (wide * bits as usize).div_ceil(8);
    if packed.len() < stride * tall {
        return Err("it is cut off".to_owned());
    }
    let largest = (1_u32 << bits) - 1;
    let value = |x: usize, row: &[u8]| {
        let bit = x as u32 * bits;
        (u32::from(row[(bit / 8) as usize]) >> (8 - bits - bit % 8)) & largest
    };
    let rows = packed.chunks_exact(stride.max(1)).take(tall);
    let orientation = directory.get(ORIENTATION).and_then(|v| Orientation::from_exif(v as u8));
    let orientation = orientation.unwrap_or(Orientation::NoTransforms);
    if meaning != PALETTE {
        let grey = |v: u32| (if meaning == WHITE_IS_ZERO { largest - v } else { v } * 255 / largest) as u8;
        let pixels = rows.flat_map(|row| (0..wide).map(move |x| grey(value(x, row)))).collect();
        let picture = ImageBuffer::from_raw(width, height, pixels).map(DynamicImage::ImageLuma8);
        return Ok((picture.ok_or("its size is not what it says")?, orientation));
    }
    let table = decoder.get_tag_u16_vec(Tag::ColorMap).map_err(words)?;
    let count = largest as usize + 1;
    if table.len() < 3 * count {
        return Err("its table of colours is too short".to_owned());
    }
    // Colours have 16 bits; some programs write them with 8 all the same.
    let wide_colours = table.iter().any(|&v| v > 255);
    let colour = |v: u16| if wide_colours { ((u32::from(v) + 128) / 257) as u8 } else { v as u8 };
    let colours: Vec<[u8; 3]> =
        (0..count).map(|i| [i, count + i, 2 * count + i].map(|at| colour(table[at]))).collect();
    let pixels = rows.flat_map(|row| (0..wide).map(move |x| value(x, row)));
    let pixels = pixels.flat_map(|index| colours[index as usize]).collect();
    let picture = ImageBuffer::from_raw(width, height, pixels).map(DynamicImage::ImageRgb8);
    Ok((picture.ok_or("its size is not what it says")?, orientation))
}
