//! Photos with face boxes: a tar file of pictures and a CSV of boxes beside it.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use moue_media::{Grey, Limits, decode_grey};
use rayon::prelude::*;

use crate::Error;

/// Most bytes of one packed picture.
const MAX_PICTURE_BYTES: u64 = 32 << 20;

/// Most bytes of all pictures of a file, unpacked to grey.
const MAX_TOTAL_PIXELS: usize = 4 << 30;

/// A box somebody drew, in pixels of the photo.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LabelledBox {
    /// Left edge.
    pub x: f32,
    /// Upper edge.
    pub y: f32,
    /// Width.
    pub width: f32,
    /// Height.
    pub height: f32,
    /// Neither a face that must be found nor background.
    pub ignore: bool,
}

/// What a photo is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Six in eight: weights are learnt from them.
    Training,
    /// One in eight: settings are chosen on them, such as thresholds and the curve of the scores.
    Calibration,
    /// One in eight: the result is measured on them, and nothing is chosen.
    HeldOut,
}

/// A photo and its boxes.
#[derive(Clone, Debug, PartialEq)]
pub struct Photo {
    /// Name of its file.
    pub name: String,
    /// FNV-1a hash of the packed bytes, or of the name of what it was cut from.
    pub hash: u64,
    /// Its pixels.
    pub picture: Grey,
    /// Its boxes.
    pub boxes: Vec<LabelledBox>,
    /// Whether every face has a box; true unless the caller knows better.
    pub complete: bool,
}

impl Photo {
    /// The photo, divided by the name of what it was cut from instead of its bytes, so that both serve the same end.
    pub fn cut_from(mut self, name: &str) -> Self {
        self.hash = fnv(name.as_bytes());
        self
    }

    /// What it is for. Chosen by the bytes of its file, so that copies under other names serve the same end, or by the
    /// name of what it was [cut from](Self::cut_from).
    pub fn part(&self) -> Part {
        match self.hash % 8 {
            0 => Part::HeldOut,
            1 => Part::Calibration,
            _ => Part::Training,
        }
    }
}

/// Reads the pictures of a tar file, in the order of their names, and the boxes in the file of the same name that
/// ends in `.csv`, if there is one. Its columns are found by the names `file`, `x`, `y`, `w`, `h` and `ignore` (1:
/// neither face nor background); others are passed over.
///
/// # Errors
/// [`Error::Io`] where a file cannot be read, [`Error::Data`] where the table is none or names a photo that is not
/// there, [`Error::Media`] where a picture is none.
pub fn read_photos(archive: &Path) -> Result<Vec<Photo>, Error> {
    let io = |source| Error::Io { path: archive.to_owned(), source };
    let mut packed = Vec::new();
    for entry in tar::Archive::new(BufReader::new(File::open(archive).map_err(io)?)).entries().map_err(io)? {
        let entry = entry.map_err(io)?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let name = entry.path().map_err(io)?.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut bytes = Vec::new();
        entry.take(MAX_PICTURE_BYTES + 1).read_to_end(&mut bytes).map_err(io)?;
        if bytes.len() as u64 > MAX_PICTURE_BYTES {
            let what = format!("{name} is larger than {} MB", MAX_PICTURE_BYTES >> 20);
            return Err(Error::Data { file: archive.display().to_string(), line: None, what });
        }
        packed.push((name, bytes));
    }
    packed.sort();
    let table = archive.with_extension("csv");
    let mut boxes = if table.is_file() {
        let bytes = std::fs::read(&table).map_err(|source| Error::Io { path: table.clone(), source })?;
        let name = table.display().to_string();
        let text = moue_files::text::decode(&bytes).map_err(|e| Error::Data {
            file: name.clone(),
            line: None,
            what: e.to_string(),
        })?;
        read_boxes(text, &name)?
    } else {
        HashMap::new()
    };
    let mut photos = packed
        .into_par_iter()
        .map(|(name, bytes)| {
            let hash = fnv(&bytes);
            let picture = decode_grey(&bytes, &name, &Limits::default())?;
            Ok(Photo { name, hash, picture, boxes: Vec::new(), complete: true })
        })
        .collect::<Result<Vec<_>, Error>>()?;
    if photos.iter().map(|p| p.picture.pixels().len()).sum::<usize>() > MAX_TOTAL_PIXELS {
        let what = "holds more than 4 gigapixels".to_owned();
        return Err(Error::Data { file: archive.display().to_string(), line: None, what });
    }
    for photo in &mut photos {
        photo.boxes = boxes.remove(&photo.name).unwrap_or_default();
    }
    if let Some(name) = boxes.keys().min() {
        let what = format!("{name} has boxes, but is not in {}", archive.display());
        return Err(Error::Data { file: table.display().to_string(), line: None, what });
    }
    Ok(photos)
}

