//! Kinds of pictures that few programs write and people have all the same.

use std::fs;
use std::path::Path;

use moue_media::{Error, Limits, Picture, decode_grey, decode_picture, read_picture};

use crate::files;

/// A TIFF of 5x2 pixels with so many bits each, uncompressed: classic or for large files, in either order of bytes.
fn tiff(
    bits: u16,
    meaning: u16,
    rows: &[[u8; 5]; 2],
    colours: &[u16],
    large: bool,
    big_endian: bool,
) -> Vec<u8> {
    let number = |value: u64, length: usize| -> Vec<u8> {
        if big_endian {
            value.to_be_bytes()[8 - length..].to_vec()
        } else {
            value.to_le_bytes()[..length].to_vec()
        }
    };
    let mut packed = Vec::new();
    for row in rows {
        let mut bytes = vec![0_u8; (5 * usize::from(bits)).div_ceil(8)];
        for (x, value) in row.iter().enumerate() {
            let bit = x * usize::from(bits);
            bytes[bit / 8] |= value << (8 - usize::from(bits) - bit % 8);
        }
        packed.extend(bytes);
    }
    let mut bytes = if big_endian { b"MM".to_vec() } else { b"II".to_vec() };
    let wide = if large { 8 } else { 4 };
    bytes.extend(number(if large { 43 } else { 42 }, 2));
    if large {
        bytes.extend([number(8, 2), number(0, 2)].concat());
    }
    let pixels = bytes.len() + wide;
    let table = pixels + packed.len();
    let directory = table + 2 * colours.len();
    bytes.extend(number(directory as u64, wide));
    bytes.extend(&packed);
    bytes.extend(colours.iter().flat_map(|&c| number(c.into(), 2)));
    let mut tags = vec![
        (256, 5, 1),
        (257, 2, 1),
        (258, u64::from(bits), 1),
        (259, 1, 1),
        (262, meaning.into(), 1),
        (273, pixels as u64, 1),
        (277, 1, 1),
        (278, 2, 1),
        (279, packed.len() as u64, 1),
    ];
    if !colours.is_empty() {
        tags.push((320, table as u64, colours.len() as u64));
    }
    bytes.extend(number(tags.len() as u64, if large { 8 } else { 2 }));
    for (tag, value, count) in tags {
        let long = tag == 273;
        bytes.extend([number(tag, 2), number(if long { 4 } else { 3 }, 2), number(count, wide)].concat());
        // What fits stands at the beginning of its place.
        let length = if count > 1 {
            wide
        } else if long {
            4
        } else {
            2
        };
        bytes.extend(number(value, length));
        bytes.resize(bytes.len() + wide - length, 0);
    }
    bytes.extend(number(0, wide));
    bytes
}

#[test]
fn tiffs_with_a_palette_or_few_bits_are_read_in_all_their_forms() {
    for (large, big_endian) in [(false, false), (false, true), (true, false), (true, true)] {
        for bits in [1_u16, 2, 4, 8] {
            let count = 1_usize << bits;
            let top = (count - 1) as u8;
            let rows = [[0, top, 1, 0, top], [top, 1, 0, top, 0]];
            let colour =
                |i: usize| [i * 255 / (count - 1), 255 - i * 255 / (count - 1), 7 * i % 256].map(|v| v as u8);
            for scale in [257, 1] {
                let table: Vec<u16> =
                    (0..3).flat_map(|c| (0..count).map(move |i| u16::from(colour(i)[c]) * scale)).collect();
                let bytes = tiff(bits, 3, &rows, &table, large, big_endian);
                let expected = rows.iter().flatten().flat_map(|&i| colour(i.into())).collect();
                let what =
                    format!("{bits} bits, large {large}, big-endian {big_endian}, colours times {scale}");
                let read =
                    decode_picture(&bytes, &what, &Limits::default()).unwrap_or_else(|e| panic!("{e}"));
                assert_eq!(read, Picture::from_raw(5, 2, expected).unwrap(), "{what}");
                // Cut off, it is an error or the same, never something else.
                for end in 0..bytes.len() {
                    if let Ok(cut) = decode_picture(&bytes[..end], "cut", &Limits::default()) {
                        assert_eq!(cut, read, "{what} cut at {end}");
                    }
                }
            }
            for meaning in [0, 1] {
                let bytes = tiff(bits, meaning, &rows, &[], large, big_endian);
                let grey = decode_grey(&bytes, "grey", &Limits::default()).unwrap();
                let level = |v: u8| u32::from(if meaning == 0 { top - v } else { v }) * 255 / u32::from(top);
                let expected: Vec<u8> = rows.iter().flatten().map(|&v| level(v) as u8).collect();
                assert_eq!(grey.pixels(), expected, "{bits} bits, {meaning}");
            }
        }
    }
}

#[test]
fn pictures_of_phones_are_named_with_the_step_that_helps() {
    for (brand, name, step) in
        [(b"heic", "HEIC", "JPEG"), (b"mif1", "HEIC", "JPEG"), (b"avif", "AVIF", "PNG")]
    {
        let bytes = [&[0, 0, 0, 24][..], b"ftyp", brand, &[0; 24]].concat();
        let error = decode_picture(&bytes, "IMG_1", &Limits::default()).unwrap_err().to_string();
        assert!(error.contains(name) && error.contains(step), "{error}");
    }
}

#[cfg(unix)]
#[test]
fn pipes_and_devices_are_refused_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("x.jpg");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    for path in [pipe.as_path(), Path::new("/dev/zero")] {
        let error = read_picture(path, &Limits::default()).unwrap_err();
        assert!(matches!(error, Error::NotAPicture { .. }) && error.to_string().contains("pipe"), "{error}");
    }
}

/// A file of some bytes whose picture would take more memory than any may.
#[test]
fn a_picture_of_16_bits_at_the_limit_needs_too_much_memory() {
    let mut bytes = files::png_16_bit(&[1, 2]);
    // 10,000 x 10,000 pixels of two bytes are 200 MB, of RGB with as many 600.
    bytes[16..20].copy_from_slice(&10_000_u32.to_be_bytes());
    bytes[20..24].copy_from_slice(&10_000_u32.to_be_bytes());
    bytes[25] = 2;
    let checksum = crc(&bytes[12..29]);
    bytes[29..33].copy_from_slice(&checksum.to_be_bytes());
    let error = decode_picture(&bytes, "wide.png", &Limits::default()).unwrap_err();
    assert!(matches!(error, Error::Limit { .. }) && error.to_string().contains("480 MB"), "{error}");
}

fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| (crc >> 1) ^ if crc & 1 == 1 { 0xedb8_8320 } else { 0 })
    })
}

#[test]
fn the_pictures_of_the_cases_show_what_the_plain_one_shows() {
    let cases = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/cases"));
    if !cases.is_dir() {
        eprintln!("SKIPPED: pictures that people bring, which are not beside this checkout");
        return;
    }
    let grey =
        |name: &str| decode_grey(&fs::read(cases.join(name)).unwrap(), name, &Limits::default()).unwrap();
    let plain = grey("plain.jpg");
    for (name, allowed) in [("palette.tif", 12.0), ("raw12in16.png", 12.0)] {
        let other = grey(name);
        let sum: u64 =
            other.pixels().iter().zip(plain.pixels()).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
        let mean = sum as f64 / plain.pixels().len() as f64;
        assert!(mean < allowed, "{name}: {mean}");
    }
}
