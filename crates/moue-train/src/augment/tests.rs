use super::*;

const GREY: Preprocessing = Preprocessing { grey: true, scale: 1.0, offset: 0.0 };

/// A picture with smooth and rough parts.
fn picture(side: usize, seed: u64) -> Vec<u8> {
    let mut random = Stream::new(seed, 0, 0);
    (0..side * side)
        .map(|i| {
            let (x, y) = (i % side, i / side);
            if x > side / 2 { random.bits() as u8 } else { ((x * 5 + y * 3) % 256) as u8 }
        })
        .collect()
}

fn rendered(pixels: &[u8], from: usize, side: usize, transform: &Transform) -> Vec<f32> {
    let target = Target::new(&[side, side, 1], &GREY).unwrap();
    let mut out = vec![0.0; target.len()];
    render(Source::new(pixels, from).unwrap(), transform, &target, &mut Scratch::default(), &mut out)
        .unwrap();
    out
}

/// Pixel at a position in pixels (centres at 0.5), bilinear, edges repeated; plain f64.
fn sample(pixels: &[u8], side: usize, x: f64, y: f64) -> f64 {
    let at = |column: f64, row: f64| {
        let place = |v: f64| v.clamp(0.0, side as f64 - 1.0) as usize;
        f64::from(pixels[place(row) * side + place(column)])
    };
    let (x, y) = (x - 0.5, y - 0.5);
    let (left, top) = (x.floor(), y.floor());
    let (fx, fy) = (x - left, y - top);
    let upper = at(left, top) * (1.0 - fx) + at(left + 1.0, top) * fx;
    let lower = at(left, top + 1.0) * (1.0 - fx) + at(left + 1.0, top + 1.0) * fx;
    upper * (1.0 - fy) + lower * fy
}

/// Equal to the rounded reference, but where it lies half-way between two grey levels.
fn assert_close(out: &[f32], expected: impl Fn(usize, usize) -> f64, side: usize) {
    for y in 0..side {
        for x in 0..side {
            let (have, want) = (f64::from(out[y * side + x]), expected(x, y));
            let tie = (want.fract() - 0.5).abs() < 0.01;
            assert!(
                have == want.round() || tie && (have - want).abs() < 0.52,
                "{have} is not {want} at {x}, {y}"
            );
        }
    }
}

#[test]
fn no_change_at_the_same_size_copies() {
    let pixels = picture(48, 1);
    let out = rendered(&pixels, 48, 48, &Transform::NONE);
    assert!(out.iter().zip(&pixels).all(|(&o, &p)| o == f32::from(p)));
}

#[test]
fn no_change_is_a_half_pixel_centred_bilinear_resize() {
    let pixels = picture(48, 2);
    for side in [49, 64, 96, 112, 224] {
        let out = rendered(&pixels, 48, side, &Transform::NONE);
        let step = 48.0 / side as f64;
        let expected =
            |x: usize, y: usize| sample(&pixels, 48, (x as f64 + 0.5) * step, (y as f64 + 0.5) * step);
        assert_close(&out, expected, side);
    }
}

#[test]
fn inference_crops_the_same_way() {
    let pixels = picture(48, 3);
    let grey = moue_media::Grey::from_raw(48, 48, pixels.clone()).unwrap();
    let whole = moue_media::Region { x: 0.0, y: 0.0, width: 48.0, height: 48.0 };
    for side in [24, 37, 48, 64, 96, 224] {
        let crop = grey.crop_resized(whole, side as u32).unwrap();
        let out = rendered(&pixels, 48, side, &Transform::NONE);
        let off = out.iter().zip(crop.pixels()).map(|(&o, &c)| (o - f32::from(c)).abs());
        assert!(off.clone().all(|d| d <= 1.0), "more than rounding at {side}");
        // Half-way values may be rounded either way.
        let ties = off.filter(|&d| d > 0.0).count();
        assert!(ties * 50 <= out.len(), "{ties} of {} differ at {side}", out.len());
    }
}

#[test]
fn warps_follow_the_plain_reference() {
    let pixels = picture(48, 4);
    for seed in 0..20 {
        let range =
            Augmentation { flip: 0.5, shift: 0.2, rotation: 40.0, scale: 0.3, ..Augmentation::default() };
        let t = range.draw(seed, 0, 0);
        let out = rendered(&pixels, 48, 80, &t);
        let (sin, cos) = f64::from(t.rotation).to_radians().sin_cos();
        let expected = |x: usize, y: usize| {
            let x = if t.flip { 79 - x } else { x };
            // Middle-centred position in sides, minus the shift.
            let u = (x as f64 + 0.5) / 80.0 - 0.5 - f64::from(t.shift[0]);
            let v = (y as f64 + 0.5) / 80.0 - 0.5 - f64::from(t.shift[1]);
            let (u, v) = (cos * u + sin * v, cos * v - sin * u);
            let size = f64::from(t.scale);
            let place = |p: f64| ((p / size + 0.5) * 48.0).clamp(0.5, 47.5);
            sample(&pixels, 48, place(u), place(v))
        };
        assert_close(&out, expected, 80);
    }
}

