//! Rectangles, text and faces.

use moue_media::{
    FaceMark, Picture, Region, Weight, draw_face, draw_faces, draw_text, measure_text, palette, readable_on,
};

use crate::files::Random;

const GREY: [u8; 3] = [128, 128, 128];

fn at(picture: &Picture, x: u32, y: u32) -> [u8; 3] {
    let start = (y * picture.width() + x) as usize * 3;
    [picture.pixels()[start], picture.pixels()[start + 1], picture.pixels()[start + 2]]
}

/// The smallest rectangle (left, top, right, bottom; the last two excluded) around all pixels that are not `ground`.
fn bounds(picture: &Picture, ground: [u8; 3]) -> Option<(u32, u32, u32, u32)> {
    let mut found = None;
    for y in 0..picture.height() {
        for x in 0..picture.width() {
            if at(picture, x, y) != ground {
                let (left, top, right, bottom) = found.unwrap_or((x, y, x, y));
                found = Some((left.min(x), top.min(y), right.max(x + 1), bottom.max(y + 1)));
            }
        }
    }
    found
}

#[test]
fn rectangles_cover_their_pixels_and_no_others() {
    let mut random = Random(21);
    for _ in 0..200 {
        let (x, y) = (random.below(60) as i64 - 20, random.below(60) as i64 - 20);
        let (width, height) = (random.below(40) as u32, random.below(40) as u32);
        let thickness = random.below(8) as u32;
        let mut filled = Picture::filled(30, 20, GREY);
        filled.fill_rectangle(x, y, width, height, [9, 8, 7], 1.0);
        let mut outlined = Picture::filled(30, 20, GREY);
        outlined.outline_rectangle(x, y, width, height, thickness, [9, 8, 7]);
        for row in 0..20_u32 {
            for column in 0..30_u32 {
                let (dx, dy) = (i64::from(column) - x, i64::from(row) - y);
                let (right, bottom) = (i64::from(width) - 1 - dx, i64::from(height) - 1 - dy);
                let depth = dx.min(dy).min(right).min(bottom);
                let expected = |inside| if inside { [9, 8, 7] } else { GREY };
                assert_eq!(at(&filled, column, row), expected(depth >= 0));
                assert_eq!(at(&outlined, column, row), expected((0..i64::from(thickness)).contains(&depth)));
            }
        }
    }
}

#[test]
fn opacity_mixes() {
    let mut picture = Picture::filled(1, 1, [0, 100, 255]);
    picture.fill_rectangle(0, 0, 1, 1, [255, 200, 255], 0.2);
    assert_eq!(at(&picture, 0, 0), [51, 120, 255]);
    picture.fill_rectangle(0, 0, 1, 1, [1, 2, 3], f32::NAN);
    picture.fill_rectangle(0, 0, 1, 1, [1, 2, 3], -1.0);
    assert_eq!(at(&picture, 0, 0), [51, 120, 255]);
    picture.fill_rectangle(0, 0, 1, 1, [1, 2, 3], 7.0);
    assert_eq!(at(&picture, 0, 0), [1, 2, 3]);
}

#[test]
fn pasting_shows_what_lies_inside() {
    let mut random = Random(22);
    let stamp = random.picture(9, 7);
    for _ in 0..200 {
        let (x, y) = (random.below(40) as i64 - 15, random.below(40) as i64 - 15);
        let mut picture = Picture::filled(20, 16, GREY);
        picture.paste(&stamp, x, y);
        for row in 0..16_u32 {
            for column in 0..20_u32 {
                let (dx, dy) = (i64::from(column) - x, i64::from(row) - y);
                let inside = (0..9).contains(&dx) && (0..7).contains(&dy);
                let expected = if inside { at(&stamp, dx as u32, dy as u32) } else { GREY };
                assert_eq!(at(&picture, column, row), expected);
            }
        }
    }
    let mut picture = Picture::filled(4, 4, GREY);
    for far in [i64::MIN, i64::MAX] {
        picture.paste(&stamp, far, 0);
        picture.paste(&stamp, 0, far);
        picture.fill_rectangle(far, far, u32::MAX, u32::MAX, [0; 3], 1.0);
        picture.outline_rectangle(far, 1, u32::MAX, u32::MAX, 3, [0; 3]);
    }
    assert_eq!(picture, Picture::filled(4, 4, GREY));
}

#[test]
fn text_lies_within_its_measure() {
    for (text, size) in [("happy 98 %", 14.0), ("ÄÖg|j", 40.0), ("surprise", 9.0), ("Ελλ Кир", 25.0)]
    {
        for weight in [Weight::Regular, Weight::Bold] {
            let mut picture = Picture::filled(400, 80, GREY);
            draw_text(&mut picture, text, 20.0, 15.0, size, weight, [0, 0, 0]);
            let (left, top, right, bottom) = bounds(&picture, GREY).unwrap();
            let width = measure_text(text, size, weight);
            // Letters may lean over their advance a little.
            let slack = size * 0.1 + 1.0;
            assert!(left as f32 >= 20.0 - slack && right as f32 <= 20.0 + width + slack);
            assert!((right - left) as f32 >= width * 0.8);
            assert!(top as f32 >= 15.0 - 1.0 && bottom as f32 <= 15.0 + size + 1.0, "{text} {top} {bottom}");
        }
    }
}

