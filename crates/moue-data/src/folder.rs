//! Folders of pictures, a folder per class.

use std::fs;
use std::path::{Path, PathBuf};

use moue_media::{Found, Grey};
use rayon::prelude::*;

use crate::{
    Dataset, Error, Labels, OnError, ReadOptions, Reading, Result, RowError, Usage, WrongRows, emotion_named,
};

/// Pictures decoded before they are joined in order.
const BATCH: usize = 1024;

/// Largest side that pictures are resized to.
const MAX_SIDE: u32 = 1024;

/// Reads a folder as [`crate::read`] describes.
pub(crate) fn read(root: &Path, options: &ReadOptions) -> Result<Reading> {
    if !(1..=MAX_SIDE).contains(&options.side) {
        return Err(Error::Argument(format!("pictures of side {}, expected 1 to {MAX_SIDE}", options.side)));
    }
    let classes = class_folders(root)?;
    let labels = if classes.iter().any(|class| class.emotion == "contempt") {
        Labels::with_contempt()
    } else {
        Labels::fer2013()
    };
    let mut wrong = WrongRows::default();
    let mut refuse = |error: RowError| match options.on_error {
        OnError::Strict => Err(Error::Row(error)),
        OnError::Collect => {
            wrong.push(error, options.max_described);
            Ok(())
        }
    };
    let mut entries = Vec::new();
    for class in &classes {
        // Every name in a list of folders has been looked up among the emotions.
        let Some(label) = labels.find(class.emotion) else { continue };
        let Found { pictures, failures, .. } = moue_media::find_pictures(std::slice::from_ref(&class.path));
        for failure in failures {
            refuse(row_error(&class.path, &failure))?;
        }
        entries.extend(pictures.into_iter().map(|path| (path, label, class.usage)));
        let max = options.limits.max_rows;
        if entries.len() as u64 > u64::from(max) {
            return Err(Error::limit(root.display().to_string(), format!("more than {max} pictures")));
        }
    }
    if entries.is_empty() {
        return Err(Error::file(root.display().to_string(), "no pictures in the folders of the classes"));
    }
    let mut dataset = Dataset::new(root.display().to_string(), labels, options.side);
    for batch in entries.chunks(BATCH) {
        let pictures: Vec<_> =
            batch.par_iter().map(|(path, _, _)| read_picture(path, options).map_err(Box::new)).collect();
        for ((path, label, usage), picture) in batch.iter().zip(pictures) {
            match picture {
                Ok(picture) => dataset.append_picture(picture.pixels(), *label, *usage, path.clone()),
                Err(error) => refuse(row_error(path, &error))?,
            }
        }
    }
    dataset.finish(0);
    Ok(Reading { dataset, wrong })
}

fn read_picture(path: &Path, options: &ReadOptions) -> Result<Grey, moue_media::Error> {
    let picture = moue_media::read_grey(path, &options.limits.picture)?;
    if (picture.width(), picture.height()) == (options.side, options.side) {
        return Ok(picture);
    }
    picture.resized(options.side, options.side)
}

/// The error's message names the file already, as other rows' do by their own field.
fn row_error(path: &Path, error: &moue_media::Error) -> RowError {
    let file = path.display().to_string();
    let message = error.to_string();
    let reason = message.strip_prefix(&file).and_then(|rest| rest.strip_prefix(": ")).unwrap_or(&message);
    RowError { reason: reason.to_owned(), file, line: None }
}

struct ClassFolder {
    path: PathBuf,
    emotion: &'static str,
    usage: Usage,
}

/// What a folder below the root is called by.
enum Part {
    Of(Usage),
    /// `test`: its meaning depends on whether there is a folder for validation.
    Test,
}

fn part_named(name: &str) -> Option<Part> {
    match name.to_ascii_lowercase().as_str() {
        "training" | "train" => Some(Part::Of(Usage::Training)),
        "publictest" | "val" | "valid" | "validation" => Some(Part::Of(Usage::PublicTest)),
        "privatetest" => Some(Part::Of(Usage::PrivateTest)),
        "test" => Some(Part::Test),
        _ => None,
    }
}

/// Folders of classes in the order of parts and classes, those of one class sorted by name.
fn class_folders(root: &Path) -> Result<Vec<ClassFolder>> {
    let folders = folders_in(root)?;
    if folders.is_empty() {
        return Err(Error::file(root.display().to_string(), no_folders(root)));
    }
    let mut classes = Vec::new();
    if folders.iter().any(|(_, name)| part_named(name).is_some()) {
        let parts: Vec<_> = folders.iter().map(|(path, name)| (path, part_named(name))).collect();
        let validation = parts.iter().any(|(_, part)| matches!(part, Some(Part::Of(Usage::PublicTest))));
        for (path, part) in parts {
            let usage = match part {
                Some(Part::Of(usage)) => usage,
                Some(Part::Test) if validation => Usage::PrivateTest,
                Some(Part::Test) => Usage::PublicTest,
                None => {
                    let expected =
                        "expected Training, PublicTest, PrivateTest, train, validation or test as beside it";
                    return Err(Error::file(
                        path.display().to_string(),
                        format!("unknown folder, {expected}"),
                    ));
                }
            };
            classes_in(folders_in(path)?, usage, &mut classes)?;
        }
    } else {
        classes_in(folders, Usage::Training, &mut classes)?;
    }
    let order = Labels::with_contempt();
    classes.sort_by_key(|class| (class.usage, order.find(class.emotion)));
    Ok(classes)
}

fn classes_in(folders: Vec<(PathBuf, String)>, usage: Usage, classes: &mut Vec<ClassFolder>) -> Result<()> {
    for (path, name) in folders {
        let Some(emotion) = emotion_named(&name) else {
            let names = Labels::with_contempt().names().join(", ");
            let reason =
                format!("the folder's name is no emotion, expected {names}, or 0 to 6 as in FER2013");
            return Err(Error::file(path.display().to_string(), reason));
        };
        classes.push(ClassFolder { path, emotion, usage });
    }
    Ok(())
}

/// Folders right below, with their names, sorted; hidden ones and macOS's `__MACOSX` are passed over.
fn folders_in(path: &Path) -> Result<Vec<(PathBuf, String)>> {
    let io = |source| Error::io(path, source);
    let mut folders = Vec::new();
    for entry in fs::read_dir(path).map_err(io)? {
        let entry = entry.map_err(io)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        // Follows links, which people use to put a dataset together.
        let is_folder = fs::metadata(entry.path()).is_ok_and(|metadata| metadata.is_dir());
        if is_folder && !name.starts_with('.') && name != "__MACOSX" {
            folders.push((entry.path(), name));
        }
    }
    folders.sort();
    Ok(folders)
}

fn no_folders(root: &Path) -> &'static str {
    if root.join("fer2013.csv").is_file() {
        "no folders of classes here, but there is fer2013.csv: name that file instead"
    } else {
        "no folders here, expected one per class (angry, disgust, …) or Training and PublicTest with those in them"
    }
}
