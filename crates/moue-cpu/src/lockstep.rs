//! Threads that go through the steps of a network together.
//!
//! Handing out the tasks of each step anew costs as much as the tasks of a small network. So each
//! thread has a *lane*, its share of every step, and between two steps only a counter crosses from
//! one core to the other. A lane also keeps the same weights in the same core's cache.
//!
//! Nobody waits for a thread that is not there: where the owner of a lane has not come, or is late, others
//! do its tasks.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::team::Team;

/// Turns of the waiting loop (some tens of nanoseconds each) after which a lane's next task is taken over.
const PATIENCE: u32 = 200;

/// Lines of their own, since other threads poll them.
#[derive(Default)]
#[repr(align(128))]
struct Lane {
    /// Tasks that somebody has begun: the next step of this lane.
    claimed: AtomicUsize,
    /// Tasks that are done. Steps are done in order.
    done: AtomicUsize,
    /// Whether its owner has come.
    present: AtomicBool,
}

/// The lanes of a team.
pub(crate) struct Lockstep {
    lanes: Vec<Lane>,
}

impl Lockstep {
    pub fn new(lanes: usize) -> Self {
        Self { lanes: (0..lanes).map(|_| Lane::default()).collect() }
    }

    /// Calls `work(member, step, lane)` once for every step in `0..steps` and every lane. A step
    /// begins when the one before it is done in all lanes; `member` is as for [`Team::run`].
    pub fn run(&mut self, team: &mut Team, steps: usize, work: &(dyn Fn(usize, usize, usize) + Sync)) {
        for lane in &mut self.lanes {
            *lane = Lane::default();
        }
        let lanes = &self.lanes;
        team.run(lanes.len(), &|member, own| {
            let lane = &lanes[own];
            lane.present.store(true, Ordering::Relaxed);
            while lane.done.load(Ordering::Acquire) < steps {
                let step = lane.claimed.load(Ordering::Acquire);
                if step < steps {
                    wait(lanes, step, own, |step, late| {
                        claim(&lanes[late], step, || work(member, step, late));
                    });
                    claim(lane, step, || work(member, step, own));
                } else {
                    std::hint::spin_loop();
                }
            }
            // The call ends when every lane has, whoever did its tasks.
            wait(lanes, steps, own, |step, late| {
                claim(&lanes[late], step, || work(member, step, late));
            });
        });
    }
}

/// Waits until all lanes have done `steps` steps; `help(step, lane)` is called for what nobody does.
fn wait(lanes: &[Lane], steps: usize, own: usize, help: impl Fn(usize, usize)) {
    for (other, lane) in lanes.iter().enumerate() {
        let mut turns = 0;
        while lane.done.load(Ordering::Acquire) < steps {
            let absent = other != own && !lane.present.load(Ordering::Relaxed);
            if absent || turns > PATIENCE {
                let step = lane.claimed.load(Ordering::Acquire);
                if step < steps && lanes.iter().all(|l| l.done.load(Ordering::Acquire) >= step) {
                    help(step, other);
                    continue;
                }
            }
            turns += 1;
            // Its task was begun and not ended: the thread may need this processor.
            if turns.is_multiple_of(1 << 14) {
                std::thread::yield_now();
            }
            std::hint::spin_loop();
        }
    }
}

/// Does a lane's task of a step unless somebody else has begun it.
fn claim(lane: &Lane, step: usize, work: impl FnOnce()) {
    if lane.claimed.compare_exchange(step, step + 1, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
        let _end = End { lane, step };
        work();
    }
}

/// Marks a task as done when it goes, also where the task panics: others wait for it, and the team passes the
/// panic on.
struct End<'a> {
    lane: &'a Lane,
    step: usize,
}

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.lane.done.store(self.step + 1, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_done_once_and_one_after_the_other() {
        // More threads than processors: some come late.
        for threads in [1, 2, 3, 8] {
            let (mut team, steps) = (Team::new(threads).unwrap(), if cfg!(miri) { 5 } else { 50 });
            let mut lockstep = Lockstep::new(threads);
            for round in 0..if cfg!(miri) { 2 } else { 100 } {
                let counts: Vec<AtomicUsize> = (0..steps).map(|_| AtomicUsize::new(0)).collect();
                lockstep.run(&mut team, steps, &|member, step, lane| {
                    assert!(member < threads && lane < threads);
                    assert!(step == 0 || counts[step - 1].load(Ordering::Relaxed) == threads);
                    counts[step].fetch_add(1, Ordering::Relaxed);
                });
                assert!(counts.iter().all(|c| c.load(Ordering::Relaxed) == threads), "round {round}");
            }
        }
    }
}
