//! Who is who: faces of one frame joined to those of the frames before.
//!
//! In the manner of ByteTrack (Zhang et al. 2022): every face has a Kalman filter with constant velocity for its centre,
//! width and height. In each frame the sure detections are assigned to the expected places by overlap (the best
//! assignment as a whole), then the unsure ones to the faces still missing, then sure ones that lie near to where a face
//! was lost, the nearer the shorter ago. A sure detection that is left begins a new track.
//!
//! Times are seconds, so that variable frame rates and dropped frames mean what they are.

mod assign;
mod motion;

use moue_detect::Detection;

use assign::assign;
use motion::Motion;

/// How tracks are kept. The defaults are for faces of people who watch something.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TrackOptions {
    /// Score from which a detection may begin a track, 0 to 1; those below only continue one.
    pub sure: f32,
    /// Seconds after which a face that is not seen is forgotten.
    pub patience: f64,
}

impl Default for TrackOptions {
    fn default() -> Self {
        Self { sure: 0.5, patience: 1.5 }
    }
}

/// Overlap from which a sure detection may continue a track.
const LEAST_OVERLAP: f32 = 0.2;

/// The same for unsure ones, which are often not faces.
const LEAST_OVERLAP_UNSURE: f32 = 0.4;

/// A new track overlapping one that is seen by more than this would be the same face twice.
const SAME_FACE: f32 = 0.4;

/// Share of the score above [`TrackOptions::sure`] that the sights of something must add up to before it is called a face: one
/// very sure sight suffices, letters on a wall that look like a face now and then do not.
const CERTAIN: f32 = 0.75;

/// Seconds after which something that is not yet called a face must be seen again.
const CONFIRMED_WITHIN: f64 = 0.25;

/// Seconds in which the evidence of earlier sights falls to a third.
const EVIDENCE_LASTS: f64 = 0.5;

/// One face followed through the frames.
#[derive(Clone, Debug)]
struct Track {
    /// Given when it is certain to be a face, so that ids have no gaps.
    id: Option<u64>,
    motion: Motion,
    /// Seconds at which it was last seen.
    seen: f64,
    /// Sum of what scores were above those of mere candidates.
    evidence: f32,
}

/// Follows faces from frame to frame.
#[derive(Clone, Debug, Default)]
pub struct Tracker {
    options: TrackOptions,
    tracks: Vec<Track>,
    next_id: u64,
    time: Option<f64>,
}

impl Tracker {
    /// A tracker that has seen nothing.
    pub fn new(options: TrackOptions) -> Self {
        Self { options, ..Self::default() }
    }

    /// Takes the detections of the frame at `time` seconds, not before that of the last one; gives for each the id of its
    /// track, or `None` where it is not known to be a face (yet). No id comes twice.
    pub fn update(&mut self, time: f64, found: &[Detection]) -> Vec<Option<u64>> {
        self.move_on(time);
        // The last frame may be long ago.
        let patience = self.options.patience;
        self.tracks.retain(|track| track.id.is_none() || time - track.seen <= patience);
        let mut owner: Vec<Option<usize>> = vec![None; found.len()];
        let mut free: Vec<usize> = (0..self.tracks.len()).collect();
        let sure = |face: &Detection| face.score >= self.options.sure;
        self.join(found, &mut owner, &mut free, sure, |track, face| {
            let shared = iou(track.motion.place(), corners(face));
            (shared >= LEAST_OVERLAP).then_some(1.0 - shared)
        });
        self.join(
            found,
            &mut owner,
            &mut free,
            |face| !sure(face),
            |track, face| {
                let shared = iou(track.motion.place(), corners(face));
                // What was lost a while ago comes back only surely.
                (time - track.seen < 0.5 && shared >= LEAST_OVERLAP_UNSURE).then_some(1.0 - shared)
            },
        );
        self.join(found, &mut owner, &mut free, sure, |track, face| track.distance(time, face));
        for (face, owner) in found.iter().zip(&owner) {
            if let Some(track) = owner.and_then(|index| self.tracks.get_mut(index)) {
                track.motion.correct(face);
                let faded = (-(time - track.seen) / EVIDENCE_LASTS).exp() as f32;
                track.evidence = track.evidence * faded + face.score - self.options.sure;
                track.seen = time;
            }
        }
        self.begin(time, found, &mut owner);
        let enough = CERTAIN * (1.0 - self.options.sure);
        for track in &mut self.tracks {
            if track.id.is_none() && track.evidence >= enough {
                track.id = Some(self.next_id);
                self.next_id += 1;
            }
        }
        let ids = owner.iter().map(|owner| owner.and_then(|index| self.tracks.get(index)?.id)).collect();
        self.forget(time);
        ids
    }

