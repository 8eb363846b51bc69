//! The façade with a model whose answers are known: it names the brightest quarter of the crop.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use moue::{
    Analyzer, AnalyzerBuilder, Detection, Detector, Detectors, Error, Face, Model, ModelCard, Picture,
};
use moue_graph::{Activation, Calibration, Graph, Op, Padding, Preprocessing, Tensor, Weights};

const LABELS: [&str; 4] = ["upper left", "upper right", "lower left", "lower right"];

/// Filter `i` is the mean of quarter `i` of a 4x4 grey picture; the logits are ten times these means.
fn quarters() -> Model {
    let mut b = Graph::builder("quarters");
    let input = b.add("input", Op::InputLayer { shape: vec![4, 4, 1] }, &[]).unwrap();
    let conv = Op::Conv2D {
        filters: 4,
        kernel_size: [4, 4],
        strides: [1, 1],
        padding: Padding::Valid,
        use_bias: false,
        activation: Activation::Linear,
    };
    let x = b.add("conv", conv, &[input]).unwrap();
    let x = b.add("pool", Op::GlobalAveragePooling2D, &[x]).unwrap();
    b.add("dense", Op::Dense { units: 4, use_bias: false, activation: Activation::Softmax }, &[x]).unwrap();
    let graph = b.finish().unwrap();

    let mut kernel = vec![0.0; 4 * 4 * 4];
    for (i, filters) in kernel.chunks_exact_mut(4).enumerate() {
        let (y, x) = (i / 4, i % 4);
        filters[y / 2 * 2 + x / 2] = 0.25;
    }
    let mut dense = vec![0.0; 16];
    dense.iter_mut().step_by(5).for_each(|w| *w = 10.0);
    let mut weights = Weights::new();
    weights.insert("conv/kernel", Tensor::new(vec![4, 4, 1, 4], kernel).unwrap());
    weights.insert("dense/kernel", Tensor::new(vec![4, 4], dense).unwrap());
    let card = ModelCard {
        labels: LABELS.map(String::from).to_vec(),
        preprocessing: Preprocessing::default(),
        crop_margin: 0.0,
        calibration: Calibration::default(),
        licence: String::new(),
        training: serde_json::Value::Null,
    };
    Model { graph, weights, card }
}

/// A detector that sees what it is told.
struct Fixed(Vec<Detection>);

impl Detector for Fixed {
    fn detect(&mut self, _: &Picture) -> Result<Vec<Detection>, moue_detect::Error> {
        Ok(self.0.clone())
    }
}

fn found(x: f32, y: f32, width: f32, height: f32) -> Detection {
    Detection { x, y, width, height, score: 0.5, roll: 0.0 }
}

/// An analyzer that names quarters, of faces where it is told that they are.
fn analyzer(faces: Vec<Detection>) -> AnalyzerBuilder {
    Analyzer::builder().model(quarters()).detector(Detectors::of(move |_| Ok(Fixed(faces.clone()))))
}

/// An analyzer that names quarters, of whole pictures.
fn whole() -> AnalyzerBuilder {
    Analyzer::builder().model(quarters()).detector(Detectors::whole_picture())
}

/// Black, with a white rectangle.
fn picture(width: u32, height: u32, white: [u32; 4]) -> Picture {
    let mut picture = Picture::filled(width, height, [0; 3]);
    let [x, y, w, h] = white;
    picture.fill_rectangle(x.into(), y.into(), w, h, [255; 3], 1.0);
    picture
}

fn emotions(faces: &[Face]) -> Vec<&str> {
    faces.iter().map(|f| f.emotion.as_str()).collect()
}

#[test]
fn whole_pictures_are_one_face_each_where_that_is_asked_for() {
    let analyzer = whole().threads(1).build().unwrap();
    for (white, label) in
        [([0, 0, 40, 30], 0), ([40, 0, 40, 30], 1), ([0, 30, 40, 30], 2), ([40, 30, 40, 30], 3)]
    {
        let faces = analyzer.picture(&picture(80, 60, white)).unwrap().faces;
        assert_eq!(emotions(&faces), [LABELS[label]]);
        let face = &faces[0];
        let b = face.bounds;
        assert_eq!((face.id, face.score, b.x, b.y, b.width, b.height), (0, 1.0, 0.0, 0.0, 80.0, 60.0));
        // Logits 10 and three times 0, but for the grey of the interpolated edges.
        assert!(face.confidence > 0.999, "{}", face.confidence);
        assert_eq!(face.probabilities.get(LABELS[label]), Some(face.confidence));
        let sum: f32 = face.probabilities.iter().map(|(_, p)| p).sum();
        assert!((sum - 1.0).abs() < 1e-5);
        let order: Vec<&str> = face.probabilities.iter().map(|(l, _)| l).collect();
        assert_eq!(order, LABELS);
    }
}

