//! Databases of known users: made once, by the program itself over the wire, then copied.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Instant, SystemTime};

use anyhow::{Context as _, Result, bail, ensure};
use sha2::{Digest as _, Sha256};

use crate::bodies::{APP, SECRET, Writer};
use crate::server::{Server, database, number};

const SENDERS: u64 = 4;
/// v2 carries many events in a body; `limits.webhook_events` of the shipped settings.
const EVENTS: u64 = 1000;
/// `limits.webhook_body` of the shipped settings, less the longest event.
const BODY: usize = (1 << 20) - 4096;
/// Programs whose databases stay: two are compared most of the time.
const PROGRAMS: usize = 2;

/// Folders of prepared databases.
pub struct Cache {
    folder: PathBuf,
    program: PathBuf,
}

impl Cache {
    /// The databases that a program makes of these bodies, each in a folder within one of the program. Those of all
    /// programs but the last ones are deleted.
    pub fn open(folder: &Path, program: &Path) -> Result<Self> {
        let mut digest = Sha256::new();
        digest.update(include_bytes!("bodies.rs"));
        digest.update(fs::read(program).with_context(|| program.display().to_string())?);
        let digest: String = digest.finalize().iter().take(6).map(|byte| format!("{byte:02x}")).collect();
        let own = folder.join(digest);
        fs::create_dir_all(&own)?;
        // Its time says when it was used last.
        File::open(&own)?.set_modified(SystemTime::now())?;
        let mut programs = Vec::new();
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            programs.push((entry.metadata()?.modified()?, entry.path()));
        }
        programs.sort();
        programs.truncate(programs.len().saturating_sub(PROGRAMS));
        for (_, path) in programs {
            fs::remove_dir_all(&path).with_context(|| path.display().to_string())?;
        }
        Ok(Self { folder: own, program: program.to_owned() })
    }

    /// The folder with a database of so many users, made now if it is not there.
    pub fn known(&self, users: u64) -> Result<PathBuf> {
        let ready = self.folder.join(users.to_string());
        if ready.exists() {
            return Ok(ready);
        }
        let making = self.folder.join("unfinished");
        fresh(&making)?;
        let server = Server::program(&self.program, &making)?;
        send(server.address, users)?;
        server.stop()?;
        let listed = number(&making, "SELECT count(*) FROM app_users WHERE listed")?;
        ensure!(listed == users, "{users} users were sent, {listed} are listed");
        fs::rename(&making, &ready)?;
        Ok(ready)
    }
}

/// An empty folder.
pub fn fresh(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    fs::create_dir_all(folder).with_context(|| folder.display().to_string())
}

/// Copies the database of one folder into another. It is on disk then: a later sync has nothing left of it to do.
pub fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::copy(database(from), database(to))?;
    File::open(database(to))?.sync_all()?;
    Ok(())
}

fn send(address: SocketAddr, users: u64) -> Result<()> {
    let (next, began) = (AtomicU64::new(0), Instant::now());
    let (next, began) = (&next, &began);
    eprintln!("preparing {users} users, once:");
    thread::scope(|scope| {
        let senders = (0..SENDERS).map(|n| scope.spawn(move || sender(address, n, next, users, began)));
        let senders: Vec<_> = senders.collect();
        senders.into_iter().try_for_each(|sender| match sender.join() {
            Ok(result) => result,
            Err(_) => bail!("a sender panicked"),
        })
    })
}

fn sender(address: SocketAddr, seed: u64, next: &AtomicU64, users: u64, began: &Instant) -> Result<()> {
    let mut stream = TcpStream::connect(address)?;
    let mut writer = Writer::new(1000 + seed);
    loop {
        let from = next.fetch_add(EVENTS, Ordering::Relaxed);
        if from >= users {
            return Ok(());
        }
        let mut bodies = vec![Vec::new()];
        for user in from..users.min(from + EVENTS) {
            if bodies.last().is_some_and(|body| body.len() > BODY) {
                bodies.push(Vec::new());
            }
            let body = bodies.last_mut().context("there is a body")?;
            if body.is_empty() {
                write!(
                    body,
                    r#"{{"app":{{"id":"{APP}"}},"webhook":{{"id":"5f839c801ff3","version":"v2"}},"events":["#
                )?;
            } else {
                body.push(b',');
            }
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_millis();
            writer.v2_event(body, user, now as u64);
        }
        for mut body in bodies {
            body.extend_from_slice(b"]}");
            while !post(&mut stream, &body)? {}
        }
        if from % (users / 10).max(EVENTS) < EVENTS && from > 0 {
            eprintln!("  {from} after {:.0} s", began.elapsed().as_secs_f64());
        }
    }
}

/// True if it was stored; otherwise it must be sent again.
fn post(stream: &mut TcpStream, body: &[u8]) -> Result<bool> {
    let length = body.len();
    write!(
        stream,
        "POST /webhooks HTTP/1.1\r\nhost: rollcall\r\nx-api-key: {SECRET}\r\ncontent-length: {length}\r\n\r\n"
    )?;
    stream.write_all(body)?;
    let mut answer = Vec::new();
    let mut buffer = [0; 1024];
    loop {
        let read = stream.read(&mut buffer)?;
        ensure!(read > 0, "the program closed the connection");
        answer.extend_from_slice(&buffer[..read]);
        // Every answer is a JSON object.
        if answer.ends_with(b"}") {
            break;
        }
    }
    let status = String::from_utf8_lossy(&answer[9..12]).into_owned();
    ensure!(["200", "503"].contains(&&*status), "an answer of {status}");
    Ok(status == "200")
}
