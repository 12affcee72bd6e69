//! Lists: their content and order, also while others write.

mod counters;
mod damage_repair;
mod damaged_records;
mod gaps;
mod index_rebuild;
mod links;
mod tables;
mod targeting;
mod upgrade;
mod users;
mod writes;

use serde_json::Value;

use crate::support::{APP, Answer, Home, KEY_ID, KEY_SECRET, Program, basic, encoded, first_message};
use users::{People, Question, expected, question};

/// The parameters of a question in an address.
fn written(question: &Question) -> String {
    question.iter().map(|(name, value)| format!("&{}={}", encoded(name), encoded(value))).collect()
}

/// The `_id`s on a page, and where the next one begins.
fn page(answer: &Answer) -> (Vec<String>, Option<String>) {
    assert_eq!(answer.status, 200, "{answer:?}");
    let page = answer.json();
    assert_eq!(page["hasMore"], !page["after"].is_null(), "{page}");
    let users = page["appUsers"].as_array().unwrap().iter();
    let ids = users.map(|user| user["_id"].as_str().unwrap().to_owned()).collect();
    (ids, page["after"].as_str().map(str::to_owned))
}

/// All pages of a list, joined.
fn joined(program: &Program, question: &Question, limit: u64) -> Vec<String> {
    let (mut ids, mut after) = (Vec::new(), String::new());
    loop {
        let path = format!("/v1/appusers?limit={limit}{}{after}", written(question));
        let (here, next) = page(&program.get(&path));
        ids.extend(here);
        let Some(next) = next else { return ids };
        after = format!("&after={next}");
    }
}

/// The same in v2, forwards and then backwards from the last page's last.
fn joined_in_v2(program: &Program, question: &Question, size: u64) -> [Vec<String>; 2] {
    let get = |rest: &str| {
        let answer =
            program.get(&format!("/v2/apps/{APP}/users?page[size]={size}{}{rest}", written(question)));
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    };
    let ids = |page: &Value| -> Vec<String> {
        let users = page["users"].as_array().unwrap().iter();
        users.map(|user| user["id"].as_str().unwrap().to_owned()).collect()
    };
    let mut page = get("");
    let mut forwards = ids(&page);
    while page["meta"]["hasMore"] == true {
        page = get(&format!("&page[after]={}", page["meta"]["afterCursor"].as_str().unwrap()));
        forwards.extend(ids(&page));
    }
    let mut backwards = ids(&page);
    while let Some(before) = page["meta"]["beforeCursor"].as_str() {
        page = get(&format!("&page[before]={before}"));
        backwards.splice(0..0, ids(&page));
        if page["meta"]["hasMore"] == false {
            break;
        }
    }
    [forwards, backwards]
}

/// The model: every answer equals a plain list, filtered and sorted.
#[test]
fn a_list_equals_a_plain_filtered_and_sorted_list() {
    let home = Home::new();
    let mut program = home.start();
    let (mut people, mut asked, mut found) = (People::new(7), 0, 0);
    for round in 0..4 {
        for _ in 0..150 {
            people.step(&program);
        }
        if round == 2 {
            // Only the data on disk.
            program.kill();
            program = home.start();
        }
        let shown = people.shown(&program);
        for _ in 0..150 {
            let question = question(&mut people, &shown);
            let expected = expected(&shown, &question);
            let limit = [1, 2, 7, 25, 100][people.rng.below(5) as usize];
            // A page for each would take long.
            let limit = limit.max(expected.len() as u64 / 8).max(1);
            assert_eq!(joined(&program, &question, limit), expected, "{question:?}, {limit} a page");
            let counted = program.get(&format!("/v1/appusers?limit=1&count=exact{}", written(&question)));
            assert_eq!(counted.json()["count"], expected.len(), "{question:?}");
            if asked % 5 == 0 {
                let both = joined_in_v2(&program, &question, limit.min(100));
                assert_eq!(both, [expected.clone(), expected.clone()], "{question:?}, v2, {limit} a page");
            }
            (asked, found) = (asked + 1, found + expected.len());
        }
    }
    println!("{asked} questions, {found} app users found");
    assert!(found > asked, "most questions find somebody: {found} of {asked}");
    let sql = home.sql();
    sql.execute("INSERT INTO search (search) VALUES ('integrity-check')", []).unwrap();
    program.stop();
    assert_eq!(home.find::<String>("PRAGMA integrity_check"), "ok");
}

