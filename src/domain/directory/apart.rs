//! What would be left of an app user without one of its parts.

use std::collections::BTreeMap;

use super::Directory;
use crate::domain::app_user::Record;
use crate::domain::ids::{AppId, SmoochId};
use crate::domain::view::View;

impl Directory {
    /// The app user that both are part of, and `discarded`, as they would be shown if the two were
    /// un-merged now; nothing if they are not one, or `discarded` stands for them.
    pub fn apart(&self, app: &AppId, surviving: &SmoochId, discarded: &SmoochId) -> Option<(View, View)> {
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
