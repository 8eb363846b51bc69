//! What was seen, in the form in which it is handed on.

use std::fmt;

use moue_detect::Detection;
use moue_media::Picture;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// One picture, or one frame of a video, and the faces in it.
///
/// Its JSON form is fixed: keys may be added, none is renamed.
///
/// ```json
/// {"source":"a.jpg","frame":0,"time":0.0,"width":640,"height":480,"faces":[{"id":0,
///  "box":{"x":8.0,"y":9.0,"width":60.0,"height":60.0},"roll":0.0,"score":0.75,"emotion":"happy","confidence":0.9,
///  "probabilities":{"angry":0.1,"happy":0.9}}]}
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The file, device or stream, as the user named it.
    pub source: String,
    /// Number of the frame, counted from 0; 0 for a still picture.
    pub frame: u64,
    /// Seconds as the video counts them, mostly from its beginning; 0 for a still picture.
    pub time: f64,
    /// Pixels a row of the upright picture.
    pub width: u32,
    /// Rows of the upright picture.
    pub height: u32,
    /// The faces, in the order of their ids. Empty where there are none.
    pub faces: Vec<Face>,
}

impl Record {
    /// Of a still picture.
    pub(crate) fn of_picture(picture: &Picture, faces: Vec<Face>) -> Self {
        let (width, height) = (picture.width(), picture.height());
        Self { source: String::new(), frame: 0, time: 0.0, width, height, faces }
    }

    /// The same record with this name of what was looked at.
    #[must_use]
    pub fn from_source(self, source: impl Into<String>) -> Self {
        Self { source: source.into(), ..self }
    }
}

impl IntoIterator for Record {
    type Item = Face;
    type IntoIter = std::vec::IntoIter<Face>;

    fn into_iter(self) -> Self::IntoIter {
        self.faces.into_iter()
    }
}

impl<'a> IntoIterator for &'a Record {
    type Item = &'a Face;
    type IntoIter = std::slice::Iter<'a, Face>;

    fn into_iter(self) -> Self::IntoIter {
        self.faces.iter()
    }
}

/// One face.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Face {
    /// Tells the faces of a picture apart ([`Analyzer::picture`](crate::Analyzer::picture)); in a video, the person: the id
    /// of the track ([`Tracker`](crate::Tracker)).
    pub id: u64,
    /// Where the detector saw it, in pixels of the upright picture.
    #[serde(rename = "box")]
    pub bounds: BoundingBox,
    /// Degrees by which the face is turned clockwise in the picture, -180 to 180, in tenths. The box has the width and height of
    /// the face held upright: drawn turned by this about its centre, it lies on the face.
    #[serde(default)]
    pub roll: f32,
    /// How sure the detector is that this is a face, 0 to 1; comparable within one detector only.
    pub score: f32,
    /// The most probable label.
    pub emotion: String,
    /// Its probability.
    pub confidence: f32,
    /// Whether the confidence reaches [`AnalyzerBuilder::min_confidence`](crate::AnalyzerBuilder::min_confidence);
    /// absent where no such threshold was set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certain: Option<bool>,
    /// The probability of every label of the model.
    pub probabilities: Probabilities,
    /// What the model gave for this frame alone, where the values above are smoothed over time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw_probabilities: Option<Probabilities>,
}

/// A rectangle in pixels from the upper left corner of the picture, where pixel 0 covers 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct BoundingBox {
    /// Left edge.
    pub x: f32,
    /// Upper edge.
    pub y: f32,
    /// Width.
    pub width: f32,
    /// Height.
    pub height: f32,
}

impl Face {
    /// What stands in place of an emotion where nothing should be said about a face.
    pub const UNCERTAIN: &'static str = "uncertain";

    /// A face whose emotion and confidence are those of the most probable label, with nothing said about how certain it is.
    pub fn new(id: u64, bounds: BoundingBox, score: f32, probabilities: Probabilities) -> Self {
        let (emotion, confidence) =
            probabilities.ranked().first().map(|&(label, p)| (label.to_owned(), p)).unwrap_or_default();
        Self {
            id,
            bounds,
            roll: 0.0,
            score,
            emotion,
            confidence,
            certain: None,
            probabilities,
            raw_probabilities: None,
        }
    }

    /// The face, turned by so many degrees.
    pub(crate) fn rolled(mut self, degrees: f32) -> Self {
        // A tenth is less than anything that finds faces can tell.
        self.roll = (degrees * 10.0).round() / 10.0;
        self
    }

    /// Where it is, as detectors say it.
    pub(crate) fn place(&self) -> Detection {
        let BoundingBox { x, y, width, height } = self.bounds;
        Detection { x, y, width, height, score: self.score, roll: self.roll }
    }

    /// The face, called certain where its confidence reaches `least`; `None` leaves that open.
    pub(crate) fn judged(mut self, least: Option<f32>) -> Self {
        self.certain = least.map(|least| self.confidence >= least);
        self
    }

