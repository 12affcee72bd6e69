//! Changes of the directory as feed readers see them, and the envelope of CloudEvents 1.0.

use serde::Serialize;

use super::json::{RawJson, to_json};
use super::v1;
use crate::domain::{Change, Field, SmoochId, View, timestamp};

#[derive(Serialize)]
struct ChangeAnswer<'c> {
    seq: u64,
    time: String,
    kind: &'static str,
    #[serde(rename = "_id")]
    user: &'c SmoochId,
    #[serde(skip_serializing_if = "Option::is_none")]
    surviving: Option<&'c SmoochId>,
    fields: Vec<&'c str>,
    #[serde(rename = "appUser", skip_serializing_if = "Option::is_none")]
    app_user: Option<RawJson<'static>>,
}

/// The JSON text of a change at `time`, in ms since 1970.
pub fn change(seq: u64, time: i64, change: &Change, user: Option<&View>) -> String {
    let names = change.fields.iter().map(|name| &**name);
    to_json(&ChangeAnswer {
        seq,
        time: timestamp::format_ms(time),
        kind: change.kind.as_str(),
        user: &change.user,
        surviving: change.kind.surviving(),
        // Aliases are no member of an app user: the feed has the merges themselves.
        fields: names.filter(|name| *name != "aliases" && Field::is_name_in_v1(name)).collect(),
        app_user: user.map(|user| v1::app_user(user).into()),
    })
}

/// The attributes of a CloudEvent 1.0.
pub struct CloudEvent<'e> {
    /// Names it within its source.
    pub id: &'e str,
    /// A reference to its feed.
    pub source: &'e str,
    /// Its type, without the name of the service.
    pub kind: &'e str,
    /// The `_id` it is about.
    pub subject: Option<&'e str>,
    /// In ms since 1970.
    pub time: Option<i64>,
}

#[derive(Serialize)]
struct CloudEventAnswer<'e> {
    specversion: &'static str,
    id: &'e str,
    source: &'e str,
    r#type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'e str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<String>,
    datacontenttype: &'static str,
    data: RawJson<'e>,
}

impl CloudEvent<'_> {
    /// The event with its data, a JSON object, in the structured form.
    pub fn text(&self, data: &str) -> String {
        to_json(&CloudEventAnswer {
            specversion: "1.0",
            id: self.id,
            source: self.source,
            r#type: format!("rollcall.{}", self.kind),
            subject: self.subject,
            time: self.time.map(timestamp::format_ms),
            datacontenttype: "application/json",
            data: RawJson(data.into()),
        })
    }
}
