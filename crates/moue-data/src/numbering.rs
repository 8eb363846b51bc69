//! What the number of a class means. Data sets number the same emotions differently.

use std::str::FromStr;

use crate::Labels;

/// Whose numbers the classes of a dataset have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Numbering {
    /// FER2013: angry, disgust, fear, happy, sad, surprise, neutral from 0.
    Fer2013,
    /// CK+ in FER2013's columns (`ckextended.csv`): as FER2013, with 7 for contempt.
    CkPlus,
    /// AffectNet: neutral, happy, sad, surprise, fear, disgust, angry, contempt from 0.
    AffectNet,
    /// RAF-DB: surprise, fear, disgust, happy, sad, angry, neutral from 1.
    RafDb,
}

impl Numbering {
    /// All of them, with the names that [`FromStr`] reads.
    pub const ALL: [(&str, Self); 4] = [
        ("fer2013", Self::Fer2013),
        ("ckplus", Self::CkPlus),
        ("affectnet", Self::AffectNet),
        ("raf-db", Self::RafDb),
    ];

    /// The first number, and the emotions from there on.
    fn emotions(self) -> (usize, &'static [&'static str]) {
        match self {
            Self::Fer2013 => (0, &["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"]),
            Self::CkPlus => {
                (0, &["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral", "contempt"])
            }
            Self::AffectNet => {
                (0, &["neutral", "happy", "sad", "surprise", "fear", "disgust", "angry", "contempt"])
            }
            Self::RafDb => (1, &["surprise", "fear", "disgust", "happy", "sad", "angry", "neutral"]),
        }
    }

    /// The emotion of a number, as [`Labels`] calls it.
    pub fn emotion(self, number: &str) -> Option<&'static str> {
        let digits = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
        let number: usize = number.parse().ok().filter(|_| digits)?;
        let (first, emotions) = self.emotions();
        emotions.get(number.checked_sub(first)?).copied()
    }

    /// The class of a number among those of [`Labels::with_contempt`].
    pub(crate) fn label(self, number: &str) -> Option<u8> {
        Labels::with_contempt().find(self.emotion(number)?)
    }

    /// The numbers there are, as messages say it: `0 (angry) to 6 (neutral)`.
    pub(crate) fn range(self) -> String {
        let (first, emotions) = self.emotions();
        let name = |name: Option<&&'static str>| name.copied().unwrap_or_default();
        let last = first + emotions.len() - 1;
        format!("{first} ({}) to {last} ({})", name(emotions.first()), name(emotions.last()))
    }
}

impl FromStr for Numbering {
    type Err = String;

    /// Takes the names in [`ALL`](Self::ALL), in upper or lower case.
    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.iter().find(|(name, _)| text.eq_ignore_ascii_case(name));
        found.map(|(_, numbering)| *numbering).ok_or_else(|| {
            let names = Self::ALL.map(|(name, _)| name).join(", ");
            format!("expected one of {names}")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_number_means_different_emotions() {
        let all = |number| Numbering::ALL.map(|(_, numbering)| numbering.emotion(number));
        assert_eq!(all("0"), [Some("angry"), Some("angry"), Some("neutral"), None]);
        assert_eq!(all("1"), [Some("disgust"), Some("disgust"), Some("happy"), Some("surprise")]);
        assert_eq!(all("7"), [None, Some("contempt"), Some("contempt"), Some("neutral")]);
        for other in ["8", "-1", "+1", "", "x", "99999999999999999999999"] {
            assert_eq!(all(other), [None; 4], "{other}");
        }
        assert_eq!(Numbering::AffectNet.label("6"), Some(0));
        assert_eq!(Numbering::Fer2013.range(), "0 (angry) to 6 (neutral)");
        assert_eq!(Numbering::RafDb.range(), "1 (surprise) to 7 (neutral)");
    }

    #[test]
    fn names_are_read_back() {
        for (name, numbering) in Numbering::ALL {
            assert_eq!(name.to_uppercase().parse(), Ok(numbering));
        }
        assert!("fer".parse::<Numbering>().is_err());
    }
}
