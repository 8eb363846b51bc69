//! Scenes to learn from: parts of photos, and faces of all sizes set into photos without any.

use moue_media::Grey;
use rayon::prelude::*;

use super::super::detector::CnnParameters;
use super::super::pyramid::Pyramid;
use super::canvas::{Canvas, Mask, Placement, spread};
use super::loss::{Lesson, Role, Target};
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

/// Pixels (root of the area) from which a portrait can be set into scenes as a large face.
const LARGE: f32 = 170.0;

/// Size of a face from which only large portraits are enlarged to it.
const NEEDS_LARGE: f32 = 260.0;

/// How well the roll of faces in photos of all kinds is known: people lean their heads.
const EVERYDAY_ROLL: f32 = 0.5;

pub(super) struct Labelled {
    pub pyramid: Pyramid,
    /// Centre, width, height of each face.
    pub faces: Vec<[f32; 4]>,
    pub ignored: Vec<[f32; 4]>,
    /// Whether all faces have boxes.
    pub complete: bool,
    /// How well it is known that the faces are upright, 0 to 1.
    pub roll_weight: f32,
}

/// What an [`Album`] is made of.
#[derive(Clone, Copy, Debug)]
pub struct Sources<'a> {
    /// Photos of one person each, more or less frontal and upright.
    pub portraits: &'a [Photo],
    /// Photos of the street.
    pub streets: &'a [Photo],
    /// Photos of all kinds, close-ups among them.
    pub everyday: &'a [Photo],
    /// Photos without faces.
    pub backgrounds: &'a [Photo],
    /// Face crops of 48x48 pixels as in FER2013.
    pub crops: &'a [Grey],
}

