//! The person to erase: planted in every possible place, and searched for afterwards.

use serde_json::json;

use super::Walk;
use crate::erasure::traces::Traces;
use crate::erasure::{CANARY, message};
use crate::feed::api;
use crate::support::{APP, KEY_ID, KEY_SECRET, basic};

/// The fate of the person.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Person {
    /// The database has no such person.
    Nobody,
    /// The one with this number.
    Known(u64),
    /// That one was erased, and none has come since.
    Erased(u64),
}

/// A text has no personal data.
pub fn is_not_in(text: &str, what: &str) {
    let lines: Vec<&str> = text.lines().filter(|line| line.contains(CANARY)).collect();
    assert!(lines.is_empty(), "{what}: {lines:?}");
}

fn id(person: u64) -> String {
    format!("person-{person}")
}

impl Walk {
    /// A person comes, unless there is one.
    pub fn meet(&mut self) {
        if let Person::Known(_) = self.person {
            return;
        }
        self.persons += 1;
        let number = self.persons;
        let (one, other) = (id(number), format!("other-of-{number}"));
        let about = |what: &str| format!("{CANARY}-{what}-{number}");
        let user = json!({
            "userId": about("user"), "givenName": about("given"), "email": format!("{}@example.org", about("email")),
            "properties": { about("key"): about("value") },
            "clients": [{ "id": about("client"), "platform": "web", "active": true }],
        });
        let received = 1_500_000_000.0 + number as f64;
        let merge = json!({ "trigger": "merge:appUser", "app": { "_id": APP }, "timestamp": received,
                            "surviving": { "_id": one }, "discarded": [{ "_id": other }] });
        // It names the person and is unusable.
        let unusable =
            json!({ "trigger": "message:appUser", "app": { "_id": APP }, "appUser": [one, about("lost")] });
        for body in [
            message(&one, received, &user, &about("text")),
            message(&other, received, &json!({ "surname": about("surname") }), "Hi"),
            merge.to_string(),
            unusable.to_string(),
        ] {
            assert_eq!(self.program().webhook(body).status, 200);
        }
        let key = basic(KEY_ID, KEY_SECRET);
        let once = format!("k{number}");
        let headers =
            [("authorization", &*key), ("content-type", "application/json"), ("idempotency-key", &*once)];
        let body = json!({ "surname": about("set") }).to_string();
        let set = self.program().request("PUT", &format!("/v1/appusers/{one}"), &headers, body.as_bytes());
        assert_eq!(set.status, 200, "{set:?}");
        self.person = Person::Known(number);
    }

    /// The person is erased, and stays so after any late event.
    pub fn erase(&mut self) {
        let Person::Known(number) = self.person else { return };
        let to = format!("http://{}", self.listen());
        let erased = self.command(&["erase", "--app", APP, "--to", &to, &id(number)]);
        assert!(matches!(erased.code, Some(0)), "{erased:?}");
        self.person = Person::Erased(number);
        let late =
            message(&id(number), 1_600_000_000.0, &json!({ "givenName": format!("{CANARY}-late") }), "Hi");
        assert_eq!(self.program().webhook(late).status, 200);
        self.is_erased();
    }

    /// Erased app users are found nowhere.
    pub fn is_erased(&self) {
        let Person::Erased(number) = self.person else { return };
        let program = self.program();
        assert_eq!(program.app_user(&id(number)).status, 404);
        Traces::of(&self.home).nothing_in("the files");
        let snapshot = program.get("/v1/changes?snapshot=true&limit=1000");
        is_not_in(&snapshot.text, "the snapshot");
        let oldest = program.get("/v1/changes?since=0&limit=1000");
        is_not_in(&oldest.text, "the feed");
        is_not_in(&self.command(&["export"]).well().out, "an export");
        is_not_in(&self.command(&["quarantine", "list", "--json"]).well().out, "the quarantine");
        is_not_in(&self.command(&["journal", "list", "--json"]).well().out, "the journal");
        is_not_in(&program.log(), "the log");
        let again = api(program, "PUT", &format!("/v1/appusers/{}", id(number)), &json!({ "surname": "x" }));
        assert_eq!(again.status, 404, "{again:?}");
    }
}
