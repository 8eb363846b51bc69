//! Finds the csv text in a file as people download it: plain, compressed, or a member of an archive.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read, Seek};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;

use crate::{Error, Limits, Result};

mod bzip2;

use bzip2::Bzip2Reader;

/// A tar header ends here; its magic stands at 257.
const TAR_HEADER: usize = 512;

/// Enough to tell a header line from other text.
const HEAD: usize = 4096;

const BUFFER: usize = 1 << 18;

/// Decides by the first line whether a member of an archive is the csv that was meant.
pub(crate) type Recognise<'a> = &'a dyn Fn(&[u8]) -> bool;

/// Text found in a file.
pub(crate) struct Source<'a> {
    /// The file, or `archive[member]`.
    pub(crate) name: String,
    /// The text from its beginning. Fails with [`io::ErrorKind::FileTooLarge`] beyond the limit.
    pub(crate) reader: &'a mut dyn Read,
}

/// Opens `path`, unpacks what it is packed in, and hands the text to `visit`.
///
/// Containers are told by their first bytes. In archives, the first regular file ending in `.csv` is taken whose first
/// line is recognised, or that is called `fer2013.csv`; macOS's `._` companions are passed over.
pub(crate) fn with_text<T>(
    path: &Path,
    limits: &Limits,
    recognise: Recognise<'_>,
    visit: impl FnOnce(Source<'_>) -> Result<T>,
) -> Result<T> {
    let name = path.display().to_string();
    let file = File::open(path).map_err(|source| Error::io(path, source))?;
    let mut file = BufReader::with_capacity(BUFFER, file);
    let head = file.fill_buf().map_err(|source| Error::io(path, source))?;
    match Kind::of(head) {
        Kind::Empty => Err(Error::file(name, "the file is empty, expected a csv with a header line")),
        Kind::Foreign(what) => {
            Err(Error::file(name, format!("this is {what}, expected csv, .gz, .bz2, .zip, .tar or .tar.gz")))
        }
        Kind::Encoded(reason) => Err(Error::file(name, reason)),
        Kind::Zip => in_zip(&name, file, limits, recognise, visit),
        Kind::Gzip => in_stream(&name, MultiGzDecoder::new(file), limits, recognise, visit),
        Kind::Bzip2 => in_stream(&name, Bzip2Reader::new(file), limits, recognise, visit),
        Kind::Other => in_stream(&name, file, limits, recognise, visit),
    }
}

/// What an error while reading from a [`Source`] says about the file.
pub(crate) fn read_failure(name: &str, error: &io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::FileTooLarge => Error::limit(name, error.to_string()),
        io::ErrorKind::UnexpectedEof => Error::file(name, format!("the file is cut off ({error})")),
        _ => Error::file(name, format!("reading failed: {error}")),
    }
}

