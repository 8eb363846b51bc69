//! Photos with face boxes, as the commands of `moue detector` take them, and boxes drawn on pictures.

use std::path::PathBuf;

use clap::Args;
use moue_detect::labelled::{Photo, read_photos};
use moue_media::Picture;

use crate::failure::Result;
use crate::files::Files;

/// A folder of tar files, each with a CSV of boxes (`file,x,y,w,h,ignore`) of the same name beside it.
#[derive(Clone, Debug, Args)]
pub struct Photos {
    /// Folder with lfw-train.tar (photos of one person), facemask-train.tar (street photos), everyday-train.tar (photos of all
    /// kinds), their boxes in .csv files beside them, and negatives-train.tar and everyday-negatives.tar (photos without faces)
    #[arg(long, value_name = "DIR")]
    photos: PathBuf,
}

/// What may be in the folder.
const ARCHIVES: [&str; 5] = [
    "lfw-train.tar",
    "facemask-train.tar",
    "everyday-train.tar",
    "negatives-train.tar",
    "everyday-negatives.tar",
];

impl Photos {
    /// Declares what is read.
    pub fn declare(&self, files: &mut Files) {
        for name in ARCHIVES {
            let archive = self.photos.join(name);
            files.reads("--photos", archive.with_extension("csv"));
            files.reads("--photos", archive);
        }
    }

    /// Photos of one person, those for which `wanted` holds.
    pub fn portraits(&self, wanted: impl Fn(&Photo) -> bool) -> Result<Vec<Photo>> {
        self.read("lfw-train.tar", wanted)
    }

    /// Photos of the street.
    pub fn streets(&self, wanted: impl Fn(&Photo) -> bool) -> Result<Vec<Photo>> {
        self.read("facemask-train.tar", wanted)
    }

    /// Photos of all kinds. A close-up `egc-NAME` is cut from `eg-NAME`, so both are for the same end; photos named `wid-` have
    /// small faces without a box.
    pub fn everyday(&self, wanted: impl Fn(&Photo) -> bool) -> Result<Vec<Photo>> {
        let named = |photo: Photo| {
            let whole = match photo.name.strip_prefix("egc-") {
                Some(rest) => format!("eg-{rest}"),
                None => photo.name.clone(),
            };
            let complete = !photo.name.starts_with("wid-");
            Photo { complete, ..photo }.cut_from(&whole)
        };
        let path = self.photos.join("everyday-train.tar");
        if !path.is_file() {
            return Ok(Vec::new());
        }
        Ok(read_photos(&path)?.into_iter().map(named).filter(wanted).collect())
    }

    /// Photos without faces; faces of animals are among them.
    pub fn backgrounds(&self, wanted: impl Fn(&Photo) -> bool) -> Result<Vec<Photo>> {
        let mut photos = self.read("negatives-train.tar", &wanted)?;
        if self.photos.join("everyday-negatives.tar").is_file() {
            photos.extend(self.read("everyday-negatives.tar", &wanted)?);
        }
        Ok(photos)
    }

    fn read(&self, name: &str, wanted: impl Fn(&Photo) -> bool) -> Result<Vec<Photo>> {
        Ok(read_photos(&self.photos.join(name))?.into_iter().filter(wanted).collect())
    }
}

/// Draws the edges of a box (left, top, width, height) turned clockwise about its centre by `roll` degrees, as far as they lie
/// on the picture.
pub fn outline(picture: &mut Picture, [x, y, w, h]: [f32; 4], roll: f32, colour: [u8; 3]) {
    let (width, height) = (picture.width() as i64, picture.height() as i64);
    let pixels = picture.pixels_mut();
    let (sin, cos) = roll.to_radians().sin_cos();
    let mut dot = |across: f32, down: f32| {
        let px = (x + w / 2.0 + across * cos - down * sin).round() as i64;
        let py = (y + h / 2.0 + across * sin + down * cos).round() as i64;
        if (0..width).contains(&px) && (0..height).contains(&py) {
            let at = ((py * width + px) * 3) as usize;
            pixels[at..at + 3].copy_from_slice(&colour);
        }
    };
    let steps = (2.0 * w.max(h)).clamp(1.0, 20_000.0) as usize;
    for i in 0..=steps {
        let t = i as f32 / steps as f32 - 0.5;
        dot(t * w, -h / 2.0);
        dot(t * w, h / 2.0);
        dot(-w / 2.0, t * h);
        dot(w / 2.0, t * h);
    }
}
