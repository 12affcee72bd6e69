//! People who write, are changed, merged and removed at random; and the expected lists of them, computed from a plain
//! list. Their members come from a GET of each; the times seen from the events sent.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::crash::traffic::Rng;
use crate::support::{APP, KEY_ID, KEY_SECRET, Program, basic, encoded};

const GIVEN: [&str; 7] = ["Zoë", "Ulrik", "Ångström", "O'Neill", "李 雷", "Ann", "Anna-Lena"];
const SURNAMES: [&str; 5] = ["Lee", "Quiroga", "Sørensen", "Novák", "annan"];
const PLATFORMS: [&str; 4] = ["ios", "messenger", "whatsapp", "web"];
const VERSIONS: [&str; 5] = ["1.9", "1.10", "2.0-beta", "2.0", "nightly"];
const PLANS: [&str; 5] = ["\"pro\"", "true", "\"true\"", "7", "\"\""];
/// The time of the first event, in s; each later one is a second later, so the model knows the order.
const FIRST: i64 = 1_500_000_000;
/// Calls of our own API have the current time, later than all events, in the order of the calls.
const OURS: i64 = 4_000_000_000;

/// All app users ever created, and the time of the last event of each `_id`.
pub(super) struct People {
    pub(super) rng: Rng,
    seen: BTreeMap<String, i64>,
    /// The `_id` that each was merged into.
    into: BTreeMap<String, String>,
    gone: BTreeSet<String>,
    now: i64,
}

/// One as a list shows them.
pub(super) struct Person {
    pub(super) id: String,
    seen: i64,
    shown: Value,
}

impl People {
    pub(super) fn new(seed: u64) -> Self {
        let (seen, into, gone) = (BTreeMap::new(), BTreeMap::new(), BTreeSet::new());
        Self { rng: Rng(seed), seen, into, gone, now: 0 }
    }

    fn pick<'v>(&mut self, of: &[&'v str]) -> &'v str {
        of[self.rng.below(of.len() as u64) as usize]
    }

    fn root(&self, id: &str) -> String {
        self.into.get(id).map_or_else(|| id.to_owned(), |into| self.root(into))
    }

    /// An app user that is known and is not merged.
    fn known(&mut self) -> Option<String> {
        let roots: Vec<&String> =
            self.seen.keys().filter(|id| !self.into.contains_key(*id) && !self.gone.contains(*id)).collect();
        let n = self.rng.below(roots.len().max(1) as u64) as usize;
        roots.get(n).map(|id| (*id).clone())
    }

    fn note(&mut self, id: &str, time: i64) {
        let seen = self.seen.entry(id.to_owned()).or_insert(time);
        *seen = time.max(*seen);
    }

    /// One thing happens: a webhook, or a call to our API.
    pub(super) fn step(&mut self, program: &Program) {
        self.now += 1;
        let now = self.now;
        match (self.rng.below(20), self.known()) {
            (0 | 1, Some(id)) => {
                let plan: Value = serde_json::from_str(self.pick(&PLANS)).unwrap();
                let name = self.pick(&GIVEN).to_owned();
                let path = format!("/v1/appusers/{}", encoded(&id));
                let body = json!({ "givenName": name, "properties": { "plan": plan } });
                assert_eq!(call(program, "PUT", &path, &body), 200);
                self.note(&id, OURS + now);
            }
            (2, Some(id)) => {
                let path = format!("/v1/appusers/{}", encoded(&id));
                let body = json!({ "email": null, "signedUpAt": "2019-05-01T00:00:00Z" });
                assert_eq!(call(program, "PUT", &path, &body), 200);
                self.note(&id, OURS + now);
            }
            (3, Some(surviving)) => {
                let Some(discarded) = self.known().filter(|id| *id != surviving) else { return };
                let body = json!({ "trigger": "merge:appUser", "app": { "_id": APP }, "timestamp": FIRST + now,
                    "surviving": { "_id": surviving }, "discarded": [{ "_id": discarded }] });
                assert_eq!(program.webhook(body.to_string()).status, 200);
                self.note(&surviving, FIRST + now);
                self.note(&discarded, FIRST + now);
                self.into.insert(discarded, surviving);
            }
            (4, Some(id)) if now % 3 == 0 => {
                let path = format!("/v1/appusers/{}", encoded(&id));
                assert_eq!(call(program, "DELETE", &path, &Value::Null), 200);
                self.gone.insert(id);
            }
            (5..=7, Some(_)) => {
                // Any app user, merged ones included, perhaps late.
                let all: Vec<String> = self.seen.keys().cloned().collect();
                let id = all[self.rng.below(all.len() as u64) as usize].clone();
                let time = FIRST + now - self.rng.below(50) as i64;
                let body = json!({ "trigger": "conversation:read", "app": { "_id": APP }, "timestamp": time,
                    "appUser": { "_id": id } });
                assert_eq!(program.webhook(body.to_string()).status, 200);
                self.note(&id, time);
            }
            _ => self.message(program, now),
        }
    }

    /// A message of a new or a known app user.
    fn message(&mut self, program: &Program, now: i64) {
        let id = match self.known() {
            Some(id) if self.rng.below(3) == 0 => id,
            _ => format!("{:08x}{:016x}", self.rng.below(1 << 32), now),
        };
        let mut user = json!({ "_id": id });
        let mut maybe = |key: &str, value: Value, rng: &mut Rng| {
            if rng.below(3) > 0 {
                user[key] = value;
            }
        };
        let (given, surname) = (self.pick(&GIVEN), self.pick(&SURNAMES));
        let plan: Value = serde_json::from_str(self.pick(&PLANS)).unwrap();
        let client = json!({ "id": format!("c-{id}"), "platform": self.pick(&PLATFORMS),
            "appVersion": self.pick(&VERSIONS), "active": true });
        let n = self.rng.below(40);
        let rng = &mut self.rng;
        maybe("givenName", json!(given), rng);
        maybe("surname", json!(surname), rng);
        maybe("email", json!(format!("{}.{}@mail{}.example", surname.to_lowercase(), n % 4, n % 3)), rng);
        maybe("signedUpAt", json!(format!("2018-01-{:02}T10:00:00.000Z", 1 + n % 28)), rng);
        maybe("properties", json!({ "plan": plan, "n": n }), rng);
        maybe("clients", json!([client]), rng);
        if n > 20 {
            user["userId"] = json!(format!("user-{id}"));
        }
        let trigger = if n.is_multiple_of(4) { "message:appUser" } else { "conversation:read" };
        let mut body =
            json!({ "trigger": trigger, "app": { "_id": APP }, "timestamp": FIRST + now, "appUser": user });
        if trigger == "message:appUser" {
            body["messages"] = json!([{ "received": FIRST + now, "role": "appUser", "authorId": id }]);
        }
        assert_eq!(program.webhook(body.to_string()).status, 200);
        self.note(&id, FIRST + now);
    }

    /// All app users as shown now, each from its own look-up.
    pub(super) fn shown(&self, program: &Program) -> Vec<Person> {
        let mut groups: BTreeMap<String, i64> = BTreeMap::new();
        for (id, seen) in &self.seen {
            let latest = groups.entry(self.root(id)).or_insert(*seen);
            *latest = (*latest).max(*seen);
        }
        let people = groups.into_iter().filter(|(id, _)| !self.gone.contains(id)).map(|(id, seen)| {
            let answer = program.app_user(&id);
            assert_eq!(answer.status, 200, "{id}: {answer:?}");
            Person { shown: answer.json()["appUser"].clone(), id, seen }
        });
        people.collect()
    }
}

