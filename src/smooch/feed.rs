//! A change of the directory, as its followers are told.

use super::json::write_string;
use super::v1;
use crate::domain::{Change, View, timestamp};

/// `{"seq","time","kind","_id","surviving"?,"fields","appUser"?}`, with the names of v1; `time` in ms since 1970.
pub fn change(seq: u64, time: i64, change: &Change, user: Option<&View>) -> String {
    let mut out = format!(
        "{{\"seq\":{seq},\"time\":{},\"kind\":\"{}\",\"_id\":",
        timestamp::json_from_ms(time),
        change.kind.as_str()
    );
    write_string(change.user.as_str(), &mut out);
    if let Some(surviving) = change.kind.surviving() {
        out.push_str(",\"surviving\":");
        write_string(surviving.as_str(), &mut out);
    }
    out.push_str(",\"fields\":[");
    // Who is merged into an app user is in the feed itself, and no member of it.
    let shown = change.fields.iter().filter(|name| *name != "aliases" && v1::is_shown(name));
    for (n, field) in shown.enumerate() {
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

/// The attributes of a CloudEvent 1.0.
pub struct CloudEvent<'e> {
    /// Names it within its source.
    pub id: &'e str,
    /// A reference to the feed that it is of.
    pub source: &'e str,
    /// The word for what it tells, without the name of the service.
    pub kind: &'e str,
    /// The `_id` it is about.
    pub subject: Option<&'e str>,
    /// In ms since 1970.
    pub time: Option<i64>,
}

impl CloudEvent<'_> {
    /// The event with its data, a JSON object, in the structured form.
    pub fn text(&self, data: &str) -> String {
        let mut out = "{\"specversion\":\"1.0\",\"id\":".to_owned();
        write_string(self.id, &mut out);
        out.push_str(",\"source\":");
        write_string(self.source, &mut out);
        out.push_str(&format!(",\"type\":\"rollcall.{}\"", self.kind));
        if let Some(subject) = self.subject {
            out.push_str(",\"subject\":");
            write_string(subject, &mut out);
        }
        if let Some(time) = self.time {
            out.push_str(&format!(",\"time\":{}", timestamp::json_from_ms(time)));
        }
        out.push_str(&format!(",\"datacontenttype\":\"application/json\",\"data\":{data}}}"));
        out
    }
}
