//! The public app token, or a JWT of another app user, cannot take a `userId` over by way of a brand.

use serde_json::{Value, json};

use super::super::{refused, start, token, user};
use super::{APP, Answer, Home, Program, app, ask, report, v2};

/// Smooch reports a visitor without a name, on a device of a brand.
fn visitor(program: &Program, id: &str, brand: &str) {
    let device =
        json!({ "id": format!("D{id}"), "guid": format!("d-{id}"), "type": "web", "status": "active" });
    let author = json!({ "type": "user", "userId": id, "user": { "id": id, "brandId": brand } });
    let message = json!({ "id": "m", "author": author, "source": { "type": "web", "device": device } });
    let event = json!({ "id": id, "type": "conversation:message",
        "createdAt": "2024-03-01T10:30:00.000Z", "payload": { "message": message } });
    let body = json!({ "app": { "id": APP }, "webhook": { "id": "w", "version": "v2" }, "events": [event] });
    assert_eq!(program.webhook(body.to_string()).status, 200);
}

/// The target: x, called ann, in this brand or in none; and all that a stranger may know or have.
fn world(brand: Option<&str>) -> (Home, Program) {
    let home = Home::new();
    let program = home.start();
    report(&program, 0, "x", json!({ "externalId": "ann", "brandId": brand }));
    report(&program, 1, "f", json!({ "externalId": "foo", "brandId": "77" }));
    visitor(&program, "v", "78");
    (home, program)
}

fn init(program: &Program, who: &super::super::Who, at: &str, (device, mut body): (&str, Value)) -> Answer {
    body["device"] = json!({ "id": device, "platform": "ios" });
    ask(program, who, &format!("POST {at}"), &body)
}

/// Starts these by the app token, one after the other; the last answer.
fn in_turn(program: &Program, at: &str, way: Vec<(&str, Value)>) -> Answer {
    let answers: Vec<Answer> = way.into_iter().map(|call| init(program, &token(), at, call)).collect();
    answers.into_iter().next_back().unwrap()
}

/// The `_id`s of all carriers of a name.
fn carriers(program: &Program, name: &str) -> Value {
    let users = v2(program, &format!("GET /users?externalId={name}"), &Value::Null).json()["users"].clone();
    users.as_array().unwrap().iter().map(|user| user["id"].clone()).collect()
}

/// Ways by which a stranger may try to be ann: calls of init, of which the last must be refused.
fn ways() -> Vec<Vec<(&'static str, Value)>> {
    let ann = json!({ "userId": "ann" });
    let mut ways = vec![
        vec![("evil", json!({ "userId": "ann", "brandId": "77" }))],
        vec![("evil", json!({ "userId": "foo", "brandId": "77" })), ("evil", ann.clone())],
        vec![("evil", json!({ "userId": "new", "brandId": "77" })), ("evil", ann.clone())],
        vec![("evil", json!({ "brandId": "78" })), ("evil", ann.clone())],
        vec![("evil", json!({})), ("evil", json!({ "userId": "ann", "brandId": "78" }))],
        vec![("d-v", json!({ "userId": "ann", "brandId": "78" }))],
        vec![
            ("d-v", json!({ "userId": "new", "brandId": "78" })),
            ("d-v", json!({ "userId": "ann", "brandId": "78" })),
        ],
    ];
    // Without a brand they resolve to the app user with the name; if its brand differs from the device's, to none.
    ways.extend([vec![("d-v", ann.clone())], vec![("d-v", json!({ "userId": "new" })), ("d-v", ann)]]);
    ways
}

#[test]
fn no_app_token_takes_over_the_name_of_a_secured_user() {
    for brand in [None, Some("5")] {
        for (n, way) in ways().into_iter().enumerate() {
            let at = ["/v1/init", "/v1.1/init", &format!("/v1/apps/{APP}/init")][n % 3].to_owned();
            let (_home, program) = world(brand);
            let own = |line: &str| ask(&program, &user("ann"), line, &Value::Null);
            assert_eq!(own("GET /v1/appusers/ann").json()["appUser"]["credentialRequired"], true);
            let last = in_turn(&program, &at, way);
            refused(&last, 401, "unauthorized");
            assert_eq!(carriers(&program, "ann"), json!(["x"]), "{brand:?} {n}");
            assert_eq!(own("GET /v1/appusers/ann").json()["appUser"]["_id"], "x", "{brand:?} {n}");
            refused(&ask(&program, &token(), "GET /v1/appusers/ann", &Value::Null), 401, "unauthorized");
            let put = ask(&program, &app(), "PUT /v1/appusers/ann", &json!({ "surname": "S" }));
            assert_eq!((put.status, &put.json()["appUser"]["_id"]), (200, &json!("x")), "{brand:?} {n}");
        }
    }
}

