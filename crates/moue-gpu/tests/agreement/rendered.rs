//! Inputs that a device makes of the pictures it keeps, beside those that `moue-train` makes on the processor.

use moue_graph::engine::Engine;
use moue_graph::engine::rendering::{Rendering, Stored};
use moue_graph::{Activation, Graph, Op, Preprocessing, Tensor, Weights};
use moue_train::augment::{Augmentation, Erasing, Scratch, Source, Target, Transform, render};

use crate::material::{Numbers, PLAIN, training};

const SCALE: f32 = 1.0 / 255.0;

/// Its outputs are the values of its input, `side` x `side` with `channels`.
pub fn glass(side: usize, channels: usize) -> (Graph, Weights) {
    let n = side * side * channels;
    let mut b = Graph::builder("glass");
    let x = b.add("input", Op::InputLayer { shape: vec![side, side, channels] }, &[]).unwrap();
    let x = b.add("flatten", Op::Flatten, &[x]).unwrap();
    let dense = Op::Dense { units: n, use_bias: false, activation: Activation::Linear };
    b.add("same", dense, &[x]).unwrap();
    let graph = b.finish().unwrap();
    let mut weights = Weights::new();
    let mut identity = vec![0.0; n * n];
    (0..n).for_each(|i| identity[i * n + i] = 1.0);
    weights.insert("same/kernel", Tensor::new(vec![n, n], identity).unwrap());
    (graph, weights)
}

/// `count` pictures of `side` x `side`: slopes, and noise in their right half.
pub fn pictures(count: usize, side: usize) -> Vec<u8> {
    let mut numbers = Numbers(9);
    let mut pixels = Vec::new();
    for picture in 0..count {
        let noise = numbers.vec(side * side, 0.0, 255.0);
        pixels.extend((0..side * side).map(|i| {
            let (x, y) = (i % side, i / side);
            if x > side / 2 { noise[i] as u8 } else { ((x * 5 + y * 3 + picture * 40) % 256) as u8 }
        }));
    }
    pixels
}

pub fn all_changes() -> Augmentation {
    Augmentation {
        flip: 0.5,
        shift: 0.2,
        rotation: 30.0,
        scale: 0.3,
        brightness: 0.2,
        contrast: 0.4,
        resolution: 0.2,
        gamma: 0.5,
        noise: 0.05,
        erasing: Some(Erasing { probability: 0.5, area: [0.02, 0.2] }),
    }
}

/// What the device makes of these, a row of grey levels each, and what the processor makes of them.
pub fn both_ways(
    engine: &dyn Engine,
    pixels: &[u8],
    from: usize,
    (side, channels): (usize, usize),
    drawn: &[(u32, Transform, f32)],
) -> (Vec<f32>, Vec<f32>) {
    let target =
        Target::new(&[side, side, channels], &Preprocessing { grey: true, scale: SCALE, offset: -0.5 })
            .unwrap();
    let source =
        |picture: u32| Source::new(&pixels[picture as usize * from * from..][..from * from], from).unwrap();
    let mut rows: Vec<Vec<f32>> = Vec::new();
    for (picture, transform, _) in drawn {
        let mut row = vec![0.0; target.len()];
        render(source(*picture), transform, &target, &mut Scratch::default(), &mut row).unwrap();
        rows.push(row);
    }
    let mut here = Vec::new();
    for (i, (.., share)) in drawn.iter().enumerate() {
        let next = &rows[(i + 1) % rows.len()];
        here.extend(rows[i].iter().zip(next).map(|(own, next)| own + share * (next - own)));
    }

    let (graph, weights) = glass(side, channels);
    let mut session = training(engine, &graph, &weights, &PLAIN, drawn.len());
    let stored = Stored { pixels, side: from, scale: SCALE, offset: -0.5 };
    assert!(session.keep(&stored).unwrap());
    let renderings: Vec<Rendering> = drawn
        .iter()
        .map(|(picture, transform, share)| Rendering {
            share: *share,
            ..transform.rendering(*picture, source(*picture), side)
        })
        .collect();
    let mut there = Vec::new();
    session
        .step_rendered(&renderings, 0.0, &mut |outputs, gradients| {
            there = outputs.to_vec();
            gradients.fill(0.0);
            Ok(0.0)
        })
        .unwrap();
    let grey = |v: &f32| (v + 0.5) / SCALE;
    (here.iter().map(grey).collect(), there.iter().map(grey).collect())
}

/// Rounding to whole grey levels tips over for a few pixels; light then stretches that level. All others agree closely.
#[track_caller]
pub fn agree(what: &str, here: &[f32], there: &[f32], stretch: f32) {
    assert_eq!(here.len(), there.len());
    let apart = |(a, b): (&f32, &f32)| (a - b).abs();
    let most = here.iter().zip(there).map(apart).fold(0.0, f32::max);
    let tipped = here.iter().zip(there).filter(|&pair| apart(pair) > 0.02).count();
    let share = tipped as f32 / here.len() as f32;
    println!("{what}: at most {most} grey levels apart, {tipped} of {} tipped over", here.len());
    assert!(most <= stretch && share < 0.002, "{what}: {most} apart, {share} tipped over");
}

/// All changes together, mixed, for inputs smaller than the pictures, equal and larger.
pub fn all_changes_agree(engine: &dyn Engine) {
    // Odd sides leave the last word of a picture with room.
    for (from, side, channels, count) in [(11, 7, 3, 30), (16, 16, 1, 30), (13, 20, 2, 30), (48, 32, 1, 400)]
    {
        let pixels = pictures(4, from);
        let mut shares = Numbers(4).vec(count, 0.0, 0.5);
        shares[3] = 0.0;
        let drawn: Vec<_> = (0..count as u32)
            .map(|i| (3 - i % 4, all_changes().draw(3, 2, i.into()), shares[i as usize]))
            .collect();
        let (here, there) = both_ways(engine, &pixels, from, (side, channels), &drawn);
        // Contrast and the curve of light stretch a level by up to 1.4 x 2 or so.
        agree(&format!("{count} of {from} to {side}"), &here, &there, 4.0);
    }
}
