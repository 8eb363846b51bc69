//! Frames one after another, as they happen.

use crate::pipeline::Pipeline;
use crate::{Analyzer, Error, Face, Follower, Picture, Record, Scene};

/// Looks at frames from a camera, a window or memory, one after another; made by [`Analyzer::live`].
///
/// People keep their numbers from frame to frame, and labels are calm.
pub struct Live {
    analyzer: Analyzer,
    pipeline: Pipeline,
    follower: Follower,
    smoothing: bool,
    frames: u64,
}

impl Analyzer {
    /// Starts on frames that come one after another. It has a detector and a model of its own, with all threads.
    ///
    /// # Errors
    /// As [`AnalyzerBuilder::build`](crate::AnalyzerBuilder::build).
    pub fn live(&self) -> Result<Live, Error> {
        let (analyzer, pipeline, follower) = (self.clone(), self.for_frames()?, self.follower(true));
        Ok(Live { analyzer, pipeline, follower, smoothing: true, frames: 0 })
    }
}

impl Live {
    /// Whether probabilities are smoothed over time, which they are unless this says otherwise; raw ones stand beside them then.
    /// Everybody seen before is forgotten.
    #[must_use]
    pub fn smoothing(mut self, on: bool) -> Self {
        self.smoothing = on;
        self.restart();
        self
    }

    /// What it was made by.
    pub fn analyzer(&self) -> &Analyzer {
        &self.analyzer
    }

    /// Forgets everybody, for another camera. Numbers of frames begin anew.
    pub fn restart(&mut self) {
        self.follower = self.analyzer.follower(self.smoothing);
        self.frames = 0;
    }

    /// The record of the frame at `time` seconds. Times do not decrease. The source is empty; [`Record::from_source`] names
    /// it.
    ///
    /// # Errors
    /// As [`Analyzer::picture`].
    pub fn frame(&mut self, time: f64, picture: &Picture) -> Result<Record, Error> {
        let faces = self.faces(time, picture)?;
        let frame = self.frames;
        self.frames += 1;
        Ok(Record { frame, time, ..Record::of_picture(picture, faces) })
    }

    /// The faces of the frame at `time` seconds, in the order of their ids.
    ///
    /// # Errors
    /// As [`Analyzer::picture`].
    pub fn faces(&mut self, time: f64, picture: &Picture) -> Result<Vec<Face>, Error> {
        let seen = self.pipeline.look(picture, None)?;
        Ok(self.follower.frame(time, &Scene::of(picture), seen))
    }
}
