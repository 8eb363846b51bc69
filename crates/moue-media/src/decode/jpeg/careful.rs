//! A decoder for every JPEG that is coded by Huffman or arithmetic codes (ITU-T T.81): sequential and progressive, scans of any
//! components, any sampling, 8 and 12 bits, grey, YCbCr, RGB, CMYK and YCCK. Its samples are those of libjpeg.
//!
//! It is made to be right, not fast: what most files are is read by another decoder. Data that end before the picture does are
//! an error.

use super::arithmetic::{Arithmetic, Conditioning};
use super::bits::{Bits, Huffman};
use super::survey::Survey;
use super::transform;

/// Why a picture cannot be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The data end, or a marker stands, before the picture is complete.
    Cut,
    /// The data are not as the standard says.
    Damaged(&'static str),
}

/// One component, decoded.
pub struct Plane {
    /// Samples a row and rows that belong to the picture; rows are `stride` samples apart.
    pub width: usize,
    pub height: usize,
    pub stride: usize,
    /// Samples of 8 bits, whatever the precision of the file.
    pub samples: Vec<u8>,
    /// Sampling factors.
    pub h: usize,
    pub v: usize,
}

/// The components of a picture.
pub struct Planes {
    pub planes: Vec<Plane>,
    /// The largest sampling factors.
    pub h: usize,
    pub v: usize,
}

/// Place in a block of the coefficients in the order in which they are coded.
#[rustfmt::skip]
pub const ZIGZAG: [usize; 64] = [
     0,  1,  8, 16,  9,  2,  3, 10, 17, 24, 32, 25, 18, 11,  4,  5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13,  6,  7, 14, 21, 28,
    35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
];

/// A component on its way.
struct Part {
    id: u8,
    h: usize,
    v: usize,
    /// Blocks a row and rows of blocks that hold samples of the picture.
    blocks: (usize, usize),
    /// Blocks a row, with those that only fill the last unit.
    across: usize,
    table: u8,
    /// The quantization table as it was when the first scan began.
    quantization: Option<[u16; 64]>,
    /// Whether a scan held it.
    seen: bool,
    /// Coefficients in natural order, where they come in several scans.
    coefficients: Vec<i16>,
    plane: Plane,
}

/// What a scan header says.
#[derive(Clone, Debug)]
pub struct Scan {
    /// Places of the components, with their tables for DC and AC.
    pub parts: Vec<(usize, usize, usize)>,
    pub first: usize,
    pub last: usize,
    /// Bits of the coefficients that came before, and that are left for later scans.
    pub high: u32,
    pub low: u32,
}

struct Decoder<'a> {
    bytes: &'a [u8],
    survey: &'a Survey,
    parts: Vec<Part>,
    h: usize,
    v: usize,
    quantization: [Option<[u16; 64]>; 4],
    dc: [Option<Huffman>; 4],
    ac: [Option<Huffman>; 4],
    conditioning: Conditioning,
    restart: usize,
}

/// Bytes that decoding such a picture takes beside the result.
pub fn memory(survey: &Survey) -> u64 {
    let units = survey.components.iter().map(|c| u64::from(c.h) * u64::from(c.v)).sum::<u64>();
    let most = |of: fn(&super::survey::Component) -> u8| {
        u64::from(survey.components.iter().map(of).max().unwrap_or(1))
    };
    let largest = (most(|c| c.h) * most(|c| c.v)).max(1);
    let samples = u64::from(survey.width) * u64::from(survey.height) * units / largest;
    samples * if is_progressive(survey.kind) { 3 } else { 1 }
}

fn is_progressive(kind: u8) -> bool {
    matches!(kind, 0xc2 | 0xca)
}

fn is_arithmetic(kind: u8) -> bool {
    matches!(kind, 0xc9 | 0xca)
}

