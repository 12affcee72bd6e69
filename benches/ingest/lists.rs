//! Lists among known users, each beside the same rows read directly from the database file: by the same index,
//! without HTTP, JSON or merges.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use rusqlite::{Connection, OpenFlags};
use serde_json::Value;

use crate::Args;
use crate::bodies::APP;
use crate::machine::median;
use crate::prepare::{self, Cache};
use crate::reads::BASIC;
use crate::server::{Server, database};

const PAGE: usize = 100;
/// The time limit for a page far from the first, as a multiple of the first.
const FAR: f64 = 1.5;

/// A measured case: its name, the list, and the same in SQL.
struct Case {
    name: &'static str,
    list: String,
    sql: String,
}

fn cases(args: &Args) -> Vec<Case> {
    let last = args.users - 1;
    let found = |order: &str, rest: &str| {
        format!("SELECT a.id, a.record FROM {order} WHERE a.app = '{APP}' AND a.listed {rest} LIMIT {PAGE}")
    };
    vec![
        Case { name: "first page", list: String::new(), sql: found("app_users a", "ORDER BY a.id") },
        Case {
            name: "page of those with a userId",
            list: "&identified=true&sort=-signedUpAt".to_owned(),
            sql: found(
                "app_users a INDEXED BY signed_up",
                "AND a.flags & 1 ORDER BY a.signed_up DESC, a.id DESC",
            ),
        },
        Case {
            name: "page of those seen last",
            list: "&sort=-lastSeen&platform=ios".to_owned(),
            sql: found(
                "seen s CROSS JOIN app_users a ON a.rowid = s.user AND s.last_seen = a.last_seen",
                &format!(
                    "AND s.app = '{APP}' AND instr(a.record, 'ios') ORDER BY s.last_seen DESC, s.id DESC"
                ),
            ),
        },
        Case {
            name: "prefix search that finds one",
            list: format!("&q={last:07}"),
            sql: search(&[&format!("{last:07}")]),
        },
        Case {
            name: "prefix search that finds many",
            list: "&q=ul+del".to_owned(),
            sql: search(&["ul", "del"]),
        },
    ]
}

/// The same search, straight: the letters of the app are read from any row.
fn search(words: &[&str]) -> String {
    let terms: Vec<String> = words.iter().map(|word| format!("'\"' || letters || '{word}\" *'")).collect();
    format!(
        "WITH app AS (SELECT substr(words, 1, 6) AS letters FROM app_users WHERE words <> '' LIMIT 1)
         SELECT a.id, a.record FROM app, search f CROSS JOIN app_users a ON a.rowid = f.rowid
         WHERE f.search MATCH ({}) LIMIT {PAGE}",
        terms.join(" || ' AND ' || ")
    )
}

/// Asks one thing after the other over one connection.
struct Client {
    stream: TcpStream,
    address: SocketAddr,
}

impl Client {
    fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, address })
    }

    /// The answer to a list, and how long it took.
    fn list(&mut self, parameters: &str) -> Result<(Vec<u8>, Duration)> {
        let request = format!(
            "GET /v1/appusers?limit={PAGE}{parameters} HTTP/1.1\r\nhost: {}\r\nauthorization: Basic {BASIC}\r\n\r\n",
            self.address
        );
        let began = Instant::now();
        self.stream.write_all(request.as_bytes())?;
        let mut answer = Vec::new();
        let mut buffer = vec![0; 64 << 10];
        let whole = loop {
            let read = self.stream.read(&mut buffer)?;
            ensure!(read > 0, "the program closed the connection");
            answer.extend_from_slice(&buffer[..read]);
            let Some(head) = answer.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
            let text = std::str::from_utf8(&answer[..head])?.to_ascii_lowercase();
            let length = text.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
            let whole = head + 4 + length.unwrap_or(0);
            if answer.len() >= whole {
                ensure!(text.contains(" 200 "), "{parameters}: {text}");
                break head + 4..whole;
            }
        };
        let took = began.elapsed();
        Ok((answer[whole].to_vec(), took))
    }
}

/// The median time of something that is done until the time is over, in ms.
fn times(args: &Args, mut once: impl FnMut() -> Result<Duration>) -> Result<f64> {
    let until = Instant::now() + Duration::from_secs_f64(args.seconds);
    let mut all = Vec::new();
    while all.len() < 5 || Instant::now() < until {
        all.push(once()?.as_secs_f64() * 1e3);
    }
    Ok(median(&all))
}

