//! An app user whose profile or personal information was deleted: nothing left identifies the person.

use serde_json::{Value, json};

use super::{APP, Home, Program, app, ask, create, deliver, done, look_up, message};

const BOB: &str = "c7f6e6d6c3a637261bd9656f";

/// Both calls, in each of their places.
const CALLS: [&str; 4] = [
    "/v2/apps/APP/users/bob/personalinformation",
    "/v1/appusers/bob/profile",
    "/v1.1/appusers/bob/profile",
    "/v1/apps/APP/appusers/bob/profile",
];

fn delete(program: &Program, call: &str) {
    let line = format!("DELETE {}", call.replace("APP", APP));
    assert_eq!(ask(program, &app(), &line, &Value::Null).status, 200, "{line}");
}

/// A v2 report of bob, at a minute of a past day.
fn v2(minute: usize, user: &Value) -> String {
    let at = format!("2024-03-01T{:02}:{:02}:00.000Z", minute / 60, minute % 60);
    let event = json!({ "id": at, "type": "user:update", "createdAt": at, "payload": { "user": user } });
    json!({ "app": { "id": APP }, "webhook": { "id": "w", "version": "v2" }, "events": [event] }).to_string()
}

/// All that the answers of every version show of bob, without his history.
fn shown(program: &Program) -> String {
    let v2 = done(program, &format!("GET /v2/apps/{APP}/users/{BOB}"), Value::Null);
    let clients = done(program, &format!("GET /v2/apps/{APP}/users/{BOB}/clients"), Value::Null);
    format!("{}{v2}{clients}", look_up(program, BOB))
}

#[test]
fn each_personal_member_is_deleted_and_the_others_stay() {
    let secret = "tell-tale";
    let identities = json!([{ "type": "email", "value": secret, "primary": true }]);
    let v2_goes = [
        ("identities", identities),
        ("displayName", json!(secret)),
        ("nickname", json!(secret)),
        ("addresses", json!([{ "street": secret }])),
        ("metadata", json!({ "street": secret })),
        ("profile", json!({ "givenName": secret })),
        ("profile", json!({ "surname": secret })),
        ("profile", json!({ "email": secret })),
        ("profile", json!({ "avatarUrl": secret })),
        ("profile", json!({ "phone": secret })),
    ];
    let v1_goes = [
        ("givenName", json!(secret)),
        ("surname", json!(secret)),
        ("email", json!(secret)),
        ("avatarUrl", json!(secret)),
        ("displayName", json!(secret)),
        ("phone", json!(secret)),
        ("properties", json!({ "street": secret })),
        (
            "clients",
            json!([{ "id": "c", "platform": "twilio", "displayName": secret, "info": { "city": secret } }]),
        ),
        (
            "clients",
            json!([{ "id": "c", "platform": "twilio", "avatarUrl": secret, "raw": { "From": secret } }]),
        ),
        ("pendingClients", json!([{ "id": "p", "platform": "twilio", "displayName": secret }])),
        (
            "pendingClients",
            json!([{ "id": "p", "platform": "twilio", "avatarUrl": secret, "info": { "a": secret } }]),
        ),
    ];
    for call in CALLS {
        let program = Home::new().start();
        deliver(&program, &v2(0, &json!({ "id": BOB, "externalId": "bob" })));
        let v2_goes = v2_goes.iter().map(|member| (true, member));
        let v1_goes = v1_goes.iter().map(|member| (false, member));
        for (n, (is_v2, (key, value))) in v2_goes.chain(v1_goes).enumerate() {
            let tell = |minute: usize| {
                let body = if is_v2 {
                    v2(minute, &json!({ "id": BOB, (*key): value }))
                } else {
                    message(BOB, 1_709_300_000.0 + 60.0 * minute as f64, json!({ (*key): value }))
                };
                deliver(&program, &body);
            };
            tell(2 * n + 1);
            delete(&program, call);
            assert!(!shown(&program).contains(secret), "{call}: {key} {value}: {}", shown(&program));
            // Smooch only repeats it.
            tell(2 * n + 2);
            assert!(
                !shown(&program).contains(secret),
                "{call}: {key} {value}, repeated: {}",
                shown(&program)
            );
        }
    }
}

