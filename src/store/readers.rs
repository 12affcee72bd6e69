//! Reader threads in lanes, one lane for each class of read: a long read never takes a thread that a look-up
//! or a probe needs, and no read ever blocks the runtime.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::timeout_at;

use super::rows::Rows;
use super::{Error, Result};

/// The maximum number of waiting look-ups that share one snapshot. More would let a long one hold up too many while another
/// thread is idle.
const TOGETHER: usize = 16;

/// The niceness of a thread of long reads, as `nice` takes it.
const NICENESS: i32 = 10;

/// Lowers the priority of this thread below the rest of the process, where the system allows it.
pub fn give_way() {
    _ = rustix::process::setpriority_process(Some(rustix::thread::gettid()), NICENESS);
}

/// The class of a read, which decides its threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadClass {
    /// A probe of the database.
    Probe,
    /// One app user, or one row.
    LookUp,
    /// A page of the change feed.
    Feed,
    /// A read of many rows.
    Long,
    /// A read for an operator, of one row or of many.
    Console,
}

impl ReadClass {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Probe, Self::LookUp, Self::Feed, Self::Long, Self::Console];

    /// Whether a read of this class may take long: then its threads run at a lower priority, and it has a snapshot of
    /// its own.
    fn is_of_many_rows(self) -> bool {
        matches!(self, Self::Long | Self::Console)
    }

    /// Its name in the metrics and in the documentation.
    pub fn name(self) -> &'static str {
        match self {
            Self::Probe => "probe",
            Self::LookUp => "look_up",
            Self::Feed => "feed",
            Self::Long => "long",
            Self::Console => "console",
        }
    }
}

/// A connection that reads, one snapshot after another. Reads fail with [`Error::Interrupted`] soon after its stop signal
/// is raised.
pub trait StoreReader: Send + 'static {
    /// The rows of the open snapshot.
    fn rows(&self) -> &dyn Rows;

    /// Opens a snapshot, unless one is open. Returns whether it opened one; then [`StoreReader::end`] must follow.
    fn begin(&self) -> Result<bool>;

    /// Ends the snapshot.
    fn end(&self);

    /// Sets the stop signal.
    fn obey(&mut self, stop: StopSignal);

    /// Whether no damage of a derived table was reported since it was last remade.
    fn is_intact(&self, _table: &str) -> bool {
        true
    }

    /// Reports an error of a read, so that a damaged table is remade.
    fn note_error(&self, _error: &Error) {}
}

/// A database connection that reads.
pub trait LaneReader: Send + 'static {
    /// Runs reads in one snapshot, which is opened not before this call.
    fn in_one_snapshot(&mut self, reads: impl FnOnce(&mut Self));

    /// Sets the stop signal: a read fails with [`Error::Interrupted`] soon after it is raised.
    fn obey(&mut self, stop: StopSignal);

    /// Reports the error of a read.
    fn note_error(&mut self, _error: &Error) {}
}

/// The signal that a read must end.
#[derive(Clone, Debug)]
pub struct StopSignal(Arc<(AtomicBool, Instant)>);

impl StopSignal {
    /// Raised at this time at the latest.
    pub fn at(until: Instant) -> Self {
        Self(Arc::new((AtomicBool::new(false), until)))
    }

    fn raise(&self) {
        self.0.0.store(true, Ordering::Release);
    }

    /// Whether the read must end.
    pub fn is_raised(&self) -> bool {
        self.0.0.load(Ordering::Acquire) || Instant::now() >= self.0.1
    }
}

/// The limits of a lane.
#[derive(Clone, Copy, Debug)]
pub struct LaneBounds {
    /// The number of reads that may wait beside those that run; a further one is refused.
    pub waiting: usize,
    /// A read is answered within this time, waiting included, or ended.
    pub within: Duration,
}

/// The load of a lane, for the metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LaneLoad {
    /// Reads that a thread is at.
    pub running: u64,
    /// Reads that were admitted and are not running.
    pub waiting: u64,
    /// Reads that were answered.
    pub answered: u64,
    /// Reads that found no place.
    pub refused: u64,
    /// Reads that were ended at the time limit.
    pub timed_out: u64,
    /// Reads that were ended because their caller had gone.
    pub hung_up: u64,
}

struct ReadStep<R> {
    stop: StopSignal,
    run: Box<dyn FnOnce(&mut R) + Send>,
}

struct Lane<R> {
    tasks: async_channel::Sender<ReadStep<R>>,
    places: Arc<Semaphore>,
    within: Duration,
    /// Those that run count as waiting as well.
    load: Mutex<LaneLoad>,
}

