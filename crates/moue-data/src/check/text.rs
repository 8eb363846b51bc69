//! The findings as text for a terminal.

use std::fmt;

use super::{Check, Copies, Place};
use crate::Usage;

/// Wrong rows, empty pictures and conflicts shown; the rest is counted.
const SHOWN: usize = 10;

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{}: {} of {side}x{side} pixels",
            self.source,
            counted(self.rows, "picture", "pictures"),
            side = self.side
        )?;
        self.write_counts(f)?;
        self.write_missing(f)?;
        self.write_wrong(f)?;
        self.write_empty(f)?;
        self.write_duplicates(f)
    }
}

impl Check {
    fn write_counts(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widths: Vec<usize> = self.labels.names().iter().map(|name| name.chars().count().max(7)).collect();
        write!(f, "\n{:12}", "")?;
        for (name, width) in self.labels.names().iter().zip(&widths) {
            write!(f, "  {name:>width$}")?;
        }
        writeln!(f, "  {:>9}", "all")?;
        for part in &self.usages {
            write!(f, "{:12}", part.usage)?;
            for (class, width) in part.classes.iter().zip(&widths) {
                write!(f, "  {:>width$}", grouped(class.rows))?;
            }
            writeln!(f, "  {:>9}", grouped(part.rows))?;
        }
        Ok(())
    }

    /// Says what the data cannot be used for as they are.
    fn write_missing(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.usages.as_slice() {
            [part, ..] if part.usage != Usage::Training => {
                writeln!(f, "no {} pictures: {}", Usage::Training, crate::without_training(part.usage))
            }
            _ => Ok(()),
        }
    }

    fn write_wrong(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.wrong.count;
        if count == 0 {
            return writeln!(f, "\nwrong rows: none");
        }
        writeln!(f, "\nwrong rows: {} (left out)", grouped(count as usize))?;
        let shown = &self.wrong.rows[..self.wrong.rows.len().min(SHOWN)];
        for row in shown {
            writeln!(f, "  {row}")?;
        }
        write_rest(f, count as usize - shown.len())
    }

    fn write_empty(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.empty.is_empty() {
            return writeln!(f, "empty pictures: none");
        }
        writeln!(f, "empty pictures: {} (one grey value throughout)", grouped(self.empty.len()))?;
        for place in self.empty.iter().take(SHOWN) {
            writeln!(f, "  {}", described(place))?;
        }
        write_rest(f, self.empty.len().saturating_sub(SHOWN))
    }

    fn write_duplicates(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let duplicates = &self.duplicates;
        if duplicates.groups.is_empty() {
            return writeln!(f, "equal pictures: none");
        }
        writeln!(f, "equal pictures (pixel for pixel):")?;
        for within in &duplicates.within {
            writeln!(f, "  within {:11} {}", within.usage, summary(within.copies))?;
        }
        if duplicates.within.len() > 1 {
            writeln!(f, "  over all parts     {}", summary(duplicates.all))?;
        }
        for leak in &duplicates.leaks {
            let share = leak.share * 100.0;
            let rows = grouped(leak.rows);
            writeln!(f, "  {} of {} also in {}: {share:.1} %", rows, leak.usage, Usage::Training)?;
        }
        let conflicts: Vec<_> = duplicates.groups.iter().filter(|group| group.conflicting).collect();
        if !conflicts.is_empty() {
            writeln!(f, "equal pictures with different labels:")?;
        }
        for group in conflicts.iter().take(SHOWN) {
            let places: Vec<_> = group.samples.iter().take(SHOWN).map(described).collect();
            let more = if group.samples.len() > SHOWN { ", …" } else { "" };
            writeln!(f, "  {}{more}", places.join(", "))?;
        }
        write_rest(f, conflicts.len().saturating_sub(SHOWN))
    }
}

fn write_rest(f: &mut fmt::Formatter<'_>, rest: usize) -> fmt::Result {
    if rest == 0 { Ok(()) } else { writeln!(f, "  … and {} more", grouped(rest)) }
}

fn summary(copies: Copies) -> String {
    format!(
        "{:>6} surplus {} of {}, {} of them with different labels",
        grouped(copies.surplus),
        if copies.surplus == 1 { "copy" } else { "copies" },
        counted(copies.groups, "picture", "pictures"),
        grouped(copies.conflicting_groups)
    )
}

fn described(place: &Place) -> String {
    let label = &place.label;
    match (&place.file, place.line) {
        (Some(file), _) => format!("{file} ({label})"),
        (None, Some(line)) => format!("line {line} ({label}, {})", place.usage),
        (None, None) => format!("({label}, {})", place.usage),
    }
}

/// `1 picture`, `2 pictures`.
fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{} {}", grouped(count), if count == 1 { one } else { many })
}

/// A number with commas between its thousands.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::grouped;

    #[test]
    fn thousands_have_commas() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1000), "1,000");
        assert_eq!(grouped(28_709), "28,709");
        assert_eq!(grouped(1_234_567), "1,234,567");
    }
}
