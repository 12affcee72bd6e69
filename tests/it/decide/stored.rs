//! The same through the queue, the worker and each store, in batches of any size: the stored state equals the journal.

use std::future::{Future, poll_fn};
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use rollcall::directory::{DirectoryReader, DirectoryWriter, QuarantineLimits, open_reader};
use rollcall::domain::command::{CommandOutcome, Refusal};
use rollcall::ingest::commit_notifier::CommitNotifier;
use rollcall::ingest::heartbeat::WorkerHeartbeat;
use rollcall::ingest::job::{CommandJob, CommandResult, WebhookJob};
use rollcall::ingest::maintenance::READING;
use rollcall::ingest::queue::{self, Queue, SubmitError};
use rollcall::ingest::worker::{Worker, WorkerOptions};
use rollcall::smooch;
use rollcall::store::sqlite::StoreOptions;
use rollcall::store::{Retention, Store};
use serde_json::{Value, json};

use super::random::{Step, command, linked_steps};
use super::*;
use crate::rebuild::{ANYTHING, Rebuilt};
use crate::support::memory::Memory;
use crate::support::{by_user_id, journal, open_store};

type Waiting = Pin<Box<dyn Future<Output = Result<Option<CommandResult>, SubmitError>>>>;

/// The input. The receiver's clock, in s, advances by one with each item.
#[derive(Default)]
pub struct Sender {
    now: i64,
    known: Vec<SmoochId>,
    told: Vec<Vec<u8>>,
}

impl Sender {
    /// The step on its way to the queue; nothing if there is nothing to repeat.
    fn send(&mut self, step: &Step, queue: &Queue) -> Option<Waiting> {
        self.now += 1;
        let (queue, received) = (queue.clone(), self.now * 1000);
        if let Some(command) = command(step, &self.known) {
            let asked = CommandJob { app: app(), command, received, idempotency_key: None, by: None };
            return Some(Box::pin(async move { queue.submit_command(asked, None).await.map(Some) }));
        }
        match step {
            Step::Told(time, facts) => self.told.push(body(*time, &facts[0])),
            Step::Again(n) if !self.told.is_empty() => {
                // Within the time in which it is expected, and beyond.
                self.now += if n % 2 == 0 { 0 } else { 3600 };
                let again = self.told[n % self.told.len()].clone();
                self.told.push(again);
            }
            _ => return None,
        }
        let body = self.told.last().unwrap().clone();
        let read = smooch::parse_webhook(&body, &ANYTHING).unwrap();
        let events = read.events.into_iter().enumerate().map(|(place, event)| (place, event.unwrap()));
        let delivered = WebhookJob {
            app: app(),
            received: self.now * 1000,
            body: body.into(),
            events: events.collect(),
            unusable: Vec::new(),
            headers: String::new(),
        };
        Some(Box::pin(async move { queue.submit_webhook(delivered).await.map(|_| None) }))
    }
}

/// A v2 webhook with the fields of an app user.
fn of_brand(time: i64, seen: &Observation) -> Vec<u8> {
    let mut user = json!({ "id": seen.user.as_str() });
    for (field, value) in &seen.fields {
        let value: Value = value.as_ref().map_or(Value::Null, |text| serde_json::from_str(text).unwrap());
        match field {
            Field::UserId => user["externalId"] = value,
            field if *field == Field::BrandId => user["brandId"] = value,
            _ => user["metadata"] = json!({ "plan": value }),
        }
    }
    let mut event = json!({ "id": "e", "type": "user:update", "payload": { "user": user } });
    if time != Stamp::NO_TIME {
        event["createdAt"] = format!("1970-01-01T00:00:{time:02}Z").into();
    }
    serde_json::to_vec(&json!({ "app": { "id": app().as_str() }, "events": [event] })).unwrap()
}