    /// Where the faces last seen at most a quarter of a second ago should be at `time`.
    pub fn expected(&self, time: f64) -> Vec<Detection> {
        let Some(last) = self.time else { return Vec::new() };
        let seen = self.tracks.iter().filter(|track| last - track.seen <= CONFIRMED_WITHIN);
        seen.map(|track| {
            let mut motion = track.motion;
            motion.predict((time - last).max(0.0));
            let [x, y, right, bottom] = motion.place();
            Detection { x, y, width: right - x, height: bottom - y, score: 1.0, roll: 0.0 }
        })
        .collect()
    }

    /// Whether the track of this id is still followed.
    pub fn follows(&self, id: u64) -> bool {
        self.tracks.iter().any(|track| track.id == Some(id))
    }

    /// Takes a frame whose tracks are known, as when a run is resumed from its records.
    pub fn recall(&mut self, time: f64, faces: &[(u64, Detection)]) {
        self.move_on(time);
        for (id, face) in faces {
            self.next_id = self.next_id.max(id + 1);
            match self.tracks.iter_mut().find(|track| track.id == Some(*id)) {
                Some(track) => {
                    track.motion.correct(face);
                    track.seen = time;
                }
                None => self.tracks.push(Track {
                    id: Some(*id),
                    motion: Motion::new(face),
                    seen: time,
                    evidence: 0.0,
                }),
            }
        }
        self.forget(time);
    }

    fn move_on(&mut self, time: f64) {
        let step = self.time.map_or(0.0, |last| (time - last).max(0.0));
        self.time = Some(time);
        for track in &mut self.tracks {
            track.motion.predict(step);
        }
    }

    fn forget(&mut self, time: f64) {
        let patience = self.options.patience;
        self.tracks.retain(|track| {
            time - track.seen <= if track.id.is_some() { patience } else { CONFIRMED_WITHIN }
        });
    }

    /// Assigns the free detections that `wanted` names to the free tracks at the least cost.
    fn join(
        &self,
        found: &[Detection],
        owner: &mut [Option<usize>],
        free: &mut Vec<usize>,
        wanted: impl Fn(&Detection) -> bool,
        cost: impl Fn(&Track, &Detection) -> Option<f32>,
    ) {
        let faces: Vec<usize> =
            (0..found.len()).filter(|&i| owner[i].is_none() && wanted(&found[i])).collect();
        if faces.is_empty() || free.is_empty() {
            return;
        }
        let costs: Vec<Vec<Option<f32>>> = faces
            .iter()
            .map(|&face| free.iter().map(|&track| cost(&self.tracks[track], &found[face])).collect())
            .collect();
        let mut taken = Vec::new();
        for (&face, track) in faces.iter().zip(assign(&costs)) {
            if let Some(track) = track {
                owner[face] = Some(free[track]);
                taken.push(free[track]);
            }
        }
        free.retain(|track| !taken.contains(track));
    }

    /// Sure detections without a track get a new one.
    fn begin(&mut self, time: f64, found: &[Detection], owner: &mut [Option<usize>]) {
        for (index, face) in found.iter().enumerate() {
            if owner[index].is_some() || face.score < self.options.sure {
                continue;
            }
            let twice = found
                .iter()
                .zip(&*owner)
                .any(|(other, owner)| owner.is_some() && iou(corners(other), corners(face)) > SAME_FACE);
            if twice {
                continue;
            }
            owner[index] = Some(self.tracks.len());
            let evidence = face.score - self.options.sure;
            self.tracks.push(Track { id: None, motion: Motion::new(face), seen: time, evidence });
        }
    }
}

impl Track {
    /// How far a detection is from where the track should be, in sides of the face; `None` where it is too far for the
    /// time since it was seen, or of another size.
    fn distance(&self, time: f64, face: &Detection) -> Option<f32> {
        let [left, top, right, bottom] = self.motion.place();
        let (width, height) = (right - left, bottom - top);
        let ratio = (face.width * face.height / (width * height).max(1.0)).sqrt();
        let side = width.max(height).max(1.0);
        let across = (face.x + face.width / 2.0 - (left + right) / 2.0) / side;
        let down = (face.y + face.height / 2.0 - (top + bottom) / 2.0) / side;
        let distance = across.hypot(down);
        let reach = (0.6 + 1.2 * (time - self.seen) as f32).min(1.8);
        (distance <= reach && (0.6..1.67).contains(&ratio)).then_some(distance)
    }
}

fn corners(face: &Detection) -> [f32; 4] {
    [face.x, face.y, face.x + face.width, face.y + face.height]
}

