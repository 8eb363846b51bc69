//! Frames into a video file, through the `ffmpeg` program.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Stdio};
use std::thread::{self, JoinHandle};

use super::nut::NutWriter;
use super::programs::{command, every_frame, not_started, probe};
use super::source::{file_name, guarded};
use super::words::Complaints;
use crate::{Error, Picture};

/// A video being written. The file is made of fragments of a second or so, and each is complete when the next begins: it can
/// be watched while it grows, and up to the last fragment whenever the writing is cut off.
pub struct VideoWriter {
    path: PathBuf,
    size: (u32, u32),
    sound: Vec<OsString>,
    begun: Option<Begun>,
}

/// The program that writes.
struct Begun {
    encoder: Child,
    complaints: Option<JoinHandle<Complaints>>,
    frames: Option<NutWriter<ChildStdin>>,
}

impl VideoWriter {
    /// Prepares a file of frames of this size; its extension says the format. `sound` is a file whose sound it gets: each track
    /// is copied where the format can hold it, encoded anew where it cannot, and left out where it cannot be read. The file is
    /// begun with its first frame.
    ///
    /// # Errors
    /// [`Error::MissingProgram`] where ffmpeg is not installed, [`Error::Io`] where there is no such folder.
    pub fn create(path: &Path, size: (u32, u32), sound: Option<&Path>) -> Result<Self, Error> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        if let Some(folder) = folder {
            std::fs::metadata(folder).map_err(|source| Error::Io { path: path.to_owned(), source })?;
        }
        every_frame()?;
        let sound = match sound.filter(|sound| !crate::is_moving_picture(sound)) {
            Some(sound) => sound_of(sound, path)?,
            None => Vec::new(),
        };
        Ok(Self { path: path.to_owned(), size, sound, begun: None })
    }

    /// Starts the program.
    fn begin(&self) -> Result<Begun, Error> {
        let (width, height) = self.size;
        let mut ffmpeg = command("ffmpeg");
        ffmpeg.args(["-hide_banner", "-loglevel", "error", "-y"]);
        ffmpeg.args(["-f", "nut", "-i", "pipe:0"]);
        // Its options stand before the input and after it; the input itself is among them.
        let (input, codecs) = self.sound.split_at(self.sound.iter().position(|a| a == "-map").unwrap_or(0));
        ffmpeg.args(input).args(["-map", "0:v"]).args(codecs).args(every_frame()?);
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
        if !is_matroska(&self.path) {
            ffmpeg.args(["-video_track_timescale", "90000"]);
            ffmpeg.args(FRAGMENTS);
        }
        ffmpeg.arg(file_name(&self.path)).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut encoder = ffmpeg.spawn().map_err(|e| not_started("ffmpeg", e))?;
        let failed = |source| Error::Io { path: self.path.clone(), source };
        let complaints = encoder
            .stderr
            .take()
            .map(|stderr| {
                thread::Builder::new().name("moue-ffmpeg".to_owned()).spawn(|| Complaints::read(stderr))
            })
            .transpose()
            .map_err(failed)?;
        let stdin = encoder.stdin.take().ok_or_else(|| failed(io::ErrorKind::BrokenPipe.into()))?;
        #[cfg(target_os = "linux")]
        // Where the system allows no more, the pipe works as it is.
        let _ = rustix::pipe::fcntl_setpipe_size(&stdin, 1 << 20);
        let mut begun = Begun { encoder, complaints, frames: None };
        match NutWriter::new(stdin, width, height) {
            Ok(frames) => begun.frames = Some(frames),
            Err(error) => return Err(begun.failed(&self.path, &error)),
        }
        Ok(begun)
    }

    /// Adds a frame at this time in seconds; times do not decrease. Where the first is later than 0, it is shown from 0 on.
    ///
    /// # Errors
    /// [`Error::Video`] with what ffmpeg says, such as that the disk is full; the file is valid up to there.
    pub fn write(&mut self, time: f64, picture: &Picture) -> Result<(), Error> {
        let begun = match &mut self.begun {
            Some(begun) => begun,
            None => {
                let mut begun = self.begin()?;
                // A film begins at zero, or sound and subtitles would be late: what comes first is shown until its time, too.
                if let (Some(frames), true) = (&mut begun.frames, time > 0.0)
                    && let Err(error) = frames.write(0.0, picture.pixels())
                {
                    return Err(begun.failed(&self.path, &error));
                }
                self.begun.insert(begun)
            }
        };
        let Some(frames) = &mut begun.frames else {
            return Err(begun.failed(&self.path, &io::ErrorKind::BrokenPipe.into()));
        };
        match frames.write(time, picture.pixels()) {
            Ok(()) => Ok(()),
            Err(error) => Err(begun.failed(&self.path, &error)),
        }
    }

    /// Completes the file. Without frames there is none.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn finish(mut self) -> Result<(), Error> {
        let Some(begun) = &mut self.begun else { return Ok(()) };
        begun.frames = None;
        match begun.encoder.wait() {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => {
                Err(begun.failed(&self.path, &io::Error::other(format!("ffmpeg ended with {status}"))))
            }
            Err(error) => Err(begun.failed(&self.path, &error)),
        }
    }
}

