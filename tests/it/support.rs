//! The real program on ports of its own, with a database file of its own.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

mod conform;
mod connection;
mod directory;
mod hang;
mod http;
mod in_process;
pub mod memory;
mod session;
mod skip;

pub use conform::{DOCUMENT, METHODS, check, fits, is_on, key_of, listeners, proof_of, resolve, valid};
pub use connection::Connection;
pub use directory::{by_user_id, journal, open_store};
pub use hang::Hang;
pub use http::*;
use in_process::Service;
pub use in_process::TEST_STORE;
use memory::Memory;
use serde_json::Value;
pub use session::{NamedOperator, Session};
pub(crate) use skip::require;
pub use skip::{Missing, installed, note_skipped, npm_package, npm_package_of, report};
use tempfile::TempDir;

/// The demo app of the shipped settings, which every test may use.
pub const APP: &str = "5698edbf2a43bd081be982f1";
pub const SECRET: &str = "demo-webhook-secret";
pub const KEY_ID: &str = "app_demo";
pub const KEY_SECRET: &str = "demo-key-secret-change-me";

/// The time limit of every wait in a test: far more than it needs on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// What the program logs once it is ready.
const READY: &str = "\"ready on ";

/// A folder with a database; programs are started in it one after the other.
pub struct Home {
    dir: Arc<TempDir>,
    /// Lines of `config.toml`, on top of the shipped settings.
    pub settings: String,
    /// Environment of the programs started here.
    pub env: Vec<(String, String)>,
    /// A command line to put before the program's, such as strace's.
    pub wrapper: Vec<String>,
    /// The store in memory, in place of the database; see [`TEST_STORE`].
    memory: Option<Arc<Memory>>,
}

impl Home {
    pub fn new() -> Self {
        Self::with("")
    }

