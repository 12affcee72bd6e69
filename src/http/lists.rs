//! What a list can be asked for, whichever version asks: read in one place, for pages and for whatever
//! else goes through a list.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

use super::app_users::{limit, unknown_parameter};
use super::call::Call;
use super::error::ApiError;
use crate::domain::moment;
use crate::store::sqlite::SqliteReader;
use crate::store::{Bounds, Filter, Listed, Page, Place, Query, Reader, Sort};

/// The most rows that one look-up goes through; a page on which fewer fit than it may have goes on from there.
const LOOKS: usize = 20_000;

/// How a version writes the parameters that are its own.
pub(super) struct Words {
    limit: &'static str,
    after: &'static str,
    before: Option<&'static str>,
    email: Option<&'static str>,
    most: usize,
}

/// v1's and v1.1's.
pub(super) const V1: Words = Words { limit: "limit", after: "after", before: None, email: None, most: 1000 };

/// v2's.
pub(super) const V2: Words = Words {
    limit: "page[size]",
    after: "page[after]",
    before: Some("page[before]"),
    email: Some("filter[identities.email]"),
    most: 100,
};

/// How many a page has without being told.
const DEFAULT_LIMIT: usize = 25;

/// A list that is asked for.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) query: Query,
    pub(super) limit: usize,
    pub(super) from: From,
    /// The number of all who fit is to be told as well.
    pub(super) count: bool,
}

/// Where a page begins.
#[derive(Debug, PartialEq)]
pub(super) enum From {
    Start,
    After(Place),
    /// The page ends there.
    Before(Place),
}

impl Asked {
    /// Reads the parameters of a request. 400 names the one that is not known or has a value it cannot have.
    pub(super) fn read(parameters: &[(String, String)], words: &Words) -> Result<Self, ApiError> {
        let (mut after, mut before) = (None, None);
        let mut asked =
            Self { query: Query::default(), limit: DEFAULT_LIMIT, from: From::Start, count: false };
        for (name, value) in parameters {
            let filter = &mut asked.query.filter;
            match name.as_str() {
                name if name == words.limit => asked.limit = limit(name, value, words.most)?,
                name if name == words.after => after = Some((words.after, value)),
                name if Some(name) == words.before => before = words.before.map(|name| (name, value)),
                name if Some(name) == words.email => filter.email = some(name, value)?,
                "q" => filter.q = some(name, value)?,
                "userId" => filter.user_id = some(name, value)?,
                "email" => filter.email = some(name, value)?,
                "platform" => filter.platform = some(name, value)?,
                "identified" => filter.identified = Some(boolean(name, value)?),
                "conversationStarted" => filter.started = Some(boolean(name, value)?),
                "seenSince" => filter.seen.since = Some(time(name, value)?),
                "seenBefore" => filter.seen.before = Some(time(name, value)?),
                "signedUpSince" => filter.signed_up.since = Some(time(name, value)?),
                "signedUpBefore" => filter.signed_up.before = Some(time(name, value)?),
                "sort" => (asked.query.sort, asked.query.descending) = sort(value)?,
                "count" if value == "exact" => asked.count = true,
                "count" => return Err(ApiError::bad_request("count must be exact")),
                name => match name.strip_prefix("property.") {
                    Some(key) => filter.properties.push((key.to_owned(), value.clone())),
                    None => return Err(unknown_parameter(name)),
                },
            }
        }
        asked.from = match (after, before) {
            (Some((after, _)), Some((before, _))) => {
                return Err(ApiError::bad_request(format!("{after} and {before} exclude each other")));
            }
            // All parameters are known now, and with them the list.
            (Some((name, cursor)), _) => From::After(place(&asked.query, name, cursor)?),
            (_, Some((name, cursor))) => From::Before(place(&asked.query, name, cursor)?),
            (None, None) => From::Start,
        };
        Ok(asked)
    }

