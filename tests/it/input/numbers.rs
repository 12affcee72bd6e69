//! F27, F28: numbers as they are written, times to the microsecond, and of equal keys the last.

use crate::support::{APP, Home, Program};

fn shown(program: &Program, id: &str) -> String {
    let answer = program.app_user(id);
    assert_eq!(answer.status, 200, "{id}: {answer:?}");
    answer.text
}

/// F27: `received`, and the event time in µs that the journal then has.
#[test]
fn a_time_is_read_to_the_microsecond_however_it_is_written() {
    let home = Home::new();
    let program = home.start();
    for (n, (written, expected)) in [
        ("1444348338.704", Some(1_444_348_338_704_000)),
        ("1444348338", Some(1_444_348_338_000_000)),
        ("1444348338.0", Some(1_444_348_338_000_000)),
        ("1444348338.7041234567", Some(1_444_348_338_704_123)),
        ("1444348338.000001", Some(1_444_348_338_000_001)),
        ("1444348338.9999999", Some(1_444_348_338_999_999)),
        ("1.444348338704e9", Some(1_444_348_338_704_000)),
        ("1.444348338704E+9", Some(1_444_348_338_704_000)),
        ("14443483387040e-4", Some(1_444_348_338_704_000)),
        ("0", Some(0)),
        ("-0", Some(0)),
        ("-0.0e0", Some(0)),
        ("-1.5", Some(-1_500_000)),
        ("1e-999", Some(0)),
        ("0e999", Some(0)),
        ("-1e999", Some(-i64::MAX)),
        ("0.000001", Some(1)),
        ("0e99999", Some(0)),
        ("1e-99999999999", Some(0)),
        ("-1e-99999999999", Some(0)),
        ("1e-99999999999999999999999", Some(0)),
        ("1e-9223372036854775808", Some(0)),
        ("-1E+99999999999", Some(-i64::MAX)),
        ("0e-99999999999", Some(0)),
        ("0.0e99999999999999999999999", Some(0)),
        ("1e-6", Some(1)),
        ("1e-7", Some(0)),
        ("1e+00000000000000000000003", Some(1_000_000_000)),
        ("1444348338704000000000e-12", Some(1_444_348_338_704_000)),
        ("0.000000001444348338704e+18", Some(1_444_348_338_704_000)),
        ("\"2015-10-08T23:52:18.704Z\"", Some(1_444_348_338_704_000)),
        ("\"2015-10-09T01:52:18.704+02:00\"", Some(1_444_348_338_704_000)),
        ("\"2015-10-08T23:52:18Z\"", Some(1_444_348_338_000_000)),
        ("\"2015-10-08T23:52:18.7041239Z\"", Some(1_444_348_338_704_123)),
        ("\"yesterday\"", None),
        ("\"1444348338.704\"", None),
        ("\"\"", None),
        ("null", None),
        ("true", None),
        ("[1444348338]", None),
        ("{}", None),
    ]
    .iter()
    .enumerate()
    {
        let body = format!(
            r#"{{"trigger":"conversation:read","app":{{"_id":"{APP}"}},"timestamp":{written},"appUser":{{"_id":"u{n}"}}}}"#
        );
        assert_eq!(program.webhook(body).status, 200, "{written}");
        let time: Option<i64> = home.find("SELECT event_time FROM journal ORDER BY seq DESC LIMIT 1");
        assert_eq!(time, *expected, "{written}");
        assert_eq!(home.rows("journal"), n as i64 + 1, "{written}: journalled");
    }
}

#[test]
fn a_time_too_far_ahead_goes_to_quarantine_however_it_is_written() {
    let home = Home::new();
    let program = home.start();
    let far = [
        "1e999",
        "1e99999999999",
        "1e+99999999999999999999999",
        "1e9223372036854775807",
        "9223372036854775807",
    ];
    for written in far {
        let body = format!(
            r#"{{"trigger":"conversation:read","app":{{"_id":"{APP}"}},"timestamp":{written},"appUser":{{"_id":"u"}}}}"#
        );
        assert_eq!(program.webhook(body).status, 200, "{written}");
    }
    let future: i64 = home.find("SELECT count(*) FROM quarantine WHERE reason = 'future_dated'");
    assert_eq!(future, far.len() as i64);
}

#[test]
fn a_microsecond_decides_which_of_two_events_is_later() {
    for (earlier, later) in [
        ("1444348338.704", "1444348338.704001"),
        ("1444348338.9", "1444348339"),
        ("9e0", "10"),
        ("1444348338.70399999", "1.444348338704e9"),
        ("-2", "-1"),
    ] {
        for backwards in [false, true] {
            let home = Home::new();
            let program = home.start();
            let mut told = [(earlier, "earlier"), (later, "later")];
            if backwards {
                told.reverse();
            }
            for (received, name) in told {
                let body = format!(
                    r#"{{"trigger":"message:appUser","app":{{"_id":"{APP}"}},"messages":[{{"role":"appUser","received":{received}}}],"appUser":{{"_id":"a","givenName":"{name}"}}}}"#
                );
                assert_eq!(program.webhook(body).status, 200);
            }
            assert!(
                shown(&program, "a").contains("\"givenName\":\"later\""),
                "{earlier} {later} {backwards}"
            );
        }
    }
}

