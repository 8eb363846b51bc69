//! Folders of pictures, a folder per class.

use std::fs;
use std::path::{Path, PathBuf};

use moue_media::{Found, Grey};
use rayon::prelude::*;

use crate::{
    Dataset, Error, Labels, Numbering, OnError, ReadOptions, Reading, Result, RowError, Usage, WrongRows,
    emotion_named,
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
    let classes = class_folders(root, options.numbering)?;
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

/// A folder of pictures whose name has not been looked up yet.
struct Unread {
    path: PathBuf,
    name: String,
    usage: Usage,
}

/// What a folder is called by.
enum Part {
    Of(Usage),
    /// `test`: its meaning depends on whether there is a folder for validation.
    Test,
}

/// Which part a name means, in whatever way it is spelled.
fn part_named(name: &str) -> Option<Part> {
    let word: String =
        name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    // FER+ calls its folders FER2013Train, FER2013Valid and FER2013Test.
    let mut word = ["fer2013", "ferplus"].iter().find_map(|head| word.strip_prefix(head)).unwrap_or(&word);
    while let Some(rest) =
        ["set", "data", "images", "split", "only"].iter().find_map(|end| word.strip_suffix(end))
    {
        word = rest;
    }
    match word {
        "training" | "train" => Some(Part::Of(Usage::Training)),
        "publictest" | "val" | "valid" | "validation" | "validate" | "dev" => {
            Some(Part::Of(Usage::PublicTest))
        }
        "privatetest" => Some(Part::Of(Usage::PrivateTest)),
        "test" | "testing" => Some(Part::Test),
        _ => None,
    }
}

/// The emotion that a folder is called by: its name, or a name after a number, as in `0_angry` or `1 - disgust`.
fn class_named(name: &str) -> Option<&'static str> {
    let word = name.trim_start_matches(|c: char| c.is_ascii_digit() || matches!(c, '_' | '-' | '.' | ' '));
    if is_number(name) { None } else { emotion_named(word) }
}

fn is_number(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_digit())
}

/// Folders within folders that are entered where each is alone, as archives are unpacked.
const MAX_NESTED: usize = 4;

/// Folders of classes in the order of parts and classes, those of one class sorted by name.
fn class_folders(root: &Path, numbering: Option<Numbering>) -> Result<Vec<ClassFolder>> {
    let (root, folders) = entered(root)?;
    let root = root.as_path();
    if folders.is_empty() {
        return Err(Error::file(root.display().to_string(), no_folders(root)));
    }
    let mut unread = Vec::new();
    let mut numbering = numbering;
    if folders.iter().any(|(_, name)| part_named(name).is_some()) {
        let validation = has_validation(&folders);
        for (path, name) in &folders {
            if part_named(name).is_none() && is_copy(path, &folders)? {
                continue;
            }
            let Some(part) = part_named(name) else {
                let expected =
                    "expected Training, PublicTest, PrivateTest, train, validation or test as beside it";
                return Err(Error::file(path.display().to_string(), format!("unknown folder, {expected}")));
            };
            let classes = folders_in(path)?;
            if classes.is_empty() && path.join("label.csv").is_file() {
                return Err(Error::file(path.display().to_string(), FERPLUS_FOLDER));
            }
            unread.extend(unread_of(classes, part.usage(validation)));
        }
        // Nobody else calls a part so, and whoever does means FER2013's numbers, too.
        let own =
            |name: &str| name.eq_ignore_ascii_case("PublicTest") || name.eq_ignore_ascii_case("PrivateTest");
        if folders.iter().any(|(_, name)| own(name)) {
            numbering = numbering.or(Some(Numbering::Fer2013));
        }
    } else {
        unread.extend(unread_of(folders, own_part(root)));
    }
    let mut classes = named(root, unread, numbering)?;
    let order = Labels::with_contempt();
    classes.sort_by_key(|class| (class.usage, order.find(class.emotion)));
    Ok(classes)
}

