use super::*;
use crate::recipe::Recipe;

/// A FER2013 csv of `rows` Training rows whose pixels tell their number.
fn dataset(rows: usize) -> Dataset {
    let mut text = String::from("emotion,pixels,Usage\n");
    for row in 0..rows {
        let pixels = vec![row.to_string(); 48 * 48].join(" ");
        text.push_str(&format!("{},{pixels},Training\n", row % 7));
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    moue_data::read(file.path(), &moue_data::ReadOptions::strict()).unwrap().dataset
}

/// For each step, the grey level of every picture of its batch.
fn epoch(loader: &Loader<'_>, number: usize, first: usize) -> Vec<(usize, Vec<usize>)> {
    let mut seen = Vec::new();
    let flow = loader.each(number, first, &mut |step, prepared| {
        let batch = prepared.batch();
        assert_eq!(batch.pictures.len(), batch.count * loader.target.len());
        assert_eq!(batch.targets.len(), batch.count * 7);
        let greys: Vec<usize> = batch
            .pictures
            .chunks_exact(loader.target.len())
            .zip(batch.targets.chunks_exact(7))
            .map(|(picture, target)| {
                let grey = (picture[0] * 255.0).round() as usize;
                assert_eq!(target[grey % 7], 1.0);
                grey
            })
            .collect();
        seen.push((step, greys));
        Ok(ControlFlow::Continue(()))
    });
    assert!(flow.unwrap().is_continue());
    seen
}

#[test]
fn epochs_hold_every_row_once_in_an_order_of_their_own() {
    let dataset = dataset(50);
    let recipe = Recipe::default();
    let targets = Targets::new(&dataset, (0..50).collect(), &recipe).unwrap();
    let target = Target { side: 8, channels: 3, scale: 1.0 / 255.0, offset: 0.0 };
    let augmentation = Augmentation::default();
    let loader = Loader {
        dataset: &dataset,
        targets: &targets,
        augmentation: &augmentation,
        mixing: None,
        target,
        seed: 3,
        batch: 8,
        kept: false,
        views: &[],
    };
    assert_eq!(loader.steps(), 7);
    let first = epoch(&loader, 1, 0);
    assert_eq!(first.iter().map(|(_, greys)| greys.len()).collect::<Vec<_>>(), [8, 8, 8, 8, 8, 8, 2]);
    let mut all: Vec<usize> = first.iter().flat_map(|(_, greys)| greys.clone()).collect();
    assert_ne!(all, (0..50).collect::<Vec<_>>());
    all.sort_unstable();
    assert_eq!(all, (0..50).collect::<Vec<_>>());
    assert_eq!(epoch(&loader, 1, 0), first);
    assert_ne!(epoch(&loader, 2, 0), first);
    assert_ne!(epoch(&Loader { seed: 4, ..loader }, 1, 0), first);
}

#[test]
fn an_epoch_can_begin_at_any_step() {
    let dataset = dataset(30);
    let targets = Targets::new(&dataset, (0..30).collect(), &Recipe::default()).unwrap();
    let target = Target { side: 8, channels: 1, scale: 1.0 / 255.0, offset: 0.0 };
    let augmentation = Augmentation { brightness: 0.0, ..Augmentation::default() };
    let loader = Loader {
        dataset: &dataset,
        targets: &targets,
        augmentation: &augmentation,
        mixing: None,
        target,
        seed: 3,
        batch: 4,
        kept: false,
        views: &[],
    };
    let whole = epoch(&loader, 2, 0);
    for first in 0..=loader.steps() {
        assert_eq!(epoch(&loader, 2, first), whole[first..]);
    }
}

#[test]
fn breaking_off_ends_the_other_thread() {
    let dataset = dataset(30);
    let targets = Targets::new(&dataset, (0..30).collect(), &Recipe::default()).unwrap();
    let target = Target { side: 8, channels: 1, scale: 1.0, offset: 0.0 };
    let augmentation = Augmentation::default();
    let loader = Loader {
        dataset: &dataset,
        targets: &targets,
        augmentation: &augmentation,
        mixing: None,
        target,
        seed: 3,
        batch: 2,
        kept: false,
        views: &[],
    };
    let mut steps = 0;
    let flow = loader.each(1, 0, &mut |_, _| {
        steps += 1;
        Ok(if steps == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    });
    assert!(flow.unwrap().is_break() && steps == 3);
    let failed = loader.each(1, 0, &mut |_, _| Err(crate::Error::Data("stop".into())));
    assert!(failed.is_err());
}

/// An engine that makes its inputs itself is told what is made here otherwise: targets are the same, and so is what its
/// renderings lead to.
#[test]
fn what_an_engine_is_told_is_what_is_made_here() {
    let dataset = dataset(30);
    let targets = Targets::new(&dataset, (0..30).collect(), &Recipe::default()).unwrap();
    let target = Target { side: 8, channels: 1, scale: 1.0, offset: 0.0 };
    let augmentation = Augmentation { flip: 0.5, shift: 0.1, brightness: 0.3, ..Augmentation::default() };
    let mixing = Mixing { probability: 0.5, alpha: 0.4 };
    let here = Loader {
        dataset: &dataset,
        targets: &targets,
        augmentation: &augmentation,
        mixing: Some(&mixing),
        target,
        seed: 3,
        batch: 8,
        kept: false,
        views: &[],
    };
    let there = Loader { kept: true, ..here };
    let made = |loader: &Loader<'_>| {
        let mut all = Vec::new();
        let flow = loader.each(2, 1, &mut |_, prepared| {
            let batch = prepared.batch();
            let parts = (batch.pictures.to_vec(), batch.targets.to_vec(), prepared.renderings().to_vec());
            all.push(parts);
            Ok(ControlFlow::Continue(()))
        });
        assert!(flow.unwrap().is_continue());
        all
    };
    let (here, there) = (made(&here), made(&there));
    assert_eq!(here.len(), there.len());
    let mut mixed = 0;
    for ((pictures, targets, none), (no_pictures, same_targets, renderings)) in here.iter().zip(&there) {
        assert!(none.is_empty() && no_pictures.is_empty());
        assert_eq!(targets, same_targets);
        // Each picture is one grey level, so that light alone tells what becomes of it.
        let grey = |r: &Rendering| {
            let pixel = f32::from(dataset.pixels(r.picture as usize)[0]);
            (pixel * r.contrast + r.lightness).clamp(0.0, 255.0)
        };
        for (i, (picture, rendering)) in pictures.chunks_exact(64).zip(renderings).enumerate() {
            let next = grey(&renderings[(i + 1) % renderings.len()]);
            let want = grey(rendering) + rendering.share * (next - grey(rendering));
            assert!(picture.iter().all(|p| (p - want).abs() < 1e-3), "{} is not {want}", picture[0]);
            mixed += usize::from(rendering.share > 0.0);
        }
        assert_eq!(renderings.len() * 64, pictures.len());
    }
    assert!(mixed > 5);
}