#[test]
fn no_app_token_creates_a_second_carrier_of_an_unsecured_users_name() {
    for brand in [None, Some("5")] {
        for (n, way) in ways().into_iter().enumerate() {
            let (_home, program) = world(brand);
            let is_meant = brand.is_none() && way.last().unwrap().1.get("brandId").is_none();
            let last = in_turn(&program, "/v1/init", way);
            if is_meant {
                assert_eq!(
                    (last.status, &last.json()["appUser"]["_id"]),
                    (200, &json!("x")),
                    "{n}: {last:?}"
                );
            } else if last.status == 200 {
                // The calls before were refused, so the device is of no brand: ann was meant.
                assert_eq!(last.json()["appUser"]["_id"], "x", "{brand:?} {n}: {last:?}");
            } else {
                refused(&last, 401, "unauthorized");
            }
            assert_eq!(carriers(&program, "ann"), json!(["x"]), "{brand:?} {n}");
            let get = ask(&program, &app(), "GET /v1/appusers/ann", &Value::Null);
            assert_eq!(get.json()["appUser"]["_id"], "x", "{brand:?} {n}");
            assert_eq!(
                ask(&program, &app(), "DELETE /v1/appusers/ann", &Value::Null).status,
                200,
                "{brand:?} {n}"
            );
        }
    }
}

#[test]
fn only_the_app_creates_users_in_a_brand_of_its_choice() {
    let (_home, program) = world(None);
    let before = program.all_app_users();
    for body in [json!({ "userId": "new", "brandId": "77" }), json!({ "brandId": "77" })] {
        refused(&init(&program, &token(), "/v1/init", ("d", body.clone())), 401, "unauthorized");
        assert_eq!(program.all_app_users(), before, "{body}");
        refused(
            &init(&program, &user("new"), "/v1/init", ("d", json!({ "brandId": "77" }))),
            403,
            "forbidden",
        );
        assert_eq!(program.all_app_users(), before, "{body}");
    }
    // The brand of the device is not a choice of the caller, nor is that of the named app user.
    let same = init(&program, &token(), "/v1/init", ("d-v", json!({ "userId": "new", "brandId": "78" })));
    assert_eq!((same.status, &same.json()["appUser"]["_id"]), (200, &json!("v")), "{same:?}");
    let known = init(&program, &token(), "/v1/init", ("d", json!({ "userId": "foo", "brandId": "77" })));
    assert_eq!((known.status, &known.json()["appUser"]["_id"]), (200, &json!("f")), "{known:?}");
    let made = init(&program, &app(), "/v1/init", ("e", json!({ "userId": "ann", "brandId": "77" })));
    assert_eq!((made.status, carriers(&program, "ann").as_array().unwrap().len()), (200, 2), "{made:?}");
}

#[test]
fn a_jwt_still_reaches_the_user_it_secured_on_any_device_and_in_any_brand() {
    for brand in [None, Some("5")] {
        let (_home, program) = world(brand);
        let own = |call| init(&program, &user("ann"), "/v1/init", call);
        for device in ["new", "d-v"] {
            for body in [json!({ "userId": "ann", "brandId": "9" }), json!({ "brandId": "78" })] {
                refused(&own((device, body)), 403, "forbidden");
            }
            let started = own((device, json!({ "brandId": brand })));
            assert_eq!(
                (started.status, &started.json()["appUser"]["_id"]),
                (200, &json!("x")),
                "{started:?}"
            );
        }
        assert_eq!(carriers(&program, "ann"), json!(["x"]));
        // A visitor of another brand stays separate; one whose brand may be the same is the same person.
        let left = program.app_user("v").json()["appUser"]["_id"].clone();
        assert_eq!(left == "v", brand.is_some(), "{brand:?}: {left}");
    }
}

#[test]
fn no_other_call_of_an_app_token_gives_a_name_or_a_brand() {
    let (_home, program) = world(Some("5"));
    assert_eq!(ask(&program, &user("ann"), "GET /v1/appusers/ann", &Value::Null).status, 200);
    let stranger = start(&program, "evil", None)["_id"].as_str().unwrap().to_owned();
    let shown = |id: &str| v2(&program, &format!("GET /users/{id}"), &Value::Null).json()["user"].clone();
    let names = json!({ "userId": "ann", "externalId": "ann", "brandId": "77", "v2.brandId": "77" });
    let mut along = names.clone();
    along["name"] = "seen".into();
    along["appUser"] = names.clone();
    for (line, body) in [
        (format!("PUT /v1/appusers/{stranger}"), names.clone()),
        (format!("PUT /v1.1/appusers/{stranger}?brandId=77"), names.clone()),
        (format!("POST /v1/appusers/{stranger}/events"), along),
        (format!("PUT /v1/appusers/{stranger}/devices/evil"), names.clone()),
        ("POST /v1/appusers".to_owned(), names.clone()),
        (format!("PATCH /v2/apps/{APP}/users/{stranger}"), names.clone()),
        ("PUT /v1/appusers/ann?brandId=77".to_owned(), names),
    ] {
        let answer = ask(&program, &token(), &line, &body);
        assert!(answer.status < 500, "{line}: {answer:?}");
        assert_eq!(carriers(&program, "ann"), json!(["x"]), "{line}");
        let now = shown(&stranger);
        assert!(now.get("externalId").is_none() && now.get("brandId").is_none(), "{line}: {now}");
    }
}
