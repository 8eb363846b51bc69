//! Runs a cascade over a picture at every size: OpenCV's `detectMultiScale`.

use std::ops::Range;
use std::sync::Arc;

use moue_media::Grey;
use rayon::prelude::*;

use super::grid::{Grid, LANES};
use super::group::{self, Rect};
use super::haar::{Contrast, HaarTest};
use super::lbp::LbpTest;
use super::program::{Program, Test, Window};
use super::pyramid::{self, Level};
use super::resize::{self, Rows};
use super::together::{self, Job};
use super::{Cascade, ScanParameters, Size, Stages, integral, simd};
use crate::Error;

/// Most pixels a picture may have: a scan takes up to 70 bytes for each.
pub const MAX_PIXELS: u64 = 200_000_000;

/// Rows of windows that one task scans: enough that windows which are left over from several rows can be judged together,
/// few enough that all threads have work.
const ROWS_PER_BAND: usize = 16;

/// A group of hits, cut to the picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// Left edge in pixels of the picture.
    pub x: u32,
    /// Upper edge.
    pub y: u32,
    /// Width in pixels, at least 1.
    pub width: u32,
    /// Height in pixels, at least 1.
    pub height: u32,
    /// How many hits it stands for; 1 where hits were not grouped.
    pub neighbours: u32,
}

/// A cascade with the buffers that a scan needs.
pub struct Scanner {
    cascade: Arc<Cascade>,
    /// For the grids used last.
    layouts: Vec<Layout>,
    layers: Vec<Layer>,
}

/// The cascade laid out for integral images on one grid.
struct Layout {
    grid: Grid,
    kind: LayoutKind,
}

enum LayoutKind {
    Lbp(Program<LbpTest>),
    Haar { program: Program<HaarTest>, contrast: Contrast, tilted: bool },
}

/// The shrunken picture of one level and its tables.
#[derive(Default)]
struct Layer {
    rows: Rows,
    pixels: Vec<u8>,
    sums: Vec<i32>,
    squares: Vec<i32>,
    tilted: Vec<i32>,
    row: Vec<i32>,
}

impl Scanner {
    /// A scanner for `cascade`.
    pub fn new(cascade: Arc<Cascade>) -> Self {
        Self { cascade, layouts: Vec::new(), layers: Vec::new() }
    }

    /// The cascade it runs.
    pub fn cascade(&self) -> &Arc<Cascade> {
        &self.cascade
    }

    /// What OpenCV's `detectMultiScale2` returns for the same arguments on one thread, in the same
    /// order. Work is spread over rayon's threads; their number does not change the result.
    ///
    /// # Errors
    /// [`Error::Parameter`] where a setting has no meaning, [`Error::PictureTooLarge`] above
    /// [`MAX_PIXELS`].
    pub fn detect_multi_scale(
        &mut self,
        picture: &Grey,
        parameters: &ScanParameters,
    ) -> Result<Vec<Found>, Error> {
        let hits = self.hits(picture, parameters)?;
        let groups = group::group(&hits, parameters.min_neighbours);
        Ok(groups.into_iter().filter_map(|(rect, count)| clip(rect, count, picture)).collect())
    }

    /// Every window that passes, scaled to the picture: level by level, row by row.
    pub(super) fn hits(&mut self, picture: &Grey, parameters: &ScanParameters) -> Result<Vec<Rect>, Error> {
        parameters.check()?;
        let size = Size { width: picture.width(), height: picture.height() };
        if u64::from(size.width) * u64::from(size.height) > MAX_PIXELS {
            return Err(Error::PictureTooLarge { width: size.width, height: size.height, limit: MAX_PIXELS });
        }
        let window = self.cascade.window;
        let levels = pyramid::levels(size, window, parameters);
        let passing = self.passing(picture, &levels);
        let rect = |level: &Level, (x, y): (usize, usize)| {
            let size = pyramid::scaled(window, level.scale);
            Rect {
                x: (x as f32 * level.scale).round_ties_even() as i32,
                y: (y as f32 * level.scale).round_ties_even() as i32,
                width: size.width as i32,
                height: size.height as i32,
            }
        };
        Ok(levels
            .iter()
            .zip(passing)
            .flat_map(|(level, at)| at.into_iter().map(|at| rect(level, at)))
            .collect())
    }

    /// For each level the places `(column, row)` of the windows that pass, row by row.
    pub(super) fn passing(&mut self, picture: &Grey, levels: &[Level]) -> Vec<Vec<(usize, usize)>> {
        let Some(columns) = levels.iter().map(|level| level.size.width as usize + 1).max() else {
            return Vec::new();
        };
        let grid = |level: &Level| Grid::new(columns, level.step == 2);
        self.layouts.retain(|layout| levels.iter().any(|level| layout.grid == grid(level)));
        for level in levels {
            if self.layouts.iter().all(|layout| layout.grid != grid(level)) {
                self.layouts.push(Layout::new(&self.cascade, grid(level)));
            }
        }
        if self.layers.len() < levels.len() {
            self.layers.resize_with(levels.len(), Layer::default);
        }
        let layouts = &self.layouts;
        self.layers
            .par_iter_mut()
            .zip(levels)
            .map(|(layer, level)| match layouts.iter().find(|layout| layout.grid == grid(level)) {
                Some(layout) => {
                    layer.fill(picture, level, layout);
                    layout.scan(layer, level)
                }
                None => Vec::new(),
            })
            .collect()
    }

