//! Metrics, alert rules and dashboards over them, silent apps, and request ids in the log.

mod requests;
mod rules;
mod silence;

use serde_json::json;

use crate::feed::api;
use crate::feed::follower::Stream;
use crate::support::{APP, Home, Program, first_message, until};

/// A service to which everything has happened that is counted.
pub fn seen_much(home: &Home) -> Program {
    let program = home.start();
    for id in ["ann", "bob", "cat"] {
        assert_eq!(program.webhook(first_message(id, 1_444_348_338.0)).status, 200);
    }
    assert_eq!(program.webhook(first_message("ann", 1_444_348_338.0)).status, 200);
    assert_eq!(program.webhook("no JSON").status, 200);
    assert_eq!(program.request("POST", "/webhooks", &[], b"{}").status, 401);
    let merge = json!({ "surviving": { "_id": "ann" }, "discarded": { "_id": "bob" } });
    assert_eq!(api(&program, "POST", "/v1/appusers/merge", &merge).status, 200);
    assert_eq!(api(&program, "DELETE", "/v1/appusers/cat", &json!({})).status, 200);
    // A malformed head is refused before the route look-up.
    let mut broken = crate::support::Connection::open(program.listen);
    assert!(broken.send("no request at all\r\n\r\n"));
    assert_eq!(broken.answer().unwrap().status, 400);
    program
}

#[test]
fn the_metrics_show_all_levels() {
    let home = Home::new();
    let program = seen_much(&home);
    until("the users are counted", || program.metric("rollcall_users{}") == 1.0);
    let _stream = Stream::open(program.listen, "/v1/changes", None).unwrap();
    until("the follower is counted", || program.metric("rollcall_feed_readers") == 1.0);
    let of = |name: &str| program.metric(name);
    for (outcome, count) in [
        ("stored", 3.0),
        ("repeated", 1.0),
        ("quarantined", 1.0),
        ("unauthorized", 1.0),
        ("unavailable", 0.0),
    ] {
        assert_eq!(
            of(&format!("rollcall_webhook_requests_total{{outcome=\"{outcome}\"}}")),
            count,
            "{outcome}"
        );
    }
    assert_eq!(of("rollcall_events_total{outcome=\"repeated\"}"), 1.0);
    assert_eq!((of("rollcall_merges_total"), of("rollcall_app_users_created_total")), (1.0, 3.0));
    assert_eq!((of("rollcall_quarantine_bodies{}"), of("rollcall_quarantine_bytes{}")), (1.0, 7.0));
    let by_app = |name: &str| of(&format!("rollcall_{name}{{app=\"{APP}\"}}"));
    let last = by_app("last_event_timestamp_seconds");
    let now = jiff::Timestamp::now().as_second() as f64;
    assert!((now - 60.0..=now).contains(&last), "{last} is of this minute");
    assert_eq!((by_app("feed_oldest_sequence"), by_app("feed_last_sequence")), (1.0, 6.0));
    home.sql().execute("DELETE FROM changes WHERE seq < 4", []).unwrap();
    until("the trimming is seen", || by_app("feed_oldest_sequence") == 4.0);
    assert_eq!(by_app("app_silent"), 0.0);
    let size = |name: &str| home.path().join(name).metadata().unwrap().len() as f64;
    assert_eq!(of("rollcall_store_size_bytes"), size("rollcall.db"));
    assert_eq!(of("rollcall_wal_size_bytes"), size("rollcall.db-wal"));
    assert_eq!(of("rollcall_wal_limit_bytes"), f64::from(256 << 20));
    assert!(of("process_resident_memory_bytes") > 1e6 && of("process_open_fds") > 3.0);
    assert!(of("process_start_time_seconds") > now - 3600.0 && of("process_cpu_seconds_total") >= 0.0);
    let text = program.admin("/metrics").text;
    for line in [
        concat!("rollcall_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1"),
        "rollcall_store_commit_duration_seconds_bucket{le=\"0.001\"}",
        "rollcall_webhook_request_duration_seconds_bucket{le=\"20.0\"} 5",
        "rollcall_backup_last_success_timestamp_seconds 0",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    assert!(text.ends_with("# EOF\n"), "{text}");
}
