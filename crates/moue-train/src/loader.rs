//! Batches, prepared ahead of the engine.

use std::ops::ControlFlow;
use std::sync::mpsc;

use moue_data::{Dataset, splits};
use moue_graph::engine::Batch;
use moue_graph::engine::rendering::Rendering;

use crate::Result;
use crate::augment::{Augmentation, Scratch, Source, Target, render};
use crate::mixing::{self, Mixing};
use crate::targets::Targets;

/// Batches that wait for the engine at most; more would only take memory.
const AHEAD: usize = 2;

/// Buffers of one batch.
#[derive(Debug, Default)]
pub(crate) struct Prepared {
    count: usize,
    /// Empty where the engine makes them.
    pictures: Vec<f32>,
    /// What the engine makes them of; empty where they are made here.
    renderings: Vec<Rendering>,
    targets: Vec<f32>,
    weights: Vec<f32>,
    /// How much of its neighbour each picture takes.
    shares: Vec<f32>,
    /// The pictures once more for each of the loader's views.
    views: Vec<Vec<f32>>,
}

impl Prepared {
    pub(crate) fn batch(&self) -> Batch<'_> {
        Batch { count: self.count, pictures: &self.pictures, targets: &self.targets, weights: &self.weights }
    }

    pub(crate) fn renderings(&self) -> &[Rendering] {
        &self.renderings
    }

    /// The targets, and the same pictures as others see them, a buffer for each of the loader's views; whoever answers
    /// by these may change both.
    pub(crate) fn targets_and_views(&mut self) -> (&mut [f32], &mut [Vec<f32>]) {
        (&mut self.targets, &mut self.views)
    }
}

/// Where the batches of every epoch come from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Loader<'a> {
    pub(crate) dataset: &'a Dataset,
    pub(crate) targets: &'a Targets,
    pub(crate) augmentation: &'a Augmentation,
    pub(crate) mixing: Option<&'a Mixing>,
    pub(crate) target: Target,
    pub(crate) seed: u64,
    pub(crate) batch: usize,
    /// Whether the engine keeps the dataset's pictures and makes its inputs itself.
    pub(crate) kept: bool,
    /// What teachers' inputs are like, who look at the same pictures.
    pub(crate) views: &'a [Target],
}

impl Loader<'_> {
    /// Steps of an epoch; the last one takes what is left.
    pub(crate) fn steps(&self) -> usize {
        self.targets.len().div_ceil(self.batch)
    }

    /// Hands the batches of an epoch, from step `first` on, to `body` until it breaks.
    ///
    /// A second thread prepares them; what they hold depends on seed, epoch and step only.
    pub(crate) fn each(
        &self,
        epoch: usize,
        first: usize,
        body: &mut dyn FnMut(usize, &mut Prepared) -> Result<ControlFlow<()>>,
    ) -> Result<ControlFlow<()>> {
        let mut order: Vec<u32> = (0..self.targets.len() as u32).collect();
        splits::shuffle(&mut order, self.seed, epoch as u64);
        std::thread::scope(|scope| {
            let (full, ready) = mpsc::sync_channel::<Result<Prepared>>(AHEAD);
            let (empty, used) = mpsc::channel::<Prepared>();
            let order = &order;
            scope.spawn(move || {
                let mut scratch = Scratch::default();
                for places in order.chunks(self.batch).skip(first) {
                    let mut prepared = used.try_recv().unwrap_or_default();
                    let filled = self.fill(places, epoch, &mut scratch, &mut prepared);
                    let failed = filled.is_err();
                    // The receiver is gone once the body broke off.
                    if full.send(filled.map(|()| prepared)).is_err() || failed {
                        return;
                    }
                }
            });
            for step in first..self.steps() {
                let Ok(prepared) = ready.recv() else { break };
                let mut prepared = prepared?;
                if body(step, &mut prepared)?.is_break() {
                    return Ok(ControlFlow::Break(()));
                }
                // Fails only when the other thread has prepared its last batch.
                let _ = empty.send(prepared);
            }
            Ok(ControlFlow::Continue(()))
        })
    }

    fn fill(&self, places: &[u32], epoch: usize, scratch: &mut Scratch, out: &mut Prepared) -> Result<()> {
        let side = self.dataset.side() as usize;
        out.count = places.len();
        let made_here = if self.kept { 0 } else { places.len() };
        out.pictures.resize(made_here * self.target.len(), 0.0);
        out.renderings.clear();
        out.targets.clear();
        out.weights.clear();
        out.views.resize_with(self.views.len(), Vec::new);
        for (buffer, view) in out.views.iter_mut().zip(self.views) {
            buffer.resize(places.len() * view.len(), 0.0);
        }
        let mut pictures = out.pictures.chunks_exact_mut(self.target.len());
        for (row, &place) in places.iter().enumerate() {
            let place = place as usize;
            let index = self.targets.index(place);
            let source = Source::new(self.dataset.pixels(index), side)?;
            let transform = self.augmentation.draw(self.seed, epoch as u64, index as u64);
            match pictures.next() {
                Some(picture) => render(source, &transform, &self.target, scratch, picture)?,
                None => out.renderings.push(transform.rendering(index as u32, source, self.target.side)),
            }
            for (buffer, view) in out.views.iter_mut().zip(self.views) {
                let picture = &mut buffer[row * view.len()..][..view.len()];
                render(source, &transform, view, scratch, picture)?;
            }
            out.targets.extend_from_slice(self.targets.row(place));
            out.weights.extend(self.targets.weight(place));
        }
        if let Some(mixing) = self.mixing {
            let indices = places.iter().map(|&place| self.targets.index(place as usize));
            out.shares.clear();
            out.shares.extend(indices.map(|index| mixing.draw(self.seed, epoch as u64, index as u64)));
            mixing::blend(&mut out.pictures, self.target.len(), &out.shares);
            for (buffer, view) in out.views.iter_mut().zip(self.views) {
                mixing::blend(buffer, view.len(), &out.shares);
            }
            for (rendering, share) in out.renderings.iter_mut().zip(&out.shares) {
                rendering.share = *share;
            }
            mixing::blend(&mut out.targets, self.targets.tasks().outputs(), &out.shares);
            mixing::blend(&mut out.weights, 1, &out.shares);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
