//! Cameras of this machine, through ffmpeg's input devices: Video4Linux2, AVFoundation, DirectShow.

use std::ffi::OsString;
use std::fmt;
use std::path::Path;

use super::programs::{command, not_started};
use crate::Error;

/// A camera of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Camera {
    /// What the system calls it: `/dev/video0` on Linux, a number on macOS, a name on Windows.
    pub device: String,
    /// What people call it.
    pub name: String,
    /// Pixels a row and rows to ask for; `None` takes what the camera gives.
    pub size: Option<(u32, u32)>,
    /// Frames a second to ask for.
    pub rate: Option<u32>,
}

impl Camera {
    /// The cameras there are, in the order of the system.
    ///
    /// # Errors
    /// [`Error::MissingProgram`] where ffmpeg is needed to ask the system and is not there.
    pub fn list() -> Result<Vec<Self>, Error> {
        SYSTEM.list()
    }

    /// A camera by its place in [`list`](Self::list), its device or its name.
    ///
    /// # Errors
    /// [`Error::Video`] where there is no such camera; otherwise those of [`list`](Self::list).
    pub fn find(wanted: &str) -> Result<Self, Error> {
        let mut cameras = Self::list()?;
        let place = wanted.parse().ok().filter(|&place: &usize| place < cameras.len());
        let place = place.or_else(|| cameras.iter().position(|c| c.device == wanted || c.name == wanted));
        match place {
            Some(place) => Ok(cameras.swap_remove(place)),
            None => {
                let what = match cameras.len() {
                    0 => "there is no camera, or none that may be used".to_owned(),
                    n => format!("no such camera ({n} there are: see --list)"),
                };
                Err(Error::Video { name: format!("camera {wanted}"), what })
            }
        }
    }

    pub(super) fn input(&self) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = ["-fflags", "nobuffer"].map(Into::into).to_vec();
        arguments.extend(["-f", SYSTEM.format()].map(Into::into));
        if let Some((width, height)) = self.size {
            arguments.extend(["-video_size".into(), format!("{width}x{height}").into()]);
        }
        if let Some(rate) = self.rate.or(SYSTEM.rate()) {
            arguments.extend(["-framerate".into(), rate.to_string().into()]);
        }
        arguments.extend(["-i".into(), SYSTEM.input(&self.device).into()]);
        arguments
    }

    fn new(device: String, name: String) -> Self {
        Self { device, name, size: None, rate: None }
    }
}

impl fmt::Display for Camera {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// How a system gives access to cameras, by the names of ffmpeg's input devices.
enum System {
    V4l2,
    AvFoundation,
    DirectShow,
}

/// The one of this system. The code for all of them is compiled everywhere.
const SYSTEM: System = if cfg!(target_os = "macos") {
    System::AvFoundation
} else if cfg!(windows) {
    System::DirectShow
} else {
    System::V4l2
};

impl System {
    fn format(&self) -> &'static str {
        match self {
            Self::V4l2 => "v4l2",
            Self::AvFoundation => "avfoundation",
            Self::DirectShow => "dshow",
        }
    }

    /// Frames a second to ask for where nobody asks for any. AVFoundation would take a rate that few cameras have.
    fn rate(&self) -> Option<u32> {
        match self {
            Self::AvFoundation => Some(30),
            Self::V4l2 | Self::DirectShow => None,
        }
    }

    /// The device as an input, without its sound.
    fn input(&self, device: &str) -> String {
        match self {
            Self::V4l2 => device.to_owned(),
            Self::AvFoundation => format!("{device}:none"),
            Self::DirectShow => format!("video={device}"),
        }
    }

    fn list(&self) -> Result<Vec<Camera>, Error> {
        match self {
            Self::V4l2 => Ok(v4l2(Path::new("/sys/class/video4linux"))),
            Self::AvFoundation => {
                let text = asked(&["-f", "avfoundation", "-list_devices", "true", "-i", ""])?;
                Ok(avfoundation(&text).into_iter().map(|(n, name)| Camera::new(n, name)).collect())
            }
            Self::DirectShow => {
                let text = asked(&["-list_devices", "true", "-f", "dshow", "-i", "dummy"])?;
                Ok(directshow(&text).into_iter().map(|name| Camera::new(name.clone(), name)).collect())
            }
        }
    }
}

/// What ffmpeg says when asked for devices: it goes to stderr, and the exit status says nothing.
fn asked(arguments: &[&str]) -> Result<String, Error> {
    let output = command("ffmpeg")
        .args(["-hide_banner", "-nostdin"])
        .args(arguments)
        .output()
        .map_err(|e| not_started("ffmpeg", e))?;
    Ok(String::from_utf8_lossy(&output.stderr).into_owned())
}