    /// With settings such as `[limits]\njson_depth = 8`.
    pub fn with(settings: &str) -> Self {
        let dir = Arc::new(tempfile::tempdir().unwrap());
        let (env, wrapper) = (Vec::new(), Vec::new());
        Self { dir, settings: settings.to_owned(), env, wrapper, memory: in_process::store_of_environment() }
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    pub fn database(&self) -> PathBuf {
        self.path().join("rollcall.db")
    }

    /// The program with these arguments, in this home, not yet started.
    pub fn command(&self, args: &[&str]) -> Command {
        assert!(self.memory.is_none(), "the program itself, over the store in memory");
        std::fs::write(self.path().join("config.toml"), &self.settings).unwrap();
        let program = env!("CARGO_BIN_EXE_rollcall").to_owned();
        let mut line = self.wrapper.clone();
        line.push(program);
        let mut command = Command::new(&line[0]);
        command.args(&line[1..]).args(args).current_dir(self.path());
        command.env_remove("RUST_LOG").env_remove("ROLLCALL_CONFIG");
        command.envs(self.env.iter().cloned()).stdin(Stdio::null());
        command
    }

    /// The service, on free ports, ready.
    pub fn start(&self) -> Program {
        self.try_start().unwrap_or_else(|(status, log)| panic!("did not get ready: {status}\n{log}"))
    }

    /// The service, or its exit status and log.
    pub fn try_start(&self) -> Result<Program, (ExitStatus, String)> {
        self.start_until(READY)
    }

    /// The service, after it printed a line with this text and its addresses.
    pub fn start_until(&self, said: &str) -> Result<Program, (ExitStatus, String)> {
        self.start_with(
            &["--set", "server.listen=127.0.0.1:0", "--set", "server.admin_listen=127.0.0.1:0"],
            said,
        )
    }

    /// The service with this command line, after it printed a line with this text and its addresses.
    pub fn start_with(&self, args: &[&str], said: &str) -> Result<Program, (ExitStatus, String)> {
        if let Some(memory) = &self.memory {
            assert!(self.env.is_empty() && said == READY, "the program itself, over the store in memory");
            let service = Service::start(&self.settings, memory.clone());
            return Ok(Program::within(service, self.dir.clone()));
        }
        let child = self.command(args).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        Program::started(child, self.dir.clone(), said)
    }
}

/// A running service. Killed when dropped.
pub struct Program {
    /// The process, or the service within this one.
    runs: Runs,
    pub listen: SocketAddr,
    pub admin: SocketAddr,
    log: Arc<Log>,
    /// It needs its folder.
    _home: Arc<TempDir>,
}

enum Runs {
    Apart(Child),
    Within(Service),
}

impl Runs {
    fn child(&mut self) -> &mut Child {
        match self {
            Self::Apart(child) => child,
            Self::Within(_) => panic!("the process of a service over the store in memory"),
        }
    }
}

#[derive(Default)]
struct Log {
    lines: Mutex<(Vec<String>, bool)>,
    more: Condvar,
}

impl Log {
    /// Waits for a line that `is` recognises; `None` if the log ends before.
    fn wait(&self, is: impl Fn(&str) -> bool) -> Option<String> {
        let until = Instant::now() + PATIENCE;
        let mut guard = self.lines.lock().unwrap();
        loop {
            let (lines, ended) = &*guard;
            if let Some(line) = lines.iter().find(|line| is(line)) {
                return Some(line.clone());
            }
            if *ended {
                return None;
            }
            let left = until.checked_duration_since(Instant::now()).expect("the line came in time");
            guard = self.more.wait_timeout(guard, left).unwrap().0;
        }
    }
}

impl Program {
    fn started(mut child: Child, home: Arc<TempDir>, said: &str) -> Result<Self, (ExitStatus, String)> {
        let log = Arc::new(Log::default());
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let kept = log.clone();
        thread::spawn(move || {
            for line in stderr.split(b'\n').map_while(Result::ok) {
                kept.lines.lock().unwrap().0.push(String::from_utf8_lossy(&line).into_owned());
                kept.more.notify_all();
            }
            kept.lines.lock().unwrap().1 = true;
            kept.more.notify_all();
        });
        let Some(line) = log.wait(|line| line.contains(said)) else {
            let status = child.wait().unwrap();
            let text = log.lines.lock().unwrap().0.join("\n");
            return Err((status, text));
        };
        let line: Value = serde_json::from_str(&line).unwrap();
        let address = |name: &str| line[name].as_str().unwrap().parse().unwrap();
        let (listen, admin) = (address("listen"), address("admin_listen"));
        listeners(listen, admin, home.path());
        Ok(Self { listen, admin, runs: Runs::Apart(child), log, _home: home })
    }

    fn within(service: Service, home: Arc<TempDir>) -> Self {
        let (listen, admin) = (service.listen, service.admin);
        listeners(listen, admin, service.folder());
        Self { listen, admin, runs: Runs::Within(service), log: Arc::default(), _home: home }
    }

    pub fn pid(&self) -> u32 {
        match &self.runs {
            Runs::Apart(child) => child.id(),
            Runs::Within(_) => panic!("the process of a service over the store in memory"),
        }
    }

    /// Everything logged so far.
    pub fn log(&self) -> String {
        self.log.lines.lock().unwrap().0.join("\n")
    }

    /// Waits until a line that contains `text` is logged.
    pub fn wait_for_log(&self, text: &str) -> String {
        self.log
            .wait(|line| line.contains(text))
            .unwrap_or_else(|| panic!("never logged: {text}\n{}", self.log()))
    }

    /// Sends a signal by its name, such as `TERM`.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").arg(format!("-{name}")).arg(self.pid().to_string()).status();
        assert!(sent.unwrap().success(), "kill -{name}");
    }

