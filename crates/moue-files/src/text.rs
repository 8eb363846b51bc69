//! Text as people's programs save it: with a byte-order mark, or in another encoding than the one that is read.

use std::fmt;

/// What Windows' editors and spreadsheets put before UTF-8 text.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// Bytes that tell the encoding.
const HEAD: usize = 64;

const UTF_16: &str = "this is UTF-16 text, and UTF-8 is read: save it again as UTF-8 (Notepad: Save as, Encoding UTF-8; \
                      Excel: CSV UTF-8; PowerShell: -Encoding utf8)";
const UTF_32: &str = "this is UTF-32 text, and UTF-8 is read: save it again as UTF-8";

/// Why a file is not read as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotText {
    /// The line where that shows, counted from 1.
    pub line: u64,
    /// What is wrong, and the step that helps.
    pub reason: String,
}

impl fmt::Display for NotText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl std::error::Error for NotText {}

/// The text without the byte-order mark that may stand before it.
pub fn without_mark(text: &[u8]) -> &[u8] {
    text.strip_prefix(MARK).unwrap_or(text)
}

/// Names an encoding of two or four bytes a character by how the text begins, with or without its mark, and says what to do.
/// `None` for UTF-8 and for everything unknown.
pub fn foreign(text: &[u8]) -> Option<&'static str> {
    match text {
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => return Some(UTF_32),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => return Some(UTF_16),
        _ => {}
    }
    // Plain letters of UTF-16 are letters with zeros between them.
    let head = &text[..text.len().min(HEAD) & !1];
    let zeros = |first: usize| head.iter().skip(first).step_by(2).filter(|&&b| b == 0).count();
    let (even, odd) = (zeros(0), zeros(1));
    (head.len() >= 4 && (even == 0 && 2 * odd >= head.len() - 2 || odd == 0 && 2 * even >= head.len() - 2))
        .then_some(UTF_16)
}

/// The text without its mark; an error names the encoding or the line that is no UTF-8.
///
/// # Errors
/// [`NotText`].
pub fn decode(bytes: &[u8]) -> Result<&str, NotText> {
    if let Some(reason) = foreign(bytes) {
        return Err(NotText { line: 1, reason: reason.to_owned() });
    }
    let bytes = without_mark(bytes);
    std::str::from_utf8(bytes).map_err(|error| {
        let before = &bytes[..error.valid_up_to()];
        let line = 1 + before.iter().filter(|&&b| b == b'\n').count() as u64;
        NotText { line, reason: "no UTF-8 text: save the file again as UTF-8".to_owned() }
    })
}

/// Whether a character changes how text is shown instead of being shown: control characters, and those that turn the
/// direction of writing. They have no place in what a terminal or a page shows of a name.
pub fn is_control(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A name with such characters written out, as `\n` or `\u{1b}`; others stay as they are.
pub fn shown(name: &str) -> String {
    escaped(name, |_| false)
}

/// As [`shown`], but lines and tabs stay what they are: for text that is made of several names.
pub fn shown_lines(text: &str) -> String {
    escaped(text, |c| matches!(c, '\n' | '\t'))
}

fn escaped(text: &str, keep: impl Fn(char) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if is_control(c) && !keep(c) {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests may")]
mod tests {
    use super::*;

    fn utf16(text: &str, mark: bool, little: bool) -> Vec<u8> {
        let units = mark.then_some(0xfeff).into_iter().chain(text.encode_utf16());
        units.flat_map(|u| if little { u.to_le_bytes() } else { u.to_be_bytes() }).collect()
    }

    #[test]
    fn a_mark_is_passed_over() {
        assert_eq!(decode(b"\xef\xbb\xbftime,name"), Ok("time,name"));
        assert_eq!(decode(b"time,name"), Ok("time,name"));
        assert_eq!(decode(b"\xef\xbb\xbf"), Ok(""));
        assert_eq!(decode(b""), Ok(""));
        // Only at the beginning is it a mark.
        assert_eq!(decode("a\u{feff}".as_bytes()), Ok("a\u{feff}"));
    }

    #[test]
    fn utf_16_is_named_with_and_without_its_mark() {
        for text in ["time,name\r\n5,Logo\r\n", "{\"a\": 1}", "5;Käse"] {
            for (mark, little) in [(true, true), (true, false), (false, true), (false, false)] {
                let error = decode(&utf16(text, mark, little)).unwrap_err();
                assert!(error.reason.contains("UTF-16") && error.reason.contains("save it again"), "{error}");
                assert_eq!(error.line, 1);
            }
        }
        assert!(decode(b"\xff\xfe\0\0a\0\0\0").unwrap_err().reason.contains("UTF-32"));
    }

    #[test]
    fn what_is_no_utf_8_is_named_with_its_line() {
        let error = decode(b"a\nb\nK\xe4se").unwrap_err();
        assert_eq!(error.line, 3);
        assert!(error.reason.contains("UTF-8"), "{error}");
        // Zeros alone are no UTF-16.
        assert!(foreign(b"\0\0\0\0\0\0").is_none());
        assert!(foreign(b"abcd").is_none() && foreign(b"").is_none());
    }

    #[test]
    fn control_characters_are_written_out() {
        assert_eq!(shown("a\x1b[2J\r\nb\u{9b}\u{202e}c"), r"a\u{1b}[2J\r\nb\u{9b}\u{202e}c");
        assert_eq!(shown_lines("a\x07\n\tb"), "a\\u{7}\n\tb");
        assert_eq!(shown("Käse 日本 → \"q\"'s"), "Käse 日本 → \"q\"'s");
    }
}
