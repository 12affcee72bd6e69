//! The servers under load, each a process of its own.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use rusqlite::{Connection, OpenFlags};

use crate::machine;

const PATIENCE: Duration = Duration::from_secs(30);

/// A running server. Killed when dropped.
pub struct Server {
    child: Child,
    pub address: SocketAddr,
    home: PathBuf,
    /// From its start to its first answer.
    pub first_answer: Duration,
}

impl Server {
    /// The program, with its database in `home`.
    pub fn program(program: &Path, home: &Path) -> Result<Self> {
        Self::program_with(program, home, &[])
    }

    /// The same with settings of its own.
    pub fn program_with(program: &Path, home: &Path, settings: &[&str]) -> Result<Self> {
        Self::start(home, |port| {
            let mut command = Command::new(program);
            command.args(settings);
            command.arg(format!("--set=server.listen=127.0.0.1:{port}"));
            command.arg("--set=server.admin_listen=127.0.0.1:0");
            command
        })
    }

    /// Starts the server that `command` makes for a port. It is ready once `GET /webhooks` is answered.
    pub fn start(home: &Path, command: impl FnOnce(u16) -> Command) -> Result<Self> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let mut command = command(port);
        let log = home.join("log");
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.current_dir(home).stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(&log)?);
        let began = Instant::now();
        let child = command.spawn().with_context(|| format!("starting {command:?}"))?;
        let mut server = Self { child, address, home: home.to_owned(), first_answer: Duration::ZERO };
        while !answers(address) {
            if let Some(status) = server.child.try_wait()? {
                bail!("{command:?} ended with {status}: {}", std::fs::read_to_string(log)?);
            }
            if began.elapsed() > PATIENCE {
                bail!("{command:?} did not answer on {address} within {PATIENCE:?}");
            }
            std::thread::sleep(Duration::from_micros(200));
        }
        server.first_answer = began.elapsed();
        Ok(server)
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its admin listener, as it logged it.
    pub fn admin(&self) -> Result<SocketAddr> {
        let text = std::fs::read_to_string(self.home.join("log"))?;
        let address = text.lines().find_map(|line| {
            let line: serde_json::Value = serde_json::from_str(line).ok()?;
            line["admin_listen"].as_str()?.parse().ok()
        });
        address.context("the program logs its admin listener")
    }

    /// SIGTERM, and a clean end.
    pub fn stop(mut self) -> Result<()> {
        let told = Command::new("kill").arg("-TERM").arg(self.pid().to_string()).status();
        if !told.context("kill(1), to stop the program")?.success() {
            bail!("the program had ended before it was told to: {}", self.log());
        }
        let until = Instant::now() + PATIENCE;
        loop {
            match self.child.try_wait()? {
                Some(status) if status.success() => return Ok(()),
                Some(status) => bail!("the program ended with {status}: {}", self.log()),
                None if Instant::now() > until => bail!("the program did not end: {}", self.log()),
                None => std::thread::sleep(Duration::from_millis(5)),
            }
        }
    }

    /// SIGKILL, at any moment.
    pub fn kill(&mut self) -> io::Result<()> {
        self.child.kill()?;
        self.child.wait().map(drop)
    }

    /// Waits until it has finished its work between requests.
    pub fn settle(&self) {
        machine::settle(self.pid());
    }

    /// The end of its log.
    pub fn log(&self) -> String {
        let text = std::fs::read_to_string(self.home.join("log")).unwrap_or_default();
        let lines: Vec<&str> = text.lines().rev().take(10).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        _ = self.kill();
    }
}

/// True if `GET /webhooks` is answered 200.
fn answers(address: SocketAddr) -> bool {
    let ask = || -> io::Result<bool> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        write!(stream, "GET /webhooks HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n")?;
        let mut status = [0; 12];
        stream.read_exact(&mut status)?;
        Ok(status.ends_with(b" 200"))
    };
    ask().unwrap_or(false)
}

/// The database in a folder.
pub fn database(home: &Path) -> PathBuf {
    home.join("rollcall.db")
}

/// A number out of the database in a folder. Recovers it first, if the program was killed.
pub fn number(home: &Path, sql: &str) -> Result<u64> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(database(home), flags)?;
    let number: i64 = conn.query_row(sql, [], |row| row.get(0)).with_context(|| sql.to_owned())?;
    Ok(number as u64)
}

/// The number of events in the journal of a folder.
pub fn journalled(home: &Path) -> Result<u64> {
    number(home, "SELECT count(*) FROM journal")
}
