//! Reading picture files.

use std::error::Error as _;
use std::fs::File;
use std::io::{Cursor, Read};
use std::path::Path;

use image::error::{ImageError, LimitErrorKind};
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader};

use crate::{Error, Grey, Picture};

mod flatten;
mod jpeg;
mod tiff;

/// The formats that are read, as messages name them.
pub(crate) const FORMATS: &str = "JPEG, PNG, WebP, GIF, BMP, TIFF or PNM";

/// Memory in bytes that a decoder may take beside that for pixels: tables, metadata, rows.
const SPARE_MEMORY: u64 = 64 << 20;

/// Bytes that pixels may take while a picture is read, at most: as stored, as returned, and between.
const MAX_MEMORY: u64 = 480 << 20;

/// How large a picture may be. Files beyond a limit are refused by what their header says, before memory
/// for pixels is taken. Reading takes half a gigabyte beside the file at most; where the limits would allow a picture
/// that needs more, as with 16 bits a sample, it is refused as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most pixels a row, and most rows.
    pub max_side: u32,
    /// Most pixels in all.
    pub max_pixels: u64,
    /// Longest file in bytes.
    pub max_bytes: u64,
}

impl Default for Limits {
    /// 16,384 pixels a side, 120 million pixels in all (phones make pictures of 108 million), and files of 512 MiB.
    fn default() -> Self {
        Self { max_side: 16_384, max_pixels: 120_000_000, max_bytes: 512 << 20 }
    }
}

impl Limits {
    /// # Errors
    /// [`Error::Limit`] where a picture of this size is empty or too large.
    pub(crate) fn check(&self, name: &str, width: u64, height: u64) -> Result<(), Error> {
        let what = if width == 0 || height == 0 {
            format!("the picture is {width}x{height} pixels, so there is nothing to see")
        } else if width > u64::from(self.max_side) || height > u64::from(self.max_side) {
            format!("the picture is {width}x{height} pixels; the limit is {} pixels a side", self.max_side)
        } else if width * height > self.max_pixels {
            format!("the picture is {width}x{height} pixels; the limit is {} pixels in all", self.max_pixels)
        } else {
            return Ok(());
        };
        Err(Error::Limit { name: name.to_owned(), what })
    }
}

/// # Errors
/// [`Error::Limit`] where a picture takes more bytes while it is read than any may.
fn check_memory(name: &str, (width, height): (u32, u32), bytes: u64) -> Result<(), Error> {
    if bytes <= MAX_MEMORY {
        return Ok(());
    }
    let what = format!(
        "the picture is {width}x{height} pixels of a kind that takes {} MB of memory to read; the limit is {} MB: \
         make it smaller, or an ordinary JPEG or PNG of 8 bits",
        bytes >> 20,
        MAX_MEMORY >> 20
    );
    Err(Error::Limit { name: name.to_owned(), what })
}

/// Reads a picture file in colour, turned upright as its EXIF orientation says.
///
/// The format is told by the first bytes, not by the extension. 16-bit and floating-point samples are
/// rounded to 8 bits, transparent pixels are laid on white, grey becomes RGB with equal channels, CMYK is
/// converted without a colour profile. Of an animation the first picture is read.
///
/// Cameras keep 10, 12 or 14 bits in samples of 16: where all samples of a picture are below 1,024, 4,096 or 16,384, that range
/// is taken to be from black to white.
///
/// # Errors
/// - [`Error::Io`]: the file cannot be read;
/// - [`Error::NotAPicture`], [`Error::Unsupported`]: it is something else, or a format that is not read;
/// - [`Error::Limit`]: it is empty, or beyond `limits`;
/// - [`Error::Broken`]: it is cut off or damaged; half a picture is never returned.
pub fn read_picture(path: &Path, limits: &Limits) -> Result<Picture, Error> {
    decode_picture(&read_bytes(path, limits)?, &path.display().to_string(), limits)
}

