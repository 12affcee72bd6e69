//! The fixtures are complete: every trigger of every version, with a full and with a truncated app user.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use crate::support::{files, fixtures};

/// The triggers of v1 that are about an app user.
const V1: &[&str] = &[
    "message",
    "message:appUser",
    "message:appMaker",
    "postback",
    "conversation:start",
    "conversation:read",
    "conversation:referral",
    "delivery:success",
    "delivery:failure",
    "payment:success",
    "merge:appUser",
    "link:success",
    "link:match",
    "link:failure",
];

/// Those of v1.1.
const V1_1: &[&str] = &[
    "appUser:delete",
    "client:add",
    "client:remove",
    "conversation:read",
    "conversation:referral",
    "conversation:start",
    "link:failure",
    "link:match",
    "link:success",
    "merge:appUser",
    "message:appMaker",
    "message:appUser",
    "message:delivery:channel",
    "message:delivery:failure",
    "message:delivery:user",
    "notification:delivery:channel",
    "notification:delivery:failure",
    "payment:success",
    "postback",
    "typing:appUser",
];

/// Those of v2.
const V2: &[&str] = &[
    "conversation:message",
    "conversation:read",
    "conversation:typing",
    "conversation:postback",
    "conversation:referral",
    "conversation:message:delivery:channel",
    "conversation:message:delivery:failure",
    "conversation:message:delivery:user",
    "conversation:create",
    "conversation:join",
    "conversation:leave",
    "client:add",
    "client:remove",
    "client:update",
    "user:update",
    "user:remove",
    "user:merge",
];

/// Those of v2 that name no app user for certain.
const V2_NO_USER: &[&str] = &[
    "conversation:remove",
    "passthrough:messaging",
    "switchboard:acceptControl",
    "switchboard:acceptControl:failure",
    "switchboard:offerControl",
    "switchboard:offerControl:failure",
    "switchboard:passControl",
    "switchboard:passControl:failure",
    "switchboard:releaseControl",
];

/// Every fixture that must be there: version, trigger, form.
fn wanted() -> BTreeSet<(String, String, String)> {
    let rows: [(&str, &[&str], &[&str]); 4] = [
        ("v1", V1, &["full", "truncated"]),
        ("v1.1", V1_1, &["full", "truncated"]),
        ("v2", V2, &["full", "truncated"]),
        ("v2", V2_NO_USER, &["no-user"]),
    ];
    let rows = rows.into_iter().flat_map(|(version, triggers, forms)| {
        triggers.iter().flat_map(move |trigger| forms.iter().map(move |form| [version, trigger, form]))
    });
    rows.map(|row| row.map(str::to_owned).into()).collect()
}

/// The trigger of a file and its form, from its content: full and truncated describe how much of its first app user a
/// body carries.
fn read(path: &Path) -> (String, String, String) {
    let version = path.parent().unwrap().file_name().unwrap().to_str().unwrap();
    let body: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let trigger = if version == "v2" { &body["events"][0]["type"] } else { &body["trigger"] };
    let places = [
        "/appUser",
        "/surviving",
        "/events/0/payload/user",
        "/events/0/payload/mergedUsers/surviving",
        "/events/0/payload/message/author/user",
        "/events/0/payload/activity/author/user",
    ];
    let user = places.into_iter().find_map(|place| body.pointer(place));
    let carries = |keys: &[&str]| user.is_some_and(|user| keys.iter().any(|key| !user[key].is_null()));
    let form = match user {
        None => "no-user",
        Some(_) if carries(&["properties", "metadata", "clients", "profile", "givenName"]) => "full",
        Some(_) => "truncated",
    };
    (version.to_owned(), trigger.as_str().unwrap_or_default().to_owned(), form.to_owned())
}

#[test]
fn every_trigger_of_every_version_has_a_full_and_a_truncated_fixture() {
    let wanted = wanted();
    let mut found = BTreeSet::new();
    for path in files(&fixtures().join("webhooks"), "json") {
        let name = path.file_stem().unwrap().to_str().unwrap();
        let (trigger, case) = name.split_once('-').unwrap_or((name, ""));
        let version = path.parent().unwrap().file_name().unwrap().to_str().unwrap();
        let named = ["full", "truncated", "no-user"].into_iter().find(|form| case.starts_with(form));
        // A full source is no full app user.
        let other = version == "odd" || case.starts_with("full-source");
        let Some(form) = named.filter(|_| !other) else { continue };
        let row = (version.to_owned(), trigger.replace('.', ":"), form.to_owned());
        // Only of these it is certain where the app user must be.
        if wanted.contains(&row) {
            assert_eq!(read(&path), row, "{}: what is in it is what it is called", path.display());
        }
        found.insert(row);
    }
    let lost: Vec<_> = wanted.difference(&found).collect();
    assert!(lost.is_empty(), "no fixture: {lost:?}");
}
