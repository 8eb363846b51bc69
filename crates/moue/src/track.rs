//! Who is who: faces of one frame joined to those of the frames before.
//!
//! In the manner of ByteTrack (Zhang et al. 2022): every face has a Kalman filter with constant velocity for its centre,
//! width and height. In each frame the sure detections are assigned to the expected places by overlap (the best
//! assignment as a whole), then the unsure ones to the faces still missing, then sure ones that lie near to where a face
//! was lost, the nearer the shorter ago. A sure detection that is left begins a new track, unless it lies in a face that is
//! followed: two boxes of one face never become two people.
//!
//! A cut puts the tracks aside with the [`Scene`] they were in; when that scene comes back, so do they. What is recognised is
//! the shot, never the face.
//!
//! Times are seconds, so that variable frame rates and dropped frames mean what they are.

mod assign;
mod motion;
mod places;
mod shots;

use moue_detect::Detection;

use crate::Scene;
use assign::assign;
use motion::Motion;
use places::{corners, inside, iou, wrapped};
use shots::{Shots, Turn};

/// How tracks are kept. The defaults are for faces of people who watch something.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TrackOptions {
    /// Score from which a detection may begin a track, 0 to 1; those below only continue one.
    pub sure: f32,
    /// Seconds for which a face that is not seen may come back some way off, as after a turn of the head.
    pub patience: f64,
    /// Seconds after which a face that is not seen is forgotten. Beyond `patience` it comes back only near to its place and at
    /// its size, and if nobody else was there meanwhile.
    pub memory: f64,
}

impl Default for TrackOptions {
    fn default() -> Self {
        Self { sure: 0.5, patience: 1.5, memory: 4.0 }
    }
}

/// Overlap from which a sure detection may continue a track.
const LEAST_OVERLAP: f32 = 0.2;

/// The same for unsure ones, which are often not faces.
const LEAST_OVERLAP_UNSURE: f32 = 0.4;

/// A new track overlapping one that is seen by more than this would be the same face twice.
const SAME_FACE: f32 = 0.4;

/// So would one of which this share, or of the other that share, lies in the other. Faces of two people cheek to cheek share
/// less.
const MOSTLY_INSIDE: f32 = 0.6;

/// Seconds for which a followed face that is missed keeps others from beginning in its place.
const HOLDS_PLACE: f64 = 0.5;

/// Two tracks are one face when they lie in one another for so many frames and seconds. Of people who pass one another the one
/// behind is not seen for as long.
const TWIN_FRAMES: u32 = 4;
const TWIN_SECONDS: f64 = 0.3;

/// Seconds for which the box of a face may be missing while it lies in another: a detector may give one and the other in turns.
const TWIN_MISSED: f64 = 0.2;

/// Share of the place of a lost face that somebody else covers when it is taken.
const TAKEN: f32 = 0.3;

/// Seconds after which a face that was lost comes back only in a scene like the one it was lost in: a film may have faded to
/// another.
const SCENE_MATTERS: f64 = 0.4;

/// After a cut to what looks much the same, overlap and ratio of sizes from which a face is the same.
const JUMP_OVERLAP: f32 = 0.5;
const JUMP_SIZES: std::ops::Range<f32> = 0.8..1.25;

/// Share of the score above [`TrackOptions::sure`] that the sights of something must add up to before it is called a face: one
/// very sure sight suffices, letters on a wall that look like a face now and then do not.
const CERTAIN: f32 = 0.75;

/// Seconds after which something that is not yet called a face must be seen again.
const CONFIRMED_WITHIN: f64 = 0.25;

/// Seconds in which the evidence of earlier sights falls to a third.
const EVIDENCE_LASTS: f64 = 0.5;

/// Share of a change of roll that is believed at once: it is measured less surely than the place.
const ROLL_GAIN: f32 = 0.6;

/// One face followed through the frames.
#[derive(Clone, Debug)]
struct Track {
    /// Given when it is certain to be a face, so that ids have no gaps.
    id: Option<u64>,
    motion: Motion,
    /// Degrees by which the face was turned in the picture when it was last seen.
    roll: f32,
    /// Seconds at which it was last seen.
    seen: f64,
    /// The scene it was last seen in, where that is known.
    scene: Option<Scene>,
    /// Seconds at which its shot came back, until it is seen again.
    back: Option<f64>,
    /// Whether the picture has just jumped, so that only what hardly moved is the same.
    jumped: bool,
    /// Whether somebody else was at its place since it was lost.
    taken: bool,
    /// Sum of what scores were above those of mere candidates.
    evidence: f32,
    /// The older track in which it lies, since when, and in how many frames.
    twin: Option<(u64, f64, u32)>,
}

