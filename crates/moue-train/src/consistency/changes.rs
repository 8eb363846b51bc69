//! The ways in which a face is seen differently. Lengths are those of FER2013's pictures, 48 pixels a side.

use moue_media::{Grey, Limits, Picture, Region, decode_grey};

use crate::augment::Transform;
use crate::{Error, Result};

/// One way.
pub(super) struct Change {
    pub(super) name: &'static str,
    pub(super) description: &'static str,
    pub(super) how: How,
}

/// How it is made.
pub(super) enum How {
    /// By reading other places of the picture, without an intermediate one.
    Geometry(Transform),
    /// By a picture of the same size.
    Picture(fn(&Grey) -> Result<Grey>),
}

const PIXEL: f32 = 1.0 / 48.0;

/// Sides of a small and of a large face in pixels.
const SMALL: u32 = 30;
const LARGE: u32 = 300;

/// Incandescent light as a camera set to daylight sees it, about; red, green, blue.
const WARM: [f32; 3] = [1.0, 0.72, 0.42];

pub(super) const ALL: [Change; 19] = [
    geometry("mirrored", "left and right exchanged", Transform { flip: true, ..Transform::NONE }),
    geometry("left_1", "1/48 of the side to the left: 5 px of a face of 240", moved([-PIXEL, 0.0])),
    geometry("left_5", "5/48 of the side to the left: 5 px of a face of 48", moved([-5.0 * PIXEL, 0.0])),
    geometry("right_5", "5/48 of the side to the right", moved([5.0 * PIXEL, 0.0])),
    geometry("up_5", "5/48 of the side up", moved([0.0, -5.0 * PIXEL])),
    geometry("down_5", "5/48 of the side down", moved([0.0, 5.0 * PIXEL])),
    geometry("tighter_5", "crop 5 % tighter", scaled(1.0 / 0.95)),
    geometry("tighter_10", "crop 10 % tighter", scaled(1.0 / 0.9)),
    geometry("wider_5", "crop 5 % wider", scaled(1.0 / 1.05)),
    geometry("wider_10", "crop 10 % wider", scaled(1.0 / 1.1)),
    geometry("clockwise_5", "turned by 5 degrees clockwise", turned(5.0)),
    geometry("counterclockwise_5", "turned by 5 degrees the other way", turned(-5.0)),
    picture("small_30", "reduced to 30 px a side", |grey| resampled(grey, SMALL)),
    picture("large_300", "enlarged to 300 px a side, and reduced as faces of photos are", |grey| {
        resampled(grey, LARGE)
    }),
    picture("jpeg_50", "stored as JPEG of quality 50", jpeg),
    picture("blurred", "blurred, Gaussian of 1 px", blurred),
    picture("darker", "light times 0.6", |grey| lit(grey, 0.6)),
    picture("brighter", "light times 1.4, cut off at white", |grey| lit(grey, 1.4)),
    picture("warm_light", "in the colours of warm light, and brought to grey", tinted),
];

const fn geometry(name: &'static str, description: &'static str, transform: Transform) -> Change {
    Change { name, description, how: How::Geometry(transform) }
}

const fn picture(name: &'static str, description: &'static str, how: fn(&Grey) -> Result<Grey>) -> Change {
    Change { name, description, how: How::Picture(how) }
}

const fn moved(shift: [f32; 2]) -> Transform {
    Transform { shift, ..Transform::NONE }
}

const fn scaled(scale: f32) -> Transform {
    Transform { scale, ..Transform::NONE }
}

const fn turned(rotation: f32) -> Transform {
    Transform { rotation, ..Transform::NONE }
}

/// Brought to another size and back, both as crops of photos are.
fn resampled(grey: &Grey, side: u32) -> Result<Grey> {
    let whole = |g: &Grey| Region { x: 0.0, y: 0.0, width: g.width() as f32, height: g.height() as f32 };
    let other = grey.crop_resized(whole(grey), side)?;
    Ok(other.crop_resized(whole(&other), grey.width())?)
}

fn jpeg(grey: &Grey) -> Result<Grey> {
    Ok(decode_grey(&grey.to_jpeg(50)?, "a picture stored as JPEG", &Limits::default())?)
}

