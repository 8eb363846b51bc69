//! Arithmetic codes (ITU-T T.81, Annexes D, F.2.4 and G.2), which some archives and scanners use since the patents ended.
//!
//! An encoder leaves out zeros at the end of its data, so that what is cut off there cannot be told from what is whole.

use super::careful::{Fault, Scan, ZIGZAG};

/// Table D.3: estimate of the probability of the less probable symbol, the next state after it and after the other one, and
/// whether the symbols change places. The last is for bits of which nothing is known.
#[rustfmt::skip]
const STATES: [(u16, u8, u8, bool); 114] = [
    (0x5a1d, 1, 1, true), (0x2586, 14, 2, false), (0x1114, 16, 3, false), (0x080b, 18, 4, false),
    (0x03d8, 20, 5, false), (0x01da, 23, 6, false), (0x00e5, 25, 7, false), (0x006f, 28, 8, false),
    (0x0036, 30, 9, false), (0x001a, 33, 10, false), (0x000d, 35, 11, false), (0x0006, 9, 12, false),
    (0x0003, 10, 13, false), (0x0001, 12, 13, false), (0x5a7f, 15, 15, true), (0x3f25, 36, 16, false),
    (0x2cf2, 38, 17, false), (0x207c, 39, 18, false), (0x17b9, 40, 19, false), (0x1182, 42, 20, false),
    (0x0cef, 43, 21, false), (0x09a1, 45, 22, false), (0x072f, 46, 23, false), (0x055c, 48, 24, false),
    (0x0406, 49, 25, false), (0x0303, 51, 26, false), (0x0240, 52, 27, false), (0x01b1, 54, 28, false),
    (0x0144, 56, 29, false), (0x00f5, 57, 30, false), (0x00b7, 59, 31, false), (0x008a, 60, 32, false),
    (0x0068, 62, 33, false), (0x004e, 63, 34, false), (0x003b, 32, 35, false), (0x002c, 33, 9, false),
    (0x5ae1, 37, 37, true), (0x484c, 64, 38, false), (0x3a0d, 65, 39, false), (0x2ef1, 67, 40, false),
    (0x261f, 68, 41, false), (0x1f33, 69, 42, false), (0x19a8, 70, 43, false), (0x1518, 72, 44, false),
    (0x1177, 73, 45, false), (0x0e74, 74, 46, false), (0x0bfb, 75, 47, false), (0x09f8, 77, 48, false),
    (0x0861, 78, 49, false), (0x0706, 79, 50, false), (0x05cd, 48, 51, false), (0x04de, 50, 52, false),
    (0x040f, 50, 53, false), (0x0363, 51, 54, false), (0x02d4, 52, 55, false), (0x025c, 53, 56, false),
    (0x01f8, 54, 57, false), (0x01a4, 55, 58, false), (0x0160, 56, 59, false), (0x0125, 57, 60, false),
    (0x00f6, 58, 61, false), (0x00cb, 59, 62, false), (0x00ab, 61, 63, false), (0x008f, 61, 32, false),
    (0x5b12, 65, 65, true), (0x4d04, 80, 66, false), (0x412c, 81, 67, false), (0x37d8, 82, 68, false),
    (0x2fe8, 83, 69, false), (0x293c, 84, 70, false), (0x2379, 86, 71, false), (0x1edf, 87, 72, false),
    (0x1aa9, 87, 73, false), (0x174e, 72, 74, false), (0x1424, 72, 75, false), (0x119c, 74, 76, false),
    (0x0f6b, 74, 77, false), (0x0d51, 75, 78, false), (0x0bb6, 77, 79, false), (0x0a40, 77, 48, false),
    (0x5832, 80, 81, true), (0x4d1c, 88, 82, false), (0x438e, 89, 83, false), (0x3bdd, 90, 84, false),
    (0x34ee, 91, 85, false), (0x2eae, 92, 86, false), (0x299a, 93, 87, false), (0x2516, 86, 71, false),
    (0x5570, 88, 89, true), (0x4ca9, 95, 90, false), (0x44d9, 96, 91, false), (0x3e22, 97, 92, false),
    (0x3824, 99, 93, false), (0x32b4, 99, 94, false), (0x2e17, 93, 86, false), (0x56a8, 95, 96, true),
    (0x4f46, 101, 97, false), (0x47e5, 102, 98, false), (0x41cf, 103, 99, false), (0x3c3d, 104, 100, false),
    (0x375e, 99, 93, false), (0x5231, 105, 102, false), (0x4c0f, 106, 103, false), (0x4639, 107, 104, false),
    (0x415e, 103, 99, false), (0x5627, 105, 106, true), (0x50e7, 108, 107, false), (0x4b85, 109, 103, false),
    (0x5597, 110, 109, false), (0x504f, 111, 107, false), (0x5a10, 110, 111, true), (0x5522, 112, 109, false),
    (0x59eb, 112, 111, true), (0x5a1d, 113, 113, false),
];

