//! Reads of the quarantine, of erasures, and of the state of the database.

use std::collections::BTreeSet;

use super::DirectoryReader;
use crate::directory::census::{Census, find_last_webhooks};
use crate::directory::erasure::{find_receipt, read_quarantined_of};
use crate::domain::{AppId, SmoochId};
use crate::format::record::decode;
use crate::store::rows::{ContentCounts, RemakingProgress, RowFilter};
use crate::store::tables::{QuarantinedSummary, Rules, UserRecord};
use crate::store::{Quarantined, ReadRow as _, Receipt, Result, Seq};

impl DirectoryReader {
    /// At most `limit` matching bodies of the quarantine, without the bodies themselves.
    pub fn list_quarantined(&self, filter: &RowFilter, limit: usize) -> Result<Vec<QuarantinedSummary>> {
        filter.read(&*self.snapshot()?, "reason", limit)
    }

    /// A quarantined body.
    pub fn find_quarantined(&self, seq: Seq) -> Result<Option<Quarantined>> {
        Quarantined::find(&*self.snapshot()?, &seq)
    }

    /// The quarantined bodies that mention one of these app users by an `_id`, a `userId`, a client or an e-mail
    /// address, each with its number.
    pub fn find_quarantined_of(
        &self,
        app: &AppId,
        ids: &BTreeSet<SmoochId>,
    ) -> Result<Vec<(Seq, Quarantined)>> {
        read_quarantined_of(&*self.snapshot()?, app, ids)
    }

    /// The receipt of the erasure of an `_id`; `None` if it was not erased.
    pub fn find_receipt(&self, app: &AppId, id: &SmoochId) -> Result<Option<Receipt>> {
        find_receipt(&*self.snapshot()?, app, id)
    }

    /// Numbers for the metrics.
    pub fn take_census(&self, apps: &[AppId]) -> Result<Census> {
        Census::take(&*self.snapshot()?, apps)
    }

    /// The time of the last webhook of each app; see [`find_last_webhooks`].
    pub fn find_last_webhooks(&self, apps: &[AppId]) -> Result<Vec<(AppId, i64)>> {
        find_last_webhooks(&*self.snapshot()?, apps)
    }

    /// Counts the contents.
    pub fn count_contents(&self) -> Result<ContentCounts> {
        ContentCounts::read(&*self.snapshot()?)
    }

    /// The derived tables that are being remade.
    pub fn read_remaking(&self) -> Result<Vec<RemakingProgress>> {
        self.snapshot()?.remaking()
    }

    /// The version of the rules by which the directory was built.
    pub fn rules_version(&self) -> Result<i64> {
        Ok(Rules::only(&*self.snapshot()?)?.rules)
    }

    /// A number that changes with every commit of another connection. Reads shared memory only.
    pub fn data_version(&self) -> Result<i64> {
        self.snapshot()?.data_version()
    }

    /// Whether the record in this row is readable, or gone.
    pub fn is_readable(&self, row: i64) -> Result<bool> {
        let stored = UserRecord::select().is("rowid", &row).first(&*self.snapshot()?)?;
        Ok(stored.is_none_or(|stored| decode(&stored.record).is_ok()))
    }
}