fn lit(grey: &Grey, factor: f32) -> Result<Grey> {
    let mut out = grey.clone();
    for value in out.pixels_mut() {
        *value = (f32::from(*value) * factor).round().min(255.0) as u8;
    }
    Ok(out)
}

fn tinted(grey: &Grey) -> Result<Grey> {
    let tint = |&value: &u8| WARM.map(|share| (f32::from(value) * share).round() as u8);
    let pixels = grey.pixels().iter().flat_map(tint).collect();
    let picture = Picture::from_raw(grey.width(), grey.height(), pixels);
    Ok(picture.ok_or_else(|| Error::Parameter("a tinted picture has another size".into()))?.to_grey())
}

/// A Gaussian of standard deviation 1, cut at 3 pixels, along rows and then columns; the edge is repeated.
fn blurred(grey: &Grey) -> Result<Grey> {
    let kernel: Vec<f32> = (-3i32..=3).map(|i| (-0.5 * (i * i) as f32).exp()).collect();
    let sum: f32 = kernel.iter().sum();
    let (width, height) = (grey.width() as usize, grey.height() as usize);
    let values: Vec<f32> = grey.pixels().iter().map(|&v| f32::from(v)).collect();
    let along = |from: &[f32], step: usize, length: usize, start: usize, place: usize| -> f32 {
        let taps = kernel.iter().enumerate().map(|(k, weight)| {
            let at = (place + k).saturating_sub(3).min(length - 1);
            from[start + at * step] * weight
        });
        taps.sum::<f32>() / sum
    };
    let mut rows = vec![0.0; values.len()];
    let mut out = grey.clone();
    for y in 0..height {
        for x in 0..width {
            rows[y * width + x] = along(&values, 1, width, y * width, x);
        }
    }
    for (i, value) in out.pixels_mut().iter_mut().enumerate() {
        *value = along(&rows, width, height, i % width, i / width).round() as u8;
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some() -> Grey {
        Grey::from_raw(48, 48, (0..48 * 48).map(|i| (i * 7 % 251) as u8).collect()).unwrap()
    }

    #[test]
    fn every_change_has_a_name_of_its_own_and_changes_the_picture() {
        for (i, change) in ALL.iter().enumerate() {
            assert!(ALL[..i].iter().all(|other| other.name != change.name), "{}", change.name);
            match &change.how {
                How::Geometry(transform) => assert_ne!(*transform, Transform::NONE, "{}", change.name),
                How::Picture(changed) => {
                    let out = changed(&some()).unwrap();
                    assert_eq!((out.width(), out.height()), (48, 48), "{}", change.name);
                    assert_ne!(out.pixels(), some().pixels(), "{}", change.name);
                }
            }
        }
    }

    #[test]
    fn a_plain_area_stays_what_it_is() {
        let plain = Grey::from_raw(48, 48, vec![100; 48 * 48]).unwrap();
        for changed in [blurred, jpeg, |g: &Grey| resampled(g, SMALL), |g: &Grey| resampled(g, LARGE)] {
            assert!(changed(&plain).unwrap().pixels().iter().all(|&v| v == 100));
        }
        assert!(lit(&plain, 0.6).unwrap().pixels().iter().all(|&v| v == 60));
        assert!(lit(&plain, 3.0).unwrap().pixels().iter().all(|&v| v == 255));
        // Luma of (100, 72, 42).
        assert!(tinted(&plain).unwrap().pixels().iter().all(|&v| v == 77));
    }

    #[test]
    fn a_blurred_point_is_a_gaussian() {
        let mut point = Grey::from_raw(48, 48, vec![0; 48 * 48]).unwrap();
        point.pixels_mut()[20 * 48 + 10] = 255;
        let out = blurred(&point).unwrap();
        let at = |x: usize, y: usize| out.pixels()[y * 48 + x];
        // 255 / (2 pi) times exp(-r^2 / 2).
        assert_eq!([at(10, 20), at(11, 20), at(9, 20), at(10, 22), at(11, 21)], [41, 25, 25, 5, 15]);
    }
}
