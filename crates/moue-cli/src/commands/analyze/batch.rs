//! Reading pictures ahead while earlier ones are analysed.

use std::path::{Path, PathBuf};
use std::sync::mpsc::sync_channel;
use std::thread;

use moue_media::{Error, Limits, Picture, read_picture};

use crate::failure::{Failure, Result};

/// Most pictures decoded at a time. Each may take 400 MB, and decoding is faster than analysis.
const MAX_READERS: usize = 4;

/// Hands every picture, or why it could not be read, to `each` in the order of `paths`, and decodes the next ones
/// meanwhile. As many pictures as there are readers are held in memory, beside the one in hand.
///
/// Stops at the first error of `each`.
pub fn read_ahead(
    paths: &[PathBuf],
    threads: usize,
    limits: &Limits,
    mut each: impl FnMut(&Path, std::result::Result<Picture, Error>) -> Result<()>,
) -> Result<()> {
    let readers = threads.clamp(1, MAX_READERS).min(paths.len());
    thread::scope(|scope| {
        // Reader r takes every `readers`-th path from r on, so that taking turns restores the order.
        let mut turns = Vec::with_capacity(readers);
        for reader in 0..readers {
            // Without a buffer a reader waits with one picture in hand until it is wanted.
            let (sender, receiver) = sync_channel(0);
            thread::Builder::new().name(format!("moue-read-{reader}")).spawn_scoped(scope, move || {
                for path in paths.iter().skip(reader).step_by(readers) {
                    // The other end is gone where the batch was given up.
                    if sender.send(read_picture(path, limits)).is_err() {
                        return;
                    }
                }
            })?;
            turns.push(receiver);
        }
        for (path, turn) in paths.iter().zip(turns.iter().cycle()) {
            let picture =
                turn.recv().map_err(|_| Failure::message(format!("{}: its reader ended", path.display())))?;
            each(path, picture)?;
        }
        Ok(())
    })
}
