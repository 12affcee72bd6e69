//! A job as answers show it.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::value::RawValue;

use crate::domain::Visibility;
use crate::domain::timestamp::format_ms;
use crate::http::answers::raw;
use crate::store::{JobKind, OperatorJob, Seq};

/// A job.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct JobAnswer<'j> {
    id: Seq,
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    app: Option<&'j str>,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<&'j str>,
    started: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended: Option<String>,
    done: u64,
    failed: u64,
    of: u64,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    counts: &'j BTreeMap<String, u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    with: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file_until: Option<String>,
    /// An erased app user was named in what it was to be done with.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    erased: bool,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    masked: &'static [&'static str],
}

impl<'j> JobAnswer<'j> {
    pub(super) fn new(job: &'j OperatorJob, visibility: Visibility) -> Self {
        // The filter may have values of people.
        let is_hidden = visibility.is_masked() && job.spec.is_some();
        Self {
            id: job.id,
            kind: job.kind.as_str(),
            app: job.app.as_ref().map(|app| app.as_str()),
            state: job.state.as_str(),
            by: job.who.as_deref(),
            started: format_ms(job.began),
            ended: job.ended.map(format_ms),
            done: job.done,
            failed: job.failed,
            of: job.total,
            counts: &job.counts.0,
            with: job.spec.clone().filter(|_| !is_hidden).map(raw),
            result: job.result.clone().map(raw),
            file_until: job.file_until.filter(|_| job.kind == JobKind::Export).map(format_ms),
            erased: job.spec.is_none(),
            masked: if is_hidden { &["with"] } else { &[] },
        }
    }
}
