//! The subject of a history, found by name.

use std::collections::BTreeSet;

use crate::directory::DirectoryReader;
use crate::directory::history::JournalHeads;
use crate::domain::command::Name;
use crate::domain::{AppId, SmoochId, View};
use crate::http::error::{ApiError, no_user};
use crate::store;
use crate::store::readers::LaneReader as _;

pub(super) struct Subject {
    /// The requested `_id`, or the one that the `userId` resolves to.
    pub(super) id: SmoochId,
    /// The `_id`s whose events belong to it.
    pub(super) group: BTreeSet<SmoochId>,
    /// All app users connected with it by merges, undone merges included.
    pub(super) connected: JournalHeads,
    /// It was erased, so its history is empty.
    pub(super) erased: bool,
}

impl Subject {
    /// Resolves a name: an `_id`, also of a removed app user, or a `userId`.
    pub(super) fn find(reader: &mut DirectoryReader, app: &AppId, name: &Name) -> Result<Self, ApiError> {
        let mut found = Err(store::Error::Interrupted);
        reader.in_one_snapshot(|reader| found = Self::look_up(reader, app, name));
        let found = found?;
        if found.id.is_app() || !found.connected.contains_key(&found.id) { Err(no_user()) } else { Ok(found) }
    }

    fn look_up(reader: &mut DirectoryReader, app: &AppId, name: &Name) -> store::Result<Self> {
        let view = reader.find_by_name(app, name)?;
        let id = view.as_ref().map_or_else(|| (&*name.text).into(), |view| view.id_named(name));
        // The brand of a removed app user is unknown.
        let is_meant = view.is_some() || reader.find_by_id(app, &id)?.is_none();
        let connected = if is_meant {
            reader.find_connected(app, std::slice::from_ref(&id))?
        } else {
            JournalHeads::new()
        };
        let group = view.iter().flat_map(View::ids).cloned();
        let erased = reader.find_receipt(app, &id)?.is_some();
        Ok(Self { group: group.chain([id.clone()]).collect(), id, connected, erased })
    }
}
