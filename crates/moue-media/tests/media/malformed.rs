//! Files that are no pictures, broken pictures, or too large: each is refused by name, and none is read by half.

use crate::files::{self, Kind};
use crate::headers;
use moue_media::{Error, Grey, Limits, Picture, decode_grey, decode_picture, read_picture};

fn refused(bytes: &[u8], name: &str) -> Error {
    let error = decode_picture(bytes, name, &Limits::default()).expect_err(name);
    assert_eq!(
        decode_grey(bytes, name, &Limits::default()).expect_err(name).to_string(),
        error.to_string(),
        "grey and colour refuse alike"
    );
    assert!(error.to_string().starts_with(&format!("{name}: ")), "{error}");
    error
}

#[test]
fn every_format_is_read_as_it_was_written() {
    let picture = files::gradient(37, 29);
    for kind in Kind::ALL {
        let read = decode_picture(&files::encoded(&picture, kind), "x", &Limits::default()).unwrap();
        assert_eq!((read.width(), read.height()), (37, 29), "{kind:?}");
        if kind.is_exact() {
            assert_eq!(read, picture, "{kind:?}");
        } else {
            let worst =
                read.pixels().iter().zip(picture.pixels()).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
            assert!(worst < 40, "{kind:?}: {worst}");
        }
    }
}

#[test]
fn a_file_cut_anywhere_is_never_read_as_another_picture() {
    for kind in Kind::ALL {
        let bytes = files::encoded(&files::gradient(37, 29), kind);
        let whole = decode_picture(&bytes, "whole", &Limits::default()).unwrap();
        let mut refused = 0;
        for end in 0..bytes.len() {
            match decode_picture(&bytes[..end], "cut", &Limits::default()) {
                // Some formats end with bytes that carry no pixels.
                Ok(read) => {
                    assert_eq!(read, whole, "{kind:?} cut at {end} of {}", bytes.len());
                    assert!(bytes.len() - end <= 12, "{kind:?} cut at {end} of {}", bytes.len());
                }
                Err(_) => refused += 1,
            }
        }
        assert!(refused + 12 >= bytes.len());
    }
}

#[test]
fn a_jpeg_without_its_end_is_cut_off() {
    let bytes = files::encoded(&files::gradient(64, 64), Kind::Jpeg);
    for missing in 1..40 {
        let error = refused(&bytes[..bytes.len() - missing], "cut.jpg");
        assert!(matches!(error, Error::Broken { format: "JPEG", .. }), "{error}");
        assert!(error.to_string().contains("cut off"), "{error}");
    }
    // Cameras put more behind the picture; that is no damage.
    let mut longer = bytes.clone();
    longer.extend_from_slice(b"a trailer of the camera");
    assert!(decode_picture(&longer, "long.jpg", &Limits::default()).is_ok());
}

#[test]
fn changed_bytes_never_panic() {
    let mut random = files::Random(7);
    for kind in Kind::ALL {
        let bytes = files::encoded(&files::gradient(23, 17), kind);
        for _ in 0..400 {
            let mut changed = bytes.clone();
            for _ in 0..=random.below(3) {
                let at = random.below(changed.len() as u64) as usize;
                changed[at] = random.below(256) as u8;
            }
            let limits = Limits { max_pixels: 1 << 20, ..Limits::default() };
            if let Ok(read) = decode_picture(&changed, "changed", &limits) {
                assert!(read.width() > 0 && read.height() > 0);
            }
        }
    }
}

#[test]
fn what_is_no_picture_is_said_to_be_none() {
    let text = refused(b"emotion,pixels,Usage\n0,70 80 82,Training\n", "party.jpg");
    assert_eq!(
        text.to_string(),
        "party.jpg: not a picture: this looks like text (expected JPEG, PNG, WebP, GIF, BMP, TIFF or PNM)"
    );
    assert!(refused(b"", "empty.png").to_string().contains("the file is empty"));
    assert!(refused(&[0xff, 0x00, 0xfe, 0x01, 0x80], "noise.png").to_string().contains("no known format"));
    let video = [&[0, 0, 0, 32][..], b"ftypisom", &[0; 24]].concat();
    assert!(refused(&video, "clip.jpg").to_string().contains("video"));
}

