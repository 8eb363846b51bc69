//! Who was there, how long, and how they looked.

use super::Settings;
use super::bins::{Width, widened_sums};
use super::collector::{Clip, Track};
use super::measures::Measures;
use super::report::last_part;

/// One person of a group.
pub(super) struct Person {
    pub name: String,
    /// Number of the clip in its group, and of the track in the clip.
    pub clip: usize,
    pub track: usize,
    /// The track's id, as in the records.
    pub id: u64,
    /// Seconds in view, and their share of the seconds that the clip was looked at.
    pub seconds: f64,
    pub share: f64,
    /// Share of the seconds in view in which nothing should be said about the face.
    pub uncertain: f64,
    /// Mean of each measure over the time in view.
    pub means: Vec<f64>,
    pub bins: Vec<PersonBin>,
}

/// A bin in which a person was in view.
pub(super) struct PersonBin {
    pub bin: usize,
    pub seconds: f64,
    /// Seconds of those in which nothing should be said about the face.
    pub uncertain: f64,
    /// Mean of each measure.
    pub means: Vec<f64>,
}

impl Person {
    /// All who were in view for long enough, by clip and id.
    pub fn all(
        clips: &[Clip],
        settings: &Settings,
        measures: &Measures,
        width: Width,
        factor: u32,
    ) -> Vec<Self> {
        let mut people = Vec::new();
        for (number, clip) in clips.iter().enumerate() {
            let observed: f64 = clip.observed.iter().sum();
            let enough = enough(settings, observed);
            let mut tracks: Vec<(usize, &Track)> = clip.tracks.iter().enumerate().collect();
            tracks.sort_by_key(|(_, track)| track.id);
            for (place, track) in tracks {
                if track.seconds <= 0.0 || track.seconds < enough {
                    continue;
                }
                let name = match clips.len() {
                    1 => format!("Person {}", track.id),
                    _ => format!("{} · person {}", last_part(&clip.source), track.id),
                };
                people.push(Self {
                    name,
                    clip: number,
                    track: place,
                    id: track.id,
                    seconds: track.seconds,
                    share: (track.seconds / observed).min(1.0),
                    uncertain: track.uncertain / track.seconds,
                    means: means(&track.sums, track.seconds, measures),
                    bins: bins(track, measures, width, factor),
                });
            }
        }
        people
    }
}

fn bins(track: &Track, measures: &Measures, width: Width, factor: u32) -> Vec<PersonBin> {
    debug_assert!(width.seconds() > 0.0);
    let wide = track.cells.widened(factor);
    let seen = wide.iter().filter(|(cell, _)| cell.seconds > 0.0);
    seen.map(|(cell, sums)| PersonBin {
        bin: cell.bin as usize,
        seconds: cell.seconds,
        uncertain: cell.uncertain,
        means: means(sums, cell.seconds, measures),
    })
    .collect()
}

fn means(sums: &[f64], seconds: f64, measures: &Measures) -> Vec<f64> {
    measures.complete(sums.iter().map(|sum| sum / seconds).collect())
}

/// Seconds in view from which a face counts as a person: in a clip of a second nobody can be in view for longer.
fn enough(settings: &Settings, observed: f64) -> f64 {
    settings.min_view.min(observed / 2.0)
}

/// How many faces were in view, and of how many.
pub(super) struct Presence {
    /// How many people there were to be seen, summed over clips.
    pub seats: usize,
    /// Whether the caller said so.
    pub seats_known: bool,
    /// Share of attention: seconds of faces in view over seats times seconds looked at, 0 to 1.
    pub share: f64,
    /// By bin: mean number of faces in view and seats, of the clips that were looked at; `None` where none was.
    pub bins: Vec<Option<(f64, f64)>>,
    /// Faces in view too short to count as people, and the seconds from which on they would: the most of any clip.
    pub short: usize,
    pub enough: f64,
}

impl Presence {
    pub fn new(clips: &[Clip], people: &[Person], settings: &Settings, factor: u32) -> Self {
        let mut bins: Vec<Option<(f64, f64)>> = Vec::new();
        let (mut seats, mut filled, mut possible) = (0, 0.0, 0.0);
        for (number, clip) in clips.iter().enumerate() {
            let observed = widened_sums(&clip.observed, factor);
            // Only of those who count, so that all numbers of people on the page are of the same people.
            let mut faces = vec![0.0; observed.len()];
            for bin in people.iter().filter(|p| p.clip == number).flat_map(|p| &p.bins) {
                if let Some(sum) = faces.get_mut(bin.bin) {
                    *sum += bin.seconds;
                }
            }
            let in_view: Vec<Option<f64>> =
                faces.iter().zip(&observed).map(|(f, o)| (*o > 0.0).then(|| f / o)).collect();
            let most = in_view.iter().flatten().copied().fold(0.0, f64::max).round().max(1.0) as usize;
            let here = settings.people.unwrap_or(most);
            seats += here;
            bins.resize(bins.len().max(in_view.len()), None);
            for (bin, faces) in bins.iter_mut().zip(&in_view) {
                if let Some(faces) = faces {
                    let (f, s) = bin.unwrap_or_default();
                    *bin = Some((f + faces, s + here as f64));
                }
            }
            filled += faces.iter().sum::<f64>();
            possible += clip.observed.iter().sum::<f64>() * here as f64;
        }
        Self {
            seats,
            seats_known: settings.people.is_some(),
            share: if possible > 0.0 { (filled / possible).min(1.0) } else { 0.0 },
            bins,
            enough: clips.iter().map(|c| enough(settings, c.observed.iter().sum())).fold(0.0, f64::max),
            short: clips.iter().map(|c| c.tracks.len()).sum::<usize>() - people.len(),
        }
    }

    /// Mean number of faces in view while something was looked at.
    pub fn mean_in_view(&self) -> f64 {
        self.share * self.seats as f64
    }
}
