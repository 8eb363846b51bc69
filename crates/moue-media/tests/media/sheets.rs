//! Contact sheets.

use moue_media::{Error, Picture, Sheet, Tile, palette};

use crate::files;

fn sheet(tiles: usize) -> Sheet {
    let tile = |i: usize| Tile {
        picture: Picture::filled(48, 48, [0, 0, 200]),
        caption: vec!["true angry".to_owned(), "read as happy".to_owned()],
        border: palette(i),
    };
    Sheet { title: "Mistakes".to_owned(), columns: 4, side: 96, tiles: (0..tiles).map(tile).collect() }
}

#[test]
fn every_tile_is_there_with_its_border() {
    for count in [1, 3, 4, 9] {
        let sheet = sheet(count);
        let page = sheet.render().unwrap();
        let count_of = |colour: [u8; 3]| page.pixels().chunks_exact(3).filter(|p| *p == colour).count();
        assert_eq!(count_of([0, 0, 200]), count * 96 * 96, "all pixels of all pictures");
        let border = 102 * 102 - 96 * 96;
        for index in 0..count.min(7) {
            let tiles = (0..count).filter(|i| i % 8 == index).count();
            assert_eq!(count_of(palette(index)), tiles * border, "border {index} of {count}");
        }
    }
}

#[test]
fn proportions_are_kept() {
    let mut sheet = sheet(1);
    sheet.tiles[0].picture = Picture::filled(10, 40, [0, 0, 200]);
    let page = sheet.render().unwrap();
    assert_eq!(page.pixels().chunks_exact(3).filter(|p| *p == [0, 0, 200]).count(), 24 * 96);
}

#[test]
fn sheets_that_cannot_be_are_refused() {
    let refused = |change: &dyn Fn(&mut Sheet)| {
        let mut sheet = sheet(2);
        change(&mut sheet);
        assert!(matches!(sheet.render(), Err(Error::Argument(_))));
    };
    refused(&|s| s.tiles.clear());
    refused(&|s| s.columns = 0);
    refused(&|s| s.side = 0);
    refused(&|s| s.side = 2000);
    refused(&|s| s.tiles[1].picture = Picture::from_raw(0, 0, Vec::new()).unwrap());
    refused(&|s| s.tiles[0].caption = vec![String::new(); 5000]);
    let mut wide = sheet(2);
    wide.columns = u32::MAX;
    wide.tiles[0].picture = files::gradient(3, 500);
    wide.tiles[0].caption = vec!["a caption far too long for a tile of this size".repeat(20)];
    assert!(wide.render().is_ok());
}
