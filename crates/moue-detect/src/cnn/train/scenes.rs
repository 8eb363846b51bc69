//! Scenes to learn from: parts of photos, and faces of all sizes set into photos without any.

use moue_media::Grey;

use super::super::detector::CnnParameters;
use super::canvas::{Canvas, Mask, Placement, Pyramid, spread};
use super::loss::Target;
use super::random::Random;
use crate::Error;
use crate::labelled::{LabelledBox, Photo};

/// Where the face lies on a picture of FER2013 (48x48): centre, width and height. Found by laying the mean of
/// FER2013 over that of Labeled Faces in the Wild, whose boxes are known.
const FER_BOX: [f32; 4] = [23.75, 24.4, 38.1, 50.0];

/// Smallest face that is taught as one, in pixels (root of the area).
const SMALLEST: f32 = 12.0;

/// Share of a face within the scene from which it is taught, and below which it is passed over; those between are
/// ignored.
const VISIBLE: f32 = 0.55;
const HIDDEN: f32 = 0.12;

pub(super) struct Labelled {
    pub pyramid: Pyramid,
    /// Centre, width, height of each face.
    pub faces: Vec<[f32; 4]>,
    ignored: Vec<[f32; 4]>,
}

/// All pictures that scenes are made from.
pub struct Album {
    /// Photos of one person each, more or less frontal, with a box.
    pub(super) portraits: Vec<Labelled>,
    /// Photos with faces as they come.
    streets: Vec<Labelled>,
    pub(super) backgrounds: Vec<Pyramid>,
    /// Faces without surroundings, 48x48.
    crops: Vec<Pyramid>,
}

/// A place in a background that the network took for a face: which background, centre, side.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct HardNegative {
    /// Index of the background.
    pub background: usize,
    /// Centre across and down, in pixels of the photo.
    pub centre: [f32; 2],
    /// Scale at which it was found: pixels of the network's input a pixel of the photo.
    pub scale: f32,
}

fn labelled(photos: &[Photo]) -> Result<Vec<Labelled>, Error> {
    let place = |b: &LabelledBox| [b.x + b.width / 2.0, b.y + b.height / 2.0, b.width, b.height];
    let all = photos.iter().map(|photo| {
        Ok(Labelled {
            pyramid: Pyramid::new(&photo.picture)?,
            faces: photo.boxes.iter().filter(|b| !b.ignore).map(place).collect(),
            ignored: photo.boxes.iter().filter(|b| b.ignore).map(place).collect(),
        })
    });
    Ok(all
        .collect::<Result<Vec<_>, moue_media::Error>>()?
        .into_iter()
        .filter(|l| !l.faces.is_empty())
        .collect())
}

impl Album {
    /// Takes photos of one person, photos of the street, photos without faces and face crops of 48x48 pixels as in
    /// FER2013.
    ///
    /// # Errors
    /// [`Error::Training`] where there are no portraits or no backgrounds.
    pub fn new(
        portraits: &[Photo],
        streets: &[Photo],
        backgrounds: &[Photo],
        crops: &[Grey],
    ) -> Result<Self, Error> {
        let pyramids = |pictures: &mut dyn Iterator<Item = &Grey>| {
            pictures.map(Pyramid::new).collect::<Result<Vec<_>, _>>()
        };
        let album = Self {
            portraits: labelled(portraits)?,
            streets: labelled(streets)?,
            backgrounds: pyramids(&mut backgrounds.iter().map(|p| &p.picture))?,
            crops: pyramids(&mut crops.iter())?,
        };
        if album.portraits.is_empty() || album.backgrounds.is_empty() {
            return Err(Error::Training("there are no photos with one face, or none without faces".into()));
        }
        Ok(album)
    }

