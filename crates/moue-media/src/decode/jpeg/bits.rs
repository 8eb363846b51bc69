//! Huffman codes, and the bits they stand in (ITU-T T.81, Annexes C, F and K.3).

use super::careful::Fault;

/// A table of codes, looked up by the next bits.
#[derive(Clone)]
pub struct Huffman {
    /// For every value of nine bits: length and value of the code they begin with, or 0 where it is longer.
    short: Vec<(u8, u8)>,
    /// Largest code of each length, or -1, and what leads from a code to the place of its value.
    largest: [i32; 17],
    shift: [i32; 17],
    values: Vec<u8>,
}

const SHORT: u32 = 9;

impl Huffman {
    /// From how many codes there are of each length, and their values.
    pub fn new(counts: &[u8], values: &[u8]) -> Result<Self, Fault> {
        let mut table = Self {
            short: vec![(0, 0); 1 << SHORT],
            largest: [-1; 17],
            shift: [0; 17],
            values: values.to_vec(),
        };
        let (mut code, mut place) = (0_i32, 0_usize);
        for (length, &count) in (1_u32..).zip(counts) {
            table.shift[length as usize] = place as i32 - code;
            for _ in 0..count {
                if code >> length != 0 {
                    return Err(Fault::Damaged("a table of Huffman codes holds too many"));
                }
                let &value =
                    values.get(place).ok_or(Fault::Damaged("a table of Huffman codes is cut off"))?;
                if length <= SHORT {
                    let first = (code as usize) << (SHORT - length);
                    table.short[first..first + (1 << (SHORT - length))].fill((length as u8, value));
                }
                table.largest[length as usize] = code;
                (code, place) = (code + 1, place + 1);
            }
            code <<= 1;
        }
        Ok(table)
    }

    /// The tables of Annex K.3, which motion JPEG leaves out; `(class, number)` as in a DHT segment.
    pub fn usual(ac: bool, number: usize) -> Option<Self> {
        let (counts, values): (&[u8; 16], &[u8]) = match (ac, number) {
            (false, 0) => (&[0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0], &DC),
            (false, 1) => (&[0, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0], &DC),
            (true, 0) => (&[0, 2, 1, 3, 3, 2, 4, 3, 5, 5, 4, 4, 0, 0, 1, 0x7d], &AC_LUMA),
            (true, 1) => (&[0, 2, 1, 2, 4, 4, 3, 4, 7, 5, 4, 4, 0, 1, 2, 0x77], &AC_CHROMA),
            _ => return None,
        };
        Self::new(counts, values).ok()
    }
}

const DC: [u8; 12] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11];

#[rustfmt::skip]
const AC_LUMA: [u8; 162] = [
    0x01, 0x02, 0x03, 0x00, 0x04, 0x11, 0x05, 0x12, 0x21, 0x31, 0x41, 0x06, 0x13, 0x51, 0x61, 0x07, 0x22, 0x71, 0x14, 0x32, 0x81,
    0x91, 0xa1, 0x08, 0x23, 0x42, 0xb1, 0xc1, 0x15, 0x52, 0xd1, 0xf0, 0x24, 0x33, 0x62, 0x72, 0x82, 0x09, 0x0a, 0x16, 0x17, 0x18,
    0x19, 0x1a, 0x25, 0x26, 0x27, 0x28, 0x29, 0x2a, 0x34, 0x35, 0x36, 0x37, 0x38, 0x39, 0x3a, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48,
    0x49, 0x4a, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59, 0x5a, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6a, 0x73, 0x74, 0x75,
    0x76, 0x77, 0x78, 0x79, 0x7a, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99,
    0x9a, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xb2, 0xb3, 0xb4, 0xb5, 0xb6, 0xb7, 0xb8, 0xb9, 0xba, 0xc2, 0xc3,
    0xc4, 0xc5, 0xc6, 0xc7, 0xc8, 0xc9, 0xca, 0xd2, 0xd3, 0xd4, 0xd5, 0xd6, 0xd7, 0xd8, 0xd9, 0xda, 0xe1, 0xe2, 0xe3, 0xe4, 0xe5,
    0xe6, 0xe7, 0xe8, 0xe9, 0xea, 0xf1, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8, 0xf9, 0xfa,
];

