//! Video in and out: every frame with its exact time, from files in any format, streams, standard input and cameras.
//!
//! The program `ffmpeg` decodes; frames come through a pipe as raw RGB in the NUT container, which carries the time of each
//! as the file has it, so that variable frame rates lose nothing.

mod camera;
mod nut;
mod programs;
mod source;
mod write;

use std::ffi::OsStr;
use std::io::{self, BufReader, Read};
use std::process::{Child, ChildStdout, Stdio};
use std::thread::{self, JoinHandle};

pub use camera::Camera;
pub use source::{RawFormat, VideoSource};
pub use write::VideoWriter;

use crate::{Error, Picture};
use nut::NutReader;

/// What of a source is read.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct VideoOptions {
    /// Frames before this time in seconds are passed over without being decoded where the format allows it. A frame
    /// or more before it may still come.
    pub from: Option<f64>,
    /// Frames come no faster than they would be shown.
    pub real_time: bool,
    /// Threads that decode; 0 leaves it to ffmpeg.
    pub threads: usize,
}

/// One frame of a video.
#[derive(Clone, Debug, PartialEq)]
pub struct VideoFrame {
    /// Its time in seconds as ffprobe gives it; with a live source, since its first frame.
    pub time: f64,
    /// The upright picture.
    pub picture: Picture,
}

/// A video being read.
pub struct Video {
    name: String,
    live: bool,
    start: Option<f64>,
    decoder: Decoder,
    frames: Option<NutReader<BufReader<ChildStdout>>>,
}

impl Video {
    /// Starts reading a source, and waits for its first bytes.
    ///
    /// # Errors
    /// [`Error::MissingProgram`] where ffmpeg is not installed; [`Error::Video`] where the source cannot be read or has
    /// no video in it; [`Error::Io`] where a file does not exist.
    pub fn open(source: &VideoSource, options: &VideoOptions) -> Result<Self, Error> {
        if let VideoSource::File(path) = source {
            // The system's words are clearer than ffmpeg's.
            std::fs::File::open(path).map_err(|source| Error::Io { path: path.clone(), source })?;
        }
        let every_frame = programs::every_frame()?;
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
        if let Some(from) = options.from {
            command.args(["-ss", &from.to_string()]);
        }
        command.arg("-copyts").args(source.input());
        // V leaves out the covers of albums.
        command.args(["-map", "0:V:0"]).args(every_frame);
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
        let stdin = if matches!(source, VideoSource::Stdin(_)) { Stdio::inherit() } else { Stdio::null() };
        command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|e| programs::not_started("ffmpeg", e))?;
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let complaints = stderr
            .map(|stderr| thread::Builder::new().name("moue-ffmpeg".to_owned()).spawn(|| last_words(stderr)))
            .transpose();
        let mut decoder = Decoder { child, complaints: None };
        let name = source.to_string();
        let failed = |source| Error::Io { path: name.clone().into(), source };
        decoder.complaints = complaints.map_err(failed)?;
        let Some(stdout) = stdout else { return Err(failed(io::ErrorKind::BrokenPipe.into())) };
        widen(&stdout);
        // Larger reads go past the buffer, straight into the frame.
        let frames = match NutReader::new(BufReader::with_capacity(1 << 16, stdout)) {
            Ok(Some(frames)) => frames,
            Ok(None) => return Err(decoder.explain(&name, "no video in it")),
            Err(error) => return Err(decoder.explain(&name, &error.to_string())),
        };
        Ok(Self { name, live: source.is_live(), start: None, decoder, frames: Some(frames) })
    }

    /// Width and height of the upright frames in pixels.
    pub fn size(&self) -> (u32, u32) {
        self.frames.as_ref().map_or((0, 0), NutReader::size)
    }

    /// The next frame; `None` at the end. `spare` is a frame that is no longer needed, whose memory is used again.
    ///
    /// # Errors
    /// [`Error::Video`] where the source ended with an error: all frames that could be decoded have come then.
    pub fn next_frame(&mut self, spare: Option<Picture>) -> Result<Option<VideoFrame>, Error> {
        let Some(frames) = &mut self.frames else { return Ok(None) };
        let (width, height) = frames.size();
        let length = width as usize * height as usize * 3;
        let mut pixels = spare.map(Picture::into_pixels).unwrap_or_default();
        pixels.resize(length, 0);
        let time = match frames.read(&mut pixels) {
            Ok(Some(time)) => time,
            ended => {
                self.frames = None;
                let what = ended.err().map(|e| e.to_string());
                return match self.decoder.end() {
                    (true, _) if what.is_none() => Ok(None),
                    (_, words) => {
                        let what = words.or(what).unwrap_or_else(|| "ffmpeg ended with an error".to_owned());
                        Err(Error::Video { name: self.name.clone(), what })
                    }
                };
            }
        };
        let start = *self.start.get_or_insert(if self.live { time } else { 0.0 });
        let picture = Picture::from_raw(width, height, pixels)
            .ok_or_else(|| Error::Argument("a frame has another size than was asked for".to_owned()))?;
        Ok(Some(VideoFrame { time: time - start, picture }))
    }
}