    /// The scene of this step and place in the batch: `side` x `side` grey levels 0..255 and the faces on them.
    ///
    /// # Errors
    /// Where a scene is too large to be resized.
    pub fn scene(
        &self,
        seed: u64,
        step: u64,
        index: u64,
        side: usize,
        hard: &[HardNegative],
    ) -> Result<(Vec<f32>, Vec<Target>), Error> {
        let mut painter = Painter {
            album: self,
            random: Random::new(seed, step, index),
            canvas: Canvas::new(side),
            targets: Vec::new(),
        };
        match painter.random.unit() {
            kind if kind < 0.38 && !self.streets.is_empty() => painter.street(),
            kind if kind < 0.80 => painter.crowd(),
            kind if kind < 0.85 => painter.sheet(),
            _ => painter.empty(hard),
        }
        // Small pictures are enlarged before they are searched.
        if painter.random.chance(0.4) {
            let factor = painter.random.log_between(1.1, 2.0);
            painter.canvas.soften(factor)?;
        }
        painter.light();
        let Painter { canvas, targets, .. } = painter;
        let targets = targets.into_iter().filter_map(|t| clipped(t, side as f32)).collect();
        Ok((canvas.pixels, targets))
    }
}

/// Pixels of the network's input a pixel of a photo with this longest side, as the detector looks at it.
pub(super) fn seen_at(longest: f32) -> f32 {
    let usual = CnnParameters::default();
    (usual.longest_side as f32 / longest).min(usual.enlargement)
}

/// The part of a face inside the scene, as it is taught.
fn clipped(t: Target, side: f32) -> Option<Target> {
    let (left, top) = (t.x.max(0.0), t.y.max(0.0));
    let (right, bottom) = ((t.x + t.width).min(side), (t.y + t.height).min(side));
    if right <= left || bottom <= top {
        return None;
    }
    let visible = (right - left) * (bottom - top) / (t.width * t.height);
    let small = (t.width * t.height).sqrt() < SMALLEST;
    let taught = Target {
        x: left,
        y: top,
        width: right - left,
        height: bottom - top,
        ignore: t.ignore || small || visible < VISIBLE,
    };
    (visible >= HIDDEN || t.ignore).then_some(taught)
}

pub(super) struct Painter<'a> {
    pub album: &'a Album,
    pub random: Random,
    pub canvas: Canvas,
    targets: Vec<Target>,
}

const WHOLE: Mask = Mask { reach: [1e4, 1e4, 1e4], power: 20.0, feather: 0.0 };

