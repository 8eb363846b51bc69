//! FER2013's three parts.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

/// The part of the dataset a row belongs to, as FER2013's `Usage` column spells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Usage {
    /// To learn from: 28,709 rows in FER2013.
    Training,
    /// To choose by, known as validation elsewhere: 3,589 rows in FER2013.
    PublicTest,
    /// To measure with in the end: 3,589 rows in FER2013.
    PrivateTest,
}

impl Usage {
    /// All three, in FER2013's order.
    pub const ALL: [Self; 3] = [Self::Training, Self::PublicTest, Self::PrivateTest];

    /// The word in the `Usage` column.
    pub fn name(self) -> &'static str {
        match self {
            Self::Training => "Training",
            Self::PublicTest => "PublicTest",
            Self::PrivateTest => "PrivateTest",
        }
    }
}

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Usage {
    type Err = String;

    /// Takes the words of the `Usage` column, in upper or lower case.
    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|usage| usage.name().eq_ignore_ascii_case(text))
            .ok_or_else(|| format!("Usage {text:?}, expected Training, PublicTest or PrivateTest"))
    }
}