/// FNV-1a (Fowler, Noll and Vo).
fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |h, &b| (h ^ u64::from(b)).wrapping_mul(0x100_0000_01b3))
}

fn read_boxes(text: &str, file: &str) -> Result<HashMap<String, Vec<LabelledBox>>, Error> {
    let fault =
        |line: usize, what: String| Error::Data { file: file.to_owned(), line: Some(line as u32 + 1), what };
    let mut lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let (at, header) = lines.next().ok_or_else(|| fault(0, "empty; expected a table of boxes".to_owned()))?;
    let names: Vec<&str> = header.split(',').map(str::trim).collect();
    let column = |name: &str| {
        let place = names.iter().position(|n| *n == name);
        place.ok_or_else(|| fault(at, format!("has no column {name}; expected file,x,y,w,h,ignore")))
    };
    let [name, x, y, w, h, ignore] =
        [column("file")?, column("x")?, column("y")?, column("w")?, column("h")?, column("ignore")?];
    let mut boxes: HashMap<String, Vec<LabelledBox>> = HashMap::new();
    for (line, row) in lines {
        let fields: Vec<&str> = row.split(',').map(str::trim).collect();
        let field = |at: usize| fields.get(at).copied().unwrap_or_default();
        let number = |at: usize| {
            let value = field(at).parse::<f32>().ok().filter(|v| v.is_finite() && v.abs() < 1e6);
            value.ok_or_else(|| {
                fault(line, format!("{} is {:?}, not a number of pixels", names[at], field(at)))
            })
        };
        let labelled = LabelledBox {
            x: number(x)?,
            y: number(y)?,
            width: number(w)?,
            height: number(h)?,
            ignore: match field(ignore) {
                "0" => false,
                "1" => true,
                other => return Err(fault(line, format!("ignore is {other:?}, not 0 or 1"))),
            },
        };
        if !(labelled.width > 0.0 && labelled.height > 0.0) {
            return Err(fault(line, "a box has a width and a height above 0".to_owned()));
        }
        boxes.entry(field(name).to_owned()).or_default().push(labelled);
    }
    Ok(boxes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boxes_are_read_by_the_names_of_their_columns() {
        let text = "label,file,ignore,h,w,y,x\nmask,a.jpg,1,4,3,2,1\n\nnone,a.jpg,0,8,7,6,5.5\n";
        let boxes = read_boxes(text, "t.csv").unwrap();
        let expected = [
            LabelledBox { x: 1.0, y: 2.0, width: 3.0, height: 4.0, ignore: true },
            LabelledBox { x: 5.5, y: 6.0, width: 7.0, height: 8.0, ignore: false },
        ];
        assert_eq!(boxes["a.jpg"], expected);
    }

    #[test]
    fn a_wrong_table_is_named_by_line() {
        for (text, wanted) in [
            ("", "t.csv:1: empty"),
            ("file,x,y,w,h\n", "t.csv:1: has no column ignore"),
            ("file,x,y,w,h,ignore\na,1,2,three,4,0\n", "t.csv:2: w is \"three\""),
            ("file,x,y,w,h,ignore\na,1,2,3,4,yes\n", "t.csv:2: ignore is \"yes\""),
            ("file,x,y,w,h,ignore\na,1,2,0,4,0\n", "t.csv:2: a box has"),
            ("file,x,y,w,h,ignore\na,1\n", "t.csv:2: y is \"\""),
        ] {
            let error = read_boxes(text, "t.csv").unwrap_err().to_string();
            assert!(error.starts_with(wanted), "{error}");
        }
    }
}
