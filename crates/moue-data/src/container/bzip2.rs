//! bzip2 unpacked by several threads.
//!
//! A bzip2 file is a row of blocks of at most 900 kB that do not depend on each other, each beginning with a 48-bit magic number at
//! any bit. So each block is cut out, made a file of its own and unpacked by itself. Whatever is unusual (a magic number that
//! came about by chance, a block that unpacks to far more than usual, a damaged or cut-off file) is left to the ordinary decoder:
//! it starts again at the beginning of the file, and what was handed out already is skipped.

use std::collections::VecDeque;
use std::io::{self, BufReader, Read, Seek};
use std::thread;

use ::bzip2::bufread::{BzDecoder, MultiBzDecoder};

mod blocks;

use blocks::{Blocks, Next};

/// A block of text unpacks to 900 kB; only long runs of one byte make more.
const USUAL_BLOCK: u64 = 4 << 20;

/// Reads what a bzip2 file unpacks to.
pub(super) enum Bzip2Reader<R> {
    /// Several blocks at a time.
    Parallel(Parallel<R>),
    /// The ordinary decoder, after so many bytes to skip.
    Ordinary(Box<MultiBzDecoder<BufReader<R>>>),
    /// Reading failed; there is no more.
    Ended,
}

pub(super) struct Parallel<R> {
    blocks: Blocks<R>,
    threads: usize,
    unpacked: VecDeque<Vec<u8>>,
    /// Bytes of the first of `unpacked` that were handed out, and of all.
    taken: usize,
    handed_out: u64,
    /// What stands after `unpacked`.
    then: Then,
}

#[derive(Clone, Copy, PartialEq)]
enum Then {
    More,
    End,
    Ordinary,
}

impl<R: Read + Seek> Bzip2Reader<R> {
    /// `input` stands at the beginning of the file.
    pub(super) fn new(input: R) -> Self {
        let threads = thread::available_parallelism().map_or(1, usize::from);
        if threads == 1 {
            return Self::Ordinary(Box::new(MultiBzDecoder::new(BufReader::new(input))));
        }
        Self::Parallel(Parallel {
            blocks: Blocks::new(input),
            threads,
            unpacked: VecDeque::new(),
            taken: 0,
            handed_out: 0,
            then: Then::More,
        })
    }
}

impl<R: Read + Seek> Read for Bzip2Reader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Self::Parallel(parallel) = self {
            if let Some(read) = parallel.read(buffer) {
                return Ok(read);
            }
            if let Self::Parallel(parallel) = std::mem::replace(self, Self::Ended) {
                *self = Self::Ordinary(parallel.into_ordinary()?);
            }
        }
        match self {
            Self::Ordinary(decoder) => decoder.read(buffer),
            _ => Ok(0),
        }
    }
}

impl<R: Read + Seek> Parallel<R> {
    /// `None` where the ordinary decoder has to go on.
    fn read(&mut self, buffer: &mut [u8]) -> Option<usize> {
        loop {
            if let Some(first) = self.unpacked.front() {
                let rest = &first[self.taken..];
                let count = rest.len().min(buffer.len());
                buffer[..count].copy_from_slice(&rest[..count]);
                self.taken += count;
                self.handed_out += count as u64;
                if self.taken == first.len() {
                    self.unpacked.pop_front();
                    self.taken = 0;
                }
                if count > 0 || buffer.is_empty() {
                    return Some(count);
                }
                continue;
            }
            match self.then {
                Then::More => self.unpack_more(),
                Then::End => return Some(0),
                Then::Ordinary => return None,
            }
        }
    }

