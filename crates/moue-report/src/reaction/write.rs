//! The report as files.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::tables::tables;
use super::{Error, Report, page};

/// Larger pictures are no thumbnails.
const MAX_THUMBNAIL: usize = 256 << 10;

/// Pictures for the page. Without any, no face is in it.
#[derive(Clone, Debug, Default)]
pub struct Illustrations {
    thumbnails: HashMap<(usize, usize), Vec<u8>>,
}

impl Illustrations {
    /// Shows a face at a moment: a JPEG or PNG file of at most 256 KiB for `groups()[group].moments()[moment]`.
    ///
    /// # Errors
    /// [`Error::Argument`] where it is no such file.
    pub fn add(&mut self, group: usize, moment: usize, file: Vec<u8>) -> Result<(), Error> {
        if media_type(&file).is_none() || file.len() > MAX_THUMBNAIL {
            let length = file.len();
            return Err(Error::Argument(format!(
                "a thumbnail is a JPEG or PNG file of at most {MAX_THUMBNAIL} bytes; this one of {length} is not"
            )));
        }
        self.thumbnails.insert((group, moment), file);
        Ok(())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.thumbnails.is_empty()
    }

    /// The media type and the bytes.
    pub(super) fn get(&self, group: usize, moment: usize) -> Option<(&'static str, &[u8])> {
        let file = self.thumbnails.get(&(group, moment))?;
        Some((media_type(file)?, file))
    }
}

fn media_type(file: &[u8]) -> Option<&'static str> {
    if file.starts_with(&[0xff, 0xd8, 0xff]) {
        Some("image/jpeg")
    } else if file.starts_with(b"\x89PNG\r\n\x1a\n") {
        Some("image/png")
    } else {
        None
    }
}

/// What [`Report::write`] wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The page.
    pub page: PathBuf,
    /// The tables beside it.
    pub tables: Vec<PathBuf>,
}

impl Report {
    /// Names of all files that [`write`](Self::write) may write.
    pub const FILES: [&str; 7] = [
        "report.html",
        "timeline.csv",
        "people.csv",
        "person_timeline.csv",
        "moments.csv",
        "event_changes.csv",
        "comparison.csv",
    ];

    /// Writes `report.html` and its tables as CSV into a folder, which is made if need be. The page needs nothing but
    /// itself and opens no connection. Each file appears at once and whole; older ones of these names are replaced.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn write(&self, folder: &Path, illustrations: &Illustrations) -> Result<Written, Error> {
        fs::create_dir_all(folder).map_err(|e| Error::io(folder, e))?;
        let tables = tables(self);
        let mut written = Written { page: folder.join("report.html"), tables: Vec::new() };
        for table in &tables {
            let path = folder.join(table.file);
            write_whole(&path, table.text.as_bytes())?;
            written.tables.push(path);
        }
        let html = page::render(self, illustrations, &tables);
        // The page is last: who sees it sees the tables it belongs to.
        write_whole(&written.page, html.as_bytes())?;
        Ok(written)
    }
}

/// As [`moue_files::whole::write`].
fn write_whole(path: &Path, content: &[u8]) -> Result<(), Error> {
    moue_files::whole::write(path, content).map_err(|e| Error::io(path, e))
}
