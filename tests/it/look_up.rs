//! Look-ups of app users: by each of their names, in each version, one by one and page by page.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::{APP, Answer, Home, KEY_ID, KEY_SECRET, Program, basic, encoded, first_message};

/// A first message of an app user with a userId.
fn known(app: &str, id: &str, user_id: &str, name: &str) -> String {
    json!({
        "trigger": "message:appUser",
        "app": { "_id": app },
        "messages": [{ "_id": format!("m-{id}"), "type": "text", "text": "Hi", "role": "appUser", "authorId": id,
                       "received": 1_444_348_338.704, "source": { "type": "web" } }],
        "appUser": { "_id": id, "userId": user_id, "givenName": name, "properties": {}, "clients": [] },
    })
    .to_string()
}

fn id_of(answer: &Answer) -> String {
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["appUser"]["_id"].as_str().unwrap().to_owned()
}

fn not_found(answer: &Answer, what: &str) {
    assert_eq!((answer.status, answer.code().as_str()), (404, "not_found"), "{what}: {answer:?}");
}

#[test]
fn an_app_user_is_found_by_its_id_and_by_its_user_id_however_that_is_written_in_the_path() {
    let home = Home::new();
    let program = home.start();
    // The userId, and every way to write it in a path.
    let names: [(&str, &[&str]); 20] = [
        ("bob", &["bob", "%62ob", "%62%6F%62", "%62%6f%62"]),
        ("bob@example.com", &["bob@example.com", "bob%40example.com"]),
        ("a/b", &["a%2Fb", "a%2fb"]),
        ("a+b", &["a+b", "a%2Bb"]),
        ("a b", &["a%20b"]),
        (" ", &["%20"]),
        ("   ", &["%20%20%20"]),
        ("a%20b", &["a%2520b"]),
        ("Jürgen", &["J%C3%BCrgen"]),
        ("Ju\u{308}rgen", &["Ju%CC%88rgen"]),
        ("😀", &["%F0%9F%98%80"]),
        ("merge", &["merge"]),
        ("appusers", &["appusers"]),
        ("apps", &["apps"]),
        ("..", &["%2e%2e", "%2E%2E", ".."]),
        (".", &["%2e", "."]),
        ("a?b#c", &["a%3Fb%23c"]),
        ("x;y=z,'\"*()!$&:", &["x;y=z,'%22*()!$&:"]),
        ("\u{1}\n", &["%01%0A"]),
        ("null", &["null"]),
    ];
    for (n, (user_id, _)) in names.iter().enumerate() {
        assert_eq!(program.webhook(known(APP, &format!("id-{n}"), user_id, "x")).status, 200);
    }
    for (n, (user_id, written)) in names.iter().enumerate() {
        let id = format!("id-{n}");
        assert_eq!(id_of(&program.app_user(&id)), id);
        assert_eq!(id_of(&program.app_user(user_id)), id, "{user_id:?}");
        for written in *written {
            let answer = program.get(&format!("/v1/appusers/{written}"));
            assert_eq!(id_of(&answer), id, "{user_id:?} as {written}");
            assert_eq!(answer.json()["appUser"]["userId"], *user_id, "{written}");
        }
    }
    for (written, what) in [
        ("BOB", "another case"),
        ("bob%20", "a blank more"),
        ("b%256Fb", "decoded once only"),
        ("J%C3%9Crgen", "a capital"),
    ] {
        not_found(&program.get(&format!("/v1/appusers/{written}")), what);
    }
    for written in ["%ff", "%C3", "a%80"] {
        let answer = program.get(&format!("/v1/appusers/{written}"));
        assert_eq!((answer.status, answer.code().as_str()), (400, "bad_request"), "{written} is no UTF-8");
    }
}

#[test]
fn an_id_goes_before_a_user_id_that_is_equal() {
    let program = Home::new().start();
    assert_eq!(program.webhook(known(APP, "first", "second", "x")).status, 200);
    assert_eq!(program.webhook(known(APP, "second", "third", "y")).status, 200);
    assert_eq!(id_of(&program.app_user("second")), "second");
    assert_eq!(id_of(&program.app_user("third")), "second");
}

