//! A colour ramp in which equal steps look equal.

/// Anchors of Oklab lightness and chroma: from nearly white to a deep blue, chroma rising and falling again so that
/// the middle is not grey.
const LIGHT: f64 = 0.985;
const DARK: f64 = 0.30;
/// Hue in degrees at the light and at the dark end.
const HUES: [f64; 2] = [215.0, 265.0];

/// The RGB colour for a share of 0 (nearly white) to 1 (deep blue). Lightness falls linearly in Oklab (Björn Ottosson:
/// "A perceptual color space for image processing", 2020), so that equal differences of the share look
/// equally large, in grey print and with any colour vision too.
pub fn sequential(share: f64) -> [u8; 3] {
    let t = if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 };
    let lightness = LIGHT + (DARK - LIGHT) * t;
    let chroma = 0.008 + 0.125 * (std::f64::consts::PI * t.powf(0.8) * 0.78).sin();
    let hue = (HUES[0] + (HUES[1] - HUES[0]) * t).to_radians();
    oklab_to_rgb(lightness, chroma * hue.cos(), chroma * hue.sin())
}

/// sRGB bytes of an Oklab colour; what lies outside sRGB is cut.
fn oklab_to_rgb(lightness: f64, a: f64, b: f64) -> [u8; 3] {
    let l = (lightness + 0.396_337_777_4 * a + 0.215_803_757_3 * b).powi(3);
    let m = (lightness - 0.105_561_345_8 * a - 0.063_854_172_8 * b).powi(3);
    let s = (lightness - 0.089_484_177_5 * a - 1.291_485_548_0 * b).powi(3);
    [
        4.076_741_662_1 * l - 3.307_711_591_3 * m + 0.230_969_929_2 * s,
        -1.268_438_004_6 * l + 2.609_757_401_1 * m - 0.341_319_396_5 * s,
        -0.004_196_086_3 * l - 0.703_418_614_7 * m + 1.707_614_701_0 * s,
    ]
    .map(|linear| {
        let linear: f64 = linear.clamp(0.0, 1.0);
        let value =
            if linear <= 0.003_130_8 { 12.92 * linear } else { 1.055 * linear.powf(1.0 / 2.4) - 0.055 };
        (value * 255.0).round() as u8
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_colours_convert() {
        assert_eq!(oklab_to_rgb(1.0, 0.0, 0.0), [255, 255, 255]);
        assert_eq!(oklab_to_rgb(0.0, 0.0, 0.0), [0, 0, 0]);
        // Oklab of sRGB red, as published.
        assert_eq!(oklab_to_rgb(0.627_955, 0.224_863, 0.125_846), [255, 0, 0]);
    }

    #[test]
    fn the_ramp_only_darkens() {
        let luma = |c: [u8; 3]| 299 * u32::from(c[0]) + 587 * u32::from(c[1]) + 114 * u32::from(c[2]);
        let steps: Vec<u32> = (0..=50).map(|i| luma(sequential(f64::from(i) / 50.0))).collect();
        assert!(steps.windows(2).all(|w| w[1] < w[0]), "{steps:?}");
        assert_eq!(sequential(f64::NAN), sequential(0.0));
        assert_eq!(sequential(7.0), sequential(1.0));
    }
}