/// Decodes the components of the picture whose markers were surveyed. The caller has looked at its kind and size.
pub fn decode(bytes: &[u8], survey: &Survey) -> Result<Planes, Fault> {
    let most = |of: fn(&super::survey::Component) -> u8| survey.components.iter().map(of).max().unwrap_or(1);
    let (h, v) = (usize::from(most(|c| c.h)), usize::from(most(|c| c.v)));
    let (width, height) = (usize::from(survey.width), usize::from(survey.height));
    let mut parts = Vec::with_capacity(survey.components.len());
    for c in &survey.components {
        if !(1..=4).contains(&c.h) || !(1..=4).contains(&c.v) {
            return Err(Fault::Damaged("a sampling factor is none"));
        }
        let (ch, cv) = (usize::from(c.h), usize::from(c.v));
        let (w, t) = ((width * ch).div_ceil(h), (height * cv).div_ceil(v));
        let (across, down) = (width.div_ceil(8 * h) * ch, height.div_ceil(8 * v) * cv);
        let coefficients = if is_progressive(survey.kind) { across * down * 64 } else { 0 };
        parts.push(Part {
            id: c.id,
            h: ch,
            v: cv,
            blocks: (w.div_ceil(8), t.div_ceil(8)),
            across,
            table: c.table,
            quantization: None,
            seen: false,
            coefficients: vec![0; coefficients],
            plane: Plane {
                width: w,
                height: t,
                stride: across * 8,
                samples: vec![0; across * down * 64],
                h: ch,
                v: cv,
            },
        });
    }
    let mut decoder = Decoder {
        bytes,
        survey,
        parts,
        h,
        v,
        quantization: [None; 4],
        dc: Default::default(),
        ac: Default::default(),
        conditioning: Conditioning::default(),
        restart: 0,
    };
    // Motion JPEG leaves out the tables of the standard; a file's own take their places.
    for number in 0..2 {
        decoder.dc[number] = Huffman::usual(false, number);
        decoder.ac[number] = Huffman::usual(true, number);
    }
    decoder.run()?;
    if decoder.parts.iter().any(|part| !part.seen) {
        return Err(Fault::Cut);
    }
    let planes = decoder.parts.into_iter().map(|part| part.plane).collect();
    Ok(Planes { planes, h, v })
}

