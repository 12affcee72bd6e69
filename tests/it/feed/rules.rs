//! The rules for a follower, as `docs/api.md` has them: by pages, by streams, and by CloudEvents.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde_json::Value;

use super::follower::{Event, Stream};
use crate::crash::traffic::Rng;
use crate::support::{KEY_ID, KEY_SECRET, basic, request, until};

/// The way in which a follower reads.
#[derive(Clone, Copy, Debug)]
pub enum Way {
    /// Pages, each held back for so many seconds.
    Pages { wait: u64 },
    /// Server-sent events, with a type or without.
    Stream { types: bool },
    /// Pages of CloudEvents, along their links.
    CloudEvents,
}

/// Every way there is.
pub const WAYS: [Way; 5] = [
    Way::Pages { wait: 0 },
    Way::Pages { wait: 1 },
    Way::Stream { types: true },
    Way::Stream { types: false },
    Way::CloudEvents,
];

/// The result of one step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Step {
    /// Something was read, or the follower begins again.
    Moved,
    /// There was nothing new.
    Nothing,
    /// No answer, or a temporary failure.
    Failed,
}

/// A follower. Its stored state is `copy` and `place` together.
#[derive(Debug)]
pub struct Follower {
    pub way: Way,
    rng: Rng,
    pub copy: BTreeMap<String, Value>,
    /// The position to resume at: a query, or the id of an event; `None` to start from the beginning.
    place: Option<String>,
    /// The number of starts from the beginning.
    pub begun: u64,
}

impl Follower {
    pub fn new(way: Way, rng: Rng) -> Self {
        Self { way, rng, copy: BTreeMap::new(), place: None, begun: 0 }
    }

    /// Reads a page, or some events.
    pub fn step(&mut self, to: SocketAddr) -> Step {
        match self.way {
            Way::Pages { wait } => self.page(to, wait),
            Way::Stream { types } => self.stream(to, types),
            Way::CloudEvents => self.batch(to),
        }
    }

    /// Reads until there is nothing new.
    pub fn catch_up(&mut self, to: SocketAddr) {
        until("the follower has read everything", || self.step(to) == Step::Nothing);
    }

    /// Waits for a change, or a while.
    pub fn wait_for_news(&self, to: SocketAddr) {
        let place = self.place.as_deref().unwrap_or_default();
        let place = place.rsplit("since=").next().and_then(|place| place.split('&').next());
        let path = format!("/v1/changes?since={}&wait=1", place.unwrap_or_default());
        _ = self.get(to, &path, "application/json");
    }

    fn begin_again(&mut self) -> Step {
        self.place = None;
        Step::Moved
    }

    fn begin(&mut self) {
        self.copy.clear();
        self.begun += 1;
    }

    fn show(&mut self, user: &Value) {
        self.copy.insert(user["_id"].as_str().unwrap().to_owned(), user.clone());
    }

    fn change(&mut self, change: &Value) {
        let id = change["_id"].as_str().unwrap();
        match change["kind"].as_str().unwrap() {
            "merged" | "removed" | "erased" => _ = self.copy.remove(id),
            "created" | "updated" | "unmerged" => {
                if let Some(user) = change.get("appUser") {
                    assert_eq!(user["_id"], *id, "{change}");
                    self.show(user);
                }
            }
            other => panic!("{other}"),
        }
    }

    /// The answer to a GET; `None` if the request must be repeated later.
    fn get(&self, to: SocketAddr, path: &str, accept: &str) -> Option<crate::support::Answer> {
        let key = basic(KEY_ID, KEY_SECRET);
        let answer = request(to, "GET", path, &[("authorization", &key), ("accept", accept)], b"").ok()?;
        assert!(matches!(answer.status, 200 | 410 | 429 | 503), "{path}: {answer:?}");
        (answer.status == 200 || answer.status == 410).then_some(answer)
    }

