//! The video with frames and emotions around the faces, and its sound.

use std::path::{Path, PathBuf};

use moue::Record;
use moue_media::{Picture, VideoWriter};

use super::Subject;
use super::text_file::part;
use crate::failure::{Failure, Result};

pub struct Film {
    writer: VideoWriter,
    /// Where it lies until it is complete, if the file of an earlier run is to be kept until then, and its name afterwards.
    part: Option<(PathBuf, PathBuf)>,
}

impl Film {
    /// Begins the film at `path`, or beside it where there is one that must not be lost before this one is longer.
    pub fn create(path: &Path, subject: Subject<'_>, beside: bool) -> Result<Self> {
        if subject.file.is_some_and(|file| same_file(file, path)) {
            return Err(Failure::usage(format!("{}: the video would overwrite itself", path.display())));
        }
        let part = beside.then(|| part(path));
        let writer = VideoWriter::create(part.as_deref().unwrap_or(path), subject.size, subject.file)?;
        Ok(Self { writer, part: part.map(|part| (part, path.to_owned())) })
    }

    /// Draws on the picture and adds it.
    pub fn add(&mut self, record: &Record, picture: &mut Picture) -> Result<()> {
        moue::annotate(picture, &record.faces);
        Ok(self.writer.write(record.time, picture)?)
    }

    pub fn finish(self) -> Result<()> {
        self.writer.finish()?;
        if let Some((part, path)) = self.part {
            std::fs::rename(part, &path).map_err(|error| super::in_file(&path, &error))?;
        }
        Ok(())
    }
}

fn same_file(a: &Path, b: &Path) -> bool {
    std::fs::canonicalize(a).ok().is_some_and(|a| std::fs::canonicalize(b).is_ok_and(|b| a == b))
}
