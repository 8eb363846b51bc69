//! Random erasing (Zhong, Zheng, Kang, Li and Yang: "Random Erasing Data Augmentation", AAAI 2020).

use moue_graph::engine::rendering;
use serde::{Deserialize, Serialize};

use crate::random::Stream;

/// A rectangle of one random grey painted over the picture, like a hand, a mask or hair before a
/// face. Its sides have a ratio between 3:10 and 10:3, as in the paper.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Erasing {
    /// Probability of a rectangle, 0..=1.
    pub probability: f32,
    /// Smallest and largest area as shares of the picture, in 0..=0.5.
    #[serde(default = "area")]
    pub area: [f32; 2],
}

fn area() -> [f32; 2] {
    [0.02, 0.2]
}

/// A rectangle, drawn: shares of the side, and its grey.
#[derive(Clone, Debug, PartialEq)]
pub struct Erased {
    /// Left edge, 0..=1.
    pub x: f32,
    /// Upper edge, 0..=1.
    pub y: f32,
    /// Width, up to 1.
    pub width: f32,
    /// Height, up to 1.
    pub height: f32,
    /// Pixel value, 0..=255.
    pub grey: f32,
}

const LARGEST_RATIO: f32 = 10.0 / 3.0;

impl Erasing {
    pub(super) fn check(&self) -> Result<(), String> {
        let [low, high] = self.area;
        if !(0.0..=1.0).contains(&self.probability) {
            Err(format!("probability {} must lie in 0..=1", self.probability))
        } else if !(low > 0.0 && low <= high && high <= 0.5) {
            Err(format!("area [{low}, {high}] must rise and lie above 0 and within 0.5"))
        } else {
            Ok(())
        }
    }

    pub(super) fn draw(&self, random: &mut Stream) -> Option<Erased> {
        let hit = random.unit() < self.probability;
        let area = random.between(self.area[0], self.area[1]);
        // Log-uniform: wide and tall rectangles are equally frequent.
        let ratio = LARGEST_RATIO.powf(random.signed());
        let width = (area * ratio).sqrt().min(1.0);
        let height = (area / ratio).sqrt().min(1.0);
        let x = random.unit() * (1.0 - width);
        let y = random.unit() * (1.0 - height);
        let grey = random.unit() * 255.0;
        hit.then_some(Erased { x, y, width, height, grey })
    }
}

impl Erased {
    /// The pixels of an input of `side` x `side`.
    pub(super) fn on(&self, side: usize) -> rendering::Erased {
        let place = |share: f32| ((share * side as f32).round() as u32).min(side as u32);
        rendering::Erased {
            columns: place(self.x)..place(self.x + self.width),
            rows: place(self.y)..place(self.y + self.height),
            grey: self.grey,
        }
    }
}

pub(super) fn paint(erased: &rendering::Erased, side: usize, pixels: &mut [f32]) {
    let (rows, columns) = (&erased.rows, erased.columns.start as usize..erased.columns.end as usize);
    for row in pixels.chunks_exact_mut(side).skip(rows.start as usize).take(rows.len()) {
        row[columns.clone()].fill(erased.grey);
    }
}
