//! The emotions of people as tiers of ELAN, the program with which researchers annotate video.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use moue::Record;

/// Seconds for which a face that is not found is thought to show what it showed before.
const HELD: f64 = 0.5;

/// One person showing one emotion.
#[derive(Clone, Debug, PartialEq)]
struct Stretch {
    emotion: String,
    /// Milliseconds.
    from: u64,
    to: u64,
}

/// Gathers annotations: a tier for each person, with an annotation for each stretch of time in which the emotion stays the
/// same. It grows with the number of changes, not of frames.
#[derive(Clone, Debug, Default)]
pub struct Elan {
    tiers: BTreeMap<u64, Vec<Stretch>>,
    last: Option<f64>,
}

fn ms(seconds: f64) -> u64 {
    (seconds.max(0.0) * 1000.0).round() as u64
}

impl Elan {
    /// Takes the next frame.
    pub fn add(&mut self, record: &Record) {
        let time = record.time;
        let length = self.last.map_or(0.04, |last| (time - last).clamp(0.001, HELD));
        self.last = Some(time);
        let end = ms(time + length);
        for face in &record.faces {
            let tier = self.tiers.entry(face.id).or_default();
            match tier.last_mut().filter(|stretch| ms(time) <= stretch.to + ms(HELD)) {
                Some(stretch) if stretch.emotion == face.verdict() => stretch.to = end,
                before => {
                    if let Some(before) = before {
                        // Annotations of a tier must not overlap, and should meet.
                        before.to = ms(time);
                    }
                    tier.push(Stretch { emotion: face.verdict().to_owned(), from: ms(time), to: end });
                }
            }
        }
    }

    /// The document in ELAN's format 3.0 (`EAFv3.0.xsd`). `media` is the video as the document links to it: a path beside
    /// it, or absolute.
    pub fn document(&self, media: &str) -> String {
        let mut slots = String::new();
        let mut tiers = String::new();
        let (mut slot, mut annotation) = (0, 0);
        for (id, stretches) in &self.tiers {
            let _ = writeln!(tiers, "    <TIER LINGUISTIC_TYPE_REF=\"emotion\" TIER_ID=\"Person {id}\">");
            for Stretch { emotion, from, to } in stretches.iter().filter(|s| s.from < s.to) {
                annotation += 1;
                let (first, second) = (slot + 1, slot + 2);
                slot += 2;
                for (slot, time) in [(first, from), (second, to)] {
                    let _ = writeln!(
                        slots,
                        "        <TIME_SLOT TIME_SLOT_ID=\"ts{slot}\" TIME_VALUE=\"{time}\"/>"
                    );
                }
                let _ = writeln!(
                    tiers,
                    "        <ANNOTATION>\n            <ALIGNABLE_ANNOTATION ANNOTATION_ID=\"a{annotation}\" \
                     TIME_SLOT_REF1=\"ts{first}\" TIME_SLOT_REF2=\"ts{second}\">\n                \
                     <ANNOTATION_VALUE>{}</ANNOTATION_VALUE>\n            </ALIGNABLE_ANNOTATION>\n        \
                     </ANNOTATION>",
                    escaped(emotion)
                );
            }
            tiers.push_str("    </TIER>\n");
        }
        let media = escaped(media);
        let kind = if media.ends_with(".mp4") { "video/mp4" } else { "video/*" };
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
             <ANNOTATION_DOCUMENT AUTHOR=\"moue\" DATE=\"{}\" FORMAT=\"3.0\" VERSION=\"3.0\" \
             xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" \
             xsi:noNamespaceSchemaLocation=\"http://www.mpi.nl/tools/elan/EAFv3.0.xsd\">\n    \
             <HEADER MEDIA_FILE=\"\" TIME_UNITS=\"milliseconds\">\n        \
             <MEDIA_DESCRIPTOR MEDIA_URL=\"{media}\" MIME_TYPE=\"{kind}\"/>\n        \
             <PROPERTY NAME=\"lastUsedAnnotationId\">{annotation}</PROPERTY>\n    </HEADER>\n    \
             <TIME_ORDER>\n{slots}    </TIME_ORDER>\n{tiers}    \
             <LINGUISTIC_TYPE GRAPHIC_REFERENCES=\"false\" LINGUISTIC_TYPE_ID=\"emotion\" \
             TIME_ALIGNABLE=\"true\"/>\n</ANNOTATION_DOCUMENT>\n",
            date(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
        )
    }
}

/// Text that XML reads back as it is.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            // XML 1.0 has no way to say these.
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

/// The moment as `2026-01-31T12:00:00+00:00`; days to dates after Howard Hinnant's `civil_from_days`.
fn date(since: Duration) -> String {
    let (days, seconds) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
    let z = days + 719_468;
    let (era, day) = (z / 146_097, z % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let of_year = day - (365 * year + year / 4 - year / 100);
    let m = (5 * of_year + 2) / 153;
    let (d, month) = (of_year - (153 * m + 2) / 5 + 1, if m < 10 { m + 3 } else { m - 9 });
    let year = year + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{d:02}T{hour:02}:{minute:02}:{second:02}+00:00")
}

#[cfg(test)]
mod tests {
    use moue::{BoundingBox, Face};

    use super::*;

    #[test]
    fn people_are_tiers_of_annotations_that_meet() {
        let face = |id, emotion: &str| {
            let bounds = BoundingBox { x: 0.0, y: 0.0, width: 9.0, height: 9.0 };
            Face::new(id, bounds, 0.9, [(emotion, 0.6)].into_iter().collect())
        };
        let mut elan = Elan::default();
        for frame in 0..40_u64 {
            let faces = match frame {
                // A miss of one frame is none.
                2 => vec![],
                0..5 => vec![face(0, "happy")],
                5..8 => {
                    let unsure = Face { certain: Some(frame != 7), ..face(3, "fear") };
                    vec![face(0, "sa&d"), unsure]
                }
                30..31 => vec![face(0, "sa&d")],
                _ => vec![],
            };
            let (source, time) = ("a.mp4".to_owned(), frame as f64 / 10.0);
            elan.add(&Record { source, frame, time, width: 64, height: 48, faces });
        }
        let stretch = |emotion: &str, from, to| Stretch { emotion: emotion.to_owned(), from, to };
        assert_eq!(
            elan.tiers[&0],
            [stretch("happy", 0, 500), stretch("sa&d", 500, 800), stretch("sa&d", 3000, 3100)]
        );
        assert_eq!(elan.tiers[&3], [stretch("fear", 500, 700), stretch("uncertain", 700, 800)]);
        let text = elan.document("./a \"b\".mp4");
        assert!(text.contains("TIER_ID=\"Person 3\"") && text.contains("sa&amp;d"), "{text}");
        assert!(text.contains("MEDIA_URL=\"./a &quot;b&quot;.mp4\" MIME_TYPE=\"video/mp4\""), "{text}");
        assert_eq!(text.matches("<TIME_SLOT ").count(), 2 * text.matches("<ANNOTATION>").count());
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (seconds, expected) in [
            (0, "1970-01-01T00:00:00+00:00"),
            (951_782_400, "2000-02-29T00:00:00+00:00"),
            (1_767_225_599, "2025-12-31T23:59:59+00:00"),
        ] {
            assert_eq!(date(Duration::from_secs(seconds)), expected);
        }
    }
}
