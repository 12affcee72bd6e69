//! Row by row: after commands, webhooks, merges, removals and erasures in batches of any size, the stored rows equal
//! a fold of the journal beside them. `rollcall rebuild` makes the same comparison.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use rollcall::directory::DirectoryReader;
use rollcall::directory::compacted::read_compacted_page;
use rollcall::directory::rebuilt::rows_agree;
use rollcall::ingest::maintenance::{READING, reparse_event};
use rollcall::ingest::reapply::{load_compacted, reapply_events};
use rollcall::rebuild::{Comparison, ComparisonCursor, RebuildFolder};
use rollcall::store::Retention;
use rollcall::store::rows::{RebuiltRow, RebuiltTable, RowKey};
use rollcall::store::sqlite::{FileTask, derived_faults};

use super::random::{Step, Verb, steps};
use super::stored::{Sender, directory_over, open_directory, round};
use super::*;
use crate::support::journal;
use crate::support::memory::Memory;

/// The rows that differ from the journal.
pub fn differing(database: &std::path::Path) -> Vec<RebuiltRow> {
    let _scratch = RebuildFolder::take(database).unwrap();
    let mut comparison = Comparison::open(database).unwrap();
    comparison.catch_up(&mut |_| ()).unwrap();
    let (mut pass, mut all) = (ComparisonCursor::begin(), Vec::new());
    while let Some(found) = comparison.next(&mut pass, &mut |_| ()).unwrap() {
        all.extend(found);
    }
    all
}

/// The keys of the rows in memory that differ from the journal.
fn differing_in_memory(live: &DirectoryReader) -> Vec<RowKey> {
    let memory = Arc::<Memory>::default();
    let mut replay = directory_over(Box::new(memory.open()));
    load_compacted(
        &mut replay,
        read_compacted_page(&*live.snapshot().unwrap(), None, usize::MAX >> 1).unwrap(),
    )
    .unwrap();
    let last = live.last_entry_seq().unwrap();
    let folded = live.compaction_point().unwrap().folded;
    let journal = journal(live, folded, usize::MAX >> 1);
    let events = journal.iter().map(|(entry, body)| (entry, reparse_event(entry.source, body, entry.place)));
    reapply_events(&mut replay, &events.collect::<Vec<_>>(), last).unwrap();
    let replayed = DirectoryReader::new(memory.reader());
    let rows = |reader: &DirectoryReader| -> BTreeMap<RowKey, RebuiltRow> {
        let snapshot = reader.snapshot().unwrap();
        let all = RebuiltTable::ALL.map(|table| table.read_after(&*snapshot, None, usize::MAX >> 1).unwrap());
        all.concat().into_iter().map(|row| (row.key.clone(), row)).collect()
    };
    let (live, replayed) = (rows(live), rows(&replayed));
    let agree = |key: &RowKey| {
        live.get(key).zip(replayed.get(key)).is_some_and(|(live, replayed)| rows_agree(live, replayed))
    };
    live.keys().chain(replayed.keys()).filter(|key| !agree(key)).cloned().collect()
}

/// Retention leaves the journal's last `keep` entries; `None` is no limit.
fn history(rounds: &[(Vec<Step>, usize)], keep: Option<u64>) -> Result<(), TestCaseError> {
    let retention = Retention { history_entries: keep, ..Retention::default() };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let mut directory = open_directory(&path);
    let mut sender = Sender::default();
    for (steps, batch_jobs) in rounds {
        round(&mut directory, &mut sender, steps, *batch_jobs, retention);
        while directory.maintenance_step(&retention, 0, &READING).unwrap() {}
    }
    prop_assert_eq!(differing(&path), vec![]);
    let mut told = |_, _, _| {};
    let mut work = FileTask { progress: &mut told, stop: Default::default(), wal_limit: u64::MAX };
    prop_assert_eq!(derived_faults(&path, &mut work).unwrap(), vec![]);
    let memory = Arc::<Memory>::default();
    let (mut directory, mut sender) = (directory_over(Box::new(memory.open())), Sender::default());
    for (steps, batch_jobs) in rounds {
        round(&mut directory, &mut sender, steps, *batch_jobs, retention);
        while directory.maintenance_step(&retention, 0, &READING).unwrap() {}
    }
    prop_assert_eq!(differing_in_memory(&DirectoryReader::new(memory.reader())), vec![]);
    Ok(())
}

