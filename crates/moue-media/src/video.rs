//! Video in and out: every frame with its exact time, from files in any format, streams, standard input and cameras.
//!
//! The program `ffmpeg` decodes; frames come through a pipe as raw RGB in the NUT container, which carries the time of each
//! as the file has it, so that variable frame rates lose nothing.

mod camera;
mod nut;
mod programs;
mod source;
mod watch;
mod words;
mod write;

use std::ffi::OsStr;
use std::io::{self, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{ChildStdout, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

pub use camera::Camera;
pub use source::{RawFormat, VideoSource};
pub use write::VideoWriter;

use crate::moving::{self, Moving};
use crate::{Error, Limits, Picture, decode};
use nut::NutReader;
use watch::{PATIENCE, Watched};
use words::Complaints;

/// What of a source is read.
#[derive(Clone, Copy, Debug, Default)]
pub struct VideoOptions {
    /// Frames before this time in seconds are passed over without being decoded where the format allows it. A frame
    /// or more before it may still come.
    pub from: Option<f64>,
    /// Frames come no faster than they would be shown.
    pub real_time: bool,
    /// Threads that decode; 0 leaves it to ffmpeg.
    pub threads: usize,
    /// Where this is set while a frame is waited for that does not come, the video ends.
    pub stop: Option<&'static AtomicBool>,
}

/// One frame of a video.
#[derive(Clone, Debug, PartialEq)]
pub struct VideoFrame {
    /// Its time in seconds since the beginning of the file, which is 0 whatever the clock in the file shows then; with a live
    /// source, since its first frame. Later frames have later times.
    pub time: f64,
    /// The upright picture, of square pixels.
    pub picture: Picture,
}

/// A video being read.
pub struct Video {
    name: String,
    live: bool,
    start: Option<f64>,
    last: Option<f64>,
    whole: bool,
    stop: Option<&'static AtomicBool>,
    file: Option<PathBuf>,
    /// Frames that came.
    count: u64,
    frames: Source,
}

/// Where frames come from.
enum Source {
    Ffmpeg(Box<Decoder>, NutReader<BufReader<ChildStdout>>),
    Moving(Box<Moving>),
    Still(Option<Picture>),
    Ended,
}

/// Least seconds between two frames: times are told apart to the microsecond.
const TICK: f64 = 1e-6;

impl Video {
    /// Starts reading a source, and waits for its first bytes. Moving pictures (GIF, PNG, WebP) are read without ffmpeg; a
    /// picture on standard input is a video of one frame.
    ///
    /// A live source that gives nothing for 30 seconds is given up.
    ///
    /// # Errors
    /// [`Error::MissingProgram`] where ffmpeg is not installed; [`Error::Video`] where the source cannot be read or has
    /// no video in it; [`Error::Io`] where a file does not exist; those of [`read_picture`](crate::read_picture) where it
    /// is a picture.
    pub fn open(source: &VideoSource, options: &VideoOptions) -> Result<Self, Error> {
        let name = source.to_string();
        let of = |frames| Self {
            name: name.clone(),
            live: source.is_live(),
            start: None,
            last: None,
            whole: options.from.is_none(),
            stop: options.stop,
            file: if let VideoSource::File(path) = source { Some(path.clone()) } else { None },
            count: 0,
            frames,
        };
        let mut piped = None;
        match source {
            VideoSource::File(path) => {
                // The system's words are clearer than ffmpeg's.
                let io = |source| Error::Io { path: path.clone(), source };
                let facts = std::fs::metadata(path).map_err(io)?;
                if !facts.is_file() {
                    let what = "this is no file; `moue analyze - < PATH` reads a pipe".to_owned();
                    return Err(Error::Video { name, what });
                }
                std::fs::File::open(path).map_err(io)?;
                if facts.len() == 0 {
                    return Err(Error::Video { name, what: "the file is empty".to_owned() });
                }
                if moving::is_moving_picture(path) && !is_jpeg(path) {
                    return Ok(of(Source::Moving(Box::new(Moving::open(path, &Limits::default())?))));
                }
            }
            VideoSource::Stdin(None) => match Piped::read()? {
                Piped::Picture(bytes) if moving::is_animation(&bytes) => {
                    return Ok(of(Source::Moving(Box::new(Moving::of(bytes, &name, &Limits::default())?))));
                }
                Piped::Picture(bytes) => {
                    let picture = decode::decode_picture(&bytes, &name, &Limits::default())?;
                    return Ok(of(Source::Still(Some(picture))));
                }
                video => piped = Some(video),
            },
            _ => {}
        }
        let mut video = of(Source::Ended);
        let format = match &piped {
            Some(Piped::MotionJpeg(_)) => Some("mjpeg"),
            _ => None,
        };
        video.frames = start(source, options, format, piped, &name)?;
        Ok(video)
    }

    /// Width and height of the upright frames in pixels.
    pub fn size(&self) -> (u32, u32) {
        match &self.frames {
            Source::Ffmpeg(_, frames) => (frames.shown_width(), frames.size().1),
            Source::Moving(moving) => moving.size(),
            Source::Still(Some(picture)) => (picture.width(), picture.height()),
            Source::Still(None) | Source::Ended => (0, 0),
        }
    }

    /// The next frame; `None` at the end. `spare` is a frame that is no longer needed, whose memory is used again.
    ///
    /// # Errors
    /// [`Error::Video`] where the source ended with an error, or before it is complete: all frames that could be decoded have
    /// come then.
    pub fn next_frame(&mut self, spare: Option<Picture>) -> Result<Option<VideoFrame>, Error> {
        let (time, picture) = match &mut self.frames {
            Source::Ended => return Ok(None),
            Source::Still(picture) => match picture.take() {
                Some(picture) => return Ok(Some(VideoFrame { time: 0.0, picture })),
                None => return Ok(None),
            },
            Source::Moving(moving) => match moving.next()? {
                Some(frame) => frame,
                None => {
                    self.frames = Source::Ended;
                    return Ok(None);
                }
            },
            Source::Ffmpeg(decoder, frames) => {
                let (width, height) = frames.size();
                let mut pixels = spare.map(Picture::into_pixels).unwrap_or_default();
                pixels.resize(width as usize * height as usize * 3, 0);
                decoder.child.waits(true);
                let read = frames.read(&mut pixels);
                decoder.child.waits(false);
                let time = match read {
                    Ok(Some(time)) => time,
                    ended => return self.end(ended.err()),
                };
                let picture = Picture::from_raw(width, height, pixels).ok_or_else(|| {
                    Error::Argument("a frame has another size than was asked for".to_owned())
                })?;
                match frames.shown_width() {
                    shown if shown == width => (time, picture),
                    shown => (time, picture.stretched(shown)?),
                }
            }
        };
        let start = *self.start.get_or_insert(if self.live { time } else { 0.0 });
        // A clock that stands or goes back, as in files that were joined, would make frames that are before others.
        let least = self.last.map_or(f64::NEG_INFINITY, |last| last + TICK);
        let time = (time - start).max(least);
        self.last = Some(time);
        self.count += 1;
        Ok(Some(VideoFrame { time, picture }))
    }

    /// What the end of the source means.
    fn end(&mut self, error: Option<io::Error>) -> Result<Option<VideoFrame>, Error> {
        let Source::Ffmpeg(mut decoder, _) = std::mem::replace(&mut self.frames, Source::Ended) else {
            return Ok(None);
        };
        let (content, complaints) = decoder.end();
        if self.stop.is_some_and(|stop| stop.load(Ordering::Relaxed)) {
            return Ok(None);
        }
        let what = if decoder.child.was_silent() {
            silent()
        } else if complaints.cut_off() || content && error.is_none() && self.lacks_frames() {
            match self.last {
                Some(last) => {
                    format!("it was cut off: its last frame is at {last:.1} s, and more should follow")
                }
                None => "it was cut off before its first frame".to_owned(),
            }
        } else if content && error.is_none() {
            return Ok(None);
        } else {
            let error = error.map(|e| e.to_string());
            complaints.words().or(error).unwrap_or_else(|| "ffmpeg ended with an error".to_owned())
        };
        Err(Error::Video { name: self.name.clone(), what })
    }
}

impl Video {
    /// Whether the file says that it holds more than came. Of MP4 and Matroska, ffmpeg says it itself; MPEG-TS cannot tell.
    fn lacks_frames(&self) -> bool {
        let Some(path) = self.file.as_ref().filter(|_| self.whole) else { return false };
        let Ok(facts) = video_facts(&VideoSource::File(path.clone())) else { return false };
        match facts.format.as_deref() {
            Some("avi") => facts.frames.is_some_and(|frames| frames > self.count + self.count / 20 + 2),
            // Its last frame may be shown for long.
            Some("flv") => facts.duration.is_some_and(|d| d > 1.1 * self.last.unwrap_or(0.0) + 1.0),
            _ => false,
        }
    }
}

fn silent() -> String {
    format!("nothing came for {} seconds, so it was given up", PATIENCE.as_secs())
}

fn is_jpeg(path: &std::path::Path) -> bool {
    let mut start = [0; 2];
    std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut start)).is_ok()
        && start == [0xff, 0xd8]
}

