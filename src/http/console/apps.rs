//! The apps of an operator.

use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;

use crate::directory::census::AppCensus;
use crate::domain::{AppId, timestamp};
use crate::http::answers::answer;
use crate::http::metric_counts::CountedAt;
use crate::http::operator_request::OperatorRequest;

#[derive(Serialize)]
struct AppsAnswer<'a> {
    apps: Vec<AppAnswer<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AppAnswer<'a> {
    id: &'a str,
    name: &'a str,
    #[serde(flatten)]
    counted: Option<AppCounts>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_event: Option<String>,
    silent: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    silent_after: Option<u64>,
}

/// Absent before the first count.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AppCounts {
    users: u64,
    users_counted_at: String,
    quarantined: u64,
    feed: FeedNumbers,
}

#[derive(Serialize)]
struct FeedNumbers {
    oldest: u64,
    last: u64,
}

impl AppCounts {
    fn of(app: &AppId, counted: &CountedAt) -> Option<Self> {
        let AppCensus { users, quarantined, feed } = *counted.census.apps.get(app)?;
        let feed = FeedNumbers { oldest: feed.oldest, last: feed.last };
        Some(Self { users, users_counted_at: timestamp::format_ms(counted.time), quarantined, feed })
    }
}

/// GET `/apps`: the apps that the operator sees, in the order of the settings. The counts are those of the metrics, as old
/// as `usersCountedAt` says, and absent before the first one: no call counts app users.
pub(in crate::http) async fn list(request: OperatorRequest) -> Response {
    let (shared, operator) = (&request.shared, &request.operator);
    let counted = shared.metric_counts.last_at_once(&shared.readers).await;
    let statuses = shared.app_activity.statuses();
    let apps = shared.settings.apps.iter().filter_map(|app| {
        let id = AppId::from(app.id.as_str());
        let status = statuses.iter().find(|status| status.app == id).filter(|_| operator.sees(&id))?;
        Some(AppAnswer {
            id: &app.id,
            name: &app.name,
            counted: counted.as_ref().and_then(|counted| AppCounts::of(&id, counted)),
            last_event: status.last.map(timestamp::format_ms),
            silent: status.silent,
            silent_after: app.silent_after.map(|silence| silence.as_secs()),
        })
    });
    answer(StatusCode::OK, &AppsAnswer { apps: apps.collect() })
}
