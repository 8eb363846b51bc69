//! Fields of a line of comma-separated values (RFC 4180, without line ends inside quotes).

/// Most columns of any file that is read here.
pub(crate) const MAX_FIELDS: usize = 32;

/// The fields of one line, without the quotes and spaces around them.
pub(crate) struct Fields<'a> {
    fields: [&'a [u8]; MAX_FIELDS],
    count: usize,
}

impl<'a> Fields<'a> {
    /// Cuts a line at its commas. `Err` says what is wrong: a quote that is not closed, or too many fields.
    pub(crate) fn of(line: &'a [u8]) -> Result<Self, String> {
        let mut fields = Self { fields: [b""; MAX_FIELDS], count: 0 };
        let mut rest = line;
        loop {
            let (field, after) = next(rest)?;
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

/// The first field and what follows its comma, if there is one.
fn next(line: &[u8]) -> Result<(&[u8], Option<&[u8]>), String> {
    let line = line.trim_ascii_start();
    if let Some(quoted) = line.strip_prefix(b"\"") {
        let end = quoted.iter().position(|&b| b == b'"').ok_or("a quote that is not closed")?;
        let after = quoted[end + 1..].trim_ascii_start();
        return match after.split_first() {
            None => Ok((quoted[..end].trim_ascii(), None)),
            Some((b',', rest)) => Ok((quoted[..end].trim_ascii(), Some(rest))),
            Some(_) => Err("text after a closing quote, expected a comma".to_owned()),
        };
    }
    Ok(match line.iter().position(|&b| b == b',') {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(line: &str) -> Result<Vec<String>, String> {
        let fields = Fields::of(line.as_bytes())?;
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