/// All pictures that scenes are made from.
pub struct Album {
    /// Photos of one person each, more or less frontal, with a box.
    pub(super) portraits: Vec<Labelled>,
    /// Places among the portraits of those whose face has [`LARGE`] pixels or more.
    large: Vec<usize>,
    /// Photos of the street, with faces as they come.
    pub(super) streets: Vec<Labelled>,
    /// Everyday photos, with faces as they come.
    pub(super) everyday: Vec<Labelled>,
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

fn labelled(photos: &[Photo], roll_weight: f32) -> Result<Vec<Labelled>, Error> {
    let place = |b: &LabelledBox| [b.x + b.width / 2.0, b.y + b.height / 2.0, b.width, b.height];
    let all = photos.par_iter().map(|photo| {
        Ok(Labelled {
            pyramid: Pyramid::new(&photo.picture)?,
            faces: photo.boxes.iter().filter(|b| !b.ignore).map(place).collect(),
            ignored: photo.boxes.iter().filter(|b| b.ignore).map(place).collect(),
            complete: photo.complete,
            roll_weight,
        })
    });
    Ok(all
        .collect::<Result<Vec<_>, moue_media::Error>>()?
        .into_iter()
        .filter(|l| !l.faces.is_empty())
        .collect())
}

impl Album {
    /// Takes in photos and crops. Everyday photos of one person, seen large enough, serve as portraits too.
    ///
    /// # Errors
    /// [`Error::Training`] where there are no portraits or no backgrounds.
    pub fn new(sources: &Sources<'_>) -> Result<Self, Error> {
        let pyramids =
            |pictures: Vec<&Grey>| pictures.into_par_iter().map(Pyramid::new).collect::<Result<Vec<_>, _>>();
        let alone = |photo: &&Photo| {
            matches!(photo.boxes.as_slice(), [one] if !one.ignore && one.height >= 70.0) && photo.complete
        };
        let mut portraits = labelled(sources.portraits, 1.0)?;
        let single: Vec<Photo> = sources.everyday.iter().filter(alone).cloned().collect();
        portraits.extend(labelled(&single, EVERYDAY_ROLL)?);
        let side = |l: &Labelled| (l.faces[0][2] * l.faces[0][3]).sqrt();
        let album = Self {
            large: (0..portraits.len()).filter(|&i| side(&portraits[i]) >= LARGE).collect(),
            portraits,
            streets: labelled(sources.streets, EVERYDAY_ROLL)?,
            everyday: labelled(sources.everyday, EVERYDAY_ROLL)?,
            backgrounds: pyramids(sources.backgrounds.iter().map(|p| &p.picture).collect())?,
            crops: pyramids(sources.crops.iter().collect())?,
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
    ) -> Result<(Vec<f32>, Lesson), Error> {
        let mut painter = Painter::new(self, Random::new(seed, step, index), Canvas::new(side));
        match painter.random.unit() {
            kind if kind < 0.12 && !self.streets.is_empty() => painter.photo(&self.streets),
            kind if kind < 0.52 && !self.everyday.is_empty() => painter.photo(&self.everyday),
            kind if kind < 0.80 => painter.crowd(),
            kind if kind < 0.84 => painter.sheet(),
            _ => painter.empty(hard),
        }
        // Small pictures are enlarged before they are searched.
        if painter.random.chance(0.35) {
            let factor = painter.random.log_between(1.1, 2.0);
            painter.canvas.soften(factor)?;
        }
        painter.light();
        let Painter { canvas, targets, complete, .. } = painter;
        let targets = targets.into_iter().filter_map(|t| taught(t, side as f32)).collect();
        Ok((canvas.pixels, Lesson { targets, complete }))
    }
}

/// Pixels of the network's input a pixel of a photo with this longest side, as the detector looks at it.
pub(super) fn seen_at(longest: f32) -> f32 {
    let usual = CnnParameters::default();
    (usual.longest_side as f32 / longest).min(usual.enlargement)
}

/// What is taught of a face that may lie partly outside the scene. An upright one is taught as what is seen of it, as people
/// draw boxes; a turned one whole.
fn taught(t: Target, side: f32) -> Option<Target> {
    let visible = visible(&t, side);
    if visible < HIDDEN && t.role != Role::Ignored || visible == 0.0 {
        return None;
    }
    let mut taught = t;
    if t.roll.abs() < UPRIGHT {
        let (left, top) = (t.x.max(0.0), t.y.max(0.0));
        let (right, bottom) = ((t.x + t.width).min(side), (t.y + t.height).min(side));
        if right <= left || bottom <= top {
            return None;
        }
        taught = Target { x: left, y: top, width: right - left, height: bottom - top, ..t };
    }
    if t.is_face() && visible < VISIBLE {
        // Whole: what is seen of it would say nothing of its size.
        taught = Target { role: Role::CutOff, ..t };
    } else if t.is_face() && t.side() < SMALLEST {
        taught.role = Role::Ignored;
    }
    Some(taught)
}

/// Roll, in radians, below which a face is taken to be upright.
const UPRIGHT: f32 = 0.25;

/// Share of a turned box inside the scene.
fn visible(t: &Target, side: f32) -> f32 {
    const POINTS: usize = 12;
    let (sin, cos) = t.roll.sin_cos();
    let (x, y) = (t.x + t.width / 2.0, t.y + t.height / 2.0);
    let at = |i: usize| (i as f32 + 0.5) / POINTS as f32 - 0.5;
    let inside = (0..POINTS * POINTS).filter(|i| {
        let (across, down) = (at(i % POINTS) * t.width, at(i / POINTS) * t.height);
        let (px, py) = (x + across * cos - down * sin, y + across * sin + down * cos);
        (0.0..side).contains(&px) && (0.0..side).contains(&py)
    });
    inside.count() as f32 / (POINTS * POINTS) as f32
}

pub(super) struct Painter<'a> {
    pub album: &'a Album,
    pub random: Random,
    pub canvas: Canvas,
    targets: Vec<Target>,
    /// Whether all faces are among the targets.
    complete: bool,
}

const WHOLE: Mask = Mask { reach: [1e4, 1e4, 1e4], power: 20.0, feather: 0.0 };

impl<'a> Painter<'a> {
    pub(super) fn new(album: &'a Album, random: Random, canvas: Canvas) -> Self {
        Self { album, random, canvas, targets: Vec::new(), complete: true }
    }
}

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

    /// By how much a photo or face is turned, in radians: often little, often any angle, at times quarters, as photos of
    /// phones that lost their orientation.
    pub(super) fn roll(&mut self) -> f32 {
        use std::f32::consts::{FRAC_PI_2, PI};
        match self.random.unit() {
            kind if kind < 0.22 => 0.0,
            kind if kind < 0.45 => 0.5 * self.random.bell(),
            kind if kind < 0.52 => FRAC_PI_2 * (1 + self.random.below(3)) as f32,
            _ => self.random.between(-PI, PI),
        }
    }

