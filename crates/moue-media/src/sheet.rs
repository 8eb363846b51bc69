//! Many small pictures on one page, each with a caption.

use crate::draw::{Weight, draw_text, fit_text};
use crate::{Error, Picture};

/// One picture of a [`Sheet`].
#[derive(Clone, Debug)]
pub struct Tile {
    /// Shown as large as the tile allows, with its proportions kept.
    pub picture: Picture,
    /// Short lines under the picture; what is wider than the tile is cut and ends in "…".
    pub caption: Vec<String>,
    /// RGB colour of the border; [`palette`](crate::palette) has one for each label.
    pub border: [u8; 3],
}

/// A contact sheet: tiles from left to right and from top to bottom on white.
#[derive(Clone, Debug)]
pub struct Sheet {
    /// A line above the tiles; empty for none.
    pub title: String,
    /// Tiles a row, at least 1.
    pub columns: u32,
    /// Side in pixels, 16 to 1024, of the square that each picture is fitted into, without its border.
    pub side: u32,
    /// The tiles.
    pub tiles: Vec<Tile>,
}

const PAPER: [u8; 3] = [255, 255, 255];
const INK: [u8; 3] = [32, 32, 32];
/// Behind pictures that are not square.
const MOUNT: [u8; 3] = [236, 236, 236];
const BORDER: u32 = 3;

/// Largest side and number of pixels of a sheet: more than anyone looks at, and no surprise for the memory.
const MAX_SIDE: u64 = 16_384;
const MAX_PIXELS: u64 = 1 << 27;

impl Sheet {
    /// Draws the sheet.
    ///
    /// # Errors
    /// [`Error::Argument`] where there are no tiles or no columns, a tile has no pixels, `side` is outside its range, or
    /// the sheet would be larger than 16,384 pixels a side or 2^27 in all.
    pub fn render(&self) -> Result<Picture, Error> {
        let layout = Layout::new(self)?;
        let mut page = Picture::filled(layout.width, layout.height, PAPER);
        if !self.title.is_empty() {
            let size = layout.title as f32 * 0.6;
            let room = (layout.width - 2 * layout.gap) as f32;
            let title = fit_text(&self.title, size, Weight::Bold, room);
            let top = layout.title as f32 * 0.3;
            draw_text(&mut page, &title, layout.gap as f32, top, size, Weight::Bold, INK);
        }
        for (index, tile) in (0_u32..).zip(&self.tiles) {
            let x = layout.gap + index % self.columns * layout.column;
            let y = layout.title + layout.gap + index / self.columns * layout.row;
            self.draw_tile(&mut page, tile, &layout, x, y)?;
        }
        Ok(page)
    }

    fn draw_tile(
        &self,
        page: &mut Picture,
        tile: &Tile,
        layout: &Layout,
        x: u32,
        y: u32,
    ) -> Result<(), Error> {
        let outer = self.side + 2 * BORDER;
        page.fill_rectangle(x.into(), y.into(), outer, outer, MOUNT, 1.0);
        page.outline_rectangle(x.into(), y.into(), outer, outer, BORDER, tile.border);
        let (width, height) = fitted(&tile.picture, self.side);
        let left = x + BORDER + (self.side - width) / 2;
        let top = y + BORDER + (self.side - height) / 2;
        page.paste(&tile.picture.resized(width, height)?, left.into(), top.into());
        let mut line_top = y + outer + layout.text / 6;
        for line in &tile.caption {
            let size = layout.text as f32;
            let line = fit_text(line, size, Weight::Regular, outer as f32);
            draw_text(page, &line, x as f32, line_top as f32, size, Weight::Regular, INK);
            line_top += layout.text;
        }
        Ok(())
    }
}

/// The largest size with the picture's proportions in a square.
fn fitted(picture: &Picture, side: u32) -> (u32, u32) {
    let longer = u64::from(picture.width().max(picture.height())).max(1);
    let scaled = |length: u32| ((u64::from(length) * u64::from(side) + longer / 2) / longer).max(1) as u32;
    (scaled(picture.width()), scaled(picture.height()))
}

/// Measures of a sheet in pixels.
struct Layout {
    width: u32,
    height: u32,
    /// Height of the title line with the space around it.
    title: u32,
    /// Between tiles and around them.
    gap: u32,
    /// From one tile to the next.
    column: u32,
    row: u32,
    /// Height of one line of a caption.
    text: u32,
}

impl Layout {
    fn new(sheet: &Sheet) -> Result<Self, Error> {
        let wrong = |what: String| Err(Error::Argument(format!("contact sheet: {what}")));
        if sheet.tiles.is_empty() || sheet.columns == 0 {
            return wrong("there must be at least one tile and one column".to_owned());
        }
        if !(16..=1024).contains(&sheet.side) {
            return wrong(format!("tiles of {} pixels a side, but must be 16 to 1024", sheet.side));
        }
        if let Some(index) = sheet.tiles.iter().position(|tile| tile.picture.pixels().is_empty()) {
            return wrong(format!("tile {} has no pixels", index + 1));
        }
        let text = (sheet.side / 8).clamp(11, 24);
        let title = if sheet.title.is_empty() { 0 } else { text * 5 / 2 };
        let gap = (sheet.side / 8).max(6);
        let lines = sheet.tiles.iter().map(|tile| tile.caption.len()).max().unwrap_or_default() as u64;
        let tiles = sheet.tiles.len() as u64;
        let columns = tiles.min(sheet.columns.into());
        let rows = tiles.div_ceil(sheet.columns.into());
        let column = u64::from(sheet.side + 2 * BORDER + gap);
        let row = column + lines * u64::from(text);
        let width = u64::from(gap) + columns * column;
        let height = u64::from(title + gap) + rows * row;
        if width > MAX_SIDE || height > MAX_SIDE || width * height > MAX_PIXELS {
            return wrong(format!(
                "{tiles} tiles make {width}x{height} pixels; the limit is {MAX_SIDE} a side and {MAX_PIXELS} in all"
            ));
        }
        // All of them are at most the width and height just checked.
        Ok(Self {
            width: width as u32,
            height: height as u32,
            title,
            gap,
            column: column as u32,
            row: row as u32,
            text,
        })
    }
}
