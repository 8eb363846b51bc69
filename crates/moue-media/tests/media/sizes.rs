//! Resizing whole pictures, and luma.

use moue_media::{Error, Grey, Picture};

use crate::files::{self, Random};

/// The triangle filter of one axis at full precision: (pixel, weight) for each output pixel. Weights beyond the
/// picture are dropped and the rest made to add up to 1.
fn triangle(from: u32, to: u32) -> Vec<Vec<(usize, f64)>> {
    let scale = f64::from(from) / f64::from(to);
    let reach = scale.max(1.0);
    (0..to)
        .map(|i| {
            let centre = (f64::from(i) + 0.5) * scale;
            let weight = |k: u32| (1.0 - ((f64::from(k) + 0.5 - centre) / reach).abs()).max(0.0);
            let sum: f64 = (0..from).map(weight).sum();
            (0..from).filter(|&k| weight(k) > 0.0).map(|k| (k as usize, weight(k) / sum)).collect()
        })
        .collect()
}

fn reference(grey: &Grey, width: u32, height: u32) -> Vec<f64> {
    let (columns, rows) = (triangle(grey.width(), width), triangle(grey.height(), height));
    let mut out = Vec::new();
    for row in &rows {
        for column in &columns {
            let value = row
                .iter()
                .flat_map(|&(y, b)| column.iter().map(move |&(x, a)| (x, y, a * b)))
                .map(|(x, y, weight)| weight * f64::from(grey.pixels()[y * grey.width() as usize + x]))
                .sum();
            out.push(value);
        }
    }
    out
}

#[test]
fn resizing_is_the_triangle_filter() {
    let mut random = Random(3);
    let grey = random.picture(48, 37).to_grey();
    for (width, height) in [(96, 96), (224, 10), (7, 5), (48, 20), (1, 1), (31, 200)] {
        let resized = grey.resized(width, height).unwrap();
        assert_eq!((resized.width(), resized.height()), (width, height));
        for (&value, expected) in resized.pixels().iter().zip(reference(&grey, width, height)) {
            // The two passes each round to 8 bits.
            assert!((f64::from(value) - expected).abs() <= 1.6, "{width}x{height}: {value} {expected}");
        }
    }
}

#[test]
fn colour_is_resized_channel_by_channel() {
    let picture = Random(4).picture(40, 30);
    let resized = picture.resized(25, 50).unwrap();
    for channel in 0..3 {
        let one = |p: &Picture| p.pixels().iter().skip(channel).step_by(3).copied().collect::<Vec<u8>>();
        let alone = Grey::from_raw(40, 30, one(&picture)).unwrap().resized(25, 50).unwrap();
        assert_eq!(one(&resized), alone.pixels());
    }
}

#[test]
fn the_same_size_is_the_same_picture() {
    let picture = files::gradient(33, 21);
    assert_eq!(picture.resized(33, 21).unwrap(), picture);
    assert_eq!(picture.to_grey().resized(33, 21).unwrap(), picture.to_grey());
}

#[test]
fn sizes_without_meaning_are_refused() {
    let picture = files::gradient(4, 4);
    for (width, height) in [(0, 4), (4, 0), (100_000, 100_000), (u32::MAX, u32::MAX)] {
        assert!(matches!(picture.resized(width, height), Err(Error::Argument(_))));
        assert!(matches!(picture.to_grey().resized(width, height), Err(Error::Argument(_))));
        assert!(matches!(picture.crop(0, 0, width, height), Err(Error::Argument(_))));
    }
    let empty = Picture::from_raw(0, 7, Vec::new()).unwrap();
    assert!(matches!(empty.resized(4, 4), Err(Error::Argument(_))));
    assert!(matches!(empty.crop(0, 0, 4, 4), Err(Error::Argument(_))));
}

#[test]
fn luma_is_bt_601_rounded() {
    let mut off = 0;
    for red in (0..=255_u8).step_by(5) {
        for green in (0..=255_u8).step_by(3) {
            for blue in (0..=255_u8).step_by(5) {
                let luma = Picture::filled(1, 1, [red, green, blue]).to_grey().pixels()[0];
                let exact = 0.299 * f64::from(red) + 0.587 * f64::from(green) + 0.114 * f64::from(blue);
                assert!((f64::from(luma) - exact).abs() < 0.51, "{red} {green} {blue}: {luma} {exact}");
                off += u32::from(f64::from(luma) != exact.round());
            }
        }
    }
    // Fixed point differs from the real formula only in near ties.
    assert!(off < 3000, "{off}");
    for value in 0..=255 {
        assert_eq!(Picture::filled(1, 1, [value; 3]).to_grey().pixels(), [value], "grey stays what it is");
    }
}

#[test]
fn buffers_of_the_wrong_length_are_refused() {
    assert!(Picture::from_raw(2, 2, vec![0; 11]).is_none());
    assert!(Grey::from_raw(2, 2, vec![0; 5]).is_none());
    assert!(Picture::from_raw(u32::MAX, u32::MAX, vec![0; 3]).is_none());
    assert!(Grey::from_raw(2, 2, vec![1, 2, 3, 4]).unwrap().row(2).is_empty());
}
