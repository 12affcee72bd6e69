//! The views after an un-merge that has not happened.

use std::collections::BTreeMap;

use super::WorkingSet;
use crate::domain::ids::{AppId, SmoochId};
use crate::domain::record::Record;
use crate::domain::view::View;

impl WorkingSet {
    /// The app user that both are part of, and `discarded`, as an un-merge would show them now; `None` if they are
    /// not one app user, or `discarded` is its root.
    pub fn preview_unmerge(
        &self,
        app: &AppId,
        surviving: &SmoochId,
        discarded: &SmoochId,
    ) -> Option<(View, View)> {
        let group = self.group(app, discarded)?;
        if self.group(app, surviving)?.root != group.root {
            return None;
        }
        let mut without: BTreeMap<&SmoochId, Record> = BTreeMap::new();
        for (id, to) in group.bonds(discarded)? {
            let (_, record) = self.find(app, id)?;
            let record = without.entry(id).or_insert_with(|| record.clone());
            record.into.get_mut(to)?.value.joined = false;
        }
        let find = |id: &SmoochId| match without.get_key_value(id) {
            Some((id, record)) => Some((*id, record)),
            None => self.find(app, id),
        };
        let shown = |id: &SmoochId| self.view_by(app, id, &find, |pointer| pointer.now.as_ref());
        Some((shown(group.root)?, shown(discarded)?))
    }
}