/// Starts ffmpeg, and waits for the headers of what it gives.
fn start(
    source: &VideoSource,
    options: &VideoOptions,
    format: Option<&str>,
    piped: Option<Piped>,
    name: &str,
) -> Result<Source, Error> {
    let mut command = programs::command("ffmpeg");
    command.args(["-hide_banner", "-loglevel", "error"]);
    if !matches!(source, VideoSource::Stdin(_)) {
        command.arg("-nostdin");
    }
    if options.threads > 0 {
        command.args(["-threads", &options.threads.to_string()]);
    }
    if options.real_time {
        command.arg("-re");
    }
    if let Some(from) = options.from
        && !source.clock_may_jump()
    {
        // Else ffmpeg would count from where it begins. What it then does about clocks that jump would be missing.
        command.args(["-copyts", "-start_at_zero", "-ss", &from.to_string()]);
    }
    if let Some(format) = format {
        command.args(["-f", format]);
    }
    command.args(source.input());
    // V leaves out the covers of albums.
    command.args(["-map", "0:V:0"]).args(programs::every_frame()?);
    // Times in whole microseconds, whatever the format counts in.
    command.args([
        "-enc_time_base",
        "1:1000000",
        "-c:v",
        "rawvideo",
        "-pix_fmt",
        "rgb24",
        "-f",
        "nut",
        // An index would be kept in memory to the end, for nobody.
        "-write_index",
        "0",
        "pipe:1",
    ]);
    let stdin = match (source, &piped) {
        (VideoSource::Stdin(_), Some(_)) => Stdio::piped(),
        (VideoSource::Stdin(_), None) => Stdio::inherit(),
        _ => Stdio::null(),
    };
    command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|e| programs::not_started("ffmpeg", e))?;
    let failed = |source| Error::Io { path: name.into(), source };
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let patience = source.is_live().then_some(PATIENCE);
    let mut decoder =
        Decoder { child: Watched::new(child, options.stop, patience).map_err(failed)?, complaints: None };
    if let Some(stderr) = stderr {
        let listen = thread::Builder::new().name("moue-ffmpeg".to_owned());
        decoder.complaints = Some(listen.spawn(|| Complaints::read(stderr)).map_err(failed)?);
    }
    if let (Some(mut stdin), Some(piped)) = (stdin, piped) {
        let feed = thread::Builder::new().name("moue-feed".to_owned());
        // Where ffmpeg wants no more, there is nothing more to do.
        feed.spawn(move || drop(piped.feed(&mut stdin))).map_err(failed)?;
    }
    let Some(stdout) = stdout else { return Err(failed(io::ErrorKind::BrokenPipe.into())) };
    widen(&stdout);
    decoder.child.waits(true);
    // Larger reads go past the buffer, straight into the frame.
    let frames = NutReader::new(BufReader::with_capacity(1 << 16, stdout));
    decoder.child.waits(false);
    match frames {
        Ok(Some(frames)) => Ok(Source::Ffmpeg(Box::new(decoder), frames)),
        Ok(None) => Err(decoder.explain(name, "no video in it")),
        Err(error) => Err(decoder.explain(name, &error.to_string())),
    }
}

