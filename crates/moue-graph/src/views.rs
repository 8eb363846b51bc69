//! Several looks at one face, whose answers are averaged: test-time augmentation.

/// How a picture is looked at.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct View {
    /// Mirrored left to right, after the rest.
    pub mirrored: bool,
    /// Shift of the face right and down as a share of the picture's side.
    pub shift: [f32; 2],
    /// Size factor around the middle; above 1 the face grows.
    pub scale: f32,
}

/// One 48th of the side: a pixel of FER2013.
const PIXEL: f32 = 1.0 / 48.0;

impl View {
    /// As it is.
    pub const PLAIN: Self = Self { mirrored: false, shift: [0.0; 2], scale: 1.0 };

    /// As it is, moved left and right by a 48th of its side, and 5 % larger; each also mirrored. The answer is the
    /// softmax of the mean of the logits, at the model's temperature.
    pub const TEST_TIME: [Self; 8] = [
        Self::PLAIN,
        Self { shift: [PIXEL, 0.0], ..Self::PLAIN },
        Self { shift: [-PIXEL, 0.0], ..Self::PLAIN },
        Self { scale: 1.05, ..Self::PLAIN },
        Self { mirrored: true, ..Self::PLAIN },
        Self { mirrored: true, shift: [PIXEL, 0.0], ..Self::PLAIN },
        Self { mirrored: true, shift: [-PIXEL, 0.0], ..Self::PLAIN },
        Self { mirrored: true, scale: 1.05, ..Self::PLAIN },
    ];
}

/// The mean of rows of `classes` logits.
pub fn mean_logits(rows: &[f32], classes: usize) -> Vec<f32> {
    let mut mean = vec![0.0; classes];
    let count = rows.len().checked_div(classes).unwrap_or(0).max(1) as f32;
    for row in rows.chunks_exact(classes.max(1)) {
        for (sum, logit) in mean.iter_mut().zip(row) {
            *sum += logit;
        }
    }
    mean.iter_mut().for_each(|sum| *sum /= count);
    mean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_view_has_its_mirror_image_and_the_plain_one_is_among_them() {
        let [plain, .., last] = View::TEST_TIME;
        assert_eq!(plain, View::PLAIN);
        assert!(last.mirrored);
        for view in View::TEST_TIME {
            assert!(View::TEST_TIME.contains(&View { mirrored: !view.mirrored, ..view }));
        }
    }

    #[test]
    fn the_mean_is_taken_class_by_class() {
        assert_eq!(mean_logits(&[1.0, -2.0, 3.0, 4.0], 2), [2.0, 1.0]);
        assert_eq!(mean_logits(&[0.1, 0.7], 2), [0.1, 0.7]);
        assert_eq!(mean_logits(&[], 2), [0.0, 0.0]);
    }
}
