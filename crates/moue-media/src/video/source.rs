//! Where video comes from, as arguments for ffmpeg.

use std::ffi::OsString;
use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};
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
            Some(text) if text.starts_with("file://") => Self::File(text["file://".len()..].into()),
            Some(text) if is_address(text) => Self::Stream(text.to_owned()),
            _ => Self::File(argument.to_owned()),
        }
    }

    /// Whether frames come when they happen, not when they are asked for.
    pub fn is_live(&self) -> bool {
        matches!(self, Self::Stream(_) | Self::Camera(_))
    }

    /// Whether it is of a format that is made to be joined and cut, so that its clock may jump: MPEG-TS (with packets of 188 or
    /// 192 bytes), MPEG-PS and Ogg.
    pub(super) fn clock_may_jump(&self) -> bool {
        let Self::File(path) = self else { return true };
        let mut start = Vec::new();
        let read = std::fs::File::open(path).and_then(|file| file.take(256).read_to_end(&mut start));
        let transport =
            |at: usize, step: usize| [at, at + step].iter().all(|&at| start.get(at) == Some(&0x47));
        read.is_err()
            || transport(0, 188)
            || transport(4, 192)
            || start.starts_with(&[0, 0, 1, 0xba])
            || start.starts_with(b"OggS")
    }

    /// Everything up to and including `-i`.
    pub(super) fn input(&self) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = Vec::new();
        match self {
            Self::File(path) => {
                arguments.extend(guarded());
                arguments.extend(["-i".into(), file_name(path)]);
            }
            Self::Stream(address) => {
                // What is at an address must not make ffmpeg open files of this machine.
                arguments.extend(["-protocol_whitelist", NETWORK].map(Into::into));
                if address.starts_with("rtsp://") {
                    // Lost packets would be lost pictures.
                    arguments.extend(["-rtsp_transport", "tcp"].map(Into::into));
                }
                arguments.extend(["-i".into(), address.into()]);
            }
            Self::Stdin(raw) => {
                match raw {
                    Some(raw) => arguments.extend(raw.arguments()),
                    None => arguments.extend(["-format_whitelist", FORMATS].map(Into::into)),
                }
                arguments.extend(["-protocol_whitelist", "pipe"].map(Into::into));
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
            // Names and passwords are for nobody's eyes.
            Self::Stream(address) => f.write_str(&super::words::hidden(address)),
            Self::Stdin(_) => f.write_str("-"),
            Self::Camera(camera) => camera.fmt(f),
        }
    }
}

/// A file as ffmpeg is told of it: it may be called "concat:x" or begin with a dash; with its protocol it is always a file.
pub(super) fn file_name(path: &Path) -> OsString {
    let mut name = OsString::from("file:");
    name.push(path);
    name
}

/// What keeps ffmpeg to the file that it is given: a playlist behind the name of a film could make it open other files, or
/// addresses.
pub(super) fn guarded() -> Vec<OsString> {
    ["-protocol_whitelist", "file", "-format_whitelist", FORMATS].map(Into::into).to_vec()
}

/// Formats of files that hold all they show, by the names of ffmpeg's demuxers; those of sound stand among them, since it is clearer
/// that they hold no video. Playlists (hls, dash, concat), numbered pictures (image2) and descriptions of streams (sdp) do not.
const FORMATS: &str = "mov,matroska,webm,avi,mpegts,mpeg,mpegvideo,mpegtsraw,flv,live_flv,kux,asf,asf_o,ogg,wtv,mxf,gxf,nut,rm,dv,\
    ivf,h264,hevc,vvc,h261,h263,av1,obu,m4v,mjpeg,mjpeg_2000,mpjpeg,gif,apng,yuv4mpegpipe,swf,roq,smk,bink,binka,nsv,nuv,film_cpk,\
    flic,dxa,ea,ea_cdata,vc1,vc1test,avs,avs2,avs3,cavsvideo,dirac,dnxhd,mvi,mtv,mv,psxstr,iv8,lxf,pva,xmv,thp,vivo,wc3movie,\
    wsvqa,yop,mlv,rl2,rpl,c93,cdxl,cine,idcin,ipmovie,jv,lmlm4,lvf,mm,mgsts,ico,4xm,amv,anm,bethsoftvid,bfi,bmv,dcstr,dfa,dsicin,\
    evc,hnm,ifv,ingenient,r3d,sga,siff,smush,tiertexseq,tmv,tty,txd,vmd,xwma,ty,wav,w64,mp3,aac,flac,aiff,caf,amr,ac3,eac3,dts,\
    ape,wv,au,tta,mpc,mpc8,tak,loas,jpeg_pipe,png_pipe,webp_pipe,bmp_pipe,tiff_pipe,gif_pipe,jpegls_pipe,j2k_pipe";

/// Protocols that lead to other machines.
const NETWORK: &str = "http,https,httpproxy,tcp,tls,crypto,data,udp,udplite,rtp,srtp,rtsp,rtsps,rtmp,rtmpe,rtmps,rtmpt,rtmpte,rtmpts,\
    ffrtmphttp,ffrtmpcrypt,srt,rist,mmsh,mmst,ftp,sftp,smb,sctp";

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
        assert_eq!(source("file:///a/b.mp4"), VideoSource::File("/a/b.mp4".into()));
        assert_eq!(source("rtsp://me:secret@door/1").to_string(), "rtsp://…@door/1");
        assert!(!FORMATS.contains(char::is_whitespace) && !NETWORK.contains(char::is_whitespace));
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