    fn page(&mut self, to: SocketAddr, wait: u64) -> Step {
        let limit = 1 + self.rng.below(30);
        let begins = self.place.is_none();
        let place = self.place.clone().unwrap_or_else(|| "snapshot=true".to_owned());
        let wait = if place.starts_with("since") { format!("&wait={wait}") } else { String::new() };
        let path = format!("/v1/changes?{place}&limit={limit}{wait}");
        let Some(answer) = self.get(to, &path, "application/json") else { return Step::Failed };
        if answer.status == 410 {
            return self.begin_again();
        }
        let page = answer.json();
        let next = page["next"].as_str().unwrap();
        assert!(next.starts_with(page["epoch"].as_str().unwrap()), "{page}");
        if begins {
            self.begin();
        }
        if let Some(users) = page.get("appUsers") {
            users.as_array().unwrap().iter().for_each(|user| self.show(user));
            let after = page["after"].as_str().filter(|_| page["hasMore"] == true);
            self.place = Some(match after {
                Some(after) => format!("snapshot=true&after={after}"),
                None => format!("since={next}"),
            });
            return Step::Moved;
        }
        let changes = page["changes"].as_array().unwrap();
        changes.iter().for_each(|change| self.change(change));
        self.place = Some(format!("since={next}"));
        if changes.is_empty() { Step::Nothing } else { Step::Moved }
    }

    fn batch(&mut self, to: SocketAddr) -> Step {
        let limit = 1 + self.rng.below(30);
        let begin = format!("/v1/changes?snapshot=true&limit={limit}&envelope=cloudevents");
        let path = self.place.clone().unwrap_or(begin);
        let Some(answer) = self.get(to, &path, "application/cloudevents-batch+json") else {
            return Step::Failed;
        };
        if answer.status == 410 {
            return self.begin_again();
        }
        let events = answer.json();
        let events = events.as_array().unwrap();
        for event in events {
            self.apply(&event["data"]);
        }
        let link = answer.header("link").unwrap();
        self.place =
            link.strip_prefix('<').and_then(|link| link.strip_suffix(">; rel=\"next\"")).map(str::to_owned);
        if events.is_empty() { Step::Nothing } else { Step::Moved }
    }

    /// Applies the data of an event.
    fn apply(&mut self, data: &Value) {
        match data["kind"].as_str().unwrap() {
            "begin" => self.begin(),
            "user" => self.show(&data["appUser"]),
            "follow" => {}
            _ => self.change(data),
        }
    }

    fn stream(&mut self, to: SocketAddr, types: bool) -> Step {
        let limit = 1 + self.rng.below(30);
        let types = if types { "" } else { "&types=false" };
        let path = format!("/v1/changes?snapshot=true&limit={limit}{types}");
        let Ok(mut stream) = Stream::open(to, &path, self.place.as_deref()) else { return Step::Failed };
        match stream.status() {
            200 => {}
            410 => return self.begin_again(),
            // Zero: it broke off before it answered.
            0 | 429 | 503 => return Step::Failed,
            other => panic!("{other}: {}", stream.head),
        }
        let mut step = Step::Failed;
        for _ in 0..1 + self.rng.below(80) {
            // Only a request can show that it is at the end: a stream waits there.
            if self.is_at_the_end(to) {
                return Step::Nothing;
            }
            let Some(event) = stream.next() else { break };
            step = self.event(&event, types.is_empty());
        }
        step
    }

    fn event(&mut self, event: &Event, types: bool) -> Step {
        let data = event.json();
        assert_eq!(event.kind, if types { data["kind"].as_str().unwrap() } else { "" });
        match data["kind"].as_str().unwrap() {
            "gone" => return self.begin_again(),
            "end" => return Step::Failed,
            _ => self.apply(&data),
        }
        self.place = Some(event.id.clone());
        Step::Moved
    }

    fn is_at_the_end(&self, to: SocketAddr) -> bool {
        let change = |place: &&String| place.as_bytes().get(12) == Some(&b'-');
        let Some(place) = self.place.as_ref().filter(change) else { return false };
        let page = self.get(to, &format!("/v1/changes?since={place}&limit=1"), "application/json");
        page.is_some_and(|page| page.status == 200 && page.json()["changes"] == serde_json::json!([]))
    }
}
