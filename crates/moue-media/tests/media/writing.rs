//! PNG and JPEG files.

use std::fs;
use std::path::Path;

use moue_media::{Error, Limits, Picture, read_grey, read_picture};

use crate::files;

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn what_is_written_can_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let picture = files::gradient(60, 45);
    let png = folder.path().join("a.PNG");
    picture.write(&png).unwrap();
    assert_eq!(read_picture(&png, &Limits::default()).unwrap(), picture);

    let jpeg = folder.path().join("a.moue.jpg");
    picture.write(&jpeg).unwrap();
    let read = read_picture(&jpeg, &Limits::default()).unwrap();
    let worst = read.pixels().iter().zip(picture.pixels()).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
    assert!(worst <= 12, "quality 92: {worst}");

    let grey = folder.path().join("g.jpeg");
    picture.to_grey().write(&grey).unwrap();
    let read = read_grey(&grey, &Limits::default()).unwrap();
    assert!(read.pixels().iter().zip(picture.to_grey().pixels()).all(|(a, b)| a.abs_diff(*b) <= 6));
    assert_eq!(names(folder.path()), ["a.PNG", "a.moue.jpg", "g.jpeg"], "nothing else is left");
}

#[test]
fn an_older_file_is_replaced_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.png");
    fs::write(&path, "old").unwrap();
    files::gradient(5, 5).write(&path).unwrap();
    assert_eq!(read_picture(&path, &Limits::default()).unwrap(), files::gradient(5, 5));
    assert_eq!(names(folder.path()), ["a.png"]);
}

#[cfg(unix)]
#[test]
fn others_may_read_it_as_any_new_file() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let plain = folder.path().join("plain");
    fs::File::create(&plain).unwrap();
    let path = folder.path().join("a.png");
    files::gradient(5, 5).write(&path).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
    assert_eq!(mode(&path), mode(&plain));
}

#[test]
fn what_cannot_be_written_is_named_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let picture = files::gradient(5, 5);
    for name in ["a.webp", "a", "a.txt", ".png"] {
        let path = folder.path().join(name);
        let error = picture.write(&path).unwrap_err();
        assert!(matches!(error, Error::Argument(_)), "{error}");
        assert!(error.to_string().contains(&path.display().to_string()), "{error}");
    }
    let missing = folder.path().join("none").join("a.png");
    let error = picture.write(&missing).unwrap_err();
    assert!(matches!(error, Error::Io { .. }) && error.to_string().contains("none"), "{error}");

    let taken = folder.path().join("taken.png");
    fs::create_dir(&taken).unwrap();
    assert!(matches!(picture.write(&taken).unwrap_err(), Error::Io { .. }));

    let empty = Picture::from_raw(0, 3, Vec::new()).unwrap();
    assert!(matches!(empty.write(&folder.path().join("e.png")).unwrap_err(), Error::Argument(_)));
    let wide = Picture::filled(65_536, 1, [0; 3]);
    assert!(matches!(wide.write(&folder.path().join("w.jpg")).unwrap_err(), Error::Argument(_)));
    assert_eq!(names(folder.path()), ["taken.png"]);
}
