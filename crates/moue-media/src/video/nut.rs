//! The NUT container, as far as one stream of raw pictures needs it: how frames and their exact times go
//! from and to the `ffmpeg` program through pipes.
//!
//! Follows the "NUT Open Container Format" specification (2013) that ffmpeg writes: a file is a sequence of packets that
//! begin with a 64-bit start code (headers, sync points, an index) and of frames, which begin with one byte that looks up
//! most of their header in a table. Bytes that are not as the specification says are an error, never a panic; checksums
//! are not verified, since a pipe does not change bytes.

use std::io::{self, BufRead, ErrorKind, Read, Write};

const FILE_ID: &[u8] = b"nut/multimedia container\0";

const MAIN: u64 = 0x4E4D_7A56_1F5F_04AD;
const STREAM: u64 = 0x4E53_1140_5BF2_F9DB;
const SYNC_POINT: u64 = 0x4E4B_E4AD_EECA_4569;

/// Headers are a few hundred bytes; more is no header.
const MAX_PACKET: u64 = 1 << 20;

const CODED_PTS: u64 = 8;
const STREAM_ID: u64 = 16;
const SIZE_MSB: u64 = 32;
const CHECKSUM: u64 = 64;
const RESERVED: u64 = 128;
const SIDE_DATA: u64 = 256;
const HEADER_INDEX: u64 = 1024;
const MATCH_TIME: u64 = 2048;
const CODED_FLAGS: u64 = 4096;
const INVALID: u64 = 8192;

/// What the first byte of a frame stands for.
#[derive(Clone, Copy, Debug, Default)]
struct Code {
    flags: u64,
    stream: u64,
    size_factor: u64,
    size_rest: u64,
    pts_step: i64,
    reserved: u64,
    header: usize,
}

/// Reads frames of one raw video stream.
pub struct NutReader<R> {
    source: R,
    codes: Vec<Code>,
    time_bases: Vec<(u64, u64)>,
    /// Bytes that frames leave out because they always begin so.
    elided: Vec<Vec<u8>>,
    broadcast: bool,
    width: u32,
    height: u32,
    /// Width and height of a pixel, in any unit; 0 where nobody knows.
    aspect: (u64, u64),
    time_base: (u64, u64),
    pts_bits: u32,
    last_pts: i64,
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, format!("the stream from ffmpeg is broken: {what}"))
}

impl<R: BufRead> NutReader<R> {
    /// Reads the headers. `None` where the stream is empty: ffmpeg had nothing to give.
    ///
    /// # Errors
    /// Those of the source; [`ErrorKind::InvalidData`] where it is not NUT or has no video stream.
    pub fn new(mut source: R) -> io::Result<Option<Self>> {
        if source.fill_buf()?.is_empty() {
            return Ok(None);
        }
        let mut id = [0; FILE_ID.len()];
        source.read_exact(&mut id)?;
        if id != FILE_ID {
            return Err(invalid("it does not begin as NUT does"));
        }
        let mut reader = Self {
            source,
            codes: Vec::new(),
            time_bases: Vec::new(),
            elided: Vec::new(),
            broadcast: false,
            width: 0,
            height: 0,
            aspect: (0, 0),
            time_base: (1, 1),
            pts_bits: 0,
            last_pts: 0,
        };
        while reader.width == 0 {
            // A file without frames still has its headers.
            let Some(first) = reader.first_byte()? else { return Ok(None) };
            if first != b'N' {
                return Err(invalid("a frame stands before the header of its stream"));
            }
            reader.packet()?;
        }
        Ok(Some(reader))
    }

    /// Width and height of every frame in pixels.
    pub fn size(&self) -> (u32, u32) {
        (self.width, self.height)
    }

    /// Width of every frame where its pixels are square, rounded: that of other pixels, stretched or narrowed as they are shown.
    pub fn shown_width(&self) -> u32 {
        let (across, down) = self.aspect;
        if across == 0 || down == 0 || across == down {
            return self.width;
        }
        let shown = (f64::from(self.width) * across as f64 / down as f64).round();
        // Pixels that would be so wide or narrow are a mistake.
        let fits = (1.0..=16_384.0).contains(&shown) && shown * f64::from(self.height) <= f64::from(1 << 27);
        if fits && (1.0 / 16.0..=16.0).contains(&(across as f64 / down as f64)) {
            shown as u32
        } else {
            self.width
        }
    }