#[test]
fn a_number_is_shown_as_it_was_written_and_an_id_loses_no_digit() {
    let program = Home::new().start();
    let numbers = [
        "0",
        "-0",
        "-0.0",
        "1",
        "1.0",
        "1.10",
        "0.1e1",
        "1E+2",
        "1e-2",
        "1e999",
        "-1e999",
        "5e-324",
        "1e-999",
        "9007199254740993",
        "18446744073709551616",
        "12345678901234567890123456789.000000000000000000001",
        "0.30000000000000004",
    ];
    let properties: Vec<String> =
        numbers.iter().enumerate().map(|(n, number)| format!("\"p{n:02}\":{number}")).collect();
    let body = format!(
        r#"{{"trigger":"message:appUser","app":{{"_id":"{APP}"}},"appUser":{{"_id":9007199254740993,"userId":18446744073709551616,"properties":{{{}}}}}}}"#,
        properties.join(",")
    );
    assert_eq!(program.webhook(body).status, 200);
    for name in ["9007199254740993", "18446744073709551616"] {
        let text = shown(&program, name);
        assert!(
            text.contains("\"_id\":\"9007199254740993\"")
                && text.contains("\"userId\":\"18446744073709551616\""),
            "{text}"
        );
        assert!(text.contains(&format!("\"properties\":{{{}}}", properties.join(","))), "{text}");
    }
    assert_eq!(program.app_user("9007199254740992").status, 404);
}

/// F28.
#[test]
fn of_equal_keys_the_last_wins_at_every_depth_and_they_are_counted() {
    let home = Home::new();
    let program = home.start();
    let app = format!(r#""app":{{"_id":"{APP}"}}"#);
    // The body, the number of repeated keys in it, and the expected value of `a`.
    for (n, (body, repeated, expected)) in [
        (r#"{"trigger":"x","trigger":"message:appUser",APP,"appUser":{"_id":"ID"}}"#, 1, "\"conversationStarted\":true"),
        (r#"{"trigger":"message:appUser",APP,"appUser":{"_id":"wrong"},"appUser":{"_id":"ID","givenName":"n"}}"#, 1, "\"givenName\":\"n\""),
        (r#"{"trigger":"message:appUser",APP,"appUser":{"_id":"wrong","_id":"ID"}}"#, 1, "\"_id\":\"ID\""),
        (r#"{"trigger":"message:appUser",APP,"appUser":{"_id":"ID","givenName":"a","givenName":"b","givenName":"c"}}"#, 2, "\"givenName\":\"c\""),
        (r#"{"trigger":"message:appUser",APP,"appUser":{"_id":"ID","givenName":"a","givenName":null}}"#, 1, "\"conversationStarted\":true"),
        (r#"{"trigger":"message:appUser",APP,"appUser":{"_id":"ID","properties":{"k":1,"k":2}}}"#, 1, "\"properties\":{\"k\":2}"),
        (r#"{"trigger":"message:appUser",APP,"appUser":{"_id":"ID","properties":{"k":{"z":1,"z":2}}}}"#, 1, "\"k\":{\"z\":2}"),
        (r#"{"trigger":"message:appUser",APP,"appUser":{"_id":"ID","properties":{"k":1,"\u006b":2}}}"#, 1, "\"properties\":{\"k\":2}"),
        (r#"{"trigger":"message:appUser",APP,"appUser":{"_id":"ID","properties":{"":1,"":2}}}"#, 1, "\"properties\":{\"\":2}"),
        (r#"{"trigger":"message:appUser","app":{"_id":"another"},APP,"appUser":{"_id":"ID"}}"#, 1, "\"_id\":\"ID\""),
        (r#"{"trigger":"message:appUser","app":{"_id":"another","_id":"OWN"},"appUser":{"_id":"ID"}}"#, 1, "\"_id\":\"ID\""),
        (r#"{"trigger":"message:appUser",APP,"appUser":{"_id":"ID","properties":{"k":1,"K":2}}}"#, 0, "\"K\":2,\"k\":1"),
    ]
    .iter()
    .enumerate()
    {
        let id = format!("id-{n}");
        let body = body.replace("APP", &app).replace("ID", &id).replace("OWN", APP);
        let before = program.metric("rollcall_repeated_keys_total");
        assert_eq!(program.webhook(&body).status, 200, "{body}");
        let text = shown(&program, &id);
        assert!(text.contains(&expected.replace("ID", &id)), "{body}: {text}");
        assert_eq!(program.metric("rollcall_repeated_keys_total") - before, f64::from(*repeated), "{body}");
        assert_eq!(program.app_user("wrong").status, 404, "{body}");
    }
    let other_last =
        format!(r#"{{"trigger":"message:appUser",{app},"app":{{"_id":"another"}},"appUser":{{"_id":"z"}}}}"#);
    assert_eq!(program.webhook(other_last).status, 401, "the last one decides, whoever it is");
}
