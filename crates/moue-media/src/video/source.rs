//! Where video comes from, as arguments for ffmpeg.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use super::camera::Camera;

/// Where video comes from.
#[derive(Clone, Debug, PartialEq)]
pub enum VideoSource {
    /// A file in any format that ffmpeg reads.
    File(PathBuf),
    /// A network stream, by its address: `rtsp://…`, `http://…`, `udp://…`.
    Stream(String),
    /// Standard input: a video file in any format that can be read from beginning to end, or raw frames.
    Stdin(Option<RawFormat>),
    /// A camera of this machine.
    Camera(Camera),
}

impl VideoSource {
    /// What a path or address on a command line means: `-` is standard input, what has a scheme (`rtsp://`) a stream,
    /// all else a file.
    pub fn from_argument(argument: &std::path::Path) -> Self {
        match argument.to_str() {
            Some("-") => Self::Stdin(None),
            Some(text) if is_address(text) => Self::Stream(text.to_owned()),
            _ => Self::File(argument.to_owned()),
        }
    }

    /// Whether frames come when they happen, not when they are asked for.
    pub fn is_live(&self) -> bool {
        matches!(self, Self::Stream(_) | Self::Camera(_))
    }

    /// Everything up to and including `-i`.
    pub(super) fn input(&self) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = Vec::new();
        match self {
            // A file may be called "concat:x" or begin with a dash; with its protocol it is always a file.
            Self::File(path) => {
                let mut name = OsString::from("file:");
                name.push(path);
                arguments.extend(["-i".into(), name]);
            }
            Self::Stream(address) => {
                if address.starts_with("rtsp://") {
                    // Lost packets would be lost pictures.
                    arguments.extend(["-rtsp_transport", "tcp"].map(Into::into));
                }
                arguments.extend(["-i".into(), address.into()]);
            }
            Self::Stdin(raw) => {
                if let Some(raw) = raw {
                    arguments.extend(raw.arguments());
                }
                arguments.extend(["-i", "pipe:0"].map(Into::into));
            }
            Self::Camera(camera) => arguments.extend(camera.input()),
        }
        arguments
    }
}

impl fmt::Display for VideoSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Stream(address) => f.write_str(address),
            Self::Stdin(_) => f.write_str("-"),
            Self::Camera(camera) => camera.fmt(f),
        }
    }
}

/// `scheme://` with a scheme of letters; one letter is a drive.
fn is_address(text: &str) -> bool {
    text.split_once("://").is_some_and(|(scheme, _)| {
        scheme.len() > 1 && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'+')
    })
}

/// Raw frames without any header, such as another program writes them to a pipe: `rgb24:640x480@30`.
#[derive(Clone, Debug, PartialEq)]
pub struct RawFormat {
    /// Name of the layout of a pixel as in ffmpeg: `rgb24`, `bgr24`, `gray`, `yuv420p`.
    pub pixels: String,
    /// Pixels a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Frames a second, above 0.
    pub rate: f64,
}

impl RawFormat {
    fn arguments(&self) -> Vec<OsString> {
        let Self { pixels, width, height, rate } = self;
        let size = format!("{width}x{height}");
        ["-f", "rawvideo", "-pixel_format", pixels, "-video_size", &size, "-framerate", &rate.to_string()]
            .map(Into::into)
            .to_vec()
    }
}

impl FromStr for RawFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let read = || {
            let (pixels, rest) = text.split_once(':')?;
            let (size, rate) = rest.split_once('@')?;
            let (width, height) = size.split_once('x')?;
            let (width, height): (u32, u32) = (width.parse().ok()?, height.parse().ok()?);
            let rate: f64 = rate.parse().ok()?;
            let named = !pixels.is_empty() && pixels.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
            let fits = width > 0 && height > 0 && u64::from(width) * u64::from(height) <= 1 << 27;
            (named && fits && rate > 0.0 && rate <= 10_000.0).then(|| Self {
                pixels: pixels.to_owned(),
                width,
                height,
                rate,
            })
        };
        read().ok_or_else(|| "expected PIXELS:WIDTHxHEIGHT@RATE, such as rgb24:640x480@30".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn arguments_mean_what_they_look_like() {
        let source = |text: &str| VideoSource::from_argument(Path::new(text));
        assert_eq!(source("-"), VideoSource::Stdin(None));
        assert_eq!(source("rtsp://door/1"), VideoSource::Stream("rtsp://door/1".into()));
        for file in ["a.mp4", "c://a.mp4", "x:y.mp4", "-a.mp4", "a b://c"] {
            assert_eq!(source(file), VideoSource::File(file.into()), "{file}");
        }
        let last = VideoSource::File("-a:b.mp4".into()).input().pop().unwrap();
        assert_eq!(last, "file:-a:b.mp4");
    }

    #[test]
    fn raw_formats_are_read() {
        let raw: RawFormat = "bgr24:641x3@29.97".parse().unwrap();
        assert_eq!((raw.pixels.as_str(), raw.width, raw.height, raw.rate), ("bgr24", 641, 3, 29.97));
        for wrong in ["", "rgb24", "rgb24:1x1", "rgb24:0x1@1", "rgb24:1x1@0", "rgb24:1x1@NaN", "-y:1x1@1"] {
            assert!(wrong.parse::<RawFormat>().is_err(), "{wrong}");
        }
    }
}
