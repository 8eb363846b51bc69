//! A whole video through the pipeline: decode, detect and classify, follow.
//!
//! One thread takes frames from the decoder and deals them out in turns to as many threads as there are
//! pipelines, each with one thread of its own: frames are independent, so nobody waits for anybody. The calling thread
//! takes the answers in the same turns, which restores the order, and follows the faces. All queues are bounded and the
//! memory of frames is used again, so a long video takes no more than a short one.
//!
//! Where faces are looked for everywhere in every n-th frame only, the frames between wait for the tracks as they are
//! after that frame and look near to them, unless the picture has become another; so the answers do not depend on the number of threads.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use moue_media::{Picture, Video, VideoFrame, VideoOptions, VideoSource};

use crate::pipeline::{Pipeline, Sighting};
use crate::{Analyzer, Error, Face, Follower, Record, Scene, Tracker};

/// How a video is analysed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct VideoAnalysis {
    /// Faces are looked for everywhere in every n-th frame, and near to where they were in the others; at least 1.
    pub detect_every: u64,
    /// Number of the first frame that is given.
    pub first: u64,
    /// Frames up to this time in seconds are passed over.
    pub after: Option<f64>,
    /// Whether [`Analyzer::records`] smooths probabilities over time; the raw ones stand beside them then.
    pub smoothing: bool,
}

impl Default for VideoAnalysis {
    fn default() -> Self {
        Self { detect_every: 1, first: 0, after: None, smoothing: true }
    }
}

/// One frame and what is in it.
#[derive(Debug)]
pub struct Seen<'a> {
    /// Its number.
    pub frame: u64,
    /// Its time in seconds.
    pub time: f64,
    /// The picture, to draw on.
    pub picture: &'a mut Picture,
    /// The faces, in the order of their ids.
    pub faces: Vec<Face>,
}

impl Analyzer {
    /// The records of all frames of a video: a file in any format that ffmpeg reads, or an animated picture.
    ///
    /// # Errors
    /// Those of [`Video::open`]. What goes wrong later is an item.
    pub fn video(&self, path: impl AsRef<Path>) -> Result<Records, Error> {
        let source = VideoSource::File(path.as_ref().to_owned());
        self.records(&source, &VideoOptions::default(), VideoAnalysis::default())
    }

    /// As [`video`](Self::video), of other sources, or of a part of one.
    ///
    /// # Errors
    /// Those of [`Video::open`].
    pub fn records(
        &self,
        source: &VideoSource,
        options: &VideoOptions,
        analysis: VideoAnalysis,
    ) -> Result<Records, Error> {
        let mut video = Video::open(source, options)?;
        let (width, height) = video.size();
        let name = source.to_string();
        let stop = Arc::new(AtomicBool::new(false));
        // A frame is looked at while the one before is used; more would be memory.
        let (send, receive) = sync_channel(8);
        let (analyzer, stopped) = (self.clone(), Arc::clone(&stop));
        let work = move || {
            let mut follower = analyzer.follower(analysis.smoothing);
            let each = |Seen { frame, time, faces, .. }: Seen<'_>| {
                let source = name.clone();
                send.send(Ok(Record { source, frame, time, width, height, faces }))
                    .map_err(|_| Ended::Listener)
            };
            match analyzer.watch(&mut video, &mut follower, &analysis, &stopped, each) {
                Ok(()) | Err(Ended::Listener) => {}
                Err(Ended::Error(error)) => drop(send.send(Err(error))),
            }
        };
        let thread = thread::Builder::new()
            .name("moue-video".to_owned())
            .spawn(work)
            .map_err(|e| Error::Threads { threads: 1, reason: e.to_string() })?;
        Ok(Records { receive: Some(receive), stop, thread: Some(thread) })
    }

    /// Gives every frame of a video to `each`, in order, until the video ends or `stop` is set.
    ///
    /// # Errors
    /// Those of the video, after all frames that could be read; those of [`Analyzer::picture`] and of `each`, which end it.
    pub fn watch<E: From<Error>>(
        &self,
        video: &mut Video,
        follower: &mut Follower,
        options: &VideoAnalysis,
        stop: &AtomicBool,
        each: impl FnMut(Seen<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut pipelines = self.take_all()?;
        let outcome = watch(video, &mut pipelines, follower, options, stop, each);
        self.return_all(pipelines);
        outcome
    }
}

/// What ends an iterator's work.
enum Ended {
    /// Nobody listens any more.
    Listener,
    Error(Error),
}

