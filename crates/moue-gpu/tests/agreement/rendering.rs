//! Inputs that the device makes of the pictures it keeps, beside those that `moue-train` makes on the processor: the first
//! layer of the networks here is all there is, so that their outputs are the inputs themselves.

use moue_gpu::GpuEngine;
use moue_graph::engine::rendering::{Rendering, Stored};
use moue_graph::{Activation, Graph, Op, Padding, Preprocessing, Tensor, Weights};
use moue_train::augment::{Augmentation, Erasing, Scratch, Source, Target, Transform, render};

use crate::material::{Numbers, PLAIN, training};

const SCALE: f32 = 1.0 / 255.0;

/// Its outputs are the values of its input, `side` x `side` with `channels`.
fn glass(side: usize, channels: usize) -> (Graph, Weights) {
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
fn pictures(count: usize, side: usize) -> Vec<u8> {
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

fn all_changes() -> Augmentation {
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
fn both_ways(
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
    let mut session = training(&GpuEngine::flex(), &graph, &weights, &PLAIN, drawn.len());
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
fn agree(what: &str, here: &[f32], there: &[f32], stretch: f32) {
    assert_eq!(here.len(), there.len());
    let apart = |(a, b): (&f32, &f32)| (a - b).abs();
    let most = here.iter().zip(there).map(apart).fold(0.0, f32::max);
    let tipped = here.iter().zip(there).filter(|&pair| apart(pair) > 0.02).count();
    let share = tipped as f32 / here.len() as f32;
    println!("{what}: at most {most} grey levels apart, {tipped} of {} tipped over", here.len());
    assert!(most <= stretch && share < 0.002, "{what}: {most} apart, {share} tipped over");
}

#[test]
fn each_change_is_that_of_the_processor() {
    let pixels = pictures(5, 12);
    let all = all_changes();
    let none = Augmentation::default();
    for (what, augmentation, stretch) in [
        ("none", none.clone(), 0.02),
        ("flip", Augmentation { flip: 0.5, ..none.clone() }, 0.02),
        ("shift", Augmentation { shift: all.shift, ..none.clone() }, 1.02),
        ("rotation", Augmentation { rotation: all.rotation, ..none.clone() }, 1.02),
        ("scale", Augmentation { scale: all.scale, ..none.clone() }, 1.02),
        ("brightness", Augmentation { brightness: all.brightness, ..none.clone() }, 0.02),
        ("contrast", Augmentation { contrast: all.contrast, ..none.clone() }, 0.02),
        ("resolution", Augmentation { resolution: all.resolution, ..none.clone() }, 1.02),
        ("gamma", Augmentation { gamma: all.gamma, ..none.clone() }, 0.02),
        ("noise", Augmentation { noise: all.noise, ..none.clone() }, 0.02),
        ("erasing", Augmentation { erasing: all.erasing.clone(), ..none }, 0.02),
    ] {
        let drawn: Vec<_> = (0..40).map(|i| (i % 5, augmentation.draw(7, 1, i.into()), 0.0)).collect();
        let (here, there) = both_ways(&pixels, 12, (12, 1), &drawn);
        agree(what, &here, &there, stretch);
        let untouched: Vec<_> = drawn.iter().map(|(p, ..)| (*p, Transform::NONE, 0.0)).collect();
        let (plain, _) = both_ways(&pixels, 12, (12, 1), &untouched);
        assert_eq!(here == plain, what == "none", "{what} changes the pictures");
    }
}

#[test]
fn all_changes_together_at_other_sizes_and_mixed() {
    // Odd sides leave the last word of a picture with room; inputs are smaller, equal and larger.
    for (from, side, channels) in [(11, 7, 3), (16, 16, 1), (13, 20, 2)] {
        let pixels = pictures(4, from);
        let mut shares = Numbers(4).vec(30, 0.0, 0.5);
        shares[3] = 0.0;
        let drawn: Vec<_> =
            (0..30).map(|i| (3 - i % 4, all_changes().draw(3, 2, i.into()), shares[i as usize])).collect();
        let (here, there) = both_ways(&pixels, from, (side, channels), &drawn);
        // Contrast and the curve of light stretch a level by up to 1.4 x 2 or so.
        agree(&format!("{from} to {side}"), &here, &there, 4.0);
    }
}

#[test]
fn a_single_picture_is_mixed_with_itself() {
    let pixels = pictures(2, 8);
    let drawn = [(1, all_changes().draw(3, 2, 1), 0.4)];
    let (here, there) = both_ways(&pixels, 8, (8, 1), &drawn);
    agree("one", &here, &there, 4.0);
}

#[test]
fn what_is_not_there_is_refused() {
    let (graph, weights) = glass(6, 1);
    let mut session = training(&GpuEngine::flex(), &graph, &weights, &PLAIN, 2);
    let pixels = pictures(3, 8);
    let source = Source::new(&pixels[..64], 8).unwrap();
    let first = Transform::NONE.rendering(0, source, 6);
    let step = |session: &mut dyn moue_graph::engine::TrainingSession, renderings: &[Rendering]| {
        session.step_rendered(renderings, 0.0, &mut |_, gradients| {
            gradients.fill(0.0);
            Ok(0.0)
        })
    };
    assert!(step(session.as_mut(), std::slice::from_ref(&first)).is_err(), "none are kept");
    for (pixels, side) in [(&pixels[..], 7), (&pixels[..0], 8), (&pixels[..63], 8), (&pixels[..], 0)] {
        assert!(session.keep(&Stored { pixels, side, scale: 1.0, offset: 0.0 }).is_err());
    }
    assert!(session.keep(&Stored { pixels: &pixels, side: 8, scale: 1.0, offset: 0.0 }).unwrap());
    step(session.as_mut(), std::slice::from_ref(&first)).unwrap();
    assert!(step(session.as_mut(), &[]).is_err());
    assert!(step(session.as_mut(), &[first.clone(), first.clone(), first.clone()]).is_err());
    assert!(step(session.as_mut(), &[Rendering { picture: 3, ..first.clone() }]).is_err());
    assert!(step(session.as_mut(), &[Rendering { reduced: 9, ..first.clone() }]).is_err());
    assert!(step(session.as_mut(), &[Rendering { reduced: 0, ..first }]).is_err());

    // Inputs that are not square have no renderings.
    let mut b = Graph::builder("wide");
    let x = b.add("input", Op::InputLayer { shape: vec![4, 6, 1] }, &[]).unwrap();
    let x = b.add("conv", crate::material::conv(1, [4, 6], [1, 1], Padding::Valid, false), &[x]).unwrap();
    b.add("flatten", Op::Flatten, &[x]).unwrap();
    let graph = b.finish().unwrap();
    let mut session = training(&GpuEngine::flex(), &graph, &Weights::initialise(&graph, 1), &PLAIN, 2);
    assert!(session.keep(&Stored { pixels: &pixels, side: 8, scale: 1.0, offset: 0.0 }).is_err());
}

/// A part of the batch ends where another device's begins, and its last picture is mixed with that one's first.
#[test]
fn several_devices_make_the_inputs_of_one() {
    let pixels = pictures(5, 9);
    let source = |picture: usize| Source::new(&pixels[picture * 81..][..81], 9).unwrap();
    let renderings: Vec<Rendering> = (0..7)
        .map(|i| {
            let transform = all_changes().draw(3, 2, i);
            Rendering { share: 0.4, ..transform.rendering(i as u32 % 5, source(i as usize % 5), 9) }
        })
        .collect();
    let (graph, weights) = glass(9, 1);
    let made = |engine: &GpuEngine| {
        let mut session = training(engine, &graph, &weights, &PLAIN, 7);
        assert!(session.keep(&Stored { pixels: &pixels, side: 9, scale: 1.0, offset: 0.0 }).unwrap());
        let mut inputs = Vec::new();
        session
            .step_rendered(&renderings, 0.0, &mut |outputs, gradients| {
                inputs = outputs.to_vec();
                gradients.fill(0.0);
                Ok(0.0)
            })
            .unwrap();
        inputs
    };
    let one = made(&GpuEngine::flex());
    for devices in [2, 3, 7] {
        let several = made(&GpuEngine::several(vec![GpuEngine::flex(); devices]).unwrap());
        agree(&format!("{devices} devices"), &one, &several, 0.02);
    }
}