#[test]
fn formats_that_are_not_read_are_named() {
    let heic = [&[0, 0, 0, 24][..], b"ftypheic", &[0; 24]].concat();
    let error = refused(&heic, "IMG_1.HEIC");
    assert!(matches!(error, Error::Unsupported { .. }));
    assert!(error.to_string().contains("HEIC"), "{error}");
    let ico = refused(&[0, 0, 1, 0, 1, 0, 16, 16, 0, 0], "icon.jpg");
    assert!(matches!(ico, Error::Unsupported { .. }) && ico.to_string().contains("ico"), "{ico}");
}

#[test]
fn huge_and_empty_pictures_are_refused_by_their_header() {
    for (bytes, name, size) in headers::sized(100_000) {
        let error = refused(&bytes, name);
        assert!(matches!(error, Error::Limit { .. }), "{error}");
        assert!(error.to_string().contains(&format!("{size}x{size}")), "{error}");
        assert!(error.to_string().contains("16384"), "{error}");
    }
    for (bytes, name, _) in headers::sized(0) {
        let error = refused(&bytes, name);
        assert!(matches!(error, Error::Limit { .. } | Error::Broken { .. }), "{error}");
    }
}

#[test]
fn limits_are_inclusive_and_count_sides_pixels_and_bytes() {
    let bytes = files::encoded(&files::gradient(40, 30), Kind::Png);
    let read = |limits: Limits| decode_picture(&bytes, "p.png", &limits);
    let exact = Limits { max_side: 40, max_pixels: 1200, max_bytes: 1 };
    assert!(read(exact).is_ok());
    let side = read(Limits { max_side: 39, ..exact }).unwrap_err().to_string();
    assert_eq!(side, "p.png: the picture is 40x30 pixels; the limit is 39 pixels a side");
    let pixels = read(Limits { max_pixels: 1199, ..exact }).unwrap_err().to_string();
    assert_eq!(pixels, "p.png: the picture is 40x30 pixels; the limit is 1199 pixels in all");

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("p.png");
    std::fs::write(&path, &bytes).unwrap();
    let long = bytes.len() as u64;
    assert!(read_picture(&path, &Limits { max_bytes: long, ..Limits::default() }).is_ok());
    let error = read_picture(&path, &Limits { max_bytes: long - 1, ..Limits::default() }).unwrap_err();
    assert!(matches!(error, Error::Limit { .. }), "{error}");
    assert!(error.to_string().contains(&path.display().to_string()), "{error}");
    let missing = read_picture(&folder.path().join("none.png"), &Limits::default()).unwrap_err();
    assert!(matches!(missing, Error::Io { .. }) && missing.to_string().contains("none.png"), "{missing}");
    assert!(matches!(read_picture(folder.path(), &Limits::default()).unwrap_err(), Error::Io { .. }));
}

#[test]
fn grey_files_keep_their_values() {
    let grey = Grey::from_raw(16, 16, (0..=255).collect()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("grey.png");
    grey.write(&path).unwrap();
    assert_eq!(moue_media::read_grey(&path, &Limits::default()).unwrap(), grey);
    assert_eq!(read_picture(&path, &Limits::default()).unwrap(), grey.to_picture());
    // And a colour file that shows grey.
    grey.to_picture().write(&path).unwrap();
    assert_eq!(moue_media::read_grey(&path, &Limits::default()).unwrap(), grey);
}

#[test]
fn wide_samples_are_rounded_and_transparency_lies_on_white() {
    let decode = |bytes: &[u8]| decode_picture(bytes, "x", &Limits::default()).unwrap();
    // 16 bits: 257 * v is v exactly; half a step more is rounded up.
    let wide = files::png_16_bit(&[0, 257 * 7, 257 * 7 + 128, 257 * 7 + 129, 65_535, 65_406]);
    assert_eq!(decode(&wide), Grey::from_raw(6, 1, vec![0, 7, 7, 8, 255, 254]).unwrap().to_picture());
    assert_eq!(decode_grey(&wide, "x", &Limits::default()).unwrap().pixels(), [0, 7, 7, 8, 255, 254]);

    let clear = files::png_rgba(&[[10, 20, 30, 255], [10, 20, 30, 0], [0, 100, 255, 51]]);
    // 20 % of the colour and 80 % of white.
    let expected = [10, 20, 30, 255, 255, 255, 204, 224, 255];
    assert_eq!(decode(&clear), Picture::from_raw(3, 1, expected.to_vec()).unwrap());
}
