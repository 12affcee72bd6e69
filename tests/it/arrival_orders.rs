//! Webhooks in every order in which they can arrive, and the views of a running service.

mod accounts;
mod client_owners;
mod devices;
mod identifiers;
mod merges;
mod observations;
mod pending_clients;

use serde_json::{Value, json};

use crate::operator_commands::run_alone;
use crate::support::{APP, Home, Program};

/// One v1 body: a trigger, and the other members.
fn v1(trigger: &str, rest: Value) -> Value {
    let mut body = json!({ "trigger": trigger, "app": { "_id": APP } });
    body.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
    body
}

/// A v1 message of an app user, `day` days into 2017, carrying the user like this.
fn wrote(day: u32, app_user: Value) -> Value {
    let message = json!({ "_id": format!("m{day}"), "role": "appUser", "authorId": app_user["_id"],
        "received": received(day), "text": "Hi", "type": "text" });
    v1("message:appUser", json!({ "messages": [message], "appUser": app_user }))
}

/// Noon of a day in January 2017, in seconds.
fn received(day: u32) -> f64 {
    1_483_228_800.0 + f64::from(day) * 86_400.0 + 43_200.0
}

/// One v2 event of the same day.
fn v2(day: u32, kind: &str, payload: Value) -> Value {
    let created = format!("2017-01-{:02}T12:00:00.000Z", day + 1);
    let event =
        json!({ "id": format!("{kind}-{day}"), "type": kind, "createdAt": created, "payload": payload });
    json!({ "app": { "id": APP }, "webhook": { "id": "w", "version": "v2" }, "events": [event] })
}

/// A v2 message of a user, through this source.
fn wrote_v2(day: u32, user: &str, source: Value) -> Value {
    let author = json!({ "type": "user", "userId": user, "user": { "id": user } });
    v2(day, "conversation:message", json!({ "message": { "author": author, "source": source } }))
}

/// Posts the bodies in every order, and twice over, each time about other app users: `$` in the bodies stands for
/// them. Then reads the result, with the same sign put in place of `$`.
fn in_every_order(program: &Program, bodies: &[Value], mut look: impl FnMut(&dyn Fn(&str) -> String)) {
    for (n, order) in orders(bodies.len()).into_iter().enumerate() {
        let sign = format!("-{n}");
        for body in order.iter().chain(&order).map(|index| bodies[*index].to_string().replace('$', &sign)) {
            assert_eq!(program.webhook(&body).status, 200, "{body}");
        }
        look(&|text| text.replace('$', &sign));
    }
    assert_eq!(program.metric("rollcall_quarantined_total"), 0.0);
}

/// Posts each case in every order, about its own app users, and reads the result. Then the journal is folded once
/// more, with the same result.
fn each_in_every_order<T>(
    rows: &[(&str, Vec<Value>, T)],
    look: impl Fn(&Program, &dyn Fn(&str) -> String, &str, &T),
) {
    let home = Home::new();
    let program = home.start();
    for (n, (case, bodies, expected)) in rows.iter().enumerate() {
        let own = |text: &str| text.replace('$', &format!("-{n}$"));
        let bodies: Vec<Value> =
            bodies.iter().map(|body| serde_json::from_str(&own(&body.to_string())).unwrap()).collect();
        in_every_order(&program, &bodies, |sign| {
            look(&program, &|text: &str| sign(&own(text)), case, expected);
        });
    }
    program.stop();
    assert_eq!(run_alone(&home, &["rebuild", "--verify"]).code, Some(0));
}

fn orders(count: usize) -> Vec<Vec<usize>> {
    let Some(last) = count.checked_sub(1) else { return vec![Vec::new()] };
    let insert = |order: Vec<usize>| {
        (0..count).map(move |place| {
            let mut order = order.clone();
            order.insert(place, last);
            order
        })
    };
    orders(last).into_iter().flat_map(insert).collect()
}

/// The v1 view of an app user.
fn shown(program: &Program, id: &str) -> Value {
    let answer = program.app_user(id);
    assert_eq!(answer.status, 200, "{id}: {answer:?}");
    answer.json()["appUser"].clone()
}

/// The `_id`s that a list shows.
fn listed(program: &Program, query: &str) -> Vec<String> {
    let page = program.get(&format!("/v1/appusers?{query}"));
    assert_eq!(page.status, 200, "{page:?}");
    let users = page.json()["appUsers"].as_array().unwrap().clone();
    users.iter().map(|user| user["_id"].as_str().unwrap().to_owned()).collect()
}
