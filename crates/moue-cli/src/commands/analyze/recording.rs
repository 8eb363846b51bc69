//! Files that grow while a video is analysed. Whatever ends the program, what was written until then is on disk and
//! valid: lines and cues are written whole, documents are replaced as a whole, films are made of fragments.
//!
//! The JSON Lines file is what a run is resumed from: all other files can be made from it and the video.

mod document;
mod film;
mod journal;
pub mod kind;
mod text_file;

use std::path::{Path, PathBuf};

use moue::Record;
use moue_media::Picture;
use moue_report::records::{CsvWriter, write_json_line};
use moue_report::subtitles::{SubtitleFormat, SubtitleWriter};

use crate::console;
use crate::failure::{Failure, Result, describe};
use document::Document;
use film::Film;
pub use journal::Journal;
pub use kind::Kind;
pub use text_file::{TextFile, part};

/// What is known of the video whose records are written.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The file, where it is one.
    pub file: Option<&'a Path>,
    /// Width and height of its frames.
    pub size: (u32, u32),
    /// Labels of the model.
    pub labels: &'a [String],
}

/// One of the files.
enum Part {
    Lines(TextFile),
    Csv(CsvWriter<TextFile>),
    Subtitles(SubtitleWriter<TextFile>),
    Document(Box<Document>),
    Film(Box<Film>),
}

/// All files of one video.
pub struct Recording {
    parts: Vec<(PathBuf, Part)>,
    /// The file that an earlier run began, which has what that run recorded.
    continued: Option<PathBuf>,
    /// A film that could not be written to its end; the other files go on.
    lost: Option<PathBuf>,
}

impl Recording {
    /// Begins the files. With `resumed`, the JSON Lines file of an earlier run, that one is continued and the others are
    /// made anew under temporary names until [`ready`](Self::ready) is called.
    pub fn begin(paths: &[PathBuf], subject: Subject<'_>, resumed: Option<Journal>) -> Result<Self> {
        let (mut parts, mut journal) = (Vec::new(), resumed);
        let continued = journal.as_ref().map(|journal| journal.path().to_owned());
        let again = journal.as_ref().is_some_and(|journal| journal.frames() > 0);
        for path in paths {
            let begin = || -> std::io::Result<Part> {
                Ok(match Kind::of(path) {
                    Some(Kind::Csv) => {
                        Part::Csv(CsvWriter::new(TextFile::create(path, again)?, subject.labels)?)
                    }
                    Some(Kind::WebVtt) => Part::Subtitles(SubtitleWriter::new(
                        TextFile::create(path, again)?,
                        SubtitleFormat::WebVtt,
                    )?),
                    Some(Kind::SubRip) => Part::Subtitles(SubtitleWriter::new(
                        TextFile::create(path, again)?,
                        SubtitleFormat::SubRip,
                    )?),
                    Some(Kind::Elan) => Part::Document(Box::new(Document::new(path, subject.file))),
                    _ => Part::Lines(TextFile::create(path, again)?),
                })
            };
            let part = match (Kind::of(path), journal.take_if(|journal| journal.path() == path)) {
                (_, Some(journal)) => Part::Lines(journal.into_file()?),
                (Some(Kind::Film), _) => Part::Film(Box::new(Film::create(path, subject, again)?)),
                _ => begin().map_err(|error| in_file(path, &error))?,
            };
            parts.push((path.clone(), part));
        }
        Ok(Self { parts, continued, lost: None })
    }

    /// Whether pictures are needed.
    pub fn has_film(&self) -> bool {
        self.parts.iter().any(|(_, part)| matches!(part, Part::Film(_)))
    }

    /// Adds a frame that an earlier run recorded to all files but the one it is from.
    pub fn again(&mut self, record: &Record, picture: Option<&mut Picture>) -> Result<()> {
        self.put(record, picture, true)
    }

