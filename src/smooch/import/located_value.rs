//! A JSON value with its path in the line, for error messages.

use crate::domain::{Field, JsonText, timestamp};
use crate::smooch::extract;
use crate::smooch::json::Json;
use crate::smooch::rest::InvalidInput;

pub(super) struct LocatedValue<'j, 'a> {
    pub(super) json: &'j Json<'a>,
    path: String,
}

impl<'j, 'a> LocatedValue<'j, 'a> {
    pub(super) fn root(json: &'j Json<'a>) -> Self {
        Self { json, path: String::new() }
    }

    pub(super) fn wrong(&self, why: &str) -> InvalidInput {
        let path = if self.path.is_empty() { "the line" } else { &self.path };
        InvalidInput(format!("{path} {why}"))
    }

    fn member(&self, key: &str, json: &'j Json<'a>) -> Self {
        let dot = if self.path.is_empty() { "" } else { "." };
        Self { json, path: format!("{}{dot}{}", self.path, key.escape_default()) }
    }

    /// A member that is there and not null.
    pub(super) fn get(&self, key: &str) -> Option<Self> {
        let json = self.json.get(key).filter(|json| **json != Json::Null)?;
        Some(self.member(key, json))
    }

    pub(super) fn need(&self, key: &str) -> Result<Self, InvalidInput> {
        self.get(key).ok_or_else(|| self.wrong(&format!("lacks {key}")))
    }

    /// The members of an object, nulls as well.
    pub(super) fn object(&self) -> Result<Vec<(&'j str, Self)>, InvalidInput> {
        let Json::Object(members) = self.json else { return Err(self.wrong("must be an object")) };
        Ok(members.iter().map(|(key, json)| (&**key, self.member(key, json))).collect())
    }

    /// The members of the object that `key` is; none without it.
    pub(super) fn members(&self, key: &str) -> Result<Vec<(&'j str, Self)>, InvalidInput> {
        self.get(key).map_or_else(|| Ok(Vec::new()), |at| at.object())
    }

    /// The items of the array that `key` is; none without it.
    pub(super) fn items(&self, key: &str) -> Result<Vec<Self>, InvalidInput> {
        let Some(at) = self.get(key) else { return Ok(Vec::new()) };
        let Json::Array(items) = at.json else { return Err(at.wrong("must be an array")) };
        let item = |(n, json)| Self { json, path: format!("{}[{n}]", at.path) };
        Ok(items.iter().enumerate().map(item).collect())
    }

    /// A string that is not empty.
    pub(super) fn name(&self) -> Result<String, InvalidInput> {
        self.is_whole(self.json)?;
        let name = self.json.str().filter(|name| !name.is_empty());
        name.map(str::to_owned).ok_or_else(|| self.wrong("must be a string that is not empty"))
    }

    /// Refuses a text that no database can hold: its replacement might be another identifier.
    fn is_whole(&self, text: &Json<'_>) -> Result<(), InvalidInput> {
        match text {
            Json::Garbled(_) => Err(self.wrong("must have no NUL and no half of a surrogate pair in it")),
            _ => Ok(()),
        }
    }

    /// The canonical text of a field's value; `None` for null.
    pub(super) fn field(&self, field: &Field, value: &Json<'_>) -> Result<Option<JsonText>, InvalidInput> {
        if *field == Field::UserId || *field == Field::BrandId {
            self.is_whole(value)?;
        }
        Ok(extract::value(value))
    }

    /// True if `key` is present and true.
    pub(super) fn flag(&self, key: &str) -> Result<bool, InvalidInput> {
        match self.get(key) {
            None => Ok(false),
            Some(at) => match at.json {
                Json::Bool(set) => Ok(*set),
                _ => Err(at.wrong("must be true or false")),
            },
        }
    }

    /// The time in `key`, in µs since 1970: ISO 8601, or that number.
    pub(super) fn moment(&self, key: &str) -> Result<Option<i64>, InvalidInput> {
        let Some(at) = self.get(key) else { return Ok(None) };
        let moment = match at.json {
            Json::Number(number) => number.parse().ok().filter(|micros| *micros > i64::MIN),
            Json::String(text) => timestamp::parse_rfc3339_micros(text),
            _ => None,
        };
        moment.map(Some).ok_or_else(|| at.wrong("must be an ISO 8601 date and time in UTC or with an offset"))
    }

    /// Refuses members that are not among these: an unknown one would be lost.
    pub(super) fn only(&self, known: &[&str]) -> Result<(), InvalidInput> {
        let unknown = self.object()?.into_iter().find(|(key, _)| !known.contains(key));
        unknown.map_or(Ok(()), |(_, at)| Err(at.wrong("is not known")))
    }
}
