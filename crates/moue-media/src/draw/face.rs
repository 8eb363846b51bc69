//! Faces: a frame around each, and a plate with its label where nothing else is.

use super::palette::readable_on;
use super::rounded::Rounded;
use super::text::{Weight, draw_text, fit_text, measure_text};
use crate::{Picture, Region};

/// One face to be marked.
#[derive(Clone, Copy, Debug)]
pub struct FaceMark<'a> {
    /// Where the face is. What leaves the picture is cut off, so that the frame stays visible.
    pub region: Region,
    /// Degrees by which the frame is turned clockwise about the centre of the region.
    pub roll: f32,
    /// One short line, such as "happy 87 %". No plate is drawn for an empty one.
    pub label: &'a str,
    /// Colour of the frame and the plate; the text is black or white, whichever reads better on it.
    pub colour: [u8; 3],
}

/// Draws a frame around one face and its label above it; see [`draw_faces`].
pub fn draw_face(picture: &mut Picture, region: Region, label: &str, colour: [u8; 3]) {
    draw_faces(picture, &[FaceMark { region, roll: 0.0, label, colour }]);
}

/// Draws a frame around each face, and then the labels on top.
///
/// A label stands above its frame; where there is no room, or another face or label is there, it
/// stands below or inside. It never leaves the picture: a label wider than the picture is set smaller and then
/// shortened. Lines and text grow with the picture and with the face, so that they read well
/// when the picture is fitted to a screen. Faces that lie wholly outside the picture, or whose region is empty or not
/// finite, are left out.
pub fn draw_faces(picture: &mut Picture, faces: &[FaceMark<'_>]) {
    let frames: Vec<(Frame, &FaceMark<'_>)> =
        faces.iter().filter_map(|face| Some((Frame::new(picture, face.region, face.roll)?, face))).collect();
    for (frame, face) in &frames {
        frame.draw(picture, face.colour);
    }
    let mut taken: Vec<Area> = Vec::new();
    for (index, (frame, face)) in frames.iter().enumerate() {
        let Some(plate) = Plate::new(picture, frame, face.label) else { continue };
        let others =
            frames.iter().enumerate().filter(|(i, _)| *i != index).map(|(_, (other, _))| other.outer());
        let obstacles: Vec<(Area, f32)> =
            taken.iter().map(|&area| (area, LABEL_COST)).chain(others.map(|area| (area, 1.0))).collect();
        let area = plate.place(picture, frame, &obstacles);
        plate.draw(picture, area, face.colour);
        taken.push(area);
    }
}

/// How much worse it is to cover a label than to cover a face.
const LABEL_COST: f32 = 24.0;

/// The frame around a face.
struct Frame {
    edge: Rounded,
    line: f32,
    /// Width of the contour on both sides of the line that sets it off from pixels of its own colour.
    contour: f32,
    /// Where the frame is turned: what it encloses, as far as it lies in the picture.
    turned: Option<Area>,
}

/// Degrees of roll from which a frame is turned.
const TURNED: f32 = 6.0;

impl Frame {
    /// `None` where nothing of the region can be seen.
    fn new(picture: &Picture, region: Region, roll: f32) -> Option<Self> {
        if roll.is_finite() && roll.abs() >= TURNED {
            return Self::turned(picture, region, roll);
        }
        let area = Area::visible(picture, region)?;
        let picture_side = picture.width().min(picture.height()) as f32;
        let face_side = (area.right - area.left).min(area.bottom - area.top);
        let line = (picture_side / 220.0).min(face_side / 16.0).round().clamp(1.0, 16.0);
        let contour = (line / 2.0).round().max(1.0);
        // Half a line on each side of the edge, and the contour, stay within the picture.
        let inset = line / 2.0 + contour;
        let snap = |v: f32, limit: f32| {
            let whole = (v.clamp(inset, (limit - inset).max(inset)) - line / 2.0).round();
            whole + line / 2.0
        };
        let (width, height) = (picture.width() as f32, picture.height() as f32);
        let edge = Rounded {
            left: snap(area.left, width),
            top: snap(area.top, height),
            right: snap(area.right, width),
            bottom: snap(area.bottom, height),
            radius: line * 2.5,
            roll: 0.0,
        };
        Some(Self { edge, line, contour, turned: None })
    }

    /// A turned frame may leave the picture: a part of it is cut off with the face.
    fn turned(picture: &Picture, region: Region, roll: f32) -> Option<Self> {
        let Region { x, y, width, height } = region;
        let (sin, cos) = roll.to_radians().sin_cos();
        let across = (width * cos).abs() + (height * sin).abs();
        let down = (width * sin).abs() + (height * cos).abs();
        let (middle, centre) = (x + width / 2.0, y + height / 2.0);
        let hull = Region { x: middle - across / 2.0, y: centre - down / 2.0, width: across, height: down };
        let area = Area::visible(picture, hull)?;
        let picture_side = picture.width().min(picture.height()) as f32;
        let line = (picture_side / 220.0).min(width.min(height) / 16.0).round().clamp(1.0, 16.0);
        let contour = (line / 2.0).round().max(1.0);
        let edge = Rounded {
            left: x,
            top: y,
            right: x + width,
            bottom: y + height,
            radius: line * 2.5,
            roll: roll.to_radians(),
        };
        Some(Self { edge, line, contour, turned: Some(area) })
    }

    fn draw(&self, picture: &mut Picture, colour: [u8; 3]) {
        self.edge.stroke(picture, self.line + 2.0 * self.contour, readable_on(colour), 0.45);
        self.edge.stroke(picture, self.line, colour, 1.0);
    }

    /// All that the frame covers or encloses.
    fn outer(&self) -> Area {
        if let Some(area) = self.turned {
            return area;
        }
        let reach = self.line / 2.0 + self.contour;
        Area {
            left: self.edge.left - reach,
            top: self.edge.top - reach,
            right: self.edge.right + reach,
            bottom: self.edge.bottom + reach,
        }
    }
}

/// A label on its ground, not yet placed.
struct Plate {
    text: String,
    size: f32,
    width: f32,
    height: f32,
    padding: f32,
}

impl Plate {
    /// `None` where there is nothing to write or no room at all.
    fn new(picture: &Picture, frame: &Frame, label: &str) -> Option<Self> {
        let label = label.trim();
        if label.is_empty() {
            return None;
        }
        let picture_side = picture.width().min(picture.height()) as f32;
        let smallest = (picture_side * 0.026).max(12.0);
        let largest = (picture_side * 0.055).max(16.0).min(smallest * 2.5);
        let face_width = frame.edge.right - frame.edge.left;
        let mut size = (face_width * 0.16).clamp(smallest, largest).round();
        let room = picture.width() as f32;
        let needed = measure_text(label, size, Weight::Bold) + 2.0 * padding(size);
        if needed > room {
            size = (size * room / needed).floor().max(8.0);
        }
        let text = fit_text(label, size, Weight::Bold, room - 2.0 * padding(size));
        let width = (measure_text(&text, size, Weight::Bold) + 2.0 * padding(size)).ceil().min(room);
        let height = (size * 1.16).ceil();
        let fits = !text.is_empty() && height <= picture.height() as f32;
        fits.then_some(Self { text, size, width, height, padding: padding(size) })
    }

    /// The best place: above, below, inside the frame, in this order, each at the left and at the right end.
    fn place(&self, picture: &Picture, frame: &Frame, obstacles: &[(Area, f32)]) -> Area {
        let outer = frame.outer();
        let inner = frame.line / 2.0 + frame.contour + 1.0;
        let limits = (picture.width() as f32, picture.height() as f32);
        let left = outer.left;
        let right = outer.right - self.width;
        let above = outer.top - self.height;
        let below = outer.bottom;
        let top_inside = frame.edge.top + inner;
        let bottom_inside = frame.edge.bottom - inner - self.height;
        let inside_left = frame.edge.left + inner;
        let candidates = [
            (left, above),
            (right, above),
            (left, below),
            (right, below),
            (inside_left, top_inside),
            (inside_left, bottom_inside),
        ];
        let mut best = self.at(candidates[4], limits);
        let mut best_cost = f32::INFINITY;
        for (rank, &corner) in candidates.iter().enumerate() {
            let area = self.at(corner, limits);
            // A label pushed back into the picture covers its own face; that is the last resort, as is "inside".
            let own = if rank < 4 { area.overlap(&outer) } else { 0.0 };
            let others: f32 = obstacles.iter().map(|(obstacle, cost)| area.overlap(obstacle) * cost).sum();
            let inside = if rank < 4 { 0.0 } else { self.width * self.height * 0.5 };
            let cost = own + others + inside + rank as f32 * 0.01;
            if cost < best_cost {
                (best, best_cost) = (area, cost);
            }
        }
        best
    }

    /// The plate with its upper left corner there, or as near as the picture allows, on whole pixels.
    fn at(&self, (left, top): (f32, f32), (width, height): (f32, f32)) -> Area {
        let left = left.round().min(width - self.width).max(0.0);
        let top = top.round().min(height - self.height).max(0.0);
        Area { left, top, right: left + self.width, bottom: top + self.height }
    }

    fn draw(&self, picture: &mut Picture, area: Area, colour: [u8; 3]) {
        let ground = Rounded {
            left: area.left,
            top: area.top,
            right: area.right,
            bottom: area.bottom,
            radius: self.height * 0.18,
            roll: 0.0,
        };
        ground.fill(picture, colour, 1.0);
        let top = area.top + (self.height - self.size) / 2.0;
        draw_text(
            picture,
            &self.text,
            area.left + self.padding,
            top,
            self.size,
            Weight::Bold,
            readable_on(colour),
        );
    }
}

/// Space to the left and the right of a label.
fn padding(size: f32) -> f32 {
    (size * 0.35).round()
}

/// A rectangle by its edges.
#[derive(Clone, Copy, Debug)]
struct Area {
    left: f32,
    top: f32,
    right: f32,
    bottom: f32,
}

impl Area {
    /// The part of a region that lies in the picture; `None` where there is none.
    fn visible(picture: &Picture, region: Region) -> Option<Self> {
        let Region { x, y, width, height } = region;
        if !(x.is_finite() && y.is_finite() && width > 0.0 && height > 0.0) {
            return None;
        }
        let area = Self {
            left: x.max(0.0),
            top: y.max(0.0),
            right: (x + width).min(picture.width() as f32),
            bottom: (y + height).min(picture.height() as f32),
        };
        (area.left < area.right && area.top < area.bottom).then_some(area)
    }

    /// Pixels that both cover.
    fn overlap(&self, other: &Self) -> f32 {
        let width = self.right.min(other.right) - self.left.max(other.left);
        let height = self.bottom.min(other.bottom) - self.top.max(other.top);
        width.max(0.0) * height.max(0.0)
    }
}
