//! The trained network, and pictures through it.

use std::collections::VecDeque;
use std::sync::Arc;

use moue_cpu::CpuEngine;
use moue_graph::engine::{Engine, InferenceOptions, InferenceSession};
use moue_graph::{Precision, Quantized, Weights, checkpoint};
use moue_media::{Grey, Picture};
use serde::{Deserialize, Serialize};

use super::boxes::{decode, logit_of, merge, sigmoid};
use super::closer::{self, Closer, Reduced};
use super::input::pack;
use super::network::{GRANULE, VALUES, cells, network};
use super::pyramid::Pyramid;
use super::refine;
use crate::{Detection, Detector, Error};

/// Score that the first network gives to what the second looks at, at least.
const CANDIDATE: f32 = 0.1;

/// Most places that the second network looks at in a picture; the likeliest are taken.
const MOST_CANDIDATES: usize = 600;

const EMBEDDED: &[u8] = include_bytes!("../../models/face.int8.safetensors");

/// What the names of averaged weights in a checkpoint begin with.
pub(super) const AVERAGE: &str = "average/";

/// Pixels that the smallest face that is asked for has in the picture that the network sees: the picture is enlarged or reduced
/// to that, within the limits of [`CnnParameters`].
const SEEN: f32 = 24.0;

/// Longest side, in pixels, to which small pictures are enlarged whatever the smallest face: it costs little.
const LEAST_SIDE: f32 = 416.0;

/// Pixels below which a face in the picture that the network sees is easily missed.
const SMALLEST_SEEN: f32 = 14.0;

/// Score, as a share of the threshold, from which something small is looked at again at twice the size, and its largest side
/// in pixels of the first look.
const DOUBT: f32 = 0.3;
const SMALL: f32 = 26.0;

/// Side, in pixels of the network, of the parts that are looked at again, and how many there are at most.
const PART: f32 = 320.0;
const PARTS: usize = 4;

/// Length over breadth from which a picture is looked at in pieces of half of that, so that a panorama is not reduced to a line;
/// and how many pieces there are at most.
const LONG: f32 = 2.6;
const PIECES: usize = 24;

/// Sessions kept for input sizes seen last: a video has two, a folder of photos a few.
const SESSIONS: usize = 6;

/// The weights of both networks, and what their scores mean.
#[derive(Clone, Debug, PartialEq)]
pub struct Network {
    /// Of the first network, which looks at pictures; real values or integers.
    find: Weights,
    /// Of the second, which looks at faces from near.
    refine: Option<Weights>,
    /// Slope and shift that turn the logit of a box into that of the share of such boxes that are faces.
    calibration: [f32; 2],
}

/// What stands in the file beside the weights.
#[derive(Serialize, Deserialize)]
struct Header {
    what: String,
    version: u32,
    #[serde(default = "uncalibrated")]
    calibration: [f32; 2],
}

fn uncalibrated() -> [f32; 2] {
    [1.0, 0.0]
}

/// What the header calls the file.
const WHAT: &str = "moue face detector";

impl Network {
    /// The network that comes with moue; `models/face.md` says on what it was trained and how good it is.
    ///
    /// # Errors
    /// None in a sound build; the file is checked like any other.
    pub fn embedded() -> Result<Self, Error> {
        Self::from_bytes(EMBEDDED, "the embedded face network")
    }

    /// Takes weights for [`network`] and, where they are there, for the second network, which looks at faces from near; scores
    /// are what the networks give.
    ///
    /// # Errors
    /// [`Error::Network`] where one is missing or of another shape.
    pub fn new(weights: Weights) -> Result<Self, Error> {
        let (find, refine) = divided(weights);
        find.check(&network(GRANULE, GRANULE)?)?;
        if let Some(refine) = &refine {
            refine.check(&refine::network()?)?;
        }
        Ok(Self { find, refine, calibration: uncalibrated() })
    }

    /// What the first network has learnt.
    pub fn weights(&self) -> &Weights {
        &self.find
    }

    /// What the second network has learnt, if there is one.
    pub fn refine_weights(&self) -> Option<&Weights> {
        self.refine.as_ref()
    }

