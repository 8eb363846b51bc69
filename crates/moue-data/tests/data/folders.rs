//! Folders of pictures per class.

use std::fs;
use std::path::Path;

use moue_data::{Error, Limits, Numbering, ReadOptions, Usage};
use moue_media::{Grey, Picture};
use tempfile::TempDir;

use crate::csv::{picture, read, refusal};

fn put(root: &Path, name: &str, seed: u32) {
    let path = root.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    Grey::from_raw(48, 48, picture(seed)).unwrap().write(&path).unwrap();
}

/// Folder with pictures of these names, each showing the picture of its place in the list.
fn folder(names: &[&str]) -> TempDir {
    let root = tempfile::tempdir().unwrap();
    for (seed, name) in (0..).zip(names) {
        put(root.path(), name, seed);
    }
    root
}

/// File names with what they were taken for, and whether their pixels are those written.
fn found(root: &TempDir, names: &[&str]) -> Vec<(String, Usage, String)> {
    let dataset = read(root.path()).dataset;
    (0..dataset.len())
        .map(|index| {
            let name = dataset.picture(index).unwrap().strip_prefix(root.path()).unwrap();
            let name = name.to_str().unwrap().to_owned();
            let seed = names.iter().position(|n| *n == name).unwrap() as u32;
            assert_eq!(dataset.pixels(index), picture(seed), "{name}");
            (name, dataset.usage(index), dataset.labels().name(dataset.label(index)).to_owned())
        })
        .collect()
}

fn expected(rows: &[(&str, Usage, &str)]) -> Vec<(String, Usage, String)> {
    rows.iter().map(|&(name, usage, label)| (name.to_owned(), usage, label.to_owned())).collect()
}

#[test]
fn numbers_are_fer2013s() {
    let names = [
        "PublicTest/6/a.png",
        "Training/0/b.png",
        "Training/0/a.png",
        "PrivateTest/3/c.png",
        "Training/5/d.png",
    ];
    assert_eq!(
        found(&folder(&names), &names),
        expected(&[
            ("Training/0/a.png", Usage::Training, "angry"),
            ("Training/0/b.png", Usage::Training, "angry"),
            ("Training/5/d.png", Usage::Training, "surprise"),
            ("PublicTest/6/a.png", Usage::PublicTest, "neutral"),
            ("PrivateTest/3/c.png", Usage::PrivateTest, "happy"),
        ])
    );
}

#[test]
fn test_means_private_only_beside_validation() {
    let names = ["train/Happiness/a.png", "test/angry/b.png"];
    let two = expected(&[
        ("train/Happiness/a.png", Usage::Training, "happy"),
        ("test/angry/b.png", Usage::PublicTest, "angry"),
    ]);
    assert_eq!(found(&folder(&names), &names), two);
    let names = ["train/happy/a.png", "TEST/angry/b.png", "Validation/sad/c.png"];
    let three = expected(&[
        ("train/happy/a.png", Usage::Training, "happy"),
        ("Validation/sad/c.png", Usage::PublicTest, "sad"),
        ("TEST/angry/b.png", Usage::PrivateTest, "angry"),
    ]);
    assert_eq!(found(&folder(&names), &names), three);
}

#[test]
fn classes_right_below_are_training_and_contempt_is_an_eighth() {
    let names = ["surprised/a.png", "anger/b.png", "contempt/c.png", ".hidden/d.png", "notes/"];
    let root = folder(&names[..4]);
    fs::write(root.path().join("README.txt"), "about").unwrap();
    fs::write(root.path().join("anger/Thumbs.db"), "not a picture").unwrap();
    let all = expected(&[
        ("anger/b.png", Usage::Training, "angry"),
        ("surprised/a.png", Usage::Training, "surprise"),
        ("contempt/c.png", Usage::Training, "contempt"),
    ]);
    assert_eq!(found(&root, &names), all);
    let dataset = read(root.path()).dataset;
    assert_eq!(dataset.labels().len(), 8);
    assert_eq!(dataset.label(2), 7);
    assert_eq!(dataset.rows(), 0);
}

