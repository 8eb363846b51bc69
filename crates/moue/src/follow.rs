//! Frames joined to people: tracks and calm labels.

use std::collections::BTreeMap;

use moue_detect::Detection;

use crate::pipeline::bounds;
use crate::{Face, Probabilities, Record, Scene, Sighting, Smoother, TrackOptions, Tracker};

/// How frames are joined.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FollowOptions {
    /// How faces are followed.
    pub tracks: TrackOptions,
    /// Whether probabilities are smoothed over time; the raw ones stand beside them then.
    pub smoothing: bool,
    /// Confidence from which on a face counts as certain; `None`: nothing is said about it.
    pub min_confidence: Option<f32>,
}

impl Default for FollowOptions {
    fn default() -> Self {
        Self { tracks: TrackOptions::default(), smoothing: true, min_confidence: None }
    }
}

/// Makes the faces of a video out of what is seen frame by frame. It takes frames one after another, whoever looked at
/// them.
#[derive(Clone, Debug)]
pub struct Follower {
    tracker: Tracker,
    smoothing: bool,
    min_confidence: Option<f32>,
    smoothers: BTreeMap<u64, Smoother>,
}

impl Follower {
    /// A follower that has seen nothing.
    pub fn new(options: FollowOptions) -> Self {
        let FollowOptions { tracks, smoothing, min_confidence } = options;
        Self { tracker: Tracker::new(tracks), smoothing, min_confidence, smoothers: BTreeMap::new() }
    }

    /// The faces of the frame at `time` seconds, in the order of their ids. What is not (yet) known to be a face is left
    /// out. Times do not decrease. Cuts are not noticed; see [`frame`](Self::frame).
    pub fn faces(&mut self, time: f64, seen: Vec<Sighting>) -> Vec<Face> {
        let ids = self.tracker.update(time, &places(&seen));
        self.known(time, seen, ids)
    }

    /// [`faces`](Self::faces) with the [`Scene`] of the frame, so that everybody keeps an id through cuts back and forth, and
    /// nobody takes over that of somebody who was at the same place in another shot.
    pub fn frame(&mut self, time: f64, scene: &Scene, seen: Vec<Sighting>) -> Vec<Face> {
        let ids = self.tracker.frame(time, scene, &places(&seen));
        self.known(time, seen, ids)
    }

    fn known(&mut self, time: f64, seen: Vec<Sighting>, ids: Vec<Option<u64>>) -> Vec<Face> {
        let mut faces: Vec<Face> = seen
            .into_iter()
            .zip(ids)
            .filter_map(|(Sighting { place, probabilities }, id)| {
                let id = id?;
                let (shown, raw_probabilities) = match self.smoothing {
                    true => (self.smooth(id, time, &probabilities), Some(probabilities)),
                    false => (probabilities, None),
                };
                let face = Face::new(id, bounds(&place), place.score, shown).rolled(place.roll);
                let face = face.judged(self.min_confidence);
                Some(Face { raw_probabilities, ..face })
            })
            .collect();
        faces.sort_by_key(|face| face.id);
        self.forget();
        faces
    }

    /// What knows where faces are expected.
    pub fn tracker(&self) -> &Tracker {
        &self.tracker
    }

    /// Takes up the record of a frame seen by an earlier run, so that ids and labels go on as if it had not ended. Records do
    /// not tell what frames looked like: who was in a shot that is not shown comes back as somebody new, and within a few
    /// seconds after a cut a face that was lost before it may be taken up.
    pub fn recall(&mut self, record: &Record) {
        let places: Vec<_> = record.faces.iter().map(|face| (face.id, face.place())).collect();
        self.tracker.recall(record.time, &places);
        if self.smoothing {
            for face in &record.faces {
                let raw = face.raw_probabilities.as_ref().unwrap_or(&face.probabilities);
                self.smooth(face.id, record.time, raw);
            }
        }
        self.forget();
    }

    /// Takes the scene of the last frame of the records, so that a cut right after it is noticed.
    pub fn recall_scene(&mut self, scene: &Scene) {
        self.tracker.recall_scene(scene);
    }

    fn smooth(&mut self, id: u64, time: f64, raw: &Probabilities) -> Probabilities {
        let values: Vec<f32> = raw.iter().map(|(_, p)| p).collect();
        let smoothed = self.smoothers.entry(id).or_default().update(time, &values);
        raw.iter().map(|(label, _)| label).zip(smoothed).collect()
    }

    fn forget(&mut self) {
        let Self { tracker, smoothers, .. } = self;
        smoothers.retain(|&id, _| tracker.follows(id));
    }
}

fn places(seen: &[Sighting]) -> Vec<Detection> {
    seen.iter().map(|sighting| sighting.place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sighting(x: f32, happy: f32) -> Sighting {
        Sighting {
            place: Detection { x, y: 20.0, width: 50.0, height: 60.0, score: 0.9, roll: 0.0 },
            probabilities: [("sad", 1.0 - happy), ("happy", happy)].into_iter().collect(),
        }
    }

    #[test]
    fn faces_come_by_id_with_raw_values_beside_the_calm_ones() {
        let mut follower = Follower::new(FollowOptions::default());
        follower.faces(0.0, vec![sighting(300.0, 0.9), sighting(10.0, 0.1)]);
        // One frame that says otherwise changes nothing that is shown.
        let faces = follower.faces(0.04, vec![sighting(11.0, 0.1), sighting(301.0, 0.1)]);
        assert_eq!([faces[0].id, faces[1].id], [0, 1]);
        assert_eq!((faces[0].bounds.x, faces[0].emotion.as_str()), (301.0, "happy"));
        assert_eq!(faces[0].raw_probabilities.as_ref().and_then(|p| p.get("happy")), Some(0.1));

        let mut plain = Follower::new(FollowOptions { smoothing: false, ..FollowOptions::default() });
        plain.faces(0.0, vec![sighting(300.0, 0.9)]);
        let faces = plain.faces(0.04, vec![sighting(301.0, 0.1)]);
        assert_eq!((faces[0].emotion.as_str(), faces[0].raw_probabilities.is_none()), ("sad", true));
    }

    #[test]
    fn from_its_records_a_run_goes_on_as_if_it_had_not_ended() {
        let frames = |i: u32| {
            vec![sighting(10.0 + i as f32, 0.5 + 0.4 * (i as f32 * 0.2).sin()), sighting(200.0, 0.3)]
        };
        let record = |i: u32, faces| Record {
            source: String::new(),
            frame: i.into(),
            time: f64::from(i) / 25.0,
            width: 640,
            height: 480,
            faces,
        };
        let mut whole = Follower::new(FollowOptions::default());
        let records: Vec<Record> =
            (0..60).map(|i| record(i, whole.faces(f64::from(i) / 25.0, frames(i)))).collect();
        let mut resumed = Follower::new(FollowOptions::default());
        records[..40].iter().for_each(|record| resumed.recall(record));
        for i in 40..60 {
            assert_eq!(resumed.faces(f64::from(i) / 25.0, frames(i)), records[i as usize].faces, "{i}");
        }
    }
}