pub(super) fn call(program: &Program, method: &str, path: &str, body: &Value) -> u16 {
    let auth = basic(KEY_ID, KEY_SECRET);
    let headers = [("authorization", &*auth), ("content-type", "application/json")];
    let body = if *body == Value::Null { String::new() } else { body.to_string() };
    program.request(method, path, &headers, body.as_bytes()).status
}

/// Lower case, without the accents of the names here, split at every character that is not a letter or digit.
fn plain(text: &str) -> Vec<String> {
    let accents = [("ë", "e"), ("å", "a"), ("ö", "o"), ("á", "a")];
    let text = accents.iter().fold(text.to_lowercase(), |text, (with, without)| text.replace(with, without));
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// A question: the parameters of the list, as they are asked.
pub(super) type Question = Vec<(String, String)>;

impl Person {
    fn text(&self, key: &str) -> &str {
        self.shown[key].as_str().unwrap_or("")
    }

    fn signed_up(&self) -> Option<i64> {
        self.text("signedUpAt").parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_second)
    }

    /// True if the person satisfies one parameter.
    fn fits(&self, name: &str, value: &str) -> bool {
        let words = || ["givenName", "surname", "email", "userId"].map(|key| plain(self.text(key))).concat();
        let time = || match value.parse::<i64>() {
            Ok(seconds) => seconds,
            Err(_) => value.parse::<jiff::Timestamp>().unwrap().as_second(),
        };
        match name {
            "q" => plain(value).iter().all(|typed| words().iter().any(|word| word.starts_with(&**typed))),
            "userId" | "email" => self.text(name) == value,
            // `has_client` checks these for one client together.
            "platform" | "appVersion" | "appVersionSince" | "appVersionBefore" => true,
            "identified" => self.shown["userId"].is_string() == (value == "true"),
            "conversationStarted" => self.shown[name] == (value == "true"),
            "seenSince" => self.seen >= time(),
            "seenBefore" => self.seen < time(),
            "signedUpSince" => self.signed_up().is_some_and(|signed_up| signed_up >= time()),
            "signedUpBefore" => self.signed_up().is_some_and(|signed_up| signed_up < time()),
            "sort" => true,
            name => match &self.shown["properties"][name.strip_prefix("property.").unwrap()] {
                Value::String(text) => text == value,
                Value::Null => false,
                other => format!("{other}") == value,
            },
        }
    }
}

