//! Calls of Smooch that are not offered are answered as such, for all credentials; and addresses with an extra slash.

use serde_json::{Value, json};

use super::{APP, Home, Who, app, ask, create, done, id, jwt, key, no_credential, refused, token, user};
use crate::support::{parse, raw};

/// A call, its name, and its address.
const CALLS: [(&str, &str, &str); 18] = [
    ("GET /v1/appusers/bob/messages", "Get messages", "/appusers/{id}/messages"),
    ("GET /v1/appusers/bob/messages?before=1471995721", "Get messages", "/appusers/{id}/messages"),
    ("POST /v1.1/appUsers/bob/messages", "Post message", "/appusers/{id}/messages"),
    ("DELETE /v1/appusers/bob/messages", "Delete all messages", "/appusers/{id}/messages"),
    ("DELETE /v1/appusers/bob/messages/5", "Delete message", "/appusers/{id}/messages/{message}"),
    ("POST /v1/appusers/bob/conversation/read", "Reset unread count", "/appusers/{id}/conversation/read"),
    ("POST /v1/appusers/bob/channels", "Link app user to channel", "/appusers/{id}/channels"),
    (
        "DELETE /v1/appusers/bob/channels/twilio",
        "Unlink app user from channel",
        "/appusers/{id}/channels/{channel}",
    ),
    ("GET /v1/appusers/bob/businesssystems", "List business systems", "/appusers/{id}/businesssystems"),
    ("GET /v1/appusers/bob/linkrequest?integrationIds=a", "Get link requests", "/appusers/{id}/linkrequest"),
    ("GET /v1/apps", "Apps", "/apps"),
    ("POST /v1/webhooks", "Webhooks", "/webhooks"),
    ("PUT /v1.1/menu", "Persistent menu", "/menu"),
    ("GET //v1//appusers/bob/authcode/", "Get auth code", "/appusers/{id}/authcode"),
    ("GET //v1.1/appUsers/a/b/messages/", "Get messages", "/appusers/{id}/messages"),
    ("GET /v1/appusers/a%2Fb/messages", "Get messages", "/appusers/{id}/messages"),
    ("DELETE /v1/appusers/a/b/messages/m", "Delete message", "/appusers/{id}/messages/{message}"),
    ("POST /v1/integrations/i/menu", "Integrations", "/integrations"),
];

fn all_credentials() -> Vec<(&'static str, Who)> {
    vec![
        ("nobody", no_credential()),
        ("token", token()),
        ("key", key()),
        ("app", app()),
        ("bob", user("bob")),
        ("eve", user("eve")),
        ("a wrong JWT", jwt(json!({ "scope": "nonsense" }))),
    ]
}

#[test]
fn a_call_that_is_not_offered_is_404_with_its_name_for_all_credentials() {
    let program = Home::new().start();
    create(&program, "bob");
    for (line, name, place) in CALLS {
        let (method, path) = line.split_once(' ').unwrap();
        let with_app = path.replacen("/v1/", &format!("/v1/apps/{APP}/"), 1);
        for path in if path == "/v1/apps" { vec![path.to_owned()] } else { vec![path.to_owned(), with_app] } {
            for (who, credential) in all_credentials() {
                let answer = ask(&program, &credential, &format!("{method} {path}"), &json!({}));
                refused(&answer, 404, "not_found");
                let said = answer.json()["error"]["description"].as_str().unwrap().to_owned();
                assert!(said.contains(name) && said.contains(place), "{who}: {method} {path}: {said}");
                assert!(!said.contains("bob") && !said.contains("app user with"), "{who}: {said}");
            }
        }
    }
    for line in
        ["GET", "POST", "DELETE"].map(|method| format!("{method} /v2/apps/{APP}/conversations/c/messages"))
    {
        let answer = ask(&program, &app(), &line, &json!({}));
        assert_eq!(
            (answer.status, &answer.json()["errors"][0]["code"]),
            (404, &"not_found".into()),
            "{answer:?}"
        );
        assert!(answer.text.contains("onversation"), "{answer:?}");
    }
    for (line, says) in [
        (format!("DELETE /v1/apps/{APP}"), true),
        (format!("POST /v2/apps/{APP}/conversations/c/join"), true),
        (format!("GET /v2/apps/{APP}/users/u/messages"), false),
        ("GET /v1/appusers/messages".to_owned(), false),
        ("GET /v1/appusers/bob/messages/m".to_owned(), false),
        ("PUT /v1/appusers/bob/messages".to_owned(), false),
        ("GET /v3/appusers/bob/messages".to_owned(), false),
        ("GET /v1/appusers/bob%2Fmessages".to_owned(), false),
        ("GET /v1".to_owned(), false),
        ("GET /".to_owned(), false),
    ] {
        let answer = ask(&program, &app(), &line, &json!({}));
        assert_eq!(answer.text.contains("is not offered here"), says, "{line}: {answer:?}");
    }
    let clients = ask(&program, &app(), &format!("POST /v2/apps/{APP}/users/bob/clients"), &json!({}));
    assert_eq!(clients.status, 404, "{clients:?}");
    assert!(clients.json()["errors"][0]["title"].as_str().unwrap().contains("Create client"), "{clients:?}");
    assert_eq!(done(&program, "GET /v1/appusers/bob", Value::Null)["appUser"]["userId"], "bob");
}