#[test]
fn classes_are_never_guessed() {
    for names in [
        ["train/happy/a.png", "train/bored/b.png"],
        ["happy/a.png", "8/b.png"],
        ["train/0/a.png", "extra/0/b.png"],
    ] {
        let root = folder(&names);
        let message = refusal(root.path());
        let unknown = Path::new(names[1]);
        let unknown =
            if names[1].starts_with("extra") { Path::new("extra") } else { unknown.parent().unwrap() };
        assert!(message.starts_with(&root.path().join(unknown).display().to_string()), "{message}");
        assert!(message.contains("expected"), "{message}");
    }
    let empty = tempfile::tempdir().unwrap();
    assert!(refusal(empty.path()).contains("no folders here"));
    fs::write(empty.path().join("fer2013.csv"), "emotion,pixels,Usage\n").unwrap();
    assert!(refusal(empty.path()).contains("name that file"));
    fs::create_dir(empty.path().join("happy")).unwrap();
    assert!(refusal(empty.path()).contains("no pictures"));
}

#[test]
fn parts_and_classes_are_known_in_every_spelling() {
    let names = [
        "Train/0_Anger/a.png",
        "TRAIN_set/suprise/b.png",
        "valid/Sadness/c.png",
        "val_data/Disgusted/d.png",
        "Validation/fearful/e.png",
        "Testing/1 - Happiness/f.png",
    ];
    let all = expected(&[
        ("Train/0_Anger/a.png", Usage::Training, "angry"),
        ("TRAIN_set/suprise/b.png", Usage::Training, "surprise"),
        ("val_data/Disgusted/d.png", Usage::PublicTest, "disgust"),
        ("Validation/fearful/e.png", Usage::PublicTest, "fear"),
        ("valid/Sadness/c.png", Usage::PublicTest, "sad"),
        ("Testing/1 - Happiness/f.png", Usage::PrivateTest, "happy"),
    ]);
    assert_eq!(found(&folder(&names), &names), all);
    // FER+'s names of its parts.
    let names = ["FER2013Train/happy/a.png", "FER2013Valid/sad/b.png", "FER2013Test/contempt/c.png"];
    let usages: Vec<Usage> = found(&folder(&names), &names).into_iter().map(|(_, usage, _)| usage).collect();
    assert_eq!(usages, Usage::ALL);
}

#[test]
fn folders_that_hold_only_another_are_entered() {
    for inner in ["", "images/", "archive/images/"] {
        let names = [format!("{inner}train/happy/a.png"), format!("{inner}validation/sad/b.png")];
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let found = found(&folder(&names), &names);
        let usages: Vec<Usage> = found.iter().map(|(_, usage, _)| *usage).collect();
        assert_eq!(usages, [Usage::Training, Usage::PublicTest], "{inner}");
    }
    // The archive that people have unpacks to everything twice.
    let names = [
        "images/train/happy/a.png",
        "images/validation/sad/b.png",
        "images/images/train/happy/a.png",
        "images/images/validation/sad/b.png",
    ];
    assert_eq!(found(&folder(&names), &names).len(), 2);
    let root = folder(&["train/happy/a.png", "validation/sad/b.png", "extra/train/happy/c.png"]);
    assert!(refusal(root.path()).contains("extra: unknown folder"), "{}", refusal(root.path()));
    // What is neither is named where it stands, not where it was looked for.
    let root = folder(&["images/happy/a.png", "labels/happy/b.png"]);
    assert!(
        refusal(root.path()).contains("images: the folder's name is no emotion"),
        "{}",
        refusal(root.path())
    );
    let root = folder(&["bored/a.png"]);
    assert!(refusal(root.path()).contains("bored: the folder's name is no emotion"));
}

