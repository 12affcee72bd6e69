//! The table of all database reads made for callers: the class of readers and the bound. A handler names
//! a row, and its query runs on the readers of that class.

use serde_json::{Value, json};

use super::error::ApiError;
use crate::directory::DirectoryReader;
use crate::metrics::Metrics;
use crate::store;
use crate::store::readers::{ActiveRead, LaneLoad, ReadClass, Readers};

#[derive(Debug)]
pub(super) struct ReadKind {
    what: &'static str,
    class: ReadClass,
    /// The calls that use it, as the OpenAPI document names them, without their bases.
    calls: &'static [&'static str],
    /// The bound beside the time limit of its class.
    bound: &'static str,
}

/// Declares the table. A row is its name, the class of readers, a description, the calls, and the bound.
macro_rules! reads {
    ($($name:ident: $class:ident, $what:literal, [$($call:literal),*], $bound:literal;)*) => {
        $(pub(super) const $name: ReadKind =
            ReadKind { what: $what, class: ReadClass::$class, calls: &[$($call),*], bound: $bound };)*

        const ALL: &[&ReadKind] = &[$(&$name),*];
    };
}

reads! {
    READINESS: Probe, "a check that the database answers",
        ["GET /readyz", "GET /healthz", "GET /health"],
        "one row; it does not wait for a writer";
    REMAKING: Probe, "the derived tables that are being rebuilt",
        ["GET /readyz", "GET /metrics", "GET /health", "POST /rebuild"],
        "two rows";
    APP_USER: LookUp, "one app user",
        [
            "GET /appusers/{id}", "GET /appusers/{id}/channels", "GET /users/{id}",
            "GET /users/{id}/clients", "GET /users/{id}/devices", "GET /users/{id}/devices/{device}"
        ],
        "one app user with all its merged users (`ingest.group_members`)";
    RECEIPT: LookUp, "the receipt of an erasure", ["DELETE /appusers/{id}", "DELETE /users/{id}"], "one row";
    QUARANTINED: Console, "a body in quarantine", ["POST /quarantine/{seq}/redrive", "POST /quarantine/redrive", "DELETE /quarantine/{seq}"], "one row";
    CHANGES: Feed, "a page of changes", ["GET /changes"], "1,000 changes";
    SNAPSHOT: Long, "a page of the snapshot (`snapshot=true`)", ["GET /changes"], "1,000 app users";
    PAGE: Long, "a page of a list or a search",
        ["GET /appusers", "GET /users"],
        "1,000 app users (v2: 100), at most 4 MiB; 20,000 rows or 200 ms of scanning";
    COUNT: Long, "the number of matches (`count`)",
        ["GET /appusers", "GET /users"],
        "with a number, that many matches and 200,000 rows scanned; with `exact`, only the time limit. Other reads get a turn after every 20,000 rows";
    EXPORT: Long, "a page of a stream (`Accept: text/csv`, `application/x-ndjson`)",
        ["GET /appusers", "GET /downloads/{code}"],
        "100 app users, 20,000 rows or 200 ms of scanning; the next page is read when the connection has room for it";
    HISTORY: Long, "a page of a history", ["GET /appusers/{id}/history"], "`limits.history_events`";
    THEN: Long, "an app user in the past (`asOf`), with the event of each value (`include=provenance`), with its merges (`include=group`)",
        ["GET /appusers/{id}"],
        "`limits.history_events`";
    PERSON_FILE: Console, "all data of one person",
        ["GET /v1/apps/{app}/persons/{id}", "GET /downloads/{code}"],
        "`limits.history_events`, bodies of 32 MiB";
    TOMBSTONE: Console, "the tombstone of an app user",
        ["GET /v1/apps/{app}/tombstones/{id}"],
        "a record and a receipt";
    AUDIT: Console, "a page of the audit log",
        ["GET /audit", "GET /downloads/{code}"],
        "200 entries, for a table 1,000; 20,000 entries looked at";
    STORED_APP: Console, "whether anything is stored of an app that the settings do not have",
        ["GET /audit", "GET /journal", "GET /journal/tail", "GET /quarantine", "GET /stats", "POST /quarantine/redrive", "POST /quarantine/drop"],
        "one row of the directory; if it has none, the quarantine";
    AUDITED_USER: Console, "the `_id`s of an app user", ["GET /audit"], "one app user with all its merged users";
    CENSUS: Long, "the counts of the metrics and of the apps",
        ["GET /metrics", "GET /apps"],
        "a twentieth of one processor; the last count if a new one takes longer than 250 ms";
    JOURNAL_PAGE: Console, "a page of the journal", ["GET /journal"],
        "200 entries, 20,000 looked at; bodies of 64 MiB";
    JOURNAL_ENTRY: Console, "an entry of the journal, with what it changed", ["GET /journal/{seq}"],
        "`limits.history_events`";
    JOURNAL_BODY: Console, "the body of an entry", ["GET /journal/{seq}/body", "GET /downloads/{code}"], "the bodies of one batch";
    JOURNAL_TAIL: Console, "the next entries of the journal", ["GET /journal/tail"],
        "100 entries, 5,000 looked at in a second";
    QUARANTINE_SELECTION: Console, "the bodies that a redrive or a drop is of",
        ["POST /quarantine/redrive", "POST /quarantine/drop"],
        "only the time limit. Other reads get a turn after every 20,000 bodies";
    QUARANTINE_PAGE: Console, "a page of the quarantine, and the number of bodies by reason", ["GET /quarantine"],
        "200 bodies, 20,000 looked at; the numbers: only the time limit. Other reads get a turn after every 20,000 bodies";
    QUARANTINED_BODY: Console, "a body in quarantine with its headers",
        ["GET /quarantine/{seq}", "GET /quarantine/{seq}/body", "GET /downloads/{code}"],
        "one row";
    JOBS: Console, "the jobs of operators", ["GET /jobs"], "the last 1,000 jobs";
    JOB: Console, "a job", ["GET /jobs/{id}", "DELETE /jobs/{id}", "GET /jobs/{id}/failures", "GET /jobs/{id}/file", "GET /downloads/{code}"], "one row";
    JOB_FAILURES: Console, "what failed in a job", ["GET /jobs/{id}/failures"], "200 rows";
    JOB_USERS: Console, "the app users that a job is of", ["POST /jobs"],
        "only the time limit. Other reads get a turn after every 20,000 rows";
    JOB_BODIES: Console, "the bodies of the next step of a job", [], "64 bodies, 20,000 looked at";
    REPLAY_SELECTION: Console, "the entries that a replay is of", ["POST /journal/replay"],
        "only the time limit. Other reads get a turn after every 20,000 entries";
    REPLAYED: Console, "the entries of the next step of a replay", [], "64 entries with their bodies, 20,000 looked at";
    SEGMENTS: Console, "the segments", ["GET /segments"], "500 of each app";
    SEGMENT: Console, "a segment", ["POST /jobs", "GET /segments/{id}", "PUT /segments/{id}", "DELETE /segments/{id}"], "one row";
    TALLIES: Console, "counts over time", ["GET /stats"], "of each app 2,880 minutes or 9,600 hours";
    LAST_WEBHOOKS: Long, "the last webhook of each app, at the start", [], "10,000 entries of the journal";
}

