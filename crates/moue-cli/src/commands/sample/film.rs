//! Portraits in motion: people who come, change their faces, and go.

use std::path::Path;

use moue_media::VideoWriter;

use super::patch::Patch;
use super::wall::Wall;
use crate::failure::Result;

/// Frames a second.
const RATE: u32 = 25;

/// Length in seconds.
const SECONDS: f32 = 20.0;

/// Seconds that a face takes from one emotion to the next: the two frames that a quick face takes.
const CHANGE: f32 = 0.08;

/// Seconds that a person takes to rise into view, and to sink out of it.
const RISE: f32 = 0.4;

/// Places of the labels of FER2013.
const ANGRY: usize = 0;
const HAPPY: usize = 3;
const SURPRISE: usize = 5;
const NEUTRAL: usize = 6;

/// Somebody in the film.
struct Person {
    /// Seconds of coming and of having gone.
    from: f32,
    to: f32,
    /// Middle and side in pixels, and the pixels by which the person sways.
    x: f32,
    y: f32,
    side: f32,
    sway: f32,
    /// Emotions with the second from which each is shown.
    shows: &'static [(f32, usize)],
}

/// Nobody at first; then up to three people; nobody from the 14th second to the 17th; then somebody else.
const PEOPLE: [Person; 4] = [
    Person {
        from: 1.0,
        to: 14.0,
        x: 200.0,
        y: 330.0,
        side: 280.0,
        sway: 14.0,
        shows: &[(0.0, NEUTRAL), (4.0, HAPPY), (8.0, SURPRISE), (11.0, NEUTRAL)],
    },
    Person {
        from: 5.0,
        to: 14.0,
        x: 740.0,
        y: 300.0,
        side: 250.0,
        sway: 40.0,
        shows: &[(0.0, HAPPY), (10.0, NEUTRAL)],
    },
    Person {
        from: 9.0,
        to: 13.5,
        x: 480.0,
        y: 420.0,
        side: 190.0,
        sway: 10.0,
        shows: &[(0.0, SURPRISE), (11.5, HAPPY)],
    },
    Person {
        from: 17.0,
        to: 30.0,
        x: 520.0,
        y: 320.0,
        side: 300.0,
        sway: 20.0,
        shows: &[(0.0, HAPPY), (18.5, ANGRY)],
    },
];

impl Person {
    /// The face at a moment: a mean, or two of them laid over each other.
    fn face(&self, time: f32, portraits: &[&Patch]) -> Patch {
        let last = self.shows.iter().rposition(|(from, _)| *from <= time).unwrap_or_default();
        let (from, emotion) = self.shows[last];
        let now = portraits[emotion];
        let share = ((time - from) / CHANGE).clamp(0.0, 1.0);
        if last == 0 || share >= 1.0 {
            return now.clone();
        }
        let before = portraits[self.shows[last - 1].1];
        let mixed = now.pixels.iter().zip(&before.pixels).map(|(a, b)| share * a + (1.0 - share) * b);
        Patch::new(now.side, mixed)
    }

    /// Left and upper edge; `None` where the person is not there.
    fn place(&self, time: f32) -> Option<(i64, i64)> {
        if time < self.from || time >= self.to {
            return None;
        }
        let risen = ((time - self.from) / RISE).min((self.to - time) / RISE).clamp(0.0, 1.0);
        let sway = self.sway * (1.3 * (time - self.from)).sin();
        let below = (1.0 - risen) * (640.0 + self.side / 2.0 - self.y);
        Some((
            (self.x + sway - self.side / 2.0).round() as i64,
            (self.y + below - self.side / 2.0).round() as i64,
        ))
    }
}

/// Writes the film; `portraits` are means of the seven emotions in the order of FER2013.
pub fn shoot(portraits: &[&Patch], path: &Path) -> Result<()> {
    let (empty, mut writer) = (Wall::plain(), None);
    for frame in 0..(SECONDS * RATE as f32) as u32 {
        let time = frame as f32 / RATE as f32;
        let mut wall = empty.clone();
        for person in &PEOPLE {
            if let Some((left, top)) = person.place(time) {
                wall.portrait(&person.face(time, portraits), left, top, person.side as usize);
            }
        }
        let picture = wall.picture();
        let size = (picture.width(), picture.height());
        let writer = match &mut writer {
            Some(writer) => writer,
            empty => empty.insert(VideoWriter::create(path, size, None)?),
        };
        writer.write(f64::from(frame) / f64::from(RATE), &picture)?;
    }
    match writer {
        Some(writer) => Ok(writer.finish()?),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_come_change_and_go() {
        let patches: Vec<Patch> = (0..7).map(|i| Patch::new(1, [i as f32])).collect();
        let portraits: Vec<&Patch> = patches.iter().collect();
        let [first, ..] = PEOPLE;
        assert_eq!((first.place(0.9), first.place(14.0)), (None, None));
        assert!(first.place(1.04).is_some_and(|(_, top)| top > 500));
        assert_eq!(first.place(6.0).map(|(_, top)| top), Some(190));
        let shown = |time: f32| first.face(time, &portraits).pixels[0];
        assert_eq!([shown(2.0), shown(5.0), shown(9.0)], [6.0, 3.0, 5.0]);
        assert!((shown(4.04) - 4.5).abs() < 0.1);
        for time in [0.5, 15.0, 16.9] {
            assert!(PEOPLE.iter().all(|person| person.place(time).is_none()));
        }
    }
}
