//! EXIF orientation (Exif 2.3, tag 274; TIFF 6.0, page 36).

use moue_media::{Limits, Picture, decode_grey, decode_picture};

use crate::files::{self, Kind};
use crate::headers;

/// A TIFF header and one directory with the orientation, as an EXIF block holds it.
fn exif(orientation: u16, big_endian: bool) -> Vec<u8> {
    let short = |v: u16| if big_endian { v.to_be_bytes() } else { v.to_le_bytes() };
    let long = |v: u32| if big_endian { v.to_be_bytes() } else { v.to_le_bytes() };
    let mut bytes = if big_endian { b"MM".to_vec() } else { b"II".to_vec() };
    bytes.extend(short(42));
    bytes.extend(long(8));
    bytes.extend(short(1));
    bytes.extend(short(0x112));
    bytes.extend(short(3));
    bytes.extend(long(1));
    bytes.extend(short(orientation));
    bytes.extend([0; 6]);
    bytes
}

/// Where the pixel shown at (x, y) is stored, by the table of the standard ("the 0th row is the visual ... of the image").
fn stored(orientation: u16, x: u32, y: u32, width: u32, height: u32) -> (u32, u32) {
    match orientation {
        1 => (x, y),
        2 => (width - 1 - x, y),
        3 => (width - 1 - x, height - 1 - y),
        4 => (x, height - 1 - y),
        5 => (y, x),
        6 => (y, height - 1 - x),
        7 => (width - 1 - y, height - 1 - x),
        _ => (width - 1 - y, x),
    }
}

fn turned(picture: &Picture, orientation: u16) -> Picture {
    let (width, height) = (picture.width(), picture.height());
    let (out_width, out_height) = if orientation > 4 { (height, width) } else { (width, height) };
    let mut pixels = Vec::new();
    for y in 0..out_height {
        for x in 0..out_width {
            let (column, row) = stored(orientation, x, y, width, height);
            let at = (row * width + column) as usize * 3;
            pixels.extend(&picture.pixels()[at..at + 3]);
        }
    }
    Picture::from_raw(out_width, out_height, pixels).unwrap()
}

fn decoded(bytes: &[u8]) -> Picture {
    decode_picture(bytes, "x", &Limits::default()).unwrap()
}

#[test]
fn all_eight_orientations_are_turned_upright() {
    let picture = files::gradient(24, 16);
    for kind in [Kind::Jpeg, Kind::Png, Kind::WebP] {
        let plain = decoded(&files::encoded(&picture, kind));
        for orientation in 1..=8 {
            for big_endian in [false, true] {
                let bytes = files::with_exif(&picture, kind, exif(orientation, big_endian));
                let expected = turned(&plain, orientation);
                assert!(decoded(&bytes) == expected, "{kind:?} {orientation} big-endian {big_endian}");
                let grey = decode_grey(&bytes, "x", &Limits::default()).unwrap();
                assert_eq!(grey, expected.to_grey());
            }
        }
    }
}

#[test]
fn a_tiff_is_turned_by_its_own_tag() {
    for orientation in 1..=8_u16 {
        // Four grey pixels, 2x2: 10 20 / 30 40.
        let tags = [
            (256, 2),
            (257, 2),
            (258, 8),
            (259, 1),
            (262, 1),
            (273, 8),
            (274, orientation.into()),
            (277, 1),
            (278, 2),
            (279, 4),
        ];
        let plain = moue_media::Grey::from_raw(2, 2, vec![10, 20, 30, 40]).unwrap().to_picture();
        assert_eq!(decoded(&headers::tiff_with(&tags)), turned(&plain, orientation), "{orientation}");
    }
}

#[test]
fn a_meaningless_exif_block_does_not_spoil_the_picture() {
    let picture = files::gradient(24, 16);
    let plain = decoded(&files::encoded(&picture, Kind::Jpeg));
    let mut far = exif(6, false);
    far[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
    for block in [exif(0, false), exif(9, true), exif(65_535, false), far, b"II*".to_vec(), vec![0; 40]] {
        assert_eq!(decoded(&files::with_exif(&picture, Kind::Jpeg, block)), plain);
    }
}
