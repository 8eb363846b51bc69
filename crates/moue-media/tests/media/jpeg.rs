//! JPEGs of every kind, held against libjpeg's own programs.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use moue_media::{Error, Limits, Picture, decode_picture};

use crate::files;

fn read(bytes: &[u8], name: &str) -> Result<Picture, Error> {
    decode_picture(bytes, name, &Limits::default())
}

/// Whether libjpeg's programs are there; says what is skipped where they are not.
fn have_libjpeg() -> bool {
    let have = ["cjpeg", "djpeg", "jpegtran"].iter().all(|p| {
        Command::new(p)
            .arg("-version")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok()
    });
    if !have {
        eprintln!("SKIPPED: JPEGs of every kind against djpeg (Debian: apt install libjpeg-turbo-progs)");
    }
    have
}

fn run(program: &str, arguments: &[&str], input: &Path) -> Vec<u8> {
    let output = Command::new(program).args(arguments).arg(input).output().unwrap();
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// Mean and largest difference of two pictures.
fn difference(a: &Picture, b: &Picture) -> (f64, u8) {
    assert_eq!((a.width(), a.height()), (b.width(), b.height()));
    let differences = a.pixels().iter().zip(b.pixels()).map(|(a, b)| a.abs_diff(*b));
    let sum: u64 = differences.clone().map(u64::from).sum();
    (sum as f64 / a.pixels().len() as f64, differences.max().unwrap_or(0))
}

/// Shapes and noise, so that every coefficient occurs.
fn scene(width: u32, height: u32) -> Picture {
    let mut picture = files::gradient(width, height);
    let noise = files::Random(5).picture(width, height);
    for (i, (value, noise)) in picture.pixels_mut().iter_mut().zip(noise.pixels()).enumerate() {
        let (x, y) = (i / 3 % width as usize, i / 3 / width as usize);
        let shape = if (x / 11 + y / 7) % 3 == i % 3 { 60 } else { 0 };
        *value = value.saturating_add(shape).saturating_sub(noise >> 4);
    }
    picture
}

#[test]
fn every_kind_is_decoded_as_libjpeg_does() {
    if !have_libjpeg() {
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let (ppm, jpeg) = (place.path().join("x.ppm"), place.path().join("x.jpg"));
    // A script of scans that has a component in each, and one with some in each.
    let (alone, pairs) = (place.path().join("alone"), place.path().join("pairs"));
    fs::write(&alone, "0;\n1;\n2;\n").unwrap();
    fs::write(&pairs, "0 2;\n1;\n").unwrap();
    let (alone, pairs) = (alone.to_str().unwrap(), pairs.to_str().unwrap());
    for (width, height) in [(64, 48), (37, 29), (3, 5), (1, 1), (17, 100)] {
        let picture = scene(width, height);
        let head = format!("P6\n{width} {height}\n255\n");
        fs::write(&ppm, [head.as_bytes(), picture.pixels()].concat()).unwrap();
        for sampling in [
            "1x1",
            "2x1",
            "1x2",
            "2x2",
            "4x1",
            "1x4",
            "4x2",
            "2x2,2x1,1x1",
            "2x1,1x1,2x1",
            "2x2,2x2,2x2",
            "1x1,2x2,1x1",
        ] {
            for flags in [
                &[][..],
                &["-progressive"],
                &["-scans", alone],
                &["-scans", pairs],
                &["-restart", "1"],
                &["-restart", "3B", "-optimize"],
                &["-progressive", "-restart", "2B"],
                &["-arithmetic"],
                &["-arithmetic", "-progressive", "-restart", "3B"],
                &["-arithmetic", "-scans", alone],
                &["-grayscale"],
                &["-rgb"],
            ] {
                let flags = [&["-quality", "90", "-sample", sampling][..], flags].concat();
                if flags.contains(&"-grayscale") && sampling.contains(',')
                    || flags.contains(&pairs) && sampling == "4x2"
                {
                    continue;
                }
                let output = Command::new("cjpeg").args(&flags).arg(&ppm).output().unwrap();
                if !output.status.success() {
                    // Some samplings do not go with some scans.
                    continue;
                }
                let bytes = output.stdout;
                fs::write(&jpeg, &bytes).unwrap();
                let what = format!("{width}x{height} {flags:?}");
                let expected = run("djpeg", &["-pnm"], &jpeg);
                let expected = read(&expected, "expected").unwrap();
                let got = read(&bytes, &what).unwrap_or_else(|e| panic!("{e}"));
                let (mean, most) = difference(&got, &expected);
                assert!(mean < 1.0 && most <= 12, "{what}: {mean} {most}");
            }
        }
    }
}

/// A file that was cut off and then closed, as some programs do with what is left of one.
#[test]
fn a_jpeg_that_was_cut_off_and_closed_is_noticed() {
    let picture = scene(150, 90);
    let whole = files::encoded(&picture, files::Kind::Jpeg);
    assert!(read(&whole, "whole.jpg").is_ok());
    for missing in (8..whole.len() / 2).step_by(23) {
        let closed = [&whole[..whole.len() - missing], &[0xff, 0xd9]].concat();
        let error = read(&closed, "closed.jpg").expect_err(&format!("{missing} bytes missing"));
        assert!(error.to_string().contains("cut off"), "{missing}: {error}");
    }
}

#[test]
fn what_of_jpeg_is_not_read_is_named_with_a_way_out() {
    let with_kind = |kind: u8, precision: u8| {
        let mut bytes = files::encoded(&scene(40, 30), files::Kind::Jpeg);
        let at = bytes.windows(4).position(|w| w[..2] == [0xff, 0xc0] && w[2] == 0).unwrap();
        (bytes[at + 1], bytes[at + 4]) = (kind, precision);
        read(&bytes, "x.jpg").unwrap_err().to_string()
    };
    assert!(with_kind(0xc3, 8).contains("lossless JPEG is not read here; ffmpeg -i"));
    assert!(with_kind(0xc5, 8).contains("hierarchical JPEG"));
    assert!(with_kind(0xc1, 16).contains("16 bits a sample"));
}

/// The tables that motion JPEG leaves out are those of the standard, which the encoder of these tests uses, too.
#[test]
fn a_jpeg_without_huffman_tables_is_read_with_the_usual_ones() {
    let whole = files::encoded(&scene(61, 43), files::Kind::Jpeg);
    let mut bare = Vec::new();
    let mut at = 2;
    bare.extend(&whole[..2]);
    while whole[at + 1] != 0xda {
        let length = 2 + usize::from(u16::from_be_bytes([whole[at + 2], whole[at + 3]]));
        if whole[at + 1] != 0xc4 {
            bare.extend(&whole[at..at + length]);
        }
        at += length;
    }
    bare.extend(&whole[at..]);
    assert!(bare.len() + 400 < whole.len());
    let (mean, most) = difference(&read(&bare, "bare.jpg").unwrap(), &read(&whole, "whole.jpg").unwrap());
    assert!(mean < 0.5 && most <= 4, "{mean} {most}");
}

#[test]
fn the_pictures_of_the_cases_are_the_plain_one() {
    let cases = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/cases"));
    if !cases.is_dir() {
        eprintln!("SKIPPED: pictures that people bring, which are not beside this checkout");
        return;
    }
    let picture = |name: &str| read(&fs::read(cases.join(name)).unwrap(), name).unwrap();
    let plain = picture("plain.jpg");
    for (name, allowed) in [("noninterleaved.jpg", 1.0), ("no_dht.jpg", 1.0)] {
        let (mean, _) = difference(&picture(name), &plain);
        assert!(mean < allowed, "{name}: {mean}");
    }
}