#[test]
fn looking_several_times_gives_the_mean_answer() {
    let picture = picture(80, 60, [0, 0, 40, 30]);
    let whole = |several| {
        let builder = whole().threads(1).test_time_augmentation(several);
        builder.build().unwrap().picture(&picture).unwrap().faces.remove(0)
    };
    assert!(whole(false).confidence > 0.999);
    // Half of the looks are mirrored: the upper right quarter is as white as the left one.
    let [left, right, lower, _] = LABELS.map(|l| whole(true).probabilities.get(l).unwrap());
    assert!(
        (left - right).abs() < 1e-4 && (left - 0.5).abs() < 0.01 && lower < 0.01,
        "{left} {right} {lower}"
    );
    // Faces stay with their answers where looks fill more than a batch.
    let boxes: Vec<_> = (0..9).map(|i| found(i as f32 * 8.0, 0.0, 8.0, 60.0)).collect();
    let read = |boxes: &[Detection]| {
        let builder = analyzer(boxes.to_vec()).threads(2);
        builder.test_time_augmentation(true).build().unwrap().picture(&picture).unwrap().faces
    };
    for (face, alone) in read(&boxes).iter().zip(&boxes) {
        let alone = read(std::slice::from_ref(alone));
        assert_eq!(face.bounds, alone[0].bounds);
        assert_eq!(face.probabilities, alone[0].probabilities);
    }
}

#[test]
fn faces_are_cut_out_where_they_are_and_the_largest_comes_first() {
    // White covers the upper left quarter of the first box and the lower right one of the second.
    let picture = picture(200, 100, [100, 40, 20, 20]);
    let faces = vec![found(80.0, 20.0, 40.0, 40.0), found(100.0, 40.0, 40.0, 40.5)];
    let analyzer = analyzer(faces).threads(2).build().unwrap();
    let record = analyzer.picture(&picture).unwrap().from_source("p.png");
    assert_eq!((record.source.as_str(), record.frame, record.time), ("p.png", 0, 0.0));
    assert_eq!((record.width, record.height), (200, 100));
    assert_eq!(emotions(&record.faces), ["upper left", "lower right"]);
    assert_eq!(record.faces.iter().map(|f| f.id).collect::<Vec<_>>(), [0, 1]);
    assert_eq!(record.faces[1].bounds.x, 80.0);
    assert_eq!(record.faces[1].score, 0.5);
}

#[test]
fn equal_faces_stand_from_top_to_bottom_and_from_left_to_right() {
    let boxes = [(50.0, 30.0), (90.0, 10.0), (10.0, 30.0), (10.0, 10.0)];
    let analyzer = analyzer(boxes.map(|(x, y)| found(x, y, 8.0, 8.0)).to_vec()).threads(1).build().unwrap();
    let faces = analyzer.picture(&picture(100, 50, [0, 0, 1, 1])).unwrap().faces;
    let corners: Vec<_> = faces.iter().map(|f| (f.bounds.x, f.bounds.y)).collect();
    assert_eq!(corners, [(10.0, 10.0), (90.0, 10.0), (10.0, 30.0), (50.0, 30.0)]);
}

#[test]
fn the_margin_widens_the_crop_and_small_faces_are_left_out() {
    // White lies outside the box, on the left and above.
    let picture = picture(100, 100, [20, 20, 20, 20]);
    let boxes = vec![found(40.0, 40.0, 40.0, 40.0), found(0.0, 0.0, 40.0, 19.0)];
    let look = |margin| {
        let builder = analyzer(boxes.clone()).crop_margin(margin).min_face(20.0);
        let look = builder.build().unwrap().look(&picture).unwrap();
        assert_eq!(look.smaller_faces, 1);
        look.faces
    };
    let tight = look(0.0);
    assert_eq!(tight.len(), 1);
    assert!(tight[0].confidence < 0.3, "nothing to see in {tight:?}");
    let wide = look(0.5);
    assert_eq!(emotions(&wide), ["upper left"]);
    // White is a quarter of the upper left quarter: logits of 2.5 and three times 0.
    assert!((wide[0].confidence - 0.8).abs() < 0.05, "{}", wide[0].confidence);
    assert_eq!(wide[0].bounds, tight[0].bounds);
}

#[test]
fn more_faces_than_a_batch_holds_get_the_answers_of_their_own() {
    let picture = picture(400, 20, [200, 0, 200, 10]);
    let boxes: Vec<_> = (0..39).map(|i| found(i as f32 * 10.0, 0.0, 20.0, 20.0)).collect();
    let faces = analyzer(boxes).build().unwrap().picture(&picture).unwrap().faces;
    assert_eq!(faces.len(), 39);
    // The box at 190 straddles the edge of the white half: its upper right quarter is white.
    assert_eq!(faces[19].emotion, "upper right");
    // Its neighbours see a little of the other half at their edges, those beyond nothing.
    assert!(faces[..18].iter().all(|f| f.confidence == 0.25));
    for face in &faces[21..] {
        let [left, right] = [0, 1].map(|i| face.probabilities.get(LABELS[i]).unwrap());
        assert!((left - right).abs() < 0.01 && left > 0.4, "{left} {right}");
    }
}