impl Decoder<'_> {
    fn run(&mut self) -> Result<(), Fault> {
        let mut at = 2;
        loop {
            let rest = self.bytes.get(at..).ok_or(Fault::Cut)?;
            at += rest.iter().position(|&byte| byte == 0xff).ok_or(Fault::Cut)?;
            let marker = *self.bytes.get(at + 1).ok_or(Fault::Cut)?;
            match marker {
                0xff => at += 1,
                0x00 | 0x01 | 0xd0..=0xd8 => at += 2,
                0xd9 => break,
                _ => {
                    let length = self.bytes.get(at + 2..at + 4).ok_or(Fault::Cut)?;
                    let length = usize::from(u16::from_be_bytes([length[0], length[1]])).max(2);
                    let body = self.bytes.get(at + 4..at + 2 + length).ok_or(Fault::Cut)?;
                    at += 2 + length;
                    match marker {
                        0xc4 => self.huffman(body)?,
                        0xcc => self.conditioning.read(body)?,
                        0xdb => self.quantization(body)?,
                        0xdd => {
                            let &[high, low, ..] = body else { return Err(Fault::Cut) };
                            self.restart = usize::from(u16::from_be_bytes([high, low]));
                        }
                        0xda => {
                            let scan = self.scan_header(body)?;
                            at = self.scan(&scan, at)?;
                        }
                        _ => {}
                    }
                }
            }
        }
        if is_progressive(self.survey.kind) {
            for part in &mut self.parts {
                let table = part.quantization.ok_or(Fault::Cut)?;
                for (place, block) in part.coefficients.as_chunks::<64>().0.iter().enumerate() {
                    put(
                        &mut part.plane,
                        (place % part.across, place / part.across),
                        block,
                        &table,
                        self.survey.precision,
                    );
                }
                part.coefficients = Vec::new();
            }
        }
        Ok(())
    }

    fn quantization(&mut self, mut body: &[u8]) -> Result<(), Fault> {
        while let [kind, rest @ ..] = body {
            let wide = kind >> 4 != 0;
            let bytes = if wide { 128 } else { 64 };
            let (values, behind) = rest.split_at_checked(bytes).ok_or(Fault::Cut)?;
            let mut table = [0; 64];
            for (place, &natural) in ZIGZAG.iter().enumerate() {
                table[natural] = match wide {
                    true => u16::from_be_bytes([values[2 * place], values[2 * place + 1]]),
                    false => values[place].into(),
                };
            }
            let place = self.quantization.get_mut(usize::from(kind & 15));
            *place.ok_or(Fault::Damaged("there is no such quantization table"))? = Some(table);
            body = behind;
        }
        Ok(())
    }

    fn huffman(&mut self, mut body: &[u8]) -> Result<(), Fault> {
        while let [kind, rest @ ..] = body {
            let (counts, values) = rest.split_at_checked(16).ok_or(Fault::Cut)?;
            let length = counts.iter().map(|&c| usize::from(c)).sum();
            let (values, behind) = values.split_at_checked(length).ok_or(Fault::Cut)?;
            let tables = if kind >> 4 == 0 { &mut self.dc } else { &mut self.ac };
            let place = tables.get_mut(usize::from(kind & 15));
            *place.ok_or(Fault::Damaged("there is no such Huffman table"))? =
                Some(Huffman::new(counts, values)?);
            body = behind;
        }
        Ok(())
    }

    fn scan_header(&mut self, body: &[u8]) -> Result<Scan, Fault> {
        let count = usize::from(*body.first().ok_or(Fault::Cut)?);
        let choices = body.get(1..1 + 2 * count).ok_or(Fault::Cut)?;
        let &[first, last, approximated, ..] = &body[1 + 2 * count..] else { return Err(Fault::Cut) };
        let mut parts: Vec<(usize, usize, usize)> = Vec::with_capacity(count);
        for choice in choices.chunks_exact(2) {
            let place = self.parts.iter().position(|part| part.id == choice[0]);
            let place =
                place.ok_or(Fault::Damaged("a scan is of a component that the picture does not have"))?;
            let (dc, ac) = (usize::from(choice[1] >> 4), usize::from(choice[1] & 15));
            if parts.iter().any(|&(other, ..)| other == place) || dc > 3 || ac > 3 {
                return Err(Fault::Damaged("the header of a scan makes no sense"));
            }
            parts.push((place, dc, ac));
            let part = &mut self.parts[place];
            if part.quantization.is_none() {
                let table = self.quantization.get(usize::from(part.table)).copied().flatten();
                part.quantization = Some(table.ok_or(Fault::Damaged("a quantization table is missing"))?);
            }
        }
        let (mut first, mut last) = (usize::from(first), usize::from(last));
        let (mut high, mut low) = (u32::from(approximated >> 4), u32::from(approximated & 15));
        if !is_progressive(self.survey.kind) {
            // Some encoders leave these fields unset; only progressive pictures need them.
            (first, last, high, low) = (0, 63, 0, 0);
        } else if first > last || last > 63 || first == 0 && last > 0 || first > 0 && count != 1 || low > 13 {
            return Err(Fault::Damaged("the header of a scan makes no sense"));
        }
        if parts.is_empty() {
            return Err(Fault::Damaged("a scan holds no component"));
        }
        Ok(Scan { parts, first, last, high, low })
    }

    /// Decodes a scan whose data begin at a place, and gives the place of the marker behind them.
    fn scan(&mut self, scan: &Scan, at: usize) -> Result<usize, Fault> {
        let arithmetic = is_arithmetic(self.survey.kind);
        let progressive = is_progressive(self.survey.kind);
        let mut coder = match arithmetic {
            true => Coder::Arithmetic(Box::new(Arithmetic::new(self.bytes, at))),
            false => Coder::Huffman(Bits::new(self.bytes, at)),
        };
        // A scan of one component counts its own blocks; else units hold blocks of all (A.2).
        let alone = scan.parts.len() == 1;
        let (units, rows) = match alone {
            true => self.parts[scan.parts[0].0].blocks,
            false => (
                usize::from(self.survey.width).div_ceil(8 * self.h),
                usize::from(self.survey.height).div_ceil(8 * self.v),
            ),
        };
        let (mut before, mut run) = ([0_i32; 4], 0_u32);
        let mut block = [0_i16; 64];
        for unit in 0..units * rows {
            if self.restart > 0 && unit > 0 && unit % self.restart == 0 {
                let number = ((unit / self.restart - 1) % 8) as u8;
                match &mut coder {
                    Coder::Huffman(bits) => bits.restart(number)?,
                    Coder::Arithmetic(coder) => coder.restart(number)?,
                }
                (before, run) = ([0; 4], 0);
            }
            let (column, row) = (unit % units, unit / units);
            for (place, &(index, dc, ac)) in scan.parts.iter().enumerate() {
                let part = &mut self.parts[index];
                let (h, v) = if alone { (1, 1) } else { (part.h, part.v) };
                for (y, x) in (0..v).flat_map(|y| (0..h).map(move |x| (y, x))) {
                    let at = (column * h + x, row * v + y);
                    let target = if progressive {
                        let start = (at.1 * part.across + at.0) * 64;
                        let target =
                            part.coefficients.get_mut(start..start + 64).and_then(|b| b.try_into().ok());
                        target.ok_or(Fault::Damaged("a block lies outside of the picture"))?
                    } else {
                        block.fill(0);
                        &mut block
                    };
                    let dc_before = &mut before[place % 4];
                    match &mut coder {
                        Coder::Huffman(bits) => {
                            let missing = Fault::Damaged("a Huffman table is missing");
                            huffman_block(
                                bits,
                                scan,
                                progressive,
                                self.dc[dc].as_ref().ok_or(missing),
                                self.ac[ac].as_ref().ok_or(missing),
                                dc_before,
                                &mut run,
                                target,
                            )?;
                        }
                        Coder::Arithmetic(coder) => {
                            let tables = (dc, ac);
                            coder.block(
                                scan,
                                progressive,
                                &self.conditioning,
                                place % 4,
                                tables,
                                dc_before,
                                target,
                            )?;
                        }
                    }
                    if !progressive {
                        let table = part.quantization.ok_or(Fault::Cut)?;
                        put(&mut part.plane, at, &block, &table, self.survey.precision);
                    }
                }
            }
        }
        for &(index, ..) in &scan.parts {
            // A progressive picture without the mean of its blocks is not there yet.
            self.parts[index].seen |= scan.first == 0;
        }
        match coder {
            Coder::Huffman(bits) => bits.marker(),
            Coder::Arithmetic(coder) => coder.marker(),
        }
        .ok_or(Fault::Cut)
    }
}

