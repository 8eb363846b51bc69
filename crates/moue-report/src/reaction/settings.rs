//! What the caller may choose.

use super::Error;
use super::bins::Width;

/// Choices of a report; the defaults suit an audience in front of one camera.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Headline of the page.
    pub title: String,
    /// Seconds a bin of the timelines: 0.1, 0.5, 1, 5, 10, 30, 60, 300, 600 or 3600. `None` chooses by the length.
    pub bin: Option<f64>,
    /// Seconds before and after an event that are compared; more than 0, at most 600.
    pub window: f64,
    /// Seconds that a face must be in view, in all, to count as a person. Shorter sightings are often mistakes of the
    /// detector, or people whose track broke.
    pub min_view: f64,
    /// How many people there were to be seen in each clip; `None` takes the most that were in view at once.
    pub people: Option<usize>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { title: "Audience reaction".to_owned(), bin: None, window: 5.0, min_view: 1.0, people: None }
    }
}

impl Settings {
    /// Refuses what has no meaning.
    pub(super) fn check(&self) -> Result<(), Error> {
        let wrong = |reason: String| Err(Error::Argument(reason));
        if let Some(bin) = self.bin
            && Width::of_seconds(bin).is_none()
        {
            return wrong(format!("bins of {bin} s are not possible; choose {}", Width::choices()));
        }
        if !(self.window > 0.0 && self.window <= 600.0) {
            return wrong(format!("a window of {} s is not possible: more than 0, at most 600", self.window));
        }
        if !(self.min_view >= 0.0 && self.min_view.is_finite()) {
            return wrong(format!("at least {} s in view is not possible: 0 or more", self.min_view));
        }
        if self.people == Some(0) {
            return wrong("an audience of 0 people is not possible: 1 or more".to_owned());
        }
        Ok(())
    }
}
