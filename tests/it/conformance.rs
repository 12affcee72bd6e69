//! What every store must do. Each check runs over each store; a store is added in [`Bench`].

mod batches;
mod commands;
mod lists;
mod maintenance_rows;
mod misuse;
mod operator_jobs;
mod reads;
mod recorded;
mod rows;
mod tallies;
mod upkeep;

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use rollcall::directory::batch::{Batch, Keys, Link, Reported, Saved};
use rollcall::directory::{DirectoryReader, DirectoryTransaction, DirectoryWriter, QuarantineLimits};
use rollcall::domain::{
    AppId, ClientId, Digest, Event, Fact, Field, Mention, Observation, Reason, RecordKey, SmoochId, Stamp,
    WorkingSet,
};
use rollcall::store::readers::StoreReader;
use rollcall::store::rows::ContentCounts;
use rollcall::store::sqlite::{SqliteReader, StoreOptions};
use rollcall::store::{Entry, Outcome, Quarantined, Seq, Source, Store};
use tempfile::TempDir;

use self::batches::*;
use self::commands::*;
use self::lists::*;
use self::maintenance_rows::*;
use self::operator_jobs::*;
use self::reads::*;
use self::recorded::Recorded;
use self::rows::*;
use self::tallies::*;
use self::upkeep::*;
use crate::support::memory::Memory;
use crate::support::open_store;

/// The bounds of the quarantine: bodies, and their bytes.
const LIMITS: QuarantineLimits = QuarantineLimits { bodies: 5, bytes: 1000 };

/// A place at which a store is opened, once or again and again.
pub enum Bench {
    Sqlite(TempDir),
    Memory(Arc<Memory>),
}

impl Bench {
    fn sqlite() -> Self {
        Self::Sqlite(tempfile::tempdir().unwrap())
    }

    fn memory() -> Self {
        Self::Memory(Arc::default())
    }

    fn store(&self) -> Box<dyn Store> {
        let store: Box<dyn Store> = match self {
            Self::Sqlite(dir) => {
                let (wal_checkpoint, wal_limit) = (1 << 20, 1 << 22);
                let path = dir.path().join("store.db");
                Box::new(open_store(&StoreOptions { path, wal_checkpoint, wal_limit }))
            }
            Self::Memory(memory) => Box::new(memory.open()),
        };
        Box::new(Recorded(store))
    }

    /// A reader of a store that was opened before.
    fn store_reader(&self) -> Recorded<Box<dyn StoreReader>> {
        Recorded(match self {
            Self::Sqlite(dir) => Box::new(SqliteReader::open(&dir.path().join("store.db")).unwrap()),
            Self::Memory(memory) => Box::new(memory.reader()),
        })
    }

    fn open(&self) -> (DirectoryWriter, DirectoryReader) {
        let store = self.store();
        let reader = DirectoryReader::new(self.store_reader());
        (DirectoryWriter::open(store, LIMITS).unwrap(), reader)
    }
}

