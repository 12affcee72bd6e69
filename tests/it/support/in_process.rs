//! The service in the process of the tests, over the store in memory: everything but the program's start, its signals and
//! the files of a database.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rollcall::clock::now_ms;
use rollcall::config::Settings;
use rollcall::directory::{DirectoryReader, DirectoryWriter, QuarantineLimits};
use rollcall::http::listen::{Routes, serve};
use rollcall::http::{HttpState, admin_router, public_router};
use rollcall::ingest::commit_notifier::CommitNotifier;
use rollcall::ingest::heartbeat::WorkerHeartbeat;
use rollcall::ingest::queue;
use rollcall::ingest::worker::{WorkerOptions, run_worker};
use rollcall::metrics::Metrics;
use rollcall::operators::{Admission, read_or_make_key};
use rollcall::store::readers::{LaneBounds, Readers};
use rollcall::store::sqlite::{DamagedTables, Sqlite, StoreOptions};
use rollcall::store::{Error, Retention};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::memory::Memory;

/// Between two maintenance steps of an idle worker.
const TICK: Duration = Duration::from_millis(100);
/// Reads that may wait in a lane.
const WAITING: usize = 4096;

/// The variable that names the store of the stories.
pub const TEST_STORE: &str = "ROLLCALL_TEST_STORE";

/// A store in memory, if the environment asks for one.
pub fn store_of_environment() -> Option<Arc<Memory>> {
    match std::env::var(TEST_STORE) {
        Ok(store) if store == "memory" => Some(Arc::default()),
        Ok(store) => panic!("{TEST_STORE}={store}: there is \"memory\""),
        Err(_) => None,
    }
}

/// A running service. It stops when dropped.
pub struct Service {
    pub listen: SocketAddr,
    pub admin: SocketAddr,
    folder: Arc<TempDir>,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl Service {
    /// Starts the service over this store, on free ports.
    pub fn start(text: &str, memory: Arc<Memory>) -> Self {
        let settings = Settings::parse(text, "config.toml", &BTreeMap::new(), &[]);
        let settings = settings.unwrap_or_else(|problems| panic!("{problems}"));
        let (stop, stopping) = watch::channel(false);
        let (ready, addresses) = channel();
        // The service watches the files of a database and reads the key beside it, so there has to be one.
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let path = folder.path().join("watched.db");
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
            runtime.unwrap().block_on(run(&settings, &memory, path, stopping, &ready));
        });
        let (listen, admin) = addresses.recv().expect("the service starts");
        Self { listen, admin, folder, stop, thread: Some(thread) }
    }

    /// The folder with its key.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Lets requests under way finish, and stops.
    pub fn stop(&mut self) {
        self.stop.send_replace(true);
        self.thread.take().into_iter().for_each(|thread| thread.join().unwrap());
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.stop.send_replace(true);
    }
}

async fn run(
    settings: &Settings,
    memory: &Arc<Memory>,
    path: PathBuf,
    mut stopping: watch::Receiver<bool>,
    ready: &Sender<(SocketAddr, SocketAddr)>,
) {
    let metrics = Arc::new(Metrics::default());
    let ingest = &settings.ingest;
    let (queue, jobs) = queue::bounded(ingest.queue_jobs, ingest.queue_bytes, ingest.answer_within);
    let commits = CommitNotifier::default();
    let options = WorkerOptions {
        batch_jobs: ingest.batch_jobs,
        group_members: ingest.group_members,
        retention: Retention::default(),
        commits: commits.clone(),
        heartbeat: WorkerHeartbeat::default(),
    };
    let limits = QuarantineLimits { bodies: ingest.quarantine_rows as u64, bytes: ingest.quarantine_bytes };
    let directory = DirectoryWriter::open(Box::new(memory.open()), limits).unwrap();
    let counted = metrics.clone();
    let worker = thread::spawn(move || run_worker(directory, options, counted, &jobs));
    let bounds = LaneBounds { waiting: WAITING, within: settings.reads.long_within };
    let lane = || ((0..2).map(|_| DirectoryReader::new(memory.reader())).collect(), bounds);
    let readers = Readers::start([lane(), lane(), lane(), lane(), lane()]).unwrap();
    let key = read_or_make_key(&path).unwrap();
    let stored = DirectoryReader::new(memory.reader()).read_sessions().unwrap();
    let admission = Admission::new(&settings.console, key, stored, now_ms());
    let watched = Sqlite::open(&StoreOptions { path, wal_checkpoint: 1 << 20, wal_limit: 1 << 22 }).unwrap();
    let (presence, damaged) = (watched.presence(), DamagedTables::default());
    let (jobs, counted) = (queue.clone(), metrics.clone());
    let state = HttpState::new(settings, jobs, readers, commits, (presence, damaged), admission, counted);
    let state = Arc::new(state);
    let (public, admin) = (listener().await, listener().await);
    let addresses = (public.local_addr().unwrap(), admin.local_addr().unwrap());
    let (_given, server) = watch::channel(Arc::new(settings.server.clone()));
    let routes = Routes::from(public_router(state.clone()));
    let serving = tokio::spawn(serve(public, routes, server.clone(), metrics.clone(), stopping.clone()));
    let routes = Routes::from(admin_router(state));
    tokio::spawn(serve(admin, routes, server, metrics, stopping.clone()));
    ready.send(addresses).unwrap();
    let ticking = queue.clone();
    let ticks = tokio::spawn(async move {
        let mut ticks = tokio::time::interval(TICK);
        while ticking.tick() {
            ticks.tick().await;
        }
    });
    stopping.wait_for(|stop| *stop).await.unwrap();
    serving.await.unwrap();
    queue.close();
    ticks.abort();
    let ended: Result<(), Error> = worker.join().unwrap();
    ended.unwrap();
}

async fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}