/// Reads a picture file as luma; grey files keep their values exactly, colour goes through
/// [`Picture::to_grey`]. Otherwise as [`read_picture`].
///
/// # Errors
/// As [`read_picture`].
pub fn read_grey(path: &Path, limits: &Limits) -> Result<Grey, Error> {
    decode_grey(&read_bytes(path, limits)?, &path.display().to_string(), limits)
}

impl Picture {
    /// Reads a file in any format that moue reads, upright, within the usual [`Limits`].
    ///
    /// # Errors
    /// As [`read_picture`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        read_picture(path.as_ref(), &Limits::default())
    }

    /// The picture in the bytes of a file, upright, within the usual [`Limits`].
    ///
    /// # Errors
    /// As [`decode_picture`].
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        decode_picture(bytes, "the picture", &Limits::default())
    }
}

/// As [`read_picture`], from the bytes of a file; `name` stands for it in messages.
///
/// # Errors
/// As [`read_picture`], save [`Error::Io`].
pub fn decode_picture(bytes: &[u8], name: &str, limits: &Limits) -> Result<Picture, Error> {
    flatten::picture(decode(bytes, name, limits)?, name)
}

/// As [`read_grey`], from the bytes of a file; `name` stands for it in messages.
///
/// # Errors
/// As [`read_picture`], save [`Error::Io`].
pub fn decode_grey(bytes: &[u8], name: &str, limits: &Limits) -> Result<Grey, Error> {
    flatten::grey(decode(bytes, name, limits)?, name)
}

/// A decoded picture of any kind in RGB, on white.
pub(crate) fn flattened(decoded: DynamicImage, name: &str) -> Result<Picture, Error> {
    flatten::picture(flatten::narrow(decoded, name)?, name)
}

/// Where the first picture of a JPEG file ends.
pub(crate) fn jpeg_end(bytes: &[u8]) -> Option<usize> {
    jpeg::end(bytes)
}

fn read_bytes(path: &Path, limits: &Limits) -> Result<Vec<u8>, Error> {
    let io = |source| Error::Io { path: path.to_owned(), source };
    let too_long = |length: String| Error::Limit {
        name: path.display().to_string(),
        what: format!("the file is {length} bytes long; the limit is {} bytes", limits.max_bytes),
    };
    // Opening a pipe that nobody writes to would wait for ever, and a device may never end.
    let kind = std::fs::metadata(path).map_err(io)?.file_type();
    if !kind.is_file() && !kind.is_dir() {
        let name = path.display().to_string();
        return Err(Error::NotAPicture {
            name,
            found: "this is a pipe or a device; `moue analyze - < PATH` reads one",
        });
    }
    let file = File::open(path).map_err(io)?;
    let length = file.metadata().map_err(io)?.len();
    if length > limits.max_bytes {
        return Err(too_long(length.to_string()));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or_default());
    // It may grow meanwhile.
    let read = file.take(limits.max_bytes.saturating_add(1)).read_to_end(&mut bytes).map_err(io)?;
    if read as u64 > limits.max_bytes {
        return Err(too_long(format!("more than {}", limits.max_bytes)));
    }
    Ok(bytes)
}

fn decode(bytes: &[u8], name: &str, limits: &Limits) -> Result<DynamicImage, Error> {
    let format = format_of(bytes, name)?;
    let (picture, orientation) = match format {
        ImageFormat::Jpeg => jpeg::decode(bytes, name, limits)?,
        ImageFormat::Tiff => match tiff::decode(bytes, name, limits) {
            Some(decoded) => decoded?,
            None => decode_other(bytes, format, name, limits)?,
        },
        _ => decode_other(bytes, format, name, limits)?,
    };
    // Whoever turns it needs it twice, so that it is made small before.
    let mut picture = flatten::narrow(picture, name)?;
    let (width, height) = (picture.width(), picture.height());
    if !matches!(orientation, Orientation::NoTransforms) {
        let bytes = picture.as_bytes().len() as u64;
        let turns = !matches!(
            orientation,
            Orientation::Rotate180 | Orientation::FlipHorizontal | Orientation::FlipVertical
        );
        if turns && 2 * bytes > MAX_MEMORY {
            return flatten::turned_in_place(picture, orientation).ok_or_else(|| Error::Limit {
                name: name.to_owned(),
                what: format!("the picture is {width}x{height} pixels, which is too large to be turned"),
            });
        }
        picture.apply_orientation(orientation);
    }
    Ok(picture)
}