enum Coder<'a> {
    Huffman(Bits<'a>),
    Arithmetic(Box<Arithmetic<'a>>),
}

/// Decodes a block and writes its samples at this place, counted in blocks.
fn put(plane: &mut Plane, (x, y): (usize, usize), block: &[i16; 64], table: &[u16; 64], precision: u8) {
    let start = y * 8 * plane.stride + x * 8;
    if let Some(samples) = plane.samples.get_mut(start..) {
        transform::inverse(block, table, precision, samples, plane.stride);
    }
}

#[allow(
    clippy::too_many_arguments,
    reason = "the state of a scan lives with the scan, the tables with the picture"
)]
fn huffman_block(
    bits: &mut Bits<'_>,
    scan: &Scan,
    progressive: bool,
    dc: Result<&Huffman, Fault>,
    ac: Result<&Huffman, Fault>,
    before: &mut i32,
    run: &mut u32,
    block: &mut [i16; 64],
) -> Result<(), Fault> {
    if !progressive {
        mean(bits, dc?, before)?;
        block[0] = *before as i16;
        let (ac, mut place) = (ac?, 1);
        while place < 64 {
            let code = bits.code(ac)?;
            let (zeros, size) = (usize::from(code >> 4), u32::from(code & 15));
            if size == 0 {
                if zeros < 15 {
                    break;
                }
                place += 16;
                continue;
            }
            place += zeros;
            let value = bits.signed(size)?;
            *coefficient(block, place)? = value as i16;
            place += 1;
        }
        return Ok(());
    }
    match (scan.first, scan.high) {
        (0, 0) => {
            mean(bits, dc?, before)?;
            block[0] = (*before << scan.low) as i16;
        }
        (0, _) => block[0] |= (bits.number(1)? << scan.low) as i16,
        (_, 0) => first_pass(bits, scan, ac?, run, block)?,
        _ => refinement(bits, scan, ac?, run, block)?,
    }
    Ok(())
}