/// Follows faces from frame to frame.
#[derive(Clone, Debug, Default)]
pub struct Tracker {
    options: TrackOptions,
    tracks: Vec<Track>,
    next_id: u64,
    time: Option<f64>,
    shots: Shots<Vec<Track>>,
}

impl Tracker {
    /// A tracker that has seen nothing.
    pub fn new(options: TrackOptions) -> Self {
        Self { options, ..Self::default() }
    }

    /// Takes the detections of the frame at `time` seconds, not before that of the last one; gives for each the id of its
    /// track, or `None` where it is not known to be a face (yet). No id comes twice. Without pictures, cuts are not noticed.
    pub fn update(&mut self, time: f64, found: &[Detection]) -> Vec<Option<u64>> {
        self.move_on(time);
        self.take(time, None, found)
    }

    /// [`update`](Self::update) with what the frame looks like, so that cuts are noticed: the tracks of a shot that ends are
    /// put aside, and come back when it does.
    pub fn frame(&mut self, time: f64, scene: &Scene, found: &[Detection]) -> Vec<Option<u64>> {
        self.move_on(time);
        match self.shots.next(time, scene) {
            Turn::None => {}
            turn => self.cut(time, scene, turn),
        }
        self.take(time, Some(scene), found)
    }

    fn take(&mut self, time: f64, scene: Option<&Scene>, found: &[Detection]) -> Vec<Option<u64>> {
        // The last frame may be long ago.
        self.forget(time, None);
        let mut owner: Vec<Option<usize>> = vec![None; found.len()];
        let mut free: Vec<usize> = (0..self.tracks.len()).collect();
        // A face that was lost in another scene is not here.
        free.retain(|&track| self.tracks[track].may_be_in(time, scene));
        let options = self.options;
        let sure = |face: &Detection| face.score >= options.sure;
        self.join(found, &mut owner, &mut free, sure, |track, face| {
            let shared = iou(track.motion.place(), corners(face));
            (shared >= LEAST_OVERLAP && track.allows(time, face, &options)).then_some(1.0 - shared)
        });
        self.join(
            found,
            &mut owner,
            &mut free,
            |face| !sure(face),
            |track, face| {
                let shared = iou(track.motion.place(), corners(face));
                // What was lost a while ago comes back only surely.
                let recent = time - track.seen < 0.5 && !track.jumped && track.back.is_none();
                (recent && shared >= LEAST_OVERLAP_UNSURE).then_some(1.0 - shared)
            },
        );
        self.join(found, &mut owner, &mut free, sure, |track, face| track.distance(time, face, &options));
        for (face, owner) in found.iter().zip(&owner) {
            if let Some(track) = owner.and_then(|index| self.tracks.get_mut(index)) {
                let faded = (-(time - track.seen) / EVIDENCE_LASTS).exp() as f32;
                track.evidence = track.evidence * faded + face.score - options.sure;
                track.correct(time, face);
            }
        }
        self.begin(time, found, &mut owner);
        self.name(time);
        for track in self.tracks.iter_mut().filter(|track| track.seen >= time) {
            track.scene = scene.cloned();
        }
        let mut ids: Vec<_> =
            owner.iter().map(|owner| owner.and_then(|index| self.tracks.get(index)?.id)).collect();
        for (older, younger) in self.unite(time) {
            let taken = ids.contains(&Some(older));
            for (id, face) in ids.iter_mut().zip(found).filter(|(id, _)| **id == Some(younger)) {
                *id = (!taken).then_some(older);
                let track = self.tracks.iter_mut().find(|track| track.id == Some(older) && !taken);
                if let Some(track) = track {
                    track.correct(time, face);
                }
            }
        }
        self.forget(time, Some(CONFIRMED_WITHIN));
        ids
    }

    /// Where the faces last seen at most a quarter of a second ago should be at `time`, each turned as it was.
    pub fn expected(&self, time: f64) -> Vec<Detection> {
        let Some(last) = self.time else { return Vec::new() };
        let seen = self.tracks.iter().filter(|track| last - track.since() <= CONFIRMED_WITHIN);
        seen.map(|track| {
            let mut motion = track.motion;
            motion.predict((time - last).max(0.0));
            let [x, y, right, bottom] = motion.place();
            Detection { x, y, width: right - x, height: bottom - y, score: 1.0, roll: track.roll }
        })
        .collect()
    }

