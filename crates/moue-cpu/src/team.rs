//! A team of threads that hands out small pieces of work in well under a microsecond.
//!
//! A network for small pictures is some fifty steps of a few microseconds each, too short for
//! threads that sleep between them. The members of a team spin for a moment after each piece of work
//! and sleep only when nothing more comes.
//!
//! Each member begins with a part of the tasks that is the same in every round, so that the rows of a
//! picture stay in the cache of one core from step to step; who is done takes over from the others.
//! Nobody waits for a member that has not started: the caller alone can finish all tasks. So a team
//! costs little even where another program holds a processor. What is computed never depends on who
//! took which task.

use std::cell::UnsafeCell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use moue_graph::{Error, Result};

/// How long a member spins for new work before it sleeps: longer than the steps of a network that one
/// thread does alone, shorter than the time between two frames of a video.
const SPIN: Duration = Duration::from_micros(150);

/// Tasks that one round may hold: what fits into a quarter of the state word.
const MAX_TASKS: usize = u16::MAX as usize;

/// How far a member's part of a round is done, in one word so that a claim and the round it belongs to
/// cannot part: the round's number (32 bits), the end of the part (16) and the next task to claim (16).
#[derive(Clone, Copy, PartialEq, Eq)]
struct Part(u64);

impl Part {
    fn new(round: u32, tasks: std::ops::Range<usize>) -> Self {
        Self(u64::from(round) << 32 | (tasks.end as u64) << 16 | tasks.start as u64)
    }

    fn next(self) -> usize {
        (self.0 & 0xffff) as usize
    }

    fn is_open(self) -> bool {
        self.next() < (self.0 >> 16 & 0xffff) as usize
    }
}

/// The work of a round: `work(member, task)`.
type Work<'a> = dyn Fn(usize, usize) + Sync + 'a;

/// Values that several threads write are kept on cache lines of their own.
#[repr(align(128))]
struct Line<T>(T);

struct Shared {
    /// Number of the latest round: what idle members watch.
    round: Line<AtomicU32>,
    /// The part of each member.
    parts: Vec<Line<AtomicU64>>,
    /// Tasks of this round that are finished.
    finished: Line<AtomicUsize>,
    /// The work of the latest round; valid while that round has unfinished tasks.
    work: UnsafeCell<Option<*const Work<'static>>>,
    /// Members that sleep, or are about to.
    asleep: AtomicU32,
    stopping: AtomicBool,
    panicked: AtomicBool,
    lock: Mutex<()>,
    wake: Condvar,
}

// SAFETY: `work` is written by the caller alone, between rounds, and read by a member only after it
// has claimed a task of the round, which keeps the round from ending (see `Shared::claim`).
unsafe impl Sync for Shared {}
// SAFETY: as above; the pointer is used only while the borrow it came from is alive.
unsafe impl Send for Shared {}

impl Shared {
    /// Takes a task: the next of the member's own part, or else of another's.
    ///
    /// The exchange succeeds only if the part is still of the round that was read, and a round cannot
    /// end before its claimed tasks are finished.
    fn claim(&self, member: usize) -> Option<usize> {
        let (others, own) = self.parts.split_at(member);
        for part in own.iter().chain(others) {
            let mut now = Part(part.0.load(Ordering::Acquire));
            while now.is_open() {
                let taken = Part(now.0 + 1);
                match part.0.compare_exchange_weak(now.0, taken.0, Ordering::AcqRel, Ordering::Acquire) {
                    Ok(_) => return Some(now.next()),
                    Err(other) => now = Part(other),
                }
            }
        }
        None
    }

    /// Does tasks until none is left.
    fn work_off(&self, member: usize) {
        while let Some(task) = self.claim(member) {
            // SAFETY: a task of the current round is claimed and not finished, so the caller still
            // waits in `run` with the work borrowed, and does not write the cell.
            let work = unsafe { *self.work.get() };
            if let Some(work) = work {
                // SAFETY: as above; the pointer came from a reference that is still borrowed.
                let work = unsafe { &*work };
                if catch_unwind(AssertUnwindSafe(|| work(member, task))).is_err() {
                    self.panicked.store(true, Ordering::Relaxed);
                }
            }
            self.finished.0.fetch_add(1, Ordering::Release);
        }
    }

    fn live(&self, member: usize) {
        let mut seen = 0;
        let mut start = Instant::now();
        let mut spins = 0u32;
        while !self.stopping.load(Ordering::Relaxed) {
            let round = self.round.0.load(Ordering::SeqCst);
            if round != seen {
                seen = round;
                self.work_off(member);
                spins = 0;
                continue;
            }
            if spins == 0 {
                start = Instant::now();
            }
            std::hint::spin_loop();
            spins = spins.wrapping_add(1);
            if spins.is_multiple_of(64) && start.elapsed() > SPIN {
                self.sleep(seen);
                spins = 0;
            }
        }
    }

    fn sleep(&self, seen: u32) {
        let mut guard = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        self.asleep.fetch_add(1, Ordering::SeqCst);
        // The caller publishes a round and then looks for sleepers; this looks in the other order,
        // so one of the two sees the other.
        while self.round.0.load(Ordering::SeqCst) == seen && !self.stopping.load(Ordering::SeqCst) {
            guard = self.wake.wait(guard).unwrap_or_else(PoisonError::into_inner);
        }
        self.asleep.fetch_sub(1, Ordering::SeqCst);
    }

    fn wake_sleepers(&self) {
        if self.asleep.load(Ordering::SeqCst) > 0 {
            drop(self.lock.lock().unwrap_or_else(PoisonError::into_inner));
            self.wake.notify_all();
        }
    }
}

