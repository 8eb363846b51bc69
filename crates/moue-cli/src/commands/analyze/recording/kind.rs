//! What is written, by the extension of the file.

use std::path::Path;

/// A kind of file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A JSON object a line for each frame.
    Lines,
    /// A row for each face of each frame.
    Csv,
    /// Subtitles.
    WebVtt,
    /// Subtitles in the older form.
    SubRip,
    /// Annotations for ELAN.
    Elan,
    /// The video with frames and emotions around the faces.
    Film,
}

impl Kind {
    /// All extensions, the one of files named by moue first for each kind.
    const EXTENSIONS: [(&str, Kind); 9] = [
        ("jsonl", Kind::Lines),
        ("ndjson", Kind::Lines),
        ("csv", Kind::Csv),
        ("vtt", Kind::WebVtt),
        ("srt", Kind::SubRip),
        ("eaf", Kind::Elan),
        ("mp4", Kind::Film),
        ("mkv", Kind::Film),
        ("mov", Kind::Film),
    ];

    /// The kind of a file; `None` where its name says nothing known.
    pub fn of(path: &Path) -> Option<Self> {
        let extension = path.extension()?.to_str()?;
        Self::EXTENSIONS
            .iter()
            .find(|(known, _)| extension.eq_ignore_ascii_case(known))
            .map(|(_, kind)| *kind)
    }

    /// One extension for each kind.
    pub fn extensions() -> impl Iterator<Item = (&'static str, Self)> {
        Self::EXTENSIONS.into_iter().filter(|(name, _)| !matches!(*name, "ndjson" | "mkv" | "mov"))
    }
}

/// Reads the argument of `--out`.
pub fn path(text: &str) -> Result<std::path::PathBuf, String> {
    let path = std::path::PathBuf::from(text);
    match Kind::of(&path) {
        Some(_) => Ok(path),
        None => {
            let known: Vec<&str> = Kind::EXTENSIONS.iter().map(|(extension, _)| *extension).collect();
            Err(format!("expected a name that ends in .{}", known.join(", .")))
        }
    }
}
