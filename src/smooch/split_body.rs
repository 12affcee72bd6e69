//! Splits a body into the events that name an erased app user, and the rest.

use super::json::{Json, write_object};

/// Deeper than any body that was accepted.
const DEPTH: usize = 512;

/// A body split by its events.
#[derive(Debug, Default)]
pub struct SplitBody {
    /// For each event, true if it is separated. Empty for a body that is not JSON.
    named: Vec<bool>,
    /// A body with the other events; `None` if there are none, or if the members around them name the app user too.
    pub rest: Option<Vec<u8>>,
}

impl SplitBody {
    /// Splits a body by `named`, which gets the place and the text of each event.
    pub fn of(body: &[u8], named: impl Fn(Option<usize>, &[u8]) -> bool) -> Self {
        let Ok(document) = Json::parse(body, DEPTH) else { return Self::default() };
        let Json::Object(members) = &document.value else { return Self::default() };
        let Some(events) = document.value.get("events").map(Json::items).filter(|events| !events.is_empty())
        else {
            return Self { named: vec![true], rest: None };
        };
        let is_named = |(n, event): (usize, &Json<'_>)| event.exact(|text| named(Some(n), text.as_bytes()));
        let places: Vec<bool> = events.iter().enumerate().map(is_named).collect();
        let others = events.iter().zip(&places).filter(|(_, named)| !**named).map(|(event, _)| event.clone());
        let others: Vec<Json<'_>> = others.collect();
        if others.is_empty() {
            return Self { named: places, rest: None };
        }
        let others = Json::Array(others);
        let members = members.iter().map(|(key, value)| {
            let value = if key == "events" { &others } else { value };
            (&**key, value)
        });
        let mut rest = String::with_capacity(body.len());
        write_object(members, true, &mut rest);
        let rest = Some(rest.into_bytes()).filter(|rest| !named(None, rest));
        Self { named: places, rest }
    }

    /// The place in `rest` of the event at a place of the body, if it is there.
    pub fn place(&self, place: usize) -> Option<usize> {
        let is_other = self.rest.is_some() && self.named.get(place) == Some(&false);
        is_other.then(|| self.named[..place].iter().filter(|named| !**named).count())
    }

    /// The number of events in `rest`.
    pub fn others(&self) -> usize {
        if self.rest.is_some() { self.named.iter().filter(|named| !**named).count() } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apart(body: &str) -> SplitBody {
        SplitBody::of(body.as_bytes(), |_, text| memchr::memmem::find(text, b"her").is_some())
    }

    #[test]
    fn events_that_name_an_erased_user_are_separated_and_the_others_stay_with_their_context() {
        let body =
            r#"{"webhook":{"id":"w"},"events":[{"x":1.0},{"x":"her"},{"b":2,"a":3}],"app":{"id":"a"}}"#;
        let found = apart(body);
        let rest = r#"{"app":{"id":"a"},"events":[{"x":1.0},{"a":3,"b":2}],"webhook":{"id":"w"}}"#;
        assert_eq!(found.rest.as_deref(), Some(rest.as_bytes()));
        assert_eq!([0, 1, 2, 3].map(|place| found.place(place)), [Some(0), None, Some(1), None]);
        assert_eq!(found.others(), 2);
    }

    #[test]
    fn of_a_body_of_one_event_or_of_none_that_can_be_read_nothing_stays() {
        for body in [
            r#"{"trigger":"x","who":"her"}"#,
            r#"{"events":[{"x":"her"}]}"#,
            r#"{"events":[{"x":"her"},{"x":1}],"app":"her"}"#,
            r#"{"events":[{"x":"her"}"#,
            r#"["her"]"#,
        ] {
            let found = apart(body);
            assert_eq!((found.rest.as_deref(), found.place(1), found.others()), (None, None, 0), "{body}");
        }
    }
}