enum Kind {
    Empty,
    Gzip,
    Bzip2,
    Zip,
    Other,
    Foreign(&'static str),
    /// Text in another encoding, with what to do about it.
    Encoded(&'static str),
}

impl Kind {
    fn of(head: &[u8]) -> Self {
        match head {
            [] => Self::Empty,
            [0x1f, 0x8b, ..] => Self::Gzip,
            // The level is followed by the magic of a block or of the end.
            [b'B', b'Z', b'h', b'1'..=b'9', 0x31 | 0x17, ..] => Self::Bzip2,
            [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..] => Self::Zip,
            [0xfd, b'7', b'z', b'X', b'Z', ..] => Self::Foreign("an xz archive"),
            [b'7', b'z', 0xbc, 0xaf, ..] => Self::Foreign("a 7-Zip archive"),
            [b'R', b'a', b'r', b'!', ..] => Self::Foreign("a RAR archive"),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Self::Foreign("a Zstandard file"),
            _ => moue_files::text::foreign(head).map_or(Self::Other, Self::Encoded),
        }
    }
}

/// A file that is one stream of text, or of tar.
fn in_stream<T>(
    name: &str,
    reader: impl Read,
    limits: &Limits,
    recognise: Recognise<'_>,
    visit: impl FnOnce(Source<'_>) -> Result<T>,
) -> Result<T> {
    let mut reader = Limited { inner: reader, left: limits.max_bytes, limit: limits.max_bytes };
    let head = read_head(&mut reader, TAR_HEADER).map_err(|error| read_failure(name, &error))?;
    let tar = head.get(257..262) == Some(b"ustar");
    let mut reader = Cursor::new(head).chain(reader);
    if tar {
        return in_tar(name, reader, recognise, visit);
    }
    visit(Source { name: name.to_owned(), reader: &mut reader })
}

fn in_tar<T>(
    name: &str,
    reader: impl Read,
    recognise: Recognise<'_>,
    visit: impl FnOnce(Source<'_>) -> Result<T>,
) -> Result<T> {
    let failed = |error: io::Error| read_failure(name, &error);
    let mut archive = tar::Archive::new(reader);
    let found = visit_member(name, &mut archive, recognise, visit)?;
    // The checksum of a compressed archive stands at its end.
    io::copy(&mut archive.into_inner(), &mut io::sink()).map_err(failed)?;
    Ok(found)
}

fn visit_member<T>(
    name: &str,
    archive: &mut tar::Archive<impl Read>,
    recognise: Recognise<'_>,
    visit: impl FnOnce(Source<'_>) -> Result<T>,
) -> Result<T> {
    let failed = |error: io::Error| read_failure(name, &error);
    for entry in archive.entries().map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let member = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        if !entry.header().entry_type().is_file() || !is_csv(&member) {
            continue;
        }
        let size = entry.size();
        // The tar reader takes the end of its input for the end of a member.
        let mut whole = Whole { inner: entry, left: size };
        let head = read_head(&mut whole, HEAD).map_err(failed)?;
        if is_fer2013(&member) || recognise(&head) {
            let mut reader = Cursor::new(head).chain(whole);
            return visit(Source { name: member_name(name, &member), reader: &mut reader });
        }
    }
    Err(no_member(name))
}

fn in_zip<T>(
    name: &str,
    reader: impl Read + Seek,
    limits: &Limits,
    recognise: Recognise<'_>,
    visit: impl FnOnce(Source<'_>) -> Result<T>,
) -> Result<T> {
    let failed = |error: zip::result::ZipError| match error {
        zip::result::ZipError::Io(error) => read_failure(name, &error),
        zip::result::ZipError::InvalidArchive(what) => {
            Error::file(name, format!("the zip archive is cut off or damaged ({what})"))
        }
        other => Error::file(name, format!("the zip archive cannot be unpacked: {other}")),
    };
    let mut archive = zip::ZipArchive::new(reader).map_err(failed)?;
    for index in 0..archive.len() {
        let Some(Ok(member)) = archive.name_for_index(index) else { continue };
        let member = member.into_owned();
        if !is_csv(&member) {
            continue;
        }
        let entry = archive.by_index(index).map_err(failed)?;
        if !entry.is_file() {
            continue;
        }
        // The stated size may lie; what counts is what comes out.
        let mut entry = Limited { inner: entry, left: limits.max_bytes, limit: limits.max_bytes };
        let head = read_head(&mut entry, HEAD).map_err(|error| read_failure(name, &error))?;
        if is_fer2013(&member) || recognise(&head) {
            let mut reader = Cursor::new(head).chain(entry);
            return visit(Source { name: member_name(name, &member), reader: &mut reader });
        }
    }
    Err(no_member(name))
}

fn no_member(name: &str) -> Error {
    Error::file(
        name,
        "no .csv in the archive has the columns emotion and pixels; pictures are read from an unpacked folder",
    )
}

/// Names come from strangers and go to terminals, so control characters are escaped.
fn member_name(archive: &str, member: &str) -> String {
    format!("{archive}[{}]", member.escape_debug())
}

fn file_name(member: &str) -> &str {
    member.rsplit('/').next().unwrap_or(member)
}

fn is_csv(member: &str) -> bool {
    let file = file_name(member);
    !file.starts_with("._") && file.to_ascii_lowercase().ends_with(".csv")
}

fn is_fer2013(member: &str) -> bool {
    file_name(member).eq_ignore_ascii_case("fer2013.csv")
}

/// Reads `length` bytes, or all where there are fewer.
fn read_head(reader: &mut impl Read, length: usize) -> io::Result<Vec<u8>> {
    let mut head = Vec::with_capacity(length);
    reader.take(length as u64).read_to_end(&mut head)?;
    Ok(head)
}

/// Fails where more than `limit` bytes come out.
struct Limited<R> {
    inner: R,
    left: u64,
    limit: u64,
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        match self.left.checked_sub(read as u64) {
            Some(left) => self.left = left,
            None => {
                let message = format!("more than {} bytes of text come out of the file", self.limit);
                return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
            }
        }
        Ok(read)
    }
}

/// Fails where the input ends before the stated size.
struct Whole<R> {
    inner: R,
    left: u64,
}

impl<R: Read> Read for Whole<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        if read == 0 && !buffer.is_empty() && self.left > 0 {
            let message = format!("{} bytes of the member are missing", self.left);
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, message));
        }
        self.left = self.left.saturating_sub(read as u64);
        Ok(read)
    }
}
