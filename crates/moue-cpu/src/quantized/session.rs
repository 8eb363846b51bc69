//! Inference sessions in integers.

use moue_graph::engine::{InferenceOptions, InferenceSession};
use moue_graph::{Error, Graph, Quantized, Result};

use super::network::Network;
use super::plan::Plan;
use super::steps::Memory;
use crate::Level;
use crate::kernels::int8::Isa;
use crate::kernels::int8::memory::Bytes;
use crate::lockstep::Lockstep;
use crate::team::Team;

pub(crate) struct Session {
    team: Team,
    lockstep: Lockstep,
    level: Level,
    plan: Plan,
    /// One for each member of the team.
    buffers: Vec<Buffers>,
    max_batch: usize,
}

/// What a member of the team works in.
struct Buffers {
    arena: Bytes,
    scratch: Bytes,
}

/// Memory that the tasks of one call write, each apart from the others.
#[derive(Clone, Copy)]
struct Shared<T>(*mut T);

// SAFETY: tasks write apart from each other (see the places of use).
unsafe impl<T> Sync for Shared<T> {}

impl<T> Shared<T> {
    fn at(&self, offset: usize) -> *mut T {
        self.0.wrapping_add(offset)
    }
}

impl Session {
    pub fn new(graph: &Graph, quantized: &Quantized, options: &InferenceOptions) -> Result<Self> {
        let level = Level::current();
        Self::with(graph, quantized, options, level, Isa::of(level))
    }

    /// With the given instructions.
    pub fn with(
        graph: &Graph,
        quantized: &Quantized,
        options: &InferenceOptions,
        level: Level,
        isa: Isa,
    ) -> Result<Self> {
        if options.max_batch == 0 {
            return Err(Error::Parameter("a batch holds at least one picture".into()));
        }
        quantized.check(graph)?;
        let team = Team::new(options.threads)?;
        let plan = Plan::new(&Network::new(graph)?, quantized, isa, team.len())?;
        let buffers = (0..team.len())
            .map(|_| {
                let mut arena = Bytes::zeroed(plan.arena);
                for (range, zero) in &plan.padding {
                    arena.as_mut_slice()[range.clone()].fill(*zero);
                }
                Buffers { arena, scratch: Bytes::zeroed(plan.scratch) }
            })
            .collect();
        let lockstep = Lockstep::new(team.len());
        Ok(Self { team, lockstep, level, plan, buffers, max_batch: options.max_batch })
    }
}

impl InferenceSession for Session {
    fn logits(&mut self, pictures: &[f32], count: usize, logits: &mut [f32]) -> Result<()> {
        let (one, classes) = (self.plan.input, self.plan.classes);
        crate::batch::check(count, self.max_batch, [one, classes], pictures, logits)?;
        let (plan, level) = (&self.plan, self.level);
        let arenas: Vec<Shared<u8>> =
            self.buffers.iter_mut().map(|b| Shared(b.arena.as_mut_slice().as_mut_ptr())).collect();
        let scratches: Vec<Shared<u8>> =
            self.buffers.iter_mut().map(|b| Shared(b.scratch.as_mut_slice().as_mut_ptr())).collect();
        let out = Shared(logits.as_mut_ptr());
        let memory = |arena: usize, member: usize, picture: usize| Memory {
            level,
            arena: arenas[arena].at(0),
            scratch: scratches[member].at(0),
            picture: &pictures[picture * one..][..one],
            logits: out.at(picture * classes),
        };
        // Whole pictures side by side, each staying in its core's cache, as long as there is one for
        // everybody; the rest are shared step by step.
        let apart = count - count % self.team.len();
        self.team.run(apart, &|member, picture| {
            let memory = memory(member, member, picture);
            for step in &plan.steps {
                // SAFETY: arena and scratch memory are this member's, the logits this picture's.
                unsafe { step.run(&step.whole, memory) };
            }
        });
        for picture in apart..count {
            self.lockstep.run(&mut self.team, plan.steps.len(), &|member, step, lane| {
                let step = &plan.steps[step];
                if let Some(task) = step.split.get(lane) {
                    // SAFETY: the scratch memory is this member's; tasks of a step write apart, and
                    // the step before is done.
                    unsafe { step.run(task, memory(0, member, picture)) };
                }
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use moue_graph::{Head, Weights, attach_head, backbones};

    use super::*;
    use crate::quantized::calibration::Calibrator;

    #[test]
    fn every_instruction_set_gives_the_same_bits() {
        // 0.75 has channel counts of 24, 48, 72, 144, 240: tails for every width of vectors.
        let graph =
            attach_head(backbones::by_name("mobilenet_v2", 0.75, 40).unwrap(), &Head::default(), 7).unwrap();
        let weights = Weights::initialise(&graph, 5);
        let x: Vec<f32> = (0..2 * 40 * 40 * 3).map(|i| ((i * 7919) % 1009) as f32 / 1009.0).collect();
        let mut calibrator = Calibrator::new(&graph, &weights, 1).unwrap();
        calibrator.watch(&x, 2).unwrap();
        let weights = calibrator.finish().unwrap();
        let mut all = Vec::new();
        for isa in Isa::available() {
            for threads in [1, 3] {
                let options = InferenceOptions { max_batch: 2, threads };
                let quantized = weights.quantized().unwrap();
                let mut session =
                    Session::with(&graph, quantized, &options, Level::available()[0], isa).unwrap();
                let mut out = vec![0.0; 14];
                session.logits(&x, 2, &mut out).unwrap();
                all.push(out);
            }
        }
        assert!(all.iter().all(|out| *out == all[0]), "{all:?}");
        assert!(all[0].iter().any(|v| *v != all[0][0]));
    }
}
