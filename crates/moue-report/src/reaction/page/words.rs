//! Figures as people read them.

/// `0:42`, `1:02:03`; tenths only where there are some: `0:04.5`.
pub fn clock(seconds: f64) -> String {
    let tenths = (10.0 * seconds).round().max(0.0) as u64;
    let (whole, tenth) = (tenths / 10, tenths % 10);
    let (hours, minutes, rest) = (whole / 3600, whole / 60 % 60, whole % 60);
    let mut text = match hours {
        0 => format!("{minutes}:{rest:02}"),
        _ => format!("{hours}:{minutes:02}:{rest:02}"),
    };
    if tenth > 0 {
        text.push_str(&format!(".{tenth}"));
    }
    text
}

/// A moment in a clip of some length: to the second, unless the clip is short.
pub fn moment(seconds: f64, length: f64) -> String {
    clock(if length > 30.0 { seconds.round() } else { seconds })
}

/// `42 s`, `1:30 min`, `2:00:00 h`.
pub fn duration(seconds: f64) -> String {
    if seconds < 10.0 {
        format!("{seconds:.1} s")
    } else if seconds < 59.5 {
        format!("{seconds:.0} s")
    } else if seconds < 3599.5 {
        format!("{} min", clock(seconds.round()))
    } else {
        format!("{} h", clock(seconds.round()))
    }
}

/// A width or window: `0.5 s`, `10 s`, `5 min`.
pub fn span(seconds: f64) -> String {
    if seconds >= 120.0 && seconds % 60.0 == 0.0 {
        format!("{} min", seconds / 60.0)
    } else {
        format!("{seconds} s")
    }
}

/// A share as a whole percentage; below one, `< 1 %`.
pub fn percent(share: f64) -> String {
    let whole = (100.0 * share).round();
    if whole == 0.0 && share > 0.0 { "< 1 %".to_owned() } else { format!("{:.0} %", whole + 0.0) }
}

/// A value with its sign: `+0.12`, `−0.30`, `0.00`.
pub fn signed(value: f64) -> String {
    let rounded = (value * 100.0).round() / 100.0;
    if rounded > 0.0 {
        format!("+{rounded:.2}")
    } else if rounded < 0.0 {
        format!("−{:.2}", -rounded)
    } else {
        "0.00".to_owned()
    }
}

/// A difference of probabilities in percentage points: `+12`, `−3`, `0`.
pub fn points(difference: f64) -> String {
    let rounded = (difference * 100.0).round();
    if rounded > 0.0 {
        format!("+{rounded:.0}")
    } else if rounded < 0.0 {
        format!("−{:.0}", -rounded)
    } else {
        "0".to_owned()
    }
}

/// `1 person`, `2 people`.
pub fn people(count: usize) -> String {
    counted(count, "person", "people")
}

/// `1 clip`, `2 clips`.
pub fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// At most `most` characters, the last an ellipsis where something was cut.
pub fn shortened(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most - 1).collect::<String>().trim_end().to_owned() + "…"
}

/// `a`, `a and b`, `a, b and c`.
pub fn list(parts: &[String]) -> String {
    match parts {
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_written_as_people_read_them() {
        assert_eq!([0.0, 4.5, 59.96, 3723.0].map(clock), ["0:00", "0:04.5", "1:00", "1:02:03"]);
        assert_eq!([4.0, 42.0, 59.6, 7200.0].map(duration), ["4.0 s", "42 s", "1:00 min", "2:00:00 h"]);
        assert_eq!([0.0, 0.004, 0.005, 1.0].map(percent), ["0 %", "< 1 %", "1 %", "100 %"]);
        assert_eq!([0.123, -0.3, -0.001].map(signed), ["+0.12", "−0.30", "0.00"]);
        assert_eq!([0.123, -0.3, -0.001].map(points), ["+12", "−30", "0"]);
        assert_eq!([0.5, 10.0, 300.0].map(span), ["0.5 s", "10 s", "5 min"]);
        assert_eq!((shortened("abcdef", 4), shortened("abc", 3)), ("abc…".to_owned(), "abc".to_owned()));
        assert_eq!(list(&["a".into(), "b".into(), "c".into()]), "a, b and c");
    }
}