#[test]
fn a_merged_away_id_is_its_survivor_and_a_removed_user_is_404() {
    let home = Home::new();
    let program = home.start();
    for id in ["a", "b", "c"] {
        assert_eq!(program.webhook(known(APP, id, &format!("user-{id}"), id)).status, 200);
    }
    let merge = json!({ "trigger": "merge:appUser", "app": { "_id": APP }, "surviving": { "_id": "a" }, "discarded": [{ "_id": "b" }] });
    assert_eq!(program.webhook(merge.to_string()).status, 200);
    assert_eq!((id_of(&program.app_user("b")), id_of(&program.app_user("a"))), ("a".into(), "a".into()));
    not_found(&program.app_user("user-b"), "a userId that was merged away under another");
    assert_eq!(id_of(&program.app_user("user-a")), "a");
    let remove = json!({ "trigger": "appUser:delete", "version": "v1.1", "app": { "_id": APP }, "appUser": { "_id": "a" } });
    assert_eq!(program.webhook(remove.to_string()).status, 200);
    for gone in ["a", "b", "user-a", "user-b"] {
        not_found(&program.app_user(gone), gone);
    }
    assert_eq!(program.all_app_users().len(), 1, "only c is left");
    let program = {
        program.stop();
        home.start()
    };
    not_found(&program.app_user("b"), "after a restart");
    assert_eq!(id_of(&program.app_user("user-c")), "c");
}

#[test]
fn every_base_path_shows_the_same() {
    let program = Home::new().start();
    assert_eq!(program.webhook(known(APP, "a", "bob", "Bob")).status, 200);
    let bases = ["/v1", "/v1.1", &format!("/v1/apps/{APP}"), &format!("/v1.1/apps/{APP}")];
    for names in [["/appusers/a", "/appusers/bob"], ["/appusers", "/appusers?limit=1"]] {
        let answers: BTreeSet<String> = bases
            .iter()
            .flat_map(|base| names.map(|name| program.get(&format!("{base}{name}"))))
            .map(|answer| format!("{} {}", answer.status, answer.text))
            .collect();
        assert_eq!(answers.len(), 1, "{answers:?}");
        assert!(answers.first().unwrap().starts_with("200 "), "{answers:?}");
    }
    for base in bases {
        let head = program.request(
            "HEAD",
            &format!("{base}/appusers/a"),
            &[("authorization", &basic(KEY_ID, KEY_SECRET))],
            b"",
        );
        assert_eq!((head.status, head.text.as_str()), (200, ""), "{base}");
    }
}

#[test]
fn a_user_is_shown_in_smoochs_shape_and_nothing_in_it_is_null() {
    let program = Home::new().start();
    assert_eq!(program.webhook(first_message("a", 1.0)).status, 200);
    let shown = program.app_user("a");
    let expected =
        json!({ "appUser": { "_id": "a", "conversationStarted": true, "properties": {}, "clients": [] } });
    assert_eq!(shown.json(), expected);
    assert_eq!(shown.header("content-type"), Some("application/json"));
    assert_eq!(shown.header("cache-control"), Some("no-store"));
}

/// The content of the pages of a list, and the cursor after each but the last.
fn pages(program: &Program, limit: usize) -> (Vec<Vec<String>>, Vec<String>) {
    let (mut pages, mut cursors) = (Vec::new(), Vec::<String>::new());
    loop {
        let after = cursors.last().map_or_else(String::new, |cursor| format!("&after={cursor}"));
        let page = program.get(&format!("/v1/appusers?limit={limit}{after}")).json();
        let ids =
            page["appUsers"].as_array().unwrap().iter().map(|user| user["_id"].as_str().unwrap().to_owned());
        pages.push(ids.collect());
        assert_eq!(page["hasMore"], !page["after"].is_null(), "{page}");
        match &page["after"] {
            Value::String(cursor) => {
                assert!(!cursors.contains(cursor), "the list goes round in a circle");
                cursors.push(cursor.clone());
            }
            _ => return (pages, cursors),
        }
    }
}

#[test]
fn a_list_has_every_user_once_in_the_order_of_ids_for_any_page_size() {
    let program = Home::new().start();
    assert_eq!(pages(&program, 10), (vec![vec![]], vec![]), "nobody yet");
    let mut ids: Vec<String> = (0..60).map(|n| format!("{:024x}", n * 7919 % 1009)).collect();
    ids.extend(["é", "\"quoted\"", "a b", "Z", "~"].map(str::to_owned));
    for id in &ids {
        assert_eq!(program.webhook(first_message(id, 1.0)).status, 200);
    }
    ids.sort();
    for limit in [1, 2, 13, 64, 65, 66, 1000] {
        let (pages, cursors) = pages(&program, limit);
        assert_eq!(pages.concat(), ids, "limit {limit}");
        let (last, full) = pages.split_last().unwrap();
        assert!(
            full.iter().all(|page| page.len() == limit) && (1..=limit).contains(&last.len()),
            "limit {limit}"
        );
        assert!(
            cursors
                .iter()
                .all(|cursor| cursor.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)))
        );
    }
    let page = program.get("/v1/appusers").json();
    assert_eq!(page["appUsers"].as_array().unwrap().len(), 25, "the default");
}