/// Brands of ISO media files that are pictures in HEVC; `mif1` and `msf1` may be others, but in phones they are these.
fn is_heic(brand: &[u8]) -> bool {
    matches!(brand, b"heic" | b"heix" | b"hevc" | b"hevx" | b"heim" | b"heis" | b"mif1" | b"msf1")
}

/// The step that makes a JPEG of a phone's HEIC, on this system.
const HEIC_STEP: &str = if cfg!(target_os = "macos") {
    "make a JPEG of it: sips -s format jpeg FILE --out NEW.jpg"
} else if cfg!(windows) {
    "open it in Photos and save it as JPEG"
} else {
    "make a JPEG of it: heif-convert FILE NEW.jpg (Debian, Ubuntu: apt install libheif-examples)"
};

/// The same for AVIF.
const AVIF_STEP: &str = if cfg!(target_os = "macos") {
    "make a PNG of it: sips -s format png FILE --out NEW.png"
} else if cfg!(windows) {
    "open it in Paint and save it as PNG"
} else {
    "make a PNG of it: avifdec FILE NEW.png (Debian, Ubuntu: apt install libavif-bin)"
};

/// What the first bytes say.
pub(crate) enum Kind {
    /// A picture of a format that is read here, or of one that is at least known to be a picture.
    Picture,
    /// The same for JPEG, of which films are made, too.
    Jpeg,
    Other,
}

/// Tells pictures from all else by their first 32 bytes.
pub(crate) fn kind_of(start: &[u8]) -> Kind {
    let brand = start.get(8..12).filter(|_| start.get(4..8) == Some(b"ftyp"));
    if start.starts_with(&[0xff, 0xd8, 0xff]) {
        Kind::Jpeg
    } else if brand.is_some_and(|brand| is_heic(brand) || brand == b"avif" || brand == b"avis")
        || tiff::is_tiff(start)
        || image::guess_format(start).is_ok()
    {
        Kind::Picture
    } else {
        Kind::Other
    }
}

fn format_of(bytes: &[u8], name: &str) -> Result<ImageFormat, Error> {
    let not = |found| Error::NotAPicture { name: name.to_owned(), found };
    if bytes.is_empty() {
        return Err(not("the file is empty"));
    }
    // ISO 14496-12: the kind of the file is the brand in its first box. Phones make these.
    if bytes.get(4..8) == Some(b"ftyp") {
        let kind = match bytes.get(8..12) {
            Some(brand) if is_heic(brand) => format!("HEIC pictures are not read here; {HEIC_STEP}"),
            Some(b"avif" | b"avis") => format!("AVIF pictures are not read here; {AVIF_STEP}"),
            _ => return Err(not("this is a video or another ISO media file")),
        };
        return Err(Error::Unsupported { name: name.to_owned(), what: kind });
    }
    if tiff::is_tiff(bytes) {
        return Ok(ImageFormat::Tiff);
    }
    match image::guess_format(bytes) {
        Ok(format) if label(format).is_some() => Ok(format),
        Ok(format) => {
            let what = format!("{} pictures are not read here", format.extensions_str().join("/"));
            Err(Error::Unsupported { name: name.to_owned(), what })
        }
        Err(_) if std::str::from_utf8(&bytes[..bytes.len().min(64)]).is_ok() => {
            Err(not("this looks like text"))
        }
        Err(_) => Err(not("the first bytes are of no known format")),
    }
}