/// Measures and prints everything.
pub fn run(args: &Args, cache: &Cache, folder: &Path) -> Result<()> {
    let home = folder.join("lists");
    prepare::fresh(&home)?;
    prepare::copy(&cache.known(args.users)?, &home)?;
    let program = Server::program(&args.program, &home)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let sql = Connection::open_with_flags(database(&home), flags)?;
    let mut client = Client::open(program.address)?;
    println!("{} users, pages of {PAGE}, one connection, medians", args.users);
    println!("{:<34}{:>10}{:>12}{:>10}", "", "ms", "SQLite ms", "ratio");
    for Case { name, list, sql: same } in cases(args) {
        let found = count(&client.list(&list)?.0)?;
        let ours = times(args, || client.list(&list).map(|(_, took)| took))?;
        let mut select = sql.prepare(&same).with_context(|| same.clone())?;
        let mut straight = 0;
        let theirs = times(args, || {
            let began = Instant::now();
            let mut rows = select.query([])?;
            straight = 0;
            while let Some(row) = rows.next()? {
                std::hint::black_box(row.get_ref(1)?.as_blob()?.len());
                straight += 1;
            }
            Ok(began.elapsed())
        })?;
        // A page that reaches its limit of rows is shorter, and has a cursor.
        ensure!((1..=straight).contains(&found), "{name}: {found} found, {straight} in SQLite");
        println!("{name:<34}{ours:>10.2}{theirs:>12.2}{:>10.1}", ours / theirs);
    }
    export(&sql, &client)?;
    far(args, &mut client)?;
    let counted = Instant::now();
    let (answer, _) = client.list("&count=exact&identified=true")?;
    let all = serde_json::from_slice::<Value>(&answer)?["count"].clone();
    println!("count of those with a userId: {all} in {:.0} ms", counted.elapsed().as_secs_f64() * 1e3);
    program.stop()
}

/// All app users as lines of JSON, beside every record read directly.
fn export(sql: &Connection, client: &Client) -> Result<()> {
    let began = Instant::now();
    let mut stream = TcpStream::connect(client.address)?;
    let request = format!(
        "GET /v1/appusers HTTP/1.1\r\nhost: {}\r\nauthorization: Basic {BASIC}\r\nconnection: close\r\n\
         accept: application/x-ndjson\r\n\r\n",
        client.address
    );
    stream.write_all(request.as_bytes())?;
    let (mut buffer, mut end, mut bytes, mut lines) = (vec![0; 64 << 10], Vec::new(), 0, 0);
    let mut last = 0;
    loop {
        let read = stream.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        bytes += read;
        for byte in &buffer[..read] {
            lines += usize::from(*byte == b'\n' && last == b'}');
            last = *byte;
        }
        end = [&end[end.len().saturating_sub(5)..], &buffer[read.saturating_sub(5)..read]].concat();
    }
    ensure!(end.ends_with(b"0\r\n\r\n"), "the export broke off");
    let ours = began.elapsed();
    let began = Instant::now();
    let mut select = sql.prepare("SELECT id, record FROM app_users WHERE app = ?1 AND listed ORDER BY id")?;
    let mut rows = select.query([APP])?;
    let mut users = 0;
    while let Some(row) = rows.next()? {
        std::hint::black_box(row.get_ref(1)?.as_blob()?.len());
        users += 1;
    }
    let theirs = began.elapsed();
    ensure!(lines == users, "{lines} lines of {users} app users");
    let [ours, theirs] = [ours, theirs].map(|took| took.as_secs_f64() * 1e3);
    println!("{:<34}{ours:>10.0}{theirs:>12.0}{:>10.1}", "NDJSON of all", ours / theirs);
    println!("{:<34}{:>10.0} users a second, {} MB", "", users as f64 / ours * 1e3, bytes / 1_000_000);
    Ok(())
}

/// The 1,000th page beside the first, or the last one where there are fewer.
fn far(args: &Args, client: &mut Client) -> Result<()> {
    for list in ["", "&sort=-lastSeen"] {
        let (mut after, mut pages) = (String::new(), 1);
        while pages < 1000 {
            let (answer, _) = client.list(&format!("{list}{after}"))?;
            let page: Value = serde_json::from_slice(&answer)?;
            let Some(next) = page["after"].as_str() else { break };
            (after, pages) = (format!("&after={next}"), pages + 1);
        }
        let first = times(args, || client.list(list).map(|(_, took)| took))?;
        let far = times(args, || client.list(&format!("{list}{after}")).map(|(_, took)| took))?;
        let what = format!("page {pages} of {}", if list.is_empty() { "_id" } else { "-lastSeen" });
        println!("{what:<34}{far:>10.2}{:>26}", format!("{:.2} <= {FAR} of the first", far / first));
    }
    Ok(())
}

fn count(answer: &[u8]) -> Result<usize> {
    let page: Value = serde_json::from_slice(answer)?;
    Ok(page["appUsers"].as_array().context("no list")?.len())
}