    /// The same network with these weights for its second part.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn refined(self, refine: Weights) -> Result<Self, Error> {
        refine.check(&refine::network()?)?;
        Ok(Self { refine: Some(refine), calibration: uncalibrated(), ..self })
    }

    /// Without the second network, for looking at what the first takes for faces.
    pub fn unrefined(&self) -> Self {
        Self { refine: None, ..self.clone() }
    }

    /// The same network in integers, which takes a fraction of the time: what they stand for is measured on `pictures`, a few
    /// dozen like those it will see.
    ///
    /// # Errors
    /// [`Error::Network`] where the weights are integers already; those of the engine.
    pub fn quantized(&self, pictures: &[Picture], threads: usize) -> Result<Self, Error> {
        const HEIGHT: usize = 480;
        const WIDTH: usize = 640;
        let look = |picture: &Picture| -> Result<Vec<f32>, Error> {
            let scale = (WIDTH as f32 / picture.width() as f32).min(HEIGHT as f32 / picture.height() as f32);
            let side = |pixels: u32| ((pixels as f32 * scale) as u32).max(1);
            let seen = picture.to_grey_of(side(picture.width()), side(picture.height()))?;
            let (mut grey, mut input) = (vec![0; HEIGHT * WIDTH], vec![0.0; HEIGHT * WIDTH]);
            fill(&seen, &mut grey, WIDTH);
            pack(&grey, HEIGHT, WIDTH, &mut input);
            Ok(input)
        };
        let inputs = pictures.iter().map(look).collect::<Result<Vec<_>, _>>()?;
        let find = moue_cpu::quantize(&network(HEIGHT, WIDTH)?, &self.find, inputs, threads)?;
        let refine = match &self.refine {
            Some(weights) => {
                let parameters = CnnParameters { threshold: CANDIDATE, threads, ..CnnParameters::default() };
                let mut finder = CnnDetector::new(Arc::new(self.unrefined()), parameters)?;
                let mut cutouts = Vec::new();
                for picture in pictures {
                    let found = finder.detect(picture)?;
                    for face in found.iter().take(8) {
                        cutouts.push(closer::cutout(picture, face)?);
                    }
                }
                Some(moue_cpu::quantize(&refine::network()?, weights, cutouts, threads)?)
            }
            None => None,
        };
        Ok(Self { find, refine, calibration: self.calibration })
    }

    /// The same network whose scores have gone through a logistic curve over their logit
    /// ([`Evaluation::calibration`](crate::evaluate::Evaluation::calibration)).
    ///
    /// # Errors
    /// [`Error::Parameter`] where the curve does not rise.
    pub fn calibrated(self, slope: f32, shift: f32) -> Result<Self, Error> {
        if !(slope > 0.0 && slope.is_finite() && shift.is_finite()) {
            let value = format!("{slope} and {shift}");
            return Err(Error::Parameter { name: "the calibration", value, expected: "a rising curve" });
        }
        let [a, b] = self.calibration;
        Ok(Self { calibration: [a * slope, b * slope + shift], ..self })
    }

    /// The network as a file: a `.safetensors` of half floats, which halves its size and moves no box by a pixel.
    ///
    /// # Errors
    /// [`Error::Network`] where a value does not fit a half float.
    pub fn to_bytes(&self) -> Result<Vec<u8>, Error> {
        let header = Header { what: WHAT.to_owned(), version: 1, calibration: self.calibration };
        let header = serde_json::to_value(header).map_err(|e| Error::Training(e.to_string()))?;
        Ok(checkpoint::to_bytes(&header, &self.together(), Precision::F16)?)
    }

    /// The weights of both networks.
    fn together(&self) -> Weights {
        let Some(refine) = &self.refine else { return self.find.clone() };
        if let (Some(find), Some(refine)) = (self.find.quantized(), refine.quantized()) {
            let mut both = Quantized::clone(find);
            both.kernels.extend(refine.kernels.clone());
            both.activations.extend(refine.activations.clone());
            return Weights::from_quantized(both);
        }
        let mut both = self.find.clone();
        for (name, tensor) in refine.iter() {
            both.insert(name, tensor.clone());
        }
        both
    }

    /// Reads what [`to_bytes`](Self::to_bytes) gave, or a checkpoint of a training, whose averaged weights are taken;
    /// `name` stands for the file in errors.
    ///
    /// # Errors
    /// [`Error::Network`] where the bytes are something else, or broken.
    pub fn from_bytes(bytes: &[u8], name: &str) -> Result<Self, Error> {
        let (header, weights) = checkpoint::from_bytes(bytes, name)?;
        if let Ok(header) = serde_json::from_value::<Header>(header)
            && header.what == WHAT
        {
            let [slope, shift] = header.calibration;
            return Self::new(weights)?.calibrated(slope, shift);
        }
        let mut average = Weights::new();
        for (name, tensor) in weights.iter() {
            if let Some(name) = name.strip_prefix(AVERAGE) {
                average.insert(name, tensor.clone());
            }
        }
        Self::new(average)
    }
}

