//! Files that look like pictures and are films: GIF, PNG and WebP with several frames, and raw motion JPEG.

use std::fs::File;
use std::io::{BufReader, Cursor, Read};
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use image::codecs::gif::GifDecoder;
use image::codecs::png::PngDecoder;
use image::codecs::webp::WebPDecoder;
use image::{AnimationDecoder, DynamicImage, Frames, ImageReader};

use crate::decode::{Kind, kind_of};
use crate::{Error, Limits, Picture};

/// Most bytes of a file that are looked at to tell whether it is a film.
const LOOKED_AT: u64 = 64 << 20;

/// Whether a file begins as a picture and holds several that follow each other in time: an animated GIF, PNG or WebP, or raw
/// motion JPEG (`.mjpeg`, `.mjpg`). A file that cannot be read is none.
pub fn is_moving_picture(path: &Path) -> bool {
    if !path.is_file() {
        return false;
    }
    let Ok(mut file) = File::open(path) else { return false };
    let mut bytes = Vec::new();
    if file.by_ref().take(64).read_to_end(&mut bytes).is_err() {
        return false;
    }
    let still = match kind_of(&bytes) {
        Kind::Other => true,
        // Photos of phones hold more than one JPEG, too: the name says what is meant.
        Kind::Jpeg => crate::is_picture_path(path),
        Kind::Picture => ![&b"GIF8"[..], b"\x89PNG", b"RIFF"].iter().any(|start| bytes.starts_with(start)),
    };
    if still || file.take(LOOKED_AT).read_to_end(&mut bytes).is_err() {
        return false;
    }
    is_animation(&bytes) || is_motion_jpeg(&bytes)
}

/// Whether more than one JPEG lies in a row.
pub(crate) fn is_motion_jpeg(bytes: &[u8]) -> bool {
    let next = crate::decode::jpeg_end(bytes).and_then(|end| bytes.get(end..));
    // Some cameras pad frames with zeros.
    let next = next.and_then(|rest| rest.get(rest.iter().position(|&byte| byte != 0)?..));
    next.is_some_and(|next| next.starts_with(&[0xff, 0xd8]))
}

/// Whether a GIF, PNG or WebP has several frames, by its blocks.
pub(crate) fn is_animation(bytes: &[u8]) -> bool {
    match bytes {
        [b'G', b'I', b'F', ..] => gif_frames(bytes).unwrap_or(0) > 1,
        [0x89, b'P', b'N', b'G', ..] => apng_frames(bytes).unwrap_or(0) > 1,
        [b'R', b'I', b'F', b'F', ..] => webp_frames(bytes).unwrap_or(0) > 1,
        _ => false,
    }
}

/// Frames of a GIF; two stand for all numbers above.
fn gif_frames(bytes: &[u8]) -> Option<u32> {
    let table = |flags: u8| if flags & 0x80 != 0 { 3 << ((flags & 7) + 1) } else { 0 };
    let mut at = 13 + table(*bytes.get(10)?);
    let mut frames = 0;
    while let Some(&block) = bytes.get(at) {
        at += match block {
            0x2c => {
                frames += 1;
                // Its header, its table of colours, and the size of its codes.
                10 + table(*bytes.get(at + 9)?) + 1
            }
            0x21 => 2,
            _ => break,
        };
        if frames > 1 {
            break;
        }
        // Sub-blocks up to an empty one.
        while let Some(&length @ 1..) = bytes.get(at) {
            at += 1 + usize::from(length);
        }
        at += 1;
    }
    Some(frames)
}

fn apng_frames(bytes: &[u8]) -> Option<u32> {
    let mut at = 8;
    loop {
        let length = u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?) as usize;
        match bytes.get(at + 4..at + 8)? {
            b"acTL" => return Some(u32::from_be_bytes(bytes.get(at + 8..at + 12)?.try_into().ok()?)),
            b"IDAT" => return Some(1),
            _ => at = at.checked_add(length)?.checked_add(12)?,
        }
    }
}