impl Painter<'_> {
    pub(super) fn side(&self) -> f32 {
        self.canvas.side as f32
    }

    /// Fills the scene with a part of a photo without faces.
    fn background(&mut self) {
        let source = &self.album.backgrounds[self.random.below(self.album.backgrounds.len())];
        let cover = (self.side() / source.width()).max(self.side() / source.height());
        let scale = cover * self.random.log_between(1.0, 2.5);
        let half = self.side() / 2.0 / scale;
        let centre = |random: &mut Random, extent: f32| {
            random.between(half.min(extent / 2.0), (extent - half).max(extent / 2.0))
        };
        let (x, y) = (centre(&mut self.random, source.width()), centre(&mut self.random, source.height()));
        self.fill(source, [x, y], scale);
    }

    fn fill(&mut self, source: &Pyramid, [x, y]: [f32; 2], scale: f32) {
        let middle = self.side() / 2.0;
        let placement = Placement {
            from: [x, y, 1.0, 1.0],
            to: [middle, middle],
            scale,
            stretch: 1.0,
            angle: 0.0,
            mirror: self.random.chance(0.5),
            tone: [1.0, 0.0],
            mask: WHOLE,
        };
        self.canvas.paste(source, &placement);
    }

    /// A photo without faces, often around something that was taken for one.
    fn empty(&mut self, hard: &[HardNegative]) {
        self.background();
        if hard.is_empty() || self.random.chance(0.3) {
            self.decoys();
        } else {
            let HardNegative { background, centre, scale } = hard[self.random.below(hard.len())];
            if let Some(source) = self.album.backgrounds.get(background) {
                let reach = self.side() * 0.35 / scale;
                let shift = |random: &mut Random| random.between(-reach, reach);
                let (x, y) = (centre[0] + shift(&mut self.random), centre[1] + shift(&mut self.random));
                let scale = scale * self.random.log_between(0.8, 1.25);
                self.fill(source, [x, y], scale);
            }
        }
    }

    /// A part of a photo with faces as they come.
    fn street(&mut self) {
        self.background();
        let photo = &self.album.streets[self.random.below(self.album.streets.len())];
        let face = photo.faces[self.random.below(photo.faces.len())];
        let side = (face[2] * face[3]).sqrt();
        let scale = if self.random.chance(0.5) {
            (self.random.log_between(14.0, 260.0) / side).clamp(0.3, 3.0)
        } else {
            // About as the detector sees the photo.
            let longest = photo.pyramid.width().max(photo.pyramid.height());
            seen_at(longest) * self.random.log_between(0.7, 1.4)
        };
        let extent = self.side();
        let to = [self.random.between(0.05, 0.95) * extent, self.random.between(0.05, 0.95) * extent];
        let placement = Placement {
            from: face,
            to,
            scale,
            stretch: self.random.between(0.9, 1.1),
            angle: if self.random.chance(0.4) { 0.5 * self.random.bell() } else { 0.0 },
            mirror: self.random.chance(0.5),
            tone: [1.0, 0.0],
            mask: WHOLE,
        };
        self.canvas.paste(&photo.pyramid, &placement);
        self.targets.extend(photo.faces.iter().map(|&f| placement.place(f, false)));
        self.targets.extend(photo.ignored.iter().map(|&f| placement.place(f, true)));
    }

    /// Photos of one person side by side, as on a contact sheet.
    fn sheet(&mut self) {
        let side = self.side();
        let tile = self.random.log_between(48.0, side);
        let shift = [self.random.unit() * tile, self.random.unit() * tile];
        let count = (side / tile).ceil() as usize + 1;
        for i in 0..count * count {
            let photo = &self.album.portraits[self.random.below(self.album.portraits.len())];
            let zoom = self.random.between(1.0, 1.9);
            let face = photo.faces[0];
            let scale = tile * zoom / photo.pyramid.width();
            let at = |k: usize, axis: usize| (k as f32 + 0.5) * tile - shift[axis];
            // The tile is cut from around the face.
            let reach = tile / 2.0 / scale;
            let placement = Placement {
                from: [face[0], face[1], face[2], face[3]],
                to: [at(i % count, 0), at(i / count, 1)],
                scale,
                stretch: 1.0,
                angle: 0.0,
                mirror: self.random.chance(0.5),
                tone: [1.0, 0.0],
                mask: Mask {
                    reach: [2.0 * reach / face[2], 2.0 * reach / face[3], 2.0 * reach / face[3]],
                    ..WHOLE
                },
            };
            self.canvas.paste(&photo.pyramid, &placement);
            self.targets.push(placement.place(face, false));
            self.targets.extend(photo.ignored.iter().map(|&f| placement.place(f, true)));
        }
    }

    /// Faces of many sizes before a photo without any.
    fn crowd(&mut self) {
        self.background();
        if self.random.chance(0.4) {
            self.decoys();
        }
        let largest = self.side() * 0.9;
        let count =
            1 + self.random.below(4) + if self.random.chance(0.3) { self.random.below(12) } else { 0 };
        // A crowd has faces of about one size, a mixed company has not.
        let common = self.random.chance(0.35).then(|| self.random.log_between(14.0, 75.0));
        let mut sizes: Vec<f32> = (0..count)
            .map(|_| match common {
                Some(size) => size * self.random.log_between(0.75, 1.33),
                None => {
                    let limit = if count > 5 { 80.0 } else { largest };
                    self.random.log_between(14.0, limit)
                }
            })
            .collect();
        sizes.sort_by(|a, b| b.total_cmp(a));
        for size in sizes {
            for _ in 0..5 {
                if self.person(size) {
                    break;
                }
            }
        }
    }

    /// Sets one face of this size into the scene, unless it would cover another.
    fn person(&mut self, size: f32) -> bool {
        let album = self.album;
        let lone = !album.crops.is_empty() && self.random.chance(0.18);
        let extent = self.side();
        let to = [self.random.between(-0.03, 1.03) * extent, self.random.between(-0.03, 1.03) * extent];
        let angle =
            if self.random.chance(0.5) { 0.8 * self.random.bell() } else { 0.15 * self.random.bell() };
        let (source, from, ignored): (&Pyramid, [f32; 4], &[[f32; 4]]) = if lone {
            (&album.crops[self.random.below(album.crops.len())], FER_BOX, &[])
        } else {
            let photo = &album.portraits[self.random.below(album.portraits.len())];
            (&photo.pyramid, photo.faces[0], &photo.ignored)
        };
        let mask = self.mask(lone);
        let scale = size / (from[2] * from[3]).sqrt();
        let placement = Placement {
            from,
            to,
            scale,
            stretch: self.random.between(0.9, 1.12),
            angle,
            mirror: self.random.chance(0.5),
            tone: [1.0, 0.0],
            mask,
        };
        let face = placement.place(from, false);
        let reach = [mask.reach[0].min(2.6), mask.reach[1].min(1.6), mask.reach[2].min(2.0)];
        let covered = placement
            .place([from[0], from[1], from[2] * reach[0], from[3] * (reach[1] + reach[2]) / 2.0], false);
        if self.targets.iter().any(|t| {
            shared(t, &covered) > 0.3 * t.width * t.height
                || shared(t, &face) > 0.2 * face.width * face.height
        }) {
            return false;
        }
        let placement = self.toned(source, placement, &face);
        self.canvas.paste(source, &placement);
        if !lone && !album.crops.is_empty() && self.random.chance(0.3) {
            self.exchange(&placement, &face);
        }
        if self.random.chance(0.14) {
            self.occlude(&face);
        } else {
            self.cover(&placement.frame());
        }
        self.targets.push(face);
        if mask.power > 4.0 {
            self.targets.extend(ignored.iter().map(|&f| placement.place(f, true)));
        }
        true
    }

    /// What is cut out with a face: the head, head and shoulders, or all there is.
    fn mask(&mut self, lone: bool) -> Mask {
        let r = &mut self.random;
        if lone {
            return if r.chance(0.6) {
                Mask {
                    reach: [r.between(1.0, 1.2), r.between(0.85, 0.95), r.between(0.85, 0.93)],
                    power: r.between(2.2, 5.0),
                    feather: r.between(0.05, 0.3),
                }
            } else {
                Mask { reach: [1.24, 0.97, 0.93], power: 20.0, feather: 0.0 }
            };
        }
        match r.unit() {
            kind if kind < 0.4 => Mask {
                reach: [r.between(1.25, 1.6), r.between(1.3, 1.6), r.between(1.1, 1.35)],
                power: r.between(2.0, 3.0),
                feather: r.between(0.05, 0.35),
            },
            kind if kind < 0.75 => Mask {
                reach: [r.between(1.6, 2.6), r.between(1.3, 1.9), r.between(1.6, 2.0)],
                power: r.between(3.0, 10.0),
                feather: r.between(0.0, 0.25),
            },
            _ => WHOLE,
        }
    }

    /// Brings the light of a face nearer to that of the place it is set into.
    fn toned(&mut self, source: &Pyramid, placement: Placement, face: &Target) -> Placement {
        let Some([around, _]) = self.canvas.tone(face) else { return placement };
        let mut own = Canvas::new(24);
        let middle = 12.0;
        let scale = 24.0 / (placement.from[2] * placement.from[3]).sqrt();
        own.paste(
            source,
            &Placement { to: [middle, middle], scale, stretch: 1.0, angle: 0.0, mask: WHOLE, ..placement },
        );
        let Some([mean, _]) = spread(own.pixels.iter().copied()) else { return placement };
        let pull = self.random.between(0.0, 0.7);
        let gain = self.random.between(0.65, 1.2);
        let wanted = mean + pull * (around.clamp(40.0, 210.0) - mean) + 25.0 * self.random.bell();
        Placement { tone: [gain, wanted - gain * mean], ..placement }
    }

    /// Puts a face of FER2013 in the place of the one that stands there, which keeps its hair and neck.
    fn exchange(&mut self, under: &Placement, face: &Target) {
        let inner = Target {
            x: face.x + face.width * 0.15,
            y: face.y + face.height * 0.15,
            width: face.width * 0.7,
            height: face.height * 0.7,
            ignore: false,
        };
        let Some([mean, deviation]) = self.canvas.tone(&inner) else { return };
        let source = &self.album.crops[self.random.below(self.album.crops.len())];
        let mut own = Canvas::new(24);
        let look = Placement {
            from: FER_BOX,
            to: [12.0, 12.0],
            scale: 0.75,
            stretch: 1.0,
            angle: 0.0,
            mirror: false,
            tone: [1.0, 0.0],
            mask: WHOLE,
        };
        own.paste(source, &look);
        let Some([own_mean, own_deviation]) = spread(own.pixels.iter().copied()) else { return };
        let gain = (deviation / own_deviation.max(1.0)).clamp(0.4, 1.6);
        let scale = under.from[2] * under.scale / FER_BOX[2];
        let height = under.from[3] * under.scale * under.stretch;
        let placement = Placement {
            from: FER_BOX,
            to: under.to,
            scale,
            stretch: height / (FER_BOX[3] * scale),
            angle: under.angle,
            mirror: under.mirror,
            tone: [gain, mean - gain * own_mean],
            mask: Mask { reach: [0.98, 0.9, 0.88], power: 2.3, feather: self.random.between(0.12, 0.35) },
        };
        self.canvas.paste(source, &placement);
    }

    /// Hides a part of a face behind a piece of some photo.
    fn occlude(&mut self, face: &Target) {
        let source = &self.album.backgrounds[self.random.below(self.album.backgrounds.len())];
        let r = &mut self.random;
        let (width, height) = (face.width * r.between(0.3, 1.1), face.height * r.between(0.15, 0.4));
        let across = face.x + face.width * r.between(-0.1, 1.1);
        let down =
            face.y + face.height * if r.chance(0.7) { r.between(0.62, 1.0) } else { r.between(0.0, 0.2) };
        let scale = r.log_between(0.3, 1.0);
        let placement = Placement {
            from: [
                source.width() * r.between(0.3, 0.7),
                source.height() * r.between(0.3, 0.7),
                width / scale,
                height / scale,
            ],
            to: [across, down],
            scale,
            stretch: 1.0,
            angle: 0.8 * r.bell(),
            mirror: false,
            tone: [1.0, 0.0],
            mask: Mask { reach: [1.0; 3], power: if r.chance(0.5) { 2.0 } else { 20.0 }, feather: 0.05 },
        };
        self.canvas.paste(source, &placement);
    }

    /// Light, contrast, blur and noise of the whole scene.
    fn light(&mut self) {
        if self.random.chance(0.12) {
            let reach = if self.random.chance(0.75) { 1 } else { 2 };
            self.canvas.blur(reach);
        }
        let gamma = if self.random.chance(0.5) { self.random.log_between(0.55, 1.8) } else { 1.0 };
        let gain = self.random.between(0.7, 1.2);
        let shift = 30.0 * self.random.bell();
        let noise = if self.random.chance(0.25) { self.random.between(2.0, 12.0) } else { 0.0 };
        // A slope of light across the scene.
        let slope = if self.random.chance(0.3) {
            [self.random.between(-0.5, 0.5), self.random.between(-0.5, 0.5)]
        } else {
            [0.0, 0.0]
        };
        let side = self.canvas.side;
        let table: Vec<f32> = (0..=255).map(|v| 255.0 * (v as f32 / 255.0).powf(gamma)).collect();
        let mut state = (self.random.unit() * 1e9) as u32 | 1;
        for (i, value) in self.canvas.pixels.iter_mut().enumerate() {
            let (x, y) = ((i % side) as f32 / side as f32 - 0.5, (i / side) as f32 / side as f32 - 0.5);
            let bent = table[value.clamp(0.0, 255.0) as usize];
            let lit = (bent - 128.0) * gain + 128.0 + shift;
            let lit = lit * (1.0 + slope[0] * x + slope[1] * y);
            // Xorshift (Marsaglia 2003): one step a pixel is enough for noise.
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            let grain = (state >> 16) as f32 / 32768.0 - 1.0;
            *value = (lit + noise * grain).clamp(0.0, 255.0).round();
        }
    }
}

/// Area that two boxes share.
fn shared(a: &Target, b: &Target) -> f32 {
    let across = (a.x + a.width).min(b.x + b.width) - a.x.max(b.x);
    let down = (a.y + a.height).min(b.y + b.height) - a.y.max(b.y);
    across.max(0.0) * down.max(0.0)
}
