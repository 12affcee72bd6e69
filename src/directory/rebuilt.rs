//! Comparison of rows that are rebuilt from the journal.

use std::collections::BTreeSet;

use super::history::{JournalHeads, find_claimants, find_connected};
use crate::domain::{AppId, ClientId, RecordKey, SmoochId};
use crate::format::record::decode;
use crate::format::search_words::are_unbounded;
use crate::store::rows::{RebuiltRow, RowContent, Rows, StoredUser};
use crate::store::{Error, Result};

/// Whether two rows with one key hold the same facts. Their layout may differ, and `live` may have words of a program that
/// did not bound them. Ignores a shared-claim hint of `live`, since the other claimant may have been erased, and the head
/// of an erased record, whose last entry may be deleted.
pub fn rows_agree(live: &RebuiltRow, replayed: &RebuiltRow) -> bool {
    match (&live.content, &replayed.content) {
        (None, None) | (Some(RowContent::Identifier), Some(RowContent::Identifier)) => true,
        (Some(RowContent::User(live)), Some(RowContent::User(replayed))) => users_agree(live, replayed),
        _ => false,
    }
}

fn users_agree(live: &StoredUser, replayed: &StoredUser) -> bool {
    let words = match (&live.columns.words, &replayed.columns.words) {
        (Some(live), Some(replayed)) => live == replayed || are_unbounded(live, replayed),
        (live, replayed) => live == replayed,
    };
    let other = |user: &StoredUser| {
        let columns = &user.columns;
        (columns.listed, columns.last_seen, columns.signed_up, columns.flags)
    };
    words && other(live) == other(replayed) && records_agree(&live.record, &replayed.record)
}

fn records_agree(live: &[u8], replayed: &[u8]) -> bool {
    let agree = || {
        let (live, mut replayed) = (decode(live).ok()?, decode(replayed).ok()?);
        for (client, claim) in &mut replayed.claims {
            claim.shared |= live.claims.get(client).is_some_and(|claim| claim.shared);
        }
        if live.erased && replayed.erased {
            replayed.head = live.head;
        }
        Some(live == replayed)
    };
    live == replayed || agree().unwrap_or_default()
}

/// Whether a row exists and its record is readable.
pub fn is_readable(row: &RebuiltRow) -> bool {
    match &row.content {
        Some(RowContent::User(user)) => decode(&user.record).is_ok(),
        Some(RowContent::Identifier) => true,
        Some(RowContent::Damaged) | None => false,
    }
}

/// Whether `sought` contains any of these app users, one connected with them by merges, or one that ever held one of
/// these clients. Unreadable records reach no one.
pub fn reaches(
    rows: &dyn Rows,
    app: &AppId,
    ids: &[SmoochId],
    clients: &[ClientId],
    sought: &BTreeSet<RecordKey>,
) -> Result<bool> {
    let found = |heads: JournalHeads| heads.into_iter().any(|(id, _)| sought.contains(&(app.clone(), id)));
    let read = |heads: Result<JournalHeads>| match heads {
        Err(Error::Damaged(_) | Error::Derived { .. } | Error::Unreadable { .. }) => {
            Ok(JournalHeads::default())
        }
        heads => heads,
    };
    Ok(found(read(find_connected(rows, app, ids))?) || found(read(find_claimants(rows, app, clients))?))
}