/// What messages call a format; `None` for those not read here.
fn label(format: ImageFormat) -> Option<&'static str> {
    match format {
        ImageFormat::Bmp => Some("BMP"),
        ImageFormat::Gif => Some("GIF"),
        ImageFormat::Jpeg => Some("JPEG"),
        ImageFormat::Png => Some("PNG"),
        ImageFormat::Pnm => Some("PNM"),
        ImageFormat::Tiff => Some("TIFF"),
        ImageFormat::WebP => Some("WebP"),
        _ => None,
    }
}

/// Every format but JPEG.
fn decode_other(
    bytes: &[u8],
    format: ImageFormat,
    name: &str,
    limits: &Limits,
) -> Result<(DynamicImage, Orientation), Error> {
    let failed = |error| explain(error, format, name);
    if let Some((width, height)) = announced(bytes, format) {
        limits.check(name, width, height)?;
    }
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    reader.limits(memory(SPARE_MEMORY));
    let mut decoder = reader.into_decoder().map_err(failed)?;
    let (width, height) = decoder.dimensions();
    limits.check(name, width.into(), height.into())?;
    // As stored and, where those are not the bytes returned, as returned.
    let pixels = u64::from(width) * u64::from(height);
    let narrow = matches!(decoder.color_type(), image::ColorType::Rgb8);
    check_memory(name, (width, height), decoder.total_bytes() + if narrow { 0 } else { 3 * pixels })?;
    // The pixels as stored and as returned; files that need more describe something else than this picture.
    decoder
        .set_limits(memory(decoder.total_bytes().saturating_mul(2).saturating_add(SPARE_MEMORY)))
        .map_err(failed)?;
    // A picture with a damaged EXIF block is still a picture.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    Ok((DynamicImage::from_decoder(decoder).map_err(failed)?, orientation))
}

fn memory(bytes: u64) -> image::Limits {
    let mut memory = image::Limits::no_limits();
    memory.max_alloc = Some(bytes);
    memory
}

/// The size in the header of the formats whose decoders refuse some sizes by themselves, without naming a limit.
fn announced(bytes: &[u8], format: ImageFormat) -> Option<(u64, u64)> {
    let four = |at: usize| -> Option<[u8; 4]> { bytes.get(at..at + 4)?.try_into().ok() };
    match format {
        // PNG specification, 11.2.1: IHDR is always first.
        ImageFormat::Png if bytes.get(12..16) == Some(b"IHDR") => {
            Some((u32::from_be_bytes(four(16)?).into(), u32::from_be_bytes(four(20)?).into()))
        }
        // BITMAPINFOHEADER and its successors; a negative height says that the upper row comes first. The older
        // header of 12 bytes has sides of 16 bits, which need no special care.
        ImageFormat::Bmp if u32::from_le_bytes(four(14)?) >= 40 => {
            let (width, height) = (i32::from_le_bytes(four(18)?), i32::from_le_bytes(four(22)?));
            Some((width.unsigned_abs().into(), height.unsigned_abs().into()))
        }
        _ => None,
    }
}

fn explain(error: ImageError, format: ImageFormat, name: &str) -> Error {
    let name = name.to_owned();
    let format = label(format).unwrap_or_default();
    match error {
        ImageError::Limits(error)
            if matches!(
                error.kind(),
                LimitErrorKind::DimensionError | LimitErrorKind::InsufficientMemory
            ) =>
        {
            Error::Limit {
                name,
                what: format!("the {format} picture needs more memory than a picture may take"),
            }
        }
        ImageError::Unsupported(error) => {
            Error::Unsupported { name, what: format!("this kind of {format} is not read: {error}") }
        }
        // The bytes are all in memory, so that the only failure of reading is their end.
        ImageError::IoError(error) => {
            Error::Broken { name, format, what: format!("it is cut off ({error})") }
        }
        // Its own text repeats the format; the decoder's is in the source.
        ImageError::Decoding(error) => {
            let what = error.source().map_or_else(|| error.to_string(), ToString::to_string);
            Error::Broken { name, format, what }
        }
        other => Error::Broken { name, format, what: other.to_string() },
    }
}
