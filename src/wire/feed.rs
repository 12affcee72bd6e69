//! A change of the directory, as its followers are told.

use super::json::write_string;
use super::{iso, v1};
use crate::domain::{Change, ChangeKind, View};

/// The word for what happened.
pub fn kind(kind: &ChangeKind) -> &'static str {
    match kind {
        ChangeKind::Created => "created",
        ChangeKind::Updated => "updated",
        ChangeKind::Merged { .. } => "merged",
        ChangeKind::Unmerged => "unmerged",
        ChangeKind::Removed => "removed",
        ChangeKind::Erased => "erased",
    }
}

/// `{"seq","time","kind","_id","surviving"?,"fields","appUser"?}`; `time` in ms since 1970.
pub fn change(seq: u64, time: i64, change: &Change, user: Option<&View>) -> String {
    let mut out =
        format!("{{\"seq\":{seq},\"time\":{},\"kind\":\"{}\",\"_id\":", iso(time), kind(&change.kind));
    write_string(change.user.as_str(), &mut out);
    if let ChangeKind::Merged { surviving } = &change.kind {
        out.push_str(",\"surviving\":");
        write_string(surviving.as_str(), &mut out);
    }
    out.push_str(",\"fields\":[");
    for (n, field) in change.fields.iter().enumerate() {
        if n > 0 {
            out.push(',');
        }
        write_string(field, &mut out);
    }
    out.push(']');
    if let Some(user) = user {
        out.push_str(",\"appUser\":");
        out.push_str(&v1::app_user(user));
    }
    out.push('}');
    out
}