#[test]
fn an_invalid_list_parameter_is_400_and_names_the_valid_ones() {
    let program = Home::new().start();
    for (query, expected) in [
        ("colour=red", "Unknown parameter: colour"),
        ("%C3%A4%00%22=red", "Unknown parameter: ä\"; this call"),
        ("q=a&Sort=_id", "Unknown parameter: Sort"),
        ("propertyX=1", "Unknown parameter: propertyX"),
        ("page[size]=1", "Unknown parameter: page[size]"),
        ("q=", "q must not be empty"),
        ("email=", "email must not be empty"),
        ("userId=", "userId must not be empty"),
        ("platform=", "platform must not be empty"),
        ("identified=yes", "identified must be true or false"),
        ("conversationStarted=1", "conversationStarted must be true or false"),
        ("seenSince=yesterday", "seenSince must be a date"),
        ("seenBefore=2020-01-01T00:00:00", "seenBefore must be a date"),
        ("signedUpSince=inf", "signedUpSince must be a date"),
        ("signedUpBefore=", "signedUpBefore must be a date"),
        ("sort=name", "sort must be _id, lastSeen or signedUpAt"),
        ("sort=--_id", "sort must be _id, lastSeen or signedUpAt"),
        ("sort=", "sort must be _id, lastSeen or signedUpAt"),
        ("count=all", "count must be true, exact, or a number"),
        ("limit=0", "limit must be from 1 to 1000"),
    ] {
        let answer = program.get(&format!("/v1/appusers?{query}"));
        assert_eq!((answer.status, answer.code().as_str()), (400, "bad_request"), "{query}: {answer:?}");
        let description = answer.json()["error"]["description"].as_str().unwrap().to_owned();
        assert!(description.starts_with(expected), "{query}: {description}");
    }
    for (query, expected) in [
        ("limit=1", "Unknown parameter: limit"),
        ("filter[name]=x", "Unknown parameter: filter[name]"),
        ("page[size]=101", "page[size] must be from 1 to 100"),
        ("page[after]=x", "page[after] is not a cursor of this list"),
        ("filter[identities.email]=", "filter[identities.email] must not be empty"),
        ("page[after]=x&page[before]=y", "page[after] and page[before] exclude each other"),
    ] {
        let answer = program.get(&format!("/v2/apps/{APP}/users?{query}"));
        assert_eq!(answer.status, 400, "{query}: {answer:?}");
        let title = answer.json()["errors"][0]["title"].as_str().unwrap().to_owned();
        assert!(title.starts_with(expected), "{query}: {title}");
    }
}

#[test]
fn anything_can_be_searched_for() {
    let program = Home::new().start();
    for (id, email, name) in [("a", "ann.lee+x@example.com", "Zoë"), ("b", "bo@example.com", "\"NEAR\" * OR")]
    {
        let user = serde_json::json!({ "_id": id, "email": email, "givenName": name, "userId": format!("u/{id}#1") });
        let body = serde_json::json!({ "trigger": "conversation:read", "timestamp": 1, "appUser": user });
        assert_eq!(program.webhook(body.to_string()).status, 200);
    }
    for (q, expected) in [
        ("ann.lee+x@example.com", &["a"][..]),
        ("ANN.LEE+X@EXAMPLE.COM", &["a"]),
        ("example.com", &["a", "b"]),
        ("com exam", &["a", "b"]),
        ("zoe", &["a"]),
        ("zoe\u{308}", &["a"]),
        ("near", &["b"]),
        ("u/b#1", &["b"]),
        ("xample", &[]),
        ("ann bo", &[]),
        ("\"", &[]),
        ("*", &[]),
        ("' OR 1=1 --", &["b"]),
        ("a* OR b*", &[]),
        ("(((", &[]),
        ("\u{0}", &[]),
        ("words:ann", &[]),
        ("§", &[]),
        (" ", &[]),
    ] {
        let question = vec![("q".to_owned(), q.to_owned())];
        assert_eq!(joined(&program, &question, 10), expected, "{q}");
    }
    let long = vec![("q".to_owned(), "x".repeat(5000)), ("property.\"'".to_owned(), "'\"".to_owned())];
    assert_eq!(joined(&program, &long, 10), [""; 0]);
}

