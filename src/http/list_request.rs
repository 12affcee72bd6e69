//! The parameters of a list, in v1 and in v2, for pages and for streams.

use std::time::Duration;

use serde::Serialize;

use super::api_request::ApiRequest;
use super::error::ApiError;
use super::list_cursor;
use super::parameters::{BRAND_PARAMETER, boolean, limit, text, time};
use super::reads::{self, ReadKind};
use crate::directory::DirectoryReader;
use crate::directory::list_page::{ListCursor, ListResult, ScanLimits};
use crate::domain::list::{Filter, Query, Sort};
use crate::domain::{AppId, AppVersion, ShownUser};

/// The most rows that one look-up scans; a page with fewer matches than its limit may continue from
/// there.
pub(super) const MOST_ROWS_SCANNED: usize = 20_000;

/// The longest that it scans them: on a disk that is slow to read, 20,000 take seconds.
pub(super) const LONGEST_SCAN: Duration = Duration::from_millis(200);

/// The most such look-ups of a bounded count.
const COUNT_PIECES: usize = 10;

/// The bound of `count=true`, and the highest bound that a caller may set.
const DEFAULT_COUNT: u64 = 10_000;
const MOST_COUNTED: u64 = 1_000_000;

/// The largest pages of v1 and of v2.
pub(super) const MOST_IN_V1: usize = 1000;
pub(super) const MOST_IN_V2: usize = 100;

const DEFAULT_LIMIT: usize = 25;

#[derive(Debug)]
pub(super) struct ListRequest {
    app: AppId,
    pub(super) query: Query,
    pub(super) limit: usize,
    pub(super) longest_scan: Duration,
    pub(super) from: PageStart,
    pub(super) count: CountMode,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CountMode {
    Off,
    UpTo(u64),
    Exact,
}

#[derive(Serialize)]
pub(super) struct FitCount {
    #[serde(rename = "count")]
    fit: u64,
    /// All matches were counted; else there may be more.
    #[serde(rename = "countExact")]
    exact: bool,
}

pub(super) struct ShownPage<T> {
    pub(super) users: T,
    /// The places of its first and last row.
    pub(super) ends: Option<[ListCursor; 2]>,
    /// The rows that were looked at.
    pub(super) looked: usize,
    /// The start of the next page; none at the end of the list.
    pub(super) next: Option<ListCursor>,
}

#[derive(Debug, PartialEq)]
pub(super) enum PageStart {
    Start,
    After(ListCursor),
    /// The page ends there.
    Before(ListCursor),
}

impl ListRequest {
    /// Parses the parameters of a request, by their names in v1 or in v2; those that its version does not know were
    /// refused before. A page has at most `most` app users. 400 names the parameter with an invalid value.
    pub(super) fn read(app: &AppId, parameters: &[(String, String)], most: usize) -> Result<Self, ApiError> {
        let (mut after, mut before) = (None, None);
        let mut asked = Self {
            app: app.clone(),
            query: Query::default(),
            limit: DEFAULT_LIMIT,
            longest_scan: LONGEST_SCAN,
            from: PageStart::Start,
            count: CountMode::Off,
        };
        for (name, value) in parameters {
            let filter = &mut asked.query.filter;
            match name.as_str() {
                "limit" | "page[size]" => asked.limit = limit(name, value, most)?,
                "after" | "page[after]" => after = Some((name, value)),
                "page[before]" => before = Some((name, value)),
                "identityEmail" | "filter[identities.email]" => {
                    filter.identity_email = Some(text(name, value)?);
                }
                "userId" | "externalId" if filter.user_id.is_some() => {
                    return Err(ApiError::bad_request(
                        "userId and externalId are the same: give one of them",
                    ));
                }
                BRAND_PARAMETER => filter.brand = Some(text(name, value)?),
                "q" => filter.q = Some(text(name, value)?),
                "userId" | "externalId" => filter.user_id = Some(text(name, value)?),
                "email" => filter.email = Some(text(name, value)?),
                "platform" => filter.client.platform = Some(text(name, value)?),
                "appVersion" => filter.client.version = Some(text(name, value)?),
                "appVersionSince" => filter.client.version_since = Some(version(name, value)?),
                "appVersionBefore" => filter.client.version_before = Some(version(name, value)?),
                "identified" => filter.identified = Some(boolean(name, value)?),
                "conversationStarted" => filter.started = Some(boolean(name, value)?),
                "seenSince" => filter.seen.since = Some(time(name, value)?),
                "seenBefore" => filter.seen.before = Some(time(name, value)?),
                "signedUpSince" => filter.signed_up.since = Some(time(name, value)?),
                "signedUpBefore" => filter.signed_up.before = Some(time(name, value)?),
                "sort" => (asked.query.sort, asked.query.descending) = sort(value)?,
                "count" => asked.count = count(value)?,
                name => {
                    let property = name.strip_prefix("property.");
                    filter.properties.extend(property.map(|key| (key.to_owned(), value.clone())));
                }
            }
        }
        asked.from = match (after, before) {
            (Some((after, _)), Some((before, _))) => {
                return Err(ApiError::bad_request(format!("{after} and {before} exclude each other")));
            }
            // All parameters are parsed now, and with them the query of the list.
            (Some((name, cursor)), _) => PageStart::After(asked.place(name, cursor)?),
            (_, Some((name, cursor))) => PageStart::Before(asked.place(name, cursor)?),
            (None, None) => PageStart::Start,
        };
        Ok(asked)
    }

