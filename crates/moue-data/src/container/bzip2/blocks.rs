//! Cuts a bzip2 file into its blocks.
//!
//! The format is described by its only specification, the source of bzip2 (Seward, 1996 to 2019): a stream is `BZh`, a level, blocks,
//! a 48-bit end mark, a 32-bit checksum over the blocks' checksums, and bits to fill the last byte; a file is a row of streams.

use std::io::Read;

const BLOCK: u64 = 0x3141_5926_5359;
const END: u64 = 0x1772_4538_5090;
const MAGIC_BITS: usize = 48;
const MAGIC_MASK: u64 = (1 << MAGIC_BITS) - 1;
const CHECKSUM_BITS: usize = 32;

/// Bytes read at a time.
const CHUNK: usize = 1 << 20;

/// A block of 900 kB that does not shrink at all is shorter.
const LONGEST_BLOCK: usize = 2 << 20;

/// What comes next in the file.
pub(super) enum Next {
    /// A bzip2 file that holds this block alone.
    Block(Vec<u8>),
    /// Nothing: the file is complete, and its checksums of checksums are right.
    End,
    /// Something that this code does not deal with.
    Unusual,
}

pub(super) struct Blocks<R> {
    input: R,
    /// Bytes from the file around the place reached.
    buffer: Vec<u8>,
    /// The place reached: a bit of `buffer`. `None` before the first stream.
    bit: Option<usize>,
    checksum: u32,
}

impl<R: Read> Blocks<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input, buffer: Vec::new(), bit: None, checksum: 0 }
    }

    pub(super) fn into_input(self) -> R {
        self.input
    }

    pub(super) fn next(&mut self) -> Next {
        self.try_next().unwrap_or(Next::Unusual)
    }

    /// `None` where anything is unusual.
    fn try_next(&mut self) -> Option<Next> {
        loop {
            let Some(bit) = self.bit else {
                self.skip_header(0)?;
                continue;
            };
            // Room for the longest block, so that positions in the buffer stay valid below.
            self.buffer.drain(..bit / 8);
            let bit = bit % 8;
            self.bit = Some(bit);
            self.fill(LONGEST_BLOCK)?;
            let checksum = self.bits(bit + MAGIC_BITS, CHECKSUM_BITS)? as u32;
            match self.bits(bit, MAGIC_BITS)? {
                BLOCK => {
                    let end = self.find_magic(bit + MAGIC_BITS + CHECKSUM_BITS)?;
                    self.checksum = self.checksum.rotate_left(1) ^ checksum;
                    self.bit = Some(end);
                    return Some(Next::Block(self.single(bit, end, checksum)));
                }
                END if checksum == self.checksum => {
                    let after = (bit + MAGIC_BITS + CHECKSUM_BITS).div_ceil(8);
                    if self.buffer.len() == after {
                        return Some(Next::End);
                    }
                    self.skip_header(after)?;
                }
                _ => return None,
            }
        }
    }

    /// Steps over `BZh` and a level at a byte of the buffer.
    fn skip_header(&mut self, start: usize) -> Option<()> {
        self.fill(start + 4)?;
        match self.buffer.get(start..start + 4)? {
            [b'B', b'Z', b'h', b'1'..=b'9'] => {
                self.bit = Some((start + 4) * 8);
                self.checksum = 0;
                Some(())
            }
            _ => None,
        }
    }

    /// Reads until the buffer holds so many bytes or the file ends. `None` where reading fails.
    fn fill(&mut self, length: usize) -> Option<()> {
        while self.buffer.len() < length {
            let before = self.buffer.len();
            self.input.by_ref().take(CHUNK as u64).read_to_end(&mut self.buffer).ok()?;
            if self.buffer.len() == before {
                break;
            }
        }
        Some(())
    }

    /// The `count` bits, at most 56, that begin at a bit.
    fn bits(&self, start: usize, count: usize) -> Option<u64> {
        let bytes = self.buffer.get(start / 8..(start + count).div_ceil(8))?;
        let all = bytes.iter().fold(0_u64, |all, &byte| all << 8 | u64::from(byte));
        let surplus = bytes.len() * 8 - start % 8 - count;
        Some(all >> surplus & ((1 << count) - 1))
    }

    /// The next bit at or after `start` where a block or the end begins.
    fn find_magic(&self, start: usize) -> Option<usize> {
        let mut window = 0_u64;
        for (index, &byte) in self.buffer.iter().enumerate().skip(start / 8) {
            window = window << 8 | u64::from(byte);
            for shift in (0..8).rev() {
                let value = window >> shift & MAGIC_MASK;
                if value == BLOCK || value == END {
                    let end = (index + 1) * 8 - shift;
                    if end >= start + MAGIC_BITS {
                        return Some(end - MAGIC_BITS);
                    }
                }
            }
        }
        None
    }

    /// A file of one stream with the bits from `start` to `end` as its only block.
    fn single(&self, start: usize, end: usize, checksum: u32) -> Vec<u8> {
        let mut file = Vec::with_capacity((end - start) / 8 + 16);
        file.extend_from_slice(b"BZh9");
        let (first, shift) = (start / 8, start % 8);
        let whole = (end - start) / 8;
        for index in first..first + whole {
            let next = self.buffer.get(index + 1).copied().unwrap_or_default();
            let pair = u16::from(self.buffer[index]) << 8 | u16::from(next);
            file.push((pair << shift >> 8) as u8);
        }
        let left = (end - start) % 8;
        // Fewer than 8 bits of the block, the end mark and the checksum, and zeros up to a whole byte.
        let rest = self.bits(end - left, left).unwrap_or_default();
        let tail = u128::from(rest) << (MAGIC_BITS + CHECKSUM_BITS)
            | u128::from(END) << CHECKSUM_BITS
            | u128::from(checksum);
        let length = left + MAGIC_BITS + CHECKSUM_BITS;
        let bytes = (tail << (128 - length)).to_be_bytes();
        file.extend_from_slice(&bytes[..length.div_ceil(8)]);
        file
    }
}
