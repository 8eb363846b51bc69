//! A file that is added to in whole pieces.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::TempPath;

/// Every write is on its way to the disk when it returns, whole or not at all.
#[derive(Debug)]
pub struct TextFile {
    file: File,
    path: PathBuf,
    /// Until it is published.
    temporary: Option<TempPath>,
    length: u64,
}

impl TextFile {
    /// A new file under a temporary name beside `path`.
    pub fn create(path: &Path) -> io::Result<Self> {
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut builder = tempfile::Builder::new();
        builder.prefix(".moue-").suffix(".part");
        // Temporary files are private; a result has the permissions that the user's mask leaves.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let (file, temporary) = builder.tempfile_in(folder)?.into_parts();
        Ok(Self { file, path: path.to_owned(), temporary: Some(temporary), length: 0 })
    }

    /// An existing file, continued after `length` bytes; what follows is cut off.
    pub fn continued(path: &Path, length: u64) -> io::Result<Self> {
        let mut file = File::options().read(true).write(true).open(path)?;
        file.set_len(length)?;
        io::Seek::seek(&mut file, io::SeekFrom::End(0))?;
        Ok(Self { file, path: path.to_owned(), temporary: None, length })
    }

    /// Gives the file its name, in place of one that had it.
    pub fn publish(&mut self) -> io::Result<()> {
        match self.temporary.take() {
            Some(temporary) => temporary.persist(&self.path).map_err(|error| error.error),
            None => Ok(()),
        }
    }

    /// Whether the file has its name.
    pub fn is_published(&self) -> bool {
        self.temporary.is_none()
    }
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
