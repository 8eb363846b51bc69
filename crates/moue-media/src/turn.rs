//! Pictures turned by quarters.

use crate::Picture;

impl Picture {
    /// The picture turned clockwise by so many quarters; 4 is all the way round.
    pub fn turned(&self, quarters: u8) -> Self {
        let (width, height) = (self.width() as usize, self.height() as usize);
        let mut out = match quarters % 4 {
            0 => return self.clone(),
            2 => Self::filled(self.width(), self.height(), [0; 3]),
            _ => Self::filled(self.height(), self.width(), [0; 3]),
        };
        let across = out.width() as usize;
        let source = self.pixels();
        for (i, pixel) in out.pixels_mut().chunks_exact_mut(3).enumerate() {
            let (x, y) = (i % across, i / across);
            let from = match quarters % 4 {
                1 => (height - 1 - x) * width + y,
                2 => (height - 1 - y) * width + width - 1 - x,
                _ => x * width + width - 1 - y,
            };
            pixel.copy_from_slice(&source[3 * from..3 * from + 3]);
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quarter_brings_the_left_edge_to_the_top() {
        let grey = |values: &[u8]| values.iter().flat_map(|&v| [v; 3]).collect::<Vec<u8>>();
        let picture = Picture::from_raw(3, 2, grey(&[1, 2, 3, 4, 5, 6])).unwrap();
        let once = picture.turned(1);
        assert_eq!((once.width(), once.height()), (2, 3));
        assert_eq!(once.pixels(), grey(&[4, 1, 5, 2, 6, 3]));
        assert_eq!(picture.turned(2).pixels(), grey(&[6, 5, 4, 3, 2, 1]));
        assert_eq!(picture.turned(3), once.turned(2));
        assert_eq!(once.turned(3), picture);
    }
}
