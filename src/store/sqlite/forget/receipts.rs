//! Quarantined bodies that mention app users.

use std::collections::BTreeSet;

use super::ids::IdSet;
use super::needles::Needles;
use crate::directory::load::Loader;
use crate::domain::{AppId, SmoochId};
use crate::store::rows::{IdentifierKind, Rows};
use crate::store::sqlite::Result;
use crate::store::{Quarantined, Seq};

/// Bodies that are read at once.
const PAGE: usize = 16;

/// The quarantined bodies that mention one of these app users, each with its number.
pub(crate) fn quarantined_of(
    rows: &dyn Rows,
    app: &AppId,
    ids: &BTreeSet<SmoochId>,
) -> Result<Vec<(Seq, Quarantined)>> {
    let mut loader = Loader::new(rows);
    ids.iter().try_for_each(|id| loader.group(app, id))?;
    let records =
        ids.iter().filter_map(|id| Some((id, loader.directory.record(&(app.clone(), id.clone()))?)));
    let (named, mut needles) = (IdSet::of(ids), Needles::of(records));
    for id in ids {
        let record = loader.directory.record(&(app.clone(), id.clone()));
        for user_id in record.iter().flat_map(|record| record.user_ids()) {
            // In another brand it is somebody else's.
            if loader.with((app, IdentifierKind::UserId, user_id))?.iter().any(|other| !ids.contains(other)) {
                needles.spare(user_id);
            }
        }
    }
    let (mut after, mut found) = (0, Vec::new());
    loop {
        let page = rows.quarantined_of_app(app, after, PAGE)?;
        let Some((last, _)) = page.last() else { return Ok(found) };
        after = *last;
        let mentions = |body: &[u8]| named.read_in(body) || needles.mentioned_in(body);
        found.extend(page.into_iter().filter(|(_, kept)| mentions(&kept.body)));
    }
}