#[test]
fn classes_right_below_a_part_are_that_part() {
    let names = ["test/happy/a.png", "test/sad/b.png"];
    let root = folder(&names);
    let usage = |below: &str| read(&root.path().join(below)).dataset.usage(0);
    assert_eq!(usage("test"), Usage::PublicTest);
    put(root.path(), "Test_only/happy/a.png", 1);
    assert_eq!(usage("Test_only"), Usage::PublicTest);
    put(root.path(), "val/happy/a.png", 1);
    assert_eq!((usage("test"), usage("val")), (Usage::PrivateTest, Usage::PublicTest));
    put(root.path(), "train/happy/a.png", 1);
    put(root.path(), "faces/happy/a.png", 1);
    assert_eq!((usage("train"), usage("faces")), (Usage::Training, Usage::Training));
    let reading = moue_data::read(&root.path().join("test"), &ReadOptions::collect()).unwrap();
    let duplicates = moue_data::Duplicates::find(&reading.dataset);
    let text = moue_data::Check::of(&reading, &duplicates).to_string();
    assert!(text.contains("no Training pictures") && text.contains("--usage PrivateTest"), "{text}");
}

#[test]
fn numbers_alone_have_no_meaning() {
    let names: Vec<String> = (1..8).map(|i| format!("train/{i}/a.png")).collect();
    let root = folder(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let message = refusal(root.path());
    for word in ["AffectNet", "RAF-DB", "--class-numbers", "raf-db"] {
        assert!(message.contains(word), "{message}");
    }
    let labels = |numbering| {
        let options = ReadOptions { numbering: Some(numbering), ..ReadOptions::strict() };
        let dataset = moue_data::read(root.path(), &options).map_err(|e| e.to_string())?.dataset;
        Ok::<_, String>((0..dataset.len()).map(|i| dataset.label(i)).collect::<Vec<_>>())
    };
    // In the order of the labels, each class has the one picture.
    assert_eq!(labels(Numbering::RafDb).unwrap(), [0, 1, 2, 3, 4, 5, 6]);
    assert_eq!(labels(Numbering::AffectNet).unwrap(), [0, 1, 2, 3, 4, 5, 7]);
    let message = labels(Numbering::Fer2013).unwrap_err();
    assert!(message.contains("7: the folder's name") && message.contains("0 (angry) to 6"), "{message}");
}

#[test]
fn the_own_layout_of_ferplus_is_named() {
    let root = folder(&["FER2013Train/fer0000000.png", "FER2013Valid/fer0000001.png"]);
    for part in ["FER2013Train", "FER2013Valid"] {
        fs::write(root.path().join(part).join("label.csv"), "").unwrap();
    }
    let message = refusal(root.path());
    assert!(message.contains("FER2013Train") && message.contains("--ferplus"), "{message}");
}

#[test]
fn other_sizes_formats_and_colours_become_grey_squares() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("happy")).unwrap();
    let colour = Picture::filled(200, 150, [200, 100, 50]);
    colour.write(&root.path().join("happy/a.png")).unwrap();
    colour.write(&root.path().join("happy/b.jpg")).unwrap();
    // Upright halves, so that the resized picture is known.
    let halves = (0..96 * 96).map(|i| if i % 96 < 48 { 10 } else { 250 }).collect();
    Grey::from_raw(96, 96, halves).unwrap().write(&root.path().join("happy/c.png")).unwrap();
    let dataset = read(root.path()).dataset;
    assert_eq!((dataset.len(), dataset.side()), (3, 48));
    // ITU-R BT.601: 0.299 * 200 + 0.587 * 100 + 0.114 * 50.
    assert!(dataset.pixels(0).iter().all(|&v| v == 124), "{:?}", &dataset.pixels(0)[..4]);
    assert!(dataset.pixels(1).iter().all(|v| v.abs_diff(124) <= 2), "{:?}", &dataset.pixels(1)[..4]);
    let row = &dataset.pixels(2)[..48];
    assert!(row[..23].iter().all(|&v| v == 10) && row[25..].iter().all(|&v| v == 250), "{row:?}");
    let large = ReadOptions { side: 96, ..ReadOptions::strict() };
    let dataset = moue_data::read(root.path(), &large).unwrap().dataset;
    assert_eq!((dataset.side(), dataset.pixels(2).len()), (96, 96 * 96));
    assert_eq!((dataset.pixels(2)[47], dataset.pixels(2)[48]), (10, 250));
}