    /// [`expected`](Self::expected) in a frame that looks so; `None` where it is likely to be of another shot, so that faces
    /// may be anywhere.
    pub fn expected_in(&self, time: f64, scene: &Scene) -> Option<Vec<Detection>> {
        (!self.shots.is_elsewhere(scene)).then(|| self.expected(time))
    }

    /// Whether the track of this id is still followed.
    pub fn follows(&self, id: u64) -> bool {
        self.tracks.iter().any(|track| track.id == Some(id))
    }

    /// Takes a frame whose tracks are known, as when a run is resumed from its records. Records do not tell what frames looked
    /// like, so shots put aside do not come back, and faces lost before a cut may be taken up after it.
    pub fn recall(&mut self, time: f64, faces: &[(u64, Detection)]) {
        self.move_on(time);
        for (id, face) in faces {
            self.next_id = self.next_id.max(id + 1);
            match self.tracks.iter_mut().find(|track| track.id == Some(*id)) {
                Some(track) => track.correct(time, face),
                None => self.tracks.push(Track { id: Some(*id), ..Track::new(time, face, 0.0) }),
            }
        }
        self.unite(time);
        self.forget(time, Some(CONFIRMED_WITHIN));
    }

    /// Takes what the last frame of the records looked like, so that a cut right after it is noticed.
    pub fn recall_scene(&mut self, scene: &Scene) {
        if let Some(time) = self.time
            && self.shots.newest().is_none()
        {
            self.shots.next(time, scene);
            for track in &mut self.tracks {
                track.scene = Some(scene.clone());
            }
        }
    }

    fn move_on(&mut self, time: f64) {
        let step = self.time.map_or(0.0, |last| (time - last).max(0.0));
        self.time = Some(time);
        for track in &mut self.tracks {
            track.motion.predict(step);
        }
    }

    /// Puts the tracks aside with their shot, and takes up those of a shot that comes back.
    fn cut(&mut self, time: f64, scene: &Scene, turn: Turn) {
        let patience = self.options.patience;
        self.tracks.retain(|track| track.id.is_some() && time - track.since() <= patience);
        let left = std::mem::take(&mut self.tracks);
        match self.shots.turn(scene, left.clone()) {
            Some(tracks) => {
                self.tracks = tracks;
                self.tracks.iter_mut().for_each(|track| track.come_back(time));
            }
            None if turn == Turn::Jump => {
                self.tracks = left;
                self.tracks.iter_mut().for_each(|track| track.jumped = true);
            }
            None => {}
        }
    }