/// What a file says about itself; it may be wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct VideoFacts {
    /// Seconds.
    pub duration: Option<f64>,
    /// Frames.
    pub frames: Option<u64>,
}

/// Asks ffprobe how long a file is, without reading all of it.
///
/// # Errors
/// [`Error::MissingProgram`] where ffprobe is not installed. What it cannot tell is `None`.
pub fn video_facts(source: &VideoSource) -> Result<VideoFacts, Error> {
    let VideoSource::File(path) = source else { return Ok(VideoFacts::default()) };
    let mut file = std::ffi::OsString::from("file:");
    file.push(path);
    let arguments = [OsStr::new("-select_streams"), OsStr::new("V:0"), &file];
    let text = programs::probe(&arguments, "stream=nb_frames:format=duration")?;
    let value = |key: &str| {
        text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('=')).map(str::to_owned)
    };
    Ok(VideoFacts {
        duration: value("duration").and_then(|v| v.parse().ok()),
        frames: value("nb_frames").and_then(|v| v.parse().ok()),
    })
}

/// The running program; it ends when this is dropped.
struct Decoder {
    child: Child,
    complaints: Option<JoinHandle<Option<String>>>,
}

impl Decoder {
    /// Waits for its end: whether it was content, and what it said last.
    fn end(&mut self) -> (bool, Option<String>) {
        let content = self.child.wait().is_ok_and(|status| status.success());
        let words = self.complaints.take().and_then(|thread| thread.join().ok()).flatten();
        (content, words)
    }

    fn explain(mut self, name: &str, otherwise: &str) -> Error {
        let (_, words) = self.end();
        Error::Video { name: name.to_owned(), what: words.unwrap_or_else(|| otherwise.to_owned()) }
    }
}

impl Drop for Decoder {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads what ffmpeg complains about, so that it never waits for it, and keeps the last line.
fn last_words(mut stderr: impl Read) -> Option<String> {
    let mut tail: Vec<u8> = Vec::new();
    let mut chunk = [0; 4096];
    while let Ok(read @ 1..) = stderr.read(&mut chunk) {
        tail.extend_from_slice(&chunk[..read]);
        let surplus = tail.len().saturating_sub(4096);
        tail.drain(..surplus);
    }
    let text = String::from_utf8_lossy(&tail);
    let line = text.lines().map(str::trim).rfind(|line| !line.is_empty())?;
    // The file stands before it anyway.
    let line = line.strip_prefix("file:").and_then(|l| l.split_once(": ")).map_or(line, |(_, words)| words);
    Some(match line {
        "Stream map '0:V:0' matches no streams." | "To ignore this, add a trailing '?' to the map." => {
            "no video in it".to_owned()
        }
        line => line.to_owned(),
    })
}

/// A pipe holds 64 KB unless it is widened; a frame has megabytes, and each filling wakes the other side.
#[cfg(target_os = "linux")]
fn widen(pipe: &ChildStdout) {
    // Where the system allows no more, the pipe works as it is.
    let _ = rustix::pipe::fcntl_setpipe_size(pipe, 1 << 20);
}

#[cfg(not(target_os = "linux"))]
fn widen(_: &ChildStdout) {}
