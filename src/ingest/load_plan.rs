//! Plans the records to load for a batch, from its jobs, before they are applied.

use super::job::{CommandJob, ImportJob, OperatorTask, PartWork, Task, WebhookJob};
use crate::directory::batch::{Keys, Reported};
use crate::domain::command::{Action, Authority};
use crate::domain::{AppId, Event, Fact, Field, JsonText, Observation, RecordKey, SmoochId, json_text};

/// The keys of every record that a batch can read or change.
pub(super) fn plan_load(batch: &[&Task]) -> Keys {
    let mut keys = Keys::default();
    for task in batch {
        match task {
            Task::Webhook(job) => add_webhook(job, &mut keys),
            Task::Command(job, _) => add_command(job, &mut keys),
            Task::Retry(job) => add_webhook(&job.webhook, &mut keys),
            Task::Import(job) => add_import(job, &mut keys),
            Task::Operator(task) => add_step(task, &mut keys),
            Task::Drop(..)
            | Task::Repair(..)
            | Task::SetRules(_)
            | Task::Sessions(..)
            | Task::Audit(_)
            | Task::Tick => {}
        }
    }
    keys
}

fn add_step(task: &OperatorTask, keys: &mut Keys) {
    let OperatorTask::Step(step) = task else { return };
    for part in &step.parts {
        match &part.work {
            PartWork::Command(command) => add_command(&command.0, keys),
            PartWork::Replay(job, _) => add_webhook(job, keys),
            PartWork::Redrive(job) => add_webhook(&job.webhook, keys),
            PartWork::Drop(..) | PartWork::DoneOutside(_) | PartWork::Failed(_) => {}
        }
    }
}

fn add_webhook(job: &WebhookJob, keys: &mut Keys) {
    job.events.iter().for_each(|(_, event)| add_event(&job.app, event, keys));
}

/// The keys of every record that applying an event can read or change.
pub(super) fn add_event(app: &AppId, event: &Event, keys: &mut Keys) {
    let key = |user: &SmoochId| (app.clone(), user.clone());
    keys.users.extend(subjects(app, event));
    for fact in &event.facts {
        let users = fact.users();
        let user = users.into_iter().flatten().next();
        keys.claims.extend(user.into_iter().flat_map(|user| fact.claims().map(|client| (key(user), client))));
        keys.takes_back.extend(user.filter(|_| fact.may_retract_clients()).map(key));
        match fact {
            Fact::Removed { .. } | Fact::Erased { .. } | Fact::Merged { .. } | Fact::Linked { .. } => {
                keys.ends.extend(users.into_iter().flatten().map(key));
            }
            Fact::Seen(seen) => {
                keys.reported.extend(reported_user_ids(app, seen));
            }
            Fact::Known(known) => {
                keys.ends.extend(known.removed.then(|| key(&known.user)));
                let brand = known.reported_brand().map(Option::<&JsonText>::cloned);
                let said = |user_id| Reported { key: key(&known.user), user_id, brand: brand.clone() };
                keys.reported.extend(known.reported_user_ids().map(|text| said(Some(text.clone()))));
                keys.reported.extend(brand.is_some().then(|| said(None)));
            }
            _ => {}
        }
    }
}

/// The `userId` and brand that an observation reports, if any.
fn reported_user_ids(app: &AppId, seen: &Observation) -> Option<Reported> {
    let (mut user_id, mut brand) = (None, None);
    for (field, value) in &seen.fields {
        match field {
            Field::UserId => user_id = value.clone(),
            field if *field == Field::BrandId => brand = Some(value.clone()),
            _ => {}
        }
    }
    let key = || (app.clone(), seen.user.clone());
    (user_id.is_some() || brand.is_some()).then(|| Reported { key: key(), user_id, brand })
}

/// The keys of every record that a command can read or change.
fn add_command(job: &CommandJob, keys: &mut Keys) {
    let action = &job.command.action;
    for name in action.names() {
        keys.named.push((job.app.clone(), SmoochId::from(name)));
        keys.user_ids.push((job.app.clone(), json_text(name)));
    }
    if let Authority::User(own) = &job.command.authority {
        // To see whether exactly one app user carries it.
        keys.user_ids.push((job.app.clone(), own.clone()));
    }
    keys.user_ids.extend(action.user_id().map(|text| (job.app.clone(), text.clone())));
    keys.clients.extend(action.client().map(|client| (job.app.clone(), client.clone())));
    keys.gives_brand |= action.gives_brand();
    keys.ends_named |= matches!(action, Action::Delete { .. } | Action::Erase { .. });
}

/// The keys of every record that an import can read or change.
fn add_import(job: &ImportJob, keys: &mut Keys) {
    add_event(&job.app, &job.event, keys);
    let known = job.event.facts.iter().filter_map(|fact| match fact {
        Fact::Known(known) => known.created_for_user_id(),
        _ => None,
    });
    keys.user_ids.extend(known.map(|(_, user_id)| (job.app.clone(), user_id.clone())));
}

/// The subjects of an event: its app users or, if there are none, the app itself.
pub(super) fn subjects(app: &AppId, event: &Event) -> Vec<RecordKey> {
    let users: Vec<RecordKey> = event.users().into_iter().map(|user| (app.clone(), user.clone())).collect();
    if users.is_empty() { vec![(app.clone(), SmoochId::from(SmoochId::APP))] } else { users }
}
