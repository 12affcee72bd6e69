//! Lists of entries: every filter, alone and with every other, against what was sent.

use std::collections::BTreeSet;

use serde_json::json;

use super::{OTHER, all, api_of_other, message, ok, two_apps, webhook_of_other};
use crate::operator_commands::post;
use crate::support::{APP, Home, Program, encoded, first_message};

/// An entry as it was sent.
struct Sent {
    app: &'static str,
    trigger: &'static str,
    source: &'static str,
    outcome: &'static str,
    users: &'static [&'static str],
}

const fn sent(
    app: &'static str,
    trigger: &'static str,
    source: &'static str,
    outcome: &'static str,
    users: &'static [&'static str],
) -> Sent {
    Sent { app, trigger, source, outcome, users }
}

/// What [`send`] sends, in order.
const SENT: [Sent; 12] = [
    sent(APP, "message:appUser", "webhook", "learned", &["ann"]),
    sent(OTHER, "message:appUser", "webhook", "learned", &["ann"]),
    sent(APP, "message:appUser", "webhook", "learned", &["bob"]),
    sent(APP, "something:new", "webhook", "kept", &[]),
    sent(APP, "message:appUser", "webhook", "learned", &["cem"]),
    sent(APP, "api:merge", "api", "learned", &["ann", "bob"]),
    sent(OTHER, "something:new", "webhook", "kept", &[]),
    sent(OTHER, "api:update", "api", "learned", &["ann"]),
    sent(APP, "message:appUser", "webhook", "learned", &["ann"]),
    sent(APP, "message:appUser", "webhook", "learned", &["cem"]),
    sent(APP, "api:update", "api", "learned", &["bob"]),
    sent(OTHER, "message:appUser", "webhook", "learned", &["bob"]),
];

