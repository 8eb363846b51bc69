//! What a command reads and what it writes, declared before anything is opened or computed.
//!
//! No output may fall on an input, on another output, or into a data set, however its path is spelled. Every command that
//! writes files says so here, each with the flag it is from, and [checks](Files::check) it first.

mod place;

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use moue_media::{is_own_output, is_picture_path};

use crate::failure::{Failure, Result};
use crate::text::path as shown;
pub use place::{Identity, Place};

/// The files of one command.
#[derive(Debug, Default)]
pub struct Files {
    inputs: Vec<Named>,
    folders: Vec<Folder>,
    outputs: Vec<Named>,
    made: Vec<Named>,
}

/// A path as it was given.
#[derive(Debug)]
struct Named {
    /// The flag, or what the help calls an argument without one.
    flag: &'static str,
    path: PathBuf,
}

/// A folder whose files are read.
#[derive(Debug)]
struct Folder {
    named: Named,
    /// Which of the files.
    holds: fn(&Path) -> bool,
    /// Whether a picture that is added below would be read the next time.
    data: bool,
}

impl Files {
    /// Declares a file that is read. `-` is standard input, and no file.
    pub fn reads(&mut self, flag: &'static str, path: impl AsRef<Path>) {
        let path = path.as_ref();
        if path != Path::new("-") {
            self.inputs.push(Named { flag, path: path.to_owned() });
        }
    }

    /// As [`reads`](Self::reads), where the flag was given.
    pub fn reads_any<P: AsRef<Path>>(&mut self, flag: &'static str, paths: impl IntoIterator<Item = P>) {
        paths.into_iter().for_each(|path| self.reads(flag, path));
    }

    /// Declares pictures that are read: a file, or a folder with all pictures below it.
    pub fn reads_pictures(&mut self, flag: &'static str, path: &Path) {
        self.reads_folder(flag, path, is_input_picture, false);
    }

    /// Declares a data set that is read: a file, or a folder of pictures.
    pub fn reads_data(&mut self, flag: &'static str, path: &Path) {
        self.reads_folder(flag, path, is_input_picture, true);
    }

    /// Declares a network that is read: a file, or a folder with its parts; `model.json` has its parts beside it.
    pub fn reads_model(&mut self, flag: &'static str, path: &Path) {
        self.reads_folder(flag, path, |_| true, false);
        if path.extension().is_some_and(|e| e == "json") {
            let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
            let is_part = |path: &Path| path.extension().is_some_and(|e| e == "bin");
            self.reads_folder(flag, folder, is_part, false);
        }
    }

    fn reads_folder(&mut self, flag: &'static str, path: &Path, holds: fn(&Path) -> bool, data: bool) {
        if path.is_dir() {
            let named = Named { flag, path: path.to_owned() };
            self.folders.push(Folder { named, holds, data });
        } else {
            self.reads(flag, path);
        }
    }

    /// Declares a file that is written, also one that is named after a flag's value.
    pub fn writes(&mut self, flag: &'static str, path: impl AsRef<Path>) {
        self.outputs.push(Named { flag, path: path.as_ref().to_owned() });
    }

    /// Declares a folder that files are written into.
    pub fn makes(&mut self, flag: &'static str, folder: impl AsRef<Path>) {
        self.made.push(Named { flag, path: folder.as_ref().to_owned() });
    }

    /// Refuses outputs that would replace an input or each other.
    ///
    /// # Errors
    /// [`Failure::Refused`] naming both flags. Nothing was opened for writing.
    pub fn check(&self) -> Result<()> {
        let outputs = located(&self.outputs);
        for (named, place) in &outputs {
            if let Some(input) = self.inputs.iter().find(|input| Place::of(&input.path).is_same(place)) {
                return Err(refused(format!(
                    "{named} would replace {}, which is read; name another file",
                    input.quoted()
                )));
            }
        }
        let made = located(&self.made);
        for (i, (named, place)) in outputs.iter().enumerate() {
            let later = outputs[i + 1..].iter().find(|(_, other)| other.is_same(place));
            if let Some((other, _)) = later {
                return Err(refused(format!("{named} and {other} are the same file; give each its own")));
            }
            let others = made.iter().chain(&outputs);
            if let Some((folder, _)) = others.into_iter().find(|(_, other)| other.is_in_or_at(place))
                && !std::ptr::eq(*folder, *named)
            {
                return Err(refused(format!(
                    "{named} is to be a file, and {folder} needs a folder there; give each its own place"
                )));
            }
        }
        self.folders.iter().try_for_each(|folder| folder.check(&outputs))
    }
}

