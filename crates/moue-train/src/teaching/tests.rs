use super::*;

/// Answers with the picture's own first values.
struct Echo(usize);

impl InferenceSession for Echo {
    fn logits(&mut self, pictures: &[f32], count: usize, logits: &mut [f32]) -> moue_graph::Result<()> {
        let classes = logits.len() / count;
        for (picture, row) in pictures.chunks_exact(self.0).zip(logits.chunks_exact_mut(classes)) {
            row.copy_from_slice(&picture[..classes]);
        }
        Ok(())
    }
}

fn view(side: usize) -> Target {
    Target { side, channels: 1, scale: 1.0, offset: 0.0 }
}

/// Two teachers of three classes: the first sees 2x2 pixels, the second 3x3, has its classes in another order and is less
/// sure.
fn teachers() -> Teachers {
    let teacher = |side: usize, view, places: [usize; 3], temperature| Teacher {
        session: Box::new(Echo(side * side)),
        view,
        places: places.to_vec(),
        calibration: Calibration { temperature },
    };
    Teachers {
        all: vec![teacher(2, 0, [0, 1, 2], 1.0), teacher(3, 1, [2, 0, 1], 2.0)],
        views: vec![view(2), view(3)],
        classes: 3,
        batch: 2,
    }
}

/// Two pictures for each view, whose first three values are the logits; mirrored, these are others.
fn pictures() -> Vec<Vec<f32>> {
    let rows = |n: usize, first: [f32; 4], second: [f32; 4]| {
        let mut values = vec![9.0; 2 * n];
        values[..4].copy_from_slice(&first);
        values[n..n + 4].copy_from_slice(&second);
        values
    };
    vec![
        rows(4, [1.0, 0.0, -1.0, 0.5], [0.0, 0.0, 0.0, 2.0]),
        rows(9, [0.5, 1.0, 3.0, 9.0], [2.0, 0.0, 0.0, 9.0]),
    ]
}

/// Softmax in f64.
fn softmax(logits: [f64; 3]) -> [f64; 3] {
    let sum: f64 = logits.iter().map(|l| l.exp()).sum();
    logits.map(|l| l.exp() / sum)
}

#[test]
fn each_teacher_sees_its_view_and_counts_the_same() {
    let mut pictures = pictures();
    let answers = teachers().look(&mut pictures, 2).unwrap();
    // Logits of the first teacher, and of the second by its own order, over 2; then what the mirrors give.
    let want = [
        [[1.0, 0.0, -1.0], [1.5, 0.25, 0.5], [0.0, 1.0, 0.5], [0.25, 1.5, 0.5]],
        [[0.0; 3], [0.0, 1.0, 0.0], [0.0, 0.0, 2.0], [1.0, 0.0, 0.0]],
    ];
    for (row, looks) in answers.chunks_exact(3).zip(want) {
        let looks = looks.map(softmax);
        for class in 0..3 {
            let mean = looks.iter().map(|look| look[class]).sum::<f64>() / 4.0;
            assert!((f64::from(row[class]) - mean).abs() < 1e-6, "{row:?}");
        }
    }
    assert_eq!(pictures[0], [0.0, 1.0, 0.5, -1.0, 0.0, 0.0, 2.0, 0.0]);
}

#[test]
fn answers_take_their_share_of_targets_and_keep_the_classes() {
    let mut consistent = Consistent::new(teachers(), 0.25);
    // Two classes' labels and an output of another task.
    let fixed = [1.0, 0.0, 0.0, 0.7, 0.0, 0.0, 1.0, 0.3];
    let plain = consistent.look(&mut pictures(), 2).unwrap();
    let mut targets = fixed;
    consistent.mix(&mut targets, 4, &mut pictures()).unwrap();
    for (i, (target, fixed)) in targets.iter().zip(fixed).enumerate() {
        let want = if i % 4 == 3 { fixed } else { 0.75 * fixed + 0.25 * plain[i / 4 * 3 + i % 4] };
        assert!((target - want).abs() < 1e-6, "{i}: {target} is not {want}");
    }
    let shares = [0.2, 0.5, 0.3];
    consistent.match_shares(&plain, &shares).unwrap();
    let matched = consistent.look(&mut pictures(), 2).unwrap();
    for (class, share) in shares.iter().enumerate() {
        let mean = f64::from(matched[class] + matched[3 + class]) / 2.0;
        assert!((mean - share).abs() < 1e-5, "{mean} is not {share}");
    }
}
