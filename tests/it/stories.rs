//! The stories of the HTTP interface once more, over the store in memory: what a caller sees does not depend on the store.

use std::process::Command;

use crate::support::TEST_STORE;

/// Groups of stories.
const STORIES: [&str; 11] = [
    "rest::",
    "look_up::",
    "triggers::",
    "tokens::",
    "clients::",
    "arrival_orders::",
    "history::merges::",
    "lists::a",
    "lists::links::",
    "feed::envelopes::",
    "feed::fields::",
];

/// Tests that these names match and that need the file of a database or a process, with what for.
const NOT_OVER_MEMORY: [(&str, &str); 15] = [
    ("look_up::an_id_that_json_escapes_has_a_history_and_is_rebuilt", COMMAND),
    ("rest::brands::devices::an_imported_list_distinguishes_brands", COMMAND),
    ("rest::brands::devices::commands_name_a_brand_as_well", COMMAND),
    ("rest::brands::devices::the_export_of_a_person_has_no_data_of_the_namesake_in_another_brand", COMMAND),
    ("rest::changes::an_event_is_journalled_and_sets_its_fields", SQL),
    ("rest::removed_ids::no_call_by_the_id_of_a_removed_user_reaches_one_with_that_user_id", COMMAND),
    ("rest::removed_ids::the_id_of_an_erased_user_is_refused_as_a_user_id", COMMAND),
    ("rest::shared_devices::a_device_with_two_ids_that_starts_as_another_user_is_theirs_by_both", COMMAND),
    ("rest::shared_devices::devices_with_two_ids_may_go_from_hand_to_hand", COMMAND),
    ("arrival_orders::client_owners::", COMMAND),
    ("arrival_orders::devices::", COMMAND),
    ("lists::a_list_equals_a_plain_filtered_and_sorted_list", COMMAND),
    ("export_import::lists::", COMMAND),
    ("journal_calls::lists::", SQL),
    ("decide::shared_clients::", "runs over both stores itself"),
];

const COMMAND: &str = "runs a command on the file";
const SQL: &str = "reads rows with SQL";

/// Runs this program again with the store in memory.
fn this_program(args: &[&str]) -> String {
    let program = std::env::current_exe().unwrap();
    let output = Command::new(program).args(args).env(TEST_STORE, "memory").output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    text
}

#[test]
fn the_stories_hold_over_the_store_in_memory() {
    let mut args = STORIES.to_vec();
    let matching = this_program(&[&args[..], &["--list", "--format=terse"]].concat());
    let mut matching: Vec<&str> = matching.lines().filter_map(|line| line.strip_suffix(": test")).collect();
    for story in STORIES {
        assert!(matching.iter().any(|name| name.contains(story)), "no test matches {story}");
    }
    for (skipped, why) in NOT_OVER_MEMORY {
        let before = matching.len();
        matching.retain(|name| !name.contains(skipped));
        assert!(matching.len() < before, "no test matches {skipped}, which {why}");
        args.extend(["--skip", skipped]);
    }
    let told = this_program(&args);
    let passed = format!("test result: ok. {} passed; 0 failed; 0 ignored", matching.len());
    assert!(told.contains(&passed), "not all of {} passed:\n{told}", matching.len());
}
