//! What the markers of a JPEG say about it, before a sample is decoded (ITU-T T.81, Annex B).

/// What is known of a component from the frame header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Component {
    pub id: u8,
    /// Samples across and down a unit, 1 to 4.
    pub h: u8,
    pub v: u8,
    /// Which quantization table.
    pub table: u8,
}

/// What stands in the markers of the first picture of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Survey {
    /// Last byte of the frame marker, `C0` to `CF`; 0 where there is none.
    pub kind: u8,
    pub precision: u8,
    pub width: u16,
    /// 0 where neither the frame header nor a later DNL marker gives it.
    pub height: u16,
    /// Whether the height is in a DNL marker, behind the first scan.
    pub late_height: bool,
    pub components: Vec<Component>,
    /// How many components each scan holds.
    pub scans: Vec<usize>,
    /// Whether every Huffman table was there when a scan wanted it.
    pub has_tables: bool,
    pub jfif: bool,
    /// The colour transform that Adobe's marker names.
    pub adobe: Option<u8>,
    /// Where the end-of-image marker stands.
    pub end: Option<usize>,
    /// Of each component of a progressive picture, the bits that are still to come of each coefficient.
    missing: Vec<[u8; 64]>,
}

/// How samples make colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colours {
    Grey,
    YCbCr,
    Rgb,
    Cmyk,
    Ycck,
}

impl Survey {
    /// Walks from marker to marker. What is damaged ends the walk; whoever decodes says what is wrong.
    pub fn of(bytes: &[u8]) -> Self {
        let mut survey = Self { has_tables: true, ..Self::default() };
        // Without a marker to find, there is nothing more to know.
        let _ = survey.walk(bytes);
        survey
    }

    fn walk(&mut self, bytes: &[u8]) -> Option<()> {
        let (mut at, mut in_scan) = (2, false);
        // One bit a table: DC 0 to 3, AC 4 to 7.
        let mut tables = 0_u8;
        loop {
            at += bytes.get(at..)?.iter().position(|&byte| byte == 0xff)?;
            let marker = *bytes.get(at + 1)?;
            match marker {
                // Fill bytes, coded bytes FF, and markers without a segment.
                0xff => at += 1,
                0x00 | 0x01 | 0xd0..=0xd7 => at += 2,
                0xd8 if in_scan => return None,
                0xd8 => at += 2,
                0xd9 => {
                    self.end = Some(at);
                    return Some(());
                }
                _ => {
                    let length = usize::from(u16::from_be_bytes([*bytes.get(at + 2)?, *bytes.get(at + 3)?]));
                    let body = bytes.get(at + 4..at + 2 + length.max(2))?;
                    match marker {
                        0xc4 => tables |= tables_in(body),
                        0xc8 | 0xcc => {}
                        0xc0..=0xcf if self.kind == 0 => self.frame(marker, body)?,
                        0xda => {
                            in_scan = true;
                            self.scan(body, tables)?;
                        }
                        // DNL: the height of a frame whose header left it open.
                        0xdc if self.height == 0 => {
                            self.height = u16::from_be_bytes(body.get(..2)?.try_into().ok()?);
                            self.late_height = true;
                        }
                        0xe0 if body.starts_with(b"JFIF\0") => self.jfif = true,
                        0xee if body.starts_with(b"Adobe") => self.adobe = body.get(11).copied(),
                        _ => {}
                    }
                    at += 2 + length.max(2);
                }
            }
        }
    }

    fn frame(&mut self, kind: u8, body: &[u8]) -> Option<()> {
        let &[precision, h1, h0, w1, w0, count, ref rest @ ..] = body else { return None };
        (self.kind, self.precision) = (kind, precision);
        (self.height, self.width) = (u16::from_be_bytes([h1, h0]), u16::from_be_bytes([w1, w0]));
        let component = |c: &[u8]| Component { id: c[0], h: c[1] >> 4, v: c[1] & 15, table: c[2] };
        self.components = rest.chunks_exact(3).take(count.into()).map(component).collect();
        Some(())
    }