fn webp_frames(bytes: &[u8]) -> Option<u32> {
    let (mut at, mut frames) = (12, 0);
    while let Some(name) = bytes.get(at..at + 4) {
        let length = u32::from_le_bytes(bytes.get(at + 4..at + 8)?.try_into().ok()?) as usize;
        frames += u32::from(name == b"ANMF");
        at = at.checked_add(length)?.checked_add(8 + length % 2)?;
    }
    Some(frames)
}

/// The frames of a moving picture, one after another; each is shown from its time in seconds on. They are decoded in a thread of
/// their own, since what decodes them stays in one.
pub(crate) struct Moving {
    frames: Receiver<Result<(f64, Picture), Error>>,
    size: (u32, u32),
}

/// How long a frame is shown that says nothing of it, or less than the hundredth of a second that browsers take for nothing.
const USUAL_DELAY: f64 = 0.1;

impl Moving {
    /// From a file.
    pub fn open(path: &Path, limits: &Limits) -> Result<Self, Error> {
        let name = path.display().to_string();
        let io = |source| Error::Io { path: path.to_owned(), source };
        let mut bytes = Vec::new();
        BufReader::new(File::open(path).map_err(io)?)
            .take(limits.max_bytes)
            .read_to_end(&mut bytes)
            .map_err(io)?;
        Self::of(bytes, &name, limits)
    }

    /// From the bytes of a file.
    pub fn of(bytes: Vec<u8>, name: &str, limits: &Limits) -> Result<Self, Error> {
        let format = match bytes.first() {
            Some(b'G') => "GIF",
            Some(b'R') => "WebP",
            _ => "PNG",
        };
        let size = ImageReader::new(Cursor::new(&bytes))
            .with_guessed_format()
            .map_err(image::ImageError::from)
            .and_then(ImageReader::into_dimensions)
            .map_err(|e| broken(name, format, &e))?;
        limits.check(name, size.0.into(), size.1.into())?;
        // One frame is ready while another is looked at.
        let (sender, receiver) = sync_channel(1);
        let owned = name.to_owned();
        thread::Builder::new()
            .name("moue-frames".to_owned())
            .spawn(move || match frames(bytes, format) {
                Ok(frames) => send(frames, &owned, &sender),
                // Where nobody listens, nobody misses it.
                Err(error) => drop(sender.send(Err(broken(&owned, format, &error)))),
            })
            .map_err(|source| Error::Io { path: name.into(), source })?;
        Ok(Self { frames: receiver, size })
    }

    pub fn size(&self) -> (u32, u32) {
        self.size
    }

    /// The next frame on white, with its time.
    pub fn next(&mut self) -> Result<Option<(f64, Picture)>, Error> {
        self.frames.recv().ok().transpose()
    }
}

fn frames(bytes: Vec<u8>, format: &str) -> image::ImageResult<Frames<'static>> {
    let bytes = Cursor::new(bytes);
    Ok(match format {
        "GIF" => GifDecoder::new(bytes)?.into_frames(),
        "WebP" => WebPDecoder::new(bytes)?.into_frames(),
        _ => PngDecoder::new(bytes)?.apng()?.into_frames(),
    })
}

/// Sends frames until the last, one that cannot be decoded, or until nobody listens.
fn send(frames: Frames<'static>, name: &str, to: &SyncSender<Result<(f64, Picture), Error>>) {
    let mut time = 0.0;
    for frame in frames {
        let (numerator, denominator) = frame.as_ref().map_or((0, 1), |f| f.delay().numer_denom_ms());
        let delay = f64::from(numerator) / f64::from(denominator.max(1)) / 1000.0;
        let picture = frame
            .map_err(|e| Error::Video {
                name: name.to_owned(),
                what: format!("it is cut off or damaged: {e}"),
            })
            .and_then(|f| crate::decode::flattened(DynamicImage::ImageRgba8(f.into_buffer()), name));
        let failed = picture.is_err();
        if to.send(picture.map(|picture| (time, picture))).is_err() || failed {
            return;
        }
        time += if delay > 0.01 { delay } else { USUAL_DELAY };
    }
}

fn broken(name: &str, format: &'static str, error: &image::ImageError) -> Error {
    Error::Broken { name: name.to_owned(), format, what: error.to_string() }
}