/// The reads of a call, for the OpenAPI document; none if it reads nothing.
pub(super) fn of_call(call: &str) -> Option<Value> {
    let rows = ALL.iter().filter(|kind| kind.calls.contains(&call));
    let rows = rows.map(
        |ReadKind { what, class, bound, .. }| json!({ "what": what, "class": class.name(), "bound": bound }),
    );
    Some(rows.collect::<Vec<_>>()).filter(|rows| !rows.is_empty()).map(Value::from)
}

impl ReadKind {
    /// Admits a read. 503 if too many of its class wait.
    pub(super) fn begin(
        &self,
        readers: &Readers<DirectoryReader>,
    ) -> Result<ActiveRead<DirectoryReader>, ApiError> {
        Ok(readers.begin(self.class)?)
    }

    /// Runs a read of the service itself, one at a time.
    pub(super) async fn run_beside<T: Send + 'static>(
        &self,
        readers: &Readers<DirectoryReader>,
        read: impl FnOnce(&mut DirectoryReader) -> store::Result<T> + Send + 'static,
    ) -> Result<T, ApiError> {
        Ok(readers.run_beside(self.class, read).await?)
    }

    pub(super) async fn run<T: Send + 'static>(
        &self,
        readers: &Readers<DirectoryReader>,
        read: impl FnOnce(&mut DirectoryReader) -> store::Result<T> + Send + 'static,
    ) -> Result<T, ApiError> {
        let found = readers.run(self.class, read).await;
        found.map_err(|error| match error {
            // A single row is the smallest read, so a retry cannot ask for less.
            store::Error::Interrupted if self.class == ReadClass::LookUp => {
                store::Error::Unavailable("the look-up did not end in time".to_owned()).into()
            }
            error => error.into(),
        })
    }
}

