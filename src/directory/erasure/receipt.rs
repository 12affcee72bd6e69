//! Receipts of erasures.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::directory::reader::DirectoryReader;
use crate::domain::{AppId, SmoochId};
use crate::format::erasure_work::{ErasureStage, ErasureWork};
use crate::store::rows::Rows;
use crate::store::tables::{StoredReceipt, Tombstone};
use crate::store::{Error, ReadRow as _, Receipt, Result, Seq};

pub(super) fn to_json(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|error| Error::Unavailable(error.to_string()))
}

pub(super) fn from_json<T: DeserializeOwned>(text: &str) -> Result<T> {
    let damaged = |error| Error::Derived { name: "receipts", why: format!("one cannot be read: {error}") };
    serde_json::from_str(text).map_err(damaged)
}

impl DirectoryReader {
    /// The receipt of the erasure of an `_id`; `None` if it was not erased.
    pub fn find_receipt(&self, app: &AppId, id: &SmoochId) -> Result<Option<Receipt>> {
        let rows = &*self.snapshot()?;
        let Some(tombstone) = Tombstone::find(rows, &(app, id))? else { return Ok(None) };
        let Some(receipt) = StoredReceipt::find(rows, &tombstone.receipt)? else { return Ok(None) };
        let StoredReceipt { seq, time, done, counts, .. } = receipt;
        let counts = from_json(&counts)?;
        let erased = Tombstone::select().is("app", app).is("receipt", &seq).read(rows)?;
        let ids = erased.into_iter().map(|tombstone| tombstone.id).collect();
        Ok(Some(Receipt { seq, time, done, ids, counts }))
    }
}

/// The open receipt to be worked on next: one whose work cannot be read; then one whose stage is the journal; one that
/// waits for the log comes last. Of several the first.
pub(super) fn next_open_receipt(rows: &dyn Rows) -> Result<Option<StoredReceipt>> {
    let open = StoredReceipt::select().is("done", &None::<i64>).read(rows)?.into_iter();
    Ok(open.min_by_key(place))
}

fn place(receipt: &StoredReceipt) -> Option<u8> {
    let work = from_json::<ErasureWork>(receipt.work.as_deref().unwrap_or(""));
    work.ok().map(|work| match work.stage {
        ErasureStage::Journal(_) => 0,
        ErasureStage::Sweep => 2,
        _ => 1,
    })
}

pub(super) fn open_receipts_after(rows: &dyn Rows, app: &AppId, after: Seq) -> Result<Vec<StoredReceipt>> {
    StoredReceipt::select().is("done", &None::<i64>).is("app", app).after(&after).read(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_journal_comes_first_and_the_log_last() {
        let receipt = |seq, stage| {
            let work = ErasureWork { stage, ..ErasureWork::default() };
            let (counts, work) = (String::new(), Some(to_json(&work).unwrap()));
            StoredReceipt { seq, app: "app".into(), time: 1, done: None, counts, work }
        };
        let mut all = [
            receipt(1, ErasureStage::Sweep),
            receipt(2, ErasureStage::Bodies(0)),
            receipt(3, ErasureStage::Journal([7].into())),
            receipt(4, ErasureStage::Journal([8].into())),
            StoredReceipt { work: Some("{".to_owned()), ..receipt(5, ErasureStage::Sweep) },
        ];
        all.sort_by_key(place);
        assert_eq!(all.iter().map(|receipt| receipt.seq).collect::<Vec<_>>(), [5, 3, 4, 2, 1]);
    }
}
