//! Finds a face cascade to work with: the one moue carries, or one that is installed with OpenCV.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::Error;
use crate::cascade::{Cascade, FeatureKind};

/// Names the folders to look in first, separated as in `PATH`. The files lie in them or in their
/// subfolders `lbpcascades` and `haarcascades`.
pub const FOLDERS_VARIABLE: &str = "MOUE_CASCADES";

/// Where packages put OpenCV's data: Debian, Ubuntu, Fedora and Arch; builds from source and FreeBSD;
/// Homebrew on Apple silicon and on Intel; MacPorts; the archive for Windows and its Chocolatey package.
const FOLDERS: [&str; 12] = [
    "/usr/share/opencv4",
    "/usr/share/opencv5",
    "/usr/share/opencv",
    "/usr/local/share/opencv4",
    "/usr/local/share/opencv5",
    "/usr/local/share/opencv",
    "/opt/homebrew/share/opencv4",
    "/opt/homebrew/share/opencv5",
    "/opt/local/share/opencv4",
    "/home/linuxbrew/.linuxbrew/share/opencv4",
    "C:\\opencv\\build\\etc",
    "C:\\tools\\opencv\\build\\etc",
];

/// The face cascades of OpenCV, best first: of 400 photos of Labeled Faces in the Wild (scale factor 1.1,
/// 5 neighbours) `lbpcascade_frontalface` finds 93.5 % and `_improved`, whose boxes are also tighter, 86.5 %;
/// `haarcascade_frontalface_alt2` finds 97.8 %.
const LBP_FILES: [&str; 2] = ["lbpcascade_frontalface.xml", "lbpcascade_frontalface_improved.xml"];
const HAAR_FILES: [&str; 3] = [
    "haarcascade_frontalface_alt2.xml",
    "haarcascade_frontalface_alt.xml",
    "haarcascade_frontalface_default.xml",
];

/// A cascade and where it comes from.
#[derive(Clone, Debug, PartialEq)]
pub struct Located {
    /// The cascade.
    pub cascade: Cascade,
    /// Its origin.
    pub origin: Origin,
}

/// Where a cascade comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A file.
    File(PathBuf),
    /// moue itself: `models/lbp_face.xml`.
    Embedded,
}

/// The face cascade of this kind to use when nobody names one. For LBP it is the one moue carries, unless
/// [`FOLDERS_VARIABLE`] names a folder that has another: it finds more faces than those of OpenCV, and the same ones
/// on every machine. For Haar it is an installed one.
///
/// # Errors
/// [`Error::NoCascade`] saying how to get one, where there is none; or what is wrong with the installed file.
pub fn find(kind: FeatureKind) -> Result<Located, Error> {
    match kind {
        FeatureKind::Lbp => find_in(&named_folders(&|name| env::var_os(name)), kind),
        FeatureKind::Haar => find_in(&folders(), kind),
    }
}

/// The face cascade of this kind in these folders and their subfolders `lbpcascades` and `haarcascades`; for
/// LBP, where they have none, the one moue carries.
///
/// # Errors
/// As [`find`].
pub fn find_in(folders: &[PathBuf], kind: FeatureKind) -> Result<Located, Error> {
    match (installed_in(folders, kind), kind) {
        (Some(path), _) => Ok(Located { cascade: Cascade::read(&path)?, origin: Origin::File(path) }),
        (None, FeatureKind::Lbp) => Ok(Located { cascade: Cascade::embedded()?, origin: Origin::Embedded }),
        (None, FeatureKind::Haar) => Err(Error::NoCascade(how_to_get(kind, folders))),
    }
}

/// The folders that are looked at, in order: those of [`FOLDERS_VARIABLE`], that of an active conda
/// environment, that of `OPENCV_DIR`, and those where packages put OpenCV's data.
pub fn folders() -> Vec<PathBuf> {
    folders_from(|name| env::var_os(name))
}

/// The folders that [`FOLDERS_VARIABLE`] names.
fn named_folders(variable: &dyn Fn(&str) -> Option<OsString>) -> Vec<PathBuf> {
    let named = variable(FOLDERS_VARIABLE).unwrap_or_default();
    env::split_paths(&named).filter(|folder| !folder.as_os_str().is_empty()).collect()
}

