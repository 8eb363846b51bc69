//! Frames into a video file, through the `ffmpeg` program.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Stdio};
use std::thread::{self, JoinHandle};

use super::last_words;
use super::nut::NutWriter;
use super::programs::{command, every_frame, not_started, probe};
use crate::{Error, Picture};

/// Sound that MP4 may hold; other sound is encoded anew for it.
const IN_MP4: [&str; 8] = ["aac", "mp3", "ac3", "eac3", "opus", "alac", "flac", "mp2"];

/// A video being written. The file is made of fragments of a second or so, and each is complete when the next begins: it can
/// be watched while it grows, and up to the last fragment whenever the writing is cut off.
pub struct VideoWriter {
    path: PathBuf,
    encoder: Child,
    complaints: Option<JoinHandle<Option<String>>>,
    frames: Option<NutWriter<ChildStdin>>,
}

impl VideoWriter {
    /// Begins a file of frames of this size; its extension says the format. `sound` is a file whose sound it gets, copied
    /// as it is where the format can hold it.
    ///
    /// # Errors
    /// [`Error::MissingProgram`] where ffmpeg is not installed, [`Error::Video`] where it cannot write the file.
    pub fn create(path: &Path, (width, height): (u32, u32), sound: Option<&Path>) -> Result<Self, Error> {
        let mut ffmpeg = command("ffmpeg");
        ffmpeg.args(["-hide_banner", "-loglevel", "error", "-y", "-copyts", "-f", "nut", "-i", "pipe:0"]);
        let mut sound_arguments: Vec<OsString> = Vec::new();
        if let Some(sound) = sound {
            let mut input = OsString::from("file:");
            input.push(sound);
            let codec = sound_codec(&input)?;
            let mp4 = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("mp4"));
            let copied = !mp4 || codec.is_none_or(|codec| IN_MP4.contains(&codec.as_str()));
            ffmpeg.arg("-i").arg(input);
            let codec = if copied { "copy" } else { "aac" };
            sound_arguments.extend(["-map", "1:a?", "-c:a", codec].map(Into::into));
        }
        ffmpeg.args(["-map", "0:v"]).args(sound_arguments).args(every_frame()?);
        if width % 2 + height % 2 > 0 {
            // Common players want even sizes.
            ffmpeg.args(["-vf", "pad=ceil(iw/2)*2:ceil(ih/2)*2"]);
        }
        if have_x264() {
            ffmpeg.args(["-c:v", "libx264", "-preset", "veryfast", "-crf", "20"]);
        }
        // Frames that wait for later ones begin after zero in a file of fragments, which has no edit list to undo it: every
        // time would be later than in the records and subtitles.
        ffmpeg.args(["-bf", "0"]);
        ffmpeg.args(["-pix_fmt", "yuv420p", "-g", "30", "-enc_time_base", "1:90000", "-flush_packets", "1"]);
        if path.extension().is_some_and(|e| !e.eq_ignore_ascii_case("mkv")) {
            ffmpeg.args(["-video_track_timescale", "90000"]);
            ffmpeg.args(["-movflags", "+frag_keyframe+empty_moov+default_base_moof"]);
        }
        let mut output = OsString::from("file:");
        output.push(path);
        ffmpeg.arg(output).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut encoder = ffmpeg.spawn().map_err(|e| not_started("ffmpeg", e))?;
        let failed = |source| Error::Io { path: path.to_owned(), source };
        let complaints = encoder
            .stderr
            .take()
            .map(|stderr| thread::Builder::new().name("moue-ffmpeg".to_owned()).spawn(|| last_words(stderr)))
            .transpose()
            .map_err(failed)?;
        let stdin = encoder.stdin.take().ok_or_else(|| failed(io::ErrorKind::BrokenPipe.into()))?;
        #[cfg(target_os = "linux")]
        // Where the system allows no more, the pipe works as it is.
        let _ = rustix::pipe::fcntl_setpipe_size(&stdin, 1 << 20);
        let mut writer = Self { path: path.to_owned(), encoder, complaints, frames: None };
        match NutWriter::new(stdin, width, height) {
            Ok(frames) => writer.frames = Some(frames),
            Err(error) => return Err(writer.failed(&error)),
        }
        Ok(writer)
    }

    /// Adds a frame at this time in seconds; times do not decrease.
    ///
    /// # Errors
    /// [`Error::Video`] with what ffmpeg says, such as that the disk is full; the file is valid up to there.
    pub fn write(&mut self, time: f64, picture: &Picture) -> Result<(), Error> {
        let Some(frames) = &mut self.frames else {
            return Err(self.failed(&io::ErrorKind::BrokenPipe.into()));
        };
        match frames.write(time, picture.pixels()) {
            Ok(()) => Ok(()),
            Err(error) => Err(self.failed(&error)),
        }
    }

    /// Completes the file.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn finish(mut self) -> Result<(), Error> {
        self.frames = None;
        match self.encoder.wait() {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(self.failed(&io::Error::other(format!("ffmpeg ended with {status}")))),
            Err(error) => Err(self.failed(&error)),
        }
    }

    fn failed(&mut self, error: &io::Error) -> Error {
        self.frames = None;
        let _ = self.encoder.wait();
        let words = self.complaints.take().and_then(|thread| thread.join().ok()).flatten();
        Error::Video {
            name: self.path.display().to_string(),
            what: words.unwrap_or_else(|| error.to_string()),
        }
    }
}

impl Drop for VideoWriter {
    fn drop(&mut self) {
        // At the end of its input ffmpeg completes the file.
        self.frames = None;
        let _ = self.encoder.wait();
    }
}

/// Name of the codec of the sound; `None` where there is no sound.
fn sound_codec(input: &OsStr) -> Result<Option<String>, Error> {
    let arguments = [OsStr::new("-select_streams"), OsStr::new("a:0"), input];
    let text = probe(&arguments, "stream=codec_name")?;
    Ok(text.lines().find_map(|line| line.strip_prefix("codec_name=")).map(str::to_owned))
}

/// Whether ffmpeg was built with the encoder that all players understand.
fn have_x264() -> bool {
    let output = command("ffmpeg").args(["-hide_banner", "-encoders"]).stdin(Stdio::null()).output();
    output.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains(" libx264 "))
}
