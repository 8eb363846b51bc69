//! The threads of a session and the memory each of them works in.

use std::marker::PhantomData;
use std::sync::{Mutex, MutexGuard, PoisonError};

use moue_graph::Result;

use crate::aligned::Aligned;
use crate::team::Team;

/// Working memory of one thread; what a task leaves in it means nothing to the next.
#[derive(Default)]
pub(super) struct Scratch {
    /// Rows of input as the kernel wants them: normalised, unfolded or padded.
    pub input: Aligned,
    /// Rows of gradient as the kernel wants them.
    pub gradient: Aligned,
}

/// A team of threads with their working memory.
pub(super) struct Crew {
    team: Mutex<Team>,
    scratch: Vec<Mutex<Scratch>>,
}

impl Crew {
    /// As [`Team::new`].
    pub fn new(threads: usize) -> Result<Self> {
        let team = Team::new(threads)?;
        let scratch = (0..team.len()).map(|_| Mutex::default()).collect();
        Ok(Self { team: Mutex::new(team), scratch })
    }

    /// Calls `work(task, scratch)` for every task in `0..tasks` and returns when all are done. Must not
    /// be called from within a task.
    pub fn run(&self, tasks: usize, work: impl Fn(usize, &mut Scratch) + Sync) {
        unpoisoned(&self.team).run(tasks, &|member, task| work(task, &mut unpoisoned(&self.scratch[member])));
    }
}

/// A panic amid a task is passed on by the team; what it left behind is only scratch.
fn unpoisoned<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A slice cut into parts that tasks write side by side.
pub(super) struct Parts<'a> {
    start: *mut f32,
    len: usize,
    size: usize,
    borrowed: PhantomData<&'a mut [f32]>,
}

// SAFETY: parts do not overlap, and whoever takes one vouches for being the only one.
unsafe impl Sync for Parts<'_> {}

impl<'a> Parts<'a> {
    /// Parts of `size` values; the last may be smaller.
    pub fn new(values: &'a mut [f32], size: usize) -> Self {
        Self { start: values.as_mut_ptr(), len: values.len(), size, borrowed: PhantomData }
    }

    /// Part number `index`.
    ///
    /// # Safety
    /// Nobody else has this part at the same time.
    #[allow(clippy::mut_from_ref, reason = "the contract makes parts exclusive")]
    pub unsafe fn part(&self, index: usize) -> &mut [f32] {
        let start = (index * self.size).min(self.len);
        let len = self.size.min(self.len - start);
        // SAFETY: inside the slice; the caller vouches that nobody else has it.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(start), len) }
    }
}