fn mean(bits: &mut Bits<'_>, table: &Huffman, before: &mut i32) -> Result<(), Fault> {
    let size = bits.code(table)?;
    if size > 16 {
        return Err(Fault::Damaged("a difference has more bits than there are"));
    }
    *before = before.wrapping_add(bits.signed(size.into())?);
    Ok(())
}

fn coefficient(block: &mut [i16; 64], place: usize) -> Result<&mut i16, Fault> {
    let natural = ZIGZAG.get(place).ok_or(Fault::Damaged("a block has more coefficients than there are"))?;
    Ok(&mut block[*natural])
}

/// The first bits of AC coefficients (G.1.2.2).
fn first_pass(
    bits: &mut Bits<'_>,
    scan: &Scan,
    table: &Huffman,
    run: &mut u32,
    block: &mut [i16; 64],
) -> Result<(), Fault> {
    if *run > 0 {
        *run -= 1;
        return Ok(());
    }
    let mut place = scan.first;
    while place <= scan.last {
        let code = bits.code(table)?;
        let (zeros, size) = (usize::from(code >> 4), u32::from(code & 15));
        if size > 0 {
            place += zeros;
            let value = bits.signed(size)?;
            *coefficient(block, place)? = (value << scan.low) as i16;
            place += 1;
        } else if zeros == 15 {
            place += 16;
        } else {
            *run = (1 << zeros) - 1 + bits.number(zeros as u32)? as u32;
            break;
        }
    }
    Ok(())
}

/// One more bit of AC coefficients (G.1.2.3).
fn refinement(
    bits: &mut Bits<'_>,
    scan: &Scan,
    table: &Huffman,
    run: &mut u32,
    block: &mut [i16; 64],
) -> Result<(), Fault> {
    let bit = 1_i16 << scan.low;
    let mut place = scan.first;
    if *run == 0 {
        while place <= scan.last {
            let code = bits.code(table)?;
            let (mut zeros, size) = (usize::from(code >> 4), code & 15);
            let mut value = 0;
            if size > 0 {
                value = if bits.number(1)? == 1 { bit } else { -bit };
            } else if zeros < 15 {
                *run = (1 << zeros) + bits.number(zeros as u32)? as u32;
                break;
            }
            while place <= scan.last {
                let known = coefficient(block, place)?;
                if *known != 0 {
                    refine(bits, known, bit)?;
                } else if zeros == 0 {
                    *known = value;
                    place += 1;
                    break;
                } else {
                    zeros -= 1;
                }
                place += 1;
            }
        }
    }
    if *run > 0 {
        while place <= scan.last {
            let known = coefficient(block, place)?;
            if *known != 0 {
                refine(bits, known, bit)?;
            }
            place += 1;
        }
        *run -= 1;
    }
    Ok(())
}

fn refine(bits: &mut Bits<'_>, known: &mut i16, bit: i16) -> Result<(), Fault> {
    if bits.number(1)? == 1 && *known & bit == 0 {
        *known = if *known > 0 { known.wrapping_add(bit) } else { known.wrapping_sub(bit) };
    }
    Ok(())
}
