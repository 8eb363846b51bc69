//! Inference sessions: batch normalisation folded into packed kernels, activations, sums and depthwise
//! convolutions fused, all memory planned and allocated once.

mod depthwise;
mod plan;
mod step;
mod works;

use moue_graph::engine::{InferenceOptions, InferenceSession};
use moue_graph::{Error, Graph, Result, Weights};

use crate::aligned::Aligned;
use crate::lockstep::Lockstep;
use crate::lowering::lower;
use crate::simd::Level;
use crate::team::Team;
use plan::Plan;
use step::{Arena, Memory, Pictures};

pub(crate) struct Session {
    team: Team,
    lockstep: Lockstep,
    level: Level,
    plan: Plan,
    /// Memory of each thread that takes pictures of its own.
    arenas: Vec<Aligned>,
    /// Scratch memory of each thread.
    scratch: Vec<Aligned>,
    max_batch: usize,
}

impl Session {
    /// With `bf16`, products are of bf16 and activations are stored so; the processor must have them.
    pub(crate) fn new(
        graph: &Graph,
        weights: &Weights,
        options: &InferenceOptions,
        bf16: bool,
    ) -> Result<Self> {
        if options.max_batch == 0 {
            return Err(Error::Parameter("a batch holds at least one picture".into()));
        }
        weights.check(graph)?;
        let level = Level::current();
        let plan = Plan::new(level, &lower(graph)?, &graph.parameters(), weights, options.max_batch, bf16)?;
        let team = Team::new(options.threads)?;
        let arenas = (0..team.len().min(options.max_batch)).map(|_| Aligned::zeros(plan.arena)).collect();
        let scratch = (0..team.len()).map(|_| Aligned::zeros(plan.scratch)).collect();
        let lockstep = Lockstep::new(team.len());
        Ok(Self { team, lockstep, level, plan, arenas, scratch, max_batch: options.max_batch })
    }
}

impl InferenceSession for Session {
    fn logits(&mut self, pictures: &[f32], count: usize, logits: &mut [f32]) -> Result<()> {
        let (one, classes) = (self.plan.input, self.plan.output.len);
        crate::batch::check(count, self.max_batch, [one, classes], pictures, logits)?;
        let (plan, level) = (&self.plan, self.level);
        let threads = self.team.len();
        let arenas: Vec<Arena> = self.arenas.iter_mut().map(|a| Arena::new(a)).collect();
        let scratch: Vec<Arena> = self.scratch.iter_mut().map(|s| Arena::new(s)).collect();
        if count == 1 && threads > 1 {
            // Each step is shared among the threads.
            let memory = Memory { arena: arenas[0], pictures: Pictures::new(pictures) };
            self.lockstep.run(&mut self.team, plan.steps.len(), &|member, step, lane| {
                let step = &plan.steps[step];
                let tasks = step.tasks(1, threads);
                if lane < tasks {
                    // SAFETY: tasks of one step write different values, steps follow each other, and
                    // each member has scratch memory of its own.
                    unsafe { step.run(level, memory, 0..1, lane, tasks, scratch[member]) };
                }
            });
            // SAFETY: all steps are done; nothing writes the arena now.
            unsafe { memory.read(plan.output, logits) };
            return Ok(());
        }
        // Groups of pictures side by side: each stays in its core's cache from first layer to last.
        let group = count.div_ceil(threads).min(plan.group);
        let answers = Arena::new(logits);
        self.team.run(count.div_ceil(group), &|member, task| {
            let first = task * group;
            let here = group.min(count - first);
            let pictures = Pictures::new(&pictures[first * one..(first + here) * one]);
            // Where there are fewer arenas than threads there is one for each picture.
            let own = if arenas.len() < threads { task } else { member };
            let memory = Memory { arena: arenas[own], pictures };
            for (step, pictures) in plan.order(here) {
                // SAFETY: the arena is this member's or this task's own, the scratch memory the member's.
                unsafe { step.run(level, memory, pictures, 0, 1, scratch[member]) };
            }
            // SAFETY: each task writes logits of its own pictures.
            unsafe {
                let logits = answers.slice(first * classes, here * classes);
                memory.read(plan.output, logits);
            }
        });
        Ok(())
    }
}