    /// What stands around a photo that does not fill the scene.
    fn surroundings(&mut self) {
        if self.random.chance(0.5) {
            self.background();
        } else {
            let grey = if self.random.chance(0.6) { 0.0 } else { self.random.between(0.0, 255.0) };
            self.canvas.pixels.fill(grey);
        }
    }

    /// A photo with faces as they come, or a part of one.
    fn photo(&mut self, photos: &[Labelled]) {
        self.surroundings();
        let photo = &photos[self.random.below(photos.len())];
        let face = photo.faces[self.random.below(photo.faces.len())];
        let side = (face[2] * face[3]).sqrt();
        let extent = self.side();
        let longest = photo.pyramid.width().max(photo.pyramid.height());
        // Faces are not enlarged beyond what their pixels bear.
        let most = (3.0 * side).clamp(60.0, 1.3 * extent);
        let (mut angle, stretch) = (self.roll(), self.random.between(0.92, 1.08));
        let random = &mut self.random;
        let (scale, from, to) = match random.unit() {
            // The whole photo, as the detector sees it: what it leaves lies right and below.
            kind if kind < 0.2 => {
                angle = 0.0;
                let scale = (extent / longest).min(3.0) * random.log_between(0.75, 1.0);
                let middle = [photo.pyramid.width() / 2.0, photo.pyramid.height() / 2.0];
                (scale, [middle[0], middle[1], face[2], face[3]], middle.map(|v| v * scale))
            }
            // About as the detector sees the photo, or a face of any size.
            kind => {
                let scale = if kind < 0.4 {
                    (seen_at(longest) * random.log_between(0.7, 1.4)).min(most / side)
                } else {
                    random.log_between(14.0, most) / side
                };
                let large = (side * scale / extent).min(1.0);
                // The larger the face, the nearer to the middle.
                let reach = 0.45 * (1.0 - large) + 0.12;
                let to = [0, 1].map(|_| (0.5 + random.between(-reach, reach)) * extent);
                (scale, face, to)
            }
        };
        let placement = Placement {
            from,
            to,
            scale,
            stretch,
            angle,
            mirror: self.random.chance(0.5),
            tone: [1.0, 0.0],
            mask: WHOLE,
        };
        self.canvas.paste(&photo.pyramid, &placement);
        let role = Role::Face { roll_weight: photo.roll_weight };
        self.targets.extend(photo.faces.iter().map(|&f| placement.place(f, role)));
        self.targets.extend(photo.ignored.iter().map(|&f| placement.place(f, Role::Ignored)));
        self.complete &= photo.complete;
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
            let role = Role::Face { roll_weight: photo.roll_weight };
            self.targets.push(placement.place(face, role));
            self.targets.extend(photo.ignored.iter().map(|&f| placement.place(f, Role::Ignored)));
        }
    }

    /// Faces of many sizes before a photo without any.
    fn crowd(&mut self) {
        self.background();
        if self.random.chance(0.4) {
            self.decoys();
        }
        let largest = self.side() * 1.2;
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
        let angle = self.roll();
        let lone = lone && size < NEEDS_LARGE;
        let (source, from, ignored, roll_weight): (&Pyramid, [f32; 4], &[[f32; 4]], f32) = if lone {
            (&album.crops[self.random.below(album.crops.len())], FER_BOX, &[], 1.0)
        } else {
            let at = if size > NEEDS_LARGE && !album.large.is_empty() {
                album.large[self.random.below(album.large.len())]
            } else {
                self.random.below(album.portraits.len())
            };
            let photo = &album.portraits[at];
            (&photo.pyramid, photo.faces[0], &photo.ignored, photo.roll_weight)
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
        let face = placement.place(from, Role::Face { roll_weight });
        let reach = [mask.reach[0].min(2.6), mask.reach[1].min(1.6), mask.reach[2].min(2.0)];
        let covered = placement
            .place([from[0], from[1], from[2] * reach[0], from[3] * (reach[1] + reach[2]) / 2.0], face.role);
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
            self.targets.extend(ignored.iter().map(|&f| placement.place(f, Role::Ignored)));
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
            ..*face
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
    pub(super) fn occlude(&mut self, face: &Target) {
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
    pub(super) fn light(&mut self) {
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

/// Area that two boxes share, as if both were upright.
fn shared(a: &Target, b: &Target) -> f32 {
    let across = (a.x + a.width).min(b.x + b.width) - a.x.max(b.x);
    let down = (a.y + a.height).min(b.y + b.height) - a.y.max(b.y);
    across.max(0.0) * down.max(0.0)
}