impl Folder {
    fn check(&self, outputs: &[(&Named, Place)]) -> Result<()> {
        // Those that are no files yet can replace nothing.
        let there: Vec<_> = outputs.iter().filter(|(_, place)| place.is_file()).collect();
        if !there.is_empty() {
            let read = self.files();
            if let Some((named, _)) = there.iter().find(|(_, place)| read.contains(place.identity())) {
                return Err(refused(format!(
                    "{named} would replace a file in {}, which is read; name another file",
                    self.named.quoted()
                )));
            }
        }
        let Ok(root) = fs::canonicalize(&self.named.path) else { return Ok(()) };
        for (named, place) in outputs.iter().filter(|(named, _)| self.data && is_input_picture(&named.path)) {
            // A picture in a folder of the data set is an example the next time.
            if place.path().parent().is_some_and(|folder| folder != root && folder.starts_with(&root)) {
                return Err(refused(format!(
                    "{named} would become a part of the data in {}; name another place",
                    self.named.quoted()
                )));
            }
        }
        Ok(())
    }

    /// What is read, links followed.
    fn files(&self) -> HashSet<Identity> {
        let mut read = HashSet::new();
        let (mut seen, mut left) = (HashSet::new(), vec![self.named.path.clone()]);
        while let Some(folder) = left.pop() {
            // What cannot be listed cannot be read either, and whoever reads it says so.
            for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
                let place = Place::of(&entry.path());
                if place.is_folder() {
                    if seen.insert(place.identity().clone()) {
                        left.push(entry.path());
                    }
                } else if (self.holds)(&entry.path()) {
                    read.insert(place.identity().clone());
                }
            }
        }
        read
    }
}

impl Named {
    fn quoted(&self) -> String {
        format!("{} ({})", shown(&self.path), self.flag)
    }
}

impl std::fmt::Display for Named {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.flag, shown(&self.path))
    }
}

fn located(named: &[Named]) -> Vec<(&Named, Place)> {
    named.iter().map(|named| (named, Place::of(&named.path))).collect()
}

fn is_input_picture(path: &Path) -> bool {
    is_picture_path(path) && !is_own_output(path)
}

