//! Photos with face boxes, as the commands of `moue detector` take them, and boxes drawn on pictures.

use std::path::PathBuf;

use clap::Args;
use moue_media::Picture;

/// A folder of tar files, each with a CSV of boxes (`file,x,y,w,h,ignore`) of the same name beside it.
#[derive(Clone, Debug, Args)]
pub struct Photos {
    /// Folder with lfw-train.tar (photos of one person), facemask-train.tar (street photos), their boxes in .csv files
    /// beside them, and negatives-train.tar (photos without faces)
    #[arg(long, value_name = "DIR")]
    photos: PathBuf,
}

impl Photos {
    pub fn portraits(&self) -> PathBuf {
        self.photos.join("lfw-train.tar")
    }

    pub fn streets(&self) -> PathBuf {
        self.photos.join("facemask-train.tar")
    }

    pub fn backgrounds(&self) -> PathBuf {
        self.photos.join("negatives-train.tar")
    }
}

/// Draws the edges of a box (left, top, width, height), as far as they lie on the picture.
pub fn outline(picture: &mut Picture, [x, y, w, h]: [f32; 4], colour: [u8; 3]) {
    let (width, height) = (picture.width() as i64, picture.height() as i64);
    let [left, top, right, bottom] = [x, y, x + w - 1.0, y + h - 1.0].map(|v| v.round() as i64);
    let pixels = picture.pixels_mut();
    let mut dot = |x: i64, y: i64| {
        if (0..width).contains(&x) && (0..height).contains(&y) {
            let at = ((y * width + x) * 3) as usize;
            pixels[at..at + 3].copy_from_slice(&colour);
        }
    };
    for x in left.max(0)..=right.min(width) {
        dot(x, top);
        dot(x, bottom);
    }
    for y in top.max(0)..=bottom.min(height) {
        dot(left, y);
        dot(right, y);
    }
}