#[test]
fn directions_are_as_documented() {
    // A bright spot above the middle.
    let mut pixels = vec![0u8; 48 * 48];
    for y in 6..10 {
        for x in 22..26 {
            pixels[y * 48 + x] = 255;
        }
    }
    let centre = |transform: &Transform| {
        let out = rendered(&pixels, 48, 48, transform);
        let sum: f32 = out.iter().sum();
        let mean = |f: &dyn Fn(usize) -> usize| {
            out.iter().enumerate().map(|(i, v)| f(i) as f32 * v).sum::<f32>() / sum - 23.5
        };
        (mean(&|i| i % 48), mean(&|i| i / 48))
    };
    let near = |a: (f32, f32), b: (f32, f32)| {
        assert!((a.0 - b.0).abs() < 0.3 && (a.1 - b.1).abs() < 0.3, "{a:?} is not {b:?}");
    };
    near(centre(&Transform::NONE), (0.0, -16.0));
    near(centre(&Transform { rotation: 90.0, ..Transform::NONE }), (16.0, 0.0));
    near(centre(&Transform { shift: [0.25, 0.125], ..Transform::NONE }), (12.0, -10.0));
    near(centre(&Transform { scale: 1.25, ..Transform::NONE }), (0.0, -20.0));
    near(centre(&Transform { rotation: 90.0, flip: true, ..Transform::NONE }), (-16.0, 0.0));
}

#[test]
fn flipping_twice_changes_nothing() {
    let pixels = picture(48, 5);
    let flip = Transform { flip: true, ..Transform::NONE };
    let once: Vec<u8> = rendered(&pixels, 48, 48, &flip).iter().map(|&v| v as u8).collect();
    assert_ne!(once, pixels);
    let twice: Vec<u8> = rendered(&once, 48, 48, &flip).iter().map(|&v| v as u8).collect();
    assert_eq!(twice, pixels);
}

#[test]
fn light_changes_around_the_mean_and_stays_in_range() {
    let pixels: Vec<u8> = (0..48 * 48).map(|i| if i % 2 == 0 { 100 } else { 140 }).collect();
    let t = Transform { contrast: 0.5, brightness: 0.1, ..Transform::NONE };
    let out = rendered(&pixels, 48, 48, &t);
    assert!((out[0] - 135.5).abs() < 1e-3 && (out[1] - 155.5).abs() < 1e-3, "{} {}", out[0], out[1]);
    let glare = rendered(&pixels, 48, 48, &Transform { brightness: 1.0, ..Transform::NONE });
    assert!(glare.iter().all(|&v| v == 255.0));
}

#[test]
fn preprocessing_and_channels() {
    let pixels = picture(48, 6);
    let preprocessing = Preprocessing { grey: true, scale: 2.0 / 255.0, offset: -1.0 };
    let plain = rendered(&pixels, 48, 64, &Transform::NONE);
    for channels in [1, 3, 4] {
        let target = Target::new(&[64, 64, channels], &preprocessing).unwrap();
        let mut out = vec![0.0; target.len()];
        let source = Source::new(&pixels, 48).unwrap();
        render(source, &Transform::NONE, &target, &mut Scratch::default(), &mut out).unwrap();
        for (pixel, grey) in out.chunks_exact(channels).zip(&plain) {
            assert!(pixel.iter().all(|&v| v == grey * (2.0 / 255.0) - 1.0));
        }
    }
}

#[test]
fn draws_depend_on_seed_epoch_and_sample_only() {
    let range = full();
    assert_eq!(range.draw(1, 2, 3), range.draw(1, 2, 3));
    for other in [range.draw(0, 2, 3), range.draw(1, 3, 3), range.draw(1, 2, 4)] {
        assert_ne!(range.draw(1, 2, 3), other);
    }
    assert_eq!(Augmentation::default().draw(1, 2, 3), Transform::NONE);
}

fn full() -> Augmentation {
    Augmentation {
        flip: 0.5,
        shift: 0.1,
        rotation: 15.0,
        scale: 0.2,
        brightness: 0.2,
        contrast: 0.3,
        erasing: Some(Erasing { probability: 0.25, area: [0.02, 0.2] }),
        ..Augmentation::default()
    }
}

