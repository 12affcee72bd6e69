//! `rollcall audit`: lists the audit log.

use std::process::ExitCode;

use clap::Subcommand;
use serde_json::Value;

use super::journal::filter::EntryRange;
use super::listing::{ListedItem, PageFilter, print_list};
use super::{apps, database};
use crate::config::Settings;
use crate::directory::DirectoryReader;
use crate::directory::audit::AuditFilter;
use crate::domain::brand::Name;
use crate::domain::timestamp::format_ms;
use crate::domain::{SmoochId, Visibility};
use crate::http::ShownAudit;
use crate::store::rows::RowFilter;
use crate::store::{self, AuditAction, AuditEntry, Seq};

/// Entries that are looked at in one snapshot of the database.
const LOOKS: usize = 20_000;

const LIST_HELP: &str = "\
Reads the database file, beside a running service or without one.

Examples:
  rollcall audit list --since 24h
  rollcall audit list --user bob --limit 0
  rollcall audit list --who ann --action erase --json";

/// The arguments of `rollcall audit`.
#[derive(Clone, Debug, Subcommand)]
pub enum AuditCommand {
    /// List who did what, the newest first
    #[command(after_help = LIST_HELP)]
    List(AuditListArgs),
}

/// See [`AuditCommand::List`].
#[derive(Clone, Debug, clap::Args)]
pub struct AuditListArgs {
    /// Only entries of this operator, by name, or of this key, by its id
    #[arg(long, value_name = "NAME")]
    who: Option<String>,
    /// Only entries with this action, such as erase
    #[arg(long, value_name = "ACTION")]
    action: Option<AuditAction>,
    /// Only entries of this app, by its id
    #[arg(long, value_name = "ID")]
    app: Option<String>,
    /// Only entries about this app user, by _id (also a merged or erased one) or userId, and about those merged
    /// into it
    #[arg(long, value_name = "ID")]
    user: Option<String>,
    #[command(flatten)]
    span: EntryRange,
    /// At most this many entries; 0 for all
    #[arg(long, value_name = "N", default_value = "50")]
    limit: usize,
    /// Print a JSON object a line
    #[arg(long)]
    json: bool,
}

/// Runs a command. Returns the exit code: 0.
///
/// # Errors
/// The database cannot be read, or stdout cannot be written.
pub fn run(command: &AuditCommand, settings: &Settings) -> anyhow::Result<ExitCode> {
    let AuditCommand::List(args) = command;
    let mut reader = database::open(settings)?;
    let wanted = args.wanted(&mut reader, settings)?;
    print_list::<ListedAudit>(&mut reader, wanted, args.limit, args.json)
}

impl AuditListArgs {
    fn wanted(&self, reader: &mut DirectoryReader, settings: &Settings) -> anyhow::Result<AuditRange> {
        let app = apps::of_database(self.app.as_deref(), reader, settings)?;
        let mut span = RowFilter::default();
        self.span.narrow(&mut span)?;
        let mut filter = AuditFilter {
            who: self.who.clone(),
            action: self.action,
            apps: app.map(|app| [app].into()),
            ids: None,
            from: span.from,
            since: span.since,
            until: span.until,
        };
        if let Some(name) = &self.user {
            let app = apps::one_of_database(self.app.as_deref(), reader, settings)?;
            let mut ids = reader.resolve_ids(&app, &Name::from(name.as_str()))?;
            if ids.is_empty() {
                ids.insert(SmoochId::from(name.as_str()));
            }
            (filter.ids, filter.apps) = (Some(ids), Some([app].into()));
        }
        Ok(AuditRange { filter, before: span.to.saturating_add(1) })
    }
}

/// The entries before a number that match.
struct AuditRange {
    filter: AuditFilter,
    before: Seq,
}

impl PageFilter for AuditRange {
    fn continue_after(&mut self, seq: Seq) {
        self.before = seq;
    }
}

struct ListedAudit {
    seq: Seq,
    entry: AuditEntry,
}

impl ListedItem for ListedAudit {
    type Filter = AuditRange;

    const HEADING: &'static str = "     SEQ  TIME                      WHO               HOW       ACTION         OUTCOME  COUNT  APP  USERS";
    const NO_MATCH: &'static str = "no entry matches";

    fn read_page(
        reader: &mut DirectoryReader,
        wanted: &AuditRange,
        limit: usize,
    ) -> store::Result<Vec<Self>> {
        let (mut found, mut before) = (Vec::new(), Some(wanted.before));
        while let Some(next) = before.filter(|_| found.len() < limit) {
            let page = reader.read_audit(&wanted.filter, Some(next), (limit - found.len(), LOOKS))?;
            found.extend(page.entries.into_iter().map(|(seq, entry)| Self { seq, entry }));
            before = page.next;
        }
        Ok(found)
    }

    fn seq(&self) -> Seq {
        self.seq
    }

    fn to_line(&self) -> String {
        let AuditEntry { time, who, how, app, action, ids, bodies, count, outcome, detail, .. } = &self.entry;
        let text = |text: Option<&str>| text.unwrap_or("-").to_owned();
        let numbers: Vec<String> = bodies.iter().map(Seq::to_string).collect();
        let about = match (ids.as_slice(), bodies.as_slice(), detail) {
            ([], [], detail) => text(detail.as_deref()),
            ([], ..) => format!("bodies {}", numbers.join(",")),
            (ids, ..) => ids.iter().map(SmoochId::as_str).collect::<Vec<_>>().join(","),
        };
        format!(
            "{:>8}  {}  {:<16}  {:<8}  {:<13}  {:<7}  {:>5}  {}  {about}",
            self.seq,
            format_ms(*time),
            text(who.as_deref()),
            how.as_str(),
            action.as_str(),
            outcome.as_str(),
            count.map_or_else(|| "-".to_owned(), |count| count.to_string()),
            text(app.as_ref().map(|app| app.as_str())),
        )
    }

    fn to_json(&self) -> Value {
        serde_json::to_value(ShownAudit::of(self.seq, &self.entry, Visibility::Whole)).unwrap_or_default()
    }
}
