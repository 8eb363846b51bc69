//! Draws the plots from made-up figures into the folder given, to look at them.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "an example")]

use moue_report::plots::{
    ConfusionPlot, CoveragePlot, CoveragePoint, CurvesPlot, Panel, ReliabilityBin, ReliabilityPlot, Series,
    Unit,
};

fn main() {
    let folder = std::path::PathBuf::from(std::env::args().nth(1).unwrap());
    let curve = |from: f64, to: f64, speed: f64, bump: f64| -> Vec<f64> {
        (0..25)
            .map(|i| {
                let t = f64::from(i);
                to + (from - to) * (-t / speed).exp() + bump * t * t + 0.01 * (t * 2.3).sin()
            })
            .collect()
    };
    let series = |name: &str, values| Series { name: name.into(), values };
    CurvesPlot {
        title: "seed: mobilenet_v2, 25 epochs".into(),
        panels: vec![
            Panel {
                title: "Loss (nats)".into(),
                unit: Unit::Number,
                series: vec![
                    series("train", curve(1.85, 0.6, 8.0, 0.0)),
                    series("validation", curve(1.75, 1.0, 4.0, 0.0008)),
                ],
            },
            Panel {
                title: "Accuracy (%)".into(),
                unit: Unit::Percent,
                series: vec![
                    series("train", curve(0.25, 0.78, 8.0, 0.0)),
                    series("validation", curve(0.3, 0.62, 4.0, 0.0)),
                ],
            },
        ],
        mark: Some((14, "best: epoch 14".into())),
    }
    .render()
    .write(&folder.join("curves.png"))
    .unwrap();
    let labels = ["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"];
    let counts = [
        [257, 3, 42, 25, 83, 12, 45],
        [18, 26, 3, 2, 5, 0, 2],
        [58, 2, 186, 24, 115, 56, 55],
        [18, 0, 12, 789, 24, 15, 37],
        [71, 0, 66, 38, 362, 9, 107],
        [11, 0, 38, 22, 9, 325, 10],
        [36, 1, 33, 51, 107, 10, 369],
    ];
    ConfusionPlot {
        title: "Confusion matrix".into(),
        subtitle: "mine.safetensors on PublicTest of fer2013.csv: 64.50 % of 3,589 right".into(),
        labels: labels.map(Into::into).to_vec(),
        counts: counts.map(Vec::from).to_vec(),
    }
    .render()
    .write(&folder.join("confusion.png"))
    .unwrap();
    let bins = (0..15)
        .map(|i| {
            let (low, high) = (f64::from(i) / 15.0, f64::from(i + 1) / 15.0);
            let confidence = (low + high) / 2.0 + 0.01;
            let count = if i < 3 { 0 } else { 60 + 20 * i as u64 + if i == 14 { 600 } else { 0 } };
            ReliabilityBin {
                low,
                high,
                count,
                confidence,
                accuracy: (confidence * 1.25 - 0.18).clamp(0.1, 0.97),
            }
        })
        .collect();
    ReliabilityPlot {
        title: "Reliability".into(),
        subtitle: "mine.safetensors on PublicTest of fer2013.csv".into(),
        bins,
        ece: 0.0432,
        accuracy: 0.645,
    }
    .render()
    .write(&folder.join("reliability.png"))
    .unwrap();
    let points = (1..=20)
        .map(|i| {
            let coverage = f64::from(i) / 20.0;
            CoveragePoint {
                coverage,
                confidence: 0.99 - 0.75 * coverage * coverage,
                accuracy: 0.97 - 0.33 * coverage.powf(1.4),
            }
        })
        .collect();
    CoveragePlot {
        title: "Accuracy when unsure answers are left out".into(),
        subtitle: "mine.safetensors on PublicTest of fer2013.csv".into(),
        points,
        chosen: Some(CoveragePoint { coverage: 0.62, confidence: 0.7, accuracy: 0.80 }),
    }
    .render()
    .write(&folder.join("coverage.png"))
    .unwrap();
    println!("{}", folder.display());
}
