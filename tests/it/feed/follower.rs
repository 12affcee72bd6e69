//! A follower as a consumer would write it: a copy of the directory, maintained from the feed. [`Follower`] is
//! written from the rules in `docs/api.md` alone.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Instant;

use serde_json::Value;

use crate::support::{KEY_ID, KEY_SECRET, PATIENCE, Program, basic, proof_of};

/// A server-sent event.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Event {
    pub id: String,
    pub kind: String,
    pub data: String,
}

impl Event {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.data).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// A stream of the feed.
pub struct Stream {
    lines: BufReader<TcpStream>,
    pub head: String,
    pub comments: Vec<String>,
}

impl Stream {
    /// Asks for the stream with the demo key; at an admin listener with its own proof. HTTP/1.0, so that the body comes as it is.
    pub fn open(to: SocketAddr, path: &str, last: Option<&str>) -> std::io::Result<Self> {
        let last = last.map_or(String::new(), |id| format!("last-event-id: {id}\r\n"));
        let key = proof_of(to).unwrap_or_else(|| basic(KEY_ID, KEY_SECRET));
        Self::open_with(to, path, &format!("authorization: {key}\r\n{last}"))
    }

    /// The same with these headers, each a line.
    pub fn open_with(to: SocketAddr, path: &str, headers: &str) -> std::io::Result<Self> {
        let mut stream = TcpStream::connect(to)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let head =
            format!("GET {path} HTTP/1.0\r\nhost: localhost\r\naccept: text/event-stream\r\n{headers}\r\n");
        stream.write_all(head.as_bytes())?;
        let mut stream = Self { lines: BufReader::new(stream), head: String::new(), comments: Vec::new() };
        while let Some(line) = stream.line().filter(|line| !line.is_empty()) {
            stream.head.push_str(&line.to_ascii_lowercase());
            stream.head.push('\n');
        }
        Ok(stream)
    }

    pub fn status(&self) -> u16 {
        self.head.split(' ').nth(1).map_or(0, |status| status.parse().unwrap())
    }

    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let read = self.lines.read_line(&mut line).ok()?;
        (read > 0 && line.ends_with('\n')).then(|| line.trim_end_matches(['\r', '\n']).to_owned())
    }

    /// Reads until there are so many comments; no event may be among them.
    pub fn comments_until(&mut self, count: usize) {
        while self.comments.len() < count {
            let line = self.line().expect("the stream goes on");
            let comment = line.strip_prefix(':').map(str::trim);
            self.comments.extend(comment.map(str::to_owned));
            assert!(comment.is_some() || line.is_empty() || line.starts_with("retry: "), "{line}");
        }
    }

    /// The next whole event; nothing at the end of the stream. Heartbeats alone do not make it wait for ever.
    pub fn next(&mut self) -> Option<Event> {
        let mut event = Event::default();
        let end = Instant::now() + PATIENCE;
        loop {
            assert!(Instant::now() < end, "no event came");
            let line = self.line()?;
            match line.split_once(": ").unwrap_or((&line, "")) {
                ("", said) if !line.is_empty() => self.comments.push(said.to_owned()),
                ("", _) if event.data.is_empty() => {}
                ("", _) => return Some(event),
                (":", _) => self.comments.push(String::new()),
                ("id", id) => event.id = id.to_owned(),
                ("event", kind) => event.kind = kind.to_owned(),
                ("data", data) => event.data = data.to_owned(),
                ("retry", ms) => self.comments.push(format!("retry {ms}")),
                other => panic!("{other:?}"),
            }
        }
    }
}

/// The copy.
#[derive(Debug, Default)]
pub struct Copy {
    pub users: BTreeMap<String, Value>,
    /// The number of the last change applied.
    pub seq: u64,
    /// The position at which it resumes, once known.
    pub next: Option<String>,
}

/// The number of a change, of its place in the feed.
pub fn number(place: &Value) -> u64 {
    let (epoch, number) = place.as_str().unwrap().split_once('-').unwrap();
    assert_eq!(epoch.len(), 12, "{place}");
    number.parse().unwrap()
}

impl Copy {
    /// Applies the next change: none is skipped, none comes twice.
    pub fn apply(&mut self, change: &Value) {
        let seq = change["seq"].as_u64().unwrap();
        assert_eq!(seq, self.seq + 1, "{change}");
        self.seq = seq;
        let id = change["_id"].as_str().unwrap().to_owned();
        match change["kind"].as_str().unwrap() {
            "merged" | "removed" | "erased" => _ = self.users.remove(&id),
            _ => {
                if let Some(user) = change.get("appUser") {
                    assert_eq!(user["_id"], *id, "{change}");
                    self.users.insert(id, user.clone());
                }
            }
        }
    }

    pub fn show(&mut self, user: &Value) {
        self.users.insert(user["_id"].as_str().unwrap().to_owned(), user.clone());
    }

    /// The query for the next request.
    pub fn since(&self) -> String {
        self.next.clone().unwrap_or_else(|| self.seq.to_string())
    }

    /// Takes the resume position from a page or an event.
    pub fn resume_from(&mut self, told: &Value) {
        self.seq = number(&told["next"]);
        self.next = told["next"].as_str().map(str::to_owned);
    }

    /// Applies every change there is, a page at a time.
    pub fn poll(&mut self, program: &Program, limit: usize) {
        loop {
            let page = program.get(&format!("/v1/changes?since={}&limit={limit}", self.since()));
            assert_eq!(page.status, 200, "{page:?}");
            let page = page.json();
            page["changes"].as_array().unwrap().iter().for_each(|change| self.apply(change));
            assert_eq!(number(&page["next"]), self.seq);
            self.resume_from(&page);
            if page["hasMore"] == false {
                return;
            }
        }
    }

    /// Reads the snapshot, a page at a time.
    pub fn begin(&mut self, program: &Program, limit: usize, mut between: impl FnMut()) {
        let mut after = String::new();
        loop {
            let page = program.get(&format!("/v1/changes?snapshot=true&limit={limit}{after}"));
            assert_eq!(page.status, 200, "{page:?}");
            let page = page.json();
            page["appUsers"].as_array().unwrap().iter().for_each(|user| self.show(user));
            self.resume_from(&page);
            if page["hasMore"] == false {
                return;
            }
            after = format!("&after={}", page["after"].as_str().unwrap());
            between();
        }
    }

    /// Checks that the copy equals a list.
    pub fn is_the_directory(&self, program: &Program) {
        let mut listed = BTreeMap::new();
        for user in program.all_app_users() {
            listed.insert(user["_id"].as_str().unwrap().to_owned(), user);
        }
        for (id, user) in &self.users {
            assert_eq!(Some(user), listed.get(id), "the copy of {id}, and what the list shows");
        }
        assert!(listed.keys().all(|id| self.users.contains_key(id)), "the copy has everybody");
    }
}