/// What a DAC segment sets.
#[derive(Clone, Copy)]
pub struct Conditioning {
    /// Which differences of DC count as small, from L to U.
    lower: [u8; 4],
    upper: [u8; 4],
    /// Up to which coefficient AC values share statistics.
    split: [u8; 4],
}

impl Default for Conditioning {
    fn default() -> Self {
        Self { lower: [0; 4], upper: [1; 4], split: [5; 4] }
    }
}

impl Conditioning {
    pub fn read(&mut self, body: &[u8]) -> Result<(), Fault> {
        for pair in body.chunks_exact(2) {
            match (usize::from(pair[0]), pair[1]) {
                (table @ 0..=3, value) if value & 15 <= value >> 4 => {
                    (self.lower[table], self.upper[table]) = (value & 15, value >> 4);
                }
                (table @ 16..=19, value @ 1..=63) => self.split[table - 16] = value,
                _ => return Err(Fault::Damaged("the conditioning of arithmetic codes makes no sense")),
            }
        }
        Ok(())
    }
}

/// A statistic: a state, and in the highest bit the more probable symbol.
type Statistic = u8;

/// Bits of arithmetic codes, up to the next marker.
pub struct Arithmetic<'a> {
    bytes: &'a [u8],
    at: usize,
    code: u64,
    interval: u64,
    shift: i32,
    dc: [[Statistic; 64]; 4],
    ac: [[Statistic; 256]; 4],
    /// What the last difference of each component was like.
    context: [usize; 4],
}

const WILD: &str = "a value has more bits than there are";

impl<'a> Arithmetic<'a> {
    pub fn new(bytes: &'a [u8], at: usize) -> Self {
        let (dc, ac) = ([[0; 64]; 4], [[0; 256]; 4]);
        Self { bytes, at, code: 0, interval: 0, shift: -16, dc, ac, context: [0; 4] }
    }