#[test]
fn a_user_named_like_a_call_is_found() {
    let program = Home::new().start();
    let made = create(&program, "bob/messages");
    for path in ["/v1/appusers/bob/messages", "/v1/appusers/bob%2Fmessages"] {
        assert_eq!(id(&done(&program, &format!("GET {path}"), Value::Null)), made, "{path}");
        let own = ask(&program, &user("bob/messages"), &format!("GET {path}"), &Value::Null);
        assert_eq!(id(&own.json()), made);
    }
    // An id that is written as one is no call.
    let nobody = ask(&program, &app(), "GET /v1/appusers/eve%2Fmessages", &Value::Null);
    assert!(nobody.text.contains("no app user"), "{nobody:?}");
    let other = ask(&program, &user("eve"), "GET /v1/appusers/eve%2Fmessages", &Value::Null);
    assert_eq!(other.status, 403, "{other:?}");
}

#[test]
fn a_method_that_smooch_has_not_is_405_as_before() {
    let program = Home::new().start();
    for line in ["PATCH /v1/appusers/bob", "POST /v1/appusers/bob/history", "PUT /v1/appusers/bob/channels"] {
        let answer = ask(&program, &app(), line, &json!({}));
        assert_eq!(answer.status, 405, "{line}: {answer:?}");
    }
}

#[test]
fn a_slash_too_many_is_passed_over_where_it_is_no_part_of_an_id() {
    let program = Home::new().start();
    let made = ask(&program, &app(), "POST //v1//appusers", &json!({ "userId": "bob" }));
    assert_eq!(made.status, 201, "{made:?}");
    let device = json!({ "device": { "id": "d", "platform": "ios" }, "userId": "bob" });
    for line in ["POST /v1/init/", "POST //v1.1//init//", &format!("POST /v1//apps//{APP}//init")] {
        assert_eq!(id(&ask(&program, &token(), line, &device).json()), id(&made.json()), "{line}");
    }
    for line in [
        "GET //v1/appusers/bob",
        "GET /v1//appUsers/bob/channels/",
        "GET /v1/appusers/bob/history/",
        "GET /v1/changes/",
        &format!("GET //v2/apps/{APP}//users/bob"),
        &format!("GET //v2//apps//{APP}/users"),
        &format!("GET /v2/apps/{APP}/users/bob/clients/"),
        &format!("GET /v2/apps/{APP}/users/bob/devices//"),
        &format!("DELETE /v2/apps/{APP}/users/bob/personalinformation/"),
    ] {
        done(&program, line, Value::Null);
    }
    // After an id, and within one, it is a part of it: no other app user is shown, changed or removed.
    let other = create(&program, "bob/");
    let slash = create(&program, "/bob");
    assert_eq!(id(&done(&program, "GET /v1/appusers/bob/", Value::Null)), other);
    assert_eq!(id(&done(&program, "GET /v1/appusers//bob", Value::Null)), slash);
    for (written, meant) in [("bob/", &other), ("/bob", &slash)] {
        let line = format!("GET /v2/apps/{APP}/users/{written}");
        assert_eq!(done(&program, &line, Value::Null)["user"]["id"], **meant, "{line}");
    }
    done(&program, "DELETE /v1/appusers/bob/", Value::Null);
    assert_eq!(ask(&program, &app(), "DELETE /v1/appusers/bob/", &Value::Null).status, 404);
    assert_eq!(id(&done(&program, "GET /v1/appusers/bob", Value::Null)), id(&made.json()));
    for name in ["channels/", "merge/", "a//b/"] {
        let made = create(&program, name);
        assert_eq!(id(&done(&program, &format!("GET /v1/appusers/{name}"), Value::Null)), made, "{name}");
        assert_eq!(id(&done(&program, &format!("PUT /v1/appusers/{name}"), json!({}))), made, "{name}");
    }
    let both = json!({ "surviving": { "_id": "bob" }, "discarded": { "_id": "merge/" } }).to_string();
    let (credential, length) = (&app()[0].1, both.len());
    let merge = format!(
        "POST /v1/appusers/merge/ HTTP/1.1\r\nhost: a\r\nauthorization: {credential}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{both}"
    );
    let merged = parse(&raw(program.listen, merge.as_bytes()).unwrap()).unwrap();
    assert_eq!((merged.status, merged.text.as_str()), (200, "{}"), "{merged:?}");
    let of_v2 = ["users/", "users//"].map(|end| format!("GET /v2/apps/{APP}/{end}"));
    let deleted = ["users//", "users//personalinformation"].map(|end| format!("DELETE /v2/apps/{APP}/{end}"));
    for line in of_v2.iter().chain(&deleted).map(String::as_str).chain([
        "GET /v1/appusers/",
        "POST /v1/appusers/",
        "DELETE /v1/appusers/",
        "DELETE /v1/appusers//",
        "PUT /v1/appusers//",
        "GET /v1/appusers//channels",
    ]) {
        assert_eq!(ask(&program, &app(), line, &json!({})).status, 404, "{line}");
    }
}
