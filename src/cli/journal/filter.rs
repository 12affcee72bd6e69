//! Filters of journal entries on the command line.

use std::collections::BTreeSet;

use anyhow::{Context as _, anyhow};

use crate::cli::{CommandError, apps};
use crate::clock::now_ms;
use crate::config::{self, Settings};
use crate::directory::DirectoryReader;
use crate::directory::entries::{EntryBound, EntrySpan};
use crate::domain::brand::Name;
use crate::domain::{AppId, SmoochId};
use crate::store::rows::RowFilter;

/// The common filters of commands on journal entries. An entry must match all.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct EntryFilter {
    /// Only entries of this app, by its id
    #[arg(long, value_name = "ID")]
    app: Option<String>,
    /// Only entries about this app user, by _id (also a merged one) or userId, and about those merged into
    /// it
    #[arg(long, value_name = "ID")]
    user: Option<String>,
    /// With --user: the brand of the userId; by default, the app users of all brands
    #[arg(long, value_name = "ID", requires = "user", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    brand: Option<String>,
    /// Only entries with this trigger, such as message:appUser
    #[arg(long, value_name = "TRIGGER")]
    trigger: Option<String>,
    #[command(flatten)]
    span: EntryRange,
}

/// A range of entries.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct EntryRange {
    /// First entry: a number, or the time it was received, such as 2026-03-01T08:00:00Z, a date (midnight
    /// UTC), or a time ago such as 2h
    #[arg(long, value_name = "SEQ|TIME|AGO", value_parser = moment)]
    since: Option<EntryBound>,
    /// Last entry: a number, or the time it was received
    #[arg(long, value_name = "SEQ|TIME|AGO", value_parser = moment)]
    until: Option<EntryBound>,
}

fn moment(text: &str) -> Result<EntryBound, String> {
    if let Some(bound) = EntryBound::parse(text) {
        return Ok(bound);
    }
    let ago = config::duration(text).map_err(
        |_| "neither a number, nor a time such as 2026-03-01 or 2026-03-01T08:00:00Z, nor a duration such as 2h",
    )?;
    let ago = i64::try_from(ago.as_millis()).unwrap_or(i64::MAX);
    Ok(EntryBound::Received(now_ms().saturating_sub(ago)))
}

impl EntryRange {
    pub(crate) fn is_empty(&self) -> bool {
        self.since.is_none() && self.until.is_none()
    }

    /// Narrows a query to this range.
    /// Fails if it ends before it begins.
    pub(crate) fn narrow(&self, wanted: &mut RowFilter) -> Result<(), CommandError> {
        let backwards = || CommandError::Usage("--until is before --since".to_owned());
        let span = EntrySpan::between(self.since, self.until).ok_or_else(backwards)?;
        (wanted.from, wanted.to) = (wanted.from.max(span.from), wanted.to.min(span.to));
        (wanted.since, wanted.until) = (span.since, span.until);
        Ok(())
    }
}

impl EntryFilter {
    pub(crate) fn is_empty(&self) -> bool {
        self.app.is_none() && self.user.is_none() && self.trigger.is_none() && self.span.is_empty()
    }

    /// A description that identifies the filter. Times are left out, since "ago" changes with every run.
    pub(crate) fn describe(&self) -> String {
        let moment = |moment: EntryBound| match moment {
            EntryBound::Entry(seq) => format!("entry {seq}"),
            EntryBound::Received(_) => "a time".to_owned(),
        };
        let text = |name: &str, value: Option<String>| value.map(|value| format!(", {name} {value}"));
        let quoted = |name: &str, value: Option<String>| text(name, value.map(|value| format!("{value:?}")));
        let said = [
            quoted("of the app", self.app.clone()),
            quoted("of the app user", self.user.clone()),
            quoted("in the brand", self.brand.clone()),
            quoted("with the trigger", self.trigger.clone()),
            text("since", self.span.since.map(moment)),
            text("until", self.span.until.map(moment)),
        ];
        said.into_iter().flatten().collect()
    }

    pub(crate) fn has_since(&self) -> bool {
        self.span.since.is_some()
    }

    /// The matching entries, for an app user by the present merges.
    /// Fails if there is no such app user, or its app is ambiguous.
    pub(crate) fn wanted(
        &self,
        reader: &mut DirectoryReader,
        settings: &Settings,
    ) -> anyhow::Result<RowFilter> {
        let (mut wanted, user) = self.narrowed(reader, settings)?;
        if let Some((app, name)) = user {
            let ids = reader.resolve_ids(&app, &name)?;
            if ids.is_empty() {
                return Err(unknown_user(&app));
            }
            wanted.seqs = Some(reader.find_entry_numbers(&app, &ids)?);
            wanted.app = Some(app);
        }
        Ok(wanted)
    }

    /// The entries without regard to the app user, and the app user.
    fn narrowed(
        &self,
        reader: &mut DirectoryReader,
        settings: &Settings,
    ) -> anyhow::Result<(RowFilter, Option<(AppId, Name)>)> {
        let app = apps::of_database(self.app.as_deref(), reader, settings)?;
        let mut wanted = RowFilter { app, label: self.trigger.clone(), ..RowFilter::default() };
        self.span.narrow(&mut wanted)?;
        let Some(name) = self.user.as_deref() else { return Ok((wanted, None)) };
        let name = Name::from(name).in_brand(self.brand.as_deref());
        Ok((wanted, Some((apps::one_of_database(self.app.as_deref(), reader, settings)?, name))))
    }

    /// The same for future entries. The app user is resolved by the present merges, or taken as an `_id` if it
    /// is still unknown.
    pub(crate) fn coming(
        &self,
        reader: &mut DirectoryReader,
        settings: &Settings,
    ) -> anyhow::Result<FutureEntries> {
        let (mut wanted, user) = self.narrowed(reader, settings)?;
        let Some((app, name)) = user else {
            return Ok(FutureEntries { wanted, users: None, unknown: None });
        };
        let ids = reader.resolve_ids(&app, &name).context("looking up the app user")?;
        wanted.app = Some(app.clone());
        if ids.is_empty() {
            let users = Some(BTreeSet::from([SmoochId::from(&*name.text)]));
            return Ok(FutureEntries { wanted, users, unknown: Some(app) });
        }
        Ok(FutureEntries { wanted, users: Some(ids), unknown: None })
    }
}

pub(crate) struct FutureEntries {
    pub(crate) wanted: RowFilter,
    /// Only entries about one of these.
    pub(crate) users: Option<BTreeSet<SmoochId>>,
    /// The app, if the app user is still unknown.
    pub(crate) unknown: Option<AppId>,
}

pub(crate) fn unknown_user(app: &AppId) -> anyhow::Error {
    anyhow!("the app {app} has no app user with that _id or userId")
}
