//! The same where no call names the user: devices, commands, lists, a person's file.

use serde_json::{Value, json};

use super::super::{start, start_as, token};
use super::{APP, Home, all_users, app, conflict, report, two, v2};
use crate::operator_commands::run;

#[test]
fn a_device_selects_the_carrier_that_has_it() {
    let program = Home::new().start();
    report(&program, 0, "x", json!({ "externalId": "shop-7", "brandId": "811" }));
    assert_eq!(start(&program, "d", Some("shop-7"))["_id"], "x");
    report(&program, 1, "y", json!({ "externalId": "shop-7", "brandId": "812" }));
    assert_eq!(start(&program, "d", Some("shop-7"))["_id"], "x");
    conflict(&start_as(&program, &token(), "other", Some("shop-7")), "another device");
}

#[test]
fn a_device_is_of_the_brand_of_its_app_user() {
    let program = Home::new().start();
    two(&program);
    report(&program, 2, "z", json!({ "externalId": "shop-8", "brandId": "812" }));
    // Smooch reports visitors without a name, each with a device of a brand.
    for (minute, visitor, brand) in [(3, "v1", "811"), (4, "v2", "812"), (5, "v3", "811"), (6, "v4", "811")] {
        let device = json!({ "id": format!("D{visitor}"), "guid": format!("d-{visitor}"), "type": "web", "status": "active" });
        let author =
            json!({ "type": "user", "userId": visitor, "user": { "id": visitor, "brandId": brand } });
        let message = json!({ "id": "m", "author": author, "source": { "type": "web", "device": device } });
        let event = json!({ "id": visitor, "type": "conversation:message",
            "createdAt": format!("2024-03-01T10:{minute:02}:00.000Z"), "payload": { "message": message } });
        let body =
            json!({ "app": { "id": APP }, "webhook": { "id": "w", "version": "v2" }, "events": [event] });
        assert_eq!(program.webhook(body.to_string()).status, 200);
    }
    let begin = |visitor: &str, name: Option<&str>| start(&program, &format!("d-{visitor}"), name);
    for (visitor, id) in [("v1", "x"), ("v2", "y")] {
        let user = begin(visitor, Some("shop-7"));
        assert_eq!(user["_id"], id, "{visitor}: {user}");
        assert_eq!(program.app_user(visitor).json()["appUser"]["_id"], id, "{visitor} is part of them");
    }
    // No app user in that brand has the name: the visitor gets it, and the one in the other brand stays separate.
    // Only the app may do this: a stranger with its token must not take a name in use.
    super::super::refused(&start_as(&program, &token(), "d-v3", Some("shop-8")), 401, "unauthorized");
    let named = start_as(&program, &app(), "d-v3", Some("shop-8")).json()["appUser"].clone();
    assert_eq!((&named["_id"], &named["userId"]), (&json!("v3"), &json!("shop-8")));
    assert_eq!(v2(&program, "GET /users/shop-8?brandId=812", &Value::Null).json()["user"]["id"], "z");
    assert_eq!(v2(&program, "GET /users/shop-8?brandId=811", &Value::Null).json()["user"]["id"], "v3");
    // The next app users of the device are of the brand too.
    for name in [Some("shop-9"), None, Some("shop-7")] {
        let user = begin("v3", name);
        let brand =
            v2(&program, &format!("GET /users/{}", user["_id"].as_str().unwrap()), &Value::Null).json();
        assert_eq!(brand["user"]["brandId"], "811", "{name:?}: {brand}");
        assert!(name != Some("shop-7") || user["_id"] == "x", "{user}");
    }
}