#[test]
fn broken_pictures_are_named_and_the_others_are_read() {
    let names = ["happy/a.png", "happy/b.png", "sad/c.png", "sad/d.png", "sad/e.png"];
    let root = folder(&names);
    let whole = fs::read(root.path().join("happy/b.png")).unwrap();
    fs::write(root.path().join("happy/b.png"), &whole[..whole.len() / 2]).unwrap();
    fs::write(root.path().join("sad/c.png"), "not a picture").unwrap();
    fs::write(root.path().join("sad/d.png"), "").unwrap();
    let reading = moue_data::read(root.path(), &ReadOptions::collect()).unwrap();
    assert_eq!(reading.dataset.len(), 2);
    assert_eq!(reading.wrong.count(), 3);
    for (wrong, name) in reading.wrong.described().iter().zip(["happy/b.png", "sad/c.png", "sad/d.png"]) {
        assert_eq!(wrong.file, root.path().join(name).display().to_string());
        assert_eq!(wrong.line, None);
        assert!(!wrong.reason.is_empty() && !wrong.reason.contains(name), "{}", wrong.reason);
    }
    let error = moue_data::read(root.path(), &ReadOptions::strict()).unwrap_err();
    assert!(matches!(error, Error::Row(_)), "{error}");
    assert!(error.to_string().contains("happy/b.png: broken PNG"), "{error}");
}

#[test]
fn pictures_of_absurd_sizes_are_wrong_rows() {
    let root = folder(&["happy/a.png"]);
    // A PNG header that claims 100,000 pixels a side.
    let mut png = fs::read(root.path().join("happy/a.png")).unwrap();
    png[16..20].copy_from_slice(&100_000_u32.to_be_bytes());
    png[20..24].copy_from_slice(&100_000_u32.to_be_bytes());
    let crc = crc32(&png[12..29]);
    png[29..33].copy_from_slice(&crc.to_be_bytes());
    fs::write(root.path().join("happy/b.png"), png).unwrap();
    let reading = moue_data::read(root.path(), &ReadOptions::collect()).unwrap();
    assert_eq!((reading.dataset.len(), reading.wrong.count()), (1, 1));
    let reason = &reading.wrong.described()[0].reason;
    assert!(reason.contains("100000x100000"), "{reason}");
}

/// The checksum of PNG chunks (ISO 3309).
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| crc >> 1 ^ (0xedb8_8320 & (crc & 1).wrapping_neg()))
    })
}

#[test]
fn pictures_come_out_the_same_with_any_number_of_threads() {
    let names: Vec<String> = (0..40).map(|i| format!("{}/{:02}.png", i % 7, 39 - i)).collect();
    let root = folder(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let read = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let options = ReadOptions { numbering: Some(Numbering::Fer2013), ..ReadOptions::strict() };
        let dataset = pool.install(|| moue_data::read(root.path(), &options)).unwrap().dataset;
        (0..dataset.len()).map(|i| (dataset.place(i), dataset.pixels(i).to_vec())).collect::<Vec<_>>()
    };
    let one = read(1);
    assert_eq!(one.len(), 40);
    assert!(one.is_sorted_by_key(|(place, _)| place.clone()));
    assert_eq!(one, read(4));
}

#[test]
fn more_pictures_than_allowed_are_refused() {
    let root = folder(&["happy/a.png", "happy/b.png", "sad/c.png"]);
    let limits = Limits { max_rows: 2, ..Limits::default() };
    let error = moue_data::read(root.path(), &ReadOptions { limits, ..ReadOptions::strict() }).unwrap_err();
    assert!(matches!(error, Error::Limit { .. }), "{error}");
}
