//! Colours of emotions and groups, for light and dark pages.

use std::fmt::Write as _;

use moue_media::palette;

/// Lines in the hues of [`palette`], darker on a light page and lighter on a dark one, so that each stands out by 3 : 1
/// at least (WCAG 2.2, 1.4.11).
const LINES: [(&str, &str); 8] = [
    ("#b84f00", "#ff8a3c"),
    ("#007a59", "#2bc299"),
    ("#a84f81", "#e59cc4"),
    ("#857500", "#f0e442"),
    ("#005f96", "#5cb0e6"),
    ("#a06a00", "#f2b134"),
    ("#2f86b8", "#8ccdf2"),
    ("#333333", "#cccccc"),
];

/// The emotions in the order of the palette.
const EMOTIONS: [&str; 8] = ["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral", "contempt"];

/// The hue of a label, by its name and not its place: models number emotions differently. Labels that are none of the
/// usual ones take the hue of their place.
pub fn hue(label: &str, place: usize) -> usize {
    EMOTIONS.iter().position(|e| *e == label).unwrap_or(place % LINES.len())
}

/// Hues of groups that are compared, far from each other in lightness, too.
pub fn group_hue(group: usize) -> usize {
    [4, 0, 1, 2, 7, 5, 6, 3][group % 8]
}

/// A class a hue: `--f` fills, `--l` draws lines, `--t` writes upon `--f`.
pub fn style() -> String {
    let mut css = String::new();
    let hex = |[r, g, b]: [u8; 3]| format!("#{r:02x}{g:02x}{b:02x}");
    for (i, (light, _)) in LINES.iter().enumerate() {
        let fill = palette(i);
        let text = hex(moue_media::readable_on(fill));
        // Writing to a string cannot fail.
        let _ = write!(css, ".h{i}{{--f:{};--l:{light};--t:{text}}}", hex(fill));
    }
    css.push_str("@media screen and (prefers-color-scheme:dark){");
    for (i, (_, dark)) in LINES.iter().enumerate() {
        let _ = write!(css, ".h{i}{{--l:{dark}}}");
    }
    css.push_str(".h7{--f:#8a8a8a;--t:#000}}");
    css
}
