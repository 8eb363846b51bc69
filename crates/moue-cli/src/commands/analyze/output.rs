//! Files that an analysis writes.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use moue::{Picture, Record};
use moue_report::records::{self, CsvWriter};

use super::recording::TextFile;
use crate::console;
use crate::failure::{Failure, Result};
use crate::files::{Identity, Place};

/// Names of the pictures with frames.
#[derive(Debug)]
pub struct Pictures {
    folder: Option<PathBuf>,
    /// Names given so far: `a.png` and `a.jpg` must not end up in one file.
    given: HashSet<PathBuf>,
    /// The pictures that are read, which none may replace, whatever they are called.
    read: HashSet<Identity>,
}

/// Stands in every picture that moue writes, as a JPEG comment: only such files are replaced by later runs.
const MARK: &[u8] = b"drawn on by moue";

const QUALITY: u8 = 92;

impl Pictures {
    /// Pictures go to `folder`, which is made if need be, or beside their sources.
    pub fn new<'a>(folder: Option<PathBuf>, read: impl Iterator<Item = &'a PathBuf>) -> Result<Self> {
        if let Some(folder) = &folder {
            fs::create_dir_all(folder).map_err(|e| in_file(folder, &e))?;
        }
        let read = read.map(|path| Place::of(path).identity().clone()).collect();
        Ok(Self { folder, given: HashSet::new(), read })
    }

    /// `NAME.moue.jpg`, or `NAME-2.moue.jpg` and so on where the name was given to another picture of this run, or somebody's
    /// own picture has it.
    pub fn name(&mut self, source: &Path) -> PathBuf {
        let folder = self.folder.as_deref().or_else(|| source.parent()).unwrap_or(Path::new(""));
        let stem = source.file_stem().unwrap_or_default();
        let mut count = 1;
        loop {
            let mut name = OsString::from(stem);
            if count > 1 {
                name.push(format!("-{count}"));
            }
            name.push(".moue.jpg");
            let path = folder.join(name);
            if self.given.insert(path.clone()) && self.is_free(&path) {
                return path;
            }
            count += 1;
        }
    }

    fn is_free(&self, path: &Path) -> bool {
        let place = Place::of(path);
        // A folder of that name is told of when the picture is written.
        !place.is_file() || (!self.read.contains(place.identity()) && is_marked(path))
    }
}

/// Writes a picture with frames, and the mark by which it is known as one.
pub fn write_picture(picture: &Picture, path: &Path) -> Result<()> {
    let mut jpeg = picture.to_jpeg(QUALITY)?;
    let place = comment_place(&jpeg);
    let length = (MARK.len() + 2) as u16;
    let comment = [&[0xff, 0xfe][..], &length.to_be_bytes(), MARK].concat();
    jpeg.splice(place..place, comment);
    console::write_file(path, &jpeg)
}

/// Whether moue wrote the picture.
fn is_marked(path: &Path) -> bool {
    let mut start = Vec::new();
    let read = fs::File::open(path).and_then(|file| file.take(256).read_to_end(&mut start));
    let place = comment_place(&start);
    read.is_ok() && start.get(place + 4..).is_some_and(|rest| rest.starts_with(MARK))
}

/// Where a comment stands in a JPEG: behind the first segment if that says "JFIF", which has to be the first.
fn comment_place(jpeg: &[u8]) -> usize {
    match jpeg {
        [0xff, 0xd8, 0xff, 0xe0, high, low, ..] => 4 + usize::from(u16::from_be_bytes([*high, *low])),
        _ => 2,
    }
}

/// The CSV file; what was seen until then is in it whatever ends the program.
pub struct CsvFile {
    writer: CsvWriter<TextFile>,
    path: PathBuf,
}

impl CsvFile {
    /// Refuses to replace a file that is no table of an earlier run.
    pub fn check(path: &Path) -> Result<()> {
        match is_replaceable(path) {
            true => Ok(()),
            false => Err(Failure::Refused(format!(
                "--csv {} is there already and no table of moue: --force replaces it, another name keeps it",
                crate::text::path(path)
            ))),
        }
    }