    /// The shrunken picture of a level of the last scan, row by row.
    pub(super) fn level_pixels(&self, level: usize) -> &[u8] {
        &self.layers[level].pixels
    }
}

fn clip(rect: Rect, neighbours: u32, picture: &Grey) -> Option<Found> {
    let (width, height) = (i64::from(picture.width()), i64::from(picture.height()));
    let left = i64::from(rect.x).clamp(0, width);
    let top = i64::from(rect.y).clamp(0, height);
    let right = (i64::from(rect.x) + i64::from(rect.width)).clamp(0, width);
    let bottom = (i64::from(rect.y) + i64::from(rect.height)).clamp(0, height);
    let side = |from: i64, to: i64| u32::try_from(to - from).ok().filter(|&side| side > 0);
    Some(Found {
        x: left as u32,
        y: top as u32,
        width: side(left, right)?,
        height: side(top, bottom)?,
        neighbours,
    })
}

impl Layer {
    fn fill(&mut self, picture: &Grey, level: &Level, layout: &Layout) {
        let target = (level.size.width, level.size.height);
        let source = (picture.width(), picture.height());
        resize::resize(picture.pixels(), source, target, &mut self.rows, &mut self.pixels);
        let (width, grid) = (level.size.width as usize, layout.grid);
        // A block of windows at the right border reads past the last entry of the last row.
        let rows = (level.size.height as usize + 1) * grid.stride;
        let entries = rows + LANES;
        self.sums.resize(entries, 0);
        integral::sums(&self.pixels, width, grid.stride, &mut self.sums);
        grid.arrange(&mut self.sums[..rows], &mut self.row);
        if let LayoutKind::Haar { tilted, .. } = layout.kind {
            self.squares.resize(entries, 0);
            integral::squares(&self.pixels, width, grid.stride, &mut self.squares);
            grid.arrange(&mut self.squares[..rows], &mut self.row);
            if tilted {
                self.tilted.resize(entries, 0);
                integral::tilted(&self.pixels, width, grid.stride, &mut self.tilted);
                grid.arrange(&mut self.tilted[..rows], &mut self.row);
            }
        }
    }
}

impl Layout {
    fn new(cascade: &Cascade, grid: Grid) -> Self {
        let kind = match &cascade.stages {
            Stages::Lbp { features, stages } => LayoutKind::Lbp(Program::new(stages, |feature, &subset| {
                LbpTest { corners: features[feature as usize].corners(grid), subset }
            })),
            Stages::Haar { features, stages } => LayoutKind::Haar {
                program: Program::new(stages, |feature, &threshold| {
                    HaarTest::new(&features[feature as usize], threshold, grid)
                }),
                contrast: Contrast::new(cascade.window, grid),
                tilted: features.iter().any(|feature| feature.tilted),
            },
        };
        Self { grid, kind }
    }

    fn scan(&self, layer: &Layer, level: &Level) -> Vec<(usize, usize)> {
        match &self.kind {
            LayoutKind::Lbp(program) => self.run(program, None, false, layer, level),
            LayoutKind::Haar { program, contrast, tilted } => {
                self.run(program, Some(contrast), *tilted, layer, level)
            }
        }
    }

    fn run<T: Test>(
        &self,
        program: &Program<T>,
        contrast: Option<&Contrast>,
        tilted: bool,
        layer: &Layer,
        level: &Level,
    ) -> Vec<(usize, usize)> {
        let job = Job {
            program,
            contrast,
            sums: &layer.sums,
            squares: if contrast.is_some() { &layer.squares } else { &[] },
            tilted: if tilted { &layer.tilted } else { &[] },
            grid: self.grid,
            level,
        };
        if level.step <= 2 && program.takes_many() {
            let simd = simd::Level::current();
            self.bands(level, |rows| together::scan(simd, &job, rows))
        } else {
            self.bands(level, |rows| {
                let mut hits = Vec::new();
                rows.step_by(level.step).for_each(|y| step_through(&job, y, &mut hits));
                hits
            })
        }
    }

    /// Scans bands of rows side by side and puts their hits in order.
    fn bands(
        &self,
        level: &Level,
        scan: impl Fn(Range<usize>) -> Vec<(usize, usize)> + Sync,
    ) -> Vec<(usize, usize)> {
        let rows = ROWS_PER_BAND * level.step;
        let band = |band: usize| scan(band * rows..((band + 1) * rows).min(level.rows));
        (0..level.rows.div_ceil(rows)).into_par_iter().map(band).collect::<Vec<_>>().concat()
    }
}

/// Scans a row window by window.
fn step_through<T: Test>(job: &Job<'_, T>, y: usize, hits: &mut Vec<(usize, usize)>) {
    let (program, step) = (job.program, job.level.step);
    let mut x = 0;
    while x < job.level.columns {
        let start = job.grid.at(x, y);
        let tilted = job.tilted.get(start..).unwrap_or(&[]);
        let norm = match job.contrast {
            Some(contrast) => contrast.norm(&job.sums[start..], &job.squares[start..]),
            None => Some(1.0),
        };
        let passed = norm.map(|norm| program.passed(&Window { sums: &job.sums[start..], tilted, norm }));
        if passed == Some(program.stage_count()) {
            hits.push((x, y));
        }
        // Where not even the first stage sees a face, the next position is left out.
        x += if passed == Some(0) { 2 * step } else { step };
    }
}
