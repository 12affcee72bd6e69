//! Smooch's users API from outside: requests by credential, and their answers.

mod account;
mod brands;
mod browsers;
mod changes;
mod concurrency;
mod conditional;
mod corners;
mod documents;
mod init;
mod not_offered;
mod parameters;
mod person;
mod removal;
mod removed_ids;
mod scopes;
mod sentences;
mod shapes;
mod shared_devices;
mod stored_answers;
mod tenants;
mod tolerance;
mod two_ids;
mod unmerge;
mod v2;

use serde_json::{Value, json};

use crate::support::{
    APP, Answer, Home, KEY_ID, KEY_SECRET, Program, SECRET, basic, encoded, request, signed_with,
};

/// The headers of a caller.
type Who = Vec<(&'static str, String)>;

fn no_credential() -> Who {
    Vec::new()
}

/// The holder of the demo app's token.
fn token() -> Who {
    vec![("app-token", "demo-app-token".to_owned())]
}

/// The holder of the demo app's key.
fn key() -> Who {
    vec![("authorization", basic(KEY_ID, KEY_SECRET))]
}

/// The demo app, by a JWT.
fn app() -> Who {
    jwt(json!({ "scope": "app" }))
}

/// An app user of the demo app, by a JWT.
fn user(user_id: &str) -> Who {
    jwt(json!({ "scope": "appUser", "userId": user_id }))
}

fn jwt(claims: Value) -> Who {
    jwt_of(KEY_ID, KEY_SECRET, &claims)
}

fn jwt_of(key_id: &str, secret: &str, claims: &Value) -> Who {
    let header = json!({ "typ": "JWT", "alg": "HS256", "kid": key_id }).to_string();
    vec![("authorization", format!("Bearer {}", signed_with(&header, &claims.to_string(), secret)))]
}

fn with(mut who: Who, name: &'static str, value: impl Into<String>) -> Who {
    who.push((name, value.into()));
    who
}

/// Asks; `line` is a method and a path, and null is no body at all.
fn ask(program: &Program, who: &Who, line: &str, body: &Value) -> Answer {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    send(program, who, line, body.as_bytes())
}

/// Asks with these very bytes.
fn send(program: &Program, who: &Who, line: &str, body: &[u8]) -> Answer {
    let (method, path) = line.split_once(' ').unwrap();
    let mut headers = vec![("content-type", "application/json")];
    headers.extend(who.iter().map(|(name, value)| (*name, value.as_str())));
    request(program.listen, method, path, &headers, body).unwrap()
}

/// Asks as the app, which must succeed.
fn done(program: &Program, line: &str, body: Value) -> Value {
    let answer = ask(program, &app(), line, &body);
    assert!([200, 201].contains(&answer.status), "{line}: {answer:?}");
    answer.json()
}

/// The app user that a name resolves to, as the app sees it.
fn look_up(program: &Program, name: &str) -> Value {
    done(program, &format!("GET /v1/appusers/{}", encoded(name)), Value::Null)["appUser"].clone()
}

/// Makes an app user; its `_id`.
fn create(program: &Program, user_id: &str) -> String {
    id(&done(program, "POST /v1/appusers", json!({ "userId": user_id })))
}

/// Starts a device by the app token; the app user it is answered.
fn start(program: &Program, device: &str, user_id: Option<&str>) -> Value {
    let answer = start_as(program, &token(), device, user_id);
    assert_eq!(answer.status, 200, "{device} {user_id:?}: {answer:?}");
    answer.json()["appUser"].clone()
}

fn start_as(program: &Program, who: &Who, device: &str, user_id: Option<&str>) -> Answer {
    let mut body = json!({ "device": { "id": device, "platform": "ios" } });
    if let Some(user_id) = user_id {
        body["userId"] = user_id.into();
    }
    ask(program, who, "POST /v1/init", &body)
}

/// The `_id` of the app user in an answer.
fn id(answer: &Value) -> String {
    answer["appUser"]["_id"].as_str().unwrap_or_else(|| panic!("an app user: {answer}")).to_owned()
}

/// A client of an app user.
fn client<'a>(app_user: &'a Value, id: &str) -> &'a Value {
    let clients = app_user["clients"].as_array().unwrap();
    clients.iter().find(|client| client["id"] == id).unwrap_or_else(|| panic!("{id} in {app_user}"))
}

fn refused(answer: &Answer, status: u16, code: &str) {
    assert_eq!((answer.status, answer.code().as_str()), (status, code), "{answer:?}");
    let description = answer.json()["error"]["description"].clone();
    assert!(description.as_str().is_some_and(|text| !text.is_empty()), "{answer:?}");
}

/// A v1 message of an app user as Smooch sends it, with these members.
fn message(id: &str, received: f64, mut told: Value) -> String {
    told["_id"] = id.into();
    json!({
        "trigger": "message:appUser",
        "app": { "_id": APP },
        "messages": [{ "_id": format!("m-{id}-{received}"), "type": "text", "text": "Hi", "role": "appUser",
                       "authorId": id, "received": received, "source": { "type": "messenger" } }],
        "appUser": told,
    })
    .to_string()
}

/// Smooch sends a webhook.
fn deliver(program: &Program, body: &str) {
    let answer = program.request("POST", "/webhooks", &[("x-api-key", SECRET)], body.as_bytes());
    assert_eq!((answer.status, answer.text.as_str()), (200, "{}"));
}