impl From<Error> for Ended {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

/// The records of a video, frame by frame; made by [`Analyzer::video`]. Frames are looked at ahead, a few at most; dropping it
/// ends that.
pub struct Records {
    receive: Option<Receiver<Result<Record, Error>>>,
    stop: Arc<AtomicBool>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Iterator for Records {
    type Item = Result<Record, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        self.receive.as_ref()?.recv().ok()
    }
}

impl Drop for Records {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // Whoever waits to hand something over is told that nobody takes it.
        self.receive = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// [`Analyzer::watch`] with a pipeline for each thread that is wanted.
fn watch<E: From<Error>>(
    video: &mut Video,
    analyzers: &mut [Pipeline],
    follower: &mut Follower,
    options: &VideoAnalysis,
    stop: &AtomicBool,
    mut each: impl FnMut(Seen<'_>) -> Result<(), E>,
) -> Result<(), E> {
    if options.detect_every == 0 {
        return Err(Error::Parameter(
            "faces are looked for every 0 frames, but must be in 1 or more".to_owned(),
        )
        .into());
    }
    let options = *options;
    let board = Board::new(options.first - options.first % options.detect_every, follower.tracker().clone());
    thread::scope(|scope| {
        // Whatever ends this, nobody waits for tracks any more.
        let _closing = Closing(&board);
        let threads = analyzers.len();
        let failed = |e: std::io::Error| Error::Threads { threads, reason: e.to_string() };
        let (spare, spares) = channel();
        let (mut jobs, mut answers) = (Vec::new(), Vec::new());
        for (index, analyzer) in analyzers.iter_mut().enumerate() {
            let (job, to_do) = sync_channel(1);
            let (done, answer) = sync_channel(1);
            jobs.push(job);
            answers.push(answer);
            let board = &board;
            thread::Builder::new()
                .name(format!("moue-look-{index}"))
                .spawn_scoped(scope, move || look(analyzer, options.detect_every, board, &to_do, &done))
                .map_err(failed)?;
        }
        thread::Builder::new()
            .name("moue-read".to_owned())
            .spawn_scoped(scope, move || read(video, &options, stop, &spares, &jobs))
            .map_err(failed)?;
        for (frame, answer) in (options.first..).zip(answers.iter().cycle()) {
            // Frames are dealt out in this order, so where one is missing all that follow are.
            let Ok(answer) = answer.recv() else { break };
            let Answer { time, mut picture, before, scene, seen } = answer?;
            if let Some(before) = before {
                follower.recall_scene(&before);
            }
            let faces = follower.frame(time, &scene, seen);
            if frame % options.detect_every == 0 {
                board.publish(frame, follower.tracker());
            }
            each(Seen { frame, time, picture: &mut picture, faces })?;
            // The reader may have ended.
            let _ = spare.send(picture);
        }
        Ok(())
    })
}

/// A frame to look at.
struct Job {
    number: u64,
    frame: VideoFrame,
    /// What the frame before looks like, where it was passed over.
    before: Option<Scene>,
}

/// What was seen in a frame.
struct Answer {
    time: f64,
    picture: Picture,
    before: Option<Scene>,
    scene: Scene,
    seen: Vec<Sighting>,
}

fn read(
    video: &mut Video,
    options: &VideoAnalysis,
    stop: &AtomicBool,
    spares: &Receiver<Picture>,
    jobs: &[SyncSender<Result<Job, Error>>],
) {
    let mut turns = (options.first..).zip(jobs.iter().cycle());
    let (mut spare, mut before) = (None, None);
    while !stop.load(Ordering::Relaxed) {
        let frame = match video.next_frame(spare.take().or_else(|| spares.try_recv().ok())) {
            Ok(Some(frame)) => frame,
            Ok(None) => return,
            Err(error) => {
                if let Some((_, job)) = turns.next() {
                    // Where nobody listens, there is an error already.
                    let _ = job.send(Err(error.into()));
                }
                return;
            }
        };
        if options.after.is_some_and(|after| frame.time <= after) {
            before = Some(Scene::of(&frame.picture));
            spare = Some(frame.picture);
            continue;
        }
        let Some((number, job)) = turns.next() else { return };
        if job.send(Ok(Job { number, frame, before: before.take() })).is_err() {
            return;
        }
    }
}

fn look(
    analyzer: &mut Pipeline,
    detect_every: u64,
    board: &Board,
    jobs: &Receiver<Result<Job, Error>>,
    done: &SyncSender<Result<Answer, Error>>,
) {
    while let Ok(job) = jobs.recv() {
        let answer = job.and_then(|Job { number, frame: VideoFrame { time, picture }, before }| {
            let scene = Scene::of(&picture);
            let seen = match number % detect_every {
                0 => analyzer.look(&picture, None),
                between => {
                    let expected = board.wait(number - between, |tracker| tracker.expected_in(time, &scene));
                    // After a cut they may be anywhere.
                    analyzer.look(&picture, expected.as_deref())
                }
            }?;
            Ok(Answer { time, picture, before, scene, seen })
        });
        if done.send(answer).is_err() {
            return;
        }
    }
}

/// Where the tracks are published as they are after the last frame that was looked at everywhere.
struct Board {
    state: Mutex<Posted>,
    changed: Condvar,
}

struct Posted {
    frame: u64,
    tracker: Tracker,
    closed: bool,
}

impl Board {
    fn new(frame: u64, tracker: Tracker) -> Self {
        Self { state: Mutex::new(Posted { frame, tracker, closed: false }), changed: Condvar::new() }
    }

    /// A thread that panicked left nothing half done here.
    fn lock(&self) -> MutexGuard<'_, Posted> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn publish(&self, frame: u64, tracker: &Tracker) {
        let mut state = self.lock();
        (state.frame, state.tracker) = (frame, tracker.clone());
        self.changed.notify_all();
    }

    /// The tracks after `frame`, once they are there. Later ones are not published before the frames between are
    /// answered.
    fn wait<T>(&self, frame: u64, take: impl FnOnce(&Tracker) -> T) -> T {
        let mut state = self.lock();
        while state.frame < frame && !state.closed {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        take(&state.tracker)
    }
}

struct Closing<'a>(&'a Board);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        self.0.lock().closed = true;
        self.0.changed.notify_all();
    }
}
