//! Where a path leads, however it is spelled.

use std::ffi::OsString;
use std::fs;
use std::path::{Component, Path, PathBuf};

/// Links that lead to links, at most: as the system counts them.
const MAX_LINKS: usize = 40;

/// Files of a folder that are looked at to learn whether it tells upper from lower case.
const MAX_PROBES: usize = 64;

/// A file or folder that exists.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Identity {
    /// Device and number: hard links have them in common.
    Node(u64, u64),
    /// Where the system numbers no files: the path without links.
    Path(PathBuf),
}

/// What is at a path or will be.
#[derive(Clone, Debug)]
pub struct Place {
    /// The path itself or, where nothing is there yet, the nearest folder above it that exists.
    identity: Identity,
    /// The names from there on; in lower case where the folder does not tell them apart.
    rest: PathBuf,
    path: PathBuf,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    File,
    Folder,
    /// A device or a pipe, which nothing replaces.
    Special,
    Nothing,
}

impl Place {
    /// Follows the links of a path, also of one at which nothing is yet. Nothing is opened but folders.
    pub fn of(path: &Path) -> Self {
        if let Ok(there) = fs::metadata(path) {
            let kind = match () {
                () if there.is_file() => Kind::File,
                () if there.is_dir() => Kind::Folder,
                () => Kind::Special,
            };
            let canonical = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
            let identity = identity(&there, &canonical);
            return Self { identity, rest: PathBuf::new(), path: canonical, kind };
        }
        let path = without_links(path);
        let path = std::path::absolute(&path).unwrap_or(path);
        let mut names: Vec<OsString> = Vec::new();
        let mut above = path.as_path();
        // The root exists.
        while let (Some(folder), Some(last)) = (above.parent(), above.components().next_back()) {
            names.push(last.as_os_str().to_owned());
            above = folder;
            if above.exists() {
                break;
            }
        }
        let canonical = fs::canonicalize(above).unwrap_or_else(|_| above.to_owned());
        let rest = normal(names.iter().rev());
        let mut folder = canonical.clone();
        let mut rest_left = rest.as_path();
        // `new/..` leads out again.
        while let Ok(next) = rest_left.strip_prefix("..") {
            folder.pop();
            rest_left = next;
        }
        let found = match fs::metadata(&folder) {
            Ok(there) => identity(&there, &folder),
            Err(_) => Identity::Path(folder.clone()),
        };
        let rest = match ignores_case(&folder) {
            true => PathBuf::from(rest_left.to_string_lossy().to_lowercase()),
            false => rest_left.to_owned(),
        };
        Self { identity: found, path: folder.join(rest_left), rest, kind: Kind::Nothing }
    }

    /// Whether both are one file, or will be.
    pub fn is_same(&self, other: &Self) -> bool {
        let special = |place: &Self| place.kind == Kind::Special;
        !special(self) && !special(other) && self.identity == other.identity && self.rest == other.rest
    }

    /// Whether this is the file `other`, or lies below it as if that were a folder.
    pub fn is_in_or_at(&self, other: &Self) -> bool {
        match other.kind {
            Kind::Nothing => self.identity == other.identity && self.rest.starts_with(&other.rest),
            _ => self.is_same(other),
        }
    }

    /// The file or folder; where nothing is yet, the folder above.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The path without links.
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn is_file(&self) -> bool {
        self.kind == Kind::File
    }

    pub fn is_folder(&self) -> bool {
        self.kind == Kind::Folder
    }
}

#[cfg(unix)]
fn identity(there: &fs::Metadata, canonical: &Path) -> Identity {
    use std::os::unix::fs::MetadataExt;
    match there.ino() {
        // Some network file systems number nothing.
        0 => Identity::Path(canonical.to_owned()),
        number => Identity::Node(there.dev(), number),
    }
}

#[cfg(not(unix))]
fn identity(_: &fs::Metadata, canonical: &Path) -> Identity {
    // These systems tell no upper from lower case.
    Identity::Path(PathBuf::from(canonical.to_string_lossy().to_lowercase()))
}

/// Follows links that lead to nothing: who writes there makes the file that they name.
fn without_links(path: &Path) -> PathBuf {
    let mut path = path.to_owned();
    for _ in 0..MAX_LINKS {
        match fs::read_link(&path) {
            Ok(target) => path = path.parent().unwrap_or(Path::new("")).join(target),
            Err(_) => break,
        }
    }
    path
}

/// Names joined, without `.` and with `..` taken back.
fn normal<'a>(names: impl Iterator<Item = &'a OsString>) -> PathBuf {
    let mut path = PathBuf::new();
    for name in names {
        match Path::new(name).components().next() {
            Some(Component::CurDir) | None => {}
            Some(Component::ParentDir) if path.file_name().is_some() => drop(path.pop()),
            _ => path.push(name),
        }
    }
    path
}

/// Whether a folder takes `A` for `a`, as those of Windows and macOS mostly do. Told by an entry that is found under its
/// name in the other case, too; nothing is written for it.
fn ignores_case(folder: &Path) -> bool {
    let swapped = |name: &str| -> String {
        let swap = |c: char| if c.is_lowercase() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() };
        name.chars().map(swap).collect()
    };
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().take(MAX_PROBES);
    for entry in entries {
        let Ok(name) = entry.file_name().into_string() else { continue };
        let other = swapped(&name);
        if other != name {
            // Where both are listed, the folder tells them apart.
            let there = fs::symlink_metadata(folder.join(&other)).is_ok();
            return there && !both_listed(folder, &name, &other);
        }
    }
    cfg!(any(windows, target_os = "macos"))
}

/// Whether a folder has two entries of these names.
fn both_listed(folder: &Path, a: &str, b: &str) -> bool {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter(|entry| entry.file_name() == a || entry.file_name() == b).count() > 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_exist_yet_has_a_place_too() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| Place::of(&folder.path().join(name));
        assert!(at("a").is_same(&at("./a")) && at("a").is_same(&at("b/../a")));
        assert!(at("x/y/a").is_same(&at("x/./y/a")) && at("a").is_same(&at("x/y/../../a")));
        assert!(!at("a").is_same(&at("b")) && !at("x/a").is_same(&at("a")));
        assert!(at("x/a").is_in_or_at(&at("x")) && !at("x").is_in_or_at(&at("x/a")));
        assert!(!at("xa").is_in_or_at(&at("x")));
        let name = folder.path().file_name().unwrap().to_owned();
        assert!(at("a").is_same(&at(&format!("../{}/a", name.to_string_lossy()))));
    }

    #[test]
    fn case_counts_where_the_folder_says_so() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("seen"), "x").unwrap();
        let ignored = fs::metadata(folder.path().join("SEEN")).is_ok();
        let at = |name: &str| Place::of(&folder.path().join(name));
        assert_eq!(at("A.jsonl").is_same(&at("a.jsonl")), ignored);
        assert!(at("seen").is_same(&at("seen")));
    }
}
