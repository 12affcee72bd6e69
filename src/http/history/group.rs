//! The `_id`s that are one app user, and the merges between them.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::value::RawValue;

use crate::domain::{MemberMerge, SmoochId, timestamp};
use crate::http::answers::raw;
use crate::store::Seq;

/// The numbers of the events of merges, by the discarded and the surviving `_id`.
type MergedBy = BTreeMap<(SmoochId, SmoochId), Seq>;

#[derive(Serialize)]
pub(super) struct MergeTree<'a> {
    root: &'a SmoochId,
    members: Vec<Member<'a>>,
}

#[derive(Serialize)]
struct Member<'a> {
    #[serde(rename = "_id")]
    id: &'a SmoochId,
    #[serde(skip_serializing_if = "Option::is_none")]
    into: Option<&'a SmoochId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seq: Option<Seq>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<Box<RawValue>>,
    holds: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    removed: bool,
}

impl<'a> MergeTree<'a> {
    pub(super) fn of(root: &'a SmoochId, members: &[MemberMerge<'a>], merged_by: &MergedBy) -> Self {
        let member = |merge: &MemberMerge<'a>| {
            let MemberMerge { id, removed, into, holds } = *merge;
            let (to, edge) = into.unzip();
            let time = edge.and_then(|edge| edge.stamp.known_time());
            Member {
                id,
                into: to,
                seq: to.and_then(|to| merged_by.get(&(id.clone(), to.clone())).copied()),
                reason: edge.map(|edge| edge.value.reason.as_str()),
                time: time.map(|time| raw(&*timestamp::json_from_ms(time.div_euclid(1000)))),
                holds,
                removed,
            }
        };
        Self { root, members: members.iter().map(member).collect() }
    }
}