    /// Waits for the end; gives the status and the whole log.
    pub fn wait(mut self) -> (ExitStatus, String) {
        let until = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = self.runs.child().try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < until, "the program did not end:\n{}", self.log());
            thread::yield_now();
        };
        _ = self.log.wait(|_| false);
        (status, self.log())
    }

    /// SIGTERM, and the end that must follow: status 0.
    pub fn stop(mut self) -> String {
        if let Runs::Within(service) = &mut self.runs {
            service.stop();
            return String::new();
        }
        self.signal("TERM");
        let (status, log) = self.wait();
        assert_eq!(status.code(), Some(0), "{log}");
        log
    }

    /// kill -9, at once.
    pub fn kill(mut self) {
        match &mut self.runs {
            Runs::Apart(child) => {
                child.kill().unwrap();
                child.wait().unwrap();
            }
            // What was acknowledged is there afterwards, however a service ends.
            Runs::Within(service) => service.stop(),
        }
    }

    /// Posts a body to `/webhooks` with the demo secret.
    pub fn webhook(&self, body: impl AsRef<[u8]>) -> Answer {
        self.request("POST", "/webhooks", &[("x-api-key", SECRET)], body.as_ref())
    }

    /// GETs a path of the REST interface with the demo key.
    pub fn get(&self, path: &str) -> Answer {
        self.request("GET", path, &[("authorization", &basic(KEY_ID, KEY_SECRET))], b"")
    }

    /// GETs an app user by any of its names, each byte of it percent-encoded that may be.
    pub fn app_user(&self, name: &str) -> Answer {
        self.get(&format!("/v1/appusers/{}", encoded(name)))
    }

    /// A request on a connection of its own to the public listener.
    pub fn request(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        request(self.listen, method, path, headers, body).unwrap()
    }

    /// A GET to the admin listener.
    pub fn admin(&self, path: &str) -> Answer {
        request(self.admin, "GET", path, &[], b"").unwrap()
    }

    /// The value of a metric, by its name with labels as the text shows them; 0 if it is not there.
    pub fn metric(&self, name: &str) -> f64 {
        let text = self.admin("/metrics").text;
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok());
        line.unwrap_or(0.0)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if let Runs::Apart(child) = &mut self.runs {
            _ = child.kill();
            _ = child.wait();
        }
    }
}

/// A v1 first message of an app user: the smallest webhook that makes one.
pub fn first_message(id: &str, received: f64) -> String {
    serde_json::json!({
        "trigger": "message:appUser",
        "app": { "_id": APP },
        "messages": [{ "_id": format!("m-{id}-{received}"), "type": "text", "text": "Hi", "role": "appUser",
                       "authorId": id, "received": received, "source": { "type": "messenger" } }],
        "appUser": { "_id": id, "properties": {}, "clients": [] },
    })
    .to_string()
}

/// The folder of the fixtures.
pub fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

/// Every file below a folder with this extension, in the order of their paths.
pub fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, extension));
        } else if path.extension().is_some_and(|end| end == extension) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Asks again and again until it is so.
pub fn until(what: &str, mut is: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !is() {
        assert!(Instant::now() < end, "never came: {what}");
        thread::yield_now();
    }
}

/// Ends what runs beside a test in a scope, which waits for it: also when the test panics.
pub struct SetOnDrop<'a>(pub &'a AtomicBool);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

impl Home {
    /// The database, on a connection that writes only if asked to.
    pub fn sql(&self) -> rusqlite::Connection {
        let conn = rusqlite::Connection::open(self.database()).unwrap();
        conn.busy_timeout(PATIENCE).unwrap();
        conn
    }

    /// The result of a query for one number or one text.
    pub fn find<T: rusqlite::types::FromSql>(&self, sql: &str) -> T {
        self.sql().query_row(sql, [], |row| row.get(0)).unwrap()
    }

    /// The number of rows of a table.
    pub fn rows(&self, table: &str) -> i64 {
        self.find(&format!("SELECT count(*) FROM {table}"))
    }
}

impl Program {
    /// Every app user that a list shows, a page at a time.
    pub fn all_app_users(&self) -> Vec<Value> {
        let (mut found, mut after) = (Vec::new(), String::new());
        loop {
            let page = self.get(&format!("/v1/appusers?limit=100{after}"));
            assert_eq!(page.status, 200, "{page:?}");
            let mut page = page.json();
            found.append(page["appUsers"].as_array_mut().unwrap());
            let Some(next) = page["after"].as_str() else { return found };
            let next = format!("&after={next}");
            assert_ne!(next, after, "the list goes on");
            after = next;
        }
    }
}
