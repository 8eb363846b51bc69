//! What the paths on the command line mean.

use std::path::PathBuf;

use moue_media::{VideoSource, is_moving_picture, looks_like_picture};

/// Inputs of one kind, in the order in which they were named.
#[derive(Debug, PartialEq)]
pub enum Input {
    /// Pictures, and folders of pictures.
    Pictures(Vec<PathBuf>),
    /// A video file, a stream, or standard input.
    Video(VideoSource),
}

impl Input {
    /// The video, where it is one.
    pub fn video(&self) -> Option<&VideoSource> {
        match self {
            Self::Video(source) => Some(source),
            Self::Pictures(_) => None,
        }
    }
}

/// Pictures that stand side by side are taken together, so that they can be read ahead.
pub fn sorted(paths: &[PathBuf]) -> Vec<Input> {
    let mut inputs: Vec<Input> = Vec::new();
    for path in paths {
        let source = VideoSource::from_argument(path);
        let video = match &source {
            // What does not exist is named by who looks for pictures.
            VideoSource::File(path) => {
                path.is_file() && (!looks_like_picture(path) || is_moving_picture(path))
            }
            _ => true,
        };
        match (video, inputs.last_mut()) {
            (true, _) => inputs.push(Input::Video(source)),
            (false, Some(Input::Pictures(pictures))) => pictures.push(path.clone()),
            (false, _) => inputs.push(Input::Pictures(vec![path.clone()])),
        }
    }
    inputs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_told_from_video_by_name_or_first_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            path
        };
        let (a, b) = (file("a.jpg", b""), file("b", b"\x89PNG\r\n\x1a\n"));
        let (clip, missing) = (file("clip.mov", b"\0\0\0\x14ftypqt  "), folder.path().join("missing.mov"));
        // Two frames of one pixel.
        let frame = [0x2c, 0, 0, 0, 0, 1, 0, 1, 0, 0, 2, 2, 0x44, 1, 0];
        let head = [&b"GIF89a"[..], &[1, 0, 1, 0, 0x80, 0, 0, 0, 0, 0, 255, 255, 255]].concat();
        let moving = file("c.gif", &[&head[..], &frame, &frame, &[0x3b]].concat());
        let still = file("d.gif", &[&head[..], &frame, &[0x3b]].concat());
        let photo = file("e", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic");
        let paths = [
            a.clone(),
            b.clone(),
            moving.clone(),
            clip.clone(),
            still.clone(),
            photo.clone(),
            missing.clone(),
            "-".into(),
            folder.path().into(),
        ];
        assert_eq!(
            sorted(&paths),
            [
                Input::Pictures(vec![a, b]),
                Input::Video(VideoSource::File(moving)),
                Input::Video(VideoSource::File(clip)),
                Input::Pictures(vec![still, photo, missing]),
                Input::Video(VideoSource::Stdin(None)),
                Input::Pictures(vec![folder.path().into()]),
            ]
        );
    }
}
