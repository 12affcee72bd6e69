//! One app user, as lists and look-ups show it.

use std::collections::BTreeSet;

use super::history::find_connected;
use super::load::Loader;
use super::reader::DirectoryReader;
use crate::domain::brand::Name;
use crate::domain::{AppId, Record, RecordKey, SmoochId, View, json_text};
use crate::store::rows::{RowFilter, Rows};
use crate::store::tables::UserKey;
use crate::store::{ReadRow as _, Result};

/// The app user that an `_id` is, or is part of.
pub fn show(loader: &mut Loader<'_>, app: &AppId, id: &SmoochId) -> Result<Option<View>> {
    loader.shown(app, id)?;
    Ok(loader.directory.view(app, id))
}

/// The same, over rows of which nothing is loaded.
pub fn show_by_id(rows: &dyn Rows, app: &AppId, id: &SmoochId) -> Result<Option<View>> {
    show(&mut Loader::new(rows), app, id)
}

impl DirectoryReader {
    /// The app user that an `_id` is, or is part of.
    pub fn find_by_id(&self, app: &AppId, id: &SmoochId) -> Result<Option<View>> {
        show_by_id(&*self.snapshot()?, app, id)
    }

    /// The app user that a name means: an `_id`, else a `userId`, in the name's brand if it has one.
    pub fn find_by_name(&self, app: &AppId, name: &Name) -> Result<Option<View>> {
        let rows = self.snapshot()?;
        let mut loader = Loader::new(&*rows);
        let (id, text) = (SmoochId::from(&*name.text), json_text(&name.text));
        loader.meant(app, &id, &text)?;
        loader.holders(app, &id)?;
        // The owner of the `_id` is loaded, or, if it was never given, the carriers of the `userId`.
        if loader.directory.view(app, &id).is_some_and(|view| !name.can_mean(&view)) {
            loader.named(app, &text)?;
        }
        Ok(loader.directory.by_name(app, name))
    }

    /// The app users that show this `userId`, at most one in each brand, in the order of their `_id`s.
    pub fn find_carriers(&self, app: &AppId, user_id: &str) -> Result<Vec<View>> {
        let rows = self.snapshot()?;
        let mut loader = Loader::new(&*rows);
        let text = json_text(user_id);
        loader.named(app, &text)?;
        Ok(loader.directory.all_by_user_id(app, &text))
    }

    /// Every `_id` of the app user that a name means: an `_id`, also one that was merged away or removed, else a
    /// `userId`; if the name has no brand, of all app users with that `userId`. Empty if there is none.
    pub fn resolve_ids(&self, app: &AppId, name: &Name) -> Result<BTreeSet<SmoochId>> {
        let rows = self.snapshot()?;
        let named = SmoochId::from(&*name.text);
        let Some(view) = self.find_by_name(app, name)? else {
            let may_be_gone = name.brand.is_none() && !named.is_app();
            let is_gone =
                may_be_gone && !find_connected(&*rows, app, std::slice::from_ref(&named))?.is_empty();
            return Ok(is_gone.then_some(named).into_iter().collect());
        };
        let is_alone = name.brand.is_some() || view.ids().any(|id| *id == named);
        let views = if is_alone { vec![view] } else { self.find_carriers(app, &name.text)? };
        Ok(views.iter().flat_map(View::ids).cloned().collect())
    }

    /// The same for an `_id` alone, without regard to any `userId`.
    pub fn resolve_id(&self, app: &AppId, id: &SmoochId) -> Result<BTreeSet<SmoochId>> {
        let rows = self.snapshot()?;
        if let Some(view) = self.find_by_id(app, id)? {
            return Ok(view.ids().cloned().collect());
        }
        let is_gone = !id.is_app() && !find_connected(&*rows, app, std::slice::from_ref(id))?.is_empty();
        Ok(is_gone.then(|| id.clone()).into_iter().collect())
    }

    /// For each pair of a surviving and a discarded app user: the two as they would be shown if they were un-merged now;
    /// `None` if they are not merged.
    pub fn preview_unmerges(
        &self,
        app: &AppId,
        merged: &[(&SmoochId, &SmoochId)],
    ) -> Result<Vec<Option<(View, View)>>> {
        let rows = self.snapshot()?;
        let mut loader = Loader::new(&*rows);
        let previews = merged.iter().map(|(surviving, discarded)| {
            loader.shown(app, discarded)?;
            Ok(loader.directory.preview_unmerge(app, surviving, discarded))
        });
        previews.collect()
    }

    /// The stored records of these app users, without those that are unknown.
    pub fn read_records(&self, app: &AppId, ids: &BTreeSet<SmoochId>) -> Result<Vec<(RecordKey, Record)>> {
        let keys: Vec<RecordKey> = ids.iter().map(|id| (app.clone(), id.clone())).collect();
        let stored = self.snapshot()?.records(&keys)?;
        let found = keys.into_iter().zip(stored).filter_map(|(key, stored)| Some((key, stored?)));
        found.map(|(key, stored)| Ok((key, stored.decode("app_users")?))).collect()
    }

    /// At most `limit` app users after `after`, in the order of their `_id`s.
    pub fn list_users(&self, app: &AppId, after: Option<&str>, limit: usize) -> Result<Vec<View>> {
        let rows = self.snapshot()?;
        let after = after.unwrap_or(SmoochId::APP);
        let listed = UserKey::select().is("app", app).above("id", after).is("listed", &true);
        let users = listed.limit(limit).read(&*rows)?;
        let mut loader = Loader::new(&*rows);
        let views = users.iter().map(|user| show(&mut loader, app, &user.id));
        views.filter_map(Result::transpose).collect()
    }

    /// Whether a record or a quarantined body is of this app.
    pub fn has_of_app(&self, app: &AppId) -> Result<bool> {
        let rows = self.snapshot()?;
        if UserKey::select().is("app", app).first(&*rows)?.is_some() {
            return Ok(true);
        }
        drop(rows);
        let filter = RowFilter { app: Some(app.clone()), ..RowFilter::default() };
        Ok(!self.list_quarantined(&filter, 1)?.is_empty())
    }

    /// Every app with a record.
    pub fn list_apps(&self) -> Result<Vec<AppId>> {
        let rows = self.snapshot()?;
        let mut apps: Vec<AppId> = Vec::new();
        loop {
            let last = apps.last().map_or("", AppId::as_str);
            match UserKey::select().above("app", last).first(&*rows)? {
                Some(next) => apps.push(next.app),
                None => return Ok(apps),
            }
        }
    }
}