impl Person {
    /// True if one of its clients satisfies all conditions for a client.
    fn has_client(&self, question: &Question) -> bool {
        let place = |version: &Value| {
            let known = VERSIONS[..4].iter().position(|known| *known == version.as_str().unwrap_or(""));
            known.map(|place| place as i64)
        };
        let fits = |client: &Value, name: &str, value: &str| match name {
            "platform" | "appVersion" => client[name] == value,
            "appVersionSince" => place(&client["appVersion"]) >= place(&json!(value)),
            "appVersionBefore" => {
                place(&client["appVersion"]).is_some_and(|place_of| Some(place_of) < place(&json!(value)))
            }
            _ => true,
        };
        let asked = |(name, _): &&(String, String)| name == "platform" || name.starts_with("appVersion");
        let asked: Vec<_> = question.iter().filter(asked).collect();
        let mut clients = self.shown["clients"].as_array().unwrap().iter();
        asked.is_empty() || clients.any(|client| asked.iter().all(|(name, value)| fits(client, name, value)))
    }
}

/// The `_id`s that a question must be answered with, in their order.
pub(super) fn expected(people: &[Person], question: &Question) -> Vec<String> {
    let fits = |one: &&Person| {
        one.has_client(question) && question.iter().all(|(name, value)| one.fits(name, value))
    };
    let mut fitting: Vec<&Person> = people.iter().filter(fits).collect();
    let sort = question.iter().rev().find(|(name, _)| name == "sort").map_or("_id", |(_, sort)| sort);
    let by_id = |one: &&Person, other: &&Person| one.id.cmp(&other.id);
    fitting.sort_by(|one, other| {
        let first = match sort.trim_start_matches('-') {
            "lastSeen" => one.seen.cmp(&other.seen),
            "signedUpAt" => one.signed_up().cmp(&other.signed_up()),
            _ => Ordering::Equal,
        };
        first.then_with(|| by_id(one, other))
    });
    if sort.starts_with('-') {
        fitting.reverse();
    }
    fitting.into_iter().map(|one| one.id.clone()).collect()
}

/// A random list request, for existing and missing values.
pub(super) fn question(people: &mut People, shown: &[Person]) -> Question {
    let mut asked = Question::new();
    let someone = &shown[people.rng.below(shown.len() as u64) as usize];
    let time = |rng: &mut Rng| (FIRST + rng.below(600) as i64).to_string();
    for _ in 0..people.rng.below(4) {
        let (name, value) = match people.rng.below(16) {
            0 => {
                ("q", someone.text(["givenName", "surname", "email", "userId"][people.rng.below(4) as usize]))
            }
            1 => (
                "q",
                people.pick(&["ann", "ANG", "z s", "mail1", "李", "lee mail", "o'n", "user", "xyz", "l"]),
            ),
            2 => ("userId", someone.text("userId")),
            3 => ("email", someone.text("email")),
            4 => ("platform", people.pick(&PLATFORMS)),
            5 => ("identified", people.pick(&["true", "false"])),
            6 => ("conversationStarted", people.pick(&["true", "false"])),
            7 => ("property.plan", people.pick(&["pro", "true", "7", "", "false"])),
            8 => ("signedUpSince", people.pick(&["2018-01-15T00:00:00Z", "2019-01-01T00:00:00+01:00"])),
            9 => ("signedUpBefore", people.pick(&["2018-01-15T10:00:00Z", "1516010400"])),
            10 => ("property.n", people.pick(&["1", "2", "30"])),
            11 => ("appVersion", people.pick(&VERSIONS)),
            12 => ("appVersionSince", people.pick(&VERSIONS[..4])),
            13 => ("appVersionBefore", people.pick(&VERSIONS[..4])),
            14 => {
                asked.push(("seenSince".to_owned(), time(&mut people.rng)));
                continue;
            }
            _ => {
                asked.push(("seenBefore".to_owned(), time(&mut people.rng)));
                continue;
            }
        };
        // The last one of a name counts, but for properties, and nothing can be asked with nothing.
        let fits = !value.is_empty() || name.starts_with("property.");
        if fits && !asked.iter().any(|(known, _)| known == name) {
            asked.push((name.to_owned(), value.to_owned()));
        }
    }
    let sorts = ["_id", "-_id", "lastSeen", "-lastSeen", "signedUpAt", "-signedUpAt"];
    if people.rng.below(3) > 0 {
        asked.push(("sort".to_owned(), people.pick(&sorts).to_owned()));
    }
    let mut names = BTreeSet::new();
    asked.retain(|(name, _)| names.insert(name.clone()));
    asked
}
