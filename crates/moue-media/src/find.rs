//! The pictures meant by a list of files and folders.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::Error;

/// File name extensions of the formats that are read, in lower case.
const EXTENSIONS: [&str; 16] = [
    "bmp", "dib", "gif", "jfif", "jpe", "jpeg", "jpg", "pam", "pbm", "pgm", "png", "pnm", "ppm", "tif",
    "tiff", "webp",
];

/// What [`find_pictures`] found.
#[derive(Debug, Default)]
pub struct Found {
    /// The pictures, in the order of the paths given and sorted within each folder; no path twice.
    pub pictures: Vec<PathBuf>,
    /// Files passed over because moue wrote them; see [`is_own_output`].
    pub own_output: Vec<PathBuf>,
    /// Files in folders that were passed over because their names are not those of pictures that are read here.
    pub others: Vec<PathBuf>,
    /// Paths that do not exist and folders that cannot be read.
    pub failures: Vec<Error>,
}

/// Whether the extension is one of a format that is read here (upper or lower case).
pub fn is_picture_path(path: &Path) -> bool {
    path.extension()
        .and_then(|e| e.to_str())
        .is_some_and(|extension| EXTENSIONS.iter().any(|known| extension.eq_ignore_ascii_case(known)))
}

/// Whether a file is a picture, by its extension or else by its first bytes: of a format that is read here, or of one whose error
/// says what to do about it.
pub fn looks_like_picture(path: &Path) -> bool {
    let mut start = Vec::new();
    // Opening a pipe would wait for who writes to it.
    let file = || fs::File::open(path).ok();
    is_picture_path(path)
        || path.is_file()
            && file().is_some_and(|file| {
                std::io::Read::read_to_end(&mut std::io::Read::take(file, 32), &mut start).is_ok()
                    && !matches!(crate::decode::kind_of(&start), crate::decode::Kind::Other)
            })
}

/// Whether the file name has the form `NAME.moue.EXTENSION` that moue gives its annotated pictures.
pub fn is_own_output(path: &Path) -> bool {
    path.file_stem().is_some_and(|stem| {
        Path::new(stem).extension().is_some_and(|inner| inner.eq_ignore_ascii_case("moue"))
    })
}

/// Expands files and folders to pictures.
///
/// A file is taken whatever its extension, because someone named it. In a folder, and in the folders
/// in it, files with a picture's extension are taken in byte order of their names; hidden entries
/// (`.name`) are passed over, and each folder is entered once even where symbolic links form a ring.
/// Annotated pictures of earlier runs are never taken, so that the same command can run twice.
///
/// Nothing is opened here. What cannot be read is listed in [`Found::failures`] and the rest goes on.
pub fn find_pictures(paths: &[PathBuf]) -> Found {
    let mut search = Search::default();
    for path in paths {
        match fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => search.folder(path),
            Ok(_) => search.file(path.clone()),
            Err(source) => search.found.failures.push(Error::Io { path: path.clone(), source }),
        }
    }
    search.found
}

#[derive(Default)]
struct Search {
    found: Found,
    files: HashSet<PathBuf>,
    folders: HashSet<PathBuf>,
}

impl Search {
    fn file(&mut self, path: PathBuf) {
        if !self.files.insert(path.clone()) {
            return;
        }
        if is_own_output(&path) {
            self.found.own_output.push(path);
        } else {
            self.found.pictures.push(path);
        }
    }

    fn folder(&mut self, path: &Path) {
        if let Err(source) = self.entries(path) {
            self.found.failures.push(Error::Io { path: path.to_owned(), source });
        }
    }

    fn entries(&mut self, path: &Path) -> std::io::Result<()> {
        if !self.folders.insert(fs::canonicalize(path)?) {
            return Ok(());
        }
        let mut entries = fs::read_dir(path)?.collect::<Result<Vec<_>, _>>()?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            if entry.file_name().as_encoded_bytes().starts_with(b".") {
                continue;
            }
            let path = entry.path();
            match fs::metadata(&path) {
                Ok(metadata) if metadata.is_dir() => self.folder(&path),
                Ok(_) if is_picture_path(&path) => self.file(path),
                // Records and films of an earlier run, too, are nothing that anybody misses.
                Ok(_) if is_own_output(&path) => {}
                Ok(_) => self.found.others.push(path),
                // A dangling link matters only where it stands for a picture.
                Err(source) if is_picture_path(&path) => {
                    self.found.failures.push(Error::Io { path, source });
                }
                Err(_) => {}
            }
        }
        Ok(())
    }
}
