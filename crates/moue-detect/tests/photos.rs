//! Faces are found in real photos, with the settings moue uses: by the cascade it carries and, where OpenCV's are
//! installed, by those.
#![allow(
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a test fails by panicking and says what it skips"
)]

use std::path::Path;
use std::sync::Arc;

use moue_detect::cascade::{Cascade, CascadeDetector, FeatureKind, ScanParameters};
use moue_detect::{Detection, Detector, locate};
use moue_media::Picture;

/// The photos and the centres of their faces. (The fifth person of `multi_face.jpg`, left out here, looks down through
/// sunglasses.)
const PHOTOS: [(&str, &[(f32, f32)]); 4] = [
    ("astronaut.png", &[(224.0, 116.0)]),
    ("single_face.jpg", &[(270.0, 268.0)]),
    ("multi_face.jpg", &[(479.0, 258.0), (369.0, 295.0), (578.0, 367.0), (735.0, 352.0)]),
    ("fer_no-faces.jpg", &[]),
];

fn photo(name: &str) -> Option<Picture> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/photos").join(name);
    if !path.is_file() {
        eprintln!("SKIPPED: {} is absent", path.display());
        return None;
    }
    let picture = image::open(path).unwrap().into_rgb8();
    let (width, height) = picture.dimensions();
    Picture::from_raw(width, height, picture.into_raw())
}

fn contains(face: &Detection, (x, y): (f32, f32)) -> bool {
    (x - face.x - face.width / 2.0).abs() < face.width / 4.0
        && (y - face.y - face.height / 2.0).abs() < face.height / 4.0
}

fn check(cascade: Cascade, name: &str) {
    let mut detector = CascadeDetector::new(Arc::new(cascade), ScanParameters::FACES).unwrap();
    for (file, centres) in PHOTOS {
        let Some(picture) = photo(file) else { continue };
        let faces = detector.detect(&picture).unwrap();
        assert!(faces.iter().all(|face| face.score > 0.0 && face.score < 1.0));
        assert_eq!(faces.len(), centres.len(), "{name} in {file}: {faces:?}");
        for &centre in centres {
            assert!(
                faces.iter().any(|face| contains(face, centre)),
                "{name} in {file} at {centre:?}: {faces:?}"
            );
        }
    }
}

#[test]
fn the_embedded_cascade_finds_the_faces_and_nothing_else() {
    check(Cascade::embedded().unwrap(), "the embedded cascade");
}

#[test]
fn installed_cascades_find_the_faces_and_nothing_else() {
    for kind in [FeatureKind::Lbp, FeatureKind::Haar] {
        let Some(path) = locate::installed_in(&locate::folders(), kind) else {
            eprintln!("SKIPPED: no {kind:?} cascade is installed (Debian: apt install opencv-data)");
            continue;
        };
        check(Cascade::read(&path).unwrap(), &path.display().to_string());
    }
}