impl Begun {
    fn failed(&mut self, path: &Path, error: &io::Error) -> Error {
        self.frames = None;
        let _ = self.encoder.wait();
        let complaints = self.complaints.take().and_then(|thread| thread.join().ok()).unwrap_or_default();
        let what = complaints.words().unwrap_or_else(|| error.to_string());
        Error::Video { name: path.display().to_string(), what }
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        // At the end of its input ffmpeg completes the file.
        self.frames = None;
        let _ = self.encoder.wait();
    }
}

/// MP4 and QuickTime in fragments, which need no index at the end.
const FRAGMENTS: [&str; 2] = ["-movflags", "+frag_keyframe+empty_moov+default_base_moof"];

fn is_matroska(path: &Path) -> bool {
    path.extension().is_some_and(|e| e.eq_ignore_ascii_case("mkv"))
}

/// Formats whose clocks may jump. ffmpeg counts each stream of theirs from its own beginning where it reads no other.
const JUMPING: [&str; 5] = ["mpegts", "mpegtsraw", "mpeg", "ogg", "wtv"];

/// The sound of a file as an input and its codecs for a film at `path`; empty where there is none.
fn sound_of(sound: &Path, path: &Path) -> Result<Vec<OsString>, Error> {
    let mut asked = guarded();
    asked.push(file_name(sound));
    let asked: Vec<_> = asked.iter().map(OsString::as_os_str).collect();
    let text = probe(&asked, "stream=codec_type,start_time:format=format_name")?;
    let value = |line: &str, key: &str| line.strip_prefix(key)?.strip_prefix('=').map(str::to_owned);
    let (mut kinds, mut starts, mut format) = (Vec::new(), Vec::new(), String::new());
    for line in text.lines() {
        kinds.extend(value(line, "codec_type"));
        starts.extend(value(line, "start_time").map(|v| v.parse::<f64>().unwrap_or(0.0)));
        format = value(line, "format_name").unwrap_or(format);
    }
    let first = |kind: &str| kinds.iter().zip(&starts).find(|(k, _)| *k == kind).map(|(_, start)| *start);
    let mut input = Vec::new();
    if JUMPING.contains(&format.as_str())
        && let (Some(video), Some(audio)) = (first("video"), first("audio"))
    {
        input.extend(["-itsoffset".into(), (audio - video).to_string().into()]);
    }
    input.extend(guarded());
    input.extend(["-i".into(), file_name(sound)]);
    let mut codecs: Vec<OsString> = Vec::new();
    let mut taken = 0;
    for track in 0..kinds.iter().filter(|kind| *kind == "audio").count() {
        // Whether a format holds a codec depends on both and on the version of ffmpeg, so that it is asked to try.
        let codec = ["copy", "aac"].into_iter().find(|codec| holds(&input, track, codec, path));
        if let Some(codec) = codec {
            codecs.extend(["-map".into(), format!("1:a:{track}").into()]);
            codecs.extend([format!("-c:a:{taken}").into(), codec.into()]);
            if codec != "copy" {
                // Sound before the first picture would make all pictures later.
                codecs.extend([format!("-filter:a:{taken}").into(), "atrim=start=0".into()]);
            }
            taken += 1;
        }
    }
    if codecs.is_empty() {
        return Ok(Vec::new());
    }
    input.extend(codecs);
    Ok(input)
}

/// Whether the first second of a track can be written so.
fn holds(input: &[OsString], track: usize, codec: &str, path: &Path) -> bool {
    let mut ffmpeg = command("ffmpeg");
    ffmpeg.args(["-hide_banner", "-loglevel", "error", "-nostdin"]).args(input);
    ffmpeg.args(["-map", &format!("0:a:{track}"), "-c:a", codec, "-t", "1"]);
    let format = match path.extension() {
        _ if is_matroska(path) => "matroska",
        Some(e) if e.eq_ignore_ascii_case("mov") => "mov",
        _ => "mp4",
    };
    if format != "matroska" {
        ffmpeg.args(FRAGMENTS);
    }
    ffmpeg.args(["-f", format, "pipe:1"]);
    ffmpeg.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    ffmpeg.status().is_ok_and(|status| status.success())
}

/// Whether ffmpeg was built with the encoder that all players understand.
fn have_x264() -> bool {
    let output = command("ffmpeg").args(["-hide_banner", "-encoders"]).stdin(Stdio::null()).output();
    output.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains(" libx264 "))
}