/// The kernel's list, in this folder. A camera may have several devices; the one with index 0 gives pictures.
fn v4l2(folder: &Path) -> Vec<Camera> {
    // Where no camera was ever plugged in, there is no such folder.
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut found: Vec<(u32, Camera)> = Vec::new();
    for entry in entries.flatten() {
        let file = entry.file_name();
        let Some(number) = file.to_str().and_then(|n| n.strip_prefix("video")?.parse().ok()) else {
            continue;
        };
        let read = |name| std::fs::read_to_string(entry.path().join(name)).unwrap_or_default();
        if !matches!(read("index").trim(), "0" | "") {
            continue;
        }
        let name = read("name").trim().to_owned();
        found.push((number, Camera::new(format!("/dev/video{number}"), name)));
    }
    found.sort_by_key(|(number, _)| *number);
    found.into_iter().map(|(_, camera)| camera).collect()
}

/// Numbers and names in ffmpeg's list of AVFoundation devices, without screens.
fn avfoundation(text: &str) -> Vec<(String, String)> {
    let videos = text
        .lines()
        .skip_while(|line| !line.contains("AVFoundation video devices"))
        .skip(1)
        .take_while(|line| !line.contains("AVFoundation audio devices"));
    videos
        .filter_map(|line| {
            let (_, rest) = line.split_once("] [")?;
            let (number, name) = rest.split_once("] ")?;
            let camera = number.bytes().all(|b| b.is_ascii_digit()) && !name.starts_with("Capture screen");
            camera.then(|| (number.to_owned(), name.trim().to_owned()))
        })
        .collect()
}

/// Names in ffmpeg's list of DirectShow devices: of version 5 (`"name" (video)`) and of older ones, with headings.
fn directshow(text: &str) -> Vec<String> {
    let mut in_videos = false;
    let mut found = Vec::new();
    for line in text.lines() {
        if line.contains("DirectShow video devices") {
            in_videos = true;
        } else if line.contains("DirectShow audio devices") {
            in_videos = false;
        } else if let Some((_, rest)) = line.split_once("]  \"").or_else(|| line.split_once("] \""))
            && let Some((name, kind)) = rest.split_once('"')
            && (kind.contains("(video)") || (in_videos && kind.trim().is_empty()))
        {
            found.push(name.to_owned());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_other_systems_are_read() {
        let mac = "[AVFoundation indev @ 0x1] AVFoundation video devices:\n\
                   [AVFoundation indev @ 0x1] [0] FaceTime HD Camera\n\
                   [AVFoundation indev @ 0x1] [1] Capture screen 0\n\
                   [AVFoundation indev @ 0x1] AVFoundation audio devices:\n\
                   [AVFoundation indev @ 0x1] [0] Microphone\n";
        assert_eq!(avfoundation(mac), [("0".to_owned(), "FaceTime HD Camera".to_owned())]);
        let new = "[dshow @ 01] \"USB Camera\" (video)\n[dshow @ 01]   Alternative name \"@device_pnp\"\n\
                   [dshow @ 01] \"Microphone\" (audio)\n";
        assert_eq!(directshow(new), ["USB Camera"]);
        let old = "[dshow @ 01] DirectShow video devices (some may be both)\n[dshow @ 01]  \"USB Camera\"\n\
                   [dshow @ 01]     Alternative name \"@device_pnp\"\n\
                   [dshow @ 01] DirectShow audio devices\n[dshow @ 01]  \"Microphone\"\n";
        assert_eq!(directshow(old), ["USB Camera"]);
    }

    #[test]
    fn the_list_of_the_kernel_is_read() {
        let folder = tempfile::tempdir().unwrap();
        for (device, index, name) in [
            ("video10", "0", "Back"),
            ("video2", "0", "Front"),
            ("video3", "1", "Front"),
            ("radio0", "0", "R"),
        ] {
            let place = folder.path().join(device);
            std::fs::create_dir(&place).unwrap();
            std::fs::write(place.join("index"), format!("{index}\n")).unwrap();
            std::fs::write(place.join("name"), format!("{name}\n")).unwrap();
        }
        let found: Vec<_> = v4l2(folder.path()).into_iter().map(|c| (c.device, c.name)).collect();
        let expected = [("/dev/video2", "Front"), ("/dev/video10", "Back")];
        assert_eq!(found, expected.map(|(d, n)| (d.to_owned(), n.to_owned())));
        assert_eq!(v4l2(&folder.path().join("absent")), []);
    }

    #[test]
    fn a_camera_that_is_not_there_is_named() {
        let error = Camera::find("no such camera").unwrap_err().to_string();
        assert!(error.contains("no such camera"), "{error}");
    }
}
