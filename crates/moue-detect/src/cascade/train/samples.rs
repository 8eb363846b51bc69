//! Windows to learn from.

use super::super::grid::Grid;
use super::super::{LbpFeature, Size, integral, lbp};
use rayon::prelude::*;

/// Samples whose codes are read together: their integral images fit the cache, and the codes of one
/// feature are written side by side.
const BLOCK: usize = 64;

/// Grey windows of one size, one after another.
pub(super) struct Samples {
    window: Size,
    pixels: Vec<u8>,
}

impl Samples {
    pub fn new(window: Size) -> Self {
        Self { window, pixels: Vec::new() }
    }

    fn area(&self) -> usize {
        self.window.width as usize * self.window.height as usize
    }

    pub fn len(&self) -> usize {
        self.pixels.len() / self.area()
    }

    /// Adds a window; `pixels` are all of it, row by row.
    pub fn push(&mut self, pixels: &[u8]) {
        debug_assert_eq!(pixels.len(), self.area());
        self.pixels.extend_from_slice(pixels);
    }

    /// Adds the window that starts at `(x, y)` of a picture `width` pixels wide.
    pub fn push_from(&mut self, picture: &[u8], width: usize, (x, y): (usize, usize)) {
        for row in 0..self.window.height as usize {
            let start = (y + row) * width + x;
            self.pixels.extend_from_slice(&picture[start..start + self.window.width as usize]);
        }
    }

    /// Keeps the windows marked true.
    pub fn retain(&mut self, kept: &[bool]) {
        let area = self.area();
        let mut length = 0;
        for (i, _) in kept.iter().enumerate().filter(|(_, kept)| **kept) {
            self.pixels.copy_within(i * area..(i + 1) * area, length);
            length += area;
        }
        self.pixels.truncate(length);
    }

    /// The LBP code of every feature in every window: `len()` codes for the first feature, then those
    /// for the next.
    pub fn codes(&self, features: &[LbpFeature]) -> Vec<u8> {
        let (width, height) = (self.window.width as usize, self.window.height as usize);
        let (count, stride) = (self.len(), width + 1);
        let corners: Vec<[u32; 16]> =
            features.iter().map(|feature| feature.corners(Grid::plain(stride))).collect();
        let blocks: Vec<Vec<u8>> = self
            .pixels
            .par_chunks(BLOCK * self.area())
            .map(|windows| {
                let tables: Vec<Vec<i32>> = windows
                    .chunks_exact(self.area())
                    .map(|window| {
                        let mut table = vec![0; stride * (height + 1)];
                        integral::sums(window, width, stride, &mut table);
                        table
                    })
                    .collect();
                let code = |corners, table: &Vec<i32>| lbp::code(table, corners) as u8;
                corners
                    .iter()
                    .flat_map(|corners| tables.iter().map(move |table| code(corners, table)))
                    .collect()
            })
            .collect();
        let mut codes = vec![0; features.len() * count];
        for (i, block) in blocks.iter().enumerate() {
            let size = block.len() / features.len();
            for (feature, part) in block.chunks_exact(size).enumerate() {
                let start = feature * count + i * BLOCK;
                codes[start..start + size].copy_from_slice(part);
            }
        }
        codes
    }
}
