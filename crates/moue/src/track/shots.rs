//! Shots of a film: where one ends, and which one comes back.

use std::collections::VecDeque;

use crate::Scene;

/// Share of a scene that changes from one frame to the next at a cut, at least. Of pairs of photos of different places
/// four in a thousand have less; a camera that turns by a fiftieth of the picture a frame changes 0.07.
const CUT: f32 = 0.45;

/// While the picture moves as a whole, a cut must stand out by this factor, up to a share that only a cut reaches.
const STANDS_OUT: f32 = 2.0;
const SURELY_CUT: f32 = 0.85;

/// Seconds in which the unrest of the picture falls to a third.
const UNREST_LASTS: f64 = 0.3;

/// The most that a shot which comes back may have changed: people move, the room stays.
const COMES_BACK: f32 = 0.35;

/// Change up to which the shot after a cut may be the same place cut shorter, or seen from a little nearer.
const STILL_SIMILAR: f32 = 0.6;

/// Shots put aside, and for how many seconds.
const KEPT: usize = 16;
const KEPT_FOR: f64 = 60.0;

/// What happened to the picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Turn {
    /// It is the same shot.
    None,
    /// Another shot of what looks much the same.
    Jump,
    /// A shot of something else.
    Cut,
}

/// A shot that is over.
#[derive(Clone, Debug)]
struct Shot<T> {
    ended: f64,
    /// Its first scene and its last: a camera may have moved meanwhile.
    scenes: [Scene; 2],
    content: T,
}

/// The shot that is shown and those put aside with what was in them.
#[derive(Clone, Debug)]
pub struct Shots<T> {
    /// The first scene of this shot and the newest.
    scenes: Option<[Scene; 2]>,
    time: f64,
    /// How much the picture changed lately, without cuts.
    unrest: f32,
    aside: VecDeque<Shot<T>>,
}

impl<T> Default for Shots<T> {
    fn default() -> Self {
        Self { scenes: None, time: 0.0, unrest: 0.0, aside: VecDeque::new() }
    }
}

impl<T> Shots<T> {
    /// Takes the scene of the next frame.
    pub fn next(&mut self, time: f64, scene: &Scene) -> Turn {
        let passed = (time - self.time).max(0.0);
        self.time = time;
        let Some([_, newest]) = &mut self.scenes else {
            self.scenes = Some([scene.clone(), scene.clone()]);
            return Turn::None;
        };
        self.unrest *= (-passed / UNREST_LASTS).exp() as f32;
        let change = newest.change(scene);
        let least = (STANDS_OUT * self.unrest).clamp(CUT, SURELY_CUT);
        if change >= least && !newest.same_shape(scene) {
            return if change < STILL_SIMILAR { Turn::Jump } else { Turn::Cut };
        }
        self.unrest = self.unrest.max(change);
        *newest = scene.clone();
        Turn::None
    }

    /// Puts the shot aside after a cut to `scene`; gives what was in the shot that comes back, if one does.
    pub fn turn(&mut self, scene: &Scene, content: T) -> Option<T> {
        if let Some(scenes) = self.scenes.replace([scene.clone(), scene.clone()]) {
            self.aside.push_back(Shot { ended: self.time, scenes, content });
        }
        self.unrest = 0.0;
        self.aside.retain(|shot| self.time - shot.ended <= KEPT_FOR);
        while self.aside.len() > KEPT {
            self.aside.pop_front();
        }
        let changes = self.aside.iter().enumerate().map(|(place, shot)| {
            let changes = shot.scenes.iter().map(|old| old.change(scene));
            (changes.fold(f32::INFINITY, f32::min), place)
        });
        // Of equal ones the latest.
        let (change, place) = changes.min_by(|a, b| a.0.total_cmp(&b.0).then(b.1.cmp(&a.1)))?;
        if change > COMES_BACK {
            return None;
        }
        let shot = self.aside.remove(place)?;
        // Its beginning stays known.
        let [first, _] = shot.scenes;
        self.scenes = Some([first, scene.clone()]);
        Some(shot.content)
    }

    /// The newest scene, where one is known.
    pub fn newest(&self) -> Option<&Scene> {
        self.scenes.as_ref().map(|[_, newest]| newest)
    }

    /// Whether `scene` is so unlike the newest that this is likely to be another shot.
    pub fn is_elsewhere(&self, scene: &Scene) -> bool {
        self.newest().is_some_and(|newest| newest.change(scene) >= CUT && !newest.same_shape(scene))
    }

    /// Whether two scenes may be of one shot.
    pub fn are_similar(a: &Scene, b: &Scene) -> bool {
        a.change(b) < STILL_SIMILAR || a.same_shape(b)
    }

    #[cfg(test)]
    pub fn count(&self) -> usize {
        self.aside.len()
    }
}
