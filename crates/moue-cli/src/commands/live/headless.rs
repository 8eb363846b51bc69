//! Without a window: a line for every frame.

use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{channel, sync_channel};
use std::thread;

use moue_media::VideoSource;

use super::camera::Live;
use super::worker::{Pace, Reader, ended};
use crate::console;
use crate::failure::{Failure, Result};

pub fn run(sources: &[VideoSource], mut reader: Reader, json: bool, stop: &AtomicBool) -> Result<()> {
    let Some(source) = sources.first() else { return Err(Failure::message("there is no camera")) };
    let live = Live::open(source)?;
    let mut pace = Pace::default();
    let outcome: Result<()> = thread::scope(|scope| {
        let (sender, sights) = sync_channel(1);
        let (spare, spares) = channel();
        let live = &live;
        let looking = thread::Builder::new()
            .name("moue-look".to_owned())
            .spawn_scoped(scope, move || reader.look(live, &spares, &sender, stop))?;
        for sight in sights {
            let record = sight.record(live.name());
            if json {
                console::print_json(&record)?;
            } else {
                let faces: Vec<String> = record
                    .faces
                    .iter()
                    .map(|face| format!("{} {} {:.0} %", face.id, face.verdict(), 100.0 * face.confidence))
                    .collect();
                let time = record.time;
                console::print(format_args!("{time:8.2} s  {}\n", faces.join(", ")))?;
            }
            pace.add(sight.fresh.arrived);
            // The reader may have ended.
            let _ = spare.send(sight.fresh.picture);
        }
        ended(looking.join())
    });
    console::say(format_args!("moue: {}", pace.summary("seen", live.dropped(), "output")));
    outcome
}
