//! Writing pictures as PNG or JPEG files.

use std::ffi::OsStr;
use std::io;
use std::path::Path;

use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder, ImageError};

use crate::{Error, Grey, Picture};

/// High enough that labels and edges stay clean; the chroma is stored at full resolution.
const JPEG_QUALITY: u8 = 92;

/// The largest side a JPEG file can state.
const JPEG_MAX_SIDE: u32 = 65_535;

#[derive(Clone, Copy)]
enum Format {
    Jpeg,
    Png,
}

impl Picture {
    /// Writes the picture as PNG or JPEG (quality 92, chroma not subsampled), by the extension `png`, `jpg` or `jpeg`.
    ///
    /// The file appears at once and whole: it is written beside its place and then renamed. An older
    /// file of that name is replaced.
    ///
    /// # Errors
    /// [`Error::Argument`] where the extension is another one, or the size is none that the format can hold;
    /// [`Error::Io`] where the file cannot be written. No partly written file is left behind.
    pub fn write(&self, path: &Path) -> Result<(), Error> {
        write(path, self.pixels(), self.width(), self.height(), ExtendedColorType::Rgb8)
    }

    /// The picture as a JPEG of a quality from 1 (small) to 100 (fine), in memory.
    ///
    /// # Errors
    /// [`Error::Argument`] where the quality is out of range, or the size is none that a JPEG can hold.
    pub fn to_jpeg(&self, quality: u8) -> Result<Vec<u8>, Error> {
        jpeg(self.pixels(), (self.width(), self.height()), ExtendedColorType::Rgb8, quality)
    }
}

impl Grey {
    /// Writes a grey PNG or JPEG file; otherwise as [`Picture::write`].
    ///
    /// # Errors
    /// As [`Picture::write`].
    pub fn write(&self, path: &Path) -> Result<(), Error> {
        write(path, self.pixels(), self.width(), self.height(), ExtendedColorType::L8)
    }

    /// The picture as a grey JPEG of a quality from 1 (small) to 100 (fine), in memory.
    ///
    /// # Errors
    /// [`Error::Argument`] where the quality is out of range, or the size is none that a JPEG can hold.
    pub fn to_jpeg(&self, quality: u8) -> Result<Vec<u8>, Error> {
        jpeg(self.pixels(), (self.width(), self.height()), ExtendedColorType::L8, quality)
    }
}

fn jpeg(
    pixels: &[u8],
    (width, height): (u32, u32),
    colour: ExtendedColorType,
    quality: u8,
) -> Result<Vec<u8>, Error> {
    if !(1..=100).contains(&quality) {
        return Err(Error::Argument(format!("JPEG quality {quality}, expected 1 to 100")));
    }
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, quality)
        .write_image(pixels, width, height, colour)
        .map_err(|e| Error::Argument(format!("{width}x{height} pixels make no JPEG: {e}")))?;
    Ok(bytes)
}

fn write(
    path: &Path,
    pixels: &[u8],
    width: u32,
    height: u32,
    colour: ExtendedColorType,
) -> Result<(), Error> {
    let format = format_of(path)?;
    let largest = match format {
        Format::Jpeg => JPEG_MAX_SIDE,
        Format::Png => i32::MAX as u32,
    };
    if width == 0 || height == 0 || width > largest || height > largest {
        return Err(Error::Argument(format!(
            "{}: cannot hold a picture of {width}x{height} pixels (1 to {largest} a side)",
            path.display()
        )));
    }
    moue_files::whole::write_with(path, |sink| {
        let encoded = match format {
            Format::Jpeg => {
                JpegEncoder::new_with_quality(sink, JPEG_QUALITY).write_image(pixels, width, height, colour)
            }
            Format::Png => PngEncoder::new(sink).write_image(pixels, width, height, colour),
        };
        encoded.map_err(|error| match error {
            ImageError::IoError(source) => source,
            other => io::Error::other(other),
        })
    })
    .map_err(|source| Error::Io { path: path.to_owned(), source })
}

fn format_of(path: &Path) -> Result<Format, Error> {
    let extension = path.extension().and_then(OsStr::to_str).unwrap_or_default().to_ascii_lowercase();
    match extension.as_str() {
        "png" => Ok(Format::Png),
        "jpg" | "jpeg" => Ok(Format::Jpeg),
        _ => Err(Error::Argument(format!(
            "{}: pictures are written as .png, .jpg or .jpeg, not as \".{extension}\"",
            path.display()
        ))),
    }
}