/// The weights of the first network and of the second, which have its prefix.
fn divided(weights: Weights) -> (Weights, Option<Weights>) {
    let second = |name: &str| name.starts_with(refine::PREFIX);
    if let Some(quantized) = weights.quantized() {
        let mut parts = [Quantized::default(), Quantized::default()];
        for (name, kernel) in &quantized.kernels {
            parts[usize::from(second(name))].kernels.insert(name.clone(), kernel.clone());
        }
        for (name, scaling) in &quantized.activations {
            parts[usize::from(second(name))].activations.insert(name.clone(), *scaling);
        }
        let [find, refine] = parts;
        let refine = (!refine.kernels.is_empty()).then(|| Weights::from_quantized(refine));
        return (Weights::from_quantized(find), refine);
    }
    let (mut find, mut refine, mut any) = (Weights::new(), Weights::new(), false);
    for (name, tensor) in weights.iter() {
        if second(name) {
            refine.insert(name, tensor.clone());
            any = true;
        } else {
            find.insert(name, tensor.clone());
        }
    }
    (find, any.then_some(refine))
}

/// How the network looks for faces.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CnnParameters {
    /// Longest side, in pixels, of the picture that the network sees; larger pictures are reduced to it.
    pub longest_side: u32,
    /// How many times smaller pictures are enlarged at most, towards the longest side: the network finds a face of 30
    /// pixels much more surely than one of 20. 1 leaves them as they are.
    pub enlargement: f32,
    /// Smallest score of a face, in 0..1.
    pub threshold: f32,
    /// Threads to use; 0 takes one a core.
    pub threads: usize,
    /// Side of the smallest face that is looked for, in pixels of the picture: it decides how large the network sees it.
    pub smallest_face: f32,
    /// Whether large pictures are searched for the smallest face everywhere, in tiles, and not only where the picture as a
    /// whole left a doubt. It takes as long as the tiles are many.
    pub thorough: bool,
}

impl Default for CnnParameters {
    fn default() -> Self {
        Self {
            longest_side: 640,
            enlargement: 1.6,
            threshold: 0.3,
            threads: 0,
            smallest_face: 30.0,
            thorough: false,
        }
    }
}

/// Finds faces with the network.
pub struct CnnDetector {
    network: Arc<Network>,
    parameters: CnnParameters,
    /// Smallest score that is given: the threshold, or what continues a track.
    least: f32,
    /// Sessions by input height and width, the one used last in front.
    sessions: VecDeque<Prepared>,
    /// The second network, once it was needed.
    closer: Option<Closer>,
    reduced: Option<Reduced>,
}

struct Prepared {
    height: usize,
    width: usize,
    session: Box<dyn InferenceSession>,
    grey: Vec<u8>,
    input: Vec<f32>,
    values: Vec<f32>,
}

impl CnnDetector {
    /// A detector with these settings.
    ///
    /// # Errors
    /// [`Error::Parameter`] where a setting has no meaning.
    pub fn new(network: Arc<Network>, parameters: CnnParameters) -> Result<Self, Error> {
        let fault = |name, value: String, expected| Err(Error::Parameter { name, value, expected });
        if !(64..=8192).contains(&parameters.longest_side) {
            return fault("the longest side", parameters.longest_side.to_string(), "64 to 8192");
        }
        if !(parameters.threshold > 0.0 && parameters.threshold < 1.0) {
            return fault("the threshold", parameters.threshold.to_string(), "between 0 and 1");
        }
        if !(1.0..=4.0).contains(&parameters.enlargement) {
            return fault("the enlargement", parameters.enlargement.to_string(), "1 to 4");
        }
        if !(parameters.smallest_face > 0.0 && parameters.smallest_face.is_finite()) {
            return fault("the smallest face", parameters.smallest_face.to_string(), "above 0");
        }
        Ok(Self {
            network,
            parameters,
            least: parameters.threshold,
            sessions: VecDeque::new(),
            closer: None,
            reduced: None,
        })
    }

