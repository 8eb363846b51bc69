//! The trained network, and pictures through it.

use std::collections::VecDeque;
use std::sync::Arc;

use moue_cpu::CpuEngine;
use moue_graph::engine::{Engine, InferenceOptions, InferenceSession};
use moue_graph::{Precision, Weights, checkpoint};
use moue_media::{Grey, Picture};
use serde::{Deserialize, Serialize};

use super::boxes::{decode, merge};
use super::input::pack;
use super::network::{GRANULE, VALUES, cells, network};
use crate::{Detection, Detector, Error};

const EMBEDDED: &[u8] = include_bytes!("../../models/face.safetensors");

/// What the names of averaged weights in a checkpoint begin with.
pub(super) const AVERAGE: &str = "average/";

/// Pixels that the smallest face must have in the picture that the network sees.
const SMALLEST_SEEN: f32 = 14.0;

/// How much a picture is reduced for a second look at faces that fill much of it, which have more pixels in the first look
/// than the network learnt to see at once.
const OVERVIEW: f32 = 0.4;

/// Longest side, in pixels of the first look, from which the second is worth its time.
const LARGE_PICTURE: f32 = 480.0;

/// Pixels that a face taken from the second look has there at least; smaller ones are seen better in the first.
const LARGE_FACE: f32 = 60.0;

/// Sessions kept for input sizes seen last: a video has two, a folder of photos a few.
const SESSIONS: usize = 6;

/// The weights of the network, and what its scores mean.
#[derive(Clone, Debug, PartialEq)]
pub struct Network {
    weights: Weights,
    /// Slope and shift that turn the logit of a cell into that of the share of such boxes that are faces.
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

    /// Takes weights for [`network`]; scores are what the network gives.
    ///
    /// # Errors
    /// [`Error::Network`] where one is missing or of another shape.
    pub fn new(weights: Weights) -> Result<Self, Error> {
        weights.check(&network(GRANULE, GRANULE)?)?;
        Ok(Self { weights, calibration: uncalibrated() })
    }

    /// What it has learnt.
    pub fn weights(&self) -> &Weights {
        &self.weights
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
        Ok(checkpoint::to_bytes(&header, &self.weights, Precision::F16)?)
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
    /// Side of the smallest face that must not be lost to reducing, in pixels of the picture: where it would come to have
    /// too few, the picture is also looked at in tiles.
    pub smallest_face: f32,
}

impl Default for CnnParameters {
    fn default() -> Self {
        Self { longest_side: 640, enlargement: 1.6, threshold: 0.5, threads: 0, smallest_face: 30.0 }
    }
}

/// Finds faces with the network.
pub struct CnnDetector {
    network: Arc<Network>,
    parameters: CnnParameters,
    /// Sessions by input height and width, the one used last in front.
    sessions: VecDeque<Prepared>,
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
        Ok(Self { network, parameters, sessions: VecDeque::new() })
    }

    /// The faces of a grey picture, best first.
    ///
    /// # Errors
    /// Where the picture cannot be resized.
    pub fn detect_grey(&mut self, picture: &Grey) -> Result<Vec<Detection>, Error> {
        let (width, height) = (picture.width(), picture.height());
        if width == 0 || height == 0 {
            return Ok(Vec::new());
        }
        let longest = self.parameters.longest_side as f32;
        let whole = (longest / width.max(height) as f32).min(self.parameters.enlargement);
        let mut found = self.look(picture, whole)?;
        if whole * width.max(height) as f32 >= LARGE_PICTURE {
            let overview = OVERVIEW * whole;
            let faces = self.look(picture, overview)?.into_iter();
            found.extend(faces.filter(|face| face.width.max(face.height) * overview >= LARGE_FACE));
        }
        // Twice as large each time, until the smallest face that counts is large enough, or nothing is reduced.
        let mut scale = whole;
        while scale < 1.0 && self.parameters.smallest_face * scale < SMALLEST_SEEN {
            scale = (2.0 * scale).min(1.0);
            found.extend(self.look_in_tiles(picture, scale)?);
        }
        Ok(merge(found))
    }