/// A webhook with this fact, if there is one: v1 except for brands.
fn body(time: i64, fact: &Fact) -> Vec<u8> {
    if let Fact::Seen(seen) = fact
        && seen.fields.iter().any(|(field, _)| *field == Field::BrandId)
    {
        return of_brand(time, seen);
    }
    let (trigger, mut rest) = match fact {
        Fact::Seen(seen) => {
            let mut user = json!({ "_id": seen.user.as_str() });
            let mut properties = json!({});
            for (field, value) in &seen.fields {
                let value: Value = serde_json::from_str(value.as_ref().unwrap()).unwrap();
                match field {
                    Field::UserId => user["userId"] = value,
                    _ => properties["plan"] = value,
                }
            }
            if !seen.complete.is_empty() {
                user["clients"] = seen.clients.iter().map(|(id, mention)| client(id, mention)).collect();
                user["properties"] = properties;
            }
            ("conversation:read", json!({ "appUser": user }))
        }
        Fact::Merged { surviving, discarded, .. } => {
            let user = |id: &SmoochId| json!({ "_id": id.as_str() });
            ("merge:appUser", json!({ "surviving": user(surviving), "discarded": [user(discarded)] }))
        }
        Fact::ClientBound { user, client, .. } => ("client:add", of_client(user, client, None)),
        Fact::ClientChanged { user, client, value: Some(value) } => {
            ("client:update", of_client(user, client, Some(value)))
        }
        Fact::ClientChanged { user, client, value: None } => ("client:remove", of_client(user, client, None)),
        Fact::Removed { user } => ("appUser:delete", json!({ "appUser": { "_id": user.as_str() } })),
        other => panic!("no webhook says {other:?}"),
    };
    rest["trigger"] = trigger.into();
    rest["app"] = json!({ "_id": app().as_str() });
    if time != Stamp::NO_TIME {
        rest["timestamp"] = time.into();
    }
    serde_json::to_vec(&rest).unwrap()
}

fn of_client(user: &SmoochId, id: &ClientId, said: Option<&Mention>) -> Value {
    let client = said.map_or_else(|| json!({ "id": id.as_str(), "active": true }), |said| client(id, said));
    json!({ "version": "v1.1", "appUser": { "_id": user.as_str() }, "client": client })
}

fn client(id: &ClientId, said: &Mention) -> Value {
    let mut client: Value = serde_json::from_str(&said.rest).unwrap();
    client["id"] = id.as_str().into();
    client["active"] = said.active.into();
    client
}

/// Puts all of these into the queue, lets a worker do them in batches of at most `batch_jobs`, and returns the answer
/// of the last one, if it is a command.
pub fn round(
    directory: &mut DirectoryWriter,
    sender: &mut Sender,
    steps: &[Step],
    batch_jobs: usize,
    retention: Retention,
) -> Option<Result<CommandOutcome, Refusal>> {
    let (queue, jobs) = queue::bounded(steps.len().max(1), usize::MAX, Duration::from_secs(60));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let mut waiting: Vec<Waiting> = Vec::new();
        for step in steps {
            let Some(mut sent) = sender.send(step, &queue) else { continue };
            let polled = poll_fn(|context| Poll::Ready(sent.as_mut().poll(context).is_pending())).await;
            assert!(polled, "it waits for the worker");
            waiting.push(sent);
        }
        queue.close();
        let (commits, heartbeat) = (CommitNotifier::default(), WorkerHeartbeat::default());
        let options = WorkerOptions { batch_jobs, group_members: 100, retention, commits, heartbeat };
        std::thread::scope(|scope| {
            let run = move || Worker::new(directory, options, Arc::default()).run(&jobs);
            scope.spawn(run).join().unwrap().unwrap();
        });
        let mut last = None;
        for sent in waiting {
            last = match sent.await.unwrap() {
                Some(CommandResult::Fresh(answer)) => Some(*answer),
                None => None,
                other => panic!("{other:?}"),
            };
            if let Some(Ok(CommandOutcome { user: Some(view), .. })) = &last {
                sender.known.push(view.id.clone());
            }
        }
        last
    })
}

/// Opens the directory in this file.
pub fn open_directory(path: &Path) -> DirectoryWriter {
    let (wal_checkpoint, wal_limit) = (1 << 20, 1 << 22);
    let store = open_store(&StoreOptions { path: path.to_owned(), wal_checkpoint, wal_limit });
    directory_over(Box::new(store))
}

/// A directory over a store.
pub fn directory_over(store: Box<dyn Store>) -> DirectoryWriter {
    let limits = QuarantineLimits { bodies: 10, bytes: 1 << 20 };
    DirectoryWriter::open(store, limits).unwrap()
}

