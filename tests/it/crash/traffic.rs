//! Senders that behave like Smooch: they wait for each answer, and retry bodies that were not answered 200.

use std::net::SocketAddr;
use std::sync::mpsc;

use rollcall::domain::Digest;
use rollcall::smooch::{self, ParseLimits};
use serde_json::{Value, json};

use crate::support::{APP, Connection, SECRET};

/// The bytes of a webhook on a connection that stays open.
pub fn webhook(body: &str) -> Vec<u8> {
    let length = body.len();
    format!("POST /webhooks HTTP/1.1\r\nhost: here\r\nx-api-key: {SECRET}\r\ncontent-length: {length}\r\n\r\n{body}")
        .into_bytes()
}

/// Numbers that a seed decides (splitmix64).
#[derive(Clone, Debug)]
pub struct Rng(pub u64);

impl Rng {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From 0 to `end`, without it.
    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    pub fn id(&mut self) -> String {
        format!("{:016x}{:08x}", self.next(), self.next() as u32)
    }
}

/// A body with its content: its events, and the app users that must be found once it is stored.
#[derive(Clone, Debug)]
pub struct Delivery {
    pub body: String,
    pub events: Vec<Digest>,
    pub users: Vec<String>,
}

impl Delivery {
    pub fn new(body: &Value, users: Vec<String>) -> Self {
        let body = body.to_string();
        let bounds = ParseLimits { depth: 64, events: 1000, latest: i64::MAX, name_bytes: 1024 };
        let read = smooch::parse_webhook(body.as_bytes(), &bounds).unwrap();
        let events = read.events.into_iter().map(|event| event.unwrap().stamp.digest).collect();
        Self { body, events, users }
    }
}

/// A delivery, and whether it was answered 200.
pub struct Sent {
    pub delivery: Delivery,
    pub acknowledged: bool,
}

/// App users of all senders, so that their events meet in one batch.
const SHARED_USERS: u64 = 24;
/// 2023-11-14; every event has a second of its own after it.
const START: u64 = 1_700_000_000;

/// One sender. Its number is in all its events.
pub struct Sender {
    number: u64,
    made: u64,
    rng: Rng,
    users: Vec<String>,
    doubtful: Vec<Delivery>,
    last: Option<Delivery>,
}

impl Sender {
    pub fn new(number: u64, seed: u64) -> Self {
        let rng = Rng(seed ^ (number << 32));
        Self { number, made: 0, rng, users: Vec::new(), doubtful: Vec::new(), last: None }
    }

    /// Sends until no server listens any more.
    pub fn run(&mut self, to: SocketAddr, sent: &mpsc::Sender<Sent>) {
        self.run_until(to, sent, u64::MAX);
    }

    /// Sends until `enough` is acknowledged, or no server listens any more.
    pub fn run_until(&mut self, to: SocketAddr, sent: &mpsc::Sender<Sent>, enough: u64) {
        let mut left = enough;
        while let Ok(mut line) = Connection::try_open(to) {
            while left > 0 {
                let delivery = self.choose();
                let answer = line.send(webhook(&delivery.body)).then(|| line.answer()).flatten();
                let status = answer.as_ref().map(|answer| answer.status);
                assert!(matches!(status, None | Some(200 | 503)), "{status:?} to {}", delivery.body);
                let acknowledged = status == Some(200);
                if acknowledged {
                    left -= 1;
                    self.users.extend(delivery.users.iter().cloned());
                    self.last = Some(delivery.clone());
                } else {
                    self.doubtful.push(delivery.clone());
                }
                sent.send(Sent { delivery, acknowledged }).unwrap();
                if status.is_none() {
                    break;
                }
            }
            if left == 0 {
                return;
            }
        }
    }

    fn choose(&mut self) -> Delivery {
        if let Some(delivery) = self.doubtful.pop() {
            return delivery;
        }
        // Smooch may not have got the answer.
        if let Some(last) = self.last.clone().filter(|_| self.rng.below(20) == 0) {
            return last;
        }
        self.fresh()
    }

