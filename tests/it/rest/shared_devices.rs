//! Devices that change their app user, each with two ids: v1.1's own and v2's. Look-ups, lists and the feed agree,
//! and so does the fold of the journal.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{APP, Home, deliver, done};
use crate::support::Program;

/// Something that happens to one of two devices.
#[derive(Clone, Debug)]
enum Step {
    /// Smooch reports that an app user uses a device, by one id or by both, perhaps with its `active` flag.
    Told { user: u8, device: u8, by_both: bool, active: Option<bool>, time: u16 },
    /// A device starts, by one of its ids, with an app user or without one.
    Started { device: u8, by_other: bool, user: Option<u8> },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0u8..3, 0u8..2, any::<bool>(), any::<Option<bool>>(), any::<u16>()).prop_map(
            |(user, device, by_both, active, time)| Step::Told { user, device, by_both, active, time }
        ),
        (0u8..2, any::<bool>(), prop::option::of(0u8..3))
            .prop_map(|(device, by_other, user)| Step::Started { device, by_other, user }),
    ]
}

fn take(program: &Program, n: usize, step: &Step) {
    match step {
        Step::Told { user, device, by_both, active, time } => {
            let mut client = json!({ "id": format!("device-{device}"), "platform": "ios" });
            if *by_both {
                client["_id"] = format!("other-{device}").into();
            }
            if let Some(active) = active {
                client["active"] = (*active).into();
            }
            let body = json!({ "trigger": "message:appUser", "version": "v1.1", "app": { "_id": APP },
                "messages": [{ "_id": format!("m{n}"), "received": 1_500_000_000.0 + f64::from(*time) }],
                "appUser": { "_id": format!("id-{user}"), "userId": format!("user-{user}") }, "client": client });
            deliver(program, &body.to_string());
        }
        Step::Started { device, by_other, user } => {
            let id = if *by_other { format!("other-{device}") } else { format!("device-{device}") };
            let mut body = json!({ "device": { "id": id, "platform": "ios" } });
            if let Some(user) = user {
                body["userId"] = format!("user-{user}").into();
            }
            done(program, "POST /v1/init", body);
        }
    }
}

fn check(home: &Home, program: Program) {
    let followed: Value = program.get("/v1/changes?snapshot=true&limit=1000").json();
    for shown in followed["appUsers"].as_array().unwrap_or_else(|| panic!("a snapshot: {followed}")) {
        let name = shown["_id"].as_str().unwrap();
        assert_eq!(
            &program.app_user(name).json()["appUser"],
            shown,
            "{name} as it is looked up, and followed"
        );
    }
    program.stop();
    for args in [&["verify"][..], &["rebuild", "--verify"]] {
        let output = home.command(args).output().unwrap();
        let said =
            String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{args:?}: {said}");
    }
}

fn play(steps: &[Step]) {
    let home = Home::new();
    let program = home.start();
    steps.iter().enumerate().for_each(|(n, step)| take(&program, n, step));
    check(&home, program);
}

#[test]
fn a_device_with_two_ids_that_starts_as_another_user_is_theirs_by_both() {
    let reported = |user, active, time| Step::Told { user, device: 0, by_both: true, active, time };
    let start = |user| Step::Started { device: 0, by_other: false, user: Some(user) };
    play(&[reported(0, Some(true), 1), start(1)]);
    play(&[reported(0, Some(true), 7), start(1), reported(2, Some(true), 25)]);
    play(&[reported(0, Some(true), 29), start(1), reported(2, None, 26)]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn devices_with_two_ids_may_go_from_hand_to_hand(steps in prop::collection::vec(step(), 2..12)) {
        play(&steps);
    }
}
