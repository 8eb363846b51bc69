//! Colours that people with any kind of colour vision tell apart.

/// Okabe and Ito, "Color Universal Design" (2008), in the order of the FER2013 labels, so that the
/// usual reading of the colours helps: angry is red, sad is blue, happy is yellow.
const OKABE_ITO: [[u8; 3]; 8] = [
    [213, 94, 0],    // vermillion: angry
    [0, 158, 115],   // bluish green: disgust
    [204, 121, 167], // reddish purple: fear
    [240, 228, 66],  // yellow: happy
    [0, 114, 178],   // blue: sad
    [230, 159, 0],   // orange: surprise
    [86, 180, 233],  // sky blue: neutral
    [0, 0, 0],       // black: an eighth label, such as FER+'s contempt
];

/// The RGB colour of label `index`: the eight colours of Okabe and Ito (2008), which stay distinct with
/// protanopia, deuteranopia and tritanopia. From the eighth label on they repeat.
///
/// For the label order of FER2013: vermillion for angry, bluish green for disgust, reddish purple for fear,
/// yellow for happy, blue for sad, orange for surprise, sky blue for neutral; black is the eighth.
pub fn palette(index: usize) -> [u8; 3] {
    OKABE_ITO[index % OKABE_ITO.len()]
}

/// Black or white, whichever stands out more on `background` by the contrast ratio of WCAG 2.2.
pub fn readable_on(background: [u8; 3]) -> [u8; 3] {
    // Black has luminance 0, white 1; the ratio is (lighter + 0.05) / (darker + 0.05).
    let luminance = luminance(background);
    let with_black = (luminance + 0.05) / 0.05;
    let with_white = 1.05 / (luminance + 0.05);
    if with_black >= with_white { [0, 0, 0] } else { [255, 255, 255] }
}

/// Relative luminance by WCAG 2.2: 0 for black to 1 for white, from sRGB.
fn luminance(colour: [u8; 3]) -> f32 {
    let [red, green, blue] = colour.map(|value| {
        let value = f32::from(value) / 255.0;
        if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    });
    0.2126 * red + 0.7152 * green + 0.0722 * blue
}
