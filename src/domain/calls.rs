//! API calls as received. The body of a journal entry has the call beside the event that it was decided into; both
//! are deleted together.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::fact::Event;

/// An API call as received, or what remains of it after an erasure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallMade {
    /// Its method.
    pub method: String,
    /// Its path as received, with the query. Absent once an app user of the call is erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The id of the key, never its secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The scope of the credential: `app`, `appUser` and `account` are those of a JWT or key, `appToken` is an app
    /// token, `operator` is an operator, `admin` is an import on the admin listener.
    pub scope: String,
    /// The name of the operator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator: Option<String>,
    /// The `userId` in a JWT of scope `appUser`.
    #[serde(default, rename = "userId", skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// Its body, if it had one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// True if the rest was deleted with an erased app user.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub erased: bool,
}

/// Who made a call, as far as that is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CalledBy {
    /// The name of the operator.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operator: Option<String>,
    /// The id of the key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The scope of the credential; see [`CallMade::scope`].
    pub scope: String,
    /// The `userId` in a JWT of scope `appUser`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
}

impl fmt::Display for CalledBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { operator, key, scope, user_id } = self;
        match (operator, key) {
            (Some(operator), _) => write!(f, "operator {operator}, scope {scope}"),
            (None, Some(key)) => write!(f, "key {key}, scope {scope}"),
            (None, None) => write!(f, "scope {scope}"),
        }?;
        user_id.iter().try_for_each(|user_id| write!(f, " of {user_id:?}"))
    }
}

impl CallMade {
    /// Who made it.
    pub fn by(self) -> CalledBy {
        let Self { operator, key, scope, user_id, .. } = self;
        CalledBy { operator, key, scope, user_id }
    }

    /// Removes everything that may identify the erased app user.
    pub fn without_the_erased(self) -> Self {
        Self { path: None, user_id: None, body: None, erased: true, ..self }
    }

    /// The approximate size in bytes.
    pub fn bytes(&self) -> usize {
        [&self.path, &self.body].into_iter().flatten().map(String::len).sum()
    }

    /// Reads the call from the body of an entry; `None` if an earlier version, which stored no calls, wrote it.
    pub fn of(body: &[u8]) -> Option<Self> {
        #[derive(Deserialize)]
        struct Beside {
            call: Option<CallMade>,
        }
        serde_json::from_slice::<Beside>(body).ok()?.call
    }
}

/// The body of a call's journal entry: the members of the event, and the call as one more member.
///
/// # Errors
/// As [`serde_json::to_vec`].
pub fn entry_body(event: &Event, call: Option<&CallMade>) -> serde_json::Result<Vec<u8>> {
    #[derive(Serialize)]
    struct Beside<'a> {
        #[serde(flatten)]
        event: &'a Event,
        #[serde(skip_serializing_if = "Option::is_none")]
        call: Option<&'a CallMade>,
    }
    serde_json::to_vec(&Beside { event, call })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_beside_its_event_and_either_can_be_read_alone() {
        let stamp = super::super::Stamp { time: 1, event: "e".into(), digest: [7; 16] };
        let facts = vec![super::super::Fact::Removed { user: "a".into() }];
        let event = Event { trigger: "api:delete".into(), stamp: stamp.into(), facts };
        let call = CallMade {
            method: "DELETE".to_owned(),
            path: Some("/v1/appusers/a".to_owned()),
            key: Some("k".to_owned()),
            scope: "app".to_owned(),
            operator: None,
            user_id: None,
            body: None,
            erased: false,
        };
        let body = entry_body(&event, Some(&call)).unwrap();
        assert_eq!(CallMade::of(&body), Some(call.clone()));
        let read: Event = serde_json::from_slice(&body).unwrap();
        assert_eq!((read.stamp, &read.facts), (event.stamp.clone(), &event.facts));
        let bare = entry_body(&event, None).unwrap();
        assert_eq!(bare, serde_json::to_vec(&event).unwrap(), "as an earlier version wrote it");
        assert_eq!(CallMade::of(&bare), None);
        let left = call.without_the_erased();
        assert_eq!((left.path.clone(), left.erased), (None, true));
        assert_eq!(CallMade::of(&entry_body(&event, Some(&left)).unwrap()), Some(left));
    }
}
