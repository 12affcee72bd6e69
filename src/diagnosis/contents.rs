//! Checks of the data in the database.

use jiff::{SignedDuration, Timestamp};

use super::finding::{Finding, span};
use crate::config::{AppSettings, Settings};
use crate::store::sqlite::Health;

/// An app without an event for this long is worth a warning, with any settings.
const QUIET: SignedDuration = SignedDuration::from_hours(24);
/// An erasure that takes longer is blocked.
const ERASED_WITHIN: SignedDuration = SignedDuration::from_hours(1);

pub(super) fn all(settings: &Settings, health: &Health, now: Timestamp) -> Vec<Finding> {
    let mut findings = last_events(settings, health, now);
    findings.push(quarantine(health, now));
    findings.push(feed(health));
    findings.push(erasures(health, now));
    findings
}

fn time(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap_or_default()
}

/// Only webhooks count: an app may be silent while our own API is busy.
fn last_events(settings: &Settings, health: &Health, now: Timestamp) -> Vec<Finding> {
    const CHECK: &str = "last event";
    let of = |app: &AppSettings| {
        let last = health.last.iter().find(|(id, _)| id.as_str() == app.id);
        let age = last.map(|(_, ms)| now.duration_since(time(*ms)));
        let bound = app.silent_after.and_then(|bound| SignedDuration::try_from(bound).ok());
        let remedy = "check the webhook at Smooch (target, triggers, secret) and \
                      rollcall_webhook_rejected_total";
        match (age, bound) {
            (None, _) => Finding::warning(CHECK, format!("app {}: none yet", app.id), remedy),
            (Some(age), Some(bound)) if age > bound => {
                let (id, age, bound) = (&app.id, span(age), span(bound));
                Finding::wrong(CHECK, format!("app {id}: {age} ago, and silent_after is {bound}"), remedy)
            }
            (Some(age), _) if age > QUIET => {
                Finding::warning(CHECK, format!("app {}: {} ago", app.id, span(age)), remedy)
            }
            (Some(age), _) => Finding::fine(CHECK, format!("app {}: {} ago", app.id, span(age))),
        }
    };
    settings.apps.iter().map(of).collect()
}

fn quarantine(health: &Health, now: Timestamp) -> Finding {
    const CHECK: &str = "quarantine";
    let (count, newest) = health.quarantined;
    if count == 0 {
        return Finding::fine(CHECK, "is empty");
    }
    let bodies = if count == 1 { "1 body".to_owned() } else { format!("{count} bodies") };
    let said = format!("{bodies}, the newest received {} ago", span(now.duration_since(time(newest))));
    Finding::warning(CHECK, said, "`rollcall quarantine list` shows the reason for each")
}

fn feed(health: &Health) -> Finding {
    let of = |(app, last, oldest): &(crate::domain::AppId, u64, u64)| {
        let changes = if *last == 1 { "1 change".to_owned() } else { format!("{last} changes") };
        match oldest {
            0 | 1 => format!("app {app}: {changes}, all kept"),
            _ if oldest > last => format!("app {app}: {changes}, none kept"),
            _ => format!("app {app}: {changes}, kept from {oldest} on"),
        }
    };
    let said: Vec<String> = health.feeds.iter().map(of).collect();
    let said = if said.is_empty() { "no changes yet".to_owned() } else { said.join("; ") };
    Finding::fine("feed", said)
}

fn erasures(health: &Health, now: Timestamp) -> Finding {
    const CHECK: &str = "erasures";
    let age = health.erasing.map(|ms| now.duration_since(time(ms)));
    match age {
        None => Finding::fine(CHECK, "all are complete"),
        Some(age) if age > ERASED_WITHIN => Finding::warning(
            CHECK,
            format!("an erasure requested {} ago is not complete", span(age)),
            "look for a process with a long transaction on the database; erasure needs a running service",
        ),
        Some(age) => Finding::fine(CHECK, format!("one has been running for {}", span(age))),
    }
}
