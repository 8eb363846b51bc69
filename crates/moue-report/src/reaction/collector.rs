//! Takes records one by one and keeps sums.

mod clip;

use std::collections::HashMap;

use moue::Record;

use super::bins::Width;
use super::measures::Measures;
use super::{Error, Event, Report, Settings};
use clip::Seen;
pub(super) use clip::{Clip, Track};

/// The latest time that is believed, in seconds: four months.
pub(super) const MAX_TIME: f64 = 1e7;
/// Bins of all people together, and bins of one clip, from which on bins become wider than the page has them: about
/// 150 MB.
const MAX_CELLS: usize = 1 << 19;
const MAX_BINS: usize = 1 << 16;
/// More people than this are tracks that break all the time.
const MAX_TRACKS: usize = 200_000;
const MAX_CLIPS: usize = 1000;
const MAX_LABELS: usize = 64;

/// Where records come from; see [`Collector::stream`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Stream(usize);

/// Reads records into sums a time bin, in bins as wide as the page has them for the length so far: at most 720 a person,
/// however long the clips are. What it holds grows with the number of people only, and stops growing at about 150 MB:
/// from then on bins become wider still.
pub struct Collector {
    settings: Settings,
    events: Vec<Event>,
    streams: Vec<Origin>,
    /// Clips by stream and source.
    places: HashMap<(usize, String), usize>,
    clips: Vec<Clip>,
    measures: Option<Measures>,
    width: Width,
    /// Whether records say which faces are certain.
    judged: bool,
    notes: Vec<String>,
}

struct Origin {
    name: String,
    group: Option<String>,
}

impl Collector {
    /// Starts without records. Events are the same for all clips and are counted from the beginning of each.
    ///
    /// # Errors
    /// [`Error::Argument`] for settings or events without meaning.
    pub fn new(settings: Settings, mut events: Vec<Event>) -> Result<Self, Error> {
        settings.check()?;
        if let Some(event) = events.iter().find(|e| !(e.time >= 0.0 && e.time <= MAX_TIME)) {
            return Err(Error::Argument(format!("event {:?} cannot be at {} s", event.name, event.time)));
        }
        events.sort_by(|a, b| a.time.total_cmp(&b.time));
        Ok(Self {
            settings,
            events,
            streams: Vec::new(),
            places: HashMap::new(),
            clips: Vec::new(),
            measures: None,
            width: Width::NARROWEST,
            judged: false,
            notes: Vec::new(),
        })
    }

    /// Announces records of a common origin, for instance a file. Equal sources of two streams are two clips. The clips
    /// of a group are laid over each other, beginning on beginning, and its people looked at together; without a name
    /// each clip is a group of its own.
    pub fn stream(&mut self, name: &str, group: Option<&str>) -> Stream {
        self.streams.push(Origin { name: name.to_owned(), group: group.map(str::to_owned) });
        Stream(self.streams.len() - 1)
    }

    /// Adds one record. The records of a source come in the order of their times; sources may take turns. Times are
    /// counted from the first frame of a video (frame 0), whatever time it has.
    ///
    /// # Errors
    /// [`Error::Record`] where it does not fit those before it or is no record of a face classifier.
    pub fn add(&mut self, stream: Stream, record: &Record) -> Result<(), Error> {
        self.place(stream, record).map_err(Error::Record)
    }

    fn place(&mut self, stream: Stream, record: &Record) -> Result<(), String> {
        let place = match self.places.get(&(stream.0, record.source.clone())) {
            Some(&place) => place,
            None => self.open(stream, record)?,
        };
        let Clip { start, latest, .. } = self.clips[place];
        if let Some(before) = latest
            && record.time < before
        {
            return Err(format!("time {} comes after time {before} of the same source", record.time));
        }
        let time = record.time - start;
        if !(0.0..=MAX_TIME).contains(&time) {
            return Err(format!("time {} is not within {MAX_TIME} seconds after {start}", record.time));
        }
        let faces = record.faces.iter().map(|face| self.seen(face)).collect::<Result<Vec<_>, _>>()?;
        let clip = &mut self.clips[place];
        clip.latest = Some(record.time);
        clip.add(time, faces, self.width, &self.events, self.settings.window)?;
        self.keep_small()
    }

    fn open(&mut self, stream: Stream, record: &Record) -> Result<usize, String> {
        if self.clips.len() == MAX_CLIPS {
            return Err(format!("more than {MAX_CLIPS} clips; a report is about fewer, longer ones"));
        }
        let Some(origin) = self.streams.get(stream.0) else {
            return Err("the stream is none of this collector".to_owned());
        };
        // Some videos do not count from 0. Players show them as if they did, and so do events. Records that begin in the
        // middle of a video keep its times.
        let start = if record.frame == 0 && record.time.is_finite() { record.time } else { 0.0 };
        self.clips.push(Clip::new(&record.source, start, &origin.name, origin.group.as_deref()));
        self.places.insert((stream.0, record.source.clone()), self.clips.len() - 1);
        Ok(self.clips.len() - 1)
    }

