//! Boosted cascades of LBP or Haar features.
//!
//! A cascade judges a window of a fixed, small size. It is a row of stages; each stage adds up the
//! votes of its trees and lets the window pass if the sum reaches a threshold. Faces of other sizes are
//! found by shrinking the picture step by step, and the many overlapping hits on one face are grouped.
//!
//! [`Cascade`] is the trained data, [`Scanner`] runs it as OpenCV's `detectMultiScale` does, and
//! [`CascadeDetector`] is a scanner with settings, behind the [`Detector`] trait.

mod framing;
mod grid;
mod group;
mod haar;
mod integral;
mod lbp;
mod program;
mod pyramid;
mod resize;
mod scan;
mod simd;
mod together;
pub mod train;
mod write;
mod xml;

use framing::Framing;

pub use haar::{HaarFeature, HaarRect};
pub use lbp::LbpFeature;
pub use pyramid::{ScanParameters, Size};
pub use scan::{Found, MAX_PIXELS, Scanner};

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use crate::{Detection, Detector, Error};
use moue_media::Picture;

/// Most bytes a cascade file may have. (The largest that OpenCV ships has 2.7 MB.)
pub const MAX_FILE_BYTES: u64 = 64 << 20;

/// Largest window side that is read, in pixels.
pub const MAX_WINDOW: u32 = 4096;

const EMBEDDED: &str = include_str!("../models/lbp_face.xml");

/// A trained cascade. Every index in it has been checked, so running it cannot go astray.
#[derive(Clone, Debug, PartialEq)]
pub struct Cascade {
    window: Size,
    stages: Stages,
}

/// The stages, by the kind of feature they test.
#[derive(Clone, Debug, PartialEq)]
enum Stages {
    Lbp { features: Vec<LbpFeature>, stages: Vec<Stage<Subset>> },
    Haar { features: Vec<HaarFeature>, stages: Vec<Stage<f32>> },
}

/// Passes windows whose trees add up to at least `threshold` (less OpenCV's 1e-5).
#[derive(Clone, Debug, PartialEq)]
struct Stage<T> {
    threshold: f32,
    trees: Vec<Tree<T>>,
}

/// A decision tree. Node 0 is the root.
#[derive(Clone, Debug, PartialEq)]
struct Tree<T> {
    nodes: Vec<Node<T>>,
    /// One more than there are nodes.
    leaves: Vec<f32>,
}

/// A decision; `left` and `right` are node numbers where positive and leaf `-n` otherwise.
#[derive(Clone, Debug, PartialEq)]
struct Node<T> {
    left: i32,
    right: i32,
    feature: u32,
    test: T,
}

/// 256 bits: a window goes left if the bit of its LBP code is set.
type Subset = [u32; 8];

/// Which features a cascade uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FeatureKind {
    /// Multi-block local binary patterns (Liao et al. 2007).
    Lbp,
    /// Haar-like rectangle features (Lienhart and Maydt 2002).
    Haar,
}

impl Cascade {
    /// Reads an OpenCV cascade XML file, of the present format (`stageType` BOOST with `featureType`
    /// LBP or HAAR) or of the one before OpenCV 2.4 (`opencv-haar-classifier`).
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be read; [`Error::Cascade`] if it is larger than
    /// [`MAX_FILE_BYTES`], not UTF-8, not XML, no cascade or not a sound one.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let io = |source| Error::Io { path: path.to_owned(), source };
        let name = path.display().to_string();
        let file = File::open(path).map_err(io)?;
        let mut bytes = Vec::new();
        let length = file.metadata().map_err(io)?.len();
        if length <= MAX_FILE_BYTES {
            // The limit again, for a file that grows or whose length the system does not know.
            file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(io)?;
        }
        if length > MAX_FILE_BYTES || bytes.len() as u64 > MAX_FILE_BYTES {
            let what = format!("larger than {} MB, which no cascade is", MAX_FILE_BYTES >> 20);
            return Err(Error::Cascade { file: name, line: None, what });
        }
        match String::from_utf8(bytes) {
            Ok(text) => Self::parse(&text, &name),
            Err(error) => {
                let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
                let line = good.iter().filter(|&&b| b == b'\n').count() as u32 + 1;
                let what = "not text in UTF-8, so no cascade XML".to_owned();
                Err(Error::Cascade { file: name, line: Some(line), what })
            }
        }
    }

    /// Reads a cascade from XML text; `name` is what errors call it.
    ///
    /// # Errors
    /// [`Error::Cascade`] with the line where the text is no sound cascade.
    pub fn parse(text: &str, name: &str) -> Result<Self, Error> {
        xml::parse(text).map_err(|error| Error::Cascade {
            file: name.to_owned(),
            line: error.line,
            what: error.what,
        })
    }

    /// The LBP face cascade that moue carries, trained by its own trainer; `models/lbp_face.md` says on what
    /// and how good it is.
    ///
    /// # Errors
    /// None that a released moue returns: a test reads it.
    pub fn embedded() -> Result<Self, Error> {
        Self::parse(EMBEDDED, "models/lbp_face.xml")
    }

    /// The cascade as OpenCV XML, which [`Cascade::parse`] reads back to an equal cascade. Lines of
    /// `comment` go into an XML comment at the top.
    pub fn to_xml(&self, comment: &str) -> String {
        write::xml(self, comment)
    }

    /// Writes [`Cascade::to_xml`], whole or not at all.
    ///
    /// # Errors
    /// [`Error::Io`] where the system refuses; `path` is then as it was.
    pub fn save(&self, path: &Path, comment: &str) -> Result<(), Error> {
        moue_files::whole::write(path, self.to_xml(comment).as_bytes())
            .map_err(|source| Error::Io { path: path.to_owned(), source })
    }

    /// Size of the window the cascade was trained on, in pixels.
    pub fn window(&self) -> Size {
        self.window
    }

    /// Which features it uses.
    pub fn kind(&self) -> FeatureKind {
        match self.stages {
            Stages::Lbp { .. } => FeatureKind::Lbp,
            Stages::Haar { .. } => FeatureKind::Haar,
        }
    }

    /// How many stages it has.
    pub fn stage_count(&self) -> usize {
        match &self.stages {
            Stages::Lbp { stages, .. } => stages.len(),
            Stages::Haar { stages, .. } => stages.len(),
        }
    }
}

/// A cascade with settings: finds faces in colour pictures.
pub struct CascadeDetector {
    scanner: Scanner,
    parameters: ScanParameters,
    framing: Framing,
}

impl CascadeDetector {
    /// A detector that runs `cascade` with these settings.
    ///
    /// # Errors
    /// [`Error::Parameter`] where a setting has no meaning.
    pub fn new(cascade: Arc<Cascade>, parameters: ScanParameters) -> Result<Self, Error> {
        parameters.check()?;
        let framing = Framing::of(&cascade);
        Ok(Self { scanner: Scanner::new(cascade), parameters, framing })
    }

    /// The settings.
    pub fn parameters(&self) -> &ScanParameters {
        &self.parameters
    }
}

impl Detector for CascadeDetector {
    fn shares_work(&self) -> bool {
        true
    }

    /// A face for each group of hits, in OpenCV's order. Boxes are moved from the cascade's window to the face in it;
    /// what OpenCV returns is that of [`Scanner::detect_multi_scale`].
    fn detect(&mut self, picture: &Picture) -> Result<Vec<Detection>, Error> {
        let found = self.scanner.detect_multi_scale(&picture.to_grey(), &self.parameters)?;
        Ok(found.iter().map(|found| self.framing.face(found)).collect())
    }
}
