//! What comes after an erasure is no difference between the directory and its journal.

use serde_json::json;

use super::{is_rebuilt, message, ok};
use crate::feed::api;
use crate::support::{APP, Home};

fn merge(surviving: &str, discarded: &str) -> String {
    json!({ "trigger": "merge:appUser", "app": { "_id": APP }, "surviving": { "_id": surviving },
            "discarded": [{ "_id": discarded }] })
    .to_string()
}

#[test]
fn a_merge_into_the_erased_of_whom_others_were_merged_into_is_no_difference() {
    let home = Home::new();
    let program = home.start();
    let hi = |id: &str| message(id, 1_600_000_000.0, &json!({}), "Hi");
    ok(program.webhook(hi("x")));
    let erased = ok(api(&program, "DELETE", "/v1/appusers/x?erase=true", &json!({}))).json();
    assert_eq!(erased["erasure"]["complete"], true, "{erased}");
    for body in [merge("a", "b"), hi("b"), merge("x", "a")] {
        ok(program.webhook(body));
    }
    assert_eq!(program.app_user("b").status, 404, "gone with whom it was merged into");
    is_rebuilt(&home);
    // Erasing is what comes last at any place of the same history.
    for id in ["a", "b"] {
        _ = api(&program, "DELETE", &format!("/v1/appusers/{id}?erase=true"), &json!({}));
        is_rebuilt(&home);
    }
}