    /// Drops who is not seen for too long; something not yet called a face after `unnamed` seconds.
    fn forget(&mut self, time: f64, unnamed: Option<f64>) {
        let TrackOptions { patience, memory, .. } = self.options;
        let last = self.time == Some(time) && unnamed.is_some();
        self.tracks.retain(|track| {
            let away = time - track.since();
            match track.id {
                Some(_) if track.taken => away <= patience,
                Some(_) => away <= memory.max(patience) && !(last && track.jumped),
                None => unnamed.is_none_or(|unnamed| away <= unnamed),
            }
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

    /// Sure detections without a track get a new one, unless they are another box of a face that has one.
    fn begin(&mut self, time: f64, found: &[Detection], owner: &mut [Option<usize>]) {
        let mut covered: Vec<[f32; 4]> =
            found.iter().zip(&*owner).filter(|(_, owner)| owner.is_some()).map(|(f, _)| corners(f)).collect();
        let held = self.tracks.iter().filter(|track| time - track.since() <= HOLDS_PLACE && !track.jumped);
        covered.extend(held.map(|track| track.motion.place()));
        let mut free: Vec<usize> = (0..found.len())
            .filter(|&face| owner[face].is_none() && found[face].score >= self.options.sure)
            .collect();
        // Of two boxes the surer is the face.
        free.sort_by(|&a, &b| found[b].score.total_cmp(&found[a].score));
        free.retain(|&face| {
            let place = corners(&found[face]);
            let is_new = !covered.iter().any(|&other| is_same_face(other, place));
            if is_new {
                covered.push(place);
            }
            is_new
        });
        free.sort_unstable();
        for face in free {
            owner[face] = Some(self.tracks.len());
            let evidence = found[face].score - self.options.sure;
            self.tracks.push(Track::new(time, &found[face], evidence));
        }
    }

    /// Gives ids to what is certain to be a face, and not one that has an id.
    fn name(&mut self, time: f64) {
        let enough = CERTAIN * (1.0 - self.options.sure);
        let place = |track: &Track| (track.seen >= time).then(|| track.motion.place());
        let mut named: Vec<[f32; 4]> =
            self.tracks.iter().filter(|track| track.id.is_some()).filter_map(place).collect();
        for track in self.tracks.iter_mut().filter(|track| track.id.is_none() && track.evidence >= enough) {
            let here = track.motion.place();
            if named.iter().any(|&other| is_same_face(other, here)) {
                continue;
            }
            named.push(here);
            track.id = Some(self.next_id);
            self.next_id += 1;
        }
    }

    /// Drops tracks that have come to cover the face of an older one; gives the ids of the older and of the dropped. Notes, too,
    /// where the place of a lost face is taken.
    fn unite(&mut self, time: f64) -> Vec<(u64, u64)> {
        let places: Vec<(Option<u64>, f64, [f32; 4])> =
            self.tracks.iter().map(|track| (track.id, track.seen, track.motion.place())).collect();
        let mut united = Vec::new();
        for (index, track) in self.tracks.iter_mut().enumerate() {
            let (id, seen, here) = places[index];
            let Some(id) = id else { continue };
            let mut others = places.iter().enumerate().filter(|(other, _)| *other != index).map(|(_, p)| p);
            track.taken |= seen < time
                && others
                    .clone()
                    .any(|&(other, at, place)| other.is_some() && at >= time && inside(place, here) >= TAKEN);
            let older = others
                .find(|&&(other, at, place)| {
                    other.is_some_and(|other| other < id)
                        && seen.max(at) >= time
                        && time - seen.min(at) <= TWIN_MISSED
                        && inside(place, here) >= MOSTLY_INSIDE
                })
                .and_then(|(other, ..)| *other);
            track.twin = older.map(|older| match track.twin {
                Some((before, since, frames)) if before == older => (older, since, frames + 1),
                _ => (older, time, 1),
            });
            if let Some((older, since, frames)) = track.twin
                && frames >= TWIN_FRAMES
                && time - since >= TWIN_SECONDS
            {
                united.push((older, id));
            }
        }
        self.tracks.retain(|track| !united.iter().any(|(_, younger)| track.id == Some(*younger)));
        united
    }
}

/// Whether two boxes are of one face.
fn is_same_face(a: [f32; 4], b: [f32; 4]) -> bool {
    inside(a, b) >= MOSTLY_INSIDE || iou(a, b) > SAME_FACE
}

impl Track {
    fn new(time: f64, face: &Detection, evidence: f32) -> Self {
        Self {
            id: None,
            motion: Motion::new(face),
            roll: wrapped(face.roll),
            seen: time,
            scene: None,
            back: None,
            jumped: false,
            taken: false,
            evidence,
            twin: None,
        }
    }

    /// Takes in where the face was found.
    fn correct(&mut self, time: f64, face: &Detection) {
        self.motion.correct(face);
        self.roll = match time - self.seen <= CONFIRMED_WITHIN {
            true => wrapped(self.roll + ROLL_GAIN * wrapped(face.roll - self.roll)),
            false => wrapped(face.roll),
        };
        (self.seen, self.back, self.jumped, self.taken) = (time, None, false, false);
    }

    /// Stands where it was, now that its shot is shown again.
    fn come_back(&mut self, time: f64) {
        let [x, y, right, bottom] = self.motion.place();
        let (width, height) = (right - x, bottom - y);
        self.motion = Motion::new(&Detection { x, y, width, height, score: 1.0, roll: self.roll });
        (self.back, self.jumped, self.taken, self.twin) = (Some(time), false, false, None);
    }

    /// When it was seen, or came back into view.
    fn since(&self) -> f64 {
        self.back.unwrap_or(self.seen)
    }

    /// Whether it may be in this scene, lost as long as it is.
    fn may_be_in(&self, time: f64, scene: Option<&Scene>) -> bool {
        match (scene, &self.scene) {
            (Some(here), Some(there)) if self.back.is_none() && time - self.seen > SCENE_MATTERS => {
                Shots::<()>::are_similar(there, here)
            }
            _ => true,
        }
    }

    /// Whether a detection that overlaps its place may be its face.
    fn allows(&self, time: f64, face: &Detection, options: &TrackOptions) -> bool {
        if self.jumped {
            let [left, top, right, bottom] = self.motion.place();
            let ratio = face.side() / ((right - left) * (bottom - top)).max(1.0).sqrt();
            return iou([left, top, right, bottom], corners(face)) >= JUMP_OVERLAP
                && JUMP_SIZES.contains(&ratio);
        }
        time - self.since() <= options.patience || self.distance(time, face, options).is_some()
    }

    /// How far a detection is from where the track should be, in sides of the face; `None` where it is too far for the
    /// time since it was seen, or of another size.
    fn distance(&self, time: f64, face: &Detection, options: &TrackOptions) -> Option<f32> {
        let [left, top, right, bottom] = self.motion.place();
        let (width, height) = (right - left, bottom - top);
        let ratio = (face.width * face.height / (width * height).max(1.0)).sqrt();
        let side = width.max(height).max(1.0);
        let across = (face.x + face.width / 2.0 - (left + right) / 2.0) / side;
        let down = (face.y + face.height / 2.0 - (top + bottom) / 2.0) / side;
        let distance = across.hypot(down);
        let away = time - self.since();
        let (reach, sizes) = match self.back {
            _ if self.jumped => return None,
            // Others were shown meanwhile; people do not sit still for that.
            Some(_) => (2.0, 0.55..1.8),
            None if away <= options.patience => ((0.6 + 1.2 * away as f32).min(1.8), 0.6..1.67),
            None => (1.0, 0.75..1.34),
        };
        (distance <= reach && sizes.contains(&ratio)).then_some(distance)
    }
}

#[cfg(test)]
mod tests {
    use moue_media::Picture;

    use super::*;
    use crate::scene::tests::{room, scene, sitter};

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
        for (gap, expected) in [(1.0, Some(0)), (4.5, Some(1))] {
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

    #[test]
    fn two_boxes_of_one_face_are_one_person() {
        // From the first frame on, the lesser box first.
        let mut tracker = Tracker::new(TrackOptions::default());
        for frame in 0..20 {
            let found = [face(100.0, 100.0, 160.0, 0.9), face(120.0, 140.0, 90.0, 0.95)];
            let ids = tracker.update(f64::from(frame) / 25.0, &found);
            assert_eq!(ids.iter().flatten().count(), 1, "{ids:?}");
        }
        // A second box of a face that is followed, small or large.
        let mut tracker = Tracker::new(TrackOptions::default());
        for frame in 0..40 {
            let mut found = vec![face(100.0, 100.0, 80.0, 0.9)];
            match frame % 3 {
                1 => found.push(face(120.0, 130.0, 40.0, 0.99)),
                2 => found.push(face(70.0, 60.0, 180.0, 0.99)),
                _ => {}
            }
            let ids = tracker.update(f64::from(frame) / 25.0, &found);
            assert!(ids.iter().flatten().all(|&id| id == 0), "{frame} {ids:?}");
        }
        // Two that come to lie in one another: the older stays.
        let mut tracker = Tracker::new(TrackOptions::default());
        let mut last = Vec::new();
        for frame in 0..40 {
            let way = (200.0 - 10.0 * frame as f32).max(10.0);
            let found = [face(100.0, 100.0, 80.0, 0.9), face(100.0 + way, 105.0, 70.0, 0.9)];
            last = tracker.update(f64::from(frame) / 25.0, &found);
            if frame == 5 {
                assert_eq!(last, [Some(0), Some(1)]);
            }
        }
        assert_eq!(last.iter().flatten().collect::<Vec<_>>(), [&0]);
        assert!(!tracker.follows(1));
    }

    #[test]
    fn roll_is_expected_as_it_was_also_across_the_seam() {
        let mut tracker = Tracker::new(TrackOptions::default());
        for (frame, roll) in [170.0, 176.0, -178.0, -176.0, -176.0, -176.0].into_iter().enumerate() {
            tracker.update(frame as f64 / 25.0, &[Detection { roll, ..face(10.0, 10.0, 50.0, 0.9) }]);
        }
        let roll = tracker.expected(6.0 / 25.0)[0].roll;
        assert!((wrapped(roll + 176.0)).abs() < 2.0, "{roll}");
    }

    /// Shows scenes for a second each with a face in them; gives the ids of the last frames.
    fn film(shots: &[(u32, Detection)]) -> Vec<Option<u64>> {
        let mut tracker = Tracker::new(TrackOptions::default());
        let mut time = 0.0;
        shots
            .iter()
            .map(|(seed, face)| {
                let scene = scene(*seed);
                let mut id = None;
                for _ in 0..25 {
                    id = tracker.frame(time, &scene, &[*face])[0];
                    time += 0.04;
                }
                id
            })
            .collect()
    }

    #[test]
    fn people_keep_their_ids_through_cuts_back_and_forth() {
        let (a, b) = (face(120.0, 70.0, 80.0, 0.9), face(122.0, 72.0, 78.0, 0.9));
        // When A is seen again, she sits a little to the side.
        let moved = face(190.0, 80.0, 70.0, 0.9);
        let ids = film(&[(1, a), (2, b), (1, moved), (2, b), (3, a), (1, a)]);
        assert_eq!(ids, [0, 1, 0, 1, 2, 0].map(Some));
    }

    #[test]
    fn shots_put_aside_are_few() {
        let mut shots = Shots::default();
        for seed in 0..40 {
            let scene = scene(seed);
            if shots.next(f64::from(seed), &scene) != Turn::None {
                shots.turn(&scene, ());
            }
        }
        assert!((14..=16).contains(&shots.count()), "{}", shots.count());
        shots.next(500.0, &scene(100));
        shots.turn(&scene(100), ());
        assert_eq!(shots.count(), 1);
    }

    #[test]
    fn pans_fades_light_shaking_and_large_faces_are_no_cuts() {
        let cuts = |frames: &mut dyn Iterator<Item = Scene>| {
            let mut shots = Shots::<()>::default();
            let mut is_cut = |(i, scene): &(usize, Scene)| {
                let is_cut = shots.next(*i as f64 / 25.0, scene) != Turn::None;
                if is_cut {
                    shots.turn(scene, ());
                }
                is_cut
            };
            frames.enumerate().filter(|frame| is_cut(frame)).count()
        };
        let steps = || (0..30).map(|i| i as f32);
        let none = |_: f32, _: f32| None;
        let pan = |i: f32| Scene::of(&room(5, 8.0 * i, none));
        let shake = |i: f32| Scene::of(&room(5, 7.0 * (2.1 * i).sin(), sitter(0.0, 80.0)));
        let large = |i: f32| Scene::of(&room(5, 0.0, sitter(60.0 * (0.5 * i).sin(), 200.0)));
        let dim = |light: f32| {
            let picture = room(5, 0.0, sitter(0.0, 80.0));
            let pixels = picture.pixels().iter().map(|&p| (f32::from(p) * light) as u8).collect();
            Scene::of(&Picture::from_raw(picture.width(), picture.height(), pixels).unwrap())
        };
        assert_eq!(cuts(&mut steps().map(pan)), 0, "pan");
        assert_eq!(cuts(&mut steps().map(shake)), 0, "shake");
        assert_eq!(cuts(&mut steps().map(large)), 0, "large");
        assert_eq!(cuts(&mut steps().map(|i| dim(1.0 - i / 29.0))), 0, "fade");
        assert_eq!(cuts(&mut steps().map(|i| dim(if i < 15.0 { 1.0 } else { 0.45 }))), 0, "light");
        assert_eq!(cuts(&mut steps().map(|i| scene(if i < 15.0 { 1 } else { 2 }))), 1, "cut");
    }

    #[test]
    fn beyond_patience_a_face_comes_back_only_near_and_if_nobody_was_there() {
        let back = |gap: f64, later: Detection, between: Option<Detection>| {
            let mut tracker = Tracker::new(TrackOptions::default());
            let frames = |seconds: f64| (seconds * 25.0) as u32;
            for i in 0..25 {
                tracker.update(f64::from(i) / 25.0, &[face(200.0, 100.0, 60.0, 0.9)]);
            }
            for i in 0..frames(gap) {
                let found: Vec<Detection> = between.filter(|_| (10..50).contains(&i)).into_iter().collect();
                // Whoever is between stands too much aside to be the same.
                tracker.update(1.0 + f64::from(i) / 25.0, &found);
            }
            tracker.update(1.0 + gap, &[later])[0]
        };
        assert_eq!(back(3.0, face(215.0, 105.0, 62.0, 0.9), None), Some(0));
        assert_eq!(back(3.0, face(290.0, 105.0, 62.0, 0.9), None), Some(1));
        assert_eq!(back(3.0, face(200.0, 100.0, 100.0, 0.9), None), Some(1));
        assert_eq!(back(5.0, face(200.0, 100.0, 60.0, 0.9), None), Some(1));
        // Larger by far, over the place.
        let other = face(150.0, 60.0, 170.0, 0.9);
        assert_eq!(back(3.5, face(200.0, 100.0, 60.0, 0.9), Some(other)), Some(2));
    }
}