fn refused(reason: String) -> Failure {
    Failure::Refused(reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The reason, or nothing where all is well.
    fn reason(declare: impl Fn(&mut Files)) -> String {
        let mut files = Files::default();
        declare(&mut files);
        match files.check() {
            Ok(()) => String::new(),
            Err(Failure::Refused(reason)) => reason,
            Err(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_output_never_falls_on_an_input() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("clip.mp4"), "film").unwrap();
        fs::create_dir(at("sub")).unwrap();
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink("clip.mp4", at("link.mp4")).unwrap();
            std::os::unix::fs::symlink(".", at("here")).unwrap();
        }
        fs::hard_link(at("clip.mp4"), at("hard.mp4")).unwrap();
        let mut spellings = vec!["clip.mp4", "./clip.mp4", "sub/../clip.mp4", "hard.mp4"];
        if cfg!(unix) {
            spellings.extend(["link.mp4", "here/clip.mp4", "here/here/hard.mp4"]);
        }
        for spelled in spellings {
            let reason = reason(|files| {
                files.reads("PATH", at("clip.mp4"));
                files.writes("--csv", at(spelled));
            });
            assert!(reason.contains("--csv") && reason.contains("(PATH)"), "{spelled}: {reason:?}");
            assert!(!reason.contains('\n'));
        }
        let other = reason(|files| {
            files.reads("PATH", at("clip.mp4"));
            files.writes("--csv", at("clip.csv"));
        });
        assert_eq!(other, "");
    }

    #[test]
    fn outputs_do_not_fall_on_each_other_even_where_nothing_is_yet() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(".", at("here")).unwrap();
            std::os::unix::fs::symlink("a.jsonl", at("dangling")).unwrap();
        }
        let mut spellings = vec!["a.jsonl", "./a.jsonl", "new/../a.jsonl"];
        if cfg!(unix) {
            spellings.extend(["here/a.jsonl", "dangling"]);
        }
        for spelled in spellings {
            let reason = reason(|files| {
                files.writes("--out", at("a.jsonl"));
                files.writes("--csv", at(spelled));
            });
            assert!(reason.contains("--csv") && reason.contains("--out"), "{spelled}: {reason:?}");
        }
        let folder_there = reason(|files| {
            files.writes("--csv", at("out"));
            files.makes("--report", at("out"));
            files.writes("--report", at("out/report.html"));
        });
        assert!(folder_there.contains("--csv") && folder_there.contains("--report"), "{folder_there:?}");
        let apart = reason(|files| {
            files.writes("--csv", at("out.csv"));
            files.makes("--report", at("out"));
            files.writes("--report", at("out/report.html"));
            files.writes("--report", at("out/people.csv"));
        });
        assert_eq!(apart, "");
    }

    #[cfg(unix)]
    #[test]
    fn devices_are_no_files() {
        let reason = reason(|files| {
            files.reads("RECORDS", "/dev/stdin");
            files.writes("--out", "/dev/null");
            files.writes("--csv", "/dev/null");
        });
        assert_eq!(reason, "");
    }

    #[test]
    fn data_sets_keep_their_pictures_and_get_none() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir_all(at("faces/happy")).unwrap();
        fs::create_dir_all(at("elsewhere")).unwrap();
        fs::write(at("faces/happy/a.png"), "a").unwrap();
        fs::write(at("elsewhere/b.png"), "b").unwrap();
        fs::hard_link(at("faces/happy/a.png"), at("hard.png")).unwrap();
        let mut refused = vec!["faces/happy/a.png", "faces/happy/new.png", "hard.png"];
        if cfg!(unix) {
            #[cfg(unix)]
            std::os::unix::fs::symlink(at("elsewhere"), at("faces/sad")).unwrap();
            refused.push("elsewhere/b.png");
        }
        let sheet = |name: &str| {
            reason(|files| {
                files.reads_data("PATH", &at("faces"));
                files.writes("--sheet", at(name));
            })
        };
        for name in refused {
            let reason = sheet(name);
            assert!(reason.contains("--sheet") && reason.contains("(PATH)"), "{name}: {reason:?}");
        }
        for name in ["sheet.png", "faces/sheet.png", "faces/happy/a.moue.jpg", "faces/happy/scores.json"] {
            assert_eq!(sheet(name), "", "{name}");
        }
        // Pictures to be looked at are no data set: more of them do no harm.
        let beside = reason(|files| {
            files.reads_pictures("PATH", &at("faces"));
            files.writes("--out", at("faces/happy/c.png"));
        });
        assert_eq!(beside, "");
    }

    #[test]
    fn the_parts_of_a_network_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in ["model.json", "group1-shard1of1.bin"] {
            fs::write(at(name), "x").unwrap();
        }
        for source in [folder.path().to_owned(), at("model.json")] {
            for name in ["model.json", "group1-shard1of1.bin"] {
                let reason = reason(|files| {
                    files.reads_model("TFJS_DIR", &source);
                    files.writes("--out", at(name));
                });
                assert!(reason.contains("--out") && reason.contains("(TFJS_DIR)"), "{name}: {reason:?}");
            }
        }
    }
}