impl<R> Lane<R> {
    fn load(&self) -> MutexGuard<'_, LaneLoad> {
        self.load.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<R: LaneReader> Lane<R> {
    fn start(class: ReadClass, readers: Vec<R>, bounds: LaneBounds) -> std::io::Result<Arc<Self>> {
        // A read has at most one task, so the channel never holds more than there are places.
        let (tasks, waiting) = async_channel::unbounded::<ReadStep<R>>();
        let places = Arc::new(Semaphore::new(readers.len() + bounds.waiting));
        for mut reader in readers {
            let waiting = waiting.clone();
            let run = move || {
                if class.is_of_many_rows() {
                    give_way();
                }
                while let Ok(first) = waiting.recv_blocking() {
                    if class.is_of_many_rows() {
                        // A snapshot for each read, so that none is held for long.
                        run(&mut reader, first);
                        continue;
                    }
                    let more = std::iter::from_fn(|| waiting.try_recv().ok());
                    // The signal of an earlier read may be raised, and would interrupt the opening of the snapshot.
                    reader.obey(first.stop.clone());
                    let tasks: Vec<ReadStep<R>> =
                        std::iter::once(first).chain(more.take(TOGETHER - 1)).collect();
                    reader.in_one_snapshot(|reader| tasks.into_iter().for_each(|task| run(reader, task)));
                }
            };
            thread::Builder::new().name(format!("read {}", class.name())).spawn(run)?;
        }
        Ok(Arc::new(Self { tasks, places, within: bounds.within, load: Mutex::default() }))
    }

    fn admit(self: &Arc<Self>, place: Option<OwnedSemaphorePermit>) -> ActiveRead<R> {
        let until = Instant::now() + self.within;
        let (lane, waits) = (self.clone(), AtomicBool::new(false));
        ActiveRead { lane, until, stop: StopSignal::at(until), place, waits }
    }
}

fn run<R: LaneReader>(reader: &mut R, task: ReadStep<R>) {
    reader.obey(task.stop);
    (task.run)(reader);
}

/// The threads of all lanes, each with a connection of its own. Clones share them.
pub struct Readers<R>(Arc<[Arc<Lane<R>>; 5]>);

impl<R> Clone for Readers<R> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<R: LaneReader> Readers<R> {
    /// Starts a thread for each reader, of the lanes in the order of [`ReadClass::ALL`]. They end with the last
    /// clone.
    pub fn start(lanes: [(Vec<R>, LaneBounds); 5]) -> std::io::Result<Self> {
        let [probe, look_up, feed, long, console] = lanes;
        let lane = |class, (readers, bounds)| Lane::start(class, readers, bounds);
        Ok(Self(Arc::new([
            lane(ReadClass::Probe, probe)?,
            lane(ReadClass::LookUp, look_up)?,
            lane(ReadClass::Feed, feed)?,
            lane(ReadClass::Long, long)?,
            lane(ReadClass::Console, console)?,
        ])))
    }

    /// The same threads, of which those of this class alone do reads of every class.
    pub fn only(&self, class: ReadClass) -> Self {
        Self(Arc::new(std::array::from_fn(|_| self.0[class as usize].clone())))
    }

    /// Admits a read. [`Error::Busy`] where too many wait already.
    pub fn begin(&self, class: ReadClass) -> Result<ActiveRead<R>> {
        let lane = &self.0[class as usize];
        let Ok(place) = lane.places.clone().try_acquire_owned() else {
            lane.load().refused += 1;
            return Err(Error::Busy);
        };
        lane.load().waiting += 1;
        Ok(lane.admit(Some(place)))
    }

    /// Runs a read of the service itself, which takes no place. The caller limits their number.
    pub async fn run_beside<T: Send + 'static>(
        &self,
        class: ReadClass,
        read: impl FnOnce(&mut R) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.0[class as usize].admit(None).run(read).await
    }

    /// Admits a read, and runs it.
    pub async fn run<T: Send + 'static>(
        &self,
        class: ReadClass,
        read: impl FnOnce(&mut R) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.begin(class)?.run(read).await
    }

    /// The load of each lane.
    pub fn loads(&self) -> [LaneLoad; 5] {
        ReadClass::ALL.map(|class| {
            let load = *self.0[class as usize].load();
            LaneLoad { waiting: load.waiting.saturating_sub(load.running), ..load }
        })
    }
}

/// A read that was admitted. It may run in several steps, between which others get their turn. Dropped, it
/// ends, also in the midst of a step, and its place is free.
pub struct ActiveRead<R> {
    lane: Arc<Lane<R>>,
    until: Instant,
    stop: StopSignal,
    /// Absent from a read of the service itself.
    place: Option<OwnedSemaphorePermit>,
    /// The caller waits for a step.
    waits: AtomicBool,
}

impl<R> Drop for ActiveRead<R> {
    fn drop(&mut self) {
        self.stop.raise();
        let mut load = self.lane.load();
        load.waiting -= u64::from(self.place.is_some());
        load.hung_up += u64::from(*self.waits.get_mut());
    }
}

impl<R: LaneReader> ActiveRead<R> {
    /// Runs a step. [`Error::Interrupted`] at the time limit.
    pub async fn run<T: Send + 'static>(
        &self,
        step: impl FnOnce(&mut R) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (done, answer) = oneshot::channel();
        let lane = self.lane.clone();
        let failed = |why: &str| Error::Unavailable(why.to_owned());
        let run = Box::new(move |reader: &mut R| {
            // The caller of a read that waited too long has gone.
            if !done.is_closed() {
                lane.load().running += 1;
                let found = catch_unwind(AssertUnwindSafe(|| step(reader)));
                let found = found.unwrap_or_else(|_| Err(failed("the read panicked")));
                // Before the caller knows the answer, so that the metrics it looks at then agree with it.
                lane.load().running -= 1;
                _ = done.send(found.inspect_err(|error| reader.note_error(error)));
            }
        });
        let task = ReadStep { stop: self.stop.clone(), run };
        self.lane.tasks.try_send(task).map_err(|_| failed("the readers have ended"))?;
        self.waits.store(true, Ordering::Relaxed);
        let answer = timeout_at(self.until.into(), answer).await;
        self.waits.store(false, Ordering::Relaxed);
        let found = match answer {
            Ok(Ok(found)) => found,
            Ok(Err(_)) => Err(failed("the readers have ended")),
            Err(_) => Err(Error::Interrupted),
        };
        let is_stopped = matches!(found, Err(Error::Interrupted));
        if is_stopped {
            self.stop.raise();
        }
        let mut load = self.lane.load();
        load.timed_out += u64::from(is_stopped);
        load.answered += u64::from(!is_stopped);
        found
    }
}

#[cfg(test)]
mod tests;
