//! Calls to the API, decided on a directory that applies each decision: the result of each.

mod brands;
mod calls;
mod compared;
mod imports;
mod init;
mod random;
mod shared_clients;
mod stored;
mod two_ids;

use std::collections::BTreeMap;
use std::sync::Arc;

use rollcall::domain::command::{Action, Authority, Command, Device, Fields, Refusal};
use rollcall::domain::decide::{Decision, decide};
use rollcall::domain::{
    AppId, ClientId, Event, Fact, Field, JsonText, Mention, Observation, Part, Reason, SmoochId, Stamp, View,
    WorkingSet, json_text,
};

/// The time of every command here.
const NOW: &str = "\"2026-01-02T03:04:05.678Z\"";

fn app() -> AppId {
    "5698edbf2a43bd081be982f1".into()
}

/// A directory that decides commands and applies webhooks, with the journal of both.
struct Live {
    directory: WorkingSet,
    journal: Vec<Event>,
    clock: i64,
}

impl Live {
    fn new() -> Self {
        Self { directory: WorkingSet::whole(usize::MAX), journal: Vec::new(), clock: 0 }
    }

    /// Decides a command and applies the facts, with a time later than all events considered.
    fn give(&mut self, command: &Command) -> Result<Decision, Refusal> {
        let fresh = format!("made{}", self.journal.len());
        let decision = decide(&self.directory, &app(), command, &fresh.as_str().into())?;
        if !decision.facts.is_empty() {
            let heard = self.directory.latest_event_time(&app(), &decision.facts);
            self.clock = (self.clock + 1).max(heard.map_or(0, |heard| heard + 1));
            self.learn(self.clock, decision.facts.clone());
        }
        Ok(decision)
    }

    fn ask_as(&mut self, authority: Authority, action: Action) -> Result<Decision, Refusal> {
        self.give(&Command { action, authority, only_if: None, at: NOW.into() })
    }

    /// Decides a command with the app's own authority and returns the app user in the answer.
    fn ask(&mut self, action: Action) -> Result<View, Refusal> {
        let decision = self.ask_as(Authority::App, action)?;
        Ok(self.view(decision.user.as_str()).expect("an app user that is shown"))
    }

    /// Applies the facts of a webhook and returns the event.
    fn learn(&mut self, time: i64, facts: Vec<Fact>) -> Event {
        let mut digest = [0; 16];
        digest[..8].copy_from_slice(&(self.journal.len() as u64).to_be_bytes());
        let stamp = Arc::new(Stamp { time, event: "".into(), digest });
        let event = Event { trigger: "test".into(), stamp, facts };
        self.directory.apply_event(&app(), &event).unwrap();
        self.journal.push(event.clone());
        event
    }

    fn view(&self, id: &str) -> Option<View> {
        self.directory.view(&app(), &id.into())
    }

    fn by_user_id(&self, user_id: &str) -> Option<View> {
        self.directory.by_user_id(&app(), &json_text(user_id))
    }

    /// A directory that has only read the journal, as it is written.
    fn rebuilt(&self) -> WorkingSet {
        let mut directory = WorkingSet::whole(usize::MAX);
        for event in &self.journal {
            let text = serde_json::to_vec(event).unwrap();
            directory.apply_event(&app(), &serde_json::from_slice(&text).unwrap()).unwrap();
        }
        directory
    }
}

fn init(device: Device, user_id: Option<&str>) -> Action {
    Action::Init { device, user_id: user_id.map(json_text), brand: None }
}

fn create(user_id: &str, fields: Fields) -> Action {
    Action::Create { user_id: json_text(user_id), fields, secured: false }
}

fn update(user: &str, fields: Fields) -> Action {
    Action::Update { user: user.into(), fields, repeated: Vec::new() }
}

/// A device with these members.
fn device(id: &str, members: &[(&str, &str)]) -> Device {
    let member = |(key, text): &(&str, &str)| ((*key).to_owned(), Some(json_text(text)));
    Device { id: id.into(), members: members.iter().map(member).collect(), info: BTreeMap::new() }
}

fn phone() -> Device {
    device("phone", &[("platform", "ios")])
}

fn property(key: &str) -> Field {
    Field::Property(key.into())
}

fn given(field: Field, text: &str) -> (Field, Option<JsonText>) {
    (field, Some(json_text(text)))
}

fn shown(view: &View, field: &Field) -> Option<String> {
    view.get(field).map(|text| serde_json::from_str(text).unwrap())
}

/// The `active` flag of a client and its other members.
fn client(view: &View, id: &str) -> Option<(bool, String)> {
    let client = view.clients.get(&ClientId::from(id))?;
    Some((client.active, client.rest.to_string()))
}

fn user_id(view: &View) -> Option<String> {
    shown(view, &Field::UserId)
}

/// An observation of an app user with these fields.
fn seen(user: &str, fields: Fields) -> Observation {
    Observation { fields, ..Observation::bare(user.into()) }
}

/// Smooch's complete picture of an app user's properties and clients.
fn picture(user: &str, fields: Fields, clients: &[&str]) -> Fact {
    let client = |id: &&str| ((*id).into(), Mention { active: Some(true), rest: "{}".into() });
    let complete = vec![Part::Properties, Part::Clients];
    Fact::Seen(Observation { clients: clients.iter().map(client).collect(), complete, ..seen(user, fields) })
}

fn merged(surviving: &str, discarded: &str) -> Fact {
    Fact::Merged { surviving: surviving.into(), discarded: discarded.into(), reason: Reason::Webhook }
}

fn ids(list: &[&str]) -> Vec<SmoochId> {
    list.iter().map(|id| (*id).into()).collect()
}
