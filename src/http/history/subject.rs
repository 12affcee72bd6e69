//! The app user of a history, found by name.

use std::collections::BTreeSet;

use crate::domain::command::Name;
use crate::domain::{AppId, SmoochId, View};
use crate::http::error::{ApiError, no_user};
use crate::store::readers::LooksUp as _;
use crate::store::sqlite::SqliteReader;
use crate::store::{self, Heads, Reader};

/// Whom a history is of.
pub(super) struct Subject {
    /// The `_id` it was asked for by, else the one that the `userId` leads to.
    pub(super) id: SmoochId,
    /// Those `_id`s whose events are its own.
    pub(super) group: BTreeSet<SmoochId>,
    /// Everybody whom merges connect with it, undone ones as well.
    pub(super) connected: Heads,
    /// Nothing is to be told of it but that it was erased.
    pub(super) erased: bool,
}

impl Subject {
    /// Whom a name means: an `_id`, also of somebody who was removed, or a `userId`.
    pub(super) fn find(reader: &mut SqliteReader, app: &AppId, name: &Name) -> Result<Self, ApiError> {
        let mut found = Err(store::Error::Interrupted);
        reader.at_one_moment(|reader| found = Self::look_up(reader, app, name));
        let found = found?;
        if found.id.is_app() || !found.connected.contains_key(&found.id) { Err(no_user()) } else { Ok(found) }
    }

    fn look_up(reader: &mut SqliteReader, app: &AppId, name: &Name) -> store::Result<Self> {
        let named = SmoochId::from(&*name.text);
        let view = reader.by_name(app, name)?;
        let is_id = |view: &View| view.ids().any(|id| *id == named);
        let id = view.as_ref().filter(|view| !is_id(view)).map_or(named.clone(), |view| view.id.clone());
        // Of somebody who was removed no brand is known any more.
        let is_meant = view.is_some() || reader.by_id(app, &id)?.is_none();
        let connected =
            if is_meant { reader.connected(app, std::slice::from_ref(&id))? } else { Heads::new() };
        let group = view.iter().flat_map(View::ids).cloned();
        let erased = reader.receipt(app, &id)?.is_some();
        Ok(Self { group: group.chain([id.clone()]).collect(), id, connected, erased })
    }
}
