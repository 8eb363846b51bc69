//! The same rows, packed in every way that people download them.

use std::io::{Cursor, Write};

use bzip2::write::BzEncoder;
use flate2::write::GzEncoder;
use moue_data::{Dataset, Error, Limits, Origin, ReadOptions, Usage};

use crate::csv::{file, picture, pixels, read, refusal, row, written};

const ROWS: [(u8, u32, &str); 4] =
    [(0, 1, "Training"), (6, 2, "PublicTest"), (3, 3, "PrivateTest"), (5, 4, "Training")];

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn bzip2(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn tar(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for (name, bytes) in members {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, name, *bytes).unwrap();
    }
    archive.into_inner().unwrap()
}

fn zip(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in members {
        archive.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        archive.write_all(bytes).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

fn check(dataset: &Dataset, rows: &[(u8, u32, &str)]) {
    assert_eq!(dataset.len(), rows.len());
    assert_eq!(dataset.rows() as usize, rows.len());
    for (index, &(label, seed, usage)) in rows.iter().enumerate() {
        assert_eq!(dataset.label(index), label);
        assert_eq!(dataset.pixels(index), picture(seed));
        assert_eq!(dataset.usage(index).name(), usage);
        let row = index as u32;
        assert_eq!(dataset.origin(index), Origin::Row { row, line: row + 2 });
    }
}

#[test]
fn containers_are_told_by_their_bytes() {
    let text = file(&ROWS);
    let text = text.as_bytes();
    // As Kaggle ships fer2013.tar.gz, with what macOS adds.
    let kaggle = tar(&[
        ("fer2013/._fer2013.csv", b"\0\x05\x16\x07Mac OS X"),
        ("fer2013/README", b"The dataset for the ICML 2013 workshop"),
        ("fer2013/fer2013.csv", text),
        ("fer2013/fer2013.bib", b"@misc{}"),
    ]);
    let zipped = zip(&[
        ("__MACOSX/._icml_face_data.csv", b"\0\x05\x16\x07"),
        ("example_submission.csv", b"Id,Prediction\n1,2\n"),
        ("icml_face_data.csv", text),
    ]);
    let containers: [(&str, Vec<u8>); 7] = [
        ("plain", text.to_vec()),
        ("gzip", gzip(text)),
        ("gzip in two members", [gzip(&text[..1000]), gzip(&text[1000..])].concat()),
        ("bzip2", bzip2(text)),
        ("tar", kaggle.clone()),
        ("tar.gz", gzip(&kaggle)),
        ("zip", zipped),
    ];
    for (what, bytes) in containers {
        // A name that says nothing, or the wrong thing, changes nothing.
        for name in ["data", "fer2013.csv", "fer2013.zip"] {
            let (_folder, path) = written(name, &bytes);
            let dataset = read(&path).dataset;
            check(&dataset, &ROWS);
            let inside = matches!(what, "tar" | "tar.gz" | "zip");
            assert_eq!(dataset.source().ends_with(']'), inside, "{what}: {}", dataset.source());
        }
    }
    let (_folder, path) = written("a.tar.bz2", bzip2(&kaggle));
    check(&read(&path).dataset, &ROWS);
}

#[test]
fn messages_name_the_member_and_the_line() {
    let text = file(&ROWS) + &row(9, 5, "Training");
    let (_folder, path) = written("a.zip", zip(&[("deep/fer2013.csv", text.as_bytes())]));
    let expected = format!("{}[deep/fer2013.csv]:6: emotion \"9\"", path.display());
    assert!(refusal(&path).starts_with(&expected), "{}", refusal(&path));
}

#[test]
fn later_layouts_of_the_columns_are_read() {
    let mut icml = "emotion, Usage, pixels\n".to_owned();
    let mut train = "emotion,pixels\n".to_owned();
    let mut quoted = "\u{feff}\"emotion\",\"pixels\",\"Usage\"\r\n".to_owned();
    for (label, seed, usage) in ROWS {
        let pixels = pixels(&picture(seed));
        icml.push_str(&format!("{label}, {usage}, {pixels}\n"));
        train.push_str(&format!("{label},{pixels}\n"));
        quoted.push_str(&format!("\"{label}\",\"{pixels}\",\"{usage}\"\r\n"));
    }
    // The end of the last line may be missing.
    for text in [&icml, &quoted, icml.trim_end(), quoted.trim_end()] {
        let (_folder, path) = written("x.csv", text);
        check(&read(&path).dataset, &ROWS);
    }
    let (_folder, path) = written("train.csv", &train);
    let dataset = read(&path).dataset;
    check(&dataset, &ROWS.map(|(label, seed, _)| (label, seed, "Training")));
    assert_eq!(dataset.indices(Usage::Training), [0, 1, 2, 3]);
}

#[test]
fn blank_lines_are_no_rows_but_count_as_lines() {
    let text = file(&ROWS[..1]) + "\n  \r\n" + &row(6, 2, "PublicTest") + "\n\n";
    let (_folder, path) = written("x.csv", text);
    let dataset = read(&path).dataset;
    assert_eq!(dataset.len(), 2);
    assert_eq!(dataset.rows(), 2);
    assert_eq!(dataset.origin(1), Origin::Row { row: 1, line: 5 });
}

#[test]
fn rows_come_out_the_same_with_any_number_of_threads() {
    // Several pieces of a megabyte, with wrong rows among them.
    let mut text = "emotion,pixels,Usage\n".to_owned();
    for seed in 0..700 {
        text.push_str(&row((seed % 8) as u8, seed, if seed % 3 == 0 { "PublicTest" } else { "Training" }));
    }
    assert!(text.len() > 5 << 20);
    let (_folder, path) = written("x.csv", &text);
    let read = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| moue_data::read(&path, &ReadOptions::collect())).unwrap()
    };
    let one = read(1);
    assert_eq!(one.wrong.count(), 87);
    assert_eq!(one.dataset.len(), 613);
    for threads in [2, 5] {
        let many = read(threads);
        assert_eq!(one.wrong, many.wrong);
        assert_eq!(one.dataset.len(), many.dataset.len());
        for index in 0..one.dataset.len() {
            let (a, b) = (&one.dataset, &many.dataset);
            assert_eq!(a.pixels(index), b.pixels(index));
            assert_eq!((a.label(index), a.usage(index)), (b.label(index), b.usage(index)));
            assert_eq!(a.origin(index), b.origin(index));
        }
    }
    // Where a piece ends must not matter: every row is the one that its line says.
    for index in 0..one.dataset.len() {
        let Origin::Row { row, line } = one.dataset.origin(index) else { panic!("not a row") };
        assert_eq!(line, row + 2);
        assert_eq!(one.dataset.pixels(index), picture(row));
    }
}