fn send(program: &Program) {
    let unknown = |app: &str| json!({ "trigger": "something:new", "app": { "_id": app } }).to_string();
    message(program, "ann", 0);
    webhook_of_other(program, &first_message("ann", 1_600_000_001.0));
    let bob = first_message("bob", 1_600_000_002.0)
        .replace("\"_id\":\"bob\"", "\"_id\":\"bob\",\"userId\":\"the bob\"");
    assert_eq!(program.webhook(bob).status, 200);
    assert_eq!(program.webhook(unknown(APP)).status, 200);
    message(program, "cem", 4);
    let merge = json!({ "surviving": { "_id": "ann" }, "discarded": { "_id": "bob" } });
    post(program, "/v1/appusers/merge", &merge);
    webhook_of_other(program, &unknown(OTHER));
    api_of_other(program, "PUT", "/v1/appusers/ann", &json!({ "surname": "Other" }));
    message(program, "ann", 8);
    message(program, "cem", 9);
    let key = crate::support::basic(crate::support::KEY_ID, crate::support::KEY_SECRET);
    let put = program.request("PUT", "/v1/appusers/bob", &[("authorization", &key)], br#"{"surname":"Roe"}"#);
    assert_eq!(put.status, 200);
    webhook_of_other(program, &first_message("bob", 1_600_000_011.0));
}

/// Moves the entries apart in time: one every ten minutes.
fn spread(home: &Home) -> impl Fn(u64) -> i64 {
    let base = 1_700_000_000_000_i64;
    home.sql().execute_batch(&format!("UPDATE journal SET received = {base} + seq * 600000")).unwrap();
    move |seq| base + seq as i64 * 600_000
}

/// The filters of a list.
#[derive(Clone, Copy, Debug, Default)]
struct Asked {
    app: Option<&'static str>,
    user: Option<&'static str>,
    trigger: Option<&'static str>,
    source: Option<&'static str>,
    outcome: Option<&'static str>,
    since: Option<u64>,
    until: Option<u64>,
}

impl Asked {
    /// Every combination of some values of each filter.
    fn all() -> Vec<Self> {
        let mut all = Vec::new();
        let users =
            [None, Some("ann"), Some("bob"), Some("the bob"), Some("cem")].map(|user| (Some(APP), user));
        for (app, user) in users.into_iter().chain([(None, None), (Some(OTHER), None)]) {
            for trigger in [None, Some("message:appUser"), Some("api:update"), Some("nothing:ever")] {
                for source in [None, Some("webhook"), Some("api")] {
                    for outcome in [None, Some("learned"), Some("kept")] {
                        for (since, until) in
                            [(None, None), (Some(3), None), (None, Some(9)), (Some(4), Some(8))]
                        {
                            all.push(Self { app, user, trigger, source, outcome, since, until });
                        }
                    }
                }
            }
        }
        all
    }

    /// The entries that fit, the oldest first.
    fn expected(&self) -> Vec<u64> {
        let group: BTreeSet<&str> = match self.user {
            Some("cem") => BTreeSet::from(["cem"]),
            _ => BTreeSet::from(["ann", "bob"]),
        };
        let fits = |seq: &u64| {
            let one = &SENT[*seq as usize - 1];
            self.app.is_none_or(|app| app == one.app)
                && (self.user.is_none() || one.users.iter().any(|id| group.contains(id)))
                && self.trigger.is_none_or(|trigger| trigger == one.trigger)
                && self.source.is_none_or(|source| source == one.source)
                && self.outcome.is_none_or(|outcome| outcome == one.outcome)
                && self.since.is_none_or(|since| *seq >= since)
                && self.until.is_none_or(|until| *seq <= until)
        };
        (1..=SENT.len() as u64).filter(fits).collect()
    }

    fn query(&self, bound: impl Fn(u64) -> String) -> String {
        let words = [
            ("app", self.app.map(str::to_owned)),
            ("user", self.user.map(str::to_owned)),
            ("trigger", self.trigger.map(str::to_owned)),
            ("source", self.source.map(str::to_owned)),
            ("outcome", self.outcome.map(str::to_owned)),
            ("since", self.since.map(&bound)),
            ("until", self.until.map(&bound)),
        ];
        let words = words.into_iter().filter_map(|(name, value)| Some((name, value?)));
        words.map(|(name, value)| format!("&{name}={}", encoded(&value))).collect()
    }
}

#[test]
fn every_combination_of_filters_gives_the_entries_that_were_sent() {
    let home = two_apps("");
    let program = home.start();
    send(&program);
    let received = spread(&home);
    let shown = ok(&program, "/journal?order=asc");
    for (entry, sent) in shown["entries"].as_array().unwrap().iter().zip(&SENT) {
        for (member, value) in
            [("app", sent.app), ("trigger", sent.trigger), ("source", sent.source), ("outcome", sent.outcome)]
        {
            assert_eq!(entry[member], value, "{entry}");
        }
    }
    let combinations = Asked::all();
    assert_eq!(combinations.len(), 7 * 4 * 3 * 3 * 4);
    for (n, asked) in combinations.iter().enumerate() {
        let mut expected = asked.expected();
        let query = asked.query(|seq| if n % 2 == 1 { received(seq).to_string() } else { seq.to_string() });
        let limit = n % 5 + 1;
        let up = format!("/journal?order=asc&limit={limit}{query}");
        assert_eq!(all(&program, &up, "entries").0, expected, "{up}");
        expected.reverse();
        let down = format!("/journal?limit={limit}{query}");
        assert_eq!(all(&program, &down, "entries").0, expected, "{down}");
    }
}

#[test]
fn a_page_says_how_many_entries_it_looked_at_and_an_app_user_is_found_by_links() {
    let home = Home::new();
    let program = home.start();
    let insert = "WITH RECURSIVE n(seq) AS (SELECT 2 UNION ALL SELECT seq + 1 FROM n WHERE seq < 45001)
                  INSERT INTO journal SELECT n.seq, app, source, received, event_time, trigger, outcome, digest, '[]', body, place
                  FROM journal, n WHERE journal.seq = 1";
    message(&program, "ann", 0);
    program.stop();
    home.sql().execute_batch(insert).unwrap();
    let program = home.start();
    message(&program, "bob", 1);
    let none = ok(&program, "/journal?trigger=nothing:ever");
    assert_eq!(
        (&none["looked"], &none["hasMore"], &none["entries"]),
        (&json!(20_000), &json!(true), &json!([]))
    );
    assert_eq!(all(&program, "/journal?trigger=nothing:ever", "entries"), (vec![], 45_002));
    assert_eq!(all(&program, "/journal?trigger=nothing:ever&order=asc", "entries"), (vec![], 45_002));
    let of_ann = ok(&program, "/journal?user=ann");
    assert_eq!((&of_ann["looked"], &of_ann["entries"][0]["seq"]), (&json!(1), &json!(1)), "{of_ann}");
    let of_bob = ok(&program, "/journal?user=bob&order=asc");
    assert_eq!((&of_bob["looked"], &of_bob["entries"][0]["seq"]), (&json!(1), &json!(45_002)), "{of_bob}");
}

#[test]
fn what_is_asked_wrongly_is_named() {
    let program = two_apps("").start();
    message(&program, "ann", 0);
    let after = ok(&program, "/journal?limit=1&trigger=message:appUser");
    assert_eq!(after.get("after"), None);
    message(&program, "ann", 1);
    let after = ok(&program, "/journal?limit=1")["after"].as_str().unwrap().to_owned();
    for (query, said) in [
        ("nothing=1", "Unknown parameter: nothing"),
        ("limit=0", "limit must be from 1 to 200"),
        ("limit=201", "limit must be from 1 to 200"),
        ("order=up", "order must be asc or desc"),
        ("source=smooch", "source must be webhook or api"),
        ("outcome=repeated", "outcome must be one of learned, kept"),
        ("since=yesterday", "since must be a journal number, or"),
        ("until=-1", "until must be a journal number, or"),
        ("since=2&until=1", "until is before since"),
        ("trigger=", "trigger must not be empty"),
        ("user=ann", "user needs app"),
        ("after=x", "after is not a cursor of this list"),
        (&*format!("order=asc&after={after}"), "filters and sort must be those"),
        ("limit=1&limit=2", "Repeated parameter: limit"),
    ] {
        let answer = program.admin(&format!("/journal?{query}"));
        let description = answer.json()["error"]["description"].as_str().unwrap().to_owned();
        assert_eq!(answer.status, 400, "{query}: {answer:?}");
        assert!(description.contains(said), "{query}: {description}");
    }
    assert_eq!(program.admin(&format!("/journal?app={APP}&user=nobody")).status, 404);
    assert_eq!(program.request("GET", "/journal", &[], b"").status, 404, "not where the world is served");
}

#[test]
fn a_list_goes_on_where_it_was_while_the_app_user_is_merged() {
    let program = Home::new().start();
    for n in 0..6 {
        message(&program, if n % 2 == 0 { "ann" } else { "bob" }, n);
    }
    let page = ok(&program, "/journal?user=ann&limit=2");
    let after = page["after"].as_str().unwrap();
    post(
        &program,
        "/v1/appusers/merge",
        &json!({ "surviving": { "_id": "ann" }, "discarded": { "_id": "bob" } }),
    );
    let rest = ok(&program, &format!("/journal?user=ann&limit=5&after={after}"));
    let seqs: Vec<u64> =
        rest["entries"].as_array().unwrap().iter().map(|entry| entry["seq"].as_u64().unwrap()).collect();
    assert_eq!(seqs, [2, 1], "what is older than the page, of both");
}