    /// Fills `frame` with the bytes of the next frame and gives its time in seconds; `None` at the end.
    ///
    /// # Errors
    /// As [`new`](Self::new), and where the frame has another length than `frame`.
    pub fn read(&mut self, frame: &mut [u8]) -> io::Result<Option<f64>> {
        loop {
            let Some(first) = self.first_byte()? else { return Ok(None) };
            if first == b'N' {
                self.packet()?;
                continue;
            }
            return self.frame(first, frame).map(Some);
        }
    }

    fn first_byte(&mut self) -> io::Result<Option<u8>> {
        let byte = self.source.fill_buf()?.first().copied();
        if byte.is_some() {
            self.source.consume(1);
        }
        Ok(byte)
    }

    /// A packet whose first byte was read.
    fn packet(&mut self) -> io::Result<()> {
        let mut rest = [0; 8];
        rest[0] = b'N';
        self.source.read_exact(&mut rest[1..])?;
        let start = u64::from_be_bytes(rest);
        let length = number(&mut self.source)?;
        let checksum = if length > 4096 { 4 } else { 0 };
        // An index grows with the video.
        if !matches!(start, MAIN | STREAM | SYNC_POINT) {
            return skip(&mut self.source, length.saturating_add(checksum));
        }
        if length > MAX_PACKET {
            return Err(invalid("a header is larger than headers are"));
        }
        skip(&mut self.source, checksum)?;
        let mut body = vec![0; length as usize];
        self.source.read_exact(&mut body)?;
        match start {
            MAIN => self.main_header(&mut body.as_slice()),
            STREAM => self.stream_header(&mut body.as_slice()),
            _ => self.sync_point(&mut body.as_slice()),
        }
    }

    fn main_header(&mut self, body: &mut &[u8]) -> io::Result<()> {
        // The header is repeated now and then.
        if !self.codes.is_empty() {
            return Ok(());
        }
        let version = number(body)?;
        if version > 3 {
            number(body)?;
        }
        let _streams = number(body)?;
        let _max_distance = number(body)?;
        for _ in 0..number(body)?.min(256) {
            let base = (number(body)?, number(body)?);
            if base.0 == 0 || base.1 == 0 {
                return Err(invalid("a time base is zero"));
            }
            self.time_bases.push(base);
        }
        self.codes(body)?;
        self.elided.push(Vec::new());
        for _ in 0..number(body)?.min(127) {
            let length = number(body)?.min(4096) as usize;
            let mut bytes = vec![0; length];
            body.read_exact(&mut bytes)?;
            self.elided.push(bytes);
        }
        self.broadcast = version > 3 && number(body)? & 1 != 0;
        Ok(())
    }

    fn codes(&mut self, body: &mut &[u8]) -> io::Result<()> {
        let (mut pts_step, mut size_factor, mut stream, mut header) = (0, 1, 0, 0);
        let mut codes = Vec::with_capacity(256);
        while codes.len() < 256 {
            let flags = number(body)?;
            let fields = number(body)?;
            if fields > 0 {
                pts_step = signed(body)?;
            }
            if fields > 1 {
                size_factor = number(body)?;
            }
            if fields > 2 {
                stream = number(body)?;
            }
            let size = if fields > 3 { number(body)? } else { 0 };
            let reserved = if fields > 4 { number(body)? } else { 0 };
            let count = if fields > 5 { number(body)? } else { size_factor.saturating_sub(size) };
            if fields > 6 {
                signed(body)?;
            }
            if fields > 7 {
                header = number(body)? as usize;
            }
            for _ in 8..fields.min(4096) {
                number(body)?;
            }
            if count == 0 || count > 256 {
                return Err(invalid("its table of frame codes is no table"));
            }
            for step in 0..count {
                // 'N' begins packets, so no frame may.
                if codes.len() == usize::from(b'N') {
                    codes.push(Code { flags: INVALID, ..Code::default() });
                }
                let size_rest = size + step;
                codes.push(Code { flags, stream, size_factor, size_rest, pts_step, reserved, header });
            }
        }
        codes.truncate(256);
        self.codes = codes;
        Ok(())
    }

    fn stream_header(&mut self, body: &mut &[u8]) -> io::Result<()> {
        let id = number(body)?;
        let class = number(body)?;
        if self.width != 0 || id != 0 || class != 0 {
            return Ok(());
        }
        for _ in 0..number(body)?.min(8) {
            number_byte(body)?;
        }
        let base = number(body)? as usize;
        self.time_base = *self.time_bases.get(base).ok_or_else(|| invalid("a time base is missing"))?;
        self.pts_bits = number(body)?.min(48) as u32;
        let (_max_distance, _delay, _flags) = (number(body)?, number(body)?, number(body)?);
        let specific = number(body)?;
        skip(body, specific)?;
        let (width, height) = (number(body)?, number(body)?);
        // As large as a picture may be.
        if width == 0 || height == 0 || width.saturating_mul(height) > 1 << 27 {
            return Err(invalid(&format!("its frames are {width}x{height}")));
        }
        (self.width, self.height) = (width as u32, height as u32);
        self.aspect = (number(body)?, number(body)?);
        Ok(())
    }

