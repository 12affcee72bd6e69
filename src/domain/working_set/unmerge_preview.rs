//! What would be left of an app user without one of its parts.

use std::collections::BTreeMap;

use super::WorkingSet;
use crate::domain::ids::{AppId, SmoochId};
use crate::domain::record::Record;
use crate::domain::view::View;

impl WorkingSet {
    /// The app user that both are part of, and `discarded`, as they would be shown if the two were
    /// un-merged now; nothing if they are not one, or `discarded` stands for them.
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