/// What is on standard input, as far as it had to be read to tell.
enum Piped {
    /// All of a picture.
    Picture(Vec<u8>),
    /// The beginning of JPEGs in a row.
    MotionJpeg(Vec<u8>),
    /// The beginning of something that ffmpeg tells.
    Other(Vec<u8>),
}

impl Piped {
    fn read() -> Result<Self, Error> {
        let io = |source| Error::Io { path: "-".into(), source };
        let mut input = io::stdin().lock();
        let mut bytes = Vec::new();
        input.by_ref().take(32).read_to_end(&mut bytes).map_err(io)?;
        match decode::kind_of(&bytes) {
            decode::Kind::Other => return Ok(Self::Other(bytes)),
            decode::Kind::Picture => {}
            decode::Kind::Jpeg => {
                // Up to the end of the first picture and a little more: a camera may send them without end.
                let mut wanted = 1 << 16;
                loop {
                    let more = input.by_ref().take(wanted).read_to_end(&mut bytes).map_err(io)?;
                    if moving::is_motion_jpeg(&bytes) {
                        return Ok(Self::MotionJpeg(bytes));
                    }
                    if more == 0 || bytes.len() as u64 > Limits::default().max_bytes {
                        break;
                    }
                    wanted = bytes.len() as u64;
                }
            }
        }
        let room = Limits::default().max_bytes.saturating_sub(bytes.len() as u64);
        input.take(room).read_to_end(&mut bytes).map_err(io)?;
        Ok(Self::Picture(bytes))
    }

