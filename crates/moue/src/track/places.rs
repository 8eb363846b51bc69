//! Boxes and angles compared.

use moue_detect::Detection;

/// Left, top, right and bottom of a detection.
pub fn corners(face: &Detection) -> [f32; 4] {
    [face.x, face.y, face.x + face.width, face.y + face.height]
}

/// Intersection over union of two boxes given by left, top, right and bottom.
pub fn iou(a: [f32; 4], b: [f32; 4]) -> f32 {
    let shared = shared(a, b);
    if shared > 0.0 { shared / (area(a) + area(b) - shared) } else { 0.0 }
}

/// Share of the smaller box that lies in the larger one.
pub fn inside(a: [f32; 4], b: [f32; 4]) -> f32 {
    let shared = shared(a, b);
    if shared > 0.0 { shared / area(a).min(area(b)) } else { 0.0 }
}

fn shared(a: [f32; 4], b: [f32; 4]) -> f32 {
    let across = a[2].min(b[2]) - a[0].max(b[0]);
    let down = a[3].min(b[3]) - a[1].max(b[1]);
    if across > 0.0 && down > 0.0 { across * down } else { 0.0 }
}

fn area(c: [f32; 4]) -> f32 {
    (c[2] - c[0]) * (c[3] - c[1])
}

/// An angle in degrees brought to -180 (not included) to 180.
pub fn wrapped(degrees: f32) -> f32 {
    let turned = degrees.rem_euclid(360.0);
    if turned > 180.0 { turned - 360.0 } else { turned }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boxes_share_what_they_share() {
        let (large, small) = ([0.0, 0.0, 10.0, 10.0], [5.0, 0.0, 15.0, 5.0]);
        assert_eq!((iou(large, small), inside(large, small)), (0.2, 0.5));
        assert_eq!((iou(large, [11.0, 0.0, 12.0, 9.0]), inside(large, [20.0, 0.0, 30.0, 5.0])), (0.0, 0.0));
        assert_eq!([190.0, -180.0, 540.0, -10.0].map(wrapped), [-170.0, 180.0, 180.0, -10.0]);
    }
}
