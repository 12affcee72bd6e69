//! A JWT that several app users could mean, and a brand that is named in the body of a call.

use serde_json::{Value, json};

use super::super::{create, refused, start, start_as, token, user};
use super::{Answer, Home, Program, all_users, app, ask, report, two, v2};

/// Every call that accepts a JWT of an app user, naming another app user.
const CALLS: [(&str, &str); 7] = [
    ("GET /v1/appusers/WHO", ""),
    ("GET /v1.1/appusers/WHO", ""),
    ("GET /v1/appusers/WHO/channels", ""),
    ("PUT /v1/appusers/WHO", r#"{"surname":"S"}"#),
    ("PUT /v1/appusers/WHO/devices/d", r#"{"appVersion":"2"}"#),
    ("POST /v1/appusers/WHO/events", r#"{"name":"seen"}"#),
    ("POST /v1/init", r#"{"device":{"id":"d","platform":"ios"},"userId":"shop-7"}"#),
];

fn every_call(program: &Program, names: &[&str], check: impl Fn(&Answer, &str)) {
    for (line, body) in CALLS {
        for name in names {
            let line = line.replace("WHO", name);
            let body = serde_json::from_str(body).unwrap_or(Value::Null);
            check(&ask(program, &user("shop-7"), &line, &body), &line);
        }
    }
}

#[test]
fn a_jwt_reaches_no_user_while_several_carry_its_user_id() {
    let brands: [[Value; 2]; 2] = [
        // Two people in two brands, and a name whose loss by one of them is not yet reported.
        [
            json!({ "externalId": "shop-7", "brandId": "811" }),
            json!({ "externalId": "shop-7", "brandId": "812" }),
        ],
        [json!({ "externalId": "shop-7" }), json!({ "externalId": "shop-7" })],
    ];
    for [one, other] in brands {
        let program = Home::new().start();
        report(&program, 0, "x", one);
        report(&program, 1, "y", other);
        report(&program, 2, "z", json!({ "externalId": "shop-8" }));
        start(&program, "d", None);
        let before = all_users(&program);
        every_call(&program, &["shop-7", "x", "y", "x?brandId=811"], |answer, line| {
            // A query stands at the end of an address.
            if !line.contains("?brandId=811/") {
                refused(answer, 409, "conflict");
                assert!(answer.text.contains("JWT"), "{line}: {answer:?}");
            }
        });
        refused(&ask(&program, &user("shop-7"), "GET /v1/appusers/z", &Value::Null), 403, "forbidden");
        assert_eq!(all_users(&program), before, "no app user is changed or secured");
        assert_eq!(ask(&program, &token(), "GET /v1/appusers/x", &Value::Null).status, 200);
        // As soon as it means one, it is that one's.
        assert_eq!(ask(&program, &app(), "DELETE /v1/appusers/y", &Value::Null).status, 200);
        let own = ask(&program, &user("shop-7"), "GET /v1/appusers/shop-7", &Value::Null);
        assert_eq!((own.status, &own.json()["appUser"]["_id"]), (200, &json!("x")), "{own:?}");
        assert_eq!(own.json()["appUser"]["credentialRequired"], true);
    }
}

#[test]
fn a_jwt_speaks_for_one_app_user_of_several_ids() {
    let program = Home::new().start();
    let one = create(&program, "shop-7");
    report(&program, 0, "x", json!({ "externalId": "shop-7" }));
    for id in ["shop-7", "x", &one] {
        let own = ask(&program, &user("shop-7"), &format!("GET /v1/appusers/{id}"), &Value::Null);
        assert_eq!((own.status, &own.json()["appUser"]["_id"]), (200, &json!("x")), "{own:?}");
    }
}

/// Starts a device as the app, in a brand.
fn begin(program: &Program, device: &str, user_id: Option<&str>, brand: &str) -> Value {
    let body = json!({ "device": { "id": device, "platform": "ios" }, "userId": user_id, "brandId": brand });
    let answer = ask(program, &app(), "POST /v1/init", &body);
    assert_eq!(answer.status, 200, "{device} {user_id:?} {brand}: {answer:?}");
    answer.json()["appUser"]["_id"].clone()
}

#[test]
fn a_device_starts_in_the_brand_that_its_body_names() {
    let program = Home::new().start();
    two(&program);
    let brand_of = |id: &Value| {
        v2(&program, &format!("GET /users/{}", id.as_str().unwrap()), &Value::Null).json()["user"].clone()
    };
    assert_eq!(begin(&program, "d", Some("shop-7"), "811"), "x");
    assert_eq!(begin(&program, "d", Some("shop-7"), "812"), "y");
    assert_eq!(begin(&program, "new", Some("shop-7"), "812"), "y");
    // No app user has the name in that brand: a new one has it now, in no other.
    let third = begin(&program, "e", Some("shop-7"), "813");
    assert_eq!(
        (&brand_of(&third)["brandId"], &brand_of(&third)["externalId"]),
        (&json!("813"), &json!("shop-7"))
    );
    assert_eq!(begin(&program, "e", Some("shop-7"), "813"), third);
    // A visitor without a brand gets a name and a brand at once, or is merged into the app user with both.
    let visitor = start(&program, "f", None)["_id"].clone();
    assert_eq!(begin(&program, "f", Some("shop-9"), "811"), visitor);
    assert_eq!(brand_of(&visitor)["brandId"], "811");
    let visitor = start(&program, "g", None)["_id"].clone();
    assert_eq!(begin(&program, "g", Some("shop-7"), "811"), "x");
    assert_eq!(brand_of(&visitor)["id"], "x");
    // A visitor of one brand is unknown in another.
    let visitor = begin(&program, "h", None, "811");
    assert_eq!(brand_of(&visitor)["brandId"], "811");
    assert_eq!(begin(&program, "h", Some("shop-7"), "812"), "y");
    assert_eq!(brand_of(&visitor)["id"], visitor);
    for brand in [json!(""), json!(811), json!({})] {
        let body =
            json!({ "device": { "id": "d", "platform": "ios" }, "userId": "shop-7", "brandId": brand });
        refused(&ask(&program, &token(), "POST /v1/init", &body), 400, "bad_request");
    }
}

#[test]
fn v1_makes_one_in_each_brand() {
    let program = Home::new().start();
    let make = |body: Value| ask(&program, &app(), "POST /v1/appusers", &body);
    for brand in [json!("811"), json!("812"), Value::Null] {
        let body = json!({ "userId": "shop-7", "brandId": brand });
        let made = make(body.clone());
        assert_eq!(made.status, 201, "{brand}: {made:?}");
        assert_eq!(make(body).status, 409, "{brand} again");
    }
    // Without a brand the name must be free in all.
    assert_eq!(make(json!({ "userId": "shop-7" })).status, 409);
    for brand in ["811", "812"] {
        let get = v2(&program, &format!("GET /users/shop-7?brandId={brand}"), &Value::Null);
        assert_eq!((get.status, &get.json()["user"]["brandId"]), (200, &json!(brand)), "{get:?}");
    }
    refused(&make(json!({ "userId": "shop-8", "brandId": 1 })), 400, "bad_request");
}

#[test]
fn a_refusal_names_the_brand_parameter_of_its_call() {
    let program = Home::new().start();
    two(&program);
    let says = |answer: &Answer, place: &str| {
        assert_eq!(answer.status, 409, "{answer:?}");
        assert!(answer.text.contains(place), "{place}: {answer:?}");
    };
    says(&start_as(&program, &token(), "d", Some("shop-7")), "`brandId` in the body");
    says(&v2(&program, "PATCH /users/shop-7", &json!({})), "`brandId` in the query");
    says(&ask(&program, &app(), "PUT /v1/appusers/shop-7", &json!({})), "`brandId` in the query");
    let merge = |surviving: Value| {
        let body = json!({ "surviving": surviving, "discarded": { "_id": "x" } });
        ask(&program, &app(), "POST /v1/appusers/merge", &body)
    };
    says(&merge(json!({ "_id": "shop-7" })), "`brandId` beside its `_id` in the body");
    assert_eq!(merge(json!({ "_id": "shop-7", "brandId": "812" })).status, 200);
}
