//! Translates the model's events to the domain's, and views back to comparable forms.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use rollcall::domain::{
    self, AppId, Claim, ClientId, Fact, JsonText, Observation, Part, Reason, Record, SmoochId, Stamp, View,
    WorkingSet,
};

use super::app;
use super::generate::USERS;
use crate::model::{Device, Event, Field, Member, Say, Shown, Sighting, User, Value};

/// No history makes a group that large.
const ROOMY: usize = 1_000;

pub(super) fn id(user: User) -> SmoochId {
    user.into()
}

pub(super) fn text(value: Value) -> JsonText {
    match value.of {
        "" => format!("\"{}\"", value.text).into(),
        of => format!("\"{} of {of}\"", value.text).into(),
    }
}

pub(super) fn field(field: Field) -> domain::Field {
    match field {
        Field::UserId => domain::Field::UserId,
        Field::Brand => domain::Field::BrandId,
        Field::Name => domain::Field::GivenName,
        Field::Email => domain::Field::Other("email".into()),
        Field::Display => domain::Field::DisplayName,
        Field::Plan => domain::Field::Property("plan".into()),
        Field::City => domain::Field::Property("city".into()),
        Field::Pending => domain::Field::PendingClients,
    }
}

fn mention(device: &Device) -> domain::Mention {
    let other = device.other_id.map(|other| format!("\"_id\":\"{other}\""));
    let as_device = device.device_id.map(|other| format!("\"deviceId\":\"{other}\""));
    let members = device.members.iter().map(|(member, value)| {
        let name = match member {
            Member::Platform => "platform",
            Member::Token => "pushNotificationToken",
        };
        format!("\"{name}\":{}", text(*value))
    });
    let members: Vec<String> = other.into_iter().chain(as_device).chain(members).collect();
    domain::Mention { active: device.active, rest: format!("{{{}}}", members.join(",")).into() }
}

fn client(device: &Device) -> domain::Client {
    let domain::Mention { active, rest } = mention(device);
    domain::Client { active: active == Some(true), rest }
}

pub(super) fn event(event: &Event) -> domain::Event {
    let time = event.time.unwrap_or(Stamp::NO_TIME);
    let stamp = Arc::new(Stamp { time, event: event.id.into(), digest: event.digest() });
    let facts = event.says.iter().flat_map(facts).collect();
    domain::Event { trigger: "test".into(), stamp, facts }
}

fn facts(say: &Say) -> Vec<Fact> {
    match say {
        Say::Seen(seen) => vec![Fact::Seen(sighting(seen))],
        Say::Set { user, field: of, value, basis } => {
            let fields = vec![(field(*of), value.map(text), basis.map(text))];
            vec![Fact::Set { user: id(user), fields }]
        }
        Say::Merge { surviving, discarded } => {
            let (surviving, reason) = (id(surviving), Reason::Webhook);
            let merged = discarded.iter().map(|discarded| Fact::Merged {
                surviving: surviving.clone(),
                discarded: id(discarded),
                reason,
            });
            std::iter::once(Fact::Seen(Observation::bare(surviving.clone()))).chain(merged).collect()
        }
        Say::Unmerge { surviving, discarded } => {
            vec![Fact::Unmerged { surviving: id(surviving), discarded: id(discarded) }]
        }
        Say::Client { user, client: of, value } => {
            let (client, value) = ((*of).into(), value.as_ref().map(mention));
            vec![Fact::ClientChanged { user: id(user), client, value }]
        }
        Say::Bind { user, client, also } => {
            let also = also.iter().map(|other| (*other).into()).collect();
            vec![Fact::ClientBound { user: id(user), client: (*client).into(), also }]
        }
        Say::Remove { user } => vec![Fact::Removed { user: id(user) }],
        Say::Erase { user } => vec![Fact::Erased { user: id(user) }],
    }
}

fn sighting(seen: &Sighting) -> Observation {
    let parts = [(Part::Properties, seen.properties_whole), (Part::Clients, seen.clients_whole)];
    Observation {
        user: id(seen.user),
        fields: seen.fields.iter().map(|(of, value)| (field(*of), value.map(text))).collect(),
        clients: seen.clients.iter().map(|(name, device)| ((*name).into(), mention(device))).collect(),
        complete: parts.into_iter().filter(|(_, whole)| *whole).map(|(part, _)| part).collect(),
        started: seen.started,
    }
}