    /// Smallest score of the first network that counts.
    fn candidate(&self) -> f32 {
        if self.network.refine.is_some() { CANDIDATE } else { self.least }
    }

    /// One box a face, looked at from near where there is a second network.
    fn settled(&mut self, picture: &Picture, found: Vec<Detection>) -> Result<Vec<Detection>, Error> {
        let mut faces = merge(found);
        let Some(refine) = &self.network.refine else { return Ok(faces) };
        faces.truncate(MOST_CANDIDATES);
        let closer = match &mut self.closer {
            Some(closer) => closer,
            none => none.insert(Closer::new(refine, self.parameters.threads)?),
        };
        let mut refined = closer.look(picture, self.reduced.as_mut(), &faces)?;
        let [slope, shift] = self.network.calibration;
        for (face, (own, logit)) in refined.iter_mut().zip(faces.iter().zip(closer.logits())) {
            face.score = sigmoid(slope * (logit + logit_of(own.score)) + shift);
        }
        refined.retain(|face| face.score >= self.least);
        Ok(merge(refined))
    }

    /// Pixels of the network a pixel of a picture with this longest side.
    fn scale(&self, longest: f32) -> f32 {
        let CnnParameters { longest_side, enlargement, smallest_face, .. } = self.parameters;
        (SEEN / smallest_face).max(LEAST_SIDE / longest).min(longest_side as f32 / longest).min(enlargement)
    }

    /// Boxes of a part of the picture, overlapping ones among them.
    fn search(&mut self, picture: &Picture, part: Part, found: &mut Vec<Detection>) -> Result<(), Error> {
        let whole = self.scale(part.width.max(part.height) as f32);
        let least = self.candidate();
        let doubt = least * DOUBT;
        let smallest = self.parameters.smallest_face;
        if whole >= 1.0 || smallest * whole >= SMALLEST_SEEN {
            found.extend(self.look(picture, part, whole, least)?);
            return Ok(());
        }
        let first = self.look(picture, part, whole, doubt)?;
        if self.parameters.thorough {
            // Twice as large each time, until the smallest face that counts is large enough, or nothing is reduced.
            let mut scale = whole;
            while scale < 1.0 && smallest * scale < SMALLEST_SEEN {
                scale = (2.0 * scale).min(1.0);
                found.extend(self.look_in_tiles(picture, part, scale)?);
            }
        } else {
            found.extend(self.look_again(picture, part, whole, &first)?);
        }
        found.extend(first.into_iter().filter(|face| face.score >= least));
        Ok(())
    }

    /// What is seen at twice the size where a first look found something small that may be a face.
    fn look_again(
        &mut self,
        picture: &Picture,
        within: Part,
        whole: f32,
        first: &[Detection],
    ) -> Result<Vec<Detection>, Error> {
        let scale = (2.0 * whole).min(1.0);
        let side = (PART / scale) as u32;
        let mut doubts: Vec<&Detection> = first.iter().filter(|f| f.side() * whole < SMALL).collect();
        doubts.sort_by(|a, b| b.score.total_cmp(&a.score));
        let mut found = Vec::new();
        let mut seen: Vec<Part> = Vec::new();
        for doubt in doubts {
            let [x, y] = doubt.centre();
            // A face on the edge of a part is not seen well.
            let margin = doubt.side();
            if seen.iter().any(|part| part.holds(x, y, margin)) || seen.len() >= PARTS {
                continue;
            }
            let part = within.around(x, y, side);
            seen.push(part);
            let faces = self.look(picture, part, scale, self.candidate())?.into_iter();
            found.extend(faces.filter(|face| face.side() * whole < 2.0 * SMALL));
        }
        Ok(found)
    }

