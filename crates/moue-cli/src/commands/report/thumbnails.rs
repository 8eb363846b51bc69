//! Small pictures of the faces at the peaks, cut out of the videos that the records are about.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use moue::BoundingBox;
use moue_media::{Picture, Region, Video, VideoSource};
use moue_report::reaction::{FaceAt, Illustrations, Report};

use crate::commands::analyze::open_before;
use crate::failure::{Failure, Outcome, Result, describe};
use crate::{console, interrupt};

/// Pixels a side: twice as many as the page shows, for fine screens.
const SIDE: u32 = 144;

/// Share of a face's side that is shown around it on each side.
const MARGIN: f32 = 0.2;

const JPEG_QUALITY: u8 = 85;

/// Seconds that are read through to the next picture rather than jumped over.
const READ_ON: f64 = 10.0;

/// Times of a frame in the records and in the video are the same but for the rounding of sums.
const SAME_TIME: f64 = 0.0005;

/// A face to cut out, and the moment of the report that it is for.
struct Wanted<'a> {
    face: &'a FaceAt,
    group: usize,
    moment: usize,
}

/// The pictures of all moments. A video that cannot be read is named, and its moments have none.
pub fn thumbnails(report: &Report) -> Result<(Illustrations, Outcome)> {
    // Clips by where their video is, or by what they call it.
    let mut videos: BTreeMap<PathBuf, Vec<Wanted<'_>>> = BTreeMap::new();
    for (group, of) in report.groups().iter().enumerate() {
        for (moment, peak) in of.moments().iter().enumerate() {
            let wanted = Wanted { face: &peak.face, group, moment };
            videos.entry(place(&peak.face)).or_default().push(wanted);
        }
    }
    let (mut pictures, mut outcome) = (Illustrations::default(), Outcome::Done);
    for (path, mut wanted) in videos {
        wanted.sort_by(|a, b| a.face.time.total_cmp(&b.face.time));
        match from_video(&path, &wanted, &mut pictures) {
            Err(Failure::Failed(error)) => {
                let what = describe(&*error);
                let name = path.display().to_string();
                let what = what.strip_prefix(&format!("{name}: ")).unwrap_or(&what);
                console::say(format_args!("moue: {name}: no pictures of its peaks: {what}"));
                outcome = Outcome::PartlyFailed;
            }
            ended => ended?,
        }
    }
    Ok((pictures, outcome))
}

/// The video as its records name it, seen from here or from the folder of the records.
fn place(face: &FaceAt) -> PathBuf {
    let named = PathBuf::from(&face.source);
    let beside = Path::new(&face.records).with_file_name(&named);
    if !named.is_file() && beside.is_file() { beside } else { named }
}

/// Cuts faces out of one video; `wanted` is in the order of time.
fn from_video(path: &Path, wanted: &[Wanted<'_>], pictures: &mut Illustrations) -> Result<()> {
    // Records may name cameras and standard input, too, which cannot be seen again.
    let source = VideoSource::File(path.to_owned());
    let mut video: Option<Video> = None;
    let mut last: Option<(f64, Picture)> = None;
    for Wanted { face, group, moment } in wanted {
        let near = last.as_ref().is_some_and(|(time, _)| face.time - time < READ_ON);
        let mut open = match video.take().filter(|_| near) {
            Some(video) => video,
            None => {
                last = None;
                open_before(&source, face.time)?
            }
        };
        // Several emotions may have their peak in one frame.
        while last.as_ref().is_none_or(|(time, _)| *time < face.time - SAME_TIME) {
            interrupt::check()?;
            match open.next_frame(last.take().map(|(_, picture)| picture))? {
                Some(frame) => last = Some((frame.time, frame.picture)),
                None => break,
            }
        }
        video = Some(open);
        let Some((_, picture)) = last.as_ref().filter(|(time, _)| *time <= face.time + SAME_TIME) else {
            let time = face.time;
            return Err(Failure::message(format!(
                "it has no frame at {time} s; is it the video of the records?"
            )));
        };
        let jpeg = picture.crop_resized(around(face.bounds), SIDE)?.to_jpeg(JPEG_QUALITY)?;
        pictures.add(*group, *moment, jpeg)?;
    }
    Ok(())
}

/// A square around a face, with a little of what is around it.
fn around(bounds: BoundingBox) -> Region {
    let BoundingBox { x, y, width, height } = bounds;
    let side = width.max(height) * (1.0 + 2.0 * MARGIN);
    Region { x: x + (width - side) / 2.0, y: y + (height - side) / 2.0, width: side, height: side }
}
