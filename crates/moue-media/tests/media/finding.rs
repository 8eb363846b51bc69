//! Files and folders.

use std::fs;
use std::path::{Path, PathBuf};

use moue_media::{Error, find_pictures, is_own_output, is_picture_path};

#[test]
fn pictures_are_told_by_their_extension() {
    for name in ["a.jpg", "a.JPEG", "b.c.png", "x.WebP", "x.bmp", "x.gif", "x.tif", "x.TIFF", "x.pgm"] {
        assert!(is_picture_path(Path::new(name)), "{name}");
    }
    for name in ["a", "jpg", ".jpg", "a.jpg.txt", "a.mp4", "a.csv", "a.heic"] {
        assert!(!is_picture_path(Path::new(name)), "{name}");
    }
    assert!(is_own_output(Path::new("out/party.moue.jpg")));
    assert!(is_own_output(Path::new("party.MOUE.png")));
    for name in ["party.jpg", "moue.jpg", "party.moue", "party.moue.old.jpg", ".moue"] {
        assert!(!is_own_output(Path::new(name)), "{name}");
    }
}

#[test]
fn folders_are_searched_in_order() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    for folder in ["b", "b/deep", "a", ".hidden"] {
        fs::create_dir(root.join(folder)).unwrap();
    }
    for file in ["z.jpg", "b/2.png", "b/1.JPG", "b/deep/x.webp", "b/1.moue.jpg", "a/note.txt", "a/._1.jpg"] {
        fs::write(root.join(file), "").unwrap();
    }
    fs::write(root.join(".hidden/h.jpg"), "").unwrap();
    fs::write(root.join("named.dat"), "").unwrap();

    let given: Vec<PathBuf> = vec![
        root.join("named.dat"),
        root.to_owned(),
        root.join("z.jpg"),
        root.join("gone.jpg"),
        root.join("b"),
    ];
    let found = find_pictures(&given);
    let expected: Vec<PathBuf> =
        ["named.dat", "b/1.JPG", "b/2.png", "b/deep/x.webp", "z.jpg"].iter().map(|n| root.join(n)).collect();
    assert_eq!(found.pictures, expected);
    assert_eq!(found.own_output, [root.join("b/1.moue.jpg")]);
    // A file that is named is taken, and one in a folder is not, if its name is not that of a picture.
    assert_eq!(found.others, [root.join("a/note.txt"), root.join("named.dat")]);
    assert_eq!(found.failures.len(), 1);
    assert!(matches!(&found.failures[0], Error::Io { path, .. } if *path == root.join("gone.jpg")));
}

#[cfg(unix)]
#[test]
fn a_ring_of_links_ends() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    fs::create_dir(root.join("a")).unwrap();
    fs::write(root.join("a/1.jpg"), "").unwrap();
    std::os::unix::fs::symlink(root, root.join("a/up")).unwrap();
    std::os::unix::fs::symlink(root.join("nowhere"), root.join("broken.jpg")).unwrap();
    let found = find_pictures(&[root.to_owned()]);
    assert_eq!(found.pictures, [root.join("a/1.jpg")]);
    assert_eq!(found.failures.len(), 1);
}
