//! Receipts of erasures.

use crate::domain::{AppId, SmoochId};
use crate::store::rows::{ReceiptState, Rows};
use crate::store::{Receipt, Result};

/// The receipt of the erasure of an `_id`; `None` if it was not erased.
pub fn find_receipt(rows: &dyn Rows, app: &AppId, id: &SmoochId) -> Result<Option<Receipt>> {
    let Some(ReceiptState { seq, time, done, counts }) = rows.erasure_receipt(app, id)? else {
        return Ok(None);
    };
    Ok(Some(Receipt { seq, time, done, ids: rows.ids_of_receipt(app, seq)?, counts }))
}