/// The view of a root in the model, as a view of the domain.
pub(super) fn view_of(root: User, shown: &Shown) -> View {
    View {
        id: id(root),
        aliases: shown.aliases.iter().map(|user| id(user)).collect(),
        fields: shown.fields.iter().map(|(of, value)| (field(*of), text(*value))).collect(),
        clients: shown.clients.iter().map(|(name, device)| ((*name).into(), client(device))).collect(),
        started: shown.started,
        secured: shown.secured,
        first_seen: shown.first_seen,
        last_seen: shown.last_seen,
    }
}

/// Applies one event; securing a user is not in the model.
pub(super) fn learn(directory: &mut WorkingSet, app: &AppId, said: &Event) {
    directory.apply_event(app, &event(said)).unwrap();
    for say in &said.says {
        if let Say::Seen(Sighting { user, secures: true, .. }) = say {
            directory.record_mut(app, &id(user)).secured = true;
        }
    }
}

pub(super) fn empty() -> WorkingSet {
    WorkingSet::new(ROOMY)
}

pub(super) fn directory_of(events: &[&Event]) -> WorkingSet {
    let mut directory = empty();
    for event in events {
        learn(&mut directory, &app(), event);
    }
    directory
}

/// A record without its only member that may depend on the order: the hint that a claim is shared.
pub(super) fn body(record: &Record) -> Record {
    let mut record = record.clone();
    for Claim { shared, .. } in record.claims.values_mut() {
        *shared = false;
    }
    record
}

/// All records of the app.
pub(super) fn bodies(directory: &WorkingSet) -> BTreeMap<SmoochId, Record> {
    let own = directory.entries().filter(|((of, _), _)| *of == app());
    own.map(|((_, id), entry)| (id.clone(), body(&entry.now))).collect()
}

/// The holder of each client of the app.
pub(super) fn pointers(directory: &WorkingSet) -> BTreeMap<ClientId, SmoochId> {
    let own = directory.pointers().filter(|((of, _), _)| *of == app());
    own.filter_map(|((_, client), pointer)| Some((client.clone(), pointer.now.clone()?))).collect()
}

/// Every live root's view.
pub(super) fn listed(directory: &WorkingSet) -> BTreeMap<SmoochId, View> {
    let views = USERS.iter().filter_map(|user| directory.view(&app(), &id(user)));
    views.map(|view| (view.id.clone(), view)).collect()
}

/// Each `userId` shown with each brand, and the root that it means there.
pub(super) fn in_brand(mut directory: WorkingSet) -> BTreeMap<(JsonText, Option<String>), SmoochId> {
    let views = listed(&directory);
    let named =
        views.values().filter_map(|view| Some((view.fields.get(&domain::Field::UserId)?, view.brand())));
    let named = named.map(|(user_id, brand)| (user_id.clone(), brand.map(|brand| brand.into_owned())));
    let mut found = BTreeMap::new();
    for (user_id, brand) in named {
        directory.insert_carriers(&app(), &user_id, USERS.map(id));
        let meant = directory.in_brand(&app(), &user_id, brand.as_deref()).expect("somebody of the brand");
        found.insert((user_id, brand), meant.id);
    }
    found
}

/// Each `userId` shown, and the root it leads to: the newest, then the smallest.
pub(super) fn by_user_id(directory: &WorkingSet) -> BTreeMap<JsonText, SmoochId> {
    let mut best: BTreeMap<JsonText, (Option<Stamp>, Reverse<SmoochId>)> = BTreeMap::new();
    for (root, view) in listed(directory) {
        let Some(shown) = view.fields.get(&domain::Field::UserId) else { continue };
        let group = directory.group(&app(), &root).expect("a listed root");
        let rank = (group.user_id_stamp(shown).cloned(), Reverse(root));
        if best.get(shown).is_none_or(|best| *best < rank) {
            best.insert(shown.clone(), rank);
        }
    }
    best.into_iter().map(|(user_id, (_, Reverse(root)))| (user_id, root)).collect()
}