/// Intersection over union of two boxes given by left, top, right and bottom.
fn iou(a: [f32; 4], b: [f32; 4]) -> f32 {
    let across = a[2].min(b[2]) - a[0].max(b[0]);
    let down = a[3].min(b[3]) - a[1].max(b[1]);
    if across <= 0.0 || down <= 0.0 {
        return 0.0;
    }
    let area = |c: [f32; 4]| (c[2] - c[0]) * (c[3] - c[1]);
    across * down / (area(a) + area(b) - across * down)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn face(x: f32, y: f32, side: f32, score: f32) -> Detection {
        Detection { x, y, width: side, height: side, score, roll: 0.0 }
    }

    #[test]
    fn faces_that_cross_keep_their_ids_though_one_is_hidden_meanwhile() {
        let mut tracker = Tracker::new(TrackOptions::default());
        let mut last = Vec::new();
        for frame in 0..90 {
            let step = frame as f32 * 6.0;
            let (left, right) = (face(step, 100.0, 80.0, 0.9), face(540.0 - step, 105.0, 84.0, 0.8));
            // The one behind is not found while the other covers most of it.
            let hidden = (left.x - right.x).abs() < 50.0;
            let found = if hidden { vec![left] } else { vec![left, right] };
            last = tracker.update(f64::from(frame) / 30.0, &found);
        }
        assert_eq!(last, [Some(0), Some(1)]);
    }

    #[test]
    fn a_face_that_is_away_for_a_second_comes_back_as_the_same_and_later_as_another() {
        for (gap, expected) in [(1.0, Some(0)), (3.0, Some(1))] {
            let mut tracker = Tracker::new(TrackOptions::default());
            let mut time = 0.0;
            for _ in 0..30 {
                assert_eq!(tracker.update(time, &[face(200.0, 100.0, 60.0, 0.9)]), [Some(0)]);
                time += 1.0 / 30.0;
            }
            let end = time + gap;
            while time < end {
                tracker.update(time, &[]);
                time += 1.0 / 30.0;
            }
            assert_eq!(tracker.update(time, &[face(230.0, 110.0, 62.0, 0.9)]), [expected]);
        }
    }

    #[test]
    fn unsure_detections_continue_a_track_and_begin_none() {
        let mut tracker = Tracker::new(TrackOptions::default());
        assert_eq!(tracker.update(0.0, &[face(10.0, 10.0, 50.0, 0.3)]), [None]);
        assert_eq!(tracker.update(0.04, &[face(10.0, 10.0, 50.0, 0.9)]), [Some(0)]);
        assert_eq!(tracker.update(0.08, &[face(12.0, 10.0, 50.0, 0.3)]), [Some(0)]);
        // Half sure, elsewhere: not yet a face; again and again: one.
        let ids: Vec<_> = (3..8)
            .map(|frame| tracker.update(f64::from(frame) * 0.04, &[face(300.0, 10.0, 50.0, 0.65)])[0])
            .collect();
        assert_eq!(ids, [None, None, Some(1), Some(1), Some(1)]);
        // Barely sure, and only now and then, is never enough.
        for frame in 0..20 {
            let time = 10.0 + f64::from(frame) * 0.24;
            assert_eq!(tracker.update(time, &[face(300.0, 10.0, 50.0, 0.6)]), [None], "{frame}");
        }
    }

    #[test]
    fn where_faces_will_be_follows_their_motion() {
        let mut tracker = Tracker::new(TrackOptions::default());
        for frame in 0..20 {
            tracker.update(f64::from(frame) / 25.0, &[face(10.0 + 5.0 * frame as f32, 40.0, 60.0, 0.9)]);
        }
        let expected = tracker.expected(21.0 / 25.0);
        assert!((expected[0].x - 115.0).abs() < 4.0 && (expected[0].y - 40.0).abs() < 1.0, "{expected:?}");
    }

    #[test]
    fn a_resumed_tracker_goes_on_with_the_ids() {
        let mut tracker = Tracker::new(TrackOptions::default());
        tracker.recall(9.8, &[(8, face(600.0, 10.0, 50.0, 0.9))]);
        tracker.recall(9.9, &[(4, face(10.0, 10.0, 50.0, 0.9))]);
        tracker.recall(10.0, &[(6, face(200.0, 10.0, 50.0, 0.9))]);
        let found = [face(201.0, 10.0, 50.0, 0.9), face(11.0, 10.0, 50.0, 0.9), face(400.0, 9.0, 50.0, 0.9)];
        assert_eq!(tracker.update(10.04, &found), [Some(6), Some(4), Some(9)]);
    }
}