#[test]
fn text_may_lie_anywhere() {
    let mut random = Random(23);
    let mut picture = Picture::filled(50, 40, GREY);
    for _ in 0..300 {
        let (x, y) = (random.between(-200.0, 200.0), random.between(-200.0, 200.0));
        draw_text(
            &mut picture,
            "fear\u{1f600}\n中",
            x,
            y,
            random.between(-5.0, 60.0),
            Weight::Bold,
            [1, 2, 3],
        );
    }
    let before = picture.clone();
    for odd in [f32::NAN, f32::INFINITY, -1e30, 1e30] {
        draw_text(&mut picture, "x", odd, 3.0, 12.0, Weight::Regular, [1, 2, 3]);
        draw_text(&mut picture, "x", 3.0, odd, 12.0, Weight::Regular, [1, 2, 3]);
    }
    draw_text(&mut picture, "x", 3.0, 3.0, f32::NAN, Weight::Regular, [1, 2, 3]);
    assert_eq!(picture, before);
}

#[test]
fn any_face_can_be_drawn_on_any_picture() {
    let mut random = Random(24);
    for round in 0..400 {
        let (width, height) = (1 + random.below(90) as u32, 1 + random.below(90) as u32);
        let mut picture = Picture::filled(width, height, GREY);
        let huge = if round % 4 == 0 { 1e30 } else { 1.0 };
        let region = Region {
            x: random.between(-150.0, 150.0) * huge,
            y: random.between(-150.0, 150.0) * huge,
            width: random.between(-10.0, 250.0) * huge,
            height: random.between(-10.0, 250.0) * huge,
        };
        let label = ["", "sad", "surprise 88 %", "a label longer than any picture in this test could be"];
        draw_face(&mut picture, region, label[round % 4], palette(round));
        let seen = region.width > 0.0
            && region.height > 0.0
            && region.x < width as f32
            && region.y < height as f32
            && region.x + region.width > 0.0
            && region.y + region.height > 0.0;
        assert_eq!(bounds(&picture, GREY).is_some(), seen, "{region:?} on {width}x{height}");
    }
    let mut empty = Picture::from_raw(0, 0, Vec::new()).unwrap();
    draw_face(&mut empty, Region { x: 0.0, y: 0.0, width: 5.0, height: 5.0 }, "sad", palette(4));
}

/// Where the pixels of exactly this colour lie that are not part of a frame: the plate is the only solid block.
fn plate(picture: &Picture, colour: [u8; 3]) -> Option<(u32, u32, u32, u32)> {
    let solid = |x: u32, y: u32| {
        (0..6).all(|d| at(picture, (x + d).min(picture.width() - 1), y) == colour)
            && (0..6).all(|d| at(picture, x, (y + d).min(picture.height() - 1)) == colour)
    };
    let mut blocks = Picture::filled(picture.width(), picture.height(), [0; 3]);
    for y in 0..picture.height() {
        for x in 0..picture.width() {
            if solid(x, y) {
                blocks.fill_rectangle(x.into(), y.into(), 1, 1, [1; 3], 1.0);
            }
        }
    }
    bounds(&blocks, [0; 3])
}

#[test]
fn the_label_stands_above_or_else_below() {
    let draw = |y: f32| {
        let mut picture = Picture::filled(320, 240, [255, 255, 255]);
        draw_face(&mut picture, Region { x: 100.0, y, width: 80.0, height: 90.0 }, "happy", palette(3));
        plate(&picture, palette(3)).unwrap()
    };
    let above = draw(100.0);
    assert!(above.1 > 70 && above.3 <= 101, "{above:?}");
    let below = draw(2.0);
    assert!(below.1 >= 92, "{below:?}");
}

#[test]
fn frame_and_face_stay_visible() {
    let mut picture = Picture::filled(320, 240, [255, 255, 255]);
    draw_face(&mut picture, Region { x: 100.0, y: 80.0, width: 80.0, height: 90.0 }, "happy", palette(3));
    assert_eq!(at(&picture, 140, 125), [255, 255, 255], "the face itself is not painted over");
    for (x, y) in [(100, 125), (180, 125), (140, 170)] {
        let near = (0..5)
            .any(|d| at(&picture, x + d - 2, y) == palette(3) || at(&picture, x, y + d - 2) == palette(3));
        assert!(near, "no frame at {x}, {y}");
    }
}

#[test]
fn labels_of_neighbours_do_not_cover_each_other() {
    let mut picture = Picture::filled(640, 480, [255, 255, 255]);
    let region = |x: f32| Region { x, y: 100.0, width: 40.0, height: 50.0 };
    let marks = [
        FaceMark { region: region(100.0), roll: 0.0, label: "surprise 88 %", colour: palette(5) },
        FaceMark { region: region(150.0), roll: 0.0, label: "neutral 54 %", colour: palette(6) },
    ];
    draw_faces(&mut picture, &marks);
    let (one, two) = (plate(&picture, palette(5)).unwrap(), plate(&picture, palette(6)).unwrap());
    let apart = one.2 <= two.0 || two.2 <= one.0 || one.3 <= two.1 || two.3 <= one.1;
    assert!(apart, "{one:?} {two:?}");
}

#[test]
fn the_palette_is_distinct_and_every_label_readable() {
    let contrast = |a: [u8; 3], b: [u8; 3]| {
        let luminance = |c: [u8; 3]| {
            let linear = c.map(|v| {
                let v = f64::from(v) / 255.0;
                if v <= 0.04045 { v / 12.92 } else { ((v + 0.055) / 1.055).powf(2.4) }
            });
            0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
        };
        let (a, b) = (luminance(a) + 0.05, luminance(b) + 0.05);
        a.max(b) / a.min(b)
    };
    for index in 0..8 {
        for other in 0..index {
            assert_ne!(palette(index), palette(other));
        }
        assert_eq!(palette(index), palette(index + 8));
        // WCAG 2.2 asks for 4.5 for text.
        assert!(contrast(palette(index), readable_on(palette(index))) >= 4.5, "colour {index}");
    }
}