    /// Unpacks a block with each thread.
    fn unpack_more(&mut self) {
        let mut blocks = Vec::with_capacity(self.threads);
        while blocks.len() < self.threads && self.then == Then::More {
            match self.blocks.next() {
                Next::Block(block) => blocks.push(block),
                Next::End => self.then = Then::End,
                Next::Unusual => self.then = Then::Ordinary,
            }
        }
        // Not rayon's threads: they may all be waiting for this reader.
        let unpacked: Vec<_> = thread::scope(|scope| {
            let running: Vec<_> = blocks.iter().map(|block| scope.spawn(|| unpack(block))).collect();
            running.into_iter().map(|thread| thread.join().ok().flatten()).collect()
        });
        for block in unpacked {
            match block {
                Some(block) => self.unpacked.push_back(block),
                None => {
                    self.then = Then::Ordinary;
                    return;
                }
            }
        }
    }

    fn into_ordinary(self) -> io::Result<Box<MultiBzDecoder<BufReader<R>>>> {
        let mut input = self.blocks.into_input();
        input.rewind()?;
        let mut decoder = Box::new(MultiBzDecoder::new(BufReader::new(input)));
        io::copy(&mut decoder.by_ref().take(self.handed_out), &mut io::sink())?;
        Ok(decoder)
    }
}

/// `None` where the block is damaged, or unpacks to more than usual.
fn unpack(block: &[u8]) -> Option<Vec<u8>> {
    let mut text = Vec::new();
    let read = BzDecoder::new(block).take(USUAL_BLOCK + 1).read_to_end(&mut text).ok()?;
    (read as u64 <= USUAL_BLOCK).then_some(text)
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write};

    use super::*;

    /// Text that does not shrink much, so that it fills several blocks.
    fn text(length: usize) -> Vec<u8> {
        let mut state = 1_u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            b'0' + (state >> 24) as u8 % 10
        };
        (0..length).map(|_| next()).collect()
    }

    fn packed(text: &[u8]) -> Vec<u8> {
        let mut encoder = ::bzip2::write::BzEncoder::new(Vec::new(), ::bzip2::Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn unpacked(file: &[u8]) -> (io::Result<Vec<u8>>, bool) {
        let parallel = Parallel {
            blocks: Blocks::new(Cursor::new(file.to_vec())),
            threads: 3,
            unpacked: VecDeque::new(),
            taken: 0,
            handed_out: 0,
            then: Then::More,
        };
        let mut reader = Bzip2Reader::Parallel(parallel);
        let mut text = Vec::new();
        let read = reader.read_to_end(&mut text);
        (read.map(|_| text), matches!(reader, Bzip2Reader::Parallel(_)))
    }

    #[test]
    fn files_of_many_blocks_and_streams_unpack_in_parallel() {
        for length in [0, 1, 99_000, 1_000_000, 1_234_567] {
            let text = text(length);
            let (read, parallel) = unpacked(&packed(&text));
            assert_eq!(read.unwrap(), text, "{length}");
            assert!(parallel, "{length}");
        }
        let streams = [packed(&text(300_000)), packed(b""), packed(&text(10))].concat();
        let (read, parallel) = unpacked(&streams);
        assert_eq!(read.unwrap(), [text(300_000), text(10)].concat());
        assert!(parallel);
    }

    #[test]
    fn long_runs_are_left_to_the_ordinary_decoder() {
        let text = [text(500_000), vec![b'7'; 30_000_000], text(1000)].concat();
        let (read, parallel) = unpacked(&packed(&text));
        assert!(read.unwrap() == text);
        assert!(!parallel);
    }

    #[test]
    fn damage_is_an_error_wherever_it_is() {
        let text = text(400_000);
        let good = packed(&text);
        for length in [5, 20, 60_000, good.len() - 9, good.len() - 1] {
            let error = unpacked(&good[..length]).0.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof, "{length}");
        }
        // The last two are in the stream's checksum and past the end.
        for place in [30_000, good.len() / 2, good.len() - 3] {
            let mut bad = good.clone();
            bad[place] ^= 0x10;
            assert!(unpacked(&bad).0.is_err(), "{place}");
        }
        let trailing = [good, b"more".to_vec()].concat();
        assert!(unpacked(&trailing).0.is_err());
    }
}