/// A step in a batch of its own.
fn alone(steps: impl IntoIterator<Item = Step>) -> Vec<(Vec<Step>, usize)> {
    steps.into_iter().map(|step| (vec![step], 1)).collect()
}

fn seen_at(time: i64, user: &str) -> Step {
    Step::Told(time, vec![Fact::Seen(seen(user, vec![given(Field::UserId, user)]))])
}

fn merged_at(time: i64, surviving: &'static str, discarded: &'static str) -> Step {
    Step::Told(time, vec![merged(surviving, discarded)])
}

/// `s1` is erased, by the place it has among those that a command can name.
const ERASE_S1: Step = Step::Command(Verb::Erase { only: false }, 0, 0);

#[test]
fn a_later_merge_into_an_erased_user_is_no_difference() {
    let histories = [
        vec![
            seen_at(1, "s1"),
            ERASE_S1,
            merged_at(2, "s2", "s3"),
            seen_at(3, "s3"),
            merged_at(4, "s1", "s2"),
        ],
        vec![
            seen_at(1, "s1"),
            ERASE_S1,
            seen_at(3, "s3"),
            merged_at(2, "s2", "s3"),
            merged_at(4, "s1", "s2"),
        ],
        vec![
            seen_at(1, "s1"),
            ERASE_S1,
            merged_at(4, "s1", "s2"),
            merged_at(2, "s2", "s3"),
            seen_at(3, "s3"),
        ],
        vec![
            seen_at(1, "s1"),
            seen_at(2, "s2"),
            merged_at(3, "s1", "s2"),
            ERASE_S1,
            seen_at(4, "s2"),
            seen_at(5, "s1"),
        ],
        vec![
            seen_at(1, "s1"),
            merged_at(2, "s2", "s3"),
            ERASE_S1,
            seen_at(3, "s3"),
            seen_at(4, "s2"),
            merged_at(5, "s1", "s2"),
            seen_at(6, "s3"),
        ],
    ];
    for steps in histories {
        for keep in [None, Some(0), Some(2)] {
            history(&alone(steps.clone()), keep).unwrap();
        }
        history(&[(steps.clone(), 16)], None).unwrap();
    }
}

/// A few app users that are erased, removed, merged and mentioned repeatedly.
fn ends() -> impl Strategy<Value = Vec<Step>> {
    let user = || select(&["s1", "s2", "s3"][..]);
    let place = || 0..3_usize;
    let step = prop_oneof![
        4 => (0..9_i64, user()).prop_map(|(time, user)| seen_at(time, user)),
        5 => (0..9_i64, user(), user()).prop_map(|(time, one, other)| merged_at(time, one, other)),
        2 => (any::<bool>(), place()).prop_map(|(only, n)| Step::Command(Verb::Erase { only }, n, 0)),
        1 => place().prop_map(|n| Step::Command(Verb::Delete, n, 0)),
        1 => (0..9_i64, user()).prop_map(|(time, user)| Step::Told(time, vec![Fact::Removed { user: user.into() }])),
        1 => (place(), place()).prop_map(|(one, other)| Step::Command(Verb::Unmerge, one, other)),
        1 => (0..8_usize).prop_map(Step::Again),
    ];
    vec(step, 0..=6)
}

proptest! {
    #![proptest_config(crate::convergence::cases(100))]

    #[test]
    fn every_stored_row_equals_the_fold_of_the_journal(
        rounds in vec((steps(12), 1..8_usize), 1..5),
        keep in proptest::option::of(0..12_u64),
    ) {
        history(&rounds, keep)?;
    }

    #[test]
    fn erasures_removals_and_merges_in_any_order_equal_the_fold_of_the_journal(
        rounds in vec((ends(), 1..5_usize), 1..5),
        keep in proptest::option::of(0..6_u64),
    ) {
        history(&rounds, keep)?;
    }
}