    fn sync_point(&mut self, body: &mut &[u8]) -> io::Result<()> {
        let coded = number(body)?;
        number(body)?;
        if self.broadcast {
            number(body)?;
        }
        let bases = self.time_bases.len() as u64;
        if bases == 0 {
            return Err(invalid("a sync point stands before the main header"));
        }
        let (numerator, denominator) = self.time_bases[(coded % bases) as usize];
        let (to_numerator, to_denominator) = self.time_base;
        let wide = u128::from(coded / bases) * u128::from(numerator) * u128::from(to_denominator)
            / (u128::from(denominator) * u128::from(to_numerator));
        self.last_pts = i64::try_from(wide).map_err(|_| invalid("a time is beyond all numbers"))?;
        Ok(())
    }

    fn frame(&mut self, first: u8, frame: &mut [u8]) -> io::Result<f64> {
        let code = *self.codes.get(usize::from(first)).ok_or_else(|| invalid("a frame has no code"))?;
        let source = &mut self.source;
        let mut flags = code.flags;
        if flags & INVALID != 0 {
            return Err(invalid("a frame begins with a byte that no frame begins with"));
        }
        if flags & CODED_FLAGS != 0 {
            flags ^= number(source)?;
        }
        let stream = if flags & STREAM_ID != 0 { number(source)? } else { code.stream };
        let pts = if flags & CODED_PTS != 0 {
            let coded = number(source)?;
            let bits = self.pts_bits;
            if coded < 1 << bits {
                // The lower bits of the time nearest to the last one.
                let mask = (1_i64 << bits) - 1;
                let base = self.last_pts - mask / 2;
                ((coded as i64).wrapping_sub(base) & mask) + base
            } else {
                (coded - (1 << bits)) as i64
            }
        } else {
            self.last_pts.saturating_add(code.pts_step)
        };
        let mut size = code.size_rest;
        if flags & SIZE_MSB != 0 {
            size = number(source)?.saturating_mul(code.size_factor).saturating_add(size);
        }
        if flags & MATCH_TIME != 0 {
            signed(source)?;
        }
        let header = if flags & HEADER_INDEX != 0 { number(source)? as usize } else { code.header };
        let mut reserved = code.reserved;
        if flags & RESERVED != 0 {
            reserved = number(source)?;
        }
        for _ in 0..reserved.min(4096) {
            number(source)?;
        }
        if flags & CHECKSUM != 0 {
            skip(source, 4)?;
        }
        if flags & SIDE_DATA != 0 || stream != 0 {
            return Err(invalid("a frame holds more than a picture"));
        }
        // Long frames leave nothing out.
        let begin =
            if size > 4096 { &[][..] } else { self.elided.get(header).map_or(&[][..], Vec::as_slice) };
        if size != frame.len() as u64 || begin.len() > frame.len() {
            return Err(invalid(&format!("a frame has {size} bytes instead of {}", frame.len())));
        }
        let (known, rest) = frame.split_at_mut(begin.len());
        known.copy_from_slice(begin);
        source.read_exact(rest)?;
        self.last_pts = pts;
        let (numerator, denominator) = self.time_base;
        Ok(pts as f64 * numerator as f64 / denominator as f64)
    }
}

/// Writes frames of one raw video stream, each with its time.
pub struct NutWriter<W> {
    sink: W,
    packet: Vec<u8>,
}

/// Bits of a time that a frame could leave out; times are written whole.
const WRITTEN_PTS_BITS: u32 = 7;

/// Every frame is a key frame that says its time and size, with a checksum as large frames must have.
const WRITTEN_FLAGS: u64 = 1 | CODED_PTS | SIZE_MSB | CHECKSUM;