pub(super) fn set_levels(readers: &Readers<DirectoryReader>, metrics: &Metrics) {
    for (class, load) in ReadClass::ALL.into_iter().zip(readers.loads()) {
        let LaneLoad { running, waiting, answered, refused, timed_out, hung_up } = load;
        let ended =
            [("answered", answered), ("refused", refused), ("timed_out", timed_out), ("hung_up", hung_up)];
        metrics.set_reads(class.name(), running, waiting, ended);
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;
    use crate::http::openapi;

    /// Calls that look at no database.
    const NONE: [&str; 17] = [
        "GET /settings",
        "GET /backups",
        "GET /webhooks",
        "GET /webhooks/{app}",
        "GET /livez",
        "GET /session",
        "GET /openapi.json",
        "GET /docs",
        "GET /docs/page.css",
        "GET /docs/page.js",
        "GET /docs/tokens.css",
        "GET /docs/icon.svg",
        "GET /",
        "GET /console",
        "GET /console/",
        "GET /console/{version}/{file}",
        "GET /console/{version}/{folder}/{file}",
    ];

    #[test]
    fn every_read_states_its_bounds() {
        let document: Value = serde_json::from_str(openapi::document()).unwrap();
        let mut named = std::collections::BTreeSet::new();
        for (path, item) in document["paths"].as_object().unwrap() {
            let Some(call) = item.get("get") else { continue };
            let silent = NONE.contains(&&*format!("GET {path}"));
            assert_ne!(call.get("x-reads").is_some(), silent, "GET {path}: what does it read?");
            named.extend(
                call["x-reads"].as_array().into_iter().flatten().map(|read| read["what"].clone().to_string()),
            );
        }
        for kind in ALL.iter().filter(|kind| kind.calls.iter().any(|call| call.starts_with("GET"))) {
            assert!(named.contains(&json!(kind.what).to_string()), "{}: no call of the document", kind.what);
        }
    }

    #[test]
    fn the_documentation_has_the_table() {
        let mut table =
            "| what is read | by | readers | bound beside their time |\n|---|---|---|---|\n".to_owned();
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/api.md");
        let documented = std::fs::read_to_string(path).unwrap();
        for ReadKind { what, class, calls, bound } in ALL {
            let calls: Vec<String> = calls.iter().map(|call| format!("`{call}`")).collect();
            writeln!(table, "| {what} | {} | {} | {bound} |", calls.join(", "), class.name()).unwrap();
        }
        assert!(documented.contains(&table), "docs/api.md lacks this:\n{table}");
    }
}