#[test]
fn archives_cut_off_are_refused_wherever_it_happens() {
    let text: String = file(&(0..40).map(|i| (0, i, "Training")).collect::<Vec<_>>());
    let text = text.as_bytes();
    let tarred = tar(&[("fer2013/fer2013.csv", text)]);
    let whole = [
        ("gz", gzip(text)),
        ("bz2", bzip2(text)),
        ("zip", zip(&[("fer2013.csv", text)])),
        ("tar", tarred[..512 + text.len()].to_vec()),
        ("tar.gz", gzip(&tarred)),
    ];
    for (kind, bytes) in whole {
        let (_folder, path) = written(kind, &bytes);
        assert_eq!(read(&path).dataset.len(), 40, "{kind}");
        for length in [bytes.len() / 3, bytes.len() / 2, bytes.len() - 8] {
            let (_folder, path) = written(kind, &bytes[..length]);
            for options in [ReadOptions::strict(), ReadOptions::collect()] {
                let error = moue_data::read(&path, &options).unwrap_err();
                assert!(matches!(error, Error::File { .. }), "{kind} {length}: {error}");
                assert!(error.to_string().contains("cut off"), "{kind} {length}: {error}");
            }
        }
    }
}

#[test]
fn damage_inside_archives_is_found() {
    let text: String = file(&(0..40).map(|i| (0, i, "Training")).collect::<Vec<_>>());
    let containers = [
        ("gz", gzip(text.as_bytes())),
        ("bz2", bzip2(text.as_bytes())),
        ("zip", zip(&[("fer2013.csv", text.as_bytes())])),
    ];
    for (kind, mut bytes) in containers {
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0xff;
        let (_folder, path) = written(kind, &bytes);
        assert!(moue_data::read(&path, &ReadOptions::collect()).is_err(), "{kind}");
    }
}

#[test]
fn more_bytes_than_allowed_stop_reading_early() {
    // Fifty megabytes of spaces pack into less than one.
    let bomb = [b"emotion,pixels,Usage\n".to_vec(), vec![b' '; 50 << 20]].concat();
    let limits = Limits { max_bytes: 1 << 20, ..Limits::default() };
    let options = ReadOptions { limits, ..ReadOptions::strict() };
    let packed = [
        ("gz", gzip(&bomb)),
        ("bz2", bzip2(&bomb)),
        ("zip", zip(&[("fer2013.csv", &bomb)])),
        ("tar.gz", gzip(&tar(&[("fer2013.csv", &bomb)]))),
    ];
    for (kind, bytes) in packed {
        assert!(bytes.len() < 1 << 20, "{kind}");
        let (_folder, path) = written(kind, bytes);
        let error = moue_data::read(&path, &options).unwrap_err();
        assert!(matches!(error, Error::Limit { .. }), "{kind}: {error}");
        // Without the limit on all bytes, the limit on one line holds.
        let error = moue_data::read(&path, &ReadOptions::collect()).unwrap_err();
        assert!(error.to_string().ends_with(":2: the line is longer than 65536 bytes"), "{kind}: {error}");
    }
}

#[test]
fn more_rows_than_allowed_are_refused() {
    let (_folder, path) = written("x.csv", file(&ROWS));
    let limits = |max_rows| Limits { max_rows, ..Limits::default() };
    let read = |max| moue_data::read(&path, &ReadOptions { limits: limits(max), ..ReadOptions::strict() });
    assert_eq!(read(4).unwrap().dataset.len(), 4);
    assert!(read(3).unwrap_err().to_string().contains("more than 3 rows"));
}