    /// Boxes in a part of the picture brought to `scale`, in pixels of the picture.
    fn look(
        &mut self,
        picture: &Picture,
        part: Part,
        scale: f32,
        least: f32,
    ) -> Result<Vec<Detection>, Error> {
        let side = |pixels: u32| ((pixels as f32 * scale).round() as u32).max(1);
        let seen = grey_part(picture, part, side(part.width), side(part.height))?;
        let calibration =
            if self.network.refine.is_some() { uncalibrated() } else { self.network.calibration };
        let whole = |pixels: u32| (pixels as usize).div_ceil(GRANULE) * GRANULE;
        let prepared = self.prepared(whole(seen.height()), whole(seen.width()))?;
        prepared.fill(&seen);
        prepared.session.logits(&prepared.input, 1, &mut prepared.values)?;
        let mut faces = decode(&prepared.values, prepared.height, prepared.width, calibration, least);
        let (across, down) =
            (part.width as f32 / seen.width() as f32, part.height as f32 / seen.height() as f32);
        if (part.width, part.height) == (picture.width(), picture.height()) {
            // One scale for both ways: they differ by the rounding of a side.
            let scale = 1.0 / across.max(down);
            self.reduced = Some(Reduced { seen: Pyramid::growing(seen), scale });
        }
        for face in &mut faces {
            face.x = face.x * across + part.x as f32;
            face.width *= across;
            face.y = face.y * down + part.y as f32;
            face.height *= down;
        }
        Ok(faces)
    }

    /// Boxes in tiles that overlap by a quarter; faces that are larger than the overlap are seen whole in the more reduced
    /// picture.
    fn look_in_tiles(
        &mut self,
        picture: &Picture,
        within: Part,
        scale: f32,
    ) -> Result<Vec<Detection>, Error> {
        let side = (self.parameters.longest_side as f32 / scale).ceil();
        let overlap = side / 4.0;
        let mut found = Vec::new();
        for part in within.tiles(side as u32, side as u32, overlap as u32) {
            let faces = self.look(picture, part, scale, self.candidate())?.into_iter();
            found.extend(faces.filter(|face| face.side() <= overlap));
        }
        Ok(found)
    }

    fn prepared(&mut self, height: usize, width: usize) -> Result<&mut Prepared, Error> {
        let known = self.sessions.iter().position(|p| (p.height, p.width) == (height, width));
        let prepared = match known.and_then(|at| self.sessions.remove(at)) {
            Some(prepared) => prepared,
            None => {
                let options = InferenceOptions { max_batch: 1, threads: self.parameters.threads };
                let session = CpuEngine.inference(&network(height, width)?, &self.network.find, &options)?;
                Prepared {
                    height,
                    width,
                    session,
                    grey: vec![0; height * width],
                    input: vec![0.0; height * width],
                    values: vec![0.0; cells(height, width).count() * VALUES],
                }
            }
        };
        self.sessions.truncate(SESSIONS - 1);
        self.sessions.push_front(prepared);
        Ok(&mut self.sessions[0])
    }
}

impl Prepared {
    /// Lays the picture into the upper left corner; what it leaves is black.
    fn fill(&mut self, picture: &Grey) {
        fill(picture, &mut self.grey, self.width);
        pack(&self.grey, self.height, self.width, &mut self.input);
    }
}

/// Lays a picture into the upper left corner of rows of `width` pixels; what it leaves is black.
fn fill(picture: &Grey, grey: &mut [u8], width: usize) {
    for (row, out) in grey.chunks_exact_mut(width).enumerate() {
        let n = if row < picture.height() as usize { picture.width() as usize } else { 0 };
        if n > 0 {
            out[..n].copy_from_slice(&picture.row(row as u32)[..n]);
        }
        out[n..].fill(0);
    }
}

/// A part of a picture, in whole pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Part {
    x: u32,
    y: u32,
    width: u32,
    height: u32,
}

impl Part {
    /// Whether a place lies in it, so far from its edges.
    fn holds(&self, x: f32, y: f32, margin: f32) -> bool {
        let inside = |at: f32, start: u32, length: u32| {
            at >= start as f32 + margin && at <= (start + length) as f32 - margin
        };
        inside(x, self.x, self.width) && inside(y, self.y, self.height)
    }

    /// A square of this side around a place, moved into this part and no larger than it.
    fn around(&self, x: f32, y: f32, side: u32) -> Self {
        let start = |at: f32, start: u32, length: u32| {
            let last = start + length.saturating_sub(side);
            ((at - side as f32 / 2.0).max(0.0) as u32).clamp(start, last)
        };
        Self {
            x: start(x, self.x, self.width),
            y: start(y, self.y, self.height),
            width: side.min(self.width),
            height: side.min(self.height),
        }
    }