    /// Something that was not sent before.
    pub fn fresh(&mut self) -> Delivery {
        match self.rng.below(10) {
            0..4 => self.message(false),
            4..6 => self.message(true),
            6 if self.users.len() >= 2 => self.merge(),
            _ => self.batch(),
        }
    }

    /// A time of its own for each event, as a number of seconds.
    fn tick(&mut self) -> u64 {
        self.made += 1;
        START + self.made * 64 + self.number
    }

    fn who(&mut self) -> String {
        match self.rng.below(10) {
            0 => format!("{:024x}", 0xe0e0 + self.rng.below(SHARED_USERS)),
            1..4 if !self.users.is_empty() => {
                let at = self.rng.below(self.users.len() as u64) as usize;
                self.users[at].clone()
            }
            _ => self.rng.id(),
        }
    }

    fn message(&mut self, truncated: bool) -> Delivery {
        let (id, time) = (self.who(), self.tick());
        let message = json!({ "_id": self.rng.id(), "type": "text", "text": "Hi", "role": "appUser",
                              "authorId": id, "received": time, "source": { "type": "web" } });
        let mut body = json!({ "trigger": "message:appUser", "app": { "_id": APP }, "messages": [message] });
        if truncated {
            body["version"] = json!("v1.1");
            body["appUser"] = json!({ "_id": id, "conversationStarted": true });
        } else {
            let client = format!("client-{}", self.rng.below(40));
            body["appUser"] = json!({
                "_id": id, "userId": format!("user-{}", self.rng.below(500)), "givenName": format!("N{time}"),
                "properties": { "at": time, format!("p{}", self.rng.below(4)): true },
                "clients": [{ "id": client, "platform": "web", "active": true }],
            });
        }
        Delivery::new(&body, vec![id])
    }

    fn merge(&mut self) -> Delivery {
        let one = |rng: &mut Rng, users: &[String]| users[rng.below(users.len() as u64) as usize].clone();
        let surviving = one(&mut self.rng, &self.users);
        let discarded = self.rng.id();
        let body = json!({ "trigger": "merge:appUser", "app": { "_id": APP },
                           "surviving": { "_id": surviving, "conversationStarted": true },
                           "discarded": [{ "_id": discarded, "conversationStarted": false }] });
        Delivery::new(&body, vec![surviving, discarded])
    }

    fn batch(&mut self) -> Delivery {
        let mut users = Vec::new();
        let events: Vec<Value> = (0..2 + self.rng.below(5)).map(|_| self.v2_event(&mut users)).collect();
        let body = json!({ "app": { "id": APP }, "webhook": { "id": "5f839c801ff353c5c9821397", "version": "v2" },
                           "events": events });
        Delivery::new(&body, users)
    }

    fn v2_event(&mut self, users: &mut Vec<String>) -> Value {
        let (id, time) = (self.who(), self.tick());
        let created = format!("{}Z", iso(time));
        users.push(id.clone());
        json!({ "id": self.rng.id(), "type": "user:update", "createdAt": created,
                "payload": { "user": { "id": id, "profile": { "surname": format!("S{time}") },
                                       "metadata": { "seen": time } } } })
    }
}

/// Seconds since 1970 as ISO 8601, for times of November 2023 and some years after.
fn iso(seconds: u64) -> String {
    let (mut days, rest) = (seconds / 86_400 - 19_675, seconds % 86_400);
    // 2023-11-14 is day 19,675. Months of 28 days keep every date valid, and the order of the dates.
    let month = days / 28;
    days %= 28;
    let (year, month) = (2024 + month / 12, 1 + month % 12);
    format!(
        "{year:04}-{month:02}-{:02}T{:02}:{:02}:{:02}.000",
        days + 1,
        rest / 3600,
        rest / 60 % 60,
        rest % 60
    )
}