    /// The page. 410 for a cursor so old that the list cannot be gone on with.
    pub(super) async fn page(&self, call: &Call) -> Result<Page, ApiError> {
        let (mut query, app) = (self.query.clone(), call.caller.app.clone());
        let bounds = Bounds { limit: self.limit, looks: LOOKS };
        let backwards = matches!(self.from, From::Before(_));
        let from = match &self.from {
            From::Start => None,
            From::After(place) => Some(place.clone()),
            From::Before(place) => Some(place.clone().backwards()),
        };
        query.descending ^= backwards;
        let read = move |reader: &mut SqliteReader| reader.page(&app, &query, from.as_ref(), bounds);
        match call.shared.readers.run(read).await? {
            Listed::Page(mut page) => {
                if backwards {
                    page.users.reverse();
                }
                Ok(page)
            }
            Listed::Expired => Err(ApiError::expired(
                "Too much has changed since the page before to go on after it, or the database was restored; begin the list \
                 again",
            )),
        }
    }

    /// How many fit, if that is asked: a piece at a time, so that other look-ups get their turn.
    pub(super) async fn count(&self, call: &Call) -> Result<Option<u64>, ApiError> {
        if !self.count {
            return Ok(None);
        }
        let (mut sum, mut after) = (0, None);
        loop {
            let (filter, app): (Filter, _) = (self.query.filter.clone(), call.caller.app.clone());
            let read = move |reader: &mut SqliteReader| reader.count(&app, &filter, after.as_ref(), LOOKS);
            let counted = call.shared.readers.run(read).await?;
            sum += counted.fit;
            after = counted.next;
            if after.is_none() {
                return Ok(Some(sum));
            }
        }
    }
}

/// A text that says something.
fn some(name: &str, value: &str) -> Result<Option<String>, ApiError> {
    if value.is_empty() {
        return Err(ApiError::bad_request(format!("{name} must not be empty")));
    }
    Ok(Some(value.to_owned()))
}

fn boolean(name: &str, value: &str) -> Result<bool, ApiError> {
    value.parse().map_err(|_| ApiError::bad_request(format!("{name} must be true or false")))
}

/// A moment, in µs since 1970.
fn time(name: &str, value: &str) -> Result<i64, ApiError> {
    let number = value.parse::<f64>().is_ok_and(f64::is_finite)
        && value.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
    let time = if number { moment::seconds(value) } else { moment::iso(value) };
    time.ok_or_else(|| {
        ApiError::bad_request(format!(
            "{name} must be a date and time in ISO 8601 with Z or an offset, or seconds since 1970"
        ))
    })
}

fn sort(value: &str) -> Result<(Sort, bool), ApiError> {
    let (by, descending) = value.strip_prefix('-').map_or((value, false), |by| (by, true));
    let by = match by {
        "_id" => Sort::Id,
        "lastSeen" => Sort::LastSeen,
        "signedUpAt" => Sort::SignedUp,
        _ => {
            let expected = "sort must be _id, lastSeen or signedUpAt, or one of these after a -";
            return Err(ApiError::bad_request(expected));
        }
    };
    Ok((by, descending))
}

/// What tells the list of a cursor from others.
fn fingerprint(query: &Query) -> [u8; 8] {
    // Options, texts and numbers: they can always be written.
    let digest = Sha256::digest(postcard::to_stdvec(query).unwrap_or_default());
    std::array::from_fn(|n| digest[n])
}

/// A place as whoever reads a list page by page is told it.
pub(super) fn cursor(query: &Query, place: &Place) -> String {
    URL_SAFE_NO_PAD.encode(postcard::to_extend(place, fingerprint(query).to_vec()).unwrap_or_default())
}

/// The place in a cursor. A cursor of another list is refused.
fn place(query: &Query, name: &str, cursor: &str) -> Result<Place, ApiError> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).unwrap_or_default();
    let read = bytes.split_at_checked(8).and_then(|(of, place)| match postcard::take_from_bytes(place) {
        Ok((place, [])) => Some((of, place)),
        _ => None,
    });
    match read {
        Some((of, place)) if of == fingerprint(query) => Ok(place),
        Some(_) => Err(ApiError::bad_request(format!(
            "{name} is not a cursor of this list: filters and sort must be those of the page it is from"
        ))),
        None => Err(ApiError::bad_request(format!("{name} is not a cursor of this list"))),
    }
}