impl<W: Write> NutWriter<W> {
    /// Writes the headers of a stream of RGB pictures.
    ///
    /// # Errors
    /// Those of the sink.
    pub fn new(sink: W, width: u32, height: u32) -> io::Result<Self> {
        let mut writer = Self { sink, packet: Vec::new() };
        writer.sink.write_all(FILE_ID)?;
        // Version 3, one stream, a sync point at most 64 KB before each frame, times in microseconds; one entry of six
        // fields for all 255 codes; nothing is left out of frames.
        writer.packet(MAIN, &[3, 1, 65_536, 1, 1, 1_000_000, WRITTEN_FLAGS, 6, 0, 1, 0, 0, 0, 255, 0])?;
        // Stream 0 is video, "RGB" with 24 bits, time base 0, no delay, no flags, no data of the codec, square pixels.
        let rgb = [4, b'R'.into(), b'G'.into(), b'B'.into(), 24];
        let rest = [0, u64::from(WRITTEN_PTS_BITS), 1 << 30, 0, 0, 0, width.into(), height.into(), 0, 0, 0];
        writer.packet(STREAM, &[&[0, 0], &rgb[..], &rest].concat())?;
        Ok(writer)
    }

    /// Writes a frame at this time in seconds; times do not decrease and are not negative.
    ///
    /// # Errors
    /// Those of the sink.
    pub fn write(&mut self, time: f64, frame: &[u8]) -> io::Result<()> {
        let pts = (time.max(0.0) * 1e6).round() as u64;
        self.packet(SYNC_POINT, &[pts, 0])?;
        self.packet.clear();
        self.packet.push(0);
        put_number(&mut self.packet, pts + (1 << WRITTEN_PTS_BITS));
        put_number(&mut self.packet, frame.len() as u64);
        let checksum = crc(&self.packet);
        self.packet.extend(checksum.to_be_bytes());
        self.sink.write_all(&self.packet)?;
        self.sink.write_all(frame)
    }

    fn packet(&mut self, start: u64, body: &[u64]) -> io::Result<()> {
        self.packet.clear();
        body.iter().for_each(|&value| put_number(&mut self.packet, value));
        let checksum = crc(&self.packet);
        let mut head = start.to_be_bytes().to_vec();
        put_number(&mut head, self.packet.len() as u64 + 4);
        self.packet.extend(checksum.to_be_bytes());
        self.sink.write_all(&head)?;
        self.sink.write_all(&self.packet)
    }
}

/// The reverse of [`number`].
fn put_number(out: &mut Vec<u8>, value: u64) {
    let groups = (64 - value.leading_zeros()).div_ceil(7).max(1);
    for group in (0..groups).rev() {
        let more = if group > 0 { 128 } else { 0 };
        out.push((value >> (7 * group)) as u8 & 127 | more);
    }
}

/// CRC-32 with generator 0x04C11DB7, beginning with zero.
fn crc(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte) << 24, |crc: u32, _| {
            crc << 1 ^ (if crc >> 31 == 1 { 0x04C1_1DB7 } else { 0 })
        })
    })
}

fn number_byte(source: &mut impl Read) -> io::Result<u8> {
    let mut byte = [0];
    source.read_exact(&mut byte)?;
    Ok(byte[0])
}

/// A number in groups of seven bits, the highest first; the last byte is below 128.
fn number(source: &mut impl Read) -> io::Result<u64> {
    let mut value = 0_u64;
    for _ in 0..10 {
        let byte = number_byte(source)?;
        value = value << 7 | u64::from(byte & 127);
        if byte < 128 {
            return Ok(value);
        }
    }
    Err(invalid("a number has no end"))
}

/// 0, 1, -1, 2, -2 and so on, as 0, 1, 2, 3, 4.
fn signed(source: &mut impl Read) -> io::Result<i64> {
    let value = number(source)?.wrapping_add(1);
    let half = (value >> 1) as i64;
    Ok(if value & 1 == 1 { -half } else { half })
}