fn folders_from(variable: impl Fn(&str) -> Option<OsString>) -> Vec<PathBuf> {
    let set = |name: &str| variable(name).filter(|value| !value.is_empty());
    let mut folders = named_folders(&variable);
    if let Some(conda) = set("CONDA_PREFIX").map(PathBuf::from) {
        folders.extend(["share/opencv4", "Library/etc"].map(|folder| conda.join(folder)));
    }
    if let Some(opencv) = set("OPENCV_DIR").map(PathBuf::from) {
        // It names `build`, or by the Windows guide `build\x64\vc16`.
        folders.extend(["etc", "../../etc"].map(|folder| opencv.join(folder)));
    }
    folders.extend(FOLDERS.map(PathBuf::from));
    folders
}

/// The best face cascade of a kind in the first of these folders that has one.
pub fn installed_in(folders: &[PathBuf], kind: FeatureKind) -> Option<PathBuf> {
    let (files, subfolder): (&[&str], _) = match kind {
        FeatureKind::Lbp => (&LBP_FILES, "lbpcascades"),
        FeatureKind::Haar => (&HAAR_FILES, "haarcascades"),
    };
    let places = |folder: &PathBuf| [folder.join(subfolder), folder.clone()];
    let best = |folder: PathBuf| files.iter().map(|file| folder.join(file)).find(|path| path.is_file());
    folders.iter().flat_map(places).find_map(best)
}

fn how_to_get(kind: FeatureKind, folders: &[PathBuf]) -> String {
    let (name, file) = match kind {
        FeatureKind::Lbp => ("LBP", LBP_FILES[0]),
        FeatureKind::Haar => ("Haar", HAAR_FILES[0]),
    };
    let looked: Vec<_> =
        folders.iter().filter(|folder| folder.is_dir()).map(|folder| shown(folder)).collect();
    let looked = if looked.is_empty() {
        "no OpenCV folder exists".to_owned()
    } else {
        format!("looked in {}", looked.join(", "))
    };
    format!(
        "no {name} face cascade is installed ({looked}). Install OpenCV's data (Debian, Ubuntu: apt install opencv-data; \
         Fedora: dnf install opencv; Arch: pacman -S opencv; macOS: brew install opencv), or name a file with --cascade, \
         for instance {file}, or a folder in {FOLDERS_VARIABLE}, or do without: --detector none takes the whole picture \
         as one face"
    )
}

fn shown(folder: &Path) -> String {
    folder.display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variable_comes_first_and_may_name_several_folders() {
        let joined = env::join_paths(["/a", "/b c"]).unwrap();
        let folders = folders_from(|name| (name == FOLDERS_VARIABLE).then(|| joined.clone()));
        assert_eq!(folders[..2], [PathBuf::from("/a"), PathBuf::from("/b c")]);
        assert_eq!(folders[2..], FOLDERS.map(PathBuf::from));
        assert_eq!(folders_from(|_| Some(OsString::new())), FOLDERS.map(PathBuf::from));
    }

    #[test]
    fn the_best_file_is_taken_from_the_folder_or_its_subfolder() {
        let folder = tempfile::tempdir().unwrap();
        let folders = [folder.path().join("absent"), folder.path().to_owned()];
        assert_eq!(installed_in(&folders, FeatureKind::Haar), None);
        let plain = folder.path().join(HAAR_FILES[2]);
        std::fs::write(&plain, "").unwrap();
        assert_eq!(installed_in(&folders, FeatureKind::Haar), Some(plain));
        std::fs::create_dir(folder.path().join("haarcascades")).unwrap();
        let better = folder.path().join("haarcascades").join(HAAR_FILES[0]);
        std::fs::write(&better, "").unwrap();
        assert_eq!(installed_in(&folders, FeatureKind::Haar), Some(better.clone()));
        assert_eq!(installed_in(&folders, FeatureKind::Lbp), None);
        // A broken installed file is an error, not a reason to take something else.
        let error = find_in(&folders, FeatureKind::Haar).unwrap_err();
        assert!(error.to_string().starts_with(&better.display().to_string()), "{error}");
    }

    #[test]
    fn without_any_the_message_says_how_to_get_one() {
        let error = find_in(&[PathBuf::from("/nowhere")], FeatureKind::Haar).unwrap_err().to_string();
        for wanted in ["Haar", "apt install opencv-data", "--cascade", "--detector none", FOLDERS_VARIABLE] {
            assert!(error.contains(wanted), "{error}");
        }
        let located = find_in(&[PathBuf::from("/nowhere")], FeatureKind::Lbp).unwrap();
        assert_eq!(located.origin, Origin::Embedded);
        assert_eq!(located.cascade.kind(), FeatureKind::Lbp);
    }
}