/// Threads that work off rounds of tasks together with the thread that calls them.
pub(crate) struct Team {
    shared: Arc<Shared>,
    members: Vec<JoinHandle<()>>,
    round: u32,
}

impl Team {
    /// A team of `threads`, the caller being one of them; 0 asks for one a core. An error where the
    /// system refuses a thread.
    pub fn new(threads: usize) -> Result<Self> {
        let threads = match threads {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            n => n,
        };
        let shared = Arc::new(Shared {
            round: Line(AtomicU32::new(0)),
            parts: (0..threads).map(|_| Line(AtomicU64::new(0))).collect(),
            finished: Line(AtomicUsize::new(0)),
            work: UnsafeCell::new(None),
            asleep: AtomicU32::new(0),
            stopping: AtomicBool::new(false),
            panicked: AtomicBool::new(false),
            lock: Mutex::new(()),
            wake: Condvar::new(),
        });
        let mut team = Self { shared, members: Vec::new(), round: 0 };
        for member in 1..threads {
            let shared = Arc::clone(&team.shared);
            let thread = std::thread::Builder::new()
                .name(format!("moue-cpu-{member}"))
                .spawn(move || shared.live(member))
                .map_err(|e| Error::Engine(format!("cannot start {threads} threads: {e}")))?;
            team.members.push(thread);
        }
        Ok(team)
    }

    /// Threads of the team, the caller among them.
    pub fn len(&self) -> usize {
        self.members.len() + 1
    }

    /// Calls `work(member, task)` once for every task in `0..tasks`, and returns when all are done.
    /// `member` (below [`Team::len`], 0 for the caller) tells which thread's scratch memory to use.
    ///
    /// A panic in a task is passed on once the others are done.
    pub fn run(&mut self, tasks: usize, work: &Work<'_>) {
        if self.members.is_empty() || tasks <= 1 {
            (0..tasks).for_each(|task| work(0, task));
            return;
        }
        for first in (0..tasks).step_by(MAX_TASKS) {
            let count = (tasks - first).min(MAX_TASKS);
            self.run_round(count, &|member, task| work(member, first + task));
        }
    }

    fn run_round(&mut self, tasks: usize, work: &Work<'_>) {
        // SAFETY: only the lifetime changes; the pointer is used by nobody after this call, which
        // returns when every task is finished.
        let work = unsafe { std::mem::transmute::<*const Work<'_>, *const Work<'static>>(work) };
        let shared = &*self.shared;
        // SAFETY: the round before this one has ended, so no member reads the cell.
        unsafe { *shared.work.get() = Some(work) };
        shared.finished.0.store(0, Ordering::Relaxed);
        self.round = self.round.wrapping_add(1);
        let members = shared.parts.len();
        for (member, part) in shared.parts.iter().enumerate() {
            let own = tasks * member / members..tasks * (member + 1) / members;
            part.0.store(Part::new(self.round, own).0, Ordering::Release);
        }
        shared.round.0.store(self.round, Ordering::SeqCst);
        shared.wake_sleepers();
        shared.work_off(0);
        let mut spins = 0u32;
        while shared.finished.0.load(Ordering::Acquire) < tasks {
            std::hint::spin_loop();
            spins += 1;
            // A member was interrupted amid its task: let it have this processor.
            if spins.is_multiple_of(1 << 14) {
                std::thread::yield_now();
            }
        }
        if shared.panicked.swap(false, Ordering::Relaxed) {
            resume_unwind(Box::new("a task of the CPU engine panicked"));
        }
    }
}

impl Drop for Team {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        drop(self.shared.lock.lock().unwrap_or_else(PoisonError::into_inner));
        self.shared.wake.notify_all();
        for member in self.members.drain(..) {
            // A member's panics are caught per task, so it ends by returning.
            let _ = member.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_task_is_done_once_and_before_the_call_returns() {
        for threads in [1, 2, 3, 8] {
            let mut team = Team::new(threads).unwrap();
            let rounds = if cfg!(miri) { 5 } else { 300 };
            for round in 0..rounds {
                let tasks = round * 7 % 41;
                let counts: Vec<AtomicUsize> = (0..tasks).map(|_| AtomicUsize::new(0)).collect();
                team.run(tasks, &|member, task| {
                    assert!(member < threads);
                    counts[task].fetch_add(1, Ordering::Relaxed);
                });
                assert!(counts.iter().all(|c| c.load(Ordering::Relaxed) == 1), "round {round}");
                // Now and then long enough for everybody to fall asleep.
                if round % 50 == 0 {
                    std::thread::sleep(2 * SPIN);
                }
            }
        }
    }

    #[test]
    fn more_tasks_than_one_round_holds() {
        let mut team = Team::new(2).unwrap();
        let tasks = if cfg!(miri) { 100 } else { 3 * MAX_TASKS + 5 };
        let sum = AtomicUsize::new(0);
        team.run(tasks, &|_, task| {
            sum.fetch_add(task, Ordering::Relaxed);
        });
        assert_eq!(sum.into_inner(), tasks * (tasks - 1) / 2);
    }

    #[test]
    fn a_panic_reaches_the_caller_and_the_team_lives_on() {
        let mut team = Team::new(2).unwrap();
        let caught = catch_unwind(AssertUnwindSafe(|| {
            team.run(4, &|_, task| assert_ne!(task, 2, "a panic on purpose"));
        }));
        assert!(caught.is_err());
        let done = AtomicUsize::new(0);
        team.run(4, &|_, _| {
            done.fetch_add(1, Ordering::Relaxed);
        });
        assert_eq!(done.into_inner(), 4);
    }
}
