//! Lists items of the database, and shows one: the common part of `journal` and `quarantine`.

use std::io::{self, Write};
use std::process::ExitCode;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::Value;

use super::visible::make_visible;
use crate::directory::DirectoryReader;
use crate::store::rows::RowFilter;
use crate::store::{self, Seq};

pub(super) const PAGE: usize = 500;

/// A filter of numbered rows, of which a page at a time is read.
pub(super) trait PageFilter {
    /// Narrows the filter to the rows after this one.
    fn continue_after(&mut self, seq: Seq);
}

impl PageFilter for RowFilter {
    fn continue_after(&mut self, seq: Seq) {
        Self::continue_after(self, seq);
    }
}

pub(super) trait ListedItem: Sized {
    type Filter: PageFilter;

    const HEADING: &'static str;
    const NO_MATCH: &'static str;

    fn read_page(
        reader: &mut DirectoryReader,
        wanted: &Self::Filter,
        limit: usize,
    ) -> store::Result<Vec<Self>>;

    fn seq(&self) -> Seq;

    fn to_line(&self) -> String;

    fn to_json(&self) -> Value;
}

/// The arguments of `show`.
#[derive(Clone, Debug, clap::Args)]
pub struct ShowArgs {
    /// The number, as `list` shows it
    pub(super) seq: Seq,
    /// Print a JSON object
    #[arg(long, conflicts_with = "body")]
    pub(super) json: bool,
    /// Print only the body
    #[arg(long)]
    pub(super) body: bool,
}

/// Prints at most `limit` items, or all for 0, as lines or as JSON. Returns the exit code: 0.
pub(super) fn print_list<I: ListedItem>(
    reader: &mut DirectoryReader,
    mut wanted: I::Filter,
    limit: usize,
    as_json: bool,
) -> anyhow::Result<ExitCode> {
    let mut left = if limit == 0 { usize::MAX } else { limit };
    let mut printed = 0;
    let mut out = io::stdout().lock();
    if !as_json {
        writeln!(out, "{}", I::HEADING)?;
    }
    loop {
        // One more than is printed, to see whether there are more.
        let page = I::read_page(reader, &wanted, PAGE.min(left).saturating_add(1))?;
        let shown = page.len().min(PAGE).min(left);
        for item in &page[..shown] {
            if as_json {
                writeln!(out, "{}", item.to_json())?;
            } else {
                writeln!(out, "{}", make_visible(&item.to_line()))?;
            }
        }
        left -= shown;
        printed += shown;
        let Some(last) = page[..shown].last().filter(|_| page.len() > shown) else { break };
        if left == 0 {
            out.flush()?;
            let _ = writeln!(io::stderr(), "there are more; --limit 0 shows all");
            break;
        }
        wanted.continue_after(last.seq());
    }
    out.flush()?;
    if printed == 0 {
        let _ = writeln!(io::stderr(), "{}", I::NO_MATCH);
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) fn print_members(out: &mut impl Write, item: &impl ListedItem) -> io::Result<()> {
    for (name, value) in item.to_json().as_object().into_iter().flatten() {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        writeln!(out, "{name:<9} {}", make_visible(&text))?;
    }
    Ok(())
}

/// Adds a body to a JSON object: as text if it is UTF-8, else in base64.
pub(super) fn put_body(value: &mut Value, body: &[u8]) {
    match std::str::from_utf8(body) {
        Ok(text) => value["body"] = text.into(),
        Err(_) => value["bodyBase64"] = BASE64.encode(body).into(),
    }
}
