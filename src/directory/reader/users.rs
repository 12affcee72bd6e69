//! Reads of app users, lists, the feed and exports.

use std::collections::BTreeSet;

use super::DirectoryReader;
use crate::directory::export::{ExportPart, UserExport, export_part, export_users};
use crate::directory::feed::{FeedPage, read_changes};
use crate::directory::list_page::{CountResult, ListCursor, ListResult, ScanLimits};
use crate::directory::lists::{count_list, read_list};
use crate::directory::load;
use crate::directory::users;
use crate::domain::brand::Name;
use crate::domain::list::{Filter, Query};
use crate::domain::{AppId, Record, RecordKey, SmoochId, View};
use crate::store::{Result, Seq};

impl DirectoryReader {
    /// The app user that an `_id` is, or is part of.
    pub fn find_by_id(&self, app: &AppId, id: &SmoochId) -> Result<Option<View>> {
        users::show_by_id(&*self.snapshot()?, app, id)
    }

    /// The app user that shows this `userId`, in any brand: of several, the one that got it last.
    pub fn find_by_user_id(&self, app: &AppId, user_id: &str) -> Result<Option<View>> {
        users::show_by_user_id(&*self.snapshot()?, app, user_id)
    }

    /// The app users that show this `userId`, at most one in each brand, in the order of their `_id`s.
    pub fn find_carriers(&self, app: &AppId, user_id: &str) -> Result<Vec<View>> {
        users::show_carriers(&*self.snapshot()?, app, user_id)
    }

    /// The app user that a name means: an `_id`, else a `userId`, in the name's brand if it has one.
    pub fn find_by_name(&self, app: &AppId, name: &Name) -> Result<Option<View>> {
        users::show_named(&*self.snapshot()?, app, name)
    }

    /// Every `_id` of the app user that a name means; see [`users::resolve_ids`].
    pub fn resolve_ids(&self, app: &AppId, name: &Name) -> Result<BTreeSet<SmoochId>> {
        users::resolve_ids(&*self.snapshot()?, app, name)
    }

    /// A surviving and a discarded app user as they would be shown if the two were un-merged now; `None` if they are
    /// not merged.
    pub fn preview_unmerge(
        &self,
        app: &AppId,
        surviving: &SmoochId,
        discarded: &SmoochId,
    ) -> Result<Option<(View, View)>> {
        users::show_unmerged(&*self.snapshot()?, app, surviving, discarded)
    }

    /// The stored records of these app users, without those that are unknown.
    pub fn read_records(&self, app: &AppId, ids: &BTreeSet<SmoochId>) -> Result<Vec<(RecordKey, Record)>> {
        load::records(&*self.snapshot()?, app, ids)
    }

    /// At most `limit` app users after `after`, in the order of their `_id`s.
    pub fn list_users(&self, app: &AppId, after: Option<&str>, limit: usize) -> Result<Vec<View>> {
        users::show_after(&*self.snapshot()?, app, after, limit)
    }

    /// A page of a list.
    ///
    /// Whatever is written meanwhile, an app user that matches throughout is on one page of a list; on a second one
    /// only if its sort key changes to one that is still to come. Pages that are read backwards ignore moves.
    pub fn read_list(
        &self,
        app: &AppId,
        query: &Query,
        after: Option<&ListCursor>,
        limits: ScanLimits,
    ) -> Result<ListResult> {
        let snapshot = self.snapshot()?;
        self.with_indexes(|search| read_list(&*snapshot, app, query, after, limits, search))
    }

    /// Counts the matching app users among the next `looks` after `after`, in the order of their `_id`s; or all of
    /// them, if that takes no longer.
    pub fn count_list(
        &self,
        app: &AppId,
        filter: &Filter,
        after: Option<&SmoochId>,
        looks: usize,
    ) -> Result<CountResult> {
        let snapshot = self.snapshot()?;
        self.with_indexes(|search| count_list(&*snapshot, app, filter, after, looks, search))
    }

    /// A page of the feed; see [`read_changes`].
    pub fn read_changes(&self, app: &AppId, after: u64, limit: usize) -> Result<FeedPage> {
        read_changes(&*self.snapshot()?, app, after, limit)
    }

    /// Every app with a record.
    pub fn list_apps(&self) -> Result<Vec<AppId>> {
        users::list_apps(&*self.snapshot()?)
    }

    /// The next part of an export; see [`export_part`].
    pub fn export_part(&self, app: &AppId, behind: Option<&SmoochId>, begun: Seq) -> Result<ExportPart> {
        export_part(&*self.snapshot()?, app, behind, begun)
    }

    /// The records of these app users.
    pub fn export_users(&self, app: &AppId, users: &[View]) -> Result<Vec<UserExport>> {
        export_users(&*self.snapshot()?, app, users)
    }
}
