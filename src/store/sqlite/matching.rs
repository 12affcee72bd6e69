//! Queries of numbered rows by a filter.

use rusqlite::{Connection, Row, params};

use super::Result;
use crate::domain::AppId;
use crate::store::Seq;
use crate::store::rows::RowFilter;

/// At most `limit` matching rows of a table; `label` is the column of [`RowFilter::label`].
pub(super) fn select_matching<T>(
    conn: &Connection,
    columns: &str,
    table: &str,
    label: &str,
    filter: &RowFilter,
    limit: usize,
    read: impl Fn(&Row<'_>) -> Result<T>,
) -> Result<Vec<T>> {
    let order = if filter.newest_first { "DESC" } else { "ASC" };
    let sql = format!(
        "SELECT {columns} FROM {table} WHERE seq BETWEEN ?1 AND ?2 AND app = coalesce(?3, app)
             AND {label} = coalesce(?4, {label}) AND received BETWEEN ?5 AND ?6 ORDER BY seq {order} LIMIT ?7"
    );
    let mut select = conn.prepare_cached(&sql)?;
    let mut found = Vec::new();
    let mut between = |from: Seq, to: Seq| -> Result<bool> {
        let number = |seq: Seq| i64::try_from(seq).unwrap_or(i64::MAX);
        let left = i64::try_from(limit - found.len()).unwrap_or(i64::MAX);
        let mut rows = select.query(params![
            number(from),
            number(to),
            filter.app.as_ref().map(AppId::as_str),
            filter.label,
            filter.since.unwrap_or(i64::MIN),
            filter.until.unwrap_or(i64::MAX),
            left
        ])?;
        while let Some(row) = rows.next()? {
            found.push(read(row)?);
        }
        Ok(found.len() < limit)
    };
    match &filter.seqs {
        None => _ = between(filter.from, filter.to)?,
        Some(_) if filter.from > filter.to => {}
        Some(seqs) => {
            let seqs = seqs.range(filter.from..=filter.to);
            let mut in_order: Box<dyn Iterator<Item = &Seq>> =
                if filter.newest_first { Box::new(seqs.rev()) } else { Box::new(seqs) };
            while let Some(seq) = in_order.next()
                && between(*seq, *seq)?
            {}
        }
    }
    Ok(found)
}
