//! Which sizes a picture is scanned at.

use crate::Error;

/// A size in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Size {
    /// Pixels a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
}

/// The settings of a scan; they mean what the arguments of OpenCV's `detectMultiScale` mean.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScanParameters {
    /// How much smaller the picture becomes from one step to the next; 1.001 to 10. Smaller steps
    /// find more and take longer.
    pub scale_factor: f64,
    /// A group must have more hits than this (OpenCV's `minNeighbors`); 0 returns every hit, ungrouped.
    pub min_neighbours: u32,
    /// Smallest window in pixels of the picture, both sides at least this; `None` for the cascade's own.
    pub min_size: Option<Size>,
    /// Largest window, both sides at most this; `None` for the picture's own.
    pub max_size: Option<Size>,
}

impl Default for ScanParameters {
    /// OpenCV's defaults: scale factor 1.1, three neighbours, any size.
    fn default() -> Self {
        Self { scale_factor: 1.1, min_neighbours: 3, min_size: None, max_size: None }
    }
}

impl ScanParameters {
    /// What finds faces best in photos, for LBP and Haar face cascades: scale factor 1.1, more than five
    /// neighbours (OpenCV's default of three finds 1 to 2 % more faces and several times as many false ones),
    /// at least 30 pixels, as smaller faces do not suffice to read an emotion.
    pub const FACES: Self = Self {
        scale_factor: 1.1,
        min_neighbours: 5,
        min_size: Some(Size { width: 30, height: 30 }),
        max_size: None,
    };

    /// # Errors
    /// [`Error::Parameter`] where a setting has no meaning.
    pub fn check(&self) -> Result<(), Error> {
        if (1.001..=10.0).contains(&self.scale_factor) {
            Ok(())
        } else {
            let value = self.scale_factor.to_string();
            Err(Error::Parameter { name: "the scale factor", value, expected: "1.001 to 10" })
        }
    }
}

/// One size at which the picture is scanned.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Level {
    /// Pixels of the picture per pixel of this level.
    pub scale: f32,
    /// Size of the shrunken picture.
    pub size: Size,
    /// Windows are tried at every `step`-th column and row.
    pub step: usize,
    /// Window columns.
    pub columns: usize,
    /// Window rows.
    pub rows: usize,
}

/// The levels of a picture for a cascade window, largest picture first; none where the picture is
/// smaller than the window.
///
/// OpenCV's rules: factors are powers of the scale factor in double precision, kept as single; a level
/// counts if its window, rounded half to even, lies between the smallest and the largest size; if none
/// does, the one nearest to the smallest size is taken.
pub(super) fn levels(picture: Size, window: Size, parameters: &ScanParameters) -> Vec<Level> {
    if picture.width < window.width || picture.height < window.height {
        return Vec::new();
    }
    let mut factors = Vec::new();
    let mut factor = 1.0_f64;
    loop {
        let width = (f64::from(window.width) * factor).round_ties_even();
        let height = (f64::from(window.height) * factor).round_ties_even();
        if width > f64::from(picture.width) || height > f64::from(picture.height) {
            break;
        }
        factors.push(factor as f32);
        factor *= parameters.scale_factor;
    }
    let min = parameters.min_size.unwrap_or(Size { width: 0, height: 0 });
    let max = parameters.max_size.filter(|max| max.width > 0 && max.height > 0).unwrap_or(picture);
    let mut chosen = Vec::new();
    for &factor in &factors {
        let size = scaled(window, factor);
        if size.width > max.width || size.height > max.height {
            break;
        }
        if size.width >= min.width && size.height >= min.height {
            chosen.push(factor);
        }
    }
    if chosen.is_empty() {
        let distance = |factor: f32| {
            let size = scaled(window, factor);
            let across = i64::from(min.width) - i64::from(size.width);
            let down = i64::from(min.height) - i64::from(size.height);
            across.saturating_mul(across).saturating_add(down.saturating_mul(down))
        };
        chosen.extend(factors.iter().copied().min_by_key(|&factor| distance(factor)));
    }
    let levels: Vec<Level> = chosen.into_iter().map(|scale| level(picture, window, scale)).collect();
    with_last_rows(levels)
}

/// A size times a factor, rounded half to even in single precision as OpenCV does.
pub(super) fn scaled(size: Size, factor: f32) -> Size {
    let side = |pixels: u32| (pixels as f32 * factor).round_ties_even() as u32;
    Size { width: side(size.width), height: side(size.height) }
}

fn level(picture: Size, window: Size, scale: f32) -> Level {
    let side = |pixels: u32| (pixels as f32 / scale).round_ties_even() as u32;
    let size = Size { width: side(picture.width), height: side(picture.height) };
    Level {
        scale,
        size,
        step: if scale >= 2.0 { 1 } else { 2 },
        columns: (size.width + 1).saturating_sub(window.width) as usize,
        rows: (size.height + 1).saturating_sub(window.height) as usize,
    }
}

/// OpenCV cuts each level into as many stripes as the first has per 32 columns, every stripe of the
/// same whole number of steps. The division drops a remainder, so with some sizes the last row of
/// windows is never visited; it is not visited here either.
fn with_last_rows(mut levels: Vec<Level>) -> Vec<Level> {
    let stripes = levels.first().map_or(1, |level| level.columns.div_ceil(32)).max(1);
    for level in &mut levels {
        let stripe = ((level.rows / level.step).div_ceil(stripes)).max(1) * level.step;
        level.rows = level.rows.min(stripes * stripe);
    }
    levels
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Size = Size { width: 24, height: 24 };

    fn scales(parameters: &ScanParameters) -> Vec<f32> {
        levels(Size { width: 100, height: 80 }, WINDOW, parameters).iter().map(|l| l.scale).collect()
    }

    #[test]
    fn factors_run_from_one_to_the_picture() {
        let parameters = ScanParameters { scale_factor: 2.0, ..ScanParameters::default() };
        assert_eq!(scales(&parameters), [1.0, 2.0]);
        let parameters = ScanParameters { scale_factor: 1.5, ..ScanParameters::default() };
        assert_eq!(scales(&parameters), [1.0, 1.5, 2.25]);
    }

    #[test]
    fn sizes_limit_the_factors_and_the_nearest_is_kept_if_none_fits() {
        let size = |side| Some(Size { width: side, height: side });
        let parameters =
            ScanParameters { scale_factor: 1.5, min_size: size(30), ..ScanParameters::default() };
        assert_eq!(scales(&parameters), [1.5, 2.25]);
        let parameters = ScanParameters { max_size: size(40), ..parameters };
        assert_eq!(scales(&parameters), [1.5]);
        let parameters = ScanParameters { min_size: size(46), max_size: size(46), ..parameters };
        assert_eq!(scales(&parameters), [2.25]);
        let parameters = ScanParameters { max_size: size(0), min_size: None, ..parameters };
        assert_eq!(scales(&parameters).len(), 3);
    }

    #[test]
    fn a_picture_smaller_than_the_window_has_no_level() {
        let picture = Size { width: 23, height: 500 };
        assert!(levels(picture, WINDOW, &ScanParameters::default()).is_empty());
        let picture = Size { width: 24, height: 24 };
        let levels = levels(picture, WINDOW, &ScanParameters::default());
        assert_eq!((levels.len(), levels[0].columns, levels[0].rows), (1, 1, 1));
    }

    #[test]
    fn factors_without_meaning_are_refused() {
        for scale_factor in [1.0, 0.5, -2.0, f64::NAN, f64::INFINITY, 1.000_001] {
            assert!(ScanParameters { scale_factor, ..ScanParameters::default() }.check().is_err());
        }
    }
}
