//! The figures against a plain reference that keeps every frame.

use std::collections::BTreeMap;

use moue::Record;
use moue_report::reaction::{Collector, Error, Event, Illustrations, Report, Settings};

use crate::support::{LABELS, clip, face, files, number, record, rows, written};

/// A face that was in view from a time on for so long.
struct Sight {
    clip: usize,
    id: u64,
    time: f64,
    seconds: f64,
    p: Vec<f64>,
}

/// Every face of every frame, frames lasting until the next one.
fn sights(clips: &[Vec<Record>]) -> Vec<Sight> {
    let mut all = Vec::new();
    for (clip, records) in clips.iter().enumerate() {
        for (i, record) in records.iter().enumerate() {
            let (from, to) = if i + 1 < records.len() { (i, i + 1) } else { (i - 1, i) };
            let seconds = (records[to].time - records[from].time).min(1.0);
            for face in &record.faces {
                let p = face.probabilities.iter().map(|(_, p)| f64::from(p)).collect();
                all.push(Sight { clip, id: face.id, time: record.time, seconds, p });
            }
        }
    }
    all
}

/// Mean over time of a label, for each person among the sights.
fn person_means<'a>(sights: impl Iterator<Item = &'a Sight>, label: usize) -> Vec<f64> {
    let mut sums: BTreeMap<(usize, u64), (f64, f64)> = BTreeMap::new();
    for s in sights {
        let sum = sums.entry((s.clip, s.id)).or_default();
        sum.0 += s.p[label] * s.seconds;
        sum.1 += s.seconds;
    }
    sums.values().map(|(p, seconds)| p / seconds).collect()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Half the width of the 95 % interval of up to seven people, by the printed table of Student's t.
fn reach(values: &[f64]) -> f64 {
    const T: [f64; 6] = [12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469];
    let m = mean(values);
    let variance = values.iter().map(|v| (v - m).powi(2)).sum::<f64>() / (values.len() - 1) as f64;
    T[values.len() - 2] * (variance / values.len() as f64).sqrt()
}

#[track_caller]
fn near(found: f64, expected: f64) {
    assert!((found - expected).abs() < 2e-5, "{found} instead of {expected}");
}

fn grouped(clips: &[Vec<Record>], settings: Settings, events: Vec<Event>) -> Report {
    let mut collector = Collector::new(settings, events).unwrap();
    for (i, records) in clips.iter().enumerate() {
        let stream = collector.stream(&format!("{i}.jsonl"), Some("all"));
        records.iter().for_each(|r| collector.add(stream, r).unwrap());
    }
    collector.finish().unwrap()
}

#[test]
fn bins_are_those_of_a_plain_reference() {
    for (seed, bin) in [(1, 0.5), (2, 1.0), (3, 5.0), (4, 0.1)] {
        let clips = [clip("a.mp4", seed, 4, 24.3), clip("b.mp4", seed + 100, 3, 17.0)];
        let sights = sights(&clips);
        let settings = Settings { bin: Some(bin), ..Settings::default() };
        let files = files(&grouped(&clips, settings, Vec::new()), &Illustrations::default());
        let timeline = rows(&files["timeline.csv"]);
        assert!((timeline.len() as f64 * bin - 24.3).abs() <= bin + 0.1);
        for (i, row) in timeline.iter().enumerate() {
            let (from, to) = (i as f64 * bin, (i + 1) as f64 * bin);
            near(number(row, "start"), from);
            let inside = || sights.iter().filter(|s| (from - 1e-5..to - 1e-5).contains(&s.time));
            for (label, name) in LABELS.iter().enumerate() {
                let values = person_means(inside(), label);
                assert_eq!(number(row, "people") as usize, values.len());
                match values.len() {
                    0 => assert_eq!(row[name], ""),
                    n => {
                        near(number(row, name), mean(&values));
                        let low = format!("{name}_low");
                        if n > 1 {
                            near(number(row, &low), (mean(&values) - reach(&values)).max(0.0));
                        } else {
                            assert_eq!(row[low.as_str()], "");
                        }
                    }
                }
            }
            if row["people"] != "0" {
                let p = |name| number(row, name);
                let negative = p("angry") + p("disgust") + p("fear") + p("sad");
                assert!((p("valence") - (p("happy") - negative)).abs() < 1e-4);
            }
        }
        let people = rows(&files["people.csv"]);
        assert_eq!(people.len(), 7);
        for row in &people {
            let clip = usize::from(row["source"] == "b.mp4");
            let id = number(row, "person") as u64;
            let own = || sights.iter().filter(|s| (s.clip, s.id) == (clip, id));
            near(number(row, "seconds_in_view"), own().map(|s| s.seconds).sum());
            near(number(row, "sad"), person_means(own(), 4)[0]);
        }
    }
}

#[test]
fn faces_in_view_are_averaged_over_the_time_that_was_looked_at() {
    // Two faces for a second, one for two, none for one, frames of a quarter of a second.
    let counts = [2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0];
    let p = [0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0];
    let records = counts
        .iter()
        .enumerate()
        .map(|(i, &n)| record("a", i as u64, i as f64 / 4.0, (0..n).map(|id| face(id, &p)).collect()));
    let settings = Settings { bin: Some(1.0), ..Settings::default() };
    let files = written(records.collect(), settings, Vec::new());
    let timeline = rows(&files["timeline.csv"]);
    let faces: Vec<f64> = timeline.iter().map(|r| number(r, "faces_in_view")).collect();
    let attention: Vec<f64> = timeline.iter().map(|r| number(r, "attention")).collect();
    assert_eq!((faces, attention), (vec![2.0, 1.0, 1.0, 0.0], vec![1.0, 0.5, 0.5, 0.0]));
    let people = rows(&files["people.csv"]);
    let share: Vec<f64> = people.iter().map(|r| number(r, "share_in_view")).collect();
    assert_eq!(share, [0.75, 0.25]);
}

#[test]
fn changes_at_events_are_paired_by_person() {
    let clips = [clip("a.mp4", 9, 4, 30.0), clip("b.mp4", 10, 3, 30.0)];
    let sights = sights(&clips);
    let (at, window) = (13.3, 4.0);
    let events = vec![Event { time: at, name: "Logo".into() }, Event { time: 29.5, name: "End".into() }];
    let settings = Settings { window, ..Settings::default() };
    let files = files(&grouped(&clips, settings, events), &Illustrations::default());
    let table = rows(&files["event_changes.csv"]);
    for (label, name) in LABELS.iter().enumerate() {
        let row = table.iter().find(|r| r["event"] == "Logo" && r["measure"] == *name).unwrap();
        let mut changes = Vec::new();
        for (clip, id) in (0..4).map(|id| (0, id)).chain((0..3).map(|id| (1, id))) {
            let own = || sights.iter().filter(|s| (s.clip, s.id) == (clip, id));
            let before = || own().filter(|s| s.time >= at - window && s.time < at);
            let after = || own().filter(|s| s.time >= at && s.time < at + window);
            let seconds = |s: f64| s >= window / 4.0;
            if seconds(before().map(|s| s.seconds).sum()) && seconds(after().map(|s| s.seconds).sum()) {
                changes.push(person_means(after(), label)[0] - person_means(before(), label)[0]);
            }
        }
        assert!(changes.len() > 3);
        assert_eq!(number(row, "people") as usize, changes.len());
        near(number(row, "change"), mean(&changes));
        near(number(row, "change_low"), mean(&changes) - reach(&changes));
        near(number(row, "after") - number(row, "before"), mean(&changes));
    }
    // Nobody was in view long enough after the end.
    let end = table.iter().find(|r| r["event"] == "End").unwrap();
    assert_eq!((end["people"], end["change"]), ("0", ""));
}

#[test]
fn groups_are_compared_by_people_and_not_by_frames() {
    let clips = |factor: usize| -> Vec<Record> {
        // The same people filmed with `factor` times as many frames.
        let people = [0.2_f32, 0.5, 0.6];
        (0..60 * factor)
            .map(|i| {
                let faces = people
                    .iter()
                    .enumerate()
                    .map(|(id, &p)| face(id as u64, &[0.0, 0.0, 0.0, p, 0.0, 0.0, 1.0 - p]));
                record("a", i as u64, i as f64 / (6 * factor) as f64, faces.collect())
            })
            .collect()
    };
    let interval = |factor| {
        let files = written(clips(factor), Settings::default(), Vec::new());
        let timeline = rows(&files["timeline.csv"]).iter().map(|r| r["happy_low"].to_owned()).next().unwrap();
        (timeline, files["people.csv"].clone())
    };
    assert_eq!(interval(1), interval(10));

    let mut collector = Collector::new(Settings::default(), Vec::new()).unwrap();
    for name in ["x", "y"] {
        let stream = collector.stream(name, None);
        for mut record in clips(1) {
            record.source = name.to_owned();
            if name == "y" {
                for face in &mut record.faces {
                    let happy = face.probabilities.get("happy").unwrap() - 0.1;
                    *face = crate::support::face(face.id, &[0.0, 0.0, 0.0, happy, 0.0, 0.0, 1.0 - happy]);
                }
            }
            collector.add(stream, &record).unwrap();
        }
    }
    let files = files(&collector.finish().unwrap(), &Illustrations::default());
    let table = rows(&files["comparison.csv"]);
    let row = table.iter().find(|r| r["group"] == "y" && r["measure"] == "happy").unwrap();
    near(number(row, "above_first"), -0.1);
    // Equal variances 13/300 and equal counts of 3: Welch's freedom is 4.
    near(number(row, "above_first_low"), -0.1 - 2.776_445 * (2.0 * 13.0 / 900.0_f64).sqrt());
    assert_eq!(table[0]["above_first"], "");
}

#[test]
fn a_peak_is_found_where_it_is_with_the_face_that_showed_it() {
    let records = (0..1500).map(|i| {
        let time = f64::from(i) / 25.0;
        let happy = |strength: f32| {
            let p = 0.1 + strength * (-((time - 40.0) / 2.0).powi(2)).exp() as f32;
            [0.0, 0.0, 0.0, p, 0.0, 0.0, 1.0 - p]
        };
        record("a.mp4", i as u64, time, vec![face(3, &happy(0.4)), face(5, &happy(0.8))])
    });
    let report = Report::from_records(records, Settings::default(), Vec::new()).unwrap();
    let group = &report.groups()[0];
    let peak = &group.moments()[0];
    assert_eq!((peak.emotion.as_str(), peak.people, peak.face.id), ("happy", 2, 5));
    assert!((peak.time - 40.0).abs() <= 0.5 && (peak.face.time - 40.0).abs() <= 0.5, "{peak:?}");
    assert!((peak.level - 0.7).abs() < 0.05 && (peak.baseline - 0.1).abs() < 0.01);
    assert_eq!((peak.face.source.as_str(), peak.face.bounds.x), ("a.mp4", 50.0));
}

#[test]
fn times_count_from_the_first_frame_of_a_video() {
    let p = [0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0];
    let times = |first_frame: u64| {
        let records =
            (0..8).map(|i| record("a.ts", first_frame + i, 7.4 + i as f64 / 4.0, vec![face(0, &p)]));
        let settings = Settings { bin: Some(1.0), ..Settings::default() };
        let files = written(records.collect(), settings, Vec::new());
        let table = files["person_timeline.csv"].clone();
        rows(&table).iter().map(|r| number(r, "start")).collect::<Vec<_>>()
    };
    assert_eq!(times(0), [0.0, 1.0]);
    assert_eq!(times(100), [7.0, 8.0, 9.0]);
}

#[test]
fn what_no_report_can_be_made_of_is_refused() {
    let report = |records| Report::from_records(records, Settings::default(), Vec::new());
    assert!(matches!(report(Vec::new()), Err(Error::Empty(_))));
    let p = [1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0];
    let still = ["a.jpg", "b.jpg"].map(|s| record(s, 0, 0.0, vec![face(0, &p)])).to_vec();
    let error = report(still).err().unwrap().to_string();
    assert!(error.contains("not pictures"), "{error}");
    let nobody = (0..9).map(|i| record("a", i, i as f64, Vec::new())).collect();
    assert!(report(nobody).err().unwrap().to_string().contains("no face"));
    let twice = vec![record("a", 0, 0.0, vec![face(1, &p), face(1, &p)])];
    assert!(report(twice).err().unwrap().to_string().contains("id 1"));
    for settings in [
        Settings { bin: Some(0.3), ..Settings::default() },
        Settings { window: 0.0, ..Settings::default() },
        Settings { min_view: f64::NAN, ..Settings::default() },
        Settings { people: Some(0), ..Settings::default() },
    ] {
        assert!(matches!(Collector::new(settings, Vec::new()), Err(Error::Argument(_))));
    }
}

#[test]
fn ten_hours_of_thirty_thousand_people_fit_in_few_bins() {
    // A new person every second or so, and the same five throughout.
    let p = [0.1, 0.0, 0.0, 0.5, 0.1, 0.1, 0.2];
    let mut collector = Collector::new(Settings::default(), Vec::new()).unwrap();
    let stream = collector.stream("long.mp4", None);
    for i in 0..36_000_u64 {
        let faces = (0..5).chain([5 + i]).map(|id| face(id, &p)).collect();
        collector.add(stream, &record("long.mp4", i, i as f64, faces)).unwrap();
    }
    let files = files(&collector.finish().unwrap(), &Illustrations::default());
    let timeline = rows(&files["timeline.csv"]);
    assert!((100..=720).contains(&timeline.len()), "{}", timeline.len());
    assert!(files["report.html"].len() < 30 << 20, "{}", files["report.html"].len());
    near(number(&timeline[0], "happy"), 0.5);
}