    /// Boxes in the picture brought to `scale`, in pixels of the picture.
    fn look(&mut self, picture: &Grey, scale: f32) -> Result<Vec<Detection>, Error> {
        let (width, height) = (picture.width(), picture.height());
        let side = |pixels: u32| ((pixels as f32 * scale).round() as u32).max(1);
        let resized;
        let seen = if scale == 1.0 {
            picture
        } else {
            resized = picture.resized(side(width), side(height))?;
            &resized
        };
        let mut faces = self.cells(seen)?;
        let (across, down) = (width as f32 / seen.width() as f32, height as f32 / seen.height() as f32);
        for face in &mut faces {
            face.x *= across;
            face.width *= across;
            face.y *= down;
            face.height *= down;
        }
        Ok(faces)
    }

    /// The same, part by part. Parts overlap by as much as the largest face that is taken from them has pixels; larger
    /// ones are seen whole in the more reduced picture.
    fn look_in_tiles(&mut self, picture: &Grey, scale: f32) -> Result<Vec<Detection>, Error> {
        let side = (self.parameters.longest_side as f32 / scale).ceil();
        let overlap = side / 4.0;
        let starts = |length: u32| {
            let length = length as f32;
            let count = ((length - overlap) / (side - overlap)).ceil().max(1.0);
            let step = if count > 1.0 { (length - side) / (count - 1.0) } else { 0.0 };
            (0..count as u32).map(move |i| (i as f32 * step).max(0.0).round())
        };
        let mut found = Vec::new();
        for top in starts(picture.height()) {
            for left in starts(picture.width()) {
                let part = |start: f32, length: u32| (side as u32).min(length - start as u32).max(1);
                let tile = picture.crop(
                    left as i64,
                    top as i64,
                    part(left, picture.width()),
                    part(top, picture.height()),
                )?;
                let faces = self.look(&tile, scale)?.into_iter().filter(|f| f.width.max(f.height) <= overlap);
                found.extend(faces.map(|f| Detection { x: f.x + left, y: f.y + top, ..f }));
            }
        }
        Ok(found)
    }

    /// Boxes of all cells whose score suffices, in pixels of `seen`.
    fn cells(&mut self, seen: &Grey) -> Result<Vec<Detection>, Error> {
        let (threshold, calibration) = (self.parameters.threshold, self.network.calibration);
        let whole = |pixels: u32| (pixels as usize).div_ceil(GRANULE) * GRANULE;
        let prepared = self.prepared(whole(seen.height()), whole(seen.width()))?;
        prepared.fill(seen);
        prepared.session.logits(&prepared.input, 1, &mut prepared.values)?;
        Ok(decode(&prepared.values, prepared.height, prepared.width, calibration, threshold))
    }

    fn prepared(&mut self, height: usize, width: usize) -> Result<&mut Prepared, Error> {
        let known = self.sessions.iter().position(|p| (p.height, p.width) == (height, width));
        let prepared = match known.and_then(|at| self.sessions.remove(at)) {
            Some(prepared) => prepared,
            None => {
                let options = InferenceOptions { max_batch: 1, threads: self.parameters.threads };
                let session =
                    CpuEngine.inference(&network(height, width)?, &self.network.weights, &options)?;
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
        let width = picture.width() as usize;
        for (row, out) in self.grey.chunks_exact_mut(self.width).enumerate() {
            let pixels = picture.row(row as u32);
            let n = if row < picture.height() as usize { width } else { 0 };
            out[..n].copy_from_slice(&pixels[..n]);
            out[n..].fill(0);
        }
        pack(&self.grey, self.height, self.width, &mut self.input);
    }
}

impl Detector for CnnDetector {
    fn detect(&mut self, picture: &Picture) -> Result<Vec<Detection>, Error> {
        self.detect_grey(&picture.to_grey())
    }
}