#[test]
fn commands_name_a_brand_as_well() {
    let home = Home::new();
    let program = home.start();
    two(&program);
    let exported = |args: &[&str]| {
        run(&home, &program, &[&["journal", "list", "--json", "--user", "shop-7"], args].concat())
    };
    assert_eq!(exported(&[]).well().lines().len(), 2, "everybody who carries it");
    for (brand, id) in [("811", "x"), ("812", "y")] {
        let lines = exported(&["--brand", brand]).well().lines();
        assert!(lines.len() == 1 && lines[0].to_string().contains(id), "{lines:?}");
    }
    let person = |args: &[&str]| run(&home, &program, &[&["export", "--user", "shop-7"], args].concat());
    let refused = person(&[]);
    assert!(refused.code == Some(2) && refused.err.contains("--brand"), "{refused:?}");
    assert_eq!(person(&["--brand", "811"]).well().lines()[0]["appUser"]["_id"], "x");
    let listen = format!("http://{}", program.listen);
    let erase = |args: &[&str]| run(&home, &program, &[&["erase", "shop-7", "--to", &listen], args].concat());
    let refused = erase(&[]);
    assert!(refused.code == Some(1) && refused.err.contains("--brand"), "{refused:?}");
    assert_eq!(all_users(&program).len(), 2);
    assert_eq!(erase(&["--brand", "811"]).well().lines()[0]["erasure"]["_ids"], json!(["x"]));
    assert_eq!(all_users(&program).len(), 1);
}

#[test]
fn an_imported_list_distinguishes_brands() {
    let home = Home::new();
    let program = home.start();
    report(&program, 0, "x", json!({ "externalId": "shop-7", "brandId": "811" }));
    let list = home.path().join("list.csv");
    std::fs::write(&list, "userId,brandId,surname\nshop-7,811,S\nshop-7,812,T\nshop-8,811,U\nshop-8,812,V\n")
        .unwrap();
    for _ in 0..2 {
        run(&home, &program, &["import", list.to_str().unwrap()]).well();
        for (name, brand, surname) in
            [("shop-7", "811", "S"), ("shop-7", "812", "T"), ("shop-8", "811", "U"), ("shop-8", "812", "V")]
        {
            let user =
                v2(&program, &format!("GET /users/{name}?brandId={brand}"), &Value::Null).json()["user"]
                    .clone();
            assert_eq!(user["profile"]["surname"], surname, "{name} {brand}: {user}");
            assert_eq!(user["id"] == "x", (name, brand) == ("shop-7", "811"), "{user}");
        }
        assert_eq!(all_users(&program).len(), 4);
    }
    // Smooch's word joins the one of the same brand.
    report(&program, 1, "y", json!({ "externalId": "shop-8", "brandId": "812" }));
    let found = v2(&program, "GET /users/shop-8?brandId=812", &Value::Null).json()["user"].clone();
    assert_eq!((&found["id"], &found["profile"]["surname"]), (&json!("y"), &json!("V")));
    let table = run(&home, &program, &["export", "--format", "csv"]).well().out;
    assert!(table.lines().next().unwrap().ends_with(",brandId"), "{table}");
    let brands: Vec<&str> = table.lines().skip(1).filter_map(|line| line.rsplit(',').next()).collect();
    assert_eq!(brands.iter().filter(|brand| **brand == "811").count(), 2, "{table}");
}

#[test]
fn the_export_of_a_person_has_no_data_of_the_namesake_in_another_brand() {
    let home = Home::new();
    let program = home.start();
    two(&program);
    for (id, secret) in [("x", "of-x"), ("y", "of-y")] {
        // It cannot be used: it has no type.
        let event = json!({ "id": secret, "payload": { "user": { "id": id, "externalId": "shop-7" } } });
        let body =
            json!({ "app": { "id": APP }, "webhook": { "id": "w", "version": "v2" }, "events": [event] });
        assert_eq!(program.webhook(body.to_string()).status, 200);
    }
    for (brand, own, other) in [("811", "of-x", "of-y"), ("812", "of-y", "of-x")] {
        let file =
            run(&home, &program, &["export", "--user", "shop-7", "--brand", brand]).well().lines().remove(0);
        let kept = file["quarantine"].to_string();
        assert!(kept.contains(own) && !kept.contains(other), "{brand}: {kept}");
    }
}
