//! Answers about an app user with several `_id`s, after these are merged the other way round or unmerged.

use serde_json::{Value, json};

use super::{APP, Home, Program, client, deliver, done, look_up, message};

const TOLD: f64 = 1_700_000_000.0;

fn merge(program: &Program, surviving: &str, discarded: &str) {
    let body = json!({ "trigger": "merge:appUser", "app": { "_id": APP },
        "surviving": { "_id": surviving }, "discarded": [{ "_id": discarded }] });
    deliver(program, &body.to_string());
}

/// Smooch merges the two the other way round, later than everything.
fn flip(program: &Program, surviving: &str, discarded: &str) {
    let users = json!({ "surviving": { "id": surviving }, "discarded": { "id": discarded } });
    let event = json!({ "id": format!("flip-{surviving}"), "type": "user:merge",
        "createdAt": "2026-04-01T00:00:00.000Z", "payload": { "mergedUsers": users } });
    deliver(
        program,
        &json!({ "app": { "id": APP }, "webhook": { "id": "w", "version": "v2" }, "events": [event] })
            .to_string(),
    );
}

fn unmerge(program: &Program, surviving: &str, discarded: &str) {
    let body = json!({ "discarded": { "_id": discarded } });
    done(program, &format!("POST /v1/appusers/{surviving}/unmerge"), body);
}

fn of_the_person(id: &str) -> Value {
    json!({ "id": id, "platform": "line", "displayName": "Ann B", "avatarUrl": "http://a/b", "raw": { "n": "Ann" } })
}

/// Y with X merged into it. Both have personal data, and X has more than is shown.
fn merged(program: &Program, n: usize) -> [String; 2] {
    let [x, y] = ["x", "y"].map(|id| format!("{id}{n}"));
    let fields = json!({ "givenName": "Ann", "email": "ann@example.org", "properties": { "p": 1 }, "avatarUrl": "http://a/x",
        "clients": [of_the_person(&format!("w{n}")), of_the_person(&format!("s{n}"))] });
    deliver(program, &message(&x, TOLD, fields));
    let fields = json!({ "givenName": "Yve", "properties": { "q": 2 },
        "clients": [{ "id": format!("v{n}"), "platform": "ios" }, { "id": format!("s{n}"), "platform": "line", "lastSeen": "now" }] });
    deliver(program, &message(&y, TOLD + 1.0, fields));
    merge(program, &y, &x);
    [x, y]
}

fn says_nothing_of_the_person(user: &Value) {
    let text = user.to_string();
    for word in ["Ann", "Yve", "ann@example", "http", "\"p\"", "\"q\""] {
        assert!(!text.contains(word), "{word} in {user}");
    }
}

#[test]
fn a_deleted_profile_stays_deleted_under_any_later_root() {
    let program = Home::new().start();
    let v2 = format!("/v2/apps/{APP}/users/$/personalinformation");
    let mut n = 0;
    for path in ["/v1/appusers/$/profile", &v2] {
        for by in [0, 1] {
            for later in [flip, unmerge_of_the_other] {
                n += 1;
                let [x, y] = merged(&program, n);
                done(&program, &format!("DELETE {}", path.replace('$', [&x, &y][by])), Value::Null);
                says_nothing_of_the_person(&look_up(&program, &x));
                later(&program, &x, &y);
                for id in [&x, &y] {
                    let user = look_up(&program, id);
                    says_nothing_of_the_person(&user);
                }
                assert_eq!(client(&look_up(&program, &x), &format!("w{n}"))["platform"], "line");
            }
        }
    }
}

fn unmerge_of_the_other(program: &Program, discarded: &str, surviving: &str) {
    unmerge(program, surviving, discarded);
}

#[test]
fn hidden_values_of_a_merged_id_are_deleted_too() {
    let program = Home::new().start();
    let [x, y] = ["xh", "yh"];
    let fields = json!({ "properties": { "p": 1 }, "clients": [of_the_person("wh")] });
    deliver(&program, &message(x, TOLD, fields));
    let users = json!({ "surviving": { "id": y }, "discarded": { "id": x } });
    let event = json!({ "id": "early", "type": "user:merge", "createdAt": "2023-11-14T23:00:00.000Z",
        "payload": { "mergedUsers": users } });
    deliver(
        &program,
        &json!({ "app": { "id": APP }, "webhook": { "id": "w", "version": "v2" }, "events": [event] })
            .to_string(),
    );
    deliver(&program, &message(y, TOLD + 86_400.0, json!({ "properties": {}, "clients": [] })));
    let before = look_up(&program, x);
    assert_eq!((&before["properties"], &before["clients"]), (&json!({}), &json!([])));
    done(&program, &format!("DELETE /v1/appusers/{y}/profile"), Value::Null);
    assert_eq!(look_up(&program, x)["clients"], json!([]), "nothing comes back by being deleted");
    unmerge(&program, y, x);
    says_nothing_of_the_person(&look_up(&program, x));
}

#[test]
fn cleared_and_set_fields_stay_so_under_any_later_root() {
    let program = Home::new().start();
    let mut n = 100;
    for (body, given, email) in [
        (
            json!({ "givenName": "Bea", "email": null, "properties": { "p": null } }),
            json!("Bea"),
            Value::Null,
        ),
        (
            json!({ "email": "bea@example.org", "givenName": null, "properties": { "p": null } }),
            Value::Null,
            json!("bea@example.org"),
        ),
    ] {
        for later in [flip, unmerge_of_the_other] {
            n += 1;
            let [x, y] = merged(&program, n);
            done(&program, &format!("PUT /v1/appusers/{y}"), body.clone());
            later(&program, &x, &y);
            let user = look_up(&program, &x);
            assert_eq!(user["_id"], json!(x));
            assert_eq!(
                (&user["givenName"], &user["email"], &user["properties"]["p"]),
                (&given, &email, &Value::Null),
                "{user}"
            );
        }
    }
}

#[test]
fn a_client_stays_with_the_id_that_has_it() {
    let program = Home::new().start();
    for (n, call) in ["PUT device", "DELETE profile", "init"].into_iter().enumerate() {
        let n = 200 + n;
        let [x, y] = merged(&program, n);
        let (own, others) = (format!("w{n}"), format!("v{n}"));
        match call {
            "PUT device" => {
                done(&program, &format!("PUT /v1/appusers/{y}/devices/{own}"), json!({ "appVersion": "2" }));
            }
            "DELETE profile" => {
                done(&program, &format!("DELETE /v1/appusers/{y}/profile"), Value::Null);
            }
            _ => {
                done(&program, &format!("PUT /v1/appusers/{y}/devices/{own}"), json!({ "appVersion": "1" }));
                let device = json!({ "device": { "id": own, "platform": "web", "appVersion": "2" } });
                done(&program, "POST /v1/init", device);
            }
        }
        unmerge(&program, &y, &x);
        let [of_x, of_y] = [&x, &y].map(|id| look_up(&program, id));
        assert!(!of_y.to_string().contains(&own), "{call}: {of_y}");
        assert!(!of_x.to_string().contains(&others), "{call}: {of_x}");
        if call == "PUT device" {
            assert_eq!(client(&of_x, &own)["appVersion"], "2", "{call}");
        }
    }
}