    /// Parts of this size or smaller that cover it and overlap by so much, row by row.
    fn tiles(self, width: u32, height: u32, overlap: u32) -> impl Iterator<Item = Self> {
        let starts = move |start: u32, length: u32, side: u32| {
            let count = length.saturating_sub(overlap).div_ceil((side - overlap.min(side - 1)).max(1)).max(1);
            let last = length.saturating_sub(side);
            (0..count).map(move |i| {
                // The product may pass what a u32 holds.
                start + (u64::from(i) * u64::from(last) / u64::from((count - 1).max(1))) as u32
            })
        };
        let Self { x, y, .. } = self;
        let (columns, rows) = (self.width.min(width), self.height.min(height));
        starts(y, self.height, height).flat_map(move |y| {
            starts(x, self.width, width).map(move |x| Self { x, y, width: columns, height: rows })
        })
    }

    /// The pieces that a picture of this size is looked at in: one, unless it is very long.
    fn pieces(width: u32, height: u32) -> impl Iterator<Item = Self> {
        let whole = Self { x: 0, y: 0, width, height };
        let (long, short) = (width.max(height), width.min(height).max(1));
        let ratio = long as f32 / short as f32;
        let (length, overlap) = if ratio < LONG {
            (long, 0)
        } else {
            // A face as large as the picture is high lies in one of them.
            let length = (2 * short).max((2 * long).div_ceil(PIECES as u32));
            (length, length / 2)
        };
        let (across, down) = if width >= height { (length, height) } else { (width, length) };
        whole.tiles(across.max(1), down.max(1), overlap)
    }
}

/// A part of a picture in grey, of this size.
fn grey_part(picture: &Picture, part: Part, width: u32, height: u32) -> Result<Grey, Error> {
    let Part { x, y, width: w, height: h } = part;
    let whole = (w, h) == (picture.width(), picture.height());
    let cut;
    let seen = if whole {
        picture
    } else {
        cut = picture.crop(i64::from(x), i64::from(y), w, h)?;
        &cut
    };
    Ok(seen.to_grey_of(width, height)?)
}

impl Detector for CnnDetector {
    fn detect(&mut self, picture: &Picture) -> Result<Vec<Detection>, Error> {
        let (width, height) = (picture.width(), picture.height());
        let mut found = Vec::new();
        self.reduced = None;
        if width > 0 && height > 0 {
            for part in Part::pieces(width, height) {
                self.search(picture, part, &mut found)?;
            }
        }
        self.settled(picture, found)
    }

    fn detect_patch(&mut self, patch: &Picture) -> Result<Vec<Detection>, Error> {
        let part = Part { x: 0, y: 0, width: patch.width(), height: patch.height() };
        self.reduced = None;
        let found = self.look(patch, part, 1.0, self.candidate())?;
        self.settled(patch, found)
    }

    fn finds_turned(&self) -> bool {
        true
    }

    /// What is seen now and was seen a moment ago is believed with half the score that something new needs.
    fn include_unsure(&mut self) -> f32 {
        self.least = self.parameters.threshold / 2.0;
        self.parameters.threshold
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_cover_all_of_a_picture_and_overlap() {
        for (width, height, side, overlap) in
            [(1000, 700, 640, 160), (640, 480, 640, 160), (50, 3000, 640, 160)]
        {
            let whole = Part { x: 0, y: 0, width, height };
            let tiles: Vec<Part> = whole.tiles(side, side, overlap).collect();
            for (x, y) in [(0, 0), (width - 1, height - 1), (width / 2, height / 2), (width / 3, height - 1)]
            {
                let holds =
                    |t: &Part| (t.x..t.x + t.width).contains(&x) && (t.y..t.y + t.height).contains(&y);
                assert!(tiles.iter().any(holds), "{x},{y} of {width}x{height}: {tiles:?}");
            }
            assert!(tiles.iter().all(|t| t.x + t.width <= width && t.y + t.height <= height), "{tiles:?}");
        }
    }

    #[test]
    fn panoramas_are_looked_at_in_few_pieces_and_photos_in_one() {
        for (width, height, count) in [(640, 480, 1), (1920, 818, 1), (3000, 1000, 2), (12_000, 800, 14)] {
            assert_eq!(Part::pieces(width, height).count(), count, "{width}x{height}");
            assert_eq!(Part::pieces(height, width).count(), count, "{height}x{width}");
        }
        assert!(Part::pieces(60_000, 10).count() <= PIECES);
        assert_eq!(Part::pieces(1, 1).collect::<Vec<_>>(), [Part { x: 0, y: 0, width: 1, height: 1 }]);
    }
}