    fn place(&self, name: &str, cursor: &str) -> Result<ListCursor, ApiError> {
        list_cursor::place(&(self.app.as_str(), &self.query), name, cursor)
    }

    /// A place as a cursor of this list.
    pub(super) fn cursor(&self, place: &ListCursor) -> String {
        list_cursor::cursor(&(self.app.as_str(), &self.query), place)
    }

    /// A page, with each app user as `show` makes it. 410 for a cursor so old that the list cannot
    /// continue from it.
    pub(super) async fn page<T: Send + 'static>(
        &self,
        request: &ApiRequest,
        kind: &ReadKind,
        show: impl FnOnce(&[ShownUser<'_>]) -> T + Send + 'static,
    ) -> Result<ShownPage<T>, ApiError> {
        self.check_conditions(request)?;
        let (mut query, app) = (self.query.clone(), self.app.clone());
        let visibility = request.caller.visibility;
        let bounds = ScanLimits { limit: self.limit, looks: MOST_ROWS_SCANNED, time: self.longest_scan };
        let backwards = matches!(self.from, PageStart::Before(_));
        let from = match &self.from {
            PageStart::Start => None,
            PageStart::After(place) => Some(place.clone()),
            PageStart::Before(place) => Some(place.clone().backwards()),
        };
        query.descending ^= backwards;
        let read = move |reader: &mut DirectoryReader| {
            let ListResult::Page(mut page) = reader.read_list(&app, &query, from.as_ref(), bounds)? else {
                return Ok(None);
            };
            if backwards {
                page.users.reverse();
            }
            let users: Vec<_> = page.users.iter().map(|user| visibility.show(user)).collect();
            Ok(Some(ShownPage { users: show(&users), ends: page.ends, looked: page.looked, next: page.next }))
        };
        let page = kind.run(&request.shared.readers, read).await?;
        request.shared.presence.mark_told();
        page.ok_or_else(|| {
            ApiError::expired(
                "Too much has changed since the page before to go on after it, or the database was restored; begin the list \
                 again",
            )
        })
    }

    /// Refuses conditions on values that the caller does not see: their matches would tell the values.
    fn check_conditions(&self, request: &ApiRequest) -> Result<(), ApiError> {
        let private = self.query.filter.private_parameter();
        private.map_or(Ok(()), |name| request.caller.must_see_people(|| format!("A list by {name}")))
    }

    /// The number of matches, if requested: counted in pieces, so that other reads get their turn.
    pub(super) async fn count(&self, request: &ApiRequest) -> Result<Option<FitCount>, ApiError> {
        let (most, pieces) = match self.count {
            CountMode::Off => return Ok(None),
            CountMode::UpTo(most) => (most, COUNT_PIECES),
            CountMode::Exact => (u64::MAX, usize::MAX),
        };
        self.check_conditions(request)?;
        let read = reads::COUNT.begin(&request.shared.readers)?;
        let (mut fit, mut after) = (0, None);
        for _ in 0..pieces {
            let (filter, app): (Filter, _) = (self.query.filter.clone(), self.app.clone());
            let count = move |reader: &mut DirectoryReader| {
                reader.count_list(&app, &filter, after.as_ref(), MOST_ROWS_SCANNED)
            };
            let counted = read.run(count).await?;
            fit += counted.fit;
            after = counted.next;
            if after.is_none() || fit > most {
                break;
            }
        }
        Ok(Some(FitCount { fit: fit.min(most), exact: after.is_none() && fit <= most }))
    }
}

fn count(value: &str) -> Result<CountMode, ApiError> {
    match value {
        "exact" => Ok(CountMode::Exact),
        "true" => Ok(CountMode::UpTo(DEFAULT_COUNT)),
        "false" => Ok(CountMode::Off),
        number => number
            .parse()
            .ok()
            .filter(|most| (1..=MOST_COUNTED).contains(most))
            .map(CountMode::UpTo)
            .ok_or_else(|| {
                ApiError::bad_request(format!(
                    "count must be true, exact, or a number from 1 to {MOST_COUNTED}"
                ))
            }),
    }
}

fn version(name: &str, value: &str) -> Result<AppVersion, ApiError> {
    AppVersion::read(value)
        .ok_or_else(|| ApiError::bad_request(format!("{name} must be a version such as 1.10 or 2.0-beta")))
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