    /// Hands on what was read, and all that follows.
    fn feed(self, to: &mut impl Write) -> io::Result<()> {
        let (Self::Picture(bytes) | Self::MotionJpeg(bytes) | Self::Other(bytes)) = self;
        to.write_all(&bytes)?;
        let mut input = io::stdin().lock();
        let mut chunk = vec![0; 1 << 16];
        loop {
            let read = input.read(&mut chunk)?;
            if read == 0 {
                return Ok(());
            }
            to.write_all(&chunk[..read])?;
        }
    }
}

/// What a file says about itself; it may be wrong.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct VideoFacts {
    /// Seconds.
    pub duration: Option<f64>,
    /// Frames.
    pub frames: Option<u64>,
    /// The format, as ffmpeg calls it.
    pub format: Option<String>,
    /// What the clock of the file shows at its beginning, in seconds. Times of frames count from there.
    pub start: Option<f64>,
}

/// Asks ffprobe how long a file is, without reading all of it.
///
/// # Errors
/// [`Error::MissingProgram`] where ffprobe is not installed. What it cannot tell is `None`.
pub fn video_facts(source: &VideoSource) -> Result<VideoFacts, Error> {
    let VideoSource::File(path) = source else { return Ok(VideoFacts::default()) };
    if path.metadata().is_ok_and(|facts| !facts.is_file()) || moving::is_moving_picture(path) {
        return Ok(VideoFacts::default());
    }
    let mut arguments = source::guarded();
    arguments.extend(["-select_streams".into(), "V:0".into(), source::file_name(path)]);
    let arguments: Vec<&OsStr> = arguments.iter().map(std::ffi::OsString::as_os_str).collect();
    let text = programs::probe(&arguments, "stream=nb_frames:format=duration,format_name,start_time")?;
    let value = |key: &str| {
        text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('=')).map(str::to_owned)
    };
    Ok(VideoFacts {
        duration: value("duration").and_then(|v| v.parse().ok()),
        frames: value("nb_frames").and_then(|v| v.parse().ok()),
        format: value("format_name"),
        start: value("start_time").and_then(|v| v.parse().ok()),
    })
}

/// The running program, and what it says.
struct Decoder {
    child: Watched,
    complaints: Option<JoinHandle<Complaints>>,
}

impl Decoder {
    /// Waits for its end: whether it was content, and what it said.
    fn end(&mut self) -> (bool, Complaints) {
        let content = self.child.end().is_ok_and(|status| status.success());
        let complaints = self.complaints.take().and_then(|thread| thread.join().ok()).unwrap_or_default();
        (content, complaints)
    }

    fn explain(mut self, name: &str, otherwise: &str) -> Error {
        let (_, complaints) = self.end();
        let what = match self.child.was_silent() {
            true => silent(),
            false => complaints.words().unwrap_or_else(|| otherwise.to_owned()),
        };
        Error::Video { name: name.to_owned(), what }
    }
}

/// A pipe holds 64 KB unless it is widened; a frame has megabytes, and each filling wakes the other side.
#[cfg(target_os = "linux")]
fn widen(pipe: &ChildStdout) {
    // Where the system allows no more, the pipe works as it is.
    let _ = rustix::pipe::fcntl_setpipe_size(pipe, 1 << 20);
}

#[cfg(not(target_os = "linux"))]
fn widen(_: &ChildStdout) {}

#[cfg(test)]
mod tests {
    /// Whoever analyses a video reads it in a thread of its own.
    #[test]
    fn a_video_can_go_to_another_thread() {
        fn goes<T: Send>() {}
        goes::<super::Video>();
    }
}
