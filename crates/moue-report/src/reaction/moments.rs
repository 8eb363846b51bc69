//! Peaks: when an emotion stood out from what is usual for this audience.

use moue::BoundingBox;

use super::collector::Clip;
use super::measures::Measures;
use super::people::Person;
use super::statistics::median;
use super::timeline::Timeline;

/// Seconds over which, at most, the timeline is averaged before peaks are looked for: shorter flickers are no moments.
const SMOOTHING: f64 = 2.0;
/// Peaks rise by this much at least, as a probability.
const LEAST_RISE: f64 = 0.05;
/// Peaks of an emotion.
const PEAKS: usize = 3;
/// Seconds from one peak to the next of the same emotion.
const APART: f64 = 5.0;

/// A moment at which an emotion stood out.
#[derive(Clone, Debug, PartialEq)]
pub struct Moment {
    /// Which emotion.
    pub emotion: String,
    /// When it was strongest, in seconds.
    pub time: f64,
    /// From when to when it was more than half as far above the baseline as at its strongest, in seconds.
    pub span: (f64, f64),
    /// Mean probability over people at the strongest, averaged over up to two seconds, 0 to 1.
    pub level: f64,
    /// What is usual for the emotion: the median of the same over the clip, 0 to 1.
    pub baseline: f64,
    /// People in view.
    pub people: usize,
    /// The person who showed it most, and a frame of that bin.
    pub face: FaceAt,
    pub(super) measure: usize,
}

/// A face to cut out of a frame.
#[derive(Clone, Debug, PartialEq)]
pub struct FaceAt {
    /// The clip, as in the records.
    pub source: String,
    /// Where the records came from, as [`Collector::stream`](super::Collector::stream) was told.
    pub records: String,
    /// The person's id in that clip.
    pub id: u64,
    /// When, in seconds as the records count them: the frame of the bin in which the emotion was most probable for the person.
    pub time: f64,
    /// Where, in pixels of the upright frame.
    pub bounds: BoundingBox,
}

impl Moment {
    /// How far above the baseline.
    pub fn rise(&self) -> f64 {
        self.level - self.baseline
    }

