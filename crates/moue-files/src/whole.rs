//! Files that appear whole or not at all.

use std::fs::{self, File};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::Path;

/// How names of files begin and end that are not complete yet.
const PREFIX: &str = ".moue-";
const SUFFIX: &str = ".part";

/// Writes a file: under a temporary name in the same folder, brought to the disk, renamed, and the folder brought to the
/// disk. Whoever dies in between leaves what was there before.
///
/// What is no regular file (`/dev/null`, `/dev/stdout`, a named pipe) is written to and never replaced.
///
/// # Errors
/// Those of the file system. `path` is then as it was.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write_with(path, |sink| sink.write_all(bytes))
}

/// As [`write()`], with the content that `fill` writes.
///
/// # Errors
/// Those of `fill` and of the file system. `path` is then as it was.
pub fn write_with(path: &Path, fill: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    match fs::metadata(path) {
        Ok(there) if there.is_dir() => return Err(io::Error::from(ErrorKind::IsADirectory)),
        // To rename onto a device would put a file in its place, and root may.
        Ok(there) if !there.is_file() => {
            let mut sink = BufWriter::new(File::options().write(true).open(path)?);
            fill(&mut sink)?;
            return sink.flush();
        }
        _ => {}
    }
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    builder.prefix(PREFIX).suffix(SUFFIX);
    // Temporary files are private; a finished one has the permissions that the user's mask leaves.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = builder.tempfile_in(folder)?;
    let mut sink = BufWriter::new(&mut file);
    fill(&mut sink)?;
    sink.flush()?;
    drop(sink);
    file.as_file().sync_all()?;
    file.persist(path).map_err(|e| e.error)?;
    sync_folder(folder)
}

/// Gives a file that was written under another name in the same folder its own: brought to the disk, renamed, and the folder
/// brought to the disk. For files that grow, which [`write()`] cannot make.
///
/// # Errors
/// Those of the file system.
pub fn publish(part: &Path, path: &Path) -> io::Result<()> {
    // Some systems sync only what may be written to.
    File::options().write(true).open(part)?.sync_all()?;
    fs::rename(part, path)?;
    sync_folder(path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new(".")))
}

/// Whether a file of this name is what is left of a write that was killed.
pub fn is_leftover(name: &str) -> bool {
    name.starts_with(PREFIX) && name.ends_with(SUFFIX)
}

/// Brings a folder's names to the disk: only then does a new name survive a loss of power.
///
/// # Errors
/// Those of the file system, but for systems that cannot do this to folders: there the file is as safe as it can be.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    if !cfg!(unix) {
        return Ok(());
    }
    match File::open(folder).and_then(|folder| folder.sync_all()) {
        // A folder may be writable and not readable; some network file systems know no sync of folders.
        Err(e)
            if matches!(
                e.kind(),
                ErrorKind::PermissionDenied | ErrorKind::InvalidInput | ErrorKind::Unsupported
            ) =>
        {
            Ok(())
        }
        ended => ended,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests may")]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_is_replaced_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        write(&path, b"old").unwrap();
        write(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(names(folder.path()), ["a.txt"]);
    }

    #[test]
    fn whoever_fails_leaves_the_old_file_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        write(&path, b"old").unwrap();
        let failed = write_with(&path, |sink| {
            sink.write_all(b"half")?;
            Err(io::Error::from(ErrorKind::StorageFull))
        });
        assert_eq!(failed.unwrap_err().kind(), ErrorKind::StorageFull);
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(names(folder.path()), ["a.txt"]);
        fs::create_dir(folder.path().join("b")).unwrap();
        assert!(write(&folder.path().join("b"), b"x").is_err());
        assert!(write(&folder.path().join("no/a.txt"), b"x").is_err());
        assert_eq!(names(folder.path()), ["a.txt", "b"]);
    }

    #[cfg(unix)]
    #[test]
    fn devices_are_written_to_and_not_replaced() {
        use std::os::unix::fs::FileTypeExt;
        let folder = tempfile::tempdir().unwrap();
        let null = folder.path().join("null");
        std::os::unix::fs::symlink("/dev/null", &null).unwrap();
        write(&null, b"x").unwrap();
        assert!(fs::metadata(&null).unwrap().file_type().is_char_device());
        assert_eq!(names(folder.path()), ["null"]);
    }

    #[cfg(unix)]
    #[test]
    fn others_may_read_the_file_as_far_as_the_mask_allows() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let (ours, plain) = (folder.path().join("a"), folder.path().join("b"));
        write(&ours, b"x").unwrap();
        fs::write(&plain, b"x").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(&ours), mode(&plain));
    }

    #[test]
    fn leftovers_are_known_by_their_names() {
        assert!(is_leftover(".moue-a1B2c3.part"));
        assert!(!is_leftover("moue-a.part") && !is_leftover(".moue-a.txt"));
    }
}
