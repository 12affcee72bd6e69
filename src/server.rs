//! Startup and shutdown of the service.

mod error;
mod open;
mod runtime;

use std::future::Future;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

use crate::config::{Settings, SettingsSources, StoreUrl};
use crate::directory::DirectoryWriter;
use crate::http::{HttpState, ServiceControl};
use crate::ingest::audit_log::AuditLog;
use crate::ingest::commit_notifier::CommitNotifier;
use crate::ingest::heartbeat::WorkerHeartbeat;
use crate::ingest::queue;
use crate::ingest::queue::Queue;
use crate::ingest::worker::{WorkerOptions, run_worker};
use crate::metrics::Metrics;
use crate::rebuild::background::BackgroundRebuild;
use crate::schedule::Schedule;
use crate::store;
use crate::store::sqlite::Presence;
use crate::store::{AuditAction, How, Retention};
use crate::supervisor;
pub use error::ServerError;
use error::io;
use open::{Opened, open};
use runtime::{Listeners, Runtime};

/// Between two maintenance steps of an idle worker.
const TICK: Duration = Duration::from_secs(1);

/// Time to answer requests in progress after the worker ended.
const LAST_ANSWERS: Duration = Duration::from_millis(500);

/// How long webhooks are answered 503 before the process ends after it lost a file of the database.
const SAYS_LOST: Duration = Duration::from_secs(1);