    /// Whether this face is below the threshold that was asked for: nothing should be said about it then.
    pub fn is_uncertain(&self) -> bool {
        self.certain == Some(false)
    }

    /// What is said about this face where people read it, and what it is counted as: its emotion, or
    /// [`UNCERTAIN`](Self::UNCERTAIN).
    pub fn verdict(&self) -> &str {
        if self.is_uncertain() { Self::UNCERTAIN } else { &self.emotion }
    }
}

impl From<BoundingBox> for moue_media::Region {
    fn from(bounds: BoundingBox) -> Self {
        let BoundingBox { x, y, width, height } = bounds;
        Self { x, y, width, height }
    }
}

/// Labels with their probabilities, in the order of the model's outputs. In JSON it is an object
/// whose keys stand in this order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Probabilities(Vec<(String, f32)>);

impl Probabilities {
    /// Pairs of label and probability, in the order of the model's outputs.
    pub fn iter(&self) -> impl Iterator<Item = (&str, f32)> {
        self.0.iter().map(|(label, p)| (label.as_str(), *p))
    }

    /// Number of labels.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no labels.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The probability of a label; `None` where the model has no such label.
    pub fn get(&self, label: &str) -> Option<f32> {
        self.iter().find(|(name, _)| *name == label).map(|(_, p)| p)
    }

    /// The pairs from the most to the least probable; equal ones stay in the model's order.
    pub fn ranked(&self) -> Vec<(&str, f32)> {
        let mut ranked: Vec<_> = self.iter().collect();
        ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
        ranked
    }
}

impl<L: Into<String>> FromIterator<(L, f32)> for Probabilities {
    fn from_iter<I: IntoIterator<Item = (L, f32)>>(pairs: I) -> Self {
        Self(pairs.into_iter().map(|(label, p)| (label.into(), p)).collect())
    }
}

impl Serialize for Probabilities {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de> Deserialize<'de> for Probabilities {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs;

        impl<'de> Visitor<'de> for Pairs {
            type Value = Probabilities;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of labels and their probabilities")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Probabilities(pairs))
            }
        }

        deserializer.deserialize_map(Pairs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Record {
        Record {
            source: "a \"b\".jpg".into(),
            frame: 0,
            time: 0.0,
            width: 640,
            height: 480,
            faces: vec![Face {
                id: 0,
                bounds: BoundingBox { x: 8.0, y: 9.5, width: 60.0, height: 61.0 },
                roll: -12.5,
                score: 0.75,
                emotion: "happy".into(),
                confidence: 0.9,
                certain: None,
                probabilities: [("surprise", 0.1), ("happy", 0.9)].into_iter().collect(),
                raw_probabilities: None,
            }],
        }
    }

    #[test]
    fn the_json_form_is_the_one_that_scripts_rely_on() {
        assert_eq!(
            serde_json::to_string(&record()).unwrap(),
            r#"{"source":"a \"b\".jpg","frame":0,"time":0.0,"width":640,"height":480,"faces":[{"id":0,"box":{"x":8.0,"y":9.5,"width":60.0,"height":61.0},"roll":-12.5,"score":0.75,"emotion":"happy","confidence":0.9,"probabilities":{"surprise":0.1,"happy":0.9}}]}"#
        );
        let mut unsure = record();
        assert_eq!(unsure.faces[0].verdict(), "happy");
        unsure.faces[0].certain = Some(false);
        assert_eq!(unsure.faces[0].verdict(), "uncertain");
        let text = serde_json::to_string(&unsure).unwrap();
        assert!(text.contains(r#""confidence":0.9,"certain":false,"probabilities""#), "{text}");
        assert_eq!(serde_json::from_str::<Record>(&text).unwrap(), unsure);
        let empty = Record { faces: vec![], ..record() };
        assert!(serde_json::to_string(&empty).unwrap().ends_with(r#""faces":[]}"#));
    }

    #[test]
    fn a_record_is_read_back_with_its_labels_in_order() {
        let mut smoothed = record();
        smoothed.faces[0].raw_probabilities = Some([("surprise", 0.3), ("happy", 0.7)].into_iter().collect());
        for record in [record(), smoothed] {
            let text = serde_json::to_string(&record).unwrap();
            assert_eq!(serde_json::from_str::<Record>(&text).unwrap(), record);
        }
    }

    #[test]
    fn labels_are_ranked_by_probability_and_then_by_the_models_order() {
        let p: Probabilities = [("a", 0.2), ("b", 0.5), ("c", 0.2), ("d", 0.1)].into_iter().collect();
        let names: Vec<_> = p.ranked().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["b", "a", "c", "d"]);
        assert_eq!((p.get("b"), p.get("x"), p.len()), (Some(0.5), None, 4));
    }
}
