//! GET `/stats`: how many events and changes there were, over time.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;

use crate::clock::now_ms;
use crate::directory::DirectoryReader;
use crate::directory::tallies::{CountedBy, HOUR, MINUTE, STEPS};
use crate::domain::{AppId, timestamp};
use crate::http::answers::answer;
use crate::http::error::ApiError;
use crate::http::operator_request::OperatorRequest;
use crate::http::{parameters, reads};

/// The most values of a series: the hours of 400 days, and both ends.
const MOST_VALUES: i64 = 400 * 24 + 2;

/// The length of the times that values are of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Step {
    name: &'static str,
    /// In ms.
    length: i64,
    /// The length of the tallies that are added up, in ms.
    tallies: i64,
    /// The number of values unless `from` is given.
    values: i64,
}

const STEP_NAMES: [Step; 3] = [
    Step { name: "minute", length: MINUTE, tallies: MINUTE, values: 60 },
    Step { name: "hour", length: HOUR, tallies: HOUR, values: 48 },
    Step { name: "day", length: 24 * HOUR, tallies: HOUR, values: 30 },
];

/// What is asked for.
#[derive(Debug)]
struct StatsRequest {
    app: Option<AppId>,
    step: Step,
    by: CountedBy,
    /// In ms since 1970, a multiple of the step.
    from: i64,
    /// The first moment that is not asked for.
    to: i64,
}

#[derive(Serialize)]
struct Stats {
    step: &'static str,
    by: &'static str,
    from: String,
    to: String,
    complete: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    oldest: Option<String>,
    series: Vec<Series>,
}

#[derive(Serialize)]
struct Series {
    name: String,
    values: Vec<u64>,
}

/// Answers with a series for each name, without holes: a value for each minute, hour or day of UTC.
pub(super) async fn count(request: OperatorRequest) -> Result<Response, ApiError> {
    let (shared, operator) = (&request.shared, &request.operator);
    let now = now_ms();
    let StatsRequest { app, step, by, from, to } = StatsRequest::read(&request.query, now)?;
    let read = move |reader: &mut DirectoryReader| {
        let oldest = reader.oldest_tally(step.tallies)?;
        let tallies = reader.read_tallies(step.tallies, from, to)?;
        Ok((oldest, tallies))
    };
    let (oldest, tallies) = reads::TALLIES.run(&shared.readers, read).await?;
    let count = usize::try_from((to - from) / step.length).unwrap_or_default();
    let mut series: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    let is_shown = |of: &AppId| app.as_ref().map_or_else(|| operator.sees(of), |app| app == of);
    for (start, _, tally) in tallies.into_iter().filter(|(_, of, _)| is_shown(of)) {
        let place = usize::try_from((start - from) / step.length).unwrap_or_default();
        for (name, count_there) in tally.counts(by) {
            let values = series.entry(name.clone()).or_insert_with(|| vec![0; count]);
            values[place] += count_there;
        }
    }
    let kept = STEPS.iter().find(|(length, _)| *length == step.tallies).map_or(0, |(_, kept)| *kept);
    let answered = Stats {
        step: step.name,
        by: by.as_str(),
        from: timestamp::format_ms(from),
        to: timestamp::format_ms(to),
        complete: from >= now - kept && to <= now,
        oldest: oldest.map(timestamp::format_ms),
        series: series.into_iter().map(|(name, values)| Series { name, values }).collect(),
    };
    Ok(answer(StatusCode::OK, &answered))
}

impl StatsRequest {
    fn read(query: &[(String, String)], now: i64) -> Result<Self, ApiError> {
        let given = |name: &str| parameters::value(query, name);
        let named = given("step").unwrap_or("hour");
        let step = STEP_NAMES.into_iter().find(|step| step.name == named);
        let step = step.ok_or_else(|| ApiError::bad_request("step must be minute, hour or day"))?;
        let by = given("by").map_or(Ok(CountedBy::Outcome), str::parse);
        let by = by.map_err(|_| ApiError::bad_request("by must be outcome, trigger or change"))?;
        let time = |name: &str| given(name).map(|text| parameters::time_ms(name, text)).transpose();
        let round_down = |ms: i64| ms - ms.rem_euclid(step.length);
        // The time that is running belongs to what is asked for.
        let to = time("to")?.unwrap_or(now);
        let to = round_down(to.saturating_add(step.length - 1));
        let from = time("from")?.map_or(to - step.values * step.length, round_down);
        if from >= to {
            return Err(ApiError::bad_request("from must be before to"));
        }
        if (to - from) / step.length > MOST_VALUES {
            let why = format!("from and to are more than {MOST_VALUES} steps apart: choose a longer step");
            return Err(ApiError::bad_request(why));
        }
        Ok(Self { app: given("app").map(AppId::from), step, by, from, to })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &[(&str, &str)]) -> Result<StatsRequest, ApiError> {
        let query: Vec<_> = query.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        StatsRequest::read(&query, 10 * 24 * HOUR + 90_000)
    }

    #[test]
    fn times_are_whole_steps_up_to_the_running_one() {
        let day = 24 * HOUR;
        for (query, from, to) in [
            (&[][..], 8 * day + HOUR, 10 * day + HOUR),
            (&[("step", "minute")], 10 * day - 58 * MINUTE, 10 * day + 2 * MINUTE),
            (&[("step", "day")], -19 * day, 11 * day),
            (&[("step", "day"), ("from", "1970-01-02T03:00:00Z"), ("to", "1970-01-03")], day, 2 * day),
            (&[("step", "hour"), ("from", "1970-01-01"), ("to", "1970-01-01T00:00:00.001Z")], 0, HOUR),
        ] {
            let asked = read(query).unwrap();
            assert_eq!((asked.from, asked.to), (from, to), "{query:?}");
        }
    }

    #[test]
    fn what_cannot_be_answered_is_named() {
        for (query, named) in [
            ([("step", "week"), ("by", "change")], "step"),
            ([("by", "user"), ("step", "day")], "by"),
            ([("from", "soon"), ("to", "1970-01-01")], "from"),
            ([("from", "1970-01-03"), ("to", "1970-01-02")], "from"),
            ([("from", "1970-01-01"), ("to", "1972-01-01")], "longer step"),
        ] {
            assert!(read(&query).unwrap_err().description.contains(named), "{query:?}");
        }
    }
}
