//! Finds the bodies in quarantine that mention an app user.

use std::collections::BTreeSet;

use super::ids::IdSet;
use crate::directory::load::Loader;
use crate::domain::{AppId, SmoochId};
use crate::format::erasure_work::Needles;
use crate::store::rows::Rows;
use crate::store::tables::IdentifierKind;
use crate::store::{Quarantined, ReadRow as _, Result, Seq};

/// Bodies that are read at once.
const PAGE: usize = 16;

/// The bodies in quarantine that mention one of these app users by an `_id`, a `userId`, a client or an e-mail address.
///
/// # Errors
/// The database cannot be read.
pub fn read_quarantined_of(
    rows: &dyn Rows,
    app: &AppId,
    ids: &BTreeSet<SmoochId>,
) -> Result<Vec<(Seq, Quarantined)>> {
    let mut loader = Loader::new(rows);
    loader.groups(ids.iter().map(|id| (app.clone(), id.clone())).collect())?;
    let record = |id: &SmoochId| loader.directory.record(&(app.clone(), id.clone()));
    let mut needles = Needles::of(ids.iter().filter_map(|id| Some((id, record(id)?))));
    for user_id in ids.iter().filter_map(record).flat_map(|record| record.user_ids()) {
        // In another brand it is that of another app user.
        if loader.with((app, IdentifierKind::UserId, user_id))?.iter().any(|other| !ids.contains(other)) {
            needles.spare(user_id);
        }
    }
    let (ids, mut found, mut after) = (IdSet::of(ids), Vec::new(), 0);
    loop {
        let page = <(Seq, Quarantined)>::select().is("app", app).after(&after).limit(PAGE).read(rows)?;
        let Some((last, _)) = page.last() else { return Ok(found) };
        after = *last;
        let is_about = |body: &[u8]| ids.read_in(body) || needles.mentioned_in(body);
        found.extend(page.into_iter().filter(|(_, stored)| is_about(&stored.body)));
    }
}
