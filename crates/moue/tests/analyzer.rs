//! The façade with a model whose answers are known: it names the brightest quarter of the crop.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use moue::{Analyzer, Detection, Detector, Error, Face, Model, ModelCard, Picture};
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
fn without_a_detector_the_whole_picture_is_one_face() {
    let mut analyzer = Analyzer::builder(quarters()).threads(1).build().unwrap();
    for (white, label) in
        [([0, 0, 40, 30], 0), ([40, 0, 40, 30], 1), ([0, 30, 40, 30], 2), ([40, 30, 40, 30], 3)]
    {
        let faces = analyzer.analyze(&picture(80, 60, white)).unwrap();
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
        let builder = Analyzer::builder(quarters()).threads(1).test_time_augmentation(several);
        builder.build().unwrap().analyze(&picture).unwrap().remove(0)
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
        let builder = Analyzer::builder(quarters()).detector(Fixed(boxes.to_vec())).threads(2);
        builder.test_time_augmentation(true).build().unwrap().analyze(&picture).unwrap()
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
    let detector = Fixed(vec![found(80.0, 20.0, 40.0, 40.0), found(100.0, 40.0, 40.0, 40.5)]);
    let mut analyzer = Analyzer::builder(quarters()).detector(detector).threads(2).build().unwrap();
    let record = analyzer.record("p.png", &picture).unwrap();
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
    let detector = Fixed(boxes.map(|(x, y)| found(x, y, 8.0, 8.0)).to_vec());
    let mut analyzer = Analyzer::builder(quarters()).detector(detector).threads(1).build().unwrap();
    let faces = analyzer.analyze(&picture(100, 50, [0, 0, 1, 1])).unwrap();
    let corners: Vec<_> = faces.iter().map(|f| (f.bounds.x, f.bounds.y)).collect();
    assert_eq!(corners, [(10.0, 10.0), (90.0, 10.0), (10.0, 30.0), (50.0, 30.0)]);
}

#[test]
fn the_margin_widens_the_crop_and_small_faces_are_left_out() {
    // White lies outside the box, on the left and above.
    let picture = picture(100, 100, [20, 20, 20, 20]);
    let detect = || Fixed(vec![found(40.0, 40.0, 40.0, 40.0), found(0.0, 0.0, 40.0, 19.0)]);
    let build = |margin| Analyzer::builder(quarters()).detector(detect()).crop_margin(margin).min_face(20.0);
    let tight = build(0.0).build().unwrap().analyze(&picture).unwrap();
    assert_eq!(tight.len(), 1);
    assert!(tight[0].confidence < 0.3, "nothing to see in {tight:?}");
    let wide = build(0.5).build().unwrap().analyze(&picture).unwrap();
    assert_eq!(emotions(&wide), ["upper left"]);
    // White is a quarter of the upper left quarter: logits of 2.5 and three times 0.
    assert!((wide[0].confidence - 0.8).abs() < 0.05, "{}", wide[0].confidence);
    assert_eq!(wide[0].bounds, tight[0].bounds);
}

#[test]
fn more_faces_than_a_batch_holds_get_the_answers_of_their_own() {
    let picture = picture(400, 20, [200, 0, 200, 10]);
    let boxes: Vec<_> = (0..39).map(|i| found(i as f32 * 10.0, 0.0, 20.0, 20.0)).collect();
    let mut analyzer = Analyzer::builder(quarters()).detector(Fixed(boxes)).build().unwrap();
    let faces = analyzer.analyze(&picture).unwrap();
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
    let mut analyzer = Analyzer::builder(quarters()).detector(Fixed(vec![])).build().unwrap();
    assert_eq!(analyzer.analyze(&picture(10, 10, [0, 0, 1, 1])).unwrap(), []);
}

#[test]
fn models_and_settings_that_do_not_fit_are_refused() {
    let mut colour = quarters();
    colour.card.preprocessing.grey = false;
    let error = Analyzer::builder(colour).build().err().unwrap();
    assert!(matches!(error, Error::Unsuitable(_)), "{error}");
    assert!(error.to_string().contains("[4, 4, 1]"), "{error}");

    let mut unlabelled = quarters();
    unlabelled.card.labels.pop();
    assert!(matches!(Analyzer::builder(unlabelled).build(), Err(Error::Model(_))));

    for margin in [-0.5, f32::NAN, f32::INFINITY] {
        assert!(matches!(
            Analyzer::builder(quarters()).crop_margin(margin).build(),
            Err(Error::Parameter(_))
        ));
    }
    for size in [-1.0, f32::NAN, f32::INFINITY] {
        assert!(matches!(Analyzer::builder(quarters()).min_face(size).build(), Err(Error::Parameter(_))));
    }
}

#[test]
fn the_embedded_model_reads_the_emotions_of_fer2013() {
    let model = moue::embedded_model().unwrap();
    let mut labels = model.card.labels.clone();
    labels.sort();
    assert_eq!(labels, ["angry", "disgust", "fear", "happy", "neutral", "sad", "surprise"]);
    let mut analyzer = Analyzer::builder(model).build().unwrap();
    let faces = analyzer.analyze(&picture(48, 48, [10, 10, 20, 20])).unwrap();
    assert_eq!(faces.len(), 1);
    let sum: f32 = faces[0].probabilities.iter().map(|(_, p)| p).sum();
    assert!((sum - 1.0).abs() < 1e-5);
}