macro_rules! checks {
    ($(opened $opened:ident,)* --- $(reopened $reopened:ident,)* --- $(bench $bench:ident,)*) => {
        /// Every check.
        const CHECKS: &[fn(&Bench)] = &[
            $(|bench| { let (store, reader) = bench.open(); $opened(store, reader); },)*
            $(|bench| $reopened(&|| bench.open()),)*
            $($bench,)*
        ];
        checks! { @over sqlite: $($opened)*; $($reopened)*; $($bench)* }
        checks! { @over memory: $($opened)*; $($reopened)*; $($bench)* }
    };
    (@over $store:ident: $($opened:ident)*; $($reopened:ident)*; $($bench:ident)*) => {
        mod $store {
            use super::Bench;

            $(#[test] fn $opened() { let bench = Bench::$store(); let (store, reader) = bench.open(); super::$opened(store, reader); })*
            $(#[test] fn $reopened() { let bench = Bench::$store(); super::$reopened(&|| bench.open()); })*
            $(#[test] fn $bench() { super::$bench(&Bench::$store()); })*

            #[test]
            fn every_operation_of_the_seam_is_called() {
                super::CHECKS.iter().for_each(|check| check(&Bench::$store()));
                assert_eq!(super::recorded::uncalled(), [""; 0]);
            }
        }
    };
}

checks! {
    opened uncommitted_writes_vanish,
    opened a_commit_is_seen_by_the_next_transaction,
    opened a_load_brings_everybody_whom_merges_connect,
    opened a_load_brings_the_holder_of_a_client_with_its_group,
    opened a_load_brings_who_may_hold_a_client_next,
    opened a_list_shows_roots_in_the_order_of_their_ids,
    opened a_user_id_resolves_to_who_said_it_last,
    opened the_journal_of_an_app_user_is_walked_back_to_a_time,
    opened what_a_batch_came_to_is_counted,
    opened apps_are_walls,
    opened a_load_brings_whom_a_command_looks_for_and_who_holds_their_clients,
    opened a_load_brings_who_carries_a_user_id_that_is_new_to_another,
    opened the_journal_says_who_told,
    opened a_body_that_is_released_makes_room_in_quarantine,
    opened pages_have_whoever_fits_in_order_however_few_are_looked_at,
    opened who_moves_while_a_list_is_read_is_told_of_once,
    opened a_row_follows_the_group_it_stands_for,
    opened a_list_of_one_app_is_no_others,
    opened a_name_means_an_id_else_a_user_id,
    opened changes_are_numbered_for_each_app_and_read_in_pages,
    opened a_history_is_of_everybody_whom_merges_connect,
    opened retention_of_each_class_deletes_the_oldest_alone,
    opened a_journal_with_deleted_entries_has_no_holes,
    opened an_erasure_leaves_nothing_of_the_person,
    opened two_erasures_are_worked_on_together,
    opened the_audit_log_is_written_with_its_change_and_read_in_pages,
    opened a_repair_is_in_the_feed,
    opened records_are_exported_and_loaded_elsewhere,
    opened operators_see_the_journal_and_the_quarantine,
    opened counts_of_batches_without_writes_are_stored_later,
    opened old_tallies_are_deleted,
    opened jobs_and_segments_are_written_and_read,
    opened an_erasure_forgets_jobs_and_segments_that_name_the_person,
    ---
    reopened numbers_rise_and_survive_reopening,
    reopened an_answer_is_kept_for_a_day,
    reopened the_clock_never_runs_back,
    reopened the_quarantine_keeps_the_newest_within_its_bounds,
    reopened tallies_add_up_over_batches_and_openings,
    ---
    bench a_store_that_is_abandoned_keeps_what_was_committed,
    bench a_snapshot_is_of_one_moment,
    bench users_are_read_by_key_by_order_and_by_range,
    bench identifiers_lead_to_their_holders,
    bench the_journal_is_written_and_read,
    bench the_feed_is_written_and_read,
    bench answers_and_quarantined_bodies_are_written_and_read,
    bench erasures_are_written_and_read,
    bench sessions_are_written_and_read,
    bench the_audit_log_is_written_and_read,
    bench a_damaged_tally_begins_again,
}

const APP: &str = "app-1";

fn key(app: &str, id: &str) -> RecordKey {
    (app.into(), id.into())
}

/// What one event says; its time is its number.
fn event(time: i64, facts: Vec<Fact>) -> Event {
    let mut digest: Digest = [0; 16];
    digest[..8].copy_from_slice(&time.to_le_bytes());
    Event { trigger: "test".into(), stamp: Arc::new(Stamp { time, event: "".into(), digest }), facts }
}

fn seen(id: &str) -> Fact {
    Fact::Seen(Observation::bare(id.into()))
}

fn named(id: &str, user_id: &str) -> Fact {
    let fields = vec![(Field::UserId, Some(format!("\"{user_id}\"").into()))];
    Fact::Seen(Observation { fields, ..Observation::bare(id.into()) })
}

fn merged(surviving: &str, discarded: &str) -> Fact {
    Fact::Merged { surviving: surviving.into(), discarded: discarded.into(), reason: Reason::Webhook }
}

fn bound(user: &str, client: &str) -> Fact {
    let value = Some(Mention { active: Some(true), rest: "{}".into() });
    Fact::ClientChanged { user: user.into(), client: client.into(), value }
}

fn removed(id: &str) -> Fact {
    Fact::Removed { user: id.into() }
}

fn keys(app: &str, events: &[Event]) -> Keys {
    let mut keys = Keys::default();
    let app = AppId::from(app);
    for fact in events.iter().flat_map(|event| &event.facts) {
        let users = || fact.users().into_iter().flatten().map(|id| (app.clone(), id.clone()));
        keys.users.extend(users());
        keys.claims.extend(users().flat_map(|user| fact.claims().map(move |client| (user.clone(), client))));
        keys.takes_back.extend(users().filter(|_| fact.may_retract_clients()));
        if matches!(fact, Fact::Removed { .. } | Fact::Merged { .. }) {
            keys.ends.extend(users());
        }
        if let Fact::Seen(seen) = fact {
            let user_ids = seen.fields.iter().filter(|(field, _)| *field == Field::UserId);
            let user = (app.clone(), seen.user.clone());
            let reported = user_ids.filter_map(|(_, text)| text.clone());
            let reported =
                reported.map(|text| Reported { key: user.clone(), user_id: Some(text), brand: None });
            keys.reported.extend(reported);
        }
    }
    keys
}

/// A batch of these events, received at their own time, as the worker makes one.
fn batch(txn: &mut DirectoryTransaction<'_>, app: &str, events: &[Event]) -> Batch {
    let mut directory = txn.load(&keys(app, events), 100).unwrap();
    let mut entries: Vec<Entry> = Vec::new();
    for (n, event) in events.iter().enumerate() {
        directory.apply_event(&app.into(), event).unwrap();
        let seq = txn.next_entry() + n as Seq;
        let users = event
            .users()
            .into_iter()
            .map(|id| (id.clone(), directory.record_mut(&app.into(), id).head.replace(seq)));
        let users = users.collect();
        let (received, event_time) = (event.stamp.time, event.stamp.known_time());
        let (trigger, digest) = (Arc::from(&*event.trigger), event.stamp.digest);
        let outcome = if n % 2 == 0 { Outcome::Learned } else { Outcome::Kept };
        entries.push(Entry {
            source: Source::Webhook,
            seq,
            app: app.into(),
            received,
            event_time,
            trigger,
            outcome,
            digest,
            users,
            body: n,
            place: n * 2,
        });
    }
    let bodies = events.iter().map(|event| body(event.stamp.time)).collect();
    Batch { entries, bodies, ..Batch::of_directory(directory, 0, 0) }
}

fn body(time: i64) -> Bytes {
    Bytes::from(format!("the body of {time}").repeat(usize::try_from(time % 7).unwrap()))
}

fn store(store: &mut DirectoryWriter, app: &str, events: &[Event]) -> Saved {
    let mut txn = store.begin().unwrap();
    let batch = batch(&mut txn, app, events);
    let (saved, _) = txn.commit(&batch).unwrap();
    store.after_commit().unwrap();
    saved
}

fn load(store: &mut DirectoryWriter, keys: &Keys) -> WorkingSet {
    store.begin().unwrap().load(keys, 100).unwrap()
}

fn ids(directory: &WorkingSet) -> BTreeSet<&str> {
    directory.entries().map(|((_, id), _)| id.as_str()).collect()
}

fn quarantined(bytes: usize) -> Quarantined {
    let text = || "x".to_owned();
    let (app, body) = (APP.into(), Bytes::from(vec![b'x'; bytes]));
    Quarantined { app, received: 1, reason: text(), detail: text(), headers: text(), body }
}
