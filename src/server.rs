//! What is opened in which order, and how it ends.

mod error;
mod listeners;
mod open;
mod reload;

use std::future::Future;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

use crate::config::{Settings, SettingsProblems, StoreUrl};
use crate::http::HttpState;
use crate::ingest::commit_notifier::CommitNotifier;
use crate::ingest::heartbeat::WorkerHeartbeat;
use crate::ingest::queue;
use crate::ingest::queue::Queue;
use crate::ingest::worker::{Worker, WorkerOptions};
use crate::metrics::Metrics;
use crate::rebuild::background::BackgroundRebuild;
use crate::schedule::Schedule;
use crate::store;
use crate::store::Retention;
use crate::store::sqlite::Sqlite;
use crate::supervisor;
pub use error::ServerError;
use error::io;
use listeners::Listeners;
use open::open;
use reload::Runtime;

/// How often the worker looks whether something is kept long enough.
const TICK: Duration = Duration::from_secs(1);

/// For telling senders that the worker is gone.
const LAST_ANSWERS: Duration = Duration::from_millis(500);

/// How long every webhook is answered 503 before the process ends, once a file of the database was lost.
const SAYS_LOST: Duration = Duration::from_secs(1);

/// Runs the service until it is told to stop, or cannot go on. SIGHUP makes it go on with the settings that
/// `read_again` gives.
///
/// The listeners come first: a database that was not closed may take its time to open, and whoever asks
/// meanwhile is told to come again.
pub async fn run(
    settings: &Settings,
    read_again: impl Fn() -> Result<Settings, SettingsProblems>,
) -> Result<(), ServerError> {
    let mut signals = Signals::new().map_err(io("signals"))?;
    let metrics = Arc::new(Metrics::default());
    let mut front = Listeners::open(&settings.server, &metrics).await?;
    let (listen, admin_listen) = (front.listen, front.admin_listen);
    tracing::info!(%listen, %admin_listen, "starting on {listen}");

    let owned = settings.clone();
    let (store, readers) = tokio::select! {
        opened = tokio::task::spawn_blocking(move || open(&owned)) => {
            opened.map_err(|error| io("opening the database")(error.into()))??
        }
        () = supervisor::opening() => return Ok(()),
        signal = signals.stop() => {
            tracing::info!(signal, "{signal} before the database was open");
            return Ok(());
        }
    };
    let (presence, damaged_tables) = (store.presence(), store.damaged_tables());
    let ingest = &settings.ingest;
    let (queue, jobs) = queue::bounded(ingest.queue_jobs, ingest.queue_bytes, ingest.answer_within);
    let (commits, heartbeat) = (CommitNotifier::default(), WorkerHeartbeat::default());
    let (batch_jobs, group_members) = (ingest.batch_jobs, ingest.group_members);
    let (retention, told, beat) = (retention(settings), commits.clone(), heartbeat.clone());
    let options = WorkerOptions { batch_jobs, group_members, retention, commits: told, heartbeat: beat };
    let mut worker = start_worker(store, jobs, options, metrics.clone())?;
    tokio::spawn(tick(queue.clone()));
    let wake = queue.clone();
    presence.watch(move || _ = wake.tick()).map_err(io("watching the database"))?;
    let StoreUrl::Sqlite(database) = &settings.store.url;
    let relearning =
        BackgroundRebuild::start(database, queue.clone(), damaged_tables.clone(), metrics.clone());
    let schedule = Schedule::start(settings, metrics.clone()).map_err(io("the thread of backups"))?;
    let shared = HttpState::new(
        settings,
        queue.clone(),
        readers,
        commits,
        presence.clone(),
        damaged_tables,
        metrics.clone(),
    );
    let besides = (schedule, relearning.map_err(io("the thread that learns again"))?);
    let mut live = Runtime::new(settings, shared, besides, &front, metrics);
    tokio::spawn(supervisor::watch(heartbeat));
    let (store, apps) = (&settings.store.url, settings.apps.len());
    tracing::info!(%listen, %admin_listen, %store, apps, "ready on {listen}");
    supervisor::ready();

    loop {
        tokio::select! {
            ended = &mut worker => {
                if presence.lost().is_some() {
                    // So that whoever sends or probes hears of it before nobody listens.
                    sleep(SAYS_LOST).await;
                }
                front.stop.send_replace(true);
                // Time for the requests under way to be told that theirs is not known to be stored.
                _ = timeout(LAST_ANSWERS, &mut front.public).await;
                return Err(ended_early(ended));
            }
            told = signals.next() => match told {
                SignalAction::Reload => live.reload(&read_again),
                SignalAction::Stop(signal) => {
                    tracing::info!(signal, "{signal}: finishing what is under way");
                    break;
                }
            },
        }
    }
    supervisor::stopping();
    let within = live.drain_within();
    tokio::select! {
        drained = timeout(within, drain(front, live, &queue, worker)) => match drained {
            Ok(Ok(Ok(()))) => tracing::info!("stopped; everything acknowledged is on disk"),
            Ok(ended) => return Err(ended_early(ended)),
            Err(_) => return Err(ServerError::NotDrained),
        },
        signal = signals.stop() => tracing::warn!(signal, "{signal} again: stopping at once"),
    }
    Ok(())
}