#[test]
fn a_picture_without_faces_gives_none() {
    let analyzer = analyzer(vec![]).build().unwrap();
    assert_eq!(analyzer.picture(&picture(10, 10, [0, 0, 1, 1])).unwrap().faces, []);
}

#[test]
fn models_and_settings_that_do_not_fit_are_refused() {
    let mut colour = quarters();
    colour.card.preprocessing.grey = false;
    let error = Analyzer::builder().model(colour).build().err().unwrap();
    assert!(matches!(error, Error::Unsuitable(_)), "{error}");
    assert!(error.to_string().contains("[4, 4, 1]"), "{error}");

    let mut unlabelled = quarters();
    unlabelled.card.labels.pop();
    assert!(matches!(Analyzer::builder().model(unlabelled).build(), Err(Error::Model(_))));

    for margin in [-0.5, f32::NAN, f32::INFINITY] {
        assert!(matches!(whole().crop_margin(margin).build(), Err(Error::Parameter(_))));
    }
    for size in [-1.0, f32::NAN, f32::INFINITY] {
        assert!(matches!(analyzer(vec![]).min_face(size).build(), Err(Error::Detector(_))));
    }
}

#[test]
fn the_embedded_model_reads_the_emotions_of_fer2013() {
    let model = moue::embedded_model().unwrap();
    let mut labels = model.card.labels.clone();
    labels.sort();
    assert_eq!(labels, ["angry", "disgust", "fear", "happy", "neutral", "sad", "surprise"]);
    let analyzer = Analyzer::builder().model(model).detector(Detectors::whole_picture()).build().unwrap();
    let faces = analyzer.picture(&picture(48, 48, [10, 10, 20, 20])).unwrap().faces;
    assert_eq!(faces.len(), 1);
    let sum: f32 = faces[0].probabilities.iter().map(|(_, p)| p).sum();
    assert!((sum - 1.0).abs() < 1e-5);
}

#[test]
fn without_a_word_the_detector_inside_is_used() {
    let analyzer = Analyzer::new().unwrap();
    assert_eq!(analyzer.picture(&picture(120, 90, [10, 10, 20, 20])).unwrap().faces, []);
    let builder = Analyzer::builder().threshold(1.5);
    assert!(matches!(builder.build(), Err(Error::Detector(_))));
}

#[test]
fn one_analyzer_serves_many_threads_and_answers_each_alike() {
    fn shared<T: Send + Sync + Clone>(_: &T) {}
    let analyzer = analyzer(vec![found(0.0, 0.0, 80.0, 60.0)]).threads(2).build().unwrap();
    shared(&analyzer);
    let whites = [[0, 0, 40, 30], [40, 0, 40, 30], [0, 30, 40, 30], [40, 30, 40, 30]];
    let pictures: Vec<Picture> = (0..24).map(|i| picture(80, 60, whites[i % 4])).collect();
    for (i, record) in analyzer.pictures(&pictures).into_iter().enumerate() {
        assert_eq!(emotions(&record.unwrap().faces), [LABELS[i % 4]]);
    }
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for (i, picture) in pictures.iter().enumerate() {
                    assert_eq!(emotions(&analyzer.picture(picture).unwrap().faces), [LABELS[i % 4]]);
                }
            });
        }
    });
    assert!(analyzer.pictures(&[]).is_empty());
}

#[test]
fn live_frames_keep_who_is_who_and_count_from_zero() {
    let analyzer = analyzer(vec![found(0.0, 0.0, 80.0, 60.0)]).threads(1).build().unwrap();
    let mut live = analyzer.live().unwrap();
    for frame in 0..5_u32 {
        let record = live.frame(f64::from(frame) / 25.0, &picture(80, 60, [0, 0, 40, 30])).unwrap();
        assert_eq!((record.frame, record.width, record.height), (frame.into(), 80, 60));
        // A face is believed when it was seen twice.
        let known: &[u64] = if frame == 0 { &[] } else { &[0] };
        assert_eq!(record.faces.iter().map(|face| face.id).collect::<Vec<_>>(), known);
        assert!(record.faces.iter().all(|face| face.raw_probabilities.is_some()));
    }
    let mut plain = live.smoothing(false);
    let white = picture(80, 60, [40, 0, 40, 30]);
    let records = [0.0, 0.04].map(|time| plain.frame(time, &white).unwrap());
    assert_eq!(records.each_ref().map(|record| record.frame), [0, 1]);
    assert_eq!(emotions(&records[1].faces), ["upper right"]);
    assert!(records[1].faces[0].raw_probabilities.is_none());
}