#[test]
fn clients_and_channels_stay() {
    for call in CALLS {
        let program = Home::new().start();
        let kept = json!({ "id": BOB, "externalId": "bob", "brandId": "811", "zendeskId": "7", "authenticated": true,
            "toBeRetained": true, "signedUpAt": "2020-01-01T00:00:00.000Z", "profile": { "locale": "de" }, "metadata": {} });
        deliver(&program, &v2(0, &kept));
        let pending = json!([{ "id": "p", "platform": "twilio", "displayName": "+1514", "info": {} }, null]);
        let clients = json!([{ "id": "c", "platform": "twilio", "active": true, "displayName": "+1514" }]);
        deliver(&program, &message(BOB, 1.0, json!({ "clients": clients, "pendingClients": pending })));
        delete(&program, call);
        let left = done(&program, &format!("GET /v2/apps/{APP}/users/bob"), Value::Null)["user"].clone();
        assert_eq!(left, kept, "{call}");
        let left = look_up(&program, "bob");
        assert_eq!(left["pendingClients"], json!([{ "id": "p", "platform": "twilio" }]), "{call}");
        assert_eq!(left["clients"], json!([{ "id": "c", "platform": "twilio", "active": true }]), "{call}");
        // New values from Smooch are shown again, and nothing more.
        let pending = json!([{ "id": "q", "platform": "telegram", "displayName": "new" }]);
        let now = jiff::Timestamp::now().as_second() as f64;
        deliver(&program, &message(BOB, now + 60.0, json!({ "clients": [], "pendingClients": pending })));
        assert_eq!(look_up(&program, "bob")["pendingClients"], pending, "{call}");
        deliver(&program, &message(BOB, now + 120.0, json!({ "clients": [] })));
        assert!(look_up(&program, "bob").get("pendingClients").is_none(), "{call}");
    }
}

#[test]
fn a_merged_id_shows_no_deleted_data_after_an_unmerge() {
    let program = Home::new().start();
    let other = "d7f6e6d6c3a637261bd9656f";
    let pending = |id: &str| json!([{ "id": id, "platform": "twilio", "displayName": format!("+{id}") }]);
    let identities = json!([{ "type": "email", "value": "tell-tale" }]);
    deliver(
        &program,
        &message(BOB, 1.0, json!({ "userId": "bob", "clients": [], "pendingClients": pending("1") })),
    );
    deliver(
        &program,
        &message(other, 1.0, json!({ "userId": "eve", "clients": [], "pendingClients": pending("2") })),
    );
    for id in [BOB, other] {
        deliver(&program, &v2(0, &json!({ "id": id, "identities": identities })));
    }
    let both = json!({ "surviving": { "_id": BOB }, "discarded": { "_id": other } });
    done(&program, "POST /v1/appusers/merge", both);
    delete(&program, CALLS[0]);
    let line = format!("POST /v1/appusers/{BOB}/unmerge");
    done(&program, &line, json!({ "discarded": { "_id": other } }));
    for (id, pending) in [(BOB, "1"), (other, "2")] {
        let user = look_up(&program, id);
        assert_eq!(user["pendingClients"], json!([{ "id": pending, "platform": "twilio" }]), "{user}");
        let v2 = done(&program, &format!("GET /v2/apps/{APP}/users/{id}"), Value::Null);
        assert!(!v2.to_string().contains("tell-tale"), "{v2}");
    }
    // Made here, too.
    create(&program, "ann");
    done(&program, "PUT /v1/appusers/ann", json!({ "givenName": "Ann", "properties": { "a": 1 } }));
    delete(&program, "/v1/appusers/ann/profile");
    let ann = look_up(&program, "ann");
    assert_eq!((ann.get("givenName"), &ann["properties"]), (None, &json!({})), "{ann}");
}
