//! Fields of a line of separated values (RFC 4180, without line ends inside quotes).

use moue_files::Separator;

/// Most columns of any file that is read here.
pub(crate) const MAX_FIELDS: usize = 32;

/// The fields of one line, without the quotes and spaces around them.
pub(crate) struct Fields<'a> {
    fields: [&'a [u8]; MAX_FIELDS],
    count: usize,
}

impl<'a> Fields<'a> {
    /// Cuts a line at its separators. `Err` says what is wrong: a quote that is not closed, or too many fields.
    pub(crate) fn of(line: &'a [u8], separator: Separator) -> Result<Self, String> {
        let mut fields = Self { fields: [b""; MAX_FIELDS], count: 0 };
        let mut rest = line;
        loop {
            let (field, after) = next(rest, separator)?;
            let Some(place) = fields.fields.get_mut(fields.count) else {
                return Err(format!("more than {MAX_FIELDS} fields"));
            };
            *place = field;
            fields.count += 1;
            match after {
                Some(after) => rest = after,
                None => return Ok(fields),
            }
        }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.count
    }

    /// A field; empty past the last one.
    pub(crate) fn get(&self, index: usize) -> &'a [u8] {
        self.fields.get(index).copied().unwrap_or_default()
    }

    /// All of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &'a [u8]> + '_ {
        self.fields[..self.count].iter().copied()
    }
}

/// The first field and what follows its separator, if there is one.
fn next(line: &[u8], separator: Separator) -> Result<(&[u8], Option<&[u8]>), String> {
    let byte = separator.byte();
    // A tab between fields is no space.
    let spaces = line.iter().take_while(|b| b.is_ascii_whitespace() && **b != byte).count();
    let line = &line[spaces..];
    if let Some(quoted) = line.strip_prefix(b"\"") {
        let end = quoted.iter().position(|&b| b == b'"').ok_or("a quote that is not closed")?;
        let after = &quoted[end + 1..];
        let spaces = after.iter().take_while(|b| b.is_ascii_whitespace() && **b != byte).count();
        return match after[spaces..].split_first() {
            None => Ok((quoted[..end].trim_ascii(), None)),
            Some((found, rest)) if *found == byte => Ok((quoted[..end].trim_ascii(), Some(rest))),
            Some(_) => Err(format!("text after a closing quote, expected {}", separator.name())),
        };
    }
    Ok(match line.iter().position(|&b| b == byte) {
        Some(end) => (line[..end].trim_ascii(), Some(&line[end + 1..])),
        None => (line.trim_ascii(), None),
    })
}

/// A field as messages show it: in quotes, at most 20 characters, control characters escaped.
pub(crate) fn shown(field: &[u8]) -> String {
    let text = String::from_utf8_lossy(field);
    let mut characters = text.chars();
    let start: String = characters.by_ref().take(20).collect();
    let more = if characters.next().is_some() { "…" } else { "" };
    format!("{start:?}{more}")
}

/// The line that names the columns, which comes first, and what stands between the fields of the whole file. A byte-order mark is
/// passed over; `None` for the line `sep=;` of spreadsheets, which the header follows.
pub(crate) fn first_line(line: &[u8], declared: Option<Separator>) -> Option<(&[u8], Separator)> {
    let line = moue_files::text::without_mark(line);
    match Separator::declared(line) {
        Some(_) if declared.is_none() => None,
        _ => Some((line, declared.unwrap_or_else(|| Separator::of(line)))),
    }
}

/// `1 field`, `2 fields`.
pub(crate) fn counted(count: usize) -> String {
    format!("{count} field{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(line: &str) -> Result<Vec<String>, String> {
        let fields = Fields::of(line.as_bytes(), Separator::Comma)?;
        Ok(fields.iter().map(|f| String::from_utf8_lossy(f).into_owned()).collect())
    }

    #[test]
    fn commas_quotes_and_spaces() {
        assert_eq!(fields("0,1 2 3,Training").unwrap(), ["0", "1 2 3", "Training"]);
        assert_eq!(fields(" emotion, Usage, pixels ").unwrap(), ["emotion", "Usage", "pixels"]);
        assert_eq!(fields(r#""0" ,"1, 2","Training""#).unwrap(), ["0", "1, 2", "Training"]);
        assert_eq!(fields(",,").unwrap(), ["", "", ""]);
        assert_eq!(fields("").unwrap(), [""]);
    }

    #[test]
    fn other_separators_leave_commas_alone() {
        let fields = Fields::of(b"\"a;b\" ;0,5; c ", Separator::Semicolon).unwrap();
        assert_eq!(fields.iter().collect::<Vec<_>>(), [&b"a;b"[..], b"0,5", b"c"]);
        let fields = Fields::of(b"a\t\t c,d\t", Separator::Tab).unwrap();
        assert_eq!(fields.iter().collect::<Vec<_>>(), [&b"a"[..], b"", b"c,d", b""]);
    }

    #[test]
    fn broken_quotes_and_floods_of_commas_are_refused() {
        assert!(fields("\"0,1").is_err());
        assert!(fields("\"0\"1,2").is_err());
        assert!(fields(&",".repeat(MAX_FIELDS - 1)).is_ok());
        assert!(fields(&",".repeat(MAX_FIELDS)).is_err());
    }

    #[test]
    fn long_and_strange_fields_are_shown_short_and_harmless() {
        assert_eq!(shown(b"\x1b[2J"), r#""\u{1b}[2J""#);
        assert_eq!(shown(&[b'a'; 30]), format!("\"{}\"…", "a".repeat(20)));
    }
}