#[test]
fn a_cursor_is_good_for_its_own_list_only() {
    let program = Home::new().start();
    for n in 0..4 {
        assert_eq!(program.webhook(first_message(&format!("u{n}"), 1.0)).status, 200);
    }
    let of = |list: &str| page(&program.get(&format!("/v1/appusers?limit=1{list}"))).1.unwrap();
    let lists = [
        "",
        "&sort=lastSeen",
        "&sort=-lastSeen",
        "&sort=-_id",
        "&identified=false",
        "&seenSince=0",
        "&conversationStarted=true",
    ];
    for from in lists {
        let cursor = of(from);
        for to in lists {
            let answer = program.get(&format!("/v1/appusers?after={cursor}{to}"));
            let expected = if from == to { 200 } else { 400 };
            assert_eq!(answer.status, expected, "from {from:?} to {to:?}: {answer:?}");
            assert!(
                expected == 200 || answer.text.contains("after is not a cursor of this list"),
                "{answer:?}"
            );
        }
        // The page size, and the count, do not make it another list.
        let answer = program.get(&format!("/v1/appusers?after={cursor}{from}&limit=3&count=exact"));
        assert_eq!((page(&answer).0.len(), &answer.json()["count"]), (3, &4.into()), "{from}");
    }
}

#[test]
fn nothing_of_one_app_is_found_in_another() {
    let apps = "[[apps]]\nid = \"one\"\nwebhook_secrets = [\"the-secret-of-one\"]
        keys = [{ id = \"key_one\", secret = \"the-key-secret-of-one\" }]
        [[apps]]\nid = \"two\"\nwebhook_secrets = [\"the-secret-of-two\"]
        keys = [{ id = \"key_two\", secret = \"the-key-secret-of-two\" }]\n";
    let program = Home::with(apps).start();
    for (app, users) in [("one", 30), ("two", 2)] {
        for n in 0..users {
            let user = serde_json::json!({ "_id": format!("{n:024x}"), "userId": format!("kim-{n}"), "givenName": "Kim",
                "email": "kim@example.com", "surname": format!("of {app}"), "signedUpAt": "2020-01-01T00:00:00Z",
                "properties": { "plan": true }, "clients": [{ "id": n.to_string(), "platform": "ios", "active": true }] });
            let body = serde_json::json!({ "trigger": "conversation:start", "timestamp": 1_500_000_000 + n, "appUser": user });
            let secret = format!("the-secret-of-{app}");
            let answer =
                program.request("POST", "/webhooks", &[("x-api-key", &secret)], body.to_string().as_bytes());
            assert_eq!(answer.status, 200);
        }
    }
    let look = |app: &str, query: &str| {
        let auth = basic(&format!("key_{app}"), &format!("the-key-secret-of-{app}"));
        program.request(
            "GET",
            &format!("/v1/appusers?count=exact&limit=100{query}"),
            &[("authorization", &auth)],
            b"",
        )
    };
    for query in [
        "",
        "&q=kim",
        "&email=kim@example.com",
        "&platform=ios",
        "&userId=kim-1",
        "&seenSince=1",
        "&signedUpSince=1",
        "&property.plan=true",
        "&sort=lastSeen",
        "&sort=-signedUpAt&identified=true",
    ] {
        let (ids, _) = page(&look("two", query));
        assert_eq!(ids.len(), if query.contains("userId") { 1 } else { 2 }, "{query}");
        let answer = look("two", query);
        assert!(!answer.text.contains("of one"), "{query}");
        assert_eq!(answer.json()["count"], ids.len(), "{query}");
    }
    assert_eq!(page(&look("two", "&q=of+one")).0, [""; 0]);
    let auth = basic(KEY_ID, KEY_SECRET);
    let foreign = program.request("GET", "/v1/appusers?q=kim", &[("authorization", &auth)], b"");
    assert_eq!(foreign.status, 401, "a key of another program");
}