/// Retention leaves the journal's last `keep` entries; `None` is no limit.
pub fn history(rounds: &[(Vec<Step>, usize)], keep: Option<u64>) -> Result<(), TestCaseError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    history_over(open_directory(&path), &open_reader(&path).unwrap(), rounds, keep)?;
    let memory = Arc::<Memory>::default();
    let directory = directory_over(Box::new(memory.open()));
    history_over(directory, &DirectoryReader::new(memory.reader()), rounds, keep)
}

fn history_over(
    mut directory: DirectoryWriter,
    reader: &DirectoryReader,
    rounds: &[(Vec<Step>, usize)],
    keep: Option<u64>,
) -> Result<(), TestCaseError> {
    let retention = Retention { history_entries: keep, ..Retention::default() };
    let mut sender = Sender::default();
    for (steps, batch_jobs) in rounds {
        let last = round(&mut directory, &mut sender, steps, *batch_jobs, retention);
        Rebuilt::afresh(reader).compare_all(reader);
        while directory.maintenance_step(&retention, 0, &READING).unwrap() {}
        let rebuilt = Rebuilt::afresh(reader);
        rebuilt.compare_all(reader);
        let kept = journal(reader, 0, usize::MAX >> 1).len() as u64;
        prop_assert!(keep.is_none_or(|keep| kept <= keep), "{} entries", kept);
        for name in super::random::NAMES {
            let live = by_user_id(reader, &app(), name);
            prop_assert_eq!(live, rebuilt.directory.by_user_id(&app(), &json_text(name)), "{}", name);
        }
        if let Some(Ok(CommandOutcome { user, other, .. })) = last {
            for view in user.iter().chain(&other) {
                let live = reader.find_by_id(&app(), &view.id).unwrap();
                prop_assert_eq!(live.as_ref(), Some(view), "the last answer");
            }
        }
    }
    Ok(())
}

#[test]
fn a_device_whose_holder_is_deleted_falls_to_the_next_alone() {
    let bound = |(time, user): (i64, &&str)| {
        let fact = Fact::ClientBound { user: (*user).into(), client: "d1".into(), also: Vec::new() };
        (vec![Step::Told(time, vec![fact])], 1)
    };
    let mut rounds: Vec<_> = (1..).zip(&["s1", "s2", "s3"]).map(bound).collect();
    for gone in [2, 1] {
        rounds.push((vec![Step::Command(super::random::Verb::Delete, gone, 0)], 1));
        history(&rounds, None).unwrap();
    }
}

#[test]
fn a_user_merged_by_name_into_one_that_an_erased_user_absorbs_is_removed_in_the_journal_as_well() {
    use super::random::Verb;
    let merged = |surviving: &str, discarded: &str| {
        let reason = Reason::Webhook;
        let fact = Fact::Merged { surviving: surviving.into(), discarded: discarded.into(), reason };
        Step::Told(Stamp::NO_TIME, vec![fact])
    };
    let init = || Step::Init("d1", None);
    let seen = Observation {
        fields: vec![(Field::UserId, Some(json_text("eve")))],
        ..Observation::bare("s2".into())
    };
    let rounds = [
        (vec![merged("s1", "s3"), Step::Command(Verb::Erase { only: false }, 0, 0)], 1),
        (vec![init(), Step::Create("eve", None)], 1),
        (
            vec![
                Step::Told(Stamp::NO_TIME, vec![Fact::Seen(seen)]),
                Step::Command(Verb::Merge, 0, 2),
                Step::Command(Verb::Merge, 0, 2),
                init(),
                merged("s3", "s2"),
                init(),
                init(),
                init(),
            ],
            1,
        ),
    ];
    history(&rounds, Some(2)).unwrap();
}

proptest! {
    #![proptest_config(crate::convergence::cases(50))]

    #[test]
    fn random_commands_and_webhooks_in_batches_of_any_size_are_stored_as_journalled(
        rounds in vec((linked_steps(12), 1..8_usize), 1..5),
        keep in proptest::option::of(0..12_u64),
    ) {
        history(&rounds, keep)?;
    }
}
