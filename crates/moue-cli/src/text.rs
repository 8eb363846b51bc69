//! Figures and names as people read them.

use std::path::Path;

/// `1234567` as `1,234,567`.
pub fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number of bytes in units of 1000, as file managers and disks count them.
pub fn bytes(count: u64) -> String {
    let mut value = count as f64;
    for unit in ["bytes", "kB", "MB"] {
        if value < 1000.0 {
            return if unit == "bytes" { format!("{count} bytes") } else { format!("{value:.1} {unit}") };
        }
        value /= 1000.0;
    }
    format!("{value:.1} GB")
}

/// A share as a percentage with two decimals.
pub fn percent(share: f64) -> String {
    format!("{:.2} %", 100.0 * share)
}

/// `1 row`, `2 rows`.
pub fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{} {}", grouped(count), if count == 1 { one } else { many })
}

/// A path as terminals may show it: control characters in names are written out.
pub fn path(path: &Path) -> String {
    moue_files::text::shown(&path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_grouped_by_three() {
        assert_eq!([0, 999, 1000, 2_430_663].map(grouped), ["0", "999", "1,000", "2,430,663"]);
    }

    #[test]
    fn bytes_have_one_decimal() {
        assert_eq!(
            [999, 1000, 1_234_567, 2_000_000_000].map(bytes),
            ["999 bytes", "1.0 kB", "1.2 MB", "2.0 GB"]
        );
    }
}
