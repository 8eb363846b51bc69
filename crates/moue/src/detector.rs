//! What finds the faces.

use std::path::Path;
use std::sync::Arc;

use moue_detect::cascade::{Cascade, CascadeDetector, ScanParameters, Size};
use moue_detect::cnn::{CnnDetector, CnnParameters, Network};
use moue_detect::{Detector, Search, Searcher};

use crate::Error;
use crate::analyzer::DetectorOptions;

/// What finds the faces of an [`Analyzer`](crate::Analyzer). It is made once for each thread that looks.
#[derive(Clone, Default)]
pub struct Detectors(Kind);

#[derive(Clone, Default)]
enum Kind {
    #[default]
    Embedded,
    Network(Arc<Network>),
    Cascade(Arc<Cascade>),
    Whole,
    Made(Arc<Maker>),
}

type Maker = dyn Fn(usize) -> Result<Box<dyn Detector>, moue_detect::Error> + Send + Sync;

impl std::fmt::Debug for Detectors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match &self.0 {
            Kind::Embedded => "Detectors(embedded network)",
            Kind::Network(_) => "Detectors(network)",
            Kind::Cascade(_) => "Detectors(cascade)",
            Kind::Whole => "Detectors(whole picture)",
            Kind::Made(_) => "Detectors(of your own)",
        })
    }
}

impl Detectors {
    /// The network that comes with moue, which is what is used where nothing is said.
    pub fn embedded() -> Self {
        Self(Kind::Embedded)
    }

    /// A network made by `moue detector train`.
    ///
    /// # Errors
    /// [`Error::Detector`] where the file cannot be read or holds something else.
    pub fn network(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let bytes =
            std::fs::read(path).map_err(|source| moue_detect::Error::Io { path: path.to_owned(), source })?;
        Ok(Self(Kind::Network(Arc::new(Network::from_bytes(&bytes, &path.display().to_string())?))))
    }

    /// A cascade in OpenCV's XML.
    ///
    /// # Errors
    /// [`Error::Detector`] where the file cannot be read or holds something else.
    pub fn cascade(path: impl AsRef<Path>) -> Result<Self, Error> {
        Ok(Self(Kind::Cascade(Arc::new(Cascade::read(path.as_ref())?))))
    }

    /// No detector: each picture is one face, as in data sets of faces. Sizes, region and threshold do not matter then.
    pub fn whole_picture() -> Self {
        Self(Kind::Whole)
    }

    /// One of your own: `make` is called once for each thread that looks, with the number of threads that it may use.
    pub fn of<D: Detector + 'static>(
        make: impl Fn(usize) -> Result<D, moue_detect::Error> + Send + Sync + 'static,
    ) -> Self {
        Self(Kind::Made(Arc::new(move |threads| Ok(Box::new(make(threads)?) as Box<dyn Detector>))))
    }

    /// The same with everything read that can be, so that many detectors are made of one copy.
    pub(crate) fn read(self) -> Result<Self, Error> {
        Ok(match self.0 {
            Kind::Embedded => Self(Kind::Network(Arc::new(Network::embedded()?))),
            _ => self,
        })
    }

    /// The detector, which looks for what the options say.
    pub(crate) fn make(
        &self,
        options: &DetectorOptions,
        threads: usize,
    ) -> Result<Option<Box<dyn Detector>>, Error> {
        let usual = CnnParameters::default();
        let min_face = options.min_face.unwrap_or(match &self.0 {
            Kind::Made(_) => 0.0,
            _ => usual.smallest_face,
        });
        let of_network = |network: Arc<Network>| {
            CnnDetector::new(
                network,
                CnnParameters {
                    threads,
                    threshold: options.threshold.unwrap_or(usual.threshold),
                    smallest_face: min_face,
                    thorough: options.thorough,
                    ..usual
                },
            )
        };
        let detector: Box<dyn Detector> = match &self.0 {
            Kind::Embedded => Box::new(of_network(Arc::new(Network::embedded()?))?),
            Kind::Network(network) => Box::new(of_network(Arc::clone(network))?),
            Kind::Cascade(cascade) => {
                let side = min_face.max(1.0) as u32;
                let parameters = ScanParameters {
                    min_size: Some(Size { width: side, height: side }),
                    ..ScanParameters::default()
                };
                Box::new(CascadeDetector::new(Arc::clone(cascade), parameters)?)
            }
            Kind::Whole => return Ok(None),
            Kind::Made(make) if *options == DetectorOptions::default() => return Ok(Some(make(threads)?)),
            Kind::Made(make) => make(threads)?,
        };
        let search = Search {
            min_size: min_face,
            max_size: options.max_face,
            region: options.region,
            max_faces: options.max_faces,
            any_rotation: false,
        };
        Ok(Some(Box::new(Searcher::new(detector, search)?)))
    }
}