#[test]
fn a_user_added_between_two_pages_moves_no_other() {
    let program = Home::new().start();
    for id in ["b", "d", "f", "h"] {
        assert_eq!(program.webhook(first_message(id, 1.0)).status, 200);
    }
    let page = program.get("/v1/appusers?limit=2").json();
    for id in ["a", "c", "g"] {
        assert_eq!(program.webhook(first_message(id, 1.0)).status, 200);
    }
    let rest =
        program.get(&format!("/v1/appusers?limit=100&after={}", page["after"].as_str().unwrap())).json();
    let ids: Vec<&str> =
        rest["appUsers"].as_array().unwrap().iter().map(|user| user["_id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["f", "g", "h"]);
}

#[test]
fn an_unknown_list_parameter_is_400_and_named() {
    let program = Home::new().start();
    assert_eq!(program.webhook(first_message("a", 1.0)).status, 200);
    for (query, named) in [
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=-1", "limit"),
        ("limit=", "limit"),
        ("limit=ten", "limit"),
        ("limit=1.5", "limit"),
        ("limit=99999999999999999999999", "limit"),
        ("limit=1&limit=0", "limit"),
        ("after=", "after"),
        ("after=a", "after"),
        ("after=!!!", "after"),
        ("after=aWQ", "after"),
        ("after=YQ", "after"),
        ("after=aWQAYQ", "after"),
        ("after=aWQAYQ%3D%3D", "after"),
        ("colour=red", "colour"),
        ("Limit=1", "Limit"),
        ("limit[]=1", "limit[]"),
        ("=1", "parameter"),
    ] {
        let answer = program.get(&format!("/v1/appusers?{query}"));
        assert_eq!((answer.status, answer.code().as_str()), (400, "bad_request"), "{query}: {answer:?}");
        let description = answer.json()["error"]["description"].as_str().unwrap().to_owned();
        assert!(description.contains(named), "{query}: {description}");
    }
    for query in ["limit=1", "limit=1000", ""] {
        assert_eq!(program.get(&format!("/v1/appusers?{query}")).status, 200, "{query}");
    }
    let answer = program.get("/v1/appusers?limit=%ff");
    assert_eq!((answer.status, answer.code().as_str()), (400, "bad_request"), "{answer:?}");
}

const TWO_APPS: &str = r#"
[[apps]]
id = "one"
webhook_secrets = ["the-secret-of-one"]
keys = [{ id = "key_one", secret = "the-key-secret-of-one" }]
[[apps]]
id = "two"
webhook_secrets = ["the-secret-of-two"]
keys = [{ id = "key_two", secret = "the-key-secret-of-two" }]
"#;

/// I12, law 9.
#[test]
fn two_apps_with_equal_ids_see_only_their_own() {
    let home = Home::with(TWO_APPS);
    let program = home.start();
    let hook = |app: &str, body: Value| {
        let body = body.to_string().replace("APP", app);
        let answer = program.request(
            "POST",
            "/webhooks",
            &[("x-api-key", &format!("the-secret-of-{app}"))],
            body.as_bytes(),
        );
        assert_eq!(answer.status, 200);
    };
    let look = |app: &str, name: &str| {
        let auth = basic(&format!("key_{app}"), &format!("the-key-secret-of-{app}"));
        program.request("GET", &format!("/v1/appusers{name}"), &[("authorization", &auth)], b"")
    };
    for app in ["one", "two"] {
        for (id, user) in [("a", "bob"), ("b", "eve"), ("c", "ann")] {
            let body = known(app, id, user, &format!("{user} of {app}"));
            hook(app, serde_json::from_str(&body).unwrap());
        }
        hook(
            app,
            json!({ "trigger": "client:add", "version": "v1.1", "app": { "_id": "APP" }, "appUser": { "_id": "a" }, "timestamp": 1_444_348_339,
                          "client": { "id": "device", "platform": "web", "active": true } }),
        );
    }
    let two = ["/a", "/b", "/c", "/bob", "/eve", "/ann", "?limit=100"].map(|name| look("two", name).text);
    assert!(two.iter().all(|text| !text.contains("of one")), "{two:?}");
    // A merge, a removal and a stolen client in one app leave the other as it is, byte for byte.
    hook(
        "one",
        json!({ "trigger": "merge:appUser", "app": { "_id": "APP" }, "surviving": { "_id": "a" }, "discarded": [{ "_id": "b" }] }),
    );
    hook(
        "one",
        json!({ "trigger": "appUser:delete", "version": "v1.1", "app": { "_id": "APP" }, "appUser": { "_id": "c" } }),
    );
    hook(
        "one",
        json!({ "trigger": "client:add", "version": "v1.1", "app": { "_id": "APP" }, "appUser": { "_id": "d" }, "timestamp": 1_444_348_340,
                        "client": { "id": "device", "platform": "web", "active": true } }),
    );
    let after = ["/a", "/b", "/c", "/bob", "/eve", "/ann", "?limit=100"].map(|name| look("two", name).text);
    assert_eq!(after, two);
    assert_eq!(id_of(&look("one", "/b")), "a");
    not_found(&look("one", "/c"), "removed in one");
    assert_eq!(look("one", "/a").json()["appUser"]["clients"][0]["active"], false);
    assert_eq!(look("two", "/a").json()["appUser"]["clients"][0]["active"], true);
    not_found(&look("two", "/d"), "known in one only");
    // A cursor is a position in a list, for any app.
    let cursor = look("one", "?limit=1").json()["after"].as_str().unwrap().to_owned();
    assert!(!look("two", &format!("?after={cursor}")).text.contains("of one"));
}

#[test]
fn old_clients_may_write_app_users_as_they_do_and_every_other_byte_of_the_address_counts() {
    let home = Home::new();
    let program = home.start();
    for (id, user_id) in [("a", "bob/appUsers"), ("appUsers", "carol@example.com")] {
        assert_eq!(program.webhook(known(APP, id, user_id, "Somebody")).status, 200);
    }
    for base in ["/v1", "/v1.1", &format!("/v1/apps/{APP}"), &format!("/v1.1/apps/{APP}")] {
        for word in ["appusers", "appUsers", "AppUsers", "APPUSERS"] {
            let at = |rest: &str| program.get(&format!("{base}/{word}{rest}"));
            assert_eq!(id_of(&at("/a")), "a", "{base}/{word}");
            assert_eq!(id_of(&at("/bob%2FappUsers?include=%70rovenance")), "a", "{base}/{word}");
            assert_eq!(id_of(&at("/appUsers")), "appUsers", "{base}/{word}");
            not_found(&at("/appusers"), "another _id");
            not_found(&at("/a/APPUSERS"), "no route");
            let page = at("?limit=1");
            assert_eq!((page.status, page.json()["hasMore"].as_bool()), (200, Some(true)), "{page:?}");
            let authorised = program.request("GET", &format!("{base}/{word}/a"), &[], b"").status;
            assert_eq!(authorised, 401, "{base}/{word}");
            let method = program.request("PATCH", &format!("{base}/{word}"), &[], b"");
            assert_eq!((method.status, method.code().as_str()), (405, "method_not_allowed"));
        }
        assert_eq!(program.get(&format!("{base}/appuser")).status, 404);
    }
    assert_eq!(program.get("/v1/Apps/x/appUsers").status, 404);
    let counted = "rollcall_http_requests_total{route=\"/v1/appusers/{id}\",status=\"200\"}";
    assert_eq!(program.metric(counted), 12.0, "each spelling under the one route");
}

#[test]
fn an_id_that_json_escapes_has_a_history_and_is_rebuilt() {
    let home = Home::new();
    let program = home.start();
    for id in ["\"quoted\"", "back\\slash", "line\nbreak"] {
        assert_eq!(program.webhook(first_message(id, 1.0)).status, 200);
        let history = program.get(&format!("/v1/appusers/{}/history", encoded(id)));
        assert_eq!(history.status, 200, "{history:?}");
        assert!(history.text.contains("message:appUser"), "{history:?}");
    }
    program.stop();
    let rebuilt = home.command(&["rebuild", "--verify"]).output().unwrap();
    assert!(rebuilt.status.success(), "{}", String::from_utf8_lossy(&rebuilt.stderr));
}