/// Runs the service until SIGTERM, SIGINT or a fatal error. SIGHUP, or an operator, reloads the settings from `sources`.
///
/// The listeners open first and answer 503: a database that was not closed cleanly may take long to open.
pub async fn run(settings: &Settings, sources: SettingsSources) -> Result<(), ServerError> {
    let mut signals = Signals::new().map_err(io("signals"))?;
    let metrics = Arc::new(Metrics::default());
    let mut front = Listeners::open(settings, &metrics).await?;
    let (listen, admin_listen) = (front.listen, front.admin_listen);
    tracing::info!(%listen, %admin_listen, "starting on {listen}");

    let owned = settings.clone();
    let Opened { directory, readers, presence, damaged_tables, admission } = tokio::select! {
        opened = tokio::task::spawn_blocking(move || open(&owned)) => {
            opened.map_err(|error| io("opening the database")(error.into()))??
        }
        () = supervisor::opening() => return Ok(()),
        signal = signals.stop() => {
            tracing::info!(signal, "{signal} before the database was open");
            return Ok(());
        }
    };
    let ingest = &settings.ingest;
    let (queue, jobs) = queue::bounded(ingest.queue_jobs, ingest.queue_bytes, ingest.answer_within);
    let (commits, heartbeat) = (CommitNotifier::default(), WorkerHeartbeat::default());
    let options = worker_options(settings, commits.clone(), heartbeat.clone());
    let mut worker = start_worker(directory, jobs, options, metrics.clone())?;
    tokio::spawn(tick(queue.clone()));
    let wake = queue.clone();
    presence.watch(move || _ = wake.tick()).map_err(io("watching the database"))?;
    let StoreUrl::Sqlite(database) = &settings.store.url;
    let relearning =
        BackgroundRebuild::start(database, queue.clone(), damaged_tables.clone(), metrics.clone());
    let schedule = schedule_backups(settings, &queue, &metrics)?;
    let (jobs, files, counted) = (queue.clone(), (presence.clone(), damaged_tables), metrics.clone());
    let shared = HttpState::new(settings, jobs, readers, commits, files, admission, counted);
    let (control, mut reloads) = ServiceControl::new(sources.clone());
    let shared = shared.controlled_by(control);
    let besides = (schedule, relearning.map_err(io("the thread that learns again"))?);
    let mut live = Runtime::new(settings, shared, besides, &front, metrics);
    tokio::spawn(supervisor::watch(heartbeat));
    let (store, apps) = (&settings.store.url, settings.apps.len());
    tracing::info!(%listen, %admin_listen, %store, apps, "ready on {listen}");
    supervisor::ready();

    loop {
        tokio::select! {
            ended = &mut worker => {
                answer_without_worker(&presence, &mut front).await;
                return Err(ended_early(ended));
            }
            Some(asked) = reloads.recv() => drop(asked.send(live.reload("POST /reload", &sources))),
            told = signals.next() => match told {
                SignalAction::Reload => live.reload_by_signal(&sources),
                SignalAction::Stop(signal) => {
                    tracing::info!(signal, "{signal}: finishing requests in progress");
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
        signal = signals.stop() => {
            tracing::warn!(signal, "{signal} again: stopping at once");
        }
    }
    Ok(())
}

/// Closes the public listener after the worker ended.
async fn answer_without_worker(presence: &Presence, front: &mut Listeners) {
    if presence.lost().is_some() {
        // Senders and probes get an answer before the listener closes.
        sleep(SAYS_LOST).await;
    }
    front.stop.send_replace(true);
    // Requests in progress are answered that their webhook may not be stored.
    _ = timeout(LAST_ANSWERS, &mut front.public).await;
}

/// Shuts down: listeners, then worker, then background threads.
async fn drain(
    mut front: Listeners,
    live: Runtime,
    queue: &Queue,
    worker: oneshot::Receiver<Stored>,
) -> Ended {
    live.draining();
    front.stop.send_replace(true);
    // The worker has the rest of the time.
    if timeout(live.drain_within() * 4 / 5, &mut front.public).await.is_err() {
        tracing::warn!("drain timeout: closing open connections");
        front.public.abort();
        _ = front.public.await;
    }
    live.end_audit().await;
    queue.close();
    let ended = worker.await;
    front.stop_admin.send_replace(true);
    // A backup in progress is cancelled and removes its file.
    _ = tokio::task::spawn_blocking(move || drop(live)).await;
    ended
}

/// Starts the scheduled backups; the audit log has each.
fn schedule_backups(
    settings: &Settings,
    queue: &Queue,
    metrics: &Arc<Metrics>,
) -> Result<Schedule, ServerError> {
    let audit = AuditLog::new(queue.clone());
    let schedule = Schedule::start(settings, metrics.clone(), move |is_done| {
        audit.add_unasked(How::Schedule, AuditAction::Backup, is_done);
    });
    schedule.map_err(io("the thread of backups"))
}

/// Wakes the worker for maintenance until the queue closes.
async fn tick(queue: queue::Queue) {
    while queue.tick() {
        sleep(TICK).await;
    }
}

/// The retention bounds of the settings, in ms.
fn retention_bounds(settings: &Settings) -> Retention {
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
        audit_age: ms(kept.audit_age),
    }
}

type Stored = Result<(), store::Error>;
type Ended = Result<Stored, oneshot::error::RecvError>;

fn worker_options(settings: &Settings, commits: CommitNotifier, heartbeat: WorkerHeartbeat) -> WorkerOptions {
    let (batch_jobs, group_members) = (settings.ingest.batch_jobs, settings.ingest.group_members);
    WorkerOptions { batch_jobs, group_members, retention: retention_bounds(settings), commits, heartbeat }
}

/// Starts the worker's thread. Resolves when it has ended and the store is closed.
fn start_worker(
    directory: DirectoryWriter,
    jobs: async_channel::Receiver<queue::Job>,
    options: WorkerOptions,
    metrics: Arc<Metrics>,
) -> Result<oneshot::Receiver<Stored>, ServerError> {
    let (done, ended) = oneshot::channel();
    let run = move || {
        // For tests of the shutdown after a panic.
        #[cfg(debug_assertions)]
        assert!(std::env::var("ROLLCALL_PANIC_ON").as_deref() != Ok("worker"), "provoked");
        let result = run_worker(directory, options, metrics, &jobs);
        _ = done.send(result);
    };
    thread::Builder::new().name("worker".to_owned()).spawn(run).map_err(io("the worker's thread"))?;
    Ok(ended)
}

/// The process ends without the worker, so that the supervisor restarts it.
fn ended_early(ended: Ended) -> ServerError {
    match ended {
        Ok(Ok(())) | Err(_) => ServerError::Worker,
        Ok(Err(error)) => error.into(),
    }
}

struct Signals {
    term: Signal,
    int: Signal,
    hup: Signal,
    /// A SIGHUP arrived during startup.
    reload_later: bool,
    /// SIGXFSZ: with a handler, the write fails instead of the process.
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

    /// The next signal to stop. A SIGHUP is postponed until the service is ready.
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

enum SignalAction {
    Stop(&'static str),
    Reload,
}

/// Runs `future` on a new runtime, which ends with it.
pub fn block_on<F: Future>(future: F) -> Result<F::Output, ServerError> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(io("the runtime"))?;
    let output = runtime.block_on(future);
    runtime.shutdown_background();
    Ok(output)
}
