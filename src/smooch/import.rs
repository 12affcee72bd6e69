//! Lines of an import: those that an export writes, and plain ones, each an app user as GET shows it.

mod located_value;
mod plain;
mod records;

use std::sync::Arc;

use located_value::LocatedValue;

use super::ParseLimits;
use super::export::FORM;
use super::extract::digest;
use super::json::Json;
use super::rest::InvalidInput;
use crate::domain::{Event, Fact, Stamp, UnusableReason};

/// The additional nesting depth of a value in a line, compared with a webhook.
const DEEPER: usize = 8;

/// A parsed line.
#[derive(Clone, Debug)]
pub struct ImportLine {
    /// The app that it names.
    pub app: Option<String>,
    /// Its facts, under a stamp that is a function of the line alone.
    pub event: Event,
}

/// Reads a line.
/// Errors: it is not JSON, has another form, or is dated too far ahead of the clock; the field is named, no value is.
pub fn parse_line(line: &[u8], bounds: &ParseLimits) -> Result<ImportLine, InvalidInput> {
    let document = Json::parse(line, bounds.depth + DEEPER)
        .map_err(|error| InvalidInput(format!("not JSON: {error}")))?;
    let root = LocatedValue::root(&document.value);
    root.object()?;
    let facts = match root.get("rollcall") {
        Some(form) if *form.json != Json::Number(&FORM.to_string()) => {
            return Err(form.wrong(&format!("must be {FORM}: a newer rollcall wrote this")));
        }
        Some(_) => records::read(&root)?,
        None => plain::read(&root, digest(&document.value))?,
    };
    let times =
        facts.iter().filter_map(|fact| if let Fact::Known(known) = fact { known.last_seen } else { None });
    let time = times.max();
    if facts.iter().flat_map(times_of).any(|time| time > bounds.latest) {
        return Err(InvalidInput("dated too far ahead of the clock".to_owned()));
    }
    let stamp =
        Stamp { time: time.unwrap_or(Stamp::NO_TIME), event: "".into(), digest: digest(&document.value) };
    let app = root.get("app").map(|app| app.name()).transpose()?;
    let event = Event { trigger: "api:import".into(), stamp: Arc::new(stamp), facts };
    if event.has_name_over(bounds.name_bytes) {
        let most = bounds.name_bytes;
        return Err(InvalidInput(format!(
            "{}: an _id, a userId or a client's id has over {most} bytes",
            UnusableReason::NameTooLong.as_str()
        )));
    }
    Ok(ImportLine { app, event })
}

/// Every time that takes part in a comparison.
fn times_of(fact: &Fact) -> Vec<i64> {
    match fact {
        Fact::Known(known) => {
            let said = known.stamped.iter().map(|one| one.stamp.time);
            said.chain(known.last_seen).chain(known.first_seen).collect()
        }
        Fact::Linked { stamp, .. } => vec![stamp.time],
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests;
