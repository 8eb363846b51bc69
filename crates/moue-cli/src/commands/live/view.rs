//! The window.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use minifb::{Key, KeyRepeat, ScaleMode, Window, WindowOptions};
use moue::{BoundingBox, Face};
use moue_media::{Picture, VideoSource, VideoWriter};

use super::camera::Live;
use super::panel::{self, Status};
use super::worker::{Pace, Reader, Sight, ended};
use crate::console;
use crate::failure::{Failure, Result, describe};

/// What a window asks for in the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Quit,
    OtherCamera,
}

/// Shows the sources, the next one whenever it is asked for, until the user quits or a source ends.
pub fn run(sources: &[VideoSource], mut reader: Reader, folder: &Path, stop: &AtomicBool) -> Result<()> {
    let mut window: Option<Window> = None;
    let mut view = View {
        folder,
        labels: reader.0.analyzer().card().labels.clone(),
        mirror: true,
        message: String::new(),
        recording: None,
        buffer: Vec::new(),
    };
    let mut failed = 0;
    for source in sources.iter().cycle() {
        let live = match Live::open(source) {
            Ok(live) => live,
            // The key for another camera goes on with the next that can be opened.
            Err(error) if window.is_some() && failed < sources.len() => {
                view.message = describe(&error);
                failed += 1;
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        let window = match &mut window {
            Some(window) => window,
            empty => empty.insert(open(live.size())?),
        };
        failed = 0;
        let next = view.show(window, &live, &mut reader, stop)?;
        if next == Next::Quit {
            break;
        }
    }
    Ok(())
}

fn open((width, height): (u32, u32)) -> Result<Window> {
    let options =
        WindowOptions { resize: true, scale_mode: ScaleMode::AspectRatioStretch, ..WindowOptions::default() };
    let (width, height) = ((width + panel::WIDTH) as usize, height.max(360) as usize);
    let mut window = Window::new("moue", width, height, options).map_err(|error| {
        Failure::message(format!("cannot open a window: {error} (without one: moue live --headless)"))
    })?;
    // Frames come at their own pace.
    window.set_target_fps(0);
    Ok(window)
}

struct View<'a> {
    folder: &'a Path,
    labels: Vec<String>,
    mirror: bool,
    message: String,
    recording: Option<(VideoWriter, PathBuf, Instant)>,
    buffer: Vec<u32>,
}

impl View<'_> {
    fn show(
        &mut self,
        window: &mut Window,
        live: &Live,
        reader: &mut Reader,
        stop: &AtomicBool,
    ) -> Result<Next> {
        let mut canvas = panel::canvas(live.size());
        // Ends the looking without ending the program.
        let enough = AtomicBool::new(false);
        thread::scope(|scope| {
            let (sender, sights) = sync_channel(1);
            let (spare, spares) = channel();
            let enough_here = &enough;
            let looking = thread::Builder::new()
                .name("moue-look".to_owned())
                .spawn_scoped(scope, move || reader.look(live, &spares, &sender, enough_here))?;
            let mut pace = Pace::default();
            let mut paused = false;
            let outcome = loop {
                if stop.load(Ordering::Relaxed) || !window.is_open() {
                    break Ok(Next::Quit);
                }
                let sight = match sights.recv_timeout(Duration::from_millis(15)) {
                    Ok(sight) => Some(sight),
                    Err(RecvTimeoutError::Timeout) => None,
                    Err(RecvTimeoutError::Disconnected) => break Ok(Next::Quit),
                };
                match sight {
                    Some(sight) if !paused => {
                        let arrived = sight.fresh.arrived;
                        let (picture, faces) = self.picture(sight);
                        if let Err(error) = self.record(&picture, arrived) {
                            self.message = describe(&error);
                        }
                        let status = Status {
                            source: live.name(),
                            rate: pace.rate(),
                            latency_ms: pace.latency_ms(),
                            dropped: live.dropped(),
                            paused,
                            recording: self.recording.is_some(),
                            message: &self.message,
                        };
                        panel::compose(&mut canvas, &picture, &faces, &self.labels, &status);
                        self.paint(window, &canvas)?;
                        pace.add(arrived);
                        // The reader may have ended.
                        let _ = spare.send(picture);
                    }
                    Some(sight) => drop(spare.send(sight.fresh.picture)),
                    None => window.update(),
                }
                let mut next = None;
                for key in window.get_keys_pressed(KeyRepeat::No) {
                    match key {
                        Key::Q | Key::Escape => next = Some(Next::Quit),
                        Key::C => next = Some(Next::OtherCamera),
                        Key::Space => paused = !paused,
                        Key::M => self.mirror = !self.mirror,
                        Key::S => self.snapshot(&canvas),
                        Key::R => self.start_or_end_recording(live),
                        _ => {}
                    }
                }
                if let Some(next) = next {
                    break Ok(next);
                }
            };
            enough.store(true, Ordering::Relaxed);
            drop(sights);
            self.end_recording();
            console::say(format_args!("moue: {}", pace.summary("shown", live.dropped(), "window")));
            ended(looking.join())?;
            outcome
        })
    }

    /// The picture as it is shown, with its faces where they are on it.
    fn picture(&self, sight: Sight) -> (Picture, Vec<Face>) {
        let Sight { fresh, mut faces } = sight;
        let mut picture = fresh.picture;
        if self.mirror {
            mirror(&mut picture);
            let width = picture.width() as f32;
            for face in &mut faces {
                let BoundingBox { x, width: side, .. } = face.bounds;
                face.bounds.x = width - x - side;
            }
        }
        moue::annotate(&mut picture, &faces);
        (picture, faces)
    }

    fn paint(&mut self, window: &mut Window, canvas: &Picture) -> Result<()> {
        let pack = |p: &[u8]| u32::from(p[0]) << 16 | u32::from(p[1]) << 8 | u32::from(p[2]);
        self.buffer.clear();
        self.buffer.extend(canvas.pixels().chunks_exact(3).map(pack));
        Ok(window.update_with_buffer(&self.buffer, canvas.width() as usize, canvas.height() as usize)?)
    }

    fn snapshot(&mut self, canvas: &Picture) {
        let path = free_name(self.folder, "snapshot", "png");
        self.message = match canvas.write(&path) {
            Ok(()) => format!("wrote {}", path.display()),
            Err(error) => describe(&error),
        };
        console::say(format_args!("moue: {}", self.message));
    }

    fn start_or_end_recording(&mut self, live: &Live) {
        if self.recording.is_some() {
            self.end_recording();
            return;
        }
        let path = free_name(self.folder, "recording", "mp4");
        match VideoWriter::create(&path, live.size(), None) {
            Ok(writer) => self.recording = Some((writer, path, Instant::now())),
            Err(error) => self.message = describe(&error),
        }
    }

    fn record(&mut self, picture: &Picture, arrived: Instant) -> std::result::Result<(), moue_media::Error> {
        let Some((writer, _, begun)) = &mut self.recording else { return Ok(()) };
        let written = writer.write(arrived.saturating_duration_since(*begun).as_secs_f64(), picture);
        if written.is_err() {
            self.recording = None;
        }
        written
    }

    fn end_recording(&mut self) {
        if let Some((writer, path, _)) = self.recording.take() {
            self.message = match writer.finish() {
                Ok(()) => format!("wrote {}", path.display()),
                Err(error) => describe(&error),
            };
            console::say(format_args!("moue: {}", self.message));
        }
    }
}

/// Left becomes right.
fn mirror(picture: &mut Picture) {
    let stride = picture.width() as usize * 3;
    for row in picture.pixels_mut().chunks_exact_mut(stride) {
        let (mut left, mut right) = (0, stride - 3);
        while left < right {
            for channel in 0..3 {
                row.swap(left + channel, right + channel);
            }
            left += 3;
            right -= 3;
        }
    }
}

/// `moue-snapshot-1.png`, or the next number that no file has.
fn free_name(folder: &Path, what: &str, extension: &str) -> PathBuf {
    let name = |number: u32| folder.join(format!("moue-{what}-{number}.{extension}"));
    (1..).map(name).find(|path| !path.exists()).unwrap_or_else(|| name(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mirror_exchanges_left_and_right() {
        for width in [1_u8, 2, 3, 4] {
            let pixels: Vec<u8> = (0..2 * 3 * width).collect();
            let mut picture = Picture::from_raw(width.into(), 2, pixels.clone()).unwrap();
            mirror(&mut picture);
            let first = usize::from(3 * (width - 1));
            assert_eq!(picture.pixels()[..3], pixels[first..first + 3]);
            mirror(&mut picture);
            assert_eq!(picture.pixels(), pixels);
        }
    }
}
