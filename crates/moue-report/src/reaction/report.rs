//! The report: groups of people, and what was found about each.

use std::collections::HashMap;

use super::bins::Width;
use super::changes::Change;
use super::collector::Clip;
use super::comparison::Comparison;
use super::measures::Measures;
use super::moments::Moment;
use super::people::{Person, Presence};
use super::timeline::Timeline;
use super::{Collector, Error, Event, Settings};

/// More groups cannot be told apart on one page.
const MAX_GROUPS: usize = 24;

/// What is known about the reaction of one or more groups of people.
pub struct Report {
    pub(super) settings: Settings,
    pub(super) events: Vec<Event>,
    pub(super) measures: Measures,
    /// How long a bin of the timelines is.
    pub(super) width: Width,
    /// Seconds from the beginning to the end of the longest clip.
    pub(super) length: f64,
    pub(super) groups: Vec<Group>,
    /// `None` for one group.
    pub(super) comparison: Option<Comparison>,
    /// Whether records say which faces are certain.
    pub(super) judged: bool,
    pub(super) notes: Vec<String>,
}

/// People who are looked at together: those of one clip, or of several laid over each other.
pub struct Group {
    pub(super) name: String,
    /// The sources of its clips.
    pub(super) clips: Vec<String>,
    /// Those long enough in view to count, by clip and id.
    pub(super) people: Vec<Person>,
    pub(super) presence: Presence,
    pub(super) timeline: Timeline,
    /// The largest first.
    pub(super) moments: Vec<Moment>,
    /// One an event.
    pub(super) changes: Vec<Change>,
}

impl Report {
    /// The report of records that all have one origin; each source is a group of its own. For several origins, groups of
    /// clips or files, see [`Collector`].
    ///
    /// # Errors
    /// As [`Collector::add`] and [`Collector::finish`].
    pub fn from_records(
        records: impl IntoIterator<Item = moue::Record>,
        settings: Settings,
        events: Vec<Event>,
    ) -> Result<Self, Error> {
        let mut collector = Collector::new(settings, events)?;
        let stream = collector.stream("records", None);
        for record in records {
            collector.add(stream, &record)?;
        }
        collector.finish()
    }

    pub(super) fn new(
        settings: Settings,
        events: Vec<Event>,
        clips: Vec<Clip>,
        measures: Measures,
        narrow: Width,
        judged: bool,
        mut notes: Vec<String>,
    ) -> Result<Self, Error> {
        let length = clips.iter().map(|c| c.end).fold(0.0, f64::max);
        let width = choose_width(&settings, narrow, length, &clips)?;
        let factor = narrow.per(width).unwrap_or(1);
        let mut groups = Vec::new();
        for (name, clips) in grouped(clips) {
            groups.push(Group::new(name, clips, &settings, &events, &measures, width, factor));
        }
        if groups.len() > MAX_GROUPS {
            return Err(Error::Argument(format!(
                "{} groups are more than a page can compare ({MAX_GROUPS}); put clips that belong together in groups",
                groups.len()
            )));
        }
        for event in events.iter().filter(|e| e.time > length) {
            let name = &event.name;
            notes.push(format!("The event “{name}” is at {} s, after the end of all clips.", event.time));
        }
        let seconds = |share: fn(&Person) -> f64| -> f64 {
            groups.iter().flat_map(|g| &g.people).map(|p| p.seconds * share(p)).sum()
        };
        let (uncertain, all) = (seconds(|p| p.uncertain), seconds(|_| 1.0));
        if uncertain > 0.0 {
            notes.push(format!(
                "For {:.0} % of the time in view, faces were uncertain: no emotion reached the confidence that was asked for. \
                 The ribbons name none there; means and curves are over all frames.",
                (100.0 * uncertain / all).max(1.0)
            ));
        }
        let comparison = (groups.len() > 1).then(|| Comparison::new(&groups, &measures));
        Ok(Self { settings, events, measures, width, length, groups, comparison, judged, notes })
    }

    /// The groups in the order in which they came.
    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// Emotions of the model that made the records.
    pub fn labels(&self) -> &[String] {
        self.measures.labels()
    }
}

impl Group {
    fn new(
        name: String,
        clips: Vec<Clip>,
        settings: &Settings,
        events: &[Event],
        measures: &Measures,
        width: Width,
        factor: u32,
    ) -> Self {
        let people = Person::all(&clips, settings, measures, width, factor);
        let presence = Presence::new(&clips, &people, settings, factor);
        let length = clips.iter().map(|c| c.end).fold(0.0, f64::max);
        let timeline = Timeline::new(&people, &presence, measures, width, length);
        let moments = Moment::find(&timeline, &people, &clips, measures, factor);
        let changes =
            (0..events.len()).map(|i| Change::new(i, &clips, &people, settings, measures)).collect();
        let clips = clips.into_iter().map(|c| c.source).collect();
        Self { name, clips, people, presence, timeline, moments, changes }
    }

    /// Its name: that of the group, or of its clip.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// People who were long enough in view to count.
    pub fn people(&self) -> usize {
        self.people.len()
    }

    /// The largest moments of each emotion, the largest first.
    pub fn moments(&self) -> &[Moment] {
        &self.moments
    }
}

fn choose_width(settings: &Settings, narrow: Width, length: f64, clips: &[Clip]) -> Result<Width, Error> {
    if let Some(wanted) = settings.bin.and_then(Width::of_seconds) {
        let points = length / wanted.seconds();
        if wanted < narrow || points > 20_000.0 {
            let bin = wanted.seconds();
            return Err(Error::Argument(format!(
                "bins of {bin} s are too many for {length:.0} s of clips with so many people; choose wider ones"
            )));
        }
        return Ok(wanted);
    }
    // A bin holds two frames at least, else the timeline has holes.
    let frame =
        clips.iter().map(|c| c.observed.iter().sum::<f64>() / c.frames.max(1) as f64).fold(0.0, f64::max);
    let enough = narrow.max(Width::for_length(length));
    let mut wide = Width::all().filter(|&w| w >= enough);
    Ok(wide.find(|w| w.seconds() >= 2.0 * frame).or(Width::all().last()).unwrap_or(enough))
}

/// Clips by group in the order of their first clip; those without a group stand alone, under the name of their file.
fn grouped(clips: Vec<Clip>) -> Vec<(String, Vec<Clip>)> {
    let mut groups: Vec<(String, Vec<Clip>)> = Vec::new();
    let mut named: HashMap<String, usize> = HashMap::new();
    for clip in clips {
        match clip.group.clone() {
            Some(name) => match named.get(&name) {
                Some(&place) => groups[place].1.push(clip),
                None => {
                    named.insert(name.clone(), groups.len());
                    groups.push((name, vec![clip]));
                }
            },
            None => groups.push((last_part(&clip.source), vec![clip])),
        }
    }
    let mut times_given: HashMap<String, usize> = HashMap::new();
    for (name, clips) in &mut groups {
        let given = times_given.entry(name.clone()).or_default();
        *given += 1;
        if *given > 1 {
            // The same source in two files of records is told apart by the file.
            let stream = clips.first().map(|c| last_part(&c.stream)).unwrap_or_default();
            *name = format!("{name} ({stream}, {given})");
        }
    }
    groups
}

/// The file name in a path or address.
pub(super) fn last_part(source: &str) -> String {
    let trimmed = source.trim_end_matches(['/', '\\']);
    let last = trimmed.rsplit(['/', '\\']).next().unwrap_or_default();
    if last.is_empty() { source.to_owned() } else { last.to_owned() }
}