#[test]
fn draws_fill_their_ranges() {
    let draws: Vec<Transform> = (0..20_000).map(|i| full().draw(9, 1, i)).collect();
    let share =
        |f: &dyn Fn(&Transform) -> bool| draws.iter().filter(|t| f(t)).count() as f64 / draws.len() as f64;
    assert!((share(&|t| t.flip) - 0.5).abs() < 0.02);
    assert!((share(&|t| t.erased.is_some()) - 0.25).abs() < 0.02);
    assert!((share(&|t| t.scale > 1.0) - 0.5).abs() < 0.02);
    type Value = fn(&Transform) -> f32;
    let spans: [(Value, f32, f32); 6] = [
        (|t| t.shift[0], -0.1, 0.1),
        (|t| t.shift[1], -0.1, 0.1),
        (|t| t.rotation, -15.0, 15.0),
        (|t| t.scale, 1.0 / 1.2, 1.2),
        (|t| t.brightness, -0.2, 0.2),
        (|t| t.contrast, 0.7, 1.3),
    ];
    for (value, low, high) in spans {
        let values = draws.iter().map(value);
        let (least, most) = values.fold((f32::MAX, f32::MIN), |(a, b), v| (a.min(v), b.max(v)));
        assert!(least >= low - 1e-6 && most <= high + 1e-6, "{least}..{most} leaves {low}..{high}");
        let span = high - low;
        assert!(
            least < low + 0.01 * span && most > high - 0.01 * span,
            "{least}..{most} is not {low}..{high}"
        );
    }
    for erased in draws.iter().filter_map(|t| t.erased.as_ref()) {
        let area = erased.width * erased.height;
        assert!((0.02 - 1e-6..=0.2 + 1e-6).contains(&area), "{area}");
        assert!(erased.x >= 0.0 && erased.x + erased.width <= 1.0 + 1e-6);
        assert!(erased.y >= 0.0 && erased.y + erased.height <= 1.0 + 1e-6);
    }
}

#[test]
fn erasing_paints_one_rectangle() {
    let pixels = vec![200u8; 48 * 48];
    let erased = Erased { x: 0.25, y: 0.5, width: 0.25, height: 0.125, grey: 3.0 };
    let out = rendered(&pixels, 48, 96, &Transform { erased: Some(erased), ..Transform::NONE });
    for (i, &v) in out.iter().enumerate() {
        let inside = (24..48).contains(&(i % 96)) && (48..60).contains(&(i / 96));
        assert_eq!(v, if inside { 3.0 } else { 200.0 });
    }
}

#[test]
fn refuses_buffers_that_do_not_fit() {
    assert!(Source::new(&[0; 5], 2).is_err());
    assert!(Source::new(&[], 0).is_err());
    assert!(Target::new(&[8, 9, 3], &GREY).is_err());
    assert!(Target::new(&[8], &GREY).is_err());
    assert!(Target::new(&[8, 8, 3], &Preprocessing { grey: false, ..GREY }).is_err());
    let target = Target::new(&[8, 8, 3], &GREY).unwrap();
    let source = Source::new(&[0; 4], 2).unwrap();
    let mut short = [0.0; 5];
    assert!(render(source, &Transform::NONE, &target, &mut Scratch::default(), &mut short).is_err());
}

#[test]
fn rendering_costs_little_beside_a_training_step() {
    let pixels = picture(48, 7);
    let target = Target::new(&[96, 96, 3], &Preprocessing::default()).unwrap();
    let mut scratch = Scratch::default();
    let mut out = vec![0.0; target.len()];
    let mut times: Vec<f64> = (0..200)
        .map(|i| {
            let start = std::time::Instant::now();
            let source = Source::new(&pixels, 48).unwrap();
            render(source, &full().draw(1, 1, i), &target, &mut scratch, &mut out).unwrap();
            start.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    times.sort_by(f64::total_cmp);
    println!("one augmented 96x96 picture: {:.4} ms, median {:.4} ms", times[0], times[100]);
    // A hundred times what is expected: only an accident such as a build without optimisation fails.
    assert!(times[100] < 5.0, "{} ms", times[100]);
}

#[test]
fn a_low_resolution_is_a_reduction_and_an_enlargement() {
    let pixels = picture(48, 9);
    let camera = Camera { resolution: 0.5, ..Camera::NONE };
    let out = rendered(&pixels, 48, 48, &Transform { camera, ..Transform::NONE });
    let small = moue_media::Grey::from_raw(48, 48, pixels.clone()).unwrap();
    let whole = moue_media::Region { x: 0.0, y: 0.0, width: 48.0, height: 48.0 };
    let small = small.crop_resized(whole, 24).unwrap();
    let expected =
        |x: usize, y: usize| sample(small.pixels(), 24, (x as f64 + 0.5) * 0.5, (y as f64 + 0.5) * 0.5);
    for (i, &value) in out.iter().enumerate() {
        // One grey level more: the reference is rounded in between.
        assert!((f64::from(value) - expected(i % 48, i / 48)).abs() < 2.0);
    }
    assert!(out.iter().zip(&pixels).any(|(&o, &p)| (o - f32::from(p)).abs() > 20.0));
}

#[test]
fn camera_changes_are_drawn_apart_from_the_others() {
    let plain = Augmentation { flip: 0.5, shift: 0.1, contrast: 0.2, ..Augmentation::default() };
    let more = Augmentation { resolution: 0.4, gamma: 0.5, noise: 0.1, ..plain.clone() };
    for sample in 0..200 {
        let (a, b) = (plain.draw(1, 2, sample), more.draw(1, 2, sample));
        assert_eq!(a.camera, Camera::NONE);
        assert!((0.4..=1.0).contains(&b.camera.resolution) && (0.0..=0.1).contains(&b.camera.noise));
        assert!((1.0 / 1.5..=1.5).contains(&b.camera.gamma));
        assert_eq!(a, Transform { camera: a.camera, ..b });
    }
    for wrong in [0.0, 1.1, f32::NAN] {
        assert!(Augmentation { resolution: wrong, ..Augmentation::default() }.check().is_err());
    }
}
