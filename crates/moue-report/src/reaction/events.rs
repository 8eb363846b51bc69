//! What happened when: events from a CSV.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use moue_files::{Separator, text};

use super::Error;

/// Something that happened, for instance a scene or the name of a product.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Seconds from the beginning of the clip; 0 or more.
    pub time: f64,
    /// What it is called.
    pub name: String,
}

const MAX_BYTES: u64 = 1 << 20;
const MAX_EVENTS: usize = 1000;

/// Reads events from a CSV with the fields time and name, sorted by time. Times are seconds (`83.5`) or `m:ss` and
/// `h:mm:ss` (`1:23.5`); a first line that says `time,name` is a header. Fields are separated by commas, semicolons or tabs,
/// the same in the whole file; with the last two, decimal commas are read, too. A name that holds the separator stands in
/// double quotes.
///
/// # Errors
/// [`Error::Io`], and [`Error::Line`] for a line that is no event. At most 1 MiB and 1000 events are read.
pub fn read_events(path: &Path) -> Result<Vec<Event>, Error> {
    let name = path.display().to_string();
    let file = File::open(path).map_err(|e| Error::io(path, e))?;
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(|e| Error::io(path, e))?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(Error::line(
            &name,
            1,
            "the file is larger than 1 MiB; expected a short list of time,name",
        ));
    }
    let text = text::decode(&bytes).map_err(|fault| Error::line(&name, fault.line, fault.reason))?;
    parse(text, &name)
}

fn parse(text: &str, file: &str) -> Result<Vec<Event>, Error> {
    let mut lines: Vec<(u64, &str)> =
        (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()).collect();
    let declared = lines.first().and_then(|(_, line)| Separator::declared(line.as_bytes()));
    if declared.is_some() {
        lines.remove(0);
    }
    let header =
        lines.first().filter(|(_, line)| line.trim_start_matches('"').to_lowercase().starts_with("time"));
    let header = header.map(|(_, line)| *line);
    if header.is_some() {
        lines.remove(0);
    }
    let separator = declared.unwrap_or_else(|| separator(header, &lines));
    let mut events = Vec::new();
    for (number, line) in lines {
        events.push(event(line, separator).map_err(|reason| Error::line(file, number, reason))?);
        if events.len() > MAX_EVENTS {
            return Err(Error::line(file, number, format!("more than {MAX_EVENTS} events")));
        }
    }
    events.sort_by(|a: &Event, b| a.time.total_cmp(&b.time));
    Ok(events)
}

/// What stands between the fields of all lines: what the header has, or what makes a time of the first field of a line.
/// Commas come last, because they also stand in numbers and names.
fn separator(header: Option<&str>, lines: &[(u64, &str)]) -> Separator {
    if let Some(header) = header
        && Separator::ALL.iter().any(|s| header.as_bytes().contains(&s.byte()))
    {
        return Separator::of(header.as_bytes());
    }
    // `0,5;Logo` may be read with a comma between its fields, too, and must not be because another line has commas only.
    let some = |separator: &&Separator| lines.iter().any(|(_, line)| event(line, **separator).is_ok());
    let of_first = || lines.first().map_or(Separator::Comma, |(_, line)| Separator::of(line.as_bytes()));
    Separator::ALL.iter().find(some).copied().unwrap_or_else(of_first)
}

fn event(line: &str, separator: Separator) -> Result<Event, String> {
    let character = char::from(separator.byte());
    let Some((time, rest)) = line.split_once(character) else {
        let between = separator.name();
        return Err(format!(
            "{line:?} has one field; expected time and name with {between} between, as 83.5 and Logo"
        ));
    };
    let unquoted = time.trim().trim_matches('"');
    // Where commas are decimal, they are not between fields.
    let plain = if separator == Separator::Comma { unquoted.to_owned() } else { unquoted.replace(',', ".") };
    let time = seconds(&plain)
        .ok_or_else(|| format!("time {unquoted:?} is neither seconds (83.5) nor m:ss or h:mm:ss (1:23.5)"))?;
    let name = name(rest.trim(), character)?;
    Ok(Event { time, name })
}

fn name(field: &str, separator: char) -> Result<String, String> {
    let name = match field.strip_prefix('"') {
        Some(quoted) => {
            let inner = quoted.strip_suffix('"').ok_or("the name opens a quote that does not close")?;
            let plain = inner.replace("\"\"", "\u{0}");
            if plain.contains('"') {
                return Err("a quote inside a quoted name is written twice (\"\")".to_owned());
            }
            plain.replace('\u{0}', "\"")
        }
        None if field.contains(separator) => {
            return Err(format!(
                "more than two fields; put a name that holds {separator:?} in double quotes"
            ));
        }
        None => field.to_owned(),
    };
    if name.trim().is_empty() { Err("the name is empty".to_owned()) } else { Ok(name.trim().to_owned()) }
}

