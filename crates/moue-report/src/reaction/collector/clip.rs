//! One clip and the faces in it.

use std::collections::HashMap;

use moue::BoundingBox;

use crate::reaction::Event;
use crate::reaction::bins::{Cells, Sight, Width, widened_sums};

/// The longest that one frame is taken to last: a longer gap was not looked at.
const MAX_FRAME: f64 = 1.0;

/// One source.
pub(in crate::reaction) struct Clip {
    pub source: String,
    /// The time of its beginning, as its records count; times here are counted from it.
    pub start: f64,
    /// The time of the last record, as it counts.
    pub latest: Option<f64>,
    /// The stream that it came in.
    pub stream: String,
    pub group: Option<String>,
    pub frames: u64,
    /// When the last frame ends.
    pub end: f64,
    pub tracks: Vec<Track>,
    /// Bins of all tracks.
    pub cells: usize,
    /// Seconds looked at, a bin.
    pub observed: Vec<f64>,
    places: HashMap<u64, usize>,
    /// The last frame: how long it lasts is known when the next one comes.
    pending: Option<(f64, Vec<Seen>)>,
    last_length: f64,
}

/// A face of a frame, checked.
pub(in crate::reaction) struct Seen {
    pub id: u64,
    pub probabilities: Vec<f32>,
    pub bounds: BoundingBox,
    /// Nothing should be said about it.
    pub uncertain: bool,
}

/// One person of a clip.
pub(in crate::reaction) struct Track {
    pub id: u64,
    pub cells: Cells,
    /// Seconds in view, and those of them in which nothing should be said about the face.
    pub seconds: f64,
    pub uncertain: f64,
    /// Integral of each probability over them.
    pub sums: Vec<f64>,
    /// What came before and after events, by the event's number; those that the person was there for.
    pub windows: Vec<(usize, Window)>,
}

/// Sums over the time before and after an event.
#[derive(Clone, Debug, Default)]
pub(in crate::reaction) struct Window {
    pub before: Vec<f64>,
    pub after: Vec<f64>,
    pub seconds_before: f64,
    pub seconds_after: f64,
}

impl Clip {
    pub fn new(source: &str, start: f64, stream: &str, group: Option<&str>) -> Self {
        Self {
            source: source.to_owned(),
            start,
            latest: None,
            stream: stream.to_owned(),
            group: group.map(str::to_owned),
            frames: 0,
            end: 0.0,
            tracks: Vec::new(),
            cells: 0,
            observed: Vec::new(),
            places: HashMap::new(),
            pending: None,
            last_length: 0.0,
        }
    }

    /// Takes the next frame, which is no earlier, and counts the one before.
    pub fn add(
        &mut self,
        time: f64,
        faces: Vec<Seen>,
        width: Width,
        events: &[Event],
        window: f64,
    ) -> Result<(), String> {
        for (i, face) in faces.iter().enumerate() {
            if faces[..i].iter().any(|other| other.id == face.id) {
                return Err(format!("two faces of one frame have the id {}", face.id));
            }
        }
        if let Some((before, _)) = self.pending {
            self.last_length = (time - before).min(MAX_FRAME);
            self.count(width, events, window);
        }
        self.frames += 1;
        self.pending = Some((time, faces));
        Ok(())
    }

    /// Counts the last frame, which is taken to last as long as the one before.
    pub fn end(&mut self, width: Width, events: &[Event], window: f64) {
        self.count(width, events, window);
        self.places = HashMap::new();
    }

    fn count(&mut self, width: Width, events: &[Event], window: f64) {
        let Some((time, faces)) = self.pending.take() else { return };
        let length = self.last_length;
        self.end = time + length;
        let bin = width.bin(time);
        let place = bin as usize;
        if self.observed.len() <= place {
            self.observed.resize(place + 1, 0.0);
        }
        self.observed[place] += length;
        let near = events.partition_point(|e| e.time + window <= time)
            ..events.partition_point(|e| e.time - window <= time);
        for face in faces {
            let track = *self.places.entry(face.id).or_insert_with(|| {
                self.tracks.push(Track::new(face.id, face.probabilities.len()));
                self.tracks.len() - 1
            });
            let track = &mut self.tracks[track];
            let before = track.cells.len();
            track.count(bin, time, length, &face);
            self.cells += track.cells.len() - before;
            for event in near.clone() {
                track.count_near(event, time < events[event].time, length, &face.probabilities);
            }
        }
    }

    /// Puts `factor` bins together.
    pub fn widen(&mut self, factor: u32) {
        for track in &mut self.tracks {
            track.cells = track.cells.widened(factor);
        }
        self.cells = self.tracks.iter().map(|t| t.cells.len()).sum();
        self.observed = widened_sums(&self.observed, factor);
    }
}

impl Track {
    fn new(id: u64, labels: usize) -> Self {
        let (cells, sums) = (Cells::new(labels), vec![0.0; labels]);
        Self { id, cells, seconds: 0.0, uncertain: 0.0, sums, windows: Vec::new() }
    }

    fn count(&mut self, bin: u32, time: f64, length: f64, face: &Seen) {
        let Seen { probabilities, bounds, uncertain, .. } = face;
        let sight = Sight { time, bounds: *bounds, probabilities, uncertain: *uncertain };
        self.cells.add(bin, length, &sight);
        self.seconds += length;
        if *uncertain {
            self.uncertain += length;
        }
        integrate(&mut self.sums, &face.probabilities, length);
    }

    fn count_near(&mut self, event: usize, is_before: bool, length: f64, probabilities: &[f32]) {
        let place = self.windows.iter().rposition(|(number, _)| *number == event).unwrap_or_else(|| {
            let empty = vec![0.0; probabilities.len()];
            let window = Window { before: empty.clone(), after: empty, ..Window::default() };
            self.windows.push((event, window));
            self.windows.len() - 1
        });
        let window = &mut self.windows[place].1;
        let (sums, seconds) = match is_before {
            true => (&mut window.before, &mut window.seconds_before),
            false => (&mut window.after, &mut window.seconds_after),
        };
        integrate(sums, probabilities, length);
        *seconds += length;
    }
}

fn integrate(sums: &mut [f64], probabilities: &[f32], length: f64) {
    for (sum, &p) in sums.iter_mut().zip(probabilities) {
        *sum += length * f64::from(p);
    }
}
