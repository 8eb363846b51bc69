//! Inputs that the device makes itself are those of the processor.

use moue_gpu::GpuEngine;
use moue_graph::engine::rendering::{Rendering, Stored};
use moue_graph::{Graph, Op, Padding, Weights};
use moue_train::augment::{Augmentation, Source, Transform};

use crate::material::{PLAIN, training};
use crate::rendered::{agree, all_changes, all_changes_agree, both_ways, glass, pictures};

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
        let (here, there) = both_ways(&GpuEngine::flex(), &pixels, 12, (12, 1), &drawn);
        agree(what, &here, &there, stretch);
        let untouched: Vec<_> = drawn.iter().map(|(p, ..)| (*p, Transform::NONE, 0.0)).collect();
        let (plain, _) = both_ways(&GpuEngine::flex(), &pixels, 12, (12, 1), &untouched);
        assert_eq!(here == plain, what == "none", "{what} changes the pictures");
    }
}

#[test]
fn all_changes_together_at_other_sizes_and_mixed() {
    all_changes_agree(&GpuEngine::flex());
}

#[test]
fn a_single_picture_is_mixed_with_itself() {
    let pixels = pictures(2, 8);
    let drawn = [(1, all_changes().draw(3, 2, 1), 0.4)];
    let (here, there) = both_ways(&GpuEngine::flex(), &pixels, 8, (8, 1), &drawn);
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
    let large = vec![0; 200 * 200];
    let large = Stored { pixels: &large, side: 200, scale: 1.0, offset: 0.0 };
    assert!(!session.keep(&large).unwrap(), "its filters would take more room than a thousand of it");
    assert!(step(session.as_mut(), std::slice::from_ref(&first)).is_err());
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