fn skip(source: &mut impl Read, bytes: u64) -> io::Result<()> {
    let passed = io::copy(&mut source.take(bytes), &mut io::sink())?;
    if passed == bytes { Ok(()) } else { Err(ErrorKind::UnexpectedEof.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn coded(mut value: u64) -> Vec<u8> {
        let mut bytes = vec![(value & 127) as u8];
        while value > 127 {
            value >>= 7;
            bytes.insert(0, (value & 127) as u8 | 128);
        }
        bytes
    }

    fn packet(start: u64, body: &[u64]) -> Vec<u8> {
        let body: Vec<u8> = body.iter().flat_map(|&v| coded(v)).collect();
        let mut bytes = start.to_be_bytes().to_vec();
        bytes.extend(coded(body.len() as u64 + 4));
        bytes.extend(body);
        bytes.extend([0; 4]);
        bytes
    }

    /// Pictures of 2x1 pixels: six bytes; every frame codes its flags, time and size.
    fn stream() -> Vec<u8> {
        let mut bytes = FILE_ID.to_vec();
        // Version, streams, distance, one time base of 1/1000, then one entry for all 255 codes, no elided headers.
        bytes
            .extend(packet(MAIN, &[3, 1, 65536, 1, 1, 1000, CODED_PTS | SIZE_MSB, 6, 0, 1, 0, 0, 0, 255, 0]));
        // Stream 0 of class video, a fourcc of no bytes, time base 0, 7 bits of pts.
        bytes.extend(packet(STREAM, &[0, 0, 0, 0, 7, 0, 0, 0, 0, 2, 1, 0, 0, 0]));
        bytes.extend(packet(SYNC_POINT, &[0, 0]));
        for (pts, value) in [(0, 1), (33, 2), (67, 3), (100, 4), (200 + 128, 5)] {
            let pts: u64 = pts;
            let near = if value == 4 { pts & 127 } else { pts };
            bytes.push(0);
            bytes.extend(coded(near));
            bytes.extend(coded(6));
            bytes.extend([value; 6]);
        }
        bytes
    }

    #[test]
    fn frames_come_with_their_times() {
        let bytes = stream();
        let mut reader = NutReader::new(bytes.as_slice()).unwrap().unwrap();
        assert_eq!(reader.size(), (2, 1));
        let mut frame = [0; 6];
        let mut seen = Vec::new();
        while let Some(time) = reader.read(&mut frame).unwrap() {
            seen.push((time, frame[5]));
        }
        assert_eq!(seen, [(0.0, 1), (0.033, 2), (0.067, 3), (0.1, 4), (0.2, 5)]);
    }

    /// That of a video of two hours is larger than any header.
    #[test]
    fn an_index_of_any_length_is_passed_over() {
        let mut bytes = stream();
        let frames = bytes.len();
        let length = MAX_PACKET + 1;
        bytes.extend(0x4E58_DD67_2F23_E64E_u64.to_be_bytes());
        bytes.extend(coded(length));
        bytes.extend([0; 4]);
        bytes.resize(bytes.len() + length as usize, 1);
        let mut reader = NutReader::new(bytes.as_slice()).unwrap().unwrap();
        let mut frame = [0; 6];
        let mut count = 0;
        while reader.read(&mut frame).unwrap().is_some() {
            count += 1;
        }
        assert_eq!(count, 5);
        // A header of that length is refused.
        bytes[frames..frames + 8].copy_from_slice(&MAIN.to_be_bytes());
        let mut reader = NutReader::new(bytes.as_slice()).unwrap().unwrap();
        let error = loop {
            match reader.read(&mut frame) {
                Ok(read) => assert!(read.is_some(), "the header was passed over"),
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), ErrorKind::InvalidData);
    }

    #[test]
    fn what_is_written_is_read_back() {
        let mut bytes = Vec::new();
        let mut writer = NutWriter::new(&mut bytes, 321, 3).unwrap();
        let frames: Vec<(f64, Vec<u8>)> =
            [0.0, 0.04, 0.050_001, 7205.5].iter().zip(1..).map(|(&t, v)| (t, vec![v; 321 * 3 * 3])).collect();
        frames.iter().for_each(|(time, frame)| writer.write(*time, frame).unwrap());
        let mut reader = NutReader::new(bytes.as_slice()).unwrap().unwrap();
        assert_eq!(reader.size(), (321, 3));
        for (expected, frame) in frames {
            let mut read = vec![0; 321 * 3 * 3];
            let time = reader.read(&mut read).unwrap().unwrap();
            assert!((time - expected).abs() < 1e-6 && read == frame, "{time} {expected}");
        }
        assert!(reader.read(&mut []).unwrap().is_none());
    }

    #[test]
    fn what_is_broken_is_an_error_wherever_it_is_cut() {
        let bytes = stream();
        assert!(NutReader::new(&[][..]).unwrap().is_none());
        assert!(NutReader::new(&b"RIFF----------------------------"[..]).is_err());
        for length in 1..bytes.len() {
            let Ok(Some(mut reader)) = NutReader::new(&bytes[..length]) else { continue };
            let mut frame = [0; 6];
            while let Ok(Some(_)) = reader.read(&mut frame) {}
        }
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 0x5a;
            let Ok(Some(mut reader)) = NutReader::new(changed.as_slice()) else { continue };
            let mut frame = vec![0; 6];
            for _ in 0..100 {
                if !matches!(reader.read(&mut frame), Ok(Some(_))) {
                    break;
                }
            }
        }
    }
}
