//! Files that an analysis writes.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use moue::Record;
use moue_report::records::CsvWriter;

use super::recording::TextFile;
use crate::failure::{Failure, Result};

/// Names of the pictures with frames.
#[derive(Debug)]
pub struct Pictures {
    folder: Option<PathBuf>,
    /// Names given so far: `a.png` and `a.jpg` must not end up in one file.
    given: HashSet<PathBuf>,
}

impl Pictures {
    /// Pictures go to `folder`, which is made if need be, or beside their sources.
    pub fn new(folder: Option<PathBuf>) -> Result<Self> {
        if let Some(folder) = &folder {
            fs::create_dir_all(folder).map_err(|e| in_file(folder, &e))?;
        }
        Ok(Self { folder, given: HashSet::new() })
    }

    /// `NAME.moue.jpg`, or `NAME-2.moue.jpg` and so on where the name was given to another picture of this run. It is
    /// never the name of a source, because those that end in `.moue.jpg` are not read.
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
            if self.given.insert(path.clone()) {
                return path;
            }
            count += 1;
        }
    }
}

/// The CSV file; what was seen until then is in it whatever ends the program.
pub struct CsvFile {
    writer: CsvWriter<TextFile>,
    path: PathBuf,
}

impl CsvFile {
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

fn in_file(path: &Path, error: &std::io::Error) -> Failure {
    Failure::message(format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_beside_the_source_or_in_the_folder_and_never_twice() {
        let mut beside = Pictures::new(None).unwrap();
        let names =
            ["d/a.png", "d/a.jpg", "e/a.png", "b.c.jpg", "d/a.bmp"].map(|p| beside.name(Path::new(p)));
        let expected = ["d/a.moue.jpg", "d/a-2.moue.jpg", "e/a.moue.jpg", "b.c.moue.jpg", "d/a-3.moue.jpg"];
        assert_eq!(names, expected.map(PathBuf::from));

        let folder = tempfile::tempdir().unwrap();
        let mut inside = Pictures::new(Some(folder.path().join("x/y"))).unwrap();
        let names = ["d/a.png", "e/a.png"].map(|p| inside.name(Path::new(p)));
        assert_eq!(names, ["a.moue.jpg", "a-2.moue.jpg"].map(|n| folder.path().join("x/y").join(n)));
        assert!(folder.path().join("x/y").is_dir());
    }
}
