//! The usual alternative: Node with fastify and better-sqlite3, one transaction a request.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use rusqlite::Connection;

use crate::bodies::user_id;
use crate::server::Server;

/// The stored data of a known user before the first request.
const KNOWN: &str = r#"{"givenName":"Ulrik","surname":"Delacroix","email":"ulrik.delacroix@example.org","properties":{"plan":"studio","orders":13},"signedUpAt":"2015-10-07T19:16:27.371Z","clients":[{"id":"9660892272239d8f6f358e377822d6b8","platform":"web","active":true,"lastSeen":"2016-02-11T09:13:26.786Z"}]}"#;

/// Installs the peer, unless that was done before. An error is why it cannot be compared with.
pub fn install() -> Result<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/peer");
    let quiet = |program: &str, args: &[&str]| {
        let mut command = Command::new(program);
        command.args(args).current_dir(&folder).stdin(Stdio::null());
        command.output().with_context(|| format!("{program} is not installed"))
    };
    quiet("node", &["--version"])?;
    if !folder.join("node_modules/better-sqlite3").exists() {
        eprintln!("installing the peer into {}", folder.display());
        let installed = quiet("npm", &["ci"])?;
        let said = String::from_utf8_lossy(&installed.stderr).into_owned();
        ensure!(installed.status.success(), "npm ci failed: {said}");
    }
    Ok(folder)
}

/// Starts it in a folder.
pub fn start(folder: &Path, home: &Path) -> Result<Server> {
    Server::start(home, |port| {
        let mut command = Command::new("node");
        command.arg(folder.join("server.mjs")).arg(port.to_string()).arg("peer.db");
        command
    })
}

/// Fills its database with known users, as it would have stored them.
pub fn prepare(home: &Path, users: u64) -> Result<()> {
    let mut conn = Connection::open(home.join("peer.db"))?;
    conn.execute_batch(include_str!("../peer/schema.sql"))?;
    let txn = conn.transaction()?;
    {
        let mut insert = txn.prepare("INSERT INTO users (id, user) VALUES (?1, ?2)")?;
        let mut json = String::new();
        for user in 0..users {
            let mut id = Vec::new();
            user_id(&mut id, user);
            let id = String::from_utf8(id)?;
            json.clear();
            write!(json, r#"{{"_id":"{id}",{}"#, &KNOWN[1..])?;
            insert.execute([&id, &json])?;
        }
    }
    txn.commit()?;
    conn.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)")?;
    Ok(())
}

/// The number of events it has stored.
pub fn stored(home: &Path) -> Result<u64> {
    let conn = Connection::open(home.join("peer.db"))?;
    let events: i64 = conn.query_row("SELECT count(*) FROM events", [], |row| row.get(0))?;
    Ok(events as u64)
}