    /// Gives the files their names; lines written from now on are there at once.
    pub fn ready(&mut self) -> Result<()> {
        for (path, part) in &mut self.parts {
            match part {
                Part::Lines(file) => file.publish(),
                Part::Csv(writer) => writer.sink_mut().publish(),
                Part::Subtitles(writer) => writer.sink_mut().publish(),
                Part::Document(_) => Ok(()),
                Part::Film(film) => {
                    film.caught_up();
                    Ok(())
                }
            }
            .map_err(|error| in_file(path, &error))?;
        }
        Ok(())
    }

    /// Adds a frame; it is on disk when this returns, but for films and the current annotations. Where it fails, as on a full
    /// disk, what was added before is there and valid.
    pub fn add(&mut self, record: &Record, picture: &mut Picture) -> Result<()> {
        self.put(record, Some(picture), false)
    }

    fn put(&mut self, record: &Record, mut picture: Option<&mut Picture>, again: bool) -> Result<()> {
        let resumable = self.parts.iter().any(|(_, part)| matches!(part, Part::Lines(_)));
        let in_file = |path: &Path, error: &std::io::Error| match resumable && is_no_room(error) {
            true => {
                Failure::message(format!("{}: {error}; --resume goes on when there is room", path.display()))
            }
            false => in_file(path, error),
        };
        let mut lost = None;
        for (path, part) in &mut self.parts {
            match part {
                Part::Lines(_) if again && self.continued.as_deref() == Some(path.as_path()) => {}
                Part::Lines(file) => {
                    // One write, so that a line is there or not.
                    let mut line = Vec::with_capacity(1024);
                    write_json_line(&mut line, record)
                        .and_then(|()| std::io::Write::write_all(file, &line))
                        .map_err(|error| in_file(path, &error))?;
                }
                Part::Csv(writer) => writer.write(record).map_err(|error| in_file(path, &error))?,
                Part::Subtitles(writer) => writer.write(record).map_err(|error| in_file(path, &error))?,
                Part::Document(document) => document.add(record, again)?,
                Part::Film(film) => {
                    if let Some(picture) = picture.as_deref_mut()
                        && let Err(error) = film.add(record, picture)
                    {
                        lost = Some((path.clone(), error));
                    }
                }
            }
        }
        if let Some((path, error)) = lost {
            self.lose(path, error)?;
        }
        Ok(())
    }

    /// Goes on without a film that failed, where there are other files to go on with.
    fn lose(&mut self, path: PathBuf, error: Failure) -> Result<()> {
        let others = self.parts.iter().any(|(_, part)| !matches!(part, Part::Film(_)));
        match error {
            Failure::Failed(error) if others => {
                let what = describe(&*error);
                console::say(format_args!("moue: {what}; the other files go on without this film"));
                self.parts.retain(|(other, _)| *other != path);
                self.lost = Some(path);
                Ok(())
            }
            error => Err(error),
        }
    }

    /// Ends all files in order, also where some fail; gives the first failure.
    pub fn finish(self) -> Result<()> {
        let mut outcome = Ok(());
        for (path, part) in self.parts {
            let ended = match part {
                Part::Lines(_) => Ok(()),
                Part::Csv(writer) => writer.finish().map(drop).map_err(|error| in_file(&path, &error)),
                Part::Subtitles(writer) => writer.finish().map(drop).map_err(|error| in_file(&path, &error)),
                Part::Document(mut document) => document.write(),
                Part::Film(film) => film.finish(),
            };
            if outcome.is_ok() {
                outcome = ended;
            }
        }
        if let (true, Some(path)) = (outcome.is_ok(), self.lost) {
            return Err(Failure::message(format!("{}: the film is not complete", path.display())));
        }
        outcome
    }
}

/// Whether the disk is full, or the user may write no more.
fn is_no_room(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge)
}

fn in_file(path: &Path, error: &std::io::Error) -> Failure {
    Failure::message(format!("{}: {error}", path.display()))
}
