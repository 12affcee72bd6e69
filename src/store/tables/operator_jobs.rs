//! Operator jobs, what failed in them, and segments.

use std::collections::BTreeMap;

use crate::domain::AppId;
use crate::store::cell::{Cell, CellError, FromCell, ToCell, json, named_cells, text};
use crate::store::entry::Seq;
use crate::store::operator_jobs::{JobCounts, JobFailure, JobKind, JobState, OperatorJob, Segment};
use crate::store::select::row;
use crate::store::table::Table;

/// The jobs.
pub static JOBS: Table = Table {
    remade: Some("jobs"),
    ..Table::new(
        "jobs",
        &["id"],
        &[
            "app",
            "kind",
            "spec",
            "who",
            "role",
            "how",
            "request",
            "state",
            "began",
            "ended",
            "total",
            "done",
            "failed",
            "cursor",
            "counts",
            "result",
            "file_until",
            "epoch",
        ],
    )
};

row! {
    OperatorJob => JOBS {
        id, app, kind, spec, who, role, how, request, state, began, ended, total, done, failed, cursor, counts, result,
        file_until, epoch
    }
}

/// What failed in them.
pub static JOB_FAILURES: Table =
    Table { remade: Some("jobs"), ..Table::new("job_failures", &["job", "n"], &["about", "reason"]) };

row! { JobFailure => JOB_FAILURES { job, n, about, reason } }

/// The segments.
pub static SEGMENTS: Table = Table {
    remade: Some("segments"),
    ..Table::new("segments", &["id"], &["app", "name", "query", "who", "time"])
};

row! { Segment => SEGMENTS { id, app, name, query, who, time } }

named_cells! { JobKind JobState }

impl ToCell for JobCounts {
    fn to_cell(&self) -> Cell<'_> {
        json(&self.0)
    }
}

impl FromCell for JobCounts {
    fn from_cell(cell: &Cell<'_>) -> Result<Self, CellError> {
        let counts: BTreeMap<String, u64> = serde_json::from_str(text(cell)?).map_err(CellError::damaged)?;
        Ok(Self(counts))
    }
}

/// A job, by what an erasure asks of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobSpec {
    /// Its number.
    pub id: Seq,
    /// The app; `None` for none or several.
    pub app: Option<AppId>,
    /// What it does.
    pub kind: JobKind,
    /// Its state.
    pub state: JobState,
    /// What it is to be done with.
    pub spec: Option<String>,
    /// How many parts were done.
    pub done: u64,
    /// Where it continues.
    pub cursor: String,
    /// Until when its file is kept.
    pub file_until: Option<i64>,
}

row! { read JobSpec => JOBS { id, app, kind, state, spec, done, cursor, file_until } }

/// What an erasure writes of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForgottenJob {
    /// Its number.
    pub id: Seq,
    /// What it is to be done with.
    pub spec: Option<String>,
    /// How many parts were done.
    pub done: u64,
    /// Where it continues.
    pub cursor: String,
    /// Until when its file is kept.
    pub file_until: Option<i64>,
}

row! { write ForgottenJob => JOBS { id, spec, done, cursor, file_until } }