#[rustfmt::skip]
const AC_CHROMA: [u8; 162] = [
    0x00, 0x01, 0x02, 0x03, 0x11, 0x04, 0x05, 0x21, 0x31, 0x06, 0x12, 0x41, 0x51, 0x07, 0x61, 0x71, 0x13, 0x22, 0x32, 0x81, 0x08,
    0x14, 0x42, 0x91, 0xa1, 0xb1, 0xc1, 0x09, 0x23, 0x33, 0x52, 0xf0, 0x15, 0x62, 0x72, 0xd1, 0x0a, 0x16, 0x24, 0x34, 0xe1, 0x25,
    0xf1, 0x17, 0x18, 0x19, 0x1a, 0x26, 0x27, 0x28, 0x29, 0x2a, 0x35, 0x36, 0x37, 0x38, 0x39, 0x3a, 0x43, 0x44, 0x45, 0x46, 0x47,
    0x48, 0x49, 0x4a, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59, 0x5a, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6a, 0x73, 0x74,
    0x75, 0x76, 0x77, 0x78, 0x79, 0x7a, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97,
    0x98, 0x99, 0x9a, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xb2, 0xb3, 0xb4, 0xb5, 0xb6, 0xb7, 0xb8, 0xb9, 0xba,
    0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7, 0xc8, 0xc9, 0xca, 0xd2, 0xd3, 0xd4, 0xd5, 0xd6, 0xd7, 0xd8, 0xd9, 0xda, 0xe2, 0xe3, 0xe4,
    0xe5, 0xe6, 0xe7, 0xe8, 0xe9, 0xea, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8, 0xf9, 0xfa,
];

/// Bits of coded data, up to the next marker.
pub struct Bits<'a> {
    bytes: &'a [u8],
    /// The next byte.
    at: usize,
    /// Bits that were read, the next one highest.
    held: u64,
    count: u32,
}

impl<'a> Bits<'a> {
    pub fn new(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at, held: 0, count: 0 }
    }

    fn fill(&mut self) {
        while self.count <= 48 {
            let Some(&byte) = self.bytes.get(self.at) else { return };
            if byte == 0xff {
                // A byte FF is followed by 00; all else is a marker, which ends the data.
                if self.bytes.get(self.at + 1) != Some(&0) {
                    return;
                }
                self.at += 1;
            }
            self.at += 1;
            self.held |= u64::from(byte) << (56 - self.count);
            self.count += 8;
        }
    }

    fn take(&mut self, count: u32) -> Result<(), Fault> {
        if self.count < count {
            return Err(Fault::Cut);
        }
        self.held <<= count;
        self.count -= count;
        Ok(())
    }

    /// The value of the next code.
    pub fn code(&mut self, table: &Huffman) -> Result<u8, Fault> {
        if self.count < 16 {
            self.fill();
        }
        let (length, value) = table.short[(self.held >> (64 - SHORT)) as usize];
        if length > 0 {
            self.take(length.into())?;
            return Ok(value);
        }
        for length in SHORT + 1..=16 {
            let code = (self.held >> (64 - length)) as i32;
            if code <= table.largest[length as usize] {
                self.take(length)?;
                let place = code + table.shift[length as usize];
                return table
                    .values
                    .get(place as usize)
                    .copied()
                    .ok_or(Fault::Damaged("a code stands for nothing"));
            }
        }
        Err(if self.count < 16 { Fault::Cut } else { Fault::Damaged("a code stands for nothing") })
    }

    /// The next bits as a number, 16 at most.
    pub fn number(&mut self, count: u32) -> Result<i32, Fault> {
        if count == 0 {
            return Ok(0);
        }
        if self.count < count {
            self.fill();
        }
        let value = (self.held >> (64 - count)) as i32;
        self.take(count)?;
        Ok(value)
    }

    /// A number whose first bit says its sign (F.2.2.1).
    pub fn signed(&mut self, count: u32) -> Result<i32, Fault> {
        let value = self.number(count)?;
        Ok(if count > 0 && value < 1 << (count - 1) { value - (1 << count) + 1 } else { value })
    }

    /// Where the marker stands that ends this piece of data, whose rest is passed over.
    pub fn marker(&self) -> Option<usize> {
        let mut at = self.at;
        loop {
            at += self.bytes.get(at..)?.iter().position(|&byte| byte == 0xff)?;
            match *self.bytes.get(at + 1)? {
                0 => at += 2,
                0xff => at += 1,
                _ => return Some(at),
            }
        }
    }

    /// Goes on behind a restart marker, which must be the one of this number.
    pub fn restart(&mut self, number: u8) -> Result<(), Fault> {
        let at = self.marker().ok_or(Fault::Cut)?;
        match self.bytes.get(at + 1) {
            Some(&marker) if marker == 0xd0 + number => {}
            Some(0xd0..=0xd7) => return Err(Fault::Damaged("a piece between restart markers is missing")),
            _ => return Err(Fault::Cut),
        }
        *self = Self::new(self.bytes, at + 2);
        Ok(())
    }
}