    /// The largest moments of every emotion, the largest first.
    pub(super) fn find(
        timeline: &Timeline,
        people: &[Person],
        clips: &[Clip],
        measures: &Measures,
        factor: u32,
    ) -> Vec<Self> {
        let crowd = median(timeline.bins.iter().filter(|b| b.people > 0).map(|b| b.people as f64).collect());
        // Where few are left, one face would make a peak for all.
        let enough = crowd.unwrap_or(0.0) / 2.0;
        let mut moments = Vec::new();
        for measure in 0..measures.labels().len() {
            let values: Vec<Option<f64>> = timeline
                .series(measure)
                .map(|e| e.filter(|e| e.count as f64 >= enough).map(|e| e.mean))
                .collect();
            for peak in peaks(&values, timeline.width.seconds()) {
                let Some(face) = strongest(people, clips, measure, peak.bin, factor) else { continue };
                moments.push(Self {
                    emotion: measures.name(measure).to_owned(),
                    time: timeline.start(peak.bin) + timeline.width.seconds() / 2.0,
                    span: (timeline.start(peak.first), timeline.start(peak.last + 1)),
                    level: peak.level,
                    baseline: peak.baseline,
                    people: timeline.bins[peak.bin].people,
                    face,
                    measure,
                });
            }
        }
        moments.sort_by(|a, b| b.rise().total_cmp(&a.rise()));
        moments
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Peak {
    bin: usize,
    first: usize,
    last: usize,
    level: f64,
    baseline: f64,
}

/// Peaks of one timeline, the largest first.
fn peaks(values: &[Option<f64>], width: f64) -> Vec<Peak> {
    let reach = ((SMOOTHING / width - 1.0) / 2.0 + 1e-9).max(0.0) as usize;
    let smooth: Vec<Option<f64>> = (0..values.len()).map(|i| average(values, i, reach)).collect();
    let Some(baseline) = median(smooth.iter().flatten().copied().collect()) else { return Vec::new() };
    let apart = (APART / width).ceil() as usize;
    let rise = |i: usize| smooth.get(i).copied().flatten().map_or(f64::NEG_INFINITY, |v| v - baseline);
    let mut candidates: Vec<usize> = (0..values.len()).filter(|&i| rise(i) >= LEAST_RISE).collect();
    // Of equal ones the first.
    candidates.sort_by(|&a, &b| rise(b).total_cmp(&rise(a)).then(a.cmp(&b)));
    let mut found: Vec<Peak> = Vec::new();
    for bin in candidates {
        let is_flank = bin > 0 && rise(bin - 1) > rise(bin) || rise(bin + 1) > rise(bin);
        let is_near = |p: &Peak| bin + apart > p.first && bin < p.last + apart;
        if is_flank || found.iter().any(is_near) {
            continue;
        }
        let above_half = |i: &usize| rise(*i) > rise(bin) / 2.0;
        let first = (0..bin).rev().take_while(above_half).last().unwrap_or(bin);
        let last = (bin + 1..values.len()).take_while(above_half).last().unwrap_or(bin);
        found.push(Peak { bin, first, last, level: baseline + rise(bin), baseline });
        if found.len() == PEAKS {
            break;
        }
    }
    found
}

/// The mean of the values around a place that has one itself.
fn average(values: &[Option<f64>], place: usize, reach: usize) -> Option<f64> {
    values[place]?;
    let around = &values[place.saturating_sub(reach)..(place + reach + 1).min(values.len())];
    let there: Vec<f64> = around.iter().flatten().copied().collect();
    Some(there.iter().sum::<f64>() / there.len() as f64)
}

/// The face that showed a measure most in a bin.
fn strongest(people: &[Person], clips: &[Clip], measure: usize, bin: usize, factor: u32) -> Option<FaceAt> {
    let shown = people.iter().filter_map(|p| {
        let there = p.bins.binary_search_by_key(&bin, |b| b.bin).ok()?;
        Some((p, p.bins[there].means.get(measure).copied()?))
    });
    let (person, _) = shown.max_by(|a, b| a.1.total_cmp(&b.1))?;
    let clip = clips.get(person.clip)?;
    let glimpses = clip.tracks.get(person.track)?.cells.glimpses(measure);
    let here = glimpses.filter(|(c, _)| (c.bin / factor) as usize == bin).map(|(_, glimpse)| glimpse);
    let glimpse = here.max_by(|a, b| a.p.total_cmp(&b.p))?;
    let (time, bounds) = (clip.start + glimpse.time, glimpse.bounds);
    let (source, records) = (clip.source.clone(), clip.stream.clone());
    Some(FaceAt { source, records, id: person.id, time, bounds })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peaks_are_the_highest_places_and_not_their_flanks() {
        let mut values = vec![Some(0.1); 100];
        for (i, v) in [0.3, 0.5, 0.7, 0.9, 0.7, 0.5, 0.3].iter().enumerate() {
            values[20 + i] = Some(*v);
        }
        values[60] = Some(0.4);
        values[61] = None;
        let found = peaks(&values, 0.5);
        let places: Vec<_> = found.iter().map(|p| (p.bin, p.first, p.last)).collect();
        // Averaged with the neighbours: two bins to each side would be more than two seconds.
        assert_eq!(places, [(23, 21, 25), (60, 59, 60)]);
        assert!((found[0].level - (0.7 + 0.9 + 0.7) / 3.0).abs() < 1e-12);
        assert!(found.iter().all(|p| (p.baseline - 0.1).abs() < 1e-12));
    }

    #[test]
    fn a_level_line_has_no_peaks() {
        assert_eq!(peaks(&[Some(0.4); 50], 0.5), []);
        assert_eq!(peaks(&[None; 50], 0.5), []);
        assert_eq!(peaks(&[], 0.5), []);
    }
}