/// Ends what is under way, from the front to the back.
async fn drain(
    mut front: Listeners,
    live: Runtime,
    queue: &Queue,
    worker: oneshot::Receiver<Stored>,
) -> Ended {
    live.draining();
    front.stop.send_replace(true);
    // The rest of the time is the worker's. Peers that have not taken their answers by then never will.
    if timeout(live.drain_within() * 4 / 5, &mut front.public).await.is_err() {
        tracing::warn!("closing connections that are still open");
        front.public.abort();
        _ = front.public.await;
    }
    queue.close();
    let ended = worker.await;
    front.stop_admin.send_replace(true);
    // A backup that is being made is given up; it removes what it has written.
    _ = tokio::task::spawn_blocking(move || drop(live)).await;
    ended
}

/// Has the worker look again and again, as long as there is one.
async fn tick(queue: queue::Queue) {
    while queue.tick() {
        sleep(TICK).await;
    }
}

/// How much is kept.
fn retention(settings: &Settings) -> Retention {
    let kept = &settings.retention;
    let ms = |age: Option<Duration>| age.map(|age| i64::try_from(age.as_millis()).unwrap_or(i64::MAX));
    Retention {
        history_age: ms(kept.history_age),
        history_entries: kept.history_entries,
        bodies_age: ms(kept.bodies_age),
        bodies_bytes: kept.bodies_bytes,
        feed_age: ms(kept.feed_age),
        feed_changes: kept.feed_changes,
        quarantine_age: ms(kept.quarantine_age),
    }
}

type Stored = Result<(), store::Error>;
type Ended = Result<Stored, oneshot::error::RecvError>;

/// Starts the worker's thread. Resolves when it has ended and the store is closed.
fn start_worker(
    store: Sqlite,
    jobs: async_channel::Receiver<queue::Job>,
    options: WorkerOptions,
    metrics: Arc<Metrics>,
) -> Result<oneshot::Receiver<Stored>, ServerError> {
    let (done, ended) = oneshot::channel();
    let run = move || {
        // The one way to test what becomes of the process.
        #[cfg(debug_assertions)]
        assert!(std::env::var("ROLLCALL_PANIC_ON").as_deref() != Ok("worker"), "provoked");
        let result = Worker::new(store, options, metrics).run(&jobs);
        _ = done.send(result);
    };
    thread::Builder::new().name("worker".to_owned()).spawn(run).map_err(io("the worker's thread"))?;
    Ok(ended)
}

/// Half alive is worse than dead: without the worker, the process ends and is started afresh.
fn ended_early(ended: Ended) -> ServerError {
    match ended {
        Ok(Ok(())) | Err(_) => ServerError::Worker,
        Ok(Err(error)) => error.into(),
    }
}

/// The signals of an operator, and one of the system.
struct Signals {
    term: Signal,
    int: Signal,
    hup: Signal,
    /// A reload was asked for before there was anything to reload.
    reload_later: bool,
    /// A file grown beyond its limit: with a handler, the write fails instead of the process.
    _too_large: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        const SIGXFSZ: i32 = 25;
        Ok(Self {
            term: signal(SignalKind::terminate())?,
            int: signal(SignalKind::interrupt())?,
            hup: signal(SignalKind::hangup())?,
            reload_later: false,
            _too_large: signal(SignalKind::from_raw(SIGXFSZ))?,
        })
    }

    async fn next(&mut self) -> SignalAction {
        if std::mem::take(&mut self.reload_later) {
            return SignalAction::Reload;
        }
        self.receive().await
    }

    /// The next one to stop, while there is nothing to reload: that is done once the service is ready.
    async fn stop(&mut self) -> &'static str {
        loop {
            match self.receive().await {
                SignalAction::Stop(signal) => return signal,
                SignalAction::Reload => self.reload_later = true,
            }
        }
    }

    async fn receive(&mut self) -> SignalAction {
        tokio::select! {
            _ = self.term.recv() => SignalAction::Stop("SIGTERM"),
            _ = self.int.recv() => SignalAction::Stop("SIGINT"),
            _ = self.hup.recv() => SignalAction::Reload,
        }
    }
}

/// What an operator wants.
enum SignalAction {
    Stop(&'static str),
    Reload,
}

/// Runs `future` on a runtime of its own. The runtime ends with it, whatever is still open.
pub fn block_on<F: Future>(future: F) -> Result<F::Output, ServerError> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(io("the runtime"))?;
    let output = runtime.block_on(future);
    runtime.shutdown_background();
    Ok(output)
}