    fn scan(&mut self, body: &[u8], tables: u8) -> Option<()> {
        let count = usize::from(*body.first()?);
        self.scans.push(count);
        let (first, approximated) = (*body.get(1 + 2 * count)?, *body.get(3 + 2 * count)?);
        let last = *body.get(2 + 2 * count)?;
        let sequential = self.kind != 0xc2;
        self.missing.resize(self.components.len(), [255; 64]);
        for id in body.get(1..1 + 2 * count)?.iter().step_by(2) {
            let place = self.components.iter().position(|c| c.id == *id)?;
            let bits = self.missing[place].get_mut(usize::from(first)..=usize::from(last))?;
            bits.fill(approximated & 15);
        }
        for choice in body.get(1..1 + 2 * count)?.chunks_exact(2).map(|c| c[1]) {
            let (dc, ac) = (1 << (choice >> 4 & 3), 16 << (choice & 3));
            // In a progressive file, the first bits of DC need a table, their refinement none.
            let wants_dc = sequential || first == 0 && approximated >> 4 == 0;
            let wants_ac = sequential || first > 0;
            self.has_tables &= (!wants_dc || tables & dc != 0) && (!wants_ac || tables & ac != 0);
        }
        Some(())
    }

    /// By the rules of libjpeg, which all other programs follow; `None` for two components, or more than four.
    pub fn colours(&self) -> Option<Colours> {
        let ids: Vec<u8> = self.components.iter().map(|c| c.id).collect();
        Some(match (self.components.len(), self.adobe) {
            (1, _) => Colours::Grey,
            (3, _) if self.jfif => Colours::YCbCr,
            (3, Some(0)) => Colours::Rgb,
            (3, None) if ids == *b"RGB" || ids == *b"rgb" => Colours::Rgb,
            (3, _) => Colours::YCbCr,
            (4, Some(2)) => Colours::Ycck,
            (4, _) => Colours::Cmyk,
            _ => return None,
        })
    }

    /// Whether it is of the kind that nearly all files are, which the fast decoder reads right: 8 bits, grey or YCbCr with
    /// whole or half as many samples of colour, all components in the first scan, and all tables there.
    pub fn is_ordinary(&self) -> bool {
        let usual = match self.components.as_slice() {
            [grey] => (grey.h, grey.v) == (1, 1),
            [y, b, r] => {
                matches!((y.h, y.v), (1 | 2, 1 | 2))
                    && [b, r].iter().all(|c| (c.h, c.v) == (1, 1))
                    && (y.id < b.id && b.id < r.id)
            }
            _ => false,
        };
        // The fast decoder makes colours of the narrowest pictures otherwise than libjpeg.
        let wide = self.components.len() == 1 || self.width > 16;
        usual
            && wide
            && matches!(self.kind, 0xc0..=0xc2)
            && self.precision == 8
            && matches!(self.colours(), Some(Colours::Grey | Colours::YCbCr))
            && match self.kind {
                // What was cut off between or in its scans lacks bits.
                0xc2 => self.missing.iter().flatten().all(|&bits| bits == 0),
                _ => self.scans.len() == 1,
            }
            && self.scans.first() == Some(&self.components.len())
            && self.has_tables
            && !self.late_height
    }
}

/// Which tables a DHT segment defines, a bit each.
fn tables_in(mut body: &[u8]) -> u8 {
    let mut tables = 0;
    while let [class, rest @ ..] = body {
        let Some((counts, values)) = rest.split_at_checked(16) else { break };
        let length = counts.iter().map(|&c| usize::from(c)).sum();
        tables |= 1 << ((class >> 4 & 1) * 4 + (class & 3));
        body = values.get(length..).unwrap_or_default();
    }
    tables
}
