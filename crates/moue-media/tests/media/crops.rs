//! Parts of a picture, in whole pixels and between them.

use moue_media::{Error, Grey, Region};

use crate::files::{self, Random};

/// A pixel, or the nearest one of the edge.
fn pixel(grey: &Grey, x: i64, y: i64) -> u8 {
    let column = x.clamp(0, i64::from(grey.width()) - 1);
    let row = y.clamp(0, i64::from(grey.height()) - 1);
    grey.pixels()[(row * i64::from(grey.width()) + column) as usize]
}

#[test]
fn a_crop_repeats_the_edge() {
    let mut random = Random(11);
    let picture = random.picture(19, 13);
    let grey = picture.to_grey();
    for _ in 0..300 {
        let (x, y) = (random.below(80) as i64 - 40, random.below(80) as i64 - 40);
        let (width, height) = (1 + random.below(50) as u32, 1 + random.below(50) as u32);
        let crop = grey.crop(x, y, width, height).unwrap();
        let colour = picture.crop(x, y, width, height).unwrap();
        assert_eq!(colour.to_grey(), crop);
        for row in 0..height {
            for column in 0..width {
                let expected = pixel(&grey, x + i64::from(column), y + i64::from(row));
                assert_eq!(crop.row(row)[column as usize], expected);
            }
        }
    }
    let far = grey.crop(i64::MAX, i64::MIN, 3, 2).unwrap();
    assert!(far.pixels().iter().all(|&v| v == pixel(&grey, 18, 0)));
}

/// The value at one output pixel, summed over every pixel under the filter at full precision.
fn reference(grey: &Grey, region: Region, side: u32, column: u32, row: u32) -> f64 {
    let axis = |origin: f32, extent: f32, i: u32| {
        let scale = f64::from(extent) / f64::from(side);
        let reach = scale.max(1.0);
        let centre = f64::from(origin) + (f64::from(i) + 0.5) * scale;
        let range = (centre - reach).floor() as i64 - 1..=(centre + reach).ceil() as i64 + 1;
        let weights: Vec<(i64, f64)> =
            range.map(|k| (k, (1.0 - ((k as f64 + 0.5 - centre) / reach).abs()).max(0.0))).collect();
        let sum: f64 = weights.iter().map(|(_, weight)| weight).sum();
        weights.into_iter().map(move |(k, weight)| (k, weight / sum)).collect::<Vec<_>>()
    };
    let columns = axis(region.x, region.width, column);
    axis(region.y, region.height, row)
        .into_iter()
        .flat_map(|(y, b)| columns.iter().map(move |&(x, a)| a * b * f64::from(pixel(grey, x, y))))
        .sum()
}

#[test]
fn a_resized_crop_is_the_triangle_filter_over_an_endless_edge() {
    let mut random = Random(5);
    let picture = random.picture(31, 23);
    let grey = picture.to_grey();
    for round in 0..120 {
        let region = Region {
            x: random.between(-60.0, 60.0),
            y: random.between(-60.0, 60.0),
            width: random.between(0.3, 90.0),
            height: random.between(0.3, 90.0),
        };
        let side = 1 + random.below(24) as u32;
        let crop = grey.crop_resized(region, side).unwrap();
        assert_eq!((crop.width(), crop.height()), (side, side));
        for row in 0..side {
            for column in 0..side {
                let value = f64::from(crop.row(row)[column as usize]);
                let expected = reference(&grey, region, side, column, row);
                assert!((value - expected).abs() < 0.51, "{round} {region:?} {side}: {value} {expected}");
            }
        }
    }
}

#[test]
fn a_crop_on_whole_pixels_at_its_own_size_is_exact() {
    let picture = files::gradient(40, 30);
    for (x, y) in [(0, 0), (5, 3), (-6, 20), (35, -4)] {
        let region = Region { x: x as f32, y: y as f32, width: 12.0, height: 12.0 };
        assert_eq!(picture.crop_resized(region, 12).unwrap(), picture.crop(x, y, 12, 12).unwrap());
    }
}

#[test]
fn the_whole_picture_enlarged_is_the_same_either_way() {
    let grey = Random(8).picture(48, 48).to_grey();
    let region = Region { x: 0.0, y: 0.0, width: 48.0, height: 48.0 };
    let (crop, resized) = (grey.crop_resized(region, 96).unwrap(), grey.resized(96, 96).unwrap());
    let worst = crop.pixels().iter().zip(resized.pixels()).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
    assert!(worst <= 1, "{worst}");
}

#[test]
fn a_region_far_larger_than_the_picture_shows_mostly_its_edge() {
    let grey = Grey::from_raw(2, 1, vec![10, 210]).unwrap();
    let region = Region { x: -8e6, y: -8e6, width: 1.6e7, height: 1.6e7 };
    let crop = grey.crop_resized(region, 4).unwrap();
    for row in 0..4 {
        assert_eq!(crop.row(row)[0], 10);
        assert_eq!(crop.row(row)[3], 210);
    }
}

#[test]
fn regions_without_meaning_are_refused() {
    let grey = files::gradient(8, 8).to_grey();
    let good = Region { x: 0.0, y: 0.0, width: 4.0, height: 4.0 };
    let wrong = [
        Region { x: f32::NAN, ..good },
        Region { y: f32::INFINITY, ..good },
        Region { width: 0.0, ..good },
        Region { height: -1.0, ..good },
        Region { width: f32::NAN, ..good },
        Region { x: 1e9, ..good },
        Region { width: f32::MAX, ..good },
    ];
    for region in wrong {
        assert!(matches!(grey.crop_resized(region, 4), Err(Error::Argument(_))), "{region:?}");
    }
    for side in [0, 16_385, u32::MAX] {
        assert!(matches!(grey.crop_resized(good, side), Err(Error::Argument(_))));
    }
    let empty = Grey::from_raw(0, 0, Vec::new()).unwrap();
    assert!(matches!(empty.crop_resized(good, 4), Err(Error::Argument(_))));
}
