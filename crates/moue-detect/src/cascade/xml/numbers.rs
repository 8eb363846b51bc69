//! Numbers in the text of elements.

use roxmltree::Node as Element;

use super::Fault;

/// The text of an element, comments left out.
pub(super) fn list(element: Element<'_, '_>) -> String {
    element.children().filter(Element::is_text).filter_map(|text| text.text()).collect()
}

/// The single number in an element, read by `parse`.
pub(super) fn number<T>(
    element: Element<'_, '_>,
    parse: impl Fn(Element<'_, '_>, &str) -> Result<T, Fault>,
) -> Result<T, Fault> {
    parse(element, list(element).trim())
}

/// A whole number.
pub(super) fn integer(element: Element<'_, '_>, word: &str) -> Result<i32, Fault> {
    word.parse().map_err(|_| not(element, word, "a whole number of 32 bits"))
}

/// A whole number that is not negative.
pub(super) fn small(element: Element<'_, '_>, word: &str) -> Result<u32, Fault> {
    let number = integer(element, word)?;
    u32::try_from(number).map_err(|_| not(element, word, "a number from 0 up"))
}

/// A finite number. It is read in double precision and then rounded, as OpenCV does.
pub(super) fn float(element: Element<'_, '_>, word: &str) -> Result<f32, Fault> {
    let number = word.parse::<f64>().ok().map(|number| number as f32).filter(|number| number.is_finite());
    number.ok_or_else(|| not(element, word, "a finite number"))
}

fn not(element: Element<'_, '_>, word: &str, expected: &str) -> Fault {
    let word: String = word.chars().take(40).collect();
    Fault::at(element, format!("{word:?} in <{}> is not {expected}", element.tag_name().name()))
}