    /// Checks a face and brings it into the order of the labels.
    fn seen(&mut self, face: &moue::Face) -> Result<Seen, String> {
        let labels = || face.probabilities.iter().map(|(label, _)| label);
        let measures = match &mut self.measures {
            Some(measures) => measures,
            none => {
                let count = face.probabilities.len();
                if count == 0 || count > MAX_LABELS {
                    return Err(format!("{count} probabilities; a face has 1 to {MAX_LABELS}"));
                }
                none.insert(Measures::new(labels().map(str::to_owned).collect()))
            }
        };
        if !labels().eq(measures.labels().iter().map(String::as_str)) {
            let (found, expected) = (labels().collect::<Vec<_>>(), measures.labels());
            return Err(format!("the labels are {}, before {}", found.join(", "), expected.join(", ")));
        }
        let probabilities: Vec<f32> = face.probabilities.iter().map(|(_, p)| p).collect();
        if let Some(p) = probabilities.iter().find(|p| !(-0.001..=1.001).contains(*p)) {
            return Err(format!("{p} is no probability: 0 to 1"));
        }
        self.judged |= face.certain.is_some();
        Ok(Seen { id: face.id, probabilities, bounds: face.bounds, uncertain: face.is_uncertain() })
    }

    /// Puts bins together when there are too many of them.
    fn keep_small(&mut self) -> Result<(), String> {
        let tracks: usize = self.clips.iter().map(|c| c.tracks.len()).sum();
        if tracks > MAX_TRACKS {
            return Err(format!("more than {MAX_TRACKS} people; do ids change from frame to frame?"));
        }
        let cells: usize = self.clips.iter().map(|c| c.cells).sum();
        let bins = self.clips.iter().map(|c| c.observed.len()).max().unwrap_or_default();
        // Bins narrower than those of the page are of no use, and clips only become longer.
        let shown = match self.settings.bin {
            Some(bin) => Width::of_seconds(bin).unwrap_or(Width::NARROWEST),
            None => Width::for_length(self.clips.iter().map(|c| c.end).fold(0.0, f64::max)),
        };
        let too_many = (cells > MAX_CELLS && cells > 2 * tracks) || bins > MAX_BINS;
        if (self.width < shown || too_many)
            && let Some(wider) = self.width.wider()
            && let Some(factor) = self.width.per(wider)
        {
            self.clips.iter_mut().for_each(|clip| clip.widen(factor));
            self.width = wider;
        }
        Ok(())
    }

    /// Something about the records that the reader of the page should know.
    pub fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    /// The report of all that was added.
    ///
    /// # Errors
    /// [`Error::Empty`] where no clip has more than one frame or no face was seen at all; [`Error::Argument`] for a bin
    /// that does not fit the length of the clips.
    pub fn finish(mut self) -> Result<Report, Error> {
        for clip in &mut self.clips {
            clip.end(self.width, &self.events, self.settings.window);
        }
        if self.clips.is_empty() {
            return Err(Error::Empty("there are no records".to_owned()));
        }
        let still = self.clips.iter().filter(|c| c.frames < 2).count();
        if still == self.clips.len() {
            return Err(Error::Empty(
                "no source has more than one frame; the report is about videos, not pictures".to_owned(),
            ));
        }
        if still > 0 {
            let note =
                format!("Left out: {still} of {} sources, which have one frame only.", self.clips.len());
            self.notes.push(note);
            self.clips.retain(|c| c.frames >= 2);
        }
        let Some(measures) = self.measures else {
            return Err(Error::Empty("no face was seen in any frame".to_owned()));
        };
        let Self { settings, events, clips, width, judged, notes, .. } = self;
        Report::new(settings, events, clips, measures, width, judged, notes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record_of(people: u64) -> Record {
        let line = r#"{"source":"a","frame":1,"time":0.0,"width":4,"height":3,"faces":[{"id":0,"box":{"x":0.0,"y":0.0,
            "width":2.0,"height":2.0},"score":0.9,"emotion":"happy","confidence":0.75,
            "probabilities":{"happy":0.75,"sad":0.25}}]}"#;
        let mut record: Record = serde_json::from_str(line).unwrap();
        let face = record.faces[0].clone();
        record.faces = (0..people).map(|id| moue::Face { id, ..face.clone() }).collect();
        record
    }

    #[test]
    fn what_is_held_of_a_person_does_not_grow_with_the_length() {
        let mut record = record_of(5);
        let mut collector = Collector::new(Settings::default(), Vec::new()).unwrap();
        let stream = collector.stream("a", None);
        let mut most = 0;
        for frame in 0..100_000 {
            record.time = f64::from(frame) / 10.0;
            collector.add(stream, &record).unwrap();
            most = most.max(collector.clips[0].cells);
        }
        assert!(most <= 5 * 722, "{most}");
        assert_eq!(collector.width.seconds(), 30.0);
        let track = &collector.clips[0].tracks[4];
        let seconds: f64 = track.cells.iter().map(|(cell, _)| cell.seconds).sum();
        assert!((seconds - 9999.9).abs() < 1e-6 && (track.seconds - 9999.9).abs() < 1e-6, "{seconds}");
        assert!(track.cells.iter().all(|(cell, sums)| (sums[0] / cell.seconds - 0.75).abs() < 1e-9));
    }

    #[test]
    fn what_is_held_of_a_crowd_or_after_days_is_bounded() {
        let mut record = record_of(2000);
        let settings = Settings { bin: Some(1.0), ..Settings::default() };
        let mut collector = Collector::new(settings, Vec::new()).unwrap();
        let stream = collector.stream("a", None);
        for frame in 0..700 {
            record.time = f64::from(frame);
            collector.add(stream, &record).unwrap();
            assert!(collector.clips[0].cells <= MAX_CELLS + 2000);
        }
        assert_eq!(collector.width.seconds(), 5.0);
        record.time = 1e6;
        for _ in 0..9 {
            collector.add(stream, &record).unwrap();
        }
        assert!(collector.clips[0].observed.len() <= MAX_BINS, "{}", collector.clips[0].observed.len());
        assert!(matches!(collector.finish(), Err(Error::Argument(_))));
    }
}
