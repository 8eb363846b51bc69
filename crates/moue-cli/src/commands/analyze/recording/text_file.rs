//! A file that is added to in whole pieces.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Every write is on its way to the disk when it returns, whole or not at all.
#[derive(Debug)]
pub struct TextFile {
    file: File,
    path: PathBuf,
    /// Where it lies until it is published.
    part: Option<PathBuf>,
    length: u64,
}

impl TextFile {
    /// A new file in place of one that there may be; with `beside`, under another name until it is
    /// [published](Self::publish), so that the old one is there until then.
    pub fn create(path: &Path, beside: bool) -> io::Result<Self> {
        let part = beside.then(|| part(path));
        let file = File::create(part.as_deref().unwrap_or(path))?;
        Ok(Self { file, path: path.to_owned(), part, length: 0 })
    }

    /// An existing file, continued after `length` bytes; what follows is cut off.
    pub fn continued(path: &Path, length: u64) -> io::Result<Self> {
        let mut file = File::options().read(true).write(true).open(path)?;
        file.set_len(length)?;
        io::Seek::seek(&mut file, io::SeekFrom::End(0))?;
        Ok(Self { file, path: path.to_owned(), part: None, length })
    }

    /// Gives the file its name, in place of one that had it.
    pub fn publish(&mut self) -> io::Result<()> {
        match self.part.take() {
            Some(part) => moue_files::whole::publish(&part, &self.path),
            None => Ok(()),
        }
    }
}

impl Drop for TextFile {
    fn drop(&mut self) {
        if let Some(part) = &self.part {
            // It was given up before it was as long as the one it was to replace, and would only take room.
            let _ = std::fs::remove_file(part);
        }
    }
}

/// The name of a file that is not yet as long as the one it will replace. It is the same in every run, so that runs that
/// are killed leave no more than one.
pub fn part(path: &Path) -> PathBuf {
    let mut name = OsString::from(".part-");
    name.push(path.file_name().unwrap_or_default());
    path.with_file_name(name)
}

impl Write for TextFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.file.write_all(bytes) {
            Ok(()) => {
                self.length += bytes.len() as u64;
                Ok(bytes.len())
            }
            Err(error) => {
                // A full disk took a part of it. If even this fails, resuming cuts it.
                let _ = self.file.set_len(self.length);
                Err(error)
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