    /// Starts the file, in place of one that there may be.
    pub fn create(path: &Path, labels: &[String]) -> Result<Self> {
        let file = TextFile::create(path, false).map_err(|e| in_file(path, &e))?;
        let writer = CsvWriter::new(file, labels).map_err(|e| in_file(path, &e))?;
        Ok(Self { writer, path: path.to_owned() })
    }

    /// Adds the rows of one record.
    pub fn write(&mut self, record: &Record) -> Result<()> {
        self.writer.write(record).map_err(|e| in_file(&self.path, &e))
    }
}

/// Whether there is nothing, nothing in it, no file, or a table of moue.
fn is_replaceable(path: &Path) -> bool {
    let mut start = Vec::new();
    match fs::metadata(path) {
        Ok(there) if there.is_file() && there.len() > 0 => {
            let read = fs::File::open(path).and_then(|file| file.take(256).read_to_end(&mut start));
            read.is_ok() && moue_files::text::without_mark(&start).starts_with(records::COLUMNS.as_bytes())
        }
        _ => true,
    }
}

fn in_file(path: &Path, error: &std::io::Error) -> Failure {
    Failure::message(format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_beside_the_source_or_in_the_folder_and_never_twice() {
        let mut beside = Pictures::new(None, [].iter()).unwrap();
        let names =
            ["d/a.png", "d/a.jpg", "e/a.png", "b.c.jpg", "d/a.bmp"].map(|p| beside.name(Path::new(p)));
        let expected = ["d/a.moue.jpg", "d/a-2.moue.jpg", "e/a.moue.jpg", "b.c.moue.jpg", "d/a-3.moue.jpg"];
        assert_eq!(names, expected.map(PathBuf::from));

        let folder = tempfile::tempdir().unwrap();
        let mut inside = Pictures::new(Some(folder.path().join("x/y")), [].iter()).unwrap();
        let names = ["d/a.png", "e/a.png"].map(|p| inside.name(Path::new(p)));
        assert_eq!(names, ["a.moue.jpg", "a-2.moue.jpg"].map(|n| folder.path().join("x/y").join(n)));
        assert!(folder.path().join("x/y").is_dir());
    }

    #[test]
    fn only_what_moue_wrote_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let name = |read: &[PathBuf]| Pictures::new(None, read.iter()).unwrap().name(&at("a.png"));
        let picture = Picture::filled(8, 8, [9; 3]);
        assert_eq!(name(&[]), at("a.moue.jpg"));
        write_picture(&picture, &at("a.moue.jpg")).unwrap();
        assert_eq!(name(&[]), at("a.moue.jpg"));
        // Somebody wants that one looked at.
        assert_eq!(name(&[at("a.moue.jpg")]), at("a-2.moue.jpg"));
        picture.write(&at("b.jpg")).unwrap();
        fs::rename(at("b.jpg"), at("a.moue.jpg")).unwrap();
        assert_eq!(name(&[]), at("a-2.moue.jpg"));
    }

    #[test]
    fn the_mark_leaves_a_sound_picture() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.jpg");
        write_picture(&Picture::filled(20, 10, [200, 10, 10]), &path).unwrap();
        assert!(is_marked(&path));
        let read = moue::read_picture(&path, &moue::Limits::default()).unwrap();
        assert_eq!((read.width(), read.height()), (20, 10));
        for other in [&b""[..], b"\xff\xd8", b"\xff\xd8\xff\xe0\xff\xff", b"text"] {
            fs::write(&path, other).unwrap();
            assert!(!is_marked(&path));
        }
    }

    #[test]
    fn a_table_of_somebody_else_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv");
        CsvFile::check(&path).unwrap();
        CsvFile::create(&path, &["happy".to_owned()]).unwrap();
        CsvFile::check(&path).unwrap();
        fs::write(&path, "name,grade\nAnna,1\n").unwrap();
        let Err(Failure::Refused(reason)) = CsvFile::check(&path) else { panic!("it would be replaced") };
        assert!(reason.contains("--csv") && reason.contains("--force"), "{reason}");
    }
}