/// FER+ as its authors publish it; its pictures are those of FER2013.
const FERPLUS_FOLDER: &str = "this is FER+'s own layout, a label.csv beside pictures: name fer2013.csv, and FER+'s \
                              fer2013new.csv with --ferplus, which have the same pictures and votes";

impl Part {
    fn usage(&self, validation: bool) -> Usage {
        match self {
            Self::Of(usage) => *usage,
            Self::Test if validation => Usage::PrivateTest,
            Self::Test => Usage::PublicTest,
        }
    }
}

/// Whether a folder holds the same parts as the one it lies in: a well-known archive unpacks to `images/train` and, once more,
/// `images/images/train`.
fn is_copy(path: &Path, beside: &[(PathBuf, String)]) -> Result<bool> {
    let parts = |folders: &[(PathBuf, String)]| -> Vec<String> {
        folders.iter().map(|(_, name)| name.clone()).filter(|name| part_named(name).is_some()).collect()
    };
    let inner = folders_in(path)?;
    Ok(!inner.is_empty() && parts(&inner).len() == inner.len() && parts(&inner) == parts(beside))
}

fn has_validation(folders: &[(PathBuf, String)]) -> bool {
    folders.iter().any(|(_, name)| matches!(part_named(name), Some(Part::Of(Usage::PublicTest))))
}

/// Which part a folder is by its own name, where its classes lie right below it.
fn own_part(root: &Path) -> Usage {
    let Ok(root) = fs::canonicalize(root) else { return Usage::Training };
    let name = root.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let beside = root.parent().map(folders_in).and_then(Result::ok).unwrap_or_default();
    part_named(name).map_or(Usage::Training, |part| part.usage(has_validation(&beside)))
}

/// The folder that the parts or classes lie in, and the folders there.
fn entered(root: &Path) -> Result<(PathBuf, Vec<(PathBuf, String)>)> {
    let mut root = root.to_owned();
    let mut folders = folders_in(&root)?;
    for _ in 0..MAX_NESTED {
        let [(only, name)] = folders.as_slice() else { break };
        if part_named(name).is_some() || class_named(name).is_some() || is_number(name) {
            break;
        }
        let inner = folders_in(only)?;
        if inner.is_empty() {
            break;
        }
        (root, folders) = (only.clone(), inner);
    }
    Ok((root, folders))
}

fn unread_of(folders: Vec<(PathBuf, String)>, usage: Usage) -> impl Iterator<Item = Unread> {
    folders.into_iter().map(move |(path, name)| Unread { path, name, usage })
}

/// Looks up what the folders are called by.
fn named(root: &Path, folders: Vec<Unread>, numbering: Option<Numbering>) -> Result<Vec<ClassFolder>> {
    let numbers = folders.iter().filter(|folder| is_number(&folder.name)).count();
    if numbers > 0 && numbers == folders.len() && numbering.is_none() {
        return Err(Error::file(root.display().to_string(), ASK_WHOSE));
    }
    let emotion = |folder: Unread| {
        let by_number = numbering.and_then(|numbering| numbering.emotion(&folder.name));
        let Some(emotion) = class_named(&folder.name).or(by_number) else {
            let names = Labels::with_contempt().names().join(", ");
            let numbers = match numbering {
                Some(numbering) => numbering.range(),
                None => "numbers with --class-numbers".to_owned(),
            };
            let reason = format!("the folder's name is no emotion, expected {names}, or {numbers}");
            return Err(Error::file(folder.path.display().to_string(), reason));
        };
        Ok(ClassFolder { path: folder.path, emotion, usage: folder.usage })
    };
    folders.into_iter().map(emotion).collect()
}

/// The same number is another emotion in each dataset, and none is more likely.
const ASK_WHOSE: &str = "the folders are called by numbers, and datasets number emotions differently (0 is angry in FER2013 \
                         and neutral in AffectNet; RAF-DB begins with 1 for surprise): say whose they are with \
                         --class-numbers fer2013, ckplus, affectnet or raf-db";

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
