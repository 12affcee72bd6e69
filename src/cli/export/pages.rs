//! Reads the directory of an app page by page.

use anyhow::anyhow;

use crate::directory::DirectoryReader;
use crate::directory::export::UserExport;
use crate::directory::list_page::{ListCursor, ListResult, ScanLimits};
use crate::domain::list::Query;
use crate::domain::{AppId, SmoochId};
use crate::store::Seq;
use crate::store::readers::LaneReader as _;

/// App users of a filtered page, and rows read for one.
const PAGE: usize = 200;
const LOOKS: usize = 20_000;

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
        after: Option<ListCursor>,
    },
    End,
}

impl<'a> ExportPages<'a> {
    pub(super) fn of(
        reader: &mut DirectoryReader,
        app: &'a AppId,
        query: Option<&'a Query>,
    ) -> anyhow::Result<Self> {
        let at = match query {
            Some(query) => ExportPosition::Filtered { query, after: None },
            None => ExportPosition::All { begun: reader.last_entry_seq()?, behind: None },
        };
        Ok(Self { app, at })
    }

    /// The next page, possibly empty; `None` at the end.
    pub(super) fn next(&mut self, reader: &mut DirectoryReader) -> anyhow::Result<Option<Vec<UserExport>>> {
        let kept = match &mut self.at {
            ExportPosition::End => return Ok(None),
            ExportPosition::All { begun, behind } => {
                let part = reader.export_part(self.app, behind.as_ref(), *begun)?;
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
    reader: &mut DirectoryReader,
    app: &AppId,
    query: &Query,
    after: Option<&ListCursor>,
) -> anyhow::Result<(Vec<UserExport>, Option<ListCursor>)> {
    let bounds = ScanLimits { limit: PAGE, looks: LOOKS };
    let mut read = Err(anyhow!("the database was not read"));
    reader.in_one_snapshot(|reader| {
        read = reader.read_list(app, query, after, bounds).map_err(anyhow::Error::from).and_then(|listed| {
            let ListResult::Page(page) = listed else {
                return Err(anyhow!(
                    "too many changes during the export to continue in this order; start again"
                ));
            };
            Ok((reader.export_users(app, &page.users)?, page.next))
        });
    });
    read
}