    /// Where the marker stands that ends this piece of data.
    pub fn marker(&self) -> Option<usize> {
        super::bits::Bits::new(self.bytes, self.at).marker()
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

    /// The next byte; zeros where a marker stands.
    fn byte(&mut self) -> u8 {
        match (self.bytes.get(self.at), self.bytes.get(self.at + 1)) {
            (Some(0xff), Some(0)) => {
                self.at += 2;
                0xff
            }
            (Some(0xff) | None, _) => 0,
            (Some(&byte), _) => {
                self.at += 1;
                byte
            }
        }
    }

    fn decide(&mut self, statistic: &mut Statistic) -> bool {
        while self.interval < 0x8000 {
            self.shift -= 1;
            if self.shift < 0 {
                self.code = self.code << 8 | u64::from(self.byte());
                self.shift += 8;
                if self.shift < 0 {
                    self.shift += 1;
                    if self.shift == 0 {
                        // Two bytes are there.
                        self.interval = 0x8000;
                    }
                }
            }
            self.interval <<= 1;
        }
        let probable = *statistic >> 7;
        let (estimate, after_less, after_more, changes) = STATES[usize::from(*statistic & 127).min(113)];
        let estimate = u64::from(estimate);
        let less = after_less | (probable ^ u8::from(changes)) << 7;
        let more = after_more | probable << 7;
        self.interval -= estimate;
        let bound = self.interval << self.shift;
        let (is_less, next) = if self.code >= bound {
            self.code -= bound;
            let small = self.interval < estimate;
            self.interval = estimate;
            (!small, Some(if small { more } else { less }))
        } else if self.interval < 0x8000 {
            let small = self.interval < estimate;
            (small, Some(if small { less } else { more }))
        } else {
            (false, None)
        };
        *statistic = next.unwrap_or(*statistic);
        (probable == 1) != is_less
    }

    /// A bit of which nothing is known.
    fn plain(&mut self) -> bool {
        self.decide(&mut 113)
    }

    fn dc(&mut self, table: usize, place: usize) -> bool {
        let mut statistic = self.dc[table][place & 63];
        let bit = self.decide(&mut statistic);
        self.dc[table][place & 63] = statistic;
        bit
    }

    fn ac(&mut self, table: usize, place: usize) -> bool {
        let mut statistic = self.ac[table][place & 255];
        let bit = self.decide(&mut statistic);
        self.ac[table][place & 255] = statistic;
        bit
    }

    /// Decodes a block of a scan. `place` is that of the component in the scan, `tables` those for DC and AC.
    #[allow(clippy::too_many_arguments, reason = "the state of a scan lives with the scan")]
    pub fn block(
        &mut self,
        scan: &Scan,
        progressive: bool,
        conditioning: &Conditioning,
        place: usize,
        (dc, ac): (usize, usize),
        before: &mut i32,
        block: &mut [i16; 64],
    ) -> Result<(), Fault> {
        if scan.first == 0 && scan.high > 0 {
            block[0] |= i16::from(self.plain()) << scan.low;
            return Ok(());
        }
        if scan.first == 0 {
            self.difference(conditioning, place, dc, before)?;
            block[0] = (*before << scan.low) as i16;
        }
        match (progressive, scan.first, scan.high) {
            (true, 0, _) => Ok(()),
            (true, _, 1..) => self.refinement(scan, ac, block),
            _ => self.coefficients(scan, conditioning, ac, block),
        }
    }

    /// F.1.4.1 and F.1.4.4.1.
    fn difference(
        &mut self,
        conditioning: &Conditioning,
        place: usize,
        table: usize,
        before: &mut i32,
    ) -> Result<(), Fault> {
        let mut at = self.context[place];
        if !self.dc(table, at) {
            self.context[place] = 0;
            return Ok(());
        }
        let negative = self.dc(table, at + 1);
        at += 2 + usize::from(negative);
        let mut size = i32::from(self.dc(table, at));
        if size > 0 {
            at = 20;
            while self.dc(table, at) {
                size <<= 1;
                if size >= 0x8000 {
                    return Err(Fault::Damaged(WILD));
                }
                at += 1;
            }
        }
        let side = 4 * usize::from(negative);
        self.context[place] = if size < (1 << conditioning.lower[table]) >> 1 {
            0
        } else if size > (1 << conditioning.upper[table]) >> 1 {
            12 + side
        } else {
            4 + side
        };
        let mut value = size;
        while size > 1 {
            size >>= 1;
            if self.dc(table, at + 14) {
                value |= size;
            }
        }
        value += 1;
        *before = before.wrapping_add(if negative { -value } else { value });
        Ok(())
    }

    /// F.1.4.2 and F.1.4.4.2.
    fn coefficients(
        &mut self,
        scan: &Scan,
        conditioning: &Conditioning,
        table: usize,
        block: &mut [i16; 64],
    ) -> Result<(), Fault> {
        let mut k = scan.first.max(1);
        while k <= scan.last {
            let mut at = 3 * (k - 1);
            if self.ac(table, at) {
                break;
            }
            while !self.ac(table, at + 1) {
                at += 3;
                k += 1;
                if k > scan.last {
                    return Err(Fault::Damaged("a block has more coefficients than there are"));
                }
            }
            let negative = self.plain();
            at += 2;
            let mut size = i32::from(self.ac(table, at));
            if size > 0 && self.ac(table, at) {
                size <<= 1;
                at = if k <= usize::from(conditioning.split[table]) { 189 } else { 217 };
                while self.ac(table, at) {
                    size <<= 1;
                    if size >= 0x8000 {
                        return Err(Fault::Damaged(WILD));
                    }
                    at += 1;
                }
            }
            let mut value = size;
            while size > 1 {
                size >>= 1;
                if self.ac(table, at + 14) {
                    value |= size;
                }
            }
            value += 1;
            block[ZIGZAG[k]] = ((if negative { -value } else { value }) << scan.low) as i16;
            k += 1;
        }
        Ok(())
    }

    /// G.1.3.3.
    fn refinement(&mut self, scan: &Scan, table: usize, block: &mut [i16; 64]) -> Result<(), Fault> {
        let bit = 1_i16 << scan.low;
        let known_to = (1..=scan.last).rev().find(|&k| block[ZIGZAG[k]] != 0).unwrap_or(0);
        let mut k = scan.first;
        while k <= scan.last {
            let mut at = 3 * (k - 1);
            if k > known_to && self.ac(table, at) {
                break;
            }
            loop {
                let value = block[ZIGZAG[k]];
                if value != 0 {
                    if self.ac(table, at + 2) {
                        block[ZIGZAG[k]] =
                            if value < 0 { value.wrapping_sub(bit) } else { value.wrapping_add(bit) };
                    }
                    break;
                }
                if self.ac(table, at + 1) {
                    block[ZIGZAG[k]] = if self.plain() { -bit } else { bit };
                    break;
                }
                at += 3;
                k += 1;
                if k > scan.last {
                    return Err(Fault::Damaged("a block has more coefficients than there are"));
                }
            }
            k += 1;
        }
        Ok(())
    }
}
