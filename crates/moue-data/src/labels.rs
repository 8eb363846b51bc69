//! Names of emotions, in the order that a dataset or model numbers them.

use serde::{Deserialize, Serialize};

use crate::{Dataset, Result, ferplus};

/// FER2013's classes in the order of its `emotion` column, 0 to 6.
const FER2013: [&str; 7] = ["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"];

/// Folder and column names seen in the wild, and what they mean here.
const SYNONYMS: [(&str, &str); 25] = [
    ("angry", "angry"),
    ("anger", "angry"),
    ("disgust", "disgust"),
    ("disgusted", "disgust"),
    ("fear", "fear"),
    ("fearful", "fear"),
    ("afraid", "fear"),
    ("happy", "happy"),
    ("happiness", "happy"),
    ("joy", "happy"),
    ("sad", "sad"),
    ("sadness", "sad"),
    ("surprise", "surprise"),
    ("surprised", "surprise"),
    ("suprise", "surprise"),
    ("suprised", "surprise"),
    ("surprize", "surprise"),
    ("scared", "fear"),
    ("disgusting", "disgust"),
    ("joyful", "happy"),
    ("neutrality", "neutral"),
    ("contemptous", "contempt"),
    ("neutral", "neutral"),
    ("contempt", "contempt"),
    ("contemptuous", "contempt"),
];

/// Names of classes in order: class `i` is called `name(i)`. At most 256, no name twice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Labels(Vec<String>);

impl Labels {
    /// The seven classes of FER2013: angry, disgust, fear, happy, sad, surprise, neutral.
    pub fn fer2013() -> Self {
        Self(FER2013.map(str::to_owned).to_vec())
    }

    /// FER2013's seven and `contempt` as the eighth.
    pub fn with_contempt() -> Self {
        let mut labels = Self::fer2013();
        labels.0.push("contempt".to_owned());
        labels
    }

    /// How many classes there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no class; never the case for labels made here.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The name of a class; empty past the last one.
    pub fn name(&self, label: u8) -> &str {
        self.0.get(usize::from(label)).map_or("", String::as_str)
    }

    /// The class of exactly this name.
    pub fn find(&self, name: &str) -> Option<u8> {
        self.0.iter().position(|n| n == name).and_then(|i| u8::try_from(i).ok())
    }

    /// All names in order.
    pub fn names(&self) -> &[String] {
        &self.0
    }
}

/// Which classes a dataset is taken to have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LabelSet {
    /// Those that it was read with: FER2013's seven, or the folders'.
    #[default]
    Own,
    /// The eight of FER+, contempt among them, by the majority of its votes; see [`ferplus::relabel`](crate::ferplus::relabel).
    Ferplus,
}

impl LabelSet {
    /// The dataset with these labels.
    ///
    /// # Errors
    /// Those of [`ferplus::relabel`](crate::ferplus::relabel).
    pub fn of(self, dataset: Dataset) -> Result<Dataset> {
        match self {
            Self::Own => Ok(dataset),
            Self::Ferplus => Ok(ferplus::relabel(&dataset)?.dataset),
        }
    }
}

/// The name used here for an emotion that a person or a folder calls by one of its usual names, in upper or
/// lower case (`Anger` is `angry`), or by its number in FER2013 (`0` to `6`). `None` for any other text: a class
/// is never guessed.
pub fn emotion_named(text: &str) -> Option<&'static str> {
    if let [digit @ b'0'..=b'6'] = text.as_bytes() {
        return FER2013.get(usize::from(digit - b'0')).copied();
    }
    SYNONYMS.iter().find(|(name, _)| text.eq_ignore_ascii_case(name)).map(|&(_, meaning)| meaning)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_is_that_of_fer2013() {
        let labels = Labels::fer2013();
        assert_eq!(labels.name(0), "angry");
        assert_eq!(labels.name(6), "neutral");
        assert_eq!(labels.name(7), "");
        assert_eq!(labels.find("sad"), Some(4));
        assert_eq!(labels.find("Sad"), None);
        assert_eq!(Labels::with_contempt().find("contempt"), Some(7));
    }

    #[test]
    fn only_known_names_have_a_meaning() {
        assert_eq!(emotion_named("Happiness"), Some("happy"));
        assert_eq!(emotion_named("FEARFUL"), Some("fear"));
        assert_eq!(emotion_named("3"), Some("happy"));
        for unknown in ["7", "-1", "03", "", "bored", "happy "] {
            assert_eq!(emotion_named(unknown), None, "{unknown:?}");
        }
        for (_, meaning) in SYNONYMS {
            assert!(Labels::with_contempt().find(meaning).is_some(), "{meaning}");
        }
    }
}
