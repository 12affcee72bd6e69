//! What is said of clients, as rows: a row for each word.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::domain::{Client, ClientId, JsonText, Mention, Mentions, Register, Stamp};

pub(super) type At = u32;

/// A record that cannot be read: not ours, of a newer program, or damaged.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Unreadable(pub(super) String);

/// The stamp at a place of a row.
pub(super) type Stamped<'s> = &'s dyn Fn(At) -> Result<Arc<Stamp>, Unreadable>;

pub(super) type Clients = BTreeMap<ClientId, Mentions>;

/// Of which client, when, what kind of word, and what it carried. A row without an id is of the same client as the
/// one before; those of one client are there from the newest to the oldest, its removal last.
pub(super) type Word = (ClientId, At, u8, JsonText);

/// The kinds of words: nothing is said of being active, it is not, it is; or the client is removed.
const SILENT: u8 = 0;
const INACTIVE: u8 = 1;
const ACTIVE: u8 = 2;
const REMOVED: u8 = 3;

pub(super) fn rows(clients: &Clients, mut at: impl FnMut(&Arc<Stamp>) -> At) -> Vec<Word> {
    let mut rows = Vec::with_capacity(clients.len());
    for (id, mentions) in clients {
        let mut first = true;
        let mut id = || if std::mem::replace(&mut first, false) { id.clone() } else { "".into() };
        for Register { stamp, value } in mentions.iter() {
            let kind = match value.active {
                None => SILENT,
                Some(false) => INACTIVE,
                Some(true) => ACTIVE,
            };
            rows.push((id(), at(stamp), kind, value.rest.clone()));
        }
        if let Some(stamp) = mentions.removed() {
            rows.push((id(), at(stamp), REMOVED, "".into()));
        }
    }
    rows
}

pub(super) fn of_rows(rows: Vec<Word>, stamp: Stamped<'_>) -> Result<Clients, Unreadable> {
    let mut clients = Clients::new();
    let mut rows = rows.into_iter().peekable();
    while let Some((id, mut at, mut kind, mut rest)) = rows.next() {
        let (mut said, mut removed) = (Vec::with_capacity(1), None);
        loop {
            let stamp = stamp(at)?;
            match kind {
                REMOVED => removed = Some(stamp),
                SILENT | INACTIVE | ACTIVE => {
                    let active = (kind != SILENT).then_some(kind == ACTIVE);
                    said.push(Register { stamp, value: Mention { active, rest } });
                }
                _ => return Err(Unreadable("unknown word of a client".to_owned())),
            }
            let Some(next) = rows.next_if(|(id, ..)| id.as_str().is_empty()) else { break };
            (_, at, kind, rest) = next;
        }
        clients.insert(id, Mentions::from_stored(said, removed));
    }
    Ok(clients)
}

/// The layout before: of each client the last word, or that it was removed then.
pub(super) type Whole = (ClientId, At, Option<Client>);

pub(super) fn of_whole(rows: Vec<Whole>, stamp: Stamped<'_>) -> Result<Clients, Unreadable> {
    let client = |(id, at, client): Whole| {
        let stamp = stamp(at)?;
        let mentions = match client {
            Some(client) => Mentions::from_stored(vec![Register { stamp, value: client.into() }], None),
            None => Mentions::from_stored(Vec::new(), Some(stamp)),
        };
        Ok((id, mentions))
    };
    rows.into_iter().map(client).collect()
}
