//! The video with frames and emotions around the faces, and its sound.

use std::path::{Path, PathBuf};

use moue::Record;
use moue_media::{Picture, VideoWriter};

use super::Subject;
use super::text_file::part;
use crate::failure::Result;

pub struct Film {
    /// `None` once it has ended.
    writer: Option<VideoWriter>,
    /// Where it lies until it is complete, if the file of an earlier run is to be kept until then, and its name afterwards.
    part: Option<(PathBuf, PathBuf)>,
    /// Whether it has all frames of the earlier run.
    caught_up: bool,
}

impl Film {
    /// Begins the film at `path`, or beside it where there is one that must not be lost before this one is longer.
    pub fn create(path: &Path, subject: Subject<'_>, beside: bool) -> Result<Self> {
        let part = beside.then(|| part(path));
        let writer = VideoWriter::create(part.as_deref().unwrap_or(path), subject.size, subject.file)?;
        Ok(Self { writer: Some(writer), part: part.map(|part| (part, path.to_owned())), caught_up: false })
    }

    /// Draws on the picture and adds it.
    pub fn add(&mut self, record: &Record, picture: &mut Picture) -> Result<()> {
        moue::annotate(picture, &record.faces);
        if let Some(writer) = &mut self.writer {
            writer.write(record.time, picture)?;
        }
        Ok(())
    }

    /// Says that from now on frames are new: whatever ends the film, it is no shorter than that of the earlier run.
    pub fn caught_up(&mut self) {
        self.caught_up = true;
    }

    /// Completes the file. One that could not be completed is whole up to where it ended.
    pub fn finish(mut self) -> Result<()> {
        let ended = self.writer.take().map_or(Ok(()), VideoWriter::finish);
        if self.caught_up
            && let Some((part, path)) = self.part.take()
        {
            moue_files::whole::publish(&part, &path).map_err(|error| super::in_file(&path, &error))?;
        }
        Ok(ended?)
    }
}

impl Drop for Film {
    fn drop(&mut self) {
        self.writer = None;
        if let Some((part, _)) = &self.part {
            // The film of the earlier run is the longer one. What is left of this one would only take room.
            let _ = std::fs::remove_file(part);
        }
    }
}
