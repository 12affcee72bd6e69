//! Members of app users for their history, and events parsed again.

use std::collections::BTreeMap;

use super::v1::write_clients;
use super::{ParseLimits, parse_webhook};
use crate::domain::{Event, View};

/// A body that was accepted once is accepted again under any limits.
const ANYTHING: ParseLimits =
    ParseLimits { depth: 512, events: usize::MAX, latest: i64::MAX, name_bytes: usize::MAX };

/// The event at a place of a webhook's body; `None` if it is unusable now.
pub fn event_at(body: &[u8], place: usize) -> Option<Event> {
    parse_webhook(body, &ANYTHING).ok()?.events.into_iter().nth(place)?.ok()
}

/// The members that an answer shows, by name, as JSON text. `false` and an empty list of clients are left out.
pub fn shown_members(view: &View) -> BTreeMap<String, String> {
    let fields = view.fields.iter().map(|(field, value)| (field.to_string(), value.to_string()));
    let mut members: BTreeMap<String, String> = fields.collect();
    if !view.clients.is_empty() {
        let mut clients = String::new();
        write_clients(view, &mut clients);
        members.insert("clients".to_owned(), clients);
    }
    for (name, set) in [("conversationStarted", view.started), ("credentialRequired", view.secured)] {
        if set {
            members.insert(name.to_owned(), "true".to_owned());
        }
    }
    members
}
