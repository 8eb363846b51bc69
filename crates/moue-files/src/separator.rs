//! What stands between the fields of a table. Spreadsheets of countries with decimal commas write semicolons.

/// Between fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Separator {
    /// `,`
    Comma,
    /// `;`
    Semicolon,
    /// A tab.
    Tab,
}

impl Separator {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Semicolon, Self::Tab, Self::Comma];

    /// The character.
    pub fn byte(self) -> u8 {
        match self {
            Self::Comma => b',',
            Self::Semicolon => b';',
            Self::Tab => b'\t',
        }
    }

    /// As messages call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Comma => "a comma",
            Self::Semicolon => "a semicolon",
            Self::Tab => "a tab",
        }
    }

    /// What a line such as `sep=;` says, which Excel writes and understands as a first line.
    pub fn declared(line: &[u8]) -> Option<Self> {
        let (sep, rest) = line.trim_ascii_end().split_at_checked(4).unwrap_or((line, b""));
        // A tab at the end of the line was trimmed.
        let rest = if rest.is_empty() && line.get(4) == Some(&b'\t') { b"\t" } else { rest };
        let &[byte] = rest else { return None };
        sep.eq_ignore_ascii_case(b"sep=").then(|| Self::ALL.into_iter().find(|s| s.byte() == byte)).flatten()
    }

    /// The one that a line has most of outside of quotes; a comma where it has none. To be asked for the first line of a
    /// file and kept for all of it.
    pub fn of(line: &[u8]) -> Self {
        let mut counts = [0_usize; 3];
        let mut quoted = false;
        for &byte in line {
            quoted ^= byte == b'"';
            for (count, separator) in counts.iter_mut().zip(Self::ALL) {
                *count += usize::from(!quoted && byte == separator.byte());
            }
        }
        // Of equal counts the last is taken: the comma.
        let most = counts.iter().zip(Self::ALL).max_by_key(|(count, _)| **count);
        most.map_or(Self::Comma, |(_, separator)| separator)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_tells() {
        assert_eq!(Separator::of(b"emotion,pixels,Usage"), Separator::Comma);
        assert_eq!(Separator::of(b"emotion;pixels;Usage"), Separator::Semicolon);
        assert_eq!(Separator::of(b"emotion\tpixels\tUsage"), Separator::Tab);
        assert_eq!(Separator::of(b"\"a;b;c\",d"), Separator::Comma);
        assert_eq!(Separator::of(b"row"), Separator::Comma);
    }

    #[test]
    fn excels_line_is_understood() {
        assert_eq!(Separator::declared(b"sep=;\r\n"), Some(Separator::Semicolon));
        assert_eq!(Separator::declared(b"SEP=,"), Some(Separator::Comma));
        assert_eq!(Separator::declared(b"sep=\t"), Some(Separator::Tab));
        for other in [&b"sep=a"[..], b"sep=", b"separator", b"", b"sep=;;"] {
            assert_eq!(Separator::declared(other), None);
        }
    }
}