/// `83.5`, `1:23.5` or `0:01:23.5` in seconds.
fn seconds(text: &str) -> Option<f64> {
    let mut parts = text.rsplit(':');
    let plain = |part: &str| part.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let last = parts.next().filter(|p| plain(p))?;
    let mut total: f64 = last.parse().ok()?;
    let mut unit = 1.0;
    let mut above_is_below_60 = total < 60.0;
    for part in parts {
        unit *= 60.0;
        let value: u32 = part.parse().ok().filter(|_| part.bytes().all(|b| b.is_ascii_digit()))?;
        if !above_is_below_60 || unit > 3600.0 {
            return None;
        }
        above_is_below_60 = value < 60;
        total += f64::from(value) * unit;
    }
    (total <= super::collector::MAX_TIME).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_seconds_or_clock_times() {
        for (text, expected) in [
            ("0", 0.0),
            ("83.5", 83.5),
            ("1:23.5", 83.5),
            ("0:01:23", 83.0),
            ("2:00:00", 7200.0),
            ("90:00", 5400.0),
        ] {
            assert_eq!(seconds(text), Some(expected), "{text}");
        }
        for text in ["", "-1", "1:60", "1:60:00", "1:2:3:4", "1.5:00", "a", "nan", "inf", "1e3", "+5", "1::2"]
        {
            assert_eq!(seconds(text), None, "{text}");
        }
    }

    #[test]
    fn events_are_read_with_header_quotes_and_other_separators_and_sorted() {
        let text = "time,name\r\n1:00,Logo\r\n\r\n5,\"Dog, \"\"Rex\"\"\"\r\n";
        let events = parse(text, "e.csv").unwrap();
        let of = |time, name: &str| Event { time, name: name.to_owned() };
        assert_eq!(events, [of(5.0, "Dog, \"Rex\""), of(60.0, "Logo")]);
        assert_eq!(parse("5;Dog, Rex\n", "e.csv").unwrap(), [of(5.0, "Dog, Rex")]);
        assert_eq!(parse("5\tDog\n", "e.csv").unwrap(), [of(5.0, "Dog")]);
        assert_eq!(parse("", "e.csv").unwrap(), []);
    }

    #[test]
    fn the_separator_is_settled_once_for_a_file() {
        let of = |time, name: &str| Event { time, name: name.to_owned() };
        let two = [of(0.5, "Logo"), of(1.5, "Joke")];
        for text in [
            "0,5;Logo\n1,5;Joke\n",
            "time;name\n0,5;Logo\n1,5;Joke\n",
            "Time;Name\r\n\"0,5\";Logo\r\n1,5;Joke\r\n",
            "sep=;\n0,5;Logo\n1,5;Joke\n",
            "0,5\tLogo\n1,5\tJoke\n",
            "0.5,Logo\n1.5,Joke\n",
        ] {
            assert_eq!(parse(text, "e.csv").unwrap(), two, "{text}");
        }
        // A comma in one name does not make it the separator, nor a semicolon in all of them.
        assert_eq!(parse("5;Dog, Rex\n6;Cat\n", "e.csv").unwrap(), [of(5.0, "Dog, Rex"), of(6.0, "Cat")]);
        assert_eq!(
            parse("5,Dog; Rex\n6,Cat; Tom\n", "e.csv").unwrap(),
            [of(5.0, "Dog; Rex"), of(6.0, "Cat; Tom")]
        );
        // Two ways in one file are a mistake, and the line is named.
        let error = parse("0,5;Logo\n1.5,Joke\n", "e.csv").unwrap_err().to_string();
        assert!(error.starts_with("e.csv:2:") || error.starts_with("e.csv:1:"), "{error}");
    }

    #[test]
    fn a_wrong_line_is_named() {
        for (text, words) in [
            ("time,name\n5,a\nsoon,b\n", "e.csv:3: time \"soon\""),
            ("5\n", "e.csv:1: \"5\" has one field"),
            ("5,a,b\n", "e.csv:1: more than two fields"),
            ("5,\n", "e.csv:1: the name is empty"),
            ("5,\"a\n", "e.csv:1: the name opens a quote"),
            ("5,\"a\"b\"\n", "e.csv:1: a quote inside"),
        ] {
            let error = parse(text, "e.csv").unwrap_err().to_string();
            assert!(error.starts_with(words), "{error}");
        }
    }
}
