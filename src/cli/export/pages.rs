//! Reads the directory of an app page by page.

use anyhow::anyhow;

use crate::domain::list::Query;
use crate::domain::{AppId, SmoochId};
use crate::store::archive::Archive as _;
use crate::store::export::{Export as _, Kept};
use crate::store::readers::LooksUp as _;
use crate::store::sqlite::SqliteReader;
use crate::store::{Bounds, Listed, Place, Reader as _, Seq};

/// App users of a filtered page, and rows read for one.
const PAGE: usize = 200;
const LOOKS: usize = 20_000;

/// The pages of an app.
pub(super) struct ExportPages<'a> {
    app: &'a AppId,
    at: ExportPosition<'a>,
}

enum ExportPosition<'a> {
    /// All app users. Changes after the entry `begun` are handled by the store.
    All {
        begun: Seq,
        behind: Option<SmoochId>,
    },
    Filtered {
        query: &'a Query,
        after: Option<Place>,
    },
    End,
}

impl<'a> ExportPages<'a> {
    pub(super) fn of(
        reader: &mut SqliteReader,
        app: &'a AppId,
        query: Option<&'a Query>,
    ) -> anyhow::Result<Self> {
        let at = match query {
            Some(query) => ExportPosition::Filtered { query, after: None },
            None => ExportPosition::All { begun: reader.last()?, behind: None },
        };
        Ok(Self { app, at })
    }

    /// The next page, possibly empty; `None` at the end.
    pub(super) fn next(&mut self, reader: &mut SqliteReader) -> anyhow::Result<Option<Vec<Kept>>> {
        let kept = match &mut self.at {
            ExportPosition::End => return Ok(None),
            ExportPosition::All { begun, behind } => {
                let part = reader.part(self.app, behind.as_ref(), *begun)?;
                *behind = part.next;
                if behind.is_none() {
                    self.at = ExportPosition::End;
                }
                part.kept
            }
            ExportPosition::Filtered { query, after } => {
                let (kept, next) = filtered(reader, self.app, query, after.as_ref())?;
                *after = next;
                if after.is_none() {
                    self.at = ExportPosition::End;
                }
                kept
            }
        };
        Ok(Some(kept))
    }
}

/// A page of matching app users and their records, from one snapshot.
fn filtered(
    reader: &mut SqliteReader,
    app: &AppId,
    query: &Query,
    after: Option<&Place>,
) -> anyhow::Result<(Vec<Kept>, Option<Place>)> {
    let bounds = Bounds { limit: PAGE, looks: LOOKS };
    let mut read = Err(anyhow!("the database was not read"));
    reader.at_one_moment(|reader| {
        read = reader.page(app, query, after, bounds).map_err(anyhow::Error::from).and_then(|listed| {
            let Listed::Page(page) = listed else {
                return Err(anyhow!(
                    "too many changes during the export to continue in this order; start again"
                ));
            };
            Ok((reader.kept(app, page.users)?, page.next))
        });
    });
    read
}
