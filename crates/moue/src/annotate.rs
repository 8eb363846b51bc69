//! Faces and their emotions drawn on a picture.

use moue_media::{FaceMark, Picture, draw_faces, palette};

use crate::{Face, Probabilities};

/// Emotions whose colour is the same whatever the order of a model's labels.
const COLOURED: [&str; 8] = ["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral", "contempt"];

/// The frame of a face about which nothing should be said: grey belongs to no emotion.
const UNCERTAIN_COLOUR: [u8; 3] = [128; 3];

/// Draws a frame around each face and above it the emotion with its probability, such as `happy 87 %`, in a
/// colour of its own for each emotion, or `uncertain` in grey where the model is not [`certain`](Face::certain)
/// enough; see [`moue_media::draw_faces`] and [`moue_media::palette`].
pub fn annotate(picture: &mut Picture, faces: &[Face]) {
    let labels: Vec<String> = faces.iter().map(label).collect();
    let marks: Vec<FaceMark<'_>> = faces
        .iter()
        .zip(&labels)
        .map(|(face, label)| FaceMark {
            region: face.bounds.into(),
            roll: face.roll,
            label,
            colour: match face.is_uncertain() {
                true => UNCERTAIN_COLOUR,
                false => colour(&face.emotion, &face.probabilities),
            },
        })
        .collect();
    draw_faces(picture, &marks);
}

fn label(face: &Face) -> String {
    match face.is_uncertain() {
        true => Face::UNCERTAIN.to_owned(),
        false => format!("{} {:.0} %", face.emotion, 100.0 * face.confidence),
    }
}

fn colour(emotion: &str, probabilities: &Probabilities) -> [u8; 3] {
    let known = COLOURED.iter().position(|name| *name == emotion);
    let index = known.or_else(|| probabilities.iter().position(|(label, _)| label == emotion));
    palette(index.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_claimed_about_an_uncertain_face() {
        let mut face = Face {
            id: 0,
            bounds: crate::BoundingBox { x: 10.0, y: 30.0, width: 60.0, height: 60.0 },
            roll: 0.0,
            score: 1.0,
            emotion: "happy".into(),
            confidence: 0.4,
            certain: None,
            raw_probabilities: None,
            probabilities: [("sad", 0.3), ("happy", 0.4), ("fear", 0.3)].into_iter().collect(),
        };
        let mut drawn = |certain| {
            face.certain = certain;
            let mut picture = Picture::filled(100, 100, [255; 3]);
            annotate(&mut picture, std::slice::from_ref(&face));
            let yellow = picture.pixels().as_chunks::<3>().0.iter().filter(|&&p| p == palette(3)).count();
            (label(&face), yellow > 0)
        };
        assert_eq!(drawn(None), ("happy 40 %".to_owned(), true));
        assert_eq!(drawn(Some(true)), ("happy 40 %".to_owned(), true));
        assert_eq!(drawn(Some(false)), ("uncertain".to_owned(), false));
    }

    #[test]
    fn a_colour_follows_the_name_and_not_the_place() {
        let p = |labels: &[&str]| labels.iter().map(|&l| (l, 0.0)).collect::<Probabilities>();
        assert_eq!(colour("happy", &p(&["happy", "sad"])), palette(3));
        assert_eq!(colour("happy", &p(&["sad", "happy"])), palette(3));
        assert_eq!(colour("bored", &p(&["sad", "bored"])), palette(1));
    }
}
