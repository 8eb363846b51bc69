//! Faces and their emotions drawn on a picture.

use moue_media::{FaceMark, Picture, draw_faces, palette};

use crate::{Face, Probabilities};

/// Emotions whose colour is the same whatever the order of a model's labels.
const COLOURED: [&str; 8] = ["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral", "contempt"];

/// Draws a frame around each face and above it the emotion with its probability, such as `happy 87 %`, in a
/// colour of its own for each emotion; see [`moue_media::draw_faces`] and [`moue_media::palette`].
pub fn annotate(picture: &mut Picture, faces: &[Face]) {
    let labels: Vec<String> =
        faces.iter().map(|f| format!("{} {:.0} %", f.emotion, 100.0 * f.confidence)).collect();
    let marks: Vec<FaceMark<'_>> = faces
        .iter()
        .zip(&labels)
        .map(|(face, label)| FaceMark {
            region: face.bounds.into(),
            label,
            colour: colour(&face.emotion, &face.probabilities),
        })
        .collect();
    draw_faces(picture, &marks);
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
    fn a_colour_follows_the_name_and_not_the_place() {
        let p = |labels: &[&str]| labels.iter().map(|&l| (l, 0.0)).collect::<Probabilities>();
        assert_eq!(colour("happy", &p(&["happy", "sad"])), palette(3));
        assert_eq!(colour("happy", &p(&["sad", "happy"])), palette(3));
        assert_eq!(colour("bored", &p(&["sad", "bored"])), palette(1));
    }
}
