//! How to read, and how much at most.

use crate::Numbering;

/// What happens at a line or picture that cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnError {
    /// Reading stops with [`Error::Row`](crate::Error::Row).
    Strict,
    /// It is left out and listed in [`Reading::wrong`](crate::Reading::wrong). What concerns the whole file
    /// (another format, no header, an archive that is cut off) still stops reading.
    Collect,
}

/// Sizes beyond which a file is refused while it is read, before memory is taken for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most bytes that come out of the file, after decompression.
    pub max_bytes: u64,
    /// Most rows or pictures. Each takes `side * side` bytes.
    pub max_rows: u32,
    /// Longest line in bytes. A row of FER2013 has at most 9,232.
    pub max_line: usize,
    /// How large each picture of a folder may be.
    pub picture: moue_media::Limits,
}

impl Default for Limits {
    /// 4 GiB (FER2013 has 0.3), a million rows, 64 KiB a line.
    fn default() -> Self {
        Self {
            max_bytes: 4 << 30,
            max_rows: 1_000_000,
            max_line: 64 << 10,
            picture: moue_media::Limits::default(),
        }
    }
}

/// How to read a dataset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadOptions {
    /// What happens at a wrong row.
    pub on_error: OnError,
    /// How many wrong rows are described; all are counted.
    pub max_described: usize,
    /// Side in pixels to which pictures of a folder are resized. FER2013's csv always has 48.
    pub side: u32,
    /// What numbers of classes mean. `None`: those of a csv are FER2013's; folders called by numbers are refused, unless
    /// their parts have FER2013's names, too.
    pub numbering: Option<Numbering>,
    /// Sizes beyond which a file is refused.
    pub limits: Limits,
}

impl ReadOptions {
    /// Stops at the first wrong row.
    pub fn strict() -> Self {
        Self {
            on_error: OnError::Strict,
            max_described: 100,
            side: 48,
            numbering: None,
            limits: Limits::default(),
        }
    }

    /// Leaves wrong rows out, describes the first 100 and counts all.
    pub fn collect() -> Self {
        Self { on_error: OnError::Collect, ..Self::strict() }
    }
}
