//! A document for ELAN, which is only valid as a whole: it is written anew now and then.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use moue::Record;
use moue_report::elan::Elan;

use crate::console;
use crate::failure::Result;

/// Time between two writings: at most this much is lost where the program is killed.
const EVERY: Duration = Duration::from_secs(5);

/// Writing takes at most one part in so many of the time.
const SPARED: u32 = 20;

pub struct Document {
    path: PathBuf,
    media: String,
    elan: Elan,
    next: Instant,
}

impl Document {
    /// `media` is the video; the document names it by a path beside its own where that is possible.
    pub fn new(path: &Path, media: Option<&Path>) -> Self {
        let media = media.map_or(String::new(), |media| {
            let absolute = std::path::absolute(media).unwrap_or_else(|_| media.to_owned());
            format!("file://{}", absolute.display())
        });
        Self { path: path.to_owned(), media, elan: Elan::default(), next: Instant::now() }
    }

    pub fn add(&mut self, record: &Record, again: bool) -> Result<()> {
        self.elan.add(record);
        // What is repeated from an earlier run stands in its file until this one has as much.
        if !again && Instant::now() >= self.next {
            self.write()?;
        }
        Ok(())
    }

    pub fn write(&mut self) -> Result<()> {
        let begun = Instant::now();
        console::write_file(&self.path, self.elan.document(&self.media).as_bytes())?;
        self.next = Instant::now() + EVERY.max(begun.elapsed() * SPARED);
        Ok(())
    }
}
